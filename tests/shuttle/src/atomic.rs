//! Atomics of which every access is a step: others may come before it, and the actor may die before it.
//!
//! Law: sequentially consistent, whatever order is asked for. All actors of a schedule run on one thread of the machine,
//! one at a time, so the words themselves need no order.

use crate::process::step;
pub(crate) use std::sync::atomic::Ordering;
use std::sync::atomic::Ordering::Relaxed;

macro_rules! atomic {
    ($name:ident, $integer:ty) => {
        pub(crate) struct $name(std::sync::atomic::$name);

        impl $name {
            pub(crate) const fn new(value: $integer) -> $name {
                $name(std::sync::atomic::$name::new(value))
            }

            /// Its value, for the kernel and for those who check: no step.
            pub(crate) fn peek(&self) -> $integer {
                self.0.load(Relaxed)
            }

            pub(crate) fn load(&self, _order: Ordering) -> $integer {
                step();
                self.0.load(Relaxed)
            }

            pub(crate) fn store(&self, value: $integer, _order: Ordering) {
                step();
                self.0.store(value, Relaxed);
            }

            pub(crate) fn swap(&self, value: $integer, _order: Ordering) -> $integer {
                step();
                self.0.swap(value, Relaxed)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $integer,
                new: $integer,
                _success: Ordering,
                _failure: Ordering,
            ) -> Result<$integer, $integer> {
                step();
                self.0.compare_exchange(current, new, Relaxed, Relaxed)
            }

            pub(crate) fn fetch_add(&self, value: $integer, _order: Ordering) -> $integer {
                step();
                self.0.fetch_add(value, Relaxed)
            }

            pub(crate) fn fetch_or(&self, value: $integer, _order: Ordering) -> $integer {
                step();
                self.0.fetch_or(value, Relaxed)
            }

            pub(crate) fn fetch_and(&self, value: $integer, _order: Ordering) -> $integer {
                step();
                self.0.fetch_and(value, Relaxed)
            }

            pub(crate) fn fetch_max(&self, value: $integer, _order: Ordering) -> $integer {
                step();
                self.0.fetch_max(value, Relaxed)
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);

/// The ordering that `_name` stands for.
pub(crate) fn ordering(_name: &str, ordering: Ordering) -> Ordering {
    ordering
}

/// The fence that `_name` stands for: everything is in order here.
pub(crate) fn full_fence(_name: &str) {}

/// As `full_fence`, for one right behind an atomic read-modify-write.
pub(crate) fn full_fence_after_change(name: &str) {
    full_fence(name);
}

/// As `full_fence`, for one that acquires.
pub(crate) fn acquire_fence(_name: &str) {}
