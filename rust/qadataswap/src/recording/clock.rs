//! From the monotonic clock, by which frames are stamped, to the one on the wall.
//!
//! Law: within a file, wall times follow the monotonic ones and never go back. The difference between the clocks is
//! measured for each frame and taken over once it has changed by more than [`SLACK`]; so a stepped clock is followed
//! and the jitter of the measurement is not. Where the wall clock was set back by more than [`STEP`], a new file
//! begins.

use crate::peers::monotonic_ns;
use std::time::{SystemTime, UNIX_EPOCH};

/// Differences that are within this, in nanoseconds, are one.
const SLACK: i128 = 1_000_000;
/// Up to this, in nanoseconds, times that would go back stand still instead.
const STEP: u64 = 10_000_000;

/// Nanoseconds since the Unix epoch.
pub(super) fn wall_ns() -> u64 {
    ns_of(SystemTime::now())
}

/// A time in nanoseconds since the Unix epoch; before it, 0.
pub(super) fn ns_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// How far the wall clock is ahead of the monotonic one.
fn measure() -> i128 {
    let mut best: Option<(u64, i128)> = None;
    // Whoever is interrupted between two looks measures again.
    for _ in 0..4 {
        let before = monotonic_ns();
        let wall = wall_ns();
        let width = monotonic_ns().saturating_sub(before);
        let difference = i128::from(wall) - i128::from(before) - i128::from(width / 2);
        if best.is_none_or(|(narrowest, _)| width < narrowest) {
            best = Some((width, difference));
        }
        if width < 10_000 {
            break;
        }
    }
    best.map_or(0, |(_, difference)| difference)
}

/// The clocks as one file of a recording sees them.
#[derive(Debug, Default)]
pub(super) struct Clock {
    difference: Option<i128>,
    /// The last time given.
    last: u64,
}

impl Clock {
    /// The wall time of a frame published at `published_ns`; `None` if it went back too far for this file.
    pub(super) fn wall(&mut self, published_ns: u64) -> Option<u64> {
        self.with(published_ns, measure())
    }

    fn with(&mut self, published_ns: u64, measured: i128) -> Option<u64> {
        let difference = match self.difference {
            Some(known) if (known - measured).abs() <= SLACK => known,
            _ => measured,
        };
        let wall = u64::try_from(i128::from(published_ns) + difference).unwrap_or(0);
        if wall.saturating_add(STEP) < self.last {
            return None;
        }
        self.difference = Some(difference);
        self.last = self.last.max(wall);
        Some(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn jitter_is_not_followed_and_steps_are() {
        let mut clock = Clock::default();
        assert_eq!(clock.with(10, 1_000), Some(1_010));
        assert_eq!(clock.with(20, 900_000), Some(1_020), "within the slack");
        assert_eq!(clock.with(30, i128::from(S)), Some(S + 30), "set forward");
    }

    #[test]
    fn time_never_goes_back_within_a_file() {
        let mut clock = Clock::default();
        let start = i128::from(100 * S);
        assert_eq!(clock.with(S, start), Some(101 * S));
        assert_eq!(clock.with(S + 1, start - 5_000_000), Some(101 * S), "by a little: it stands still");
        assert_eq!(clock.with(S + 2, start - i128::from(50 * S)), None, "by more: a new file");
        assert_eq!(clock.with(S + 3, start), Some(101 * S + 3), "and this one is as it was");
    }

    #[test]
    fn the_clocks_agree_with_each_other() {
        let (before, published) = (wall_ns(), monotonic_ns());
        let wall = Clock::default().wall(published).expect("the first one");
        // Two looks at one clock, however busy the machine is between them.
        assert!(wall.abs_diff(before) < 3_600 * S, "{wall} and {before}");
    }

    #[test]
    fn clocks_beyond_all_bounds_are_no_panic() {
        let mut clock = Clock::default();
        assert_eq!(clock.with(u64::MAX, i128::from(u64::MAX)), Some(0), "does not fit");
        assert_eq!(clock.with(0, i128::from(i64::MIN)), Some(0));
        assert_eq!(ns_of(UNIX_EPOCH - std::time::Duration::from_secs(1)), 0);
    }
}
