//! The model checker's atomics, and the one ordering or fence that is weakened in this run, if any.

pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;

/// The environment variable that names what to weaken.
pub(crate) const WEAKEN: &str = "QADATASWAP_WEAKEN";

fn is_weakened(name: &str) -> bool {
    static WEAKENED: OnceLock<Option<String>> = OnceLock::new();
    WEAKENED.get_or_init(|| std::env::var(WEAKEN).ok()).as_deref() == Some(name)
}

/// The ordering that `name` stands for, or `Relaxed` in the run that weakens it.
pub(crate) fn ordering(name: &str, ordering: Ordering) -> Ordering {
    if is_weakened(name) { Ordering::Relaxed } else { ordering }
}

/// The fence that `name` stands for, or nothing in the run that weakens it.
pub(crate) fn full_fence(name: &str) {
    if !is_weakened(name) {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }
}

/// As `full_fence`, for one right behind an atomic read-modify-write.
pub(crate) fn full_fence_after_change(name: &str) {
    full_fence(name);
}

/// As `full_fence`, for one that acquires.
pub(crate) fn acquire_fence(name: &str) {
    if !is_weakened(name) {
        loom::sync::atomic::fence(Ordering::Acquire);
    }
}
