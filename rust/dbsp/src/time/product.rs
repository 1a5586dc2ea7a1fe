//! Pairs of times: of a scope and of one nested in it.

use crate::algebra::{Lattice, PartialOrder};

/// The time of a nested scope: that of the scope around it, and its own iteration. Ordered by component, so that
/// neither a later step of an earlier iteration nor an earlier step of a later one comes before the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Product<Outer, Inner> {
    /// The time of the scope around.
    pub outer: Outer,
    /// The time of the scope itself.
    pub inner: Inner,
}

impl<Outer, Inner> Product<Outer, Inner> {
    /// Makes the pair.
    pub fn new(outer: Outer, inner: Inner) -> Self {
        Self { outer, inner }
    }
}

impl<Outer: PartialOrder, Inner: PartialOrder> PartialOrder for Product<Outer, Inner> {
    fn less_equal(&self, other: &Self) -> bool {
        self.outer.less_equal(&other.outer) && self.inner.less_equal(&other.inner)
    }
}

impl<Outer: Lattice, Inner: Lattice> Lattice for Product<Outer, Inner> {
    fn join(&self, other: &Self) -> Self {
        Self::new(self.outer.join(&other.outer), self.inner.join(&other.inner))
    }
    fn meet(&self, other: &Self) -> Self {
        Self::new(self.outer.meet(&other.outer), self.inner.meet(&other.inner))
    }
}
