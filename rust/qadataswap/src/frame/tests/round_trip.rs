//! What is written is read.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray,
    StringViewArray, new_null_array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use qadataswap_tables::{batch_of, every_type, random_batch, random_type, wide_batch};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::nontemporal;
use super::*;

fn codecs() -> Vec<Compression> {
    vec![
        Compression::None,
        #[cfg(feature = "lz4")]
        Compression::Lz4,
        #[cfg(feature = "zstd")]
        Compression::Zstd { level: 1 },
    ]
}

/// Writes and reads `batch` with each codec and validation.
fn check(batch: &RecordBatch, what: &str) {
    for compression in codecs() {
        let frame = frame(compression, &batch.schema(), std::slice::from_ref(batch));
        for validation in [Validation::Form, Validation::Full, Validation::FullOnCopy] {
            let decoded = decode(validation, &frame).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_same(batch, &only_batch(decoded), what);
        }
    }
}

/// The valid rows of `array`.
fn without_nulls(array: &ArrayRef) -> ArrayRef {
    let valid: Vec<u32> = (0..array.len()).filter(|row| array.is_valid(*row)).map(|row| row as u32).collect();
    arrow::compute::take(array, &arrow_array::UInt32Array::from(valid), None).expect("rows can be taken")
}

#[test]
fn every_type_comes_back_whole() {
    for (name, array) in every_type() {
        check(&column(array), name);
    }
}

#[test]
fn a_frame_too_large_for_the_caches_comes_back_whole() {
    let numbers = Int32Array::from_iter((0..1_200_000).map(|row| (row % 7 > 0).then_some(row)));
    let batch = column(Arc::new(numbers.slice(3, numbers.len() - 5)));
    let mut encoder = Encoder::new(Compression::None);
    let measured = encoder.measure(&batch.schema(), std::slice::from_ref(&batch)).expect("a plain table");
    assert!(measured.total >= nontemporal::FRAME, "{} bytes", measured.total);
    check(&batch, "a large frame");
}

#[test]
fn every_type_comes_back_from_odd_slices() {
    for (name, array) in every_type() {
        for (from, rows) in [(1, array.len() - 1), (3, 17), (9, 8), (13, 1), (11, 22)] {
            check(&column(array.slice(from, rows)), &format!("{name}, {rows} rows from {from}"));
        }
    }
}

#[test]
fn every_type_comes_back_from_slices_of_slices() {
    for (name, array) in every_type() {
        check(&column(array.slice(5, 30).slice(6, 11)), name);
    }
}

#[test]
fn every_type_comes_back_empty() {
    for (name, array) in every_type() {
        check(&column(array.slice(0, 0)), name);
        check(&column(array.slice(7, 0)), name);
        check(&column(arrow_array::new_empty_array(array.data_type())), name);
    }
}

#[test]
fn every_type_comes_back_all_null() {
    for (name, array) in every_type() {
        check(&column(new_null_array(array.data_type(), 19)), name);
    }
}

#[test]
fn every_type_comes_back_without_nulls() {
    for (name, array) in every_type() {
        check(&column(without_nulls(&array)), name);
    }
}

#[test]
fn all_types_come_back_side_by_side() {
    let batch = wide_batch();
    check(&batch, "all");
    check(&batch.slice(5, 20), "slice of all");
}

#[test]
fn rows_without_columns_are_counted() {
    let options = RecordBatchOptions::new().with_row_count(Some(7));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).expect("no columns");
    check(&batch, "no columns");
}

#[test]
fn a_frame_may_hold_a_schema_only() {
    let schema = wide_batch().schema();
    let frame = frame(Compression::None, &schema, &[]);
    let decoded = decode(Validation::Full, &frame).expect("a schema");
    assert_eq!(decoded.schema, schema);
    assert_eq!(decoded.batches.len(), 0);
}

#[test]
fn several_batches_come_back_in_order() {
    let batch = wide_batch();
    let parts = [batch.slice(0, 5), batch.slice(5, 0), batch.slice(5, 31), batch.slice(36, 1)];
    for compression in codecs() {
        let frame = frame(compression, &batch.schema(), &parts);
        let decoded = decode(Validation::Full, &frame).expect("four batches");
        assert_eq!(decoded.batches.len(), 4);
        for (part, read) in parts.iter().zip(decoded.batches.iter()) {
            assert_same(part, read, "part");
        }
    }
}

fn words(words: &[&str], keys: &[i8]) -> RecordBatch {
    let values = Arc::new(StringArray::from(words.to_vec()));
    let keys = arrow_array::Int8Array::from(keys.to_vec());
    column(Arc::new(DictionaryArray::<Int8Type>::new(keys, values)))
}

#[test]
fn a_dictionary_is_written_again_only_when_it_changes() {
    let one = words(&["a", "b"], &[0, 1, 1]);
    let two = words(&["c", "d", "e"], &[2, 0, 1]);
    let count = |batches: &[RecordBatch]| {
        let frame = frame(Compression::None, &one.schema(), batches);
        let decoded = decode(Validation::Full, &frame).expect("dictionaries");
        for (batch, read) in batches.iter().zip(decoded.batches.iter()) {
            assert_same(batch, read, "dictionary");
        }
        let mut at = 0;
        let mut dictionaries = 0;
        while let Some(place) = crate::frame::message::next(&frame, at).expect("a message") {
            let message = arrow_ipc::root_as_message(&frame[place.start..place.end]).expect("metadata");
            dictionaries += usize::from(message.header_as_dictionary_batch().is_some());
            at = place.end + message.bodyLength() as usize;
        }
        dictionaries
    };
    assert_eq!(count(&[one.clone(), one.slice(1, 2), one.clone()]), 1);
    assert_eq!(count(&[one.clone(), two.clone(), two.slice(0, 1)]), 2);
    assert_eq!(count(&[one.clone(), two, one.clone()]), 3);
}

#[test]
fn a_changing_inner_dictionary_changes_the_outer_one() {
    let nested = |words: [&str; 2]| {
        let inner = DictionaryArray::<Int32Type>::new(
            Int32Array::from(vec![1, 0]),
            Arc::new(StringArray::from(words.to_vec())),
        );
        let list = arrow_array::ListArray::new(
            Arc::new(Field::new("item", inner.data_type().clone(), true)),
            arrow_buffer::OffsetBuffer::from_lengths([1, 1, 0]),
            Arc::new(inner),
            None,
        );
        column(Arc::new(DictionaryArray::<Int32Type>::new(
            Int32Array::from(vec![2, 1, 0, 1]),
            Arc::new(list),
        )))
    };
    let batches = [nested(["a", "b"]), nested(["x", "y"]), nested(["a", "b"])];
    let frame = frame(Compression::None, &batches[0].schema(), &batches);
    let decoded = decode(Validation::Full, &frame).expect("nested dictionaries");
    for (batch, read) in batches.iter().zip(decoded.batches.iter()) {
        assert_same(batch, read, "nested");
    }
}

#[test]
fn metadata_and_order_of_dictionaries_come_back() {
    let fields = vec![
        Field::new("kind", DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8)), false)
            .with_dict_is_ordered(true)
            .with_metadata([("ARROW:extension:name".into(), "desk.kind".into())].into()),
        Field::new("n", DataType::Int32, false).with_metadata([("unit".into(), "lots".into())].into()),
    ];
    let schema = Schema::new_with_metadata(fields, [("feed".to_owned(), "x".to_owned())].into());
    let kind = DictionaryArray::<arrow_array::types::UInt8Type>::from_iter(["a", "b"]);
    let schema = Arc::new(schema);
    let batch =
        RecordBatch::try_new(schema.clone(), vec![Arc::new(kind), Arc::new(Int32Array::from(vec![1, 2]))]);
    let read = decode(Validation::Full, &frame_of(&batch.expect("a batch"))).expect("a frame").schema;
    assert_eq!(read, schema);
    assert_eq!(read.field(0).dict_is_ordered(), Some(true));
}

#[test]
fn a_prefix_that_stands_is_left_alone() {
    let batch = wide_batch();
    let schema = batch.schema();
    let mut encoder = Encoder::new(Compression::None);
    let whole = frame_by(&mut encoder, &schema, std::slice::from_ref(&batch));
    let measured = encoder.measure(&schema, std::slice::from_ref(&batch)).expect("measured");
    let mut slot = MutableBuffer::new(0);
    slot.resize(measured.total as usize, STALE);
    encoder.write(&measured, &schema, std::slice::from_ref(&batch), &mut slot, true).expect("written");
    let prefix = crate::frame::message::next(&whole, 0).expect("a message").expect("a schema").end;
    assert!(slot[..prefix].iter().all(|byte| *byte == STALE));
    assert_eq!(slot[prefix..], whole[prefix..]);
}

#[test]
fn schemas_are_numbered_in_order_of_first_use() {
    let one = column(Arc::new(Int32Array::from(vec![1])));
    let two = column(Arc::new(StringArray::from(vec!["x"])));
    let mut encoder = Encoder::new(Compression::None);
    let mut key = |batch: &RecordBatch| {
        let equal = Arc::new(batch.schema().as_ref().clone());
        encoder.measure(&equal, std::slice::from_ref(batch)).expect("measured").schema_key
    };
    assert_eq!([key(&one), key(&two), key(&one), key(&two)], [0, 1, 0, 1]);
}

#[test]
fn a_reader_keeps_schemas_apart_by_their_ids() {
    let one = column(Arc::new(Int32Array::from(vec![1])));
    let two = column(Arc::new(StringArray::from(vec!["x"])));
    let mut decoder = Decoder::new(Validation::Full);
    for _ in 0..2 {
        for (id, batch) in [(7, &one), (8, &two)] {
            let decoded = decoder.decode(&frame_of(batch), id).expect("a frame");
            assert_same(batch, &only_batch(decoded), "by id");
        }
    }
}

#[test]
fn a_frame_that_does_not_fit_says_what_it_needs() {
    let batch = wide_batch();
    let schema = batch.schema();
    let batches = std::slice::from_ref(&batch);
    let mut encoder = Encoder::new(Compression::None);
    let total = encoder.measure(&schema, batches).expect("measured").total;
    for size in (0..total).step_by(997).chain([total - 1]) {
        let mut slot = vec![STALE; size as usize];
        let measured = encoder.measure(&schema, batches).expect("measured");
        match encoder.write(&measured, &schema, batches, &mut slot, false) {
            Err(FrameError::TooLarge { needed, available }) => assert_eq!((needed, available), (total, size)),
            other => panic!("{size} bytes: {other:?}"),
        }
    }
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let batch = column(Arc::new(Int32Array::from(vec![1])));
    let other: SchemaRef = Arc::new(Schema::new(vec![Field::new("column", DataType::Utf8, true)]));
    let result = Encoder::new(Compression::None).measure(&other, &[batch]);
    assert!(matches!(result, Err(FrameError::Invalid(_))), "{result:?}");
}

#[test]
fn a_dictionary_of_dictionaries_is_refused() {
    let inner = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let outer = DataType::Dictionary(Box::new(DataType::Int8), Box::new(inner));
    let schema = Arc::new(Schema::new(vec![Field::new("column", outer, true)]));
    let result = Encoder::new(Compression::None).measure::<RecordBatch>(&schema, &[]);
    assert!(matches!(result, Err(FrameError::Unsupported(_))), "{result:?}");
}

#[test]
fn a_time_of_32_bits_does_not_count_nanoseconds() {
    let data_type = DataType::Time32(arrow_schema::TimeUnit::Nanosecond);
    let schema = Arc::new(Schema::new(vec![Field::new("column", data_type, true)]));
    let result = Encoder::new(Compression::None).measure::<RecordBatch>(&schema, &[]);
    assert!(matches!(&result, Err(FrameError::Unsupported(what)) if what.contains("column")), "{result:?}");
}

#[test]
fn views_of_mostly_foreign_data_are_compacted() {
    let texts: Vec<String> = (0..1000).map(|row| format!("{row} is a value too long to be inline")).collect();
    let array = StringViewArray::from_iter_values(&texts);
    let few = column(Arc::new(array.slice(500, 3)));
    let frame = frame_of(&few);
    assert!(frame.len() < 2000, "{} bytes for three values", frame.len());
    assert_same(&few, &only_batch(decode(Validation::Full, &frame).expect("views")), "compacted");
    let most = column(Arc::new(array.slice(10, 900)));
    assert_same(&most, &only_batch(decode(Validation::Full, &frame_of(&most)).expect("views")), "whole");
}

#[test]
fn views_that_refer_to_no_data_are_written_without() {
    let array = StringViewArray::from_iter_values(["short", "a value that is not inline"]);
    let frame = frame_of(&column(Arc::new(array.slice(0, 1))));
    let read = only_batch(decode(Validation::Full, &frame).expect("views"));
    assert_eq!(read.column(0).as_string_view().data_buffers().len(), 1, "26 bytes are not worth a scan");
    let frame = frame_of(&column(Arc::new(array.slice(0, 0))));
    let read = only_batch(decode(Validation::Full, &frame).expect("views"));
    assert_eq!(read.column(0).as_string_view().data_buffers().len(), 0);
}

#[test]
fn random_tables_come_back() {
    let mut encoder = Encoder::new(Compression::None);
    let mut decoder = Decoder::new(Validation::Full);
    for seed in 0..3000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let rows = rng.random_range(0..60);
        let batch = random_batch(&mut rng, rows);
        let frame = frame_by(&mut encoder, &batch.schema(), std::slice::from_ref(&batch));
        let decoded = decoder.decode(&frame, seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_same(&batch, &only_batch(decoded), &format!("seed {seed}"));
    }
}

#[test]
fn random_compressed_tables_come_back() {
    for compression in codecs().into_iter().skip(1) {
        let mut encoder = Encoder::new(compression);
        for seed in 0..300 {
            let mut rng = StdRng::seed_from_u64(seed);
            let batch = random_batch(&mut rng, 200);
            let frame = frame_by(&mut encoder, &batch.schema(), std::slice::from_ref(&batch));
            let decoded =
                decode(Validation::Full, &frame).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_same(&batch, &only_batch(decoded), &format!("seed {seed}"));
        }
    }
}

#[test]
fn what_was_read_can_be_written_again() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let batch = random_batch(&mut rng, 40);
        let read = only_batch(decode(Validation::Form, &frame_of(&batch)).expect("a frame"));
        assert_same(
            &batch,
            &only_batch(decode(Validation::Full, &frame_of(&read)).expect("a frame")),
            "again",
        );
    }
}

#[test]
fn random_types_are_planned_alike_by_writer_and_reader() {
    for seed in 0..500 {
        let data_type = random_type(&mut StdRng::seed_from_u64(seed), 6);
        let schema = Arc::new(Schema::new(vec![Field::new("column", data_type, true)]));
        let decoded = decode(Validation::Form, &frame(Compression::None, &schema, &[])).expect("a schema");
        assert_eq!(decoded.schema, schema);
    }
}

#[test]
fn thousands_of_columns_come_back() {
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let word: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::from_iter(["a", "b"]));
    let nested = new_null_array(&random_type(&mut StdRng::seed_from_u64(11), 4), 2);
    let columns = [number, word, nested].into_iter().cycle().take(3000);
    let (fields, columns): (Vec<_>, Vec<_>) = columns
        .enumerate()
        .map(|(at, column)| {
            let field = Field::new(format!("c{at}"), column.data_type().clone(), true);
            (field.with_metadata([("at".to_owned(), at.to_string())].into()), column)
        })
        .unzip();
    check(&RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch"), "thousands");
}

#[test]
fn columns_named_alike_come_back() {
    let twice = batch_of(vec![
        ("same", Arc::new(Int32Array::from(vec![1, 2]))),
        ("same", Arc::new(Int32Array::from(vec![3, 4]))),
    ]);
    check(&twice, "columns of one name");
}
