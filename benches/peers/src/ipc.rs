//! Arrow IPC for the ways that bring bytes: the messages of one stream, each in a place of its own.
//!
//! Both sides know the schema beforehand, as they would after the first message of a stream. Bytes are written once, to where
//! they go; what is read lies where they are; and as QADataSwap does not by default, nobody looks whether they are valid.

#![allow(unsafe_code)]

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_ipc::{Block, MetadataVersion};
use arrow_schema::{Schema, SchemaRef};
use qadataswap_benches::rings::Failure;
use std::io::{self, Write};
use std::ptr::NonNull;

/// Bytes of the length that stands before a message's metadata, and of what stands before that.
const PREFIX: usize = 8;

/// Where the bytes of a message go, for as long as it is written: nowhere, or to a place.
#[derive(Debug)]
struct Sink {
    place: Option<NonNull<u8>>,
    room: usize,
    used: usize,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room - self.used < bytes.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if let Some(place) = self.place {
            // SAFETY: `room` bytes from there may be written, as whoever named the place has sworn; these are within them.
            unsafe { place.add(self.used).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) }
        }
        self.used += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes tables of one schema as messages.
pub(crate) struct Encoder {
    writer: StreamWriter<Sink>,
}

impl Encoder {
    /// One for tables of this schema.
    ///
    /// # Errors
    /// If it has types that IPC has not.
    pub(crate) fn new(schema: &Schema) -> Result<Encoder, Failure> {
        let nowhere = Sink { place: None, room: usize::MAX, used: 0 };
        Ok(Encoder { writer: StreamWriter::try_new(nowhere, schema)? })
    }

    /// The bytes of a table's message.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn length(&mut self, batch: &RecordBatch) -> Result<usize, Failure> {
        *self.writer.get_mut() = Sink { place: None, room: usize::MAX, used: 0 };
        self.writer.write(batch)?;
        Ok(self.writer.get_ref().used)
    }

    /// Writes a table's message to a place, which is not known afterwards.
    ///
    /// # Errors
    /// If it does not fit.
    ///
    /// # Safety
    /// `room` bytes from `place` may be written, and nobody else reads or writes them meanwhile.
    pub(crate) unsafe fn encode(
        &mut self,
        batch: &RecordBatch,
        place: NonNull<u8>,
        room: usize,
    ) -> Result<(), Failure> {
        *self.writer.get_mut() = Sink { place: Some(place), room, used: 0 };
        let written = self.writer.write(batch);
        *self.writer.get_mut() = Sink { place: None, room: 0, used: 0 };
        Ok(written?)
    }
}

/// Finds tables of one schema in messages.
#[derive(Debug)]
pub(crate) struct Decoder {
    decoder: FileDecoder,
}

impl Decoder {
    /// One for tables of this schema.
    pub(crate) fn new(schema: SchemaRef) -> Decoder {
        let decoder = FileDecoder::new(schema, MetadataVersion::V5);
        // SAFETY: the other process is a copy of this program, and writes its messages by an `Encoder`.
        let decoder = unsafe { decoder.with_skip_validation(true) };
        Decoder { decoder }
    }

    /// The table of a message, its columns lying in it wherever they are aligned.
    ///
    /// # Errors
    /// If it is no message of a table.
    pub(crate) fn decode(&self, message: &Buffer) -> Result<RecordBatch, Failure> {
        let length = message.get(4..PREFIX).ok_or("no message is as short")?;
        let metadata = u32::from_le_bytes(length.try_into()?) as usize + PREFIX;
        let body = message.len().checked_sub(metadata).ok_or("a message longer than its place")?;
        let block = Block::new(0, i32::try_from(metadata)?, i64::try_from(body)?);
        Ok(self.decoder.read_record_batch(&block, message)?.ok_or("a message without a table")?)
    }
}
