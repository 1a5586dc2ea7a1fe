//! Whole data sets as streams, from every language to every other: all of it, or the reason why not.

use qadataswap_tests::crossing::Language;
use qadataswap_tests::scene::Full;
use qadataswap_tests::{Actor, Cpp, Line, PATIENCE, Python, Role, Scene};

const ROWS: u64 = 100_000;

/// Rust's own actors.
struct Rust;

impl Language for Rust {
    fn start(&self, role: &Role) -> Actor {
        Actor::start(role)
    }
}

/// A data set of many times the ring's size, in chunks that fit a slot and in chunks that do not.
fn transfer(from: &impl Language, to: &impl Language) {
    for (chunk, fail, reader_first) in
        [(777, false, true), (50_000, false, false), (777, true, false), (50_000, true, true)]
    {
        let scene = Scene::new();
        let ring = scene
            .ring("set")
            .slot_bytes(1 << 15)
            .full(Full::Block(Some(PATIENCE.as_millis() as u64)))
            .attach_within(PATIENCE);
        let send = Role::Send { ring: ring.clone(), rows: ROWS, chunk, fail };
        let take = Role::Take { ring };
        // The writer waits for the first reader, the reader for the ring.
        let (sending, taking) = if reader_first {
            let taking = to.start(&take);
            (from.start(&send), taking)
        } else {
            let sending = from.start(&send);
            sending.opens();
            (sending, to.start(&take))
        };
        if reader_first {
            sending.opens();
        }
        taking.opens();
        for (what, number) in [
            ("rows", if fail { 50_000..=50_777 } else { ROWS..=ROWS }),
            ("total", ROWS..=ROWS),
            ("aborted", fail.into()..=fail.into()),
        ] {
            match taking.line() {
                Line::Fact(said, found) if said == what => {
                    assert!(number.contains(&found), "{what}: {found} is not within {number:?}");
                }
                line => panic!("{line:?} instead of {what}"),
            }
        }
        sending.finish();
        taking.finish();
    }
}

#[test]
fn a_data_set_goes_from_rust_to_rust() {
    transfer(&Rust, &Rust);
}

#[test]
fn data_sets_go_between_rust_and_cpp() {
    if let Some(cpp) = Cpp::ready() {
        transfer(&Rust, &cpp);
        transfer(&cpp, &Rust);
        transfer(&cpp, &cpp);
    }
}

#[test]
fn data_sets_go_between_rust_and_python() {
    if let Some(python) = Python::ready() {
        transfer(&Rust, &python);
        transfer(&python, &Rust);
        transfer(&python, &python);
    }
}

#[test]
fn data_sets_go_between_cpp_and_python() {
    if let (Some(cpp), Some(python)) = (Cpp::ready(), Python::ready()) {
        transfer(&cpp, &python);
        transfer(&python, &cpp);
    }
}
