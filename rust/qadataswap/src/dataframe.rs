//! One handle for either end of a ring: the noun that every language has.

use crate::config::{SharedMemoryConfig, Timeout};
use crate::error::{QADataSwapError, Result};
use crate::loan::Loan;
use crate::reader::{Frame, Frames, Reader};
use crate::stats::Stats;
use crate::writer::Writer;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

/// A named table stream in shared memory: its writing or its reading end.
///
/// ```
/// use qadataswap::{SharedDataFrame, SharedMemoryConfig};
/// use arrow_array::{Int64Array, RecordBatch};
/// use std::sync::Arc;
///
/// # let name = format!("doc-{}", std::process::id());
/// let config = SharedMemoryConfig::new(name).with_size_mb(1);
/// let writer = SharedDataFrame::create_writer(&config)?;
/// let column = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// writer.write_arrow(&RecordBatch::try_from_iter([("a", column as _)])?)?;
///
/// let reader = SharedDataFrame::create_reader(&config)?;
/// let table = reader.read_arrow(1000)?.expect("one frame is there");
/// assert_eq!(table.num_rows(), 3);
/// # Ok::<(), qadataswap::QADataSwapError>(())
/// ```
#[derive(Debug)]
pub struct SharedDataFrame {
    end: End,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a process holds a few handles, and a box would cost each call a load"
)]
enum End {
    Writer(Writer),
    Reader(Reader),
}

impl SharedDataFrame {
    /// Creates or takes over a ring. `config` is a [`SharedMemoryConfig`], a name, or a name and a total size in
    /// bytes.
    ///
    /// # Errors
    /// As [`Writer::new`].
    pub fn create_writer(config: impl Into<SharedMemoryConfig>) -> Result<SharedDataFrame> {
        Ok(Writer::new(config)?.into())
    }

    /// Attaches to a ring.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn create_reader(config: impl Into<SharedMemoryConfig>) -> Result<SharedDataFrame> {
        Ok(Reader::new(config)?.into())
    }

    /// The writing end.
    ///
    /// # Errors
    /// [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn writer(&self) -> Result<&Writer> {
        match &self.end {
            End::Writer(writer) => Ok(writer),
            End::Reader(reader) => Err(wrong_role(reader.name(), "reader", "writer")),
        }
    }

    /// The reading end.
    ///
    /// # Errors
    /// [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn reader(&self) -> Result<&Reader> {
        match &self.end {
            End::Reader(reader) => Ok(reader),
            End::Writer(writer) => Err(wrong_role(writer.name(), "writer", "reader")),
        }
    }

    /// The reading end, for those of its calls that need it for themselves.
    ///
    /// # Errors
    /// [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn reader_mut(&mut self) -> Result<&mut Reader> {
        match &mut self.end {
            End::Reader(reader) => Ok(reader),
            End::Writer(writer) => Err(wrong_role(writer.name(), "writer", "reader")),
        }
    }

    /// See [`Writer::write_arrow`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn write_arrow(&self, batch: &RecordBatch) -> Result<u64> {
        self.writer()?.write_arrow(batch)
    }

    /// See [`Writer::try_write_arrow`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn try_write_arrow(&self, batch: &RecordBatch) -> Result<Option<u64>> {
        self.writer()?.try_write_arrow(batch)
    }

    /// See [`Writer::write_batches`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn write_batches(&self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<u64> {
        self.writer()?.write_batches(schema, batches)
    }

    /// See [`Writer::loan`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn loan(&self, schema: &SchemaRef, rows: usize) -> Result<Loan<&Writer>> {
        self.writer()?.loan(schema, rows)
    }

    /// See [`Writer::loan_with`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn loan_with(&self, schema: &SchemaRef, rows: usize, var_bytes: usize) -> Result<Loan<&Writer>> {
        self.writer()?.loan_with(schema, rows, var_bytes)
    }

    /// See [`Reader::has_writer`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn has_writer(&self) -> Result<bool> {
        self.reader()?.has_writer()
    }

    /// See [`Reader::read_arrow`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn read_arrow(&self, timeout: impl Into<Timeout>) -> Result<Option<RecordBatch>> {
        self.reader()?.read_arrow(timeout)
    }

    /// See [`Reader::try_read_arrow`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn try_read_arrow(&self) -> Result<Option<RecordBatch>> {
        self.reader()?.try_read_arrow()
    }

    /// See [`Reader::read_frame`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn read_frame(&self, timeout: impl Into<Timeout>) -> Result<Option<Frame>> {
        self.reader()?.read_frame(timeout)
    }

    /// See [`Reader::try_read_frame`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn try_read_frame(&self) -> Result<Option<Frame>> {
        self.reader()?.try_read_frame()
    }

    /// See [`Reader::wait_for_condition`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn wait_for_condition(
        &self,
        predicate: impl FnMut(&Frame) -> bool,
        timeout: impl Into<Timeout>,
    ) -> Result<Option<Frame>> {
        self.reader()?.wait_for_condition(predicate, timeout)
    }

    /// See [`Reader::read_frame_async`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    #[cfg(feature = "async")]
    pub async fn read_frame_async(&mut self) -> Result<Frame> {
        self.reader_mut()?.read_frame_async().await
    }

    /// See [`Reader::read_arrow_async`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    #[cfg(feature = "async")]
    pub async fn read_arrow_async(&mut self) -> Result<RecordBatch> {
        self.reader_mut()?.read_arrow_async().await
    }

    /// See [`Reader::iter`].
    ///
    /// # Errors
    /// [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub fn frames(&self) -> Result<Frames<'_>> {
        Ok(self.reader()?.iter())
    }

    /// What this handle has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.end {
            End::Writer(writer) => writer.stats(),
            End::Reader(reader) => reader.stats(),
        }
    }

    /// The ring's name.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.end {
            End::Writer(writer) => writer.name(),
            End::Reader(reader) => reader.name(),
        }
    }

    /// See [`Writer::close`] and [`Reader::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(&self) -> Result<()> {
        match &self.end {
            End::Writer(writer) => writer.close(),
            End::Reader(reader) => {
                reader.close();
                Ok(())
            }
        }
    }
}

fn wrong_role(ring: String, is: &'static str, needs: &'static str) -> QADataSwapError {
    QADataSwapError::WrongRole { ring, is, needs }
}

impl From<Writer> for SharedDataFrame {
    fn from(writer: Writer) -> Self {
        SharedDataFrame { end: End::Writer(writer) }
    }
}

impl From<Reader> for SharedDataFrame {
    fn from(reader: Reader) -> Self {
        SharedDataFrame { end: End::Reader(reader) }
    }
}

/// Creates or takes over a ring of `buffer_count` buffers, with defaults for all else.
///
/// # Errors
/// As [`Writer::new`].
pub fn create_writer(name: &str, buffer_count: usize) -> Result<Writer> {
    Writer::new(SharedMemoryConfig::new(name).with_buffer_count(buffer_count))
}

/// Attaches to a ring, with defaults for all else: lossless, from the oldest frame.
///
/// # Errors
/// As [`Reader::new`].
pub fn create_reader(name: &str) -> Result<Reader> {
    Reader::new(name)
}
