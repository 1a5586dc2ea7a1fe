//! Batches: Z-sets as they flow, in columns.

use std::fmt;
use std::ops::Range;
use std::slice;

use super::{Sorter, Weights};
use crate::algebra::ZWeight;
use crate::column::{Column, Data};

/// A Z-set of pairs of a key and a value: a column of each, and weights.
///
/// The same row may be in it more than once, with weights that add up, also to nothing; operators that cannot bear that
/// [consolidate](Batch::consolidate) it, once, on entry. Two batches are equal when they are equal as Z-sets.
#[derive(Clone)]
pub struct Batch<K: Data, V: Data = ()> {
    keys: K::Column,
    vals: V::Column,
    weights: Weights,
    consolidated: bool,
    room: Room,
}

/// What a batch has needed of the memory that it keeps from step to step.
#[derive(Clone, Copy, Default)]
struct Room {
    /// The most rows that have been in it.
    most: usize,
    /// How often it has been cleared since a quarter of them were.
    unneeded: u32,
}

/// A batch that has been cleared so often, and needed so little of its memory meanwhile, gives it back.
const SPARED: u32 = 64;
/// So few rows are pushed one by one.
const FEW: usize = 4;
/// So many are put into columns together.
const SOME: usize = 256;
/// Rows of more bytes than these are not: to move them would take longer than to go from column to column.
const WIDE: usize = 48;

/// A Z-set of rows of one type.
pub type OrdZSet<T, W = ZWeight> = <W as Weight>::ZSet<T>;
/// A Z-set of values under keys.
pub type OrdIndexedZSet<K, V, W = ZWeight> = <W as Weight>::IndexedZSet<K, V>;

/// What may be named as the type of weights. All are kept as [`ZWeight`]s.
pub trait Weight {
    /// Z-sets with such weights.
    type ZSet<T: Data>;
    /// Indexed Z-sets with such weights.
    type IndexedZSet<K: Data, V: Data>;
}
impl Weight for i64 {
    type ZSet<T: Data> = Batch<T>;
    type IndexedZSet<K: Data, V: Data> = Batch<K, V>;
}
impl Weight for isize {
    type ZSet<T: Data> = Batch<T>;
    type IndexedZSet<K: Data, V: Data> = Batch<K, V>;
}

impl<K: Data, V: Data> Default for Batch<K, V> {
    fn default() -> Self {
        Self {
            keys: K::Column::default(),
            vals: V::Column::default(),
            weights: Weights::default(),
            consolidated: true,
            room: Room::default(),
        }
    }
}

impl<K: Data, V: Data> Batch<K, V> {
    /// Makes the empty Z-set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a batch of columns of one length.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    #[must_use]
    pub fn from_columns(keys: K::Column, vals: V::Column, weights: Weights) -> Self {
        assert!(
            keys.len() == vals.len() && keys.len() == weights.len(),
            "columns of a batch have one length"
        );
        let consolidated = keys.is_empty();
        Self { keys, vals, weights, consolidated, room: Room::default() }
    }

    /// Takes the batch apart.
    #[must_use]
    pub fn into_columns(self) -> (K::Column, V::Column, Weights) {
        (self.keys, self.vals, self.weights)
    }

    /// Returns the number of rows that it lists, however often each is there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Returns whether it lists none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &K::Column {
        &self.keys
    }

    /// Returns the values.
    #[must_use]
    pub fn vals(&self) -> &V::Column {
        &self.vals
    }

    /// Returns the weights.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Returns whether rows lie in the [order of state](super::Run#order), each once, none of weight 0.
    #[must_use]
    pub fn is_consolidated(&self) -> bool {
        self.consolidated
    }

    /// Promises what [`is_consolidated`](Batch::is_consolidated) says.
    pub(crate) fn assume_consolidated(mut self) -> Self {
        self.consolidated = true;
        self
    }

    /// Forgets weights that are all 1.
    pub(crate) fn with_ones(mut self) -> Self {
        self.weights = Weights::Ones(self.len());
        self
    }

    /// Returns the key of a row.
    #[inline]
    #[must_use]
    pub fn key(&self, row: usize) -> K::Ref<'_> {
        self.keys.get(row)
    }

    /// Returns the value of a row.
    #[inline]
    #[must_use]
    pub fn val(&self, row: usize) -> V::Ref<'_> {
        self.vals.get(row)
    }

    /// Returns the weight of a row.
    #[inline]
    #[must_use]
    pub fn weight(&self, row: usize) -> ZWeight {
        self.weights.get(row)
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, key: K::Ref<'_>, val: V::Ref<'_>, weight: ZWeight) {
        self.keys.push(key);
        self.vals.push(val);
        self.weights.push(weight);
        self.consolidated = false;
    }

    /// Adds a row that the caller owns.
    #[inline]
    pub fn push_item(&mut self, key: K, val: V, weight: ZWeight) {
        self.keys.push_item(key);
        self.vals.push_item(val);
        self.weights.push(weight);
        self.consolidated = false;
    }

    /// Adds rows that the caller owns.
    pub fn extend_items(&mut self, rows: impl IntoIterator<Item = (K, V, ZWeight)>) {
        let mut rows = rows.into_iter();
        self.reserve(rows.size_hint().0);
        let one_by_one = if size_of::<(K, V, ZWeight)>() > WIDE { usize::MAX } else { FEW };
        rows.by_ref().take(one_by_one).for_each(|(key, val, weight)| self.push_item(key, val, weight));
        let Some(next) = rows.next() else { return };
        // Column by column, of as many as stay in the nearest cache.
        let mut some = Vec::with_capacity(SOME.min(rows.size_hint().0.max(2 * FEW)));
        some.push(next);
        rows.for_each(|row| {
            if some.len() == SOME {
                self.extend_some(&mut some);
            }
            some.push(row);
        });
        self.extend_some(&mut some);
    }

    fn extend_some(&mut self, some: &mut Vec<(K, V, ZWeight)>) {
        self.consolidated &= some.is_empty();
        self.keys.extend(some.iter().map(|row| row.0.borrow()));
        self.vals.extend(some.iter().map(|row| row.1.borrow()));
        self.weights.extend(some.iter().map(|row| row.2));
        some.clear();
    }

    /// Adds neighbouring rows of another batch.
    #[inline]
    pub fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        self.consolidated = self.is_empty() && (from.consolidated || rows.is_empty());
        self.keys.extend_range(&from.keys, rows.clone());
        self.vals.extend_range(&from.vals, rows.clone());
        self.weights.extend_range(&from.weights, rows);
    }

    /// Adds some rows of another batch.
    pub fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        self.consolidated = false;
        self.keys.extend_rows(&from.keys, rows);
        self.vals.extend_rows(&from.vals, rows);
        self.weights.extend_rows(&from.weights, rows);
    }

    /// Adds some rows of another batch, with other weights.
    pub(super) fn extend_weighted(&mut self, from: &Self, rows: &[u32], weights: &[ZWeight]) {
        self.consolidated = false;
        self.keys.extend_rows(&from.keys, rows);
        self.vals.extend_rows(&from.vals, rows);
        self.weights.extend(weights.iter().copied());
    }

    /// Adds a Z-set: weights of equal rows add up.
    pub fn extend(&mut self, other: &Self) {
        if !other.is_empty() {
            self.extend_range(other, 0..other.len());
        }
    }

    /// Negates the Z-set.
    pub fn negate(&mut self) {
        self.weights.negate();
    }

    /// Forgets all rows, and keeps the memory, unless most of it has not been needed for a long time.
    pub fn clear(&mut self) {
        let rows = self.len();
        if rows > self.room.most / 4 {
            self.room = Room { most: self.room.most.max(rows), unneeded: 0 };
        } else {
            self.room.unneeded += 1;
            if self.room.unneeded == SPARED {
                *self = Self::default();
                return;
            }
        }
        self.keys.clear();
        self.vals.clear();
        self.weights.clear();
        self.consolidated = true;
    }

    /// Makes the rows the batch's own, where they lie in memory that others hold too.
    pub fn detach(&mut self) {
        self.keys.detach();
        self.vals.detach();
    }

    /// Makes room for so many more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.keys.reserve(rows);
        self.vals.reserve(rows);
    }

    /// Brings the rows into the order of state, each once, and drops those of weight 0.
    pub fn consolidate(&mut self) {
        Sorter::default().consolidate(self);
    }

    /// Returns the rows, in the order in which they lie.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (K::Ref<'_>, V::Ref<'_>, ZWeight)> {
        let weights = match &self.weights {
            Weights::Ones(_) => None,
            Weights::Each(weights) => Some(weights.iter()),
        };
        Rows { keys: self.keys.iter(), vals: self.vals.iter(), weights }
    }

    /// Returns the Z-set as rows in the order of their type, each once.
    #[must_use]
    pub fn to_rows(&self) -> Vec<(K, V, ZWeight)> {
        let mut sum = self.clone();
        sum.consolidate();
        let mut rows: Vec<_> =
            sum.iter().map(|(key, val, weight)| (K::owned(key), V::owned(val), weight)).collect();
        rows.sort();
        rows
    }

    /// Returns the bytes of memory that the rows take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.vals.bytes() + self.weights.bytes()
    }

    pub(crate) fn columns_mut(&mut self) -> (&mut K::Column, &mut V::Column, &mut Weights) {
        self.consolidated = false;
        (&mut self.keys, &mut self.vals, &mut self.weights)
    }
}

/// The rows of a batch; whoever walks all of them decides once, and not for each, whether they have weights.
struct Rows<'a, I, J> {
    keys: I,
    vals: J,
    weights: Option<slice::Iter<'a, ZWeight>>,
}

impl<I: ExactSizeIterator, J: ExactSizeIterator> Iterator for Rows<'_, I, J> {
    type Item = (I::Item, J::Item, ZWeight);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let weight = match &mut self.weights {
            None => 1,
            Some(weights) => *weights.next()?,
        };
        Some((self.keys.next()?, self.vals.next()?, weight))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.keys.size_hint()
    }
    #[inline]
    fn fold<T, F: FnMut(T, Self::Item) -> T>(self, first: T, mut each: F) -> T {
        let rows = self.keys.zip(self.vals);
        match self.weights {
            None => rows.fold(first, |sum, (key, val)| each(sum, (key, val, 1))),
            Some(weights) => {
                rows.zip(weights).fold(first, |sum, ((key, val), &weight)| each(sum, (key, val, weight)))
            }
        }
    }
}

impl<I: ExactSizeIterator, J: ExactSizeIterator> ExactSizeIterator for Rows<'_, I, J> {}

impl<K: Data, V: Data> PartialEq for Batch<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.to_rows() == other.to_rows()
    }
}
impl<K: Data, V: Data> Eq for Batch<K, V> {}

impl<K: Data, V: Data> fmt::Debug for Batch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<K: Data, V: Data> FromIterator<(K, V, ZWeight)> for Batch<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V, ZWeight)>>(rows: I) -> Self {
        let mut batch = Self::new();
        batch.extend_items(rows);
        batch
    }
}

impl<K: Data> FromIterator<(K, ZWeight)> for Batch<K> {
    fn from_iter<I: IntoIterator<Item = (K, ZWeight)>>(rows: I) -> Self {
        rows.into_iter().map(|(key, weight)| (key, (), weight)).collect()
    }
}

/// Makes an [`OrdZSet`] of rows and their weights.
///
/// ```
/// use qadataswap_dbsp::{trace::OrdZSet, zset};
///
/// let change: OrdZSet<(u32, String)> = zset! { (1, "a".to_owned()) => 1, (2, "b".to_owned()) => -1 };
/// assert_eq!(change.len(), 2);
/// ```
#[macro_export]
macro_rules! zset {
    () => { $crate::trace::Batch::<_, ()>::default() };
    ($($row:expr => $weight:expr),* $(,)?) => {
        [$(($row, $weight)),*].into_iter().collect::<$crate::trace::Batch<_>>()
    };
}

/// Makes an [`OrdIndexedZSet`] of keys, and of values and their weights under each.
///
/// ```
/// use qadataswap_dbsp::indexed_zset;
///
/// let change = indexed_zset! { 7u32 => { 10i64 => 1, 11 => 2 }, 8 => { 10 => -1 } };
/// assert_eq!(change.to_rows(), [(7, 10, 1), (7, 11, 2), (8, 10, -1)]);
/// ```
#[macro_export]
macro_rules! indexed_zset {
    ($($key:expr => { $($val:expr => $weight:expr),* $(,)? }),* $(,)?) => {{
        let mut rows = ::std::vec::Vec::new();
        $(
            let key = $key;
            $(rows.push((::std::clone::Clone::clone(&key), $val, $weight));)*
        )*
        rows.into_iter().collect::<$crate::trace::Batch<_, _>>()
    }};
}
