//! Outputs: where changes leave a circuit.
//!
//! ```text
//!   Δ ──▶ [ mailbox of each worker ] ──▶ handle.take()
//! ```
//!
//! | step | stream | `take()` after it |
//! |---|---|---|
//! | 0 | a → +1 | a → +1 |
//! | 1 | b → +1 | not called |
//! | 2 | b → −1, c → +1 | c → +1 |

use std::sync::{Arc, Mutex, PoisonError};

use crate::circuit::{Circuit, Gate, Incoming, RootCircuit, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::UnaryOperator;
use crate::operator::wiring::Brought;
use crate::trace::Batch;

/// Takes what a stream has brought out of a circuit. May be cloned, sent to any thread, and left lying: what nobody takes
/// is added up.
#[derive(Clone, Debug)]
pub struct OutputHandle<K: Data, V: Data = ()> {
    mailboxes: Arc<Vec<Mutex<Batch<K, V>>>>,
    gate: Gate,
}

impl<K: Data, V: Data> OutputHandle<K, V> {
    /// Takes the change since the last time, of all workers together, consolidated; nothing while a
    /// [transaction](crate::CircuitHandle::transaction) is under way.
    #[must_use]
    pub fn take(&self) -> Batch<K, V> {
        let mut sum = Batch::new();
        let held = self.gate.look();
        if *held {
            return sum;
        }
        for mailbox in &*self.mailboxes {
            let part = std::mem::take(&mut *mailbox.lock().unwrap_or_else(PoisonError::into_inner));
            if sum.is_empty() { sum = part } else { sum.extend(&part) }
        }
        drop(held);
        sum.consolidate();
        sum
    }
}

impl<K: Data, V: Data> OutputHandle<K, V> {
    /// Puts back what was taken and could not be passed on.
    #[cfg(feature = "ring")]
    pub(crate) fn give_back(&self, change: Batch<K, V>) {
        let mut mailbox = self.mailboxes[0].lock().unwrap_or_else(PoisonError::into_inner);
        if mailbox.is_empty() { *mailbox = change } else { mailbox.extend(&change) }
    }
}

struct Output<K: Data, V: Data> {
    mailboxes: Arc<Vec<Mutex<Batch<K, V>>>>,
    worker: usize,
    /// What was left the last time that the mailbox was consolidated.
    left: usize,
}

impl<K: Data, V: Data> UnaryOperator<Batch<K, V>, Nothing> for Output<K, V> {
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, _: &mut Nothing) -> Result<(), Error> {
        let mut mailbox = self.mailboxes[self.worker].lock().unwrap_or_else(PoisonError::into_inner);
        if mailbox.is_empty() {
            *mailbox = input.take();
            mailbox.detach();
            self.left = 0;
            return Ok(());
        }
        mailbox.extend(&input.get());
        if mailbox.len() > 2 * self.left + (1 << 16) {
            mailbox.consolidate();
            self.left = mailbox.len();
        }
        Ok(())
    }
}

/// What an operator brings that nobody reads.
#[derive(Debug, Default)]
pub(crate) struct Nothing;

impl Brought for Nothing {
    fn rows(&self) -> usize {
        0
    }
    fn forget(&mut self) {}
}

impl<K: Data, V: Data> Stream<RootCircuit, Batch<K, V>> {
    /// Returns a handle that takes out of the circuit what the stream brings.
    #[must_use]
    pub fn output(&self) -> OutputHandle<K, V> {
        let worker = self.graph().worker();
        let mailboxes = worker.common(|| (0..worker.workers()).map(|_| Mutex::default()).collect::<Vec<_>>());
        self.unary::<Nothing>(
            "output",
            Output { mailboxes: mailboxes.clone(), worker: worker.index(), left: 0 },
        );
        OutputHandle { mailboxes, gate: worker.gate().clone() }
    }
}

/// Looks at the last value that a stream of plain values has brought, worker by worker.
#[derive(Clone, Debug)]
pub struct ValueOutput<T>(Arc<Vec<Mutex<Option<T>>>>);

impl<T: Clone> ValueOutput<T> {
    /// Returns the last value in each worker; nothing from those that have not brought any.
    #[must_use]
    pub fn get(&self) -> Vec<Option<T>> {
        self.0.iter().map(|value| value.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

struct Latest<T> {
    values: Arc<Vec<Mutex<Option<T>>>>,
    worker: usize,
}

impl<T: Clone + 'static> UnaryOperator<T, Nothing> for Latest<T> {
    fn eval(&mut self, input: &Incoming<T>, _: &mut Nothing) -> Result<(), Error> {
        *self.values[self.worker].lock().unwrap_or_else(PoisonError::into_inner) = Some(input.get().clone());
        Ok(())
    }
    fn adds_up(&self) -> bool {
        false
    }
}

impl<C: Circuit, T: Clone + Send + Sync + 'static> Stream<C, T> {
    /// Returns a handle to the last value that the stream has brought.
    #[must_use]
    pub fn output_value(&self) -> ValueOutput<T> {
        let worker = self.graph().worker();
        let values = worker.common(|| (0..worker.workers()).map(|_| Mutex::new(None)).collect::<Vec<_>>());
        self.unary::<Nothing>("output_value", Latest { values: values.clone(), worker: worker.index() });
        ValueOutput(values)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_transaction_waits_for_whoever_takes() {
        let full = || Mutex::new(crate::zset! { 1u64 => 1 });
        let output = OutputHandle { mailboxes: Arc::new(vec![full(), full()]), gate: Gate::default() };
        // Whoever takes has been at the first mailbox, and waits for the second.
        let second = output.mailboxes[1].lock().expect("nobody panics");
        let taker = output.clone();
        let taker = std::thread::spawn(move || taker.take());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !output.mailboxes[0].lock().expect("nobody panics").is_empty() {
            assert!(Instant::now() < deadline, "nobody takes");
            std::thread::yield_now();
        }
        assert!(output.gate.is_looked_at(), "a transaction could begin between two mailboxes");
        drop(second);
        assert_eq!(taker.join().expect("it takes"), crate::zset! { 1 => 2 });
        assert!(!output.gate.is_looked_at());
    }
}
