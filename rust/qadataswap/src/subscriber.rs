//! A reader's side of the ring: which frame comes next under its policy, and what it has missed.
//!
//! Law: sequence numbers returned only grow, and `missed` counts exactly the frames between two returned ones.

use crate::layout::{STATE_OPEN, row};
use crate::ring::{FrameMeta, Pin, Policy, Ring, Standing};

/// A reader's private knowledge.
pub(crate) struct Subscriber {
    reader: usize,
    policy: Policy,
    /// The sequence wanted next: one more than the last one returned.
    next: u64,
    /// Frames missed before one that could not be had.
    skipped: u64,
    /// The row's state when it joined, by which it is known.
    joined: row::State,
}

/// What a look at the ring found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next frame, pinned, and how many frames were missed before it.
    Frame(FrameMeta, u64),
    /// Nothing new.
    NotYet,
    /// Nothing new, nor will there be: the ring is in this state, one of `STATE_*`.
    Ended(u32),
    /// The reader's row has been taken away, or a lossless reader's frame: it was thought to be dead.
    Lost,
    /// The directory names a slot that does not exist for this frame, which counts as read.
    NoSuchSlot(u64, u32),
    /// The directory speaks of frames that were never published.
    Impossible,
}

impl Subscriber {
    /// A reader on row `reader`, which has joined with this cursor and state.
    pub(crate) fn new(reader: usize, policy: Policy, (next, joined): (u64, row::State)) -> Subscriber {
        Subscriber { reader, policy, next, skipped: 0, joined }
    }

    /// The sequence wanted next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Where the next frame seems to lie, if it seems to be there: nothing holds it yet, and nothing is checked.
    #[inline]
    pub(crate) fn glimpse(&self, ring: &Ring<'_>) -> Option<FrameMeta> {
        (ring.standing(self.next) == Standing::Stands).then(|| ring.meta(self.next))
    }

    /// Pins the next frame, if there is one.
    #[inline]
    pub(crate) fn poll(&mut self, ring: &Ring<'_>) -> Next {
        match self.step(ring) {
            Next::NotYet => {}
            found => return found,
        }
        let state = ring.state();
        if state == STATE_OPEN {
            return Next::NotYet;
        }
        // The end was set after the last frame: what there is, is there now.
        match self.step(ring) {
            Next::NotYet => Next::Ended(state),
            found => found,
        }
    }

    #[inline]
    fn step(&mut self, ring: &Ring<'_>) -> Next {
        let mut want = match self.policy {
            Policy::Lossless | Policy::Lossy => self.next,
            Policy::Latest => self.next.max(ring.published().saturating_sub(1)),
        };
        loop {
            if !ring.owns(self.reader, self.joined) {
                return Next::Lost;
            }
            match ring.pin(self.reader, want) {
                Pin::Held(meta) => {
                    let missed = want - self.next + std::mem::take(&mut self.skipped);
                    self.next = want + 1;
                    // After the check that the pin holds: see "Cursors" in ring.rs.
                    ring.advance(self.reader, self.next);
                    return Next::Frame(meta, missed);
                }
                Pin::NotYet => return Next::NotYet,
                Pin::Asked if self.policy == Policy::Lossless => return Next::NotYet,
                Pin::Gone if self.policy == Policy::Lossless => return Next::Lost,
                Pin::Asked | Pin::Gone => want = ring.oldest_from(want + 1),
                Pin::NoSuchSlot(slot) => {
                    self.skipped += want - self.next;
                    self.next = want + 1;
                    ring.advance(self.reader, self.next);
                    return Next::NoSuchSlot(want, slot);
                }
                Pin::Impossible => return Next::Impossible,
            }
        }
    }
}
