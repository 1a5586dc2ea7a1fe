//! Deadlines: how long a test waits before it calls something stuck.

use std::time::{Duration, Instant};

/// Nobody is held up by another's death for longer.
pub const PROMPT: Duration = Duration::from_secs(1);

/// Whatever must come at all comes within this, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `holds` does.
///
/// # Panics
/// If it does not within [`PATIENCE`]; `what` says what was waited for.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
