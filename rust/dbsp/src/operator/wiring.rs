//! How operators are put into circuits.

use std::rc::Rc;

use crate::circuit::{Circuit, Incoming, Node, Slot, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

/// What an operator may bring.
pub trait Brought: Default + 'static {
    /// Returns how many rows there are; consumers do not run if there are none.
    fn rows(&self) -> usize;
    /// Forgets them, after all consumers have run.
    fn forget(&mut self);
}

impl<K: Data, V: Data> Brought for Batch<K, V> {
    fn rows(&self) -> usize {
        self.len()
    }
    fn forget(&mut self) {
        self.clear();
    }
}

/// An operator with one input: runs in the steps in which that brings something.
pub trait UnaryOperator<I, O>: 'static {
    /// Adds to `output`, which is empty, what follows from `input`.
    ///
    /// # Errors
    ///
    /// [`Error::Operator`] if it cannot go on; the circuit is lost then.
    fn eval(&mut self, input: &Incoming<I>, output: &mut O) -> Result<(), Error>;
    /// Returns whether it would bring nothing more without new input.
    fn is_settled(&self) -> bool {
        true
    }
    /// Starts the clock of its scope: in a nested one before the first iteration of each step of the scope around.
    fn clock_start(&mut self) {}
    /// Stops that clock.
    fn clock_end(&mut self) {}
    /// Returns what it remembers.
    fn state(&self) -> State {
        State::default()
    }
}

/// An operator with two inputs: runs in the steps in which one of them brings something.
pub trait BinaryOperator<A, B, O>: 'static {
    /// Adds to `output`, which is empty, what follows from the inputs.
    ///
    /// # Errors
    ///
    /// [`Error::Operator`] if it cannot go on; the circuit is lost then.
    fn eval(&mut self, left: &Incoming<A>, right: &Incoming<B>, output: &mut O) -> Result<(), Error>;
    /// Returns whether it would bring nothing more without new input.
    fn is_settled(&self) -> bool {
        true
    }
    /// Starts the clock of its scope.
    fn clock_start(&mut self) {}
    /// Stops that clock.
    fn clock_end(&mut self) {}
    /// Returns what it remembers.
    fn state(&self) -> State {
        State::default()
    }
}

struct Unary<Op, I, O> {
    operator: Op,
    input: Incoming<I>,
    output: Rc<Slot<O>>,
}

impl<Op: UnaryOperator<I, O>, I, O: Brought> Node for Unary<Op, I, O> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut output = self.output.borrow_mut();
        self.operator.eval(&self.input, &mut output)?;
        Ok(output.rows())
    }
    fn rest(&mut self) {
        self.output.borrow_mut().forget();
    }
    fn clock_start(&mut self) {
        self.operator.clock_start();
    }
    fn clock_end(&mut self) {
        self.operator.clock_end();
    }
    fn is_settled(&self) -> bool {
        self.operator.is_settled()
    }
    fn state(&self) -> State {
        self.operator.state()
    }
}

struct Binary<Op, A, B, O> {
    operator: Op,
    left: Incoming<A>,
    right: Incoming<B>,
    output: Rc<Slot<O>>,
}

impl<Op: BinaryOperator<A, B, O>, A, B, O: Brought> Node for Binary<Op, A, B, O> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut output = self.output.borrow_mut();
        self.operator.eval(&self.left, &self.right, &mut output)?;
        Ok(output.rows())
    }
    fn rest(&mut self) {
        self.output.borrow_mut().forget();
    }
    fn clock_start(&mut self) {
        self.operator.clock_start();
    }
    fn clock_end(&mut self) {
        self.operator.clock_end();
    }
    fn is_settled(&self) -> bool {
        self.operator.is_settled()
    }
    fn state(&self) -> State {
        self.operator.state()
    }
}

/// An operator without state, as a function.
struct Linear<F>(F);

impl<F: FnMut(&Incoming<I>, &mut O) + 'static, I, O> UnaryOperator<I, O> for Linear<F> {
    fn eval(&mut self, input: &Incoming<I>, output: &mut O) -> Result<(), Error> {
        self.0(input, output);
        Ok(())
    }
}

impl<C: Circuit, I: 'static> Stream<C, I> {
    /// Applies an operator of one's own.
    pub fn unary<O: Brought>(&self, name: &'static str, operator: impl UnaryOperator<I, O>) -> Stream<C, O> {
        self.place(name, operator, false)
    }

    /// Applies an operator of one's own that has to run in each step, whether there is input or not.
    pub fn restless_unary<O: Brought>(
        &self,
        name: &'static str,
        operator: impl UnaryOperator<I, O>,
    ) -> Stream<C, O> {
        self.place(name, operator, true)
    }

    fn place<O: Brought>(
        &self,
        name: &'static str,
        operator: impl UnaryOperator<I, O>,
        always: bool,
    ) -> Stream<C, O> {
        let output = Slot::new(O::default());
        let node = Unary { operator, input: self.read(), output: output.clone() };
        let id = if always {
            self.graph().restless(name, &[self.id()], node)
        } else {
            self.graph().node(name, &[self.id()], node)
        };
        Stream::new(self.circuit(), id, output)
    }

    /// Applies a function that adds to its output what follows from its input, and remembers nothing.
    pub(crate) fn linear<O: Brought>(
        &self,
        name: &'static str,
        function: impl FnMut(&Incoming<I>, &mut O) + 'static,
    ) -> Stream<C, O> {
        self.unary(name, Linear(function))
    }

    /// Applies an operator of one's own to this stream and another.
    pub fn binary<B: 'static, O: Brought>(
        &self,
        name: &'static str,
        other: &Stream<C, B>,
        operator: impl BinaryOperator<I, B, O>,
    ) -> Stream<C, O> {
        let output = Slot::new(O::default());
        let node = Binary { operator, left: self.read(), right: other.read(), output: output.clone() };
        Stream::new(self.circuit(), self.graph().node(name, &[self.id(), other.id()], node), output)
    }

    /// Applies an operator of one's own to this stream and another, that has to run in each step.
    pub fn restless_binary<B: 'static, O: Brought>(
        &self,
        name: &'static str,
        other: &Stream<C, B>,
        operator: impl BinaryOperator<I, B, O>,
    ) -> Stream<C, O> {
        let output = Slot::new(O::default());
        let node = Binary { operator, left: self.read(), right: other.read(), output: output.clone() };
        Stream::new(self.circuit(), self.graph().restless(name, &[self.id(), other.id()], node), output)
    }
}
