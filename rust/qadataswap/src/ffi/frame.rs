//! A frame whose batches leave as C structs.

use super::block::Exported;
use crate::frame::Parsed;
use crate::reader::Held;
use arrow_schema::SchemaRef;
use std::time::Duration;

/// A frame: one table as it was written, lying in shared memory; as [`crate::Frame`], for programs that take its
/// batches by the C data interface.
///
/// It holds its slot until it and everything exported from it are gone.
#[derive(Debug)]
pub struct Frame {
    pub(crate) held: Held,
    pub(crate) parsed: Parsed,
}

impl Frame {
    /// The table's schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.parsed.schema()
    }

    /// Stands for the schema: equal numbers from one reader are equal schemas.
    #[must_use]
    pub fn schema_id(&self) -> u64 {
        self.held.meta.schema
    }

    /// Number of batches.
    #[must_use]
    pub fn num_batches(&self) -> usize {
        self.parsed.len()
    }

    /// Number of rows in all batches.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.parsed.rows()
    }

    /// Exports a batch, without copying: its buffers lie in the slot.
    ///
    /// # Panics
    /// If there is no such batch.
    #[must_use]
    pub fn export(&self, batch: usize) -> Exported {
        self.parsed.export(batch)
    }

    /// The values of the only column of the only batch, as they lie in the slot; `None` if there are more columns or
    /// batches, nulls, or values that are not of a fixed width.
    #[must_use]
    pub fn sole_values(&self) -> Option<&[u8]> {
        self.parsed.sole_values()
    }

    /// See [`crate::Frame::sequence`].
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.held.meta.sequence
    }

    /// See [`crate::Frame::missed`].
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.held.missed
    }

    /// See [`crate::Frame::age`].
    #[must_use]
    pub fn age(&self) -> Duration {
        self.held.age()
    }

    /// See [`crate::Frame::published_ns`].
    #[must_use]
    pub fn published_ns(&self) -> u64 {
        self.held.meta.published_ns
    }

    /// See [`crate::Frame::bytes`].
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.held.bytes
    }

    /// See [`crate::Frame::bytes_copied`].
    #[must_use]
    pub fn bytes_copied(&self) -> u64 {
        self.parsed.bytes_copied()
    }
}
