//! Polars frames through a ring.

mod frames;
mod polars_types;
mod promises;
mod random;
mod streams;
mod types;

use polars::prelude::{CategoricalMapping, Categories, DataFrame, DataType};
use qadataswap::{Reader, SharedMemoryConfig, WhenFull, Writer};
use std::sync::{Arc, LazyLock};

/// Makes sure that the categories of the whole process begin with a text that no dictionary of the tests begins with,
/// whichever test comes first: whether keys can stay where they lie depends on it. And keeps those that have a name: when
/// the last owner of some goes while another thread makes them anew, Polars forgets the new ones, and those of one name are
/// no longer the same.
fn number_categories() {
    static HELD: LazyLock<(Arc<CategoricalMapping>, DataType)> = LazyLock::new(|| {
        let mapping = Categories::global().mapping();
        assert_eq!(mapping.insert_cat("the first of all categories").expect("room"), 0);
        (mapping, polars_types::named_categories())
    });
    LazyLock::force(&HELD);
}

/// Both ends of a ring of three slots.
fn ring(test: &str, slot_bytes: u64) -> (Writer, Reader) {
    number_categories();
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
