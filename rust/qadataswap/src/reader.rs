//! The reading end of a ring.

use crate::config::{SharedMemoryConfig, Timeout};
use crate::error::{QADataSwapError, Result};
use crate::frame::{Decoded, Decoder};
use crate::layout::{STATE_OPEN, STATE_REPLACED};
use crate::lease::{Attachment, Lease};
use crate::peers::monotonic_ns;
use crate::region::{self, Region};
use crate::ring::FrameMeta;
use crate::stats::Stats;
use crate::subscriber::{Next, Subscriber};
use crate::sync::Ordering;
use crate::wait::{self, WaitStrategy, wait_until};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_schema::SchemaRef;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The reading end of a ring.
///
/// A reader may be sent to another thread but not shared; the frames it yields may be both. A frame keeps its
/// bytes in place for as long as any array of it lives, also after its reader, its writer, and the ring's name
/// are gone; a slot that is held so is not available to the writer.
pub struct Reader {
    inner: RefCell<Inner>,
}

struct Inner {
    /// `None` once closed.
    attachment: Option<Arc<Attachment>>,
    name: String,
    subscriber: Subscriber,
    decoder: Decoder,
    wait: WaitStrategy,
    stats: Stats,
}

/// A frame: one table as it was written, in its chunks, lying in shared memory.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Buffer,
    decoded: Decoded,
    meta: FrameMeta,
    missed: u64,
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
        self.meta.sequence
    }

    /// Number of frames that this reader missed between the previous frame and this one.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Time since the frame was published.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_nanos(monotonic_ns().saturating_sub(self.meta.published_ns))
    }

    /// `CLOCK_MONOTONIC` at publication, in nanoseconds.
    #[must_use]
    pub fn published_ns(&self) -> u64 {
        self.meta.published_ns
    }

    /// The frame as it lies in the slot: a complete Arrow IPC stream.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that reading this frame has copied out of the slot; see [`Stats::bytes_copied`].
    #[must_use]
    pub fn bytes_copied(&self) -> u64 {
        self.decoded.bytes_copied
    }

    /// The table as one batch. A table of one chunk is handed out as it is; several chunks are put together,
    /// which copies them: the number of bytes copied comes with it.
    ///
    /// # Errors
    /// [`QADataSwapError::ArrowError`] if the chunks cannot be put together.
    pub fn to_batch(&self) -> Result<(RecordBatch, u64)> {
        match self.batches() {
            [batch] => Ok((batch.clone(), 0)),
            [] => Ok((RecordBatch::new_empty(self.schema().clone()), 0)),
            batches => {
                let whole = arrow_select::concat::concat_batches(self.schema(), batches)?;
                let copied = whole.get_array_memory_size() as u64;
                Ok((whole, copied))
            }
        }
    }
}

impl Reader {
    /// Attaches to a ring.
    ///
    /// # Errors
    /// [`NotFound`](QADataSwapError::NotFound), [`PermissionDenied`](QADataSwapError::PermissionDenied),
    /// [`TooManyReaders`](QADataSwapError::TooManyReaders), [`InvalidConfig`](QADataSwapError::InvalidConfig)
    /// for a lossless reader of an overwriting writer, [`Incompatible`](QADataSwapError::Incompatible) or
    /// [`Corrupt`](QADataSwapError::Corrupt) for a file that is not a region of this version.
    pub fn new(config: impl Into<SharedMemoryConfig>) -> Result<Reader> {
        let config = config.into();
        let (region, row, cursor) = region::attach(&config)?;
        let inner = Inner {
            name: region.name.clone(),
            attachment: Some(Arc::new(Attachment { region, row })),
            subscriber: Subscriber::new(row, config.policy.into(), cursor),
            decoder: Decoder::new(config.validation),
            wait: config.wait,
            stats: Stats::default(),
        };
        Ok(Reader { inner: RefCell::new(inner) })
    }

    /// Reads the next frame, waiting for at most `timeout`; `None` if there is nothing yet.
    ///
    /// # Errors
    /// When every frame has been read: [`EndOfStream`](QADataSwapError::EndOfStream) after the writer closed,
    /// [`WriterDied`](QADataSwapError::WriterDied) after it died (the reader may go on reading: a writer that
    /// takes over goes on where the dead one stopped), [`Replaced`](QADataSwapError::Replaced). At any time:
    /// [`Corrupt`](QADataSwapError::Corrupt), [`Unsupported`](QADataSwapError::Unsupported) for a frame that
    /// cannot be decoded (the next read goes on after it), [`Forked`](QADataSwapError::Forked),
    /// [`Closed`](QADataSwapError::Closed), [`Evicted`](QADataSwapError::Evicted).
    pub fn read_frame(&self, timeout: impl Into<Timeout>) -> Result<Option<Frame>> {
        let deadline = timeout.into().0.and_then(|timeout| Instant::now().checked_add(timeout));
        self.inner.borrow_mut().read(deadline)
    }

    /// Reads the next frame if it is there. Never waits.
    ///
    /// # Errors
    /// As [`read_frame`](Reader::read_frame), except that the writer's death is not looked for.
    pub fn try_read_frame(&self) -> Result<Option<Frame>> {
        self.inner.borrow_mut().try_read()
    }

    /// Reads the next table as one batch, waiting for at most `timeout`: milliseconds, a [`Duration`], or
    /// `None` for as long as it takes. The result is `None` if there is nothing yet.
    ///
    /// The columns point into shared memory. A table that was written in several chunks is put together,
    /// which copies it; [`read_frame`](Reader::read_frame) hands out the chunks as they are.
    ///
    /// # Errors
    /// As [`read_frame`](Reader::read_frame).
    pub fn read_arrow(&self, timeout: impl Into<Timeout>) -> Result<Option<RecordBatch>> {
        let frame = self.read_frame(timeout)?;
        self.to_batch(frame)
    }

    /// Reads the next table as one batch if it is there. Never waits.
    ///
    /// # Errors
    /// As [`try_read_frame`](Reader::try_read_frame).
    pub fn try_read_arrow(&self) -> Result<Option<RecordBatch>> {
        let frame = self.try_read_frame()?;
        self.to_batch(frame)
    }

    fn to_batch(&self, frame: Option<Frame>) -> Result<Option<RecordBatch>> {
        let Some(frame) = frame else { return Ok(None) };
        let (batch, copied) = frame.to_batch()?;
        self.inner.borrow_mut().stats.bytes_copied += copied;
        Ok(Some(batch))
    }

    /// Frames as they come, waiting for each, until the stream ends or an error has been yielded.
    pub fn iter(&self) -> Frames<'_> {
        Frames { reader: self, done: false }
    }

    /// What this reader has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = self.inner.borrow();
        let mut stats = inner.stats;
        if let Some(attachment) = inner.attachment.as_ref().filter(|a| a.region.is_ours()) {
            stats.frames_published = attachment.region.segment.ring().published();
            stats.lag = stats.frames_published.saturating_sub(inner.subscriber.next());
        }
        stats
    }

    /// The ring's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.inner.borrow().name.clone()
    }

    /// Whether the ring has a living writer. Costs a system call: for those who only ever `try_*`.
    ///
    /// # Errors
    /// [`Forked`](QADataSwapError::Forked), [`Closed`](QADataSwapError::Closed).
    pub fn has_writer(&self) -> Result<bool> {
        let inner = self.inner.borrow();
        let region = &inner.attachment()?.region;
        Ok(region.segment.ring().state() == STATE_OPEN && !region.writer_is_dead())
    }

    /// Takes no more frames and no longer holds up the writer. Frames already read stay valid. Closing twice is
    /// no error.
    pub fn close(&self) {
        self.inner.borrow_mut().close();
    }
}

impl Inner {
    fn attachment(&self) -> Result<&Arc<Attachment>> {
        let attachment =
            self.attachment.as_ref().ok_or_else(|| QADataSwapError::Closed { ring: self.name.clone() })?;
        if !attachment.region.is_ours() {
            return Err(QADataSwapError::Forked { ring: self.name.clone() });
        }
        Ok(attachment)
    }

    fn try_read(&mut self) -> Result<Option<Frame>> {
        let attachment = self.attachment()?.clone();
        let found = poll(&attachment.region, &mut self.subscriber)?;
        self.finish(&attachment, found)
    }

    fn read(&mut self, deadline: Option<Instant>) -> Result<Option<Frame>> {
        let attachment = self.attachment()?.clone();
        let region = &attachment.region;
        let ring = region.segment.ring();
        let subscriber = RefCell::new(&mut self.subscriber);
        let idle = || {
            if !region.is_ours() {
                return Err(QADataSwapError::Forked { ring: region.name.clone() });
            }
            let orphaned = ring.state() == STATE_OPEN && region.repair_if_orphaned();
            if orphaned && ring.published() <= subscriber.borrow().next() {
                let pid = region.writer_pid();
                return Err(QADataSwapError::WriterDied { ring: region.name.clone(), pid });
            }
            Ok(())
        };
        let look = || poll(region, &mut subscriber.borrow_mut());
        let found = wait_until(ring.frames, self.wait, deadline, look, || wait::announce(ring.frames), idle)?;
        if found.is_none() {
            self.stats.wait_timeouts += 1;
        }
        self.finish(&attachment, found)
    }

    /// Decodes a pinned frame and books it.
    fn finish(
        &mut self,
        attachment: &Arc<Attachment>,
        found: Option<(FrameMeta, u64)>,
    ) -> Result<Option<Frame>> {
        let Some((meta, missed)) = found else { return Ok(None) };
        let lease = Lease::new(attachment.clone(), meta.slot);
        if missed > 0 {
            self.stats.frames_missed += missed;
            let identity = &attachment.region.segment.reader_identities()[attachment.row];
            identity.missed.store(self.stats.frames_missed, Ordering::Relaxed);
        }
        let Some(bytes) = lease.into_buffer(meta.bytes) else {
            return Err(QADataSwapError::Corrupt {
                ring: self.name.clone(),
                what: format!(
                    "frame {}: expected at most {} bytes, the directory says {}",
                    meta.sequence,
                    attachment.region.segment.geometry().slot_bytes,
                    meta.bytes
                ),
            });
        };
        let decoded = self
            .decoder
            .decode(&bytes, meta.schema)
            .map_err(|error| QADataSwapError::frame(&self.name, error))?;
        self.stats.reads_count += 1;
        self.stats.bytes_read += meta.bytes;
        self.stats.bytes_copied += decoded.bytes_copied;
        let frame = Frame { bytes, decoded, meta, missed };
        self.stats.rows_read += frame.num_rows() as u64;
        Ok(Some(frame))
    }

    fn close(&mut self) {
        if let Some(attachment) = self.attachment.take() {
            attachment.linger();
        }
    }
}

/// Pins the next frame, if it is there.
#[inline]
fn poll(region: &Region, subscriber: &mut Subscriber) -> Result<Option<(FrameMeta, u64)>> {
    match subscriber.poll(&region.segment.ring()) {
        Next::Frame(meta, missed) => Ok(Some((meta, missed))),
        Next::NotYet => Ok(None),
        Next::Ended(STATE_REPLACED) => Err(QADataSwapError::Replaced { ring: region.name.clone() }),
        Next::Ended(_) => Err(QADataSwapError::EndOfStream { ring: region.name.clone() }),
        Next::Lost => {
            Err(QADataSwapError::Evicted { ring: region.name.clone(), sequence: subscriber.next() })
        }
        Next::NoSuchSlot(slot) => Err(QADataSwapError::Corrupt {
            ring: region.name.clone(),
            what: format!(
                "frame {}: expected a slot below {}, the directory says {slot}",
                subscriber.next(),
                region.segment.geometry().buffer_count
            ),
        }),
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.borrow();
        f.debug_struct("Reader")
            .field("ring", &inner.name)
            .field("next", &inner.subscriber.next())
            .field("stats", &inner.stats)
            .finish()
    }
}

impl<'a> IntoIterator for &'a Reader {
    type Item = Result<Frame>;
    type IntoIter = Frames<'a>;

    fn into_iter(self) -> Frames<'a> {
        self.iter()
    }
}

/// The frames of a reader as they come; see [`Reader::iter`].
#[derive(Debug)]
pub struct Frames<'a> {
    reader: &'a Reader,
    done: bool,
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        if self.done {
            return None;
        }
        match self.reader.read_frame(Timeout::FOREVER) {
            Ok(frame) => {
                // Without a deadline, a wait ends with a frame or an error.
                self.done = frame.is_none();
                frame.map(Ok)
            }
            Err(error) => {
                self.done = true;
                match error {
                    QADataSwapError::EndOfStream { .. } => None,
                    error => Some(Err(error)),
                }
            }
        }
    }
}
