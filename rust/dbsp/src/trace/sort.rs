//! The one place where rows are sorted and consolidated.
//!
//! Hashes are spread evenly, so their top bits are as good as places: rows are dealt out by them, as many piles as bring
//! a few rows to each, and only piles are sorted by comparison. Rows of one hash are few, or of one key; those are put in
//! order by key and value.

use super::Batch;
use crate::algebra::{ZWeight, add_weights};
use crate::column::{Column, Data, exact};

/// A row, by its hash.
type Place = (u64, u32);

/// Below this many rows comparison is cheaper than dealing out.
const PILE: usize = 48;

/// Memory that consolidation needs, kept from one batch to the next.
#[derive(Debug, Default)]
pub struct Sorter {
    hashes: Vec<u64>,
    places: Vec<Place>,
    spare: Vec<Place>,
    rows: Vec<u32>,
    weights: Vec<ZWeight>,
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
        self.order(batch.keys());
        self.add_up(batch);
        let mut sum = Batch::<K, V>::new();
        {
            let (keys, vals, weights) = sum.columns_mut();
            keys.extend_rows(batch.keys(), &self.rows);
            vals.extend_rows(batch.vals(), &self.rows);
            self.weights.iter().for_each(|&weight| weights.push(weight));
        }
        *batch = sum.assume_consolidated();
    }

    /// Brings the numbers of rows into the order of their keys' hashes.
    fn order<C: Column>(&mut self, keys: &C) {
        let rows = u32::try_from(keys.len()).expect("a batch has fewer than 2^32 rows");
        self.hashes.clear();
        keys.hashes(0..keys.len(), &mut self.hashes);
        self.places.clear();
        self.places.extend(self.hashes.iter().copied().zip(0..rows));
        if C::Item::WIDTH == Some(0) {
            // All keys are one, and so are their hashes.
        } else if self.places.len() > PILE {
            self.spare.clear();
            self.spare.resize(self.places.len(), (0, 0));
            deal(&mut self.places, &mut self.spare, 0);
        } else {
            self.places.sort_unstable();
        }
    }

    /// Lists the rows that remain, and their weights.
    fn add_up<K: Data, V: Data>(&mut self, batch: &Batch<K, V>) {
        self.rows.clear();
        self.weights.clear();
        let (keys, vals) = (batch.keys(), batch.vals());
        let mut places = self.places.as_mut_slice();
        while let Some(&(hash, row)) = places.first() {
            let same = places.iter().take_while(|place| place.0 == hash).count();
            let (group, rest) = places.split_at_mut(same);
            places = rest;
            if same == 1 {
                self.rows.push(row);
                self.weights.push(batch.weight(row as usize));
                continue;
            }
            group.sort_unstable_by(|&(_, a), &(_, b)| {
                let (a, b) = (a as usize, b as usize);
                let by_val = || vals.order(a, vals, b);
                if exact::<K>() { by_val() } else { keys.order(a, keys, b).then_with(by_val) }
            });
            for &(_, row) in group.iter() {
                let (new, weight) = (row as usize, batch.weight(row as usize));
                match self.rows.last().map(|&last| last as usize) {
                    Some(last) if keys.same(last, keys, new) && vals.same(last, vals, new) => {
                        let sum = self.weights.last_mut().expect("each row has a weight");
                        *sum = add_weights(*sum, weight);
                    }
                    _ => {
                        self.rows.push(row);
                        self.weights.push(weight);
                    }
                }
            }
        }
        drop_zeros(&mut self.rows, &mut self.weights);
    }
}

fn drop_zeros(rows: &mut Vec<u32>, weights: &mut Vec<ZWeight>) {
    let mut kept = 0;
    for place in 0..rows.len() {
        rows[kept] = rows[place];
        weights[kept] = weights[place];
        kept += usize::from(weights[place] != 0);
    }
    rows.truncate(kept);
    weights.truncate(kept);
}

/// Sorts places by hash, of which the top `known` bits are the same in all. `spare` is as long, and holds nothing.
fn deal(places: &mut [Place], spare: &mut [Place], known: u32) {
    if places.len() <= PILE || known >= 64 {
        places.sort_unstable();
        return;
    }
    let bits = (places.len().ilog2() - 3).min(11).min(64 - known);
    let pile = |hash: u64| ((hash << known) >> (64 - bits)) as usize;
    let mut ends = [0u32; 1 << 11];
    let ends = &mut ends[..1 << bits];
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
    let mut start = 0;
    for &end in ends.iter() {
        let (start, end) = (std::mem::replace(&mut start, end as usize), end as usize);
        deal(&mut spare[start..end], &mut places[start..end], known + bits);
    }
    places.copy_from_slice(spare);
}
