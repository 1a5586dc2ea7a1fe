//! What operators by key have brought of each key, and when a key has to be looked at again.
//!
//! **Law.** After a key was settled in iteration *i*, the sum of all that was brought of it in *i* and before, in this step
//! and in earlier ones, is what there has to be of it in *i*. What it changes there holds from *i* on, so the key is
//! looked at again in the next iteration in which rows of it came or something of it was brought, and in no other.
//!
//! | step, iteration | has to be | brought: (iteration, row, weight) | brings |
//! |---|---|---|---|
//! | 0, 0 | 5 | (0, 5, +1) | 5 → +1 |
//! | 0, 2 | 3 | (0, 5, +1), (2, 3, +1), (2, 5, −1) | 3 → +1, 5 → −1 |
//! | 1, 1 | 4 | (0, 5, +1), (1, 4, +1), (1, 5, −1), (2, 3, +1), (2, 5, −1) | 4 → +1, 5 → −1 |
//! | 1, 2 | 3 | (0, 5, +1), (1, 4, +1), (1, 5, −1), (2, 3, +1), (2, 4, −1) | 4 → −1, 5 → +1 |

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use crate::algebra::{ZWeight, add_weights};
use crate::column::Data;
use crate::operator::KeyIndex;
use crate::trace::Batch;

/// What was brought of a key: in which iteration, which row, how often; in this order.
type History<O> = SmallVec<[(u32, O, ZWeight); 1]>;

/// The slots to look at again, by iteration. In a scope that stops before nothing is left to do they stay until a step
/// goes that far.
#[derive(Debug, Default)]
pub(super) struct Later(BTreeMap<u32, Vec<u32>>);

impl Later {
    pub(super) fn note(&mut self, iteration: u32, slot: u32) {
        self.0.entry(iteration).or_default().push(slot);
    }

    pub(super) fn take(&mut self, iteration: u32) -> Vec<u32> {
        self.0.remove(&iteration).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns all slots in it, in order.
    fn slots(&self) -> Vec<u32> {
        let mut slots: Vec<u32> = self.0.values().flatten().copied().collect();
        slots.sort_unstable();
        slots
    }

    /// Follows slots that were numbered anew; `kept` has what the number of each was.
    pub(super) fn renumber(&mut self, kept: &[u32]) {
        let new: HashMap<u32, u32> = kept.iter().copied().zip(0..).collect();
        for slot in self.0.values_mut().flatten() {
            *slot = *new.get(slot).expect("a slot to be looked at again is kept");
        }
    }
}

pub(super) struct Ledger<K: Data, O: Data> {
    keys: KeyIndex<K>,
    brought: Vec<History<O>>,
    later: Later,
    /// The keys that were looked at in this step.
    touched: Vec<u32>,
    /// What is missing of the key that is being settled.
    missing: Vec<(O, ZWeight)>,
}

impl<K: Data, O: Data> Default for Ledger<K, O> {
    fn default() -> Self {
        Self {
            keys: KeyIndex::default(),
            brought: Vec::new(),
            later: Later::default(),
            touched: Vec::new(),
            missing: Vec::new(),
        }
    }
}

impl<K: Data, O: Data> Ledger<K, O> {
    /// Returns the slot of a key, the next one after all if it had none.
    pub(super) fn slot(&mut self, key: K::Ref<'_>, hash: u64) -> u32 {
        let slot = self.keys.slot(key, hash, || self.brought.push(History::new()));
        u32::try_from(slot).expect("slots are numbered by 32 bits")
    }

    pub(super) fn key(&self, slot: u32) -> K::Ref<'_> {
        self.keys.key(slot as usize)
    }

    /// Takes the slots that have to be looked at in this iteration.
    pub(super) fn due(&mut self, now: u32) -> Vec<u32> {
        self.later.take(now)
    }

    /// Brings what is missing of a key in this iteration, and sees to later ones: `there` is what there has to be of it now,
    /// `next` the next iteration in which rows of it came, if there is one.
    pub(super) fn settle(
        &mut self,
        (slot, now, next): (u32, u32, Option<u32>),
        there: impl Iterator<Item = (O, ZWeight)>,
        output: &mut Batch<K, O>,
    ) {
        let history = &mut self.brought[slot as usize];
        let past = history.partition_point(|brought| brought.0 <= now);
        self.missing.clear();
        self.missing.extend(there);
        self.missing.extend(history[..past].iter().map(|(_, row, weight)| (row.clone(), -weight)));
        add_up(&mut self.missing);
        let next = next.into_iter().chain(history.get(past).map(|brought| brought.0)).min();
        if let Some(next) = next {
            self.later.note(next, slot);
        }
        if self.missing.is_empty() {
            return;
        }
        let key = self.keys.key(slot as usize);
        for (row, weight) in self.missing.drain(..) {
            output.push(key, row.borrow(), weight);
            history.push((now, row, weight));
        }
        history.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        history.dedup_by(|next, last| {
            let same = next.0 == last.0 && next.1 == last.1;
            if same {
                last.2 = add_weights(last.2, next.2);
            }
            same
        });
        history.retain(|brought| brought.2 != 0);
    }

    /// Returns the slots that are to be looked at in an iteration, each once, and notes them.
    pub(super) fn once(&mut self, mut slots: Vec<u32>) -> Vec<u32> {
        slots.sort_unstable();
        slots.dedup();
        self.touched.extend_from_slice(&slots);
        slots
    }

    pub(super) fn is_settled(&self) -> bool {
        self.later.is_empty()
    }

    /// Ends a step: forgets the keys of which nothing was brought, and that `is_blank` is true of. If slots are numbered
    /// anew by that, returns what the number of each was.
    pub(super) fn end(&mut self, is_blank: impl Fn(usize) -> bool) -> Option<Vec<u32>> {
        let waiting = self.later.slots();
        self.touched.sort_unstable();
        self.touched.dedup();
        for slot in self.touched.drain(..) {
            let waits = waiting.binary_search(&slot).is_ok();
            let slot = slot as usize;
            if !waits && self.brought[slot].is_empty() && is_blank(slot) {
                let hash = K::hash(self.keys.key(slot));
                self.keys.remove(slot, hash);
            }
        }
        let kept = self.keys.compact()?;
        self.brought = kept.iter().map(|&slot| std::mem::take(&mut self.brought[slot as usize])).collect();
        self.later.renumber(&kept);
        Some(kept)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let spilt = self.brought.iter().filter(|history| history.spilled());
        self.keys.bytes()
            + size_of_val(self.brought.as_slice())
            + spilt.map(|history| size_of_val(history.as_slice())).sum::<usize>()
    }
}

/// Brings rows into order, each once, and drops those of weight 0.
fn add_up<O: Ord>(rows: &mut Vec<(O, ZWeight)>) {
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    rows.dedup_by(|next, last| {
        let same = next.0 == last.0;
        if same {
            last.1 = add_weights(last.1, next.1);
        }
        same
    });
    rows.retain(|row| row.1 != 0);
}
