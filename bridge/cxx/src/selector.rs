//! Selectors, as C++ holds them.

use crate::handles::{Reader, boxed, drop_boxed};
use crate::options::{duration, wait_strategy};
use crate::status::{attempt, status};
use qadataswap::{SelectorWaker, Timeout};

/// A selector, and what ends its waits.
pub(crate) struct Selector {
    selector: qadataswap::Selector,
    waker: SelectorWaker,
}

pub(crate) fn open_selector(spin_ns: i64, yield_ns: i64) -> *mut Selector {
    boxed(attempt(|| {
        let selector = qadataswap::Selector::with_strategy(wait_strategy(spin_ns, yield_ns));
        let waker = selector.waker();
        Ok(Selector { selector, waker })
    }))
}

/// Ends a selector.
///
/// # Safety
/// It is not used any more.
pub(crate) unsafe fn drop_selector(selector: *mut Selector) {
    // SAFETY: the caller's word; it came from `boxed`.
    unsafe { drop_boxed(selector) }
}

impl Selector {
    pub(crate) fn add(&self, key: u64, reader: &Reader) -> i32 {
        status(|| self.selector.add(key, &reader.0))
    }

    pub(crate) fn remove(&self, key: u64) -> bool {
        attempt(|| Ok(self.selector.remove(key))).unwrap_or(false)
    }

    pub(crate) fn size(&self) -> usize {
        self.selector.len()
    }

    pub(crate) fn wait(&self, timeout_ns: i64, keys: &mut [u64], count: &mut usize) -> i32 {
        status(|| {
            let ready = self.selector.wait(Timeout::from(duration(timeout_ns)));
            for (key, &found) in keys.iter_mut().zip(&ready) {
                *key = found;
            }
            *count = ready.len();
            Ok(())
        })
    }

    /// Allocates nothing and takes no lock: a handler of signals may call it.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }
}
