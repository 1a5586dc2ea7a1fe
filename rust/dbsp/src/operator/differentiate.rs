//! Differentiation and integration of streams of Z-sets.
//!
//! **Law.** *D(a)(t) = a(t) − a(t − 1)*, *I(a)(t) = Σ a(i), i ≤ t*; each is the other's inverse. Both are linear. An
//! operator *Q* on whole collections has the incremental form *D ∘ Q ∘ I* (Budiu et al., definition 3.1), which is how
//! the tests of this crate know what an operator has to bring.
//!
//! | time | a | `a.integrate()` | `a.differentiate()` |
//! |---|---|---|---|
//! | 0 | x → +1 | x → +1 | x → +1 |
//! | 1 | x → +1 | x → +2 | |
//! | 2 | | x → +2 | x → −1 |

use crate::circuit::{Incoming, RootCircuit, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::UnaryOperator;
use crate::trace::{Batch, Sorter};

/// Sums, and brings the whole sum each time.
struct Integrate<K: Data, V: Data> {
    sum: Batch<K, V>,
    sorter: Sorter,
}

impl<K: Data, V: Data> UnaryOperator<Batch<K, V>, Batch<K, V>> for Integrate<K, V> {
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, V>) -> Result<(), Error> {
        self.sum.extend(&input.get());
        self.sorter.consolidate(&mut self.sum);
        output.extend(&self.sum);
        Ok(())
    }
    fn adds_up(&self) -> bool {
        false
    }
    fn state(&self) -> State {
        State { rows: self.sum.len(), bytes: self.sum.bytes() }
    }
}

/// Brings the difference from the step before.
struct Differentiate<K: Data, V: Data> {
    last: Batch<K, V>,
    sorter: Sorter,
}

impl<K: Data, V: Data> UnaryOperator<Batch<K, V>, Batch<K, V>> for Differentiate<K, V> {
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, V>) -> Result<(), Error> {
        std::mem::swap(output, &mut self.last);
        output.negate();
        self.last = input.take();
        self.last.detach();
        output.extend(&self.last);
        self.sorter.consolidate(output);
        Ok(())
    }
    fn adds_up(&self) -> bool {
        false
    }
    fn state(&self) -> State {
        State { rows: self.last.len(), bytes: self.last.bytes() }
    }
}

impl<K: Data, V: Data> Stream<RootCircuit, Batch<K, V>> {
    /// Brings, in each step, the sum of all that the stream has brought. It is copied each time: to search it, use
    /// [`integrate_trace`](Stream::integrate_trace).
    #[must_use]
    pub fn integrate(&self) -> Self {
        self.restless_unary("integrate", Integrate { sum: Batch::new(), sorter: Sorter::default() })
    }

    /// Brings, in each step, the difference between what the stream brings and what it brought in the step before.
    #[must_use]
    pub fn differentiate(&self) -> Self {
        self.restless_unary("differentiate", Differentiate { last: Batch::new(), sorter: Sorter::default() })
    }
}
