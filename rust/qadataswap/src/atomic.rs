//! The machine's atomics. The model checker has a module of this name of its own, in which every ordering can
//! be weakened by its name.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The ordering that `_name` stands for.
#[inline(always)]
pub(crate) fn ordering(_name: &str, ordering: Ordering) -> Ordering {
    ordering
}

/// The sequentially consistent fence that `_name` stands for.
#[inline(always)]
pub(crate) fn full_fence(_name: &str) {
    std::sync::atomic::fence(Ordering::SeqCst);
}
