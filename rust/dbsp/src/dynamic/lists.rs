//! A column of lists: where each ends, and the values of all of them in one column after the other.
//!
//! Lists order as texts do: by their first values that differ, and one that ends before the other comes first. Hashes and
//! order depend on the values alone, not on whether Arrow had 4-byte offsets, 8-byte ones or lists of one size.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use super::{DynColumn, Rows};
use crate::column::{Column, Data, Plain, combine, mix};

/// Lists of values of one type.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    ends: Plain<i64>,
    /// The values: rows of one column.
    values: Rows,
}

/// A list of a column of lists, as its own column of one.
#[derive(Clone)]
pub struct List(Lists);

/// A [`List`] that stays in its column.
#[derive(Clone, Copy)]
pub struct ListRef<'a> {
    lists: &'a Lists,
    row: usize,
}

impl Lists {
    /// Makes lists of their values, rows of one column, and where each ends in these.
    ///
    /// # Panics
    ///
    /// If the last does not end with the values.
    #[must_use]
    pub fn new(ends: Plain<i64>, values: Rows) -> Self {
        let last = ends.0.last().map_or(0, |&end| end as usize);
        assert_eq!(last, values.len(), "the last list ends with the values");
        Self { ends, values }
    }

    /// Returns where each ends, and the column of the values.
    #[must_use]
    pub(super) fn into_parts(self) -> (Plain<i64>, Option<DynColumn>) {
        (self.ends, self.values.into_columns().pop())
    }

    /// Makes a column of no lists, of values of the same type.
    pub(super) fn like(&self) -> Self {
        Self { ends: Plain::default(), values: self.values.like() }
    }

    /// Lets whoever copies the column share its memory.
    pub(super) fn share(&mut self) {
        self.ends.0.share();
        self.values.share();
    }

    /// Adds so many nulls to the last list.
    pub(super) fn pad(&mut self, nulls: Range<usize>) {
        nulls.for_each(|_| self.values.push_default());
        if let Some(end) = self.ends.0.to_mut().last_mut() {
            *end = self.values.len() as i64;
        }
    }

    /// Returns the places of a list's values.
    pub(super) fn places(&self, row: usize) -> Range<usize> {
        let start = if row == 0 { 0 } else { self.ends.get(row - 1) as usize };
        start..self.ends.get(row) as usize
    }
}

impl PartialEq for ListRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.lists.same(self.row, other.lists, other.row)
    }
}
impl Eq for ListRef<'_> {}
impl PartialOrd for ListRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ListRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.lists.order(self.row, other.lists, other.row)
    }
}
impl fmt::Debug for ListRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (number, place) in self.lists.places(self.row).enumerate() {
            f.write_str(if number > 0 { ", " } else { "" })?;
            self.lists.values.columns()[0].show(place, f)?;
        }
        f.write_str("]")
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.borrow() == other.borrow()
    }
}
impl Eq for List {}
impl PartialOrd for List {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for List {
    fn cmp(&self, other: &Self) -> Ordering {
        self.borrow().cmp(&other.borrow())
    }
}
impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl Data for List {
    type Column = Lists;
    type Ref<'a> = ListRef<'a>;
    type Row<'a, K: Data> = (K::Ref<'a>, ListRef<'a>);
    const WIDTH: Option<usize> = None;

    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> (K::Ref<'a>, Self::Ref<'a>) {
        (key, val)
    }
    fn borrow(&self) -> ListRef<'_> {
        ListRef { lists: &self.0, row: 0 }
    }
    fn shorten<'long: 'short, 'short>(value: Self::Ref<'long>) -> Self::Ref<'short> {
        value
    }
    fn owned(value: ListRef<'_>) -> Self {
        let mut lists = Lists::default();
        lists.push(value);
        Self(lists)
    }
    fn hash(value: ListRef<'_>) -> u64 {
        let places = value.lists.places(value.row);
        let of_length = mix(places.len() as u64);
        places.fold(of_length, |hash, place| combine(hash, value.lists.values.hash(place)))
    }
    fn bits(_: ListRef<'_>) -> u64 {
        0
    }
}

impl Column for Lists {
    type Item = List;

    fn len(&self) -> usize {
        self.ends.len()
    }
    #[inline]
    fn get(&self, row: usize) -> ListRef<'_> {
        assert!(row < self.len(), "list {row} of {}", self.len());
        ListRef { lists: self, row }
    }
    fn push(&mut self, value: ListRef<'_>) {
        self.values.extend_range(&value.lists.values, value.lists.places(value.row));
        self.ends.push(self.values.len() as i64);
    }
    fn push_default(&mut self) {
        self.ends.push(self.values.len() as i64);
    }
    fn truncate(&mut self, rows: usize) {
        if rows < self.len() {
            self.values.truncate(self.places(rows).start);
            self.ends.truncate(rows);
        }
    }
    fn reserve(&mut self, rows: usize) {
        self.ends.reserve(rows);
    }
    fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        if rows.is_empty() {
            return;
        }
        let (start, end) = (from.places(rows.start).start, from.places(rows.end - 1).end);
        let before = self.values.len();
        self.values.extend_range(&from.values, start..end);
        let ends = self.ends.0.to_mut();
        ends.extend(rows.map(|row| (from.places(row).end - start + before) as i64));
    }
    fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        rows.iter().for_each(|&row| self.push(from.get(row as usize)));
    }
    fn order(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        let (mut mine, mut others) = (self.places(row), other.places(other_row));
        loop {
            match (mine.next(), others.next()) {
                (Some(a), Some(b)) => match self.values.order(a, &other.values, b) {
                    Ordering::Equal => {}
                    order => return order,
                },
                (a, b) => return a.is_some().cmp(&b.is_some()),
            }
        }
    }
    fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
        let (mine, others) = (self.places(row), other.places(other_row));
        mine.len() == others.len() && mine.zip(others).all(|(a, b)| self.values.same(a, &other.values, b))
    }
    fn bytes(&self) -> usize {
        self.ends.bytes() + self.values.bytes()
    }
}
