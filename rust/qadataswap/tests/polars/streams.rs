//! Streams of Polars frames, and frames that are awaited.

use super::assert_same;
use polars::prelude::*;
use qadataswap::{ErrorKind, Reader, SharedDataStream, SharedMemoryConfig, Writer};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn config(test: &str) -> SharedMemoryConfig {
    SharedMemoryConfig::new(format!("polars-{test}-{}", std::process::id())).with_slot_bytes(1 << 16)
}

fn numbers(rows: i64) -> DataFrame {
    df! { "n" => (0..rows).collect::<Vec<_>>() }.expect("one column")
}

#[test]
fn a_frame_larger_than_the_ring_is_sent_in_parts_and_arrives_whole() {
    let config = config("parts");
    let frame = numbers(100_000);
    let writer = SharedDataStream::create_writer_of(&config, 200_000).expect("writer");
    let reading = {
        let config = config.clone();
        thread::spawn(move || {
            let reader = SharedDataStream::create_reader(&config).expect("reader");
            let mut all: Vec<i64> = Vec::new();
            loop {
                match reader.read(SOON) {
                    Ok(part) => {
                        let part = part.expect("a chunk comes in time");
                        all.extend(
                            part.column("n").expect("there").i64().expect("integers").iter().flatten(),
                        );
                    }
                    Err(error) => return (all, error.kind()),
                }
            }
        })
    };
    writer.write(&frame).expect("written");
    writer.write_lazy(frame.lazy()).expect("written");
    writer.close().expect("as long as announced");
    let (all, end) = reading.join().expect("reads");
    assert_eq!(end, ErrorKind::EndOfStream);
    assert!(all.into_iter().eq((0..100_000).chain(0..100_000)));
}

/// Wakes a thread.
struct Waking(Thread);

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Waking(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_frame_is_awaited_and_a_dropped_future_loses_none() {
    let config = config("awaited");
    let writer = Writer::new(&config).expect("writer");
    let mut reader = Reader::new(&config).expect("reader");
    let frame = numbers(3);
    let waker = Waker::noop();
    // Polled once, when nothing is there; dropped before anything comes.
    assert!(pin!(reader.read_async()).as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    let writing = {
        let frame = frame.clone();
        thread::spawn(move || {
            writer.write(&frame).expect("written");
            writer
        })
    };
    assert_same(&block_on(reader.read_async()).expect("read"), &frame);
    drop(writing.join().expect("writes"));
    assert_eq!(block_on(reader.read_async()).expect_err("ended").kind(), ErrorKind::EndOfStream);
}
