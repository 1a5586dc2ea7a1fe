//! Memory in the slot of a writer's next frame.

use crate::handles::{Writer, boxed};
use crate::status::{attempt, invalid};

/// A writer's pool, one reference to it.
pub(crate) struct Pool(());

impl Writer {
    pub(crate) fn pool(&self) -> *mut Pool {
        boxed(attempt(|| Err(invalid(&self.0.name(), "pools are not there yet"))))
    }
}

pub(crate) unsafe fn retain_pool(_: *mut Pool) {}
pub(crate) unsafe fn release_pool(_: *mut Pool) {}

impl Pool {
    pub(crate) fn allocate(&self, _: usize, _: usize) -> *mut u8 {
        std::ptr::null_mut()
    }
    pub(crate) unsafe fn reallocate(&self, _: *mut u8, _: usize, _: usize, _: usize) -> *mut u8 {
        std::ptr::null_mut()
    }
    pub(crate) unsafe fn free(&self, _: *mut u8, _: usize) {}
    pub(crate) unsafe fn owns(&self, _: *const u8) -> bool {
        false
    }
}
