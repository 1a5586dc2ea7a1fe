//! [`aggregate`](crate::Stream::aggregate) in a nested scope.
//!
//! A change of a key at iteration *i* changes its aggregate from *i* on, as it stands there: over the rows of that iteration
//! and those before. So the key is looked at in *i*, and again in each later iteration in which rows of it came or
//! something of it was brought, and there brings what makes the sum of what was brought right.
//!
//! | step, iteration | Δ | rows of a, by iteration | `aggregate(Min)` |
//! |---|---|---|---|
//! | 0, 0 | (a, 5) → +1 | 5 (0) | (a, 5) → +1 |
//! | 0, 2 | (a, 3) → +1 | 5 (0), 3 (2) | (a, 5) → −1, (a, 3) → +1 |
//! | 1, 1 | (a, 4) → +1 | 5 (0), 4 (1), 3 (2) | (a, 5) → −1, (a, 4) → +1 |
//! | 1, 2 | | 5 (0), 4 (1), 3 (2) | (a, 5) → +1, (a, 4) → −1 |

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::stamp;
use crate::algebra::{ZWeight, add_weights};
use crate::circuit::{Clock, Incoming, State};
use crate::column::Data;
use crate::error::Error;
use crate::operator::trace::keys;
use crate::operator::{Aggregator, KeyIndex, UnaryOperator};
use crate::trace::{Batch, Group, Sorter, Spine};

/// What was brought of a key: in which iteration, which row, how often.
type History<O> = SmallVec<[(u32, O, ZWeight); 1]>;

pub(crate) struct NestedAggregate<K: Data, V: Data, A: Aggregator<V>> {
    clock: Clock,
    rows: Spine<K, (V, u32)>,
    keys: KeyIndex<K>,
    brought: Vec<History<A::Output>>,
    /// The keys to look at again, by iteration of this step.
    later: BTreeMap<u32, Vec<u32>>,
    /// The keys that were looked at in this step.
    touched: Vec<u32>,
    sorter: Sorter,
    aggregator: A,
}

impl<K: Data, V: Data, A: Aggregator<V>> NestedAggregate<K, V, A> {
    pub(crate) fn new(clock: Clock, aggregator: A) -> Self {
        Self {
            clock,
            rows: Spine::new(),
            keys: KeyIndex::default(),
            brought: Vec::new(),
            later: BTreeMap::new(),
            touched: Vec::new(),
            sorter: Sorter::default(),
            aggregator,
        }
    }

    fn slot(&mut self, key: K::Ref<'_>, hash: u64) -> u32 {
        let slot = self.keys.find(key, hash).unwrap_or_else(|| {
            self.brought.push(History::new());
            self.keys.insert(key, hash)
        });
        slot as u32
    }

    /// Brings what is missing of a key in this iteration, and sees to later ones.
    fn settle(&mut self, slot: u32, now: u32, output: &mut Batch<K, A::Output>) {
        let key = self.keys.key(slot as usize);
        let group = self.rows.group(key, K::hash(key));
        let mut next = u32::MAX;
        group.for_each(|(_, iteration), _| {
            if iteration > now {
                next = next.min(iteration);
            }
        });
        let new = self.aggregator.of(&|each| values_until(&group, now, each));
        let brought = &mut self.brought[slot as usize];
        let mut missing: SmallVec<[(A::Output, ZWeight); 2]> = new.into_iter().map(|new| (new, 1)).collect();
        for (iteration, row, weight) in brought.iter() {
            if *iteration > now {
                next = next.min(*iteration);
            } else if let Some((_, sum)) = missing.iter_mut().find(|(other, _)| other == row) {
                *sum -= weight;
            } else {
                missing.push((row.clone(), -weight));
            }
        }
        for (row, weight) in missing.into_iter().filter(|(_, weight)| *weight != 0) {
            output.push(key, row.borrow(), weight);
            match brought.iter_mut().find(|(iteration, other, _)| *iteration == now && *other == row) {
                Some((_, _, sum)) => *sum += weight,
                None => brought.push((now, row, weight)),
            }
        }
        brought.retain(|(_, _, weight)| *weight != 0);
        if next != u32::MAX {
            self.later.entry(next).or_default().push(slot);
        }
    }
}

/// Calls `each` for the values whose weight, over all iterations up to `now`, is positive.
fn values_until<V: Data>(group: &Group<'_, (V, u32)>, now: u32, each: &mut dyn FnMut(V::Ref<'_>, ZWeight)) {
    let mut rest = group.clone();
    let mut last: Option<(V::Ref<'_>, ZWeight)> = None;
    while let Some(((val, iteration), weight)) = rest.next_least() {
        if iteration > now {
            continue;
        }
        match &mut last {
            Some((other, sum)) if *other == val => *sum = add_weights(*sum, weight),
            _ => {
                if let Some((val, sum)) = last.replace((val, weight)).filter(|(_, sum)| *sum > 0) {
                    each(val, sum);
                }
            }
        }
    }
    if let Some((val, sum)) = last.filter(|(_, sum)| *sum > 0) {
        each(val, sum);
    }
}

impl<K: Data, V: Data, A: Aggregator<V>> UnaryOperator<Batch<K, V>, Batch<K, A::Output>>
    for NestedAggregate<K, V, A>
{
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, A::Output>) -> Result<(), Error> {
        let now = self.clock.now();
        let mut slots = self.later.remove(&now).unwrap_or_default();
        let mut delta = input.take();
        self.sorter.consolidate(&mut delta);
        keys(&delta, |key, hash, _| slots.push(self.slot(key, hash)));
        self.rows.insert(stamp(delta, now));
        slots.sort_unstable();
        slots.dedup();
        for &slot in &slots {
            self.settle(slot, now, output);
        }
        self.touched.append(&mut slots);
        Ok(())
    }
    fn is_settled(&self) -> bool {
        self.later.is_empty()
    }
    fn clock_end(&mut self) {
        self.touched.sort_unstable();
        self.touched.dedup();
        for slot in self.touched.drain(..) {
            if self.brought[slot as usize].is_empty() {
                let hash = K::hash(self.keys.key(slot as usize));
                self.keys.remove(slot as usize, hash);
            }
        }
        if let Some(kept) = self.keys.compact() {
            self.brought =
                kept.into_iter().map(|slot| std::mem::take(&mut self.brought[slot as usize])).collect();
        }
    }
    fn state(&self) -> State {
        let bytes = self.rows.bytes() + self.keys.bytes() + size_of_val(self.brought.as_slice());
        State { rows: self.rows.len(), bytes }
    }
}
