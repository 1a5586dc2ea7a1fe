//! Observers: they need read permission only, change nothing that is shared, hold nobody up, and what they hand out is
//! whole.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use qadataswap::{ErrorKind, Frame, QADataSwapError, Reader, Selector, Writer};
use qadataswap_scorecard::Effort;
use qadataswap_tests::frames::{check_even, even};
use qadataswap_tests::scene::{Check, Full, Owed};
use qadataswap_tests::{Actor, Line, PATIENCE, PROMPT, Ring, Role, Scene, check, eventually, skip, table};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const SEED: u64 = 71;
/// Not root, and nobody whom the tests run as.
const OTHER: u32 = 65_534;
/// Where the directory is, how long an entry, and where in it these fields are (`docs/design.md`).
const DIRECTORY: u64 = 1152;
const ENTRY: u64 = 64;
const SLOT: u64 = 8;
const BYTES: u64 = 16;

fn observer(ring: &Ring) -> Reader {
    ring.clone().policy(Owed::Observer).reader().expect("observing")
}

fn write(writer: &Writer, frames: std::ops::Range<u64>) {
    for sequence in frames {
        assert_eq!(writer.write_arrow(&table(SEED, sequence)).expect("written"), sequence);
    }
}

fn kind<T>(result: Result<T, QADataSwapError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[track_caller]
fn next(reader: &Reader) -> Frame {
    let frame = reader.read_frame(PATIENCE).expect("no error").expect("a frame");
    check(SEED, &frame).expect("whole");
    frame
}

/// Sequences read until there is nothing more, and how many were missed.
fn rest(reader: &Reader) -> (Vec<u64>, u64) {
    let (mut read, mut missed) = (Vec::new(), 0);
    while let Some(frame) = reader.try_read_frame().expect("no error") {
        check(SEED, &frame).expect("whole");
        missed += frame.missed();
        read.push(frame.sequence());
    }
    (read, missed)
}

/// Everything that is shared: the region's bytes, which of them have memory, and when they were changed.
fn all_of(ring: &Ring) -> (Vec<u8>, u64, i64, i64) {
    let metadata = std::fs::metadata(ring.path()).expect("there");
    let bytes = std::fs::read(ring.path()).expect("readable");
    (bytes, metadata.blocks(), metadata.mtime_nsec(), metadata.ctime_nsec())
}

fn entry(ring: &Ring, sequence: u64) -> u64 {
    DIRECTORY + sequence % ring.slots as u64 * ENTRY
}

/// Changes a word of the region behind everybody's back.
fn poke(ring: &Ring, at: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(ring.path()).expect("ours");
    file.write_all_at(bytes, at).expect("written");
}

#[test]
fn nothing_shared_changes_whatever_an_observer_does() {
    let scene = Scene::new();
    let ring = scene.ring("feed").full(Full::Overwrite);
    let writer = ring.writer().expect("created");
    write(&writer, 0..3);
    let before = all_of(&ring);
    let watcher = observer(&ring);
    let held: Vec<_> = (0..3).map(|_| next(&watcher)).collect();
    assert!(watcher.read_frame(20).expect("no error").is_none());
    assert!(!watcher.waiter().expect("open").wait(20));
    let selector = Selector::new();
    selector.add(0, &watcher).expect("a new key");
    assert!(selector.wait(20).is_empty());
    assert!(watcher.has_writer().expect("open"));
    assert!(all_of(&ring) == before, "an observer that read and waited has left a trace");
    write(&writer, 3..20);
    let before = all_of(&ring);
    // Frames 3 to 15 have been overwritten: four slots.
    assert_eq!(rest(&watcher), ((16..20).collect(), 13));
    selector.remove(0);
    watcher.close();
    drop((watcher, selector));
    assert!(all_of(&ring) == before, "an observer that lagged and left has left a trace");
    let info = scene.info("feed").expect("there");
    assert!(info.readers.is_empty() && info.readers_evicted == 0);
    held.iter().for_each(|frame| check(SEED, frame).expect("a copy stays"));
    drop(writer);
    scene.gc();
}

#[test]
fn another_user_observes_what_it_may_only_read() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can play two users");
    }
    for (mode, group) in [(0o440, OTHER), (0o640, OTHER), (0o444, 0)] {
        let scene = Scene::new();
        let ring = scene.ring("feed").mode(mode);
        let writer = Writer::new(ring.config().with_group(group)).expect("created");
        write(&writer, 0..1);
        let before = all_of(&ring);
        let visit = |policy| Role::Visit { ring: ring.clone().policy(policy), seed: SEED };
        let actor = match Actor::start_as(OTHER, &visit(Owed::Observer)) {
            Ok(actor) => actor,
            Err(error) => return skip(&format!("user {OTHER} cannot start the actors' program: {error}")),
        };
        actor.opens();
        actor.finish();
        let actor = Actor::start_as(OTHER, &visit(Owed::Lossy)).expect("as before");
        match actor.line() {
            Line::Refused { kind, message } => {
                assert_eq!(kind, "PermissionDenied", "{message}");
                assert!(message.contains("as an observer"), "{message}");
            }
            line => panic!("{line:?}"),
        }
        actor.finish();
        assert!(all_of(&ring) == before, "mode {mode:o}");
        drop(writer);
        scene.gc();
    }
}

#[test]
fn nobody_observes_what_may_not_be_read_or_is_not_trusted() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can play two users");
    }
    let scene = Scene::new();
    let ring = scene.ring("feed").policy(Owed::Observer);
    let writer = Writer::new(ring.config().with_owner(OTHER)).expect("created");
    assert_eq!(kind(ring.reader()), Some(ErrorKind::PermissionDenied), "another user's");
    assert_eq!(kind(ring.clone().trusted(OTHER + 1).reader()), Some(ErrorKind::PermissionDenied));
    write(&writer, 0..1);
    next(&ring.clone().trusted(OTHER).reader().expect("trusted"));
    let closed = scene.ring("closed").policy(Owed::Observer);
    let other = closed.writer().expect("created");
    match Actor::start_as(OTHER, &Role::Visit { ring: closed, seed: SEED }) {
        Ok(actor) => {
            assert!(matches!(actor.line(), Line::Refused { kind, .. } if kind == "PermissionDenied"));
            actor.finish();
        }
        Err(error) => skip(&format!("user {OTHER} cannot start the actors' program: {error}")),
    }
    drop((writer, other));
    scene.gc();
}

#[test]
fn what_observers_read_of_a_writer_in_full_flight_is_whole() {
    /// Frames that one observer reads.
    const SHARE: u64 = 2_000;
    const ROWS: usize = 6_000;
    let mut effort = Effort::of("observed frames", 12_000);
    let (mut observed, mut missed) = (0, 0);
    for slots in [2, 3, 17].into_iter().cycle() {
        if !effort.goes_on_by(2 * SHARE) {
            break;
        }
        let scene = Scene::new();
        let ring = scene.ring("feed").slots(slots).full(Full::Overwrite).policy(Owed::Observer);
        let writer = ring.writer().expect("created");
        let observe = || Actor::start(&Role::Observe { ring: ring.clone(), rows: ROWS, frames: SHARE });
        let observers = [observe(), observe()];
        let done = Arc::new(AtomicBool::new(false));
        let writing = {
            let done = Arc::clone(&done);
            thread::spawn(move || {
                for sequence in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let written = writer.write_arrow(&even(ROWS, sequence)).expect("nobody is waited for");
                    assert_eq!(written, sequence);
                }
                writer
            })
        };
        for observer in &observers {
            observer.opens();
            let tally = observer.ends();
            let span = tally.last.zip(tally.first).map(|(last, first)| last - first + 1);
            assert_eq!(span, Some(tally.read + tally.missed));
            observed += tally.read;
            missed += tally.missed;
        }
        done.store(true, Ordering::Relaxed);
        let writer = writing.join().expect("no panic");
        observers.into_iter().for_each(Actor::finish);
        assert_eq!(writer.stats().full_waits, 0, "an observer was waited for");
        drop(writer);
        scene.gc();
    }
    assert_eq!(observed, effort.done());
    effort.tell(&[("missed and counted", missed), ("torn", 0)]);
}

#[test]
fn a_writer_that_waits_for_its_readers_does_not_wait_for_observers() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(2).max_readers(1);
    let writer = ring.writer().expect("created");
    let reader = ring.reader().expect("the only place");
    let observers: Vec<_> = (0..5).map(|_| observer(&ring)).collect();
    let stopped = Actor::start(&Role::Follow {
        ring: ring.clone().policy(Owed::Observer),
        seed: SEED,
        hold: 3,
        survive: false,
    });
    stopped.opens();
    let pid = Pid::from_raw(stopped.pid() as i32);
    kill(pid, Signal::SIGSTOP).expect("ours");
    let held: Vec<_> = {
        write(&writer, 0..1);
        observers.iter().map(next).collect()
    };
    next(&reader);
    for sequence in 1..200 {
        write(&writer, sequence..sequence + 1);
        next(&reader);
    }
    assert_eq!(writer.stats().full_waits, 0);
    for observer in &observers {
        let (read, missed) = rest(observer);
        assert_eq!((read.len() as u64 + missed, read.last()), (199, Some(&199)));
        assert_eq!((observer.stats().frames_missed, observer.stats().lag), (missed, 0));
    }
    held.iter().for_each(|frame| check(SEED, frame).expect("a copy stays"));
    kill(pid, Signal::SIGCONT).expect("ours");
    writer.close().expect("closed");
    let tally = stopped.ends();
    assert_eq!(
        (tally.last, tally.first.map(|first| first + tally.read + tally.missed)),
        (Some(199), Some(200))
    );
    stopped.finish();
    assert!(
        observers.iter().all(|observer| kind(observer.read_frame(PROMPT)) == Some(ErrorKind::EndOfStream))
    );
    assert!(ring.path().exists(), "the reader has not seen the end yet");
    assert_eq!(kind(reader.read_frame(PROMPT)), Some(ErrorKind::EndOfStream));
    drop(reader);
    // What was read is gone with the last who took part, whoever looks on.
    drop(writer);
    assert_eq!(scene.files(), [""; 0]);
}

#[test]
fn a_frame_that_a_waiting_observer_waits_for_comes() {
    let scene = Scene::new();
    for ring in [scene.ring("feed"), scene.ring("quiet").sleep()] {
        let writer = ring.writer().expect("created");
        let (watcher, beside) = (observer(&ring), observer(&ring));
        let writing = thread::spawn(move || {
            for sequence in 0..20 {
                thread::sleep(Duration::from_millis(3));
                write(&writer, sequence..sequence + 1);
            }
            writer
        });
        for sequence in 0..20 {
            assert_eq!(next(&watcher).sequence(), sequence);
            assert!(beside.waiter().expect("open").wait(PATIENCE));
            let frame = beside.try_read_frame().expect("no error");
            assert_eq!(frame.map(|frame| frame.sequence()), Some(sequence));
        }
        let writer = writing.join().expect("no panic");
        let waiter = watcher.waiter().expect("open");
        let waiting = thread::spawn(move || waiter.wait(PATIENCE));
        writer.close().expect("closed");
        assert!(waiting.join().expect("no panic"), "the end ends a wait");
        drop(writer);
        scene.gc();
    }
}

#[test]
fn a_selector_waits_for_observers_beside_readers() {
    let scene = Scene::new();
    let rings = ["a", "b", "c"].map(|name| scene.ring(name));
    let writers = rings.each_ref().map(|ring| ring.writer().expect("created"));
    let readers = [observer(&rings[0]), rings[1].reader().expect("attached"), observer(&rings[2])];
    let selector = Selector::new();
    for (key, reader) in (0..).zip(&readers) {
        selector.add(key, reader).expect("a new key");
    }
    for round in 0..30 {
        let turn = round % 3;
        thread::scope(|scope| {
            let waiting = scope.spawn(|| selector.wait(PATIENCE));
            thread::sleep(Duration::from_millis(round as u64 % 4));
            write(&writers[turn], round as u64 / 3..round as u64 / 3 + 1);
            assert_eq!(waiting.join().expect("no panic"), [turn as u64]);
        });
        next(&readers[turn]);
    }
    thread::scope(|scope| {
        let waiting = scope.spawn(|| selector.wait(PATIENCE));
        readers[2].close();
        assert_eq!(waiting.join().expect("no panic"), [2], "closed meanwhile");
    });
    selector.remove(2);
    selector.remove(1);
    writers[0].close().expect("closed");
    assert_eq!(selector.wait(PATIENCE), [0], "the end of one that is observed, alone");
    drop((writers, readers, selector));
    scene.gc();
}

#[test]
fn an_observer_is_awaited() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    let mut watcher = observer(&ring);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let awaiting = runtime.spawn(async move {
        let mut sequences = Vec::new();
        loop {
            match tokio::time::timeout(PATIENCE, watcher.read_frame_async()).await.expect("in time") {
                Ok(frame) => sequences.push(frame.sequence()),
                Err(error) => return (sequences, error.kind()),
            }
        }
    });
    for sequence in 0..10 {
        write(&writer, sequence..sequence + 1);
        thread::sleep(Duration::from_millis(3));
    }
    writer.close().expect("closed");
    let (sequences, end) = runtime.block_on(awaiting).expect("no panic");
    assert_eq!((sequences.last(), end), (Some(&9), ErrorKind::EndOfStream));
    drop(writer);
    scene.gc();
}

#[test]
fn a_killed_writer_is_told_and_nothing_is_repaired() {
    for asked in [false, true] {
        let scene = Scene::new();
        let ring = scene.ring("feed");
        let role = Role::Write { ring: ring.clone(), seed: SEED, until: Some(6), stay: true, wait: true };
        let mut actor = Actor::start(&role);
        actor.opens();
        let early = observer(&ring);
        actor.tell("go");
        actor.says(&Line::Wrote { next: 6 });
        actor.kill();
        if asked {
            // Died between asking for frame 2, the oldest that stands, and deciding.
            poke(&ring, entry(&ring, 2), &(3_u64 << 2 | 2).to_ne_bytes());
        }
        let before = all_of(&ring);
        let late = observer(&ring);
        eventually("the death is told", || {
            let mut ended = [false; 2];
            for (reader, ended) in [&early, &late].into_iter().zip(&mut ended) {
                *ended = match reader.read_frame(PROMPT) {
                    Ok(Some(frame)) => check(SEED, &frame).is_err(),
                    Ok(None) => false,
                    Err(error) => error.kind() == ErrorKind::WriterDied,
                };
            }
            ended == [true; 2]
        });
        // All that stands was had, the frame that was asked for too.
        assert_eq!(late.stats().reads_count, 4, "asked: {asked}");
        assert_eq!(early.stats().reads_count + early.stats().frames_missed, 6, "asked: {asked}");
        // It had not heard of the death yet when it looked for the oldest frame.
        assert!(early.stats().frames_missed <= 2 + u64::from(asked), "asked: {asked}");
        assert!(!late.has_writer().expect("open"));
        assert!(all_of(&ring) == before, "asked: {asked}");
        // An heir goes on, and they with it.
        let heir = ring.writer().expect("taken over");
        write(&heir, 6..8);
        for reader in [&early, &late] {
            assert_eq!((next(reader).sequence(), next(reader).sequence()), (6, 7));
            assert!(reader.has_writer().expect("open"));
        }
        drop(heir);
        scene.gc();
    }
}

#[test]
fn a_ring_that_is_replaced_is_told() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    write(&writer, 0..2);
    let watcher = observer(&ring);
    drop(writer);
    let _heir = ring.clone().slots(5).writer().expect("replaced");
    assert_eq!((next(&watcher).sequence(), next(&watcher).sequence()), (0, 1));
    assert_eq!(kind(watcher.read_frame(PROMPT)), Some(ErrorKind::Replaced));
    drop(_heir);
    scene.gc();
}

#[test]
fn an_observer_starts_where_it_is_told() {
    let scene = Scene::new();
    let ring = scene.ring("feed").full(Full::Overwrite);
    assert_eq!(kind(ring.clone().policy(Owed::Observer).reader()), Some(ErrorKind::NotFound));
    let writer = ring.writer().expect("created");
    write(&writer, 0..6);
    let (oldest, newest) = (observer(&ring), observer(&ring.clone().newest()));
    assert_eq!((rest(&oldest), rest(&newest)), (((2..6).collect(), 0), (vec![5], 0)));
    drop(writer);
    scene.gc();
}

#[test]
fn a_copy_is_counted_once_however_it_is_checked() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    write(&writer, 0..1);
    for validation in [Check::Form, Check::Full, Check::FullOnCopy] {
        let watcher = observer(&ring.clone().validation(validation));
        let frame = next(&watcher);
        let bytes = frame.bytes().len() as u64;
        assert_eq!((frame.bytes_copied(), watcher.stats().bytes_copied), (bytes, bytes), "{validation:?}");
        assert_eq!(frame.bytes().as_ptr() as usize % 64, 0);
        let watcher = observer(&ring.clone().validation(validation));
        let exported = watcher.try_read_ffi().expect("no error").expect("a frame");
        assert_eq!((exported.bytes_copied(), watcher.stats().bytes_copied), (bytes, bytes), "{validation:?}");
        let watcher = observer(&ring.clone().validation(validation));
        let polars = watcher.try_read().expect("no error").expect("a frame");
        assert!(polars.height() > 0 && watcher.stats().bytes_copied >= bytes);
    }
    drop(writer);
    scene.gc();
}

#[test]
fn a_directory_that_lies_gives_an_error_and_the_next_frame() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    write(&writer, 0..4);
    poke(&ring, entry(&ring, 0) + SLOT, &99_u32.to_ne_bytes());
    poke(&ring, entry(&ring, 1) + BYTES, &u64::MAX.to_ne_bytes());
    poke(&ring, entry(&ring, 2) + BYTES, &(ring.slot_bytes + 1).to_ne_bytes());
    let watcher = observer(&ring);
    for _ in 0..3 {
        assert_eq!(kind(watcher.read_frame(PROMPT)), Some(ErrorKind::Corrupt));
    }
    assert_eq!(next(&watcher).sequence(), 3);
    // Frames that were never published.
    poke(&ring, entry(&ring, 0), &(1000_u64 << 2 | 3).to_ne_bytes());
    assert_eq!(kind(watcher.read_frame(PROMPT)), Some(ErrorKind::Corrupt));
    drop(writer);
    scene.gc();
}

#[test]
fn a_frame_of_no_length_and_one_that_fills_its_slot_are_copied() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slot_bytes(64 << 10).slots(2);
    let writer = ring.writer().expect("created");
    let most = (1..10_000).rev().find(|&rows| writer.write_arrow(&even(rows, 0)).is_ok()).expect("one fits");
    let watcher = observer(&ring);
    let frame = watcher.try_read_frame().expect("no error").expect("a frame");
    check_even(most, &frame).expect("whole");
    assert!(frame.bytes().len() > (60 << 10));
    writer.write_arrow(&even(0, 1)).expect("written");
    check_even(0, &watcher.try_read_frame().expect("no error").expect("a frame")).expect("whole");
    drop(writer);
    scene.gc();
}
