//! Joins.
//!
//! **Law.** *a ⋈ b* is bilinear, so *Δ(a ⋈ b) = Δa ⋈ b⁻ + a⁻ ⋈ Δb + Δa ⋈ Δb*, where *a⁻*, *b⁻* are what was before the
//! step (Budiu et al., theorem 3.4). State is an [arrangement](super::arrange) of each input, which all joins of it share.
//! Rows are neither sorted nor consolidated: what cancels in the inputs cancels in the output.
//!
//! ```text
//!   a ──▶ [ arrange ] ──▶ Δa, a⁻ ─┐
//!              keys of both       ├──▶ [ ⋈ ] ──▶ f(k, v, w), weights multiplied
//!   b ──▶ [ arrange ] ──▶ Δb, b⁻ ─┘
//! ```
//!
//! | time | Δa | Δb | `a.join(b)` |
//! |---|---|---|---|
//! | 0 | (k, 1) → +1 | | |
//! | 1 | | (k, x) → +2 | (1, x) → +2 |
//! | 2 | (k, 1) → −1, (k, 3) → +1 | (k, y) → +1 | (1, x) → −2, (3, x) → +2, (3, y) → +1 |

use std::ops::Range;

use super::arrange::Arranged;
use super::key_index::NONE;
use super::nested::NestedJoin;
use super::trace::keys;
use crate::algebra::{ZWeight, multiply_weights};
use crate::circuit::{Circuit, Incoming, Stream};
use crate::column::{Data, Units};
use crate::error::Error;
use crate::operator::BinaryOperator;
use crate::operator::wiring::Brought;
use crate::trace::Batch;

/// A join, by what it makes of each pair of rows of one key.
struct Join<E> {
    emit: E,
    pairs: Pairs,
}

/// Rows of one slot in two batches: those of the smaller one, in lists by the lower bits of their slots.
#[derive(Debug, Default)]
struct Pairs {
    first: Vec<u32>,
    next: Vec<u32>,
}

impl Pairs {
    /// Calls `each` for all pairs of a left and a right row that have one slot.
    fn find(&mut self, lefts: &[u32], rights: &[u32], mut each: impl FnMut(usize, usize)) {
        if lefts.len() <= rights.len() {
            self.find_few(lefts, rights, each);
        } else {
            self.find_few(rights, lefts, |right, left| each(left, right));
        }
    }

    fn find_few(&mut self, few: &[u32], many: &[u32], mut each: impl FnMut(usize, usize)) {
        if few.is_empty() {
            return;
        }
        let mask = few.len().next_power_of_two() - 1;
        self.first.clear();
        self.first.resize(mask + 1, NONE);
        self.next.clear();
        for (row, &slot) in (0u32..).zip(few) {
            self.next.push(std::mem::replace(&mut self.first[slot as usize & mask], row));
        }
        for (other, &slot) in many.iter().enumerate() {
            let mut row = self.first[slot as usize & mask];
            while row != NONE {
                if few[row as usize] == slot {
                    each(row as usize, other);
                }
                row = self.next[row as usize];
            }
        }
    }
}

impl<K, V, W, O, E> BinaryOperator<Arranged<K, V>, Arranged<K, W>, O> for Join<E>
where
    K: Data,
    V: Data,
    W: Data,
    O: Brought,
    E: Fn(K::Ref<'_>, V::Ref<'_>, W::Ref<'_>, ZWeight, &mut O) + 'static,
{
    fn eval(
        &mut self,
        left: &Incoming<Arranged<K, V>>,
        right: &Incoming<Arranged<K, W>>,
        output: &mut O,
    ) -> Result<(), Error> {
        let (left, right) = (left.get(), right.get());
        let (lefts, rights) = (left.delta(), right.delta());
        right.look_up(left.slots(), |row, val, weight| {
            let weight = multiply_weights(lefts.weight(row), weight);
            (self.emit)(lefts.key(row), lefts.val(row), val, weight, output);
        });
        left.look_up(right.slots(), |row, val, weight| {
            let weight = multiply_weights(weight, rights.weight(row));
            (self.emit)(rights.key(row), val, rights.val(row), weight, output);
        });
        self.pairs.find(left.slots(), right.slots(), |i, j| {
            let weight = multiply_weights(lefts.weight(i), rights.weight(j));
            (self.emit)(lefts.key(i), lefts.val(i), rights.val(j), weight, output);
        });
        Ok(())
    }
}

/// Calls `each` for every key that two consolidated batches have, with its rows in both.
pub(super) fn both<'a, K: Data, V: Data, W: Data>(
    left: &'a Batch<K, V>,
    right: &'a Batch<K, W>,
    mut each: impl FnMut(K::Ref<'a>, Range<usize>, Range<usize>),
) {
    if left.is_empty() || right.is_empty() {
        return;
    }
    let mut next = 0;
    keys(left, |key, hash, rows| {
        let before = |row: usize| (K::hash(right.key(row)), right.key(row)) < (hash, key);
        while next < right.len() && before(next) {
            next += 1;
        }
        let start = next;
        while next < right.len() && right.key(next) == key {
            next += 1;
        }
        if start < next {
            each(key, rows, start..next);
        }
    });
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    fn join_by<W: Data, O: Brought>(
        &self,
        name: &'static str,
        other: &Stream<C, Batch<K, W>>,
        emit: impl Fn(K::Ref<'_>, V::Ref<'_>, W::Ref<'_>, ZWeight, &mut O) + 'static,
    ) -> Stream<C, O> {
        if C::NESTED {
            let operator = NestedJoin::new(self.graph().clock().clone(), emit);
            return self.shard().restless_binary(name, &other.shard(), operator);
        }
        let (left, right) = (self.shard().arrange(), other.shard().arrange());
        left.share_keys(&right);
        left.binary(name, &right, Join { emit, pairs: Pairs::default() })
    }

    /// Brings a row for each pair of values that this and another stream have under one key.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, zset};
    ///
    /// let (mut circuit, (trades, names, named)) = RootCircuit::build(|circuit| {
    ///     let (trades, trade) = circuit.add_input_indexed_zset::<u32, i64>();
    ///     let (names, name) = circuit.add_input_indexed_zset::<u32, String>();
    ///     let named = trades.join(&names, |_, &price, name| (name.to_string(), price));
    ///     Ok((trade, name, named.output()))
    /// })?;
    /// trades.push(7, 6750, 1);
    /// names.push(7, "ESZ6".to_owned(), 1);
    /// circuit.step()?;
    /// assert_eq!(named.take(), zset! { ("ESZ6".to_owned(), 6750) => 1 });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn join<W: Data, T: Data>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>, &W::Ref<'_>) -> T + 'static,
    ) -> Stream<C, Batch<T>> {
        self.join_by("join", other, move |key, v, w, weight, output: &mut Batch<T>| {
            output.push_item(to(&key, &v, &w), (), weight);
        })
    }

    /// Brings a value under a key for each pair of values that this and another stream have under one key.
    pub fn join_index<W: Data, K2: Data, V2: Data>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>, &W::Ref<'_>) -> (K2, V2) + 'static,
    ) -> Stream<C, Batch<K2, V2>> {
        self.join_by("join_index", other, move |key, v, w, weight, output: &mut Batch<K2, V2>| {
            let (key, val) = to(&key, &v, &w);
            output.push_item(key, val, weight);
        })
    }

    /// Brings any number of rows for each pair of values that this and another stream have under one key.
    pub fn join_flatmap<W: Data, T: Data, I: IntoIterator<Item = T>>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>, &W::Ref<'_>) -> I + 'static,
    ) -> Stream<C, Batch<T>> {
        self.join_by("join_flatmap", other, move |key, v, w, weight, output: &mut Batch<T>| {
            for row in to(&key, &v, &w) {
                output.push_item(row, (), weight);
            }
        })
    }

    /// Keeps the rows whose key another stream has, with positive weight, however often it has it.
    #[must_use]
    pub fn semijoin<W: Data>(&self, other: &Stream<C, Batch<K, W>>) -> Self {
        self.join_by("semijoin", &other.keys_of(), |key, v, (), weight, output: &mut Batch<K, V>| {
            output.push(key, v, weight);
        })
    }

    /// Keeps the rows whose key another stream does not have.
    #[must_use]
    pub fn antijoin<W: Data>(&self, other: &Stream<C, Batch<K, W>>) -> Self {
        self.minus(&self.semijoin(other))
    }

    /// Brings what [`join`](Stream::join) does, and a row for each value whose key the other stream does not have.
    pub fn left_join<W: Data, T: Data>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>, Option<&W::Ref<'_>>) -> T + Clone + 'static,
    ) -> Stream<C, Batch<T>> {
        let alone = to.clone();
        let both = self.join(other, move |key, v, w| to(key, v, Some(w)));
        both.plus(&self.antijoin(other).for_each_value(move |key, v| alone(key, v, None)))
    }

    /// Brings what [`join`](Stream::join) does, and a row for each value of the other stream whose key this one does not
    /// have.
    pub fn right_join<W: Data, T: Data>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        to: impl Fn(&K::Ref<'_>, Option<&V::Ref<'_>>, &W::Ref<'_>) -> T + Clone + 'static,
    ) -> Stream<C, Batch<T>> {
        other.left_join(self, move |key, w, v| to(key, v, w))
    }

    /// Brings what [`join`](Stream::join) does, and a row for each value of either stream whose key the other one does
    /// not have.
    pub fn full_join<W: Data, T: Data>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        to: impl Fn(&K::Ref<'_>, Option<&V::Ref<'_>>, Option<&W::Ref<'_>>) -> T + Clone + 'static,
    ) -> Stream<C, Batch<T>> {
        let alone = to.clone();
        let left = self.left_join(other, move |key, v, w| to(key, Some(v), w));
        left.plus(&other.antijoin(self).for_each_value(move |key, w| alone(key, None, Some(w))))
    }

    fn for_each_value<T: Data>(
        &self,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>) -> T + 'static,
    ) -> Stream<C, Batch<T>> {
        self.linear("map", move |input, output: &mut Batch<T>| {
            for (key, val, weight) in input.get().iter() {
                output.push_item(to(&key, &val), (), weight);
            }
        })
    }

    /// Brings the keys that are there, each once: those that have a value of positive weight.
    #[must_use]
    pub fn keys_of(&self) -> Stream<C, Batch<K>> {
        struct Keys;
        self.graph().once::<Keys, _>(self.id(), || {
            self.distinct()
                .linear("keys", |input, output: &mut Batch<K>| {
                    let (keys, _, weights) = input.take().into_columns();
                    *output = Batch::from_columns(keys, Units::new(weights.len()), weights);
                })
                .distinct()
        })
    }
}
