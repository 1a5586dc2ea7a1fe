//! A region that this process takes part in: who else does, and leaving it.
//!
//! Law: whatever changes who takes part (join, leave, take over, replace, remove) happens under the *gate*, a lock
//! that the kernel drops with its holder; nothing on the way of a frame ever takes it.

use crate::crash;
use crate::error::{QADataSwapError, Result};
use crate::layout::{STATE_CLOSED, STATE_GONE, STATE_OPEN, row};
use crate::name::RingName;
use crate::peers::{Byte, LockFile, Process};
use crate::ring::{Ring, repair};
use crate::segment::{Segment, forks};
use crate::sync::{Ordering, set_state};
use crate::wait::{self, LONGEST_LOOK};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long to wait for somebody who is joining or leaving.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// A mapped region and this participant's locks on it.
pub(crate) struct Region {
    pub(crate) name: String,
    /// `None` if it never had a name.
    path: Option<PathBuf>,
    pub(crate) segment: Segment,
    pub(crate) lock: LockFile,
    /// The locks of one file description exclude other processes, not the threads that share it: whoever of those takes
    /// the gate has this first.
    threads: Mutex<()>,
    /// The generation whose dead writer's work was completed from here; 0 if none was. What a dead writer left is complete
    /// from then on, until an heir counts the next generation, which it does before it adds anything.
    repaired: AtomicU64,
    forks: u64,
}

impl Region {
    pub(crate) fn new(name: &RingName, path: Option<PathBuf>, segment: Segment, lock: LockFile) -> Region {
        Region {
            name: name.as_str().to_owned(),
            path,
            segment,
            lock,
            threads: Mutex::new(()),
            repaired: AtomicU64::new(0),
            forks: forks(),
        }
    }

    /// Whether this process is the one that opened the region.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        self.forks == forks()
    }

    /// Whether the writer is dead, as far as can be told.
    pub(crate) fn writer_is_dead(&self) -> bool {
        self.lock.is_dead(Byte::Writer, &Process::of(self.segment.writer_identity()))
    }

    pub(crate) fn writer_pid(&self) -> u32 {
        self.segment.writer_identity().pid.load(Ordering::Relaxed)
    }

    /// Whether the reader on `row` is dead.
    fn reader_is_dead(&self, row: usize) -> bool {
        let process = Process::of(&self.segment.reader_identities()[row]);
        self.lock.is_dead(Byte::Reader(row as u32), &process)
    }

    /// Frees the rows of those of `rows` that are dead; returns how many.
    pub(crate) fn evict_dead(&self, rows: impl IntoIterator<Item = usize>) -> usize {
        let ring = self.segment.ring();
        let mut evicted = 0;
        for row in rows {
            let (seen, cursor) = ring.reader(row);
            // A row being claimed still carries its former owner's name: its lock alone decides.
            let dead = match seen.phase {
                row::FREE => false,
                row::CLAIMED => matches!(self.lock.is_locked(Byte::Reader(row as u32)), Ok(false)),
                _ => self.reader_is_dead(row),
            };
            if dead && ring.evict(row, seen) {
                ring.drain(seen, cursor);
                tracing::info!(ring = self.name, row, cursor, "freed the place of a dead reader");
                evicted += 1;
            }
        }
        if evicted > 0 {
            ring.status.evicted.fetch_add(evicted as u64, Ordering::Relaxed);
            wait::ring_always(ring.space);
        }
        evicted
    }

    /// Books how far the reader on `row` has read.
    pub(crate) fn count_as_drained(&self, row: usize) {
        let ring = self.segment.ring();
        let (state, cursor) = ring.reader(row);
        ring.drain(state, cursor);
    }

    /// If the writer is dead, completes what it was about; returns whether it is dead.
    pub(crate) fn repair_if_orphaned(&self) -> bool {
        if !self.writer_is_dead() {
            return false;
        }
        // Once is enough: readers that ask again and again would keep an heir from the gate.
        if self.repaired.load(Ordering::Relaxed) == self.generation() {
            return true;
        }
        // Whoever holds the gate is about to do the same, or to become the heir.
        let _alone = match self.threads.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        match self.lock.try_lock(Byte::Gate) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                // Better told without what the writer may have been about than never.
                tracing::warn!(ring = self.name, %error, "a dead writer's ring could not be looked after");
                return true;
            }
        }
        let orphaned = self.repair_under_gate();
        self.lock.unlock(Byte::Gate);
        orphaned
    }

    /// As `repair_if_orphaned`, for a caller that holds the gate.
    pub(crate) fn repair_under_gate(&self) -> bool {
        match self.lock.try_lock(Byte::Writer) {
            Ok(true) => {
                repair(&self.segment.ring());
                self.repaired.store(self.generation(), Ordering::Relaxed);
                self.lock.unlock(Byte::Writer);
                true
            }
            // A descendant of the dead writer keeps its lock: nobody can take over, and nobody can repair.
            _ => self.writer_is_dead(),
        }
    }

    /// How many writers there have been.
    fn generation(&self) -> u64 {
        self.segment.ring().status.generation.load(Ordering::Acquire)
    }

    /// What `look` finds while nobody joins, leaves or takes over; `None` if somebody is at that for too long.
    ///
    /// # Errors
    /// If the gate cannot be locked.
    pub(crate) fn under_gate<T>(&self, look: impl FnOnce() -> T) -> std::io::Result<Option<T>> {
        let _alone = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.lock.lock(Byte::Gate, PATIENCE)? {
            return Ok(None);
        }
        let found = look();
        self.lock.unlock(Byte::Gate);
        Ok(Some(found))
    }

    /// As [`under_gate`](Region::under_gate), for whoever may not lock it: the look counts if nobody held the gate before
    /// it nor after, and the writer is the same. So nobody has taken over in between: whoever does holds the gate from
    /// before it counts the generation until all has been said.
    ///
    /// # Errors
    /// If the gate cannot be asked after.
    pub(crate) fn beside_gate<T>(&self, look: impl Fn() -> T) -> std::io::Result<Option<T>> {
        let generation = || self.segment.ring().status.generation.load(Ordering::Acquire);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = generation();
            if !self.lock.is_locked(Byte::Gate)? {
                let found = look();
                if !self.lock.is_locked(Byte::Gate)? && generation() == before {
                    return Ok(Some(found));
                }
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(LONGEST_LOOK);
        }
    }

    /// The generation of the writer, if it is dead.
    pub(crate) fn left_by(&self) -> Option<u64> {
        // Before asking: who comes after the dead one counts on, and is not taken for it.
        let generation = self.segment.ring().status.generation.load(Ordering::Acquire);
        self.writer_is_dead().then_some(generation)
    }

    /// Whether the region has lost its name: it was replaced, or removed.
    pub(crate) fn is_nameless(&self) -> bool {
        self.path.is_some() && is_nameless(self.segment.file())
    }

    /// The region's descriptor, of a region that can be opened by nothing else.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if it has a name.
    pub(crate) fn descriptor(&self) -> Result<BorrowedFd<'_>> {
        match &self.path {
            None => Ok(self.segment.file().as_fd()),
            Some(path) => Err(QADataSwapError::InvalidConfig {
                ring: self.name.clone(),
                reason: format!(
                    "it has a name, {}, by which others open it; create it without one (memfd) to hand over a descriptor",
                    path.display()
                ),
            }),
        }
    }

    /// A descriptor of its own of a region that has no name. It carries no lock.
    ///
    /// # Errors
    /// As [`descriptor`](Region::descriptor); [`Io`](QADataSwapError::Io) if there are too many descriptors.
    pub(crate) fn share(&self) -> Result<OwnedFd> {
        let copy = self.descriptor()?.try_clone_to_owned();
        copy.map_err(|error| QADataSwapError::io(&self.name, "copying the descriptor", error))
    }

    /// Gives up a place by `give_up`, then its lock on `byte`, and removes the region's name if nobody is left and
    /// nothing is unread. The dead are told by locks, of which one's own count as free: hence in this order.
    pub(crate) fn leave(&self, byte: Byte, give_up: impl FnOnce(&Ring<'_>)) {
        let _alone = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // Not for long: this may be the drop of an Arrow buffer anywhere in a program.
        let gate = matches!(self.lock.lock(Byte::Gate, PATIENCE / 10), Ok(true));
        give_up(&self.segment.ring());
        self.lock.unlock(byte);
        if !gate {
            tracing::warn!(ring = self.name, "left while another process held the gate");
            return;
        }
        let ring = self.segment.ring();
        self.evict_dead(0..ring.rows_used());
        if self.is_finished() && self.is_deserted() {
            self.remove_name();
        }
        self.lock.unlock(Byte::Gate);
    }

    /// No writer will add to what is there, and all that is there has been read by somebody.
    fn is_finished(&self) -> bool {
        let ring = self.segment.ring();
        let state = ring.state();
        let ended = state == STATE_CLOSED || (state == STATE_OPEN && self.writer_is_dead());
        ended && ring.status.drained.load(Ordering::Acquire) >= ring.published()
    }

    /// Nobody else takes part.
    fn is_deserted(&self) -> bool {
        let ring = self.segment.ring();
        let mut readers = (0..ring.rows_used()).filter(|&row| ring.reader(row).0.phase != row::FREE);
        self.writer_is_dead() && readers.all(|row| self.reader_is_dead(row))
    }

    /// Removes the region's name if it has one, and that is still this region's. The caller holds the gate.
    fn remove_name(&self) {
        // Without a name, the kernel frees it with the last descriptor and the last mapping.
        let Some(path) = &self.path else { return };
        let ours = self.segment.file().metadata().map(|m| (m.dev(), m.ino())).ok();
        let named = std::fs::symlink_metadata(path).map(|m| (m.dev(), m.ino())).ok();
        if ours.is_none() || ours != named {
            return;
        }
        crash::point();
        match std::fs::remove_file(path) {
            Ok(()) => {
                self.segment.ring().status.state.store(STATE_GONE, set_state());
                tracing::debug!(ring = self.name, "removed the finished ring");
            }
            Err(error) => tracing::warn!(ring = self.name, %error, "removing the finished ring failed"),
        }
    }
}

/// Whether the file has lost its name since it was opened.
pub(crate) fn is_nameless(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}
