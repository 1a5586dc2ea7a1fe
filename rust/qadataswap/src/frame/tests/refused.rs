//! What does not agree with its schema, on the way in and on the way out.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::super::Stretch;
use super::c_data::messages;
use super::*;

fn numbers(numbers: Vec<Option<i64>>, nullable: bool) -> RecordBatch {
    let array: ArrayRef = Arc::new(Int64Array::from(numbers));
    RecordBatch::try_from_iter_with_nullable([("n", array, nullable)])
        .unwrap_or_else(|_| panic!("one column"))
}

fn corrupt<T>(result: Result<T, FrameError>, needle: &str) {
    match result {
        Err(FrameError::Corrupt(what)) => assert!(what.contains(needle), "{what}"),
        Err(error) => panic!("{needle}: {error}"),
        Ok(_) => panic!("{needle}: it passed"),
    }
}

#[test]
fn a_batch_of_another_schema_is_not_written() {
    let none = Field::new("n", DataType::Int64, false);
    let two = Schema::new(vec![none.clone(), Field::new("m", DataType::Int64, false)]);
    let other = Schema::new(vec![Field::new("n", DataType::Utf8, false)]);
    let batch = numbers(vec![Some(1), None], true);
    for (schema, needle) in [
        (two, "a batch of 1 columns for a schema of 2"),
        (other, "column 'n' is Int64, its schema says Utf8"),
        (Schema::new(vec![none]), "'n'"),
    ] {
        let measured =
            Encoder::new(Compression::None).measure(&Arc::new(schema), std::slice::from_ref(&batch));
        let Err(FrameError::Invalid(what)) = measured else { panic!("{needle}: it was measured") };
        assert!(what.contains(needle), "{what}");
    }
}

#[test]
fn nulls_where_the_schema_has_none_are_not_read() {
    let (with, without) = (numbers(vec![Some(1), None], true), numbers(vec![Some(1), Some(2)], false));
    let (with, without) = (frame_of(&with), frame_of(&without));
    let (with, without) = (messages(&with), messages(&without));
    let frame = Buffer::from([without[0], with[1], with[2]].concat());
    let views = Decoder::new(Validation::Form).decode_views(&frame, 1);
    corrupt(views, "column 'n' has nulls, its schema says it has none");
    assert!(decode(Validation::Form, &frame).is_err());
}

#[test]
fn a_column_of_another_length_than_its_batch_is_not_read() {
    const ROWS: usize = 77;
    let whole = frame_of(&numbers(vec![Some(7); ROWS], false));
    let place = crate::frame::message::next(&whole, messages(&whole)[0].len())
        .expect("well-formed")
        .expect("a batch");
    let mut spoilt = 0;
    // Wherever the message says how many rows there are: of the batch, and of its column.
    for at in (place.start..place.end - 7).filter(|at| at % 4 == 0) {
        if whole[at..at + 8] == (ROWS as i64).to_le_bytes() {
            let mut bytes = whole.to_vec();
            bytes[at] -= 1;
            let frame = Buffer::from_vec(bytes);
            corrupt(Decoder::new(Validation::Form).decode_views(&frame, 1), "in a batch of");
            assert!(decode(Validation::Form, &frame).is_err());
            spoilt += 1;
        }
    }
    assert_eq!(spoilt, 2);
}

#[test]
fn a_stretch_of_messages_is_of_batches_that_are_whole() {
    let frame = frame_of(&numbers(vec![Some(1), Some(2)], false));
    let parts = messages(&frame);
    let stretch = Stretch::of(&frame).expect("a frame of ours");
    assert_eq!(&frame[stretch.messages], parts[1]);
    corrupt(
        Stretch::of(&[parts[0], parts[0], parts[1]].concat()),
        "a message of kind Schema behind the schema",
    );
    let cut = [parts[0], &parts[1][..parts[1].len() - 8]].concat();
    corrupt(Stretch::of(&cut), &format!("in a frame of {}", cut.len()));
}
