//! Atomics and orderings of the ring protocol, each under a name one can search for.
//!
//! The ring (`ring.rs`, `wait.rs`) says *which* ordering it relies on by calling a function of this module;
//! this page says what each one is and which other end it pairs with. The model checker compiles the same
//! protocol files against its own copy of this module, in which every name below can be weakened one at a
//! time: a name whose weakening no model notices would be a name too many.
//!
//! | name | at | pairs with |
//! |---|---|---|
//! | [`publish`] | writer stores a directory stamp | [`observe`]: the frame's bytes are whole when its stamp is seen |
//! | [`observe`] | reader loads a directory stamp | [`publish`] |
//! | [`release_pin`] | reader clears its pin | [`scan_pins`]: its reads are over before the slot is rewritten |
//! | [`scan_pins`] | writer reads every pin | [`release_pin`] |
//! | [`leave`] | reader claims, takes or gives up its row | [`scan_rows`]: its reads are over before its pins are ignored |
//! | [`scan_rows`] | writer reads a row's state | [`leave`] |
//! | [`advance_head`] | writer stores `head` | [`load_head`] |
//! | [`load_head`] | joining or skipping reader | [`advance_head`]: entries below `head` carry stamps at least as new |
//! | [`set_state`] | writer stores the ring's state | [`load_state`]: every frame before the end is visible with the end |
//! | [`load_state`] | reader loads it | [`set_state`] |
//! | [`fence_pin`] | reader, between pin and re-check | [`fence_reclaim`] |
//! | [`fence_reclaim`] | writer, between mark and look | [`fence_pin`], [`fence_join`], [`fence_copied`] |
//! | [`fence_join`] | joining reader, between cursor and re-check | [`fence_reclaim`] |
//! | [`fence_sleep`] | waiter, between its flag and its last look | [`fence_wake`] |
//! | [`fence_wake`] | publisher, between what it published and its look for sleepers | [`fence_sleep`] |
//! | [`fence_copied`] | observer, between what it has read and its second look at the stamp | [`fence_reclaim`] |
//!
//! Cursors need no order of their own: see "Cursors" in `ring.rs`.

pub(crate) use crate::atomic::{AtomicU32, AtomicU64, Ordering};

macro_rules! orderings {
    ($names:ident: $($name:ident = $ordering:ident;)*) => {
        $(
            #[doc = concat!("Memory order `", stringify!($ordering), "`; see the table above.")]
            #[inline(always)]
            pub(crate) fn $name() -> Ordering {
                crate::atomic::ordering(stringify!($name), Ordering::$ordering)
            }
        )*
        /// The names above, for the model checker to go through.
        #[cfg(feature = "loom")]
        pub(crate) const $names: &[&str] = &[$(stringify!($name)),*];
    };
}

orderings! { ORDERINGS:
    publish = Release;
    observe = Acquire;
    release_pin = Release;
    scan_pins = Acquire;
    leave = Release;
    scan_rows = Acquire;
    advance_head = Release;
    load_head = Acquire;
    set_state = Release;
    load_state = Acquire;
}

macro_rules! fences {
    ($names:ident: $($name:ident = $fence:ident;)*) => {
        $(
            #[doc = concat!("A `", stringify!($fence), "` (see `atomic.rs`, and the table above).")]
            #[inline(always)]
            pub(crate) fn $name() {
                crate::atomic::$fence(stringify!($name));
            }
        )*
        /// The names above, for the model checker to go through.
        #[cfg(feature = "loom")]
        pub(crate) const $names: &[&str] = &[$(stringify!($name)),*];
    };
}

fences! { FENCES:
    fence_pin = full_fence_after_change;
    fence_reclaim = full_fence;
    fence_join = full_fence;
    fence_sleep = full_fence_after_change;
    fence_wake = full_fence;
    fence_copied = acquire_fence;
}
