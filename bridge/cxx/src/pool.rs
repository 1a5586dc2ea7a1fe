//! Memory in the slot of a writer's next frame.
//!
//! A [`Pool`] is the core's behind its reference count: the address that C++ holds is the one that every call of
//! `pool` on one writer yields.

use crate::handles::Writer;
use crate::status::attempt;
use qadataswap::ffi;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

/// A writer's pool.
#[repr(transparent)]
pub(crate) struct Pool(ffi::Pool);

impl Writer {
    /// The pool, one reference to which is the caller's.
    pub(crate) fn pool(&self) -> *mut Pool {
        let pool = attempt(|| {
            let _alone = self.0.lock();
            self.0.pool()
        });
        pool.map_or(null_mut(), |pool| Arc::into_raw(pool).cast_mut().cast())
    }
}

/// # Safety
/// The caller has a reference.
pub(crate) unsafe fn retain_pool(pool: *mut Pool) {
    // SAFETY: the address came from `Arc::into_raw`, and a reference to it is left by the caller's word.
    unsafe { Arc::increment_strong_count(pool.cast::<ffi::Pool>()) }
}

/// # Safety
/// The caller has a reference and gives it up.
pub(crate) unsafe fn release_pool(pool: *mut Pool) {
    attempt(|| {
        // SAFETY: as above; the last one to go unmaps the region.
        unsafe { Arc::decrement_strong_count(pool.cast::<ffi::Pool>()) };
        Ok(())
    });
}

/// Null where there is no room.
fn address(memory: Option<Option<NonNull<u8>>>) -> *mut u8 {
    memory.flatten().map_or(null_mut(), NonNull::as_ptr)
}

impl Pool {
    pub(crate) fn allocate(&self, size: usize, alignment: usize) -> *mut u8 {
        address(attempt(|| Ok(self.0.allocate(size, alignment))))
    }

    /// # Safety
    /// As [`ffi::Pool::reallocate`].
    pub(crate) unsafe fn reallocate(&self, memory: *mut u8, size: usize, alignment: usize) -> *mut u8 {
        address(attempt(|| {
            // SAFETY: the caller's word.
            Ok(NonNull::new(memory).and_then(|memory| unsafe { self.0.reallocate(memory, size, alignment) }))
        }))
    }

    /// # Safety
    /// As [`ffi::Pool::free`].
    pub(crate) unsafe fn free(&self, memory: *mut u8) {
        attempt(|| {
            if let Some(memory) = NonNull::new(memory) {
                // SAFETY: the caller's word.
                unsafe { self.0.free(memory) };
            }
            Ok(())
        });
    }

    pub(crate) fn owns(&self, memory: *const u8) -> bool {
        self.0.owns(memory)
    }
}
