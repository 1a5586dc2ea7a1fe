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

/// One step of an iteration that ends with the stream, or after an error has been yielded. `read` waits without a
/// deadline.
pub(crate) fn until_end<T>(done: &mut bool, read: impl FnOnce() -> Result<Option<T>>) -> Option<Result<T>> {
    if *done {
        return None;
    }
    match read() {
        Ok(Some(item)) => Some(Ok(item)),
        ended => {
            *done = true;
            match ended {
                Err(QADataSwapError::EndOfStream { .. }) => None,
                ended => ended.transpose(),
            }
        }
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
        until_end(&mut self.done, || self.reader.read_frame(Timeout::FOREVER))
    }
}
