//! The integral of a stream by key, without an order: what joins look into.
//!
//! ```text
//!   Δ ──▶ [ slot of each key ] ──▶ Δ and slots ─┐
//!                                               ├──▶ whoever joins: what was under a slot, and Δ
//!         [ lists ] ──▶ before ─────────────────┘
//!            ▲───────── Δ, after all have looked ─────────┘
//! ```
//!
//! **Law.** In step *t*, the lists are *I(Δ)(t − 1)*, and Δ(t) lies beside them, each row with the slot of its key.
//!
//! Streams that are joined with each other share their [keys](Keys): a key is looked for once in the step in which something
//! comes under it, and its slot leads to what every one of the streams has under it, whose heads lie side by side. (A join
//! that keeps a table of each side and looks into the other's: Wilschut and Apers, "Dataflow query execution in a parallel
//! main-memory environment", 1991; here both have one.) Two streams that share keys with others and are joined later share
//! them all.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use smallvec::SmallVec;

use super::lists::{Head, Lists};
use super::{BLOCK, KeyIndex, Lookup, Segments, blocks};
use crate::algebra::ZWeight;
use crate::circuit::{Circuit, Incoming, Node, Slot, State, Stream};
use crate::column::{Column, Data};
use crate::error::Error;
use crate::trace::Batch;

/// The keys of streams that are joined with each other, and where the values lie that each has under them.
#[derive(Debug)]
pub(super) struct Keys<K: Data> {
    index: KeyIndex<K>,
    /// Of each slot the heads of all sides.
    heads: Segments<Head>,
    sides: usize,
    /// The sides that hold slots of this step.
    holders: usize,
    /// Slots under which a side has nothing any more.
    emptied: Vec<u32>,
    lookup: Lookup,
}

/// Keys, or where they have gone, and how many sides were there before.
#[derive(Debug)]
enum Place<K: Data> {
    Here(Keys<K>),
    Moved(Rc<RefCell<Place<K>>>, usize),
}

/// One of the streams that share keys.
#[derive(Clone, Debug)]
struct Side<K: Data> {
    place: Rc<RefCell<Place<K>>>,
    number: usize,
}

/// The rows of a stream by key: those that came before this step, and what this step adds to them.
#[derive(Debug)]
pub(super) struct Arranged<K: Data, V: Data> {
    side: Side<K>,
    lists: Lists<V>,
    delta: Batch<K, V>,
    slots: Vec<u32>,
}

impl<K: Data> Keys<K> {
    fn new() -> Self {
        Self {
            index: KeyIndex::default(),
            heads: Segments::default(),
            sides: 1,
            holders: 0,
            emptied: Vec::new(),
            lookup: Lookup::default(),
        }
    }

    #[inline]
    fn at(&self, slot: u32, side: usize) -> usize {
        slot as usize * self.sides + side
    }

    #[inline]
    fn head(&self, slot: u32, side: usize) -> Head {
        *self.heads.get(self.at(slot, side)).expect("each slot has a head on each side")
    }

    #[inline]
    fn head_mut(&mut self, slot: u32, side: usize) -> &mut Head {
        let at = self.at(slot, side);
        self.heads.at(at)
    }

    /// Finds the slots of a batch's keys, and makes those that are missing.
    fn find<V: Data>(&mut self, batch: &Batch<K, V>, slots: &mut Vec<u32>) {
        slots.reserve(batch.len());
        for block in blocks(batch.len()) {
            self.lookup.look(&self.index, |hashes| batch.keys().hashes(block.clone(), hashes));
            for (number, row) in block.enumerate() {
                let heads = || (0..self.sides).for_each(|_| self.heads.push(Head::NONE));
                slots.push(self.lookup.slot(number, batch.key(row), &mut self.index, heads) as u32);
            }
        }
    }

    /// Forgets the keys under which no side has anything, once no side holds slots any more.
    fn forget(&mut self) {
        if self.emptied.is_empty() {
            return;
        }
        let mut emptied = std::mem::take(&mut self.emptied);
        emptied.sort_unstable();
        emptied.dedup();
        for slot in emptied.drain(..) {
            if (0..self.sides).all(|side| self.head(slot, side).is_none()) {
                self.index.remove(slot as usize, self.index.keys().hash(slot as usize));
            }
        }
        self.emptied = emptied;
        if let Some(kept) = self.index.compact() {
            let heads = kept.into_iter().flat_map(|slot| (0..self.sides).map(move |side| (slot, side)));
            self.heads = heads.map(|(slot, side)| self.head(slot, side)).collect();
        }
    }
}

impl<K: Data> Side<K> {
    fn new() -> Self {
        Self { place: Rc::new(RefCell::new(Place::Here(Keys::new()))), number: 0 }
    }

    /// Goes to where the keys are.
    fn arrived(&self) -> Self {
        let mut side = self.clone();
        loop {
            let (place, before) = match &*side.place.borrow() {
                Place::Here(_) => break,
                Place::Moved(place, before) => (place.clone(), *before),
            };
            side = Self { place, number: side.number + before };
        }
        side
    }

    /// Looks at the keys, and at which of their sides this is.
    #[inline]
    fn look<T>(&self, look: impl FnOnce(&Keys<K>, usize) -> T) -> T {
        let side = self.arrived();
        match &*side.place.borrow() {
            Place::Here(keys) => look(keys, side.number),
            Place::Moved(..) => unreachable!("a side has arrived where the keys are"),
        }
    }

    /// Does the same, to change them.
    #[inline]
    fn change<T>(&self, change: impl FnOnce(&mut Keys<K>, usize) -> T) -> T {
        let side = self.arrived();
        match &mut *side.place.borrow_mut() {
            Place::Here(keys) => change(keys, side.number),
            Place::Moved(..) => unreachable!("a side has arrived where the keys are"),
        }
    }

    /// Shares keys with another side, before there are any.
    fn share(&self, other: &Self) {
        let (own, other) = (self.arrived(), other.arrived());
        if Rc::ptr_eq(&own.place, &other.place) {
            return;
        }
        let more = other.look(|keys, _| keys.sides);
        let before = own.change(|keys, _| {
            keys.sides += more;
            keys.sides - more
        });
        *other.place.borrow_mut() = Place::Moved(own.place, before);
    }
}

impl<K: Data, V: Data> Arranged<K, V> {
    /// Returns what this step adds.
    pub(super) fn delta(&self) -> &Batch<K, V> {
        &self.delta
    }

    /// Returns the slot of the key of each row of that.
    pub(super) fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// Calls `each` for what there was before this step under each of some slots of the keys that are shared: with the number
    /// of the slot in `slots`, a value, and its weight.
    #[inline]
    pub(super) fn look_up<'a>(&'a self, slots: &[u32], mut each: impl FnMut(usize, V::Ref<'a>, ZWeight)) {
        if slots.is_empty() || self.lists.is_empty() {
            return;
        }
        self.side.look(|keys, side| {
            let mut heads = SmallVec::<[Head; BLOCK]>::new();
            for (block, start) in slots.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
                heads.clear();
                heads.extend(block.iter().map(|&slot| keys.head(slot, side)));
                black_box(heads.iter().fold(0, |all, &head| all ^ self.lists.touch(head)));
                for (&head, number) in heads.iter().zip(start..) {
                    self.lists.for_each(head, |val, weight| each(number, val, weight));
                }
            }
        });
    }
}

struct Arrange<K: Data, V: Data> {
    input: Incoming<Batch<K, V>>,
    arranged: Rc<Slot<Arranged<K, V>>>,
    /// The slots whose values have to be settled.
    unsettled: Vec<u32>,
}

impl<K: Data, V: Data> Node for Arrange<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut arranged = self.arranged.borrow_mut();
        let Arranged { side, delta, slots, .. } = &mut *arranged;
        self.input.lend(delta);
        side.change(|keys, _| {
            keys.find(delta, slots);
            keys.holders += 1;
        });
        Ok(delta.len())
    }

    fn rest(&mut self) {
        let mut arranged = self.arranged.borrow_mut();
        let Arranged { side, lists, delta, slots } = &mut *arranged;
        side.change(|keys, side| {
            for (block, start) in slots.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
                // All heads, and of what goes where to look for it, are under way from memory together.
                let first = |(&slot, row)| {
                    let head = keys.head(slot, side);
                    if delta.weight(row) < 0 { lists.touch(head) } else { usize::from(head.is_none()) }
                };
                black_box(block.iter().zip(start..).map(first).fold(0, |all, first| all ^ first));
                for (&slot, row) in block.iter().zip(start..) {
                    let head = keys.head_mut(slot, side);
                    if lists.add(head, delta.vals(), row, delta.weight(row)) {
                        self.unsettled.push(slot);
                    } else if head.is_none() {
                        keys.emptied.push(slot);
                    }
                }
            }
            for slot in self.unsettled.drain(..) {
                let head = keys.head_mut(slot, side);
                lists.settle(head);
                if head.is_none() {
                    keys.emptied.push(slot);
                }
            }
            let sides = keys.sides;
            lists.compact(keys.heads.iter_mut().skip(side).step_by(sides));
            keys.holders -= 1;
            if keys.holders == 0 {
                keys.forget();
            }
        });
        slots.clear();
        self.input.give_back(delta);
    }

    fn state(&self) -> State {
        let arranged = self.arranged.borrow();
        // Of what is shared, a share.
        let shared = arranged.side.look(|keys, _| (keys.index.bytes() + keys.heads.bytes()) / keys.sides);
        State { rows: arranged.lists.len(), bytes: arranged.lists.bytes() + shared }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// The integral by key, which joins look into. Made once, however many there are.
    pub(super) fn arrange(&self) -> Stream<C, Arranged<K, V>> {
        struct Arrangement;
        self.graph().once::<Arrangement, _>(self.id(), || {
            let arranged = Arranged {
                side: Side::new(),
                lists: Lists::default(),
                delta: Batch::new(),
                slots: Vec::new(),
            };
            let arranged = Slot::new(arranged);
            let node = Arrange { input: self.read(), arranged: arranged.clone(), unsettled: Vec::new() };
            Stream::new(self.circuit(), self.graph().node("arrange", &[self.id()], node), arranged)
        })
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Arranged<K, V>> {
    /// Shares keys with another arrangement.
    pub(super) fn share_keys<W: Data>(&self, other: &Stream<C, Arranged<K, W>>) {
        if self.id() != other.id() {
            self.value().side.share(&other.value().side);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::RootCircuit;
    use crate::operator::IndexedZSetHandle;

    /// Four streams, of which the first two and the last two share keys; and then all.
    fn four() -> (crate::CircuitHandle, [IndexedZSetHandle<u64, i64>; 4], [Side<u64>; 4]) {
        let (circuit, (handles, sides)) = RootCircuit::build(|circuit| {
            let inputs = [0; 4].map(|_| circuit.add_input_indexed_zset::<u64, i64>());
            let arranged = inputs.each_ref().map(|(stream, _)| stream.arrange());
            for (one, other) in [(0, 1), (2, 3), (3, 1), (0, 2), (0, 0)] {
                arranged[one].share_keys(&arranged[other]);
            }
            Ok((inputs.map(|input| input.1), arranged.map(|arranged| arranged.value().side.clone())))
        })
        .expect("the circuit is built");
        (circuit, handles, sides)
    }

    fn keys(sides: &[Side<u64>; 4]) -> (usize, usize) {
        sides[0].look(|keys, _| (keys.index.len(), keys.sides))
    }

    #[test]
    fn sides_that_were_joined_in_any_order_share_all_keys() {
        let (.., sides) = four();
        let mut numbers: Vec<_> = sides.iter().map(|side| side.look(|_, number| number)).collect();
        let place = |side: &Side<u64>| Rc::as_ptr(&side.arrived().place);
        assert!(sides.iter().all(|side| place(side) == place(&sides[0])));
        numbers.sort_unstable();
        assert_eq!((numbers, keys(&sides)), (vec![0, 1, 2, 3], (0, 4)));
    }

    #[test]
    fn keys_stay_while_a_side_has_something_under_them() {
        let (mut circuit, handles, sides) = four();
        let mut step = |changes: &[(usize, std::ops::Range<u64>, i64)]| {
            for (side, keys, weight) in changes.iter().cloned() {
                handles[side].extend(keys.map(|key| (key, 7, weight)));
            }
            circuit.step().expect("a sound circuit succeeds");
            keys(&sides).0
        };
        assert_eq!(step(&[(0, 0..10, 1), (1, 5..15, 1), (3, 14..16, 1)]), 16);
        assert_eq!(step(&[(0, 0..10, -1), (2, 0..2, 1)]), 13);
        // A key that comes on one side while it goes on another, and one that comes and goes at once.
        assert_eq!(step(&[(2, 0..2, -1), (3, 0..1, 1), (0, 90..99, 1), (0, 90..99, -1)]), 12);
        assert_eq!(step(&[(1, 5..15, -1), (3, 14..16, -1), (3, 0..1, -1)]), 0);
        // So many that slots are numbered anew.
        assert_eq!(step(&[(0, 0..5000, 1), (1, 4000..6000, 1)]), 6000);
        assert_eq!(step(&[(0, 0..4500, -1), (1, 5500..6000, -1)]), 1500);
        assert_eq!(step(&[(0, 4500..5000, -1), (1, 4000..5499, -1)]), 1);
        assert_eq!(step(&[(1, 5499..5500, -1)]), 0);
    }
}
