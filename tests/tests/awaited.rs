//! Reading by `async` under tokio: one thread waits for all, nothing is lost, nothing leaks, nobody starves.

use futures_core::Stream;
use qadataswap::{ErrorKind, Frame, FrameStream, Reader, Result, SharedDataFrame};
use qadataswap_tests::kills::{self, SEED};
use qadataswap_tests::scene::Full;
use qadataswap_tests::{Actor, PATIENCE, PROMPT, Scene, check, eventually, table};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What a process has of threads is looked at by one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("threads")
}

/// Runs `test` to its end, which must come.
fn run<F: Future<Output = ()>>(test: F) {
    let current = Builder::new_current_thread().enable_time().build().expect("a runtime");
    current.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it comes to its end") });
}

async fn next<R: std::borrow::BorrowMut<Reader> + Unpin>(
    stream: &mut FrameStream<R>,
) -> Option<Result<Frame>> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// Threads of this process whose name starts so.
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|each| each.starts_with(name)).count()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("procfs").count()
}

#[test]
fn spawned_tasks_read_what_comes_later() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    let mut reader = ring.reader().expect("attached");
    let runtime = runtime();
    let reading = runtime.spawn(async move {
        let first = reader.read_frame_async().await?;
        let second = reader.read_arrow_async().await?;
        let mut handle = SharedDataFrame::from(reader);
        let third = handle.read_frame_async().await?;
        Ok::<_, qadataswap::QADataSwapError>((first, second, third))
    });
    for sequence in 0..3 {
        std::thread::sleep(Duration::from_millis(5));
        writer.write_arrow(&table(SEED, sequence)).expect("written");
    }
    let (first, second, third) = runtime.block_on(reading).expect("no panic").expect("read");
    check(SEED, &first).expect("whole");
    assert_eq!(second, table(SEED, 1));
    assert_eq!(third.sequence(), 2);
}

#[test]
fn a_stream_yields_every_frame_and_ends_with_its_writer() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut writing = kills::writer(&mut Actor::start, &ring, Some(500), false, true);
    writing.opens();
    let mut stream = ring.reader().expect("attached").into_stream();
    run(async {
        writing.tell("go");
        for sequence in 0..500 {
            let frame = next(&mut stream).await.expect("not the end").expect("no error");
            assert_eq!(frame.sequence(), sequence);
            check(SEED, &frame).expect("whole");
        }
        assert!(next(&mut stream).await.is_none());
        assert!(next(&mut stream).await.is_none());
        assert_eq!(stream.reader().stats().reads_count, 500);
    });
    writing.says(&qadataswap_tests::Line::Wrote { next: 500 });
    writing.finish();
}

#[test]
fn the_death_of_a_writer_is_told_to_who_awaits() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut writing = kills::writer(&mut Actor::start, &ring, Some(1), true, true);
    writing.opens();
    let mut reader = ring.reader().expect("attached");
    run(async {
        writing.tell("go");
        check(SEED, &reader.read_frame_async().await.expect("a frame")).expect("whole");
        writing.says(&qadataswap_tests::Line::Wrote { next: 1 });
        let told = {
            let mut awaited = pin!(reader.read_frame_async());
            let early = tokio::time::timeout(Duration::from_millis(10), &mut awaited).await;
            assert!(early.is_err(), "its writer lives");
            writing.kill();
            tokio::time::timeout(PROMPT, awaited).await.expect("in time")
        };
        assert_eq!(told.expect_err("no frame will come").kind(), ErrorKind::WriterDied);
        // An heir's frames are awaited as before.
        let heir = ring.writer().expect("taken over");
        heir.write_arrow(&table(SEED, 1)).expect("written");
        assert_eq!(reader.read_frame_async().await.expect("a frame").sequence(), 1);
    });
}

#[test]
fn a_closed_reader_is_told_so() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let _writer = ring.writer().expect("created");
    let mut reader = ring.reader().expect("attached");
    reader.close();
    run(async {
        assert_eq!(reader.read_frame_async().await.expect_err("closed").kind(), ErrorKind::Closed);
    });
}

#[test]
fn dropped_futures_lose_no_frame() {
    const FRAMES: u64 = 2000;
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    let mut reader = ring.reader().expect("attached");
    let writing = std::thread::spawn(move || {
        for sequence in 0..FRAMES {
            if sequence % 10 == 0 {
                // Longer than any patience below: whoever awaits the next frame gives up.
                std::thread::sleep(Duration::from_micros(300));
            }
            writer.write_arrow(&table(SEED, sequence)).expect("written");
        }
    });
    run(async {
        let (mut expected, mut given_up) = (0, 0);
        let error = loop {
            let patience = Duration::from_micros(expected % 5 * 30);
            match tokio::time::timeout(patience, reader.read_frame_async()).await {
                Err(_) => given_up += 1,
                Ok(Ok(frame)) => {
                    assert_eq!((frame.sequence(), frame.missed()), (expected, 0));
                    expected += 1;
                }
                Ok(Err(error)) => break error,
            }
        };
        assert_eq!((error.kind(), expected), (ErrorKind::EndOfStream, FRAMES));
        assert!(given_up > 0, "nothing was tested");
    });
    writing.join().expect("written");
}

#[test]
fn one_thread_waits_for_all_and_goes_away() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scene = Scene::new();
    let rings: Vec<_> = (0..100).map(|each| scene.ring(&format!("feed-{each}"))).collect();
    let writers: Vec<_> = rings.iter().map(|ring| ring.writer().expect("created")).collect();
    let readers: Vec<_> = rings.iter().map(|ring| ring.reader().expect("attached")).collect();
    let runtime = runtime();
    let tasks: Vec<_> = readers
        .into_iter()
        .map(|mut reader| {
            runtime.spawn(async move {
                let mut read = 0;
                while reader.read_frame_async().await.is_ok() {
                    read += 1;
                }
                read
            })
        })
        .collect();
    eventually("somebody waits", || threads("qadataswap-asyn") == 1);
    for sequence in 0..20 {
        for writer in &writers {
            writer.write_arrow(&table(SEED, sequence)).expect("written");
        }
        assert_eq!((threads("qadataswap-asyn"), threads("qadataswap-rela")), (1, 0));
    }
    drop(writers);
    for task in tasks {
        assert_eq!(runtime.block_on(task).expect("no panic"), 20);
    }
    eventually("the thread ends", || threads("qadataswap-asyn") == 0);
}

#[test]
fn thousands_of_futures_leave_neither_threads_nor_descriptors() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    let mut reader = ring.reader().expect("attached");
    let before = descriptors();
    let mut context = Context::from_waker(Waker::noop());
    for round in 0..5000u64 {
        let mut future = pin!(reader.read_frame_async());
        assert!(future.as_mut().poll(&mut context).is_pending());
        if round % 50 == 0 {
            writer.write_arrow(&table(SEED, round / 50)).expect("written");
            while future.as_mut().poll(&mut context).is_pending() {}
        }
    }
    assert!(threads("qadataswap-asyn") <= 1);
    // Others of this process open some too, and close them.
    eventually("descriptors are closed", || descriptors() <= before);
    eventually("the thread ends", || threads("qadataswap-asyn") == 0);
}

#[test]
fn a_busy_ring_leaves_other_tasks_their_turn() {
    let scene = Scene::new();
    let ring = scene.ring("feed").full(Full::Overwrite).policy(qadataswap_tests::scene::Owed::Lossy);
    let writer = ring.writer().expect("created");
    let mut stream = ring.reader().expect("attached").into_stream();
    let turns = std::sync::Arc::new(AtomicU64::new(0));
    run(async {
        let counted = turns.clone();
        let other = async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        };
        let reading = async {
            for sequence in 0..1000 {
                // There always is a frame: the stream is never pending for want of one.
                writer.write_arrow(&table(SEED, sequence)).expect("written");
                next(&mut stream).await.expect("not the end").expect("no error");
            }
        };
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let other = tokio::task::spawn_local(other);
                reading.await;
                other.abort();
            })
            .await;
    });
    assert!(turns.load(Ordering::Relaxed) >= 10, "{turns:?}");
}
