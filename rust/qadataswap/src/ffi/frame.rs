//! A frame whose batches leave as C structs.

use super::block::Exported;
use crate::error::{QADataSwapError, Result};
use crate::frame::{Parsed, schema_for};
use crate::reader::Held;
use arrow_schema::{DataType, Schema, SchemaRef};
use std::time::{Duration, SystemTime};

/// A frame: one table as it was written, lying in shared memory (or, if it comes out of a
/// [recording](crate::recording), in memory of its own); as [`crate::Frame`], for programs that take its batches by the
/// C data interface.
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

    /// The schema that [`export_as`](Frame::export_as) serves a consumer with that asks for `wanted`: columns of string
    /// and binary views become what it asks for, if that is the same values behind offsets; all else stays.
    #[must_use]
    pub fn schema_for(&self, wanted: &Schema) -> SchemaRef {
        schema_for(self.schema(), wanted)
    }

    /// Exports a batch of `schema`, got by [`schema_for`](Frame::schema_for): what differs from the frame's own is
    /// copied, all else lies in the slot.
    ///
    /// # Errors
    /// [`Corrupt`](QADataSwapError::Corrupt) if a view leads outside its data;
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if there is more text than 32-bit offsets reach.
    ///
    /// # Panics
    /// If there is no such batch.
    pub fn export_as(&self, batch: usize, schema: &Schema) -> Result<Exported> {
        let mut exported = self.parsed.export(batch);
        // Mostly nobody has asked for anything else.
        if std::ptr::eq(schema, &**self.schema()) {
            return Ok(exported);
        }
        for (at, (own, asked)) in self.schema().fields().iter().zip(schema.fields()).enumerate() {
            if own.data_type() != asked.data_type() {
                let wide = matches!(asked.data_type(), DataType::LargeUtf8 | DataType::LargeBinary);
                match self.parsed.plain(batch, at, wide) {
                    Ok(plain) => exported.replace(at, plain),
                    Err(error) => {
                        exported.release();
                        // Not told whose frame it is: a frame outlives its reader.
                        return Err(QADataSwapError::frame("", error));
                    }
                }
            }
        }
        Ok(exported)
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

    /// See [`crate::Frame::published_at`].
    #[must_use]
    pub fn published_at(&self) -> SystemTime {
        self.held.published_at()
    }

    /// See [`crate::Frame::bytes`].
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.held.bytes
    }

    /// See [`crate::Frame::bytes_copied`].
    #[must_use]
    pub fn bytes_copied(&self) -> u64 {
        self.parsed.bytes_copied() + self.held.copied
    }
}
