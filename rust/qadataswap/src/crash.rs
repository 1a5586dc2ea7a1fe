//! Points at which a test has the process die: between any two effects that another process can see.
//!
//! The product has none of this: here a point is an empty function, and the atomics of `atomic.rs` are the standard
//! library's own, which a constant asserts. The package `tests/crash` compiles these same sources with the feature
//! `crash-points`, which the crate itself does not have, so that no program and no other test can have it switched on,
//! by unification of features or by mistake.
//!
//! Law: a point stands before every store to a shared word, every system call that changes what others find (files,
//! names, locks, wakes) and every piece of a frame that is copied. What others see of a death is what had happened before
//! it, so a point before each effect, and a death after the last one, are all deaths that there are.

#[cfg(not(feature = "crash-points"))]
mod points {
    /// Nothing happens here.
    #[inline(always)]
    pub(crate) const fn point() {}

    /// What is written in one go, in one piece.
    #[inline(always)]
    pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        std::iter::once(bytes)
    }
}
#[cfg(not(feature = "crash-points"))]
pub(crate) use points::{pieces, point};

#[cfg(feature = "crash-points")]
mod points {
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Points passed since the process was armed.
    static PASSED: AtomicU64 = AtomicU64::new(0);
    /// The point at which it dies; 0 if it is not armed.
    static DEADLY: AtomicU64 = AtomicU64::new(0);

    /// From now on points count, and the process dies at the one of this number, counted from 1.
    pub fn arm(deadly: u64) {
        PASSED.store(0, Ordering::SeqCst);
        DEADLY.store(deadly, Ordering::SeqCst);
    }

    /// Points passed since the process was armed.
    #[must_use]
    pub fn passed() -> u64 {
        PASSED.load(Ordering::SeqCst)
    }

    /// The process dies here, if it is here that it is to.
    pub(crate) fn point() {
        let deadly = DEADLY.load(Ordering::SeqCst);
        if deadly != 0 && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == deadly {
            die();
        }
    }

    /// Dies as a process does that is killed.
    pub fn die() -> ! {
        loop {
            // Nothing can refuse it.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    /// What is written in one go, in halves: who is killed in a system call may have written some of it.
    pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        [first, second].into_iter()
    }
}
#[cfg(feature = "crash-points")]
pub use points::{arm, die, passed};
#[cfg(feature = "crash-points")]
pub(crate) use points::{pieces, point};
