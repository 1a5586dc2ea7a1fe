//! Everything that asks the kernel who is alive.
//!
//! Law: a participant holds an open-file-description lock on its own byte, taken through an `open()` of the
//! region that is never mapped, so that the kernel drops it when the process ends, however it ends. A
//! participant is dead when its lock is free, or when its process is gone as seen from the same PID namespace
//! (then a descendant that was forked behind our back keeps the lock).
//! A forked child inherits the description and would keep the lock: the child's first act is to close it.

use crate::crash;
use crate::layout::Identity;
use crate::segment::{at_fork, forks};
use crate::sync::Ordering;
use nix::fcntl::{FcntlArg, fcntl};
use nix::time::{ClockId, clock_gettime};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::AtomicI32;
use std::time::{Duration, Instant};

/// Which byte a lock is on. The bytes lie beyond any region's end; they need not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Byte {
    /// The writer's.
    Writer,
    /// Held while somebody joins, leaves, creates, replaces or removes.
    Gate,
    /// A reader's, by row.
    Reader(u32),
}

impl Byte {
    fn offset(self) -> i64 {
        const BASE: i64 = 1 << 50;
        match self {
            Byte::Writer => BASE,
            Byte::Gate => BASE + 1,
            Byte::Reader(row) => BASE + 16 + i64::from(row),
        }
    }
}

/// The descriptors that a forked child closes: chunks that are never freed, so that the child may walk them
/// whatever another thread was doing when it forked. A cell holds a descriptor plus one, or 0.
struct Chunk {
    cells: [AtomicI32; 64],
    next: OnceLock<Box<Chunk>>,
}

impl Chunk {
    const fn new() -> Chunk {
        Chunk { cells: [const { AtomicI32::new(0) }; 64], next: OnceLock::new() }
    }
}

static OPEN: Chunk = Chunk::new();

fn close_in_child() {
    let mut chunk = Some(&OPEN);
    while let Some(this) = chunk {
        for cell in &this.cells {
            let fd = cell.swap(0, Ordering::Relaxed) - 1;
            if fd >= 0 {
                // The only error that could be (EBADF) means what is wanted: it is closed.
                let _ = nix::unistd::close(fd);
            }
        }
        chunk = this.next.get().map(|next| &**next);
    }
}

fn register(fd: RawFd) -> &'static AtomicI32 {
    at_fork(close_in_child);
    let mut chunk = &OPEN;
    loop {
        let free = chunk
            .cells
            .iter()
            .find(|cell| cell.compare_exchange(0, fd + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok());
        match free {
            Some(cell) => return cell,
            None => chunk = chunk.next.get_or_init(|| Box::new(Chunk::new())),
        }
    }
}

/// An open file description of a region that carries this participant's locks. Dropping it drops them.
pub(crate) struct LockFile {
    /// Inode of the PID namespace this process lives in.
    namespace: Option<u64>,
    /// Always there; an `Option` so that `drop` can let go of it without closing.
    file: Option<File>,
    cell: &'static AtomicI32,
    forks: u64,
}

/// Longest pause between two tries of the kernel's memory for locks.
const LONGEST_NAP: Duration = Duration::from_millis(20);

impl LockFile {
    /// Opens the region once more; read-only it can ask for locks but not take them.
    ///
    /// # Errors
    /// If `/proc` is not mounted, or opening fails.
    pub(crate) fn open(region: &File, writable: bool) -> io::Result<LockFile> {
        let path = format!("/proc/self/fd/{}", region.as_raw_fd());
        let file =
            OpenOptions::new().read(true).write(writable).open(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    io::Error::new(error.kind(), format!("{error}; /proc must be mounted"))
                }
                _ => error,
            })?;
        let cell = register(file.as_raw_fd());
        Ok(LockFile { namespace: pid_namespace(), file: Some(file), cell, forks: forks() })
    }

    /// `None` in a forked child, where the descriptor has been closed.
    fn file(&self) -> Option<&File> {
        self.file.as_ref().filter(|_| self.forks == forks())
    }

    fn set(&self, byte: Byte, kind: i32) -> io::Result<bool> {
        let lock = flock(byte, kind);
        let mut nap = Duration::from_micros(20);
        crash::point();
        loop {
            match self.fcntl(FcntlArg::F_OFD_SETLK(&lock)) {
                Ok(()) => return Ok(true),
                Err(nix::Error::EAGAIN | nix::Error::EACCES) => return Ok(false),
                Err(nix::Error::EINTR) => {}
                // No memory for a lock, and be it for giving one back, for which others wait: for a moment, mostly.
                Err(nix::Error::ENOLCK) if nap <= LONGEST_NAP => {
                    std::thread::sleep(nap);
                    nap *= 2;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn fcntl(&self, argument: FcntlArg<'_>) -> nix::Result<()> {
        let file = self.file().ok_or(nix::Error::EBADF)?;
        fcntl(file, argument).map(|_| ())
    }

    /// Takes the lock on `byte` if nobody else has it.
    ///
    /// # Errors
    /// If the system call fails.
    pub(crate) fn try_lock(&self, byte: Byte) -> io::Result<bool> {
        self.set(byte, libc::F_WRLCK)
    }

    /// Takes the lock on `byte`, trying for at most `patience`. Returns whether it has it.
    ///
    /// # Errors
    /// If the system call fails.
    pub(crate) fn lock(&self, byte: Byte, patience: Duration) -> io::Result<bool> {
        let began = Instant::now();
        let mut nap = Duration::from_micros(20);
        while !self.try_lock(byte)? {
            let waited = began.elapsed();
            if waited >= patience {
                return Ok(false);
            }
            std::thread::sleep(nap);
            // The longer it takes, the more are probably waiting, and whoever has it needs the cores that they ask by.
            nap = (nap * 2).min(Duration::from_millis(5).max(waited / 16));
        }
        Ok(true)
    }

    /// Gives the lock on `byte` back.
    pub(crate) fn unlock(&self, byte: Byte) {
        if let Err(error) = self.set(byte, libc::F_UNLCK) {
            tracing::warn!(?byte, %error, "unlocking failed");
        }
    }

    /// Whether another description has `byte` locked.
    ///
    /// # Errors
    /// If the system call fails.
    pub(crate) fn is_locked(&self, byte: Byte) -> io::Result<bool> {
        let mut lock = flock(byte, libc::F_WRLCK);
        self.fcntl(FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(i32::from(lock.l_type) != libc::F_UNLCK)
    }

    /// Whether the participant on `byte` is dead. When in doubt it lives.
    pub(crate) fn is_dead(&self, byte: Byte, process: &Process) -> bool {
        match self.is_locked(byte) {
            Ok(locked) => !locked || process.is_gone(self.namespace),
            Err(error) => {
                tracing::warn!(?byte, %error, "asking for a lock failed");
                process.is_gone(self.namespace)
            }
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.file().is_some() {
            crash::point();
            // Not left to closing: a child forked at this very moment may keep the description open.
            let everything = libc::flock { l_len: 0, ..flock(Byte::Writer, libc::F_UNLCK) };
            let _ = self.fcntl(FcntlArg::F_OFD_SETLK(&everything));
            // Out of the register first: a number that is closed may be somebody else's the next moment.
            self.cell.store(0, Ordering::Relaxed);
        } else {
            // A forked child has closed it already; the number may be somebody else's by now.
            std::mem::forget(self.file.take());
        }
    }
}

fn flock(byte: Byte, kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte.offset(),
        l_len: 1,
        l_pid: 0,
    }
}

/// A process, named for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Clock ticks since boot; 0 if it could not be read.
    pub(crate) start_ticks: u64,
    /// Inode of its PID namespace; 0 if it could not be read.
    pub(crate) pid_namespace: u64,
}

impl Process {
    /// This process.
    pub(crate) fn this() -> Process {
        let pid = std::process::id();
        Process {
            pid,
            start_ticks: start_ticks(pid).unwrap_or(0),
            pid_namespace: pid_namespace().unwrap_or(0),
        }
    }

    /// What a participant has written about itself.
    pub(crate) fn of(identity: &Identity) -> Process {
        Process {
            pid: identity.pid.load(Ordering::Acquire),
            start_ticks: identity.start_ticks.load(Ordering::Relaxed),
            pid_namespace: identity.pid_namespace.load(Ordering::Relaxed),
        }
    }

    /// Writes it down.
    pub(crate) fn enter(&self, identity: &Identity) {
        identity.start_ticks.store(self.start_ticks, Ordering::Relaxed);
        identity.pid_namespace.store(self.pid_namespace, Ordering::Relaxed);
        identity.since_ns.store(monotonic_ns(), Ordering::Relaxed);
        identity.pid.store(self.pid, Ordering::Release);
    }

    /// Whether it certainly runs no more, as seen from the PID namespace `here`: only in one's own can it be
    /// told. A number that another process has got since does not count as gone: the start time would tell,
    /// but time namespaces shift it, and a living reader taken for dead is worse than a dead one kept.
    fn is_gone(&self, here: Option<u64>) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        let Some(pid) = pid.filter(|_| self.pid_namespace != 0 && here == Some(self.pid_namespace)) else {
            return false;
        };
        rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
    }
}

/// Field 22 of `/proc/PID/stat`.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the command, may hold anything but ends at the last parenthesis.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn pid_namespace() -> Option<u64> {
    std::fs::metadata("/proc/self/ns/pid").ok().map(|metadata| std::os::unix::fs::MetadataExt::ino(&metadata))
}

/// `CLOCK_MONOTONIC` in nanoseconds: the clock of every timestamp in a region. By way of libc, which finds the kernel's
/// page of fast clocks as whoever runs the program shows it; rustix asks the kernel, and where valgrind runs it that page
/// is not there to be read.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> File {
        rustix::fs::memfd_create("qads-test", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd").into()
    }

    #[test]
    fn a_lock_is_seen_by_another_description_until_it_is_dropped() {
        let file = scratch();
        let (mine, theirs) = (LockFile::open(&file, true).unwrap(), LockFile::open(&file, true).unwrap());
        assert!(mine.try_lock(Byte::Reader(7)).unwrap());
        assert!(!mine.is_locked(Byte::Reader(7)).unwrap(), "one's own lock is no obstacle");
        assert!(theirs.is_locked(Byte::Reader(7)).unwrap());
        assert!(!theirs.try_lock(Byte::Reader(7)).unwrap());
        assert!(theirs.try_lock(Byte::Reader(8)).unwrap());
        drop(mine);
        assert!(theirs.try_lock(Byte::Reader(7)).unwrap());
    }

    #[test]
    fn a_process_that_lives_is_not_gone_and_one_that_never_was_is() {
        let (this, here) = (Process::this(), pid_namespace());
        assert!(!this.is_gone(here));
        assert!(Process { pid: i32::MAX as u32, ..this }.is_gone(here));
        assert!(!Process { pid: i32::MAX as u32, pid_namespace: 1, ..this }.is_gone(here), "cannot tell");
    }

    #[test]
    fn more_locks_than_one_chunk_holds_are_registered() {
        let file = scratch();
        let locks: Vec<_> = (0..150).map(|_| LockFile::open(&file, true).unwrap()).collect();
        assert!(locks.iter().all(|lock| lock.file().is_some()));
    }
}
