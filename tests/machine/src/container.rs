//! Processes with a world of their own: forked, put into namespaces or under limits, and asked how rings fare there.
//!
//! Law: what the kernel does not let the test do is told as skipped and never as passed. What a process mounts, changes
//! or is limited to ends with it, and so does whom it has forked.

#![allow(unsafe_code)]

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use qadataswap::{ErrorKind, QADataSwapError};
use std::io::{PipeReader, Read, Write};
use std::path::Path;

/// Why a case did not pass.
#[derive(Debug)]
pub enum Why {
    /// The kernel does not let it be played.
    Cannot(String),
    /// It is not as it should be.
    Wrong(String),
}

impl From<QADataSwapError> for Why {
    fn from(error: QADataSwapError) -> Why {
        Why::Wrong(error.to_string())
    }
}

/// What a case comes to.
pub type Outcome = Result<(), Why>;

/// What the kernel refuses is no fault of ours.
///
/// # Errors
/// [`Why::Cannot`].
pub fn may<T>(what: &str, result: nix::Result<T>) -> Result<T, Why> {
    result.map_err(|error| Why::Cannot(format!("{what}: {error}")))
}

/// Demands it.
///
/// # Errors
/// [`Why::Wrong`].
pub fn demand(holds: bool, what: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(Why::Wrong(what.into())) }
}

/// Demands an error of this kind whose message says `part`.
///
/// # Errors
/// [`Why::Wrong`].
pub fn refused<T>(result: qadataswap::Result<T>, kind: ErrorKind, part: &str) -> Outcome {
    match result {
        Err(error) if error.kind() == kind && error.to_string().contains(part) => Ok(()),
        Err(error) => {
            Err(Why::Wrong(format!("{:?}: {error} instead of {kind:?} with '{part}'", error.kind())))
        }
        Ok(_) => Err(Why::Wrong(format!("no error instead of {kind:?}"))),
    }
}

/// Leaves these namespaces; mounts made from then on are seen by nobody else.
///
/// # Errors
/// [`Why::Cannot`].
pub fn leave(flags: CloneFlags) -> Outcome {
    may("leaving a namespace", unshare(flags))?;
    if flags.contains(CloneFlags::CLONE_NEWNS) {
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        may("keeping mounts to oneself", mount(None::<&str>, "/", None::<&str>, private, None::<&str>))?;
    }
    Ok(())
}

/// Mounts a tmpfs of `bytes` there; for who has left the mount namespace.
///
/// # Errors
/// [`Why::Cannot`].
pub fn mount_tmpfs(folder: &Path, bytes: u64) -> Outcome {
    let size = format!("size={bytes}");
    may(
        "mounting a tmpfs",
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())),
    )
}

/// A process that was forked, and what it says.
pub struct Forked {
    pid: Pid,
    says: PipeReader,
}

impl Forked {
    /// Forks a process that plays `deed`, which may say something meanwhile, and ends with what became of it.
    ///
    /// # Errors
    /// [`Why::Cannot`] if there can be no process.
    pub fn play(deed: impl FnOnce(&mut dyn Write) -> Outcome) -> Result<Forked, Why> {
        let (says, mut hears) = std::io::pipe().map_err(|error| Why::Cannot(format!("a pipe: {error}")))?;
        // SAFETY: this process has one thread, so the child's copy of it is whole.
        match may("a process", unsafe { fork() })? {
            ForkResult::Parent { child } => Ok(Forked { pid: child, says }),
            ForkResult::Child => {
                drop(says);
                // SAFETY: plain numbers.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                let what = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| deed(&mut hears)));
                let text = match what {
                    Ok(Ok(())) => "passed".to_owned(),
                    Ok(Err(Why::Cannot(why))) => format!("cannot {why}"),
                    Ok(Err(Why::Wrong(what))) => format!("wrong {what}"),
                    Err(_) => "wrong it panicked".to_owned(),
                };
                let told = hears.write_all(text.as_bytes()).is_ok();
                // SAFETY: ends the process, at once: what it has of its parent is not its own.
                unsafe { libc::_exit(i32::from(!told)) }
            }
        }
    }

    /// Waits until it says a line; false if it ends without.
    #[must_use]
    pub fn has_said_a_line(&mut self) -> bool {
        let mut byte = [0];
        while matches!(self.says.read(&mut byte), Ok(1)) {
            if byte == *b"\n" {
                return true;
            }
        }
        false
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&self) {
        // Ours, and not waited for yet.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What became of it.
    pub fn end(mut self) -> Outcome {
        let mut text = String::new();
        let read = self.says.read_to_string(&mut text);
        let status = waitpid(self.pid, None);
        match (text.as_str(), text.split_once(' ')) {
            ("passed", _) if read.is_ok() => Ok(()),
            (_, Some(("cannot", why))) => Err(Why::Cannot(why.to_owned())),
            (_, Some(("wrong", what))) => Err(Why::Wrong(what.to_owned())),
            _ => Err(Why::Wrong(format!("{status:?}, '{text}'"))),
        }
    }
}
