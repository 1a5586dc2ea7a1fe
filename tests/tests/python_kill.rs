//! SIGKILL at any moment, as in `kill.rs`, among actors in Rust and in Python. An interpreter takes long to start, so there
//! are fewer of them.
//!
//! `QADATASWAP_KILLS` says how many kills there are in all tests together; some hundreds unless given.

use qadataswap_tests::crossing::Language as _;
use qadataswap_tests::frames::Words;
use qadataswap_tests::{Actor, Python, Role, kills};

/// Every third actor of those that `may_be` lets is in Python.
fn some(python: Python, seed: u64, may_be: fn(&Role) -> bool) -> impl FnMut(&Role) -> Actor {
    let mut words = Words::new(seed);
    move |role| match may_be(role) && words.below(3) == 0 {
        true => python.start(role),
        false => Actor::start(role),
    }
}

#[test]
fn killed_writers_in_python_leave_whole_frames_and_their_heirs_go_on() {
    let Some(python) = Python::ready() else { return };
    let is_writer = |role: &Role| matches!(role, Role::Write { .. });
    kills::of_writers(kills::effort(10), &mut some(python, 31, is_writer));
}

#[test]
fn killed_readers_in_python_neither_stall_the_writer_nor_leave_a_pin() {
    let Some(python) = Python::ready() else { return };
    let is_reader = |role: &Role| matches!(role, Role::Follow { .. });
    kills::of_readers(kills::effort(10), &mut some(python, 32, is_reader));
}

#[test]
fn kills_on_all_sides_with_python_among_them_tear_no_frame() {
    let Some(python) = Python::ready() else { return };
    kills::of_anybody(kills::effort(10), &mut some(python, 33, |_| true));
}
