//! The Arrow C data interface: tables in and out as plain structs, for other languages and for Rust programs of
//! another Arrow than ours.
//!
//! [`Writer::write_ffi`](crate::Writer::write_ffi) takes arrays that lie anywhere in this process and copies each
//! of their buffers once, into the slot; [`Reader::read_ffi`](crate::Reader::read_ffi) yields a [`Frame`] whose
//! batches are [exported](Frame::export) straight from the slot, without arrays of our own in between.
//!
//! The law: what is imported is borrowed and never released here; what is exported owns its place in the ring by
//! itself, in one block of memory for all structs of a batch, freed when the last of them is released, be it
//! by its parent or, as the format allows, moved away and released by itself.
//!
//! Source: <https://arrow.apache.org/docs/format/CDataInterface.html>

#![allow(unsafe_code)]

mod array;
mod block;
mod frame;
mod loan;

use crate::error::Result;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use std::ffi::{CStr, c_char, c_void};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::sync::Arc;

pub use crate::pool::Pool;
pub(crate) use array::Array;
pub use array::{Batch, Table};
pub use block::Exported;
pub(crate) use block::{Builder, Size};
pub use frame::Frame;
pub use loan::{LoanColumn, Mapping};

/// A type, a column or a schema, as the format gives it. Plain data: nothing is released on drop.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields of the format by their names")]
pub struct ArrowSchema {
    pub format: *const c_char,
    pub name: *const c_char,
    pub metadata: *const c_char,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut ArrowSchema,
    pub dictionary: *mut ArrowSchema,
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub private_data: *mut c_void,
}

/// The data of a column or of a batch, as the format gives it. Plain data: nothing is released on drop.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields of the format by their names")]
pub struct ArrowArray {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *mut *const c_void,
    pub children: *mut *mut ArrowArray,
    pub dictionary: *mut ArrowArray,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    pub private_data: *mut c_void,
}

const _: () =
    assert!(size_of::<ArrowSchema>() == size_of::<FFI_ArrowSchema>() && size_of::<ArrowSchema>() == 72);
const _: () = assert!(size_of::<ArrowArray>() == 80);

impl ArrowArray {
    /// An array that has been released.
    #[must_use]
    pub const fn released() -> ArrowArray {
        ArrowArray {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: null_mut(),
            children: null_mut(),
            dictionary: null_mut(),
            release: None,
            private_data: null_mut(),
        }
    }
}

/// Reads a schema, which is not released.
///
/// # Errors
/// [`ArrowError`](crate::QADataSwapError::ArrowError) if it is not a struct of columns, or of a type that this
/// Arrow does not know.
///
/// # Safety
/// `schema` is valid by the format's rules: not released, its pointers as its counts say.
pub unsafe fn import_schema(schema: &ArrowSchema) -> Result<SchemaRef> {
    if schema.format.is_null() {
        return Err(ArrowError::CDataInterface("the schema has been released".to_owned()).into());
    }
    // SAFETY: not null, hence a string by the format's rules.
    let format = unsafe { CStr::from_ptr(schema.format) };
    if format != c"+s" {
        return Err(ArrowError::CDataInterface(format!(
            "expected a table (a struct of columns, '+s'), got a column of format '{}'; make a table of it",
            format.to_string_lossy().escape_debug()
        ))
        .into());
    }
    // SAFETY: the same struct (both are the format's, of which the size is asserted above), valid by the caller's
    // word; borrowed, so nobody releases it here.
    let schema = unsafe { &*std::ptr::from_ref(schema).cast::<FFI_ArrowSchema>() };
    Ok(Arc::new(Schema::try_from(schema)?))
}

/// Writes a schema; whoever has it releases it.
///
/// # Errors
/// [`ArrowError`](crate::QADataSwapError::ArrowError) for what the format cannot say.
pub fn export_schema(schema: &Schema) -> Result<ArrowSchema> {
    let made = ManuallyDrop::new(FFI_ArrowSchema::try_from(schema)?);
    // SAFETY: the same struct (see `import_schema`), moved: the original is not dropped.
    let made = unsafe { std::mem::transmute_copy::<FFI_ArrowSchema, ArrowSchema>(&made) };
    for (at, field) in schema.fields().iter().enumerate() {
        // SAFETY: just made of this schema.
        unsafe { flag_sorted_maps(&mut **made.children.add(at), field.data_type()) };
    }
    Ok(made)
}

/// Says of maps that their keys are sorted, which arrow-schema forgets when it writes a field.
///
/// # Safety
/// `schema` was exported from `data_type`.
unsafe fn flag_sorted_maps(schema: &mut ArrowSchema, data_type: &DataType) {
    const MAP_KEYS_SORTED: i64 = 4;
    // SAFETY: by the caller's word there is a child for each child of the type, and a dictionary for its values.
    let below = |at: usize, data_type: &DataType| unsafe {
        flag_sorted_maps(&mut **schema.children.add(at), data_type);
    };
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => below(0, item.data_type()),
        DataType::Map(entries, sorted) => {
            below(0, entries.data_type());
            if *sorted {
                schema.flags |= MAP_KEYS_SORTED;
            }
        }
        DataType::Struct(fields) => {
            fields.iter().enumerate().for_each(|(at, field)| below(at, field.data_type()));
        }
        DataType::Union(fields, _) => {
            fields.iter().enumerate().for_each(|(at, (_, field))| below(at, field.data_type()));
        }
        DataType::RunEndEncoded(_, values) => below(1, values.data_type()),
        // SAFETY: as above.
        DataType::Dictionary(_, values) => unsafe { flag_sorted_maps(&mut *schema.dictionary, values) },
        _ => {}
    }
}
