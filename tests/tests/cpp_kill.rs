//! SIGKILL at any moment, as in `kill.rs`, among actors in Rust and in C++.
//!
//! `QADATASWAP_KILLS` says how many kills there are in all tests together; some hundreds unless given.

use qadataswap_tests::crossing::Language as _;
use qadataswap_tests::frames::Words;
use qadataswap_tests::{Actor, Cpp, Role, kills, note};

/// Plays a scenario with actors of the language that `in_cpp` says.
fn cast(cpp: Cpp, mut in_cpp: impl FnMut(&Role) -> bool, scenario: impl FnOnce(&mut kills::Cast<'_>)) {
    let mut played = [0, 0];
    scenario(&mut |role| {
        let chosen = in_cpp(role);
        played[usize::from(chosen)] += 1;
        if chosen { cpp.start(role) } else { Actor::start(role) }
    });
    let [rust, in_cpp] = played;
    note(&format!("{rust} actors in Rust, {in_cpp} in C++"));
    assert!(rust > 0 && in_cpp > 0, "only one language was cast");
}

#[test]
fn killed_writers_of_both_languages_leave_whole_frames_and_their_heirs_go_on() {
    let Some(cpp) = Cpp::ready() else { return };
    let mut words = Words::new(21);
    cast(cpp, |_| words.below(2) == 0, |cast| kills::of_writers(kills::effort(20), cast));
}

#[test]
fn killed_readers_in_cpp_neither_stall_a_writer_in_rust_nor_leave_a_pin() {
    let Some(cpp) = Cpp::ready() else { return };
    let in_cpp = |role: &Role| matches!(role, Role::Follow { .. });
    cast(cpp, in_cpp, |cast| kills::of_readers(kills::effort(10), cast));
}

#[test]
fn killed_readers_of_both_languages_neither_stall_a_writer_in_cpp_nor_leave_a_pin() {
    let Some(cpp) = Cpp::ready() else { return };
    let mut words = Words::new(22);
    let in_cpp = |role: &Role| matches!(role, Role::Write { .. }) || words.below(2) == 0;
    cast(cpp, in_cpp, |cast| kills::of_readers(kills::effort(10), cast));
}

#[test]
fn kills_on_all_sides_of_both_languages_tear_no_frame() {
    let Some(cpp) = Cpp::ready() else { return };
    let mut words = Words::new(23);
    cast(cpp, |_| words.below(2) == 0, |cast| kills::of_anybody(kills::effort(20), cast));
}
