//! Writing a recording.

use super::{AS_CONFIGURED, FOREVER};
use crate::error::{invalid, raise};
use crate::log;
use crate::options::{Common, Milliseconds, Patience, ReaderOptions, Wait};
use crate::shared::{Origin, deadline, slice};
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use qadataswap::recording::{self, RecorderConfig, SyncPolicy};
use qadataswap::{QADataSwapError, Result, SharedMemoryConfig};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks at whether a ring has come into being.
const NAP: Duration = Duration::from_millis(5);

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
            prefault: None,
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
