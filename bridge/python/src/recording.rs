//! Recordings: frames in files, read again, read on from into the ring, and written.

use crate::dataframe::is_end;
use crate::error::{invalid, raise};
use crate::frame::{ARROW, Form, POLARS, hand_out};
use crate::log;
use crate::options::{self, Common, Milliseconds, Patience, ReaderOptions, Wait};
use crate::shared::{Origin, deadline, slice};
use parking_lot::Mutex;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyFloat};
use qadataswap::recording::{self, FileInfo, RecorderConfig, Since, SyncPolicy};
use qadataswap::{QADataSwapError, Result, SharedMemoryConfig, ffi};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A timeout for ever, as a default.
const FOREVER: Milliseconds = Milliseconds(None);
const AS_CONFIGURED: Patience = Patience(None);
/// Between two looks at whether a ring has come into being.
const NAP: Duration = Duration::from_millis(5);

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
        };
        let config = options.config().map_err(raise)?;
        let follow = py.detach(|| self.recording.follow(config, since)).map_err(raise)?;
        let follow = follow.with_patience(patience_ms.0.unwrap_or(Duration::MAX));
        log::flush(py);
        let state = Mutex::new(State { follow: Some(follow), ahead: None });
        Ok(Follow(Arc::new(FollowCell { state, name, origin: Origin::here() })))
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

/// Reads a recording and then on in the ring that it is of, with no frame lost and none twice: got by
/// `Recording.follow`.
///
/// While it reads the recording it takes no part in the ring; from the recording's end on it is a lossless reader as
/// others. It has a reader's verbs, and may be used by several threads. `MissingFramesError` tells of frames that are
/// neither in the recording nor in the ring, `ReplacedError` of another life of the ring; reading goes on behind both.
///
/// >>> import polars as pl, tempfile
/// >>> folder = tempfile.mkdtemp()
/// >>> writer = qadataswap.create_writer("doc", size_mb=1)
/// >>> with qadataswap.Recorder("doc", folder) as recorder:
/// ...     writer.write(pl.DataFrame({"price": [5000.25]}))
/// ...     recorder.record(0).sequence
/// 0
/// 0
/// >>> writer.write(pl.DataFrame({"price": [5000.5]}))
/// 1
/// >>> writer.close()
/// >>> with qadataswap.Recording(folder).follow("doc", since=0) as follow:
/// ...     [table["price"].item() for table in follow]
/// [5000.25, 5000.5]
#[pyclass(frozen, module = "qadataswap", weakref)]
pub(crate) struct Follow(Arc<FollowCell>);

struct FollowCell {
    state: Mutex<State>,
    name: Arc<str>,
    origin: Origin,
}

struct State {
    /// `None` once closed.
    follow: Option<recording::Follow>,
    /// Read, or failed to be read, and not handed out yet: a signal, or a cancelled task, loses neither.
    ahead: Option<Result<ffi::Frame>>,
}

impl FollowCell {
    /// Reads ahead, waiting for at most `within`; whether there is something to take. To be called detached.
    ///
    /// # Errors
    /// `Forked`, `Closed`; those of reading are kept.
    fn fetch(&self, within: Duration) -> Result<bool> {
        self.origin.check(&self.name)?;
        let state = &mut *self.state.lock();
        let Some(follow) = &state.follow else { return Err(self.closed()) };
        if state.ahead.is_none() {
            state.ahead = follow.read_ffi(within).transpose();
        }
        Ok(state.ahead.is_some())
    }

    /// Takes what was read ahead; to be called detached.
    ///
    /// # Errors
    /// As of `Follow::read_frame`; `Forked`, `Closed`.
    fn take(&self) -> Result<Option<ffi::Frame>> {
        self.origin.check(&self.name)?;
        let mut state = self.state.lock();
        if state.follow.is_none() {
            return Err(self.closed());
        }
        state.ahead.take().transpose()
    }

    #[cold]
    fn closed(&self) -> QADataSwapError {
        QADataSwapError::Closed { ring: self.name.to_string() }
    }

    fn read(&self, py: Python<'_>, timeout: Option<Duration>) -> PyResult<Option<ffi::Frame>> {
        let deadline = deadline(timeout);
        loop {
            py.detach(|| self.fetch(slice(deadline))).map_err(raise)?;
            // Before a frame is taken, which a handler that raises would lose.
            py.check_signals()?;
            let taken = py.detach(|| self.take()).map_err(raise)?;
            if taken.is_some() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(taken);
            }
        }
    }

    fn hand_out<'py>(
        &self,
        py: Python<'py>,
        form: Form,
        timeout: Option<Duration>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        hand_out(py, form, &self.name, || self.read(py, timeout))
    }
}

#[pymethods]
impl Follow {
    /// Reads the next table as a Polars DataFrame; `None` if there is none within `timeout_ms` milliseconds. Waits for
    /// as long as it takes if that is negative; Ctrl-C interrupts it.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn read<'py>(&self, py: Python<'py>, timeout_ms: Milliseconds) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.hand_out(py, POLARS, timeout_ms.0)
    }

    /// Reads the next table as a pyarrow Table; as `read`.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn read_arrow<'py>(
        &self,
        py: Python<'py>,
        timeout_ms: Milliseconds,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.hand_out(py, ARROW, timeout_ms.0)
    }

    /// Reads the next table as a Frame; as `read`.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn read_frame<'py>(
        &self,
        py: Python<'py>,
        timeout_ms: Milliseconds,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.hand_out(py, Form::Frame, timeout_ms.0)
    }

    /// Reads the next table as a Polars DataFrame if it is there. Never waits.
    fn try_read<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.hand_out(py, POLARS, Some(Duration::ZERO))
    }

    /// Reads the next table as a pyarrow Table if it is there; as `try_read`.
    fn try_read_arrow<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.hand_out(py, ARROW, Some(Duration::ZERO))
    }

    /// Reads the next table as a Frame if it is there; as `try_read`.
    fn try_read_frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.hand_out(py, Form::Frame, Some(Duration::ZERO))
    }

    /// As `read`, for asyncio: waits without blocking the event loop. Cancelling it loses no frame.
    #[pyo3(signature = (timeout_ms=-1.0), text_signature = "($self, timeout_ms=-1)")]
    fn read_async<'py>(slf: &Bound<'py, Self>, timeout_ms: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("qadataswap.aio")?.getattr("read")?.call1((slf, timeout_ms))
    }

    /// Reads ahead for whoever takes by `_take`, waiting for at most `timeout_ms`; whether there is something to take.
    fn _fetch(&self, py: Python<'_>, timeout_ms: Milliseconds) -> PyResult<bool> {
        py.detach(|| self.0.fetch(slice(deadline(timeout_ms.0)))).map_err(raise)
    }

    /// Takes what was read ahead, as a Polars DataFrame if `tables`, else as a Frame.
    fn _take<'py>(&self, py: Python<'py>, tables: bool) -> PyResult<Option<Bound<'py, PyAny>>> {
        let form = if tables { POLARS } else { Form::Frame };
        hand_out(py, form, &self.0.name, || py.detach(|| self.0.take()).map_err(raise))
    }

    /// Frames as they come, waiting for each, until the ring's stream ends.
    fn frames(slf: &Bound<'_, Self>) -> FollowedFrames {
        FollowedFrames { follow: slf.get().0.clone(), form: Form::Frame }
    }

    /// Tables as Polars DataFrames as they come, waiting for each, until the ring's stream ends.
    fn __iter__(slf: &Bound<'_, Self>) -> FollowedFrames {
        FollowedFrames { follow: slf.get().0.clone(), form: POLARS }
    }

    fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("qadataswap.aio")?.getattr("tables")?.call1((slf,))
    }

    /// Whether frames come from the ring by now.
    #[getter]
    fn is_live(&self, py: Python<'_>) -> PyResult<bool> {
        let is_live = || {
            self.0.origin.check(&self.0.name)?;
            Ok(self.0.state.lock().follow.as_ref().is_some_and(recording::Follow::is_live))
        };
        py.detach(is_live).map_err(raise)
    }

    /// Stops reading, and no longer holds up the writer; frames already read stay valid. Closing twice is no error.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            // What the parent of a forked child has opened is the parent's to close.
            if !self.0.origin.is_elsewhere() {
                let mut state = self.0.state.lock();
                (state.follow, state.ahead) = (None, None);
            }
        });
        log::flush(py);
    }

    /// The ring's name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether this handle was closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        py.detach(|| !self.0.origin.is_elsewhere() && self.0.state.lock().follow.is_none())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        format!("<qadataswap.Follow of '{}'>", self.0.name)
    }
}

/// The frames of a follower as they come.
#[pyclass(frozen, module = "qadataswap._qadataswap")]
pub(crate) struct FollowedFrames {
    follow: Arc<FollowCell>,
    form: Form,
}

#[pymethods]
impl FollowedFrames {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.follow.hand_out(py, self.form, None) {
            Err(error) if is_end(py, &error) => Ok(None),
            handed_out => handed_out,
        }
    }
}

/// When a recorder's frames are made to outlive the system: a word, or a number of frames.
pub(crate) enum Sync {
    Word(String),
    Every(u64),
}

impl FromPyObject<'_, '_> for Sync {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(word) = value.extract() {
            return Ok(Sync::Word(word));
        }
        value
            .extract()
            .map(Sync::Every)
            .map_err(|_| PyTypeError::new_err("sync: expected 'never', 'rotate', or a number of frames"))
    }
}

impl Sync {
    fn policy(self, ring: &str) -> Result<SyncPolicy> {
        match self {
            Sync::Word(word) if word.eq_ignore_ascii_case("never") => Ok(SyncPolicy::Never),
            Sync::Word(word) if word.eq_ignore_ascii_case("rotate") => Ok(SyncPolicy::OnRotate),
            Sync::Every(frames) if frames > 0 => Ok(SyncPolicy::Every(frames)),
            Sync::Every(_) => Err(invalid(ring, "sync: expected a number of frames from 1 on, got 0")),
            Sync::Word(word) => Err(invalid(
                ring,
                format!("sync: expected 'never', 'rotate' or a number of frames, got '{word}'"),
            )),
        }
    }
}

/// Records a ring into the files of a folder: a reader that appends what it reads, unchanged, to Arrow IPC streams.
///
/// A recorder that finds a recording of its ring goes on behind its last frame, and mends its end first if a recorder was
/// killed. A new file begins at `rotate_bytes` (1 GiB), and with the first frame that was published `rotate_seconds` after
/// a file's first one. `sync` says when what was recorded is made to outlive a power failure: "never", "rotate" (when a
/// file is finished), or after so many frames. `mode` is of the files. The other keywords are those of `create_reader`: as
/// "lossless", the ring waits for the disk. May be used by several threads. An example stands with `Recording`.
#[pyclass(frozen, module = "qadataswap", weakref)]
pub(crate) struct Recorder {
    /// `None` once closed.
    recorder: Mutex<Option<recording::Recorder>>,
    name: Arc<str>,
    folder: String,
    attach_timeout: Duration,
    origin: Origin,
}

impl Recorder {
    /// Runs `act` on the recorder; to be called detached.
    fn with<T>(&self, act: impl FnOnce(&mut recording::Recorder) -> Result<T>) -> Result<T> {
        self.origin.check(&self.name)?;
        match &mut *self.recorder.lock() {
            Some(recorder) => act(recorder),
            None => Err(QADataSwapError::Closed { ring: self.name.to_string() }),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let mut recorder = self.recorder.get_mut().take();
        if recorder.is_some() {
            // Finishing a file may wait for the disk. Without an interpreter there is nobody to be held up.
            let _ = Python::try_attach(|py| py.detach(|| drop(recorder.take())));
        }
    }
}

/// Tries until a ring has come into being, for as long as `patience`; answers signals meanwhile.
fn attached<T: Send>(
    py: Python<'_>,
    patience: Duration,
    mut attach: impl FnMut() -> Result<T> + Send,
) -> PyResult<T> {
    let deadline = deadline(Some(patience));
    loop {
        match py.detach(&mut attach) {
            Err(QADataSwapError::NotFound { .. })
                if deadline.is_none_or(|deadline| Instant::now() < deadline) =>
            {
                py.check_signals()?;
                py.detach(|| std::thread::sleep(NAP));
            }
            attached => return attached.map_err(raise),
        }
    }
}

#[pymethods]
impl Recorder {
    #[new]
    #[pyo3(signature = (ring, folder, *, rotate_bytes=None, rotate_seconds=None, sync=None, mode=0o600,
        policy="lossless", start="oldest", attach_timeout_ms=AS_CONFIGURED, trusted_owners=vec![], directory=None,
        wait=None, config_file=None),
        text_signature = "(ring, folder, *, rotate_bytes=None, rotate_seconds=None, sync='rotate', mode=0o600, policy='lossless', start='oldest', attach_timeout_ms=..., trusted_owners=(), directory=None, wait='balanced', config_file=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the call")]
    fn new(
        py: Python<'_>,
        ring: String,
        folder: PathBuf,
        rotate_bytes: Option<u64>,
        rotate_seconds: Option<f64>,
        sync: Option<Sync>,
        mode: u32,
        policy: &str,
        start: &str,
        attach_timeout_ms: Patience,
        trusted_owners: Vec<u32>,
        directory: Option<PathBuf>,
        wait: Option<Wait>,
        config_file: Option<PathBuf>,
    ) -> PyResult<Recorder> {
        let name: Arc<str> = ring.as_str().into();
        let options = ReaderOptions {
            common: Common { name: ring, directory, trusted_owners, wait, config_file },
            policy: policy.to_owned(),
            start: start.to_owned(),
            validation: "form".to_owned(),
            attach_timeout: attach_timeout_ms,
        };
        let ring = options.config().and_then(SharedMemoryConfig::resolved).map_err(raise)?;
        let attach_timeout = ring.attach_timeout();
        let shown = folder.display().to_string();
        let mut config =
            RecorderConfig::new(ring.with_attach_timeout(Duration::ZERO), folder).with_mode(mode);
        if let Some(bytes) = rotate_bytes {
            config = config.with_rotate_bytes(bytes);
        }
        if let Some(seconds) = rotate_seconds {
            let time = Duration::try_from_secs_f64(seconds);
            config = config.with_rotate_every(time.map_err(|_| {
                raise(invalid(&name, format!("rotate_seconds: {seconds} is no length of time")))
            })?);
        }
        if let Some(sync) = sync {
            config = config.with_sync(sync.policy(&name).map_err(raise)?);
        }
        let opened = attached(py, attach_timeout, || recording::Recorder::open(config.clone()));
        log::flush(py);
        Ok(Recorder {
            recorder: Mutex::new(Some(opened?)),
            name,
            folder: shown,
            attach_timeout,
            origin: Origin::here(),
        })
    }

    /// Records the next frame and says what it was; `None` if there is none within `timeout_ms` milliseconds. Waits for
    /// as long as it takes if that is negative; Ctrl-C interrupts it, and loses no frame.
    ///
    /// `EndOfStreamError` when the ring has ended, `WriterDiedError` when its writer has died: one may go on recording.
    /// After `ReplacedError`, `attach_again`. When the disk is full (`NoSpaceError`), the frame at hand is recorded by the
    /// next call if that goes better. A frame that is no Arrow stream (`CorruptError`) is left out.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn record(&self, py: Python<'_>, timeout_ms: Milliseconds) -> PyResult<Option<Recorded>> {
        let deadline = deadline(timeout_ms.0);
        loop {
            let recorded = py.detach(|| self.with(|recorder| recorder.record(slice(deadline))));
            log::flush(py);
            let recorded = recorded.map_err(raise)?.map(Recorded);
            if recorded.is_some() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(recorded);
            }
            py.check_signals()?;
        }
    }

    /// Records until the ring's stream ends, or for `timeout_ms` milliseconds and then what is there; whether it has
    /// ended. Ctrl-C interrupts it, and loses no frame. Errors are those of `record`, but for the end of the stream.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn run(&self, py: Python<'_>, timeout_ms: Milliseconds) -> PyResult<bool> {
        let deadline = deadline(timeout_ms.0);
        loop {
            let ended = py.detach(|| self.with(|recorder| recorder.run(slice(deadline))));
            log::flush(py);
            if ended.map_err(raise)? {
                return Ok(true);
            }
            py.check_signals()?;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
        }
    }

    /// Attaches to the ring that has taken the place of the one recorded so far, or to the same one again, waiting for it
    /// as long as the attach timeout.
    fn attach_again(&self, py: Python<'_>) -> PyResult<()> {
        let attached = attached(py, self.attach_timeout, || self.with(recording::Recorder::attach_again));
        log::flush(py);
        attached
    }

    /// What it has done so far: `frames`, their `rows` and `bytes`, `missed` ones between them, `files` begun.
    fn get_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = py.detach(|| self.with(|recorder| Ok(recorder.stats()))).map_err(raise)?;
        let dict = PyDict::new(py);
        for (name, value) in [
            ("frames", stats.frames),
            ("rows", stats.rows),
            ("bytes", stats.bytes),
            ("missed", stats.missed),
            ("files", stats.files),
        ] {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    /// Finishes the file at hand and leaves the ring. Closing twice is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let closed = py.detach(|| {
            // What the parent of a forked child has opened is the parent's to close.
            if self.origin.is_elsewhere() {
                return Ok(());
            }
            let recorder = self.recorder.lock().take();
            recorder.map_or(Ok(()), |recorder| recorder.close().map(drop))
        });
        log::flush(py);
        closed.map_err(raise)
    }

    /// The ring's name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the recording.
    #[getter]
    fn folder(&self) -> &str {
        &self.folder
    }

    /// Whether this handle was closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        py.detach(|| !self.origin.is_elsewhere() && self.recorder.lock().is_none())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        format!("<qadataswap.Recorder of '{}' into {}>", self.name, self.folder)
    }
}

/// A frame that was just recorded.
#[pyclass(frozen, module = "qadataswap")]
pub(crate) struct Recorded(recording::Recorded);

#[pymethods]
impl Recorded {
    /// Its number in the ring.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence
    }

    /// Its rows.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Bytes of its messages.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Frames of the ring that are not in the recording, between the frame recorded before and this one.
    #[getter]
    fn missed(&self) -> u64 {
        self.0.missed
    }

    /// The number of the file it is in.
    #[getter]
    fn file(&self) -> u64 {
        self.0.file
    }

    fn __repr__(&self) -> String {
        let recording::Recorded { sequence, rows, bytes, missed, file, .. } = self.0;
        format!(
            "<qadataswap.Recorded {sequence}: {rows} rows, {bytes} bytes, {missed} missed, in file {file}>"
        )
    }
}
