//! Forked children: they are told, they break nothing, and they keep nobody alive.

use qadataswap::ErrorKind;
use qadataswap_tests::scene::Owed;
use qadataswap_tests::{Actor, Line, PROMPT, Role, Scene, check, table};
use std::time::Instant;

#[test]
fn a_forked_child_is_told_and_takes_nothing_from_its_parent() {
    let scene = Scene::new();
    Actor::start(&Role::Fork { ring: scene.ring("feed") }).finish();
}

#[test]
fn a_forked_child_awaits_by_a_thread_of_its_own() {
    let scene = Scene::new();
    Actor::start(&Role::ForkAwaiting { ring: scene.ring("feed").policy(Owed::Lossy) }).finish();
}

/// The writer is killed while a process that it started lives on: its death must show at once.
fn killed_parent(role: impl FnOnce(qadataswap_tests::Ring) -> Role) {
    const SEED: u64 = 41;
    let scene = Scene::new();
    let ring = scene.ring("feed").sleep();
    let mut parent = Actor::start(&role(ring.clone()));
    let Line::Fact(_, child) = parent.line() else { panic!("no child") };
    let reader = ring.reader().expect("attached");
    for sequence in 0..3 {
        let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
        assert_eq!(frame.sequence(), sequence);
        check(SEED, &frame).expect("whole");
    }
    assert!(reader.has_writer().expect("open"));
    parent.kill();
    let killed = Instant::now();
    assert!(std::path::Path::new(&format!("/proc/{child}/stat")).exists(), "the child lives on");
    let error = reader.read_frame(PROMPT).expect_err("nobody writes any more");
    assert_eq!(error.kind(), ErrorKind::WriterDied);
    let heir = ring.writer().expect("a new writer takes over at once");
    assert_eq!(heir.write_arrow(&table(SEED, 3)).expect("written"), 3);
    assert!(killed.elapsed() < PROMPT, "{:?}", killed.elapsed());
    assert!(std::path::Path::new(&format!("/proc/{child}/stat")).exists(), "the child still lives");
    let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
    check(SEED, &frame).expect("whole");
    drop(heir);
    // Its input ends, and so does the child.
    parent.close();
}

#[test]
fn a_forked_child_does_not_keep_a_killed_writer_alive() {
    killed_parent(|ring| Role::ForkAndStay { ring, seed: 41 });
}

#[test]
fn a_program_started_by_a_killed_writer_does_not_keep_it_alive() {
    killed_parent(|ring| Role::SpawnAndStay { ring, seed: 41 });
}
