//! QADataSwap: a dataframe bus. One process writes Arrow tables into a named ring in shared memory; any number
//! of others read every table, with the columns pointing straight into shared memory.
//!
//! ```
//! use qadataswap::{SharedDataFrame, SharedMemoryConfig};
//! # use arrow_array::{Float64Array, RecordBatch, StringViewArray};
//! # use std::sync::Arc;
//! # let name = format!("doc-lib-{}", std::process::id());
//! # let table = RecordBatch::try_from_iter([
//! #     ("symbol", Arc::new(StringViewArray::from(vec!["ES", "NQ"])) as _),
//! #     ("price", Arc::new(Float64Array::from(vec![5000.25, 17500.5])) as _),
//! # ])?;
//! // One process:
//! let writer = SharedDataFrame::create_writer(SharedMemoryConfig::new(&name).with_size_mb(16))?;
//! writer.write_arrow(&table)?;
//!
//! // Any other process:
//! let reader = SharedDataFrame::create_reader(name.as_str())?;
//! while let Some(table) = reader.read_arrow(10)? {
//!     println!("{} rows", table.num_rows());
//! }
//! # Ok::<(), qadataswap::QADataSwapError>(())
//! ```
//!
//! What lies in shared memory, and why it can be read without a lock, stands in `docs/design.md`.

/// The Arrow that this crate speaks: tables cross its API as these types.
pub use arrow_array;
/// See [`arrow_array`].
pub use arrow_schema;

mod atomic;
mod attach;
mod candidate;
mod config;
#[cfg(not(feature = "crash-points"))]
mod crash;
#[cfg(feature = "crash-points")]
pub mod crash;
mod create;
mod dataframe;
mod error;
pub mod ffi;
mod folder;
mod frame;
mod futex;
mod handover;
pub mod inspect;
mod latency;
mod layout;
mod lease;
mod loan;
mod name;
mod observer;
mod peers;
mod place;
#[cfg(feature = "polars")]
pub mod polars;
mod pool;
mod publisher;
#[cfg(feature = "async")]
mod reactor;
#[cfg(feature = "async")]
mod read_async;
mod reader;
pub mod recording;
mod region;
mod relay;
mod ring;
mod segment;
mod selector;
mod stats;
mod stream;
mod subscriber;
mod sync;
mod tally;
mod unnamed;
mod wait;
mod waiter;
mod writer;

pub use config::{
    ReaderPolicy, Setting, SettingValue, Settings, SettingsError, SharedMemoryConfig, StartAt, Timeout,
    WhenFull,
};
pub use dataframe::{SharedDataFrame, create_reader, create_writer};
pub use error::{ErrorKind, QADataSwapError, Result};
pub use frame::{BoolColumn, ColumnIndex, Compression, Native, OutOfRoom, Validation, Validity, ViewColumn};
pub use handover::{receive_region, send_region};
pub use layout::{Field as LayoutField, describe as describe_layout};
pub use loan::{Loan, LoanColumns};
#[cfg(feature = "async")]
pub use read_async::{FrameStream, NextFrame};
pub use reader::{Frame, Frames, Reader};
pub use segment::forks;
pub use selector::{Selector, SelectorWaker};
pub use stats::Stats;
pub use stream::{Chunks, Progress, SharedDataStream};
pub use wait::WaitStrategy;
pub use waiter::Waiter;
pub use writer::Writer;
