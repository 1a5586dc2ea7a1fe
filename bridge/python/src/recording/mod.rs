//! Recordings: frames in files, read again, read on from into the ring, and written.

mod follow;
mod recorder;

pub(crate) use follow::{Follow, FollowedFrames};
pub(crate) use recorder::{Recorded, Recorder};

use crate::error::raise;
use crate::library::{Form, POLARS, hand_out};
use crate::log;
use crate::options::{self, Common, Milliseconds, Patience, ReaderOptions, Wait};
use crate::shared::Origin;
use parking_lot::Mutex;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyFloat};
use qadataswap::recording::{self, FileInfo, Since};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A timeout for ever, as a default.
const FOREVER: Milliseconds = Milliseconds(None);
const AS_CONFIGURED: Patience = Patience(None);

/// Where to start: nowhere in particular, at a sequence, or at a time.
fn since(value: Option<&Bound<'_, PyAny>>) -> PyResult<Since> {
    let Some(value) = value else { return Ok(Since::Start) };
    if value.is_instance_of::<PyDateTime>() {
        // One without a zone is local, as for `timestamp()`.
        let aware = match value.getattr("tzinfo")?.is_none() {
            true => value.call_method0("astimezone")?,
            false => value.clone(),
        };
        let before_all = aware.call_method0("timestamp")?.extract::<f64>()? < 0.0;
        return Ok(Since::Time(if before_all { UNIX_EPOCH } else { aware.extract()? }));
    }
    if value.is_instance_of::<PyFloat>() {
        let seconds: f64 = value.extract()?;
        let time = Duration::try_from_secs_f64(seconds.max(0.0)).ok();
        let time = time.filter(|_| !seconds.is_nan()).and_then(|time| UNIX_EPOCH.checked_add(time));
        return time.map(Since::Time).ok_or_else(|| {
            PyValueError::new_err(format!("since: {seconds} is no time in seconds since the epoch"))
        });
    }
    let wrong = || {
        PyTypeError::new_err(
            "since: expected a sequence (int), a time (datetime, or float: seconds since the epoch), or None",
        )
    };
    if value.is_instance_of::<PyBool>() || !value.hasattr("__index__")? {
        return Err(wrong());
    }
    value.extract().map(Since::Sequence)
}

/// What was recorded of a ring, in the files of a folder. It may be recorded into meanwhile.
///
/// `validation` says how much of a frame is checked before it is handed out, as of `create_reader`; its checksum always
/// is.
///
/// >>> import polars as pl, tempfile
/// >>> folder = tempfile.mkdtemp()
/// >>> with qadataswap.create_writer("doc", size_mb=1) as writer:
/// ...     with qadataswap.Recorder("doc", folder) as recorder:
/// ...         for price in (5000.25, 5000.5):
/// ...             sequence = writer.write(pl.DataFrame({"price": [price]}))
/// ...         recorder.run(timeout_ms=0), recorder.get_stats()["frames"]
/// (False, 2)
/// >>> recording = qadataswap.Recording(folder)
/// >>> [frame.sequence for frame in recording.frames()]
/// [0, 1]
/// >>> [table["price"].item() for table in recording.tables(since=1)]
/// [5000.5]
/// >>> recording.summary()["frames"]
/// 2
#[pyclass(frozen, module = "qadataswap", weakref)]
pub(crate) struct Recording {
    recording: recording::Recording,
    name: Arc<str>,
}

#[pymethods]
impl Recording {
    #[new]
    #[pyo3(signature = (folder, *, validation="form"))]
    fn new(py: Python<'_>, folder: PathBuf, validation: &str) -> PyResult<Recording> {
        let name: Arc<str> = folder.display().to_string().into();
        let validation = options::validation(&name, validation).map_err(raise)?;
        let recording = py.detach(|| recording::Recording::open(folder)).map_err(raise)?;
        Ok(Recording { recording: recording.with_validation(validation), name })
    }

    /// Frames one after the other, to the last one recorded so far; asked again, the iterator goes on with what has come
    /// since.
    ///
    /// `since` is where to start: at a frame's sequence (an int; of the ring's newest life), or at the first frame that
    /// was published at a time or later (a `datetime`, which is local if it has no zone, or a float: seconds since the
    /// epoch, as `time.time()`).
    ///
    /// An error is passed by: `next()` goes on behind it. `CorruptError` tells of a frame that cannot be read, which the
    /// next one counts as missed; `ReplacedError` stands between two lives of the ring, each of which counts its frames
    /// from 0.
    #[pyo3(signature = (since=None))]
    fn frames(&self, py: Python<'_>, since: Option<&Bound<'_, PyAny>>) -> PyResult<RecordedFrames> {
        self.from(py, since, Form::Frame)
    }

    /// Tables as Polars DataFrames one after the other; as `frames`.
    #[pyo3(signature = (since=None))]
    fn tables(&self, py: Python<'_>, since: Option<&Bound<'_, PyAny>>) -> PyResult<RecordedFrames> {
        self.from(py, since, POLARS)
    }

    /// All tables as Polars DataFrames; as `tables()`.
    fn __iter__(&self, py: Python<'_>) -> PyResult<RecordedFrames> {
        self.from(py, None, POLARS)
    }

    /// Reads the recording from a place on, and then on in the ring, with no frame lost and none twice; see `Follow`.
    ///
    /// `patience_ms` is how long the recorder is waited for between the recording's end and the ring; the other keywords
    /// are those of `create_reader`, of the ring.
    #[pyo3(signature = (ring, since=None, *, patience_ms=Milliseconds(Some(Duration::from_secs(5))), validation="form",
        attach_timeout_ms=AS_CONFIGURED, trusted_owners=vec![], directory=None, wait=None, config_file=None),
        text_signature = "($self, ring, since=None, *, patience_ms=5000, validation='form', attach_timeout_ms=..., trusted_owners=(), directory=None, wait='balanced', config_file=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the call")]
    fn follow(
        &self,
        py: Python<'_>,
        ring: String,
        since: Option<&Bound<'_, PyAny>>,
        patience_ms: Milliseconds,
        validation: &str,
        attach_timeout_ms: Patience,
        trusted_owners: Vec<u32>,
        directory: Option<PathBuf>,
        wait: Option<Wait>,
        config_file: Option<PathBuf>,
    ) -> PyResult<Follow> {
        let since = self::since(since)?;
        let name: Arc<str> = ring.as_str().into();
        let options = ReaderOptions {
            common: Common { name: ring, directory, trusted_owners, wait, config_file },
            policy: "lossless".to_owned(),
            start: "oldest".to_owned(),
            validation: validation.to_owned(),
            attach_timeout: attach_timeout_ms,
            prefault: None,
        };
        let config = options.config().map_err(raise)?;
        let follow = py.detach(|| self.recording.follow(config, since)).map_err(raise)?;
        let follow = follow.with_patience(patience_ms.0.unwrap_or(Duration::MAX));
        log::flush(py);
        Ok(Follow::new(follow, name))
    }

    /// What its files hold, oldest first, each as a dict: `pl.DataFrame(recording.files())` is a table of them. Reads the
    /// indices, not the data.
    fn files<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let files = py.detach(|| self.recording.files()).map_err(raise)?;
        files.iter().map(|file| file_dict(py, file)).collect()
    }

    /// What it holds as a whole, as a dict: `frames`, the first and the last one's sequence and time, how many are
    /// `missed` between them, `bytes`, and whether it `is_live`: being recorded into.
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let summary = py.detach(|| self.recording.summary()).map_err(raise)?;
        let dict = PyDict::new(py);
        dict.set_item("ring", summary.ring)?;
        for (name, value) in [
            ("files", summary.files),
            ("frames", summary.frames),
            ("rows", summary.rows),
            ("bytes", summary.data_bytes),
            ("missed", summary.missed),
            ("damaged", summary.damaged),
        ] {
            dict.set_item(name, value)?;
        }
        set_places(&dict, summary.first, summary.last)?;
        dict.set_item("is_live", summary.is_live)?;
        Ok(dict)
    }

    /// Mends its end after a recorder was killed: what follows the last whole frame is cut off, so that every Arrow
    /// library reads the last file to its end. Returns how many bytes of data and of the index were cut off. A recorder
    /// that goes on does this by itself; `InvalidConfigError` while one is at work.
    fn repair(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        let mended = py.detach(|| self.recording.repair()).map_err(raise)?;
        log::flush(py);
        Ok((mended.data_bytes, mended.index_bytes))
    }

    /// Whether somebody records into it now.
    #[getter]
    fn is_live(&self, py: Python<'_>) -> PyResult<bool> {
        py.detach(|| self.recording.is_live()).map_err(raise)
    }

    /// The folder.
    #[getter]
    fn folder(&self) -> &str {
        &self.name
    }

    fn __repr__(&self) -> String {
        format!("<qadataswap.Recording in {}>", self.name)
    }
}

impl Recording {
    fn from(&self, py: Python<'_>, since: Option<&Bound<'_, PyAny>>, form: Form) -> PyResult<RecordedFrames> {
        let since = self::since(since)?;
        let frames = py.detach(|| self.recording.frames(since)).map_err(raise)?;
        Ok(RecordedFrames {
            frames: Mutex::new(frames),
            form,
            name: self.name.clone(),
            origin: Origin::here(),
        })
    }
}

fn file_dict<'py>(py: Python<'py>, file: &FileInfo) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("file", file.number)?;
    dict.set_item("ring", &file.ring)?;
    dict.set_item("region", format!("{:016x}{:016x}", file.region_id[0], file.region_id[1]))?;
    dict.set_item("path", file.data.as_os_str())?;
    for (name, value) in [
        ("bytes", file.data_bytes),
        ("frames", file.frames),
        ("rows", file.rows),
        ("missed", file.missed),
        ("damaged", file.damaged),
    ] {
        dict.set_item(name, value)?;
    }
    set_places(&dict, file.first, file.last)?;
    Ok(dict)
}

fn set_places(
    dict: &Bound<'_, PyDict>,
    first: Option<(u64, SystemTime)>,
    last: Option<(u64, SystemTime)>,
) -> PyResult<()> {
    dict.set_item("first_sequence", first.map(|(sequence, _)| sequence))?;
    dict.set_item("last_sequence", last.map(|(sequence, _)| sequence))?;
    dict.set_item("first_at", first.map(|(_, time)| time))?;
    dict.set_item("last_at", last.map(|(_, time)| time))
}

/// The frames of a recording as they come.
#[pyclass(frozen, module = "qadataswap._qadataswap")]
pub(crate) struct RecordedFrames {
    frames: Mutex<recording::RecordedFrames>,
    form: Form,
    name: Arc<str>,
    origin: Origin,
}

#[pymethods]
impl RecordedFrames {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        hand_out(py, self.form, &self.name, || {
            let read = || {
                self.origin.check(&self.name)?;
                self.frames.lock().read_ffi()
            };
            py.detach(read).map_err(raise)
        })
    }
}
