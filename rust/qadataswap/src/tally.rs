//! Counting where whoever looks can see it: what a reader has read and how late, what a writer has waited.
//!
//! Law: a number has one owner, who changes it by a plain load and a plain store; nothing is decided by it. It may be
//! foreign to whoever looks, and stand for another moment than the number beside it.

use crate::layout::{Tally, latency};
use crate::peers::monotonic_ns;
use crate::region::Region;
use crate::stats::Stats;
use crate::sync::{AtomicU64, Ordering};
use std::sync::atomic::fence;

impl Tally {
    /// Starts from zero: the row has a new owner, whose state says so already.
    pub(crate) fn reset(&self) {
        // Whoever finds a number from below finds the row's new state too; pairs with the fence in `inspect.rs`.
        fence(Ordering::Release);
        let Tally { frames, bytes, rows, missed, last_ns, latency_sum_ns, latency_max_ns, latencies } = self;
        let words = [frames, bytes, rows, missed, last_ns, latency_sum_ns, latency_max_ns];
        words.into_iter().chain(latencies).for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// Tells what its owner has read by now.
    #[inline]
    pub(crate) fn tell(&self, stats: &Stats) {
        self.frames.store(stats.reads_count, Ordering::Relaxed);
        self.bytes.store(stats.bytes_read, Ordering::Relaxed);
        self.rows.store(stats.rows_read, Ordering::Relaxed);
    }

    /// Books that a frame published at `published_ns` was handed out at `now_ns`, for as many frames as it stands for.
    #[inline]
    pub(crate) fn measure(&self, published_ns: u64, now_ns: u64, frames: u64) {
        let took = now_ns.saturating_sub(published_ns);
        self.last_ns.store(now_ns, Ordering::Relaxed);
        add(&self.latency_sum_ns, took.wrapping_mul(frames));
        if took > self.latency_max_ns.load(Ordering::Relaxed) {
            self.latency_max_ns.store(took, Ordering::Relaxed);
        }
        add(&self.latencies[latency::bucket(took)], frames);
    }
}

/// Of frames that were there already when the reader came for them, one in so many is measured and stands for all.
const ONE_IN: u64 = 8;

/// Which frames a reader measures, because asking the time costs as much as a twentieth of a small read: each one that
/// it had to wait for, and one in [`ONE_IN`] of those that it found waiting, which come in bursts.
pub(crate) struct Gauge {
    /// There was no frame when the reader last came for one.
    waited: bool,
    /// Frames that the next one measured will stand for, too.
    unmeasured: u64,
}

impl Gauge {
    /// For a reader that has read nothing yet: its first frame is measured.
    pub(crate) fn new() -> Gauge {
        Gauge { waited: true, unmeasured: 0 }
    }

    /// The reader has come for a frame, and there was none.
    #[inline]
    pub(crate) fn came_in_vain(&mut self) {
        self.waited = true;
    }

    /// For how many frames the one that is handed out now stands; `None` if it is not measured.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u64> {
        if std::mem::take(&mut self.waited) {
            return Some(1);
        }
        self.unmeasured += 1;
        if self.unmeasured < ONE_IN {
            return None;
        }
        self.unmeasured = 0;
        Some(ONE_IN)
    }
}

/// Adds to a word that nobody else stores to.
#[inline]
fn add(word: &AtomicU64, amount: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// A writer that waits for space; booked when it ends, however it ends.
pub(crate) struct Waiting<'a> {
    region: &'a Region,
    since_ns: u64,
}

impl<'a> Waiting<'a> {
    pub(crate) fn begin(region: &'a Region) -> Waiting<'a> {
        let since_ns = monotonic_ns();
        let waits = region.segment.waits();
        add(&waits.full_waits, 1);
        waits.waiting_since_ns.store(since_ns, Ordering::Relaxed);
        Waiting { region, since_ns }
    }

    /// Time was up before space came.
    pub(crate) fn in_vain(&self) {
        add(&self.region.segment.waits().timeouts, 1);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // A forked child has inherited neither the wait nor the mapping.
        if self.region.is_ours() {
            let waits = self.region.segment.waits();
            add(&waits.waited_ns, monotonic_ns().saturating_sub(self.since_ns));
            waits.waiting_since_ns.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_waited_for_are_measured_and_one_in_eight_of_the_others() {
        let mut gauge = Gauge::new();
        assert_eq!(gauge.next(), Some(1), "the first");
        let mut stood_for = 0;
        for frame in 1..=80 {
            if frame % 10 == 0 {
                gauge.came_in_vain();
                assert_eq!(gauge.next(), Some(1));
            } else {
                stood_for += gauge.next().unwrap_or(0);
            }
        }
        assert_eq!(stood_for, 72, "each of the others is stood for once");
    }
}
