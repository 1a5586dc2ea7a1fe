//! An observer's side of the ring: frames are copied out while the writer may take them away, and a copy counts only if
//! its frame stood all the while. Safe code over atomics; nothing shared is stored, so the memory may be read-only.
//!
//! # The argument
//!
//! An observer has no pin for the writer to see. It looks at the stamp, with Acquire, and finds `Published(s)`; reads;
//! fences ([`fence_copied`]); and looks again. What it has read is frame `s` if the second look finds `Published(s)` too
//! (a seqlock whose count is the stamp: H. Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?",
//! MSPC 2012). For
//!
//! * nothing read is older than the frame: the first look acquires what the writer released with the stamp;
//! * nothing read is newer. Whatever the writer stores to the entry or the slot of a frame that stood, it stores after the
//!   last `Marked(s)`, a look at the readers, and `Retired(s)`; that look begins with a fence
//!   ([`fence_reclaim`](crate::sync::fence_reclaim)). So if one word that was read came from there, the two fences
//!   synchronise, and the second look finds that last mark or what came after it, of which nothing is `Published(s)`: a
//!   mark is the last when it is not taken back, and a sequence is used once. A mark that was taken back, between the two
//!   looks or before, is no harm, since the slot was not touched meanwhile;
//! * the same with an heir, who looks before it hands out its first slot, and has acquired what its forerunner stored.
//!
//! The entry is read first and looked at again before the slot is touched, so that slot and length are of one frame: a
//! copy reaches no further than that frame's memory.
//!
//! *A dead writer's mark* hides a whole frame, which only somebody who may write can bring back. To an observer that
//! knows the writer of generation `g` dead, and has read `g` before it asked, `Marked(s)` says as much as `Published(s)`,
//! as long as the second look finds either and the generation is still `g`: the dead have retired nothing after it, and
//! an heir counts the generation before it stores to any slot, hence before its fence.
//!
//! *Lost races.* A writer that is fast enough takes away frame after frame while they are being copied. After a copy in
//! vain an observer goes on in the middle of what stands, and after the next at the newest, which stands for longest; after
//! [`TRIES`] it lets its caller look at the clock. Nothing makes the writer wait for it.

use crate::layout::{STATE_OPEN, Stamp};
use crate::ring::{FrameMeta, Ring, Standing};
use crate::subscriber::Next;
use crate::sync::{Ordering, fence_copied};

/// Frames that are tried in one go.
const TRIES: usize = 8;

/// What an observer knows.
pub(crate) struct Observer {
    /// The sequence wanted next: one more than the last one returned.
    next: u64,
    /// Frames missed before one that could not be had.
    skipped: u64,
}

/// Outcome of an attempt to copy a frame.
enum Attempt {
    /// The frame is whole.
    Copied(FrameMeta),
    /// The frame has not been published.
    NotYet,
    /// The frame has gone, or may be going.
    Gone,
    /// It went while it was being copied.
    Spoilt,
    /// The entry names a slot that does not exist.
    NoSuchSlot(u32),
    /// The directory speaks of frames that were never published.
    Impossible,
}

/// What a few attempts came to.
enum Found {
    Some(Next),
    Nothing,
    /// There is something, which did not stand still.
    Restless,
}

impl Observer {
    /// An observer that starts at the oldest or the newest frame. `left_by` is as of [`poll`](Observer::poll).
    pub(crate) fn new(ring: &Ring<'_>, newest: bool, left_by: Option<u64>) -> Observer {
        let from = if newest { ring.published().saturating_sub(1) } else { 0 };
        Observer { next: oldest(ring, from, left_by), skipped: 0 }
    }

    /// The sequence wanted next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Wants nothing from before `first`.
    pub(crate) fn skip_to(&mut self, first: u64) {
        self.next = self.next.max(first);
    }

    /// Copies the next frame, if there is one: `copy` is told which, and whether to go on, as often as it cares to ask.
    /// What it copied last is the frame that is returned, unless it has found that frame to reach beyond its slot.
    ///
    /// `left_by` is the generation of a writer that is dead, if that was asked.
    pub(crate) fn poll(
        &mut self,
        ring: &Ring<'_>,
        left_by: Option<u64>,
        mut copy: impl FnMut(&FrameMeta, &dyn Fn() -> bool),
    ) -> Next {
        match self.step(ring, left_by, &mut copy) {
            Found::Some(next) => return next,
            Found::Restless => return Next::NotYet,
            Found::Nothing => {}
        }
        let state = ring.state();
        if state == STATE_OPEN {
            return Next::NotYet;
        }
        // The end was set after the last frame: what there is, is there now.
        match self.step(ring, left_by, &mut copy) {
            Found::Some(next) => next,
            // An heir is at work.
            Found::Restless => Next::NotYet,
            Found::Nothing => Next::Ended(state),
        }
    }

    fn step(
        &mut self,
        ring: &Ring<'_>,
        left_by: Option<u64>,
        copy: &mut impl FnMut(&FrameMeta, &dyn Fn() -> bool),
    ) -> Found {
        let mut want = self.next;
        let mut spoilt = 0;
        for _ in 0..TRIES {
            match attempt(ring, want, left_by, copy) {
                Attempt::Copied(meta) => {
                    let missed = want - self.next + std::mem::take(&mut self.skipped);
                    self.next = want + 1;
                    return Found::Some(Next::Frame(meta, missed));
                }
                Attempt::NotYet => return Found::Nothing,
                Attempt::Gone => want = oldest(ring, want + 1, left_by),
                Attempt::Spoilt => {
                    spoilt += 1;
                    let (first, newest) =
                        (oldest(ring, want + 1, left_by), ring.published().saturating_sub(1));
                    let ahead = newest.saturating_sub(first);
                    want = first + if spoilt == 1 { ahead / 2 } else { ahead };
                }
                Attempt::NoSuchSlot(slot) => {
                    self.skipped += want - self.next;
                    self.next = want + 1;
                    return Found::Some(Next::NoSuchSlot(want, slot));
                }
                Attempt::Impossible => return Found::Some(Next::Impossible),
            }
        }
        Found::Restless
    }
}

/// The first frame from `from` on that stands, or that a dead writer has left asking for; or what comes next.
fn oldest(ring: &Ring<'_>, from: u64, left_by: Option<u64>) -> u64 {
    let left = left_by.is_some_and(|generation| is_of(ring, generation));
    ring.oldest_that(from, |standing| standing == Standing::Stands || (left && standing == Standing::Asked))
}

/// Whether no writer has come after the one of `generation`.
fn is_of(ring: &Ring<'_>, generation: u64) -> bool {
    ring.status.generation.load(Ordering::Relaxed) == generation
}

/// Copies the frame `sequence`, if it is there.
fn attempt(
    ring: &Ring<'_>,
    sequence: u64,
    left_by: Option<u64>,
    copy: &mut impl FnMut(&FrameMeta, &dyn Fn() -> bool),
) -> Attempt {
    let left_by = match ring.standing(sequence) {
        Standing::Stands => None,
        Standing::Asked if left_by.is_some_and(|generation| is_of(ring, generation)) => left_by,
        Standing::NotYet => return Attempt::NotYet,
        // Whoever sees a stamp sees a head that counts the frame before it at least.
        Standing::Asked | Standing::Gone if sequence < ring.published() => return Attempt::Gone,
        Standing::Asked | Standing::Gone => return Attempt::Impossible,
    };
    // Whether it stands, as far as can be seen; decisive behind a fence.
    let stands = || {
        let stamp = Stamp::of(ring.entry(sequence).stamp.load(Ordering::Relaxed));
        match left_by {
            None => stamp == Stamp::Published(sequence),
            Some(generation) => {
                matches!(stamp, Stamp::Published(s) | Stamp::Marked(s) if s == sequence)
                    && is_of(ring, generation)
            }
        }
    };
    let meta = ring.meta(sequence);
    fence_copied();
    if !stands() {
        return Attempt::Spoilt;
    }
    if u64::from(meta.slot) >= ring.len() {
        return Attempt::NoSuchSlot(meta.slot);
    }
    copy(&meta, &stands);
    fence_copied();
    if stands() { Attempt::Copied(meta) } else { Attempt::Spoilt }
}
