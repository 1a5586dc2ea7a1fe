//! Arrow in and out: columns of typed rows as arrays, batches as record batches with a column of weights.
//!
//! | row | array | values |
//! |---|---|---|
//! | `i8` … `i64`, `u8` … `u64`, [`F32`], [`F64`], `CheckedInt` | the number's own | shared both ways |
//! | `usize`, `isize` | `UInt64`, `Int64` | shared both ways |
//! | `i128` | `Decimal128(38, 0)` | shared both ways |
//! | [`Nanoseconds`] | `Timestamp(Nanosecond, None)` | shared both ways |
//! | `bool` | `Boolean` | copied: a bit each in Arrow, a byte here |
//! | `String` | `LargeUtf8`; in, `Utf8` and `Utf8View` too | text copied in, moved out |
//! | `Vec<u8>` | `LargeBinary`; in, `Binary` and `BinaryView` too | shared both ways, but for views |
//! | `Option<T>` | as `T`, with validity | as `T` |
//! | tuples, derived structs | `Struct` of their fields | as each field |
//!
//! What is shared is copied when somebody writes to it, and not before: a batch of numbers that came from Arrow costs
//! nothing, and one that goes to Arrow takes its memory along.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{Int64Array, RecordBatch, StringArray, cast::AsArray, types::Int64Type};
//! use qadataswap_dbsp::{Batch, Data, RootCircuit};
//!
//! #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
//! struct Trade {
//!     symbol: String,
//!     price: i64,
//! }
//!
//! let table = RecordBatch::try_from_iter([
//!     ("symbol", Arc::new(StringArray::from(vec!["ESZ6", "NQZ6"])) as _),
//!     ("price", Arc::new(Int64Array::from(vec![6750, 25100])) as _),
//!     ("weight", Arc::new(Int64Array::from(vec![1, -1])) as _),
//! ])?;
//! let (mut circuit, (trades, dear)) = RootCircuit::build(|circuit| {
//!     let (trades, handle) = circuit.add_input_zset::<Trade>();
//!     Ok((handle, trades.filter(|trade| trade.price > 10_000).output()))
//! })?;
//! trades.append(Batch::from_record_batch(&table)?);
//! circuit.step()?;
//! let change = dear.take().into_record_batch()?;
//! assert_eq!(change["price"].as_primitive::<Int64Type>().values(), &[25100]);
//! assert_eq!(change["weight"].as_primitive::<Int64Type>().values(), &[-1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`F32`]: crate::algebra::F32
//! [`F64`]: crate::algebra::F64
//! [`Nanoseconds`]: crate::time::Nanoseconds

mod layout;
mod option;
mod plain;
mod strings;
mod structs;

use std::fmt;

use arrow_array::Array;

use crate::column::Column;
use crate::error::Error;

pub use layout::Layout;
pub(crate) use layout::{decoded, read_weights, write_weights};
pub(crate) use plain::{into_bits, of_bits};
pub use structs::{Members, struct_of, struct_type};

#[doc(no_inline)]
pub use arrow_array::ArrayRef;
#[doc(no_inline)]
pub use arrow_buffer::NullBuffer;
#[doc(no_inline)]
pub use arrow_schema::{DataType, Field};

/// Where a column is: its name, and those of the struct columns that it is in.
#[derive(Clone, Copy, Debug)]
pub struct ColumnName<'a> {
    name: &'a str,
    inside: Option<&'a ColumnName<'a>>,
    /// Of a row that is a whole table: its fields, and the columns that they are.
    columns: Option<(&'a [String], &'a [String])>,
}

impl<'a> ColumnName<'a> {
    /// Names a column of a table.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self { name, inside: None, columns: None }
    }

    /// Names a row whose fields are columns of a table.
    pub(crate) fn table(fields: &'a [String], columns: &'a [String]) -> Self {
        Self { name: "row", inside: None, columns: Some((fields, columns)) }
    }

    /// Names a field of this column.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Self {
        let Some((fields, columns)) = self.columns else {
            return Self { name, inside: Some(self), columns: None };
        };
        let place = fields.iter().position(|field| field == name);
        Self::new(place.and_then(|place| columns.get(place)).map_or(name, String::as_str))
    }

    /// Says that the column is of another type than is needed.
    pub(crate) fn mismatch(&self, expected: impl fmt::Display, got: &DataType) -> Error {
        Error::ColumnType { column: self.to_string(), expected: expected.to_string(), got: got.to_string() }
    }
}

impl fmt::Display for ColumnName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(inside) = self.inside {
            write!(f, "{inside}.")?;
        }
        f.write_str(self.name)
    }
}

/// A column whose values Arrow has as well, all of them there.
pub trait ArrowValues: Column {
    /// Returns the type of the array that it becomes.
    fn data_type() -> DataType;

    /// Makes a column of an array, whatever lies at its nulls. Of the rows only those that `there` says are there will be
    /// looked at, or all.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnType`], and for structs what is wrong with a field.
    fn of_values(array: &ArrayRef, column: ColumnName<'_>, there: Option<&NullBuffer>)
    -> Result<Self, Error>;

    /// Returns the values as an array, with this validity.
    fn into_values(self, nulls: Option<NullBuffer>) -> ArrayRef;
}

/// A column that Arrow has as well.
pub trait ArrowColumn: Column {
    /// Returns its type, and whether rows may be missing, under this name.
    fn field(name: &str) -> Field;

    /// Makes a column of an array, of whose rows only those that `there` says are there will be looked at, or all.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnType`]; [`Error::Nulls`] if rows are missing that cannot be; for structs what is wrong with a field.
    fn of_array(array: &ArrayRef, column: ColumnName<'_>, there: Option<&NullBuffer>) -> Result<Self, Error>;

    /// Returns the rows as an array.
    fn into_array(self) -> ArrayRef;
}

impl<C: ArrowValues> ArrowColumn for C {
    fn field(name: &str) -> Field {
        Field::new(name, C::data_type(), false)
    }

    fn of_array(array: &ArrayRef, column: ColumnName<'_>, there: Option<&NullBuffer>) -> Result<Self, Error> {
        let values = Self::of_values(array, column, there)?;
        refuse_nulls(array, column, there)?;
        Ok(values)
    }

    fn into_array(self) -> ArrayRef {
        self.into_values(None)
    }
}

/// Refuses nulls where there is a row.
fn refuse_nulls(array: &ArrayRef, column: ColumnName<'_>, there: Option<&NullBuffer>) -> Result<(), Error> {
    let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(());
    };
    match there {
        Some(there) if there.contains(&nulls) => Ok(()),
        _ => Err(Error::Nulls { column: column.to_string(), nulls: nulls.null_count() }),
    }
}

#[cfg(test)]
mod tests;
