//! How a call ended: the number of its error's kind as its result, the message kept for whoever asks.

use qadataswap::recording::MissingFrames;
use qadataswap::{ErrorKind, QADataSwapError, Result};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// No error.
pub(crate) const OK: i32 = 0;

thread_local! {
    /// Kind and message of this thread's last failure; the message ends with a zero byte.
    static LAST: RefCell<(i32, Vec<u8>)> = const { RefCell::new((OK, Vec::new())) };
    /// The frames that this failure says are missing.
    static MISSING: Cell<Option<MissingFrames>> = const { Cell::new(None) };
}

/// Kind of this thread's last failure.
pub(crate) fn last_error_kind() -> i32 {
    LAST.with_borrow(|last| last.0)
}

/// Message of this thread's last failure, with a zero byte at its end; stays until the next one.
pub(crate) fn last_error<'a>() -> &'a [u8] {
    LAST.with_borrow(|(_, message)| {
        if message.is_empty() {
            return &b"\0"[..];
        }
        // SAFETY: the message is this thread's and is replaced by its next failure only, of which the caller is
        // told (qadataswap.h).
        unsafe { std::slice::from_raw_parts(message.as_ptr(), message.len()) }
    })
}

/// The frames that this thread's last failure says are missing, if it says so.
pub(crate) fn last_missing_frames(first: &mut u64, last: &mut u64) -> bool {
    let missing = MISSING.get();
    if let Some(missing) = missing {
        (*first, *last) = (missing.first, missing.last);
    }
    missing.is_some()
}

/// Runs `call`; what it fails with, be it a panic, is kept as this thread's last failure and yields `None`.
pub(crate) fn attempt<T>(call: impl FnOnce() -> Result<T>) -> Option<T> {
    // A handle on which a call has panicked refuses the next one in the same way: it may still be borrowed.
    let result = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .map(|what| (*what).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Err(QADataSwapError::Internal(what.unwrap_or_else(|| "a panic without a message".to_owned())))
    });
    result.map_err(|error| keep(&error)).ok()
}

/// As [`attempt`], for a call whose only result is how it ended.
pub(crate) fn status(call: impl FnOnce() -> Result<()>) -> i32 {
    match attempt(call) {
        Some(()) => OK,
        None => last_error_kind(),
    }
}

#[cold]
fn keep(error: &QADataSwapError) {
    let mut message = error.to_string().into_bytes();
    message.retain(|byte| *byte != 0);
    message.push(0);
    LAST.set((error.kind().code(), message));
    MISSING.set(MissingFrames::of(error));
}

/// A mistake in how a call was made.
pub(crate) fn invalid(ring: &str, reason: impl Into<String>) -> QADataSwapError {
    QADataSwapError::InvalidConfig { ring: ring.to_owned(), reason: reason.into() }
}

/// The name of a kind by its number.
pub(crate) fn error_kind_name(kind: i32) -> &'static str {
    match kind {
        OK => "None",
        kind => ErrorKind::from_code(kind).map_or("Unknown", ErrorKind::name),
    }
}
