//! The rows of one key, wherever they lie.

use std::ops::Range;

use smallvec::SmallVec;

use super::merge::Keep;
use super::run::partition;
use super::{Batch, Weights};
use crate::algebra::{ZWeight, add_weights};
use crate::column::{Column, Data};

/// Neighbouring rows of one key, in the order of their values, each value once.
type Part<'a, V> = (&'a <V as Data>::Column, &'a Weights, Range<usize>);

/// The rows of one key: some parts, each in the order of values, whose sum they are.
///
/// It is read lazily, from either end, and its ends can be moved by search: what is not looked at costs nothing, however
/// many rows the key has.
pub struct Group<'a, V: Data> {
    parts: SmallVec<[Part<'a, V>; 8]>,
    keep: Option<&'a Keep<V>>,
}

impl<V: Data> Clone for Group<'_, V> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone(), keep: self.keep }
    }
}

impl<V: Data> std::fmt::Debug for Group<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.clone();
        f.debug_list().entries(std::iter::from_fn(|| rest.next_least())).finish()
    }
}

impl<'a, V: Data> Group<'a, V> {
    /// Makes an empty one, which shows only values that `keep` is true of.
    pub(crate) fn new(keep: Option<&'a Keep<V>>) -> Self {
        Self { parts: SmallVec::new(), keep }
    }

    /// Adds the rows of a consolidated batch that are of the key.
    pub(crate) fn add<K: Data>(&mut self, batch: &'a Batch<K, V>, rows: Range<usize>) {
        if rows.start < rows.end {
            self.parts.push((batch.vals(), batch.weights(), rows));
        }
    }

    /// Returns whether there are no rows; if there are, they may still cancel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Forgets the values that `before` is true of, which come first in the order of values; found by halving.
    pub fn skip_while(&mut self, before: impl Fn(V::Ref<'a>) -> bool) {
        self.parts.retain(|(vals, _, rows)| {
            rows.start = partition(rows.clone(), |row| before(vals.get(row)));
            rows.start < rows.end
        });
    }

    /// Forgets the values that `before` is not true of, which come last in the order of values; found by halving.
    pub fn take_while(&mut self, before: impl Fn(V::Ref<'a>) -> bool) {
        self.parts.retain(|(vals, _, rows)| {
            rows.end = partition(rows.clone(), |row| before(vals.get(row)));
            rows.start < rows.end
        });
    }

    /// Calls `each` for all rows, in no order, where one value may come more than once with weights that add up.
    pub fn for_each(&self, mut each: impl FnMut(V::Ref<'a>, ZWeight)) {
        for (vals, weights, rows) in &self.parts {
            for row in rows.clone() {
                let val = vals.get(row);
                if self.keep.is_none_or(|keep| keep(val)) {
                    each(val, weights.get(row));
                }
            }
        }
    }

    /// Takes the least value that is left, and its weight, which is not 0.
    pub fn next_least(&mut self) -> Option<(V::Ref<'a>, ZWeight)> {
        self.next_by(|rows| rows.start, |rows| rows.start += 1, |a, b| a < b)
    }

    /// Takes the greatest value that is left, and its weight, which is not 0.
    pub fn next_greatest(&mut self) -> Option<(V::Ref<'a>, ZWeight)> {
        self.next_by(|rows| rows.end - 1, |rows| rows.end -= 1, |a, b| a > b)
    }

    /// Takes the next value of positive weight that is left, from the greatest down or from the least up.
    pub(crate) fn next_present(&mut self, descending: bool) -> Option<(V::Ref<'a>, ZWeight)> {
        loop {
            let next = if descending { self.next_greatest() } else { self.next_least() };
            match next {
                Some((_, weight)) if weight < 0 => {}
                next => return next,
            }
        }
    }

    fn next_by(
        &mut self,
        at: impl Fn(&Range<usize>) -> usize,
        advance: impl Fn(&mut Range<usize>),
        before: impl Fn(V::Ref<'a>, V::Ref<'a>) -> bool,
    ) -> Option<(V::Ref<'a>, ZWeight)> {
        loop {
            let mut next: Option<V::Ref<'a>> = None;
            for (vals, _, rows) in &self.parts {
                let val = vals.get(at(rows));
                if next.is_none_or(|next| before(val, next)) {
                    next = Some(val);
                }
            }
            let next = next?;
            let mut sum = 0;
            self.parts.retain(|(vals, weights, rows)| {
                if vals.get(at(rows)) == next {
                    sum = add_weights(sum, weights.get(at(rows)));
                    advance(rows);
                }
                rows.start < rows.end
            });
            if sum != 0 && self.keep.is_none_or(|keep| keep(next)) {
                return Some((next, sum));
            }
        }
    }
}
