//! Scopes that stop by a condition.
//!
//! ```text
//!            ┌────────── scope ──────────────┐
//!   Δ ──▶ [ δ₀ ] ──▶ operators ──▶ ... ──▶ [ Σ ] ──▶ the sum over the iterations up to the last
//!            │          ▲──── z⁻¹ ◀──┬──┘    │
//!            │                 [ condition ] │──▶ which is the last
//!            └───────────────────────────────┘
//! ```
//!
//! **Law.** Let *S(i)* be what a stream of the scope brings in iteration *i* when everything that has come so far is put into
//! it at once. The last iteration *k* is the first in which the condition holds, or, if it holds in none, one after which
//! nothing changes; the scope around gets *S(0) + … + S(k)*. Incrementally: what a step changes of that, although *k* may
//! be another in each step.
//!
//! | step | edges | who is reached from a, until there are three | k |
//! |---|---|---|---|
//! | 0 | a→b, b→c, c→d, d→e | b, c, d | 2 |
//! | 1 | a→x, a→y | c → −1, d → −1, x, y | 0 |
//! | 2 | a→x → −1 | x → −1, c | 1 |
//!
//! State of a nested scope has the iteration beside each row, and no step. So what a step would change in iterations after the
//! last may wait, in feedback and in operators, until a step goes that far: rows of that iteration then come at once, those
//! of all steps that have stopped before. What the scope brings is kept by iteration: where a step goes further than the one
//! before, all of an iteration is brought, where it stops earlier, all of it is taken back.
//!
//! **Cost.** A step iterates from the first to the last iteration, but in each of them only what it changes is worked on.
//! What the condition looks at is added up anew in each step, so let it be little: a count, a greatest value.

use std::rc::Rc;

use super::nested::{Export, Exports, Nested};
use super::{ChildCircuit, Incoming, NestedStreams, RootCircuit, Scope, Slot, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::{Batch, Sorter};

/// How many iterations a scope may take.
const LIMIT: u32 = 1_000_000;

/// When a scope stops.
///
/// Of a [stream](Stream::condition), or after a number of iterations.
#[must_use = "a scope has to be told when to stop"]
pub struct Condition(Box<dyn FnOnce() -> Box<dyn Check>>);

impl Condition {
    /// Holds after so many iterations; of 0, after the first, since there is no scope without one.
    pub fn after(iterations: u32) -> Self {
        Self(Box::new(move || Box::new(After(iterations))))
    }

    pub(super) fn check(self) -> Box<dyn Check> {
        (self.0)()
    }
}

/// What knows whether a condition holds.
pub(super) trait Check {
    /// Looks at what an iteration has brought; returns whether it is to be the last. Called for each iteration from 0 on.
    fn holds(&mut self, iteration: u32) -> bool;
}

struct After(u32);

impl Check for After {
    fn holds(&mut self, iteration: u32) -> bool {
        iteration + 1 >= self.0
    }
}

/// What a stream of a scope has brought in all steps, by iteration.
struct Contents<K: Data, V: Data> {
    batches: Vec<Batch<K, V>>,
    sorter: Sorter,
}

impl<K: Data, V: Data> Contents<K, V> {
    fn new() -> Self {
        Self { batches: Vec::new(), sorter: Sorter::default() }
    }

    /// Adds what it brings in this step; returns all of that iteration.
    fn add(&mut self, iteration: usize, more: &Batch<K, V>) -> &Batch<K, V> {
        if self.batches.len() == iteration {
            self.batches.push(Batch::new());
        }
        if !more.is_empty() {
            self.batches[iteration].extend(more);
            self.sorter.consolidate(&mut self.batches[iteration]);
        }
        &self.batches[iteration]
    }
}

/// A condition on what a stream adds up to.
struct Holds<K: Data, V: Data, F> {
    input: Incoming<Batch<K, V>>,
    contents: Contents<K, V>,
    /// What the iterations of this step have added up to so far.
    sum: Batch<K, V>,
    sorter: Sorter,
    /// Whether the rows are here; another worker says so otherwise.
    here: bool,
    test: F,
}

impl<K: Data, V: Data, F: FnMut(&Batch<K, V>) -> bool> Check for Holds<K, V, F> {
    fn holds(&mut self, iteration: u32) -> bool {
        if !self.here {
            return false;
        }
        if iteration == 0 {
            self.sum.clear();
        }
        let all = self.contents.add(iteration as usize, &self.input.get());
        if !all.is_empty() {
            self.sum.extend(all);
            self.sorter.consolidate(&mut self.sum);
        }
        (self.test)(&self.sum)
    }
}

/// Adds up what a stream within brings, up to the last iteration.
pub(super) struct Until<K: Data, V: Data> {
    inner: Incoming<Batch<K, V>>,
    outer: Rc<Slot<Batch<K, V>>>,
    contents: Contents<K, V>,
    /// The number of iterations of the step before.
    iterations: usize,
}

impl<K: Data, V: Data> Until<K, V> {
    pub(super) fn new(inner: Incoming<Batch<K, V>>, outer: Rc<Slot<Batch<K, V>>>) -> Self {
        Self { inner, outer, contents: Contents::new(), iterations: 0 }
    }
}

impl<K: Data, V: Data> Export for Until<K, V> {
    fn gather(&mut self, iteration: u32) {
        let (iteration, change) = (iteration as usize, self.inner.get());
        let all = self.contents.add(iteration, &change);
        self.outer.borrow_mut().extend(if iteration < self.iterations { &change } else { all });
    }
    fn end(&mut self, last: u32) {
        let mut outer = self.outer.borrow_mut();
        let iterations = last as usize + 1;
        for all in self.contents.batches.iter().take(self.iterations).skip(iterations) {
            let mut all = all.clone();
            all.negate();
            outer.extend(&all);
        }
        self.iterations = iterations;
    }
    fn rows(&self) -> usize {
        self.outer.borrow().len()
    }
    fn clear(&self) {
        self.outer.clear();
    }
}

impl<K: Data, V: Data> Stream<ChildCircuit<RootCircuit>, Batch<K, V>> {
    /// Makes a condition of what the stream adds up to, over all iterations up to the present one, consolidated. It is
    /// asked after each iteration, in every step anew, so it must not depend on anything else.
    ///
    /// To ask for what one iteration changes, take `stream.minus(&stream.delay())`: it adds up to what the stream brings in
    /// that iteration.
    pub fn condition(&self, test: impl FnMut(&Batch<K, V>) -> bool + 'static) -> Condition {
        let gathered = self.gather(0);
        let here = self.graph().worker().index() == 0;
        // It looks at the stream after all operators have, so it has to be the last reader.
        Condition(Box::new(move || {
            let (contents, sum, sorter) = (Contents::new(), Batch::new(), Sorter::default());
            Box::new(Holds { input: gathered.read(), contents, sum, sorter, here, test })
        }))
    }
}

impl RootCircuit {
    /// Adds a scope that iterates until a condition holds, or until nothing changes; returns the streams that the closure
    /// does, each of which brings the sum of what it brought in the iterations up to then.
    ///
    /// ```
    /// use qadataswap_dbsp::circuit::Condition;
    /// use qadataswap_dbsp::{OrdZSet, RootCircuit, zset};
    ///
    /// // Who is reached from 0 in at most two hops.
    /// let (mut circuit, (edges, near)) = RootCircuit::build(|circuit| {
    ///     let (edges, handle) = circuit.add_input_zset::<(u32, u32)>();
    ///     let near = circuit.iterate(|scope| {
    ///         let edges = edges.delta0(scope);
    ///         let (feedback, known) = scope.add_feedback::<u32, ()>();
    ///         let first = edges.filter(|edge| edge.0 == 0).map(|edge| edge.1);
    ///         let next = known.map_index(|&node| (node, ())).join(&edges.index(), |_, (), &next| next);
    ///         let near = first.plus(&next).distinct();
    ///         feedback.connect(&near);
    ///         Ok((Condition::after(2), near))
    ///     })?;
    ///     Ok((handle, near.output()))
    /// })?;
    /// edges.extend([(0, 1), (1, 2), (2, 3), (3, 4)].map(|edge| (edge, 1)));
    /// circuit.step()?;
    /// assert_eq!(near.take(), zset! { 1 => 1, 2 => 1 });
    /// edges.push((0, 3), 1);
    /// circuit.step()?;
    /// assert_eq!(near.take(), zset! { 3 => 1, 4 => 1 });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the closure returns. A scope whose condition never holds and that makes ever new rows is
    /// [`Error::NoFixedPoint`] when it is stepped.
    pub fn iterate<S: NestedStreams>(
        &self,
        describe: impl FnOnce(&ChildCircuit<Self>) -> Result<(Condition, S), Error>,
    ) -> Result<S::Outer, Error> {
        let child = ChildCircuit::new(self.graph().worker());
        let (condition, streams) = describe(&child)?;
        let mut exports = Exports::truncated();
        let outer = streams.export(&mut exports);
        let nested = Nested::new(&child, exports, LIMIT).until(condition.check());
        Ok(outer(self, nested.place("iterate", self, &child)))
    }
}
