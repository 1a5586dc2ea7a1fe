//! The reading end of a ring.

mod form;
mod frame;
mod frames;
mod look;
mod taking;

pub(crate) use form::{Form, Knowing};
pub use frame::Frame;
pub(crate) use frame::Held;
pub use frames::Frames;
pub(crate) use frames::until_end;
pub(crate) use taking::Taking;

use crate::attach;
use crate::config::{ReaderPolicy, SharedMemoryConfig, Timeout, WhenFull};
use crate::error::{QADataSwapError, Result};
use crate::ffi;
use crate::frame::{Decoder, Validation};
use crate::layout::STATE_OPEN;
use crate::lease::Attachment;
use crate::peers::monotonic_ns;
use crate::place::Place;
use crate::region::PATIENCE;
use crate::ring::{FrameMeta, Policy};
use crate::segment::read_header;
use crate::stats::Stats;
use crate::stream::{Beginning, Progress};
use crate::sync::Ordering;
use crate::tally::Gauge;
use crate::wait::{Pulse, WaitStrategy};
use crate::waiter::Waiter;
use arrow_array::RecordBatch;
use look::{orphan, poll, superseded};
use std::cell::{Cell, RefCell};
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

pub(crate) struct Inner {
    /// `None` once closed.
    attachment: Option<Arc<Attachment>>,
    name: String,
    taking: Taking,
    /// Frames missed before one that could not be handed out.
    unreported: u64,
    /// When the writer was last asked after.
    pulse: Pulse,
    /// The stream that is read, if it is one.
    stream: Option<Beginning>,
    decoder: Decoder,
    wait: WaitStrategy,
    stats: Stats,
    gauge: Gauge,
    #[cfg(feature = "async")]
    awaited: crate::read_async::Awaited,
}

impl Reader {
    /// Attaches to a ring; as an [observer](ReaderPolicy::Observer), looks on.
    ///
    /// # Errors
    /// [`NotFound`](QADataSwapError::NotFound), [`PermissionDenied`](QADataSwapError::PermissionDenied),
    /// [`TooManyReaders`](QADataSwapError::TooManyReaders), [`InvalidConfig`](QADataSwapError::InvalidConfig)
    /// for a lossless reader of an overwriting writer, [`Incompatible`](QADataSwapError::Incompatible) or
    /// [`Corrupt`](QADataSwapError::Corrupt) for a file that is not a region of this version.
    pub fn new(config: impl Into<SharedMemoryConfig>) -> Result<Reader> {
        let config = config.into().resolved()?;
        let place = attach::attach(&config)?;
        Ok(Reader::of(config, place))
    }

    pub(crate) fn of(config: SharedMemoryConfig, (attachment, taking): (Attachment, Taking)) -> Reader {
        let inner = Inner {
            name: config.name,
            attachment: Some(Arc::new(attachment)),
            taking,
            unreported: 0,
            pulse: Pulse::default(),
            stream: None,
            decoder: Decoder::new(match (config.policy, config.validation) {
                // A copy it is already.
                (ReaderPolicy::Observer, Validation::FullOnCopy) => Validation::Full,
                (_, validation) => validation,
            }),
            wait: config.wait,
            stats: Stats::default(),
            gauge: Gauge::new(),
            #[cfg(feature = "async")]
            awaited: Default::default(),
        };
        Reader { inner: RefCell::new(inner) }
    }

    /// Reads the next frame, waiting for at most `timeout`; `None` if there is nothing yet.
    ///
    /// # Errors
    /// When every frame has been read: [`EndOfStream`](QADataSwapError::EndOfStream) after the writer closed,
    /// [`Aborted`](QADataSwapError::Aborted) after it broke off its stream,
    /// [`WriterDied`](QADataSwapError::WriterDied) after it died (the reader may go on reading: a writer that
    /// takes over goes on where the dead one stopped), [`Replaced`](QADataSwapError::Replaced). At any time:
    /// [`Corrupt`](QADataSwapError::Corrupt), [`Unsupported`](QADataSwapError::Unsupported) for a frame that
    /// cannot be decoded (the next read goes on after it), [`Forked`](QADataSwapError::Forked),
    /// [`Closed`](QADataSwapError::Closed), [`Evicted`](QADataSwapError::Evicted).
    pub fn read_frame(&self, timeout: impl Into<Timeout>) -> Result<Option<Frame>> {
        self.inner.borrow_mut().read(timeout.into())
    }

    /// Reads the next frame if it is there. Never waits.
    ///
    /// # Errors
    /// As [`read_frame`](Reader::read_frame), except that the writer's death is not looked for; it is told once a
    /// [`Waiter`] or a [`Selector`](crate::Selector) of this reader has found it.
    pub fn try_read_frame(&self) -> Result<Option<Frame>> {
        self.inner.borrow_mut().try_read()
    }

    /// As [`read_frame`](Reader::read_frame), for a frame whose batches leave by the C data interface.
    ///
    /// # Errors
    /// As there.
    pub fn read_ffi(&self, timeout: impl Into<Timeout>) -> Result<Option<ffi::Frame>> {
        self.inner.borrow_mut().read(timeout.into())
    }

    /// As [`try_read_frame`](Reader::try_read_frame), for a frame whose batches leave by the C data interface.
    ///
    /// # Errors
    /// As there.
    pub fn try_read_ffi(&self) -> Result<Option<ffi::Frame>> {
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

    /// As [`read_frame`](Reader::read_frame), in whatever form.
    pub(crate) fn read_as<F: Form>(&self, timeout: Timeout) -> Result<Option<F>> {
        self.inner.borrow_mut().read(timeout)
    }

    /// As [`read_frame`](Reader::read_frame), for a frame that is to be passed on as it is.
    pub(crate) fn read_held(&self, timeout: Timeout) -> Result<Option<Held>> {
        self.inner.borrow_mut().read(timeout)
    }

    /// The sequence of the frame that is wanted next.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.inner.borrow().taking.next()
    }

    /// What tells this ring from another of the same name.
    pub(crate) fn region_id(&self) -> Result<[u64; 2]> {
        let inner = self.inner.borrow();
        let region = &inner.attachment()?.region;
        match read_header(region.segment.file()) {
            Ok(Some(header)) => Ok(header.region_id),
            Ok(None) => Err(QADataSwapError::Corrupt {
                ring: inner.name.clone(),
                what: "the region has lost its header".to_owned(),
            }),
            Err(error) => Err(QADataSwapError::io(&inner.name, "reading the header", error)),
        }
    }

    pub(crate) fn to_batch(&self, frame: Option<Frame>) -> Result<Option<RecordBatch>> {
        let Some(frame) = frame else { return Ok(None) };
        let (batch, copied) = frame.into_batch()?;
        if copied > 0 {
            self.inner.borrow_mut().stats.bytes_copied += copied;
        }
        Ok(Some(batch))
    }

    /// Reads frames until `predicate` is true of one, for at most `timeout`, and returns that one; `None` if there was
    /// none. The frames before it have been read, and are let go of. Frames that are there when the time is over are
    /// looked at still, later ones are not.
    ///
    /// ```
    /// # use qadataswap::{Reader, SharedMemoryConfig, Writer};
    /// # use std::{sync::Arc, time::Duration};
    /// # let config = SharedMemoryConfig::new(format!("doc-condition-{}", std::process::id())).with_size_mb(1);
    /// # let writer = Writer::new(&config)?;
    /// # let reader = Reader::new(&config)?;
    /// # for rows in [10, 2000] {
    /// #     let column = Arc::new(arrow_array::Int64Array::from(vec![1; rows]));
    /// #     writer.write_arrow(&arrow_array::RecordBatch::try_from_iter([("a", column as _)])?)?;
    /// # }
    /// let large = reader.wait_for_condition(|frame| frame.num_rows() > 1000, Duration::from_secs(1))?;
    /// # assert_eq!(large.map(|frame| frame.num_rows()), Some(2000));
    /// # Ok::<(), qadataswap::QADataSwapError>(())
    /// ```
    ///
    /// # Errors
    /// As [`read_frame`](Reader::read_frame).
    pub fn wait_for_condition(
        &self,
        mut predicate: impl FnMut(&Frame) -> bool,
        timeout: impl Into<Timeout>,
    ) -> Result<Option<Frame>> {
        let deadline = timeout.into().deadline();
        // How many may still be looked at, lest a writer that never pauses keeps this going.
        let mut rest = None;
        loop {
            let left = deadline.left();
            if left.0 == Some(Duration::ZERO) {
                let rest = rest.get_or_insert_with(|| self.stats().lag.max(1));
                let Some(fewer) = rest.checked_sub(1) else { return Ok(None) };
                *rest = fewer;
            }
            let Some(frame) = self.read_frame(left)? else { return Ok(None) };
            if predicate(&frame) {
                return Ok(Some(frame));
            }
        }
    }

    /// Waits for the next frame without taking it; see [`Waiter`]. For this one frame: get another for the next.
    ///
    /// # Errors
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn waiter(&self) -> Result<Waiter> {
        let mut inner = self.inner.borrow_mut();
        // Whoever asks for one is about to wait.
        inner.gauge.came_in_vain();
        Ok(Waiter::new(inner.attachment()?.clone(), inner.taking.next(), inner.wait))
    }

    /// From now on this reader reads one data set, whole: it starts where the writer's stream begins, and a frame of
    /// another one is an error, as is a frame that was missed. Nothing changes if what is written is no stream.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if the stream's beginning has been read and is gone, and for a
    /// lossy or a latest reader, unless the writer overwrites. [`Closed`](QADataSwapError::Closed),
    /// [`Forked`](QADataSwapError::Forked), [`Busy`](QADataSwapError::Busy).
    pub fn expect_stream(&self) -> Result<()> {
        self.inner.borrow_mut().expect_stream()
    }

    /// How far the stream has come that is read; without one, all that the ring has seen.
    ///
    /// # Errors
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn progress(&self) -> Result<Progress> {
        let inner = self.inner.borrow();
        let segment = &inner.attachment()?.region.segment;
        let ring = segment.ring();
        let stream = inner.stream.or_else(|| segment.stream().beginning());
        let is_over = ring.state() != STATE_OPEN || segment.stream().beginning() != stream;
        let published = ring.head.rows.load(Ordering::Relaxed);
        Ok(Progress {
            rows: inner.stats.rows_read,
            rows_written: published.saturating_sub(stream.map_or(0, |stream| stream.rows_before)),
            total_rows: stream.and_then(|stream| stream.total_rows),
            is_over,
        })
    }

    /// The reader's place in its ring.
    pub(crate) fn place(&self) -> Result<Arc<Attachment>> {
        self.inner.borrow().attachment().cloned()
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
            stats.lag = stats.frames_published.saturating_sub(inner.taking.next());
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
        let attachment = inner.attachment()?;
        // A dead writer may have been about to let a frame go: then the frame is whole and comes back.
        Ok(attachment.region.segment.ring().state() == STATE_OPEN && !attachment.is_orphaned())
    }

    #[cfg(feature = "polars")]
    pub(crate) fn inner(&self) -> std::cell::RefMut<'_, Inner> {
        self.inner.borrow_mut()
    }

    /// Takes no more frames and no longer holds up the writer. Frames already read stay valid. Closing twice is
    /// no error.
    pub fn close(&self) {
        self.inner.borrow_mut().close();
    }
}

#[cfg(feature = "async")]
impl Reader {
    /// What the next frame is awaited with.
    pub(crate) fn awaited(&mut self) -> &mut crate::read_async::Awaited {
        &mut self.inner.get_mut().awaited
    }

    /// The next frame, if it is there, as whatever it is wanted as.
    pub(crate) fn take<F: Form>(&mut self) -> Result<Option<F>> {
        self.inner.get_mut().try_read()
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

    pub(crate) fn try_read<F: Form>(&mut self) -> Result<Option<F>> {
        self.attachment()?;
        let Inner { attachment, taking, stream, .. } = self;
        let Some(attachment) = attachment else { return Ok(None) };
        match poll(attachment, taking, stream)? {
            Some((meta, missed)) => self.finish(meta, missed).map(Some),
            None if attachment.orphaned.load(Ordering::Relaxed) => self.try_read_of_orphan(),
            None => {
                self.gauge.came_in_vain();
                Ok(None)
            }
        }
    }

    /// Nothing was there, and whoever waited on this reader's behalf has found the writer dead: makes sure of it.
    #[cold]
    fn try_read_of_orphan<F: Form>(&mut self) -> Result<Option<F>> {
        let Inner { attachment, taking, stream, .. } = self;
        let Some(attachment) = attachment else { return Ok(None) };
        let orphaned = attachment.ask_after_writer();
        // What a dead writer left is handed out before its death is reported.
        match poll(attachment, taking, stream)? {
            Some((meta, missed)) => self.finish(meta, missed).map(Some),
            None if orphaned => Err(orphan(&attachment.region)),
            None => Ok(None),
        }
    }

    pub(crate) fn read<F: Form>(&mut self, timeout: Timeout) -> Result<Option<F>> {
        let deadline = timeout.0.and_then(|timeout| Instant::now().checked_add(timeout));
        self.attachment()?;
        let Inner { attachment, taking, stream, wait, pulse, gauge, .. } = self;
        let Some(attachment) = attachment else { return Ok(None) };
        let region = &attachment.region;
        let orphaned = Cell::new(false);
        let idle = || {
            if !region.is_ours() {
                return Err(QADataSwapError::Forked { ring: region.name.clone() });
            }
            orphaned.set(attachment.ask_after_writer());
            Ok(())
        };
        if attachment.orphaned.load(Ordering::Relaxed) {
            // Whoever waited on this reader's behalf has found the writer dead: this read makes sure, and says so.
            pulse.hasten();
        }
        // Runs after `idle`: what a dead writer left is handed out before its death is reported.
        let look = || match poll(attachment, taking, stream)? {
            None if orphaned.get() => Err(orphan(region)),
            None => {
                gauge.came_in_vain();
                Ok(None)
            }
            found => Ok(found),
        };
        match attachment.wait(*wait, deadline, pulse, look, idle)? {
            Some((meta, missed)) => self.finish(meta, missed).map(Some),
            None => {
                self.stats.wait_timeouts += 1;
                Ok(None)
            }
        }
    }

    fn expect_stream(&mut self) -> Result<()> {
        let attachment = self.attachment()?.clone();
        let region = &attachment.region;
        let ring = region.segment.ring();
        let stream = match attachment.beginning() {
            Ok(Some(stream)) => stream,
            Ok(None) => return Err(QADataSwapError::Busy { ring: self.name.clone(), waited: PATIENCE }),
            Err(error) => return Err(QADataSwapError::io(&self.name, "passing the gate", error)),
        };
        let Some(stream) = stream else { return Ok(()) };
        let overwrites = ring.status.when_full.load(Ordering::Relaxed) == WhenFull::Overwrite.code();
        let is_owed_nothing = match attachment.place {
            Place::Row(seat) => seat.joined.policy != Policy::Lossless as u8,
            // Whoever may not write cannot ask for more; it is told if it has missed some.
            Place::Aside(_) => false,
        };
        if is_owed_nothing && !overwrites {
            return Err(QADataSwapError::InvalidConfig {
                ring: self.name.clone(),
                reason:
                    "a stream is read whole, and its writer waits for a reader that does; attach as lossless"
                        .to_owned(),
            });
        }
        let Inner { taking, wait, pulse, name, .. } = self;
        // What was written before it is not its. It is there, but for a moment the writer may be asking for it.
        let look = || {
            let passed = taking.pass(&attachment, stream.first, |taking| poll(&attachment, taking, &None))?;
            Ok::<_, QADataSwapError>(passed.then(|| taking.next()))
        };
        let idle = || {
            attachment.ask_after_writer();
            Ok(())
        };
        let deadline = Instant::now().checked_add(PATIENCE);
        let Some(next) = attachment.wait(*wait, deadline, pulse, look, idle)? else {
            return Err(QADataSwapError::Busy { ring: name.clone(), waited: PATIENCE });
        };
        if next > stream.first {
            return Err(QADataSwapError::InvalidConfig {
                ring: self.name.clone(),
                reason: format!(
                    "the stream began at frame {}, and what came before frame {next} has been read and is gone; \
                     attach before others have read it, or start the stream anew",
                    stream.first
                ),
            });
        }
        self.stream = Some(stream);
        Ok(())
    }

    /// Decodes a frame that was taken and books it.
    fn finish<F: Form>(&mut self, meta: FrameMeta, missed: u64) -> Result<F> {
        let Inner { attachment, taking, decoder, stats, name, unreported, stream, gauge, .. } = self;
        let attachment = attachment.as_ref().expect("a frame was just taken through it");
        // First, whatever comes of it: what is pinned has an owner from here on.
        let bytes = taking.hold(attachment, &meta);
        if stream.is_some() {
            let now = attachment.region.segment.stream().beginning();
            if now != *stream && now.is_none_or(|now| meta.sequence >= now.first) {
                return Err(superseded(name));
            }
            if missed > 0 {
                return Err(QADataSwapError::Aborted {
                    ring: name.clone(),
                    reason: format!("it overwrote {missed} frames before this reader came to them"),
                });
            }
        }
        if missed > 0 {
            *unreported += missed;
            stats.frames_missed += missed;
            if let Some(tally) = attachment.tally() {
                tally.missed.store(stats.frames_missed, Ordering::Relaxed);
            }
        }
        let (bytes, copied) = bytes?;
        // What was missed is told with the next frame that can be handed out.
        let held = Held { bytes, meta, missed: *unreported, wall_ns: 0, copied };
        let frame = F::decode(decoder, held).map_err(|error| QADataSwapError::frame(name, error))?;
        *unreported = 0;
        let (rows, copied) = frame.tally();
        stats.reads_count += 1;
        stats.bytes_read += meta.bytes;
        stats.bytes_copied += copied;
        stats.rows_read += rows;
        if let Some(tally) = attachment.tally() {
            tally.tell(stats);
            if let Some(frames) = gauge.next() {
                tally.measure(meta.published_ns, monotonic_ns(), frames);
            }
        }
        Ok(frame)
    }

    fn close(&mut self) {
        if let Some(attachment) = self.attachment.take() {
            attachment.linger();
        }
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
            .field("next", &inner.taking.next())
            .field("stats", &inner.stats)
            .finish()
    }
}
