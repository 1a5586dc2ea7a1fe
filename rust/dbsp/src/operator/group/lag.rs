//! Each row with one that is so many places before it, or after it.
//!
//! **Law.** *lag(a, n)[k]* has, for each row *v* of the group, *(v, f(u))*, where *u* is the row *n* places before *v* in
//! the order of values, or nothing where there is none; `lead` looks the other way.
//!
//! ```text
//!   Δ ──▶ [ trace ] ──▶ before ─┐ from each change: n rows back, and on
//!                 └───▶ after  ─┴ until n rows have not changed ──▶ after − before
//! ```
//!
//! | time | Δ | `lag(1, f)` |
//! |---|---|---|
//! | 0 | (a, 2) → +1, (a, 7) → +1 | (a, (2, f())) → +1, (a, (7, f(2))) → +1 |
//! | 1 | (a, 5) → +1 | (a, (7, f(2))) → −1, (a, (5, f(2))) → +1, (a, (7, f(5))) → +1 |
//!
//! A row is affected only if there is a change among the *n* rows before it. So each change is the start of a short walk
//! over both what was and what is, in step; where changes lie close, one walk passes them all.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::marker::PhantomData;

use super::{List, difference, order, push};
use crate::algebra::ZWeight;
use crate::circuit::{Circuit, Incoming, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::nested::{OfGroup, Present};
use crate::operator::trace::keys;
use crate::operator::{Trace, UnaryOperator};
use crate::trace::{Batch, Group};

struct Lag<P> {
    offset: usize,
    /// Whether the walk goes from the greatest value down, so that what it has behind it comes after in the order.
    descending: bool,
    project: P,
}

/// A row, and the one that it looks at.
type Pair<'a, V> = (<V as Data>::Ref<'a>, Option<<V as Data>::Ref<'a>>);

/// A group as it was or as it is, on a walk.
struct Side<'a, V: Data> {
    group: Group<'a, V>,
    next: Option<(V::Ref<'a>, ZWeight)>,
    /// The rows just passed, as many as matter.
    passed: VecDeque<V::Ref<'a>>,
}

impl<'a, V: Data> Side<'a, V> {
    /// Starts at `from`, with what lies before it.
    fn at(whole: &Group<'a, V>, from: V::Ref<'a>, passed: VecDeque<V::Ref<'a>>, descending: bool) -> Self {
        let mut group = whole.clone();
        if descending {
            group.take_while(|val| val <= from);
        } else {
            group.skip_while(|val| val < from);
        }
        let next = group.next_present(descending);
        Self { group, next, passed }
    }

    /// Passes a value, if it is the next; lists up to `most` of its rows.
    fn pass(
        &mut self,
        val: V::Ref<'a>,
        offset: usize,
        most: usize,
        descending: bool,
        list: &mut List<Pair<'a, V>>,
    ) {
        let Some((next, weight)) = self.next else { return };
        if next != val {
            return;
        }
        self.next = self.group.next_present(descending);
        pair(&mut self.passed, val, count(weight).min(most), offset, list);
    }
}

/// Lists so many rows of a value, each with the one that lies `offset` places before it.
fn pair<R: Copy + PartialEq>(
    passed: &mut VecDeque<R>,
    val: R,
    rows: usize,
    offset: usize,
    list: &mut List<(R, Option<R>)>,
) {
    for _ in 0..rows.min(offset) {
        let source = if passed.len() == offset { passed.pop_front() } else { None };
        passed.push_back(val);
        push(list, (val, source), 1);
    }
    if rows > offset {
        push(list, (val, Some(val)), (rows - offset) as ZWeight);
    }
}

impl<P> Lag<P> {
    /// Lists what may differ in one group, whose changes come in the order of the walk.
    fn walk<'a, V: Data>(
        &self,
        changes: &[V::Ref<'a>],
        (before, after): (&Group<'a, V>, &Group<'a, V>),
        (old, new): (&mut List<Pair<'a, V>>, &mut List<Pair<'a, V>>),
    ) {
        let mut left = changes;
        while let Some(&start) = left.first() {
            let passed = self.back(before, start);
            let mut was = Side::at(before, start, passed.clone(), self.descending);
            let mut is = Side::at(after, start, passed, self.descending);
            let mut unchanged = 0;
            loop {
                let val = match (was.next, is.next) {
                    (Some((a, _)), Some((b, _))) if order(&a, &b, self.descending).is_gt() => b,
                    (Some((val, _)), _) | (None, Some((val, _))) => val,
                    // What is left has negative weight, and had.
                    (None, None) => return,
                };
                while left.first().is_some_and(|change| order(change, &val, self.descending).is_lt()) {
                    left = &left[1..];
                }
                let most = if left.first() == Some(&val) {
                    left = &left[1..];
                    unchanged = 0;
                    usize::MAX
                } else {
                    let most = self.offset - unchanged;
                    unchanged += was.next.map_or(0, |next| count(next.1)).min(most);
                    most
                };
                was.pass(val, self.offset, most, self.descending, old);
                is.pass(val, self.offset, most, self.descending, new);
                if unchanged == self.offset {
                    break;
                }
            }
        }
    }

    /// Returns the rows before `start`, as many as matter, in the order of the walk. Nothing has changed among them.
    fn back<'a, V: Data>(&self, group: &Group<'a, V>, start: V::Ref<'a>) -> VecDeque<V::Ref<'a>> {
        let mut group = group.clone();
        if self.descending {
            group.skip_while(|val| val <= start);
        } else {
            group.take_while(|val| val < start);
        }
        let mut rows = VecDeque::new();
        while rows.len() < self.offset
            && let Some((val, weight)) = group.next_present(!self.descending)
        {
            (0..count(weight).min(self.offset - rows.len())).for_each(|_| rows.push_front(val));
        }
        rows
    }
}

/// Returns the order in which a walk lists two rows.
fn by_place<'a, V: Data>(a: &Pair<'a, V>, b: &Pair<'a, V>, descending: bool) -> Ordering {
    order(&a.0, &b.0, descending).then_with(|| match (&a.1, &b.1) {
        (Some(a), Some(b)) => order(a, b, descending),
        // Only the first rows of a group have none behind them.
        (a, b) => a.is_some().cmp(&b.is_some()),
    })
}

/// Returns the number of rows of a positive weight.
fn count(weight: ZWeight) -> usize {
    usize::try_from(weight).unwrap_or(0)
}

impl<K, V, O, P> UnaryOperator<Trace<K, V>, Batch<K, (V, O)>> for Lag<P>
where
    K: Data,
    V: Data,
    O: Data,
    P: Fn(Option<&V::Ref<'_>>) -> O + 'static,
{
    fn eval(&mut self, trace: &Incoming<Trace<K, V>>, output: &mut Batch<K, (V, O)>) -> Result<(), Error> {
        let trace = trace.get();
        let delta = trace.delta();
        let (mut changes, mut old, mut new) = (Vec::new(), List::new(), List::new());
        keys(delta, |key, hash, rows| {
            changes.clear();
            changes.extend(rows.clone().map(|row| delta.val(row)));
            if self.descending {
                changes.reverse();
            }
            old.clear();
            new.clear();
            let (before, after) = (trace.before().group(key, hash), trace.after(key, hash, rows));
            self.walk(&changes, (&before, &after), (&mut old, &mut new));
            let descending = self.descending;
            difference(
                &old,
                &new,
                |a, b| by_place::<V>(a, b, descending),
                |(val, source), weight| {
                    let other = (self.project)(source.as_ref());
                    output.push(key, (V::shorten(val), other.borrow()), weight);
                },
            );
        });
        Ok(())
    }
}

/// Each row with its neighbour, for nested scopes.
struct Pairs<P, O>(Lag<P>, PhantomData<O>);

impl<K, V, O, P> OfGroup<K, V> for Pairs<P, O>
where
    K: Data,
    V: Data,
    O: Data,
    P: Fn(Option<&V::Ref<'_>>) -> O + 'static,
{
    type Output = (V, O);

    fn of(&self, key: K::Ref<'_>, mut rows: Present<'_, V>, there: &mut Batch<K, (V, O)>) {
        let Lag { offset, descending, project } = &self.0;
        let (mut passed, mut list) = (VecDeque::new(), List::new());
        while let Some((val, weight)) = rows.next(*descending) {
            pair(&mut passed, val, count(weight), *offset, &mut list);
        }
        for ((val, source), weight) in list {
            there.push(key, (V::shorten(val), project(source.as_ref()).borrow()), weight);
        }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    fn neighbours<O: Data>(
        &self,
        name: &'static str,
        operator: Lag<impl Fn(Option<&V::Ref<'_>>) -> O + 'static>,
    ) -> Stream<C, Batch<K, (V, O)>> {
        if C::NESTED {
            return self.nested_groups(name, Pairs(operator, PhantomData));
        }
        self.shard().trace().unary(name, operator)
    }

    /// Brings each row with `project` of the one that is `offset` places before it in the order of its key's values.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let (mut circuit, (ticks, last)) = RootCircuit::build(|circuit| {
    ///     let (ticks, handle) = circuit.add_input_indexed_zset::<String, (u64, i64)>();
    ///     let last = ticks.lag(1, |tick| tick.map(|&(_, price)| price));
    ///     Ok((handle, last.output()))
    /// })?;
    /// ticks.extend([(1, 6750), (2, 6752)].map(|tick| ("ESZ6".to_owned(), tick, 1)));
    /// circuit.step()?;
    /// assert_eq!(
    ///     last.take(),
    ///     indexed_zset! { "ESZ6".to_owned() => { ((1, 6750), None) => 1, ((2, 6752), Some(6750)) => 1 } },
    /// );
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn lag<O: Data>(
        &self,
        offset: usize,
        project: impl Fn(Option<&V::Ref<'_>>) -> O + 'static,
    ) -> Stream<C, Batch<K, (V, O)>> {
        self.neighbours("lag", Lag { offset, descending: false, project })
    }

    /// Brings each row with `project` of the one that is `offset` places after it in the order of its key's values.
    pub fn lead<O: Data>(
        &self,
        offset: usize,
        project: impl Fn(Option<&V::Ref<'_>>) -> O + 'static,
    ) -> Stream<C, Batch<K, (V, O)>> {
        self.neighbours("lead", Lag { offset, descending: true, project })
    }
}
