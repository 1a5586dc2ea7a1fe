//! What can be seen of a ring from outside: what its readers count, what its writer waits.

use qadataswap::arrow_array::{Int64Array, RecordBatch};
use qadataswap::inspect::{self, ReaderInfo, RingInfo};
use qadataswap::{QADataSwapError, Reader, ReaderPolicy, SharedMemoryConfig, WhenFull, Writer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A ring of three slots that nobody else uses; its file goes with the test, read or not.
struct Ring(SharedMemoryConfig);

impl std::ops::Deref for Ring {
    type Target = SharedMemoryConfig;

    fn deref(&self) -> &SharedMemoryConfig {
        &self.0
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(format!("/dev/shm/qads_{}", self.0.name()));
    }
}

fn ring(name: &str) -> Ring {
    let name = format!("observe-{name}-{}", std::process::id());
    Ring(SharedMemoryConfig::new(name).with_size_mb(1).with_buffer_count(3))
}

fn look(ring: &SharedMemoryConfig) -> RingInfo {
    inspect::info(ring.name(), "/dev/shm").expect("the ring is there")
}

fn rows(count: i64) -> RecordBatch {
    let column = Arc::new(Int64Array::from_iter_values(0..count));
    RecordBatch::try_from_iter([("n", column as _)]).expect("one column")
}

fn only_reader(info: &RingInfo) -> &ReaderInfo {
    assert_eq!(info.readers.len(), 1);
    &info.readers[0]
}

#[test]
fn what_a_reader_has_read_is_seen_from_outside() {
    let ring = ring("reads");
    let (writer, reader) = (Writer::new(&*ring).expect("a ring"), Reader::new(&*ring).expect("a reader"));
    let info = look(&ring);
    assert_eq!((only_reader(&info).reads, only_reader(&info).last_read), (0, None));
    assert_eq!(only_reader(&info).latency.quantile(0.5), None);
    for count in 1..=5 {
        writer.write_arrow(&rows(count)).expect("written");
        reader.read_arrow(1000).expect("read").expect("it was just written");
    }
    writer.write_arrow(&rows(6)).expect("written");
    let info = look(&ring);
    let (seen, stats) = (only_reader(&info), reader.stats());
    assert_eq!((seen.reads, seen.rows, seen.bytes), (5, 15, stats.bytes_read));
    assert_eq!((seen.cursor, seen.lag, seen.missed), (5, 1, 0));
    assert!(seen.last_read.is_some_and(|ago| ago <= seen.attached));
    assert!(seen.latency.count() >= 1 && seen.latency.max() <= seen.attached);
}

#[test]
fn a_frame_that_lay_for_a_while_counts_as_late() {
    let ring = ring("late");
    let (writer, reader) = (Writer::new(&*ring).expect("a ring"), Reader::new(&*ring).expect("a reader"));
    writer.write_arrow(&rows(1)).expect("written");
    let written = Instant::now();
    let lay = Duration::from_millis(20);
    while written.elapsed() < lay {
        std::thread::yield_now();
    }
    let frame = reader.read_frame(0).expect("read").expect("it was written");
    let age = frame.age();
    let info = look(&ring);
    let latency = &only_reader(&info).latency;
    assert_eq!(latency.count(), 1);
    assert!((lay..=age).contains(&latency.max()), "{:?}", latency.max());
    assert_eq!(latency.sum(), latency.max());
    assert!(latency.quantile(0.5).is_some_and(|median| median >= lay / 16 * 15 && median <= age));
}

#[test]
fn two_looks_tell_what_came_between_them() {
    let ring = ring("between");
    let (writer, reader) = (Writer::new(&*ring).expect("a ring"), Reader::new(&*ring).expect("a reader"));
    let turn = || {
        writer.write_arrow(&rows(10)).expect("written");
        drop(reader.read_frame(1000).expect("read").expect("it was just written"));
    };
    (0..4).for_each(|_| turn());
    let earlier = look(&ring);
    (0..3).for_each(|_| turn());
    let late = Reader::new(&*ring).expect("another reader");
    let read = (0..).map_while(|_| late.try_read_frame().expect("read")).count() as u64;
    let later = look(&ring);
    let between = later.since(&earlier).expect("the same region");
    assert_eq!((between.frames, between.rows), (3, 30));
    assert_eq!(between.elapsed, later.looked_at - earlier.looked_at);
    let readers: Vec<_> = between.readers.iter().map(|r| (r.reads, r.rows)).collect();
    assert_eq!(readers, [(3, 30), (read, read * 10)], "who came in between has done all it counts");
    assert!(read > 0 && between.per_second(between.frames) > 0.0);
    assert!(earlier.since(&later).is_some_and(|none| none.frames == 0));
}

#[test]
fn another_region_of_the_name_is_not_compared() {
    let ring = ring("another");
    let writer = Writer::new(&*ring).expect("a ring");
    let earlier = look(&ring);
    drop(writer);
    let _writer = Writer::new(ring.clone().with_buffer_count(5)).expect("it replaces the ring");
    assert!(look(&ring).since(&earlier).is_none());
}

#[test]
fn a_place_that_changes_hands_starts_from_zero() {
    let ring = ring("hands");
    let writer = Writer::new(&*ring).expect("a ring");
    let reader = Reader::new(ring.clone().with_policy(ReaderPolicy::Lossy)).expect("a reader");
    for _ in 0..8 {
        writer.write_arrow(&rows(1)).expect("written");
    }
    drop(reader.read_frame(1000).expect("read").expect("it was written"));
    let earlier = look(&ring);
    let former = only_reader(&earlier);
    assert!(former.missed > 0 && former.reads == 1 && former.latency.count() == 1);
    drop(reader);
    let _next = Reader::new(&*ring).expect("a reader");
    let later = look(&ring);
    let next = only_reader(&later);
    assert_eq!(next.row, former.row);
    assert_ne!(next.epoch, former.epoch);
    assert_eq!((next.reads, next.bytes, next.rows, next.missed, next.last_read), (0, 0, 0, 0, None));
    assert_eq!(
        (next.latency.count(), next.latency.sum(), next.latency.max()),
        (0, Duration::ZERO, Duration::ZERO)
    );
    assert_eq!(later.since(&earlier).expect("the same region").readers[0].reads, 0);
}

#[test]
fn a_writer_that_waits_is_seen_waiting() {
    let ring = ring("waits");
    let (attached, wait) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
    let (there, go) = (attached.clone(), wait.clone());
    let config = ring.clone().with_when_full(WhenFull::Block(Some(Duration::from_secs(60))));
    let writer = std::thread::spawn(move || {
        let writer = Writer::new(&config).expect("a ring");
        there.wait();
        go.wait();
        for _ in 0..4 {
            writer.write_arrow(&rows(1)).expect("written");
        }
        there.wait();
        go.wait();
    });
    attached.wait();
    let reader = Reader::new(&*ring).expect("a reader");
    assert_eq!((look(&ring).full_waits, look(&ring).waiting), (0, None));
    wait.wait();
    let deadline = Instant::now() + Duration::from_secs(30);
    while look(&ring).waiting.is_none() {
        assert!(Instant::now() < deadline, "the writer never waited");
        std::thread::yield_now();
    }
    let earlier = look(&ring);
    assert_eq!(earlier.full_waits, 1);
    let later = look(&ring);
    assert!(later.waited >= earlier.waited, "the wait counts while it lasts");
    drop(reader.read_frame(1000).expect("read").expect("the ring is full"));
    attached.wait();
    let info = look(&ring);
    assert_eq!((info.full_waits, info.waiting, info.write_timeouts), (1, None, 0));
    assert!(info.waited >= later.waited && info.waited > Duration::ZERO);
    wait.wait();
    writer.join().expect("the writer ends");
    while !matches!(reader.read_frame(1000), Err(QADataSwapError::EndOfStream { .. })) {}
}

#[test]
fn a_wait_in_vain_is_counted() {
    let ring = ring("vain");
    let impatient = ring.clone().with_when_full(WhenFull::Block(Some(Duration::from_millis(1))));
    let (writer, _reader) =
        (Writer::new(&impatient).expect("a ring"), Reader::new(&*ring).expect("a reader"));
    let refused = (0..4).find_map(|_| writer.write_arrow(&rows(1)).err());
    assert!(matches!(refused, Some(QADataSwapError::WriteTimeout { .. })), "{refused:?}");
    let info = look(&ring);
    assert_eq!((info.full_waits, info.write_timeouts, info.waiting), (1, 1, None));
    assert!(info.waited >= Duration::from_millis(1));
}
