//! The least and the greatest value of a group.
//!
//! **Law.** The state of a group is its *winner*, with its weight; whether there are *debts*, values ahead of the winner
//! whose weight is negative; and the sum of the weights behind it, the *rest*, while it is certain that none of those is
//! negative. Without debts every value ahead of the winner has weight 0, so one that comes with positive weight wins, with
//! that weight, and nothing has to be searched. Where the winner goes and the rest was 0, all there is is what comes in
//! the same step: so the value of a key is replaced without a search. Else there is a search, from the winner's place on,
//! past nothing that was ahead of it; and where something wins that has debts ahead, which may only be paid.
//!
//! | change | search |
//! |---|---|
//! | a value behind the winner comes or goes | no |
//! | a value ahead of the winner comes | only among debts |
//! | the winner comes again, or goes and is still there | no |
//! | the winner goes, and was alone | no |
//! | the winner goes, and was not alone | the next value behind it |

use std::cmp::Ordering;

use super::{Aggregator, Change, Parts, Values};
use crate::algebra::{AddByRef, HasZero, ZWeight, add_weights};
use crate::column::Data;
use crate::trace::Group;

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
    /// The sum of the weights behind the winner, unless one of them may be negative.
    rest: Option<ZWeight>,
}

impl<V> Default for Extreme<V> {
    fn default() -> Self {
        Self { winner: None, debts: false, rest: Some(0) }
    }
}

impl<V: Data> Extreme<V> {
    /// Brings the winner up to date, among the values that `counts` is true of; returns the state as it was if there is
    /// another winner now. `rows` are those of the change in the order that makes the winner the first.
    fn update<'c>(
        &mut self,
        rows: impl Iterator<Item = (V::Ref<'c>, ZWeight)>,
        change: &Change<'c, V>,
        greatest: bool,
        counts: impl Fn(V::Ref<'c>) -> bool,
    ) -> Option<Self> {
        let (mut first, mut debts) = (None, false);
        // What comes behind the winner: all of it, the first of it, and what is behind that.
        let (mut behind, mut next, mut gap, mut after) = (Some(0), None, false, Some(0));
        for (val, weight) in rows {
            if !counts(val) {
                continue;
            }
            let place = match &self.winner {
                None => Ordering::Less,
                Some((winner, _)) if greatest => winner.borrow().cmp(&V::shorten(val)),
                Some((winner, _)) => V::shorten(val).cmp(&winner.borrow()),
            };
            match (place, self.winner.as_mut()) {
                (Ordering::Equal, Some((_, sum))) => *sum = add_weights(*sum, weight),
                (Ordering::Less, _) if first.is_none() => {
                    debts |= weight < 0;
                    first = (weight > 0).then_some((val, weight));
                }
                (Ordering::Less, _) => behind = with(behind, weight),
                _ => {
                    behind = with(behind, weight);
                    match next {
                        Some(_) => after = with(after, weight),
                        None if weight > 0 => next = Some((val, weight)),
                        None => gap = true,
                    }
                }
            }
        }
        let own = |(val, weight): (V::Ref<'c>, ZWeight)| (V::owned(val), weight);
        if first.is_some() && self.debts {
            // It may only have paid a debt, or others may be paid.
            let old = self.clone();
            (self.debts, self.rest) = (false, None);
            self.walk(change.group(), greatest, counts);
            return Some(old);
        }
        self.debts |= debts;
        let rest = self.rest.and_then(|rest| with(behind, rest));
        if let Some(first) = first {
            let old = self.winner.replace(own(first));
            self.rest = old.as_ref().map_or(rest, |old| with(rest, old.1));
            return Some(Self { winner: old, ..Self::default() });
        }
        let (_, weight) = self.winner.as_ref()?;
        if *weight > 0 {
            self.rest = rest;
            return None;
        }
        self.debts |= *weight < 0;
        let old = self.winner.take()?;
        if self.rest == Some(0) {
            self.debts |= gap;
            (self.winner, self.rest) = (next.map(own), after);
        } else {
            let mut group = change.group();
            if greatest {
                group.take_while(|val| V::shorten(val) < old.0.borrow());
            } else {
                group.skip_while(|val| V::shorten(val) <= old.0.borrow());
            }
            self.walk(group, greatest, counts);
            // Without a winner all is 0, or there are debts.
            self.rest = self.winner.as_ref().map_or(Some(0), |winner| rest.map(|rest| rest - winner.1));
        }
        Some(Self { winner: Some(old), ..Self::default() })
    }

    /// Finds the first value of positive weight, and notes whether any ahead of it have negative weight.
    fn walk<'c>(&mut self, mut group: Group<'c, V>, greatest: bool, counts: impl Fn(V::Ref<'c>) -> bool) {
        self.winner = loop {
            let next = if greatest { group.next_greatest() } else { group.next_least() };
            match next {
                None => break None,
                Some((val, _)) if !counts(val) => {}
                Some((val, weight)) if weight > 0 => break Some((V::owned(val), weight)),
                Some(_) => self.debts = true,
            }
        };
    }

    fn output(&self) -> Option<V> {
        self.winner.as_ref().map(|(val, _)| val.clone())
    }

    fn is_blank(&self) -> bool {
        self.winner.is_none() && !self.debts
    }
}

/// Adds a weight to the sum of some, unless one of them is negative.
fn with(sum: Option<ZWeight>, weight: ZWeight) -> Option<ZWeight> {
    if weight < 0 { None } else { sum.map(|sum| add_weights(sum, weight)) }
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
    ($($name:ident: $greatest:expr, |$change:ident| $rows:expr;)*) => {$(
        impl<V: Data> Aggregator<V> for $name {
            type State = Extreme<V>;
            type Output = V;

            fn of(&self, values: Values<'_, V>) -> Option<V> {
                first(values, $greatest)
            }
            #[inline]
            fn update(&self, state: &mut Extreme<V>, $change: &Change<'_, V>) -> Option<Extreme<V>> {
                state.update($rows, $change, $greatest, |_| true)
            }
            fn output(&self, state: &Extreme<V>) -> Option<V> {
                state.output()
            }
            fn is_blank(&self, state: &Extreme<V>) -> bool {
                state.is_blank()
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
    Min: false, |change| change.rows();
    Max: true, |change| change.rows().rev();
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
    fn is_blank(&self, state: &Self::State) -> bool {
        state.is_blank()
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
        if let Some((None, weight)) = change.rows().next() {
            state.0 = add_weights(nothings, weight);
        }
        match state.1.update(change.rows(), change, false, |val| val.is_some()) {
            Some(old) => Some((nothings, old)),
            None => ((nothings > 0) != (state.0 > 0)).then(|| (nothings, state.1.clone())),
        }
    }
    fn output(&self, state: &Self::State) -> Option<Option<T>> {
        state.1.output().or_else(|| (state.0 > 0).then_some(None))
    }
    fn is_blank(&self, state: &Self::State) -> bool {
        state.0 == 0 && state.1.is_blank()
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
