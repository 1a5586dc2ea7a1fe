//! Aggregates of the values under each key that are sums.
//!
//! **Law.** *A(a)[k] = Σ f(v) · a[k, v]* is linear, so what changes in a group is the sum over what changes in its rows.
//! What an aggregate brings is not: of a group that changes, the old row goes and the new one comes. State is the sum and
//! the number of rows of each group, found by hash; neither the input nor the output is kept. A group is there while its
//! number of rows, or its sum, is not 0.
//!
//! ```text
//!   Δ ──▶ [ sum and count by key: before, after ] ──▶ (k, after) − (k, before)
//! ```
//!
//! | time | Δ | `aggregate_linear(v)` |
//! |---|---|---|
//! | 0 | (a, 2) → +1, (a, 3) → +2 | (a, 8) → +1 |
//! | 1 | (a, 3) → −1, (b, 1) → +1 | (a, 8) → −1, (a, 5) → +1, (b, 1) → +1 |
//! | 2 | (a, 2) → −1, (a, 3) → −1 | (a, 5) → −1 |

use std::ops::Div;

use crate::algebra::{HasOne, LinearValue, ZWeight, add_weights};
use crate::circuit::{Circuit, Incoming, State, Stream};
use crate::column::{Column, Data};
use crate::error::Error;
use crate::operator::nested::NestedLinear;
use crate::operator::{KeyIndex, UnaryOperator};
use crate::trace::Batch;

/// Rows looked up together, so that their ways to memory overlap.
const BLOCK: usize = 64;

struct Linear<K: Data, A, F, P> {
    keys: KeyIndex<K>,
    groups: Vec<Group<A>>,
    /// The groups that this step has changed, as they were.
    touched: Vec<(u32, Group<A>)>,
    hashes: Vec<u64>,
    guesses: Vec<usize>,
    value: F,
    finish: P,
}

#[derive(Clone)]
struct Group<A> {
    sum: A,
    rows: ZWeight,
    touched: bool,
}

impl<A: LinearValue> Group<A> {
    fn none() -> Self {
        Self { sum: A::zero(), rows: 0, touched: false }
    }

    fn is_there(&self) -> bool {
        self.rows != 0 || !self.sum.is_zero()
    }
}

impl<K: Data, A: LinearValue, F, P> Linear<K, A, F, P> {
    fn slot(&mut self, key: K::Ref<'_>, hash: u64, guess: usize) -> usize {
        if self.keys.is(guess, key) {
            return guess;
        }
        self.keys.find(key, hash).unwrap_or_else(|| {
            self.groups.push(Group::none());
            self.keys.insert(key, hash)
        })
    }
}

impl<K, V, A, O, F, P> UnaryOperator<Batch<K, V>, Batch<K, O>> for Linear<K, A, F, P>
where
    K: Data,
    V: Data,
    A: LinearValue,
    O: Data,
    F: Fn(&V::Ref<'_>) -> A + 'static,
    P: Fn(&A, ZWeight) -> Option<O> + 'static,
{
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, O>) -> Result<(), Error> {
        let input = input.get();
        for start in (0..input.len()).step_by(BLOCK) {
            let block = start..input.len().min(start + BLOCK);
            self.hashes.clear();
            input.keys().hashes(block.clone(), &mut self.hashes);
            self.guesses.clear();
            self.guesses.extend(self.hashes.iter().map(|&hash| self.keys.guess(hash)));
            for row in block {
                let slot = self.slot(input.key(row), self.hashes[row - start], self.guesses[row - start]);
                let group = &mut self.groups[slot];
                if !group.touched {
                    self.touched.push((slot as u32, group.clone()));
                    group.touched = true;
                }
                let weight = input.weight(row);
                let value = (self.value)(&input.val(row));
                group.sum.add_assign_by_ref(&if weight == 1 { value } else { value.mul_by_ref(&weight) });
                group.rows = add_weights(group.rows, weight);
            }
        }
        output.reserve(2 * self.touched.len());
        for (slot, before) in self.touched.drain(..) {
            let slot = slot as usize;
            let after = &mut self.groups[slot];
            after.touched = false;
            let key = self.keys.key(slot);
            let finish = |group: &Group<A>| {
                if group.is_there() { (self.finish)(&group.sum, group.rows) } else { None }
            };
            let (old, new) = (finish(&before), finish(after));
            if old != new {
                for (result, weight) in [(old, -1), (new.as_ref().cloned(), 1)] {
                    if let Some(result) = result {
                        output.push(key, result.borrow(), weight);
                    }
                }
            }
            if !after.is_there() {
                let hash = K::hash(key);
                self.keys.remove(slot, hash);
            }
        }
        if let Some(kept) = self.keys.compact() {
            self.groups = kept.into_iter().map(|slot| self.groups[slot as usize].clone()).collect();
        }
        Ok(())
    }
    fn state(&self) -> State {
        State { rows: self.keys.len(), bytes: self.keys.bytes() + size_of_val(self.groups.as_slice()) }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Brings, for each key, the sum of `value` over its rows, each as often as its weight says.
    pub fn aggregate_linear<A: LinearValue + Data>(
        &self,
        value: impl Fn(&V::Ref<'_>) -> A + 'static,
    ) -> Stream<C, Batch<K, A>> {
        self.aggregate_linear_postprocess(value, A::clone)
    }

    /// Brings, for each key, `finish` of the sum of `value` over its rows.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let (mut circuit, (trades, vwap)) = RootCircuit::build(|circuit| {
    ///     let (trades, handle) = circuit.add_input_indexed_zset::<String, (i64, i64)>();
    ///     let vwap = trades.aggregate_linear_postprocess(
    ///         |&(price, size)| (price * size, size),
    ///         |&(notional, size)| notional / size,
    ///     );
    ///     Ok((handle, vwap.output()))
    /// })?;
    /// trades.push("ESZ6".to_owned(), (6750, 2), 1);
    /// trades.push("ESZ6".to_owned(), (6756, 1), 1);
    /// circuit.step()?;
    /// assert_eq!(vwap.take(), indexed_zset! { "ESZ6".to_owned() => { 6752 => 1 } });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn aggregate_linear_postprocess<A: LinearValue, O: Data>(
        &self,
        value: impl Fn(&V::Ref<'_>) -> A + 'static,
        finish: impl Fn(&A) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        self.sum_by_key(value, move |sum, _| Some(finish(sum)))
    }

    fn sum_by_key<A: LinearValue, O: Data>(
        &self,
        value: impl Fn(&V::Ref<'_>) -> A + 'static,
        finish: impl Fn(&A, ZWeight) -> Option<O> + 'static,
    ) -> Stream<C, Batch<K, O>> {
        if C::NESTED {
            let operator = NestedLinear::new(self.graph().clock().clone(), value, finish);
            return self.shard().restless_unary("aggregate_linear", operator);
        }
        let operator = Linear {
            keys: KeyIndex::<K>::default(),
            groups: Vec::new(),
            touched: Vec::new(),
            hashes: Vec::new(),
            guesses: Vec::new(),
            value,
            finish,
        };
        self.shard().unary("aggregate_linear", operator)
    }

    /// Brings, for each key, the average of `value` over its rows, each as often as its weight says, as the division of
    /// `A` gives it: that of integers drops the fraction. A key whose rows are not more than none has none.
    pub fn average<A: LinearValue + HasOne + Div<Output = A> + Data>(
        &self,
        value: impl Fn(&V::Ref<'_>) -> A + 'static,
    ) -> Stream<C, Batch<K, A>> {
        self.sum_by_key(value, |sum, rows| (rows > 0).then(|| sum.clone() / A::one().mul_by_ref(&rows)))
    }

    /// Brings the number of rows of each key, each as often as its weight says.
    #[must_use]
    pub fn weighted_count(&self) -> Stream<C, Batch<K, ZWeight>> {
        self.aggregate_linear(|_| 1)
    }

    /// Brings the number of different values of each key that have positive weight.
    #[must_use]
    pub fn distinct_count(&self) -> Stream<C, Batch<K, ZWeight>> {
        self.distinct().weighted_count()
    }
}
