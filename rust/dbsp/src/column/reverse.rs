//! Columns of what is ordered the other way round: for keys of descending orders.

use std::cmp::{Ordering, Reverse};
use std::ops::Range;

use super::{Column, Data};

/// Values as they are, in the order that puts the greatest first.
#[derive(Clone, Debug)]
pub struct Reversed<T: Data>(pub T::Column);

impl<T: Data> Default for Reversed<T> {
    fn default() -> Self {
        Self(T::Column::default())
    }
}

impl<T: Data> Data for Reverse<T> {
    type Column = Reversed<T>;
    type Ref<'a> = Reverse<T::Ref<'a>>;
    type Row<'a, K: Data> = (K::Ref<'a>, Self::Ref<'a>);
    const WIDTH: Option<usize> = T::WIDTH;

    #[inline]
    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> (K::Ref<'a>, Self::Ref<'a>) {
        (key, val)
    }
    #[inline]
    fn borrow(&self) -> Self::Ref<'_> {
        Reverse(self.0.borrow())
    }
    #[inline]
    fn shorten<'long: 'short, 'short>(value: Self::Ref<'long>) -> Self::Ref<'short> {
        Reverse(T::shorten(value.0))
    }
    #[inline]
    fn owned(value: Self::Ref<'_>) -> Self {
        Self(T::owned(value.0))
    }
    #[inline]
    fn hash(value: Self::Ref<'_>) -> u64 {
        T::hash(value.0)
    }
    #[inline]
    fn bits(value: Self::Ref<'_>) -> u64 {
        T::bits(value.0)
    }
}

impl<T: Data> Column for Reversed<T> {
    type Item = Reverse<T>;

    const FIXED: bool = T::Column::FIXED;

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
    #[inline]
    fn get(&self, row: usize) -> Reverse<T::Ref<'_>> {
        Reverse(self.0.get(row))
    }
    #[inline]
    fn push(&mut self, value: Reverse<T::Ref<'_>>) {
        self.0.push(value.0);
    }
    #[inline]
    fn push_item(&mut self, value: Reverse<T>) {
        self.0.push_item(value.0);
    }
    fn push_default(&mut self) {
        self.0.push_default();
    }
    #[inline]
    fn set(&mut self, row: usize, value: Reverse<T::Ref<'_>>) {
        self.0.set(row, value.0);
    }
    fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }
    fn detach(&mut self) {
        self.0.detach();
    }
    fn reserve(&mut self, rows: usize) {
        self.0.reserve(rows);
    }
    fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        self.0.extend_range(&from.0, rows);
    }
    fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        self.0.extend_rows(&from.0, rows);
    }
    fn hashes(&self, rows: Range<usize>, hashes: &mut Vec<u64>) {
        self.0.hashes(rows, hashes);
    }
    fn order(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        other.0.order(other_row, &self.0, row)
    }
    fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
        self.0.same(row, &other.0, other_row)
    }
    #[inline]
    fn leading(&self, row: usize) -> u64 {
        !self.0.leading(row)
    }
    #[inline]
    fn touch(&self, row: usize) -> usize {
        self.0.touch(row)
    }
    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}
