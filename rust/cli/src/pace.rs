//! Publishing at a steady pace.
//!
//! Law: what is due is reckoned from the start, so that a hold-up is made good and errors do not add up.

use std::time::{Duration, Instant};

/// So many units a second, or as fast as it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    start: Instant,
    per_second: Option<f64>,
}

impl Pace {
    pub(crate) fn new(start: Instant, per_second: Option<f64>) -> Pace {
        Pace { start, per_second }
    }

    /// When the unit after `done` others is due; `None` for at once.
    pub(crate) fn due(&self, done: u64) -> Option<Instant> {
        let seconds = done as f64 / self.per_second?;
        // A pace so slow that the sum overflows is one that never comes.
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Some(
            self.start.checked_add(wait).unwrap_or_else(|| self.start + Duration::from_secs(u32::MAX.into())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_follows_from_the_start() {
        let start = Instant::now();
        let pace = Pace::new(start, Some(200.0));
        assert_eq!(pace.due(0), Some(start));
        assert_eq!(pace.due(100), Some(start + Duration::from_millis(500)));
        assert_eq!(Pace::new(start, None).due(1000), None);
        assert!(Pace::new(start, Some(1e-300)).due(1000) > Some(start));
    }
}
