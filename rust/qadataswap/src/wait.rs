//! Everything that waits: spin, then yield, then sleep on a futex.
//!
//! Law: a waiter announces itself *before* its last look, a publisher looks for waiters *after* it has
//! published; with a sequentially consistent fence in each between the two steps, at least one sees the other
//! ([`fence_sleep`](crate::sync::fence_sleep), [`fence_wake`](crate::sync::fence_wake)). Sleep is sliced, so
//! that even a process killed between publishing and waking costs its peers one [`SLICE`] and no more, and
//! the death of a peer is noticed within one.
//!
//! Law of crowds: a wake takes whoever rings as long for a thousand sleepers as for [`FEW`](futex::FEW) twice. While more
//! may be asleep the bell says so, and whoever has slept on it wakes as many again, before anything else.

use crate::futex;
use crate::layout::Bell;
use crate::sync::{Ordering, fence_sleep, fence_wake};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Longest uninterrupted sleep, and longest time between two looks at whether the peers still live.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// First sleep of whoever cannot be woken by what it waits for, and therefore looks; it doubles from look to look.
const SHORTEST_LOOK: Duration = Duration::from_micros(50);

/// The longest.
pub(crate) const LONGEST_LOOK: Duration = Duration::from_millis(2);

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
    let ticket = mark(bell);
    fence_sleep();
    ticket
}

/// Announces one sleeper on every one of `bells`, and puts the tickets to sleep on behind those in `tickets`. One fence
/// serves them all: it lies between each of the marks and the last look.
pub(crate) fn announce_all<'a>(bells: impl Iterator<Item = &'a Bell>, tickets: &mut Vec<u32>) {
    tickets.extend(bells.map(mark));
    fence_sleep();
}

#[inline]
fn mark(bell: &Bell) -> u32 {
    bell.word.fetch_or(SLEEPERS, Ordering::Relaxed) | SLEEPERS
}

/// Wakes whoever has announced itself; costs a fence and two loads of one line when nobody has.
#[inline]
pub(crate) fn ring(bell: &Bell) {
    fence_wake();
    let word = bell.word.load(Ordering::Relaxed);
    if word & SLEEPERS != 0 || bell.crowd.load(Ordering::Relaxed) != 0 {
        wake(bell, word);
    }
}

#[cold]
fn wake(bell: &Bell, word: u32) {
    // Clears the bit and counts. Whoever loses this race lost it to another wake, or to a sleeper that has seen what
    // it is rung for.
    let rung = (word | SLEEPERS).wrapping_add(1);
    let _ = bell.word.compare_exchange(word, rung, Ordering::Relaxed, Ordering::Relaxed);
    if futex::wake(&bell.word) == futex::FEW {
        // Each count has a crowd of its own, so that nobody takes a later one for his.
        bell.crowd.store(rung | SLEEPERS, Ordering::Relaxed);
    }
    // Those who were woken just now may look too early to see it; those who are woken next do see it, for the kernel's
    // lock lies between. A crowd whom all those have left who knew of it ends here too.
    pass_on(bell);
}

/// Wakes some of those who were to be woken together with whoever calls this, if there are more. To be called after any
/// sleep on `bell`, whatever ended it: nobody else may know of those who still sleep.
#[inline]
pub(crate) fn pass_on(bell: &Bell) {
    let crowd = bell.crowd.load(Ordering::Relaxed);
    if crowd != 0 && futex::wake(&bell.word) < futex::FEW {
        // All are awake.
        let _ = bell.crowd.compare_exchange(crowd, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Wakes every sleeper, announced or not: for a change that its waiter cannot announce itself for.
pub(crate) fn ring_always(bell: &Bell) {
    bell.word.fetch_add(2, Ordering::AcqRel);
    futex::wake_all(&bell.word);
}

/// When a handle last asked whether its peers still live: at most once a [`SLICE`], however often it waits and
/// however shortly.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Cell<Option<Instant>>);

impl Pulse {
    /// Whether it is time to ask again; if so, now counts as asked.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let due = self.0.get().is_none_or(|last| now.saturating_duration_since(last) >= SLICE);
        if due {
            self.0.set(Some(now));
        }
        due
    }

    /// Makes it time to ask.
    pub(crate) fn hasten(&self) {
        self.0.set(None);
    }
}

/// The sleeps of a wait in which somebody looks, from [`SHORTEST_LOOK`] to [`LONGEST_LOOK`].
pub(crate) struct Slices(Cell<Duration>);

impl Slices {
    /// Those of a wait that begins.
    pub(crate) fn new() -> Slices {
        Slices(Cell::new(SHORTEST_LOOK))
    }

    /// The next one, of `nap` at most.
    pub(crate) fn next(&self, nap: Duration) -> Duration {
        let slice = self.0.get();
        self.0.set((slice * 2).min(LONGEST_LOOK));
        slice.min(nap)
    }
}

/// As [`wait_until`], without a bell: looks again and again, asleep in between.
///
/// # Errors
/// Whatever `look` or `idle` returns.
pub(crate) fn wait_by_looking<T, E>(
    strategy: WaitStrategy,
    deadline: Option<Instant>,
    pulse: &Pulse,
    look: impl FnMut() -> Result<Option<T>, E>,
    idle: impl FnMut() -> Result<(), E>,
) -> Result<Option<T>, E> {
    let slices = Slices::new();
    wait_with(strategy, deadline, pulse, look, || (), idle, |nap| std::thread::sleep(slices.next(nap)))
}

/// Pauses between two looks of whoever has spun for so long: once at first, and once more for every 4 µs, up to 64 times. Two
/// threads may share a core's units, and who looks without end takes half of them from whom it waits for. What the pauses
/// add to a wait is about a hundredth of it.
#[inline]
fn spin(so_far: Duration) {
    let pauses = 1 + (so_far.as_nanos() >> 12).min(63);
    for _ in 0..pauses {
        std::hint::spin_loop();
    }
}

/// Waits until `look` finds something, or until `deadline`.
///
/// `prepare` announces the sleeper on `bell` and returns its ticket. `idle` runs when `pulse` is due, also at the
/// end of a wait that was shorter than a [`SLICE`]: it asks whether there is still somebody to wait for, and is
/// followed by one more `look`.
///
/// # Errors
/// Whatever `look` or `idle` returns.
pub(crate) fn wait_until<T, E>(
    bell: &Bell,
    strategy: WaitStrategy,
    deadline: Option<Instant>,
    pulse: &Pulse,
    look: impl FnMut() -> Result<Option<T>, E>,
    mut prepare: impl FnMut() -> u32,
    idle: impl FnMut() -> Result<(), E>,
) -> Result<Option<T>, E> {
    let ticket = Cell::new(0);
    let prepare = || ticket.set(prepare());
    let sleep = |nap| {
        futex::wait(&bell.word, ticket.get(), nap);
        pass_on(bell);
    };
    wait_with(strategy, deadline, pulse, look, prepare, idle, sleep)
}

/// As [`wait_until`], for whoever sleeps elsewhere than on one bell: `prepare` announces the sleeper, `sleep` sleeps
/// for at most as long as it is told, unless what was announced has been rung since.
///
/// # Errors
/// Whatever `look` or `idle` returns.
pub(crate) fn wait_with<T, E>(
    strategy: WaitStrategy,
    deadline: Option<Instant>,
    pulse: &Pulse,
    mut look: impl FnMut() -> Result<Option<T>, E>,
    mut prepare: impl FnMut(),
    mut idle: impl FnMut() -> Result<(), E>,
    mut sleep: impl FnMut(Duration),
) -> Result<Option<T>, E> {
    if let Some(found) = look()? {
        return Ok(Some(found));
    }
    let mut now = Instant::now();
    let is_late = |now| deadline.is_some_and(|deadline| now >= deadline);
    for (phase, relax) in
        [(strategy.spin, spin as fn(Duration)), (strategy.yielding, |_| std::thread::yield_now())]
    {
        let started = now;
        while now - started < phase && !is_late(now) {
            let so_far = now - started;
            for _ in 0..32 {
                if let Some(found) = look()? {
                    return Ok(Some(found));
                }
                relax(so_far);
            }
            now = Instant::now();
            if pulse.is_due(now) {
                idle()?;
            }
        }
    }
    loop {
        if pulse.is_due(now) {
            idle()?;
        }
        if is_late(now) {
            // Without announcing a sleeper that will not sleep: the publisher would pay for waking it.
            return look();
        }
        prepare();
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        now = Instant::now();
        if is_late(now) {
            return Ok(None);
        }
        let nap = deadline.map_or(SLICE, |deadline| (deadline - now).min(SLICE));
        sleep(nap);
        now = Instant::now();
    }
}
