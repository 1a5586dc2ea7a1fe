//! Reading on from a recording into its ring.

use super::FOREVER;
use crate::dataframe::is_end;
use crate::error::raise;
use crate::library::{ARROW, Form, POLARS, hand_out};
use crate::log;
use crate::options::Milliseconds;
use crate::shared::{Origin, deadline, slice};
use parking_lot::Mutex;
use pyo3::prelude::*;
use qadataswap::{QADataSwapError, Result, ffi, recording};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

impl Follow {
    pub(super) fn new(follow: recording::Follow, name: Arc<str>) -> Follow {
        let state = Mutex::new(State { follow: Some(follow), ahead: None });
        Follow(Arc::new(FollowCell { state, name, origin: Origin::here() }))
    }
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
