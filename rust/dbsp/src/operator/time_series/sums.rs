//! Sums over ranges of time: a tree of partial sums.
//!
//! A B-tree by time whose inner nodes have, for each child, the sum of all below it. Rows that come late or go again are
//! as cheap as others, a sum over any range reads two paths, *O(log n)*, and so does an update. Queries only add: nothing
//! is ever subtracted to slide a window, so that sums need no inverse, as least and greatest have none, and those of floats
//! do not depend on what was in the window before. Sums of inner nodes are made of their children's anew. (Tangwongsan, Hirzel, Schneider, "Optimal and General
//! Out-of-Order Sliding-Window Aggregation", VLDB 2019, keep partial sums in a B-tree so; their fingers, which make the
//! ends of the tree cheaper, are left out. Nodes that are not full are not merged, but go when they are empty: Johnson and
//! Shasha, "B-Trees with Inserts and Deletes: Why Free-at-Empty is Better than Merge-at-Half", 1993.)

use crate::algebra::MonoidValue;

/// The most entries of a node.
const FAN: usize = 32;

/// Sums at times, none of which is zero.
#[derive(Clone, Debug)]
pub(super) struct Sums<T, M> {
    root: Node<T, M>,
}

#[derive(Clone, Debug)]
enum Node<T, M> {
    Leaf(Vec<(T, M)>),
    Inner(Vec<Child<T, M>>),
}

#[derive(Clone, Debug)]
struct Child<T, M> {
    /// A time at or before all below, and after all of the child before.
    first: T,
    sum: M,
    node: Box<Node<T, M>>,
}

impl<T: Copy + Ord, M: MonoidValue> Child<T, M> {
    fn of(node: Node<T, M>) -> Self {
        Self { first: node.first(), sum: node.total(), node: Box::new(node) }
    }
}

impl<T: Copy + Ord, M: MonoidValue> Node<T, M> {
    fn total(&self) -> M {
        let mut total = M::zero();
        match self {
            Self::Leaf(entries) => entries.iter().for_each(|entry| total.add_assign_by_ref(&entry.1)),
            Self::Inner(children) => children.iter().for_each(|child| total.add_assign_by_ref(&child.sum)),
        }
        total
    }

    /// Returns a time at or before all.
    fn first(&self) -> T {
        match self {
            Self::Leaf(entries) => entries[0].0,
            Self::Inner(children) => children[0].first,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(entries) => entries.is_empty(),
            Self::Inner(children) => children.is_empty(),
        }
    }

    /// Changes the value at a time; returns the second half of the node if it had to be split.
    fn change(&mut self, time: T, change: impl FnOnce(&mut M)) -> Option<Child<T, M>> {
        match self {
            Self::Leaf(entries) => {
                let found = entries.binary_search_by_key(&time, |entry| entry.0);
                let place = found.unwrap_or_else(|place| {
                    entries.insert(place, (time, M::zero()));
                    place
                });
                change(&mut entries[place].1);
                if entries[place].1.is_zero() {
                    entries.remove(place);
                }
                (entries.len() > FAN).then(|| {
                    let half = entries.split_off(split(entries.len(), place == FAN));
                    Child::of(Self::Leaf(half))
                })
            }
            Self::Inner(children) => {
                let place = children.partition_point(|child| child.first <= time).saturating_sub(1);
                let child = &mut children[place];
                child.first = child.first.min(time);
                let more = child.node.change(time, change);
                child.sum = child.node.total();
                if child.node.is_empty() {
                    children.remove(place);
                } else if let Some(more) = more {
                    children.insert(place + 1, more);
                }
                (children.len() > FAN).then(|| {
                    let half = children.split_off(split(children.len(), place + 1 == FAN));
                    Child::of(Self::Inner(half))
                })
            }
        }
    }

    fn add_up(&self, from: T, to: T, sum: &mut M) {
        match self {
            Self::Leaf(entries) => {
                let start = entries.partition_point(|entry| entry.0 < from);
                entries[start..].iter().take_while(|entry| entry.0 <= to).for_each(|entry| {
                    sum.add_assign_by_ref(&entry.1);
                });
            }
            Self::Inner(children) => {
                let start = children.partition_point(|child| child.first <= from).saturating_sub(1);
                for (place, child) in children.iter().enumerate().skip(start) {
                    if child.first > to {
                        break;
                    }
                    if child.first >= from && children.get(place + 1).is_some_and(|next| next.first <= to) {
                        sum.add_assign_by_ref(&child.sum);
                    } else {
                        child.node.add_up(from, to, sum);
                    }
                }
            }
        }
    }

    fn times(&self, from: T, to: T, each: &mut impl FnMut(T)) {
        match self {
            Self::Leaf(entries) => {
                let start = entries.partition_point(|entry| entry.0 < from);
                entries[start..].iter().take_while(|entry| entry.0 <= to).for_each(|entry| each(entry.0));
            }
            Self::Inner(children) => {
                let start = children.partition_point(|child| child.first <= from).saturating_sub(1);
                children[start..].iter().take_while(|child| child.first <= to).for_each(|child| {
                    child.node.times(from, to, each);
                });
            }
        }
    }

    fn forget_before(&mut self, time: T) {
        match self {
            Self::Leaf(entries) => drop(entries.drain(..entries.partition_point(|entry| entry.0 < time))),
            Self::Inner(children) => {
                children.drain(..children.partition_point(|child| child.first <= time).saturating_sub(1));
                if let Some(child) = children.first_mut().filter(|child| child.first < time) {
                    child.node.forget_before(time);
                    child.sum = child.node.total();
                    if child.node.is_empty() {
                        children.remove(0);
                    }
                }
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(children) => children.iter().map(|child| child.node.len()).sum(),
        }
    }
}

/// Returns where to split a node: at the end if it grew there, so that what comes in order leaves full nodes behind.
fn split(len: usize, at_end: bool) -> usize {
    if at_end { len - 1 } else { len / 2 }
}

impl<T: Copy + Ord, M: MonoidValue> Sums<T, M> {
    pub(super) fn new() -> Self {
        Self { root: Node::Leaf(Vec::new()) }
    }

    /// Returns whether all is zero.
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// Returns the number of times whose sum is not zero; walks all.
    pub(super) fn len(&self) -> usize {
        self.root.len()
    }

    /// Changes the value at a time, zero if there is none.
    pub(super) fn change(&mut self, time: T, change: impl FnOnce(&mut M)) {
        if let Some(half) = self.root.change(time, change) {
            let first = std::mem::replace(&mut self.root, Node::Inner(Vec::new()));
            self.root = Node::Inner(vec![Child::of(first), half]);
        }
        self.lower();
    }

    /// Returns the sum over a range of times, both ends included.
    pub(super) fn sum(&self, from: T, to: T) -> M {
        let mut sum = M::zero();
        self.root.add_up(from, to, &mut sum);
        sum
    }

    /// Calls `each` for the times in a range, both ends included, whose sum is not zero, in order.
    pub(super) fn times(&self, from: T, to: T, mut each: impl FnMut(T)) {
        self.root.times(from, to, &mut each);
    }

    /// Forgets all before a time.
    pub(super) fn forget_before(&mut self, time: T) {
        self.root.forget_before(time);
        self.lower();
    }

    fn lower(&mut self) {
        while let Node::Inner(children) = &mut self.root
            && children.len() < 2
        {
            self.root = children.pop().map_or(Node::Leaf(Vec::new()), |child| *child.node);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_a_map(acts in vec((0i32..400, -2i64..3, any::<bool>()), 0..2500), ordered: bool) {
            let mut sums = Sums::<i32, i64>::new();
            let mut model = BTreeMap::<i32, i64>::new();
            for (number, &(time, value, look)) in (0i32..).zip(&acts) {
                let time = if ordered { number / 3 } else { time };
                if number % 500 == 499 {
                    sums.forget_before(time);
                    model.retain(|&other, _| other >= time);
                }
                if value == 2 {
                    sums.change(time, |sum| *sum = 7);
                    model.insert(time, 7);
                } else {
                    sums.change(time, |sum| *sum += value);
                    *model.entry(time).or_default() += value;
                    model.retain(|_, sum| *sum != 0);
                }
                let (from, to) = (time - 40 * value.abs() as i32, time + 25);
                if look && from <= to {
                    prop_assert_eq!(sums.sum(from, to), model.range(from..=to).map(|entry| entry.1).sum::<i64>());
                    let mut times = Vec::new();
                    sums.times(from, to, |time| times.push(time));
                    prop_assert_eq!(times, model.range(from..=to).map(|entry| *entry.0).collect::<Vec<_>>());
                }
                prop_assert_eq!(sums.is_empty(), model.is_empty());
            }
            prop_assert_eq!(sums.len(), model.len());
            for time in model.into_keys() {
                let value = sums.sum(time, time);
                sums.change(time, |sum| *sum -= value);
            }
            prop_assert!(sums.is_empty());
        }
    }
}
