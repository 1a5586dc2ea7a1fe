//! Partial orders and lattices: what the times of nested scopes are.

/// An order in which two elements may be unrelated.
pub trait PartialOrder: Eq {
    /// Returns whether this is at or before `other`.
    fn less_equal(&self, other: &Self) -> bool;
    /// Returns whether this is before `other`.
    fn less_than(&self, other: &Self) -> bool {
        self != other && self.less_equal(other)
    }
}

/// A partial order in which any two elements have a least upper and a greatest lower bound.
pub trait Lattice: PartialOrder {
    /// Returns the least element that both are at or before.
    #[must_use]
    fn join(&self, other: &Self) -> Self;
    /// Returns the greatest element that is at or before both.
    #[must_use]
    fn meet(&self, other: &Self) -> Self;
}

macro_rules! total {
    ($($type:ty)*) => {$(
        impl PartialOrder for $type {
            fn less_equal(&self, other: &Self) -> bool { self <= other }
        }
        impl Lattice for $type {
            fn join(&self, other: &Self) -> Self { *self.max(other) }
            fn meet(&self, other: &Self) -> Self { *self.min(other) }
        }
    )*};
}
total!(() u8 u16 u32 u64 usize i32 i64);
