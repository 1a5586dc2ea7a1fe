//! Sleeping on a word of shared memory and waking those who do: the two system calls the ring makes.
//!
//! Law: a wake is never lost between a comparison and the sleep (the kernel compares under its own lock);
//! waking for no reason is allowed, so every caller looks again.

use crate::sync::AtomicU32;
use rustix::thread::futex;
use std::time::Duration;

/// Sleeps while `word` holds `expected`, for at most `timeout`. Returns early on a wake, a signal, or for no
/// reason at all.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = rustix::fs::Timespec {
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as i64,
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    // Every outcome (woken, EAGAIN, ETIMEDOUT, EINTR) means the same to the caller: look again.
    let _ = futex::wait(word, futex::Flags::empty(), expected, Some(&timeout));
}

/// Wakes everybody who sleeps on `word`.
pub(crate) fn wake_all(word: &AtomicU32) {
    // Fails only for an address that is not mapped, and `word` is a reference.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
}
