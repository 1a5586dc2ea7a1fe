//! Other people's readers read our frames, and we read other people's streams. The judge is arrow-rs.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Int64Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{DictionaryHandling, IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};
use arrow_schema::DataType;
use qadataswap_tables::{every_type, random_batch, wide_batch};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn judge(frame: &Buffer) -> (SchemaRef, Vec<RecordBatch>) {
    let reader = StreamReader::try_new(Cursor::new(frame.as_slice()), None).expect("a stream");
    (reader.schema(), reader.map(|batch| batch.expect("a batch")).collect())
}

fn judged(compression: Compression, batch: &RecordBatch, what: &str) {
    let (schema, batches) = judge(&frame(compression, &batch.schema(), std::slice::from_ref(batch)));
    assert_eq!(schema, batch.schema(), "{what}");
    assert_eq!(batches.len(), 1, "{what}");
    assert_same(batch, &batches[0], what);
}

/// A stream as arrow-rs writes it.
fn stream(batches: &[RecordBatch], options: IpcWriteOptions) -> Buffer {
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).expect("a writer");
    for batch in batches {
        writer.write(batch).expect("written");
    }
    Buffer::from_vec(writer.into_inner().expect("finished"))
}

fn plain() -> IpcWriteOptions {
    IpcWriteOptions::default()
}

fn packed(codec: CompressionType) -> IpcWriteOptions {
    plain().try_with_compression(Some(codec)).expect("a codec")
}

/// Plain, and with every codec that is compiled in.
fn options() -> Vec<IpcWriteOptions> {
    vec![
        plain(),
        #[cfg(feature = "lz4")]
        packed(CompressionType::LZ4_FRAME),
        #[cfg(feature = "zstd")]
        packed(CompressionType::ZSTD),
    ]
}

#[test]
fn a_codec_that_is_not_compiled_in_is_named() {
    let batch = column(Arc::new(Int64Array::from(vec![7; 100])));
    for (codec, feature, here) in [
        (CompressionType::LZ4_FRAME, "lz4", cfg!(feature = "lz4")),
        (CompressionType::ZSTD, "zstd", cfg!(feature = "zstd")),
    ] {
        let result = decode(Validation::Form, &stream(std::slice::from_ref(&batch), packed(codec)));
        match result {
            Ok(decoded) if here => assert_same(&batch, &only_batch(decoded), feature),
            Err(FrameError::Unsupported(what)) if !here => assert!(what.contains(feature), "{what}"),
            other => panic!("{feature}: {other:?}"),
        }
    }
}

#[test]
fn arrow_rs_reads_every_type() {
    for (name, array) in every_type() {
        judged(Compression::None, &column(array.clone()), name);
        judged(Compression::None, &column(array.slice(3, 21)), name);
        judged(Compression::None, &column(array.slice(3, 0)), name);
        #[cfg(feature = "lz4")]
        judged(Compression::Lz4, &column(array.slice(1, 30)), name);
        #[cfg(feature = "zstd")]
        judged(Compression::Zstd { level: 3 }, &column(array.slice(1, 30)), name);
    }
}

#[test]
fn arrow_rs_reads_random_tables() {
    for seed in 0..600 {
        let batch = random_batch(&mut StdRng::seed_from_u64(seed), 50);
        judged(Compression::None, &batch, &format!("seed {seed}"));
    }
}

#[test]
fn arrow_rs_reads_several_batches() {
    let batch = wide_batch();
    let parts = [batch.slice(0, 5), batch.slice(5, 31)];
    let (_, read) = judge(&frame(Compression::None, &batch.schema(), &parts));
    assert_eq!(read.len(), 2);
    for (part, read) in parts.iter().zip(&read) {
        assert_same(part, read, "part");
    }
}

#[test]
fn arrow_rs_reads_a_schema_only() {
    let schema = wide_batch().schema();
    let (read, batches) = judge(&frame(Compression::None, &schema, &[]));
    assert_eq!((read, batches.len()), (schema, 0));
}

#[test]
fn streams_of_arrow_rs_are_read() {
    for options in options() {
        for (name, array) in every_type() {
            for array in [array.clone(), array.slice(3, 21), array.slice(0, 0)] {
                let batch = column(array);
                let stream = stream(std::slice::from_ref(&batch), options.clone());
                // Of no rows at all arrow-rs writes run ends that end at zero, which is not valid.
                let validation = if batch.num_rows() > 0 { Validation::Full } else { Validation::Form };
                let decoded = decode(validation, &stream).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_same(&batch, &only_batch(decoded), name);
            }
        }
    }
}

#[test]
fn random_streams_of_arrow_rs_are_read() {
    let mut told = 0;
    for seed in 0..600 {
        let batch = random_batch(&mut StdRng::seed_from_u64(seed), 50);
        let stream = stream(std::slice::from_ref(&batch), plain());
        // arrow-rs does not write every slice of every nested type so that it can read it itself.
        let reader = StreamReader::try_new(Cursor::new(stream.as_slice()), None).expect("a stream");
        let judged: Result<Vec<_>, _> = reader.collect();
        if !judged.is_ok_and(|judged| judged == [batch.clone()]) {
            continue;
        }
        told += 1;
        let decoded =
            decode(Validation::Full, &stream).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_same(&batch, &only_batch(decoded), &format!("seed {seed}"));
    }
    assert!(told > 500, "only {told} of 600 streams were fit to be read");
}

#[test]
fn buffers_at_eights_are_realigned_and_counted() {
    let decimals: ArrayRef = Arc::new(arrow_array::Decimal128Array::from_iter_values(0..9));
    let batch = column(decimals);
    let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5).expect("options");
    let written = stream(std::slice::from_ref(&batch), options);
    let mut copied = Vec::new();
    // The same bytes from every address a multiple of 8 leaves open.
    for shift in [0, 8] {
        let mut memory = MutableBuffer::new(0);
        memory.extend_zeros(shift);
        memory.extend_from_slice(&written);
        let stream = Buffer::from(memory).slice(shift);
        let decoded = decode(Validation::Full, &stream).expect("a stream");
        copied.push(decoded.bytes_copied);
        assert_same(&batch, &only_batch(decoded), "realigned");
    }
    copied.sort_unstable();
    assert_eq!(copied, [0, 9 * 16]);
}

#[test]
fn delta_dictionaries_are_joined() {
    let mut words = StringDictionaryBuilder::<Int32Type>::new();
    words.extend([Some("a"), Some("b"), None]);
    let one = column(Arc::new(words.finish_preserve_values()));
    words.extend([Some("c"), Some("a")]);
    let two = column(Arc::new(words.finish_preserve_values()));
    let options = plain().with_dictionary_handling(DictionaryHandling::Delta);
    let stream = stream(&[one.clone(), two.clone()], options);
    let decoded = decode(Validation::Form, &stream).expect("a stream");
    assert!(decoded.bytes_copied > 0, "joining copies");
    let read: Vec<_> = decoded.batches.into_iter().collect();
    assert_same(&one, &read[0], "before the delta");
    assert_same(&two, &read[1], "behind the delta");
}

#[test]
fn metadata_version_4_is_refused_by_name() {
    let batch = column(Arc::new(Int64Array::from(vec![1, 2, 3])));
    let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V4).expect("options");
    let result = decode(Validation::Form, &stream(&[batch], options));
    assert!(matches!(&result, Err(FrameError::Unsupported(what)) if what.contains("V4")), "{result:?}");
}

#[test]
fn a_stream_without_its_end_is_read() {
    let batch = column(Arc::new(Int64Array::from(vec![1, 2, 3])));
    let stream = stream(std::slice::from_ref(&batch), plain());
    let cut = stream.slice_with_length(0, stream.len() - 8);
    assert_same(&batch, &only_batch(decode(Validation::Full, &cut).expect("a stream")), "no end");
}

/// `frame` without its dictionary messages.
fn without_dictionaries(frame: &Buffer) -> Buffer {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(place) = crate::frame::message::next(frame, at).expect("a message") {
        let message = arrow_ipc::root_as_message(&frame[place.start..place.end]).expect("metadata");
        let end = place.end + message.bodyLength() as usize;
        if message.header_as_dictionary_batch().is_none() {
            kept.extend_from_slice(&frame[at..end]);
        }
        at = end;
    }
    Buffer::from_slice_ref(&kept)
}

#[test]
fn a_dictionary_nobody_refers_to_need_not_be_sent() {
    let words = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let nulls = column(arrow_array::new_null_array(&words, 5));
    let read =
        only_batch(decode(Validation::Full, &without_dictionaries(&frame_of(&nulls))).expect("a frame"));
    assert_same(&nulls, &read, "all null");
    let used: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::from_iter(["a", "b"]));
    let result = decode(Validation::Form, &without_dictionaries(&frame_of(&column(used))));
    assert!(matches!(result, Err(FrameError::Corrupt(_))), "{result:?}");
}
