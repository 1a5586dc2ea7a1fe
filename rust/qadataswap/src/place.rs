//! How a reader takes part in its ring: on a row of it, or, as an observer, not at all.
//!
//! Law: an observer's part is private memory. What the ring has of it is nothing, so there is nothing to wake it by, to
//! wait for, to repair or to take away.

use crate::layout::row;
use crate::ring::Ring;
use crate::sync::Ordering;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// How a reader takes part.
pub(crate) enum Place {
    /// On a row of the ring, which stores where the reader is.
    Row(Seat),
    /// As an observer.
    Aside(Aside),
}

/// A row of the ring.
#[derive(Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) row: usize,
    /// The row's state when its reader joined, by which it is known to be still its.
    pub(crate) joined: row::State,
}

impl Seat {
    /// Whether it is still its reader's.
    #[inline]
    pub(crate) fn is_ours(&self, ring: &Ring<'_>) -> bool {
        ring.owns(self.row, self.joined)
    }
}

/// What an observer's other threads know of it.
pub(crate) struct Aside {
    /// The sequence that it wants next.
    next: AtomicU64,
    closed: AtomicBool,
    /// The generation of a writer that was found dead when it was last asked after; 0 if it lived.
    left_by: AtomicU64,
}

impl Aside {
    /// An observer that wants nothing yet. `left_by` is as of [`found`](Aside::found).
    pub(crate) fn new(left_by: Option<u64>) -> Aside {
        let aside =
            Aside { next: AtomicU64::new(0), closed: AtomicBool::new(false), left_by: AtomicU64::new(0) };
        aside.found(left_by);
        aside
    }

    /// The generation whose writer is known to be dead.
    pub(crate) fn left_by(&self) -> Option<u64> {
        Some(self.left_by.load(Ordering::Relaxed)).filter(|&generation| generation != 0)
    }

    /// The kernel was asked after the writer: this generation's is dead, or it lives.
    pub(crate) fn found(&self, left_by: Option<u64>) {
        self.left_by.store(left_by.unwrap_or(0), Ordering::Relaxed);
    }

    /// The sequence that it wants next.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Says what it wants next.
    pub(crate) fn wants(&self, next: u64) {
        self.next.store(next, Ordering::Relaxed);
    }

    /// Whether it takes no more frames.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// It takes no more frames.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}
