//! Frames on their way out: by the Arrow PyCapsule interface, straight from the slot.

#![allow(unsafe_code, reason = "streams leave as C structs")]

use crate::capsule::{self, ArrowArrayStream, Owned, Release};
use crate::error::raise;
use crate::library::Library;
use crate::schema::{self, Schema};
use pyo3::exceptions::{PyAttributeError, PyImportError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use qadataswap::QADataSwapError;
use qadataswap::arrow_schema::SchemaRef;
use qadataswap::ffi::{self, ArrowArray, ArrowSchema};
use std::ffi::{CString, c_char, c_int};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A frame: one table as it was written, lying in shared memory (or, if it comes out of a recording, in memory of its
/// own).
///
/// Any library that speaks the Arrow PyCapsule interface takes it, without a copy: `polars.DataFrame(frame)`,
/// `pyarrow.table(frame)`, `duckdb.from_arrow(frame)`. It holds its slot until it, and every table made of it, is gone:
/// who holds as many frames as the ring has buffers stops the writer.
#[pyclass(frozen, module = "qadataswap", weakref)]
pub(crate) struct Frame(pub(crate) Arc<ffi::Frame>, pub(crate) Arc<str>);

impl Frame {
    /// A frame of the ring `ring`.
    pub(crate) fn new(frame: ffi::Frame, ring: Arc<str>) -> Frame {
        Frame(Arc::new(frame), ring)
    }

    /// The schema by which the frame leaves. What is requested is a wish, by the interface's rules: string and binary
    /// views are written out for consumers that ask for plain ones, all else leaves as it lies in the slot.
    fn schema_for(&self, requested: Option<&Bound<'_, PyAny>>) -> PyResult<SchemaRef> {
        let Some(requested) = requested.filter(|requested| !requested.is_none()) else {
            return Ok(self.0.schema().clone());
        };
        let requested = capsule::unwrap_schema(requested)?;
        let wanted = schema::import(&requested).map_err(raise)?;
        Ok(self.0.schema_for(&wanted))
    }
}

#[pymethods]
impl Frame {
    /// The frame's number, counted from 0 over the ring's life.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    /// Number of frames that the reader missed between the previous frame and this one.
    #[getter]
    fn missed(&self) -> u64 {
        self.0.missed()
    }

    /// Time since the frame was published.
    #[getter]
    fn age(&self) -> Duration {
        self.0.age()
    }

    /// `time.monotonic_ns()` at publication.
    #[getter]
    fn published_ns(&self) -> u64 {
        self.0.published_ns()
    }

    /// When the frame was published, by the clock on the wall, in UTC: of a recorded frame as it was written down then.
    #[getter]
    fn published_at(&self) -> SystemTime {
        self.0.published_at()
    }

    /// Number of rows in all batches.
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    /// Number of columns.
    #[getter]
    fn num_columns(&self) -> usize {
        self.0.schema().fields().len()
    }

    /// Number of batches, as they were written.
    #[getter]
    fn num_batches(&self) -> usize {
        self.0.num_batches()
    }

    /// The columns' names and types.
    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.0.schema().clone())
    }

    /// Address of the frame's first byte in this process.
    #[getter]
    fn address(&self) -> usize {
        self.0.bytes().as_ptr() as usize
    }

    /// Number of bytes from there on that the frame takes.
    #[getter]
    fn nbytes(&self) -> usize {
        self.0.bytes().len()
    }

    /// Bytes that reading this frame has copied out of the slot: 0, unless it was compressed, misaligned, or
    /// validated on a copy.
    #[getter]
    fn bytes_copied(&self) -> u64 {
        self.0.bytes_copied()
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::wrap_schema(py, ffi::export_schema(self.0.schema()).map_err(raise)?)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = self.schema_for(requested_schema)?;
        capsule::wrap_stream(py, stream(self.0.clone(), schema))
    }

    /// Exports a frame of one batch; a frame of several does not have this method, so that consumers that would rather
    /// have an array take the stream.
    #[getter]
    fn __arrow_c_array__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let batches = slf.get().0.num_batches();
        if batches != 1 {
            return Err(PyAttributeError::new_err(format!(
                "__arrow_c_array__: expected a frame of one batch, got one of {batches}; use __arrow_c_stream__"
            )));
        }
        slf.getattr(intern!(slf.py(), "_export_array"))
    }

    #[pyo3(signature = (requested_schema=None))]
    fn _export_array<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        if self.0.num_batches() != 1 {
            return Err(PyValueError::new_err("expected a frame of one batch"));
        }
        let schema = self.schema_for(requested_schema)?;
        let array = py.detach(|| self.0.export_as(0, &schema).map(|exported| Owned(exported.array)));
        let mut array = array.map_err(raise)?;
        let schema = capsule::wrap_schema(py, ffi::export_schema(&schema).map_err(raise)?)?;
        let array = std::mem::replace(&mut array.0, ArrowArray::released());
        Ok((schema, capsule::wrap_array(py, array)?))
    }

    /// The table as a Polars DataFrame, its columns lying in shared memory.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Library::Polars.make(slf)
    }

    /// The table as a pyarrow Table, its columns lying in shared memory.
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Library::Arrow.make(slf)
    }

    /// The table as a pandas DataFrame, by way of pyarrow; pandas copies what it stores differently.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Frame::to_arrow(slf)?.call_method0(intern!(slf.py(), "to_pandas"))
    }

    fn __repr__(&self) -> String {
        let frame = &self.0;
        let batches = match frame.num_batches() {
            1 => String::new(),
            many => format!(" in {many} batches"),
        };
        format!(
            "<qadataswap.Frame {}: {} rows x {} columns{batches}, {} bytes>",
            frame.sequence(),
            frame.num_rows(),
            frame.schema().fields().len(),
            frame.bytes().len()
        )
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match Frame::to_polars(slf) {
            Ok(table) => table.call_method0("_repr_html_").map(Some),
            Err(error) if error.is_instance_of::<PyImportError>(slf.py()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What a stream knows.
struct State {
    frame: Arc<ffi::Frame>,
    schema: SchemaRef,
    next: usize,
    /// Why the last call failed.
    error: CString,
}

impl State {
    /// Keeps an error for whoever asks; returns its number.
    fn failed(&mut self, error: &QADataSwapError) -> c_int {
        const EINVAL: c_int = 22;
        self.error = CString::new(error.to_string().replace('\0', "")).unwrap_or_default();
        EINVAL
    }
}

/// The batches of a frame as a stream.
fn stream(frame: Arc<ffi::Frame>, schema: SchemaRef) -> ArrowArrayStream {
    let state = Box::new(State { frame, schema, next: 0, error: CString::default() });
    ArrowArrayStream {
        get_schema: Some(get_schema),
        get_next: Some(get_next),
        get_last_error: Some(get_last_error),
        release: Some(release),
        private_data: Box::into_raw(state).cast(),
    }
}

/// # Safety
/// As the format has it: `stream` is one of [`stream`] that has not been released, `out` can be written.
unsafe extern "C" fn get_schema(stream: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    // SAFETY: the caller's word; a stream is used by one thread at a time.
    let state = unsafe { &mut *(*stream).private_data.cast::<State>() };
    match ffi::export_schema(&state.schema) {
        Ok(schema) => {
            // SAFETY: the caller's word.
            unsafe { out.write(schema) };
            0
        }
        Err(error) => state.failed(&error),
    }
}

/// # Safety
/// As [`get_schema`].
unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: the caller's word; a stream is used by one thread at a time.
    let state = unsafe { &mut *(*stream).private_data.cast::<State>() };
    let array = match state.next < state.frame.num_batches() {
        true => match state.frame.export_as(state.next, &state.schema) {
            Ok(exported) => exported.array,
            Err(error) => return state.failed(&error),
        },
        false => ArrowArray::released(),
    };
    state.next += 1;
    // SAFETY: the caller's word.
    unsafe { out.write(array) };
    0
}

/// # Safety
/// As [`get_schema`].
unsafe extern "C" fn get_last_error(stream: *mut ArrowArrayStream) -> *const c_char {
    // SAFETY: the caller's word.
    let state = unsafe { &*(*stream).private_data.cast::<State>() };
    state.error.as_ptr()
}

/// # Safety
/// As [`get_schema`]; the stream is not used any more.
unsafe extern "C" fn release(stream: *mut ArrowArrayStream) {
    // SAFETY: the caller's word; the state came from a box.
    unsafe {
        drop(Box::from_raw((*stream).private_data.cast::<State>()));
        std::ptr::write(stream, ArrowArrayStream::released());
    }
}
