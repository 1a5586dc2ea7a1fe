//! The calls that the product's documents promise, as they are written there.

use arrow_array::{Int64Array, RecordBatch};
use qadataswap::{
    QADataSwapError, Reader, SharedDataFrame, SharedMemoryConfig, Writer, create_reader, create_writer,
};
use std::sync::Arc;
use std::time::Duration;

fn table() -> RecordBatch {
    RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)]).expect("one column")
}

#[test]
fn free_functions_make_both_ends() {
    let name = format!("promise-free-{}", std::process::id());
    let writer: Result<Writer, QADataSwapError> = create_writer(&name, 3_usize);
    let reader: Result<Reader, QADataSwapError> = create_reader(&name);
    let (writer, reader) = (writer.unwrap(), reader.unwrap());
    writer.write_arrow(&table()).unwrap();
    let timeout_ms: u64 = 1000;
    let read: Option<RecordBatch> = reader.read_arrow(timeout_ms).unwrap();
    assert_eq!(read, Some(table()));
    assert_eq!(reader.read_arrow(1).unwrap(), None, "nothing yet");
}

#[test]
fn one_handle_serves_either_end() {
    let name = format!("promise-one-{}", std::process::id());
    let config = SharedMemoryConfig::new(&name).with_size_mb(100);
    let writer = SharedDataFrame::create_writer(config.clone()).unwrap();
    let reader = SharedDataFrame::create_reader(config).unwrap();
    writer.write_arrow(&table()).unwrap();
    assert_eq!(reader.read_arrow(None).unwrap(), Some(table()));
    assert_eq!(reader.read_arrow(Duration::ZERO).unwrap(), None);
    let wrong = reader.write_arrow(&table()).unwrap_err();
    assert!(matches!(wrong, QADataSwapError::WrongRole { .. }), "{wrong}");
    assert_eq!((writer.stats().writes_count, reader.stats().reads_count), (1, 1));
    assert!(reader.stats().bytes_read > 0 && reader.stats().bytes_read == writer.stats().bytes_written);
}

#[test]
fn a_name_with_a_size_in_bytes_is_a_configuration() {
    let name = format!("promise-pair-{}", std::process::id());
    let writer = SharedDataFrame::create_writer((name.as_str(), 100 * 1024 * 1024)).unwrap();
    let reader = SharedDataFrame::create_reader(name.as_str()).unwrap();
    writer.write_arrow(&table()).unwrap();
    let frames: Vec<_> = {
        writer.close().unwrap();
        reader.frames().unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(frames.len(), 1, "iteration ends with the stream");
}
