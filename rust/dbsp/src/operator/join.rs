//! Joins.
//!
//! **Law.** *a ⋈ b* is bilinear, so *Δ(a ⋈ b) = Δa ⋈ b⁻ + a⁻ ⋈ Δb + Δa ⋈ Δb*, where *a⁻*, *b⁻* are what was before the
//! step (Budiu et al., theorem 3.4). State is the traces of both inputs, which other operators on them share.
//!
//! ```text
//!   a ──▶ [ trace ] ──▶ Δa, a⁻ ─┐
//!                               ├──▶ [ ⋈ ] ──▶ f(k, v, w), weights multiplied
//!   b ──▶ [ trace ] ──▶ Δb, b⁻ ─┘
//! ```
//!
//! | time | Δa | Δb | `a.join(b)` |
//! |---|---|---|---|
//! | 0 | (k, 1) → +1 | | |
//! | 1 | | (k, x) → +2 | (1, x) → +2 |
//! | 2 | (k, 1) → −1, (k, 3) → +1 | (k, y) → +1 | (1, x) → −2, (3, x) → +2, (3, y) → +1 |

use std::ops::Range;

use smallvec::SmallVec;

use super::nested::NestedJoin;
use super::trace::keys;
use super::{BLOCK, Trace};
use crate::algebra::{ZWeight, multiply_weights};
use crate::circuit::{Circuit, Incoming, Stream};
use crate::column::{Data, Units};
use crate::error::Error;
use crate::operator::BinaryOperator;
use crate::operator::wiring::Brought;
use crate::trace::{Batch, Run};

/// A join, by what it makes of each pair of rows of one key.
struct Join<E> {
    emit: E,
    keys: Keys,
}

/// The different keys of a consolidated batch: the hash and the rows of each.
#[derive(Debug, Default)]
struct Keys(Vec<(u64, Range<u32>)>);

impl Keys {
    fn list<K: Data, V: Data>(&mut self, batch: &Batch<K, V>) {
        let number = |row| u32::try_from(row).expect("a batch has fewer than 2^32 rows");
        self.0.clear();
        keys(batch, |_, hash, rows| self.0.push((hash, number(rows.start)..number(rows.end))));
    }

    /// Calls `each` for every key that a run has too, with its rows in the batch and in the run.
    fn find<K: Data, V: Data, W: Data>(
        &self,
        run: &Run<K, W>,
        batch: &Batch<K, V>,
        mut each: impl FnMut(K::Ref<'_>, Range<usize>, Range<usize>),
    ) {
        let mut groups = SmallVec::new();
        for block in self.0.chunks(BLOCK) {
            let key = |rows: &Range<u32>| batch.key(rows.start as usize);
            run.groups(block.iter().map(|(hash, rows)| (key(rows), *hash)), &mut groups);
            for ((_, rows), found) in block.iter().zip(&groups) {
                if !found.is_empty() {
                    each(key(rows), rows.start as usize..rows.end as usize, found.clone());
                }
            }
        }
    }
}

impl<K, V, W, O, E> BinaryOperator<Trace<K, V>, Trace<K, W>, O> for Join<E>
where
    K: Data,
    V: Data,
    W: Data,
    O: Brought,
    E: Fn(K::Ref<'_>, V::Ref<'_>, W::Ref<'_>, ZWeight, &mut O) + 'static,
{
    fn eval(
        &mut self,
        left: &Incoming<Trace<K, V>>,
        right: &Incoming<Trace<K, W>>,
        output: &mut O,
    ) -> Result<(), Error> {
        let (left, right) = (left.get(), right.get());
        let (new_left, new_right) = (left.delta(), right.delta());
        let mut emit = |key: K::Ref<'_>, (a, i): (&Batch<K, V>, usize), (b, j): (&Batch<K, W>, usize)| {
            let weight = multiply_weights(a.weight(i), b.weight(j));
            (self.emit)(key, a.val(i), b.val(j), weight, output);
        };
        self.keys.list(new_left);
        for run in right.before().runs() {
            self.keys.find(run, new_left, |key, rows, found| {
                for i in rows {
                    found.clone().for_each(|j| emit(key, (new_left, i), (run.rows(), j)));
                }
            });
        }
        self.keys.list(new_right);
        for run in left.before().runs() {
            self.keys.find(run, new_right, |key, rows, found| {
                for i in found {
                    rows.clone().for_each(|j| emit(key, (run.rows(), i), (new_right, j)));
                }
            });
        }
        both(new_left, new_right, |key, lefts, rights| {
            for i in lefts {
                rights.clone().for_each(|j| emit(key, (new_left, i), (new_right, j)));
            }
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
        let (left, right) = (self.shard().trace(), other.shard().trace());
        left.binary(name, &right, Join { emit, keys: Keys::default() })
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
