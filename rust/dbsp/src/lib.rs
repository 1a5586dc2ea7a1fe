//! An incremental engine: views over changing data, kept up to date at a cost that follows the change.

pub mod algebra;
pub mod circuit;
pub mod column;
mod error;
pub mod monitor;
pub mod operator;
pub mod time;
pub mod trace;

pub use circuit::{ChildCircuit, Circuit, CircuitHandle, DBSPHandle, RootCircuit, Runtime, Stream};
pub use error::Error;
pub use trace::{Batch, OrdIndexedZSet, OrdZSet};
