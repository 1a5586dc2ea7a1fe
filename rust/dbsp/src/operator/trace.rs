//! The integral of a stream, as state that other operators search.
//!
//! ```text
//!   Δ ──▶ [ consolidate ] ──▶ delta ─┐
//!                                    ├──▶ whoever reads the trace: before, and delta
//!         [ spine ] ──▶ before ──────┘
//!            ▲───────── delta, after all have read ────────┘
//! ```
//!
//! **Law.** In step *t*, `before` is *I(Δ)(t − 1)* and `delta` is *Δ(t)*: both what was and what has changed are at hand,
//! which is what every bilinear operator needs. A stream has one trace, however many operators search it.

use std::ops::Range;
use std::rc::Rc;

use crate::circuit::{Circuit, Incoming, Node, RootCircuit, Slot, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::{Batch, Group, Sorter, Spine};

/// The integral of a stream up to the last step, and what this step adds to it.
#[derive(Debug)]
pub struct Trace<K: Data, V: Data> {
    before: Spine<K, V>,
    delta: Batch<K, V>,
}

impl<K: Data, V: Data> Trace<K, V> {
    /// Returns the sum of what the stream brought before this step.
    #[must_use]
    pub fn before(&self) -> &Spine<K, V> {
        &self.before
    }

    /// Returns what it brings in this step, consolidated.
    #[must_use]
    pub fn delta(&self) -> &Batch<K, V> {
        &self.delta
    }

    /// Returns what there is of a key after this step; `rows` are those that the delta has of it.
    pub(super) fn after(&self, key: K::Ref<'_>, hash: u64, rows: Range<usize>) -> Group<'_, V> {
        let mut group = self.before.group(key, hash);
        group.add(&self.delta, rows);
        group
    }
}

struct Integrate<K: Data, V: Data> {
    input: Incoming<Batch<K, V>>,
    trace: Rc<Slot<Trace<K, V>>>,
    sorter: Sorter,
}

impl<K: Data, V: Data> Node for Integrate<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut trace = self.trace.borrow_mut();
        trace.delta = self.input.take();
        self.sorter.consolidate(&mut trace.delta);
        Ok(trace.delta.len())
    }
    fn rest(&mut self) {
        let mut trace = self.trace.borrow_mut();
        let delta = std::mem::take(&mut trace.delta);
        trace.before.insert(delta);
    }
    fn state(&self) -> State {
        let trace = self.trace.borrow();
        State {
            rows: trace.before.len() + trace.delta.len(),
            bytes: trace.before.bytes() + trace.delta.bytes(),
        }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// The integral, which operators of the root search.
    pub(crate) fn trace(&self) -> Stream<C, Trace<K, V>> {
        struct Integral;
        self.graph().once::<Integral, _>(self.id(), || {
            let trace = Slot::new(Trace { before: Spine::new(), delta: Batch::new() });
            let node = Integrate { input: self.read(), trace: trace.clone(), sorter: Sorter::default() };
            Stream::new(self.circuit(), self.graph().node("integrate_trace", &[self.id()], node), trace)
        })
    }
}

impl<K: Data, V: Data> Stream<RootCircuit, Batch<K, V>> {
    /// Returns the integral of the stream, to be searched by key. Made once, however often it is asked for.
    #[must_use]
    pub fn integrate_trace(&self) -> Stream<RootCircuit, Trace<K, V>> {
        self.trace()
    }
}

/// Calls `each` for every key of a consolidated batch, with its hash and its rows.
pub(super) fn keys<'a, K: Data, V: Data>(
    batch: &'a Batch<K, V>,
    mut each: impl FnMut(K::Ref<'a>, u64, Range<usize>),
) {
    let mut start = 0;
    while start < batch.len() {
        let key = batch.key(start);
        let mut end = start + 1;
        while end < batch.len() && batch.key(end) == key {
            end += 1;
        }
        each(key, K::hash(key), start..end);
        start = end;
    }
}
