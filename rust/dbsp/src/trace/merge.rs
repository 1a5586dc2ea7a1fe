//! Merges of runs, done bit by bit.
//!
//! Hashes are spread evenly, so rows of some runs that lie between two hashes can be merged by dealing them out to piles by
//! the next bits of their hashes, of which there are as many as rows: nothing is compared but what lies in one pile, and no
//! branch depends on which run is next. So a merge takes a part of the range of hashes after the other, each of so many
//! rows that they stay in the nearest caches. Where one hash has very many rows, those of one key, they are
//! compared by value and copied by ranges instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::run::{Fences, gallop};
use super::sort::Place;
use super::{Batch, Run, Sorter};
use crate::algebra::add_weights;
use crate::column::{Column, Data, exact};

/// How many rows are merged together.
const PART: usize = 2048;
/// If the longest run has fewer than so many rows in a part, they are merged one by one.
const FEW: usize = 16;

/// Whether what has this key, or this value, stays.
pub(super) type Keep<T> = dyn Fn(<T as Data>::Ref<'_>) -> bool + Send + Sync;

/// What stays; all if nothing is said.
#[derive(Clone)]
pub(super) struct Retain<K: Data, V: Data> {
    pub(super) keys: Option<Arc<Keep<K>>>,
    pub(super) vals: Option<Arc<Keep<V>>>,
}

impl<K: Data, V: Data> Retain<K, V> {
    pub(super) fn all() -> Self {
        Self { keys: None, vals: None }
    }

    fn is_all(&self) -> bool {
        self.keys.is_none() && self.vals.is_none()
    }

    fn has(&self, rows: &Batch<K, V>, row: usize) -> bool {
        self.keys.as_ref().is_none_or(|keep| keep(rows.key(row)))
            && self.vals.as_ref().is_none_or(|keep| keep(rows.val(row)))
    }
}

impl<K: Data, V: Data> fmt::Debug for Retain<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retain")
            .field("keys", &self.keys.is_some())
            .field("vals", &self.vals.is_some())
            .finish()
    }
}

/// A merge under way.
#[derive(Clone, Debug)]
pub(super) struct Merge<K: Data, V: Data> {
    sources: Vec<Arc<Run<K, V>>>,
    heads: Vec<Head>,
    rows: Batch<K, V>,
    hashes: Vec<u64>,
    fences: Fences,
    ones: bool,
    retain: Retain<K, V>,
    part: Part<K, V>,
}

/// The next row of a source.
#[derive(Clone, Copy, Debug)]
struct Head {
    source: usize,
    row: usize,
    hash: u64,
}

impl<K: Data, V: Data> Merge<K, V> {
    pub(super) fn new(sources: Vec<Arc<Run<K, V>>>, retain: Retain<K, V>) -> Self {
        let heads = sources
            .iter()
            .enumerate()
            .filter(|(_, run)| !run.is_empty())
            .map(|(source, run)| Head { source, row: 0, hash: run.hash(0) })
            .collect();
        let all = sources.iter().map(|run| run.len()).sum();
        let mut rows = Batch::new();
        rows.reserve(all);
        Self {
            sources,
            heads,
            rows,
            hashes: Vec::new(),
            fences: Fences::for_rows(all),
            ones: true,
            retain,
            part: Part::none(),
        }
    }

    /// Returns the runs that are merged.
    pub(super) fn sources(&self) -> &[Arc<Run<K, V>>] {
        &self.sources
    }

    /// Returns the bytes of memory that the result takes so far.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// Merges about so many rows; returns whether all are merged.
    pub(super) fn work(&mut self, effort: usize) -> bool {
        let mut left = effort;
        while left > 0 && self.heads.len() > 1 {
            let merged = match self.merge_part(left.min(PART)) {
                0 => self.advance(left),
                merged => merged,
            };
            left = left.saturating_sub(merged);
        }
        if let [head] = self.heads[..]
            && left > 0
        {
            let end = self.sources[head.source].len().min(head.row.saturating_add(left));
            self.take(0, end);
        }
        self.heads.is_empty()
    }

    /// Merges the rows whose hashes are below a bound, about `most` of them; returns how many, or 0 if they are better merged
    /// one by one: few, or many of one hash.
    fn merge_part(&mut self, most: usize) -> usize {
        let Some(bound) = self.bound(most) else { return 0 };
        let first = self.heads.iter().map(|head| head.hash).min().unwrap_or(bound);
        self.part.clear();
        let mut place = 0;
        while place < self.heads.len() {
            let Head { source, row, .. } = self.heads[place];
            let run = &self.sources[source];
            let end = gallop(row..run.len(), |row| run.hash(row) < bound);
            self.part.add(run, row..end, &self.retain);
            self.heads[place].row = end;
            if end == run.len() {
                self.heads.swap_remove(place);
            } else {
                self.heads[place].hash = run.hash(end);
                place += 1;
            }
        }
        let Part { rows, places, sorter } = &mut self.part;
        sorter.order(rows, places.iter().copied(), first..=bound);
        for (&hash, row) in sorter.hashes.iter().zip(self.rows.len()..) {
            self.fences.note(row, hash);
        }
        if !exact::<K>() {
            self.hashes.extend_from_slice(&sorter.hashes);
        }
        self.ones &= sorter.weights.iter().all(|&weight| weight == 1);
        self.rows.extend_weighted(rows, &sorter.rows, &sorter.weights);
        rows.len()
    }

    /// Returns a hash such that about `most` rows are below it, and at most twice as many of any source.
    fn bound(&self, most: usize) -> Option<u64> {
        let left = |head: &Head| self.sources[head.source].len() - head.row;
        let longest = self.heads.iter().max_by_key(|head| left(head))?;
        let all: usize = self.heads.iter().map(left).sum();
        let step = (most as u128 * left(longest) as u128 / all as u128) as usize;
        let run = &self.sources[longest.source];
        let mut bound = run.hash((longest.row + step).min(run.len() - 1));
        for head in &self.heads {
            let run = &self.sources[head.source];
            let far = head.row + 2 * most;
            if far < run.len() {
                bound = bound.min(run.hash(far));
            }
        }
        let worth = |head: &Head| head.hash < bound;
        (step >= FEW && self.heads.iter().any(worth)).then_some(bound)
    }

    /// Merges some rows, at least one and at most `most`; returns how many.
    #[inline]
    fn advance(&mut self, most: usize) -> usize {
        let (mut least, mut next) = (0, u64::MAX);
        for place in 1..self.heads.len() {
            let hash = self.heads[place].hash;
            if hash < self.heads[least].hash {
                next = self.heads[least].hash;
                least = place;
            } else {
                next = next.min(hash);
            }
        }
        let head = self.heads[least];
        if head.hash == next {
            return self.advance_tied(head.hash, most);
        }
        let run = &self.sources[head.source];
        let end = run.len().min(head.row.saturating_add(most));
        let end = gallop(head.row + 1..end, |row| run.hash(row) < next);
        self.take(least, end);
        end - head.row
    }

    /// Merges the least of the rows whose hash is `hash`, which more than one source has: one, or as many of one source,
    /// up to `most`, as come before those of others.
    fn advance_tied(&mut self, hash: u64, most: usize) -> usize {
        let rows_of = |head: &Head| self.sources[head.source].rows();
        let order = |a: &Head, b: &Head| {
            let (x, y) = (rows_of(a), rows_of(b));
            let by_val = || x.vals().order(a.row, y.vals(), b.row);
            if exact::<K>() { by_val() } else { x.keys().order(a.row, y.keys(), b.row).then_with(by_val) }
        };
        let tied = || self.heads.iter().filter(|head| head.hash == hash);
        let least = *tied().min_by(|a, b| order(a, b)).expect("some head has the least hash");
        let equal: SmallVec<[usize; 8]> = (0..self.heads.len())
            .filter(|&place| self.heads[place].hash == hash && order(&self.heads[place], &least).is_eq())
            .collect();
        if let [place] = equal[..] {
            let next = *tied()
                .filter(|head| head.source != least.source)
                .min_by(|a, b| order(a, b))
                .expect("it is tied");
            let run = &self.sources[least.source];
            let before = |row| run.hash(row) == hash && order(&Head { row, ..least }, &next).is_lt();
            let end = gallop(least.row + 1..run.len().min(least.row.saturating_add(most)), before);
            self.take(place, end);
            return end - least.row;
        }
        let weight = equal.iter().fold(0, |sum, &place| {
            add_weights(sum, rows_of(&self.heads[place]).weight(self.heads[place].row))
        });
        let from = self.sources[least.source].rows();
        if weight != 0 && (self.retain.is_all() || self.retain.has(from, least.row)) {
            self.fences.note(self.rows.len(), hash);
            self.rows.push(from.key(least.row), from.val(least.row), weight);
            self.ones &= weight == 1;
            if !exact::<K>() {
                self.hashes.push(hash);
            }
        }
        for &place in equal.iter().rev() {
            self.step(place, self.heads[place].row + 1);
        }
        equal.len()
    }

    /// Copies the rows of a head up to `end`.
    #[inline]
    fn take(&mut self, place: usize, end: usize) {
        let Head { source, row, .. } = self.heads[place];
        if self.retain.is_all() {
            self.copy(source, row..end);
        } else {
            let mut start = row;
            for row in row..end {
                if !self.retain.has(self.sources[source].rows(), row) {
                    self.copy(source, start..row);
                    start = row + 1;
                }
            }
            self.copy(source, start..end);
        }
        self.step(place, end);
    }

    #[inline]
    fn copy(&mut self, source: usize, rows: Range<usize>) {
        let run = &self.sources[source];
        for row in rows.clone() {
            let hash = run.hash(row);
            self.fences.note(self.rows.len() + row - rows.start, hash);
            if !exact::<K>() {
                self.hashes.push(hash);
            }
            self.ones &= run.weight(row) == 1;
        }
        self.rows.extend_range(run.rows(), rows);
    }

    #[inline]
    fn step(&mut self, place: usize, row: usize) {
        let run = &self.sources[self.heads[place].source];
        if row == run.len() {
            self.heads.swap_remove(place);
        } else {
            self.heads[place].row = row;
            self.heads[place].hash = run.hash(row);
        }
    }

    pub(super) fn finish(self) -> Run<K, V> {
        let mut rows = self.rows;
        if self.ones {
            rows = rows.with_ones();
        }
        Run::of_parts(rows.assume_consolidated(), self.hashes, self.fences)
    }
}

/// Rows that are merged together, of all sources.
#[derive(Clone, Debug)]
struct Part<K: Data, V: Data> {
    rows: Batch<K, V>,
    places: Vec<Place>,
    sorter: Sorter,
}

impl<K: Data, V: Data> Part<K, V> {
    fn none() -> Self {
        Self { rows: Batch::new(), places: Vec::new(), sorter: Sorter::default() }
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.places.clear();
    }

    /// Adds some rows of a source; those that are not retained will not be merged.
    fn add(&mut self, run: &Run<K, V>, rows: Range<usize>, retain: &Retain<K, V>) {
        let first = self.rows.len();
        self.rows.extend_range(run.rows(), rows.clone());
        let places = rows.zip(first..).map(|(row, place)| (run.hash(row), place as u32));
        if retain.is_all() {
            self.places.extend(places);
        } else {
            let all = &self.rows;
            self.places.extend(places.filter(|place| retain.has(all, place.1 as usize)));
        }
    }
}
