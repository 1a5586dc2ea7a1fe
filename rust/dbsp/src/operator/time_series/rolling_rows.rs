//! Rolling aggregates: of so many rows around each row of its group.
//!
//! **Law.** *rolling(a)[k]* has, for each row *v* of the group, *(v, f(w))*, where *w* is the row, the *n* rows before it
//! and the *m* rows after it in the order of values, as far as there are so many. A value of weight *w* > 0 is *w* rows,
//! and one of negative weight none.
//!
//! ```text
//!   Δ ──▶ [ trace ] ──▶ before ─┐ from each change: n + m rows back, and on
//!                 └───▶ after  ─┴ until n + m rows have not changed ──▶ after − before
//! ```
//!
//! | time | Δ | sum of the row and the one before it |
//! |---|---|---|
//! | 0 | (a, 2) → +1, (a, 7) → +1 | (a, (2, 2)) → +1, (a, (7, 9)) → +1 |
//! | 1 | (a, 5) → +1 | (a, (7, 9)) → −1, (a, (5, 7)) → +1, (a, (7, 12)) → +1 |
//!
//! Only the *m* rows before a change and the *n* rows after it are affected; each of them walks its *n + m + 1* rows.

use super::nested::OfRows;
use crate::algebra::ZWeight;
use crate::circuit::{Circuit, Incoming, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::trace::keys;
use crate::operator::{Aggregator, Trace, UnaryOperator};
use crate::trace::{Batch, Group};

pub(super) struct RollingRows<A> {
    before: usize,
    after: usize,
    aggregator: A,
}

/// A group as it was or as it is, from a row on.
struct Side<'a, V: Data> {
    group: Group<'a, V>,
    next: Option<(V::Ref<'a>, ZWeight)>,
    /// The rows around a change, and which of them are affected.
    rows: Vec<V::Ref<'a>>,
}

impl<'a, V: Data> Side<'a, V> {
    fn at(whole: &Group<'a, V>, from: V::Ref<'a>, rows: Vec<V::Ref<'a>>) -> Self {
        let mut group = whole.clone();
        group.skip_while(|val| val < from);
        let next = group.next_present(false);
        Self { group, next, rows }
    }

    /// Passes a value, if it is the next, and up to `most` of its rows.
    fn pass(&mut self, val: V::Ref<'a>, most: usize) {
        if let Some((next, weight)) = self.next
            && next == val
        {
            self.next = self.group.next_present(false);
            self.rows.extend(std::iter::repeat_n(val, count(weight).min(most)));
        }
    }
}

/// Returns the number of rows of a positive weight.
fn count(weight: ZWeight) -> usize {
    usize::try_from(weight).unwrap_or(0)
}

impl<A> RollingRows<A> {
    /// Calls `each` with the rows around some changes of one group, as they were and as they are, how many come before the
    /// first change, and how many at the end have not changed and are not affected.
    fn zones<'a, V: Data>(
        &self,
        changes: &[V::Ref<'a>],
        (before, after): (&Group<'a, V>, &Group<'a, V>),
        mut each: impl FnMut(&[V::Ref<'a>], &[V::Ref<'a>], usize, usize),
    ) {
        let reach = self.before + self.after;
        let mut left = changes;
        while let Some(&start) = left.first() {
            let context = self.back(before, start);
            let first = context.len();
            let (mut was, mut is) =
                (Side::at(before, start, context.clone()), Side::at(after, start, context));
            let mut unchanged = 0;
            let mut spare = self.after;
            loop {
                let val = match (was.next, is.next) {
                    (Some((a, _)), Some((b, _))) => a.min(b),
                    (Some((val, _)), None) | (None, Some((val, _))) => val,
                    (None, None) => {
                        // The end of the group: nothing is left, or it has negative weight, and had.
                        (spare, left) = (0, &[]);
                        break;
                    }
                };
                while left.first().is_some_and(|change| *change < val) {
                    left = &left[1..];
                }
                let most = if left.first() == Some(&val) {
                    left = &left[1..];
                    unchanged = 0;
                    usize::MAX
                } else {
                    let most = reach - unchanged;
                    unchanged += was.next.map_or(0, |next| count(next.1)).min(most);
                    most
                };
                was.pass(val, most);
                is.pass(val, most);
                if unchanged == reach {
                    break;
                }
            }
            each(&was.rows, &is.rows, first, spare);
        }
    }

    /// Returns the rows before `start`, as many as matter, in order. Nothing has changed among them.
    fn back<'a, V: Data>(&self, group: &Group<'a, V>, start: V::Ref<'a>) -> Vec<V::Ref<'a>> {
        let mut group = group.clone();
        group.take_while(|val| val < start);
        let mut rows = Vec::new();
        while rows.len() < self.before + self.after
            && let Some((val, weight)) = group.next_present(true)
        {
            let more = count(weight).min(self.before + self.after - rows.len());
            rows.extend(std::iter::repeat_n(val, more));
        }
        rows.reverse();
        rows
    }

    /// Lists the affected rows and their aggregates.
    pub(super) fn list<'a, V: Data>(
        &self,
        rows: &[V::Ref<'a>],
        first: usize,
        spare: usize,
    ) -> Vec<(V::Ref<'a>, Option<A::Output>)>
    where
        A: Aggregator<V>,
    {
        let affected = first.saturating_sub(self.after)..rows.len().saturating_sub(spare);
        let list = affected.map(|row| {
            let window = &rows[row.saturating_sub(self.before)..rows.len().min(row + self.after + 1)];
            (rows[row], self.aggregator.of(&|each| window.iter().for_each(|val| each(V::shorten(*val), 1))))
        });
        list.collect()
    }
}

impl<K: Data, V: Data, A: Aggregator<V>> UnaryOperator<Trace<K, V>, Batch<K, (V, A::Output)>>
    for RollingRows<A>
{
    fn eval(
        &mut self,
        trace: &Incoming<Trace<K, V>>,
        output: &mut Batch<K, (V, A::Output)>,
    ) -> Result<(), Error> {
        let trace = trace.get();
        let delta = trace.delta();
        let mut changes = Vec::new();
        keys(delta, |key, hash, rows| {
            changes.clear();
            changes.extend(rows.clone().map(|row| delta.val(row)));
            let (before, after) = (trace.before().group(key, hash), trace.after(key, hash, rows));
            self.zones(&changes, (&before, &after), |was, is, first, spare| {
                let (old, new) = (self.list(was, first, spare), self.list(is, first, spare));
                let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
                let (old, new) = (&old[same..], &new[same..]);
                let same = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
                for (rows, weight) in [(&old[..old.len() - same], -1), (&new[..new.len() - same], 1)] {
                    for (val, result) in rows {
                        if let Some(result) = result {
                            output.push(key, (V::shorten(*val), result.borrow()), weight);
                        }
                    }
                }
            });
        });
        Ok(())
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Brings each row with an aggregate of itself, so many rows before it and so many after it in the order of its key's
    /// values.
    pub fn rolling_aggregate_rows<A: Aggregator<V>>(
        &self,
        before: usize,
        after: usize,
        aggregator: A,
    ) -> Stream<C, Batch<K, (V, A::Output)>> {
        let rolling = RollingRows { before, after, aggregator };
        if C::NESTED {
            return self.nested_groups("rolling_rows", OfRows(rolling));
        }
        self.shard().trace().unary("rolling_rows", rolling)
    }
}
