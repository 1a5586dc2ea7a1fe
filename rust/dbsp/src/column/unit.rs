//! The column of nothing: the value part of a set.

use std::ops::Range;

use super::{Column, Data};

/// So many times `()`.
#[derive(Clone, Debug, Default)]
pub struct Units(usize);

impl Units {
    /// Makes so many.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self(rows)
    }
}

impl Data for () {
    type Column = Units;
    type Ref<'a> = ();
    type Row<'a, K: Data> = K::Ref<'a>;
    const WIDTH: Option<usize> = Some(0);

    fn row<'a, K: Data>(key: K::Ref<'a>, (): ()) -> K::Ref<'a> {
        key
    }
    fn borrow(&self) {}
    fn shorten<'long: 'short, 'short>((): ()) {}
    fn owned((): ()) {}
    fn hash((): ()) -> u64 {
        0
    }
    fn bits((): ()) -> u64 {
        0
    }
}

impl Column for Units {
    type Item = ();

    const FIXED: bool = true;

    fn len(&self) -> usize {
        self.0
    }
    fn get(&self, row: usize) {
        assert!(row < self.0, "row {row} of {}", self.0);
    }
    fn push(&mut self, (): ()) {
        self.0 += 1;
    }
    fn push_default(&mut self) {
        self.0 += 1;
    }
    fn set(&mut self, row: usize, (): ()) {
        self.get(row);
    }
    fn truncate(&mut self, rows: usize) {
        self.0 = self.0.min(rows);
    }
    fn detach(&mut self) {}
    fn reserve(&mut self, _: usize) {}
    fn extend_range(&mut self, _: &Self, rows: Range<usize>) {
        self.0 += rows.len();
    }
    fn iter(&self) -> impl ExactSizeIterator<Item = ()> + Clone {
        std::iter::repeat_n((), self.0)
    }
    fn extend<'a>(&mut self, rows: impl Iterator<Item = <() as Data>::Ref<'a>> + Clone) {
        self.0 += rows.count();
    }
    fn extend_rows(&mut self, _: &Self, rows: &[u32]) {
        self.0 += rows.len();
    }
    fn bytes(&self) -> usize {
        0
    }
}
