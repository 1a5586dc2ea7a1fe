//! The Python module `qadataswap._qadataswap`: what the package `qadataswap` stands on.
//!
//! Tables cross by the Arrow PyCapsule interface, as the structs of the Arrow C data interface. There is no logic here
//! that a Rust user would lack; what is here is what Python needs: waits that answer Ctrl-C, and handles that threads
//! may share.
//!
//! The law: no lock is taken, and nothing waits or copies tables, while this thread holds the interpreter.

mod capsule;
mod columns;
mod dataframe;
mod error;
mod frame;
mod handover;
mod library;
mod loan;
mod log;
mod options;
mod recording;
mod schema;
mod selector;
mod shared;
mod table;

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The ring, as Python sees it.
#[pymodule(gil_used = false)]
mod _qadataswap {
    use super::*;

    #[pymodule_export]
    use crate::dataframe::{Frames, SharedDataFrame};
    #[pymodule_export]
    use crate::frame::Frame;
    #[pymodule_export]
    use crate::loan::{Loan, LoanColumn};
    #[pymodule_export]
    use crate::recording::{Follow, FollowedFrames, Recorded, RecordedFrames, Recorder, Recording};
    #[pymodule_export]
    use crate::schema::Schema;
    #[pymodule_export]
    use crate::selector::Selector;

    /// The version of the package.
    #[pyfunction]
    fn get_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// What the environment and `qadataswap.yaml`, or the file `path`, say of rings: by key (as "memory.size_mb") the
    /// value and where it stands. Rings are made so by themselves; this is for looking.
    #[pyfunction]
    #[pyo3(signature = (path=None))]
    fn load_config(py: Python<'_>, path: Option<std::path::PathBuf>) -> PyResult<Bound<'_, PyDict>> {
        options::settings(py, path)
    }

    /// Names of the kinds of errors, by their numbers.
    #[pyfunction]
    fn error_kinds() -> Vec<(i32, &'static str)> {
        error::kinds()
    }

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) {
        log::init();
    }
}
