//! Memory that is no atomic: a slot. Whoever reads it while somebody writes it, or after a writer has died at it, fails.

use crate::process::step;
use std::cell;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

pub(crate) struct UnsafeCell<T> {
    value: cell::UnsafeCell<T>,
    /// Readers at present, or one of the two below.
    users: AtomicU32,
}

/// Somebody writes.
const WRITTEN: u32 = u32::MAX;
/// A writer has died here.
const TORN: u32 = u32::MAX - 1;

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell { value: cell::UnsafeCell::new(value), users: AtomicU32::new(0) }
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
        let users = self.users.load(Relaxed);
        assert!(users < TORN, "a slot is read that {}", if users == TORN { "is torn" } else { "is written" });
        self.users.store(users + 1, Relaxed);
        let _reading = Reading(&self.users);
        step();
        let found = look(self.value.get());
        step();
        found
    }

    pub(crate) fn with_mut<R>(&self, fill: impl FnOnce(*mut T) -> R) -> R {
        let users = self.users.swap(WRITTEN, Relaxed);
        assert!(users == 0 || users == TORN, "a slot is written that {users} others use");
        let writing = Writing(&self.users);
        step();
        let filled = fill(self.value.get());
        step();
        std::mem::forget(writing);
        self.users.store(0, Relaxed);
        filled
    }
}

/// Also the dead read no more.
struct Reading<'a>(&'a AtomicU32);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.store(self.0.load(Relaxed) - 1, Relaxed);
    }
}

/// Dropped only by whoever dies.
struct Writing<'a>(&'a AtomicU32);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.store(TORN, Relaxed);
    }
}
