//! The columns of a frame straight into Polars, by the structs with which it and its plugins hand each other series.
//!
//! Polars takes a table of a stream by way of a series of structs, which it takes apart again: twice the time, and twice
//! the code that a reader which slept has to fetch anew. Its `_import_columns` takes the columns as they are. It is not a
//! public interface, and Polars does not check what it is given. Therefore the law:
//!
//! * the layout of the structs is *asked* of Polars, once, by having it write some ([`Columns::of`]): one that writes others is
//!   asked by its other ways;
//! * only columns go this way of which nothing can fail on the other side before it owns them ([`is_plain`]), in one batch,
//!   and as long as the frame says (what is in a slot may be otherwise);
//! * what Polars has taken, it releases, and what it has not, we do: it tells which by its call of `release`.
//!
//! Source: `polars-ffi`, `version_0`.

#![allow(unsafe_code, reason = "columns leave as C structs")]

use crate::capsule::Owned;
use parking_lot::Mutex;
use pyo3::prelude::*;
use qadataswap::arrow_schema::{DataType, Field, SchemaRef, TimeUnit};
use qadataswap::ffi::{self, ArrowArray, ArrowSchema};
use std::ffi::{CStr, c_void};
use std::sync::Arc;

/// A series on its way, as `polars-ffi` has it: its name and type, and its chunks.
#[repr(C)]
struct SeriesExport {
    field: *mut ArrowSchema,
    /// Each points to a struct that is moved out from there.
    arrays: *mut *mut ArrowArray,
    len: usize,
    release: Option<unsafe extern "C" fn(*mut SeriesExport)>,
    private_data: *mut c_void,
}

const WORDS: usize = size_of::<SeriesExport>() / size_of::<usize>();

/// Polars' call that takes columns.
pub(crate) struct Columns(Py<PyAny>);

impl Columns {
    /// The call, if there is one and it means these structs. `probe` is a frame of two columns, integers and strings, of one
    /// chunk each; `wrap` makes a frame of what the call returns.
    pub(crate) fn of(probe: &Bound<'_, PyAny>, wrap: &Bound<'_, PyAny>) -> PyResult<Option<Columns>> {
        /// No word that Polars would write: no address, and no number of chunks.
        const UNTOUCHED: usize = usize::MAX;
        let inner = probe.getattr("_df")?;
        let import = inner.get_type().getattr("_import_columns")?;
        let mut words = [UNTOUCHED; 8 * WORDS];
        inner.call_method1("_export_columns", (words.as_mut_ptr() as usize,))?;
        let written = words.iter().rposition(|word| *word != UNTOUCHED).map_or(0, |last| last + 1);
        let (series, rest) = words[..written].as_chunks::<WORDS>();
        let is_one = |(words, format): (&[usize; WORDS], &CStr)| {
            // SAFETY: looked at only where the words are such a struct's, as far as words can tell.
            looks_right(words) && unsafe { is_probe(&*words.as_ptr().cast::<SeriesExport>(), format) }
        };
        if series.len() != 2 || !rest.is_empty() || !series.iter().zip([c"l", c"vu"]).all(is_one) {
            // Whatever it wrote, nobody here knows how to release it; it is a few rows, once.
            return Ok(None);
        }
        let made = wrap.call1((import.call1((words.as_mut_ptr() as usize, 2))?,))?;
        let same = made.call_method1("equals", (probe,))?.is_truthy()?;
        Ok(same.then(|| Columns(import.unbind())))
    }

    /// The frame as it is inside of Polars' own; `None` if it cannot go this way.
    ///
    /// # Errors
    /// Polars' own: what it did not take has been let go of.
    pub(crate) fn import<'py>(
        &self,
        py: Python<'py>,
        frame: &ffi::Frame,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if frame.num_batches() != 1 {
            return Ok(None);
        }
        let Some(fields) = fields_of(frame.schema()) else { return Ok(None) };
        let batch = Owned(frame.export(0).array);
        let ArrowArray { length, n_children, children, .. } = batch.0;
        if n_children != fields.0.n_children {
            return Ok(None);
        }
        let mut exports = Vec::with_capacity(n_children as usize);
        for at in 0..n_children as usize {
            // SAFETY: the batch has as many children, as has its schema; they lie in the batch, which nobody else has.
            let (field, array) = unsafe { (*fields.0.children.add(at), children.add(at)) };
            // SAFETY: as above.
            if unsafe { (**array).length } != length {
                return Ok(None);
            }
            exports.push(SeriesExport {
                field,
                arrays: array,
                len: 1,
                release: Some(taken),
                private_data: array.cast(),
            });
        }
        let imported = self.0.bind(py).call1((exports.as_mut_ptr() as usize, exports.len()));
        // Releases also the columns that were not taken.
        drop(batch);
        imported.map(Some)
    }
}

/// Whether words may be those of a [`SeriesExport`] of one chunk.
fn looks_right(words: &[usize; WORDS]) -> bool {
    let [field, arrays, len, release, private_data] = *words;
    let is_address = |word: usize| word != 0 && word.is_multiple_of(align_of::<usize>());
    is_address(field) && is_address(arrays) && len == 1 && release != 0 && is_address(private_data)
}

/// Whether a series is one of two values in one chunk, of a type of this format.
///
/// # Safety
/// Its addresses are such.
unsafe fn is_probe(export: &SeriesExport, format: &CStr) -> bool {
    // SAFETY: the caller's word.
    let (field, array) = unsafe { (&*export.field, *export.arrays) };
    if field.release.is_none() || field.n_children != 0 || field.format.is_null() || array.is_null() {
        return false;
    }
    // SAFETY: a type that is not released has a format; the address is not null.
    let (told, array) = unsafe { (CStr::from_ptr(field.format), &*array) };
    told == format && array.release.is_some() && array.length == 2 && array.n_children == 0
}

/// Polars has moved the only chunk of a series out of its place.
///
/// # Safety
/// `export` is one of [`Columns::import`], or a copy of it, whose batch is still there.
unsafe extern "C" fn taken(export: *mut SeriesExport) {
    // SAFETY: the caller's word: the private data are the address of the place of the column's address.
    unsafe {
        let place = (*export).private_data.cast::<*mut ArrowArray>();
        (**place).release = None;
        (*export).release = None;
    }
}

/// The columns of a schema as C structs, if each of them [is plain](is_plain): made once for each of the last few schemas.
fn fields_of(schema: &SchemaRef) -> Option<Arc<Owned<ArrowSchema>>> {
    /// Schemas remembered.
    const MOST: usize = 16;
    type Known = (SchemaRef, Option<Arc<Owned<ArrowSchema>>>);
    static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());
    let make = || {
        let plain = schema.fields().iter().all(|field| is_plain(field)) && !schema.fields().is_empty();
        plain.then(|| ffi::export_schema(schema).ok().map(|made| Arc::new(Owned(made)))).flatten()
    };
    // Nobody waits for a lock who has the interpreter: whoever finds it taken makes them anew.
    let Some(mut known) = KNOWN.try_lock() else { return make() };
    match known.iter().position(|(known, _)| Arc::ptr_eq(known, schema)) {
        Some(0) => {}
        Some(at) => known[..=at].rotate_right(1),
        None => {
            known.truncate(MOST - 1);
            known.insert(0, (schema.clone(), make()));
        }
    }
    known[0].1.clone()
}

/// Whether Polars takes any column of this type, with nothing but the type to go by.
fn is_plain(field: &Field) -> bool {
    use DataType::{
        BinaryView, Boolean, Date32, Duration, Float32, Float64, Int8, Int16, Int32, Int64, Time64,
        Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8View,
    };
    field.metadata().is_empty()
        && matches!(
            field.data_type(),
            Boolean
                | Int8
                | Int16
                | Int32
                | Int64
                | UInt8
                | UInt16
                | UInt32
                | UInt64
                | Float32
                | Float64
                | Utf8View
                | BinaryView
                | Date32
                | Timestamp(_, _)
                | Duration(_)
                | Time64(TimeUnit::Nanosecond)
        )
}
