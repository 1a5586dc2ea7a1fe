//! Circuits: operators joined by streams, stepped by a clock.
//!
//! A circuit is described once, by a closure that applies operators to streams, and then stepped. Each operator reads
//! streams that exist already, so the order in which they are described is an order in which they can run; only
//! [feedback](crate::operator) reads what comes later, and that one step late. In each step an operator runs if
//! one of its inputs has brought something or if it has work of its own left: what does not change costs nothing.
//!
//! ```
//! use qadataswap_dbsp::{RootCircuit, zset};
//!
//! let (mut circuit, (numbers, even)) = RootCircuit::build(|circuit| {
//!     let (numbers, handle) = circuit.add_input_zset::<i64>();
//!     Ok((handle, numbers.filter(|number| number % 2 == 0).output()))
//! })?;
//! numbers.extend([(1, 1), (2, 1), (4, 1)]);
//! circuit.step()?;
//! assert_eq!(even.take(), zset! { 2 => 1, 4 => 1 });
//! # Ok::<(), qadataswap_dbsp::Error>(())
//! ```

mod graph;
mod handle;
mod iterate;
mod nested;
mod node;
mod runtime;
mod schedule;
mod scope;
mod stream;
mod transaction;

pub use handle::CircuitHandle;
pub use iterate::Condition;
pub use nested::NestedStreams;
pub use node::{Incoming, State};
pub use runtime::{DBSPHandle, Runtime};
pub use schedule::OperatorMetrics;
pub(crate) use scope::sealed::Scope;
pub use scope::{ChildCircuit, Circuit, RootCircuit};
pub use stream::Stream;
pub use transaction::Transaction;

pub(crate) use graph::{Clock, Graph, NodeId};
pub(crate) use node::{Node, Slot};
pub(crate) use runtime::{Ends, Worker};
pub(crate) use schedule::Schedule;
pub(crate) use transaction::{Gate, Pacer};

#[cfg(test)]
mod tests;
