//! Logical time. The clock of the root circuit is the step; a nested scope has an iteration beside it, and state in it
//! keeps, per row, the iterations only: what past steps did is all at or before the present step. And the time of events, in
//! [`Nanoseconds`].

mod antichain;
mod nanoseconds;
mod product;

pub use antichain::Antichain;
pub use nanoseconds::Nanoseconds;
pub use product::Product;

use crate::algebra::Lattice;
use crate::column::Data;

/// A time that events of a scope have.
pub trait Timestamp: Data + Lattice {
    /// Returns the time that is at or before all others.
    fn minimum() -> Self;
    /// Returns the time one tick of the innermost clock later, or nothing where there is no such clock.
    fn ticked(&self) -> Option<Self>;
}

impl Timestamp for () {
    fn minimum() -> Self {}
    fn ticked(&self) -> Option<Self> {
        None
    }
}

macro_rules! clocks {
    ($($type:ty)*) => {$(
        impl Timestamp for $type {
            fn minimum() -> Self { 0 }
            fn ticked(&self) -> Option<Self> { self.checked_add(1) }
        }
    )*};
}
clocks!(u32 u64);
