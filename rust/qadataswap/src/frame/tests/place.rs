//! Where things lie: arrays in the frame they came from, buffers at multiples of 64, zeros in between.

use std::ops::Range;

use arrow_data::ArrayData;
use qadataswap_tables::{every_type, random_batch};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::frame::template::batch_of;
use crate::frame::{ALIGNMENT, message};

/// The addresses of every buffer below `data`.
fn addresses(data: &ArrayData, into: &mut Vec<Range<usize>>) {
    let bitmap = data.nulls().map(arrow_buffer::NullBuffer::buffer);
    for buffer in data.buffers().iter().chain(bitmap) {
        let start = buffer.as_ptr() as usize;
        into.push(start..start + buffer.len());
    }
    data.child_data().iter().for_each(|child| addresses(child, into));
}

fn address_range(frame: &Buffer) -> Range<usize> {
    let start = frame.as_ptr() as usize;
    start..start + frame.len()
}

/// The buffers of each message of `frame`, as ranges of the frame, and the ends of the messages.
fn layout(frame: &Buffer) -> (Vec<Range<usize>>, Vec<usize>) {
    let (mut buffers, mut messages) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(place) = message::next(frame, at).expect("a message") {
        messages.push(at);
        let message = arrow_ipc::root_as_message(&frame[place.start..place.end]).expect("metadata");
        for buffer in batch_of(&message).and_then(|batch| batch.buffers()).into_iter().flatten() {
            let start = place.end + buffer.offset() as usize;
            buffers.push(start..start + buffer.length() as usize);
        }
        at = place.end + message.bodyLength() as usize;
    }
    (buffers, messages)
}

#[test]
fn every_buffer_of_every_type_lies_in_its_frame() {
    for (name, array) in every_type() {
        for array in [array.clone(), array.slice(3, 20)] {
            let frame = frame_of(&column(array));
            let decoded = decode(Validation::Form, &frame).expect("a frame");
            assert_eq!(decoded.bytes_copied, 0, "{name}");
            let batch = only_batch(decoded);
            let mut buffers = Vec::new();
            addresses(&batch.column(0).to_data(), &mut buffers);
            let home = address_range(&frame);
            for buffer in buffers.iter().filter(|buffer| !buffer.is_empty()) {
                assert!(
                    home.start <= buffer.start && buffer.end <= home.end,
                    "{name}: {buffer:x?} outside {home:x?}"
                );
            }
        }
    }
}

#[test]
fn a_copied_frame_shares_nothing_with_the_slot_and_says_so() {
    for (name, array) in every_type() {
        let frame = frame_of(&column(array));
        let decoded = decode(Validation::FullOnCopy, &frame).expect("a frame");
        assert_eq!(decoded.bytes_copied, frame.len() as u64, "{name}");
        let mut buffers = Vec::new();
        addresses(&only_batch(decoded).column(0).to_data(), &mut buffers);
        let home = address_range(&frame);
        for buffer in buffers.iter().filter(|buffer| !buffer.is_empty()) {
            assert!(buffer.end <= home.start || home.end <= buffer.start, "{name}");
        }
    }
}

#[test]
fn messages_and_buffers_begin_at_multiples_of_64() {
    for (name, array) in every_type() {
        let (buffers, messages) = layout(&frame_of(&column(array)));
        for at in buffers.iter().map(|buffer| buffer.start).chain(messages) {
            assert_eq!(at % ALIGNMENT, 0, "{name}");
        }
    }
}

#[test]
fn whatever_is_no_buffer_is_written_and_zero_is_what_pads() {
    for seed in 0..400 {
        let batch = random_batch(&mut StdRng::seed_from_u64(seed), 21);
        let schema = batch.schema();
        let batches = std::slice::from_ref(&batch);
        let mut encoder = Encoder::new(Compression::None);
        let measured = encoder.measure(&schema, batches).expect("measured");
        // Two slots that differ in every stale byte: a byte that is not written differs in the frames.
        let frames: Vec<Buffer> = [STALE, !STALE]
            .into_iter()
            .map(|stale| {
                let mut slot = MutableBuffer::new(0);
                slot.resize(measured.total as usize, stale);
                encoder.write(&measured, &schema, batches, &mut slot, false).expect("written");
                slot.into()
            })
            .collect();
        assert_eq!(frames[0], frames[1], "seed {seed}");
        let (buffers, _) = layout(&frames[0]);
        for pair in buffers.windows(2) {
            let gap = &frames[0][pair[0].end..pair[1].start.max(pair[0].end)];
            let padding = &gap[..gap.len().min(pair[0].end.next_multiple_of(ALIGNMENT) - pair[0].end)];
            assert!(padding.iter().all(|byte| *byte == 0), "seed {seed}");
        }
    }
}

#[test]
fn unused_bits_are_zero() {
    for (name, array) in every_type() {
        for rows in [1, 3, 9] {
            let array = array.slice(5, rows);
            let frame = frame_of(&column(array.clone()));
            let (buffers, _) = layout(&frame);
            let mut bitmaps = Vec::new();
            if array.nulls().is_some_and(|nulls| nulls.null_count() > 0) {
                bitmaps.push(buffers[0].clone());
            }
            if array.data_type() == &arrow_schema::DataType::Boolean {
                bitmaps.push(buffers[1].clone());
            }
            for bitmap in bitmaps {
                let last = frame[bitmap.end - 1];
                assert_eq!(u32::from(last) >> (rows % 8), 0, "{name}, {rows} rows");
            }
        }
    }
}

#[test]
fn the_frame_lives_as_long_as_its_last_array() {
    let mut frame = frame_of(&qadataswap_tables::wide_batch());
    let mut decoder = Decoder::new(Validation::Form);
    let read = only_batch(decoder.decode(&frame, 1).expect("a frame"));
    let last = read.column_by_name("utf8").expect("a column").slice(3, 1);
    drop(read);
    // Memory that is shared cannot be taken back.
    frame = frame.into_mutable().expect_err("an array is left");
    drop(last);
    frame.into_mutable().expect("nothing is left, in the decoder either");
}

#[test]
fn a_slice_takes_along_only_the_children_it_refers_to() {
    for name in ["list", "large list", "list view", "large list view", "map", "dense union", "run-end int32"]
    {
        let (_, array) = every_type().into_iter().find(|(known, _)| *known == name).expect("a known type");
        let children = |batch: &RecordBatch| {
            let data = batch.column(0).to_data();
            data.child_data().iter().map(ArrayData::len).collect::<Vec<_>>()
        };
        let read =
            |batch: &RecordBatch| only_batch(decode(Validation::Full, &frame_of(batch)).expect("a frame"));
        let whole = children(&read(&column(array.clone())));
        // Row 20 lies amid the children, whatever the type.
        let one = children(&read(&column(array.slice(20, 1))));
        for (one, whole) in one.iter().zip(&whole) {
            assert!(*one <= 5 && one < whole, "{name}: one row of {whole} takes {one}");
        }
    }
}
