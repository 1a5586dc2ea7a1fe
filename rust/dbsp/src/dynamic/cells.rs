//! One column of a table whose schema is known at run time: which of its physical types it is, once per column.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use super::{Lists, Rows};
use crate::algebra::{F32, F64};
use crate::column::{Bytes, Column, Data, Plain, Values, combine, mix};

/// Values of one physical type. Dates, times, timestamps and decimals are their integers, floats of 2 bytes are of 4, text is
/// its bytes, and what has a dictionary is what that says; what they are besides is in the schema.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Booleans.
    Bool(Plain<bool>),
    /// Integers of 1 byte.
    I8(Plain<i8>),
    /// Integers of 2 bytes.
    I16(Plain<i16>),
    /// Integers of 4 bytes.
    I32(Plain<i32>),
    /// Integers of 8 bytes.
    I64(Plain<i64>),
    /// Integers of 16 bytes.
    I128(Plain<i128>),
    /// Integers of 1 byte without sign.
    U8(Plain<u8>),
    /// Integers of 2 bytes without sign.
    U16(Plain<u16>),
    /// Integers of 4 bytes without sign.
    U32(Plain<u32>),
    /// Integers of 8 bytes without sign.
    U64(Plain<u64>),
    /// Floats of 4 bytes.
    F32(Plain<F32>),
    /// Floats of 8 bytes.
    F64(Plain<F64>),
    /// Text or bytes.
    Bytes(Bytes),
    /// Structs: a row of their fields each.
    Struct(Rows),
    /// Lists.
    List(Lists),
}

/// Does the same with the values, of whichever type they are.
macro_rules! each {
    ($cells:expr, $values:ident => $done:expr) => {
        match $cells {
            Cells::Bool($values) => $done,
            Cells::I8($values) => $done,
            Cells::I16($values) => $done,
            Cells::I32($values) => $done,
            Cells::I64($values) => $done,
            Cells::I128($values) => $done,
            Cells::U8($values) => $done,
            Cells::U16($values) => $done,
            Cells::U32($values) => $done,
            Cells::U64($values) => $done,
            Cells::F32($values) => $done,
            Cells::F64($values) => $done,
            Cells::Bytes($values) => $done,
            Cells::Struct($values) => $done,
            Cells::List($values) => $done,
        }
    };
}

/// Does the same with two columns of one type.
macro_rules! paired {
    ($one:expr, $other:expr, $a:ident, $b:ident => $done:expr) => {
        match ($one, $other) {
            (Cells::Bool($a), Cells::Bool($b)) => $done,
            (Cells::I8($a), Cells::I8($b)) => $done,
            (Cells::I16($a), Cells::I16($b)) => $done,
            (Cells::I32($a), Cells::I32($b)) => $done,
            (Cells::I64($a), Cells::I64($b)) => $done,
            (Cells::I128($a), Cells::I128($b)) => $done,
            (Cells::U8($a), Cells::U8($b)) => $done,
            (Cells::U16($a), Cells::U16($b)) => $done,
            (Cells::U32($a), Cells::U32($b)) => $done,
            (Cells::U64($a), Cells::U64($b)) => $done,
            (Cells::F32($a), Cells::F32($b)) => $done,
            (Cells::F64($a), Cells::F64($b)) => $done,
            (Cells::Bytes($a), Cells::Bytes($b)) => $done,
            (Cells::Struct($a), Cells::Struct($b)) => $done,
            (Cells::List($a), Cells::List($b)) => $done,
            _ => panic!("rows of one stream have one schema"),
        }
    };
}

/// The hash of a null: of no value in particular.
const NULL: u64 = mix(1);

/// A column: its values, and which of them are there, if not all are. What lies at a missing one is never looked at.
#[derive(Clone, Debug)]
pub struct DynColumn {
    pub(super) cells: Cells,
    pub(super) there: Option<Plain<bool>>,
}

impl DynColumn {
    /// Makes a column of values, and of which are there.
    ///
    /// # Panics
    ///
    /// If there are not as many of the one as of the other.
    #[must_use]
    pub fn new(cells: Cells, there: Option<Plain<bool>>) -> Self {
        let column = Self { cells, there };
        assert!(
            column.there.as_ref().is_none_or(|there| there.len() == column.len()),
            "each value is there or is not"
        );
        column
    }

    /// Returns the values, also those at rows that are missing.
    #[must_use]
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        each!(&self.cells, values => values.len())
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether a row has a value.
    #[inline]
    #[must_use]
    pub fn is_there(&self, row: usize) -> bool {
        self.there.as_ref().is_none_or(|there| there.get(row))
    }

    /// Makes an empty column of the same type.
    pub(super) fn like(&self) -> Self {
        let cells = match &self.cells {
            Cells::Bool(_) => Cells::Bool(Plain::default()),
            Cells::I8(_) => Cells::I8(Plain::default()),
            Cells::I16(_) => Cells::I16(Plain::default()),
            Cells::I32(_) => Cells::I32(Plain::default()),
            Cells::I64(_) => Cells::I64(Plain::default()),
            Cells::I128(_) => Cells::I128(Plain::default()),
            Cells::U8(_) => Cells::U8(Plain::default()),
            Cells::U16(_) => Cells::U16(Plain::default()),
            Cells::U32(_) => Cells::U32(Plain::default()),
            Cells::U64(_) => Cells::U64(Plain::default()),
            Cells::F32(_) => Cells::F32(Plain::default()),
            Cells::F64(_) => Cells::F64(Plain::default()),
            Cells::Bytes(_) => Cells::Bytes(Bytes::default()),
            Cells::Struct(rows) => Cells::Struct(rows.like()),
            Cells::List(lists) => Cells::List(lists.like()),
        };
        Self { cells, there: None }
    }

    /// Lets whoever copies the column share its memory.
    pub(super) fn share(&mut self) {
        match &mut self.cells {
            Cells::Bytes(values) => values.share(),
            Cells::Struct(rows) => rows.share(),
            Cells::List(lists) => lists.share(),
            Cells::Bool(values) => values.0.share(),
            Cells::I8(values) => values.0.share(),
            Cells::I16(values) => values.0.share(),
            Cells::I32(values) => values.0.share(),
            Cells::I64(values) => values.0.share(),
            Cells::I128(values) => values.0.share(),
            Cells::U8(values) => values.0.share(),
            Cells::U16(values) => values.0.share(),
            Cells::U32(values) => values.0.share(),
            Cells::U64(values) => values.0.share(),
            Cells::F32(values) => values.0.share(),
            Cells::F64(values) => values.0.share(),
        }
        if let Some(there) = &mut self.there {
            there.0.share();
        }
    }

    fn there_mut(&mut self) -> &mut Plain<bool> {
        let rows = self.len();
        self.there.get_or_insert_with(|| Plain(Values::Owned(vec![1; rows])))
    }

    /// Adds a row without a value.
    pub(super) fn push_null(&mut self) {
        self.there_mut().push(false);
        each!(&mut self.cells, values => values.push_default());
    }

    /// Adds a row of another column.
    pub(super) fn push_of(&mut self, from: &Self, row: usize) {
        if !from.is_there(row) {
            return self.push_null();
        }
        if let Some(there) = &mut self.there {
            there.push(true);
        }
        paired!(&mut self.cells, &from.cells, own, values => own.push(values.get(row)));
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        if rows == 0 {
            self.there = None;
        } else if let Some(there) = &mut self.there {
            there.truncate(rows);
        }
        each!(&mut self.cells, values => values.truncate(rows));
    }

    pub(super) fn reserve(&mut self, rows: usize) {
        each!(&mut self.cells, values => values.reserve(rows));
    }

    pub(super) fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        match &from.there {
            Some(there) => self.there_mut().extend_range(there, rows.clone()),
            None => self.all_there(rows.len()),
        }
        paired!(&mut self.cells, &from.cells, own, values => own.extend_range(values, rows));
    }

    pub(super) fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        match &from.there {
            Some(there) => self.there_mut().extend_rows(there, rows),
            None => self.all_there(rows.len()),
        }
        paired!(&mut self.cells, &from.cells, own, values => own.extend_rows(values, rows));
    }

    fn all_there(&mut self, rows: usize) {
        if let Some(there) = &mut self.there {
            let there = there.0.to_mut();
            there.resize(there.len() + rows, 1);
        }
    }

    #[inline]
    pub(super) fn hash(&self, row: usize) -> u64 {
        if self.is_there(row) { each!(&self.cells, values => values.hash(row)) } else { NULL }
    }

    /// Goes on with the hashes of some rows.
    pub(super) fn hashes(&self, rows: Range<usize>, hashes: &mut [u64]) {
        fn go_on<C: Column>(values: &C, there: Option<&Plain<bool>>, rows: Range<usize>, hashes: &mut [u64]) {
            for (row, hash) in rows.zip(hashes) {
                let is_there = there.is_none_or(|there| there.get(row));
                *hash = combine(*hash, if is_there { C::Item::hash(values.get(row)) } else { NULL });
            }
        }
        each!(&self.cells, values => go_on(values, self.there.as_ref(), rows, hashes));
    }

    pub(super) fn order(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        match (self.is_there(row), other.is_there(other_row)) {
            (true, true) => paired!(&self.cells, &other.cells, a, b => a.order(row, b, other_row)),
            (one, other) => one.cmp(&other),
        }
    }

    pub(super) fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
        match (self.is_there(row), other.is_there(other_row)) {
            (true, true) => paired!(&self.cells, &other.cells, a, b => a.same(row, b, other_row)),
            (one, other) => one == other,
        }
    }

    pub(super) fn leading(&self, row: usize) -> u64 {
        if self.is_there(row) { each!(&self.cells, values => values.leading(row)) >> 1 | 1 << 63 } else { 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        each!(&self.cells, values => values.bytes()) + self.there.as_ref().map_or(0, Plain::bytes)
    }

    /// Writes a row.
    pub(super) fn show(&self, row: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_there(row) {
            return f.write_str("null");
        }
        match &self.cells {
            Cells::Bytes(values) => match std::str::from_utf8(values.get(row)) {
                Ok(text) => write!(f, "{text:?}"),
                Err(_) => write!(f, "{:?}", values.get(row)),
            },
            cells => each!(cells, values => write!(f, "{:?}", values.get(row))),
        }
    }
}
