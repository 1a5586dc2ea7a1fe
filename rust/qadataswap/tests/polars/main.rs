//! Polars frames through a ring.

mod frames;
mod polars_types;
mod promises;
mod random;
mod types;

use polars::prelude::DataFrame;
use qadataswap::{Reader, SharedMemoryConfig, WhenFull, Writer};

/// Both ends of a ring of three slots.
fn ring(test: &str, slot_bytes: u64) -> (Writer, Reader) {
    let config = SharedMemoryConfig::new(format!("polars-{test}-{}", std::process::id()))
        .with_slot_bytes(slot_bytes)
        .with_when_full(WhenFull::Fail);
    (Writer::new(&config).expect("a new ring"), Reader::new(&config).expect("a ring"))
}

/// `frame` by way of a ring.
fn echo(test: &str, frame: &DataFrame) -> DataFrame {
    let (writer, reader) = ring(test, 1 << 20);
    writer.write(frame).expect("a frame of types that Arrow has");
    reader.try_read().expect("a frame of types that Polars has").expect("just written")
}

/// Fails unless both have the same columns, types and values, nulls being equal.
fn assert_same(read: &DataFrame, written: &DataFrame) {
    assert_eq!(read.schema(), written.schema());
    assert!(read.equals_missing(written), "got {read}\nexpected {written}");
}
