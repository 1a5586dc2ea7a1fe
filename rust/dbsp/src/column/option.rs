//! Columns of what may be missing. Nothing comes before everything, as in Rust; SQL's other orders are made by keys.

use std::ops::Range;

use super::{Column, Data, Plain, combine, mix};

/// Values, and which of them are there. What lies at a missing one is never looked at.
#[derive(Clone, Debug)]
pub struct Options<T: Data> {
    there: Plain<bool>,
    values: T::Column,
}

impl<T: Data> Options<T> {
    /// Returns which rows are there, and the values, those that are not included.
    #[must_use]
    pub fn parts(&self) -> (&Plain<bool>, &T::Column) {
        (&self.there, &self.values)
    }

    /// Returns the same as the caller's own.
    #[must_use]
    pub fn into_parts(self) -> (Plain<bool>, T::Column) {
        (self.there, self.values)
    }

    /// Makes a column of which rows are there, and of the values.
    ///
    /// # Panics
    ///
    /// If there are not as many of the one as of the other.
    #[must_use]
    pub fn of_parts(there: Plain<bool>, values: T::Column) -> Self {
        assert_eq!(there.len(), values.len(), "each row is there or is not");
        Self { there, values }
    }
}

impl<T: Data> Default for Options<T> {
    fn default() -> Self {
        Self { there: Plain::default(), values: T::Column::default() }
    }
}

impl<T: Data> Data for Option<T> {
    type Column = Options<T>;
    type Ref<'a> = Option<T::Ref<'a>>;
    type Row<'a, K: Data> = (K::Ref<'a>, Self::Ref<'a>);
    const WIDTH: Option<usize> = match T::WIDTH {
        Some(width) if width < 8 => Some(width + 1),
        _ => None,
    };

    #[inline]
    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> (K::Ref<'a>, Self::Ref<'a>) {
        (key, val)
    }
    #[inline]
    fn borrow(&self) -> Option<T::Ref<'_>> {
        self.as_ref().map(T::borrow)
    }
    #[inline]
    fn shorten<'long: 'short, 'short>(value: Self::Ref<'long>) -> Self::Ref<'short> {
        value.map(T::shorten)
    }
    #[inline]
    fn owned(value: Option<T::Ref<'_>>) -> Self {
        value.map(T::owned)
    }
    #[inline]
    fn hash(value: Option<T::Ref<'_>>) -> u64 {
        match value {
            _ if Self::WIDTH.is_some() => mix(Self::bits(value)),
            None => mix(1),
            Some(value) => combine(1, T::hash(value)),
        }
    }
    #[inline]
    fn bits(value: Option<T::Ref<'_>>) -> u64 {
        match (value, Self::WIDTH) {
            (Some(value), Some(_)) => T::bits(value) << 8 | 1,
            _ => 0,
        }
    }
}

impl<T: Data> Column for Options<T> {
    type Item = Option<T>;

    const FIXED: bool = T::Column::FIXED;

    #[inline]
    fn len(&self) -> usize {
        self.there.len()
    }
    #[inline]
    fn get(&self, row: usize) -> Option<T::Ref<'_>> {
        self.there.get(row).then(|| self.values.get(row))
    }
    #[inline]
    fn push(&mut self, value: Option<T::Ref<'_>>) {
        self.there.push(value.is_some());
        match value {
            Some(value) => self.values.push(value),
            None => self.values.push_default(),
        }
    }
    fn push_default(&mut self) {
        self.push(None);
    }
    fn set(&mut self, row: usize, value: Option<T::Ref<'_>>) {
        self.there.set(row, value.is_some());
        if let Some(value) = value {
            self.values.set(row, value);
        }
    }
    fn truncate(&mut self, rows: usize) {
        self.there.truncate(rows);
        self.values.truncate(rows);
    }
    fn detach(&mut self) {
        self.there.detach();
        self.values.detach();
    }
    fn reserve(&mut self, rows: usize) {
        self.there.reserve(rows);
        self.values.reserve(rows);
    }
    fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        self.there.extend_range(&from.there, rows.clone());
        self.values.extend_range(&from.values, rows);
    }
    fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        self.there.extend_rows(&from.there, rows);
        self.values.extend_rows(&from.values, rows);
    }
    #[inline]
    fn leading(&self, row: usize) -> u64 {
        if self.there.get(row) { self.values.leading(row) >> 1 | 1 << 63 } else { 0 }
    }
    #[inline]
    fn touch(&self, row: usize) -> usize {
        self.values.touch(row)
    }
    fn bytes(&self) -> usize {
        self.there.bytes() + self.values.bytes()
    }
}
