//! Sums of streams.
//!
//! **Law.** Addition of Z-sets, step by step; linear in both. `minus` adds the inverse.
//!
//! ```text
//!   a ──▶ [ + ] ──▶ a + b
//!   b ──────▲
//! ```
//!
//! | time | a | b | `a.plus(b)` | `a.minus(b)` |
//! |---|---|---|---|---|
//! | 0 | x → +1 | y → +1 | x → +1, y → +1 | x → +1, y → −1 |
//! | 1 | | x → +1 | x → +1 | x → −1 |

use std::rc::Rc;

use crate::circuit::{Circuit, Incoming, Node, Slot, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

/// Some streams, each as it is or negated, and their sum.
struct Sum<K: Data, V: Data> {
    terms: Vec<(Incoming<Batch<K, V>>, bool)>,
    output: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data> Node for Sum<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut output = self.output.borrow_mut();
        for (term, negated) in &self.terms {
            if *negated {
                let mut term = term.take();
                term.negate();
                output.extend(&term);
            } else if output.is_empty() && !term.get().is_empty() {
                *output = term.take();
            } else {
                output.extend(&term.get());
            }
        }
        Ok(output.len())
    }
    fn rest(&mut self) {
        self.output.clear();
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    fn add_up(&self, name: &'static str, terms: &[(&Self, bool)]) -> Self {
        let output = Slot::new(Batch::new());
        let inputs: Vec<_> = terms.iter().map(|(stream, _)| stream.id()).collect();
        let terms = terms.iter().map(|(stream, negated)| (stream.read(), *negated)).collect();
        Self::new(
            self.circuit(),
            self.graph().node(name, &inputs, Sum { terms, output: output.clone() }),
            output,
        )
    }

    /// Adds another stream.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.add_up("plus", &[(self, false), (other, false)])
    }

    /// Subtracts another stream.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.add_up("minus", &[(self, false), (other, true)])
    }

    /// Negates.
    #[must_use]
    pub fn neg(&self) -> Self {
        self.add_up("neg", &[(self, true)])
    }

    /// Adds some other streams.
    #[must_use]
    pub fn sum<'a>(&'a self, others: impl IntoIterator<Item = &'a Self>) -> Self {
        let terms: Vec<_> = [self].into_iter().chain(others).map(|stream| (stream, false)).collect();
        self.add_up("sum", &terms)
    }
}
