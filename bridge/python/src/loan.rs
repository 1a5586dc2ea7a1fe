//! Loans: frames that are filled where they will be read, by NumPy.
//!
//! The law: a column is handed out once, as an array over its values or by `set_*`, never both; what was handed out
//! keeps its memory mapped, and is made read-only when the loan ends, before anybody else sees the frame. Arrays derived
//! from it cannot be: writing to one after the loan has ended changes a frame that others read.

#![allow(unsafe_code, reason = "columns on loan are addresses")]

use crate::error::{invalid, raise};
use crate::log;
use crate::schema::Schema;
use crate::shared::{Lender, WriterCell};
use parking_lot::Mutex;
use pyo3::exceptions::{PyIndexError, PyKeyError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyEllipsis, PyString};
use qadataswap::arrow_schema::SchemaRef;
use qadataswap::arrow_schema::{DataType, TimeUnit};
use qadataswap::{QADataSwapError, Result, ffi};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// By column: the arrays that were handed out; none at all once the loan has ended.
    arrays: Mutex<Vec<Option<Py<PyAny>>>>,
    /// Set before the arrays are made read-only: one that comes later is so from the start.
    ended: Arc<AtomicBool>,
}

struct Lent {
    loan: qadataswap::Loan<Lender>,
    /// Those that have been asked for.
    columns: Vec<Option<ffi::LoanColumn>>,
}

// SAFETY: the addresses of columns are of the loan's slot, and are used by whoever has the loan.
unsafe impl Send for Lent {}

impl Lent {
    /// A column, and the loan that it is of.
    fn column_of(&mut self, column: usize) -> Result<(&mut ffi::LoanColumn, &mut qadataswap::Loan<Lender>)> {
        let Lent { loan, columns } = self;
        let column = match &mut columns[column] {
            Some(column) => column,
            empty => empty.insert(loan.raw_values(column)?),
        };
        Ok((column, loan))
    }

    fn column(&mut self, column: usize) -> Result<&mut ffi::LoanColumn> {
        Ok(self.column_of(column)?.0)
    }

    /// A column with its bitmap, which is null if the column is not nullable.
    fn nullable(&mut self, at: usize) -> Result<&mut ffi::LoanColumn> {
        let (column, loan) = self.column_of(at)?;
        if column.validity.is_null() {
            loan.raw_validity(at, column)?;
        }
        Ok(column)
    }

    /// A column of views with room for a value of `bytes` bytes, if such a one needs any.
    fn views(&mut self, at: usize, bytes: usize) -> Result<&mut ffi::LoanColumn> {
        /// What a view holds itself.
        const SHORT: usize = 12;
        let (column, loan) = self.column_of(at)?;
        if bytes > SHORT && column.data.is_null() {
            loan.raw_data(at, column)?;
        }
        Ok(column)
    }
}

/// A column by its name or its number.
pub(crate) enum Which<'py> {
    Number(isize),
    Name(Bound<'py, PyString>),
}

impl<'py> FromPyObject<'_, 'py> for Which<'py> {
    type Error = PyErr;

    fn extract(which: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(name) = which.cast::<PyString>() {
            return Ok(Which::Name(name.to_owned()));
        }
        let got = || type_name(&which);
        let wrong = |_| PyTypeError::new_err(format!("expected a column's name or number, got {}", got()));
        which.extract().map(Which::Number).map_err(wrong)
    }
}

fn type_name(any: &Bound<'_, PyAny>) -> String {
    any.get_type().fully_qualified_name().map_or_else(|_| "an object".to_owned(), |name| name.to_string())
}

impl Loan {
    pub(crate) fn new(cell: Arc<WriterCell>, loan: qadataswap::Loan<Lender>) -> Loan {
        let (schema, capacity) = (loan.schema().clone(), loan.capacity());
        let columns = schema.fields().iter().map(|_| None).collect();
        let arrays = Mutex::new(schema.fields().iter().map(|_| None).collect());
        let (lent, ended) = (Mutex::new(Some(Lent { loan, columns })), Arc::default());
        Loan { cell, schema, capacity, lent, arrays, ended }
    }

    fn over(&self) -> QADataSwapError {
        invalid(self.cell.name(), "the loan has ended; take another one")
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
        py.detach(|| {
            self.cell.origin().check(self.cell.name())?;
            match &mut *self.lent.lock() {
                Some(lent) => act(lent),
                None => Err(self.over()),
            }
        })
        .map_err(raise)
    }

    /// Ends the loan, publishing its first `rows` rows or nothing.
    fn end(&self, py: Python<'_>, rows: Option<usize>) -> PyResult<Option<u64>> {
        if let Err(forked) = self.cell.origin().check(self.cell.name()) {
            return if rows.is_some() { Err(raise(forked)) } else { Ok(None) };
        }
        self.ended.store(true, Ordering::SeqCst);
        let lent = py.detach(|| self.lent.lock().take());
        let forbidden = self.forbid_writing(py);
        let ended = py.detach(|| {
            // Before the loan, so that it is dropped after it: what is not committed goes back to the writer.
            let _locked = self.cell.lock().map_err(raise)?;
            let Some(Lent { mut loan, columns }) = lent else {
                return if rows.is_some() { Err(raise(self.over())) } else { Ok(None) };
            };
            forbidden?;
            let Some(rows) = rows else { return Ok(None) };
            for (at, column) in columns.iter().enumerate() {
                if let Some(column) = column {
                    loan.declare(at, column.has_nulls != 0, column.data_used).map_err(raise)?;
                }
            }
            loan.commit(rows).map(Some).map_err(raise)
        });
        log::flush(py);
        ended
    }

    fn forbid_writing(&self, py: Python<'_>) -> PyResult<()> {
        let arrays = std::mem::take(&mut *self.arrays.lock());
        arrays.into_iter().flatten().try_for_each(|array| read_only(array.bind(py)))
    }

    /// The array of a column, if one was handed out.
    fn array<'py>(&self, py: Python<'py>, at: usize) -> Option<Bound<'py, PyAny>> {
        // Nobody waits for anything with this lock in hand.
        Some(self.arrays.lock().get(at)?.as_ref()?.clone_ref(py).into_bound(py))
    }

    /// Keeps the array of a column and returns it, or the one that another thread has been given meanwhile.
    fn keep<'py>(&self, at: usize, array: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = array.py();
        let kept = match self.arrays.lock().get_mut(at) {
            Some(Some(first)) => first.clone_ref(py).into_bound(py),
            Some(place) => {
                *place = Some(array.clone().unbind());
                array
            }
            None => array,
        };
        if self.ended.load(Ordering::SeqCst) {
            // Nobody else may have seen it.
            read_only(&kept)?;
            return Err(raise(self.over()));
        }
        Ok(kept)
    }
}

fn read_only(array: &Bound<'_, PyAny>) -> PyResult<()> {
    // Its first argument is `write`.
    array.call_method1(intern!(array.py(), "setflags"), (false,)).map(drop)
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
        if let Some(array) = self.array(py, at) {
            return Ok(array);
        }
        let capacity = self.capacity;
        let data_type = field.data_type().clone();
        let ended = self.ended.clone();
        let column = self.with(py, move |lent| {
            let mapping = lent.loan.mapping();
            let column = lent.column(at)?;
            let (typestr, length) = typestr(&data_type, column.values_bytes, capacity);
            Ok(LoanColumn { address: column.values as usize, length, typestr, ended, _mapping: mapping })
        })?;
        self.keep(at, ASARRAY.import(py, "numpy", "asarray")?.call1((column,))?)
    }

    /// Fills a column: `loan["price"] = prices`.
    ///
    /// Numbers as NumPy would assign them to `loan["price"][:]`; booleans from anything that NumPy makes booleans of;
    /// strings and binaries one for each row, or one for all, `None` being null.
    fn __setitem__<'py>(
        &self,
        py: Python<'py>,
        column: Which<'py>,
        values: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let at = self.which(column)?;
        let field = self.schema.field(at);
        match field.data_type() {
            DataType::Utf8View | DataType::BinaryView => {
                let values = match is_text(values) || values.is_none() {
                    true => vec![self.value(at, 0, values)?; self.capacity],
                    false => self.values(at, 0, values)?,
                };
                if values.len() != self.capacity {
                    return Err(PyValueError::new_err(format!(
                        "column '{}': {} values for {} rows; set some of them with set_texts",
                        field.name(),
                        values.len(),
                        self.capacity
                    )));
                }
                self.set_values(py, at, 0, &values)
            }
            data_type => {
                let array = self.__getitem__(py, Which::Number(at as isize))?;
                // What `loan["price"] += 1` ends with.
                if array.is(values) {
                    return Ok(());
                }
                match data_type {
                    DataType::Boolean => array.set_item(PyEllipsis::get(py), packed(values, self.capacity)?),
                    _ => array.set_item(PyEllipsis::get(py), values),
                }
            }
        }
    }

    /// Whether there is a column of that name.
    fn __contains__(&self, column: &str) -> bool {
        self.schema.index_of(column).is_ok()
    }

    /// Sets one row of a column of strings or binaries; `None` is null.
    fn set_text(
        &self,
        py: Python<'_>,
        column: Which<'_>,
        row: usize,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let at = self.which(column)?;
        let value = self.value(at, row, value)?;
        self.set_values(py, at, row, &[value])
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
        let values = self.values(at, start, values)?;
        self.set_values(py, at, start, &values)
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
            self.in_range(at, row)?;
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
        self.with(py, |lent| self.null(lent, at, row))
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

    fn __repr__(&self) -> String {
        let ended = self.ended.load(Ordering::SeqCst);
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
    /// What is to be set in `row` of a column of strings or binaries; `None` is null.
    fn value(&self, at: usize, row: usize, value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
        let field = self.schema.field(at);
        let expected = match field.data_type() {
            DataType::Utf8View => "str",
            DataType::BinaryView => "bytes",
            other => {
                return Err(PyTypeError::new_err(format!(
                    "column '{}' is {other}, not strings or binaries of a view type",
                    field.name()
                )));
            }
        };
        if value.is_none() {
            return Ok(None);
        }
        let text = value.cast::<PyString>();
        match (expected, text) {
            ("str", Ok(text)) => return Ok(Some(text.to_cow()?.into_owned().into_bytes())),
            ("bytes", Err(_)) => {
                if let Ok(bytes) = value.extract::<Vec<u8>>() {
                    return Ok(Some(bytes));
                }
            }
            _ => {}
        }
        // A scalar of pyarrow.
        if let Some(plain) = value.getattr_opt(intern!(value.py(), "as_py"))? {
            return self.value(at, row, &plain.call0()?);
        }
        Err(PyTypeError::new_err(format!(
            "column '{}', row {row}: expected {expected}, or None for null, got {}",
            field.name(),
            type_name(value)
        )))
    }

    /// What is to be set in the rows from `start` on.
    fn values(&self, at: usize, start: usize, values: &Bound<'_, PyAny>) -> PyResult<Vec<Option<Vec<u8>>>> {
        let values = values.try_iter()?.enumerate();
        values.map(|(row, value)| self.value(at, start.saturating_add(row), &value?)).collect()
    }

    fn set_values(
        &self,
        py: Python<'_>,
        at: usize,
        start: usize,
        values: &[Option<Vec<u8>>],
    ) -> PyResult<()> {
        self.with(py, |lent| {
            if let Some(last) = values.len().checked_sub(1) {
                self.in_range(at, start.saturating_add(last))?;
            }
            values.iter().enumerate().try_for_each(|(row, value)| match value {
                // SAFETY: a column of views (checked by `value`) of a loan that has not ended, used by nobody else.
                Some(value) => Ok(unsafe { lent.views(at, value.len())?.set_view(start + row, value) }?),
                None => self.null(lent, at, start + row),
            })
        })
    }

    fn null(&self, lent: &mut Lent, at: usize, row: usize) -> Result<()> {
        self.in_range(at, row)?;
        let column = lent.nullable(at)?;
        if column.validity.is_null() {
            let reason = format!("column '{}' is not nullable", self.schema.field(at).name());
            return Err(invalid(self.cell.name(), reason));
        }
        // SAFETY: a nullable column of a loan that has not ended, used by nobody else.
        unsafe { column.set_null(row) };
        Ok(())
    }

    fn in_range(&self, at: usize, row: usize) -> Result<()> {
        match row < self.capacity {
            true => Ok(()),
            false => Err(invalid(
                self.cell.name(),
                format!(
                    "column '{}': row {row} of a loan of {} rows",
                    self.schema.field(at).name(),
                    self.capacity
                ),
            )),
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if self.lent.get_mut().is_none() {
            return;
        }
        if self.cell.origin().is_elsewhere() {
            // Another thread of the parent may have had the writer in its hands: it is not to be touched.
            std::mem::forget(self.lent.get_mut().take());
            return;
        }
        match Python::try_attach(|py| self.end(py, None).map(drop)) {
            Some(Ok(())) => {}
            Some(Err(error)) => Python::attach(|py| error.write_unraisable(py, None)),
            // The interpreter is gone; threads that it has left behind may not be.
            None => {
                let _locked = self.cell.lock();
                drop(self.lent.get_mut().take());
            }
        }
    }
}

/// Whether something is one text or binary, and not several.
fn is_text(any: &Bound<'_, PyAny>) -> bool {
    any.is_instance_of::<PyString>() || any.is_instance_of::<PyBytes>() || any.is_instance_of::<PyByteArray>()
}

/// Booleans as NumPy understands them, for each of `rows` rows, packed into bits.
fn packed<'py>(values: &Bound<'py, PyAny>, rows: usize) -> PyResult<Bound<'py, PyAny>> {
    let py = values.py();
    let numpy = py.import("numpy")?;
    let values = numpy.call_method1("asarray", (values, "bool"))?;
    let values = numpy.call_method1("broadcast_to", (values, (rows,)))?;
    let order = PyDict::new(py);
    order.set_item("bitorder", "little")?;
    numpy.call_method("packbits", (values,), Some(&order))
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
    ended: Arc<AtomicBool>,
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
        interface.set_item("data", (self.address, self.ended.load(Ordering::SeqCst)))?;
        Ok(interface)
    }
}
