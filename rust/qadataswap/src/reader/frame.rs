//! What a reader hands out.

use crate::error::Result;
use crate::frame::Decoded;
use crate::peers::monotonic_ns;
use crate::ring::FrameMeta;
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_schema::SchemaRef;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A frame: one table as it was written, in its chunks, lying in shared memory (or, if it comes out of a
/// [recording](crate::recording), in memory of its own).
///
/// It holds its slot until it and every array of it are dropped; an observer's frame holds none, being a copy. A forked child does not have the memory: looking
/// at a frame's data there is a segmentation fault, dropping it is harmless.
#[derive(Clone)]
pub struct Frame {
    pub(super) held: Held,
    pub(super) decoded: Decoded,
}

/// What is known of a frame whatever it is read as; holds its slot.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) bytes: Buffer,
    pub(crate) meta: FrameMeta,
    pub(crate) missed: u64,
    /// Of a frame out of a recording: when it was published, in nanoseconds since the Unix epoch; otherwise 0.
    pub(crate) wall_ns: u64,
    /// Bytes that were copied to get hold of it.
    pub(crate) copied: u64,
}

impl Held {
    /// Time since the frame was published.
    pub(crate) fn age(&self) -> Duration {
        match self.wall_ns {
            0 => Duration::from_nanos(monotonic_ns().saturating_sub(self.meta.published_ns)),
            _ => self.published_at().elapsed().unwrap_or_default(),
        }
    }

    /// When the frame was published, by the clock on the wall.
    pub(crate) fn published_at(&self) -> SystemTime {
        match self.wall_ns {
            0 => SystemTime::now().checked_sub(self.age()).unwrap_or(UNIX_EPOCH),
            wall => UNIX_EPOCH + Duration::from_nanos(wall),
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held")
            .field("sequence", &self.meta.sequence)
            .field("missed", &self.missed)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl Frame {
    /// The table's schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.decoded.schema
    }

    /// The table's chunks.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.decoded.batches
    }

    /// Number of rows in all chunks.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.batches().iter().map(RecordBatch::num_rows).sum()
    }

    /// The frame's number, counted from 0 over the ring's life.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.held.meta.sequence
    }

    /// Number of frames that this reader missed between the previous frame and this one.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.held.missed
    }

    /// Time since the frame was published.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.held.age()
    }

    /// `CLOCK_MONOTONIC` at publication, in nanoseconds.
    #[must_use]
    pub fn published_ns(&self) -> u64 {
        self.held.meta.published_ns
    }

    /// When the frame was published, by the clock on the wall: of a frame out of a recording as it was written down
    /// then, of one out of a ring as that clock goes now.
    #[must_use]
    pub fn published_at(&self) -> SystemTime {
        self.held.published_at()
    }

    /// The frame as it lies in the slot: a complete Arrow IPC stream.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.held.bytes
    }

    /// Bytes that reading this frame has copied out of the slot; see [`Stats::bytes_copied`](crate::Stats::bytes_copied).
    #[must_use]
    pub fn bytes_copied(&self) -> u64 {
        self.decoded.bytes_copied + self.held.copied
    }

    /// The table as one batch. A table of one chunk is handed out as it is; several chunks are put together,
    /// which copies them.
    ///
    /// # Errors
    /// [`QADataSwapError::ArrowError`](crate::QADataSwapError::ArrowError) if the chunks cannot be put together.
    pub fn to_batch(&self) -> Result<RecordBatch> {
        match self.batches() {
            [batch] => Ok(batch.clone()),
            [] => Ok(RecordBatch::new_empty(self.schema().clone())),
            batches => Ok(arrow_select::concat::concat_batches(self.schema(), batches)?),
        }
    }

    /// As [`to_batch`](Frame::to_batch), of a frame that nobody else wants; also, how many bytes that has copied.
    pub(super) fn into_batch(mut self) -> Result<(RecordBatch, u64)> {
        if self.decoded.batches.len() == 1
            && let Some(batch) = self.decoded.batches.pop()
        {
            return Ok((batch, 0));
        }
        let batch = self.to_batch()?;
        let copied = if self.batches().is_empty() { 0 } else { batch.get_array_memory_size() as u64 };
        Ok((batch, copied))
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("held", &self.held).field("batches", &self.decoded.batches).finish()
    }
}
