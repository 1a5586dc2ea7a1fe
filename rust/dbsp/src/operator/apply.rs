//! Functions of whole batches or plain values, called once in each step.
//!
//! **Law.** *out(t) = f(in(t))*: not incremental unless *f* is linear. It runs in each step, also when nothing has come.
//!
//! | time | a | `a.apply(Batch::len)` |
//! |---|---|---|
//! | 0 | x → +1, y → +1 | 2 |
//! | 1 | | 0 |

use std::rc::Rc;

use crate::circuit::{Circuit, Incoming, Node, Slot, Stream};
use crate::error::Error;

struct Apply<F, A, B, T> {
    function: F,
    first: Incoming<A>,
    second: Option<Incoming<B>>,
    output: Rc<Slot<T>>,
}

impl<F: FnMut(&A) -> T, A, T> Node for Apply<F, A, (), T> {
    fn eval(&mut self) -> Result<usize, Error> {
        let value = (self.function)(&self.first.get());
        *self.output.borrow_mut() = value;
        Ok(1)
    }
}

struct Apply2<F, A, B, T>(Apply<F, A, B, T>);

impl<F: FnMut(&A, &B) -> T, A, B, T> Node for Apply2<F, A, B, T> {
    fn eval(&mut self) -> Result<usize, Error> {
        let second = self.0.second.as_ref().expect("it was made of two streams");
        let value = (self.0.function)(&self.0.first.get(), &second.get());
        *self.0.output.borrow_mut() = value;
        Ok(1)
    }
}

impl<C: Circuit, A: 'static> Stream<C, A> {
    /// Brings, in each step, a function of what this stream brings.
    pub fn apply<T: Default + 'static>(&self, function: impl FnMut(&A) -> T + 'static) -> Stream<C, T> {
        let output = Slot::new(T::default());
        let node =
            Apply::<_, A, (), T> { function, first: self.read(), second: None, output: output.clone() };
        Stream::new(self.circuit(), self.graph().restless("apply", &[self.id()], node), output).by_step()
    }

    /// Brings, in each step, a function of what this stream and another bring.
    pub fn apply2<B: 'static, T: Default + 'static>(
        &self,
        other: &Stream<C, B>,
        function: impl FnMut(&A, &B) -> T + 'static,
    ) -> Stream<C, T> {
        let output = Slot::new(T::default());
        let node = Apply2(Apply {
            function,
            first: self.read(),
            second: Some(other.read()),
            output: output.clone(),
        });
        let id = self.graph().restless("apply2", &[self.id(), other.id()], node);
        Stream::new(self.circuit(), id, output).by_step()
    }
}
