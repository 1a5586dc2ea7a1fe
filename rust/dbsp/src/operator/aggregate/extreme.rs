//! The least and the greatest value of a group.
//!
//! **Law.** The state of a group is its *winner*, with its weight, and whether there are *debts*, values ahead of the winner
//! whose weight is negative. Without debts every value ahead of the winner has weight 0, so one that comes with positive
//! weight wins, with that weight, and nothing has to be looked for. Where the winner goes, the next one is looked for among
//! the group's values; and where something wins that has debts ahead, which may only be paid.
//!
//! | change | looks |
//! |---|---|
//! | a value behind the winner comes or goes | no |
//! | a value ahead of the winner comes | only among debts |
//! | the winner comes again, or goes and is still there | no |
//! | the winner goes | for the next value behind it |

use super::{Aggregator, Change, Parts, Values};
use crate::algebra::{AddByRef, HasZero, ZWeight, add_weights};
use crate::column::Data;

/// The least value.
#[derive(Clone, Copy, Debug)]
pub struct Min;

/// The greatest value.
#[derive(Clone, Copy, Debug)]
pub struct Max;

/// The least value but nothing; nothing if there is nothing else. As SQL's `MIN` skips nulls.
#[derive(Clone, Copy, Debug)]
pub struct MinSome;

/// The greatest value but nothing; nothing if there is nothing else. As SQL's `MAX` skips nulls: nothing being the least
/// of all, this is [`Max`].
#[derive(Clone, Copy, Debug)]
pub struct MaxSome;

/// What is remembered of a group whose least or greatest value is asked for.
#[derive(Clone, Debug)]
pub struct Extreme<V> {
    winner: Option<(V, ZWeight)>,
    /// Whether values ahead of the winner have negative weight; without a winner, any values.
    debts: bool,
}

impl<V> Default for Extreme<V> {
    fn default() -> Self {
        Self { winner: None, debts: false }
    }
}

impl<V: Data> Extreme<V> {
    /// Brings the winner up to date, among the values that `counts` is true of; returns the state as it was if there is
    /// another winner now.
    fn update(
        &mut self,
        change: &Change<'_, V>,
        greatest: bool,
        counts: impl Fn(V::Ref<'_>) -> bool,
    ) -> Option<Self> {
        if change.only_adds() {
            let (first, _) = first_of_list(change.as_they_came(), greatest, &counts);
            return self.add(first?, change, greatest, counts);
        }
        if greatest {
            self.change(change.rows().rev(), change, greatest, counts)
        } else {
            self.change(change.rows(), change, greatest, counts)
        }
    }

    /// Does so where nothing goes, and this is the first of what comes.
    fn add(
        &mut self,
        (first, weight): (V, ZWeight),
        change: &Change<'_, V>,
        greatest: bool,
        counts: impl Fn(V::Ref<'_>) -> bool,
    ) -> Option<Self> {
        match &mut self.winner {
            Some((winner, sum)) if *winner == first => {
                *sum = add_weights(*sum, weight);
                None
            }
            Some((winner, _)) if !ahead(greatest, &first, winner) => None,
            _ if self.debts => {
                // It may only have paid a debt, or others may be paid.
                let (winner, debts) = next(change, greatest, None, counts);
                Some(std::mem::replace(self, Self { winner, debts }))
            }
            _ => Some(std::mem::replace(self, Self { winner: Some((first, weight)), debts: false })),
        }
    }

    /// Does so for rows in the order that makes the winner the first.
    fn change<'c>(
        &mut self,
        rows: impl Iterator<Item = (V::Ref<'c>, ZWeight)>,
        change: &Change<'c, V>,
        greatest: bool,
        counts: impl Fn(V::Ref<'_>) -> bool,
    ) -> Option<Self> {
        let (mut first, mut debts) = (None, false);
        for (val, weight) in rows.filter(|row| counts(row.0)) {
            match &mut self.winner {
                Some((winner, sum)) if winner.borrow() == V::shorten(val) => *sum = add_weights(*sum, weight),
                Some((winner, _)) if !ahead(greatest, V::shorten(val), winner.borrow()) => {}
                _ if first.is_some() => {}
                _ if weight > 0 => first = Some((val, weight)),
                _ => debts = true,
            }
        }
        if first.is_some() && self.debts {
            // As above.
            let (winner, debts) = next(change, greatest, None, counts);
            return Some(std::mem::replace(self, Self { winner, debts }));
        }
        self.debts |= debts;
        if let Some((val, weight)) = first {
            let winner = self.winner.replace((V::owned(val), weight));
            return Some(Self { winner, debts: false });
        }
        let weight = self.winner.as_ref()?.1;
        if weight > 0 {
            return None;
        }
        let gone = self.winner.take()?;
        let (winner, debts) = next(change, greatest, Some(gone.0.borrow()), counts);
        *self = Self { winner, debts: debts || self.debts || weight < 0 };
        Some(Self { winner: Some(gone), debts: false })
    }

    fn output(&self) -> Option<V> {
        self.winner.as_ref().map(|(val, _)| val.clone())
    }
}

/// Returns whether a value comes ahead of another.
fn ahead<T: Ord>(greatest: bool, val: T, other: T) -> bool {
    if greatest { val > other } else { val < other }
}

/// Returns the first value of positive weight that is left of a group, of those behind a value that was the first; and
/// whether any ahead of it, but not those ahead of that value for certain, have negative weight.
fn next<V: Data>(
    change: &Change<'_, V>,
    greatest: bool,
    behind: Option<V::Ref<'_>>,
    counts: impl Fn(V::Ref<'_>) -> bool,
) -> (Option<(V, ZWeight)>, bool) {
    if let Some(vals) = change.list() {
        return first_of_list(vals, greatest, counts);
    }
    let mut group = change.group();
    match behind {
        Some(behind) if greatest => group.take_while(|val| V::shorten(val) < V::shorten(behind)),
        Some(behind) => group.skip_while(|val| V::shorten(val) <= V::shorten(behind)),
        None => {}
    }
    let mut debts = false;
    loop {
        match if greatest { group.next_greatest() } else { group.next_least() } {
            None => return (None, debts),
            Some((val, _)) if !counts(val) => {}
            Some((val, weight)) if weight > 0 => return (Some((V::owned(val), weight)), debts),
            Some(_) => debts = true,
        }
    }
}

/// Does the same for few values in no order, none of which has both positive and negative weight.
fn first_of_list<'a, V: Data>(
    vals: impl Iterator<Item = (V::Ref<'a>, ZWeight)>,
    greatest: bool,
    counts: impl Fn(V::Ref<'_>) -> bool,
) -> (Option<(V, ZWeight)>, bool) {
    let mut first: Option<(V::Ref<'a>, ZWeight)> = None;
    let mut debt: Option<V::Ref<'a>> = None;
    for (val, weight) in vals.filter(|row| counts(row.0)) {
        match &mut first {
            _ if weight < 0 => {
                if debt.is_none_or(|debt| ahead(greatest, val, debt)) {
                    debt = Some(val);
                }
            }
            Some((winner, sum)) if *winner == val => *sum = add_weights(*sum, weight),
            Some((winner, _)) if !ahead(greatest, val, *winner) => {}
            first => *first = Some((val, weight)),
        }
    }
    let debts = debt.is_some_and(|debt| first.is_none_or(|first| ahead(greatest, debt, first.0)));
    (first.map(|(val, weight)| (V::owned(val), weight)), debts)
}

/// The least of some values, or the greatest; zero of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First<V, const GREATEST: bool>(Option<V>);

impl<V: Ord + Clone, const GREATEST: bool> AddByRef for First<V, GREATEST> {
    fn add_by_ref(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.add_assign_by_ref(other);
        sum
    }
    fn add_assign_by_ref(&mut self, other: &Self) {
        if let Some(other) = &other.0
            && self.0.as_ref().is_none_or(|own| if GREATEST { own < other } else { own > other })
        {
            self.0 = Some(other.clone());
        }
    }
}

impl<V, const GREATEST: bool> HasZero for First<V, GREATEST> {
    fn zero() -> Self {
        Self(None)
    }
    fn is_zero(&self) -> bool {
        self.0.is_none()
    }
}

/// Returns the first of some values.
fn first<V: Data>(values: Values<'_, V>, greatest: bool) -> Option<V> {
    let mut first: Option<V> = None;
    values(&mut |val, _| {
        let ahead = |winner: &V| {
            if greatest { V::shorten(val) > winner.borrow() } else { V::shorten(val) < winner.borrow() }
        };
        if first.as_ref().is_none_or(ahead) {
            first = Some(V::owned(val));
        }
    });
    first
}

macro_rules! extremes {
    ($($name:ident: $greatest:expr;)*) => {$(
        impl<V: Data> Aggregator<V> for $name {
            type State = Extreme<V>;
            type Output = V;

            fn of(&self, values: Values<'_, V>) -> Option<V> {
                first(values, $greatest)
            }
            #[inline]
            fn update(&self, state: &mut Extreme<V>, change: &Change<'_, V>) -> Option<Extreme<V>> {
                state.update(change, $greatest, |_| true)
            }
            fn output(&self, state: &Extreme<V>) -> Option<V> {
                state.output()
            }
        }
        impl<V: Data> Parts<V> for $name {
            type Part = First<V, $greatest>;

            fn part(&self, values: Values<'_, V>) -> Self::Part {
                First(first(values, $greatest))
            }
            fn whole(&self, part: &Self::Part) -> Option<V> {
                part.0.clone()
            }
        }
    )*};
}
extremes! {
    Min: false;
    Max: true;
}

impl<T: Data> Aggregator<Option<T>> for MaxSome {
    type State = Extreme<Option<T>>;
    type Output = Option<T>;

    fn of(&self, values: Values<'_, Option<T>>) -> Option<Option<T>> {
        Max.of(values)
    }
    fn update(&self, state: &mut Self::State, change: &Change<'_, Option<T>>) -> Option<Self::State> {
        Max.update(state, change)
    }
    fn output(&self, state: &Self::State) -> Option<Option<T>> {
        state.output()
    }
}

impl<T: Data> Aggregator<Option<T>> for MinSome {
    /// The weight of nothing, and the rest.
    type State = (ZWeight, Extreme<Option<T>>);
    type Output = Option<T>;

    fn of(&self, values: Values<'_, Option<T>>) -> Option<Option<T>> {
        let mut least: Option<Option<T>> = None;
        values(&mut |val, _| {
            let least = least.get_or_insert(None);
            if val.is_some() && least.as_ref().is_none_or(|least| val.map(T::shorten) < Some(least.borrow()))
            {
                *least = Option::<T>::owned(val);
            }
        });
        least
    }
    fn update(&self, state: &mut Self::State, change: &Change<'_, Option<T>>) -> Option<Self::State> {
        let nothings = state.0;
        for (_, weight) in change.as_they_came().filter(|row| row.0.is_none()) {
            state.0 = add_weights(state.0, weight);
        }
        match state.1.update(change, false, |val| val.is_some()) {
            Some(old) => Some((nothings, old)),
            None => ((nothings > 0) != (state.0 > 0)).then(|| (nothings, state.1.clone())),
        }
    }
    fn output(&self, state: &Self::State) -> Option<Option<T>> {
        state.1.output().or_else(|| (state.0 > 0).then_some(None))
    }
}

impl<T: Data> Parts<Option<T>> for MaxSome {
    type Part = First<Option<T>, true>;

    fn part(&self, values: Values<'_, Option<T>>) -> Self::Part {
        Max.part(values)
    }
    fn whole(&self, part: &Self::Part) -> Option<Option<T>> {
        part.0.clone()
    }
}

impl<T: Data> Parts<Option<T>> for MinSome {
    /// Nothing, if it is there, and the rest.
    type Part = (First<Option<T>, true>, First<Option<T>, false>);

    fn part(&self, values: Values<'_, Option<T>>) -> Self::Part {
        match self.of(values) {
            Some(None) => (First(Some(None)), First(None)),
            least => (First(None), First(least)),
        }
    }
    fn whole(&self, part: &Self::Part) -> Option<Option<T>> {
        part.1.0.clone().or_else(|| part.0.0.clone())
    }
}
