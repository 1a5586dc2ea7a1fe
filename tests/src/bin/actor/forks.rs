//! Roles that fork. None of them has started a thread when it does, but for the library's own.

#![allow(unsafe_code)]

use crate::{Outcome, fault, hold, say, wait_for_end};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use qadataswap::{ErrorKind, Frame, Reader, Selector, inspect};
use qadataswap_tests::scene::Owed;
use qadataswap_tests::{Line, PATIENCE, Ring, check, table};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Forks; the child does `act` and ends as a process normally does.
fn fork_and(act: impl FnOnce() -> Outcome) -> Result<Pid, String> {
    // SAFETY: no thread of this process but the library's has been started, and of what that one does while it waits
    // only allocating takes a lock that the child could want, which the C library sees to when it forks.
    match unsafe { fork() }.map_err(fault)? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let code = match act() {
                Ok(()) => 0,
                Err(what) => {
                    say(&Line::Fault(format!("in the child: {what}")));
                    1
                }
            };
            std::process::exit(code);
        }
    }
}

pub(crate) fn fork_with_everything(ring: &Ring) -> Outcome {
    let writer = ring.writer().map_err(fault)?;
    let reader = ring.reader().map_err(fault)?;
    for sequence in 0..3 {
        writer.write_arrow(&table(7, sequence)).map_err(fault)?;
    }
    let frame = reader.read_frame(1000).map_err(fault)?.ok_or("no frame")?;
    let observer = ring.clone().policy(Owed::Observer).reader().map_err(fault)?;
    check(7, &observer.read_frame(1000).map_err(fault)?.ok_or("nothing to observe")?)?;
    let selector = Selector::new();
    selector.add(1, &reader).map_err(fault)?;
    hold!(selector.wait(1000) == [1], "two frames are there");
    let before = ring.info().map_err(fault)?;
    let (mut writer, mut reader, mut frame) = (Some(writer), Some(reader), Some(frame));
    let child = fork_and(|| {
        let (writer, reader, frame) = (
            writer.take().ok_or("no writer")?,
            reader.take().ok_or("no reader")?,
            frame.take().ok_or("no frame")?,
        );
        let forked = |what: &str, kind: Option<ErrorKind>| match kind {
            Some(ErrorKind::Forked) => Ok(()),
            other => Err(format!("{what}: {other:?} instead of Forked")),
        };
        forked("read_frame", reader.read_frame(10).err().map(|e| e.kind()))?;
        forked("try_read_frame", reader.try_read_frame().err().map(|e| e.kind()))?;
        forked("read_arrow", reader.read_arrow(10).err().map(|e| e.kind()))?;
        hold!(selector.wait(1000) == [1], "reading would not wait: it is an error");
        forked("add", selector.add(2, &reader).err().map(|e| e.kind()))?;
        forked("has_writer", reader.has_writer().err().map(|e| e.kind()))?;
        forked("write_arrow", writer.write_arrow(&table(7, 3)).err().map(|e| e.kind()))?;
        forked("try_write_arrow", writer.try_write_arrow(&table(7, 3)).err().map(|e| e.kind()))?;
        forked("an observer's read_frame", observer.read_frame(10).err().map(|e| e.kind()))?;
        hold!(reader.stats().reads_count == 1, "stats are lost");
        hold!(writer.stats().writes_count == 3, "stats are lost");
        drop((frame, reader, writer));
        // What the child opens itself is its own.
        let own = ring.clone().policy(Owed::Lossy).reader().map_err(fault)?;
        for sequence in 0..3 {
            let frame = own.read_frame(1000).map_err(fault)?.ok_or("no frame in the child")?;
            hold!(frame.sequence() == sequence, "frame {} instead of {sequence}", frame.sequence());
            check(7, &frame)?;
        }
        hold!(selector.remove(1), "the selector is the child's own");
        selector.add(3, &own).map_err(fault)?;
        hold!(selector.wait(1).is_empty(), "all has been read");
        // This process ends without dropping what is its parent's.
        hold!(selector.remove(3), "it was just added");
        hold!(own.has_writer().map_err(fault)?, "the parent is taken for dead");
        match ring.writer().err().map(|e| e.kind()) {
            Some(ErrorKind::WriterExists) => Ok(()),
            other => Err(format!("second writer: {other:?} instead of WriterExists")),
        }
    })?;
    let status = waitpid(child, None).map_err(fault)?;
    hold!(matches!(status, WaitStatus::Exited(_, 0)), "the child ended with {status:?}");
    let (writer, reader, frame) = (
        writer.take().ok_or("no writer")?,
        reader.take().ok_or("no reader")?,
        frame.take().ok_or("no frame")?,
    );
    let after = ring.info().map_err(fault)?;
    hold!(after.state == inspect::RingState::Live, "the writer is {:?} after the child's exit", after.state);
    let rows = |info: &inspect::RingInfo| -> Vec<_> {
        info.readers.iter().map(|r| (r.row, r.pid, r.alive, r.pins, r.cursor)).collect()
    };
    hold!(rows(&before) == rows(&after), "readers were {:?} and are {:?}", rows(&before), rows(&after));
    check(7, &frame)?;
    for reader in [&reader, &observer] {
        for sequence in 1..3 {
            let frame = reader.read_frame(1000).map_err(fault)?.ok_or("no frame after the fork")?;
            hold!(frame.sequence() == sequence, "frame {} instead of {sequence}", frame.sequence());
            check(7, &frame)?;
        }
    }
    for sequence in 3..20 {
        writer.write_arrow(&table(7, sequence)).map_err(fault)?;
        let read = reader.read_frame(1000).map_err(fault)?.ok_or("no frame after the fork")?;
        check(7, &read)?;
        check(7, &frame)?;
    }
    Ok(())
}

/// Polls a reader until there is a frame, asleep in between.
fn await_frame(reader: &mut Reader) -> Result<Frame, String> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(read) = reader.poll_frame(&mut Context::from_waker(&waker)) {
            return read.map_err(fault);
        }
        hold!(Instant::now() < deadline, "nobody wakes the task");
        std::thread::park_timeout(PATIENCE);
    }
}

pub(crate) fn fork_awaiting(ring: &Ring) -> Outcome {
    let writer = ring.writer().map_err(fault)?;
    let mut reader = ring.reader().map_err(fault)?;
    let mut context = Context::from_waker(Waker::noop());
    hold!(reader.poll_frame(&mut context).is_pending(), "nothing was written");
    let mut parents = Some(reader);
    let child = fork_and(|| {
        let mut parents = parents.take().ok_or("no reader")?;
        match parents.poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Forked => {}
            other => return Err(format!("{other:?} instead of Forked")),
        }
        drop(parents);
        let mut own = ring.reader().map_err(fault)?;
        for _ in 0..20 {
            check(7, &await_frame(&mut own)?)?;
        }
        Ok(())
    })?;
    let mut sequence = 0;
    while waitpid(child, Some(WaitPidFlag::WNOHANG)).map_err(fault)? == WaitStatus::StillAlive {
        writer.write_arrow(&table(7, sequence)).map_err(fault)?;
        sequence += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut reader = parents.take().ok_or("no reader")?;
    for _ in 0..3 {
        writer.write_arrow(&table(7, sequence)).map_err(fault)?;
        sequence += 1;
        check(7, &await_frame(&mut reader)?)?;
    }
    // What nobody has read would stay.
    writer.close().map_err(fault)?;
    loop {
        match reader.read_frame(1000) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::EndOfStream => return Ok(()),
            Err(error) => return Err(fault(error)),
        }
    }
}

fn write_three(ring: &Ring, seed: u64) -> Result<qadataswap::Writer, String> {
    let writer = ring.writer().map_err(fault)?;
    for sequence in 0..3 {
        writer.write_arrow(&table(seed, sequence)).map_err(fault)?;
    }
    Ok(writer)
}

pub(crate) fn fork_and_stay(ring: &Ring, seed: u64) -> Outcome {
    let writer = write_three(ring, seed)?;
    let _child = fork_and(|| {
        say(&Line::Fact("child".to_owned(), u64::from(std::process::id())));
        wait_for_end();
        Ok(())
    })?;
    wait_for_end();
    drop(writer);
    Ok(())
}

pub(crate) fn spawn_and_stay(ring: &Ring, seed: u64) -> Outcome {
    let writer = write_three(ring, seed)?;
    let program = std::env::current_exe().map_err(fault)?;
    let role = serde_json::to_string(&qadataswap_tests::Role::Idle).map_err(fault)?;
    let mut child = std::process::Command::new(program).arg(role).spawn().map_err(fault)?;
    say(&Line::Fact("child".to_owned(), u64::from(child.id())));
    wait_for_end();
    drop(writer);
    child.wait().map_err(fault)?;
    Ok(())
}
