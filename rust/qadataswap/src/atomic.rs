//! The machine's atomics. The model checker has a module of this name of its own, in which every ordering can
//! be weakened by its name; with the feature `crash-points` (see `crash.rs`) they are the machine's with a point before
//! every store.
//!
//! A sequentially consistent fence is `mfence` to the compiler on x86-64, which waits for more than the fence is for: any
//! locked instruction orders memory as strictly (Intel, Software Developer's Manual 3A, 8.2.5; AMD, Architecture Programmer's
//! Manual 2, 7.2) and takes a fraction of the time. So here a fence is one, and none at all right behind a locked instruction of the
//! protocol's own.

#[cfg(not(feature = "crash-points"))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(feature = "crash-points")]
pub(crate) use mortal::{AtomicU32, AtomicU64, word};

pub(crate) use std::sync::atomic::Ordering;

/// In the product they are the standard library's types themselves.
#[cfg(not(feature = "crash-points"))]
mod are_the_machines {
    const _: fn(super::AtomicU32) -> std::sync::atomic::AtomicU32 = std::convert::identity;
    const _: fn(super::AtomicU64) -> std::sync::atomic::AtomicU64 = std::convert::identity;
}

/// The ordering that `_name` stands for.
#[inline(always)]
pub(crate) fn ordering(_name: &str, ordering: Ordering) -> Ordering {
    ordering
}

/// The sequentially consistent fence that `_name` stands for.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn full_fence(_name: &str) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

/// The sequentially consistent fence that `_name` stands for.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) fn full_fence(_name: &str) {
    // SAFETY: changes nothing: no bit is added to a word of this thread's own stack, and the flags are said to be changed. To the
    // compiler it may read and write all memory, so it moves no access across.
    unsafe {
        std::arch::asm!("lock or dword ptr [rsp], 0", options(nostack));
    }
}

/// The sequentially consistent fence that `_name` stands for, where the last thing that this thread has done is to change a
/// shared word by an atomic read-modify-write.
#[inline(always)]
pub(crate) fn full_fence_after_change(name: &str) {
    if cfg!(target_arch = "x86_64") {
        // That was a locked instruction. Only the compiler is still to be told.
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        full_fence(name);
    }
}

/// The fence by which what was read before it is older than what is read after it, that `_name` stands for.
#[inline(always)]
pub(crate) fn acquire_fence(_name: &str) {
    std::sync::atomic::fence(Ordering::Acquire);
}

/// The word that the kernel is shown.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) fn word(word: &AtomicU32) -> &AtomicU32 {
    word
}

#[cfg(feature = "crash-points")]
mod mortal {
    use super::Ordering;
    use crate::crash::point;

    /// The word that the kernel is shown.
    pub(crate) fn word(word: &AtomicU32) -> &std::sync::atomic::AtomicU32 {
        &word.0
    }

    macro_rules! mortal {
        ($($name:ident($word:ty);)*) => {$(
            /// The standard library's type of this name, in the very same bytes. A method that stores and is not named
            /// here does not compile, so no store goes without its point.
            #[repr(transparent)]
            #[derive(Debug)]
            pub(crate) struct $name(std::sync::atomic::$name);

            #[allow(dead_code, reason = "not every method of every width is needed")]
            impl $name {
                pub(crate) const fn new(word: $word) -> $name {
                    $name(std::sync::atomic::$name::new(word))
                }

                pub(crate) fn load(&self, order: Ordering) -> $word {
                    self.0.load(order)
                }

                pub(crate) fn store(&self, word: $word, order: Ordering) {
                    point();
                    self.0.store(word, order);
                }

                pub(crate) fn compare_exchange(
                    &self,
                    current: $word,
                    new: $word,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$word, $word> {
                    point();
                    self.0.compare_exchange(current, new, success, failure)
                }

                mortal! { @each $word: swap fetch_add fetch_and fetch_or fetch_max }
            }
        )*};
        (@each $word:ty: $($method:ident)*) => {$(
            pub(crate) fn $method(&self, word: $word, order: Ordering) -> $word {
                point();
                self.0.$method(word, order)
            }
        )*};
    }

    mortal! {
        AtomicU32(u32);
        AtomicU64(u64);
    }
}
