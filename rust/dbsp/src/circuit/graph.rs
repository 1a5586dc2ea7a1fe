//! A circuit while it is described.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::{Node, Pacer, Schedule, Worker};

/// The number of an operator in its scope, in the order in which they run.
pub(crate) type NodeId = usize;

/// An operator and its place.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) node: Box<dyn Node>,
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) always: bool,
    /// Whether what it brings in some steps does not add up to what it would bring in one.
    pub(crate) by_step: bool,
    /// The operators of the scope within, if it is one.
    pub(crate) inner: Option<Rc<RefCell<Schedule>>>,
}

impl Entry {
    pub(crate) fn new(name: &'static str, inputs: &[NodeId], node: Box<dyn Node>, always: bool) -> Self {
        Self { name, node, inputs: inputs.to_vec(), always, by_step: false, inner: None }
    }
}

/// What has been described so far of one scope of one worker's circuit.
#[derive(Clone)]
pub struct Graph(Rc<Inner>);

struct Inner {
    entries: RefCell<Vec<Entry>>,
    /// Streams that were made of others before, by what made them: asked for again, they are shared.
    shared: RefCell<HashMap<(TypeId, NodeId), Rc<dyn Any>>>,
    /// Streams of the scope around that are read in this one.
    imports: RefCell<Vec<NodeId>>,
    worker: Worker,
    clock: Clock,
    pacer: Pacer,
}

/// The iteration of a nested scope, from 0; of the root, always 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Rc<Cell<u32>>);

impl Clock {
    pub(crate) fn now(&self) -> u32 {
        self.0.get()
    }

    pub(crate) fn set(&self, iteration: u32) {
        self.0.set(iteration);
    }
}

impl Graph {
    pub(crate) fn new(worker: Worker) -> Self {
        Self(Rc::new(Inner {
            entries: RefCell::default(),
            shared: RefCell::default(),
            imports: RefCell::default(),
            worker,
            clock: Clock::default(),
            pacer: Pacer::default(),
        }))
    }

    pub(crate) fn pacer(&self) -> &Pacer {
        &self.0.pacer
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.0.worker
    }

    pub(crate) fn add(&self, entry: Entry) -> NodeId {
        let mut entries = self.0.entries.borrow_mut();
        entries.push(entry);
        entries.len() - 1
    }

    /// Adds an operator that runs when one of its inputs has brought something.
    pub(crate) fn node(&self, name: &'static str, inputs: &[NodeId], node: impl Node + 'static) -> NodeId {
        self.add(Entry::new(name, inputs, Box::new(node), false))
    }

    /// Adds an operator that runs in each step.
    pub(crate) fn restless(
        &self,
        name: &'static str,
        inputs: &[NodeId],
        node: impl Node + 'static,
    ) -> NodeId {
        self.add(Entry::new(name, inputs, Box::new(node), true))
    }

    /// Notes that what an operator brings in some steps does not add up to what it would bring in one.
    pub(crate) fn by_step(&self, id: NodeId) {
        self.0.entries.borrow_mut()[id].by_step = true;
    }

    /// Notes that an operator of this scope reads a stream of the scope around.
    pub(crate) fn import(&self, outer: NodeId) {
        self.0.imports.borrow_mut().push(outer);
    }

    pub(crate) fn imports(&self) -> Vec<NodeId> {
        self.0.imports.borrow().clone()
    }

    /// Returns what `Kind` makes of a stream, made once.
    pub(crate) fn once<Kind: 'static, T: Clone + 'static>(&self, of: NodeId, make: impl FnOnce() -> T) -> T {
        let key = (TypeId::of::<(Kind, T)>(), of);
        if let Some(made) = self.0.shared.borrow().get(&key).and_then(|made| made.downcast_ref::<T>()) {
            return made.clone();
        }
        let made = make();
        self.0.shared.borrow_mut().insert(key, Rc::new(made.clone()));
        made
    }

    /// Returns all operators, ready to run.
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule::new(self.0.entries.take(), self.0.worker.index())
    }
}
