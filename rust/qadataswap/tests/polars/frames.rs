//! How Polars frames behave in a ring: chunks, slots, errors, and what a foreign writer may say.

#![allow(unsafe_code)]

use crate::polars_types::{an_enum, named_categories, texts};
use crate::types::placed_in;
use crate::{assert_same, echo, ring};
use arrow_array::types::{Int8Type, UInt8Type};
use arrow_array::{
    Array as _, ArrayRef, BinaryViewArray, DictionaryArray, Int8Array, Int64Array, LargeListArray, ListArray,
    RecordBatch, StringArray, StringViewArray, UInt8Array,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{
    DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema, TimeUnit as ArrowUnit,
};
use polars::prelude::*;
use qadataswap::{
    Compression, ErrorKind, QADataSwapError, Reader, SharedDataFrame, SharedMemoryConfig, Validation,
    WhenFull, Writer,
};
use std::collections::HashMap;

fn numbers(name: &str, values: std::ops::Range<i64>) -> Series {
    Series::new(name.into(), values.collect::<Vec<_>>())
}

fn in_chunks(name: &str, chunks: &[std::ops::Range<i64>]) -> Column {
    let mut series = numbers(name, chunks[0].clone());
    for chunk in &chunks[1..] {
        series.append(&numbers(name, chunk.clone())).expect("of the same type");
    }
    series.into()
}

#[test]
fn chunks_stay_chunks_and_none_is_put_together() {
    let frame = DataFrame::new_infer_height(vec![
        in_chunks("a", &[0..2, 2..7, 7..10]),
        in_chunks("b", &[0..6, 6..6, 6..10]),
        texts().slice(0, 10).with_name("c".into()).into(),
    ])
    .expect("as long as each other");
    let (writer, reader) = ring("chunks", 1 << 16);
    writer.write(&frame).unwrap();
    writer.write(&frame).unwrap();
    let told = reader.try_read_ffi().unwrap().expect("just written");
    let read = told.to_polars().unwrap();
    assert_same(&read, &frame);
    assert_eq!(placed_in(told.bytes(), &read), "in place");
    let lengths = |column: &Column| -> Vec<_> {
        column.as_materialized_series().chunks().iter().map(|chunk| chunk.len()).collect()
    };
    for column in read.columns() {
        assert_eq!(lengths(column), [2, 4, 1, 3], "cut where a chunk of any column ends");
    }
    assert!(reader.try_read().unwrap().expect("just written").equals_missing(&frame));
    assert_eq!((reader.stats().bytes_copied, reader.stats().rows_read), (0, 20));
}

#[test]
fn a_slot_is_held_until_the_last_series_is_dropped() {
    let (writer, reader) = ring("held", 1 << 16);
    let frame = df! { "a" => [1, 2, 3], "b" => ["x", "a text that no view can hold", "z"] }.unwrap();
    let mut held: Vec<Column> = (0..3)
        .map(|_| {
            writer.write(&frame).unwrap();
            let read = reader.try_read().unwrap().expect("just written");
            read.columns()[1].clone()
        })
        .collect();
    assert_eq!(writer.write(&frame).unwrap_err().kind(), ErrorKind::RingFull);
    let part = held.pop().expect("three").slice(1, 1);
    assert_eq!(writer.write(&frame).unwrap_err().kind(), ErrorKind::RingFull, "a slice of it holds it too");
    drop(part);
    writer.write(&frame).expect("its slot is free");
    assert_eq!(held[0].str().unwrap().get(1), Some("a text that no view can hold"));
    assert_same(&reader.try_read().unwrap().expect("just written"), &frame);
}

#[test]
fn a_frame_outlives_its_reader_and_its_writer() {
    let (writer, reader) = ring("outlives", 1 << 16);
    let frame = df! { "a" => [1.5, 2.5], "b" => ["x", "a text that no view can hold"] }.unwrap();
    writer.write(&frame).unwrap();
    let read = reader.try_read().unwrap().expect("just written");
    drop(writer);
    drop(reader);
    assert_same(&read, &frame);
}

#[test]
fn frames_without_rows_or_columns_keep_their_form() {
    for frame in [
        DataFrame::empty(),
        DataFrame::empty_with_height(5),
        df! { "a" => [1, 2], "b" => ["x", "y"] }.unwrap().head(Some(0)),
        DataFrame::new_infer_height(vec![Column::new_empty("a".into(), &an_enum())]).unwrap(),
        DataFrame::new_infer_height(vec![Column::full_null("a".into(), 3, &DataType::Null)]).unwrap(),
        DataFrame::new_infer_height(vec![Column::full_null("a".into(), 3, &an_enum())]).unwrap(),
        DataFrame::new_infer_height(vec![Column::new_scalar("a".into(), 7.into(), 4)]).unwrap(),
    ] {
        let read = echo("form", &frame);
        assert_eq!(read.shape(), frame.shape());
        assert_same(&read, &frame);
    }
}

#[test]
fn a_frame_without_columns_may_follow_one_of_categories() {
    let (writer, reader) = ring("nothing-after-categories", 1 << 16);
    let categories = df! { "c" => ["a", "b"] }.expect("one column");
    let of_categories = DataType::from_categories(Categories::global());
    let categories = categories.lazy().with_column(col("c").cast(of_categories)).collect().expect("cast");
    for frame in [categories, DataFrame::empty_with_height(7)] {
        writer.write(&frame).expect("written");
        assert_same(&reader.try_read().expect("whole").expect("just written"), &frame);
    }
}

#[test]
fn a_table_of_no_batch_is_a_frame_of_no_rows() {
    let (writer, reader) = ring("no-batch", 1 << 16);
    let schema = ArrowSchema::new(vec![ArrowField::new("a", ArrowType::Utf8, true)]);
    writer.write_batches(&schema.into(), &[]).unwrap();
    let read = reader.try_read().unwrap().expect("just written");
    assert_same(&read, &df! { "a" => Vec::<String>::new() }.unwrap());
}

#[test]
fn a_type_that_arrow_lacks_is_an_error_that_names_its_column() {
    let (writer, reader) = ring("lacks", 1 << 16);
    let wide = numbers("wide", 0..3).cast(&DataType::Int128).unwrap();
    let fields = [numbers("a", 0..3), wide.clone()];
    let inside = StructChunked::from_series("outer".into(), 3, fields.iter()).unwrap().into_series();
    for (series, names) in [(wide, vec!["'wide'"]), (inside, vec!["'outer'", "'wide'"])] {
        let frame = DataFrame::new_infer_height(vec![series.into()]).unwrap();
        let error = writer.write(&frame).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(names.iter().all(|name| error.to_string().contains(name)), "{error}");
    }
    assert!(reader.try_read().unwrap().is_none(), "nothing was published");
    let frame = df! { "a" => [1] }.unwrap();
    writer.write(&frame).expect("the writer goes on");
    assert_same(&reader.try_read().unwrap().expect("just written"), &frame);
}

/// Writes one column by arrow-rs, and reads it into Polars.
fn read_of(
    config: &SharedMemoryConfig,
    field: ArrowField,
    array: ArrayRef,
) -> Result<DataFrame, QADataSwapError> {
    let (writer, reader) = (Writer::new(config).expect("a new ring"), Reader::new(config).expect("a ring"));
    let schema = ArrowSchema::new(vec![field]);
    writer
        .write_arrow(&RecordBatch::try_new(schema.into(), vec![array]).expect("in order"))
        .expect("in order");
    let read = reader.try_read().map(|read| read.expect("just written"));
    if read.is_err() {
        // One frame's fault is not the next one's.
        let frame = df! { "a" => [1] }.expect("in order");
        writer.write(&frame).expect("in order");
        assert_same(&reader.try_read().expect("in order").expect("just written"), &frame);
    }
    read
}

fn config(test: &str) -> SharedMemoryConfig {
    crate::number_categories();
    SharedMemoryConfig::new(format!("polars-{test}-{}", std::process::id())).with_size_mb(1)
}

fn dictionary(values: &[&str]) -> ArrayRef {
    let keys = UInt8Array::from(vec![Some(1), None, Some(0), Some(1)]);
    Arc::new(DictionaryArray::<UInt8Type>::new(keys, Arc::new(StringViewArray::from(values.to_vec()))))
}

fn with(array: &ArrayRef, key: &str, value: &str) -> ArrowField {
    let metadata = HashMap::from([(key.to_owned(), value.to_owned())]);
    ArrowField::new("column", array.data_type().clone(), true).with_metadata(metadata)
}

#[test]
fn metadata_that_polars_would_panic_over_is_an_error() {
    let array = dictionary(&["x", "y"]);
    for (key, told) in [
        ("_PL_ENUM_VALUES2", "1"),
        ("_PL_ENUM_VALUES2", "5;x"),
        ("_PL_ENUM_VALUES2", "x;x"),
        ("_PL_ENUM_VALUES2", "99999999999999999999999;x"),
        ("_PL_ENUM_VALUES2", "1;\u{17e}"),
        ("_PL_ENUM_VALUES2", "1;x1;x"),
        ("_PL_CATEGORICAL2", ""),
        ("_PL_CATEGORICAL2", "1;x"),
        ("_PL_CATEGORICAL2", "1;x1;yu64;"),
        ("_PL_CATEGORICAL2", "1;x1;yu8"),
    ] {
        let error = read_of(&config("metadata"), with(&array, key, told), array.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{told}: {error}");
        assert!(error.to_string().contains("'column'"), "{error}");
    }
    let field = with(&array, "_PL_ENUM_VALUES2", "1;x1;z");
    let error = read_of(&config("metadata"), field, array).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "'y' is none of them: {error}");
}

#[test]
fn an_unknown_time_zone_is_an_error() {
    let data_type = ArrowType::Timestamp(ArrowUnit::Nanosecond, Some("Middle/Earth".into()));
    let array = arrow_array::new_null_array(&data_type, 3);
    let field = ArrowField::new("column", data_type, true);
    let error = read_of(&config("zone"), field, array).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("Middle/Earth"), "{error}");
}

#[test]
fn two_columns_of_one_name_are_an_error() {
    let config = config("twice");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let field = ArrowField::new("a", ArrowType::Int64, true);
    let array: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let schema = ArrowSchema::new(vec![field.clone(), field]);
    writer.write_arrow(&RecordBatch::try_new(schema.into(), vec![array.clone(), array]).unwrap()).unwrap();
    let error = reader.try_read().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("two columns are named 'a'"), "{error}");
}

#[test]
fn a_key_that_leads_nowhere_is_an_error() {
    for key in [2, -1, i8::MAX] {
        let keys = Int8Array::from(vec![0, key]);
        let values = Arc::new(StringArray::from(vec!["x", "y"]));
        // SAFETY: keys are looked at by nobody but the reader, which is to find this one out.
        let array: ArrayRef = Arc::new(unsafe { DictionaryArray::<Int8Type>::new_unchecked(keys, values) });
        let field = ArrowField::new("column", array.data_type().clone(), true);
        let error = read_of(&config("key"), field, array).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    let keys = UInt8Array::from(vec![0, 200]);
    // SAFETY: as above.
    let array: ArrayRef = Arc::new(unsafe {
        DictionaryArray::<UInt8Type>::new_unchecked(
            keys,
            Arc::new(StringArray::from(vec![
                "bid",
                "",
                "a longer text that no view can hold",
                "žluťoučký",
                "ask",
            ])),
        )
    });
    let told = an_enum().to_arrow_field_metadata().expect("an enum's");
    let (key, value) = told.iter().next().expect("one");
    let error = read_of(&config("key-in-place"), with(&array, key, value), array.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "also where keys could stay: {error}");
}

#[test]
fn offsets_that_are_rewritten_are_checked() {
    // In the middle, so that the ends are in order.
    let buffer = ScalarBuffer::<i32>::from(vec![0, 5, 2, 4]);
    // SAFETY: offsets are looked at by nobody but the reader, which is to find these out.
    let offsets = unsafe { OffsetBuffer::new_unchecked(buffer) };
    // SAFETY: as above.
    let texts = unsafe { StringArray::new_unchecked(offsets.clone(), Buffer::from_slice_ref(b"abcd"), None) };
    let item = Arc::new(ArrowField::new("item", ArrowType::Int64, true));
    let lists = ListArray::new(item, offsets, Arc::new(Int64Array::from(vec![1, 2, 3, 4])), None);
    for array in [Arc::new(texts) as ArrayRef, Arc::new(lists)] {
        let field = ArrowField::new("column", array.data_type().clone(), true);
        let error = read_of(&config("offsets"), field, array).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn values_of_a_dictionary_that_are_written_out_are_checked() {
    let buffer = ScalarBuffer::<i64>::from(vec![0, 1 << 40, 2, 4]);
    // SAFETY: offsets are looked at by nobody but the reader, which is to find these out.
    let offsets = unsafe { OffsetBuffer::new_unchecked(buffer) };
    let item = Arc::new(ArrowField::new("item", ArrowType::Int64, true));
    let lists = LargeListArray::new(item, offsets, Arc::new(Int64Array::from(vec![1, 2, 3, 4])), None);
    // Of 64 bytes in a buffer that does not exist, at a place far outside.
    let views = ScalarBuffer::<u128>::from(vec![(1 << 96) | (7 << 64) | 64; 3]);
    // SAFETY: as above.
    let bytes = unsafe { BinaryViewArray::new_unchecked(views, vec![Buffer::from_slice_ref(b"abcd")], None) };
    for values in [Arc::new(lists) as ArrayRef, Arc::new(bytes)] {
        let keys = Int8Array::from(vec![0, 1, 2, 1]);
        // SAFETY: as above.
        let array: ArrayRef = Arc::new(unsafe { DictionaryArray::<Int8Type>::new_unchecked(keys, values) });
        let field = ArrowField::new("column", array.data_type().clone(), true);
        let error = read_of(&config("gathered"), field, array).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn full_validation_finds_texts_that_are_none() {
    let array = StringArray::from(vec!["abc"]);
    let data = array
        .into_data()
        .into_builder()
        .buffers(vec![Buffer::from_slice_ref([0_i32, 3]), Buffer::from_slice_ref([b'a', 0xff, b'c'])]);
    // SAFETY: the texts are looked at by nobody but the reader, which is to find this one out.
    let array: ArrayRef = Arc::new(StringArray::from(unsafe { data.build_unchecked() }));
    for validation in [Validation::Full, Validation::FullOnCopy] {
        let field = ArrowField::new("column", ArrowType::Utf8, true);
        let error = read_of(&config("utf8").with_validation(validation), field, array.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArrowError, "{error}");
    }
    // Texts of a dictionary become categories of the whole process: they are looked at in any case.
    let keys = UInt8Array::from(vec![0]);
    let array: ArrayRef = Arc::new(DictionaryArray::<UInt8Type>::new(keys, array));
    let field = ArrowField::new("column", array.data_type().clone(), true);
    let error = read_of(&config("utf8-category"), field, array).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn categories_come_back_as_what_they_were_also_as_they_grow() {
    let (writer, reader) = ring("grow", 1 << 16);
    let mut seen: Vec<String> = Vec::new();
    for round in 0..4 {
        seen.push(format!("venue {round}"));
        let column = Series::new("venue".into(), seen.clone()).cast(&named_categories()).unwrap();
        let fixed = texts().head(Some(seen.len())).cast(&an_enum()).unwrap().with_name("side".into());
        let frame = DataFrame::new_infer_height(vec![column.into(), fixed.into()]).unwrap();
        writer.write(&frame).unwrap();
        let read = reader.try_read().unwrap().expect("just written");
        assert_same(&read, &frame);
        assert_eq!(read.column("venue").unwrap().dtype(), &named_categories());
    }
}

#[test]
fn a_dictionary_of_no_field_of_polars_is_categorical() {
    let array = dictionary(&["x", "y"]);
    let field = ArrowField::new("column", array.data_type().clone(), true);
    let read = read_of(&config("plain-dictionary"), field, array).unwrap();
    let column = read.column("column").unwrap();
    assert_eq!(column.dtype(), &DataType::from_categories(Categories::global()));
    let texts = column.cast(&DataType::String).unwrap();
    let texts: Vec<_> = texts.str().unwrap().iter().collect();
    assert_eq!(texts, [Some("y"), None, Some("x"), Some("y")]);
}

#[test]
fn a_null_among_the_values_of_a_dictionary_is_a_null_row() {
    let keys = Int8Array::from(vec![Some(0), Some(1), None, Some(2)]);
    let values = StringArray::from(vec![Some("x"), None, Some("y")]);
    let array: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, Arc::new(values)));
    let field = ArrowField::new("column", array.data_type().clone(), true);
    let read = read_of(&config("null-value"), field, array).unwrap();
    let texts = read.column("column").unwrap().cast(&DataType::String).unwrap();
    let texts: Vec<_> = texts.str().unwrap().iter().collect();
    assert_eq!(texts, [Some("x"), None, None, Some("y")]);
}

#[test]
fn compressed_frames_come_through_as_copies() {
    let config = config("compressed").with_compression(Compression::Lz4);
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let frame = df! { "a" => (0..1000).collect::<Vec<i64>>(), "b" => vec!["the same text"; 1000] }.unwrap();
    writer.write(&frame).unwrap();
    assert_same(&reader.try_read().unwrap().expect("just written"), &frame);
    assert!(reader.stats().bytes_copied >= 8000);
}

#[test]
fn a_full_ring_is_told_and_a_wrong_handle_refused() {
    let config = config("full").with_when_full(WhenFull::Fail).with_buffer_count(2);
    let writer = SharedDataFrame::create_writer(&config).unwrap();
    let reader = SharedDataFrame::create_reader(&config).unwrap();
    let frame = df! { "a" => [1] }.unwrap();
    assert!(writer.try_write(&frame).unwrap().is_some() && writer.try_write(&frame).unwrap().is_some());
    assert!(writer.try_write(&frame).unwrap().is_none());
    assert!(reader.try_read().unwrap().is_some());
    assert_eq!(reader.write(&frame).unwrap_err().kind(), ErrorKind::WrongRole);
    assert_eq!(writer.read(None).unwrap_err().kind(), ErrorKind::WrongRole);
    writer.close().unwrap();
    assert!(reader.read(1000).unwrap().is_some());
    assert_eq!(reader.read(None).unwrap_err().kind(), ErrorKind::EndOfStream);
}

#[test]
fn what_is_made_on_reading_is_counted() {
    let array: ArrayRef = Arc::new(StringArray::from(vec!["a", "a text that no view can hold"]));
    let config = config("counted");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    writer.write_arrow(&RecordBatch::try_from_iter([("a", array)]).unwrap()).unwrap();
    let read = reader.try_read().unwrap().expect("just written");
    assert_same(&read, &df! { "a" => ["a", "a text that no view can hold"] }.unwrap());
    assert_eq!(reader.stats().bytes_copied, 32, "two views");
}
