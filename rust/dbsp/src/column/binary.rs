//! Columns of byte strings, as Arrow has them: one buffer, and where each starts and the last one ends. Both may be an
//! Arrow array's, whichever of the two sizes its offsets have; writing makes them our own.

use std::ops::Range;

use arrow_buffer::{Buffer, ScalarBuffer};

use super::bytes::leading;
use super::{Column, Data, Values, hash};

/// Byte strings in one buffer.
#[derive(Clone, Debug, Default)]
pub struct Bytes {
    data: Values<u8>,
    /// One more than there are rows; or none at all if there are none.
    offsets: Offsets,
}

#[derive(Clone, Debug)]
enum Offsets {
    Small(ScalarBuffer<i32>),
    Large(Values<i64>),
}

impl Default for Offsets {
    fn default() -> Self {
        Self::Large(Values::default())
    }
}

impl Bytes {
    /// Makes a column that shares its memory with an Arrow array of 4-byte offsets.
    ///
    /// # Panics
    ///
    /// Later, if the offsets do not ascend within the data; those of an Arrow array do.
    #[must_use]
    pub fn of_small(data: Buffer, offsets: ScalarBuffer<i32>) -> Self {
        Self { data: Values::Shared(data.into()), offsets: Offsets::Small(offsets) }
    }

    /// Makes a column that shares its memory with an Arrow array of 8-byte offsets, as [`of_small`](Bytes::of_small).
    #[must_use]
    pub fn of_large(data: Buffer, offsets: ScalarBuffer<i64>) -> Self {
        Self { data: Values::Shared(data.into()), offsets: Offsets::Large(Values::Shared(offsets)) }
    }

    /// Returns the data, without what no row has, and 8-byte offsets into it.
    #[must_use]
    pub fn into_large(self) -> (Buffer, ScalarBuffer<i64>) {
        let (start, end) = (self.at(0), self.at(self.len()));
        if let Offsets::Large(offsets) = &self.offsets
            && (start, end) == (0, self.data.len())
            && !offsets.is_empty()
        {
            let Offsets::Large(offsets) = self.offsets else { unreachable!("it was just looked at") };
            let rows = offsets.len();
            return (self.data.into_buffer(), ScalarBuffer::new(offsets.into_buffer(), 0, rows));
        }
        let offsets = (0..=self.len()).map(|row| (self.at(row) - start) as i64).collect();
        (self.data.into_buffer().slice_with_length(start, end - start), offsets)
    }

    /// Returns the same with 4-byte offsets, or nothing if there are more than 2^31 bytes.
    #[must_use]
    pub fn into_small(self) -> Option<(Buffer, ScalarBuffer<i32>)> {
        let (start, end) = (self.at(0), self.at(self.len()));
        i32::try_from(end - start).ok()?;
        if let Offsets::Small(offsets) = &self.offsets
            && (start, end) == (0, self.data.len())
        {
            let offsets = offsets.clone();
            return Some((self.data.into_buffer(), offsets));
        }
        let offsets = (0..=self.len()).map(|row| (self.at(row) - start) as i32).collect();
        Some((self.data.into_buffer().slice_with_length(start, end - start), offsets))
    }

    /// Lets whoever copies the column share its memory.
    pub(crate) fn share(&mut self) {
        self.data.share();
        if let Offsets::Large(offsets) = &mut self.offsets {
            offsets.share();
        }
    }

    #[inline]
    fn at(&self, row: usize) -> usize {
        match &self.offsets {
            Offsets::Small(offsets) => offsets[row] as usize,
            Offsets::Large(offsets) if row == 0 && offsets.is_empty() => 0,
            Offsets::Large(offsets) => offsets[row] as usize,
        }
    }

    /// Returns the data and the offsets for writing, as our own.
    #[inline]
    fn own(&mut self) -> (&mut Vec<u8>, &mut Vec<i64>) {
        if !matches!((&self.data, &self.offsets), (Values::Owned(_), Offsets::Large(Values::Owned(_)))) {
            let (start, end) = (self.at(0), self.at(self.len()));
            let offsets = (0..=self.len()).map(|row| (self.at(row) - start) as i64).collect();
            self.data = Values::Owned(self.data[start..end].to_vec());
            self.offsets = Offsets::Large(Values::Owned(offsets));
        }
        let Offsets::Large(offsets) = &mut self.offsets else { unreachable!("they are ours now") };
        let offsets = offsets.to_mut();
        if offsets.is_empty() {
            offsets.push(0);
        }
        (self.data.to_mut(), offsets)
    }
}

impl Data for Vec<u8> {
    type Column = Bytes;
    type Ref<'a> = &'a [u8];
    type Row<'a, K: Data> = (K::Ref<'a>, Self::Ref<'a>);
    const WIDTH: Option<usize> = None;

    #[inline]
    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> (K::Ref<'a>, Self::Ref<'a>) {
        (key, val)
    }
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
    #[inline]
    fn shorten<'long: 'short, 'short>(value: &'long [u8]) -> &'short [u8] {
        value
    }
    #[inline]
    fn owned(value: &[u8]) -> Self {
        value.to_owned()
    }
    #[inline]
    fn hash(value: &[u8]) -> u64 {
        hash::bytes(value)
    }
    #[inline]
    fn bits(_: &[u8]) -> u64 {
        0
    }
}

impl Column for Bytes {
    type Item = Vec<u8>;

    #[inline]
    fn len(&self) -> usize {
        let offsets = match &self.offsets {
            Offsets::Small(offsets) => offsets.len(),
            Offsets::Large(offsets) => offsets.len(),
        };
        offsets.saturating_sub(1)
    }
    #[inline]
    fn get(&self, row: usize) -> &[u8] {
        &self.data[self.at(row)..self.at(row + 1)]
    }
    #[inline]
    fn push(&mut self, value: &[u8]) {
        let (data, offsets) = self.own();
        data.extend_from_slice(value);
        offsets.push(data.len() as i64);
    }
    fn push_default(&mut self) {
        self.push(&[]);
    }
    fn truncate(&mut self, rows: usize) {
        if rows >= self.len() {
            return;
        }
        if rows == 0
            && !matches!((&self.offsets, &self.data), (Offsets::Large(Values::Owned(_)), Values::Owned(_)))
        {
            // Not even empty slices: they would keep all of the memory.
            *self = Self::default();
            return;
        }
        let end = self.at(rows);
        match &mut self.offsets {
            Offsets::Small(offsets) => *offsets = offsets.slice(0, rows + 1),
            Offsets::Large(Values::Shared(offsets)) => *offsets = offsets.slice(0, rows + 1),
            Offsets::Large(Values::Owned(offsets)) => offsets.truncate(rows + 1),
        }
        if let Values::Owned(data) = &mut self.data {
            data.truncate(end);
        }
    }
    fn reserve(&mut self, rows: usize) {
        self.own().1.reserve(rows);
    }
    fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        if rows.is_empty() {
            return;
        }
        let (start, end) = (from.at(rows.start), from.at(rows.end));
        let (data, offsets) = self.own();
        let base = data.len();
        data.extend_from_slice(&from.data[start..end]);
        offsets.extend(rows.map(|row| (from.at(row + 1) - start + base) as i64));
    }
    fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        let (data, offsets) = self.own();
        offsets.reserve(rows.len());
        for &row in rows {
            data.extend_from_slice(from.get(row as usize));
            offsets.push(data.len() as i64);
        }
    }
    #[inline]
    fn leading(&self, row: usize) -> u64 {
        leading(self.get(row))
    }
    #[inline]
    fn touch(&self, row: usize) -> usize {
        usize::from(*self.data.get(self.at(row)).unwrap_or(&0))
    }
    fn bytes(&self) -> usize {
        let offset = if matches!(self.offsets, Offsets::Small(_)) { 4 } else { 8 };
        self.at(self.len()) - self.at(0) + self.len() * offset
    }
}
