//! Schemas, and what spares a steady writer from importing the same one again and again.

#![allow(unsafe_code, reason = "reads schemas that come as C structs")]

use crate::capsule::{self, Owned};
use crate::error::{invalid, raise};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList, PyTuple};
use qadataswap::Result;
use qadataswap::arrow_schema::ffi::FFI_ArrowSchema;
use qadataswap::arrow_schema::{Field, Schema as Columns, SchemaRef};
use qadataswap::ffi::{self, ArrowSchema};
use std::ffi::{CStr, c_char};

/// The columns of a table: their names and types.
///
/// Made of anything that has `__arrow_c_schema__`, or of a mapping from names to types of Python, NumPy, Polars or
/// pyarrow; `Writer.loan` takes one wherever it takes those, and does not have to look at it again.
///
/// >>> schema = qadataswap.Schema({"symbol": str, "price": float})
/// >>> schema.names
/// ['symbol', 'price']
#[pyclass(frozen, module = "qadataswap")]
pub(crate) struct Schema(pub(crate) SchemaRef);

#[pymethods]
impl Schema {
    #[new]
    fn new(schema: &Bound<'_, PyAny>) -> PyResult<Schema> {
        Ok(Schema(schema_of(schema)?))
    }

    /// The names of the columns.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.0.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        self.0.fields().len()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::wrap_schema(py, ffi::export_schema(&self.0).map_err(raise)?)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Schema>().is_ok_and(|other| other.get().0 == self.0)
    }

    fn __repr__(&self) -> String {
        let columns = self.0.fields().iter();
        let columns: Vec<String> =
            columns.map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
        format!("qadataswap.Schema({})", columns.join(", "))
    }
}

/// The schema that `any` stands for.
pub(crate) fn schema_of(any: &Bound<'_, PyAny>) -> PyResult<SchemaRef> {
    if let Ok(schema) = any.cast::<Schema>() {
        return Ok(schema.get().0.clone());
    }
    let py = any.py();
    if let Some(schema) = any.getattr_opt("__arrow_c_schema__")? {
        let schema = capsule::unwrap_schema(&schema.call0()?)?;
        return import(&schema).map_err(raise);
    }
    let described = py.import("qadataswap.dtypes")?.getattr("describe")?.call1((any,))?;
    let mut fields: Vec<Field> = Vec::new();
    for described in described.cast::<PyList>()? {
        let described = described.cast_into::<PyTuple>()?;
        let (name, described): (String, Bound<'_, PyAny>) = described.extract()?;
        let field = match described.extract::<String>() {
            Ok(format) => FFI_ArrowSchema::try_new(&format, vec![], None)
                .and_then(|schema| Field::try_from(&schema))
                .map_err(|error| raise(error.into()))?,
            Err(_) => match described.cast::<PyTuple>() {
                // A schema of this column alone.
                Ok(alone) => {
                    let schema = capsule::unwrap_schema(&alone.get_item(0)?)?;
                    import(&schema).map_err(raise)?.field(0).clone()
                }
                Err(_) => field(&capsule::unwrap_schema(&described)?).map_err(raise)?,
            },
        };
        fields.push(field.with_name(name).with_nullable(true));
    }
    Ok(Columns::new(fields).into())
}

fn not_released(schema: &Owned<ArrowSchema>) -> Result<()> {
    match schema.0.release {
        Some(_) => Ok(()),
        None => Err(invalid("", "the schema has been released")),
    }
}

/// A schema that comes as a C struct.
pub(crate) fn import(schema: &Owned<ArrowSchema>) -> Result<SchemaRef> {
    not_released(schema)?;
    // SAFETY: not released, and valid by the format's rules, which whoever makes a capsule of its name keeps.
    unsafe { ffi::import_schema(&schema.0) }
}

/// A single type that comes as a C struct.
fn field(schema: &Owned<ArrowSchema>) -> Result<Field> {
    not_released(schema)?;
    // SAFETY: the same struct by another name, of the same size (asserted by the core), and borrowed.
    let schema = unsafe { &*(&raw const schema.0).cast::<FFI_ArrowSchema>() };
    Ok(Field::try_from(schema)?)
}

/// The last schema that was imported, and what it looked like as a C struct.
#[derive(Default)]
pub(crate) struct SchemaCache {
    last: Option<(Vec<u8>, SchemaRef)>,
    look: Vec<u8>,
}

impl SchemaCache {
    /// The schema of a C struct; the one from before if the struct says the same.
    pub(crate) fn import(&mut self, schema: &Owned<ArrowSchema>) -> Result<SchemaRef> {
        not_released(schema)?;
        self.look.clear();
        // SAFETY: as in `import`.
        unsafe { describe(&schema.0, &mut self.look) };
        match &mut self.last {
            Some((look, known)) if *look == self.look => Ok(known.clone()),
            last => {
                let imported = import(schema)?;
                *last = Some((std::mem::take(&mut self.look), imported.clone()));
                Ok(imported)
            }
        }
    }
}

/// Appends all that a schema says, so that two schemas that say the same look the same and no others do.
///
/// # Safety
/// `schema` is valid by the format's rules.
unsafe fn describe(schema: &ArrowSchema, look: &mut Vec<u8>) {
    // SAFETY: strings end with a zero byte or are null; there are as many children as it says; metadata is as long as
    // it says (see `metadata`).
    unsafe {
        text(schema.format, look);
        text(schema.name, look);
        metadata(schema.metadata, look);
        look.extend_from_slice(&schema.flags.to_ne_bytes());
        look.extend_from_slice(&schema.n_children.to_ne_bytes());
        for child in 0..usize::try_from(schema.n_children).unwrap_or(0) {
            describe(&**schema.children.add(child), look);
        }
        look.push(u8::from(!schema.dictionary.is_null()));
        if let Some(dictionary) = schema.dictionary.as_ref() {
            describe(dictionary, look);
        }
    }
}

/// # Safety
/// `text` is null or ends with a zero byte.
unsafe fn text(text: *const c_char, look: &mut Vec<u8>) {
    if text.is_null() {
        return look.push(1);
    }
    look.push(2);
    // SAFETY: the caller's word.
    look.extend_from_slice(unsafe { CStr::from_ptr(text) }.to_bytes_with_nul());
}

/// # Safety
/// `metadata` is null, or the number of its pairs followed by these, each a length and as many bytes.
unsafe fn metadata(metadata: *const c_char, look: &mut Vec<u8>) {
    if metadata.is_null() {
        return look.push(1);
    }
    look.push(2);
    // SAFETY: the caller's word.
    unsafe {
        let number = |at: usize| metadata.add(at).cast::<i32>().read_unaligned();
        let mut end = 4;
        for _ in 0..2 * i64::from(number(0).max(0)) {
            end += 4 + usize::try_from(number(end)).unwrap_or(0);
        }
        look.extend_from_slice(std::slice::from_raw_parts(metadata.cast::<u8>(), end));
    }
}
