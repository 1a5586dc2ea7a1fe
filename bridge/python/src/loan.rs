//! Loans: frames that are filled where they will be read, by NumPy.
//!
//! The law: a column is handed out once, as an array over its values or by `set_*`, never both; what was handed out
//! keeps its memory mapped, and is made read-only when the loan ends. Arrays derived from it cannot be: writing to one
//! after the loan has ended changes a frame that others read.

#![allow(unsafe_code, reason = "columns on loan are addresses")]

use crate::error::{invalid, raise};
use crate::log;
use crate::schema::Schema;
use crate::shared::{Lender, WriterCell};
use parking_lot::Mutex;
use pyo3::exceptions::{PyIndexError, PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};
use qadataswap::arrow_schema::SchemaRef;
use qadataswap::arrow_schema::{DataType, TimeUnit};
use qadataswap::{Result, ffi};
use std::sync::Arc;

/// A frame on loan: its columns lie in the slot, to be filled in place and published by `commit()` without a copy.
///
/// `loan["price"]` is a writable NumPy array over the column. A column of numbers holds whatever the slot held before
/// until it is filled; booleans, strings and binaries start as false and empty, and no row is null. Leaving a `with`
/// block without having committed publishes nothing.
#[pyclass(frozen, module = "qadataswap")]
pub(crate) struct Loan {
    cell: Arc<WriterCell>,
    schema: SchemaRef,
    capacity: usize,
    lent: Mutex<Option<Lent>>,
    /// By column: the arrays that were handed out.
    arrays: Mutex<Vec<Option<Py<PyAny>>>>,
}

struct Lent {
    loan: qadataswap::Loan<Lender>,
    /// Those that have been asked for.
    columns: Vec<Option<ffi::LoanColumn>>,
}

// SAFETY: the addresses of columns are of the loan's slot, and are used by whoever has the loan.
unsafe impl Send for Lent {}

impl Lent {
    fn column(&mut self, column: usize) -> Result<&mut ffi::LoanColumn> {
        let Lent { loan, columns } = self;
        match &mut columns[column] {
            Some(column) => Ok(column),
            empty => Ok(empty.insert(loan.raw_column(column)?)),
        }
    }
}

/// A column by its name or its number.
#[derive(FromPyObject)]
pub(crate) enum Which<'py> {
    Number(isize),
    Name(Bound<'py, PyString>),
}

/// The value of a string or binary.
#[derive(FromPyObject)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        match self {
            Value::Text(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
        }
    }
}

impl Loan {
    pub(crate) fn new(cell: Arc<WriterCell>, loan: qadataswap::Loan<Lender>) -> Loan {
        let (schema, capacity) = (loan.schema().clone(), loan.capacity());
        let columns = schema.fields().iter().map(|_| None).collect();
        let arrays = Mutex::new(schema.fields().iter().map(|_| None).collect());
        Loan { cell, schema, capacity, lent: Mutex::new(Some(Lent { loan, columns })), arrays }
    }

    fn which(&self, which: Which<'_>) -> PyResult<usize> {
        let columns = self.schema.fields().len();
        match which {
            Which::Name(name) => {
                let name = name.to_cow()?;
                self.schema.index_of(&name).map_err(|_| PyKeyError::new_err(name.into_owned()))
            }
            Which::Number(number) => {
                let at = if number < 0 { number + columns as isize } else { number };
                usize::try_from(at).ok().filter(|at| *at < columns).ok_or_else(|| {
                    PyIndexError::new_err(format!("column {number} of a loan of {columns} columns"))
                })
            }
        }
    }

    /// Runs `act` on the loan, detached.
    fn with<T: Send>(&self, py: Python<'_>, act: impl FnOnce(&mut Lent) -> Result<T> + Send) -> PyResult<T> {
        py.detach(|| match &mut *self.lent.lock() {
            Some(lent) => act(lent),
            None => Err(invalid(self.cell.name(), "the loan has ended; take another one")),
        })
        .map_err(raise)
    }

    /// Ends the loan, publishing its first `rows` rows or nothing.
    fn end(&self, py: Python<'_>, rows: Option<usize>) -> PyResult<Option<u64>> {
        self.forbid_writing(py)?;
        let ended = py.detach(|| {
            let lent = self.lent.lock().take();
            // Before the loan, so that it is dropped after it: what is not committed goes back to the writer.
            let _locked = self.cell.lock();
            let Some(Lent { mut loan, columns }) = lent else {
                return match rows {
                    Some(_) => Err(invalid(self.cell.name(), "the loan has ended; take another one")),
                    None => Ok(None),
                };
            };
            let Some(rows) = rows else { return Ok(None) };
            for (at, column) in columns.iter().enumerate() {
                if let Some(column) = column {
                    loan.declare(at, column.has_nulls != 0, column.data_used)?;
                }
            }
            loan.commit(rows).map(Some)
        });
        log::flush(py);
        ended.map_err(raise)
    }

    fn forbid_writing(&self, py: Python<'_>) -> PyResult<()> {
        let arrays = std::mem::take(&mut *self.arrays.lock());
        let forbid = PyDict::new(py);
        forbid.set_item("write", false)?;
        for array in arrays.into_iter().flatten() {
            array.bind(py).call_method("setflags", (), Some(&forbid))?;
        }
        Ok(())
    }
}

#[pymethods]
impl Loan {
    /// The columns' names and types.
    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.schema.clone())
    }

    /// Number of rows there is room for.
    #[getter]
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn __len__(&self) -> usize {
        self.capacity
    }

    /// A column as a writable NumPy array over its place in the slot.
    ///
    /// Dates and times of day come as their integers, decimals as raw bytes, booleans as packed bits
    /// (`numpy.packbits(..., bitorder="little")`). Strings and binaries are set by `set_text`.
    fn __getitem__<'py>(&self, py: Python<'py>, column: Which<'py>) -> PyResult<Bound<'py, PyAny>> {
        static ASARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let at = self.which(column)?;
        let field = self.schema.field(at);
        if matches!(field.data_type(), DataType::Utf8View | DataType::BinaryView) {
            return Err(PyTypeError::new_err(format!(
                "column '{}' is {}, not an array of numbers; set its rows with set_text",
                field.name(),
                field.data_type()
            )));
        }
        // Nobody waits for anything with this lock in hand.
        let known = self.arrays.lock().get(at).and_then(|array| Some(array.as_ref()?.clone_ref(py)));
        if let Some(array) = known {
            return Ok(array.into_bound(py));
        }
        let capacity = self.capacity;
        let data_type = field.data_type().clone();
        let column = self.with(py, move |lent| {
            let mapping = lent.loan.mapping();
            let column = lent.column(at)?;
            let (typestr, length) = typestr(&data_type, column.values_bytes, capacity);
            Ok(LoanColumn { address: column.values as usize, length, typestr, _mapping: mapping })
        })?;
        let array = ASARRAY.import(py, "numpy", "asarray")?.call1((column,))?;
        if let Some(place) = self.arrays.lock().get_mut(at) {
            *place = Some(array.clone().unbind());
        }
        Ok(array)
    }

    /// Sets one row of a column of strings or binaries.
    fn set_text(&self, py: Python<'_>, column: Which<'_>, row: usize, value: Value) -> PyResult<()> {
        let at = self.which(column)?;
        let value = self.checked(at, value)?;
        self.with(py, |lent| set_view(lent.column(at)?, row, value.as_ref()))
    }

    /// Sets the rows of a column of strings or binaries from row `start` on; `None` is null.
    #[pyo3(signature = (column, values, start=0))]
    fn set_texts(
        &self,
        py: Python<'_>,
        column: Which<'_>,
        values: &Bound<'_, PyAny>,
        start: usize,
    ) -> PyResult<()> {
        let at = self.which(column)?;
        let values = values.try_iter()?.map(|value| {
            let value: Option<Value> = value?.extract()?;
            value.map(|value| self.checked(at, value)).transpose()
        });
        let values: Vec<Option<Value>> = values.collect::<PyResult<_>>()?;
        self.with(py, |lent| {
            let column = lent.column(at)?;
            values.iter().enumerate().try_for_each(|(row, value)| match value {
                Some(value) => set_view(column, start + row, value.as_ref()),
                None => set_null(column, start + row),
            })
        })
    }

    /// Sets one row of a column of booleans.
    fn set_bool(&self, py: Python<'_>, column: Which<'_>, row: usize, value: bool) -> PyResult<()> {
        let at = self.which(column)?;
        let field = self.schema.field(at);
        if field.data_type() != &DataType::Boolean {
            return Err(PyTypeError::new_err(format!(
                "column '{}' is {}, not booleans",
                field.name(),
                field.data_type()
            )));
        }
        self.with(py, |lent| {
            let column = lent.column(at)?;
            in_range(row, column.rows)?;
            // SAFETY: a column of bits of a loan that has not ended, with a bit for each of its rows.
            unsafe {
                let byte = column.values.add(row / 8);
                *byte = *byte & !(1 << (row % 8)) | u8::from(value) << (row % 8);
            }
            Ok(())
        })
    }

    /// Makes one row of a column null.
    fn set_null(&self, py: Python<'_>, column: Which<'_>, row: usize) -> PyResult<()> {
        let at = self.which(column)?;
        self.with(py, |lent| set_null(lent.column(at)?, row))
    }

    /// Publishes the first `rows` rows (all, unless given) and returns the frame's sequence number. The arrays that
    /// were handed out cannot be written to any more.
    #[pyo3(signature = (rows=None))]
    fn commit(&self, py: Python<'_>, rows: Option<usize>) -> PyResult<u64> {
        let rows = rows.unwrap_or(self.capacity);
        if rows > self.capacity {
            let reason = format!("{rows} rows of a loan of {} rows", self.capacity);
            return Err(raise(invalid(self.cell.name(), reason)));
        }
        Ok(self.end(py, Some(rows))?.unwrap_or_default())
    }

    /// Publishes nothing, and gives the slot back. Does nothing to a loan that has ended.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py, None).map(drop)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) -> PyResult<()> {
        self.abandon(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let ended = py.detach(|| self.lent.lock().is_none());
        format!(
            "<qadataswap.Loan of '{}': {} rows x {} columns{}>",
            self.cell.name(),
            self.capacity,
            self.schema.fields().len(),
            if ended { ", ended" } else { "" }
        )
    }
}

impl Loan {
    /// A value that fits the column's type.
    fn checked(&self, column: usize, value: Value) -> PyResult<Value> {
        let field = self.schema.field(column);
        match (field.data_type(), &value) {
            (DataType::Utf8View, Value::Text(_)) | (DataType::BinaryView, Value::Bytes(_)) => Ok(value),
            (DataType::Utf8View | DataType::BinaryView, _) => Err(PyTypeError::new_err(format!(
                "column '{}' is {}: expected {}",
                field.name(),
                field.data_type(),
                if field.data_type() == &DataType::Utf8View { "str" } else { "bytes" }
            ))),
            _ => Err(PyTypeError::new_err(format!(
                "column '{}' is {}, not strings or binaries of a view type",
                field.name(),
                field.data_type()
            ))),
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if self.lent.get_mut().is_none() {
            return;
        }
        // Where the interpreter is gone there is nobody else either.
        let abandoned = Python::try_attach(|py| self.end(py, None).map(drop));
        if let Some(Err(error)) = abandoned {
            Python::attach(|py| error.write_unraisable(py, None));
        }
    }
}

fn in_range(row: usize, rows: usize) -> Result<()> {
    match row < rows {
        true => Ok(()),
        false => Err(invalid("", format!("row {row} of a loan of {rows} rows"))),
    }
}

fn set_view(column: &mut ffi::LoanColumn, row: usize, value: &[u8]) -> Result<()> {
    in_range(row, column.rows)?;
    // SAFETY: a column of views (checked by the caller) of a loan that has not ended, used by nobody else.
    Ok(unsafe { column.set_view(row, value) }?)
}

fn set_null(column: &mut ffi::LoanColumn, row: usize) -> Result<()> {
    in_range(row, column.rows)?;
    if column.validity.is_null() {
        return Err(invalid("", "the column is not nullable"));
    }
    // SAFETY: a nullable column of a loan that has not ended, used by nobody else.
    unsafe { column.set_null(row) };
    Ok(())
}

/// How NumPy calls the values of a column, and how many there are.
fn typestr(data_type: &DataType, bytes: usize, rows: usize) -> (String, usize) {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    let typestr = match data_type {
        DataType::Boolean => return ("|u1".to_owned(), bytes),
        DataType::Int8 => "|i1".to_owned(),
        DataType::UInt8 => "|u1".to_owned(),
        DataType::Int16 => "<i2".to_owned(),
        DataType::UInt16 => "<u2".to_owned(),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => "<i4".to_owned(),
        DataType::UInt32 => "<u4".to_owned(),
        DataType::Int64 | DataType::Time64(_) => "<i8".to_owned(),
        DataType::UInt64 => "<u8".to_owned(),
        DataType::Float16 => "<f2".to_owned(),
        DataType::Float32 => "<f4".to_owned(),
        DataType::Float64 => "<f8".to_owned(),
        DataType::Date64 => "<M8[ms]".to_owned(),
        DataType::Timestamp(each, _) => format!("<M8[{}]", unit(each)),
        DataType::Duration(each) => format!("<m8[{}]", unit(each)),
        _ => format!("|V{}", bytes.checked_div(rows).unwrap_or(1)),
    };
    (typestr, rows)
}

/// A column's place in the slot, for NumPy; keeps it mapped.
#[pyclass(frozen, module = "qadataswap._qadataswap")]
pub(crate) struct LoanColumn {
    address: usize,
    length: usize,
    typestr: String,
    _mapping: ffi::Mapping,
}

#[pymethods]
impl LoanColumn {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("shape", (self.length,))?;
        interface.set_item("typestr", &self.typestr)?;
        interface.set_item("data", (self.address, false))?;
        Ok(interface)
    }
}
