//! What frames are handed out as: themselves, or tables of a library.
//!
//! The law: the library is there, and knows its way, before a frame is taken, which would be lost otherwise.

use crate::columns::Columns;
use crate::error::raise;
use crate::frame::Frame;
use crate::log;
use pyo3::exceptions::{PyException, PyImportError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use qadataswap::{QADataSwapError, ffi};
use std::sync::Arc;

/// What frames are handed out as.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Table(Library),
    Frame,
}

pub(crate) const POLARS: Form = Form::Table(Library::Polars);
pub(crate) const ARROW: Form = Form::Table(Library::Arrow);

/// What `take` takes of `ring`, in its form. The library is there before a frame is taken, which would be lost without.
pub(crate) fn hand_out<'py>(
    py: Python<'py>,
    form: Form,
    ring: &Arc<str>,
    take: impl FnOnce() -> PyResult<Option<ffi::Frame>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Form::Table(library) = form {
        library.load(py)?;
    }
    let taken = take();
    log::flush(py);
    let Some(frame) = taken? else { return Ok(None) };
    if let Form::Table(library) = form
        && let Some(Ok(table)) = library.load(py)?.of_columns(py, &frame)
    {
        return Ok(Some(table));
    }
    let frame = Bound::new(py, Frame::new(frame, ring.clone()))?;
    match form {
        Form::Table(library) => library.make(&frame).map(Some),
        Form::Frame => Ok(Some(frame.into_any())),
    }
}

/// A library that makes tables of frames.
#[derive(Clone, Copy)]
pub(crate) enum Library {
    Polars,
    Arrow,
}

/// How a library makes a table of a frame.
pub(crate) struct Way {
    /// By the constructor that anybody calls.
    constructor: Py<PyAny>,
    short: Option<Short>,
}

/// Polars' own steps to a frame, to which its constructor comes after it has asked for every other thing that it may have
/// been given. They are not a public interface: a version that goes another way is asked by its constructor.
struct Short {
    /// Columns as a frame, as it is inside.
    columns: Option<Columns>,
    /// A stream of structs as a series.
    series_of: Py<PyAny>,
    /// The fields of such a series as the columns of a frame, as it is inside.
    unnest: Py<PyAny>,
    /// The frame around it.
    wrap: Py<PyAny>,
}

impl Short {
    /// The steps, if they are there and come to what the constructor comes to.
    fn of(polars: &Bound<'_, PyModule>) -> PyResult<Option<Short>> {
        let frame = polars.getattr("DataFrame")?;
        let inner = polars.getattr("Series")?.call0()?.getattr("_s")?.get_type();
        let wrap = frame.getattr("_from_pydf")?;
        let columns = PyDict::new(polars.py());
        columns.set_item("number", [1, 2])?;
        columns.set_item("text", ["short", "too long for its view"])?;
        let probe = frame.call1((columns,))?;
        let short = Short {
            columns: None,
            series_of: inner.getattr("from_arrow_c_stream")?.unbind(),
            unnest: inner.getattr("struct_unnest")?.unbind(),
            wrap: wrap.clone().unbind(),
        };
        let made = short.of_stream(&probe)?;
        if !made.get_type().is(&frame) || !made.call_method1("equals", (&probe,))?.is_truthy()? {
            return Ok(None);
        }
        let columns = if_it_can(polars.py(), Columns::of(&probe, &wrap))?;
        Ok(Some(Short { columns, ..short }))
    }

    fn of_stream<'py>(&self, table: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = table.py();
        let series = self.series_of.bind(py).call1((table,))?;
        self.wrap.bind(py).call1((self.unnest.bind(py).call1((series,))?,))
    }
}

impl Way {
    /// A table of the frame's columns; `None` if they do not go that way, or better another one says what is wrong with them.
    fn of_columns<'py>(&self, py: Python<'py>, frame: &ffi::Frame) -> Option<PyResult<Bound<'py, PyAny>>> {
        let Short { columns, wrap, .. } = self.short.as_ref()?;
        let imported = columns.as_ref()?.import(py, frame).transpose()?;
        let made = imported.and_then(|inner| wrap.bind(py).call1((inner,)));
        Self::or_another(py, made)
    }

    /// A table of the frame as a stream of structs; likewise.
    fn of_stream<'py>(&self, frame: &Bound<'py, Frame>) -> Option<PyResult<Bound<'py, PyAny>>> {
        Self::or_another(frame.py(), self.short.as_ref()?.of_stream(frame))
    }

    /// What was made; `None` if that has failed in a way in which another one may not, or of which it says more.
    fn or_another<'py>(
        py: Python<'py>,
        made: PyResult<Bound<'py, PyAny>>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        match made {
            Err(error) if error.is_instance_of::<PyException>(py) => None,
            made => Some(made),
        }
    }
}

/// What was found of a way that need not be there; an error only if it is of another kind, as Ctrl-C is.
fn if_it_can<T>(py: Python<'_>, found: PyResult<Option<T>>) -> PyResult<Option<T>> {
    match found {
        Err(error) if error.is_instance_of::<PyException>(py) || is_panic(py, &error) => Ok(None),
        found => found,
    }
}

impl Library {
    /// How it makes a table of a frame; the library is imported when that is first asked for.
    pub(crate) fn load(self, py: Python<'_>) -> PyResult<&'static Way> {
        static POLARS: PyOnceLock<Way> = PyOnceLock::new();
        static ARROW: PyOnceLock<Way> = PyOnceLock::new();
        let (known, module, function) = match self {
            Library::Polars => (&POLARS, "polars", "DataFrame"),
            Library::Arrow => (&ARROW, "pyarrow", "table"),
        };
        if let Some(known) = known.get(py) {
            return Ok(known);
        }
        // With nothing locked: an import runs any code, signals' handlers among it.
        let module = py.import(module).map_err(|error| {
            let hint = PyImportError::new_err(format!(
                "reading tables of {module} needs {module}: pip install 'qadataswap[arrow]'; or take the frame itself with read_frame()"
            ));
            hint.set_cause(py, Some(error));
            hint
        })?;
        let constructor = module.getattr(function)?.unbind();
        let short = match self {
            Library::Polars => if_it_can(py, Short::of(&module))?,
            Library::Arrow => None,
        };
        Ok(known.get_or_init(py, || Way { constructor, short }))
    }

    pub(crate) fn make<'py>(self, frame: &Bound<'py, Frame>) -> PyResult<Bound<'py, PyAny>> {
        let py = frame.py();
        let way = self.load(py)?;
        let made = way
            .of_columns(py, &frame.get().0)
            .or_else(|| way.of_stream(frame))
            .unwrap_or_else(|| way.constructor.bind(py).call1((frame,)));
        made.map_err(|error| match is_panic(py, &error) {
            // It says so by a panic, of a class that `except Exception` does not catch.
            true => {
                let Frame(table, ring) = frame.get();
                let what = format!(
                    "frame {} is of a type that Polars does not know ({}); take it with read_arrow() or read_frame()",
                    table.sequence(),
                    error.value(py)
                );
                let told = raise(QADataSwapError::Unsupported { ring: ring.to_string(), what });
                told.set_cause(py, Some(error));
                told
            }
            false => error,
        })
    }
}

/// Whether an exception is the panic of a library in Rust; each has a class of its own by that name.
fn is_panic(py: Python<'_>, error: &PyErr) -> bool {
    !error.is_instance_of::<PyException>(py)
        && error.get_type(py).name().is_ok_and(|name| name == "PanicException")
}
