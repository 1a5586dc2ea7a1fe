//! The first rows of each group, and the numbers of rows by their place.
//!
//! **Law.** *topk(a)[k]* is the first *k* rows of the group; of a value that comes more often than there is room for, as
//! many as there is room for. A row's *row number* is its place from 1; its *rank* is the row number of the first of those
//! that are the same in rank; its *dense rank* counts ranks without gaps.
//!
//! ```text
//!   Δ ──▶ [ trace ] ──▶ before: first k ─┐
//!                 └───▶ after:  first k ─┴──▶ after − before
//! ```
//!
//! | time | Δ | `topk_asc(2)` |
//! |---|---|---|
//! | 0 | (a, 2) → +1, (a, 5) → +1, (a, 7) → +1 | (a, 2) → +1, (a, 5) → +1 |
//! | 1 | (a, 9) → +1 | |
//! | 2 | (a, 3) → +1 | (a, 3) → +1, (a, 5) → −1 |
//! | 3 | (a, 2) → −1 | (a, 2) → −1, (a, 5) → +1 |
//!
//! Of a group that is longer than its list, the *edge* of the list is remembered: what changes behind it costs no search.
//! What changes before it costs a walk along the list, not along the group. Numbers without a limit do walk the group: an
//! insertion changes those of all rows behind it.

use std::marker::PhantomData;
use std::ops::Range;

use super::{List, difference, order, push};
use crate::algebra::ZWeight;
use crate::circuit::{Circuit, Incoming, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::nested::{OfGroup, Present};
use crate::operator::trace::keys;
use crate::operator::{KeyIndex, Trace, UnaryOperator};
use crate::trace::Batch;

/// What a row's number is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    /// None: rows are not told apart by their place.
    None,
    Row,
    Rank,
    Dense,
}

/// Which rows of a group are listed, and how.
struct Ranking<S, E> {
    number: Number,
    most: i64,
    descending: bool,
    /// Whether two neighbours have one rank.
    same: S,
    emit: E,
}

struct Ranked<K: Data, V: Data, S, E> {
    ranking: Ranking<S, E>,
    /// Groups whose list does not hold all.
    keys: KeyIndex<K>,
    edges: Vec<V>,
}

impl<K, V, O, S, E> UnaryOperator<Trace<K, V>, Batch<K, O>> for Ranked<K, V, S, E>
where
    K: Data,
    V: Data,
    O: Data,
    S: Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
    E: Fn(K::Ref<'_>, V::Ref<'_>, i64, ZWeight, &mut Batch<K, O>) + 'static,
{
    fn eval(&mut self, trace: &Incoming<Trace<K, V>>, output: &mut Batch<K, O>) -> Result<(), Error> {
        let trace = trace.get();
        let ranking = &self.ranking;
        let (mut old, mut new) = (List::new(), List::new());
        keys(trace.delta(), |key, hash, rows| {
            let slot = self.keys.find(key, hash);
            if slot.is_some_and(|slot| ranking.is_behind(self.edges[slot].borrow(), trace.delta(), &rows)) {
                return;
            }
            let mut before = trace.before().group(key, hash);
            ranking.list(|| before.next_present(ranking.descending), &mut old);
            let mut after = trace.after(key, hash, rows);
            let edge = ranking.list(|| after.next_present(ranking.descending), &mut new);
            difference(
                &old,
                &new,
                |a, b| order(&a.0, &b.0, ranking.descending).then(a.1.cmp(&b.1)),
                |(val, number), weight| (ranking.emit)(key, val, number, weight, output),
            );
            match (slot, edge.map(V::owned)) {
                (Some(slot), Some(edge)) => self.edges[slot] = edge,
                (Some(slot), None) => self.keys.remove(slot, hash),
                (None, Some(edge)) => {
                    self.keys.slot(key, hash, || self.edges.push(edge));
                }
                (None, None) => {}
            }
        });
        if let Some(kept) = self.keys.compact() {
            self.edges = kept.into_iter().map(|slot| self.edges[slot as usize].clone()).collect();
        }
        Ok(())
    }
    fn state(&self) -> State {
        State { rows: self.keys.len(), bytes: self.keys.bytes() + size_of_val(self.edges.as_slice()) }
    }
}

impl<S, E> Ranking<S, E> {
    /// Returns whether all rows of a change lie behind the edge of a list, where they do not matter.
    fn is_behind<K: Data, V: Data>(
        &self,
        edge: V::Ref<'_>,
        delta: &Batch<K, V>,
        rows: &Range<usize>,
    ) -> bool {
        let first = if self.descending { rows.end - 1 } else { rows.start };
        let place = order(&V::shorten(delta.val(first)), &V::shorten(edge), self.descending);
        // Of ranks the edge is the first value that is not listed, of rows the last that is.
        if matches!(self.number, Number::Rank | Number::Dense) { place.is_ge() } else { place.is_gt() }
    }

    /// Lists, of a group that `next` reads in order, the rows whose number is not too great; returns the edge of the list
    /// unless all were listed.
    fn list<R: Copy + PartialEq>(
        &self,
        mut next: impl FnMut() -> Option<(R, ZWeight)>,
        list: &mut List<(R, i64)>,
    ) -> Option<R>
    where
        S: Fn(&R, &R) -> bool,
    {
        list.clear();
        let (mut seen, mut rank, mut last) = (0, 0, None);
        while let Some((val, weight)) = next() {
            match self.number {
                Number::None => push(list, (val, 0), weight.min(self.most - seen)),
                Number::Row => {
                    let end = seen.saturating_add(weight).min(self.most);
                    list.extend((seen + 1..=end).map(|number| ((val, number), 1)));
                }
                Number::Rank | Number::Dense => {
                    if last.is_none_or(|last| !(self.same)(&last, &val)) {
                        rank = if self.number == Number::Rank { seen + 1 } else { rank + 1 };
                    }
                    if rank > self.most {
                        return Some(val);
                    }
                    list.push(((val, rank), weight));
                }
            }
            seen = seen.saturating_add(weight);
            if seen >= self.most && matches!(self.number, Number::None | Number::Row) {
                return Some(val);
            }
            last = Some(val);
        }
        None
    }
}

/// The rows of a group that are listed, for nested scopes; `O` is what is brought of each.
struct Listed<S, E, O>(Ranking<S, E>, PhantomData<O>);

impl<K, V, O, S, E> OfGroup<K, V> for Listed<S, E, O>
where
    K: Data,
    V: Data,
    O: Data,
    S: Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
    E: Fn(K::Ref<'_>, V::Ref<'_>, i64, ZWeight, &mut Batch<K, O>) + 'static,
{
    type Output = O;

    fn of(&self, key: K::Ref<'_>, mut rows: Present<'_, V>, there: &mut Batch<K, O>) {
        let mut list = List::new();
        self.0.list(|| rows.next(self.0.descending), &mut list);
        for ((val, number), weight) in list {
            (self.0.emit)(key, val, number, weight, there);
        }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    fn ranked<O: Data>(
        &self,
        name: &'static str,
        (number, most, descending): (Number, i64, bool),
        same: impl Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
        emit: impl Fn(K::Ref<'_>, V::Ref<'_>, i64, ZWeight, &mut Batch<K, O>) + 'static,
    ) -> Stream<C, Batch<K, O>> {
        let ranking = Ranking { number, most, descending, same, emit };
        if C::NESTED {
            return self.nested_groups(name, Listed(ranking, PhantomData));
        }
        let (keys, edges) = (KeyIndex::<K>::default(), Vec::<V>::new());
        self.shard().trace().unary(name, Ranked { ranking, keys, edges })
    }

    fn first(&self, name: &'static str, rows: usize, descending: bool) -> Self {
        let rows = limit(rows);
        if rows == 0 {
            return self.filter(|_| false);
        }
        self.ranked(
            name,
            (Number::None, rows, descending),
            |_, _| false,
            |key, val, _, weight, output| {
                output.push(key, val, weight);
            },
        )
    }

    fn numbered<O: Data>(
        &self,
        name: &'static str,
        number: Number,
        most: usize,
        same: impl Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
        to: impl Fn(i64, &V::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        assert!(most > 0, "{name} of no rows");
        self.ranked(name, (number, limit(most), false), same, move |key, val, number, weight, output| {
            output.push(key, to(number, &val).borrow(), weight);
        })
    }

    /// Keeps the `k` least rows of each key.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let (mut circuit, (asks, best)) = RootCircuit::build(|circuit| {
    ///     let (asks, handle) = circuit.add_input_indexed_zset::<String, (i64, u32)>();
    ///     Ok((handle, asks.topk_asc(2).output()))
    /// })?;
    /// asks.extend([(6756, 1), (6752, 2), (6751, 3)].map(|ask| ("ESZ6".to_owned(), ask, 1)));
    /// circuit.step()?;
    /// assert_eq!(best.take(), indexed_zset! { "ESZ6".to_owned() => { (6751, 3) => 1, (6752, 2) => 1 } });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    #[must_use]
    pub fn topk_asc(&self, k: usize) -> Self {
        self.first("topk_asc", k, false)
    }

    /// Keeps the `k` greatest rows of each key.
    #[must_use]
    pub fn topk_desc(&self, k: usize) -> Self {
        self.first("topk_desc", k, true)
    }

    /// Keeps the `k` rows of each key that come first by `order`, and by their own order where that is the same.
    /// [`Reverse`](std::cmp::Reverse) in it makes a part of it descend.
    pub fn topk_custom_order<O: Data>(&self, k: usize, order: impl Fn(&V::Ref<'_>) -> O + 'static) -> Self {
        let by_order = self.linear("by_order", move |input, output: &mut Batch<K, (O, V)>| {
            for (key, val, weight) in input.get().iter() {
                output.push(key, (order(&val).borrow(), V::shorten(val)), weight);
            }
        });
        by_order.topk_asc(k).linear("values", |input, output: &mut Batch<K, V>| {
            let (keys, pairs, weights) = input.take().into_columns();
            *output = Batch::from_columns(keys, pairs.1, weights);
        })
    }

    /// Brings `to` of the rank and the value of each row whose rank is at most `k`; `same` says whether two neighbours
    /// in the order of values have one rank.
    ///
    /// # Panics
    ///
    /// If `k` is 0, as its kin do.
    pub fn topk_rank<O: Data>(
        &self,
        k: usize,
        same: impl Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
        to: impl Fn(i64, &V::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        self.numbered("topk_rank", Number::Rank, k, same, to)
    }

    /// Brings `to` of the dense rank and the value of each row whose dense rank is at most `k`, as
    /// [`topk_rank`](Stream::topk_rank) does.
    pub fn topk_dense_rank<O: Data>(
        &self,
        k: usize,
        same: impl Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
        to: impl Fn(i64, &V::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        self.numbered("topk_dense_rank", Number::Dense, k, same, to)
    }

    /// Brings `to` of the place, from 1, and the value of the first `k` rows of each key.
    pub fn topk_row_number<O: Data>(
        &self,
        k: usize,
        to: impl Fn(i64, &V::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        self.numbered("topk_row_number", Number::Row, k, |_, _| false, to)
    }

    /// Brings `to` of the rank and the value of each row. A change walks its group.
    pub fn rank<O: Data>(
        &self,
        same: impl Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
        to: impl Fn(i64, &V::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        self.numbered("rank", Number::Rank, usize::MAX, same, to)
    }

    /// Brings `to` of the dense rank and the value of each row. A change walks its group.
    pub fn dense_rank<O: Data>(
        &self,
        same: impl Fn(&V::Ref<'_>, &V::Ref<'_>) -> bool + 'static,
        to: impl Fn(i64, &V::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        self.numbered("dense_rank", Number::Dense, usize::MAX, same, to)
    }

    /// Brings `to` of the place, from 1, and the value of each row. A change walks its group.
    pub fn row_number<O: Data>(
        &self,
        to: impl Fn(i64, &V::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<K, O>> {
        self.numbered("row_number", Number::Row, usize::MAX, |_, _| false, to)
    }
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
