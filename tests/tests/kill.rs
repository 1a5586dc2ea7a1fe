//! SIGKILL at any moment: whoever survives sees whole frames, in order, and is not held up.
//!
//! `QADATASWAP_KILLS` says how many kills there are in all tests together; some hundreds unless given.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use qadataswap::ErrorKind;
use qadataswap::inspect::RingState;
use qadataswap_tests::frames::Words;
use qadataswap_tests::kills::{self, SEED, nap};
use qadataswap_tests::scene::{Full, Owed};
use qadataswap_tests::{Actor, Line, PATIENCE, PROMPT, Ring, Role, Scene, check, eventually, skip, table};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn writer(ring: &Ring, until: Option<u64>, stay: bool, wait: bool) -> Actor {
    kills::writer(&mut Actor::start, ring, until, stay, wait)
}

fn follower(ring: &Ring, hold: usize) -> Actor {
    kills::follower(&mut Actor::start, ring, hold)
}

#[test]
fn killed_writers_leave_whole_frames_and_their_heirs_go_on() {
    kills::of_writers(kills::effort(60), &mut Actor::start);
}

#[test]
fn killed_readers_neither_stall_the_writer_nor_leave_a_pin() {
    kills::of_readers(kills::effort(60), &mut Actor::start);
}

#[test]
fn kills_on_all_sides_tear_no_frame() {
    kills::of_anybody(kills::effort(60), &mut Actor::start);
}

#[test]
fn a_dead_ring_that_nobody_reads_is_removed_by_gc() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut writing = writer(&ring, Some(3), true, false);
    writing.opens();
    writing.says(&Line::Wrote { next: 3 });
    assert_eq!(scene.gc(), [""; 0], "its writer lives");
    writing.kill();
    assert_eq!(scene.gc(), ["feed"]);
}

#[test]
fn what_a_killed_writer_published_is_read_before_its_death_is_told() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut writing = writer(&ring, Some(4), true, false);
    writing.opens();
    writing.says(&Line::Wrote { next: 4 });
    writing.kill();
    let reader = ring.reader().expect("an orphaned ring can be read");
    for sequence in 0..4 {
        let frame = reader.read_frame(PROMPT).expect("no error before the frames").expect("a frame");
        assert_eq!(frame.sequence(), sequence);
        check(SEED, &frame).expect("whole");
    }
    let error = reader.read_frame(PROMPT).expect_err("nothing more comes");
    assert_eq!(error.kind(), ErrorKind::WriterDied);
    assert!(!reader.has_writer().expect("open"));
}

/// What a writer leaves that is killed between two of its stores: the region's bytes at that moment.
fn killed_between(alter: impl Fn(&std::fs::File, u64, u64)) -> (Scene, Ring) {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut writing = writer(&ring, Some(6), true, false);
    writing.opens();
    writing.says(&Line::Wrote { next: 6 });
    writing.kill();
    let layout = qadataswap::describe_layout(ring.slots as u32, ring.max_readers as u32, ring.slot_bytes);
    let layout = layout.expect("in range");
    let find = |name: &str| layout.iter().find(|field| field.name == name).expect("a part").offset;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(ring.path()).expect("ours");
    alter(&file, find("Head") + find("Head.frames"), find("Entry × buffer_count") + find("Entry.stamp"));
    (scene, ring)
}

/// The word that a directory stamp of this kind is: 1 published, 2 asked.
fn stamp(kind: u64, sequence: u64) -> [u8; 8] {
    (((sequence + 1) << 2) | kind).to_ne_bytes()
}

#[test]
fn a_frame_that_was_published_but_not_yet_counted_counts() {
    for latest in [false, true] {
        let (scene, ring) = killed_between(|file, head, _| {
            file.write_all_at(&5u64.to_ne_bytes(), head).expect("ours");
        });
        assert_eq!(scene.info("feed").expect("there").frames, 5);
        let reader = ring.clone().policy(if latest { Owed::Latest } else { Owed::Lossless }).reader();
        let reader = reader.expect("attached");
        let mut read = Vec::new();
        let error = loop {
            match reader.read_frame(PROMPT) {
                Ok(frame) => {
                    let frame = frame.expect("a frame or its writer's death");
                    check(SEED, &frame).expect("whole");
                    read.push(frame.sequence());
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WriterDied);
        assert_eq!(read.last(), Some(&5), "{read:?}");
        assert!(latest || read == [2, 3, 4, 5], "{read:?}");
        let heir = ring.writer().expect("taken over");
        assert_eq!(heir.write_arrow(&table(SEED, 6)).expect("written"), 6);
        check(SEED, &reader.read_frame(PROMPT).expect("no error").expect("a frame")).expect("whole");
        drop((reader, heir));
        // What a latest reader jumped over has been read by nobody.
        scene.gc();
    }
    // Also when nobody but the heir has looked.
    let (scene, ring) = killed_between(|file, head, _| {
        file.write_all_at(&5u64.to_ne_bytes(), head).expect("ours");
    });
    assert_eq!(ring.writer().expect("taken over").stats().frames_published, 6);
    scene.gc();
}

#[test]
fn a_frame_that_a_killed_writer_asked_about_stands() {
    // Four slots: frames 2 to 5 stand, entry 2 is that of frame 2.
    let ask = |file: &std::fs::File, _, entries: u64| {
        let mut word = [0; 8];
        file.read_exact_at(&mut word, entries + 2 * 64).expect("ours");
        assert_eq!(word, stamp(1, 2), "frame 2 stands in entry 2");
        file.write_all_at(&stamp(2, 2), entries + 2 * 64).expect("ours");
    };
    let (scene, ring) = killed_between(ask);
    let heir = ring.writer().expect("taken over");
    let standing: Vec<_> = scene.info("feed").expect("live").standing.iter().map(|f| f.sequence).collect();
    assert_eq!(standing, [2, 3, 4, 5]);
    let reader = ring.reader().expect("attached");
    for sequence in 2..6 {
        let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
        assert_eq!(frame.sequence(), sequence);
        check(SEED, &frame).expect("whole");
    }
    drop(heir);
}

#[test]
fn a_sleeping_reader_hears_of_the_writers_death() {
    let scene = Scene::new();
    let ring = scene.ring("feed").sleep();
    let mut writing = writer(&ring, Some(0), true, false);
    writing.opens();
    let reader = ring.reader().expect("attached");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || reader.read_frame(PATIENCE).map(|frame| frame.is_some()));
        eventually("the reader waits", || scene.info("feed").is_ok_and(|info| info.readers.len() == 1));
        writing.kill();
        let died = Instant::now();
        let result = waiting.join().expect("no panic");
        assert_eq!(result.expect_err("nothing was written").kind(), ErrorKind::WriterDied);
        assert!(died.elapsed() < PROMPT, "told only after {:?}", died.elapsed());
    });
}

#[test]
fn a_killed_reader_that_held_every_slot_holds_none() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(3);
    let writing = ring.writer().expect("created");
    for sequence in 0..3 {
        writing.write_arrow(&table(SEED, sequence)).expect("written");
    }
    let mut holder = follower(&ring, 3);
    holder.opens();
    eventually("it holds all", || scene.info("feed").is_ok_and(|info| info.readers[0].pins == 3));
    assert_eq!(writing.try_write_arrow(&table(SEED, 3)).expect("no error"), None, "held by a living reader");
    holder.kill();
    for sequence in 3..9 {
        assert_eq!(writing.write_arrow(&table(SEED, sequence)).expect("its pins count no more"), sequence);
    }
    assert_eq!(writing.stats().readers_evicted, 1);
    assert_eq!(scene.info("feed").expect("live").readers.len(), 0);
    drop(writing);
    assert_eq!(scene.gc(), ["feed"]);
}

#[test]
fn a_dead_lossless_reader_is_evicted_also_while_another_holds_slots() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(3);
    let writing = ring.writer().expect("created");
    let holder = ring.clone().policy(Owed::Lossy).reader().expect("attached");
    let mut dying = follower(&ring, 0);
    dying.opens();
    for sequence in 0..2 {
        writing.write_arrow(&table(SEED, sequence)).expect("written");
    }
    let held: Vec<_> =
        (0..2).map(|_| holder.read_frame(PROMPT).expect("no error").expect("a frame")).collect();
    eventually("it has read two frames and holds none", || {
        let info = scene.info("feed").expect("live");
        info.readers.iter().any(|reader| reader.pid == dying.pid() && reader.cursor == 2 && reader.pins == 0)
    });
    dying.kill();
    writing.write_arrow(&table(SEED, 2)).expect("one slot is free");
    let result = writing.write_arrow(&table(SEED, 3));
    drop((held, holder, writing));
    scene.gc();
    result.expect("only a dead reader has not read the one frame that nobody holds");
}

#[test]
fn a_dead_writers_heir_is_let_in_while_readers_look_after_the_ring() {
    let scene = Scene::new();
    // Large enough for a look to take a while.
    let ring = scene.ring("feed").slots(65_536).slot_bytes(4096).sleep();
    let (stop, mut refused) = (AtomicBool::new(false), 0);
    for _ in 0..5 {
        let mut writing = writer(&ring, Some(0), true, false);
        writing.opens();
        writing.kill();
        stop.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let reader = ring.reader().expect("an orphaned ring admits readers");
                let stop = &stop;
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let _ = reader.read_frame(0);
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(5));
            let heir = ring.writer();
            stop.store(true, Ordering::Relaxed);
            if let Err(error) = heir {
                assert_eq!(error.kind(), ErrorKind::WriterExists);
                refused += 1;
            }
        });
    }
    scene.gc();
    assert_eq!(refused, 0, "of 5 heirs, with no writer alive");
}

/// Stops a process and waits until it has stopped.
fn stop(pid: Pid) {
    kill(pid, Signal::SIGSTOP).expect("ours");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
        if stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T')) {
            return;
        }
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_held_up_over_a_polite_end_is_told_of_the_end() {
    let scene = Scene::new();
    let ring = scene.ring("feed").sleep();
    let mut words = Words::new(4);
    let mut writing = ring.writer().expect("created");
    let mut reader = Actor::start(&Role::Hover { ring: ring.clone() });
    let pid = Pid::from_raw(reader.pid() as i32);
    let rounds = 1200;
    let mut told = std::collections::BTreeMap::<String, u64>::new();
    for round in 0..rounds {
        reader.opens();
        nap(&mut words, Duration::from_micros(60));
        stop(pid);
        drop(writing);
        kill(pid, Signal::SIGCONT).expect("ours");
        let Line::Refused { kind, .. } = reader.line() else { panic!("no end in round {round}") };
        *told.entry(kind).or_default() += 1;
        eventually("the last one out has removed the ring", || scene.files().is_empty());
        writing = ring.writer().expect("created");
        if round + 1 < rounds {
            reader.tell("again");
        }
    }
    reader.finish();
    drop(writing);
    assert_eq!(told, [("EndOfStream".to_owned(), rounds)].into(), "how the reader was told, how often");
}

#[test]
fn a_stopped_reader_is_not_dead() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(2).full(Full::Block(Some(300)));
    let writing = ring.writer().expect("created");
    let reader = follower(&ring, 0);
    reader.opens();
    let pid = Pid::from_raw(reader.pid() as i32);
    stop(pid);
    let mut next = 0;
    let error = loop {
        match writing.write_arrow(&table(SEED, next)) {
            Ok(_) => next += 1,
            Err(error) => break error,
        }
        assert!(next < 10, "a lossless reader was overrun");
    };
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);
    assert!(error.to_string().contains(&pid.to_string()), "it names who holds the ring up: {error}");
    kill(pid, Signal::SIGCONT).expect("ours");
    for sequence in next..next + 10 {
        writing.write_arrow(&table(SEED, sequence)).expect("it reads again");
    }
    writing.close().expect("no loan");
    assert_eq!(reader.ends().read, next + 10);
    reader.finish();
}

#[test]
fn a_polite_end_is_never_taken_for_a_death() {
    let scene = Scene::new();
    for round in 0..400 {
        let ring = scene.ring("feed").sleep();
        let writing = ring.writer().expect("created");
        let readers: Vec<_> = (0..3).map(|_| ring.reader().expect("attached")).collect();
        std::thread::scope(|scope| {
            for reader in readers {
                scope.spawn(move || {
                    let mut read = 0;
                    let error = loop {
                        match reader.read_frame(Duration::from_micros(50)) {
                            Ok(frame) => read += u64::from(frame.is_some()),
                            Err(error) => break error,
                        }
                    };
                    assert_eq!(error.kind(), ErrorKind::EndOfStream, "round {round}: {error}");
                    assert_eq!(read, 2);
                });
            }
            for sequence in 0..2 {
                writing.write_arrow(&table(SEED, sequence)).expect("written");
            }
            drop(writing);
        });
    }
}

#[test]
fn processes_of_other_pid_namespaces_are_seen_alive_and_dead() {
    let scene = Scene::new();
    let ring = scene.ring("feed").sleep();
    let role = Role::Write { ring: ring.clone(), seed: SEED, until: Some(3), stay: true, wait: false };
    let mut writing = match Actor::start_in_pid_namespace(&role) {
        Ok(actor) => actor,
        Err(error) => return skip(&format!("unshare cannot be started: {error}")),
    };
    let Some(Line::Open { .. }) = writing.line_within(PATIENCE) else {
        assert!(!writing.ended().success());
        return skip("the kernel does not let this user make a PID namespace");
    };
    writing.says(&Line::Wrote { next: 3 });
    let info = scene.info("feed").expect("live");
    assert_eq!((info.state, info.writer_pid), (RingState::Live, 1), "it is process 1, as it sees itself");
    let reader = ring.reader().expect("attached");
    assert!(reader.has_writer().expect("open"));
    assert_eq!(ring.writer().expect_err("it lives").kind(), ErrorKind::WriterExists);
    // A reader over there sees this process's writer, too.
    let other = scene.ring("other").sleep();
    let mine = other.writer().expect("created");
    let role = Role::Follow { ring: other.clone(), seed: SEED, hold: 1, survive: false };
    let mut following = Actor::start_in_pid_namespace(&role).expect("as before");
    following.opens();
    for sequence in 0..20 {
        mine.write_arrow(&table(SEED, sequence)).expect("it reads");
    }
    let pinned = || scene.info("other").is_ok_and(|info| info.readers.iter().any(|r| r.alive && r.pins == 1));
    eventually("it holds the last frame", pinned);
    following.kill();
    eventually("it is dead", || scene.info("other").is_ok_and(|info| info.readers.iter().all(|r| !r.alive)));
    for sequence in 20..30 {
        mine.write_arrow(&table(SEED, sequence)).expect("a dead reader holds nobody up");
    }
    drop(mine);
    writing.kill();
    for _ in 0..3 {
        check(SEED, &reader.read_frame(PROMPT).expect("no error").expect("a frame")).expect("whole");
    }
    assert_eq!(reader.read_frame(PATIENCE).expect_err("it is dead").kind(), ErrorKind::WriterDied);
    drop(reader);
    assert_eq!(scene.gc(), ["other"]);
}
