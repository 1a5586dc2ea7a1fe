//! Writing a frame, for a command that can be asked to end while the ring is full.

use crate::stop::{SLICE, Stop};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use qadataswap::{QADataSwapError, WhenFull, Writer};
use std::time::{Duration, Instant};

/// What a writer must be configured with so that [`send`] can look at the flag between its waits.
pub(crate) const BLOCK: WhenFull = WhenFull::Block(Some(SLICE));

/// Writes a frame, waiting for at most `patience` if the ring is full (`None`: for as long as it takes). Returns
/// its sequence number; `None` if the command was asked to end before there was room.
pub(crate) fn send(
    writer: &Writer,
    batch: &RecordBatch,
    stop: &Stop,
    patience: Option<Duration>,
) -> Result<Option<u64>, QADataSwapError> {
    send_by(|| writer.write_arrow(batch), stop, patience)
}

/// As [`send`], for a frame of several batches.
pub(crate) fn send_batches(
    writer: &Writer,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    stop: &Stop,
    patience: Option<Duration>,
) -> Result<Option<u64>, QADataSwapError> {
    send_by(|| writer.write_batches(schema, batches), stop, patience)
}

fn send_by(
    write: impl Fn() -> Result<u64, QADataSwapError>,
    stop: &Stop,
    patience: Option<Duration>,
) -> Result<Option<u64>, QADataSwapError> {
    let start = Instant::now();
    loop {
        match write() {
            Ok(sequence) => return Ok(Some(sequence)),
            Err(QADataSwapError::WriteTimeout { ring, reason, .. }) => {
                let waited = start.elapsed();
                if stop.is_asked() {
                    return Ok(None);
                }
                if patience.is_some_and(|patience| waited >= patience) {
                    return Err(QADataSwapError::WriteTimeout { ring, waited, reason });
                }
            }
            Err(error) => return Err(error),
        }
    }
}
