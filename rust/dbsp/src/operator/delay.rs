//! The delay, z⁻¹, and feedback.
//!
//! ```text
//!   a ──▶ [ z⁻¹ ] ──▶ a, one tick later
//! ```
//!
//! **Law.** *out(0) = 0, out(t) = in(t − 1)*. Linear and time-invariant, so its own incremental form. Every cycle of a
//! circuit has to go through one.
//!
//! | time | a | `a.delay()` |
//! |---|---|---|
//! | 0 | x → +1 | |
//! | 1 | y → +1 | x → +1 |
//! | 2 | | y → +1 |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::circuit::{Circuit, Clock, Incoming, Node, Slot, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

type Kept<K, V> = Rc<RefCell<Batch<K, V>>>;

/// The first half: brings what was kept in the tick before.
struct Bring<K: Data, V: Data> {
    clock: Clock,
    kept: Kept<K, V>,
    /// What was kept when a step ended before all was settled, by the iteration in which it is to be brought.
    waiting: BTreeMap<u32, Batch<K, V>>,
    output: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data> Node for Bring<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut output = self.output.borrow_mut();
        std::mem::swap(&mut *self.kept.borrow_mut(), &mut *output);
        if let Some(waited) = self.waiting.remove(&self.clock.now()) {
            output.extend(&waited);
        }
        Ok(output.len())
    }
    fn rest(&mut self) {
        self.output.clear();
    }
    fn clock_end(&mut self) {
        let kept = std::mem::take(&mut *self.kept.borrow_mut());
        if !kept.is_empty() {
            let waiting = self.waiting.entry(self.clock.now() + 1).or_default();
            waiting.extend(&kept);
            waiting.consolidate();
        }
    }
    fn is_settled(&self) -> bool {
        self.kept.borrow().is_empty() && self.waiting.is_empty()
    }
    fn state(&self) -> State {
        let kept = self.kept.borrow();
        let all = self.waiting.values().chain([&*kept]);
        all.map(|batch| State { rows: batch.len(), bytes: batch.bytes() }).fold(State::default(), State::and)
    }
}

/// The second half: keeps what comes for the next tick.
struct Keep<K: Data, V: Data> {
    input: Incoming<Batch<K, V>>,
    kept: Kept<K, V>,
}

impl<K: Data, V: Data> Node for Keep<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut kept = self.kept.borrow_mut();
        *kept = self.input.take();
        kept.detach();
        Ok(0)
    }
}

/// The end of a feedback that has still to be connected.
#[must_use = "a feedback that is not connected brings nothing"]
pub struct Feedback<C, K: Data, V: Data> {
    circuit: C,
    kept: Kept<K, V>,
}

impl<C: Circuit, K: Data, V: Data> Feedback<C, K, V> {
    pub(crate) fn new(circuit: &C) -> (Self, Stream<C, Batch<K, V>>) {
        let (kept, output) = (Kept::default(), Slot::new(Batch::new()));
        let clock = circuit.graph().clock().clone();
        let node = Bring { clock, kept: kept.clone(), waiting: BTreeMap::new(), output: output.clone() };
        let bring = circuit.graph().restless("delay", &[], node);
        if !C::NESTED {
            circuit.graph().by_step(bring);
        }
        (Self { circuit: circuit.clone(), kept }, Stream::new(circuit, bring, output))
    }

    /// Connects the stream that comes back one tick later.
    pub fn connect(self, stream: &Stream<C, Batch<K, V>>) {
        let node = Keep { input: stream.read(), kept: self.kept };
        self.circuit.graph().node("feedback", &[stream.id()], node);
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Brings in each tick what this stream brought in the one before.
    #[must_use]
    pub fn delay(&self) -> Self {
        struct Delay;
        self.graph().once::<Delay, _>(self.id(), || {
            let (feedback, delayed) = Feedback::new(self.circuit());
            feedback.connect(self);
            delayed
        })
    }
}

impl crate::RootCircuit {
    /// Adds a stream that brings what is connected to it later, one step late.
    #[allow(clippy::type_complexity, reason = "two handles, plainly")]
    pub fn add_feedback<K: Data, V: Data>(&self) -> (Feedback<Self, K, V>, Stream<Self, Batch<K, V>>) {
        Feedback::new(self)
    }
}
