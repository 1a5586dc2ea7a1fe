//! Polars frames in and out (cargo feature `polars`; lazy frames with `polars-lazy`).
//!
//! ```
//! use polars_core::prelude::*;
//! use qadataswap::{SharedDataFrame, SharedMemoryConfig};
//!
//! # let name = format!("doc-polars-{}", std::process::id());
//! let config = SharedMemoryConfig::new(name).with_size_mb(1);
//! let writer = SharedDataFrame::create_writer(&config)?;
//! let reader = SharedDataFrame::create_reader(&config)?;
//!
//! let df = df! { "symbol" => ["ES", "NQ"], "price" => [5000.25, 17500.5] }?;
//! writer.write(&df)?;
//! let read = reader.read(None)?.expect("without a deadline there is a frame");
//! assert!(read.equals(&df));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Polars' own arrays are told to the encoder as they are and copied once, into the slot; on the way back its arrays
//! are laid over the slot's buffers. Chunks stay chunks: columns whose chunks end in different rows are cut where any
//! of them ends, and nothing is put together. What the types become, and what little is copied, is in
//! `docs/zero-copy.md`.
//!
//! The law: a type that Polars lacks is an error that names the column, before any array is made of it. What the
//! columns *hold* (UTF-8, views, offsets, counts of nulls) is the writer's word, as everywhere, and Polars trusts it
//! with its memory safety: whoever does not trust the writer reads with
//! [`Validation::Full`](crate::Validation::Full) or [`FullOnCopy`](crate::Validation::FullOnCopy). Categories,
//! and offsets and keys that have to be rewritten, are checked as they are.

#![allow(unsafe_code)]

mod arrays;
#[cfg(feature = "async")]
mod awaited;
mod categories;
mod dtype;
#[cfg(feature = "polars-lazy")]
mod lazy;
mod made;
mod plan;
mod stream;
mod table;
mod walk;

use crate::config::Timeout;
use crate::dataframe::SharedDataFrame;
use crate::error::{QADataSwapError, Result};
use crate::ffi;
use crate::frame::{Decoder, FrameError};
use crate::reader::{Form, Held, Reader};
use crate::writer::{Writer, unless_full};
use polars_core::prelude::DataFrame;

pub(crate) use plan::Remembered;
pub(crate) use table::Known;

impl Writer {
    /// Writes a Polars frame, its chunks as they are, and returns the frame's sequence number. Every buffer is copied
    /// once, from where it lies into the slot.
    ///
    /// # Errors
    /// As [`write_arrow`](Writer::write_arrow), and [`Unsupported`](QADataSwapError::Unsupported) for a column of a
    /// type that Arrow lacks (128-bit integers, objects).
    pub fn write(&self, frame: &DataFrame) -> Result<u64> {
        self.write_polars(frame, true)
    }

    /// As [`write`](Writer::write) if there is room; `None` if the ring is full. Never waits.
    ///
    /// # Errors
    /// As there, but a full ring is none.
    pub fn try_write(&self, frame: &DataFrame) -> Result<Option<u64>> {
        unless_full(self.write_polars(frame, false))
    }

    fn write_polars(&self, frame: &DataFrame, wait: bool) -> Result<u64> {
        let mut inner = self.inner();
        // Out of the way while the rest is borrowed; what it knows is not lost if writing fails.
        let mut known = std::mem::take(&mut inner.polars);
        let written = match known.table(frame) {
            Ok((schema, batches)) => inner.write(schema, &batches, wait),
            Err(error) => Err(QADataSwapError::frame(inner.ring_name(), error)),
        };
        inner.polars = known;
        written
    }
}

impl Reader {
    /// Reads the next table as a Polars frame, waiting for at most `timeout`: milliseconds, a
    /// [`Duration`](std::time::Duration), or `None` for as long as it takes. The result is `None` if there is nothing
    /// yet.
    ///
    /// The columns lie in shared memory, chunk by chunk; the slot is held until the last of them is dropped.
    ///
    /// # Errors
    /// As [`read_frame`](Reader::read_frame); [`Unsupported`](QADataSwapError::Unsupported) for a column of a type that
    /// Polars lacks (the next read goes on after it).
    pub fn read(&self, timeout: impl Into<Timeout>) -> Result<Option<DataFrame>> {
        Ok(self.inner().read::<Read>(timeout.into())?.map(|read| read.frame))
    }

    /// As [`read`](Reader::read) if the next table is there. Never waits.
    ///
    /// # Errors
    /// As there, except that the writer's death is not looked for.
    pub fn try_read(&self) -> Result<Option<DataFrame>> {
        Ok(self.inner().try_read::<Read>()?.map(|read| read.frame))
    }
}

impl SharedDataFrame {
    /// See [`Writer::write`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn write(&self, frame: &DataFrame) -> Result<u64> {
        self.writer()?.write(frame)
    }

    /// See [`Writer::try_write`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn try_write(&self, frame: &DataFrame) -> Result<Option<u64>> {
        self.writer()?.try_write(frame)
    }

    /// See [`Reader::read`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn read(&self, timeout: impl Into<Timeout>) -> Result<Option<DataFrame>> {
        self.reader()?.read(timeout)
    }

    /// See [`Reader::try_read`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn try_read(&self) -> Result<Option<DataFrame>> {
        self.reader()?.try_read()
    }
}

impl ffi::Frame {
    /// The table as a Polars frame; see [`Reader::read`]. It holds the slot as the frame does.
    ///
    /// # Errors
    /// [`Unsupported`](QADataSwapError::Unsupported) for a column of a type that Polars lacks;
    /// [`Corrupt`](QADataSwapError::Corrupt) for contents that cannot be rewritten as Polars needs them.
    pub fn to_polars(&self) -> Result<DataFrame> {
        // Not told whose frame it is: a frame outlives its reader.
        let (frame, _) =
            arrays::data_frame(&self.parsed).map_err(|error| QADataSwapError::frame("", error))?;
        Ok(frame)
    }
}

/// A frame as it is read, and how much of it had to be copied.
struct Read {
    frame: DataFrame,
    copied: u64,
}

impl Form for Read {
    fn decode(decoder: &mut Decoder, held: Held) -> Result<Self, FrameError> {
        let parsed = decoder.decode_views(&held.bytes, held.meta.schema)?;
        let (frame, copied) = arrays::data_frame(&parsed)?;
        Ok(Read { frame, copied: copied + parsed.bytes_copied() + held.copied })
    }

    fn tally(&self) -> (u64, u64) {
        (self.frame.height() as u64, self.copied)
    }
}
