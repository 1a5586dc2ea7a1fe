//! The acts: what a process does with rings, one thing at a time, each with what has to be there before.
//!
//! Law: an act asks for each thing that it does whether it went well, and has let go of everything when it ends. What
//! it needs is made in its `props`, whose calls are not judged; whom it needs dead, dies in its `ground`.

#![allow(unsafe_code)]

use crate::stage::{FEED, PATIENCE, Stage, table};
use arrow_array::RecordBatch;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use qadataswap::recording::{Recorder, RecorderConfig, Recording, Since, SyncPolicy};
use qadataswap::{
    ErrorKind, QADataSwapError, Reader, ReaderPolicy, Result, Selector, Settings, SharedMemoryConfig,
    WaitStrategy, Writer, inspect,
};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// What is judged.
pub type Part = Box<dyn FnOnce() -> Result<()> + Send>;

/// An act.
#[derive(Clone, Copy)]
pub struct Act {
    /// Its name.
    pub name: &'static str,
    /// Whether a writer and a reader of the ring [`FEED`] are there, in another process, and stay.
    pub peers: bool,
    /// Played before it, by a process that then ends without letting go of anything.
    pub ground: Option<fn(&Stage)>,
    /// Makes ready what it needs.
    pub props: fn(&Stage) -> Part,
}

const fn act(name: &'static str, peers: bool, props: fn(&Stage) -> Part) -> Act {
    Act { name, peers, ground: None, props }
}

const fn after(ground: fn(&Stage), act: Act) -> Act {
    Act { ground: Some(ground), ..act }
}

/// All of them.
pub const ACTS: &[Act] = &[
    act("create", false, |stage| create(stage.ring("made"))),
    act("create with everything reserved, for others", false, |stage| {
        let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        create(stage.ring("made").with_prefault(true).with_owner(user).with_group(group).with_mode(0o660))
    }),
    act("attach as lossless", true, |stage| attach(stage, ReaderPolicy::Lossless)),
    act("attach as lossy", true, |stage| attach(stage, ReaderPolicy::Lossy)),
    act("attach as latest", true, |stage| attach(stage, ReaderPolicy::Latest)),
    act("write ever larger frames", false, grow),
    act("sleep for a frame", false, sleep_for_frame),
    act("sleep for space", false, sleep_for_space),
    act("keep tables of a pool beyond the end", false, keep_of_pool),
    after(orphan, act("take over", false, take_over)),
    after(orphan, act("replace", false, replace)),
    after(orphan, act("read what a dead writer left", false, read_orphan)),
    act("read to the end and remove", false, end),
    after(orphan, act("remove what the dead left", false, collect)),
    act("look at rings", true, look),
    act("record", true, record),
    after(record_half, act("record on", true, record_on)),
    after(record_half, act("read a recording", true, read_recording)),
    after(record_half, act("read on from a recording", true, follow)),
    act("read settings", false, settings),
    act("select among many", false, select),
    act("await", false, awaits),
    act("fork", false, forks),
];

fn expect<T>(what: &str, result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// That a frame has come is the act's to make sure of.
fn there<T>(frame: Option<T>) -> T {
    frame.expect("a frame that was published is there")
}

fn create(config: SharedMemoryConfig) -> Part {
    Box::new(move || {
        let writer = Writer::new(&config)?;
        writer.write_arrow(&table(0, 3))?;
        writer.close()
    })
}

fn attach(stage: &Stage, policy: ReaderPolicy) -> Part {
    let config = stage.ring(FEED).with_policy(policy);
    Box::new(move || {
        let first = Reader::new(&config)?;
        // The first one stays: it must not have kept the gate.
        let second = Reader::new(&config)?;
        let read = (first.read_arrow(0)?, second.read_arrow(0)?);
        assert_eq!(read.0, read.1, "the same frame");
        there(read.0);
        drop(first);
        second.close();
        Ok(())
    })
}

fn grow(stage: &Stage) -> Part {
    let config = stage.ring("grows");
    Box::new(move || {
        let writer = Writer::new(&config)?;
        let reader = Reader::new(&config)?;
        for (next, rows) in std::iter::zip(0.., [3, 1500, 3, 3000, 100]) {
            // What was refused was not published, and what was published is whole.
            let written = writer.write_arrow(&table(next, rows));
            let expected = written.is_ok().then(|| table(next, rows));
            assert_eq!(reader.read_arrow(0)?, expected);
            written?;
        }
        let numbers = table(1, 4).project(&[0]).expect("the first column");
        let mut loan = writer.loan(numbers.schema_ref(), 4)?;
        loan.column::<i64>("number")?.copy_from_slice(&[1, 2, 3, 4]);
        loan.commit(4)?;
        assert_eq!(there(reader.read_arrow(0)?), numbers);
        writer.close()?;
        match reader.read_arrow(0) {
            Err(QADataSwapError::EndOfStream { .. }) => Ok(()),
            other => panic!("{other:?} instead of the end"),
        }
    })
}

/// A thread whose calls are not judged: it does `deed` once it is told to.
fn other_thread(deed: impl FnOnce() + Send + 'static) -> (Sender<()>, std::thread::JoinHandle<()>) {
    let (go, told) = channel();
    let thread = std::thread::spawn(move || {
        if told.recv().is_ok() {
            // Long enough for whom it is done for to fall asleep, mostly; nothing hangs by it.
            std::thread::sleep(Duration::from_millis(3));
            deed();
        }
    });
    (go, thread)
}

fn sleep_for_frame(stage: &Stage) -> Part {
    let config = stage.ring("sleeps");
    let writer = expect("props", Writer::new(&config));
    let reader = expect("props", Reader::new(&config));
    let (go, thread) = other_thread(move || {
        expect("the other's", writer.write_arrow(&table(0, 3)));
        expect("the other's", writer.close());
    });
    Box::new(move || {
        assert!(reader.read_frame(2)?.is_none(), "nothing yet");
        let _ = go.send(());
        assert_eq!(there(reader.read_arrow(PATIENCE)?), table(0, 3));
        let end = reader.read_arrow(PATIENCE);
        drop(reader);
        thread.join().expect("no panic");
        match end {
            Err(QADataSwapError::EndOfStream { .. }) => Ok(()),
            other => panic!("{other:?} instead of the end"),
        }
    })
}

fn sleep_for_space(stage: &Stage) -> Part {
    let config = stage.ring("sleeps");
    let writer = expect("props", Writer::new(&config));
    let reader = expect("props", Reader::new(&config));
    for number in 0..4 {
        expect("props", writer.write_arrow(&table(number, 3)));
    }
    let (go, thread) = other_thread(move || {
        for number in 0..5 {
            assert_eq!(there(expect("the other's", reader.read_arrow(PATIENCE))), table(number, 3));
        }
    });
    Box::new(move || {
        let _ = go.send(());
        let written = writer.write_arrow(&table(4, 3));
        if written.is_err() {
            // Then the other one is not to wait for it.
            drop(writer);
            let _ = thread.join();
        } else {
            thread.join().expect("no panic");
            writer.close()?;
        }
        written.map(|_| ())
    })
}

fn keep_of_pool(stage: &Stage) -> Part {
    let config = stage.ring("pools");
    Box::new(move || {
        let writer = Writer::new(&config)?;
        let pool = writer.pool()?;
        // No room is no error of a pool.
        let Some(memory) = pool.allocate(100_000, 64) else { return Ok(()) };
        let bytes = memory.as_ptr();
        // SAFETY: 100,000 bytes that are ours.
        unsafe { bytes.write_bytes(7, 100_000) };
        let closed = writer.close();
        // Whether it could be closed or not: what was allocated is there.
        // SAFETY: as above.
        assert!(unsafe { std::slice::from_raw_parts(bytes, 100_000) }.iter().all(|&byte| byte == 7));
        // SAFETY: allocated above, and not used any more.
        unsafe { pool.free(memory) };
        if closed.is_err() {
            writer.close()?;
        }
        closed
    })
}

/// Ends the process without letting go of anything.
fn dies(stage: &Stage, policy: ReaderPolicy) {
    let config = stage.ring("orphan").with_policy(policy);
    let writer = expect("ground", Writer::new(&config));
    let reader = expect("ground", Reader::new(&config));
    for number in 0..3 {
        expect("ground", writer.write_arrow(&table(number, 3)));
    }
    std::mem::forget(expect("ground", reader.read_frame(0)));
    std::mem::forget((writer, reader));
}

fn orphan(stage: &Stage) {
    dies(stage, ReaderPolicy::Lossy);
}

fn take_over(stage: &Stage) -> Part {
    let config = stage.ring("orphan");
    Box::new(move || {
        let writer = Writer::new(&config)?;
        let sequence = writer.write_arrow(&table(3, 3))?;
        assert_eq!(sequence, 3, "it goes on");
        let reader = Reader::new(&config)?;
        for number in 0..4 {
            assert_eq!(there(reader.read_arrow(0)?), table(number, 3));
        }
        writer.close()
    })
}

fn replace(stage: &Stage) -> Part {
    let config = stage.ring("orphan").with_buffer_count(5);
    let reader = expect("props", Reader::new(stage.ring("orphan")));
    Box::new(move || {
        let replaced = Writer::new(&config).map(drop);
        // What the dead one left is read, whether another took its place or not.
        for number in 0..3 {
            assert_eq!(there(reader.read_arrow(0)?), table(number, 3));
        }
        match reader.read_arrow(PATIENCE) {
            Err(QADataSwapError::Replaced { .. } | QADataSwapError::WriterDied { .. }) => replaced,
            other => panic!("{other:?} after the last frame"),
        }
    })
}

fn read_orphan(stage: &Stage) -> Part {
    let config = stage.ring("orphan");
    Box::new(move || {
        let reader = Reader::new(&config)?;
        for number in 0..3 {
            assert_eq!(there(reader.read_arrow(0)?), table(number, 3));
        }
        match reader.read_arrow(PATIENCE) {
            Err(QADataSwapError::WriterDied { .. }) => Ok(()),
            other => panic!("{other:?} instead of the writer's death"),
        }
    })
}

fn end(stage: &Stage) -> Part {
    let config = stage.ring("ends");
    let writer = expect("props", Writer::new(&config));
    let reader = expect("props", Reader::new(&config));
    expect("props", writer.write_arrow(&table(0, 3)));
    Box::new(move || {
        writer.close()?;
        let batch = there(reader.read_arrow(PATIENCE)?);
        assert_eq!(reader.read_arrow(PATIENCE).map_err(|error| error.kind()), Err(ErrorKind::EndOfStream));
        drop(reader);
        // It outlives everything.
        assert_eq!(batch, table(0, 3));
        Ok(())
    })
}

fn collect(stage: &Stage) -> Part {
    let folder = stage.folder().to_owned();
    Box::new(move || {
        let found = inspect::gc(&folder, true)?;
        let removed = inspect::gc(&folder, false)?;
        assert!(removed.len() <= found.len().max(1), "{removed:?} of {found:?}");
        Ok(())
    })
}

fn look(stage: &Stage) -> Part {
    let folder = stage.folder().to_owned();
    Box::new(move || {
        let info = inspect::info(FEED, &folder)?;
        assert_eq!(info.state, inspect::RingState::Live);
        for (name, info) in inspect::list(&folder)? {
            assert_eq!(name, FEED);
            info?;
        }
        Ok(())
    })
}

/// Every frame in a file of its own, and synced.
fn recorder(stage: &Stage) -> RecorderConfig {
    RecorderConfig::new(stage.ring(FEED), stage.recording())
        .with_rotate_bytes(1)
        .with_sync(SyncPolicy::Every(1))
}

fn record_with(config: RecorderConfig) -> Part {
    Box::new(move || {
        let mut recorder = Recorder::open(config)?;
        let mut last = None;
        loop {
            // What could not be recorded is, by the next call; what fails for good is told for good.
            let recorded = match recorder.record(0) {
                Ok(None) => break,
                Ok(Some(recorded)) => recorded,
                Err(error) => {
                    let again = recorder.record(0);
                    return match again {
                        Ok(_) => recorder.close().and(Err(error)),
                        Err(_) => Err(error),
                    };
                }
            };
            assert!(last.is_none_or(|last| recorded.sequence == last + 1), "{recorded:?} after {last:?}");
            last = Some(recorded.sequence);
        }
        recorder.close().map(|_| ())
    })
}

fn record(stage: &Stage) -> Part {
    record_with(recorder(stage))
}

/// Records two frames and dies; the last file is torn.
fn record_half(stage: &Stage) {
    let mut recorder = expect("ground", Recorder::open(recorder(stage)));
    for _ in 0..2 {
        there(expect("ground", recorder.record(0)));
    }
    for name in ["00000002.arrows", "00000002.index"] {
        let file = std::fs::OpenOptions::new().append(true).open(stage.recording().join(name));
        file.and_then(|mut file| file.write_all(b"torn")).expect("ground: the file is there");
    }
    std::mem::forget(recorder);
}

fn record_on(stage: &Stage) -> Part {
    record_with(recorder(stage))
}

fn read_recording(stage: &Stage) -> Part {
    let folder = stage.recording();
    Box::new(move || {
        let recording = Recording::open(&folder)?;
        let summary = recording.summary()?;
        assert_eq!((summary.frames, summary.is_live), (2, false));
        let frames = recording.frames(Since::default())?.collect::<Result<Vec<_>>>()?;
        assert_eq!(frames.len(), 2);
        recording.repair()?;
        Ok(())
    })
}

fn follow(stage: &Stage) -> Part {
    let (folder, ring) = (stage.recording(), stage.ring(FEED));
    Box::new(move || {
        let follow = Recording::open(&folder)?.follow(&ring, Since::default())?.with_patience(Duration::ZERO);
        let mut last: Option<u64> = None;
        while let Some(frame) = follow.read_frame(0)? {
            assert!(last.is_none_or(|last| last + 1 == frame.sequence() - frame.missed()));
            last = Some(frame.sequence());
        }
        assert!(last >= Some(3), "the ring's frames follow the recording's: {last:?}");
        Ok(())
    })
}

fn settings(stage: &Stage) -> Part {
    let path = stage.recording();
    std::fs::create_dir(&path).expect("props: a folder");
    let path = path.join("feed.yaml");
    std::fs::write(&path, "memory:\n  num_buffers: 5\n").expect("props: a file");
    Box::new(move || {
        let settings = Settings::from_file(&path)?;
        assert_eq!(settings.iter().count(), 1);
        Ok(())
    })
}

/// More rings than one call sleeps on: a relay is needed.
fn select(stage: &Stage) -> Part {
    const READERS: usize = 130;
    let config = stage.ring("many").with_max_readers(READERS).with_policy(ReaderPolicy::Lossy);
    let writer = expect("props", Writer::new(&config));
    let readers: Vec<_> = (0..READERS).map(|_| expect("props", Reader::new(&config))).collect();
    let (go, thread) = other_thread(move || {
        expect("the other's", writer.write_arrow(&table(0, 3)));
    });
    Box::new(move || {
        let selector = Selector::with_strategy(WaitStrategy::SLEEP);
        for (key, reader) in readers.iter().enumerate() {
            selector.add(key as u64, reader)?;
        }
        assert!(selector.wait(2).is_empty(), "nothing yet");
        let _ = go.send(());
        let deadline = Instant::now() + PATIENCE;
        while selector.wait(PATIENCE).len() < READERS {
            assert!(Instant::now() < deadline, "not all readers are ready");
        }
        thread.join().expect("no panic");
        // Only some: leaving is the same for all.
        for reader in readers.iter().step_by(13) {
            there(reader.read_frame(0)?);
        }
        Ok(())
    })
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn awaits(stage: &Stage) -> Part {
    let config = stage.ring("awaits");
    let writer = expect("props", Writer::new(&config));
    let mut reader = expect("props", Reader::new(&config));
    let (go, thread) = other_thread(move || {
        expect("the other's", writer.write_arrow(&table(0, 3)));
    });
    Box::new(move || {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut polled = reader.poll_frame(&mut context);
        let _ = go.send(());
        let deadline = Instant::now() + PATIENCE;
        let frame = loop {
            match polled {
                Poll::Ready(frame) => break frame,
                Poll::Pending => {
                    std::thread::park_timeout(Duration::from_secs(1));
                    assert!(Instant::now() < deadline, "no frame");
                    polled = reader.poll_frame(&mut context);
                }
            }
        };
        drop(reader);
        thread.join().expect("no panic");
        let batch: RecordBatch = frame?.to_batch()?;
        assert_eq!(batch, table(0, 3));
        Ok(())
    })
}

fn forks(stage: &Stage) -> Part {
    let config = stage.ring("forks");
    Box::new(move || {
        let writer = Writer::new(&config)?;
        let reader = Reader::new(&config)?;
        writer.write_arrow(&table(0, 3))?;
        // SAFETY: the child does what needs no lock of another thread's, and ends.
        let child = unsafe { fork() };
        match child {
            Ok(ForkResult::Child) => {
                let told = [
                    writer.write_arrow(&table(1, 3)).map(|_| ()).map_err(|error| error.kind()),
                    reader.read_frame(0).map(|_| ()).map_err(|error| error.kind()),
                ];
                let well = told == [Err(ErrorKind::Forked); 2];
                // SAFETY: ends the process.
                unsafe { libc::_exit(if well { 0 } else { 1 }) }
            }
            Ok(ForkResult::Parent { child }) => {
                let status = waitpid(child, None).expect("a child can be waited for");
                assert_eq!(status, WaitStatus::Exited(child, 0), "the child is told");
            }
            // The program's own affair; its rings are as they were.
            Err(_) => {}
        }
        assert_eq!(there(reader.read_arrow(0)?), table(0, 3));
        writer.close()
    })
}
