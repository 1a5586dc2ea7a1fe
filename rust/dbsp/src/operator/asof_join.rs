//! Joins with the latest row at the time.
//!
//! **Law.** For each row *v* of the left group there is the *match* of its time *t*: the last row of the right group whose
//! time is at most *t*; of several of that time, the greatest. Rows of the right group are there while their weight is
//! positive, and count once. The join is linear in the left input, so
//! *Δ = Δa ⋈ b + a⁻ ⋈ b − a⁻ ⋈ b⁻*, where *a⁻*, *b⁻* are what was before the step.
//!
//! ```text
//!   a ──▶ [ by time ] ──▶ [ trace ] ──▶ Δa, a⁻ ─┐ rows that change: their match
//!                                               ├──▶ f(k, v, match)
//!   b ──▶ [ by time ] ──▶ [ trace ] ──▶ Δb, b⁻ ─┘ matches that change: their rows
//! ```
//!
//! | time | Δa | Δb | `a.asof_join(b)` |
//! |---|---|---|---|
//! | 0 | (k, 5) → +1 | (k, 2) → +1, (k, 7) → +1 | (5, 2) → +1 |
//! | 1 | (k, 8) → +1 | | (8, 7) → +1 |
//! | 2 | | (k, 4) → +1 | (5, 2) → −1, (5, 4) → +1 |
//! | 3 | | (k, 7) → −1 | (8, 7) → −1, (8, 4) → +1 |
//!
//! A right row that comes or goes changes the match of the left rows from its time to the time of the next right row.
//! All of them had one match, and have one. Where there are none, as for a right row later than all on the left, one
//! search says so.
//!
//! In a nested scope the rows of both sides are one group, in the order of time and the right ones of a time first; a
//! change of a key walks all of its rows, in each iteration that it bears on.

use std::marker::PhantomData;
use std::ops::Range;

use super::Trace;
use super::nested::{OfGroup, Present};
use super::trace::keys;
use crate::circuit::{Circuit, Incoming, Stream};
use crate::column::{Data, Units};
use crate::error::Error;
use crate::operator::BinaryOperator;
use crate::trace::{Batch, Group};

/// A join, by what it makes of a row and its match.
struct AsofJoin<F>(F);

impl<K, V, W, T, O, F> BinaryOperator<Trace<K, (T, V)>, Trace<K, (T, W)>, Batch<O>> for AsofJoin<F>
where
    K: Data,
    V: Data,
    W: Data,
    T: Data,
    O: Data,
    F: Fn(&K::Ref<'_>, &V::Ref<'_>, Option<&W::Ref<'_>>) -> Option<O> + 'static,
{
    fn eval(
        &mut self,
        left: &Incoming<Trace<K, (T, V)>>,
        right: &Incoming<Trace<K, (T, W)>>,
        output: &mut Batch<O>,
    ) -> Result<(), Error> {
        let (left, right) = (left.get(), right.get());
        let (new_left, new_right) = (left.delta(), right.delta());
        either(new_left, new_right, |key, hash, lefts, rights| {
            if lefts.start < lefts.end {
                let group = right.after(K::shorten(key), hash, rights.clone());
                for row in lefts {
                    let (time, val) = new_left.val(row);
                    let found = until::<T, W>(&group, time);
                    if let Some(joined) = (self.0)(&key, &val, found.as_ref().map(|found| &found.1)) {
                        output.push_item(joined, (), new_left.weight(row));
                    }
                }
            }
            if rights.start < rights.end {
                let group = left.before().group(K::shorten(key), hash);
                if !group.is_empty() {
                    self.rematch(&right, (key, hash), &group, rights, output);
                }
            }
        });
        Ok(())
    }
}

impl<F> AsofJoin<F> {
    /// Brings what follows from changes of one right group for what was on the left.
    fn rematch<K: Data, V: Data, W: Data, T: Data, O: Data>(
        &self,
        right: &Trace<K, (T, W)>,
        (key, hash): (K::Ref<'_>, u64),
        lefts: &Group<'_, (T, V)>,
        changes: Range<usize>,
        output: &mut Batch<O>,
    ) where
        F: Fn(&K::Ref<'_>, &V::Ref<'_>, Option<&W::Ref<'_>>) -> Option<O>,
    {
        let delta = right.delta();
        let before = right.before().group(K::shorten(key), hash);
        let after = right.after(K::shorten(key), hash, changes.clone());
        for row in changes.clone() {
            let change = delta.val(row);
            let mut lefts = lefts.clone();
            lefts.skip_while(|(time, _)| T::shorten(time) < T::shorten(change.0));
            if row + 1 < changes.end {
                let (next, _) = delta.val(row + 1);
                lefts.take_while(|(time, _)| T::shorten(time) < T::shorten(next));
            }
            if lefts.is_empty() {
                continue;
            }
            let mut behind = after.clone();
            behind.skip_while(|val| val <= change);
            if let Some(((next, _), _)) = behind.next_present(false) {
                lefts.take_while(|(time, _)| T::shorten(time) < T::shorten(next));
            }
            let (old, new) = (until::<T, W>(&before, change.0), until::<T, W>(&after, change.0));
            if old == new {
                continue;
            }
            lefts.for_each(|(_, val), weight| {
                for (found, weight) in [(old, -weight), (new, weight)] {
                    if let Some(joined) = (self.0)(&key, &val, found.as_ref().map(|found| &found.1)) {
                        output.push_item(joined, (), weight);
                    }
                }
            });
        }
    }
}

/// A row of either side, by time: of the right, which come first, or of the left.
type Side<T, V, W> = (T, (Option<V>, Option<W>));

/// Each left row with its match, for nested scopes.
struct Matches<F, O>(F, PhantomData<O>);

impl<K, V, W, T, O, F> OfGroup<K, Side<T, V, W>> for Matches<F, O>
where
    K: Data,
    V: Data,
    W: Data,
    T: Data,
    O: Data,
    F: Fn(&K::Ref<'_>, &V::Ref<'_>, Option<&W::Ref<'_>>) -> Option<O> + 'static,
{
    type Output = O;

    fn of(&self, key: K::Ref<'_>, mut rows: Present<'_, Side<T, V, W>>, there: &mut Batch<K, O>) {
        let mut latest = None;
        while let Some(((_, (left, right)), weight)) = rows.next_signed() {
            if let Some(left) = left {
                if let Some(joined) = (self.0)(&key, &left, latest.as_ref()) {
                    there.push(key, joined.borrow(), weight);
                }
            } else if weight > 0 {
                latest = right;
            }
        }
    }
}

/// Returns the last row at or before a time.
fn until<'a, T: Data, W: Data>(
    group: &Group<'a, (T, W)>,
    time: T::Ref<'_>,
) -> Option<(T::Ref<'a>, W::Ref<'a>)> {
    let mut group = group.clone();
    group.take_while(|(other, _)| T::shorten(other) <= T::shorten(time));
    group.next_present(true).map(|(val, _)| val)
}

/// Calls `each` for every key that either of two consolidated batches has, with its rows in both.
fn either<'a, K: Data, V: Data, W: Data>(
    left: &'a Batch<K, V>,
    right: &'a Batch<K, W>,
    mut each: impl FnMut(K::Ref<'a>, u64, Range<usize>, Range<usize>),
) {
    let mut next = 0;
    let group = |start: usize| {
        let end = (start + 1..right.len()).find(|&row| right.key(row) != right.key(start));
        (K::hash(right.key(start)), right.key(start), end.unwrap_or(right.len()))
    };
    keys(left, |key, hash, lefts| {
        while next < right.len() {
            let (other_hash, other, end) = group(next);
            if (other_hash, other) >= (hash, key) {
                break;
            }
            each(other, other_hash, 0..0, next..end);
            next = end;
        }
        let start = next;
        if next < right.len() && right.key(next) == key {
            next = group(next).2;
        }
        each(key, hash, lefts, start..next);
    });
    while next < right.len() {
        let (hash, key, end) = group(next);
        each(key, hash, 0..0, next..end);
        next = end;
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Puts each row's time before it, so that the rows of a key lie in the order of time.
    fn by_time<T: Data>(&self, time: impl Fn(&V::Ref<'_>) -> T + 'static) -> Stream<C, Batch<K, (T, V)>> {
        self.linear("by_time", move |input, output: &mut Batch<K, (T, V)>| {
            let input = input.get();
            output.reserve(input.len());
            for (key, val, weight) in input.iter() {
                output.push(key, (time(&val).borrow(), V::shorten(val)), weight);
            }
        })
    }

    fn asof<W: Data, T: Data, O: Data>(
        &self,
        name: &'static str,
        other: &Stream<C, Batch<K, W>>,
        time: impl Fn(&V::Ref<'_>) -> T + 'static,
        other_time: impl Fn(&W::Ref<'_>) -> T + 'static,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>, Option<&W::Ref<'_>>) -> Option<O> + 'static,
    ) -> Stream<C, Batch<O>> {
        let (left, right) = (self.by_time(time), other.by_time(other_time));
        if C::NESTED {
            let left = left.map_rows(|key, (time, val), weight, output: &mut Batch<K, Side<T, V, W>>| {
                output.push(key, (time, (Some(val), None)), weight);
            });
            let right = right.map_rows(|key, (time, val), weight, output: &mut Batch<K, Side<T, V, W>>| {
                output.push(key, (time, (None, Some(val))), weight);
            });
            return left.plus(&right).nested_groups(name, Matches(to, PhantomData)).linear(
                "values",
                |input, output: &mut Batch<O>| {
                    let (_, vals, weights) = input.take().into_columns();
                    *output = Batch::from_columns(vals, Units::new(weights.len()), weights);
                },
            );
        }
        left.shard().trace().binary(name, &right.shard().trace(), AsofJoin(to))
    }

    /// Brings a row for each value of this stream and the latest value of another that has the same key and is not later,
    /// where there is one.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, zset};
    ///
    /// let (mut circuit, (trades, quotes, quoted)) = RootCircuit::build(|circuit| {
    ///     let (trades, trade) = circuit.add_input_indexed_zset::<String, (u64, i64)>();
    ///     let (quotes, quote) = circuit.add_input_indexed_zset::<String, (u64, i64)>();
    ///     let quoted = trades.asof_join(&quotes, |trade| trade.0, |quote| quote.0, |_, &(_, price), &(_, ask)| (price, ask));
    ///     Ok((trade, quote, quoted.output()))
    /// })?;
    /// quotes.extend([(10, 6750), (20, 6752)].map(|quote| ("ESZ6".to_owned(), quote, 1)));
    /// trades.push("ESZ6".to_owned(), (15, 6751), 1);
    /// circuit.step()?;
    /// assert_eq!(quoted.take(), zset! { (6751, 6750) => 1 });
    /// quotes.push("ESZ6".to_owned(), (14, 6751), 1); // late
    /// circuit.step()?;
    /// assert_eq!(quoted.take(), zset! { (6751, 6750) => -1, (6751, 6751) => 1 });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn asof_join<W: Data, T: Data, O: Data>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        time: impl Fn(&V::Ref<'_>) -> T + 'static,
        other_time: impl Fn(&W::Ref<'_>) -> T + 'static,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>, &W::Ref<'_>) -> O + 'static,
    ) -> Stream<C, Batch<O>> {
        self.asof("asof_join", other, time, other_time, move |key, val, found| {
            found.map(|found| to(key, val, found))
        })
    }

    /// Brings what [`asof_join`](Stream::asof_join) does, and a row for each value that no value of the other stream comes
    /// before.
    pub fn left_asof_join<W: Data, T: Data, O: Data>(
        &self,
        other: &Stream<C, Batch<K, W>>,
        time: impl Fn(&V::Ref<'_>) -> T + 'static,
        other_time: impl Fn(&W::Ref<'_>) -> T + 'static,
        to: impl Fn(&K::Ref<'_>, &V::Ref<'_>, Option<&W::Ref<'_>>) -> O + 'static,
    ) -> Stream<C, Batch<O>> {
        self.asof("left_asof_join", other, time, other_time, move |key, val, found| Some(to(key, val, found)))
    }
}
