//! The one error of the crate. Every binding translates it by one exhaustive match on [`ErrorKind`].
//!
//! Law: a message names the ring, says what was expected and what was got, then the remedy.

use crate::config::SettingsError;
use crate::frame::{FrameError, OutOfRoom};
use arrow_schema::ArrowError;
use std::time::Duration;

/// Result with [`QADataSwapError`].
pub type Result<T, E = QADataSwapError> = std::result::Result<T, E>;

/// What went wrong with a ring or a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QADataSwapError {
    /// A ring's name is not allowed.
    #[error(
        "ring name '{}' {reason}; use 1 to 200 letters, digits, '_', '-' or '.', not starting with '.'",
        name.escape_debug()
    )]
    InvalidName {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The configuration, or an argument, is out of range or contradicts the ring.
    #[error("ring '{ring}': {reason}")]
    InvalidConfig {
        /// The ring.
        ring: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// No ring of this name exists.
    #[error(
        "ring '{ring}' does not exist in {directory}: it was not started, or it has ended and been read; start its writer first, or give the reader a longer attach timeout"
    )]
    NotFound {
        /// The ring.
        ring: String,
        /// The folder that was searched.
        directory: String,
    },
    /// The operating system, or the ring's owner, does not let this process in.
    #[error("ring '{ring}': permission denied: {reason}")]
    PermissionDenied {
        /// The ring.
        ring: String,
        /// Whose it is, and the remedy.
        reason: String,
    },
    /// The ring already has a living writer.
    #[error("ring '{ring}' already has a writer, process {pid}; close it first or use another name")]
    WriterExists {
        /// The ring.
        ring: String,
        /// The writer's PID as that process sees it.
        pid: u32,
    },
    /// Every reader's place is taken.
    #[error(
        "ring '{ring}' admits {max_readers} reader(s) and has them all; create it with a larger max_readers"
    )]
    TooManyReaders {
        /// The ring.
        ring: String,
        /// Its limit.
        max_readers: u32,
    },
    /// The file is not a region that this version reads.
    #[error(
        "ring '{ring}': expected {expected}, got {got}; another version wrote it or it is damaged: stop its users and remove it"
    )]
    Incompatible {
        /// The ring.
        ring: String,
        /// What this version reads.
        expected: String,
        /// What is there.
        got: String,
    },
    /// Shared bytes contradict the protocol or the format.
    #[error("ring '{ring}': corrupt: {what}")]
    Corrupt {
        /// The ring.
        ring: String,
        /// Where, expected and got.
        what: String,
    },
    /// The frame does not fit into a slot.
    #[error(
        "ring '{ring}': the frame needs {needed} bytes, a slot holds {available}; write fewer rows at a time, or create the ring with slots of at least as many bytes (slot_bytes)"
    )]
    FrameTooLarge {
        /// The ring.
        ring: String,
        /// Bytes the frame takes (with compression: at most).
        needed: u64,
        /// Bytes of a slot.
        available: u64,
    },
    /// The ring is full and its writer was asked not to wait.
    #[error("ring '{ring}' is full: {reason}")]
    RingFull {
        /// The ring.
        ring: String,
        /// Who holds it, and the remedy.
        reason: String,
    },
    /// The ring stayed full for as long as the writer would wait.
    #[error("ring '{ring}' stayed full for {waited:.1?}: {reason}")]
    WriteTimeout {
        /// The ring.
        ring: String,
        /// How long.
        waited: Duration,
        /// Who holds it, and the remedy.
        reason: String,
    },
    /// The writer has ended the stream and every frame has been read.
    #[error("ring '{ring}' has ended: its writer closed it and every frame has been read")]
    EndOfStream {
        /// The ring.
        ring: String,
    },
    /// The writer died without closing, and every frame it published has been read.
    #[error(
        "ring '{ring}': its writer, process {pid}, died without closing; frames go on when a new writer takes over"
    )]
    WriterDied {
        /// The ring.
        ring: String,
        /// The writer's PID as that process saw it.
        pid: u32,
    },
    /// The writer broke its stream off; every frame of it has been read.
    #[error(
        "ring '{ring}': the stream was broken off by its writer: {reason}; what has been read is not all of it"
    )]
    Aborted {
        /// The ring.
        ring: String,
        /// Why, in the writer's words.
        reason: String,
    },
    /// Another region has taken the ring's name; every frame of the old one has been read.
    #[error("ring '{ring}' was replaced by a region of another geometry; attach again")]
    Replaced {
        /// The ring.
        ring: String,
    },
    /// This reader was taken for dead and lost its place.
    #[error(
        "ring '{ring}': this reader lost its place at frame {sequence}; did something close its file descriptors? attach again"
    )]
    Evicted {
        /// The ring.
        ring: String,
        /// The frame it wanted.
        sequence: u64,
    },
    /// A writer's call on a reader, or the other way round.
    #[error("ring '{ring}': this handle is a {is}, the call needs a {needs}; make one with create_{needs}")]
    WrongRole {
        /// The ring.
        ring: String,
        /// What the handle is.
        is: &'static str,
        /// What it would have to be.
        needs: &'static str,
    },
    /// The handle was closed.
    #[error("ring '{ring}': this handle has been closed; make a new one")]
    Closed {
        /// The ring.
        ring: String,
    },
    /// The handle was made by another process.
    #[error(
        "ring '{ring}': this handle belongs to the parent of this forked process; open the ring again in the child"
    )]
    Forked {
        /// The ring.
        ring: String,
    },
    /// The writer was to be closed while a loan is out, or every slot is lent.
    #[error("ring '{ring}': a loan is out; commit or drop it first")]
    LoanOut {
        /// The ring.
        ring: String,
    },
    /// The folder of the rings has no room.
    #[error(
        "ring '{ring}': {directory} has no room for {needed} more bytes: {source}; free some, enlarge it, or make the ring smaller"
    )]
    NoSpace {
        /// The ring.
        ring: String,
        /// The folder.
        directory: String,
        /// Bytes that were to be reserved.
        needed: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// The region could not be mapped.
    #[error("ring '{ring}': mapping {bytes} bytes failed: {source}")]
    MemoryMapFailed {
        /// The ring.
        ring: String,
        /// Bytes to be mapped.
        bytes: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something is kept busy by another process for longer than it should.
    #[error("ring '{ring}' was busy for {waited:?}: another process is held up while it attaches or leaves")]
    Busy {
        /// The ring.
        ring: String,
        /// How long.
        waited: Duration,
    },
    /// A system call failed.
    #[error("ring '{ring}': {call}: {source}")]
    Io {
        /// The ring.
        ring: String,
        /// What was tried.
        call: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The frame uses something this build or this call does not offer.
    #[error("ring '{ring}': {what}")]
    Unsupported {
        /// The ring.
        ring: String,
        /// What, and the remedy.
        what: String,
    },
    /// A value did not fit into a loan.
    #[error("loan: {0}")]
    OutOfRoom(#[from] OutOfRoom),
    /// Arrow found fault with a table.
    #[error("arrow: {0}")]
    ArrowError(#[from] ArrowError),
    /// A defect of this library, kept from crossing into another language as a panic.
    #[error("internal error: {0}; this is a defect of QADataSwap, please report it")]
    Internal(String),
}

macro_rules! kinds {
    ($($kind:ident = $code:literal),* $(,)?) => {
        /// The kinds of [`QADataSwapError`], by the same names and numbers in every language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $(#[doc = concat!("See [`QADataSwapError::", stringify!($kind), "`].")] $kind = $code,)*
        }

        impl ErrorKind {
            /// The name, as other languages spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$kind => stringify!($kind),)* }
            }

            /// The number by which it crosses to other languages; never changes its meaning.
            #[must_use]
            pub const fn code(self) -> i32 {
                self as i32
            }

            /// The kind with this number.
            #[must_use]
            pub const fn from_code(code: i32) -> Option<ErrorKind> {
                match code { $($code => Some(ErrorKind::$kind),)* _ => None }
            }
        }

        impl QADataSwapError {
            /// The kind of this error.
            #[must_use]
            pub const fn kind(&self) -> ErrorKind {
                match self { $(QADataSwapError::$kind { .. } => ErrorKind::$kind,)* }
            }
        }
    };
}

kinds! {
    InvalidName = 1, InvalidConfig = 2, NotFound = 3, PermissionDenied = 4, WriterExists = 5,
    TooManyReaders = 6, Incompatible = 7, Corrupt = 8, FrameTooLarge = 9, RingFull = 10, WriteTimeout = 11,
    EndOfStream = 12, WriterDied = 13, Replaced = 14, Evicted = 15, WrongRole = 16, Closed = 17,
    Forked = 18, LoanOut = 19, NoSpace = 20, MemoryMapFailed = 21, Busy = 22, Io = 23, Unsupported = 24,
    OutOfRoom = 25, ArrowError = 26, Internal = 27,
    Aborted = 28,
}

/// Settings that are looked at for no ring in particular.
impl From<SettingsError> for QADataSwapError {
    fn from(error: SettingsError) -> Self {
        QADataSwapError::InvalidConfig { ring: "*".to_owned(), reason: error.to_string() }
    }
}

impl QADataSwapError {
    pub(crate) fn io(ring: &str, call: &'static str, source: impl Into<std::io::Error>) -> Self {
        let source = source.into();
        let ring = ring.to_owned();
        let remedy = match source.kind() {
            std::io::ErrorKind::PermissionDenied => "ask its creator to widen the ring's mode or group",
            std::io::ErrorKind::ReadOnlyFilesystem => {
                "its folder is mounted read-only, and readers store there too; mount it writable"
            }
            _ => return QADataSwapError::Io { ring, call, source },
        };
        QADataSwapError::PermissionDenied { ring, reason: format!("{call}: {source}; {remedy}") }
    }

    pub(crate) fn frame(ring: &str, error: FrameError) -> Self {
        let ring = ring.to_owned();
        match error {
            FrameError::TooLarge { needed, available } => {
                QADataSwapError::FrameTooLarge { ring, needed, available }
            }
            FrameError::Corrupt(what) => QADataSwapError::Corrupt { ring, what },
            FrameError::Unsupported(what) => QADataSwapError::Unsupported { ring, what },
            FrameError::Invalid(reason) => QADataSwapError::InvalidConfig { ring, reason },
            FrameError::Arrow(error) => QADataSwapError::ArrowError(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind as Refused;

    #[test]
    fn a_refusal_of_the_system_says_who_can_help() {
        for (refused, remedy) in [
            (Refused::PermissionDenied, "ask its creator to widen the ring's mode or group"),
            (Refused::ReadOnlyFilesystem, "mount it writable"),
        ] {
            let error = QADataSwapError::io("r", "opening the region", refused);
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            let message = error.to_string();
            assert!(message.starts_with("ring 'r': permission denied: opening the region: "), "{message}");
            assert!(message.ends_with(remedy), "{message}");
        }
        assert_eq!(QADataSwapError::io("r", "opening", Refused::NotFound).kind(), ErrorKind::Io);
    }

    #[test]
    fn what_is_wrong_with_a_frame_is_wrong_with_its_ring() {
        let what = || "what".to_owned();
        for (error, kind, needle) in [
            (
                FrameError::TooLarge { needed: 9, available: 8 },
                ErrorKind::FrameTooLarge,
                "needs 9 bytes, a slot holds 8",
            ),
            (FrameError::Corrupt(what()), ErrorKind::Corrupt, "corrupt: what"),
            (FrameError::Unsupported(what()), ErrorKind::Unsupported, "ring 'r': what"),
            (FrameError::Invalid(what()), ErrorKind::InvalidConfig, "ring 'r': what"),
            (FrameError::Arrow(ArrowError::CastError(what())), ErrorKind::ArrowError, "what"),
        ] {
            let error = QADataSwapError::frame("r", error);
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(needle), "{error}");
        }
    }
}
