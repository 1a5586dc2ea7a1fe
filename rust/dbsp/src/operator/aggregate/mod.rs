//! Aggregates of the values under each key: any that [`Aggregator`] can describe.
//!
//! **Law.** *A(a)[k] = f({v : a[k, v] > 0})*, and nothing for a key without such values. Of a key whose aggregate changes
//! the old row goes and the new one comes. State is, by key, what the aggregator remembers and the [list](super::lists) of
//! the key's values, which it looks into when what it remembers does not suffice: [`Min`] and [`Max`] remember the winner,
//! so that only the winner's going makes them look, [`Count`] never looks, and [`Fold`] walks the whole group. Rows are dealt
//! out to their keys, and sorted by value only where an aggregator asks for that.
//!
//! ```text
//!   Δ ──▶ [ by key ] ──▶ Δ of one key ──▶ [ state of the key ] ──▶ (k, after) − (k, before)
//!                             └──▶ [ its values ] ─ ─ ─ ─▲  if it has to
//! ```
//!
//! | time | Δ | `aggregate(Max)` |
//! |---|---|---|
//! | 0 | (a, 2) → +1, (a, 3) → +2 | (a, 3) → +1 |
//! | 1 | (a, 1) → +1, (a, 3) → −1 | |
//! | 2 | (a, 3) → −1, (b, 1) → +1 | (a, 3) → −1, (a, 2) → +1, (b, 1) → +1 |

mod count;
mod extreme;
mod linear;

use std::cell::OnceCell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ops::Range;

pub use count::Count;
pub use extreme::{Extreme, First, Max, MaxSome, Min, MinSome};

use smallvec::SmallVec;

use crate::algebra::{MonoidValue, ZWeight, add_weights};
use crate::circuit::{Circuit, Incoming, State, Stream};
use crate::column::{Column, Data};
use crate::error::Error;
use crate::operator::key_index::NONE;
use crate::operator::lists::{Head, Lists};
use crate::operator::nested::{NestedGroups, OfGroup, Present};
use crate::operator::{BLOCK, KeyIndex, Lookup, Segments, UnaryOperator, blocks};
use crate::trace::{Batch, Group, Weights};

/// A function of the values of a group that have positive weight.
///
/// ```
/// use qadataswap_dbsp::operator::{Aggregator, Change, Values};
/// use qadataswap_dbsp::{RootCircuit, indexed_zset};
///
/// /// The longest of some names.
/// #[derive(Clone)]
/// struct Longest;
///
/// impl Aggregator<String> for Longest {
///     type State = Option<String>;
///     type Output = String;
///
///     fn of(&self, values: Values<'_, String>) -> Option<String> {
///         let mut longest: Option<String> = None;
///         values(&mut |name, _| {
///             if longest.as_ref().is_none_or(|longest| name.len() > longest.len()) {
///                 longest = Some(name.to_owned());
///             }
///         });
///         longest
///     }
///     fn update(&self, state: &mut Option<String>, change: &Change<'_, String>) -> Option<Option<String>> {
///         let new = change.with_values(|values| self.of(values));
///         (new != *state).then(|| std::mem::replace(state, new))
///     }
///     fn output(&self, state: &Option<String>) -> Option<String> {
///         state.clone()
///     }
/// }
///
/// let (mut circuit, (names, longest)) = RootCircuit::build(|circuit| {
///     let (names, handle) = circuit.add_input_indexed_zset::<u32, String>();
///     Ok((handle, names.aggregate(Longest).output()))
/// })?;
/// names.push(7, "ESZ6".to_owned(), 1);
/// names.push(7, "ES".to_owned(), 1);
/// circuit.step()?;
/// assert_eq!(longest.take(), indexed_zset! { 7 => { "ESZ6".to_owned() => 1 } });
/// # Ok::<(), qadataswap_dbsp::Error>(())
/// ```
pub trait Aggregator<V: Data>: 'static {
    /// What is remembered of each group from step to step, while it has rows; the default before it has any.
    type State: Clone + Default + 'static;
    /// The aggregate.
    type Output: Data;

    /// Returns the aggregate of some values, from scratch; nothing if there are none.
    fn of(&self, values: Values<'_, V>) -> Option<Self::Output>;
    /// Brings the state up to date; returns it as it was if the aggregate may be another now.
    fn update(&self, state: &mut Self::State, change: &Change<'_, V>) -> Option<Self::State>;
    /// Returns the aggregate, or nothing if no value is there.
    fn output(&self, state: &Self::State) -> Option<Self::Output>;
}

/// An aggregator whose results for parts of the values can be put together in the order of the parts.
pub trait Parts<V: Data>: Aggregator<V> {
    /// What there is of some values: zero of none, and the sum of two is what there is of both.
    type Part: MonoidValue;

    /// Returns what there is of some values.
    fn part(&self, values: Values<'_, V>) -> Self::Part;
    /// Returns the aggregate of what there is.
    fn whole(&self, part: &Self::Part) -> Option<Self::Output>;
}

/// Some values: calls what it is given with each of them and its weight, which is positive.
pub type Values<'a, V> = &'a dyn Fn(&mut dyn FnMut(<V as Data>::Ref<'_>, ZWeight));

/// Rows, by their numbers, in the order of their values, each of which is there once, and their weights.
type Sorted = SmallVec<[(u32, ZWeight); 8]>;

/// What one step changes in one group.
pub struct Change<'a, V: Data> {
    vals: &'a V::Column,
    weights: &'a Weights,
    /// The rows of the change, by their numbers; and the same once they have been put in order, and their weights.
    rows: &'a [u32],
    sorted: &'a OnceCell<Sorted>,
    /// All there is of the group after the step.
    lists: &'a Lists<V>,
    head: Head,
    room: &'a OnceCell<Batch<(), V>>,
}

impl<'a, V: Data> Change<'a, V> {
    /// Returns the values whose weight changes, each once, from the least up, and by how much.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (V::Ref<'a>, ZWeight)> {
        let vals = self.vals;
        let sorted = self.sorted.get_or_init(|| self.sort());
        sorted.iter().map(move |&(row, weight)| (vals.get(row as usize), weight))
    }

    /// Returns the values whose weight changes, and by how much, as they came: in no order, and where a value comes more than
    /// once the changes add up.
    pub fn as_they_came(&self) -> impl Iterator<Item = (V::Ref<'a>, ZWeight)> {
        let (vals, weights) = (self.vals, self.weights);
        self.rows.iter().map(move |&row| (vals.get(row as usize), weights.get(row as usize)))
    }

    fn sort(&self) -> Sorted {
        let vals = self.vals;
        let mut sorted: Sorted = self.rows.iter().map(|&row| (row, self.weights.get(row as usize))).collect();
        sorted.sort_unstable_by(|a, b| vals.order(a.0 as usize, vals, b.0 as usize));
        sorted.dedup_by(|next, sum| {
            let same = vals.same(next.0 as usize, vals, sum.0 as usize);
            if same {
                sum.1 = add_weights(sum.1, next.1);
            }
            same
        });
        sorted.retain(|row| row.1 != 0);
        sorted
    }

    /// Whether nothing goes.
    fn only_adds(&self) -> bool {
        self.rows.iter().all(|&row| self.weights.get(row as usize) > 0)
    }

    /// Returns all there is of the group after this step, in order.
    #[must_use]
    pub fn group(&self) -> Group<'a, V> {
        self.lists.group(self.head, self.room)
    }

    /// Returns the values that the group has after this step, in no order, if they are few: none of them has both positive
    /// and negative weight.
    fn list(&self) -> Option<impl Iterator<Item = (V::Ref<'a>, ZWeight)>> {
        self.lists.list(self.head)
    }

    /// Calls `with` with the values that the group has after this step, from the least up.
    pub fn with_values<T>(&self, with: impl FnOnce(Values<'_, V>) -> T) -> T {
        let group = self.group();
        with(&|each| {
            let mut rest = group.clone();
            while let Some((val, weight)) = rest.next_present(false) {
                each(val, weight);
            }
        })
    }
}

/// Starts with a value, takes one step for each value of the group, from the least up, and finishes with the aggregate.
/// A group that changes is walked as a whole: where the group is large, an aggregate that is a sum is better.
#[derive(Clone, Debug)]
pub struct Fold<T, S, F, O> {
    init: T,
    step: S,
    finish: F,
    output: PhantomData<fn() -> O>,
}

impl<T, S, F, O> Fold<T, S, F, O> {
    /// Makes one of its parts; `step` gets what there is so far, a value, and its weight.
    pub fn new<V: Data>(init: T, step: S, finish: F) -> Self
    where
        S: Fn(&mut T, V::Ref<'_>, ZWeight),
        F: Fn(T) -> O,
    {
        Self { init, step, finish, output: PhantomData }
    }
}

impl<V: Data, T, S, F, O> Aggregator<V> for Fold<T, S, F, O>
where
    T: Clone + 'static,
    S: Fn(&mut T, V::Ref<'_>, ZWeight) + 'static,
    F: Fn(T) -> O + 'static,
    O: Data,
{
    type State = Option<O>;
    type Output = O;

    fn of(&self, values: Values<'_, V>) -> Option<O> {
        let mut so_far: Option<T> = None;
        values(&mut |val, weight| (self.step)(so_far.get_or_insert_with(|| self.init.clone()), val, weight));
        so_far.map(&self.finish)
    }
    fn update(&self, state: &mut Option<O>, change: &Change<'_, V>) -> Option<Option<O>> {
        let new = change.with_values(|values| self.of(values));
        (new != *state).then(|| std::mem::replace(state, new))
    }
    fn output(&self, state: &Option<O>) -> Option<O> {
        state.clone()
    }
}

/// Some aggregates side by side, where there are all of them.
macro_rules! tuples {
    ($($name:ident $index:tt),+) => {
        impl<Val: Data, $($name: Aggregator<Val>),+> Aggregator<Val> for ($($name,)+) {
            type State = ($($name::State,)+);
            type Output = ($($name::Output,)+);

            fn of(&self, values: Values<'_, Val>) -> Option<Self::Output> {
                Some(($(self.$index.of(values)?,)+))
            }
            fn update(&self, state: &mut Self::State, change: &Change<'_, Val>) -> Option<Self::State> {
                let old = ($(self.$index.update(&mut state.$index, change),)+);
                if true $(&& old.$index.is_none())+ {
                    return None;
                }
                Some(($(old.$index.unwrap_or_else(|| state.$index.clone()),)+))
            }
            fn output(&self, state: &Self::State) -> Option<Self::Output> {
                Some(($(self.$index.output(&state.$index)?,)+))
            }
        }

        impl<Val: Data, $($name: Parts<Val>),+> Parts<Val> for ($($name,)+) {
            type Part = ($($name::Part,)+);

            fn part(&self, values: Values<'_, Val>) -> Self::Part {
                ($(self.$index.part(values),)+)
            }
            fn whole(&self, part: &Self::Part) -> Option<Self::Output> {
                Some(($(self.$index.whole(&part.$index)?,)+))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);

struct Aggregate<K: Data, V: Data, A: Aggregator<V>> {
    keys: KeyIndex<K>,
    groups: Segments<OfKey<A::State>>,
    lists: Lists<V>,
    /// The groups that this step changes, in the order in which it first does.
    touched: Vec<Touched>,
    /// Of each row its group's place among them; and the rows, those of each group together.
    places: Vec<u32>,
    rows: Vec<u32>,
    lookup: Lookup,
    aggregator: A,
}

/// What there is of a key: where its values begin, and what the aggregator remembers.
#[derive(Clone)]
struct OfKey<S> {
    head: Head,
    /// Its place among those that this step changes.
    touched: u32,
    state: S,
}

/// A group that a step changes.
struct Touched {
    slot: u32,
    /// How many rows change it; and then, where they end.
    rows: u32,
    /// Whether its values have to be settled.
    unsettled: bool,
}

impl<S: Default> OfKey<S> {
    fn new() -> Self {
        Self { head: Head::NONE, touched: NONE, state: S::default() }
    }
}

impl<K: Data, V: Data, A: Aggregator<V>> UnaryOperator<Batch<K, V>, Batch<K, A::Output>>
    for Aggregate<K, V, A>
{
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, A::Output>) -> Result<(), Error> {
        let input = input.get();
        blocks(input.len()).for_each(|block| self.add(&input, block));
        self.deal(input.len());
        self.bring(&input, output);
        if let Some(kept) = self.keys.compact() {
            self.groups = kept.into_iter().map(|slot| self.groups.at(slot as usize).clone()).collect();
        }
        self.lists.compact(self.groups.iter_mut().map(|group| &mut group.head));
        Ok(())
    }
    fn state(&self) -> State {
        let bytes = self.keys.bytes() + self.groups.bytes() + self.lists.bytes();
        State { rows: self.lists.len(), bytes }
    }
}

impl<K: Data, V: Data, A: Aggregator<V>> Aggregate<K, V, A> {
    /// Adds some rows to the values of their keys.
    fn add(&mut self, input: &Batch<K, V>, block: Range<usize>) {
        self.lookup.look(&self.keys, |hashes| input.keys().hashes(block.clone(), hashes));
        // All heads, and of what goes where to look for it, are under way from memory before one has to be there.
        let head = |&slot: &u32| self.groups.get(slot as usize).map(|group| group.head);
        let heads = || self.lookup.likely().iter().map(head);
        black_box(heads().flatten().filter(|head| head.is_none()).count());
        let goes = heads().zip(block.clone()).filter(|&(_, row)| input.weight(row) < 0);
        black_box(goes.fold(0, |all, (head, _)| all ^ head.map_or(0, |head| self.lists.touch(head))));
        for (number, row) in block.enumerate() {
            let (key, groups) = (input.key(row), &mut self.groups);
            let slot = self.lookup.slot(number, key, &mut self.keys, || groups.push(OfKey::new()));
            let group = self.groups.at(slot);
            if group.touched == NONE {
                group.touched = self.touched.len() as u32;
                self.touched.push(Touched { slot: slot as u32, rows: 0, unsettled: false });
            }
            let touched = &mut self.touched[group.touched as usize];
            touched.rows += 1;
            touched.unsettled |= self.lists.add(&mut group.head, input.vals(), row, input.weight(row));
            self.places.push(group.touched);
        }
    }

    /// Deals the rows out to their groups.
    fn deal(&mut self, rows: usize) {
        let mut end = 0;
        for touched in &mut self.touched {
            (end, touched.rows) = (end + touched.rows, end);
        }
        self.rows.clear();
        self.rows.resize(rows, 0);
        for (row, place) in (0u32..).zip(self.places.drain(..)) {
            let end = &mut self.touched[place as usize].rows;
            self.rows[*end as usize] = row;
            *end += 1;
        }
    }

    /// Brings what has become of the groups that have changed.
    fn bring(&mut self, input: &Batch<K, V>, output: &mut Batch<K, A::Output>) {
        let mut start = 0;
        for block in self.touched.chunks(BLOCK) {
            let heads = block.iter().map(|touched| self.groups.get(touched.slot as usize));
            black_box(heads.flatten().filter(|group| group.head.is_none()).count());
            for touched in block {
                let OfKey { head, touched: mark, state } = self.groups.at(touched.slot as usize);
                *mark = NONE;
                if touched.unsettled {
                    self.lists.settle(head);
                }
                let rows = &self.rows[start..touched.rows as usize];
                start = touched.rows as usize;
                let (sorted, room) = (OnceCell::new(), OnceCell::new());
                let change = Change {
                    vals: input.vals(),
                    weights: input.weights(),
                    rows,
                    sorted: &sorted,
                    lists: &self.lists,
                    head: *head,
                    room: &room,
                };
                let first = rows[0] as usize;
                if let Some(old) = self.aggregator.update(state, &change) {
                    let (old, new) = (self.aggregator.output(&old), self.aggregator.output(state));
                    if old != new {
                        for (result, weight) in [(old, -1), (new, 1)] {
                            if let Some(result) = result {
                                output.push(input.key(first), result.borrow(), weight);
                            }
                        }
                    }
                }
                if room.get().is_some() {
                    self.lists.watch(*head);
                }
                if head.is_none() {
                    *state = A::State::default();
                    self.keys.remove(touched.slot as usize, input.keys().hash(first));
                }
            }
        }
        self.touched.clear();
    }
}

/// An aggregate of each group as a whole, for nested scopes.
struct Each<A>(A);

impl<K: Data, V: Data, A: Aggregator<V>> OfGroup<K, V> for Each<A> {
    type Output = A::Output;

    fn of(&self, key: K::Ref<'_>, rows: Present<'_, V>, there: &mut Batch<K, A::Output>) {
        let aggregate = self.0.of(&|each| {
            let mut rest = rows.clone();
            while let Some((val, weight)) = rest.next(false) {
                each(val, weight);
            }
        });
        if let Some(aggregate) = aggregate {
            there.push(key, aggregate.borrow(), 1);
        }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Brings, for each key, an aggregate of its values that have positive weight.
    ///
    /// In a nested scope nothing is remembered of a group but its rows and what was brought: a change of a key walks its
    /// rows, in each iteration that it bears on.
    ///
    /// ```
    /// use qadataswap_dbsp::operator::{Count, Fold, Max, Min};
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let (mut circuit, (trades, bar)) = RootCircuit::build(|circuit| {
    ///     let (trades, handle) = circuit.add_input_indexed_zset::<String, i64>();
    ///     let list = |list: &mut String, price: i64, _| *list += &format!("{price} ");
    ///     let all = Fold::new::<i64>(String::new(), list, |list| list);
    ///     Ok((handle, trades.aggregate((Min, Max, Count, all)).output()))
    /// })?;
    /// trades.extend([6750, 6756, 6752].map(|price| ("ESZ6".to_owned(), price, 1)));
    /// circuit.step()?;
    /// let first = (6750, 6756, 3, "6750 6752 6756 ".to_owned());
    /// assert_eq!(bar.take(), indexed_zset! { "ESZ6".to_owned() => { first.clone() => 1 } });
    /// trades.push("ESZ6".to_owned(), 6756, -1);
    /// circuit.step()?;
    /// let second = (6750, 6752, 2, "6750 6752 ".to_owned());
    /// assert_eq!(bar.take(), indexed_zset! { "ESZ6".to_owned() => { first => -1, second => 1 } });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn aggregate<A: Aggregator<V>>(&self, aggregator: A) -> Stream<C, Batch<K, A::Output>> {
        if C::NESTED {
            let operator = NestedGroups::new(self.graph().clock().clone(), Each(aggregator));
            return self.shard().restless_unary("aggregate", operator);
        }
        let operator = Aggregate {
            keys: KeyIndex::default(),
            groups: Segments::default(),
            lists: Lists::default(),
            touched: Vec::new(),
            places: Vec::new(),
            rows: Vec::new(),
            lookup: Lookup::default(),
            aggregator,
        };
        self.shard().unary("aggregate", operator)
    }
}
