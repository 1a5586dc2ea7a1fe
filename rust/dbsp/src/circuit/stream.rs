//! Streams: what an operator brings, step by step.

use std::cell::Ref;
use std::rc::Rc;

use super::{Circuit, Graph, Incoming, NodeId, Slot};

/// A stream in circuit `C` that brings a `D` in each step: for most, the [batch](crate::trace::Batch) of what changed.
pub struct Stream<C, D> {
    circuit: C,
    id: NodeId,
    slot: Rc<Slot<D>>,
}

impl<C: Clone, D> Clone for Stream<C, D> {
    fn clone(&self) -> Self {
        Self { circuit: self.circuit.clone(), id: self.id, slot: self.slot.clone() }
    }
}

impl<C: Circuit, D: 'static> Stream<C, D> {
    pub(crate) fn new(circuit: &C, id: NodeId, slot: Rc<Slot<D>>) -> Self {
        Self { circuit: circuit.clone(), id, slot }
    }

    /// Returns the circuit that it is in.
    #[must_use]
    pub fn circuit(&self) -> &C {
        &self.circuit
    }

    pub(crate) fn graph(&self) -> &Graph {
        self.circuit.graph()
    }

    /// Returns the number of the operator that brings it.
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Returns what its operator has left for those that read it.
    pub(crate) fn value(&self) -> Ref<'_, D> {
        self.slot.borrow()
    }

    /// Notes that what its operator brings in some steps does not add up to what it would bring in one.
    pub(crate) fn by_step(self) -> Self {
        self.graph().by_step(self.id);
        self
    }

    /// Returns what [`read`](Stream::read) does, for an operator in a scope within.
    pub(crate) fn import(&self, inner: &Graph) -> Incoming<D> {
        inner.import(self.id);
        self.slot.import()
    }

    /// Returns the place where an operator that is being made will find what the stream brings.
    pub(crate) fn read(&self) -> Incoming<D> {
        self.slot.read()
    }
}
