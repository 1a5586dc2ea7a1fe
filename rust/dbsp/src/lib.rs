//! An incremental engine: views over changing data, kept up to date at a cost that follows the change.

// What `derive(Data)` makes names this crate, here as anywhere.
extern crate self as qadataswap_dbsp;

pub mod algebra;
pub mod arrow;
pub mod circuit;
pub mod column;
pub mod dynamic;
mod error;
pub mod operator;
pub mod time;
pub mod trace;

pub use circuit::{ChildCircuit, Circuit, CircuitHandle, DBSPHandle, RootCircuit, Runtime, Stream};
pub use column::Data;
pub use error::Error;
pub use trace::{Batch, OrdIndexedZSet, OrdZSet};
