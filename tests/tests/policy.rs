//! What a full ring means, what each reader is owed, and where it starts.

use qadataswap::{ErrorKind, QADataSwapError, Reader};
use qadataswap_tests::scene::{Full, Owed};
use qadataswap_tests::{PATIENCE, PROMPT, Ring, Scene, check, eventually, table};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const SEED: u64 = 21;

/// A writer that waits for whatever must come, but not for ever.
const PATIENTLY: Full = Full::Block(Some(PATIENCE.as_millis() as u64));

fn write(writer: &qadataswap::Writer, sequences: std::ops::Range<u64>) {
    for sequence in sequences {
        let result = writer.write_arrow(&table(SEED, sequence));
        assert_eq!(result.expect("written"), sequence);
    }
}

#[track_caller]
fn read(reader: &Reader, sequence: u64, missed: u64) -> qadataswap::Frame {
    let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
    assert_eq!((frame.sequence(), frame.missed()), (sequence, missed));
    check(SEED, &frame).expect("whole");
    frame
}

fn kind<T>(result: Result<T, QADataSwapError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// The scene's ring, `slots` long, and nothing left of it at the end.
fn ring(scene: &Scene, slots: usize, full: Full) -> Ring {
    scene.ring("feed").slots(slots).slot_bytes(16 << 10).full(full)
}

const SIZES: [usize; 9] = [1, 2, 3, 15, 16, 63, 64, 100, 1000];

#[test]
fn a_full_ring_refuses_until_a_lossless_reader_has_read() {
    for slots in SIZES {
        let scene = Scene::new();
        let ring = ring(&scene, slots, Full::Fail);
        let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
        let mut next = 0;
        for _ in 0..3 {
            while writer.try_write_arrow(&table(SEED, next)).expect("no error").is_some() {
                next += 1;
            }
            let unread = next - reader.stats().reads_count;
            assert_eq!(unread, slots as u64, "a ring of {slots} keeps {slots} unread frames");
            assert_eq!(kind(writer.write_arrow(&table(SEED, next))), Some(ErrorKind::RingFull));
            for sequence in next - unread..next - unread + unread.div_ceil(2) {
                read(&reader, sequence, 0);
            }
        }
        writer.close().expect("no loan");
        (next - reader.stats().lag..next).for_each(|sequence| drop(read(&reader, sequence, 0)));
    }
}

#[test]
fn a_blocking_writer_gives_up_when_its_time_is_up() {
    let scene = Scene::new();
    let ring = ring(&scene, 2, Full::Block(Some(50)));
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..2);
    match writer.write_arrow(&table(SEED, 2)) {
        Err(QADataSwapError::WriteTimeout { waited, .. }) => assert!(waited >= Duration::from_millis(50)),
        other => panic!("{other:?}"),
    }
    assert_eq!(writer.stats().wait_timeouts, 1);
    read(&reader, 0, 0);
    write(&writer, 2..3);
    (1..3).for_each(|sequence| drop(read(&reader, sequence, 0)));
}

#[test]
fn a_blocked_writer_goes_on_when_the_reader_does() {
    for sleep in [false, true] {
        let scene = Scene::new();
        let mut ring = ring(&scene, 3, PATIENTLY);
        ring.sleep = sleep;
        let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
        write(&writer, 0..3);
        std::thread::scope(|scope| {
            scope.spawn(move || write(&writer, 3..500));
            eventually("the writer has tried", || reader.stats().lag == 3);
            (0..500).for_each(|sequence| drop(read(&reader, sequence, 0)));
        });
    }
}

#[test]
fn a_blocked_writer_goes_on_when_a_frame_is_dropped() {
    let scene = Scene::new();
    let ring = ring(&scene, 2, PATIENTLY).sleep();
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..2);
    let held = [read(&reader, 0, 0), read(&reader, 1, 0)];
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || {
            write(&writer, 2..3);
            done.store(true, Ordering::Relaxed);
        });
        // It cannot be seen that the writer sleeps; that it has not written can.
        let early = std::time::Instant::now() + Duration::from_millis(20);
        while std::time::Instant::now() < early {
            assert!(!done.load(Ordering::Relaxed), "wrote into a slot that is held");
            std::thread::yield_now();
        }
        drop(held);
        eventually("the writer goes on", || done.load(Ordering::Relaxed));
    });
    read(&reader, 2, 0);
}

#[test]
fn a_blocked_writer_goes_on_when_the_reader_leaves() {
    let scene = Scene::new();
    let ring = ring(&scene, 2, PATIENTLY).sleep();
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..2);
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || write(&writer, 2..10));
        eventually("it is there", || scene.info("feed").is_ok());
        drop(reader);
        writing.join().expect("no panic");
    });
    assert_eq!(scene.gc(), ["feed"]);
}

#[test]
fn an_overwriting_ring_admits_no_lossless_reader() {
    let scene = Scene::new();
    let ring = ring(&scene, 2, Full::Overwrite);
    let writer = ring.writer().expect("created");
    assert_eq!(kind(ring.reader()), Some(ErrorKind::InvalidConfig));
    for policy in [Owed::Lossy, Owed::Latest] {
        ring.clone().policy(policy).reader().expect("attached");
    }
    drop(writer);
}

#[test]
fn an_overwriting_heir_is_refused_while_a_lossless_reader_is_there() {
    let scene = Scene::new();
    let blocking = ring(&scene, 2, PATIENTLY);
    let writer = blocking.writer().expect("created");
    write(&writer, 0..1);
    let reader = blocking.reader().expect("attached");
    drop(writer);
    let overwriting = ring(&scene, 2, Full::Overwrite);
    assert_eq!(kind(overwriting.writer()), Some(ErrorKind::InvalidConfig));
    read(&reader, 0, 0);
    drop(reader);
    drop(overwriting.writer().expect("nobody is owed anything now"));
}

#[test]
fn an_overwriting_writer_never_waits() {
    let scene = Scene::new();
    let ring = ring(&scene, 3, Full::Overwrite);
    let writer = ring.writer().expect("created");
    let idle = ring.clone().policy(Owed::Lossy).reader().expect("attached");
    write(&writer, 0..1000);
    assert_eq!(writer.stats().full_waits, 0);
    read(&idle, 997, 997);
    (998..1000).for_each(|sequence| drop(read(&idle, sequence, 0)));
}

#[test]
fn a_lossy_reader_is_told_exactly_what_it_missed() {
    for slots in [1, 2, 3, 8] {
        let scene = Scene::new();
        let ring = ring(&scene, slots, Full::Block(Some(0)));
        let writer = ring.writer().expect("created");
        let reader = ring.clone().policy(Owed::Lossy).reader().expect("attached");
        let n = slots as u64;
        write(&writer, 0..n);
        (0..n).for_each(|sequence| drop(read(&reader, sequence, 0)));
        // Overrun once, and then again by exactly one frame.
        write(&writer, n..5 * n + 3);
        read(&reader, 4 * n + 3, 3 * n + 3);
        write(&writer, 5 * n + 3..6 * n + 3);
        let missed = n - 1;
        read(&reader, 5 * n + 3, missed);
        assert_eq!(reader.stats().frames_missed, 3 * n + 3 + missed);
        drop(writer);
        while reader.read_frame(PROMPT).is_ok() {}
    }
}

#[test]
fn a_lossy_readers_frames_and_gaps_add_up_while_the_writer_laps_it() {
    for slots in [1, 2, 5, 40] {
        let scene = Scene::new();
        let ring = ring(&scene, slots, Full::Overwrite);
        let writer = ring.writer().expect("created");
        let readers: Vec<_> = [Owed::Lossy, Owed::Latest, Owed::Lossy]
            .map(|policy| ring.clone().policy(policy).reader().expect("attached"))
            .into();
        std::thread::scope(|scope| {
            for reader in readers {
                scope.spawn(move || {
                    let (mut next, mut missed) = (0, 0);
                    let end = loop {
                        match reader.read_frame(PATIENCE) {
                            Ok(Some(frame)) => {
                                check(SEED, &frame).expect("whole");
                                assert_eq!(next + frame.missed(), frame.sequence());
                                next = frame.sequence() + 1;
                                missed += frame.missed();
                            }
                            Ok(None) => panic!("neither a frame nor the end"),
                            Err(error) => break error,
                        }
                    };
                    assert_eq!(end.kind(), ErrorKind::EndOfStream);
                    let stats = reader.stats();
                    assert_eq!((next, stats.frames_missed), (5000, missed));
                    assert_eq!(stats.reads_count + stats.frames_missed, 5000);
                });
            }
            scope.spawn(move || {
                for sequence in 0..5000 {
                    // Readers that hold every slot for a moment are no reason to give up.
                    eventually("a slot is free", || {
                        writer.try_write_arrow(&table(SEED, sequence)).expect("no error").is_some()
                    });
                }
            });
        });
    }
}

#[test]
fn a_latest_reader_jumps_to_the_newest_frame() {
    let scene = Scene::new();
    let ring = ring(&scene, 4, Full::Fail);
    let writer = ring.writer().expect("created");
    let reader = ring.clone().policy(Owed::Latest).reader().expect("attached");
    write(&writer, 0..3);
    read(&reader, 2, 2);
    assert!(reader.try_read_frame().expect("no error").is_none(), "the newest has been read");
    write(&writer, 3..103);
    read(&reader, 102, 99);
    // What it jumped over counts as unread: somebody has to read it, or the ring outlives us.
    let rest = ring.reader().expect("attached");
    (99..103).for_each(|sequence| drop(read(&rest, sequence, 0)));
}

#[test]
fn late_readers_start_at_the_oldest_or_the_newest_frame() {
    for slots in [1, 2, 3, 64, 100] {
        let scene = Scene::new();
        let ring = ring(&scene, slots, Full::Fail);
        let writer = ring.writer().expect("created");
        let (n, written) = (slots as u64, 3 * slots as u64 + 1);
        write(&writer, 0..written);
        for policy in [Owed::Lossless, Owed::Lossy] {
            let oldest = ring.clone().policy(policy).reader().expect("attached");
            let first = oldest.read_frame(PROMPT).expect("no error").expect("a frame");
            let spared = if n < 16 { 0 } else { n / 8 };
            assert!((written - n..=written - n + spared).contains(&first.sequence()), "{}", first.sequence());
            (first.sequence() + 1..written).for_each(|sequence| drop(read(&oldest, sequence, 0)));
            let newest = ring.clone().policy(policy).newest().reader().expect("attached");
            read(&newest, written - 1, 0);
        }
        let latest = ring.clone().policy(Owed::Latest).reader().expect("attached");
        let frame = latest.read_frame(PROMPT).expect("no error").expect("a frame");
        assert_eq!(frame.sequence(), written - 1);
    }
}

#[test]
fn a_reader_of_an_empty_ring_starts_at_the_first_frame() {
    let scene = Scene::new();
    let ring = ring(&scene, 2, Full::Fail);
    let writer = ring.writer().expect("created");
    let (oldest, newest) =
        (ring.reader().expect("attached"), ring.clone().newest().reader().expect("attached"));
    assert!(oldest.read_frame(1).expect("nothing yet is no error").is_none());
    write(&writer, 0..1);
    read(&oldest, 0, 0);
    read(&newest, 0, 0);
    writer.close().expect("no loan");
}

#[test]
fn held_slots_refuse_and_a_released_one_accepts() {
    for slots in SIZES {
        let scene = Scene::new();
        let ring = ring(&scene, slots, Full::Fail);
        let writer = ring.writer().expect("created");
        let reader = ring.clone().policy(Owed::Lossy).reader().expect("attached");
        let mut held = std::collections::VecDeque::new();
        for sequence in 0..slots as u64 {
            write(&writer, sequence..sequence + 1);
            held.push_back(read(&reader, sequence, 0));
        }
        // Round and round: the slot that is let go of is the one that is written.
        for next in (slots as u64..).take(slots.min(70) + 2) {
            assert_eq!(kind(writer.write_arrow(&table(SEED, next))), Some(ErrorKind::RingFull), "{slots}");
            let middle = held.len() / 2;
            let address = held.remove(middle).expect("there is one").bytes().as_ptr();
            write(&writer, next..next + 1);
            let frame = read(&reader, next, 0);
            assert_eq!(frame.bytes().as_ptr(), address, "the only free slot");
            held.push_back(frame);
        }
        for frame in &held {
            check(SEED, frame).expect("a held frame stays as it is");
        }
    }
}

#[test]
fn a_refused_write_leaves_the_ring_as_it_was() {
    let scene = Scene::new();
    let ring = ring(&scene, 3, Full::Fail);
    let writer = ring.writer().expect("created");
    let holder = ring.clone().policy(Owed::Lossy).reader().expect("attached");
    write(&writer, 0..3);
    let held: Vec<_> = (0..3).map(|sequence| read(&holder, sequence, 0)).collect();
    let standing = |scene: &Scene| -> Vec<u64> {
        scene.info("feed").expect("live").standing.iter().map(|frame| frame.sequence).collect()
    };
    assert_eq!(standing(&scene), [0, 1, 2]);
    assert_eq!(kind(writer.write_arrow(&table(SEED, 3))), Some(ErrorKind::RingFull));
    assert_eq!(standing(&scene), [0, 1, 2], "after a write that was refused");
    drop(held);
}

#[test]
fn a_frame_larger_than_a_slot_is_named_with_what_it_needs() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(2).slot_bytes(4096).full(Full::Fail);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    let large = qadataswap_tests::frames::table_of(SEED, 0, 500);
    match writer.write_arrow(&large) {
        Err(QADataSwapError::FrameTooLarge { needed, available, .. }) => {
            assert!(needed > available && available == 4096, "{needed} of {available}");
            // What it asks for is enough.
            let roomy = scene.ring("roomy").slots(1).slot_bytes(needed);
            let wide = roomy.writer().expect("created");
            wide.write_arrow(&large).expect("as large as it asked for");
            drop((roomy.reader().expect("attached").read_frame(PROMPT), wide));
        }
        other => panic!("{other:?}"),
    }
    let small = qadataswap_tests::frames::table_of(SEED, 0, 1);
    writer.write_arrow(&small).expect("the ring still works");
    assert_eq!(reader.read_arrow(PROMPT).expect("no error").expect("a frame"), small);
}

#[test]
fn one_reader_too_many_is_told_and_gets_the_place_of_one_that_left() {
    let scene = Scene::new();
    let ring = ring(&scene, 2, Full::Fail).max_readers(3);
    let writer = ring.writer().expect("created");
    let mut readers: Vec<_> = (0..3).map(|_| ring.reader().expect("attached")).collect();
    for _ in 0..5 {
        match ring.reader() {
            Err(QADataSwapError::TooManyReaders { max_readers, .. }) => assert_eq!(max_readers, 3),
            other => panic!("{other:?}"),
        }
        readers.remove(0);
        readers.push(ring.reader().expect("a place is free"));
    }
    // A frame that is still held keeps its reader's place.
    write(&writer, 0..1);
    let frame = read(&readers[0], 0, 0);
    drop(readers.remove(0));
    assert_eq!(kind(ring.reader()), Some(ErrorKind::TooManyReaders));
    drop(frame);
    ring.reader().expect("the place is free");
    drop(writer);
    readers.iter().for_each(|reader| drop(read(reader, 0, 0)));
}

#[test]
fn a_reader_that_joins_while_the_writer_laps_loses_nothing() {
    for slots in [1, 2, 3, 17, 70] {
        let scene = Scene::new();
        let ring = ring(&scene, slots, PATIENTLY);
        let writer = ring.writer().expect("created");
        let (stop, joined) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let (stop, joined, ring) = (&stop, &joined, &ring);
            let readers: Vec<_> = (0..2)
                .map(|which| {
                    scope.spawn(move || {
                        for round in 0..250 {
                            let ring =
                                if (round + which) % 2 == 0 { ring.clone() } else { ring.clone().newest() };
                            let reader = ring.reader().expect("attached");
                            let mut next = None;
                            for _ in 0..1 + round % 12 {
                                let frame = reader.read_frame(PATIENCE).expect("no error").expect("a frame");
                                check(SEED, &frame).expect("whole");
                                assert_eq!(frame.missed(), 0);
                                let sequence = frame.sequence();
                                assert_eq!(sequence, next.unwrap_or(sequence), "a gap, {slots} slots");
                                next = Some(sequence + 1);
                            }
                            joined.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            scope.spawn(move || {
                let mut next = 0;
                while !stop.load(Ordering::Relaxed) {
                    write(&writer, next..next + 1);
                    next += 1;
                }
            });
            let results: Vec<_> = readers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            stop.store(true, Ordering::Relaxed);
            results.into_iter().for_each(|result| result.expect("a reader lost something"));
        });
        assert_eq!(joined.into_inner(), 500);
        scene.gc();
    }
}

#[test]
fn the_frame_that_a_reader_joins_at_is_there() {
    for slots in [1, 2] {
        let scene = Scene::new();
        let ring = ring(&scene, slots, PATIENTLY);
        let writer = ring.writer().expect("created");
        // The smallest of frames, so that the writer laps as fast as it can.
        let small = table(SEED, 0).slice(0, 0).project(&[0]).expect("a column");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (stop, ring) = (&stop, &ring);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    writer.write_arrow(&small).expect("readers come and go");
                }
            });
            let joins = scope.spawn(move || {
                for round in 0..4000 {
                    let reader = ring.reader().expect("attached");
                    let frame = reader.read_frame(PATIENCE);
                    let frame = frame.unwrap_or_else(|error| panic!("join {round}, {slots} slots: {error}"));
                    assert_eq!(frame.expect("a frame").missed(), 0);
                }
            });
            let result = joins.join();
            stop.store(true, Ordering::Relaxed);
            result.expect("a reader lost the frame it joined at");
        });
        scene.gc();
    }
}

#[test]
fn reading_ahead_of_the_writer_is_no_error() {
    let scene = Scene::new();
    let ring = ring(&scene, 2, Full::Fail);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    assert!(reader.try_read_frame().expect("no error").is_none());
    assert!(reader.read_frame(Duration::from_millis(1)).expect("no error").is_none());
    assert_eq!(reader.stats().wait_timeouts, 1);
    write(&writer, 0..1);
    read(&reader, 0, 0);
}
