//! Hostile bytes give an error, never a panic.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, ListArray, RecordBatch, StringArray, StringViewArray};
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{DictionaryHandling, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use qadataswap_tables::{every_type, random_batch};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::*;
use crate::frame::message;
#[cfg(feature = "lz4")]
use crate::frame::template::Places;

/// Frames to be spoilt: every type by itself, and random tables with several batches.
fn victims() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for (_, array) in every_type() {
        frames.push(frame_of(&column(array.slice(2, 12))).to_vec());
    }
    for seed in 0..20 {
        let batch = random_batch(&mut StdRng::seed_from_u64(seed), 20);
        let parts = [batch.slice(0, 7), batch.slice(7, 13)];
        frames.push(frame(Compression::None, &batch.schema(), &parts).to_vec());
        #[cfg(feature = "lz4")]
        frames.push(frame(Compression::Lz4, &batch.schema(), &parts).to_vec());
        #[cfg(feature = "zstd")]
        frames.push(frame(Compression::Zstd { level: 1 }, &batch.schema(), &parts).to_vec());
    }
    for options in [
        IpcWriteOptions::default(),
        IpcWriteOptions::try_new(8, false, MetadataVersion::V5).expect("options"),
    ] {
        let options = options.with_dictionary_handling(DictionaryHandling::Delta);
        let mut words = StringDictionaryBuilder::<Int32Type>::new();
        words.extend([Some("a"), Some("b"), None]);
        let one = column(Arc::new(words.finish_preserve_values()));
        words.extend([Some("c"), Some("a")]);
        let two = column(Arc::new(words.finish_preserve_values()));
        let mut writer =
            StreamWriter::try_new_with_options(Vec::new(), &one.schema(), options).expect("a writer");
        writer.write(&one).expect("written");
        writer.write(&two).expect("written");
        frames.push(writer.into_inner().expect("finished"));
    }
    frames
}

/// Where the metadata of `frame` lies.
fn metadata(frame: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Ok(Some(place)) = message::next(frame, at) {
        let message = arrow_ipc::root_as_message(&frame[place.start..place.end]).expect("metadata");
        places.push(at..place.end);
        at = place.end + message.bodyLength() as usize;
    }
    places
}

fn spoil(rng: &mut impl Rng, frame: &mut [u8], within: &[std::ops::Range<usize>]) {
    for _ in 0..rng.random_range(1..4) {
        let range = within[rng.random_range(0..within.len())].clone();
        let at = rng.random_range(range);
        match rng.random_range(0..5) {
            0 => frame[at] ^= 1 << rng.random_range(0..8),
            1 => frame[at] = rng.random(),
            2 => frame[at] = [0, 1, 0x7F, 0x80, 0xFF][rng.random_range(0..5)],
            _ => {
                // A number that some field may take for a length.
                let number: i64 =
                    [0, 1, -1, i64::MAX, i64::MIN, 1 << 32, 64, rng.random()][rng.random_range(0..8)];
                let at = at & !7;
                if let Some(place) = frame.get_mut(at..at + 8) {
                    place.copy_from_slice(&number.to_le_bytes());
                }
            }
        }
    }
}

/// Reads every value of every row.
fn walk(batch: &RecordBatch) {
    const MOST: usize = 10_000;
    for column in batch.columns() {
        let column = column.slice(0, column.len().min(MOST));
        assert_eq!(column.len(), column.to_data().len());
        let same = column.slice(0, column.len());
        // Reads all that equality needs.
        let _ = column.as_ref() == same.as_ref();
        let formatter = arrow::util::display::FormatOptions::default();
        if let Ok(formatter) = arrow::util::display::ArrayFormatter::try_new(column.as_ref(), &formatter) {
            for row in 0..column.len() {
                let _ = formatter.value(row).try_to_string();
            }
        }
    }
}

/// Writes what was read unchecked into a frame of its own, which may be refused.
fn forward(decoded: &Decoded) {
    const MOST: usize = 10_000;
    let batches: Vec<_> =
        decoded.batches.iter().map(|batch| batch.slice(0, batch.num_rows().min(MOST))).collect();
    for compression in [Compression::None, Compression::Lz4] {
        let mut encoder = Encoder::new(compression);
        let Ok(measured) = encoder.measure(&decoded.schema, &batches) else { return };
        if measured.total < 1 << 24 {
            let mut slot = vec![STALE; measured.total as usize];
            let _ = encoder.write(&measured, &decoded.schema, &batches, &mut slot, false);
        }
    }
}

/// Reads a spoilt frame every way there is; says whether it was let through unread and checked.
fn read(bytes: &[u8]) -> (bool, bool) {
    let frame = Buffer::from_slice_ref(bytes);
    let form = decode(Validation::Form, &frame).is_ok_and(|decoded| {
        forward(&decoded);
        true
    });
    let Ok(decoded) = decode(Validation::FullOnCopy, &frame) else { return (form, false) };
    decoded.batches.iter().for_each(walk);
    (form, true)
}

#[test]
fn spoilt_metadata_is_survived() {
    let mut rng = StdRng::seed_from_u64(1);
    let (mut passed, mut refused) = (0, 0);
    for frame in victims() {
        let places = metadata(&frame);
        for _ in 0..200 {
            let mut spoilt = frame.clone();
            spoil(&mut rng, &mut spoilt, &places);
            match read(&spoilt) {
                (true, _) => passed += 1,
                (false, _) => refused += 1,
            }
        }
    }
    assert!(passed > 0 && refused > passed / 10, "{passed} passed, {refused} refused: not much of a test");
}

#[test]
fn spoilt_bytes_anywhere_are_survived() {
    let mut rng = StdRng::seed_from_u64(2);
    let mut caught = 0;
    for frame in victims() {
        for _ in 0..200 {
            let mut spoilt = frame.clone();
            spoil(&mut rng, &mut spoilt, std::slice::from_ref(&(0..frame.len())));
            // Contents are the business of full validation alone.
            caught += usize::from(matches!(read(&spoilt), (true, false)));
        }
    }
    assert!(caught > 0, "no content was ever found wrong");
}

#[test]
fn spoilt_record_batches_behind_a_known_schema_are_survived() {
    let mut rng = StdRng::seed_from_u64(3);
    for frame in victims() {
        let places = metadata(&frame);
        let mut decoder = Decoder::new(Validation::FullOnCopy);
        decoder.decode(&Buffer::from_slice_ref(&frame), 1).expect("the frame before it is spoilt");
        for _ in 0..100 {
            let mut spoilt = frame.clone();
            spoil(&mut rng, &mut spoilt, &places[1..]);
            if let Ok(decoded) = decoder.decode(&Buffer::from_slice_ref(&spoilt), 1) {
                decoded.batches.iter().for_each(walk);
            }
        }
    }
}

#[test]
fn cut_frames_are_survived() {
    for frame in victims() {
        let ends = metadata(&frame);
        for length in (0..frame.len()).step_by(7) {
            let (_, passed) = read(&frame[..length]);
            // Only between two messages can a stream end unnoticed.
            if passed {
                assert!(length >= ends[0].end, "a cut schema was read");
            }
        }
    }
}

#[test]
fn frames_spliced_from_two_are_survived() {
    let frames = victims();
    let mut rng = StdRng::seed_from_u64(4);
    for _ in 0..4000 {
        let (one, two) =
            (&frames[rng.random_range(0..frames.len())], &frames[rng.random_range(0..frames.len())]);
        // The schema of one, the batches of the other.
        let mut spliced = one[..metadata(one)[0].end].to_vec();
        spliced.extend_from_slice(&two[metadata(two)[0].end..]);
        read(&spliced);
    }
}

#[test]
fn noise_is_refused() {
    let mut rng = StdRng::seed_from_u64(5);
    for _ in 0..2000 {
        let mut noise = vec![0u8; rng.random_range(0..600)];
        rng.fill_bytes(&mut noise);
        if noise.len() >= 8 {
            noise[..4].fill(0xFF);
            let length = (noise.len() as u32 - 8).to_le_bytes();
            noise[4..8].copy_from_slice(&length);
        }
        assert_eq!(read(&noise), (false, false));
    }
}

#[cfg(feature = "zstd")]
#[test]
fn a_compressed_buffer_that_promises_too_much_is_refused() {
    let batch = column(Arc::new(arrow_array::Int64Array::from(vec![5; 1000])));
    let mut bytes = frame(Compression::Zstd { level: 1 }, &batch.schema(), &[batch]).to_vec();
    let length = 8000i64.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == length).expect("the length of the buffer");
    bytes[at..at + 8].copy_from_slice(&(1i64 << 60).to_le_bytes());
    let result = decode(Validation::Form, &Buffer::from_vec(bytes));
    assert!(matches!(result, Err(FrameError::Corrupt(_))), "{result:?}");
}

#[test]
fn schemas_arrow_rs_would_panic_on_are_refused() {
    let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
    let three = DataType::Struct(
        vec![field("k", DataType::Int8), field("v", DataType::Int8), field("w", DataType::Int8)].into(),
    );
    let mut deep = DataType::Int8;
    for _ in 0..60 {
        deep = DataType::List(field("item", deep));
    }
    let bad = [
        DataType::FixedSizeBinary(-1),
        DataType::FixedSizeList(field("item", DataType::Int8), -3),
        DataType::Decimal32(10, 0),
        DataType::Decimal64(0, 0),
        DataType::Decimal128(39, 2),
        DataType::Decimal256(5, 6),
        DataType::Map(field("entries", three), false),
        DataType::Map(field("entries", DataType::Int8), false),
        DataType::RunEndEncoded(field("ends", DataType::Utf8), field("values", DataType::Int8)),
        DataType::Dictionary(Box::new(DataType::Utf8), Box::new(DataType::Utf8)),
        deep,
    ];
    for data_type in bad {
        let schema = Schema::new(vec![Field::new("column", data_type.clone(), true)]);
        let mut frame = crate::frame::ipc_schema::write(&schema);
        frame.extend_from_slice(&message::END_OF_STREAM);
        assert!(decode(Validation::Form, &Buffer::from_vec(frame)).is_err(), "{data_type} was read");
        let schema = Arc::new(schema);
        assert!(
            Encoder::new(Compression::None).measure::<RecordBatch>(&schema, &[]).is_err(),
            "{data_type} was written"
        );
    }
}

#[test]
fn contents_are_the_business_of_full_validation() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["some text", "some more"]));
    let view: ArrayRef = Arc::new(StringViewArray::from(vec!["some text that is not inline"]));
    let keys: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(["a", "b"]));
    let list: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2)])]));
    // The array, bytes of its frame's last body, and what they are spoilt to.
    let cases: [(ArrayRef, &[u8], &[u8]); 4] = [
        (text, b"some text", b"some\xFFtext"),
        (view, b"not inline", b"not \xFFnline"),
        (keys, &[0, 0, 0, 0, 1, 0, 0, 0], &[0, 0, 0, 0, 9, 0, 0, 0]),
        (list, &[0, 0, 0, 0, 2, 0, 0, 0], &[0, 0, 0, 0, 99, 0, 0, 0]),
    ];
    for (array, right, wrong) in cases {
        let name = array.data_type().clone();
        let mut frame = frame_of(&column(array)).to_vec();
        let at = frame.windows(right.len()).rposition(|window| window == right).expect("the contents");
        frame[at..at + wrong.len()].copy_from_slice(wrong);
        let frame = Buffer::from_slice_ref(&frame);
        assert!(decode(Validation::Form, &frame).is_ok(), "{name}: form is all that was asked for");
        for validation in [Validation::Full, Validation::FullOnCopy] {
            assert!(decode(validation, &frame).is_err(), "{name}: contents were to be checked");
        }
    }
}

#[cfg(feature = "lz4")]
#[test]
fn buffers_that_overlap_are_not_unpacked_again_and_again() {
    use arrow_array::Int64Array;

    let mut rng = StdRng::seed_from_u64(6);
    let noise: ArrayRef =
        Arc::new((0..10_000).map(|_| rng.random::<u16>()).map(i64::from).collect::<Int64Array>());
    let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 10_000]));
    let mut columns = vec![("noise", noise)];
    columns.extend((0..20).map(|_| ("zeros", zeros.clone())));
    let batch = qadataswap_tables::batch_of(columns);
    let mut bytes = frame(Compression::Lz4, &batch.schema(), &[batch]).to_vec();
    let place = message::next(&bytes, metadata(&bytes)[0].end).expect("a message").expect("a batch");
    let at = place.start + Places::of(&bytes[place.start..place.end]).expect("a batch's metadata").buffers;
    // Validity and values of each column; the values of the first stand for all.
    let (first, others) = bytes[at..at + 21 * 32].split_at_mut(32);
    for other in others.chunks_exact_mut(32) {
        other[16..].copy_from_slice(&first[16..]);
    }
    let result = decode(Validation::Form, &Buffer::from_vec(bytes));
    assert!(matches!(&result, Err(FrameError::Corrupt(what)) if what.contains("overlap")), "{result:?}");
}
