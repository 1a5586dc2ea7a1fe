//! Dictionaries that come in parts, or not at all, in frames that are read as views.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int8Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int8Array, ListArray, RecordBatch, StringArray};
use arrow_ipc::writer::{DictionaryHandling, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field};

use super::c_data::{imported, messages};
use super::*;
use crate::frame::Parsed;

fn views(validation: Validation, frame: &Buffer) -> Result<Parsed, FrameError> {
    Decoder::new(validation).decode_views(frame, 1)
}

/// Keys into `values`.
fn keyed(keys: Vec<Option<i8>>, values: ArrayRef) -> RecordBatch {
    let keys = DictionaryArray::try_new(Int8Array::from(keys), values).expect("keys in range");
    column(Arc::new(keys))
}

/// A frame without its dictionaries.
fn without_values(frame: &Buffer) -> Buffer {
    let messages = messages(frame);
    let (batch, end) = (messages[messages.len() - 2], messages[messages.len() - 1]);
    Buffer::from([messages[0], batch, end].concat())
}

fn texts() -> ArrayRef {
    Arc::new(StringArray::from(vec!["ES", "NQ"]))
}

/// Values with offsets at two levels, and keys of their own.
fn nested() -> ArrayRef {
    let inner = keyed(vec![Some(0), Some(1), Some(0)], texts()).column(0).clone();
    let item = Arc::new(Field::new("item", inner.data_type().clone(), true));
    Arc::new(ListArray::new(item, arrow_buffer::OffsetBuffer::from_lengths([2, 1]), inner, None))
}

#[test]
fn a_dictionary_that_comes_in_parts_is_put_together() {
    let mut words = StringDictionaryBuilder::<Int8Type>::new();
    words.extend([Some("a"), Some("b"), None]);
    let one = column(Arc::new(words.finish_preserve_values()));
    words.extend([Some("c"), Some("a")]);
    let two = column(Arc::new(words.finish_preserve_values()));
    let options = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &one.schema(), options).expect("a writer");
    writer.write(&one).expect("written");
    writer.write(&two).expect("written");
    let frame = Buffer::from_vec(writer.into_inner().expect("finished"));
    for validation in [Validation::Form, Validation::Full, Validation::FullOnCopy] {
        let table = views(validation, &frame).expect("a frame");
        assert_eq!((table.len(), table.rows()), (2, 5));
        assert!(table.bytes_copied() > 0, "it was written anew");
        for (at, batch) in [&one, &two].into_iter().enumerate() {
            let read = imported(table.export(at), batch.schema_ref());
            let text =
                |batch: &RecordBatch| arrow::compute::cast(batch.column(0), &DataType::Utf8).expect("texts");
            assert_eq!(&text(&read), &text(batch));
        }
    }
}

#[test]
fn a_dictionary_that_nothing_refers_to_need_not_be_sent() {
    for values in [texts(), nested()] {
        for keys in [vec![], vec![None, None]] {
            let batch = keyed(keys, values.clone());
            let frame = without_values(&frame_of(&batch));
            let table = views(Validation::Form, &frame).expect("nothing is missing");
            let read = imported(table.export(0), batch.schema_ref());
            let (read, sent) = (read.column(0), batch.column(0));
            assert_eq!((read.len(), read.logical_null_count()), (sent.len(), sent.len()));
            assert_eq!(read.data_type(), sent.data_type());
        }
    }
}

#[test]
fn a_dictionary_that_is_used_must_have_been_sent() {
    for values in [texts(), nested()] {
        let frame = without_values(&frame_of(&keyed(vec![Some(1), None], values)));
        let error = views(Validation::Form, &frame).expect_err("values are missing");
        let FrameError::Corrupt(what) = error else { panic!("{error}") };
        assert!(what.ends_with("is used before it is sent"), "{what}");
    }
}
