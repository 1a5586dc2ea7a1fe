//! The frame: one complete Arrow IPC stream, laid straight into a ring slot and read where it lies.
//!
//! A writer owns an [`Encoder`]: `measure` lays a table out without touching its data, the caller makes
//! room, `write` copies every buffer once into its final place. A reader owns a [`Decoder`]: `decode`
//! checks a frame's form and returns arrays that are slices of the frame's own [`Buffer`], so whatever
//! array lives longest holds the pin.
//!
//! The law of this module: *foreign bytes are checked once, at the door*. Metadata is copied out of shared
//! memory before it is looked at; every offset and length is checked against the frame and against what
//! the type needs ([`view`]); behind that door nothing re-checks. No input, however hostile, panics or
//! reads outside the frame. Contents (offset values, UTF-8, dictionary keys) are the writer's word unless
//! the reader asks for more by [`Validation`].
//!
//! ```text
//!   writing   plan, ipc_schema    what a schema is, once        reading   message   the stream's framing
//!             chunk               a batch of either origin            familiar  metadata seen before
//!             walk, foreign       which nodes and buffers it has
//!             tell, scan ─▶ sink  measured, then copied
//!             template            metadata, patched                       view      nodes, buffers: the door
//!             loan, in_place      or built in place                       arrays    the view as arrow-rs arrays,
//!             copy, compress      every byte that moves                   export    or as C structs,
//!                                                                         plain     views as plain strings
//!                                                                         stretch   or passed on as they are
//! ```
//!
//! [`Buffer`]: arrow_buffer::Buffer

mod arrays;
mod chunk;
mod columns;
mod compress;
mod copy;
mod decode;
mod encode;
mod export;
mod familiar;
mod foreign;
mod in_place;
mod ipc_schema;
mod loan;
mod message;
mod nontemporal;
mod plain;
mod plan;
mod scan;
mod sink;
mod stretch;
pub(crate) mod tell;
mod template;
mod view;
mod walk;

#[cfg(all(test, not(feature = "crash-points")))]
mod tests;

use arrow_schema::ArrowError;

pub(crate) use chunk::Chunk;
pub use columns::{BoolColumn, ColumnIndex, Native, OutOfRoom, Validity, ViewColumn};
pub(crate) use columns::{Columns, Parts};
pub(crate) use copy::{Position, bytes_of_bits};
pub(crate) use decode::{Decoded, Decoder};
pub(crate) use encode::{Encoder, Measured};
pub(crate) use export::Parsed;
pub(crate) use in_place::{Around, Body};
pub(crate) use loan::LoanPlan;
pub(crate) use plain::{Plain, schema_for};
pub(crate) use plan::{Kind, Shape};
pub(crate) use scan::{Nulls, VIEW};
pub(crate) use stretch::{END, Stretch};
#[cfg(feature = "polars")]
pub(crate) use {
    export::Batch,
    plan::{Plan, Step},
    scan::Views,
    sink::Sink,
    view::{Node, Span},
};

/// Every message starts, and every body buffer starts, at a multiple of this many bytes.
pub(crate) const ALIGNMENT: usize = 64;

/// How the body of a frame is compressed, by Arrow IPC's own body compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all: readers see the columns where they lie.
    #[default]
    None,
    /// LZ4 frame format (cargo feature `lz4`).
    Lz4,
    /// Zstandard (cargo feature `zstd`).
    Zstd {
        /// The level, 1 (fast) to 22 (small).
        level: i32,
    },
}

/// How much of a frame a reader checks before handing it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Validation {
    /// Bounds, lengths and alignment of every buffer; the data itself is never touched.
    #[default]
    Form,
    /// Also the contents: offsets, UTF-8, dictionary keys, run ends, null counts. Touches all data, and
    /// holds only while the writer keeps the protocol.
    Full,
    /// Copies the frame to private memory first, then checks it as `Full` does: for writers that are not
    /// trusted.
    FullOnCopy,
}

/// Why a frame could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The frame does not fit the slot.
    #[error("frame needs {needed} bytes, slot has {available}")]
    TooLarge { needed: u64, available: u64 },
    /// The bytes are not a well-formed frame.
    #[error("corrupt frame: {0}")]
    Corrupt(String),
    /// Well-formed, but not something this build or this codec handles.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The caller's table or request is off.
    #[error("invalid: {0}")]
    Invalid(String),
    /// Arrow itself refused.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

impl FrameError {
    fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}
