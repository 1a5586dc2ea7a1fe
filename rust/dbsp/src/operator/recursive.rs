//! Recursion: relations that are defined by themselves.
//!
//! ```text
//!              ┌─────────────────────────────────────────┐
//!   edges ─▶ [ δ₀ ] ─▶ f(edges, R) ─▶ [ distinct ] ─┬─▶ [ Σ ] ─▶ R
//!              │           ▲── R ── [ z⁻¹ ] ◀───────┘    │
//!              └─────────────────────────────────────────┘
//! ```
//!
//! **Law.** *R* is the least fixed point of *R = distinct(f(R))*, computed semi-naively: in each iteration only what the
//! one before has added is put into *f*; and incrementally: in each step only what the change of the inputs changes, in
//! the iterations in which it does (Budiu et al., sections 5 and 6).
//!
//! | step | edges | paths |
//! |---|---|---|
//! | 0 | a→b, b→c | a→b, b→c, a→c |
//! | 1 | b→c → −1 | b→c → −1, a→c → −1 |

use std::rc::Rc;

use super::delay::Feedback;
use crate::circuit::{
    ChildCircuit, Circuit, Incoming, NestedStreams, Node, RootCircuit, Scope, Slot, Stream,
};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

type Child = ChildCircuit<RootCircuit>;

/// Brings what came to the scope around, in the first iteration.
struct Delta0<K: Data, V: Data> {
    input: Incoming<Batch<K, V>>,
    first: bool,
    output: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data> Node for Delta0<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        if !std::mem::take(&mut self.first) {
            return Ok(0);
        }
        let mut output = self.output.borrow_mut();
        output.extend(&self.input.get());
        Ok(output.len())
    }
    fn rest(&mut self) {
        self.output.clear();
    }
    fn clock_start(&mut self) {
        self.first = true;
    }
}

impl<K: Data, V: Data> Stream<RootCircuit, Batch<K, V>> {
    /// Brings the stream into a nested scope, *δ₀*: what comes in a step is there in its first iteration, and nothing more
    /// comes in the others.
    #[must_use]
    pub fn delta0(&self, child: &Child) -> Stream<Child, Batch<K, V>> {
        let output = Slot::new(Batch::new());
        let node = Delta0 { input: self.import(child.graph()), first: false, output: output.clone() };
        Stream::new(child, child.graph().restless("delta0", &[], node), output)
    }
}

impl Child {
    /// Adds a stream that brings what is connected to it later, one iteration late.
    #[allow(clippy::type_complexity, reason = "two handles, plainly")]
    pub fn add_feedback<K: Data, V: Data>(&self) -> (Feedback<Self, K, V>, Stream<Self, Batch<K, V>>) {
        Feedback::new(self)
    }
}

/// One or some relations that are defined by each other.
pub trait RecursiveStreams: NestedStreams + Sized {
    #[doc(hidden)]
    type Feedback;
    #[doc(hidden)]
    fn feedback(child: &Child) -> (Self::Feedback, Self);
    #[doc(hidden)]
    fn connect(self, feedback: Self::Feedback) -> Self;
}

impl<K: Data, V: Data> RecursiveStreams for Stream<Child, Batch<K, V>> {
    type Feedback = Feedback<Child, K, V>;

    fn feedback(child: &Child) -> (Self::Feedback, Self) {
        child.add_feedback()
    }
    fn connect(self, feedback: Self::Feedback) -> Self {
        let distinct = self.distinct();
        feedback.connect(&distinct);
        distinct
    }
}

macro_rules! tuples {
    ($($name:ident $index:tt),+) => {
        impl<$($name: RecursiveStreams + 'static),+> RecursiveStreams for ($($name,)+) {
            type Feedback = ($($name::Feedback,)+);

            fn feedback(child: &Child) -> (Self::Feedback, Self) {
                let made = ($($name::feedback(child),)+);
                (($(made.$index.0,)+), ($(made.$index.1,)+))
            }
            fn connect(self, feedback: Self::Feedback) -> Self {
                ($(self.$index.connect(feedback.$index),)+)
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

impl RootCircuit {
    /// Adds relations that are defined by themselves: the closure gets them, as far as they are known, and returns what
    /// follows; that is made [distinct](Stream::distinct), and given to it again until nothing is added.
    ///
    /// ```
    /// use qadataswap_dbsp::{Error, RootCircuit, Stream, zset};
    ///
    /// let (mut circuit, (edges, paths)) = RootCircuit::build(|circuit| {
    ///     let (edges, handle) = circuit.add_input_zset::<(u32, u32)>();
    ///     let paths = circuit.recursive(|scope, paths: Stream<_, qadataswap_dbsp::OrdZSet<(u32, u32)>>| {
    ///         let edges = edges.delta0(scope);
    ///         let by_end = paths.map_index(|&(start, end)| (end, start));
    ///         Ok(edges.plus(&by_end.join(&edges.index(), |_, &start, &end| (start, end))))
    ///     })?;
    ///     Ok((handle, paths.output()))
    /// })?;
    /// edges.extend([((1, 2), 1), ((2, 3), 1)]);
    /// circuit.step()?;
    /// assert_eq!(paths.take(), zset! { (1, 2) => 1, (2, 3) => 1, (1, 3) => 1 });
    /// edges.push((2, 3), -1);
    /// circuit.step()?;
    /// assert_eq!(paths.take(), zset! { (2, 3) => -1, (1, 3) => -1 });
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the closure returns. A recursion that makes ever new rows is
    /// [`Error::NoFixedPoint`] when it is stepped.
    pub fn recursive<S: RecursiveStreams>(
        &self,
        describe: impl FnOnce(&Child, S) -> Result<S, Error>,
    ) -> Result<S::Outer, Error> {
        self.nest("recursive", 1_000_000, |child| {
            let (feedback, known) = S::feedback(child);
            Ok(describe(child, known)?.connect(feedback))
        })
    }
}

const _: () = assert!(Child::NESTED && !RootCircuit::NESTED);
