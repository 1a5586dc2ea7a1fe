//! Operators as the scheduler sees them, and the slots that join them.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;

use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

/// What an operator remembers from step to step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The rows.
    pub rows: usize,
    /// The bytes of memory that they take.
    pub bytes: usize,
}

impl State {
    /// Returns the two together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }
}

/// An operator, placed in a circuit.
pub(crate) trait Node {
    /// Runs once; returns the rows that it brings, or 0 if its consumers need not run.
    fn eval(&mut self) -> Result<usize, Error>;
    /// Forgets what was brought in this step: called after all consumers have run.
    fn rest(&mut self) {}
    /// Starts the clock of the scope in which it is.
    fn clock_start(&mut self) {}
    /// Stops that clock.
    fn clock_end(&mut self) {}
    /// Whether it has nothing left to bring in a later iteration without new input.
    fn is_settled(&self) -> bool {
        true
    }
    /// Whether it is an input that has more of what was pushed than it gave.
    fn has_more(&self) -> bool {
        false
    }
    /// What it remembers.
    fn state(&self) -> State {
        State::default()
    }
}

/// Where an operator leaves what it brings, for those that read it.
#[derive(Debug)]
pub(crate) struct Slot<D> {
    value: RefCell<D>,
    readers: Cell<usize>,
    /// Whether a scope within reads it too, which runs who knows when among the readers.
    imported: Cell<bool>,
}

impl<D> Slot<D> {
    pub(crate) fn new(value: D) -> Rc<Self> {
        Rc::new(Self { value: RefCell::new(value), readers: Cell::new(0), imported: Cell::new(false) })
    }

    /// Reads from a scope within.
    pub(crate) fn import(self: &Rc<Self>) -> Incoming<D> {
        self.imported.set(true);
        self.read()
    }

    pub(crate) fn borrow(&self) -> Ref<'_, D> {
        self.value.borrow()
    }

    pub(crate) fn borrow_mut(&self) -> RefMut<'_, D> {
        self.value.borrow_mut()
    }

    pub(crate) fn read(self: &Rc<Self>) -> Incoming<D> {
        let number = self.readers.get();
        self.readers.set(number + 1);
        Incoming { slot: self.clone(), number }
    }
}

impl<K: Data, V: Data> Slot<Batch<K, V>> {
    /// Forgets the rows.
    pub(crate) fn clear(&self) {
        self.borrow_mut().clear();
    }
}

/// What comes to an operator from one stream.
#[derive(Debug)]
pub struct Incoming<D> {
    slot: Rc<Slot<D>>,
    number: usize,
}

impl<D> Incoming<D> {
    /// Returns what has come, to look at.
    #[must_use]
    pub fn get(&self) -> Ref<'_, D> {
        self.slot.borrow()
    }

    /// Whether nobody will look at it after this.
    fn is_last(&self) -> bool {
        // Readers run in the order in which they were made, so the last one made is the last to look.
        self.number + 1 == self.slot.readers.get() && !self.slot.imported.get()
    }

    /// Returns what has come, to keep. It is copied only if other operators will still look at it.
    #[must_use]
    pub fn take(&self) -> D
    where
        D: Clone + Default,
    {
        if self.is_last() { std::mem::take(&mut *self.slot.borrow_mut()) } else { self.slot.borrow().clone() }
    }
}

impl<K: Data, V: Data> Incoming<Batch<K, V>> {
    /// Puts what has come into `batch`, which is empty, until it is [given back](Incoming::give_back) at rest. It is copied
    /// only if other operators will still look at it.
    pub(crate) fn lend(&self, batch: &mut Batch<K, V>) {
        if self.is_last() {
            std::mem::swap(batch, &mut *self.slot.borrow_mut());
        } else {
            batch.extend(&self.slot.borrow());
        }
    }

    /// Forgets what was lent, and gives its memory back to where it came from.
    pub(crate) fn give_back(&self, batch: &mut Batch<K, V>) {
        batch.clear();
        if self.is_last() {
            std::mem::swap(batch, &mut *self.slot.borrow_mut());
        }
    }
}
