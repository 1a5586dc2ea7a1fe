//! Columns of strings: one buffer, and where each ends.

use std::ops::Range;

use super::{Column, Data, hash};

/// Strings, one after the other in one buffer.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Strings {
    #[inline]
    fn place(&self, rows: Range<usize>) -> Range<usize> {
        let start = |row: usize| if row == 0 { 0 } else { self.ends[row - 1] };
        start(rows.start)..start(rows.end)
    }

    /// Returns the text of all strings, and where each ends in it.
    #[must_use]
    pub fn parts(&self) -> (&str, &[usize]) {
        (&self.text, &self.ends)
    }

    /// Returns the same as the caller's own.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<usize>) {
        (self.text, self.ends)
    }
}

impl Data for String {
    type Column = Strings;
    type Ref<'a> = &'a str;
    type Row<'a, K: Data> = (K::Ref<'a>, Self::Ref<'a>);
    const WIDTH: Option<usize> = None;

    #[inline]
    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> (K::Ref<'a>, Self::Ref<'a>) {
        (key, val)
    }
    #[inline]
    fn borrow(&self) -> &str {
        self
    }
    #[inline]
    fn shorten<'long: 'short, 'short>(value: &'long str) -> &'short str {
        value
    }
    #[inline]
    fn owned(value: &str) -> Self {
        value.to_owned()
    }
    #[inline]
    fn hash(value: &str) -> u64 {
        hash::bytes(value.as_bytes())
    }
    #[inline]
    fn bits(_: &str) -> u64 {
        0
    }
}

/// Returns the first 8 bytes of some as a number in their order.
#[inline]
pub(super) fn leading(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    first[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(first)
}

impl Column for Strings {
    type Item = String;

    #[inline]
    fn len(&self) -> usize {
        self.ends.len()
    }
    #[inline]
    fn get(&self, row: usize) -> &str {
        &self.text[self.place(row..row + 1)]
    }
    #[inline]
    fn push(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }
    fn push_default(&mut self) {
        self.push("");
    }
    fn set(&mut self, row: usize, value: &str) {
        let old = self.place(row..row + 1);
        self.text.replace_range(old.clone(), value);
        if value.len() != old.len() {
            self.ends[row..].iter_mut().for_each(|end| *end = *end - old.len() + value.len());
        }
    }
    fn truncate(&mut self, rows: usize) {
        if rows < self.ends.len() {
            self.text.truncate(self.place(0..rows).end);
            self.ends.truncate(rows);
        }
    }
    fn detach(&mut self) {}
    fn reserve(&mut self, rows: usize) {
        self.ends.reserve(rows);
    }
    fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        let place = from.place(rows.clone());
        let (old, new) = (place.start, self.text.len());
        self.text.push_str(&from.text[place]);
        self.ends.extend(from.ends[rows].iter().map(|end| end - old + new));
    }
    fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        rows.iter().for_each(|&row| self.push(from.get(row as usize)));
    }
    #[inline]
    fn leading(&self, row: usize) -> u64 {
        leading(self.get(row).as_bytes())
    }
    #[inline]
    fn touch(&self, row: usize) -> usize {
        usize::from(*self.text.as_bytes().get(self.place(row..row).start).unwrap_or(&0))
    }
    fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<usize>()
    }
}
