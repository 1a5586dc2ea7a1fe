//! The next frame of a ring, for a command that can be asked to end.

use crate::stop::{SLICE, Stop};
use qadataswap::{Frame, QADataSwapError, Reader};
use std::time::{Duration, Instant};

/// What came.
pub(crate) enum Next {
    Frame(Box<Frame>),
    /// The writer has ended the stream and every frame has been read.
    Ended,
    /// The command was asked to end.
    Stopped,
    /// Nothing came in time.
    TimedOut,
}

/// Waits for the next frame, for at most `timeout`.
pub(crate) fn next(reader: &Reader, stop: &Stop, timeout: Option<Duration>) -> Result<Next, QADataSwapError> {
    let start = Instant::now();
    loop {
        // Before the next frame: there may be one whenever asked.
        if stop.is_asked() {
            return Ok(Next::Stopped);
        }
        let left = timeout.map_or(SLICE, |timeout| timeout.saturating_sub(start.elapsed()).min(SLICE));
        match reader.read_frame(left) {
            Ok(Some(frame)) => return Ok(Next::Frame(Box::new(frame))),
            Ok(None) if timeout.is_some_and(|timeout| start.elapsed() >= timeout) => {
                return Ok(Next::TimedOut);
            }
            Ok(None) => {}
            Err(QADataSwapError::EndOfStream { .. }) => return Ok(Next::Ended),
            Err(error) => return Err(error),
        }
    }
}
