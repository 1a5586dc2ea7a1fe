//! The writing end of a ring.

mod inner;

pub(crate) use inner::{Draft, unless_full};

use crate::config::SharedMemoryConfig;
use crate::create;
use crate::error::{QADataSwapError, Result};
use crate::ffi;
use crate::layout::row;
use crate::loan::Loan;
use crate::pool::Pool;
use crate::publisher::Publisher;
use crate::region::Region;
use crate::stats::Stats;
use crate::stream::Progress;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use inner::Inner;
use std::cell::RefCell;
use std::sync::Arc;

/// The writing end of a ring: there is one at a time.
///
/// A writer may be sent to another thread but not shared. Dropping it closes it: readers read what is there
/// and then see the end of the stream. (One that was begun as a whole,
/// [`with_stream`](SharedMemoryConfig::with_stream), is broken off.)
pub struct Writer {
    inner: RefCell<Inner>,
}

impl Writer {
    /// Creates a ring, or takes over one whose writer is gone: with the same geometry its frames and its
    /// sequence go on, with another its region is replaced.
    ///
    /// # Errors
    /// [`InvalidName`](QADataSwapError::InvalidName), [`InvalidConfig`](QADataSwapError::InvalidConfig),
    /// [`WriterExists`](QADataSwapError::WriterExists), [`NoSpace`](QADataSwapError::NoSpace),
    /// [`PermissionDenied`](QADataSwapError::PermissionDenied), and
    /// [`Incompatible`](QADataSwapError::Incompatible) or [`Corrupt`](QADataSwapError::Corrupt) for what
    /// stands under that name.
    pub fn new(config: impl Into<SharedMemoryConfig>) -> Result<Writer> {
        let config = config.into().resolved()?;
        let made = create::create(&config)?;
        Ok(Writer::of(config, made))
    }

    pub(crate) fn of(config: SharedMemoryConfig, made: (Region, Publisher)) -> Writer {
        Writer { inner: RefCell::new(Inner::new(config, made)) }
    }

    /// Writes a table of one chunk and returns the frame's sequence number.
    ///
    /// # Errors
    /// [`FrameTooLarge`](QADataSwapError::FrameTooLarge), [`NoSpace`](QADataSwapError::NoSpace),
    /// [`LoanOut`](QADataSwapError::LoanOut) if every slot is lent, [`Closed`](QADataSwapError::Closed),
    /// [`Forked`](QADataSwapError::Forked); when the ring is full, by the writer's [`WhenFull`](crate::WhenFull): [`WriteTimeout`](QADataSwapError::WriteTimeout) or
    /// [`RingFull`](QADataSwapError::RingFull). Nothing is published then, and a full ring is as it was
    /// (after another error the oldest frame may have gone).
    pub fn write_arrow(&self, batch: &RecordBatch) -> Result<u64> {
        self.write_batches(batch.schema_ref(), std::slice::from_ref(batch))
    }

    /// Writes a table of any number of chunks as one frame and returns its sequence number.
    ///
    /// # Errors
    /// As [`write_arrow`](Writer::write_arrow), and [`InvalidConfig`](QADataSwapError::InvalidConfig) if a chunk
    /// is not of `schema`.
    pub fn write_batches(&self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<u64> {
        self.inner.borrow_mut().write(schema, batches, true)
    }

    /// Writes a table if there is room for it; `None` if the ring is full. Never waits.
    ///
    /// # Errors
    /// As [`write_arrow`](Writer::write_arrow), but a full ring is none.
    pub fn try_write_arrow(&self, batch: &RecordBatch) -> Result<Option<u64>> {
        let batches = std::slice::from_ref(batch);
        unless_full(self.inner.borrow_mut().write(batch.schema_ref(), batches, false))
    }

    /// Writes a table that comes by the C data interface as one frame and returns its sequence number. Every buffer
    /// is copied once, from where it lies into the slot.
    ///
    /// # Errors
    /// As [`write_batches`](Writer::write_batches), and [`InvalidConfig`](QADataSwapError::InvalidConfig) for arrays
    /// that are not of the form that their schema promises.
    pub fn write_ffi(&self, table: &ffi::Table<'_>) -> Result<u64> {
        self.inner.borrow_mut().write(table.schema(), table.batches(), true)
    }

    /// As [`write_ffi`](Writer::write_ffi) if there is room; `None` if the ring is full. Never waits.
    ///
    /// # Errors
    /// As there, but a full ring is none.
    pub fn try_write_ffi(&self, table: &ffi::Table<'_>) -> Result<Option<u64>> {
        unless_full(self.inner.borrow_mut().write(table.schema(), table.batches(), false))
    }

    /// Lends a frame of `rows` rows whose columns lie in the slot; it is filled in place and published by
    /// [`Loan::commit`], without a copy, with as many of its rows as were filled. Strings and binaries must be
    /// of the view types; their values of up to 12 bytes need nothing else, longer ones need
    /// [`loan_with`](Writer::loan_with).
    ///
    /// # Errors
    /// As [`write_arrow`](Writer::write_arrow); [`Unsupported`](QADataSwapError::Unsupported) for a type that
    /// cannot be lent; [`LoanOut`](QADataSwapError::LoanOut) if every slot is lent already.
    pub fn loan(&self, schema: &SchemaRef, rows: usize) -> Result<Loan<&Writer>> {
        self.loan_with(schema, rows, 0)
    }

    /// As [`loan`](Writer::loan), with room for `var_bytes` bytes of longer strings or binaries in each column of
    /// a view type.
    ///
    /// # Errors
    /// As [`loan`](Writer::loan).
    pub fn loan_with(&self, schema: &SchemaRef, rows: usize, var_bytes: usize) -> Result<Loan<&Writer>> {
        Loan::of(self, schema, rows, var_bytes)
    }

    /// Memory in the slot of the next frame; see [`Pool`]. Takes a slot for it if it has none and there is a free
    /// one; never waits: a pool without a slot has no room. The same pool for all of a writer's life, which takes a
    /// new slot when it is asked for again.
    ///
    /// # Errors
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn pool(&self) -> Result<Arc<Pool>> {
        self.inner.borrow_mut().pool()
    }

    /// What this writer has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = self.inner.borrow();
        let mut stats = inner.stats;
        if let Some(open) = &inner.open {
            stats.frames_published = open.publisher.next();
        }
        stats
    }

    /// The ring's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.inner.borrow().config.name.clone()
    }

    /// Number of readers that are attached, those that have died and not yet been noticed among them; 0 once closed.
    #[must_use]
    pub fn reader_count(&self) -> usize {
        let inner = self.inner.borrow();
        let Some(open) = inner.open.as_ref().filter(|open| open.region.is_ours()) else { return 0 };
        let ring = open.region.segment.ring();
        (0..ring.rows_used()).filter(|&row| ring.reader(row).0.phase == row::ACTIVE).count()
    }

    /// Most bytes a frame may take.
    #[must_use]
    pub fn slot_bytes(&self) -> u64 {
        self.inner.borrow().open.as_ref().map_or(0, |open| open.region.segment.geometry().slot_bytes)
    }

    /// Ends the stream: readers read what is there and then see its end. Closing twice is no error.
    ///
    /// # Errors
    /// [`LoanOut`](QADataSwapError::LoanOut) while a loan is out; [`InvalidConfig`](QADataSwapError::InvalidConfig) if a
    /// stream has not as many rows as were announced, which breaks it off;
    /// [`MemoryMapFailed`](QADataSwapError::MemoryMapFailed) if there is no memory for the tables that were built in the
    /// ring's slots and are still held: drop some and close again.
    pub fn close(&self) -> Result<()> {
        let mut inner = self.inner.borrow_mut();
        inner.closable()?;
        let missing = inner.missing_rows();
        if let Some(what) = &missing {
            inner.break_off(what);
        }
        inner.close()?;
        match missing {
            Some(reason) => Err(QADataSwapError::InvalidConfig {
                ring: inner.config.name.clone(),
                reason: format!("the stream {reason}: announce as many rows as will be written, or none"),
            }),
            None => Ok(()),
        }
    }

    /// Breaks a stream off: readers read what is there and then get [`Aborted`](QADataSwapError::Aborted) with `reason`,
    /// of which at most 160 bytes are kept. What has been closed stays as it is.
    ///
    /// # Errors
    /// As [`close`](Writer::close).
    pub fn abort(&self, reason: &str) -> Result<()> {
        let mut inner = self.inner.borrow_mut();
        inner.closable()?;
        inner.break_off(reason);
        inner.close()
    }

    /// How far the stream has come that is written; without one, all that this writer has written.
    ///
    /// # Errors
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn progress(&self) -> Result<Progress> {
        let mut inner = self.inner.borrow_mut();
        let (rows, total_rows) = (inner.stats.rows_written, inner.config.stream.flatten());
        inner.open()?;
        Ok(Progress { rows, rows_written: rows, total_rows, ..Progress::default() })
    }

    pub(crate) fn inner(&self) -> std::cell::RefMut<'_, Inner> {
        self.inner.borrow_mut()
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.borrow();
        f.debug_struct("Writer").field("ring", &inner.config.name).field("stats", &inner.stats).finish()
    }
}
