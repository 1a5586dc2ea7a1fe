//! Waiting for a frame takes none, and ends when there is something to read.

use arrow_array::{Int64Array, RecordBatch};
use qadataswap::{ErrorKind, Reader, ReaderPolicy, SharedMemoryConfig, Timeout, WhenFull, Writer};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn table() -> RecordBatch {
    let column = Arc::new(Int64Array::from(vec![1, 2, 3]));
    RecordBatch::try_from_iter([("a", column as _)]).expect("one column")
}

fn config(name: &str) -> SharedMemoryConfig {
    SharedMemoryConfig::new(format!("waiter-{name}-{}", std::process::id())).with_size_mb(1)
}

#[test]
fn a_wait_takes_no_frame() {
    let config = config("takes");
    let (writer, reader) = (Writer::new(&config).expect("created"), Reader::new(&config).expect("attached"));
    assert!(!reader.waiter().expect("open").wait(1));
    writer.write_arrow(&table()).expect("written");
    let waiter = reader.waiter().expect("open");
    assert!(waiter.wait(PATIENCE) && waiter.wait(PATIENCE));
    assert_eq!(reader.try_read_arrow().expect("no error"), Some(table()));
    assert!(!reader.waiter().expect("open").wait(0));
}

#[test]
fn a_wait_in_another_thread_ends_with_the_frame_that_comes() {
    let config = config("thread");
    let (writer, reader) = (Writer::new(&config).expect("created"), Reader::new(&config).expect("attached"));
    for _ in 0..50 {
        let waiter = reader.waiter().expect("open");
        let waiting = std::thread::spawn(move || waiter.wait(PATIENCE));
        writer.write_arrow(&table()).expect("written");
        assert!(waiting.join().expect("no panic"));
        assert!(reader.try_read_arrow().expect("no error").is_some());
    }
}

#[test]
fn a_wait_ends_with_the_stream_and_at_once_afterwards() {
    let config = config("ends");
    let (writer, reader) = (Writer::new(&config).expect("created"), Reader::new(&config).expect("attached"));
    let waiter = reader.waiter().expect("open");
    let waiting = std::thread::spawn(move || waiter.wait(PATIENCE));
    writer.close().expect("closed");
    assert!(waiting.join().expect("no panic"));
    let error = reader.try_read_arrow().expect_err("the end");
    assert_eq!(error.kind(), ErrorKind::EndOfStream);
    assert!(reader.waiter().expect("open").wait(0));
}

#[test]
fn a_wait_for_the_newest_ends_with_one_newer() {
    let config = config("latest").with_policy(ReaderPolicy::Latest).with_when_full(WhenFull::Overwrite);
    let (writer, reader) = (Writer::new(&config).expect("created"), Reader::new(&config).expect("attached"));
    for _ in 0..10 {
        writer.write_arrow(&table()).expect("written");
    }
    assert!(reader.waiter().expect("open").wait(0));
    assert!(reader.try_read_arrow().expect("no error").is_some());
    assert!(!reader.waiter().expect("open").wait(0), "the newest was read");
    // Frames that were jumped over count as unread, so nobody removes the ring.
    std::fs::remove_file(format!("/dev/shm/qads_{}", reader.name())).expect("it is there");
}

#[test]
fn a_wait_ends_when_its_reader_is_closed() {
    let config = config("closed");
    let (_writer, reader) = (Writer::new(&config).expect("created"), Reader::new(&config).expect("attached"));
    let waiter = reader.waiter().expect("open");
    let waiting = std::thread::spawn(move || waiter.wait(Timeout::FOREVER));
    reader.close();
    assert!(waiting.join().expect("no panic"));
    assert_eq!(reader.waiter().expect_err("closed").kind(), ErrorKind::Closed);
}
