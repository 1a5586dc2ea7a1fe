//! How long things live: frames, their slots, readers, writers, names.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use qadataswap::inspect::RingState;
use qadataswap::{ErrorKind, QADataSwapError, Reader};
use qadataswap_tests::scene::{Full, Owed};
use qadataswap_tests::{Actor, Line, PATIENCE, PROMPT, Role, Scene, check, table};

const SEED: u64 = 31;

fn write(writer: &qadataswap::Writer, sequences: std::ops::Range<u64>) {
    for sequence in sequences {
        let result = writer.write_arrow(&table(SEED, sequence));
        assert_eq!(result.expect("written"), sequence);
    }
}

#[track_caller]
fn read(reader: &Reader, sequence: u64) -> qadataswap::Frame {
    let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
    assert_eq!(frame.sequence(), sequence);
    check(SEED, &frame).expect("whole");
    frame
}

#[track_caller]
fn ends(reader: &Reader, how: ErrorKind) {
    match reader.read_frame(PROMPT) {
        Err(error) => assert_eq!(error.kind(), how, "{error}"),
        Ok(frame) => panic!("{:?} instead of {how:?}", frame.map(|frame| frame.sequence())),
    }
}

fn kind<T>(result: Result<T, QADataSwapError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn a_held_frame_stays_as_it_is_while_the_writer_laps_the_ring_a_thousand_times() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(3).full(Full::Overwrite).policy(Owed::Lossy);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..2);
    let held = [read(&reader, 0), read(&reader, 1)];
    let bytes: Vec<_> = held.iter().map(|frame| frame.bytes().to_vec()).collect();
    write(&writer, 2..3002);
    for (frame, bytes) in held.iter().zip(&bytes) {
        assert_eq!(frame.bytes(), bytes);
        check(SEED, frame).expect("as it was");
    }
    assert_eq!(scene.info("feed").expect("live").readers[0].pins, 2);
    drop(writer);
    read(&reader, 3001);
}

#[test]
fn a_frame_outlives_its_reader() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(2);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..1);
    let frame = read(&reader, 0);
    drop(reader);
    let info = scene.info("feed").expect("live");
    assert!(info.readers[0].lingering && info.readers[0].pins == 1, "{:?}", info.readers);
    write(&writer, 1..100);
    check(SEED, &frame).expect("as it was");
    drop(frame);
    assert_eq!(scene.info("feed").expect("live").readers, []);
    drop(writer);
    scene.gc();
}

#[test]
fn a_frame_outlives_its_writer_and_the_rings_name() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut writing = Actor::start(&Role::Write {
        ring: ring.clone(),
        seed: SEED,
        until: Some(2),
        stay: true,
        wait: false,
    });
    writing.opens();
    writing.says(&Line::Wrote { next: 2 });
    let reader = ring.reader().expect("attached");
    let frames = [read(&reader, 0), read(&reader, 1)];
    writing.kill();
    std::fs::remove_file(ring.path()).expect("the ring has a name");
    drop(reader);
    for frame in &frames {
        check(SEED, frame).expect("as it was");
    }
}

#[test]
fn one_column_keeps_the_slot_and_another_thread_lets_it_go() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(1).full(Full::Fail).policy(Owed::Lossy);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..1);
    let frame = read(&reader, 0);
    let column = frame.batches()[0].column_by_name("price").expect("there").slice(0, 1);
    drop(frame);
    drop(reader);
    assert_eq!(kind(writer.write_arrow(&table(SEED, 1))), Some(ErrorKind::RingFull));
    assert_eq!(scene.info("feed").expect("live").readers[0].pins, 1);
    std::thread::spawn(move || drop(column)).join().expect("no panic");
    assert_eq!(scene.info("feed").expect("live").readers, []);
    write(&writer, 1..2);
    drop(writer);
    scene.gc();
}

#[test]
fn columns_and_views_lie_in_the_slot() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    for sequence in 0..20 {
        write(&writer, sequence..sequence + 1);
        let frame = read(&reader, sequence);
        let slot = frame.bytes().as_ptr_range();
        let slot = slot.start as usize..slot.end as usize;
        for column in frame.batches()[0].columns() {
            let mut data = vec![column.to_data()];
            while let Some(piece) = data.pop() {
                for buffer in piece.buffers().iter().filter(|buffer| !buffer.is_empty()) {
                    let at = buffer.as_ptr() as usize;
                    assert!(slot.contains(&at) && at + buffer.len() <= slot.end, "{}", piece.data_type());
                }
                let nulls = piece.nulls().map(|nulls| nulls.validity().as_ptr() as usize);
                assert!(nulls.is_none_or(|at| slot.contains(&at)), "nulls of {}", piece.data_type());
                data.extend(piece.child_data().iter().cloned());
            }
        }
        let symbols = frame.batches()[0].column_by_name("symbol").expect("there").as_string_view().clone();
        for text in symbols.iter().flatten() {
            assert!(slot.contains(&(text.as_ptr() as usize)), "'{text}' was copied");
        }
        assert_eq!(frame.bytes_copied(), 0);
    }
}

#[test]
fn a_closed_ring_is_read_to_its_end() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..3);
    writer.close().expect("no loan");
    assert_eq!(kind(writer.write_arrow(&table(SEED, 3))), Some(ErrorKind::Closed));
    (0..3).for_each(|sequence| drop(read(&reader, sequence)));
    ends(&reader, ErrorKind::EndOfStream);
    ends(&reader, ErrorKind::EndOfStream);
    assert_eq!(reader.iter().count(), 0);
    reader.close();
    assert_eq!(kind(reader.read_frame(1)), Some(ErrorKind::Closed));
    assert_eq!(scene.files(), [""; 0], "the last one out");
}

#[test]
fn the_last_one_out_removes_the_name_whoever_it_is() {
    for order in 0..6 {
        let scene = Scene::new();
        let ring = scene.ring("feed");
        let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
        write(&writer, 0..1);
        let frame = read(&reader, 0);
        let (mut writer, mut reader, mut frame) = (Some(writer), Some(reader), Some(frame));
        for (left, who) in
            [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][order].into_iter().enumerate()
        {
            assert_eq!(scene.files(), ["qads_feed"], "order {order}, {left} have left");
            match who {
                0 => drop(writer.take()),
                1 => drop(reader.take()),
                _ => drop(frame.take()),
            }
        }
        assert_eq!(scene.files(), [""; 0], "order {order}");
    }
}

#[test]
fn a_ring_in_which_nothing_was_written_goes_with_its_writer() {
    let scene = Scene::new();
    drop(scene.ring("feed").writer().expect("created"));
    assert_eq!(scene.files(), [""; 0]);
}

#[test]
fn what_was_not_read_outlives_its_writer() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writing = Actor::start(&Role::Write {
        ring: ring.clone(),
        seed: SEED,
        until: Some(3),
        stay: false,
        wait: false,
    });
    writing.opens();
    writing.says(&Line::Wrote { next: 3 });
    writing.finish();
    assert_eq!(scene.info("feed").expect("there").state, RingState::Closed);
    let reader = ring.reader().expect("a closed ring admits readers");
    (0..3).for_each(|sequence| drop(read(&reader, sequence)));
    ends(&reader, ErrorKind::EndOfStream);
}

#[test]
fn what_was_read_only_in_part_stays() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..3);
    drop(writer);
    read(&reader, 0);
    drop(reader);
    assert_eq!(scene.files(), ["qads_feed"]);
    let later = ring.reader().expect("attached");
    (0..3).for_each(|sequence| drop(read(&later, sequence)));
}

#[test]
fn an_heir_goes_on_and_unread_frames_stay() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    for (generation, first) in [0, 3, 6].into_iter().enumerate() {
        let writer = ring.writer().expect("created or taken over");
        assert_eq!(writer.stats().frames_published, first);
        write(&writer, first..first + 3);
        assert_eq!(scene.info("feed").expect("live").generation, generation as u64 + 1);
    }
    // Four slots: 5 to 8 of 0 to 8.
    let reader = ring.reader().expect("attached");
    (5..9).for_each(|sequence| drop(read(&reader, sequence)));
    let heir = ring.writer().expect("taken over");
    write(&heir, 9..10);
    read(&reader, 9);
    drop(heir);
    ends(&reader, ErrorKind::EndOfStream);
}

#[test]
fn another_geometry_replaces_the_ring_and_old_readers_are_told_when_they_have_drained_it() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    write(&writer, 0..3);
    let old = ring.reader().expect("attached");
    let held = read(&old, 0);
    drop(writer);
    let larger = ring.clone().slots(9);
    let writer = larger.writer().expect("replaced");
    assert_eq!(writer.stats().frames_published, 0);
    write(&writer, 0..1);
    let new = larger.reader().expect("attached");
    (1..3).for_each(|sequence| drop(read(&old, sequence)));
    ends(&old, ErrorKind::Replaced);
    read(&new, 0);
    check(SEED, &held).expect("a held frame outlives the replacement");
    drop((old, held));
    write(&writer, 1..2);
    read(&new, 1);
}

#[test]
fn a_second_living_writer_is_refused() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    let me = std::process::id();
    for other in [ring.clone(), ring.clone().slots(9)] {
        match other.writer() {
            Err(QADataSwapError::WriterExists { pid, .. }) => assert_eq!(pid, me),
            other => panic!("{other:?}"),
        }
        let role = Role::Write { ring: other, seed: SEED, until: Some(1), stay: false, wait: false };
        let actor = Actor::start(&role);
        match actor.line() {
            Line::Refused { kind, message } => {
                assert!(kind == "WriterExists" && message.contains(&me.to_string()), "{message}");
            }
            line => panic!("{line:?}"),
        }
        actor.finish();
    }
    write(&writer, 0..1);
    drop(writer);
    read(&ring.reader().expect("attached"), 0);
}

#[test]
fn a_removed_file_goes_on_between_those_who_have_it() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    write(&writer, 0..1);
    std::fs::remove_file(ring.path()).expect("there");
    assert_eq!(kind(ring.reader()), Some(ErrorKind::NotFound));
    assert_eq!(kind(scene.info("feed")), Some(ErrorKind::NotFound));
    write(&writer, 1..2);
    (0..2).for_each(|sequence| drop(read(&reader, sequence)));
    // The name is free: a new ring takes it, and the old one's end leaves it alone.
    let second = ring.writer().expect("created");
    write(&second, 0..1);
    drop(writer);
    ends(&reader, ErrorKind::EndOfStream);
    drop(reader);
    assert_eq!(scene.files(), ["qads_feed"]);
    read(&ring.reader().expect("attached"), 0);
    drop(second);
    assert_eq!(scene.files(), [""; 0]);
}

#[test]
fn a_reader_waits_for_a_ring_that_is_yet_to_come() {
    let scene = Scene::new();
    let ring = scene.ring("feed").attach_within(PATIENCE);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| drop(read(&ring.reader().expect("attached"), 0)));
        let writer = ring.writer().expect("created");
        write(&writer, 0..1);
        reading.join().expect("no panic");
    });
    let missing = scene.ring("missing");
    assert_eq!(kind(missing.reader()), Some(ErrorKind::NotFound));
}

#[test]
fn creators_that_race_for_a_name_leave_one_writer() {
    for _ in 0..60 {
        let scene = Scene::new();
        let rings = [scene.ring("feed"), scene.ring("feed"), scene.ring("feed").slots(2)];
        let writers: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = rings.iter().map(|ring| scope.spawn(|| ring.writer())).collect();
            starts.into_iter().map(|start| start.join().expect("no panic")).collect()
        });
        let living = writers.iter().filter(|writer| writer.is_ok()).count();
        assert_eq!(living, 1);
        for refusal in writers.into_iter().filter_map(Result::err) {
            assert_eq!(refusal.kind(), ErrorKind::WriterExists);
        }
    }
}

#[test]
fn nothing_stays_open_or_mapped_after_use() {
    let scene = Scene::new();
    Actor::start(&Role::Tidy { ring: scene.ring("feed") }).finish();
}

#[test]
fn every_kind_of_array_holds_its_slot() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(1).full(Full::Fail).policy(Owed::Lossy);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    let columns = table(SEED, 0).num_columns();
    for column in 0..columns {
        let next = writer.stats().frames_published;
        write(&writer, next..next + 1);
        let array = read(&reader, next).batches()[0].column(column).clone();
        let name = table(SEED, 0).schema().field(column).name().clone();
        assert_eq!(kind(writer.write_arrow(&table(SEED, next + 1))), Some(ErrorKind::RingFull), "{name}");
        assert_eq!(&array, table(SEED, next).column(column));
        drop(array);
    }
    drop(writer);
    scene.gc();
}

#[test]
fn rings_that_come_and_go_are_never_seen_half() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(2);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut read = 0;
                    while !stopped() {
                        let reader = match ring.reader() {
                            Ok(reader) => reader,
                            Err(error) if error.kind() == ErrorKind::NotFound => continue,
                            Err(error) => panic!("{error}"),
                        };
                        loop {
                            match reader.read_frame(PATIENCE) {
                                Ok(Some(frame)) => {
                                    check(SEED, &frame).expect("whole");
                                    read += 1;
                                }
                                Ok(None) => panic!("neither a frame nor the end"),
                                Err(error) => {
                                    let fine = [ErrorKind::EndOfStream, ErrorKind::Replaced];
                                    assert!(fine.contains(&error.kind()), "{error}");
                                    break;
                                }
                            }
                        }
                    }
                    read
                })
            })
            .collect();
        let sweeper = scope.spawn(|| {
            while !stopped() {
                assert!(scene.gc().iter().all(|name| name == "feed"));
                let listed = qadataswap::inspect::list(scene.folder()).expect("the folder can be read");
                for (_, info) in listed {
                    let gone = info.err().map(|error| error.kind());
                    assert!(gone.is_none_or(|kind| kind == ErrorKind::NotFound), "{gone:?}");
                }
            }
        });
        for round in 0..400 {
            let writer = ring.clone().slots(2 + round % 3 / 2).writer().expect("nobody else writes");
            let next = writer.stats().frames_published;
            write(&writer, next..next + 3);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let read: u64 = visitors.into_iter().map(|visitor| visitor.join().expect("no panic")).sum();
        sweeper.join().expect("no panic");
        assert!(read > 0, "nobody ever read");
    });
    scene.gc();
}
