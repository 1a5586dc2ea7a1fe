//! Streams of Polars frames.

use crate::config::Timeout;
use crate::error::Result;
use crate::stream::{SharedDataStream, split};
use polars_core::prelude::DataFrame;

impl SharedDataStream {
    /// Writes a Polars frame as a chunk. One that is larger than a slot is split by its rows; see
    /// [`write_chunk`](SharedDataStream::write_chunk).
    ///
    /// # Errors
    /// As there, and as [`Writer::write`](crate::Writer::write).
    pub fn write(&self, frame: &DataFrame) -> Result<()> {
        let (writer, most_rows) = self.writer()?;
        split(frame.height(), most_rows, |from, rows| match rows == frame.height() {
            true => writer.write(frame),
            // Of 2^63 rows there is no frame.
            false => writer.write(&frame.slice(from as i64, rows)),
        })
    }

    /// Reads the next chunk as a Polars frame, waiting for at most `timeout`; `None` if there is nothing yet. What
    /// [`read_chunk`](SharedDataStream::read_chunk) has not yet handed out of a table is passed over.
    ///
    /// # Errors
    /// As there, and as [`Reader::read`](crate::Reader::read).
    pub fn read(&self, timeout: impl Into<Timeout>) -> Result<Option<DataFrame>> {
        self.whole_frames()?.read(timeout)
    }
}
