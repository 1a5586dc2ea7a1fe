//! Waiting on many rings ends with the first that has something to read, tells all that have, and takes nothing.

use arrow_array::{Int64Array, RecordBatch};
use qadataswap::{ErrorKind, Reader, Selector, SharedMemoryConfig, Timeout, WaitStrategy, Writer};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn table() -> RecordBatch {
    let column = Arc::new(Int64Array::from(vec![1, 2, 3]));
    RecordBatch::try_from_iter([("a", column as _)]).expect("one column")
}

fn config(name: &str) -> SharedMemoryConfig {
    SharedMemoryConfig::new(format!("selector-{name}-{}", std::process::id())).with_slot_bytes(4096)
}

/// Rings that a selector waits on, each by its position.
struct Rings {
    writers: Vec<Writer>,
    readers: Vec<Reader>,
    selector: Selector,
}

fn rings(name: &str, count: usize) -> Rings {
    raise_descriptor_limit();
    let selector = Selector::with_strategy(WaitStrategy::SLEEP);
    let mut rings = Rings { writers: Vec::new(), readers: Vec::new(), selector };
    for each in 0..count {
        let config = config(&format!("{name}-{each}"));
        rings.writers.push(Writer::new(&config).expect("created"));
        rings.readers.push(Reader::new(&config).expect("attached"));
        rings.selector.add(each as u64, &rings.readers[each]).expect("a new key");
    }
    rings
}

/// Each end of a ring takes two descriptors.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the maximum");
}

impl Drop for Rings {
    /// What nobody has read would stay.
    fn drop(&mut self) {
        self.readers.iter().for_each(read_out);
    }
}

fn read_out(reader: &Reader) {
    while let Ok(Some(_)) = reader.try_read_frame() {}
}

impl Rings {
    fn write(&self, ring: usize) {
        self.writers[ring].write_arrow(&table()).expect("written");
    }

    fn read(&self, ring: u64) {
        assert_eq!(self.readers[ring as usize].try_read_arrow().expect("no error"), Some(table()));
    }
}

#[test]
fn a_wait_tells_what_can_be_read_and_takes_nothing() {
    let rings = rings("tells", 3);
    assert!(rings.selector.wait(1).is_empty());
    rings.write(2);
    assert_eq!(rings.selector.wait(PATIENCE), [2]);
    assert_eq!(rings.selector.wait(PATIENCE), [2], "it was not read");
    rings.write(0);
    let mut both = rings.selector.wait(PATIENCE);
    both.sort_unstable();
    assert_eq!(both, [0, 2]);
    rings.read(0);
    rings.read(2);
    assert!(rings.selector.wait(0).is_empty());
}

#[test]
fn each_reader_is_told_of_first_in_turn() {
    let rings = rings("turns", 3);
    (0..3).for_each(|ring| rings.write(ring));
    let mut firsts: Vec<u64> = (0..3).map(|_| rings.selector.wait(PATIENCE)[0]).collect();
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 1, 2]);
}

#[test]
fn a_wait_in_another_thread_ends_with_a_frame_of_any_ring() {
    let rings = rings("thread", 5);
    for round in 0..200 {
        let ring = round % 5;
        let ready = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| rings.selector.wait(PATIENCE));
            rings.writers[ring].write_arrow(&table()).expect("written");
            waiting.join().expect("no panic")
        });
        assert_eq!(ready, [ring as u64]);
        rings.read(ring as u64);
    }
}

#[test]
fn more_rings_than_one_call_takes_wake_the_selector_each() {
    let rings = rings("many", 600);
    for ring in (0..600).step_by(7).chain([0, 126, 127, 128, 253, 254, 255, 380, 381, 507, 508, 599]) {
        let ready = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| rings.selector.wait(PATIENCE));
            rings.writers[ring].write_arrow(&table()).expect("written");
            waiting.join().expect("no panic")
        });
        assert_eq!(ready, [ring as u64]);
        rings.read(ring as u64);
    }
    // From the end on, so that what remains is waited for by others than before.
    for ring in (0..600).rev() {
        if ring % 150 == 0 {
            rings.write(ring);
            assert_eq!(rings.selector.wait(PATIENCE), [ring as u64]);
        }
        assert!(rings.selector.remove(ring as u64));
    }
    assert!(rings.selector.is_empty());
}

#[test]
fn relays_go_with_their_selector() {
    // Threads of other tests come and go meanwhile: those of this one are told by their process.
    if std::env::var_os("QADATASWAP_RELAYS").is_none() {
        let this = std::env::current_exe().expect("a test has a binary");
        let status = std::process::Command::new(this)
            .args(["relays_go_with_their_selector", "--exact", "--test-threads=1"])
            .env("QADATASWAP_RELAYS", "1")
            .status();
        assert!(status.expect("it runs").success());
        return;
    }
    let threads = || std::fs::read_dir("/proc/self/task").expect("procfs").count();
    let mut rings = rings("relays", 300);
    let before = threads();
    // On a busy machine the time may be over before a wait has come to sleep, which is when it has relays.
    let began = Instant::now();
    while threads() != before + 2 && began.elapsed() < PATIENCE {
        assert!(rings.selector.wait(1).is_empty());
    }
    assert_eq!(threads(), before + 2, "two relays for 173 rings more than one call takes");
    for ring in 100..300 {
        rings.selector.remove(ring);
    }
    assert!(rings.selector.wait(1).is_empty());
    assert_eq!(threads(), before, "one call takes those that are left");
    drop(std::mem::take(&mut rings.selector));
    assert_eq!(threads(), before);
}

#[test]
fn a_waker_ends_the_wait_that_goes_on_or_the_next() {
    let rings = rings("waker", 2);
    let waker = rings.selector.waker();
    waker.wake();
    waker.wake();
    assert!(rings.selector.wait(Timeout::FOREVER).is_empty(), "it was called before");
    for _ in 0..100 {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| rings.selector.wait(Timeout::FOREVER));
            waker.wake();
            assert!(waiting.join().expect("no panic").is_empty());
        });
    }
    rings.write(1);
    assert_eq!(rings.selector.wait(PATIENCE), [1]);
}

#[test]
fn a_wait_goes_on_with_the_readers_that_are_added_and_without_those_removed() {
    let rings = rings("change", 2);
    let late =
        (Writer::new(config("late")).expect("created"), Reader::new(config("late")).expect("attached"));
    late.0.write_arrow(&table()).expect("written");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| rings.selector.wait(PATIENCE));
        assert!(rings.selector.remove(0));
        rings.writers[0].write_arrow(&table()).expect("written");
        rings.selector.add(7, &late.1).expect("a new key");
        let ready = waiting.join().expect("no panic");
        assert_eq!(ready.last(), Some(&7));
    });
    assert!(!rings.selector.remove(0));
    assert_eq!(rings.selector.wait(0), [7]);
    read_out(&late.1);
}

#[test]
fn a_key_stands_for_one_reader() {
    let rings = rings("keys", 1);
    let error = rings.selector.add(0, &rings.readers[0]).expect_err("it stands for one");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    rings.readers[0].close();
    assert_eq!(rings.selector.add(1, &rings.readers[0]).expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(rings.selector.len(), 1);
}

#[test]
fn the_end_of_a_stream_and_a_closed_reader_are_told() {
    let rings = rings("ends", 3);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| rings.selector.wait(Timeout::FOREVER));
        rings.writers[1].close().expect("closed");
        assert_eq!(waiting.join().expect("no panic"), [1]);
    });
    let error = rings.readers[1].try_read_arrow().expect_err("the end");
    assert_eq!(error.kind(), ErrorKind::EndOfStream);
    assert!(rings.selector.remove(1));
    rings.readers[2].close();
    assert_eq!(rings.selector.wait(Timeout::FOREVER), [2]);
}

#[test]
fn every_frame_of_many_busy_rings_is_read() {
    const RINGS: usize = 150;
    const FRAMES: usize = 40;
    let mut rings = rings("busy", RINGS);
    let write = |writers: Vec<Writer>| {
        for _ in 0..FRAMES {
            for writer in &writers {
                writer.write_arrow(&table()).expect("read in time");
            }
        }
    };
    let half = rings.writers.split_off(RINGS / 2);
    let writers = [half, std::mem::take(&mut rings.writers)];
    let writing = writers.map(|writers| std::thread::spawn(move || write(writers)));
    let mut read = [0; RINGS];
    while !rings.selector.is_empty() {
        for ring in rings.selector.wait(PATIENCE) {
            match rings.readers[ring as usize].try_read_frame() {
                Ok(frame) => read[ring as usize] += usize::from(frame.is_some()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::EndOfStream);
                    rings.selector.remove(ring);
                }
            }
        }
    }
    assert_eq!(read, [FRAMES; RINGS]);
    writing.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn a_removed_reader_leaves_its_ring_as_it_is_dropped() {
    let mut rings = rings("leaves", 200);
    assert!(rings.selector.wait(1).is_empty());
    let deadline = Instant::now() + PATIENCE;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| rings.selector.wait(Timeout::FOREVER));
        // The last one is waited for by a relay.
        for ring in [199, 0] {
            assert!(rings.selector.remove(ring));
        }
        rings.selector.waker().wake();
        assert!(waiting.join().expect("no panic").is_empty());
    });
    for ring in [199, 0] {
        drop(rings.readers.remove(ring));
        while rings.writers[ring].reader_count() > 0 {
            assert!(Instant::now() < deadline, "ring {ring} is held");
            std::thread::yield_now();
        }
    }
}
