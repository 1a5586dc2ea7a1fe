//! Errors of the ring as exceptions: the classes of `qadataswap.errors`, by kind.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use qadataswap::recording::MissingFrames;
use qadataswap::{ErrorKind, QADataSwapError};

/// Every kind: its number and its name.
pub(crate) fn kinds() -> Vec<(i32, &'static str)> {
    (1..).map_while(ErrorKind::from_code).map(|kind| (kind.code(), kind.name())).collect()
}

/// The exception for an error.
#[cold]
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn raise(error: QADataSwapError) -> PyErr {
    Python::attach(|py| {
        let missing = MissingFrames::of(&error);
        class(py, error.kind(), missing.is_some()).map_or_else(
            |_| PyRuntimeError::new_err(error.to_string()),
            |class| {
                let raised = PyErr::from_type(class, (error.to_string(),));
                if let Some(errno) = errno(&error) {
                    // It is an OSError then; one that lacks its number is still the right one.
                    let _ = raised.value(py).setattr("errno", errno);
                }
                if let Some(MissingFrames { first, last }) = missing {
                    // The message names them, too.
                    let _ = raised.value(py).setattr("first", first);
                    let _ = raised.value(py).setattr("last", last);
                }
                raised
            },
        )
    })
}

fn errno(error: &QADataSwapError) -> Option<i32> {
    match error {
        QADataSwapError::NoSpace { source, .. }
        | QADataSwapError::MemoryMapFailed { source, .. }
        | QADataSwapError::Io { source, .. } => source.raw_os_error(),
        _ => None,
    }
}

fn class(py: Python<'_>, kind: ErrorKind, missing: bool) -> PyResult<Bound<'_, PyType>> {
    if missing {
        static MISSING: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        return MISSING.import(py, "qadataswap.errors", "MissingFramesError").cloned();
    }
    static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let classes = CLASSES.import(py, "qadataswap.errors", "BY_KIND")?;
    Ok(classes.as_any().get_item(kind.name())?.cast_into()?)
}

/// A mistake in how a call was made.
pub(crate) fn invalid(ring: &str, reason: impl Into<String>) -> QADataSwapError {
    QADataSwapError::InvalidConfig { ring: ring.to_owned(), reason: reason.into() }
}
