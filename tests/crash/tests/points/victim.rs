//! Victims: forked processes that die by SIGKILL at a point of the library's code.
//!
//! Law: this program has one thread, so that its forks have whatever they need; it has one victim at a time.

#![allow(unsafe_code)]

use crate::deadline::PATIENCE;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe};
use qadataswap_mortal::crash;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

/// What a victim does, in a process of its own; it calls what it is given when it is ready to die.
pub(crate) type Play<'a> = dyn Fn(&dyn Fn()) + 'a;

/// How a victim fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It died at its point.
    Died,
    /// It came to its end, after so many points, and died then.
    Finished(u64),
}

/// A process that is about to die.
pub(crate) struct Victim {
    pid: Pid,
    news: File,
    waited: bool,
}

impl Victim {
    /// Starts one that dies at its `deadly`th point after it was armed, or at its end.
    pub(crate) fn start(deadly: u64, play: &Play<'_>) -> Victim {
        let (news, teller) = pipe().expect("a pipe");
        // SAFETY: this process has one thread.
        match unsafe { fork() }.expect("a process") {
            ForkResult::Parent { child } => Victim { pid: child, news: news.into(), waited: false },
            ForkResult::Child => {
                let mut teller = File::from(teller);
                // A panic would unwind into the parent's part of the program.
                let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    play(&|| crash::arm(deadly));
                    crash::passed()
                }));
                crash::arm(0);
                if let Ok(passed) = played {
                    let _ = teller.write_all(&passed.to_ne_bytes());
                    crash::die();
                }
                std::process::abort();
            }
        }
    }

    /// Whether it is dead.
    pub(crate) fn is_dead(&self) -> bool {
        let mut waiting = [PollFd::new(self.news.as_fd(), PollFlags::POLLIN)];
        // The end of the pipe is its own end, but that what it tells comes before.
        poll(&mut waiting, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Waits for its death.
    ///
    /// # Errors
    /// If it does not die in time, or otherwise than it was to.
    pub(crate) fn fate(mut self) -> Result<Fate, String> {
        let mut waiting = [PollFd::new(self.news.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).expect("half a minute");
        if poll(&mut waiting, patience) == Ok(0) {
            return Err("the victim itself is stuck".to_owned());
        }
        let mut told = Vec::new();
        self.news.read_to_end(&mut told).map_err(|error| error.to_string())?;
        let status = waitpid(self.pid, None).map_err(|error| error.to_string())?;
        self.waited = true;
        match (status, <[u8; 8]>::try_from(&told[..])) {
            (WaitStatus::Signaled(_, Signal::SIGKILL, _), Ok(passed)) => {
                Ok(Fate::Finished(u64::from_ne_bytes(passed)))
            }
            (WaitStatus::Signaled(_, Signal::SIGKILL, _), Err(_)) => Ok(Fate::Died),
            (status, _) => Err(format!("the victim ended otherwise than by its death: {status:?}")),
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if !self.waited {
            // It is this program's own, and has not been waited for.
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}
