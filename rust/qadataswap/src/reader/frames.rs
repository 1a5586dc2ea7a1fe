//! Frames as they come.

use super::{Frame, Reader};
use crate::config::Timeout;
use crate::error::{QADataSwapError, Result};

impl<'a> IntoIterator for &'a Reader {
    type Item = Result<Frame>;
    type IntoIter = Frames<'a>;

    fn into_iter(self) -> Frames<'a> {
        self.iter()
    }
}

/// The frames of a reader as they come; see [`Reader::iter`].
#[derive(Debug)]
pub struct Frames<'a> {
    pub(super) reader: &'a Reader,
    pub(super) done: bool,
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        if self.done {
            return None;
        }
        match self.reader.read_frame(Timeout::FOREVER) {
            Ok(frame) => {
                // Without a deadline, a wait ends with a frame or an error.
                self.done = frame.is_none();
                frame.map(Ok)
            }
            Err(error) => {
                self.done = true;
                match error {
                    QADataSwapError::EndOfStream { .. } => None,
                    error => Some(Err(error)),
                }
            }
        }
    }
}
