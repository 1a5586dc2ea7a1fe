//! Runs: consolidated batches that can be searched.

use std::ops::Range;

use super::Batch;
use crate::algebra::ZWeight;
use crate::column::{Column, Data, exact};

/// Rows per fence, about.
const STRIDE: usize = 4;

/// An immutable consolidated batch, and where to look in it.
///
/// # Order
///
/// Rows lie in the order of their key's 64-bit hash, then of the key, then of the value. Operators that work by key need
/// no order of keys, only that equal ones meet, and hashes make that cheap: whatever the keys are, comparing is comparing
/// integers, a row's place can be told from its hash alone, and workers' shares are ranges. Values of one key do lie in
/// their own order, so that the first and last of them are the least and the greatest.
///
/// Hashes being spread evenly, a table of *fences*, the first row of each of so many equal parts of their range, leads to
/// within a few rows of any key. Keys of up to 8 bytes are told by their hash; for others the hash is kept beside each
/// row, and the key looked at where it agrees.
#[derive(Clone, Debug)]
pub struct Run<K: Data, V: Data> {
    rows: Batch<K, V>,
    hashes: Vec<u64>,
    fences: Fences,
}

impl<K: Data, V: Data> Run<K, V> {
    /// Makes a consolidated batch searchable.
    ///
    /// # Panics
    ///
    /// If the batch is not consolidated, or has 2^32 rows or more.
    #[must_use]
    pub fn new(rows: Batch<K, V>) -> Self {
        assert!(rows.is_consolidated(), "a run is of a consolidated batch");
        let (mut hashes, mut fences) = (Vec::new(), Fences::for_rows(rows.len()));
        if exact::<K>() {
            rows.keys().iter().enumerate().for_each(|(row, key)| fences.note(row, K::hash(key)));
        } else {
            rows.keys().hashes(0..rows.len(), &mut hashes);
            hashes.iter().enumerate().for_each(|(row, &hash)| fences.note(row, hash));
        }
        Self::of_parts(rows, hashes, fences)
    }

    /// Makes a run of rows, all of whose hashes have been noted.
    pub(super) fn of_parts(rows: Batch<K, V>, hashes: Vec<u64>, mut fences: Fences) -> Self {
        fences.finish(rows.len());
        Self { rows, hashes, fences }
    }

    /// Returns the rows.
    #[must_use]
    pub fn rows(&self) -> &Batch<K, V> {
        &self.rows
    }

    /// Returns the rows, and forgets where to look.
    #[must_use]
    pub fn into_rows(self) -> Batch<K, V> {
        self.rows
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the hash of a row's key.
    #[inline]
    #[must_use]
    pub fn hash(&self, row: usize) -> u64 {
        if exact::<K>() { self.rows.keys().hash(row) } else { self.hashes[row] }
    }

    /// Returns the first row whose key's hash is at least `hash`, or the number of rows.
    #[inline]
    #[must_use]
    pub fn seek(&self, hash: u64) -> usize {
        let Range { start, end } = self.fences.between(hash);
        if end - start <= 8 * STRIDE {
            // All of them: a processor cannot foresee which is the one.
            start + (start..end).filter(|&row| self.hash(row) < hash).count()
        } else {
            partition(start..end, |row| self.hash(row) < hash)
        }
    }

    /// Returns the rows of a key with this hash.
    #[inline]
    #[must_use]
    pub fn group(&self, key: K::Ref<'_>, hash: u64) -> Range<usize> {
        let start = self.seek(hash);
        if start == self.len() || self.hash(start) != hash {
            return start..start;
        }
        let end = if start + 1 == self.len() || self.hash(start + 1) != hash {
            start + 1
        } else {
            gallop(start..self.len(), |row| self.hash(row) == hash)
        };
        let key = K::shorten(key);
        let order = |row: usize| K::shorten(self.rows.key(row)).cmp(&key);
        if exact::<K>() || order(start).is_eq() && order(end - 1).is_eq() {
            return start..end;
        }
        // Two keys of one hash: as good as never.
        let start = partition(start..end, |row| order(row).is_lt());
        start..partition(start..end, |row| order(row).is_le())
    }

    /// Returns the weight of a row.
    #[inline]
    #[must_use]
    pub fn weight(&self, row: usize) -> ZWeight {
        self.rows.weight(row)
    }

    /// Returns the bytes of memory taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + size_of_val(self.hashes.as_slice()) + self.fences.bytes()
    }
}

/// The first row of each part of the range of hashes.
#[derive(Clone, Debug)]
pub(super) struct Fences {
    firsts: Vec<u32>,
    bits: u32,
}

impl Fences {
    /// Makes fences for so many rows, or somewhat fewer, that will come in the order of their hashes.
    pub(super) fn for_rows(rows: usize) -> Self {
        let bits = (rows / STRIDE).max(1).ilog2();
        Self { firsts: Vec::with_capacity((1 << bits) + 1), bits }
    }

    #[inline]
    fn part(&self, hash: u64) -> usize {
        hash.checked_shr(64 - self.bits).unwrap_or(0) as usize
    }

    /// Notes the next row's hash.
    #[inline]
    pub(super) fn note(&mut self, row: usize, hash: u64) {
        let part = self.part(hash);
        while self.firsts.len() <= part {
            self.firsts.push(u32::try_from(row).expect("a run has fewer than 2^32 rows"));
        }
    }

    fn finish(&mut self, rows: usize) {
        self.firsts
            .resize((1 << self.bits) + 1, u32::try_from(rows).expect("a run has fewer than 2^32 rows"));
    }

    #[inline]
    fn between(&self, hash: u64) -> Range<usize> {
        let part = self.part(hash);
        self.firsts[part] as usize..self.firsts[part + 1] as usize
    }

    fn bytes(&self) -> usize {
        size_of_val(self.firsts.as_slice())
    }
}

/// Returns the first row of a range that is not `before`, where those that are come first; halving.
pub(super) fn partition(rows: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut start, mut end) = (rows.start, rows.end);
    while start < end {
        let middle = start + (end - start) / 2;
        if before(middle) { start = middle + 1 } else { end = middle }
    }
    start
}

/// The same, where that row is thought to be near the start: doubling, then halving.
pub(super) fn gallop(rows: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut start, mut step) = (rows.start, 1);
    while start + step <= rows.end && before(start + step - 1) {
        start += step;
        step *= 2;
    }
    partition(start..rows.end.min(start + step), before)
}
