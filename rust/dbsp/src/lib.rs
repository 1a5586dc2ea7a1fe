//! An incremental engine: views over changing data, kept up to date at a cost that follows the change.
//!
//! It is a DBSP (Budiu, Chajed, McSherry, Ryzhyk and Tannen, "DBSP: Automatic Incremental View Maintenance for Rich Query
//! Languages", VLDB 2023): collections are Z-sets, rows with integer weights; changes are Z-sets too; a query is a circuit of
//! operators on streams of changes, each of which brings what its result changes by. Nothing here needs a ring, or a second
//! thread.
//!
//! Begin with the [tutorial]. Then: [`circuit`] for circuits and workers, [`operator`] and the methods of [`Stream`] for what
//! they are made of, [`mod@column`] and [`trace`] for how rows lie in memory.
//!
//! ```
//! use qadataswap_dbsp::{Runtime, indexed_zset};
//!
//! let (mut circuit, (trades, volumes)) = Runtime::init_circuit(2, |circuit| {
//!     let (trades, handle) = circuit.add_input_zset::<(String, i64)>();
//!     Ok((handle, trades.index().aggregate_linear(|&size| size).output()))
//! })?;
//! trades.extend([(("ESZ6".to_owned(), 5), 1), (("NQZ6".to_owned(), 1), 1), (("ESZ6".to_owned(), 2), 1)]);
//! circuit.step()?;
//! assert_eq!(volumes.take(), indexed_zset! { "ESZ6".to_owned() => { 7 => 1 }, "NQZ6".to_owned() => { 1 => 1 } });
//! # Ok::<(), qadataswap_dbsp::Error>(())
//! ```

// What `derive(Data)` makes names this crate, here as anywhere.
extern crate self as qadataswap_dbsp;

pub mod algebra;
pub mod arrow;
pub mod circuit;
pub mod column;
pub mod dynamic;
mod error;
pub mod monitor;
pub mod operator;
#[cfg(feature = "ring")]
pub mod ring;
pub mod time;
pub mod trace;
pub mod tutorial;

pub use circuit::{ChildCircuit, Circuit, CircuitHandle, DBSPHandle, RootCircuit, Runtime, Stream};
pub use column::Data;
pub use error::Error;
pub use trace::{Batch, OrdIndexedZSet, OrdZSet};
