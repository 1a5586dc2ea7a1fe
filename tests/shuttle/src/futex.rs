//! A model of the kernel's futex: comparing and going to sleep are one step, and a wake reaches those who sleep on that
//! very word, no others. There is no time here: whoever is never woken is a deadlock, which the scheduler reports.
//!
//! The product sleeps in slices, after which it looks again and asks who lives. Here a slice ends when somebody has died,
//! and only then: whoever sleeps, or falls asleep for the first time since, looks once more. A wake that is lost otherwise
//! stays lost.

use crate::atomic::AtomicU32;
use crate::process::{THREADS, step};
use shuttle::thread::{self, Thread, ThreadId};
use std::cell::{Cell, RefCell};
use std::time::Duration;

struct Sleeper {
    thread: Thread,
    words: [*const AtomicU32; 2],
}

thread_local! {
    static SLEEPERS: RefCell<Vec<Sleeper>> = const { RefCell::new(Vec::new()) };
    /// Slices that have ended, for everybody and as each thread knows of them.
    static SLICES: Cell<u64> = const { Cell::new(0) };
    static KNOWN: [Cell<u64>; THREADS] = const { [const { Cell::new(0) }; THREADS] };
}

/// Sets the stage for a new schedule: the one before it may have failed with sleepers.
pub(crate) fn reset() {
    SLEEPERS.with_borrow_mut(Vec::clear);
    SLICES.set(0);
    KNOWN.with(|known| known.iter().for_each(|known| known.set(0)));
}

/// Whether a slice has ended since this thread last asked.
fn has_slice_ended() -> bool {
    let slices = SLICES.get();
    KNOWN.with(|known| known[usize::from(shuttle::current::me())].replace(slices) != slices)
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, _timeout: Duration) {
    wait_any(&[(word, expected)]);
}

/// As `wait`, on two words at most.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)]) {
    step();
    if words.iter().any(|(word, expected)| word.peek() != *expected) || has_slice_ended() {
        return;
    }
    let thread = thread::current();
    let me = thread.id();
    let mut all = [std::ptr::null(); 2];
    for (place, (word, _)) in all.iter_mut().zip(words) {
        *place = std::ptr::from_ref(*word);
    }
    SLEEPERS.with_borrow_mut(|sleepers| sleepers.push(Sleeper { thread, words: all }));
    while sleeps(me) {
        thread::park();
    }
}

fn sleeps(who: ThreadId) -> bool {
    SLEEPERS.with_borrow(|sleepers| sleepers.iter().any(|sleeper| sleeper.thread.id() == who))
}

/// The fewest: of two sleepers the second one is woken by the first.
pub(crate) const FEW: usize = 1;

pub(crate) fn wake(word: &AtomicU32) -> usize {
    step();
    rouse(FEW, sleeps_on(word))
}

pub(crate) fn wake_all(word: &AtomicU32) {
    step();
    rouse(usize::MAX, sleeps_on(word));
}

fn sleeps_on(word: &AtomicU32) -> impl Fn(&Sleeper) -> bool {
    |sleeper| sleeper.words.contains(&std::ptr::from_ref(word))
}

/// Somebody has died: whoever sleeps finds out within a slice.
pub(crate) fn slice_ends() {
    SLICES.set(SLICES.get() + 1);
    rouse(usize::MAX, |_| true);
}

/// Wakes so many of those chosen, those first who have slept for longest; returns how many.
fn rouse(most: usize, chosen: impl Fn(&Sleeper) -> bool) -> usize {
    let woken: Vec<_> = SLEEPERS
        .with_borrow_mut(|sleepers| sleepers.extract_if(.., |sleeper| chosen(sleeper)).take(most).collect());
    for sleeper in &woken {
        sleeper.thread.unpark();
    }
    woken.len()
}
