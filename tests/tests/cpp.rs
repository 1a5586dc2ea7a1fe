//! Tables from Rust to C++ and from C++ to Rust: each side judges what the other has written.
//!
//! Rust's tables reach C++ a second time as Arrow IPC streams, written by arrow-rs and read by Arrow C++, so that
//! Arrow's own reading is what a frame is held against.

use arrow::array::{ArrayData, MutableArrayData};
use arrow::ipc::writer::StreamWriter;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, RecordBatch, RecordBatchOptions, make_array, new_null_array,
};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use qadataswap_tables::{ROWS, batch_of, every_type, random_batch, wide_batch};
use qadataswap_tests::scene::{Full, Owed, Squeeze};
use qadataswap_tests::{
    Actor, Cpp, Line, PATIENCE, PROMPT, Ring, Role, Scene, Tally, check, echo, eventually, in_place, table,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use std::sync::Arc;

const SEED: u64 = 41;
const SLOT_BYTES: u64 = 1 << 20;

/// A table in its batches.
#[derive(Clone, Debug)]
struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Table {
    fn of(batches: Vec<RecordBatch>) -> Table {
        Table { schema: batches[0].schema(), batches }
    }
}

/// A type as Arrow C++ has it: the parts of a map are called `entries`, `key` and `value`, whatever they were called.
fn as_in_cpp(data_type: &DataType) -> DataType {
    let renamed = |field: &Field, name: &str| {
        field.clone().with_name(name).with_data_type(as_in_cpp(field.data_type()))
    };
    let kept = |field: &Arc<Field>| Arc::new(renamed(field, field.name()));
    match data_type {
        DataType::Map(entries, sorted) => {
            let DataType::Struct(pair) = entries.data_type() else { unreachable!("entries are structs") };
            let pair = Fields::from(vec![renamed(&pair[0], "key"), renamed(&pair[1], "value")]);
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair), false)), *sorted)
        }
        DataType::List(item) => DataType::List(kept(item)),
        DataType::LargeList(item) => DataType::LargeList(kept(item)),
        DataType::ListView(item) => DataType::ListView(kept(item)),
        DataType::LargeListView(item) => DataType::LargeListView(kept(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(kept(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(kept).collect()),
        DataType::Union(fields, mode) => {
            DataType::Union(fields.iter().map(|(id, field)| (id, kept(field))).collect(), *mode)
        }
        DataType::Dictionary(keys, values) => DataType::Dictionary(keys.clone(), Box::new(as_in_cpp(values))),
        DataType::RunEndEncoded(ends, values) => DataType::RunEndEncoded(ends.clone(), kept(values)),
        flat => flat.clone(),
    }
}

/// The types of an array's children.
fn inner_types(data_type: &DataType) -> Vec<DataType> {
    match data_type {
        DataType::Map(field, _)
        | DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => vec![field.data_type().clone()],
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type().clone()).collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field.data_type().clone()).collect(),
        DataType::Dictionary(_, values) => vec![values.as_ref().clone()],
        DataType::RunEndEncoded(ends, values) => vec![ends.data_type().clone(), values.data_type().clone()],
        _ => vec![],
    }
}

/// An array of another type, which differs in names alone.
fn of_type(array: ArrayData, data_type: DataType) -> ArrayData {
    let inner = inner_types(&data_type);
    let children = array.child_data().iter().cloned().zip(inner).map(|(child, inner)| of_type(child, inner));
    let children = children.collect();
    let array = array.into_builder().child_data(children).data_type(data_type);
    array.build().expect("as valid as it was")
}

impl Table {
    /// The same as Arrow C++ will have it.
    fn as_in_cpp(&self) -> Table {
        let fields = self.schema.fields().iter();
        let fields: Vec<_> =
            fields.map(|field| field.as_ref().clone().with_data_type(as_in_cpp(field.data_type()))).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, self.schema.metadata().clone()));
        let batch = |batch: &RecordBatch| {
            let columns = schema.fields().iter().zip(batch.columns());
            let columns = columns
                .map(|(field, column)| make_array(of_type(column.to_data(), field.data_type().clone())))
                .collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(schema.clone(), columns, &options).expect("of one length")
        };
        Table { schema: schema.clone(), batches: self.batches.iter().map(batch).collect() }
    }
}

/// Every type of the gallery, as a table of its own.
fn gallery() -> Vec<RecordBatch> {
    every_type().into_iter().map(|(name, array)| batch_of(vec![(name, array)])).collect()
}

fn plain() -> Vec<Table> {
    gallery().into_iter().map(|batch| Table::of(vec![batch])).collect()
}

fn sliced() -> Vec<Table> {
    gallery().into_iter().map(|batch| Table::of(vec![batch.slice(3, 17)])).collect()
}

fn without_rows() -> Vec<Table> {
    let empty = gallery().into_iter().map(|batch| Table::of(vec![batch.slice(5, 0)]));
    empty
        .chain(gallery().into_iter().map(|batch| Table { schema: batch.schema(), batches: vec![] }))
        .collect()
}

fn all_null() -> Vec<Table> {
    let null = |batch: &RecordBatch| new_null_array(batch.column(0).data_type(), 11);
    gallery().iter().map(|batch| Table::of(vec![batch_of(vec![("nothing", null(batch))])])).collect()
}

fn in_chunks() -> Vec<Table> {
    let cut = |batch: &RecordBatch| {
        let bounds = [0, 1, 8, 8, 21, ROWS];
        bounds.windows(2).map(|pair| batch.slice(pair[0], pair[1] - pair[0])).collect()
    };
    gallery().iter().chain([&wide_batch()]).map(|batch| Table::of(cut(batch))).collect()
}

/// Chunks whose dictionaries grow, shrink, differ, and are empty.
fn chunks_of_other_dictionaries() -> Vec<Table> {
    let texts: [&[Option<&str>]; 5] = [
        &[Some("ask"), Some("bid"), None, Some("ask")],
        &[Some("ask"), Some("bid"), Some("a value longer than twelve bytes"), None],
        &[Some("none of these"), Some("was there before")],
        &[None, None, None],
        &[Some("bid")],
    ];
    let small: Vec<ArrayRef> = texts
        .iter()
        .map(|texts| Arc::new(texts.iter().copied().collect::<DictionaryArray<Int8Type>>()) as ArrayRef)
        .collect();
    let wide: Vec<ArrayRef> = texts
        .iter()
        .map(|texts| {
            Arc::new(texts.iter().rev().copied().collect::<DictionaryArray<Int32Type>>()) as ArrayRef
        })
        .collect();
    let nested = |values: &ArrayRef| -> ArrayRef {
        let fields = Fields::from(vec![Field::new("coded", values.data_type().clone(), true)]);
        Arc::new(arrow_array::StructArray::new(fields, vec![values.clone()], None))
    };
    let table = |column: &dyn Fn(usize) -> Vec<(&'static str, ArrayRef)>| {
        Table::of((0..texts.len()).map(|chunk| batch_of(column(chunk))).collect())
    };
    vec![
        table(&|chunk| vec![("small", small[chunk].clone())]),
        table(&|chunk| vec![("small", small[chunk].clone()), ("wide", wide[chunk].clone())]),
        table(&|chunk| vec![("nested", nested(&small[chunk])), ("wide", wide[chunk].clone())]),
    ]
}

/// What a schema can say besides names and types.
fn adorned() -> Vec<Table> {
    let field = |name: &str, data_type: DataType, words: &[(&str, &str)]| {
        let words = words.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Field::new(name, data_type, true).with_metadata(words.collect())
    };
    let inner = Fields::from(vec![
        field("bid", DataType::Float64, &[("unit", "USD"), ("note", "žluťoučký kůň")]),
        Field::new("size", DataType::Int32, false),
    ]);
    let item = Arc::new(field("item", DataType::Utf8View, &[("of", "texts")]));
    let entries = DataType::Struct(Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int16, true),
    ]));
    let fields = vec![
        field("price", DataType::Float64, &[("unit", "USD"), ("empty", "")]),
        Field::new("never null", DataType::Int64, false),
        field("quote", DataType::Struct(inner), &[]),
        field("texts", DataType::List(item), &[("deep", "yes")]),
        Field::new_dictionary("ordered", DataType::Int8, DataType::Utf8, true).with_dict_is_ordered(true),
        Field::new("sorted", DataType::Map(Arc::new(Field::new("entries", entries, false)), true), true),
        Field::new("", DataType::Boolean, true),
        Field::new("", DataType::Boolean, true),
    ];
    let words = [("who".to_owned(), "me".to_owned()), ("漢字".to_owned(), String::new())];
    let schema = Arc::new(Schema::new_with_metadata(fields, words.into()));
    let columns = |rows: usize| {
        let rng = &mut StdRng::seed_from_u64(7);
        let fields = schema.fields().iter();
        fields.map(|f| qadataswap_tables::random_array(rng, f.data_type(), rows, f.is_nullable())).collect()
    };
    let batch = |rows| RecordBatch::try_new(schema.clone(), columns(rows)).expect("columns of one length");
    let no_columns = |rows| {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).expect("no column")
    };
    vec![
        Table::of(vec![batch(9)]),
        Table::of(vec![batch(3), batch(5)]),
        Table::of(vec![no_columns(0)]),
        Table::of(vec![no_columns(7)]),
    ]
}

/// Extension types: some that Arrow C++ knows, one that nobody knows, at the top and inside.
fn extensions() -> Vec<Table> {
    let extension = |name: &str, data_type: DataType, of: &str, words: &str| {
        let name_key = ("ARROW:extension:name".to_owned(), of.to_owned());
        let words_key = ("ARROW:extension:metadata".to_owned(), words.to_owned());
        Field::new(name, data_type, true).with_metadata([name_key, words_key].into())
    };
    let fields = vec![
        extension("uuid", DataType::FixedSizeBinary(16), "arrow.uuid", ""),
        extension("json", DataType::Utf8, "arrow.json", ""),
        extension("bool8", DataType::Int8, "arrow.bool8", ""),
        extension("price", DataType::Int64, "qadataswap.test.price", "1"),
    ];
    let inside = Fields::from(fields.clone());
    let listed = Arc::new(fields[3].clone());
    let mut fields = fields;
    fields.push(Field::new("inside", DataType::Struct(inside), true));
    fields.push(Field::new("listed", DataType::LargeList(listed), true));
    let schema = Arc::new(Schema::new(fields));
    let rng = &mut StdRng::seed_from_u64(8);
    let columns = schema
        .fields()
        .iter()
        .map(|field| qadataswap_tables::random_array(rng, field.data_type(), 12, true))
        .collect();
    let batch = RecordBatch::try_new(schema, columns).expect("columns of one length");
    vec![Table::of(vec![batch.clone()]), Table::of(vec![batch.slice(3, 5), batch.slice(8, 4)])]
}

/// Types that Arrow C++ does not take, though arrow-rs does; all that is left out here.
///
/// Run-end encoding of what is run-end encoded already: `arrow::ImportSchema` refuses it.
fn has_no_place_in_cpp(data_type: &DataType) -> bool {
    let is_run_end = |data_type: &DataType| matches!(data_type, DataType::RunEndEncoded(..));
    matches!(data_type, DataType::RunEndEncoded(_, values) if is_run_end(values.data_type()))
        || inner_types(data_type).iter().any(has_no_place_in_cpp)
}

fn random(count: usize) -> Vec<Table> {
    let table = |seed| {
        let rng = &mut StdRng::seed_from_u64(seed);
        let rows = rng.random_range(0..120);
        Table::of(vec![random_batch(rng, rows)])
    };
    let fits =
        |table: &Table| table.schema.fields().iter().all(|field| !has_no_place_in_cpp(field.data_type()));
    (5000..).map(table).filter(fits).take(count).collect()
}

/// The same array with nothing before its first value or behind its last one. Of a slice of lists of sparse unions
/// arrow-rs writes the wrong values into a stream: `ArrayData::slice` moves a union's type ids and not its children.
fn packed(array: &ArrayRef) -> ArrayRef {
    let data = array.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len()).expect("no longer than it was");
    let packed = make_array(copy.freeze());
    assert_eq!(&packed, array);
    packed
}

/// Writes tables to a file of the scene, each as an Arrow IPC stream.
fn filed(scene: &Scene, tables: &[Table]) -> PathBuf {
    let path = scene.folder().join("tables.arrows");
    let mut file = std::fs::File::create(&path).expect("room");
    for (number, table) in tables.iter().enumerate() {
        let mut stream = StreamWriter::try_new(&mut file, &table.schema).expect("a schema");
        for batch in &table.batches {
            let columns = batch.columns().iter().map(packed).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let batch = RecordBatch::try_new_with_options(batch.schema(), columns, &options);
            let batch = batch.expect("as it was");
            stream.write(&batch).unwrap_or_else(|error| panic!("table {number}: {error}"));
        }
        stream.finish().expect("room");
    }
    path
}

/// Writes tables in Rust and has them read, compared and kept in C++.
fn reach_cpp(ring: impl Fn(&Scene) -> Ring, tables: &[Table]) {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = ring(&scene).slot_bytes(SLOT_BYTES);
    let file = filed(&scene, tables);
    let writer = ring.writer().expect("created");
    let actor = cpp.start(&Role::Compare { ring: ring.clone(), file: file.clone() });
    actor.opens();
    for table in tables {
        writer.write_batches(&table.schema, &table.batches).expect("written");
    }
    drop(writer);
    let last = tables.len() as u64 - 1;
    assert_eq!(actor.ends(), Tally { read: last + 1, missed: 0, first: Some(0), last: Some(last) });
    std::fs::remove_file(file).expect("ours");
    actor.finish();
}

/// Has tables written in C++, and reads and compares them in Rust.
fn come_from_cpp(ring: impl Fn(&Scene) -> Ring, tables: &[Table]) {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = ring(&scene).slot_bytes(SLOT_BYTES);
    let file = filed(&scene, tables);
    let mut actor = cpp.start(&Role::Emit { ring: ring.clone(), file: file.clone() });
    actor.opens();
    let reader = ring.reader().expect("attached");
    actor.tell("go");
    for (number, table) in tables.iter().map(Table::as_in_cpp).enumerate() {
        let frame = match reader.read_frame(PATIENCE) {
            Ok(Some(frame)) => frame,
            other => panic!("table {number}: {other:?}, {:?}", actor.line()),
        };
        assert_eq!(frame.schema(), &table.schema, "table {number}");
        for (got, expected) in frame.batches().iter().zip(&table.batches) {
            for (got, expected) in got.columns().iter().zip(expected.columns()) {
                assert_eq!(got, expected, "table {number}");
            }
        }
        assert_eq!(frame.batches(), table.batches, "table {number}");
        for column in frame.batches().iter().flat_map(RecordBatch::columns) {
            column.to_data().validate_full().unwrap_or_else(|error| panic!("table {number}: {error}"));
        }
        if matches!(ring.squeeze, Squeeze::None) {
            in_place(&frame).unwrap_or_else(|what| panic!("table {number}: {what}"));
        }
    }
    assert!(reader.iter().next().is_none(), "C++ wrote more tables than it was given");
    std::fs::remove_file(file).expect("ours");
    actor.finish();
}

/// Has tables sent back by C++.
fn come_back(tables: &[Table]) {
    let Some(cpp) = Cpp::ready() else { return };
    let tables: Vec<_> = tables.iter().map(|table| table.as_in_cpp().batches).collect();
    echo::tables(&mut |role| cpp.start(role), &Scene::new(), SLOT_BYTES, &tables, |number, frame| {
        in_place(frame).unwrap_or_else(|what| panic!("table {number}: {what}"));
    });
}

fn raw(scene: &Scene) -> Ring {
    scene.ring("feed")
}

/// One fact of a set of tables, each way.
macro_rules! crosses {
    ($($there:ident, $here:ident: $tables:expr;)*) => {
        $(
            #[test]
            fn $there() {
                reach_cpp(raw, &$tables);
            }

            #[test]
            fn $here() {
                come_from_cpp(raw, &$tables);
            }
        )*
    };
}

crosses! {
    every_type_is_read_in_cpp_as_it_was_written, every_type_is_read_from_cpp_as_it_was_written: plain();
    slices_are_read_in_cpp_as_they_were_written, slices_are_read_from_cpp_as_they_were_written: sliced();
    tables_without_rows_are_read_in_cpp, tables_without_rows_are_read_from_cpp: without_rows();
    columns_of_nulls_are_read_in_cpp, columns_of_nulls_are_read_from_cpp: all_null();
    chunks_are_read_in_cpp_as_they_were_written, chunks_are_read_from_cpp_as_they_were_written: in_chunks();
    chunks_may_have_dictionaries_of_their_own_in_cpp, chunks_may_have_dictionaries_of_their_own_from_cpp:
        chunks_of_other_dictionaries();
    metadata_reaches_cpp, metadata_comes_from_cpp: adorned();
    extension_types_reach_cpp, extension_types_come_from_cpp: extensions();
    random_tables_are_read_in_cpp_as_they_were_written, random_tables_are_read_from_cpp_as_they_were_written:
        random(300);
}

#[test]
fn every_type_comes_back_from_cpp_equal_and_in_place() {
    come_back(&plain());
}

#[test]
fn slices_and_chunks_come_back_from_cpp_equal_and_in_place() {
    come_back(&[sliced(), in_chunks(), chunks_of_other_dictionaries()].concat());
}

#[test]
fn random_tables_come_back_from_cpp_equal_and_in_place() {
    come_back(&random(200));
}

#[test]
fn what_has_no_place_in_cpp_is_an_error_there() {
    let Some(cpp) = Cpp::ready() else { return };
    let ends = Arc::new(Field::new("run_ends", DataType::Int32, false));
    let runs = |values| DataType::RunEndEncoded(ends.clone(), Arc::new(Field::new("values", values, true)));
    let runs_of_runs = runs(runs(DataType::Int64));
    assert!(has_no_place_in_cpp(&runs_of_runs));
    let array = qadataswap_tables::random_array(&mut StdRng::seed_from_u64(9), &runs_of_runs, 20, true);
    let scene = Scene::new();
    let (there, back) = (scene.ring("there"), scene.ring("back"));
    let writer = there.writer().expect("created");
    let mut actor = cpp.start(&Role::Echo { from: there, to: back });
    actor.opens();
    writer.write_arrow(&batch_of(vec![("runs of runs", array)])).expect("written");
    match actor.line() {
        Line::Fault(what) => assert!(what.contains("nested run-end"), "{what}"),
        line => panic!("{line:?}: Arrow C++ takes it now, so it has its place among the other types"),
    }
    assert!(!actor.ended().success());
}

#[test]
fn compressed_frames_are_read_in_cpp() {
    for squeeze in [Squeeze::Lz4, Squeeze::Zstd] {
        reach_cpp(|scene| scene.ring("feed").squeeze(squeeze), &[plain(), in_chunks()].concat());
    }
}

#[test]
fn frames_that_cpp_compressed_are_read() {
    for squeeze in [Squeeze::Lz4, Squeeze::Zstd] {
        come_from_cpp(|scene| scene.ring("feed").squeeze(squeeze), &[plain(), in_chunks()].concat());
    }
}

#[test]
fn a_table_in_cpp_outlives_its_reader_its_writer_and_the_rings_name() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed").slot_bytes(SLOT_BYTES);
    let tables = [Table::of(vec![wide_batch()])];
    let file = filed(&scene, &tables);
    let writer = ring.writer().expect("created");
    let actor = cpp.start(&Role::Compare { ring: ring.clone(), file: file.clone() });
    actor.opens();
    writer.write_batches(&tables[0].schema, &tables[0].batches).expect("written");
    drop(writer);
    assert_eq!(actor.ends().read, 1);
    let info = scene.info("feed").expect("the table keeps the ring");
    assert!(info.readers[0].lingering && info.readers[0].pins == 1, "{:?}", info.readers);
    std::fs::remove_file(ring.path()).expect("the ring has a name");
    std::fs::remove_file(file).expect("ours");
    // It compares its table once more, and says if it differs.
    actor.finish();
}

#[test]
fn what_cpp_builds_on_the_writers_pool_is_published_in_place() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut actor = cpp.start(&Role::Build { ring: ring.clone(), seed: SEED, until: 50 });
    actor.opens();
    let reader = ring.reader().expect("attached");
    actor.tell("go");
    for sequence in 0..50 {
        let frame = reader.read_frame(PATIENCE).expect("no error").expect("a frame");
        assert_eq!(frame.sequence(), sequence);
        check(SEED, &frame).expect("whole");
        in_place(&frame).expect("in place");
    }
    let Line::Fact(_, written) = actor.line() else { panic!("no bytes written") };
    let Line::Fact(_, placed) = actor.line() else { panic!("no bytes in place") };
    assert!(placed > 0 && placed <= written, "{placed} bytes of {written} in place");
    assert!(reader.iter().next().is_none());
    actor.finish();
}

#[test]
fn a_lossy_reader_in_cpp_knows_how_many_frames_it_missed() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed").full(Full::Overwrite).policy(Owed::Lossy);
    let writer = ring.writer().expect("created");
    let write = |sequences: std::ops::Range<u64>| {
        for sequence in sequences {
            assert_eq!(writer.write_arrow(&table(SEED, sequence)).expect("written"), sequence);
        }
    };
    let reader = cpp.start(&Role::Follow { ring: ring.clone(), seed: SEED, hold: 0, survive: false });
    reader.opens();
    write(0..1);
    eventually("it has read the first frame and let go of it", || {
        let info = scene.info("feed").expect("live");
        info.readers.iter().any(|reader| reader.cursor == 1 && reader.pins == 0)
    });
    let pid = Pid::from_raw(reader.pid() as i32);
    kill(pid, Signal::SIGSTOP).expect("ours");
    write(1..1000);
    let standing = scene.info("feed").expect("live").standing.len() as u64;
    drop(writer);
    kill(pid, Signal::SIGCONT).expect("ours");
    let tally = reader.ends();
    assert_eq!(tally, Tally { read: 1 + standing, missed: 999 - standing, first: Some(0), last: Some(999) });
    reader.finish();
}

#[test]
fn a_lossy_reader_of_a_cpp_writer_knows_how_many_frames_it_missed() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed").full(Full::Overwrite).policy(Owed::Lossy);
    let role = Role::Write { ring: ring.clone(), seed: SEED, until: Some(1000), stay: false, wait: true };
    let mut writing = cpp.start(&role);
    writing.opens();
    let (reader, latest) = (ring.reader(), ring.clone().policy(Owed::Latest).reader());
    let (reader, latest) = (reader.expect("attached"), latest.expect("attached"));
    writing.tell("go");
    writing.says(&Line::Wrote { next: 1000 });
    let standing = scene.info("feed").expect("there").standing.len() as u64;
    for (reader, read) in [(reader, standing), (latest, 1)] {
        let mut sequences = Vec::new();
        while let Ok(frame) = reader.read_frame(PROMPT) {
            let frame = frame.expect("a frame or the end");
            check(SEED, &frame).expect("whole");
            sequences.push(frame.sequence());
        }
        assert_eq!(sequences, (1000 - read..1000).collect::<Vec<_>>());
        assert_eq!(reader.stats().frames_missed, 1000 - read);
    }
    writing.finish();
}

#[test]
fn a_lossless_reader_in_cpp_holds_a_writer_up_and_misses_nothing() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    let readers: Vec<Actor> = [0, 2]
        .into_iter()
        .map(|hold| cpp.start(&Role::Follow { ring: ring.clone(), seed: SEED, hold, survive: false }))
        .collect();
    readers.iter().for_each(|reader| {
        reader.opens();
    });
    for sequence in 0..2000 {
        writer.write_arrow(&table(SEED, sequence)).expect("written");
    }
    drop(writer);
    for reader in readers {
        assert_eq!(reader.ends(), Tally { read: 2000, missed: 0, first: Some(0), last: Some(1999) });
        reader.finish();
    }
}
