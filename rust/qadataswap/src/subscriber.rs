//! A reader's side of the ring: which frame comes next under its policy, and what it has missed.
//!
//! Law: sequence numbers returned only grow, and `missed` counts exactly the frames between two returned ones.

use crate::layout::{STATE_CLOSED, STATE_REPLACED};
use crate::ring::{FrameMeta, Pin, Policy, Ring};

/// A reader's private knowledge.
pub(crate) struct Subscriber {
    reader: usize,
    policy: Policy,
    /// The sequence wanted next: one more than the last one returned.
    next: u64,
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
    /// A lossless reader's frame is not there any more: somebody broke the protocol.
    Lost,
    /// The directory names a slot that does not exist.
    NoSuchSlot(u32),
}

impl Subscriber {
    /// A reader on row `reader`, whose cursor stands at `next`.
    pub(crate) fn new(reader: usize, policy: Policy, next: u64) -> Subscriber {
        Subscriber { reader, policy, next }
    }

    /// The sequence wanted next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Pins the next frame, if there is one.
    #[inline]
    pub(crate) fn poll(&mut self, ring: &Ring<'_>) -> Next {
        match self.step(ring) {
            Next::NotYet => {}
            found => return found,
        }
        match ring.state() {
            STATE_CLOSED | STATE_REPLACED => {}
            _ => return Next::NotYet,
        }
        // The end was set after the last frame: what there is, is there now.
        match self.step(ring) {
            Next::NotYet => Next::Ended(ring.state()),
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
            match ring.pin(self.reader, want) {
                Pin::Held(meta) => {
                    let missed = want - self.next;
                    self.next = want + 1;
                    // After the check that the pin holds: see "Cursors" in ring.rs.
                    ring.advance(self.reader, self.next);
                    return Next::Frame(meta, missed);
                }
                Pin::NotYet => return Next::NotYet,
                Pin::Asked if self.policy == Policy::Lossless => return Next::NotYet,
                Pin::Gone if self.policy == Policy::Lossless => return Next::Lost,
                Pin::Asked | Pin::Gone => want = ring.oldest_from(want + 1),
                Pin::NoSuchSlot(slot) => return Next::NoSuchSlot(slot),
            }
        }
    }
}
