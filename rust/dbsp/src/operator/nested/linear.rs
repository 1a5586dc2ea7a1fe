//! Aggregates that are sums, in a nested scope.
//!
//! Of each key there is a sum by iteration: what the rows of that iteration, of all steps so far, add up to. What there has to
//! be in iteration *i* is made of the sums up to *i*; rows are not kept.
//!
//! | step, iteration | Δ | sums of a: (iteration, sum) | `aggregate_linear(v)` |
//! |---|---|---|---|
//! | 0, 0 | (a, 2) → +1 | (0, 2) | (a, 2) → +1 |
//! | 0, 3 | (a, 5) → +1 | (0, 2), (3, 5) | (a, 2) → −1, (a, 7) → +1 |
//! | 1, 1 | (a, 1) → +1 | (0, 2), (1, 1), (3, 5) | (a, 2) → −1, (a, 3) → +1 |
//! | 1, 3 | | (0, 2), (1, 1), (3, 5) | (a, 2) → +1, (a, 3) → −1, (a, 7) → −1, (a, 8) → +1 |
//!
//! **Cost.** Each time that a key is looked at its sums are added up: as many as there are iterations in which rows of it
//! came, however many rows these were.

use smallvec::SmallVec;

use super::Ledger;
use crate::algebra::{LinearValue, ZWeight, add_weights};
use crate::circuit::{Clock, Incoming, State};
use crate::column::{Column, Data};
use crate::error::Error;
use crate::operator::UnaryOperator;
use crate::trace::Batch;

/// What came of a key: in which iteration, its sum, the number of rows; in this order.
type Sums<A> = SmallVec<[(u32, A, ZWeight); 1]>;

pub(crate) struct NestedLinear<K: Data, A, O: Data, F, P> {
    clock: Clock,
    ledger: Ledger<K, O>,
    sums: Vec<Sums<A>>,
    hashes: Vec<u64>,
    value: F,
    finish: P,
}

impl<K: Data, A: LinearValue, O: Data, F, P: Fn(&A, ZWeight) -> Option<O>> NestedLinear<K, A, O, F, P> {
    pub(crate) fn new(clock: Clock, value: F, finish: P) -> Self {
        Self { clock, ledger: Ledger::default(), sums: Vec::new(), hashes: Vec::new(), value, finish }
    }

    fn add(&mut self, slot: u32, now: u32, value: &A, weight: ZWeight) {
        let slot = slot as usize;
        if slot == self.sums.len() {
            self.sums.push(Sums::new());
        }
        let sums = &mut self.sums[slot];
        let place = sums.binary_search_by_key(&now, |sum| sum.0).unwrap_or_else(|place| {
            sums.insert(place, (now, A::zero(), 0));
            place
        });
        let (_, sum, rows) = &mut sums[place];
        sum.add_assign_by_ref(value);
        *rows = add_weights(*rows, weight);
    }

    fn settle(&mut self, slot: u32, now: u32, output: &mut Batch<K, O>) {
        let sums = &mut self.sums[slot as usize];
        sums.retain(|(_, sum, rows)| *rows != 0 || !sum.is_zero());
        let past = sums.partition_point(|sum| sum.0 <= now);
        let (mut sum, mut rows) = (A::zero(), 0);
        for (_, value, weight) in &sums[..past] {
            sum.add_assign_by_ref(value);
            rows = add_weights(rows, *weight);
        }
        let there = if rows != 0 || !sum.is_zero() { (self.finish)(&sum, rows) } else { None };
        let next = sums.get(past).map(|sum| sum.0);
        self.ledger.settle((slot, now, next), there.into_iter().map(|row| (row, 1)), output);
    }
}

impl<K, V, A, O, F, P> UnaryOperator<Batch<K, V>, Batch<K, O>> for NestedLinear<K, A, O, F, P>
where
    K: Data,
    V: Data,
    A: LinearValue,
    O: Data,
    F: Fn(&V::Ref<'_>) -> A + 'static,
    P: Fn(&A, ZWeight) -> Option<O> + 'static,
{
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, O>) -> Result<(), Error> {
        let now = self.clock.now();
        let mut slots = self.ledger.due(now);
        let input = input.get();
        self.hashes.clear();
        input.keys().hashes(0..input.len(), &mut self.hashes);
        for (row, (key, val, weight)) in input.iter().enumerate() {
            let slot = self.ledger.slot(key, self.hashes[row]);
            self.add(slot, now, &(self.value)(&val).mul_by_ref(&weight), weight);
            slots.push(slot);
        }
        for slot in self.ledger.once(slots) {
            self.settle(slot, now, output);
        }
        Ok(())
    }
    fn is_settled(&self) -> bool {
        self.ledger.is_settled()
    }
    fn clock_end(&mut self) {
        let sums = &mut self.sums;
        if let Some(kept) = self.ledger.end(|slot| sums[slot].is_empty()) {
            *sums = kept.into_iter().map(|slot| std::mem::take(&mut sums[slot as usize])).collect();
        }
    }
    fn state(&self) -> State {
        let spilt = self.sums.iter().filter(|sums| sums.spilled());
        let bytes = self.ledger.bytes()
            + size_of_val(self.sums.as_slice())
            + spilt.map(|sums| size_of_val(sums.as_slice())).sum::<usize>();
        State { rows: self.ledger.len(), bytes }
    }
}
