//! The structs of the Arrow C data interface as they travel in Python: inside capsules.
//!
//! The law: who makes a struct, or moves one out of a capsule, releases it, once, by dropping it; a capsule that
//! nobody has taken from does the same.
//!
//! Source: <https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>

#![allow(unsafe_code, reason = "capsules hold pointers")]

use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};
use qadataswap::ffi::{ArrowArray, ArrowSchema};
use qadataswap::{QADataSwapError, Result, arrow_schema};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// A stream of batches, as the format gives it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct ArrowArrayStream {
    pub(crate) get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    pub(crate) get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    pub(crate) get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    pub(crate) release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    pub(crate) private_data: *mut c_void,
}

/// A struct of the format that is released when it is dropped.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Owned<T: Release>(pub(crate) T);

/// Structs that are released.
///
/// # Safety
/// `release` leaves the struct marked as released, and does nothing to one that is.
pub(crate) unsafe trait Release: 'static {
    /// Releases it, if that has not been done.
    fn release(&mut self);
    /// One that has been released.
    fn released() -> Self;
}

macro_rules! release {
    ($($name:ty => $released:expr),* $(,)?) => {$(
        // SAFETY: whoever made the struct marks it as released in its callback, by the format's rules.
        unsafe impl Release for $name {
            fn release(&mut self) {
                if let Some(release) = self.release {
                    // SAFETY: not released, and not used any more.
                    unsafe { release(self) }
                }
            }

            fn released() -> Self {
                $released
            }
        }
    )*};
}
release! {
    ArrowSchema => ArrowSchema {
        format: null_mut(), name: null_mut(), metadata: null_mut(), flags: 0, n_children: 0,
        children: null_mut(), dictionary: null_mut(), release: None, private_data: null_mut(),
    },
    ArrowArray => ArrowArray::released(),
    ArrowArrayStream => ArrowArrayStream {
        get_schema: None, get_next: None, get_last_error: None, release: None, private_data: null_mut(),
    },
}

impl<T: Release> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.release();
    }
}

// SAFETY: the format lets its structs be moved to and released on any thread; what they point to is not written to
// while they live, so that several threads may look at once (a stream is only ever had mutably).
unsafe impl<T: Release> Send for Owned<T> {}
// SAFETY: as above.
unsafe impl<T: Release> Sync for Owned<T> {}

/// Puts a struct into a capsule.
fn wrap<'py, T: Release>(py: Python<'py>, value: T, name: &'static CStr) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, Owned(value), name)
}

pub(crate) fn wrap_schema(py: Python<'_>, schema: ArrowSchema) -> PyResult<Bound<'_, PyCapsule>> {
    wrap(py, schema, SCHEMA)
}

pub(crate) fn wrap_array(py: Python<'_>, array: ArrowArray) -> PyResult<Bound<'_, PyCapsule>> {
    wrap(py, array, ARRAY)
}

pub(crate) fn wrap_stream(py: Python<'_>, stream: ArrowArrayStream) -> PyResult<Bound<'_, PyCapsule>> {
    wrap(py, stream, STREAM)
}

/// Moves the struct out of a capsule.
fn unwrap<T: Release>(capsule: &Bound<'_, PyAny>, name: &'static CStr) -> PyResult<Owned<T>> {
    let address: NonNull<T> = capsule.cast::<PyCapsule>()?.pointer_checked(Some(name))?.cast();
    // SAFETY: a capsule of this name holds such a struct, by the interface's rules; moving it is what consumers do,
    // and no one else looks at it meanwhile: this thread is attached to the interpreter, and the capsule is ours.
    Ok(Owned(unsafe { address.replace(T::released()) }))
}

pub(crate) fn unwrap_schema(capsule: &Bound<'_, PyAny>) -> PyResult<Owned<ArrowSchema>> {
    unwrap(capsule, SCHEMA)
}

pub(crate) fn unwrap_array(capsule: &Bound<'_, PyAny>) -> PyResult<Owned<ArrowArray>> {
    unwrap(capsule, ARRAY)
}

pub(crate) fn unwrap_stream(capsule: &Bound<'_, PyAny>) -> PyResult<Owned<ArrowArrayStream>> {
    unwrap(capsule, STREAM)
}

impl Owned<ArrowArrayStream> {
    pub(crate) fn schema(&mut self) -> Result<Owned<ArrowSchema>> {
        let mut schema = Owned(ArrowSchema::released());
        let Some(get_schema) = self.0.get_schema.filter(|_| self.0.release.is_some()) else {
            return Err(failed("the stream has been read already"));
        };
        // SAFETY: a stream that is not released, and room for its answer.
        let code = unsafe { get_schema(&raw mut self.0, &raw mut schema.0) };
        self.check(code)?;
        Ok(schema)
    }

    /// The next batch; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Owned<ArrowArray>>> {
        let mut array = Owned(ArrowArray::released());
        let Some(get_next) = self.0.get_next.filter(|_| self.0.release.is_some()) else {
            return Err(failed("the stream has been read already"));
        };
        // SAFETY: as above.
        let code = unsafe { get_next(&raw mut self.0, &raw mut array.0) };
        self.check(code)?;
        Ok(array.0.release.is_some().then_some(array))
    }

    fn check(&mut self, code: c_int) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let message = self.0.get_last_error.and_then(|get| {
            // SAFETY: the stream is not released, and its last call has failed.
            let message = unsafe { get(&raw mut self.0) };
            // SAFETY: null, or a string that stays until the next call.
            (!message.is_null()).then(|| unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned())
        });
        Err(failed(&message.unwrap_or_else(|| std::io::Error::from_raw_os_error(code).to_string())))
    }
}

fn failed(what: &str) -> QADataSwapError {
    let what = format!("the table that was to be written: {what}");
    QADataSwapError::ArrowError(arrow_schema::ArrowError::CDataInterface(what))
}
