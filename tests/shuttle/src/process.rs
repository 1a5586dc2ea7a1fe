//! Actors as processes: each may die before any step, and what the kernel does about it.
//!
//! Law: a dead process does nothing more, its locks are free at once, and what it has stored stays. Death is an unwinding
//! that nobody but [`live`] catches, through code whose drops store nothing that is shared but those locks.

use crate::futex;
use shuttle::thread;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Most threads of a scene.
pub(crate) const THREADS: usize = 16;

thread_local! {
    /// Steps that each thread has to live; 0 if it dies of nothing.
    static FUSES: [Cell<u64>; THREADS] = const { [const { Cell::new(0) }; THREADS] };
}

/// What a death unwinds with.
struct Died;

/// Lets others come first, unless this was the actor's last step.
pub(crate) fn step() {
    let me = usize::from(shuttle::current::me());
    let dies = FUSES.with(|fuses| {
        let left = fuses[me].get();
        fuses[me].set(left.saturating_sub(1));
        left == 1
    });
    if dies {
        resume_unwind(Box::new(Died));
    }
    thread::sleep(Duration::ZERO);
}

/// Sets the stage for a new schedule.
pub(crate) fn reset() {
    FUSES.with(|fuses| fuses.iter().for_each(|fuse| fuse.set(0)));
    futex::reset();
}

/// Runs a process that dies before its step number `fuse`, if that is not 0, and if it takes so many; `None` if it died.
pub(crate) fn live<T>(fuse: u64, act: impl FnOnce() -> T) -> Option<T> {
    let me = usize::from(shuttle::current::me());
    let set = |fuse| FUSES.with(|fuses| fuses[me].set(fuse));
    set(fuse);
    let ended = catch_unwind(AssertUnwindSafe(act));
    set(0);
    match ended {
        Ok(value) => Some(value),
        Err(cause) if cause.is::<Died>() => None,
        Err(cause) => resume_unwind(cause),
    }
}

/// A lock that the kernel drops when its owner dies.
pub(crate) struct Lock(AtomicBool);

/// What is held of it.
pub(crate) struct Held<'a>(&'a AtomicBool);

impl Lock {
    pub(crate) const fn new() -> Lock {
        Lock(AtomicBool::new(false))
    }

    pub(crate) fn try_take(&self) -> Option<Held<'_>> {
        step();
        (!self.0.swap(true, Relaxed)).then(|| Held(&self.0))
    }

    pub(crate) fn take(&self) -> Held<'_> {
        loop {
            match self.try_take() {
                Some(held) => return held,
                None => thread::yield_now(),
            }
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        step();
        self.0.load(Relaxed)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}
