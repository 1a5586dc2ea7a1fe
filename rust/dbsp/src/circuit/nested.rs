//! Circuits within circuits: a scope that, in each step of the one around, iterates until nothing changes any more.
//!
//! ```text
//!            ┌────────── scope ──────────────┐
//!   Δ ──▶ [ δ₀ ] ──▶ operators ──▶ ... ──▶ [ Σ ] ──▶ the sum over the iterations
//!            │          ▲───── z⁻¹ ◀────┘    │
//!            └───────────────────────────────┘
//! ```
//!
//! The scope is settled when none of its operators has anything to bring in a later iteration: no feedback, and no state
//! of an earlier step that an iteration still to come would change. With several workers all have to be.
//!
//! Operators whose state has no iterations beside its rows are of the root only; the compiler says so:
//!
//! ```
//! # use qadataswap_dbsp::{Error, RootCircuit};
//! RootCircuit::build(|circuit| {
//!     let (rows, _) = circuit.add_input_indexed_zset::<u32, i64>();
//!     circuit.fixpoint(|scope| Ok(rows.delta0(scope).distinct()))
//! })?;
//! # Ok::<(), Error>(())
//! ```
//! ```compile_fail,E0599
//! # use qadataswap_dbsp::{Error, RootCircuit};
//! RootCircuit::build(|circuit| {
//!     let (rows, _) = circuit.add_input_indexed_zset::<u32, i64>();
//!     circuit.fixpoint(|scope| Ok(rows.delta0(scope).integrate()))
//! })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! So are scopes: one in a nested scope would need state by pairs of iterations, which are not in one order. Where both only
//! add rows, [recursion](RootCircuit::recursive) over both relations at once has the same fixed point (H. Bekić, 1969).
//!
//! ```compile_fail,E0599
//! # use qadataswap_dbsp::{Error, RootCircuit};
//! RootCircuit::build(|circuit| {
//!     let (rows, _) = circuit.add_input_indexed_zset::<u32, i64>();
//!     circuit.fixpoint(|scope| scope.fixpoint(|inner| Ok(rows.delta0(scope).delta0(inner))))
//! })?;
//! # Ok::<(), Error>(())
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use super::graph::Entry;
use super::iterate::{Check, Until};
use super::{ChildCircuit, Clock, Ends, Incoming, Node, NodeId, RootCircuit, Schedule, Scope, Slot, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

/// How many iterations a scope may take unless told otherwise.
const LIMIT: u32 = 1_000_000;

/// Adds up what a stream within brings.
pub(super) trait Export {
    /// Adds what an iteration has brought.
    fn gather(&mut self, iteration: u32);
    /// Ends a step with this iteration.
    fn end(&mut self, _last: u32) {}
    fn rows(&self) -> usize;
    fn clear(&self);
}

struct Sum<K: Data, V: Data> {
    inner: Incoming<Batch<K, V>>,
    outer: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data> Export for Sum<K, V> {
    fn gather(&mut self, _: u32) {
        self.outer.borrow_mut().extend(&self.inner.get());
    }
    fn rows(&self) -> usize {
        self.outer.borrow().len()
    }
    fn clear(&self) {
        self.outer.clear();
    }
}

pub(super) struct Nested {
    schedule: Rc<RefCell<Schedule>>,
    clock: Clock,
    exports: Vec<Box<dyn Export>>,
    /// With whom to agree whether all are settled, and whether the condition holds.
    others: Option<Ends<(bool, bool)>>,
    limit: u32,
    /// What may end a step before all is settled, and the last iteration that any step had.
    condition: Option<(Box<dyn Check>, u32)>,
}

impl Nested {
    pub(super) fn new(child: &ChildCircuit<RootCircuit>, exports: Exports, limit: u32) -> Self {
        let worker = child.graph().worker();
        Self {
            schedule: Rc::new(RefCell::new(child.graph().schedule())),
            clock: child.graph().clock().clone(),
            exports: exports.streams,
            others: (worker.workers() > 1).then(|| worker.ends()),
            limit,
            condition: None,
        }
    }

    pub(super) fn until(mut self, condition: Box<dyn Check>) -> Self {
        self.condition = Some((condition, 0));
        self
    }

    /// Places the scope in the circuit around.
    pub(super) fn place(
        self,
        name: &'static str,
        outer: &RootCircuit,
        child: &ChildCircuit<RootCircuit>,
    ) -> NodeId {
        let inner = Some(self.schedule.clone());
        // With others, it has to agree with them in each step, whether or not there is input for this worker.
        let always = self.others.is_some();
        let entry = Entry::new(name, &child.graph().imports(), Box::new(self), always);
        outer.graph().add(Entry { inner, ..entry })
    }

    /// Runs an iteration; returns whether it was the last.
    fn iterate(&mut self, iteration: u32) -> Result<bool, Error> {
        let mut schedule = self.schedule.borrow_mut();
        self.clock.set(iteration);
        schedule.step()?;
        self.exports.iter_mut().for_each(|export| export.gather(iteration));
        let mut holds = self.condition.as_mut().is_some_and(|(condition, _)| condition.holds(iteration));
        schedule.rest()?;
        let mut settled = schedule.is_settled();
        if let Some(others) = &self.others {
            let own = (settled, holds);
            others.meet(std::iter::repeat_n(own, others.workers()), |_, other| {
                settled &= other.0;
                holds |= other.1;
            })?;
        }
        // Where nothing is left to do, there may still be what an earlier step has done in later iterations.
        let deepest = self.condition.as_ref().map_or(0, |(_, deepest)| *deepest);
        Ok(holds || (settled && iteration >= deepest))
    }
}

impl Node for Nested {
    fn eval(&mut self) -> Result<usize, Error> {
        self.schedule.borrow_mut().clock_start();
        let mut iteration = 0;
        while !self.iterate(iteration)? {
            iteration += 1;
            if iteration >= self.limit {
                return Err(Error::NoFixedPoint { scope: String::new(), iterations: self.limit });
            }
        }
        if let Some((_, deepest)) = &mut self.condition {
            *deepest = iteration.max(*deepest);
        }
        self.exports.iter_mut().for_each(|export| export.end(iteration));
        self.schedule.borrow_mut().clock_end();
        Ok(self.exports.iter().map(|export| export.rows()).sum())
    }
    fn rest(&mut self) {
        self.exports.iter().for_each(|export| export.clear());
    }
}

/// Streams of a nested scope, one or some, that the scope around is to have.
pub trait NestedStreams {
    /// The same streams, in the scope around.
    type Outer;
    #[doc(hidden)]
    fn export(self, exports: &mut Exports) -> Place<Self::Outer>;
}

/// Makes streams of the scope around, once it is known which operator brings them.
pub(crate) type Place<T> = Box<dyn FnOnce(&RootCircuit, NodeId) -> T>;

/// What is to be exported so far.
#[derive(Default)]
pub struct Exports {
    streams: Vec<Box<dyn Export>>,
    /// Whether a step may end before all is settled.
    truncated: bool,
}

impl Exports {
    pub(super) fn truncated() -> Self {
        Self { streams: Vec::new(), truncated: true }
    }
}

impl<K: Data, V: Data> NestedStreams for Stream<ChildCircuit<RootCircuit>, Batch<K, V>> {
    type Outer = Stream<RootCircuit, Batch<K, V>>;

    fn export(self, exports: &mut Exports) -> Place<Self::Outer> {
        let outer = Slot::new(Batch::new());
        let inner = self.read();
        exports.streams.push(if exports.truncated {
            Box::new(Until::new(inner, outer.clone()))
        } else {
            Box::new(Sum { inner, outer: outer.clone() })
        });
        Box::new(move |circuit, id| Stream::new(circuit, id, outer))
    }
}

macro_rules! tuples {
    ($($name:ident $index:tt),+) => {
        impl<$($name: NestedStreams + 'static),+> NestedStreams for ($($name,)+) {
            type Outer = ($($name::Outer,)+);

            fn export(self, exports: &mut Exports) -> Place<Self::Outer> {
                let made = ($(self.$index.export(exports),)+);
                Box::new(move |circuit, id| ($((made.$index)(circuit, id),)+))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

impl RootCircuit {
    /// Adds a scope that iterates until nothing changes; returns the streams that the closure does, each of which brings
    /// the sum of what it brought in all iterations of the step.
    ///
    /// Streams of this circuit enter the scope by [`delta0`](Stream::delta0); cycles go through
    /// [feedback](ChildCircuit::add_feedback). For relations that are defined by themselves, use
    /// [`recursive`](RootCircuit::recursive); to stop before nothing changes, [`iterate`](RootCircuit::iterate).
    ///
    /// # Errors
    ///
    /// What the closure returns.
    pub fn fixpoint<S: NestedStreams>(
        &self,
        describe: impl FnOnce(&ChildCircuit<Self>) -> Result<S, Error>,
    ) -> Result<S::Outer, Error> {
        self.nest("fixpoint", LIMIT, describe)
    }

    /// The same, where more than `limit` iterations of one step are an error.
    ///
    /// # Errors
    ///
    /// What the closure returns.
    pub fn fixpoint_within<S: NestedStreams>(
        &self,
        limit: u32,
        describe: impl FnOnce(&ChildCircuit<Self>) -> Result<S, Error>,
    ) -> Result<S::Outer, Error> {
        self.nest("fixpoint", limit, describe)
    }

    pub(crate) fn nest<S: NestedStreams>(
        &self,
        name: &'static str,
        limit: u32,
        describe: impl FnOnce(&ChildCircuit<Self>) -> Result<S, Error>,
    ) -> Result<S::Outer, Error> {
        let child = ChildCircuit::new(self.graph().worker());
        let mut exports = Exports::default();
        let outer = describe(&child)?.export(&mut exports);
        Ok(outer(self, Nested::new(&child, exports, limit).place(name, self, &child)))
    }
}
