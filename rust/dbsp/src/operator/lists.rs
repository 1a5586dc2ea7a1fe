//! The values of each key, where they need no order: state that is added to at one end.
//!
//! **Law.** A key's values are a Z-set, the sum of all that was [added](Lists::add) under its [`Head`]. They are a linked list
//! through rows that lie in segments, so what comes is written once and never moved: no sorting, no merging, and no step that
//! waits because there is much. What goes is looked for in its list and its row is used again, so that no list has a value
//! both with positive and with negative weight, and all of them together are as long as what is there.
//!
//! A list of more than [`LONG`] rows would take long to look through: when it has to be, it becomes a [`Spine`] of its own, which
//! finds values by their order; so does any list of more than [`LONGEST`] rows, while that does not take long. It becomes a list
//! again when hardly any rows are left. Rows that only come wait beside the spine, in no order, until somebody looks into
//! it, something goes, or there are [`WAITING`] of them: a key that gets a few rows in each step is not sorted in each.
//!
//! ```text
//!   heads   [ k₀ ]   [ k₁ ]          [ k₂ ]
//!             │        │                └──▶ spine: many values, ordered
//!             ▼        ▼
//!   rows    [ v │ v │ v │ free │ v ]
//!             ▲───┘   └────────────▶
//! ```

use std::cell::OnceCell;

use super::Segments;
use super::key_index::NONE;
use crate::algebra::{ZWeight, add_weights};
use crate::column::{Column, Data};
use crate::trace::{Batch, Group, Sorter, Spine, Weights};

/// Lists of more rows become spines when something is looked for in them.
const LONG: u32 = 64;
/// Lists of more rows become spines in any case.
const LONGEST: u32 = 1024;
/// So many rows are put into a spine together, if nobody needs them in it before.
const WAITING: usize = 1024;
/// A spine of more rows is left to its merges, however many of its rows have gone.
const MERGED: usize = 1 << 16;

/// Where the values of a key begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The row that came last, or the number of the spine.
    first: u32,
    /// The number of rows.
    len: u32,
}

/// Instead of a number of rows, says that they are a spine.
const SPINE: u32 = u32::MAX;

impl Head {
    /// That of no values.
    pub(crate) const NONE: Self = Self { first: NONE, len: 0 };

    /// Returns whether there are no values, or none whose weights do not cancel.
    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.len == 0
    }
}

/// The values of all keys.
#[derive(Clone, Debug)]
pub(crate) struct Lists<V: Data> {
    segments: Vec<Segment<V>>,
    /// The row behind each row of a list, or of those that are free.
    next: Segments<u32>,
    rows: usize,
    free: u32,
    freed: usize,
    /// Rows of negative weight.
    debts: usize,
    spines: Vec<Long<V>>,
    free_spines: Vec<u32>,
    sorter: Sorter,
}

#[derive(Clone, Debug)]
struct Segment<V: Data> {
    vals: V::Column,
    weights: Weights,
}

/// The values of a key that has many.
#[derive(Clone, Debug)]
struct Long<V: Data> {
    spine: Spine<(), V>,
    /// What has been added and waits to be settled.
    change: Batch<(), V>,
    /// Whether the spine may have rows of negative weight, which others that come may cancel.
    owes: bool,
    /// Whether somebody has looked while rows waited, and will again.
    watched: bool,
    /// How many rows came that take others away, since there were none of both.
    gone: usize,
}

impl<V: Data> Default for Lists<V> {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            next: Segments::default(),
            rows: 0,
            free: NONE,
            freed: 0,
            debts: 0,
            spines: Vec::new(),
            free_spines: Vec::new(),
            sorter: Sorter::default(),
        }
    }
}

impl<V: Data> Lists<V> {
    /// Rows in a segment of values, as a power of two: few where setting one moves those behind it.
    const BITS: u32 = if V::Column::FIXED { 12 } else { 8 };

    /// Returns the segment in which a row is, and its place there.
    #[inline]
    fn place(row: u32) -> (usize, usize) {
        ((row >> Self::BITS) as usize, (row & ((1 << Self::BITS) - 1)) as usize)
    }

    /// Adds a value to those of a key; returns whether they have to be [settled](Lists::settle) afterwards.
    #[inline]
    pub(crate) fn add(&mut self, head: &mut Head, vals: &V::Column, row: usize, weight: ZWeight) -> bool {
        let looks = weight < 0 || self.debts > 0;
        if head.len > if looks { LONG } else { LONGEST } {
            if head.len != SPINE {
                self.lengthen(head);
            }
            let Long { change, owes, watched, .. } = &mut self.spines[head.first as usize];
            change.push((), vals.get(row), weight);
            return weight < 0 || *owes || *watched || change.len() >= WAITING;
        }
        let rest = if looks { self.cancel(head, vals, row, weight) } else { weight };
        if rest != 0 {
            let new = self.new_row(vals, row, rest, head.first);
            *head = Head { first: new, len: head.len + 1 };
        }
        false
    }

    /// Takes a weight from rows of the same value and the other sign; returns what is left of it.
    fn cancel(&mut self, head: &mut Head, vals: &V::Column, of: usize, weight: ZWeight) -> ZWeight {
        let (mut rest, mut before, mut row) = (weight, NONE, head.first);
        while row != NONE && rest != 0 {
            let (segment, at) = Self::place(row);
            let next = self.follow(row);
            let Segment { vals: own, weights } = &mut self.segments[segment];
            let there = weights.get(at);
            if (there > 0) == (rest > 0) || !own.same(at, vals, of) {
                (before, row) = (row, next);
                continue;
            }
            let sum = add_weights(there, rest);
            if sum != 0 && (sum > 0) == (there > 0) {
                weights.set(at, sum);
                return 0;
            }
            rest = sum;
            self.debts -= usize::from(there < 0);
            if before == NONE {
                head.first = next;
            } else {
                *self.next.at(before as usize) = next;
            }
            head.len -= 1;
            self.free_row(row);
            row = next;
        }
        rest
    }

    fn new_row(&mut self, vals: &V::Column, row: usize, weight: ZWeight, next: u32) -> u32 {
        self.debts += usize::from(weight < 0);
        if self.free != NONE {
            let new = self.free;
            self.free = std::mem::replace(self.next.at(new as usize), next);
            self.freed -= 1;
            let (segment, at) = Self::place(new);
            let segment = &mut self.segments[segment];
            segment.vals.set(at, vals.get(row));
            segment.weights.set(at, weight);
            return new;
        }
        let new = u32::try_from(self.rows).expect("lists have fewer than 2^32 rows");
        assert!(new != NONE, "lists have fewer than 2^32 rows");
        let (segment, at) = Self::place(new);
        if at == 0 {
            let mut vals = V::Column::default();
            // The first one grows, as most are all there is.
            if segment > 0 {
                vals.reserve(1 << Self::BITS);
            }
            self.segments.push(Segment { vals, weights: Weights::default() });
        }
        let segment = &mut self.segments[segment];
        segment.vals.push(vals.get(row));
        segment.weights.push(weight);
        self.next.push(next);
        self.rows += 1;
        new
    }

    fn free_row(&mut self, row: u32) {
        *self.next.at(row as usize) = self.free;
        self.free = row;
        self.freed += 1;
    }

    #[inline]
    fn follow(&self, row: u32) -> u32 {
        *self.next.get(row as usize).expect("each row has a next one")
    }

    /// Makes a list a spine.
    fn lengthen(&mut self, head: &mut Head) {
        let batch = self.take(*head);
        let owes = owes(&batch);
        let mut spine = Spine::new();
        spine.insert(batch);
        let long = Long { spine, change: Batch::new(), owes, watched: false, gone: 0 };
        let number = match self.free_spines.pop() {
            Some(number) => {
                self.spines[number as usize] = long;
                number
            }
            None => {
                self.spines.push(long);
                (self.spines.len() - 1) as u32
            }
        };
        *head = Head { first: number, len: SPINE };
    }

    /// Takes the rows of a list out of it, consolidated.
    fn take(&mut self, head: Head) -> Batch<(), V> {
        let batch = self.gather(head);
        let mut row = head.first;
        while row != NONE {
            let next = self.follow(row);
            let (segment, at) = Self::place(row);
            self.debts -= usize::from(self.segments[segment].weights.get(at) < 0);
            self.free_row(row);
            row = next;
        }
        batch
    }

    fn gather(&self, head: Head) -> Batch<(), V> {
        let mut batch = Batch::new();
        batch.reserve(head.len as usize);
        self.for_each(head, |val, weight| batch.push((), val, weight));
        batch.consolidate();
        batch
    }

    /// Notes that somebody has looked at the values of a key in their order: from now on they are settled in each step.
    pub(crate) fn watch(&mut self, head: Head) {
        if head.len == SPINE {
            self.spines[head.first as usize].watched = true;
        }
    }

    /// Brings the values of a key in order, after all have been added.
    pub(crate) fn settle(&mut self, head: &mut Head) {
        if head.len != SPINE {
            return;
        }
        let Long { spine, change, owes: may_owe, gone, .. } = &mut self.spines[head.first as usize];
        self.sorter.consolidate(change);
        let went = change.iter().filter(|(.., weight)| *weight < 0).count();
        *may_owe |= went > 0;
        // Where rows are owed, any that comes may take one away.
        *gone += if *may_owe { change.len() } else { went };
        spine.insert(std::mem::take(change));
        if 4 * *gone < spine.len().max(LONG as usize) || spine.len() > MERGED {
            return;
        }
        let left = spine.to_batch();
        *gone = 0;
        *may_owe = owes(&left);
        *spine = Spine::new();
        if left.len() > LONG as usize / 2 {
            spine.insert(left);
            return;
        }
        self.free_spines.push(head.first);
        *head = Head::NONE;
        for row in 0..left.len() {
            self.add(head, left.vals(), row, left.weight(row));
        }
    }

    /// Returns the values of a key and their weights if they are a list, in no order; a value may come more than once.
    #[inline]
    pub(crate) fn list(&self, head: Head) -> Option<impl Iterator<Item = (V::Ref<'_>, ZWeight)>> {
        if head.len == SPINE {
            return None;
        }
        let (mut row, mut left) = (head.first, head.len);
        Some(std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (segment, at) = Self::place(row);
            let Segment { vals, weights } = &self.segments[segment];
            // What is behind the last row lies somewhere else, and is not asked for.
            row = if left > 0 { self.follow(row) } else { NONE };
            Some((vals.get(at), weights.get(at)))
        }))
    }

    /// Calls `each` for the values of a key and their weights, in no order; a value may come more than once.
    #[inline]
    pub(crate) fn for_each<'a>(&'a self, head: Head, mut each: impl FnMut(V::Ref<'a>, ZWeight)) {
        match self.list(head) {
            Some(list) => list.for_each(|(val, weight)| each(val, weight)),
            None => {
                let Long { spine, change, .. } = &self.spines[head.first as usize];
                for rows in spine.runs().map(|run| run.rows()).chain([change]) {
                    rows.iter().for_each(|((), val, weight)| each(val, weight));
                }
            }
        }
    }

    /// Returns the values of a key, to be read in their order; those that are in none are brought into it in `room`.
    pub(crate) fn group<'a>(&'a self, head: Head, room: &'a OnceCell<Batch<(), V>>) -> Group<'a, V> {
        let (mut group, rows) = if head.len == SPINE {
            let Long { spine, change, .. } = &self.spines[head.first as usize];
            let group = spine.group((), <()>::hash(()));
            if change.is_empty() {
                return group;
            }
            let sorted = || {
                let mut change = change.clone();
                change.consolidate();
                change
            };
            (group, room.get_or_init(sorted))
        } else {
            (Group::new(None), room.get_or_init(|| self.gather(head)))
        };
        group.add(rows, 0..rows.len());
        group
    }

    /// Returns a number that depends on where the values of a key begin: see [`Column::touch`].
    #[inline]
    pub(crate) fn touch(&self, head: Head) -> usize {
        if head.len == SPINE || head.len == 0 {
            return 0;
        }
        let (segment, at) = Self::place(head.first);
        let next = if head.len > 1 { self.follow(head.first) } else { NONE };
        self.segments[segment].vals.touch(at) ^ next as usize
    }

    /// If most rows are of no list, forgets them; `heads` are those of all keys.
    pub(crate) fn compact<'a>(&mut self, heads: impl Iterator<Item = &'a mut Head>) {
        if self.rows < 4 << Self::BITS || self.freed * 2 < self.rows {
            return;
        }
        let mut kept = Self::default();
        (kept.spines, kept.free_spines) =
            (std::mem::take(&mut self.spines), std::mem::take(&mut self.free_spines));
        for head in heads.filter(|head| head.len != SPINE) {
            let mut row = head.first;
            head.first = NONE;
            while row != NONE {
                let (segment, at) = Self::place(row);
                let Segment { vals, weights } = &self.segments[segment];
                head.first = kept.new_row(vals, at, weights.get(at), head.first);
                row = self.follow(row);
            }
        }
        *self = kept;
    }

    /// Returns whether there are no values.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == self.freed && self.spines.len() == self.free_spines.len()
    }

    /// Returns the number of rows.
    pub(crate) fn len(&self) -> usize {
        let spines: usize = self.spines.iter().map(|long| long.spine.len() + long.change.len()).sum();
        self.rows - self.freed + spines
    }

    /// Returns the bytes of memory taken.
    pub(crate) fn bytes(&self) -> usize {
        let vals: usize =
            self.segments.iter().map(|segment| segment.vals.bytes() + segment.weights.bytes()).sum();
        let spines: usize = self.spines.iter().map(|long| long.spine.bytes() + long.change.bytes()).sum();
        vals + self.next.bytes() + spines
    }
}

fn owes<V: Data>(batch: &Batch<(), V>) -> bool {
    batch.iter().any(|(.., weight)| weight < 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::column::column_of;

    /// The weights of values, none of which is 0.
    type Model<V> = BTreeMap<V, ZWeight>;

    fn check<V: Data>(lists: &Lists<V>, head: Head, model: &Model<V>) {
        let mut sum = Model::new();
        let mut signs: BTreeMap<V, ZWeight> = BTreeMap::new();
        lists.for_each(head, |val, weight| {
            *sum.entry(V::owned(val)).or_default() += weight;
            if head.len != SPINE {
                assert_eq!(*signs.entry(V::owned(val)).or_insert(weight.signum()), weight.signum());
            }
        });
        sum.retain(|_, weight| *weight != 0);
        assert_eq!(&sum, model);
        assert_eq!(head.is_none(), model.is_empty());
        assert!(head.len == SPINE || head.len <= LONGEST + 1);
        let room = OnceCell::new();
        let (mut up, mut down) = (lists.group(head, &room), lists.group(head, &room));
        let own = |(val, weight)| (V::owned(val), weight);
        let up: Vec<_> = std::iter::from_fn(|| up.next_least()).map(own).collect();
        let mut down: Vec<_> = std::iter::from_fn(|| down.next_greatest()).map(own).collect();
        down.reverse();
        assert_eq!(up, model.iter().map(|(val, &weight)| (val.clone(), weight)).collect::<Vec<_>>());
        assert_eq!(up, down);
    }

    /// Whatever maps from values to weights do, one for each of some keys, the lists do.
    fn follow_maps<V: Data>(steps: &[Vec<(usize, V, ZWeight)>], keys: usize) {
        let (mut lists, mut heads) = (Lists::<V>::default(), vec![Head::NONE; keys]);
        let mut models = vec![Model::<V>::new(); keys];
        for step in steps {
            let vals = column_of(step.iter().map(|(_, val, _)| val.clone()));
            let mut unsettled = vec![false; keys];
            for (row, (key, val, weight)) in step.iter().enumerate() {
                unsettled[*key] |= lists.add(&mut heads[*key], &vals, row, *weight);
                *models[*key].entry(val.clone()).or_default() += weight;
                models[*key].retain(|_, weight| *weight != 0);
            }
            heads.iter_mut().zip(unsettled).filter(|(_, unsettled)| *unsettled).for_each(|(head, _)| {
                lists.settle(head);
            });
            lists.compact(heads.iter_mut());
            heads.iter().zip(&models).for_each(|(&head, model)| check(&lists, head, model));
        }
        let (rows, debts) =
            heads.iter().filter(|head| head.len != SPINE).fold((0, 0), |(rows, debts), &head| {
                let negative = lists.list(head).expect("it is a list").filter(|row| row.1 < 0).count();
                (rows + head.len as usize, debts + negative)
            });
        assert_eq!((lists.rows - lists.freed, lists.debts), (rows, debts));
    }

    fn weight() -> impl Strategy<Value = ZWeight> {
        prop_oneof![4 => Just(1), 3 => Just(-1), 1 => -3i64..=3].prop_filter("no row", |weight| *weight != 0)
    }

    proptest! {
        #[test]
        fn lists_of_few_values(steps in vec(vec((0usize..3, -5i64..5, weight()), 0..20), 1..12)) {
            follow_maps(&steps, 3);
        }

        #[test]
        fn lists_that_become_long(steps in vec(vec((0usize..2, 0i64..300, weight()), 0..120), 1..8)) {
            follow_maps(&steps, 2);
        }

        #[test]
        fn lists_of_strings(steps in vec(vec((0usize..2, "[ab]{0,3}", weight()), 0..30), 1..10)) {
            follow_maps(&steps, 2);
        }
    }

    fn all(keys: std::ops::Range<usize>, vals: i64, weight: ZWeight) -> Vec<(usize, i64, ZWeight)> {
        keys.flat_map(|key| (0..vals).map(move |val| (key, val, weight))).collect()
    }

    fn add(
        lists: &mut Lists<i64>,
        head: &mut Head,
        vals: &<i64 as Data>::Column,
        rows: std::ops::Range<usize>,
        weight: ZWeight,
    ) {
        let mut unsettled = false;
        rows.for_each(|row| unsettled |= lists.add(head, vals, row, weight));
        if unsettled {
            lists.settle(head);
        }
    }

    #[test]
    fn a_long_list_is_a_spine_and_becomes_a_list_again() {
        let steps =
            [all(0..2, 65, 1), all(0..1, 40, -1), all(0..1, 60, 1), all(0..1, 300, -1), all(1..2, 65, -1)];
        for number in 1..=steps.len() {
            follow_maps(&steps[..number], 2);
        }
        follow_maps(&[all(0..1, 1200, 1), all(0..2, 1000, -1), all(0..2, 1100, 1), all(0..2, 1200, -1)], 2);
        let (mut lists, mut head) = (Lists::<i64>::default(), Head::NONE);
        let vals = column_of(0..2050i64);
        let mut change = |rows: std::ops::Range<usize>, weight| {
            add(&mut lists, &mut head, &vals, rows, weight);
            (head.len == SPINE, lists.is_empty())
        };
        assert_eq!(change(0..65, 1), (false, false));
        assert_eq!(change(0..1, -1), (true, false));
        assert_eq!(change(1..65, -1), (false, true));
        assert_eq!(change(0..1025, 1), (false, false));
        assert_eq!(change(1025..1026, 1), (true, false));
        assert_eq!(change(0..1025, -1), (false, false));
        assert_eq!(change(1025..1026, -1), (false, true));
        // Rows of negative weight are cancelled by those that come.
        assert_eq!(change(0..1026, -1), (true, false));
        assert_eq!(change(0..1025, 1), (false, false));
        assert_eq!(change(1025..1026, 1), (false, true));
    }

    #[test]
    fn rows_that_only_come_wait_until_there_are_many() {
        let steps = [all(0..1, 1026, 1), all(0..1, 500, 2), all(0..1, 600, 1), all(0..1, 10, 1)];
        for number in 1..=steps.len() {
            follow_maps(&steps[..number], 1);
            follow_maps(&[&steps[..number], &[all(0..1, 3, -1), all(0..1, 7, 1)]].concat(), 1);
        }
        let (mut lists, mut head) = (Lists::<i64>::default(), Head::NONE);
        let vals = column_of(0..5000i64);
        let mut change = |rows: std::ops::Range<usize>, weight| {
            add(&mut lists, &mut head, &vals, rows, weight);
            (lists.len(), lists.spines[0].change.len())
        };
        assert_eq!(change(0..1026, 1), (1026, 1));
        assert_eq!(change(1026..2000, 1), (2000, 975));
        assert_eq!(change(2000..2049, 1), (2049, 0));
        assert_eq!(change(2049..2059, 1), (2059, 10));
        assert_eq!(change(0..1, -1), (2060, 0));
        assert_eq!(change(3000..3001, 1), (2061, 0), "it may cancel what has gone before it came");
        let (mut lists, mut head) = (Lists::<i64>::default(), Head::NONE);
        add(&mut lists, &mut head, &vals, 0..1030, 1);
        assert_eq!(lists.spines[0].change.len(), 5);
        lists.watch(head);
        add(&mut lists, &mut head, &vals, 1030..1031, 1);
        assert_eq!((lists.len(), lists.spines[0].change.len()), (1031, 0));
    }

    #[test]
    fn rows_that_went_are_used_again_and_forgotten() {
        let (mut lists, mut heads) = (Lists::<String>::default(), vec![Head::NONE; 1000]);
        let text = |key: usize, val: usize| format!("{val} of {}", "x".repeat(key % 7));
        let mut change = |weight: ZWeight, keys: std::ops::Range<usize>, lists: &mut Lists<String>| {
            for key in keys {
                let vals = column_of((0..10).map(|val| text(key, val)));
                (0..10).for_each(|row| _ = lists.add(&mut heads[key], &vals, row, 3 * weight));
            }
            lists.compact(heads.iter_mut());
            heads.clone()
        };
        change(1, 0..1000, &mut lists);
        change(-1, 0..400, &mut lists);
        assert_eq!((lists.rows, lists.freed, lists.len()), (10_000, 4_000, 6_000));
        let heads = change(1, 0..300, &mut lists);
        assert_eq!((lists.rows, lists.freed), (10_000, 1_000));
        for (key, &head) in heads.iter().enumerate() {
            let vals = if (300..400).contains(&key) { 0 } else { 10 };
            check(&lists, head, &(0..vals).map(|val| (text(key, val), 3)).collect());
        }
        change(-1, 400..1000, &mut lists);
        let heads = change(-1, 5..300, &mut lists);
        assert_eq!((lists.rows, lists.freed), (50, 0));
        for (key, &head) in heads.iter().enumerate().take(5) {
            check(&lists, head, &(0..10).map(|val| (text(key, val), 3)).collect());
        }
    }
}
