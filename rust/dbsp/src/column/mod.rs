//! Columns: how rows lie in memory.
//!
//! Batches and state are generic over their columns. A row type names its column ([`Data::Column`]) and what one looks
//! at while the row stays there ([`Data::Ref`]): integers, floats and booleans lie in plain arrays and are looked at by
//! value, a string lies in one buffer with all others and is a `&str`, tuples and structs are a column for each
//! component. So no row is an object, whoever reads one component touches no other, and Arrow arrays enter and leave
//! without being copied ([`Values`]).
//!
//! ```
//! use qadataswap_dbsp::column::{Column, Data};
//!
//! let mut trades = <(String, i64) as Data>::Column::default();
//! trades.push(("ESZ6", 675_025));
//! trades.push_item(("NQZ6".to_owned(), 2_510_000));
//! assert_eq!(trades.get(1), ("NQZ6", 2_510_000));
//! ```

mod binary;
mod bytes;
mod hash;
mod option;
mod plain;
mod reverse;
mod tuple;
mod unit;

use std::cmp::Ordering;
use std::fmt::Debug;
use std::ops::Range;

pub use binary::Bytes;
pub use bytes::Strings;
pub use hash::{combine, mix};
pub use option::Options;
pub use plain::{Fixed, Plain, Values};
pub use qadataswap_dbsp_derive::Data;
pub use reverse::Reversed;
pub use tuple::*;
pub use unit::Units;

/// What may be a row, or a part of one.
///
/// Equal values have equal references, hashes and bits, and references order as values do. Structs of rows are rows by
/// `derive(Data)`:
///
/// ```
/// use qadataswap_dbsp::{Data, column::Column};
///
/// #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
/// pub struct Trade {
///     pub symbol: String,
///     pub price: i64,
/// }
///
/// let mut trades = TradeColumns::default();
/// trades.push_item(Trade { symbol: "ESZ6".to_owned(), price: 675_025 });
/// let TradeRef { symbol, price } = trades.get(0);
/// assert_eq!((symbol, price), ("ESZ6", 675_025));
/// ```
pub trait Data: Clone + Ord + Debug + Send + Sync + 'static {
    /// Where such values lie.
    type Column: Column<Item = Self>;
    /// A value that stays in its column: the value itself where it is small, `&str` for a string.
    type Ref<'a>: Copy + Ord + Debug;
    /// What a closure sees of a row of a batch whose values these are: the key and the value, or the key alone where
    /// there are no values (`()`).
    type Row<'a, K: Data>: Copy + Debug;

    /// The size in bytes of what tells two values apart, where that is the same for all values and at most 8. Then
    /// [`bits`](Data::bits) is one-to-one, and equal hashes mean equal values.
    const WIDTH: Option<usize>;

    /// Returns what a closure sees.
    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> Self::Row<'a, K>;
    /// Returns the value, looked at.
    fn borrow(&self) -> Self::Ref<'_>;
    /// Returns the same, for no longer than needed: what lies in two columns can be compared so.
    fn shorten<'long: 'short, 'short>(value: Self::Ref<'long>) -> Self::Ref<'short>;
    /// Returns a copy that does not depend on the column.
    fn owned(value: Self::Ref<'_>) -> Self;
    /// Returns a hash that is the same in every process and version: state on disk is ordered by it, and workers share
    /// rows out by its top bits.
    fn hash(value: Self::Ref<'_>) -> u64;
    /// Returns all there is of a value of at most 8 bytes; 0 for any other.
    fn bits(value: Self::Ref<'_>) -> u64;
}

/// Whether equal hashes of `T` mean equal values.
#[must_use]
pub const fn exact<T: Data>() -> bool {
    T::WIDTH.is_some()
}

/// Rows of one type, one after the other.
pub trait Column: Clone + Debug + Default + Send + Sync + 'static {
    /// The type of a row.
    type Item: Data<Column = Self>;

    /// Whether all values have one size, so that [setting](Column::set) one moves no other.
    const FIXED: bool = false;

    /// Returns the number of rows.
    fn len(&self) -> usize;
    /// Returns whether there are none.
    #[inline]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Returns a row.
    ///
    /// # Panics
    ///
    /// If there are not so many, as all that takes a row's number.
    fn get(&self, row: usize) -> <Self::Item as Data>::Ref<'_>;
    /// Adds a row.
    fn push(&mut self, value: <Self::Item as Data>::Ref<'_>);
    /// Adds a row that the caller owns.
    #[inline]
    fn push_item(&mut self, value: Self::Item) {
        self.push(value.borrow());
    }
    /// Adds a row that nobody will look at.
    fn push_default(&mut self);
    /// Puts another value in the place of a row's. Of values that have no fixed size this moves those that follow.
    fn set(&mut self, row: usize, value: <Self::Item as Data>::Ref<'_>) {
        let mut rest = Self::default();
        rest.extend_range(self, row + 1..self.len());
        self.truncate(row);
        self.push(value);
        self.extend_range(&rest, 0..rest.len());
    }
    /// Forgets all rows but the first `rows`.
    fn truncate(&mut self, rows: usize);
    /// Forgets all rows, and keeps the memory.
    fn clear(&mut self) {
        self.truncate(0);
    }
    /// Makes the rows the column's own, where they lie in memory that others hold too: a slot of a ring, say. Whatever keeps
    /// rows beyond a step does this, or copies them.
    fn detach(&mut self) {
        let mut own = Self::default();
        own.extend_range(self, 0..self.len());
        *self = own;
    }
    /// Makes room for so many more rows.
    fn reserve(&mut self, rows: usize);
    /// Adds neighbouring rows of another column.
    fn extend_range(&mut self, from: &Self, rows: Range<usize>);
    /// Adds the rows of another column that have these numbers.
    fn extend_rows(&mut self, from: &Self, rows: &[u32]);
    /// Returns the rows.
    #[inline]
    fn iter(&self) -> impl ExactSizeIterator<Item = <Self::Item as Data>::Ref<'_>> + Clone {
        (0..self.len()).map(|row| self.get(row))
    }
    /// Adds rows, a component after the other.
    #[inline]
    fn extend<'a>(&mut self, rows: impl Iterator<Item = <Self::Item as Data>::Ref<'a>> + Clone) {
        rows.for_each(|row| self.push(row));
    }
    /// Returns a row's hash.
    #[inline]
    fn hash(&self, row: usize) -> u64 {
        Self::Item::hash(self.get(row))
    }
    /// Adds the hashes of some rows to `hashes`.
    fn hashes(&self, rows: Range<usize>, hashes: &mut Vec<u64>) {
        hashes.extend(rows.map(|row| self.hash(row)));
    }
    /// Compares a row with one of another column.
    #[inline]
    fn order(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self.get(row).cmp(&other.get(other_row))
    }
    /// Returns a number that is in the order of the rows: of two rows whose numbers differ, that of the lesser number is the
    /// lesser one. Rows of one number may be equal or not.
    #[inline]
    fn leading(&self, _row: usize) -> u64 {
        0
    }
    /// Returns whether a row is equal to one of another column.
    #[inline]
    fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
        self.get(row) == other.get(other_row)
    }
    /// Returns a number that depends on where a row begins: whoever will look at many rows that lie far apart asks for it
    /// first, so that all of them are under way from memory together.
    #[inline]
    fn touch(&self, _row: usize) -> usize {
        0
    }
    /// Returns the bytes of memory that the rows take, without what is reserved.
    fn bytes(&self) -> usize;
}

/// Makes a column of rows.
pub fn column_of<T: Data>(rows: impl IntoIterator<Item = T>) -> T::Column {
    let mut column = T::Column::default();
    rows.into_iter().for_each(|row| column.push_item(row));
    column
}

#[cfg(test)]
pub(crate) mod tests;
