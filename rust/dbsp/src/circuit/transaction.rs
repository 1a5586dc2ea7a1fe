//! Transactions: many changes, evaluated in chunks, of which only the net change is seen.
//!
//! ```text
//!   pushed ──▶ [ input ] ──▶ some rows at a time ──▶ operators ──▶ [ output ] ─ ─▶ handle.take(), after commit
//! ```
//!
//! **Law.** What an incremental operator brings in some steps adds up to what it brings in one step with all of their
//! input. So a transaction may be as many steps as one likes, if nobody sees what they bring but their sum.
//!
//! | | pushed | evaluated | `take()` |
//! |---|---|---|---|
//! | `transaction(2)` | a, b, c → +1 | | |
//! | `evaluate()` | | a, b; c | nothing |
//! | | a → −1, d → +1 | | |
//! | `commit()` | | a, d | b, c, d → +1 |
//!
//! What is in flight between operators is so bounded by the rows of a chunk, and by what joins make of them, whatever the size of
//! the transaction; what is pushed is bounded by whoever pushes, who has `evaluate` called now and then. State and the net
//! change are as large as they are.
//!
//! Operators whose law speaks of steps do not add up: the delay and feedback of the root, `integrate` and `differentiate`,
//! plain values, waterlines, `stream_distinct`, and what says so itself
//! ([`adds_up`](crate::operator::UnaryOperator::adds_up)). A circuit with such an operator refuses transactions by its name.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;

/// How inputs give what was pushed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// At most so many rows of each input, in each worker.
    pub(crate) rows: usize,
    /// Whether what was pushed since is taken, or only the rest of what was taken before.
    pub(crate) fresh: bool,
}

impl Pace {
    /// Everything at once.
    pub(crate) const WHOLE: Self = Self { rows: usize::MAX, fresh: true };

    pub(crate) fn is_whole(self) -> bool {
        self.rows == usize::MAX
    }
}

/// The pace of a circuit, as its inputs see it.
#[derive(Clone, Debug)]
pub(crate) struct Pacer(Rc<Cell<Pace>>);

impl Default for Pacer {
    fn default() -> Self {
        Self(Rc::new(Cell::new(Pace::WHOLE)))
    }
}

impl Pacer {
    pub(crate) fn get(&self) -> Pace {
        self.0.get()
    }

    pub(crate) fn set(&self, pace: Pace) {
        self.0.set(pace);
    }
}

/// Whether outputs are held back, the same for all outputs of a circuit in all workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<Mutex<bool>>);

impl Gate {
    /// Returns whether outputs are held back; that does not change while the answer is kept.
    pub(crate) fn look(&self) -> MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hold(&self, held: bool) {
        *self.look() = held;
    }

    /// Returns whether somebody keeps an answer.
    #[cfg(test)]
    pub(crate) fn is_looked_at(&self) -> bool {
        matches!(self.0.try_lock(), Err(std::sync::TryLockError::WouldBlock))
    }
}

/// A circuit that can be stepped by chunks.
pub(crate) trait Chunked {
    /// Takes what was pushed at this pace and brings all operators up to date; returns whether there is more.
    fn chunk(&mut self, pace: Pace) -> Result<bool, Error>;
    /// Holds outputs back, or shows them.
    fn hold(&mut self, held: bool);
}

/// A transaction under way: see [`CircuitHandle::transaction`](super::CircuitHandle::transaction).
///
/// It cannot be undone. If it is dropped before it is committed, what was evaluated is shown after the next
/// commit or step.
#[must_use = "a transaction has to be committed"]
pub struct Transaction<'c> {
    circuit: &'c mut dyn Chunked,
    rows: usize,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(circuit: &'c mut dyn Chunked, rows: usize) -> Self {
        assert!(rows > 0, "a chunk has at least one row");
        circuit.hold(true);
        Self { circuit, rows }
    }

    /// Takes what was pushed to the inputs so far and evaluates it, in chunks. Outputs do not show it yet.
    ///
    /// # Errors
    ///
    /// As a [step](super::CircuitHandle::step).
    pub fn evaluate(&mut self) -> Result<(), Error> {
        let mut pace = Pace { rows: self.rows, fresh: true };
        while self.circuit.chunk(pace)? {
            pace.fresh = false;
        }
        Ok(())
    }

    /// Evaluates what was pushed since, and shows the net change of the whole transaction at all outputs.
    ///
    /// # Errors
    ///
    /// As a [step](super::CircuitHandle::step).
    pub fn commit(mut self) -> Result<(), Error> {
        self.evaluate()?;
        self.circuit.hold(false);
        Ok(())
    }
}
