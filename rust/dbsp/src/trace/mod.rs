//! Batches of changes, and the state that they add up to.
//!
//! A [`Batch`] is what flows: rows with weights, in any order unless it says that it is *consolidated*. A [`Run`] is a
//! consolidated batch that can be searched, and a [`Spine`] is the sum of some runs, merged as it grows. All of them
//! hold rows in one order, [the order of state](Run#order).

mod batch;
mod group;
mod merge;
mod run;
mod sort;
mod spine;
mod weights;

pub use batch::{Batch, OrdIndexedZSet, OrdZSet, Weight};
pub use group::Group;
pub use run::Run;
pub use sort::Sorter;
pub use spine::Spine;
pub use weights::Weights;

#[cfg(test)]
mod tests;
