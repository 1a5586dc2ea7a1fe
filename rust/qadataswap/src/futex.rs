//! Sleeping on words of shared memory and waking those who do: the system calls that the ring makes.
//!
//! Law: a wake is never lost between a comparison and the sleep (the kernel compares under its own lock);
//! waking for no reason is allowed, so every caller looks again.

use crate::atomic::word as kernels;
use crate::crash;
use crate::sync::{AtomicU32, Ordering};
use nix::time::clock_gettime;
use rustix::io::Errno;
use rustix::thread::{ClockId, futex};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Most words that one thread sleeps on.
pub(crate) const MOST_WORDS: usize = 128;

/// Sleeps while `word` holds `expected`, for at most `timeout`. Returns early on a wake, a signal, or for no
/// reason at all.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = rustix::fs::Timespec {
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as i64,
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    // Every outcome (woken, EAGAIN, ETIMEDOUT, EINTR) means the same to the caller: look again.
    let _ = futex::wait(kernels(word), futex::Flags::empty(), expected, Some(&timeout));
}

/// How many sleepers [`wake`] wakes at most: each takes whoever wakes it one or two microseconds.
pub(crate) const FEW: usize = 4;

/// Wakes some of those who sleep on `word`, those first who have slept for longest; returns how many, [`FEW`] at most.
pub(crate) fn wake(word: &AtomicU32) -> usize {
    wake_up_to(word, FEW as u32)
}

/// Wakes everybody who sleeps on `word`.
pub(crate) fn wake_all(word: &AtomicU32) {
    wake_up_to(word, i32::MAX as u32);
}

fn wake_up_to(word: &AtomicU32, most: u32) -> usize {
    crash::point();
    // Fails only for an address that is not mapped, and `word` is a reference.
    futex::wake(kernels(word), futex::Flags::empty(), most).unwrap_or(0)
}

/// Sleeps while each of `words`, of which there are [`MOST_WORDS`] at most, holds what is expected of it, for at most
/// `timeout`; returns early as [`wait`] does. False, at once, where the kernel has no such call.
#[must_use]
pub(crate) fn wait_any<'a>(words: impl IntoIterator<Item = (&'a AtomicU32, u32)>, timeout: Duration) -> bool {
    /// Set once the kernel has refused: before Linux 5.16, or where a filter of system calls lets only known ones
    /// through.
    static REFUSED: AtomicBool = AtomicBool::new(false);
    if REFUSED.load(Ordering::Relaxed) {
        return false;
    }
    let mut waits = [futex::Wait::new(); MOST_WORDS];
    let mut length = 0;
    for (wait, (word, expected)) in waits.iter_mut().zip(words) {
        wait.val = u64::from(expected);
        wait.uaddr = futex::WaitPtr::new(std::ptr::from_ref(word).cast_mut().cast());
        wait.flags = futex::WaitFlags::SIZE_U32;
        length += 1;
    }
    // This call's timeout is a point in time.
    // By way of libc, for the reason that `peers::monotonic_ns` gives.
    let now = clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    let nanoseconds = now.tv_nsec() as u64 + u64::from(timeout.subsec_nanos());
    let until = rustix::fs::Timespec {
        tv_sec: now.tv_sec()
            + timeout.as_secs().min(i32::MAX as u64) as i64
            + (nanoseconds / 1_000_000_000) as i64,
        tv_nsec: (nanoseconds % 1_000_000_000) as i64,
    };
    match futex::waitv(&waits[..length], futex::WaitvFlags::empty(), Some(&until), ClockId::Monotonic) {
        // Every other outcome (woken, EAGAIN, ETIMEDOUT, EINTR) means the same to the caller: look again.
        Ok(_) | Err(Errno::AGAIN | Errno::TIMEDOUT | Errno::INTR) => true,
        Err(error) => {
            tracing::info!(%error, "no futex_waitv: waiting on many rings looks at them every few milliseconds");
            if matches!(error, Errno::NOSYS | Errno::PERM | Errno::ACCESS) {
                REFUSED.store(true, Ordering::Relaxed);
            }
            false
        }
    }
}
