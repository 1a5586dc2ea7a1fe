//! How a command ends: the exit codes, and which error means which.

use crate::out::StdoutClosed;
use qadataswap::{ErrorKind, QADataSwapError};
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// The exit codes, as `--help` prints them.
pub(crate) const HELP: &str = "\
Exit codes:
  0  success; also after SIGINT or SIGTERM, and when stdout is closed by its reader
  1  failure
  2  usage: a wrong argument, name or configuration
  3  the ring does not exist
  4  time is up
  5  the ring is taken: it has a writer, all its readers, is full or busy
  6  what is there is corrupt, incompatible or unsupported
  7  no space, or a frame larger than a slot
  8  permission denied

Environment:
  QADATASWAP_LOG_LEVEL  TRACE, DEBUG, INFO, WARN (default) or ERROR; logs go to stderr
  QADATASWAP_DEBUG=1    means DEBUG, if no level is given
  QADATASWAP_CONFIG     a file to take the place of qadataswap.yaml; empty: none";

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Failure = 1,
    Usage = 2,
    NotFound = 3,
    Timeout = 4,
    Taken = 5,
    Corrupt = 6,
    NoSpace = 7,
    Permission = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::EndOfStream => Exit::Ok,
            ErrorKind::InvalidName | ErrorKind::InvalidConfig => Exit::Usage,
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::WriteTimeout => Exit::Timeout,
            ErrorKind::WriterExists | ErrorKind::TooManyReaders | ErrorKind::RingFull | ErrorKind::Busy => {
                Exit::Taken
            }
            ErrorKind::Corrupt | ErrorKind::Incompatible | ErrorKind::Unsupported => Exit::Corrupt,
            ErrorKind::NoSpace | ErrorKind::FrameTooLarge | ErrorKind::MemoryMapFailed => Exit::NoSpace,
            ErrorKind::PermissionDenied => Exit::Permission,
            ErrorKind::WriterDied
            | ErrorKind::Replaced
            | ErrorKind::Evicted
            | ErrorKind::WrongRole
            | ErrorKind::Closed
            | ErrorKind::Forked
            | ErrorKind::LoanOut
            | ErrorKind::Io
            | ErrorKind::ArrowError => Exit::Failure,
            // A kind that this program does not know yet.
            _ => Exit::Failure,
        }
    }
}

/// A failure of the command itself, with the code it ends with.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failed {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failed {
        Failed { exit, message: message.into() }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}

/// The code that an error ends the program with.
pub(crate) fn code(error: &anyhow::Error) -> Exit {
    if let Some(error) = error.downcast_ref::<QADataSwapError>() {
        return error.kind().into();
    }
    if let Some(failed) = error.downcast_ref::<Failed>() {
        return failed.exit;
    }
    match error.downcast_ref::<StdoutClosed>() {
        Some(_) => Exit::Ok,
        None => Exit::Failure,
    }
}

/// Tells the user why the program ends, unless it ends well.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    let exit = code(error);
    if exit != Exit::Ok {
        // Nobody is left to tell if stderr is closed.
        let _ = writeln!(std::io::stderr(), "qads: {}", told(error));
    }
    exit
}

/// An error and its causes in one line, leaving out a cause that what comes before it has told already.
fn told(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use std::time::Duration;

    #[test]
    fn every_code_is_documented() {
        for code in 0..=Exit::Permission as u8 {
            assert!(HELP.contains(&format!("\n  {code}  ")), "{code}");
        }
    }

    #[test]
    fn errors_keep_their_code_under_context() {
        let ring = || "r".to_owned();
        let cases = [
            (QADataSwapError::NotFound { ring: ring(), directory: ring() }, Exit::NotFound),
            (
                QADataSwapError::WriteTimeout { ring: ring(), waited: Duration::ZERO, reason: ring() },
                Exit::Timeout,
            ),
            (QADataSwapError::WriterExists { ring: ring(), pid: 1 }, Exit::Taken),
            (QADataSwapError::Corrupt { ring: ring(), what: ring() }, Exit::Corrupt),
            (QADataSwapError::FrameTooLarge { ring: ring(), needed: 2, available: 1 }, Exit::NoSpace),
            (QADataSwapError::PermissionDenied { ring: ring(), reason: ring() }, Exit::Permission),
            (QADataSwapError::InvalidName { name: ring(), reason: "" }, Exit::Usage),
            (QADataSwapError::EndOfStream { ring: ring() }, Exit::Ok),
            (QADataSwapError::WriterDied { ring: ring(), pid: 1 }, Exit::Failure),
        ];
        for (error, exit) in cases {
            let error = Err::<(), _>(error).context("while at it").expect_err("an error");
            assert_eq!(code(&error), exit, "{error:#}");
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let full = || std::io::Error::from_raw_os_error(28);
        let error = QADataSwapError::NoSpace {
            ring: "r".to_owned(),
            directory: "/x".to_owned(),
            needed: 1,
            source: full(),
        };
        assert_eq!(told(&error.into()).matches(&full().to_string()).count(), 1);
        assert_eq!(told(&anyhow::Error::new(full()).context("writing")), format!("writing: {}", full()));
    }

    #[test]
    fn own_failures_name_their_code() {
        assert_eq!(code(&Failed::new(Exit::Timeout, "late").into()), Exit::Timeout);
        assert_eq!(code(&StdoutClosed.into()), Exit::Ok);
        assert_eq!(code(&anyhow::anyhow!("anything else")), Exit::Failure);
    }
}
