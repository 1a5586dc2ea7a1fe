//! Operators in a nested scope that make rows of a group as a whole: general aggregates, first rows, numbers, neighbours,
//! as-of joins, rolling aggregates.
//!
//! A change of a key at iteration *i* changes what is made of its group from *i* on, as the group stands there: over the
//! rows of that iteration and those before. So the key is looked at in *i*, and again in each later iteration in which
//! rows of it came or something of it was brought, and there brings what makes the sum of what was brought right.
//!
//! | step, iteration | Δ | rows of a, by iteration | `aggregate(Min)` |
//! |---|---|---|---|
//! | 0, 0 | (a, 5) → +1 | 5 (0) | (a, 5) → +1 |
//! | 0, 2 | (a, 3) → +1 | 5 (0), 3 (2) | (a, 5) → −1, (a, 3) → +1 |
//! | 1, 1 | (a, 4) → +1 | 5 (0), 4 (1), 3 (2) | (a, 5) → −1, (a, 4) → +1 |
//! | 1, 2 | | 5 (0), 4 (1), 3 (2) | (a, 5) → +1, (a, 4) → −1 |
//!
//! **Cost.** Each time that a key is looked at its rows are passed once, to find the next iteration; and as many are ordered
//! by merging as the operator asks for: the first *k* rows of a group are found without ordering the rest.

use super::{Ledger, stamp};
use crate::algebra::{ZWeight, add_weights};
use crate::circuit::{Circuit, Clock, Incoming, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::UnaryOperator;
use crate::operator::trace::keys;
use crate::trace::{Batch, Group, Sorter, Spine};

/// The rows of a group that are present in an iteration, read from either end, but from one only.
pub(crate) struct Present<'a, V: Data> {
    group: Group<'a, (V, u32)>,
    now: u32,
    /// A value of which more may follow.
    last: Option<(V::Ref<'a>, ZWeight)>,
}

impl<V: Data> Clone for Present<'_, V> {
    fn clone(&self) -> Self {
        Self { group: self.group.clone(), now: self.now, last: self.last }
    }
}

impl<'a, V: Data> Present<'a, V> {
    /// Takes the next value whose weight over all iterations so far is positive, from the greatest down or from the least
    /// up.
    pub(crate) fn next(&mut self, descending: bool) -> Option<(V::Ref<'a>, ZWeight)> {
        self.next_of(descending, |weight| weight > 0)
    }

    /// Takes the next value whose weight over all iterations so far is not 0, from the least up.
    pub(crate) fn next_signed(&mut self) -> Option<(V::Ref<'a>, ZWeight)> {
        self.next_of(false, |weight| weight != 0)
    }

    fn next_of(
        &mut self,
        descending: bool,
        counts: impl Fn(ZWeight) -> bool,
    ) -> Option<(V::Ref<'a>, ZWeight)> {
        loop {
            let next = if descending { self.group.next_greatest() } else { self.group.next_least() };
            let Some(((val, iteration), weight)) = next else {
                return self.last.take().filter(|last| counts(last.1));
            };
            if iteration > self.now {
                continue;
            }
            match &mut self.last {
                Some((last, sum)) if *last == val => *sum = add_weights(*sum, weight),
                last => {
                    if let Some(whole) = last.replace((val, weight)).filter(|whole| counts(whole.1)) {
                        return Some(whole);
                    }
                }
            }
        }
    }
}

/// What makes rows of a group.
pub(crate) trait OfGroup<K: Data, V: Data>: 'static {
    /// What a row is.
    type Output: Data;
    /// Adds to `there` what there has to be of a key with these rows.
    fn of(&self, key: K::Ref<'_>, rows: Present<'_, V>, there: &mut Batch<K, Self::Output>);
}

pub(crate) struct NestedGroups<K: Data, V: Data, F: OfGroup<K, V>> {
    clock: Clock,
    rows: Spine<K, (V, u32)>,
    ledger: Ledger<K, F::Output>,
    there: Batch<K, F::Output>,
    sorter: Sorter,
    of: F,
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Makes rows of each group, in a nested scope.
    pub(in crate::operator) fn nested_groups<F: OfGroup<K, V>>(
        &self,
        name: &'static str,
        of: F,
    ) -> Stream<C, Batch<K, F::Output>> {
        self.shard().restless_unary(name, NestedGroups::new(self.graph().clock().clone(), of))
    }
}

impl<K: Data, V: Data, F: OfGroup<K, V>> NestedGroups<K, V, F> {
    pub(crate) fn new(clock: Clock, of: F) -> Self {
        Self {
            clock,
            rows: Spine::new(),
            ledger: Ledger::default(),
            there: Batch::new(),
            sorter: Sorter::default(),
            of,
        }
    }

    fn settle(&mut self, slot: u32, now: u32, output: &mut Batch<K, F::Output>) {
        let key = self.ledger.key(slot);
        let group = self.rows.group(key, K::hash(key));
        let mut next = None;
        group.for_each(|(_, iteration), _| {
            if iteration > now && next.is_none_or(|next| iteration < next) {
                next = Some(iteration);
            }
        });
        self.there.clear();
        self.of.of(key, Present { group, now, last: None }, &mut self.there);
        let there = self.there.iter().map(|(_, row, weight)| (F::Output::owned(row), weight));
        self.ledger.settle((slot, now, next), there, output);
    }
}

impl<K: Data, V: Data, F: OfGroup<K, V>> UnaryOperator<Batch<K, V>, Batch<K, F::Output>>
    for NestedGroups<K, V, F>
{
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, F::Output>) -> Result<(), Error> {
        let now = self.clock.now();
        let mut slots = self.ledger.due(now);
        let mut delta = input.take();
        self.sorter.consolidate(&mut delta);
        keys(&delta, |key, hash, _| slots.push(self.ledger.slot(key, hash)));
        self.rows.insert(stamp(delta, now));
        for slot in self.ledger.once(slots) {
            self.settle(slot, now, output);
        }
        Ok(())
    }
    fn is_settled(&self) -> bool {
        self.ledger.is_settled()
    }
    fn clock_end(&mut self) {
        self.ledger.end(|_| true);
    }
    fn state(&self) -> State {
        State { rows: self.rows.len(), bytes: self.rows.bytes() + self.ledger.bytes() }
    }
}
