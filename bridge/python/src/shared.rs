//! Handles that Python's threads share.
//!
//! The law: a writer, and every loan of it, is touched only by whoever holds its cell's lock, or has the only
//! reference to the cell. Nobody waits for longer than a [`SLICE`] with the lock in hand, so that other threads, and
//! signals, get their turn. No lock is taken in a forked child: whoever of the parent's threads had it is not there to
//! give it back.

#![allow(unsafe_code, reason = "a writer and its loans share one lock")]

use crate::handover::{self, Descriptor};
use crate::schema::SchemaCache;
use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use qadataswap::{QADataSwapError, Result, SharedMemoryConfig, Stats, WhenFull, Writer};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longest time between two looks at signals.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// A writer and its lock.
pub(crate) struct WriterCell {
    lock: Mutex<()>,
    writer: Writer,
    name: String,
    /// How long a write may wait at a time; the writer itself is told to wait for one slice.
    patience: Option<Duration>,
    /// How many times more.
    retries: u32,
    /// Slices of waits that were followed by another one.
    resumed: AtomicU64,
    origin: Origin,
    pub(crate) schemas: Mutex<SchemaCache>,
}

// SAFETY: `writer` is Send, and is reached only through `Locked` and `Lender`, both of which answer for the lock.
unsafe impl Sync for WriterCell {}

/// Which process a handle is of.
pub(crate) struct Origin(u64);

impl Origin {
    /// This process.
    pub(crate) fn here() -> Origin {
        Origin(qadataswap::forks())
    }

    /// Whether this is a forked child of the process that has the handle.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.0 != qadataswap::forks()
    }

    /// # Errors
    /// `Forked`, in a forked child.
    pub(crate) fn check(&self, ring: &str) -> Result<()> {
        match self.is_elsewhere() {
            true => Err(QADataSwapError::Forked { ring: ring.to_owned() }),
            false => Ok(()),
        }
    }
}

/// A writer whose lock is held.
pub(crate) struct Locked<'a> {
    cell: &'a Arc<WriterCell>,
    _guard: MutexGuard<'a, ()>,
}

impl Deref for Locked<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.cell.writer
    }
}

impl Locked<'_> {
    /// What leads a loan to its writer.
    pub(crate) fn lender(&self) -> Lender {
        Lender(self.cell.clone())
    }
}

/// What leads a loan to its writer; its holder takes the lock for every call of the loan that reaches the writer.
pub(crate) struct Lender(Arc<WriterCell>);

impl Deref for Lender {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.0.writer
    }
}

impl WriterCell {
    pub(crate) fn new(config: SharedMemoryConfig, fd: Option<Descriptor>) -> Result<Arc<WriterCell>> {
        let config = config.resolved()?;
        let (patience, when_full) = match config.when_full() {
            WhenFull::Block(patience) => {
                (patience, WhenFull::Block(Some(patience.map_or(SLICE, even_slice))))
            }
            other => (Some(Duration::ZERO), other),
        };
        let retries = config.retry_count();
        let writer = handover::writer(config.with_when_full(when_full).with_retry_count(0), fd)?;
        let name = writer.name();
        Ok(Arc::new(WriterCell {
            lock: Mutex::new(()),
            writer,
            name,
            patience,
            retries,
            resumed: AtomicU64::new(0),
            origin: Origin::here(),
            schemas: Mutex::default(),
        }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// # Errors
    /// `Forked`, in a forked child.
    pub(crate) fn lock(self: &Arc<Self>) -> Result<Locked<'_>> {
        self.origin.check(&self.name)?;
        Ok(Locked { cell: self, _guard: self.lock.lock() })
    }

    /// # Errors
    /// As [`lock`](WriterCell::lock).
    pub(crate) fn stats(self: &Arc<Self>) -> Result<Stats> {
        let mut stats = self.lock()?.stats();
        let resumed = self.resumed.load(Ordering::Relaxed);
        stats.full_waits = stats.full_waits.saturating_sub(resumed);
        stats.wait_timeouts = stats.wait_timeouts.saturating_sub(resumed);
        Ok(stats)
    }

    /// Runs `act`, which waits for room, until there is some or the writer's patience is over; to be called detached.
    ///
    /// # Errors
    /// Those of `act`, or what a signal's handler has raised.
    pub(crate) fn with_room<T>(
        self: &Arc<Self>,
        mut act: impl FnMut(&Locked<'_>) -> Result<T>,
    ) -> PyResult<T> {
        let started = Instant::now();
        let (mut began, mut tries_left) = (started, self.retries);
        loop {
            let tried = self.lock().and_then(|locked| act(&locked));
            let Err(QADataSwapError::WriteTimeout { ring, reason, .. }) = tried else {
                return tried.map_err(crate::error::raise);
            };
            let waited = started.elapsed();
            if self.patience.is_some_and(|patience| began.elapsed() >= patience) {
                if tries_left == 0 {
                    return Err(crate::error::raise(QADataSwapError::WriteTimeout { ring, waited, reason }));
                }
                tracing::warn!(target: "qadataswap", ring, ?waited, tries_left, "the ring is still full");
                (began, tries_left) = (Instant::now(), tries_left - 1);
            }
            self.resumed.fetch_add(1, Ordering::Relaxed);
            answer_signals()?;
        }
    }
}

/// Runs the handlers of signals that have come; to be called detached.
///
/// # Errors
/// What a handler has raised: `KeyboardInterrupt`, for one.
pub(crate) fn answer_signals() -> PyResult<()> {
    /// Of any interpreter's life, which the method itself is not.
    fn answer(py: Python<'_>) -> PyResult<()> {
        py.check_signals()
    }
    Python::attach(answer)
}

/// A slice of which a whole number makes `patience`, if that is not too long to matter.
fn even_slice(patience: Duration) -> Duration {
    let slices = patience.as_nanos().div_ceil(SLICE.as_nanos()).max(1);
    u32::try_from(slices).map_or(SLICE, |slices| patience / slices)
}

/// The end of a wait; `None` for as long as it takes.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// The next slice of a wait until `deadline`.
pub(crate) fn slice(deadline: Option<Instant>) -> Duration {
    deadline.map_or(SLICE, |deadline| deadline.saturating_duration_since(Instant::now()).min(SLICE))
}
