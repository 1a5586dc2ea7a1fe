//! Rolling aggregates in a nested scope.
//!
//! **Law.** Those of [`rolling`](super::rolling), [`rolling_linear`](super::rolling_linear) and
//! [`rolling_rows`](super::rolling_rows), in each iteration: of the rows that came in it and before. Waterlines belong to
//! the clock of the root, and are not in there.
//!
//! ```text
//!   Δ ──▶ [ rows of a partition up to the iteration ] ──▶ each time with its range ──▶ what is missing
//! ```
//!
//! | step, iteration | Δ | greatest price in [t − 2, t] |
//! |---|---|---|
//! | 0, 0 | (p, (1, 30)) → +1 | (p, (1, 30)) → +1 |
//! | 0, 2 | (p, (3, 20)) → +1 | (p, (3, 30)) → +1 |
//! | 1, 1 | (p, (1, 30)) → −1 | (p, (1, 30)) → −1 |
//! | 1, 2 | | (p, (3, 30)) → −1, (p, (3, 20)) → +1 |
//!
//! A change of a partition makes all of it anew, in each iteration that it bears on: a cost of its rows, times those in a
//! range.

use std::marker::PhantomData;

use super::rolling_rows::RollingRows;
use super::{EventTime, RelRange};
use crate::algebra::{LinearValue, ZWeight, add_weights};
use crate::column::Data;
use crate::operator::Aggregator;
use crate::operator::nested::{OfGroup, Present};
use crate::trace::Batch;

/// Returns those entries of a list in the order of time whose time is in the range of a time.
fn in_range<T: EventTime, E>(all: &[E], range: RelRange, time: T, time_of: impl Fn(&E) -> T) -> &[E] {
    range.of(time).map_or(&[], |(from, to)| {
        let start = all.partition_point(|entry| time_of(entry) < from);
        &all[start..start + all[start..].partition_point(|entry| time_of(entry) <= to)]
    })
}

/// An aggregate of each time's range.
pub(super) struct OfRange<A> {
    pub(super) aggregator: A,
    pub(super) range: RelRange,
}

impl<P: Data, T: EventTime, V: Data, A: Aggregator<V>> OfGroup<P, (T, V)> for OfRange<A> {
    type Output = (T, A::Output);

    fn of(&self, key: P::Ref<'_>, mut rows: Present<'_, (T, V)>, there: &mut Batch<P, Self::Output>) {
        let all: Vec<_> = std::iter::from_fn(|| rows.next(false)).collect();
        for at_once in all.chunk_by(|a, b| a.0.0 == b.0.0) {
            let time = at_once[0].0.0;
            let window = in_range(&all, self.range, time, |row| row.0.0);
            let result =
                self.aggregator.of(&|each| window.iter().for_each(|row| each(V::shorten(row.0.1), row.1)));
            if let Some(result) = result {
                there.push(key, (time, result.borrow()), 1);
            }
        }
    }
}

/// A sum over each time's range.
pub(super) struct SumOfRange<A, O, G, F> {
    range: RelRange,
    value: G,
    finish: F,
    of: PhantomData<(A, O)>,
}

impl<A, O, G, F> SumOfRange<A, O, G, F> {
    pub(super) fn new(value: G, finish: F, range: RelRange) -> Self {
        Self { range, value, finish, of: PhantomData }
    }
}

impl<P, T, V, A, O, G, F> OfGroup<P, (T, V)> for SumOfRange<A, O, G, F>
where
    P: Data,
    T: EventTime,
    V: Data,
    A: LinearValue + 'static,
    O: Data,
    G: Fn(&V::Ref<'_>) -> A + 'static,
    F: Fn(&A) -> O + 'static,
{
    type Output = (T, O);

    fn of(&self, key: P::Ref<'_>, mut rows: Present<'_, (T, V)>, there: &mut Batch<P, Self::Output>) {
        // Of each time the sum and the number of its rows.
        let mut all: Vec<(T, A, ZWeight)> = Vec::new();
        while let Some(((time, val), weight)) = rows.next_signed() {
            if all.last().is_none_or(|last| last.0 != time) {
                all.push((time, A::zero(), 0));
            }
            if let Some((_, sum, rows)) = all.last_mut() {
                sum.add_assign_by_ref(&(self.value)(&val).mul_by_ref(&weight));
                *rows = add_weights(*rows, weight);
            }
        }
        all.retain(|(_, sum, rows)| *rows != 0 || !sum.is_zero());
        for &(time, ..) in &all {
            let mut sum = A::zero();
            let window = in_range(&all, self.range, time, |row| row.0);
            window.iter().for_each(|row| sum.add_assign_by_ref(&row.1));
            there.push(key, (time, (self.finish)(&sum).borrow()), 1);
        }
    }
}

/// An aggregate of the rows around each row.
pub(super) struct OfRows<A>(pub(super) RollingRows<A>);

impl<K: Data, V: Data, A: Aggregator<V>> OfGroup<K, V> for OfRows<A> {
    type Output = (V, A::Output);

    fn of(&self, key: K::Ref<'_>, mut rows: Present<'_, V>, there: &mut Batch<K, Self::Output>) {
        let mut list = Vec::new();
        while let Some((val, weight)) = rows.next(false) {
            list.extend((0..weight).map(|_| val));
        }
        for (val, result) in self.0.list::<V>(&list, 0, 0) {
            if let Some(result) = result {
                there.push(key, (V::shorten(val), result.borrow()), 1);
            }
        }
    }
}
