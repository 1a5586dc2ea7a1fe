//! The one place where rows are sorted and consolidated.
//!
//! Hashes are spread evenly, so their top bits are as good as places: rows are dealt out by as many bits as bring about
//! one row to each pile, digit by digit from the last, and hardly anything is left to be compared. Rows of one hash are few,
//! or of one key; those are put in order by key and value. Many values of one key are dealt out in the same way by what they
//! begin with, a number in their order; what is left is sorted by comparing these numbers, and only then the values.

use std::ops::RangeInclusive;

use super::Batch;
use crate::algebra::{ZWeight, add_weights};
use crate::column::{Column, Data, exact};

/// A row, by its hash.
pub(super) type Place = (u64, u32);

/// Below this many rows comparison is cheaper than dealing out.
const PILE: usize = 48;
/// The most bits of a digit: piles whose ends stay in the nearest caches.
const DIGIT: u32 = 11;
/// Rows are not brought further by comparing neighbours.
const FAR: usize = 64;

/// Memory that consolidation needs, kept from one batch to the next.
#[derive(Clone, Debug, Default)]
pub struct Sorter {
    places: Vec<Place>,
    spare: Vec<Place>,
    /// The rows of a key, by what their values begin with.
    group: Vec<Place>,
    /// The rows that remain, by their numbers, and their hashes and weights.
    pub(super) rows: Vec<u32>,
    pub(super) hashes: Vec<u64>,
    pub(super) weights: Vec<ZWeight>,
}

impl Sorter {
    /// Brings the rows of a batch into the order of state, each once, and drops those of weight 0.
    ///
    /// # Panics
    ///
    /// If a batch has more than 2^32 rows, or the weight of a row leaves 64 bits.
    pub fn consolidate<K: Data, V: Data>(&mut self, batch: &mut Batch<K, V>) {
        if batch.is_consolidated() {
            return;
        }
        if batch.len() == 1 && batch.weight(0) != 0 {
            batch.detach();
            *batch = std::mem::take(batch).assume_consolidated();
            return;
        }
        let rows = u32::try_from(batch.len()).expect("a batch has fewer than 2^32 rows");
        self.hashes.clear();
        batch.keys().hashes(0..batch.len(), &mut self.hashes);
        let hashes = std::mem::take(&mut self.hashes);
        self.order(batch, hashes.iter().copied().zip(0..rows), 0..=u64::MAX);
        let mut sum = Batch::<K, V>::new();
        sum.extend_weighted(batch, &self.rows, &self.weights);
        *batch = sum.assume_consolidated();
    }

    /// Lists the rows that remain of some, whose hashes lie in a range, in the order of state.
    pub(super) fn order<K: Data, V: Data>(
        &mut self,
        batch: &Batch<K, V>,
        places: impl Iterator<Item = Place>,
        hashes: RangeInclusive<u64>,
    ) {
        self.places.clear();
        self.places.extend(places);
        if K::WIDTH == Some(0) {
            // All keys are one, and so are their hashes.
        } else if self.places.len() > PILE {
            deal(&mut self.places, &mut self.spare, hashes);
        } else {
            self.places.sort_unstable();
        }
        self.add_up(batch);
    }

    /// Lists the rows that remain, once the places are in the order of hashes.
    fn add_up<K: Data, V: Data>(&mut self, batch: &Batch<K, V>) {
        self.rows.clear();
        self.hashes.clear();
        self.weights.clear();
        self.rows.reserve(self.places.len());
        self.hashes.reserve(self.places.len());
        self.weights.reserve(self.places.len());
        let (keys, vals) = (batch.keys(), batch.vals());
        let mut zeros = false;
        let mut start = 0;
        while start < self.places.len() {
            let hash = self.places[start].0;
            let same = |place: &&Place| place.0 == hash;
            let end = start + 1 + self.places[start + 1..].iter().take_while(same).count();
            let row = |place: &Place| place.1 as usize;
            let places = &mut self.places[start..end];
            let first = row(&places[0]);
            if places.len() > PILE
                && (exact::<K>() || places.iter().all(|place| keys.same(first, keys, row(place))))
            {
                order_by_val(places, &mut self.group, &mut self.spare, vals);
            } else if places.len() > 1 {
                places.sort_unstable_by(|a, b| {
                    let by_val = || vals.order(row(a), vals, row(b));
                    if exact::<K>() { by_val() } else { keys.order(row(a), keys, row(b)).then_with(by_val) }
                });
            }
            let first = self.rows.len();
            for place in start..end {
                let (new, weight) =
                    (self.places[place].1 as usize, batch.weight(self.places[place].1 as usize));
                match self.rows[first..].last().map(|&last| last as usize) {
                    Some(last)
                        if vals.same(last, vals, new) && (exact::<K>() || keys.same(last, keys, new)) =>
                    {
                        let sum = self.weights.last_mut().expect("each row has a weight");
                        *sum = add_weights(*sum, weight);
                        zeros |= *sum == 0;
                    }
                    _ => {
                        self.rows.push(new as u32);
                        self.hashes.push(hash);
                        self.weights.push(weight);
                        zeros |= weight == 0;
                    }
                }
            }
            start = end;
        }
        if zeros {
            self.drop_zeros();
        }
    }

    fn drop_zeros(&mut self) {
        let mut kept = 0;
        for place in 0..self.rows.len() {
            self.rows[kept] = self.rows[place];
            self.hashes[kept] = self.hashes[place];
            self.weights[kept] = self.weights[place];
            kept += usize::from(self.weights[place] != 0);
        }
        self.rows.truncate(kept);
        self.hashes.truncate(kept);
        self.weights.truncate(kept);
    }
}

/// Sorts the places of many rows of one key by their values: by what these begin with first, which is mostly all there is.
fn order_by_val<C: Column>(places: &mut [Place], group: &mut Vec<Place>, spare: &mut Vec<Place>, vals: &C) {
    group.clear();
    group.extend(places.iter().map(|&(_, row)| (vals.leading(row as usize), row)));
    let (least, most) = group
        .iter()
        .fold((u64::MAX, 0), |(least, most), &(leading, _)| (leading.min(least), leading.max(most)));
    deal(group, spare, least..=most);
    for same in group.chunk_by_mut(|a, b| a.0 == b.0) {
        same.sort_unstable_by(|&(_, a), &(_, b)| vals.order(a as usize, vals, b as usize));
    }
    places.iter_mut().zip(group).for_each(|(place, sorted)| place.1 = sorted.1);
}

/// Sorts places by hash, all of which lie in a range.
fn deal(places: &mut Vec<Place>, spare: &mut Vec<Place>, hashes: RangeInclusive<u64>) {
    let (least, most) = (*hashes.start(), *hashes.end());
    let known = (most - least).leading_zeros();
    let bits = (usize::BITS - (places.len() - 1).leading_zeros()).min(64 - known);
    if bits > 0 {
        spare.clear();
        spare.resize(places.len(), (0, 0));
        let digits = bits.div_ceil(DIGIT);
        let width = bits.div_ceil(digits);
        for digit in 0..digits {
            let shift = (64 - known - bits) + digit * width;
            let pile = |hash: u64| ((hash - least) >> shift) as usize & ((1 << width) - 1);
            let mut ends = [0u32; 1 << DIGIT];
            let ends = &mut ends[..1 << width];
            for &(hash, _) in places.iter() {
                ends[pile(hash)] += 1;
            }
            let mut start = 0;
            for end in ends.iter_mut() {
                (start, *end) = (start + *end, start);
            }
            for &place in places.iter() {
                let end = &mut ends[pile(place.0)];
                spare[*end as usize] = place;
                *end += 1;
            }
            std::mem::swap(places, spare);
        }
    }
    settle(places);
}

/// Sorts places that are almost sorted.
fn settle(places: &mut [Place]) {
    for next in 1..places.len() {
        let place = places[next];
        let mut to = next;
        while to > 0 && places[to - 1].0 > place.0 {
            if next - to == FAR {
                places[to] = place;
                places.sort_unstable();
                return;
            }
            places[to] = places[to - 1];
            to -= 1;
        }
        places[to] = place;
    }
}
