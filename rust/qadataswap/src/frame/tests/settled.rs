//! Frames whose metadata are those of the frame before: what was found of those numbers may serve only where it still holds.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow_buffer::{Buffer, MutableBuffer};

use super::super::{Compression, Decoder, Encoder, FrameError, Validation};
use super::{assert_same, column, frame, frame_by, frame_of, only_batch};

const ROWS: i64 = 100;

fn numbers(from: i64) -> RecordBatch {
    column(Arc::new(Int64Array::from_iter_values(from..from + ROWS)))
}

/// The same bytes at an address that is `residue` more than a multiple of 64.
fn moved(frame: &Buffer, residue: usize) -> Buffer {
    let mut bytes = MutableBuffer::from_len_zeroed(64 + frame.len());
    let start = (bytes.as_ptr().addr().next_multiple_of(64) - bytes.as_ptr().addr()) % 64 + residue;
    assert!(start + frame.len() <= bytes.len(), "arrow-rs aligns its buffers");
    bytes[start..start + frame.len()].copy_from_slice(frame);
    Buffer::from(bytes).slice_with_length(start, frame.len())
}

#[test]
fn each_frame_of_one_form_has_contents_of_its_own() {
    let mut decoder = Decoder::new(Validation::Form);
    for from in [0, 1, 1_000, -5] {
        let batch = numbers(from);
        assert_same(&only_batch(decoder.decode(&frame_of(&batch), 1).expect("a frame of ours")), &batch, "");
    }
}

#[test]
fn another_schema_with_the_same_numbers_is_another_table() {
    let (whole, broken) =
        (numbers(3), column(Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64)))));
    let mut decoder = Decoder::new(Validation::Form);
    for _ in 0..2 {
        assert_same(&only_batch(decoder.decode(&frame_of(&whole), 1).expect("a frame of ours")), &whole, "");
        assert_same(
            &only_batch(decoder.decode(&frame_of(&broken), 2).expect("a frame of ours")),
            &broken,
            "",
        );
    }
}

#[test]
fn a_frame_that_ends_before_its_body_is_refused_also_when_the_last_was_whole() {
    let whole = frame_of(&numbers(0));
    let mut decoder = Decoder::new(Validation::Form);
    drop(decoder.decode(&whole, 1).expect("a frame of ours"));
    for missing in [16, 64, 512] {
        let cut = whole.slice_with_length(0, whole.len() - missing);
        let error = decoder.decode(&cut, 1).expect_err("its body is not all there");
        assert!(matches!(error, FrameError::Corrupt(_)), "{error}");
        drop(decoder.decode(&whole, 1).expect("and the next is whole again"));
    }
}

#[test]
fn a_frame_that_lies_otherwise_is_aligned_anew() {
    let batch = numbers(7);
    let aligned = frame_of(&batch);
    let mut decoder = Decoder::new(Validation::Form);
    for (residue, copies) in [(0, false), (4, true), (0, false), (8, false), (12, true), (4, true)] {
        let decoded = decoder.decode(&moved(&aligned, residue), 1).expect("a frame of ours");
        assert_eq!(decoded.bytes_copied > 0, copies, "at {residue}");
        assert_same(&only_batch(decoded), &batch, "");
    }
}

#[test]
fn compressed_bodies_of_one_length_are_unpacked_each() {
    let of = |value: i64| column(Arc::new(Int64Array::from(vec![value; 4_096])) as ArrayRef);
    for compression in [Compression::Lz4, Compression::Zstd { level: 1 }] {
        let mut decoder = Decoder::new(Validation::Form);
        let frames = [1, 2, 3].map(|value| frame(compression, &of(value).schema(), &[of(value)]));
        assert_eq!(frames[0].len(), frames[1].len(), "they are alike, as far as numbers go");
        for (frame, value) in frames.iter().zip(1..) {
            let decoded = decoder.decode(frame, 1).expect("a frame of ours");
            assert!(decoded.bytes_copied > 0);
            assert_same(&only_batch(decoded), &of(value), "");
        }
    }
}

#[test]
fn several_batches_do_not_hinder() {
    let mut encoder = Encoder::new(Compression::None);
    let text = |word: &str| column(Arc::new(StringViewArray::from(vec![word; 3])));
    let (one, other) =
        (text("a word of more than twelve letters"), text("a wind of more than twelve letters"));
    let mut decoder = Decoder::new(Validation::Form);
    for batches in
        [vec![one.clone()], vec![one.clone(), other.clone()], vec![other.clone()], vec![other, one]]
    {
        let frame = frame_by(&mut encoder, &batches[0].schema(), &batches);
        let decoded = decoder.decode(&frame, 1).expect("a frame of ours");
        assert_eq!(decoded.batches.len(), batches.len());
        decoded.batches.iter().zip(&batches).for_each(|(got, wrote)| assert_same(got, wrote, ""));
    }
}

#[test]
fn views_taken_for_c_leave_numbers_that_arrays_may_be_made_by() {
    let mut decoder = Decoder::new(Validation::Form);
    for from in 0..3 {
        let batch = numbers(from);
        let frame = frame_of(&batch);
        let parsed = decoder.decode_views(&frame, 1).expect("a frame of ours");
        assert_eq!(parsed.len(), 1);
        assert_same(&super::c_data::imported(parsed.export(0), &batch.schema()), &batch, "");
        let decoded = only_batch(decoder.decode(&frame, 1).expect("a frame of ours"));
        assert_same(&decoded, &batch, "");
        let data = decoded.column(0).to_data();
        let inside = data.buffers()[0].as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
        assert!(inside < frame.len(), "it lies in the frame, not in the one before");
    }
}
