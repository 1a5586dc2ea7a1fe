//! Scopes: the root circuit, and circuits nested in circuits.

use std::marker::PhantomData;

use super::handle::CircuitHandle;
use super::{Graph, Worker};
use crate::error::Error;
use crate::time::Timestamp;

/// A circuit that operators can be added to.
pub trait Circuit: Clone + sealed::Scope + 'static {
    /// What state in this scope has beside each row: nothing in the root, the iteration in a nested scope.
    type Time: Timestamp;
    /// Whether there is a circuit around it.
    const NESTED: bool;
}

pub(crate) mod sealed {
    use super::Graph;

    pub trait Scope {
        fn graph(&self) -> &Graph;
    }
}

/// The outermost circuit, whose clock ticks once per step.
#[derive(Clone)]
pub struct RootCircuit(Graph);

/// A circuit within `Outer`, whose clock ticks until nothing changes any more, in each tick of `Outer`'s.
#[derive(Clone)]
pub struct ChildCircuit<Outer>(Graph, PhantomData<Outer>);

impl Circuit for RootCircuit {
    type Time = ();
    const NESTED: bool = false;
}
impl Circuit for ChildCircuit<RootCircuit> {
    type Time = u32;
    const NESTED: bool = true;
}
impl sealed::Scope for RootCircuit {
    fn graph(&self) -> &Graph {
        &self.0
    }
}
impl<Outer> sealed::Scope for ChildCircuit<Outer> {
    fn graph(&self) -> &Graph {
        &self.0
    }
}

impl<Outer> ChildCircuit<Outer> {
    pub(crate) fn new(worker: &Worker) -> Self {
        Self(Graph::new(worker.clone()), PhantomData)
    }
}

impl RootCircuit {
    /// Builds a circuit that is stepped by the caller's thread; returns a handle to step it by, and whatever the closure
    /// returns: handles of inputs and outputs.
    ///
    /// # Errors
    ///
    /// What the closure returns.
    pub fn build<T>(
        describe: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<(CircuitHandle, T), Error> {
        Self::build_in(Worker::alone(), describe)
    }

    pub(crate) fn build_in<T>(
        worker: Worker,
        describe: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<(CircuitHandle, T), Error> {
        let mut circuit = Self(Graph::new(worker));
        let handles = describe(&mut circuit)?;
        let (graph, gate) = (&circuit.0, circuit.0.worker().gate().clone());
        Ok((CircuitHandle::new(graph.schedule(), graph.pacer().clone(), gate), handles))
    }

    /// Returns the number of this circuit's worker, from 0.
    #[must_use]
    pub fn worker_index(&self) -> usize {
        self.0.worker().index()
    }

    /// Returns the number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.0.worker().workers()
    }
}
