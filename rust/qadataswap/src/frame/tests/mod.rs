//! Tests of the frame codec: what they share, and the facts by subject.

mod c_data;
mod dictionaries;
mod foreign;
mod hostile;
mod loan;
mod place;
mod refused;
mod round_trip;
mod settled;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_schema::{Field, Schema, SchemaRef};

use super::{Compression, Decoded, Decoder, Encoder, FrameError, Validation};

/// What a slot holds before a frame is written into it.
const STALE: u8 = 0xAA;

/// Writes `batches` into a stale slot and returns exactly the frame.
fn frame(compression: Compression, schema: &SchemaRef, batches: &[RecordBatch]) -> Buffer {
    frame_by(&mut Encoder::new(compression), schema, batches)
}

fn frame_by(encoder: &mut Encoder, schema: &SchemaRef, batches: &[RecordBatch]) -> Buffer {
    let measured = encoder.measure(schema, batches).expect("the table can be measured");
    let mut slot = MutableBuffer::new(0);
    slot.resize(measured.total as usize, STALE);
    let used = encoder.write(&measured, schema, batches, &mut slot, false).expect("the table can be written");
    assert!(used <= measured.total, "{used} bytes written, {} measured", measured.total);
    slot.truncate(used as usize);
    slot.into()
}

fn frame_of(batch: &RecordBatch) -> Buffer {
    frame(Compression::None, &batch.schema(), std::slice::from_ref(batch))
}

fn decode(validation: Validation, frame: &Buffer) -> Result<Decoded, FrameError> {
    Decoder::new(validation).decode(frame, 1)
}

fn only_batch(decoded: Decoded) -> RecordBatch {
    assert_eq!(decoded.batches.len(), 1);
    decoded.batches.into_iter().next().expect("one batch")
}

/// One nullable column.
fn column(array: ArrayRef) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("column", array.data_type().clone(), true)]);
    let options = RecordBatchOptions::new().with_row_count(Some(array.len()));
    RecordBatch::try_new_with_options(Arc::new(schema), vec![array], &options).expect("one column")
}

/// Whether two batches are equal, schema, metadata and dictionary order included.
fn assert_same(one: &RecordBatch, other: &RecordBatch, what: &str) {
    assert_eq!(one.schema(), other.schema(), "{what}");
    assert_eq!(one.num_rows(), other.num_rows(), "{what}");
    for (one, other) in one.columns().iter().zip(other.columns()) {
        assert_eq!(one.null_count(), other.null_count(), "{what}");
        assert_eq!(one, other, "{what}");
    }
}

#[test]
fn both_sides_can_move_to_another_thread() {
    fn can_move<T: Send>() {}
    can_move::<Encoder>();
    can_move::<Decoder>();
    can_move::<super::LoanPlan>();
}
