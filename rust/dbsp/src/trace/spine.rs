//! Spines: the sum of all batches so far, kept as few runs.
//!
//! # Effort
//!
//! Runs are kept in levels by their number of rows, each level's [`FAN`] times as long as those of the level below.
//! A level that has gathered `FAN` runs merges them into one, which goes up. Each row is so merged once per level, and
//! whoever looks for a key looks into less than `2 × FAN` runs per level.
//!
//! A merge is not done at once: each batch that comes does some of each merge that is under way, in proportion to its
//! own rows ([`EFFORT`]). A level cannot gather `FAN` new runs before as many rows have come as its merge has to read, so
//! it is done long before; should it not be, it is finished then. So no step takes longer because a spine is large. Runs
//! under a merge are read until it is done, and whoever holds a [snapshot](Spine::snapshot) keeps its runs.
//!
//! # Forgetting
//!
//! What an operator will never look at again it gives to [`Spine::retain_keys`] or [`Spine::retain_values`]. Such rows are
//! hidden at once from all that reads by key, and left behind when their run is merged, which costs nothing of its own.
//! A merge that leaves rows behind gives a shorter run, in a lower level, so of a stream that moves on in time the spine
//! holds a few times what is retained, however long it goes on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::run::{Fences, gallop};
use super::{Batch, Group, Run};
use crate::algebra::add_weights;
use crate::column::{Column, Data, exact};

/// How many runs of a level make one of the next.
const FAN: usize = 4;
/// How many rows of each merge are done for each row that comes.
const EFFORT: usize = 3;
/// And how many at least for each batch. A merge of no more rows is done at once.
const LEAST: usize = 256;

/// Whether what has this key, or this value, stays.
pub(super) type Keep<T> = dyn Fn(<T as Data>::Ref<'_>) -> bool + Send + Sync;

/// The sum of all batches that were inserted.
#[derive(Clone, Debug)]
pub struct Spine<K: Data, V: Data = ()> {
    levels: Vec<Level<K, V>>,
    rows: usize,
    retain: Retain<K, V>,
}

/// What stays; all if nothing is said.
#[derive(Clone)]
struct Retain<K: Data, V: Data> {
    keys: Option<Arc<Keep<K>>>,
    vals: Option<Arc<Keep<V>>>,
}

impl<K: Data, V: Data> Retain<K, V> {
    fn all() -> Self {
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

#[derive(Clone, Debug)]
struct Level<K: Data, V: Data> {
    runs: SmallVec<[Arc<Run<K, V>>; FAN]>,
    merge: Option<Merge<K, V>>,
}

impl<K: Data, V: Data> Default for Level<K, V> {
    fn default() -> Self {
        Self { runs: SmallVec::new(), merge: None }
    }
}

impl<K: Data, V: Data> Default for Spine<K, V> {
    fn default() -> Self {
        Self { levels: Vec::new(), rows: 0, retain: Retain::all() }
    }
}

impl<K: Data, V: Data> Spine<K, V> {
    /// Makes an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of rows that its runs list: rows that cancel count until they are merged.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a consolidated batch, and goes on with what merges are under way.
    ///
    /// # Panics
    ///
    /// If the batch is not consolidated.
    pub fn insert(&mut self, batch: Batch<K, V>) {
        if batch.is_empty() {
            return;
        }
        let rows = batch.len();
        self.rows += rows;
        self.place(Arc::new(Run::new(batch)));
        self.work(rows * EFFORT + LEAST);
    }

    /// Returns the runs whose sum this is, and in which rows may lie that are to be forgotten.
    pub fn runs(&self) -> impl Iterator<Item = &Arc<Run<K, V>>> {
        self.levels
            .iter()
            .flat_map(|level| level.merge.iter().flat_map(|merge| &merge.sources).chain(&level.runs))
    }

    /// Forgets the rows of keys that `keep` is not true of, also those that are still to come. It takes the place of
    /// what was said of keys before, and must not be true of a key that was to be forgotten then.
    pub fn retain_keys(&mut self, keep: impl Fn(K::Ref<'_>) -> bool + Send + Sync + 'static) {
        self.retain.keys = Some(Arc::new(keep));
    }

    /// Forgets the rows of values that `keep` is not true of, as [`retain_keys`](Spine::retain_keys) does.
    pub fn retain_values(&mut self, keep: impl Fn(V::Ref<'_>) -> bool + Send + Sync + 'static) {
        self.retain.vals = Some(Arc::new(keep));
    }

    /// Returns what there is of one key.
    #[must_use]
    pub fn group(&self, key: K::Ref<'_>, hash: u64) -> Group<'_, V> {
        let mut group = Group::new(self.retain.vals.as_deref());
        if self.retain.keys.as_ref().is_none_or(|keep| keep(key)) {
            for run in self.runs() {
                group.add(run.rows(), run.group(key, hash));
            }
        }
        group
    }

    /// Returns the same rows as a spine of its own, without copying them.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let mut snapshot =
            Self { levels: vec![Level::default()], rows: self.rows, retain: self.retain.clone() };
        snapshot.levels[0].runs.extend(self.runs().cloned());
        snapshot
    }

    /// Returns all rows as one consolidated batch.
    #[must_use]
    pub fn to_batch(&self) -> Batch<K, V> {
        let mut merge = Merge::new(self.runs().cloned().collect(), self.retain.clone());
        merge.work(usize::MAX);
        merge.finish().into_rows()
    }

    /// Returns the bytes of memory taken, by merges under way too.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let runs: usize = self.runs().map(|run| run.bytes()).sum();
        let merges: usize =
            self.levels.iter().flat_map(|level| &level.merge).map(|merge| merge.rows.bytes()).sum();
        runs + merges
    }

    fn place(&mut self, run: Arc<Run<K, V>>) {
        let number = (run.len().max(1).ilog2() / FAN.ilog2()) as usize;
        if self.levels.len() <= number {
            self.levels.resize_with(number + 1, Level::default);
        }
        self.levels[number].runs.push(run);
    }

    fn work(&mut self, effort: usize) {
        let mut number = 0;
        while number < self.levels.len() {
            let level = &mut self.levels[number];
            if level.runs.len() >= FAN {
                if let Some(mut merge) = level.merge.take() {
                    merge.work(usize::MAX);
                    self.settle(merge);
                }
                let level = &mut self.levels[number];
                level.merge = Some(Merge::new(level.runs.drain(..).collect(), self.retain.clone()));
            }
            let level = &mut self.levels[number];
            if let Some(merge) = &mut level.merge
                && merge.work(effort)
            {
                let merge = level.merge.take().expect("it was just there");
                self.settle(merge);
            }
            number += 1;
        }
    }

    /// Puts the result of a merge that is done in the place of its sources.
    fn settle(&mut self, merge: Merge<K, V>) {
        let before: usize = merge.sources.iter().map(|run| run.len()).sum();
        let run = merge.finish();
        self.rows -= before - run.len();
        if !run.is_empty() {
            self.place(Arc::new(run));
        }
    }
}

/// A merge under way.
#[derive(Clone, Debug)]
struct Merge<K: Data, V: Data> {
    sources: Vec<Arc<Run<K, V>>>,
    heads: Vec<Head>,
    rows: Batch<K, V>,
    hashes: Vec<u64>,
    fences: Fences,
    ones: bool,
    retain: Retain<K, V>,
}

/// The next row of a source.
#[derive(Clone, Copy, Debug)]
struct Head {
    source: usize,
    row: usize,
    hash: u64,
}

impl<K: Data, V: Data> Merge<K, V> {
    fn new(sources: Vec<Arc<Run<K, V>>>, retain: Retain<K, V>) -> Self {
        let heads = sources
            .iter()
            .enumerate()
            .filter(|(_, run)| !run.is_empty())
            .map(|(source, run)| Head { source, row: 0, hash: run.hash(0) })
            .collect();
        let all = sources.iter().map(|run| run.len()).sum();
        let mut rows = Batch::new();
        rows.reserve(all);
        Self { sources, heads, rows, hashes: Vec::new(), fences: Fences::for_rows(all), ones: true, retain }
    }

    /// Merges about so many rows; returns whether all are merged.
    fn work(&mut self, effort: usize) -> bool {
        let mut left = effort;
        while left > 0 && self.heads.len() > 1 {
            left = left.saturating_sub(self.advance(left));
        }
        if let [head] = self.heads[..]
            && left > 0
        {
            let end = self.sources[head.source].len().min(head.row.saturating_add(left));
            self.take(0, end);
        }
        self.heads.is_empty()
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

    fn finish(self) -> Run<K, V> {
        let mut rows = self.rows;
        if self.ones {
            rows = rows.with_ones();
        }
        Run::of_parts(rows.assume_consolidated(), self.hashes, self.fences)
    }
}
