//! Everything that waits: spin, then yield, then sleep on a futex.
//!
//! Law: a waiter announces itself *before* its last look, a publisher looks for waiters *after* it has
//! published; with a sequentially consistent fence in each between the two steps, at least one sees the other
//! ([`fence_sleep`](crate::sync::fence_sleep), [`fence_wake`](crate::sync::fence_wake)). Sleep is sliced, so
//! that even a process killed between publishing and waking costs its peers one [`SLICE`] and no more, and
//! the death of a peer is noticed within one.

use crate::futex;
use crate::layout::Bell;
use crate::sync::{Ordering, fence_sleep, fence_wake};
use std::time::{Duration, Instant};

/// Longest uninterrupted sleep, and longest time between two looks at whether the peers still live.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// Bit 0 of a bell: somebody sleeps or is about to.
const SLEEPERS: u32 = 1;

/// How a participant waits: it spins for `spin`, then yields its core for `yielding`, then sleeps.
///
/// Spinning reacts in tens of nanoseconds and takes a core; sleeping reacts in microseconds and takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitStrategy {
    /// How long to spin at first.
    pub spin: Duration,
    /// How long to yield the core between looks, after spinning.
    pub yielding: Duration,
}

impl WaitStrategy {
    /// Never gives the core away: the lowest latency, for a thread pinned to a core of its own.
    pub const SPIN: WaitStrategy = WaitStrategy { spin: Duration::MAX, yielding: Duration::ZERO };
    /// Sleeps at once: the least work.
    pub const SLEEP: WaitStrategy = WaitStrategy { spin: Duration::ZERO, yielding: Duration::ZERO };
    /// Spins for 10 µs, yields for 30 µs, then sleeps. The default.
    pub const BALANCED: WaitStrategy =
        WaitStrategy { spin: Duration::from_micros(10), yielding: Duration::from_micros(30) };
}

impl Default for WaitStrategy {
    fn default() -> Self {
        WaitStrategy::BALANCED
    }
}

/// Announces a sleeper and returns the ticket to sleep on.
#[inline]
pub(crate) fn announce(bell: &Bell) -> u32 {
    let ticket = bell.word.fetch_or(SLEEPERS, Ordering::Relaxed) | SLEEPERS;
    fence_sleep();
    ticket
}

/// Wakes whoever has announced itself; costs a fence and a load when nobody has.
#[inline]
pub(crate) fn ring(bell: &Bell) {
    fence_wake();
    let word = bell.word.load(Ordering::Relaxed);
    if word & SLEEPERS != 0 {
        wake(bell, word);
    }
}

#[cold]
fn wake(bell: &Bell, word: u32) {
    // Clears the bit and counts. Whoever loses this race lost it to another wake or another sleeper, and
    // wakes everybody either way.
    let _ = bell.word.compare_exchange(word, word.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
    futex::wake_all(&bell.word);
}

/// Wakes every sleeper, announced or not: for a change that its waiter cannot announce itself for.
pub(crate) fn ring_always(bell: &Bell) {
    bell.word.fetch_add(2, Ordering::AcqRel);
    futex::wake_all(&bell.word);
}

/// Waits until `look` finds something, or until `deadline`.
///
/// `prepare` announces the sleeper on `bell` and returns its ticket. `idle` runs before each sleep and at least
/// once a [`SLICE`]: it asks whether there is still somebody to wait for.
///
/// # Errors
/// Whatever `look` or `idle` returns.
pub(crate) fn wait_until<T, E>(
    bell: &Bell,
    strategy: WaitStrategy,
    deadline: Option<Instant>,
    mut look: impl FnMut() -> Result<Option<T>, E>,
    mut prepare: impl FnMut() -> u32,
    mut idle: impl FnMut() -> Result<(), E>,
) -> Result<Option<T>, E> {
    if let Some(found) = look()? {
        return Ok(Some(found));
    }
    for (phase, relax) in
        [(strategy.spin, std::hint::spin_loop as fn()), (strategy.yielding, std::thread::yield_now)]
    {
        if phase.is_zero() {
            continue;
        }
        let started = Instant::now();
        let mut idled = started;
        loop {
            for _ in 0..32 {
                if let Some(found) = look()? {
                    return Ok(Some(found));
                }
                relax();
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return look();
            }
            if now - started >= phase {
                break;
            }
            if now - idled >= SLICE {
                idled = now;
                idle()?;
            }
        }
    }
    loop {
        idle()?;
        let ticket = prepare();
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        let nap = match deadline {
            None => SLICE,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(None);
                }
                left.min(SLICE)
            }
        };
        futex::wait(&bell.word, ticket, nap);
    }
}
