//! How operators are put into circuits.

use std::rc::Rc;

use crate::circuit::{Circuit, Incoming, Node, NodeId, Slot, State, Stream};
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
    /// Returns whether what it brings in some steps adds up to what it would bring in one step with all of their input, as it
    /// does of every incremental operator. A circuit with one that says no has no
    /// [transactions](crate::CircuitHandle::transaction).
    fn adds_up(&self) -> bool {
        true
    }
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
    /// Returns whether what it brings in some steps adds up to what it would bring in one, as
    /// [`UnaryOperator::adds_up`] does.
    fn adds_up(&self) -> bool {
        true
    }
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

/// An operator together with where what it reads comes from.
trait Fed<O>: 'static {
    fn eval(&mut self, output: &mut O) -> Result<(), Error>;
    fn adds_up(&self) -> bool;
    fn is_settled(&self) -> bool;
    fn clock_start(&mut self);
    fn clock_end(&mut self);
    fn state(&self) -> State;
}

struct Unary<Op, I>(Op, Incoming<I>);

struct Binary<Op, A, B>(Op, Incoming<A>, Incoming<B>);

macro_rules! fed {
    ($name:ident<$($input:ident $index:tt),+> by $operator:ident) => {
        impl<Op: $operator<$($input,)+ O>, $($input: 'static,)+ O> Fed<O> for $name<Op, $($input),+> {
            fn eval(&mut self, output: &mut O) -> Result<(), Error> {
                self.0.eval($(&self.$index,)+ output)
            }
            fn adds_up(&self) -> bool {
                self.0.adds_up()
            }
            fn is_settled(&self) -> bool {
                self.0.is_settled()
            }
            fn clock_start(&mut self) {
                self.0.clock_start();
            }
            fn clock_end(&mut self) {
                self.0.clock_end();
            }
            fn state(&self) -> State {
                self.0.state()
            }
        }
    };
}
fed!(Unary<I 1> by UnaryOperator);
fed!(Binary<A 1, B 2> by BinaryOperator);

/// An operator, and where it leaves what it brings.
struct Placed<F, O> {
    operator: F,
    output: Rc<Slot<O>>,
}

impl<F: Fed<O>, O: Brought> Node for Placed<F, O> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut output = self.output.borrow_mut();
        self.operator.eval(&mut output)?;
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

/// Places an operator in the circuit; one that `always` runs does so in each step.
fn place<C: Circuit, O: Brought>(
    circuit: &C,
    name: &'static str,
    inputs: &[NodeId],
    operator: impl Fed<O>,
    always: bool,
) -> Stream<C, O> {
    let (adds_up, output) = (operator.adds_up(), Slot::new(O::default()));
    let node = Placed { operator, output: output.clone() };
    let graph = circuit.graph();
    let id = if always { graph.restless(name, inputs, node) } else { graph.node(name, inputs, node) };
    let stream = Stream::new(circuit, id, output);
    if adds_up { stream } else { stream.by_step() }
}

impl<C: Circuit, I: 'static> Stream<C, I> {
    /// Applies an operator of one's own.
    pub fn unary<O: Brought>(&self, name: &'static str, operator: impl UnaryOperator<I, O>) -> Stream<C, O> {
        place(self.circuit(), name, &[self.id()], Unary(operator, self.read()), false)
    }

    /// Applies an operator of one's own that has to run in each step, whether there is input or not.
    pub fn restless_unary<O: Brought>(
        &self,
        name: &'static str,
        operator: impl UnaryOperator<I, O>,
    ) -> Stream<C, O> {
        place(self.circuit(), name, &[self.id()], Unary(operator, self.read()), true)
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
        let operator = Binary(operator, self.read(), other.read());
        place(self.circuit(), name, &[self.id(), other.id()], operator, false)
    }

    /// Applies an operator of one's own to this stream and another, that has to run in each step.
    pub fn restless_binary<B: 'static, O: Brought>(
        &self,
        name: &'static str,
        other: &Stream<C, B>,
        operator: impl BinaryOperator<I, B, O>,
    ) -> Stream<C, O> {
        let operator = Binary(operator, self.read(), other.read());
        place(self.circuit(), name, &[self.id(), other.id()], operator, true)
    }
}
