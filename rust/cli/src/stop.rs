//! SIGINT and SIGTERM as a flag that every loop looks at: the first one ends the command in order, a second one
//! at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long anything waits before it looks at the flag again.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// Whether the command has been asked to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// Listens for the signals from now on.
    pub(crate) fn on_signals() -> anyhow::Result<Stop> {
        let stop = Stop::default();
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in this order, so it is the second signal that finds the flag set.
            flag::register_conditional_default(signal, stop.asked.clone())?;
            flag::register(signal, stop.asked.clone())?;
        }
        Ok(stop)
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Sleeps until `due`; false if asked to end before.
    pub(crate) fn sleep_until(&self, due: Instant) -> bool {
        loop {
            if self.is_asked() {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(SLICE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_cuts_a_sleep_short() {
        let stop = Stop::default();
        assert!(stop.sleep_until(Instant::now()));
        stop.asked.store(true, Ordering::Relaxed);
        assert!(!stop.sleep_until(Instant::now() + Duration::from_secs(3600)));
    }
}
