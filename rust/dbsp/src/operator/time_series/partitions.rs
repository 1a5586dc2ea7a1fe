//! Sums by partition and time.

use super::sums::Sums;
use super::{EventTime, RelRange};
use crate::algebra::MonoidValue;
use crate::circuit::State;
use crate::column::Data;
use crate::operator::KeyIndex;

/// For each partition, a tree of sums.
pub(super) struct Partitions<P: Data, T, M> {
    keys: KeyIndex<P>,
    sums: Vec<Sums<T, M>>,
    /// The partition that was the last to be looked after without a change.
    swept: usize,
}

impl<P: Data, T, M> Default for Partitions<P, T, M> {
    fn default() -> Self {
        Self { keys: KeyIndex::default(), sums: Vec::new(), swept: 0 }
    }
}

impl<P: Data, T: EventTime, M: MonoidValue> Partitions<P, T, M> {
    /// Returns the slot of a partition, which has one from now on.
    pub(super) fn slot(&mut self, partition: P::Ref<'_>) -> usize {
        let hash = P::hash(partition);
        self.keys.slot(partition, hash, || self.sums.push(Sums::new()))
    }

    pub(super) fn key(&self, slot: usize) -> P::Ref<'_> {
        self.keys.key(slot)
    }

    pub(super) fn sums(&mut self, slot: usize) -> &mut Sums<T, M> {
        &mut self.sums[slot]
    }

    /// Lists the results of the times in some zones, each of the sum over its range.
    pub(super) fn results<O>(
        &self,
        slot: usize,
        zones: &[(T, T)],
        range: RelRange,
        result: impl Fn(&M) -> Option<O>,
    ) -> Vec<(T, O)> {
        let sums = &self.sums[slot];
        let mut results = Vec::new();
        for &(from, to) in zones {
            sums.times(from, to, |time| {
                let sum = range.of(time).map_or_else(M::zero, |(from, to)| sums.sum(from, to));
                results.extend(result(&sum).map(|result| (time, result)));
            });
        }
        results
    }

    /// Forgets what comes before a time, and the partition with it if that was all.
    pub(super) fn forget(&mut self, slot: usize, before: Option<T>) {
        let sums = &mut self.sums[slot];
        if let Some(before) = before {
            sums.forget_before(before);
        }
        if sums.is_empty() {
            let hash = P::hash(self.keys.key(slot));
            // A partition that was forgotten before may be back in another slot.
            if self.keys.find(self.keys.key(slot), hash) == Some(slot) {
                self.keys.remove(slot, hash);
            }
        }
    }

    /// Lets so many partitions forget, each in its turn: also those to which nothing comes any more.
    pub(super) fn sweep(&mut self, partitions: usize, before: T) {
        for _ in 0..partitions.min(self.sums.len()) {
            self.swept = (self.swept + 1) % self.sums.len();
            self.forget(self.swept, Some(before));
        }
    }

    /// Gives up slots if most are unused. Not while any are held.
    pub(super) fn compact(&mut self) {
        if let Some(kept) = self.keys.compact() {
            let take = |slot: u32| std::mem::replace(&mut self.sums[slot as usize], Sums::new());
            self.sums = kept.into_iter().map(take).collect();
        }
    }

    pub(super) fn state(&self) -> State {
        let rows = self.sums.iter().map(Sums::len).sum();
        State { rows, bytes: self.keys.bytes() + rows * size_of::<(T, M)>() }
    }
}
