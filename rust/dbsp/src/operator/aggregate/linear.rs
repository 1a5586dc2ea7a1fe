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

use std::hint::black_box;
use std::ops::Div;

use crate::algebra::{HasOne, LinearValue, ZWeight, add_weights};
use crate::circuit::{Circuit, Incoming, State, Stream};
use crate::column::{Column, Data};
use crate::error::Error;
use crate::operator::nested::NestedLinear;
use crate::operator::{BLOCK, KeyIndex, Lookup, Segments, UnaryOperator, blocks};
use crate::trace::Batch;

struct Linear<K: Data, A, F, P> {
    keys: KeyIndex<K>,
    groups: Segments<Group<A>>,
    /// The groups that this step has changed, in the order in which it first did.
    touched: Vec<Touched<A>>,
    lookup: Lookup,
    /// The rows of the input that have the keys of the output.
    rows: Vec<u32>,
    value: F,
    finish: P,
}

/// What there is of a key; that of a sum of two numbers lies in one line of the cache.
#[derive(Clone)]
#[repr(align(32))]
struct Group<A> {
    sum: A,
    rows: ZWeight,
    touched: bool,
}

/// A group as it was, and the first row that changes it.
struct Touched<A> {
    slot: u32,
    row: u32,
    sum: A,
    rows: ZWeight,
}

impl<A: LinearValue> Group<A> {
    fn none() -> Self {
        Self { sum: A::zero(), rows: 0, touched: false }
    }
}

#[inline]
fn is_there<A: LinearValue>(sum: &A, rows: ZWeight) -> bool {
    rows != 0 || !sum.is_zero()
}

impl<K: Data, A: LinearValue, F, P> Linear<K, A, F, P> {
    /// Adds what comes to the groups, and notes those that it changes.
    fn add<V: Data>(&mut self, input: &Batch<K, V>)
    where
        F: Fn(&V::Ref<'_>) -> A,
    {
        for block in blocks(input.len()) {
            self.lookup.look(&self.keys, |hashes| input.keys().hashes(block.clone(), hashes));
            read_ahead(&self.groups, self.lookup.likely().iter().copied());
            for (number, row) in block.enumerate() {
                let (key, groups) = (input.key(row), &mut self.groups);
                let slot = self.lookup.slot(number, key, &mut self.keys, || groups.push(Group::none()));
                let group = self.groups.at(slot);
                if !group.touched {
                    group.touched = true;
                    let (sum, rows) = (group.sum.clone(), group.rows);
                    self.touched.push(Touched { slot: slot as u32, row: row as u32, sum, rows });
                }
                let weight = input.weight(row);
                let value = (self.value)(&input.val(row));
                group.sum.add_assign_by_ref(&if weight == 1 { value } else { value.mul_by_ref(&weight) });
                group.rows = add_weights(group.rows, weight);
            }
        }
    }

    /// Brings the groups that have changed, and forgets those that are no more.
    fn bring<V: Data, O: Data>(&mut self, input: &Batch<K, V>, output: &mut Batch<K, O>)
    where
        P: Fn(&A, ZWeight) -> Option<O>,
    {
        let (keys, vals, weights) = output.columns_mut();
        vals.reserve(2 * self.touched.len());
        self.rows.clear();
        for touched in self.touched.chunks(BLOCK) {
            read_ahead(&self.groups, touched.iter().map(|touched| touched.slot));
            for before in touched {
                let after = self.groups.at(before.slot as usize);
                after.touched = false;
                let finish = |sum: &A, rows: ZWeight| {
                    if is_there(sum, rows) { (self.finish)(sum, rows) } else { None }
                };
                let (old, new) = (finish(&before.sum, before.rows), finish(&after.sum, after.rows));
                if old != new {
                    for (result, weight) in [(old, -1), (new, 1)] {
                        if let Some(result) = result {
                            self.rows.push(before.row);
                            vals.push_item(result);
                            weights.push(weight);
                        }
                    }
                }
                if !is_there(&after.sum, after.rows) {
                    self.keys.remove(before.slot as usize, input.keys().hash(before.row as usize));
                }
            }
        }
        keys.extend_rows(input.keys(), &self.rows);
        self.touched.clear();
    }
}

/// Looks at some groups, so that all of them are under way from memory before one has to be there.
#[inline]
fn read_ahead<A>(groups: &Segments<Group<A>>, slots: impl Iterator<Item = u32>) {
    let rows = slots.map(|slot| groups.get(slot as usize).map_or(0, |group| group.rows));
    black_box(rows.fold(0, |all, rows| all ^ rows));
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
        self.add(&input);
        self.bring(&input, output);
        if let Some(kept) = self.keys.compact() {
            self.groups = kept.into_iter().map(|slot| self.groups.at(slot as usize).clone()).collect();
        }
        Ok(())
    }
    fn state(&self) -> State {
        State { rows: self.keys.len(), bytes: self.keys.bytes() + self.groups.bytes() }
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
            groups: Segments::default(),
            touched: Vec::new(),
            lookup: Lookup::default(),
            rows: Vec::new(),
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
