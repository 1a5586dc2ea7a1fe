//! The dynamic face: tables whose schema is known at run time only.
//!
//! A [`Row`] is a row like any other, so all that the engine does with rows it does with these. Its column is a set of
//! typed columns ([`Rows`]): what a row is made of is looked up once per column and range of rows, not once per row.
//! Tables come from Arrow and go to Arrow with the memory that they have ([`Rows::of_record_batch`]), so the operators
//! here ([`Table`], [`IndexedTable`]) can be evaluated by Arrow's kernels over whole columns.
//!
//! Rows order column by column, nulls first; floats have the total order of [`F64`](crate::algebra::F64). Hashes depend
//! on the values alone: a column joins with one that may have nulls, and `Utf8` with `LargeUtf8` or with a dictionary.
//!
//! | Arrow's type | in a row | its memory |
//! |---|---|---|
//! | integers, `Float32`, `Float64`, `Decimal32`, `Decimal64`, `Decimal128` | as they are | shared both ways |
//! | `Date32`, `Date64`, `Time32`, `Time64`, `Timestamp`, `Duration` | their integers; unit and time zone are in the schema | shared both ways |
//! | `Utf8`, `LargeUtf8`, `Binary`, `LargeBinary`, `FixedSizeBinary` | bytes | shared both ways, but offsets where there are none |
//! | `Utf8View`, `BinaryView` | bytes | copied |
//! | `Boolean`, `Float16`, `Null` | a byte, 4 bytes, nulls | copied |
//! | `Dictionary` | the values; each batch leaves with a dictionary of its own | copied |
//! | `Struct` | its fields | that of the fields |
//! | `List`, `LargeList`, `FixedSizeList` | ends, and the values | that of the values |
//!
//! What comes in leaves as the same type. Other types are refused when the circuit is described, with what to cast them to.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{Int64Array, RecordBatch, StringArray, cast::AsArray, types::Int64Type};
//! use arrow_schema::{DataType, Field, Schema};
//! use qadataswap_dbsp::RootCircuit;
//! use qadataswap_dbsp::dynamic::Aggregate::{Count, Sum};
//!
//! let symbol = Field::new("symbol", DataType::Utf8, false);
//! let schema = Arc::new(Schema::new(vec![symbol, Field::new("size", DataType::Int64, false)]));
//! let (mut circuit, (trades, sums)) = RootCircuit::build(|circuit| {
//!     let (trades, handle) = circuit.add_input_table(&schema)?;
//!     let sums = trades.index_by(&["symbol"])?.aggregate_by(&[Sum("size"), Count])?;
//!     Ok((handle, sums.output()?))
//! })?;
//! let columns = vec![Arc::new(StringArray::from(vec!["ES", "NQ", "ES"])) as _, Arc::new(Int64Array::from(vec![1, 2, 3])) as _];
//! trades.append(&RecordBatch::try_new(schema, columns)?)?;
//! circuit.step()?;
//! let sums = sums.take()?;
//! assert_eq!(sums.num_rows(), 2);
//! let mut sizes = sums["sum(size)"].as_primitive::<Int64Type>().values().to_vec();
//! sizes.sort();
//! assert_eq!(sizes, [2, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cells;
mod compound;
mod lists;
mod operators;
mod rows;
mod table;

use std::cmp::Ordering;
use std::fmt;

use crate::column::{Column, Data};

pub use cells::{Cells, DynColumn};
pub use lists::{List, ListRef, Lists};
pub use operators::{Aggregate, IndexedTable, Table, TableHandle, TableOutput};
pub use rows::Rows;

/// A row of a table whose schema is known at run time.
#[derive(Clone)]
pub struct Row(Rows);

/// A [`Row`] that stays in its columns.
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    rows: &'a Rows,
    row: usize,
}

impl<'a> RowRef<'a> {
    /// Returns the rows that it is one of.
    #[must_use]
    pub fn rows(&self) -> &'a Rows {
        self.rows
    }

    /// Returns its number among them.
    #[must_use]
    pub fn number(&self) -> usize {
        self.row
    }
}

impl PartialEq for RowRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.rows.same(self.row, other.rows, other.row)
    }
}
impl Eq for RowRef<'_> {}
impl PartialOrd for RowRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for RowRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rows.order(self.row, other.rows, other.row)
    }
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let fields = self.rows.schema().map(|schema| schema.fields().iter());
        for (place, (field, column)) in fields.into_iter().flatten().zip(self.rows.columns()).enumerate() {
            write!(f, "{}{}: ", if place > 0 { ", " } else { "" }, field.name())?;
            column.show(self.row, f)?;
        }
        f.write_str("}")
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.borrow() == other.borrow()
    }
}
impl Eq for Row {}
impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Row {
    fn cmp(&self, other: &Self) -> Ordering {
        self.borrow().cmp(&other.borrow())
    }
}
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl Data for Row {
    type Column = Rows;
    type Ref<'a> = RowRef<'a>;
    type Row<'a, K: Data> = (K::Ref<'a>, RowRef<'a>);
    const WIDTH: Option<usize> = None;

    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> (K::Ref<'a>, Self::Ref<'a>) {
        (key, val)
    }
    fn borrow(&self) -> RowRef<'_> {
        RowRef { rows: &self.0, row: 0 }
    }
    fn shorten<'long: 'short, 'short>(value: Self::Ref<'long>) -> Self::Ref<'short> {
        value
    }
    fn owned(value: RowRef<'_>) -> Self {
        let mut rows = Rows::default();
        rows.push(value);
        Self(rows)
    }
    fn hash(value: RowRef<'_>) -> u64 {
        value.rows.hash(value.row)
    }
    fn bits(_: RowRef<'_>) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
