//! Streams: a data set larger than the ring, as a sequence of frames with an end.
//!
//! ```
//! use qadataswap::{SharedDataStream, SharedMemoryConfig};
//! # use arrow_array::{Int64Array, RecordBatch};
//! # use std::sync::Arc;
//! # let name = format!("doc-stream-{}", std::process::id());
//! # let config = SharedMemoryConfig::new(&name).with_size_mb(1);
//! # let chunk = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1, 2])) as _)])?;
//! // One process:
//! let writer = SharedDataStream::create_writer(config)?;
//! writer.write_chunk(&chunk)?;
//! # let late = writer;
//! # let writer = std::thread::spawn(move || late.close());
//!
//! // Another one:
//! let reader = SharedDataStream::create_reader(&name)?;
//! # writer.join().expect("closes")?;
//! for chunk in reader.iter_chunks() {
//!     println!("{} rows", chunk?.num_rows());   // an error says that the data set is not whole
//! }
//! # Ok::<(), qadataswap::QADataSwapError>(())
//! ```
//!
//! Law: what a stream's reader has seen when the chunks end without an error is all of it. Only closing the writer ends a
//! stream; a writer that is dropped breaks it off. No chunk is overwritten that nobody has read, also while no reader is
//! attached: the writer waits for the first.

mod notice;

pub(crate) use notice::Beginning;

use crate::config::{SharedMemoryConfig, Timeout};
use crate::error::{QADataSwapError, Result};
use crate::reader::{Frame, Reader, until_end};
use crate::stats::Stats;
use crate::writer::Writer;
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use std::cell::{Cell, RefCell};

/// How far a stream has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Rows written or read through this handle.
    pub rows: u64,
    /// Rows that the writer has published so far.
    pub rows_written: u64,
    /// Rows that the stream will have, if its writer knows.
    pub total_rows: Option<u64>,
    /// Whether nothing more will be written: the stream has ended or was broken off.
    pub is_over: bool,
}

/// The writing or the reading end of a stream.
///
/// It may be sent to another thread but not shared.
#[derive(Debug)]
pub struct SharedDataStream {
    end: End,
}

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a process holds a few handles, and a box would cost each call a load"
)]
enum End {
    Writer {
        writer: Writer,
        /// Rows that a frame is not to exceed, since more have been too many; grows again from chunk to chunk.
        most_rows: Cell<usize>,
    },
    Reader {
        reader: Reader,
        /// A frame of several chunks, and which of them is next.
        frame: RefCell<Option<(Frame, usize)>>,
    },
}

impl SharedDataStream {
    /// Creates a ring for a stream of unknown length, or takes over one whose writer is gone. A write waits for its
    /// readers for as long as it takes, unless the configuration has a timeout.
    ///
    /// # Errors
    /// As [`Writer::new`].
    pub fn create_writer(config: impl Into<SharedMemoryConfig>) -> Result<SharedDataStream> {
        SharedDataStream::over(config.into().with_stream(None))
    }

    /// As [`create_writer`](SharedDataStream::create_writer), for a stream of `total_rows` rows.
    ///
    /// # Errors
    /// As there.
    pub fn create_writer_of(
        config: impl Into<SharedMemoryConfig>,
        total_rows: u64,
    ) -> Result<SharedDataStream> {
        SharedDataStream::over(config.into().with_stream(Some(total_rows)))
    }

    fn over(config: SharedMemoryConfig) -> Result<SharedDataStream> {
        Ok(SharedDataStream::from_writer(Writer::new(config)?))
    }

    /// Attaches to a stream, at its beginning.
    ///
    /// # Errors
    /// As [`Reader::new`]; [`InvalidConfig`](QADataSwapError::InvalidConfig) if the beginning has been read and is gone,
    /// and for a lossy or a latest reader, unless the writer overwrites. An observer is told if it misses a frame:
    /// [`Aborted`](QADataSwapError::Aborted).
    pub fn create_reader(config: impl Into<SharedMemoryConfig>) -> Result<SharedDataStream> {
        SharedDataStream::from_reader(Reader::new(config)?)
    }

    /// A stream over a writer that was made [for one](SharedMemoryConfig::with_stream), as
    /// [`Writer::from_fd`] makes it.
    #[must_use]
    pub fn from_writer(writer: Writer) -> SharedDataStream {
        SharedDataStream { end: End::Writer { writer, most_rows: Cell::new(usize::MAX) } }
    }

    /// A stream over a reader that has read nothing yet, as [`Reader::from_fd`] makes it.
    ///
    /// # Errors
    /// As [`create_reader`](SharedDataStream::create_reader).
    pub fn from_reader(reader: Reader) -> Result<SharedDataStream> {
        reader.expect_stream()?;
        Ok(SharedDataStream { end: End::Reader { reader, frame: RefCell::new(None) } })
    }

    /// Writes a chunk. One that is larger than a slot is split by its rows, in their order, into as few frames as halving
    /// finds; how many rows fit is remembered.
    ///
    /// # Errors
    /// As [`Writer::write_arrow`]; [`FrameTooLarge`](QADataSwapError::FrameTooLarge) if a single row does not fit. The
    /// rows before are published then. [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn write_chunk(&self, chunk: &RecordBatch) -> Result<()> {
        let (writer, most_rows) = self.writer()?;
        split(chunk.num_rows(), most_rows, |from, rows| match rows == chunk.num_rows() {
            true => writer.write_arrow(chunk),
            false => writer.write_arrow(&chunk.slice(from, rows)),
        })
    }

    /// Writes chunks as they are produced, by a [`RecordBatchReader`](arrow_array::RecordBatchReader) for one, and
    /// returns how many there were.
    ///
    /// # Errors
    /// The first of a chunk or of writing it. The stream goes on: [`abort`](SharedDataStream::abort) it, or drop it, if
    /// that is the end of it.
    pub fn write_all(
        &self,
        chunks: impl IntoIterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<u64> {
        let mut written = 0;
        for chunk in chunks {
            self.write_chunk(&chunk?)?;
            written += 1;
        }
        Ok(written)
    }

    /// Reads the next chunk, waiting for at most `timeout`; `None` if there is nothing yet. A table that was written in
    /// several chunks comes as these, and one without any is passed over.
    ///
    /// # Errors
    /// As [`Reader::read_frame`]: [`EndOfStream`](QADataSwapError::EndOfStream) when all has been read,
    /// [`Aborted`](QADataSwapError::Aborted) if it was broken off.
    pub fn read_chunk(&self, timeout: impl Into<Timeout>) -> Result<Option<RecordBatch>> {
        let End::Reader { reader, frame } = &self.end else { return Err(self.wrong_role("reader")) };
        let timeout = timeout.into().deadline();
        let mut current = frame.borrow_mut();
        loop {
            if let Some((frame, next)) = &mut *current {
                let chunk = frame.batches().get(*next).cloned();
                *next += 1;
                if *next >= frame.batches().len() {
                    // The last chunk alone holds the slot, so that whoever drops it gives the slot back.
                    *current = None;
                }
                if chunk.is_some() {
                    return Ok(chunk);
                }
            }
            match reader.read_frame(timeout.left())? {
                Some(frame) => *current = Some((frame, 0)),
                None => return Ok(None),
            }
        }
    }

    /// Chunks as they come, waiting for each, until the stream ends or an error has been yielded.
    pub fn iter_chunks(&self) -> Chunks<'_> {
        Chunks { stream: self, done: false }
    }

    /// How far the stream has come; for the writer and every reader, in any process.
    ///
    /// # Errors
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn progress(&self) -> Result<Progress> {
        match &self.end {
            End::Writer { writer, .. } => writer.progress(),
            End::Reader { reader, .. } => reader.progress(),
        }
    }

    /// Ends the stream, or stops reading it. Closing twice is no error.
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub fn close(&self) -> Result<()> {
        match &self.end {
            End::Writer { writer, .. } => writer.close(),
            End::Reader { reader, frame } => {
                *frame.borrow_mut() = None;
                reader.close();
                Ok(())
            }
        }
    }

    /// Breaks the stream off: readers read what is there, and then get [`Aborted`](QADataSwapError::Aborted) with
    /// `reason`, of which at most 160 bytes are kept. What has been closed stays as it is.
    ///
    /// # Errors
    /// As [`Writer::close`]; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn abort(&self, reason: &str) -> Result<()> {
        self.writer()?.0.abort(reason)
    }

    /// What this handle has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.end {
            End::Writer { writer, .. } => writer.stats(),
            End::Reader { reader, .. } => reader.stats(),
        }
    }

    /// The ring's name.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.end {
            End::Writer { writer, .. } => writer.name(),
            End::Reader { reader, .. } => reader.name(),
        }
    }

    /// The reader, of which frames are read as wholes from now on.
    #[cfg(feature = "polars")]
    pub(crate) fn whole_frames(&self) -> Result<&Reader> {
        let End::Reader { reader, frame } = &self.end else { return Err(self.wrong_role("reader")) };
        *frame.borrow_mut() = None;
        Ok(reader)
    }

    pub(crate) fn writer(&self) -> Result<(&Writer, &Cell<usize>)> {
        match &self.end {
            End::Writer { writer, most_rows } => Ok((writer, most_rows)),
            End::Reader { .. } => Err(self.wrong_role("writer")),
        }
    }

    #[cold]
    fn wrong_role(&self, needs: &'static str) -> QADataSwapError {
        let is = if needs == "writer" { "reader" } else { "writer" };
        QADataSwapError::WrongRole { ring: self.name(), is, needs }
    }
}

/// Writes `rows` rows by `write(from, rows)` in as many parts as it takes.
pub(crate) fn split(
    rows: usize,
    most_rows: &Cell<usize>,
    mut write: impl FnMut(usize, usize) -> Result<u64>,
) -> Result<()> {
    // One chunk of long values is not to make all that follow it short.
    most_rows.set(most_rows.get().saturating_mul(2));
    let mut done = 0;
    loop {
        let part = most_rows.get().min(rows - done);
        match write(done, part) {
            Ok(_) => done += part,
            Err(QADataSwapError::FrameTooLarge { .. }) if part > 1 => most_rows.set(part / 2),
            Err(error) => return Err(error),
        }
        if done >= rows {
            return Ok(());
        }
    }
}

impl<'a> IntoIterator for &'a SharedDataStream {
    type Item = Result<RecordBatch>;
    type IntoIter = Chunks<'a>;

    fn into_iter(self) -> Chunks<'a> {
        self.iter_chunks()
    }
}

/// The chunks of a stream as they come; see [`SharedDataStream::iter_chunks`].
#[derive(Debug)]
pub struct Chunks<'a> {
    stream: &'a SharedDataStream,
    done: bool,
}

impl Iterator for Chunks<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        until_end(&mut self.done, || self.stream.read_chunk(Timeout::FOREVER))
    }
}
