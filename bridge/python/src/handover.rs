//! Rings without a name, by their descriptors: as numbers, or as whatever has a `fileno()`.

#![allow(unsafe_code, reason = "a number is taken for a descriptor of the caller's")]

use crate::error::invalid;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use qadataswap::{Reader, Result, SharedMemoryConfig, Writer};
use std::os::fd::{BorrowedFd, RawFd};

/// A descriptor that stays the caller's.
#[derive(Clone, Copy)]
pub(crate) struct Descriptor(RawFd);

impl<'a, 'py> FromPyObject<'a, 'py> for Descriptor {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let number = value.extract::<RawFd>().or_else(|_| value.call_method0("fileno")?.extract());
        number.map(Descriptor).map_err(|_| {
            let what = value.get_type().to_string();
            PyTypeError::new_err(format!(
                "fd: expected a descriptor's number or something with fileno(), got {what}"
            ))
        })
    }
}

impl Descriptor {
    fn borrowed(&self) -> Result<BorrowedFd<'_>> {
        if self.0 < 0 {
            return Err(invalid("", format!("fd: {} is no descriptor", self.0)));
        }
        // SAFETY: it is not -1, and the caller keeps it open for the length of the call. Whoever does not gets the kernel's
        // answer, or what another descriptor of that number is: either is looked at like anything foreign.
        Ok(unsafe { BorrowedFd::borrow_raw(self.0) })
    }
}

/// The ring's name in a call that has one, or a descriptor instead.
///
/// # Errors
/// `TypeError` if there is neither.
pub(crate) fn name_of(name: Option<String>, fd: Option<Descriptor>) -> PyResult<String> {
    match (name, fd) {
        (Some(name), _) => Ok(name),
        // Stands for what its creator called it.
        (None, Some(_)) => Ok(String::new()),
        (None, None) => Err(PyTypeError::new_err("expected the ring's name, or fd= for a ring without one")),
    }
}

/// The writer of a ring by its name, or of the one behind a descriptor.
pub(crate) fn writer(config: SharedMemoryConfig, fd: Option<Descriptor>) -> Result<Writer> {
    match fd {
        Some(fd) => Writer::from_fd(fd.borrowed()?, config),
        None => Writer::new(config),
    }
}

/// A reader of the ring behind a descriptor.
pub(crate) fn reader(config: SharedMemoryConfig, fd: Descriptor) -> Result<Reader> {
    Reader::from_fd(fd.borrowed()?, config)
}
