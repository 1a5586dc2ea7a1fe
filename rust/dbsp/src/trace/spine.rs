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

use std::sync::Arc;

use smallvec::SmallVec;

use super::merge::{Merge, Retain};
use super::{Batch, Group, Run};
use crate::column::Data;

/// How many runs of a level make one of the next.
const FAN: usize = 4;
/// How many rows of each merge are done for each row that comes.
const EFFORT: usize = 3;
/// And how many at least for each batch. A merge of no more rows is done at once.
const LEAST: usize = 256;

/// The sum of all batches that were inserted.
#[derive(Clone, Debug)]
pub struct Spine<K: Data, V: Data = ()> {
    levels: Vec<Level<K, V>>,
    rows: usize,
    retain: Retain<K, V>,
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
        self.levels.iter().flat_map(|level| level.merge.iter().flat_map(Merge::sources).chain(&level.runs))
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
        let merges: usize = self.levels.iter().flat_map(|level| &level.merge).map(Merge::bytes).sum();
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
        let before: usize = merge.sources().iter().map(|run| run.len()).sum();
        let run = merge.finish();
        self.rows -= before - run.len();
        if !run.is_empty() {
            self.place(Arc::new(run));
        }
    }
}
