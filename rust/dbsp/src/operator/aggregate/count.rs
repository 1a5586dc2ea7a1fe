//! The number of rows of a group.
//!
//! **Law.** The state is the sum of the weights; of what changes it is enough to add the weights.

use super::{Aggregator, Change, Parts, Values};
use crate::algebra::{ZWeight, add_weights};
use crate::column::Data;

/// The number of rows, each as often as its weight says, while that is positive.
///
/// In the root it is kept as a sum, from which values of negative weight, if there are any, are subtracted; in a nested scope
/// and in rolling aggregates, which look at the values that are there, these are left out. One meaning has a price: to leave
/// them out in the root, each value that is deleted would have to be searched for, and to subtract them elsewhere, every
/// aggregate would have to look at values that are not there. Where it may matter,
/// [`weighted_count`](crate::Stream::weighted_count) is the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Count;

impl<V: Data> Aggregator<V> for Count {
    type State = ZWeight;
    type Output = ZWeight;

    fn of(&self, values: Values<'_, V>) -> Option<ZWeight> {
        let mut count = 0;
        values(&mut |_, weight| count = add_weights(count, weight));
        (count > 0).then_some(count)
    }
    fn update(&self, state: &mut ZWeight, change: &Change<'_, V>) -> Option<ZWeight> {
        let new = change.as_they_came().fold(*state, |count, (_, weight)| add_weights(count, weight));
        (new != *state).then(|| std::mem::replace(state, new))
    }
    fn output(&self, state: &ZWeight) -> Option<ZWeight> {
        (*state > 0).then_some(*state)
    }
}

impl<V: Data> Parts<V> for Count {
    type Part = ZWeight;

    fn part(&self, values: Values<'_, V>) -> ZWeight {
        self.of(values).unwrap_or(0)
    }
    fn whole(&self, part: &ZWeight) -> Option<ZWeight> {
        <Self as Aggregator<V>>::output(self, part)
    }
}
