//! Looking at a stream.

use crate::circuit::{Circuit, Stream};
use crate::operator::output::Nothing;

impl<C: Circuit, D: 'static> Stream<C, D> {
    /// Calls `look` with whatever the stream brings; returns the stream.
    #[must_use]
    pub fn inspect(&self, mut look: impl FnMut(&D) + 'static) -> Self
    where
        C: Clone,
    {
        self.linear("inspect", move |input, _: &mut Nothing| look(&input.get()));
        self.clone()
    }
}
