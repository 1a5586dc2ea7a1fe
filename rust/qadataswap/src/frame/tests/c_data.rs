//! Tables in and out as C structs, judged by arrow-rs's own import and export.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;

use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Int32Array, NullArray, RecordBatch, StringArray,
    StructArray,
};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Schema};
use qadataswap_tables::{every_type, random_batch};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::{Compression, Decoder, Encoder, FrameError, Validation};
use super::{assert_same, column, decode, frame, frame_of, only_batch};
use crate::ffi::{self, ArrowArray, Batch, Exported, Table};

fn exported(frame: &Buffer) -> Exported {
    let table = Decoder::new(Validation::Form).decode_views(frame, 1).expect("a frame of ours");
    assert_eq!(table.len(), 1);
    table.export(0)
}

/// Takes an exported batch as arrow-rs takes any.
pub(super) fn imported(exported: Exported, schema: &Schema) -> RecordBatch {
    let array = ManuallyDrop::new(exported.array);
    // SAFETY: the same struct, moved; what arrow-rs does with it is what is tested.
    let array = unsafe { std::mem::transmute_copy::<ArrowArray, FFI_ArrowArray>(&array) };
    let of = FFI_ArrowSchema::try_from(schema).expect("a schema that C can say");
    // SAFETY: as above.
    let data = unsafe { from_ffi(array, &of) }.expect("arrow-rs takes it");
    data.validate_full().expect("it is valid");
    RecordBatch::from(StructArray::from(data)).with_schema(Arc::new(schema.clone())).expect("of that schema")
}

/// A batch as C structs, owned by arrow-rs.
fn given(batch: &RecordBatch) -> FFI_ArrowArray {
    FFI_ArrowArray::new(&ArrayData::from(StructArray::from(batch.clone())))
}

/// Writes what arrow-rs gives.
fn frame_of_given(batches: &[RecordBatch]) -> Result<Buffer, FrameError> {
    let given: Vec<FFI_ArrowArray> = batches.iter().map(given).collect();
    // SAFETY: the same struct (asserted in `ffi`), borrowed for as long as `given` lives.
    let batches_c: Vec<Batch<'_>> = given
        .iter()
        .map(|array| Batch::new(unsafe { &*ptr::from_ref(array).cast::<ArrowArray>() }))
        .collect();
    let schema = batches[0].schema();
    // SAFETY: arrow-rs exports valid arrays of their schema.
    let table = unsafe { Table::new(&schema, &batches_c) };
    let mut encoder = Encoder::new(Compression::None);
    let measured = encoder.measure(table.schema(), table.batches())?;
    let mut slot = vec![super::STALE; measured.total as usize];
    let used = encoder.write(&measured, table.schema(), table.batches(), &mut slot, false)?;
    assert_eq!(used, measured.total);
    Ok(Buffer::from_slice_ref(&slot))
}

#[test]
fn every_type_leaves_as_c_structs_and_arrives() {
    for (name, array) in every_type() {
        for array in [array.slice(0, 0), array.slice(3, array.len() - 5), array.clone()] {
            let batch = column(array);
            let frame = frame_of(&batch);
            let same = imported(exported(&frame), batch.schema_ref());
            assert_same(&same, &batch, name);
        }
    }
}

#[test]
fn every_type_is_written_from_c_structs_as_from_arrays() {
    for (name, array) in every_type() {
        for array in [array.slice(0, 0), array.slice(3, array.len() - 5), array.clone()] {
            let batch = column(array);
            let frame =
                frame_of_given(std::slice::from_ref(&batch)).unwrap_or_else(|e| panic!("{name}: {e}"));
            let same = only_batch(decode(Validation::Full, &frame).expect("a valid frame"));
            assert_same(&same, &batch, name);
        }
    }
}

#[test]
fn random_tables_pass_both_ways() {
    for seed in 0..400 {
        let mut random = StdRng::seed_from_u64(seed);
        let batch = random_batch(&mut random, 1 + (seed as usize % 60));
        let from = random.random_range(0..=batch.num_rows());
        let part = batch.slice(from, random.random_range(0..=batch.num_rows() - from));
        let frame = frame_of_given(std::slice::from_ref(&part)).unwrap_or_else(|e| panic!("{seed}: {e}"));
        let same = only_batch(decode(Validation::Full, &frame).unwrap_or_else(|e| panic!("{seed}: {e}")));
        assert_same(&same, &part, &format!("in, seed {seed}"));
        let out = imported(exported(&frame), part.schema_ref());
        assert_same(&out, &part, &format!("out, seed {seed}"));
    }
}

#[test]
fn buffers_leave_by_address_and_with_their_lengths() {
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])) as ArrayRef),
        ("b", Arc::new(StringArray::from(vec!["x", "yy", "zzz"])) as ArrayRef),
    ])
    .expect("two columns");
    let frame = frame_of(&batch);
    let exported = exported(&frame);
    // SAFETY: as many lengths as buffers: none, bitmap, values, none, offsets, data.
    let lengths = unsafe { std::slice::from_raw_parts(exported.lengths, 6) };
    assert_eq!(lengths, [0, 1, 12, 0, 16, 6]);
    let inside = |address: usize| frame.as_ptr_range().contains(&(address as *const u8));
    let batch = imported(exported, batch.schema_ref());
    for column in batch.columns() {
        for buffer in column.to_data().buffers() {
            assert!(inside(buffer.as_ptr() as usize));
        }
    }
}

#[test]
fn a_child_that_was_moved_away_outlives_its_batch() {
    let batch = random_batch(&mut StdRng::seed_from_u64(3), 20);
    let frame = frame_of(&batch);
    let mut root = exported(&frame).array;
    assert_eq!(frame.strong_count(), 2);
    // SAFETY: the first child is moved as the format has it, then the root is released, then the child.
    unsafe {
        let child = *root.children;
        let mut moved = ptr::read(child);
        (*child).release = None;
        root.release.expect("not released")(&raw mut root);
        assert!(root.release.is_none());
        assert_eq!(frame.strong_count(), 2, "the child keeps the data");
        moved.release.expect("not released")(&raw mut moved);
    }
    assert_eq!(frame.strong_count(), 1);
}

#[test]
fn chunks_that_share_a_dictionary_send_it_once() {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["ES", "NQ"]));
    let keys = |keys: Vec<i32>| {
        let array = DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), values.clone());
        RecordBatch::try_from_iter([("symbol", Arc::new(array.expect("keys in range")) as ArrayRef)])
            .expect("a column")
    };
    let batches = [keys(vec![0, 1]), keys(vec![1, 1, 0])];
    let once = frame_of_given(&batches).expect("written");
    let same = frame(Compression::None, &batches[0].schema(), &batches);
    assert_eq!(once.as_slice(), same.as_slice());
    let table = Decoder::new(Validation::Form).decode_views(&once, 1).expect("a frame");
    for (at, batch) in batches.iter().enumerate() {
        assert_same(&imported(table.export(at), batch.schema_ref()), batch, "chunk");
    }
}

#[test]
fn structs_that_are_not_of_their_schema_are_refused() {
    let batch = column(Arc::new(BooleanArray::from(vec![true, false])));
    let given = given(&batch);
    // SAFETY: as above.
    let array = unsafe { &*ptr::from_ref(&given).cast::<ArrowArray>() };
    let wider = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Boolean, true),
        Field::new("b", DataType::Boolean, true),
    ]));
    let lists =
        Arc::new(Schema::new(vec![Field::new_list("a", Field::new("x", DataType::Int8, true), true)]));
    let keys = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let keys = Arc::new(Schema::new(vec![Field::new("a", keys, true)]));
    for (schema, found) in [(wider, "1 columns"), (lists, "0 children"), (keys, "0 dictionaries")] {
        let batches = [Batch::new(array)];
        // SAFETY: it is not what it claims to be, in its form; that is found before a buffer is looked at.
        let table = unsafe { Table::new(&schema, &batches) };
        let error = Encoder::new(Compression::None).measure(table.schema(), table.batches());
        let Err(FrameError::Invalid(error)) = error else { panic!("{found}: {error:?}") };
        assert!(error.contains(found), "{error}");
    }
}

#[test]
fn nulls_where_the_schema_has_none_are_refused() {
    let nullable = column(Arc::new(Int32Array::from(vec![Some(1), None])));
    let given = given(&nullable);
    // SAFETY: as above.
    let batches = [Batch::new(unsafe { &*ptr::from_ref(&given).cast::<ArrowArray>() })];
    let schema = Arc::new(Schema::new(vec![Field::new("column", DataType::Int32, false)]));
    // SAFETY: a valid array of that type.
    let table = unsafe { Table::new(&schema, &batches) };
    let error = Encoder::new(Compression::None).measure(table.schema(), table.batches());
    assert!(matches!(error, Err(FrameError::Invalid(_))), "{error:?}");
}

#[test]
fn arrays_of_nulls_may_come_with_a_bitmap() {
    let batch = column(Arc::new(NullArray::new(3)));
    let given = given(&batch);
    let mut bitmap = ptr::null();
    // SAFETY: the same struct; the child is put back as it was before it is released.
    let (array, child) = unsafe {
        let array = &*ptr::from_ref(&given).cast::<ArrowArray>();
        (array, &mut **array.children)
    };
    let (buffers, n_buffers) = (child.buffers, child.n_buffers);
    (child.buffers, child.n_buffers) = (&raw mut bitmap, 1);
    let (schema, batches) = (batch.schema(), [Batch::new(array)]);
    // SAFETY: a valid array of that type, as Polars gives it.
    let table = unsafe { Table::new(&schema, &batches) };
    let measured = Encoder::new(Compression::None).measure(table.schema(), table.batches());
    assert!(measured.is_ok(), "{:?}", measured.err());
    (child.buffers, child.n_buffers) = (buffers, n_buffers);
}

#[test]
fn schemas_pass_both_ways() {
    let fields: Vec<Field> = every_type()
        .iter()
        .enumerate()
        .map(|(at, (name, array))| {
            let metadata = [("at".to_owned(), at.to_string())].into_iter().collect();
            Field::new(*name, array.data_type().clone(), at % 2 == 0).with_metadata(metadata)
        })
        .collect();
    let map = |sorted| {
        let pair = [Field::new("k", DataType::Int8, false), Field::new("v", DataType::Int8, true)];
        let entries = Field::new("entries", DataType::Struct(pair.into_iter().collect()), false);
        DataType::Map(Arc::new(entries), sorted)
    };
    let values = DataType::Struct([Field::new("m", map(true), true)].into_iter().collect());
    let keyed = DataType::Dictionary(Box::new(DataType::Int8), Box::new(values));
    let maps = [
        Field::new("sorted", map(true), true),
        Field::new("unsorted", map(false), true),
        Field::new_list("list of sorted", Field::new("item", map(true), true), false),
        Field::new("dictionary of sorted", keyed, true),
    ];
    let fields: Vec<Field> = fields.into_iter().chain(maps).collect();
    let schema =
        Schema::new(fields).with_metadata([("who".to_owned(), "we".to_owned())].into_iter().collect());
    let mut given = ffi::export_schema(&schema).expect("a schema that C can say");
    // SAFETY: just exported.
    let taken = unsafe { ffi::import_schema(&given) }.expect("it can be read");
    // SAFETY: released once.
    unsafe { given.release.expect("not released")(&raw mut given) };
    assert_eq!(*taken, schema);
}

/// The messages of a frame, the end of its stream the last.
pub(super) fn messages(frame: &Buffer) -> Vec<&[u8]> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some(place) = super::super::message::next(frame, at).expect("a frame of ours") {
        let message = arrow_ipc::root_as_message(&frame[place.start..place.end]).expect("a message");
        let end = place.end + message.bodyLength() as usize;
        found.push(&frame[at..end]);
        at = end;
    }
    found.push(&frame[at..]);
    found
}

#[test]
fn keys_inside_a_dictionary_are_of_the_values_that_stood_when_it_came() {
    let nested = |count: usize| {
        let names: Vec<String> = (0..count).map(|name| format!("value {name}")).collect();
        let keys = Int32Array::from((0..count as i32).rev().collect::<Vec<_>>());
        let inner = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(names)));
        let inner: ArrayRef = Arc::new(inner.expect("keys in range"));
        let values =
            StructArray::from(vec![(Arc::new(Field::new("inner", inner.data_type().clone(), false)), inner)]);
        let outer = DictionaryArray::<Int32Type>::try_new(Int32Array::from(vec![0, 0]), Arc::new(values));
        column(Arc::new(outer.expect("keys in range")))
    };
    let (many, one) = (frame_of(&nested(100)), frame_of(&nested(1)));
    let (many, one) = (messages(&many), messages(&one));
    // Schema, inner values, outer values, then other inner values, which no outer value is of, then the batch.
    let frame = Buffer::from([many[0], many[1], many[2], one[1], many[3], many[4]].concat());
    for validation in [Validation::Form, Validation::Full, Validation::FullOnCopy] {
        let table = Decoder::new(validation).decode_views(&frame, 1).expect("well-formed");
        let batch = imported(table.export(0), nested(100).schema_ref());
        assert_same(&batch, &nested(100), "the outer values keep their inner ones");
    }
}

#[test]
fn an_array_whose_child_was_moved_away_is_refused() {
    let batch = column(Arc::new(StructArray::from(vec![(
        Arc::new(Field::new("a", DataType::Int32, true)),
        Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef,
    )])));
    let mut given = given(&batch);
    // SAFETY: the same struct; its first child is marked as moved, and put back for its release.
    let root = unsafe { &mut *ptr::from_mut(&mut given).cast::<ArrowArray>() };
    // SAFETY: as above.
    let child = unsafe { &mut **root.children };
    let release = child.release.take();
    let batches = [Batch::new(root)];
    let schema = batch.schema();
    // SAFETY: a valid array but for that, which is found before its buffers are looked at.
    let table = unsafe { Table::new(&schema, &batches) };
    let error = Encoder::new(Compression::None).measure(table.schema(), table.batches());
    assert!(matches!(error, Err(FrameError::Invalid(_))), "{error:?}");
    child.release = release;
}

#[test]
fn views_leave_behind_offsets_for_whoever_asks() {
    let texts = [Some("short"), None, Some("a text that is longer than a view holds"), Some("")];
    let views: ArrayRef = Arc::new(arrow_array::StringViewArray::from(texts.to_vec()));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4]));
    let batch = RecordBatch::try_from_iter_with_nullable([("s", views, true), ("n", numbers.clone(), true)]);
    let frame = frame_of(&batch.expect("two columns"));
    let parsed = Decoder::new(Validation::Form).decode_views(&frame, 1).expect("a frame of ours");
    for asked in [DataType::Utf8, DataType::LargeUtf8] {
        let wanted =
            Schema::new(vec![Field::new("s", asked.clone(), true), Field::new("n", DataType::Utf8, true)]);
        let schema = super::super::schema_for(parsed.schema(), &wanted);
        assert_eq!(schema.field(0).data_type(), &asked);
        assert_eq!(schema.field(1).data_type(), &DataType::Int32, "only views are written out");
        let mut exported = parsed.export(0);
        exported.replace(0, parsed.plain(0, 0, asked == DataType::LargeUtf8).expect("well-formed"));
        let batch = imported(exported, &schema);
        let expected: ArrayRef = match asked {
            DataType::Utf8 => Arc::new(StringArray::from(texts.to_vec())),
            _ => Arc::new(arrow_array::LargeStringArray::from(texts.to_vec())),
        };
        assert_eq!(batch.column(0), &expected);
        assert_eq!(batch.column(1), &numbers);
    }
    assert!(parsed.plain(0, 1, false).is_err(), "no views");
    drop(parsed);
    assert_eq!(frame.strong_count(), 1, "everything was released");
}
