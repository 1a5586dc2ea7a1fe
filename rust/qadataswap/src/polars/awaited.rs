//! Polars frames by `async`.

use super::Read;
use crate::error::Result;
use crate::read_async::NextFrame;
use crate::reader::Reader;
use polars_core::prelude::DataFrame;

impl Reader {
    /// The next table as a Polars frame, as [`read`](Reader::read), as soon as it is there. Dropping the future loses none:
    /// for a timeout, wrap it in the runtime's.
    ///
    /// # Errors
    /// As [`poll_frame`](Reader::poll_frame), and [`Unsupported`](crate::QADataSwapError::Unsupported) as
    /// [`read`](Reader::read).
    pub async fn read_async(&mut self) -> Result<DataFrame> {
        // Its drop ends the wait.
        let next = NextFrame { reader: self };
        let read: Read = std::future::poll_fn(|context| next.reader.poll_as(context)).await?;
        Ok(read.frame)
    }
}
