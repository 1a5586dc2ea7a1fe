//! A crowd: as many reader processes as a ring admits, forked from one that is ready to read.
//!
//! Law: a lossless reader loses nothing, however many there are and whoever is killed beside it. Every reader says at
//! its end what it has had, in one file for all; one that was killed says nothing. None outlives the test.

#![allow(unsafe_code)]

use crate::stage::{PATIENCE, table};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use qadataswap::{ErrorKind, Reader, ReaderPolicy, SharedMemoryConfig};
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long a reader tries to be let in, and to be given a frame: longer than anybody's turn in a crowd.
const LONGEST_TURN: Duration = Duration::from_secs(120);

/// What a reader has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Had {
    /// Whether it was owed every frame.
    pub lossless: bool,
    /// The first frame.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// How many it has read.
    pub read: u64,
    /// How many it has missed.
    pub missed: u64,
}

impl Had {
    fn text(self) -> String {
        let Had { lossless, first, last, read, missed } = self;
        format!("{} {first} {last} {read} {missed}\n", u64::from(lossless))
    }

    /// Of a line that a reader has said.
    ///
    /// # Errors
    /// The line, if it says what went wrong.
    pub fn parse(line: &str) -> Result<Had, String> {
        let numbers: Option<Vec<u64>> = line.split(' ').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[lossless, first, last, read, missed]) => {
                Ok(Had { lossless: lossless == 1, first, last, read, missed })
            }
            _ => Err(line.to_owned()),
        }
    }
}

/// Who runs where: the writer on a core of its own, as those who care have it, and everybody else on the others. So what
/// it takes to publish is the ring's doing, and not a matter of whom the kernel lets run first.
#[derive(Debug)]
pub struct Cores {
    readers: Option<CpuSet>,
}

impl Cores {
    /// Moves this process, the writer, to the first core that it may use; if it may use one only, nobody has his own.
    ///
    /// # Panics
    /// If the kernel does not say which those are, or does not let it move.
    #[must_use]
    pub fn part() -> Cores {
        let me = Pid::from_raw(0);
        let mut readers = sched_getaffinity(me).expect("one's own cores");
        let mut usable = (0..CpuSet::count()).filter(|&core| readers.is_set(core).unwrap_or(false));
        let (Some(first), Some(_)) = (usable.next(), usable.next()) else { return Cores { readers: None } };
        let mut own = CpuSet::new();
        own.set(first).and_then(|()| sched_setaffinity(me, &own)).expect("one of the usable ones");
        readers.unset(first).expect("it was set");
        Cores { readers: Some(readers) }
    }

    /// Whether the writer has a core of its own.
    #[must_use]
    pub fn are_apart(&self) -> bool {
        self.readers.is_some()
    }

    fn enter(&self) {
        if let Some(readers) = &self.readers {
            sched_setaffinity(Pid::from_raw(0), readers).expect("some of the usable ones");
        }
    }
}

/// Reads to the end.
fn read(config: &SharedMemoryConfig, lossless: bool) -> Result<Had, String> {
    let reader =
        Reader::new(config.clone().with_attach_timeout(LONGEST_TURN)).map_err(|error| error.to_string())?;
    let mut had: Option<Had> = None;
    loop {
        let frame = match reader.read_frame(LONGEST_TURN) {
            Ok(frame) => frame.ok_or("nothing came")?,
            Err(error) if error.kind() == ErrorKind::EndOfStream => break,
            Err(error) => return Err(error.to_string()),
        };
        let sequence = frame.sequence();
        let batch = frame.to_batch().map_err(|error| error.to_string())?;
        if batch != table(sequence as i64, 3) {
            return Err(format!("frame {sequence} is another table"));
        }
        let due = had.map_or(sequence - frame.missed(), |had| had.last + 1);
        if due + frame.missed() != sequence || (lossless && frame.missed() > 0) {
            return Err(format!("frame {sequence} instead of {due}, missed {}", frame.missed()));
        }
        let before = had.get_or_insert(Had { lossless, first: sequence, last: 0, read: 0, missed: 0 });
        before.last = sequence;
        before.read += 1;
        before.missed += if before.read > 1 { frame.missed() } else { 0 };
    }
    had.ok_or_else(|| "the end, and no frame before it".to_owned())
}

/// A reader that runs.
#[derive(Debug)]
pub struct Member {
    pid: Pid,
}

impl Member {
    /// Forks one, which reads under this policy, on the readers' cores, and tells at its end.
    ///
    /// # Panics
    /// If there can be no process.
    #[must_use]
    pub fn fork(
        config: &SharedMemoryConfig,
        policy: ReaderPolicy,
        cores: &Cores,
        mut tells: &File,
    ) -> Member {
        let config = config.clone().with_policy(policy);
        // SAFETY: this process has one thread, so the child's copy of it is whole.
        match unsafe { fork() }.expect("a process can be forked") {
            ForkResult::Parent { child } => Member { pid: child },
            ForkResult::Child => {
                // SAFETY: plain numbers.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                cores.enter();
                let lossless = policy == ReaderPolicy::Lossless;
                let what = std::panic::catch_unwind(|| read(&config, lossless));
                let line = match what {
                    Ok(Ok(had)) => had.text(),
                    Ok(Err(what)) => format!("{what}\n"),
                    Err(_) => "it panicked\n".to_owned(),
                };
                // One write, to the file's end.
                let told = tells.write_all(line.as_bytes()).is_ok();
                // SAFETY: ends the process, at once: what it has of its parent is not its own.
                unsafe { libc::_exit(i32::from(!told)) }
            }
        }
    }

    /// Kills it by SIGKILL and waits until it is gone.
    ///
    /// # Panics
    /// If it had ended by itself.
    pub fn kill(self) {
        kill(self.pid, Signal::SIGKILL).expect("a child that was not waited for");
        let status = waitpid(self.pid, None).expect("a child can be waited for");
        assert_eq!(status, WaitStatus::Signaled(self.pid, Signal::SIGKILL, false), "before it was killed");
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// How it ended, if not well, or that it does not: then it is killed.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn end(self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).expect("a child can be waited for") {
                WaitStatus::StillAlive if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                WaitStatus::StillAlive => {
                    self.kill();
                    return Err(format!("a reader did not end within {PATIENCE:?}"));
                }
                WaitStatus::Exited(_, 0) => return Ok(()),
                status => return Err(format!("{status:?}")),
            }
        }
    }
}
