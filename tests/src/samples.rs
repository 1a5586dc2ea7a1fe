//! Tables for crossing from one language to another, and a file of them that Arrow's own reader takes.

use crate::{Scene, skip};
use arrow::array::{ArrayData, MutableArrayData};
use arrow::ipc::writer::StreamWriter;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, RecordBatch, RecordBatchOptions, make_array, new_null_array,
};
use arrow_schema::{DataType, Field, Fields, IntervalUnit, Schema, SchemaRef};
use qadataswap_tables::{ROWS, batch_of, every_type, random_batch, wide_batch};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use std::sync::Arc;

/// A file of real market data, if it is on this machine: beside the repository, or where `QADATASWAP_DATA` says.
#[must_use]
pub fn real(file: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let folder = std::env::var_os("QADATASWAP_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(file);
    if !path.exists() {
        skip(&format!("no {file} in {}", folder.display()));
        return None;
    }
    Some(path)
}

/// A table in its batches.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its batches, of that schema.
    pub batches: Vec<RecordBatch>,
}

impl Table {
    /// A table of one batch at least.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn of(batches: Vec<RecordBatch>) -> Table {
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
#[must_use]
pub fn inner_types(data_type: &DataType) -> Vec<DataType> {
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
    /// Whether Arrow C++ takes every type of it.
    #[must_use]
    pub fn fits_cpp(&self) -> bool {
        self.schema.fields().iter().all(|field| !has_no_place_in_cpp(field.data_type()))
    }

    /// Whether pyarrow does.
    #[must_use]
    pub fn fits_python(&self) -> bool {
        self.fits_cpp() && self.schema.fields().iter().all(|field| !has_no_place_in_python(field.data_type()))
    }

    /// The same without batches of no rows.
    #[must_use]
    pub fn without_empty_batches(&self) -> Table {
        let batches = self.batches.iter().filter(|batch| batch.num_rows() > 0).cloned().collect();
        Table { schema: self.schema.clone(), batches }
    }

    /// The same as Arrow C++ will have it.
    ///
    /// # Panics
    /// Never: only names change.
    #[must_use]
    pub fn as_in_cpp(&self) -> Table {
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

/// Every type of the gallery.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn plain() -> Vec<Table> {
    gallery().into_iter().map(|batch| Table::of(vec![batch])).collect()
}

/// A slice of each, from an odd row on.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn sliced() -> Vec<Table> {
    gallery().into_iter().map(|batch| Table::of(vec![batch.slice(3, 17)])).collect()
}

/// Each without rows, once as an empty batch, once without any.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn without_rows() -> Vec<Table> {
    let empty = gallery().into_iter().map(|batch| Table::of(vec![batch.slice(5, 0)]));
    empty
        .chain(gallery().into_iter().map(|batch| Table { schema: batch.schema(), batches: vec![] }))
        .collect()
}

/// Each with nothing but nulls.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn all_null() -> Vec<Table> {
    let null = |batch: &RecordBatch| new_null_array(batch.column(0).data_type(), 11);
    gallery().iter().map(|batch| Table::of(vec![batch_of(vec![("nothing", null(batch))])])).collect()
}

/// Each, and a wide table, in chunks of odd sizes, an empty one among them.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn in_chunks() -> Vec<Table> {
    let cut = |batch: &RecordBatch| {
        let bounds = [0, 1, 8, 8, 21, ROWS];
        bounds.windows(2).map(|pair| batch.slice(pair[0], pair[1] - pair[0])).collect()
    };
    gallery().iter().chain([&wide_batch()]).map(|batch| Table::of(cut(batch))).collect()
}

/// Chunks whose dictionaries grow, shrink, differ, and are empty.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn chunks_of_other_dictionaries() -> Vec<Table> {
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
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn adorned() -> Vec<Table> {
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
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn extensions() -> Vec<Table> {
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
#[must_use]
pub fn has_no_place_in_cpp(data_type: &DataType) -> bool {
    let is_run_end = |data_type: &DataType| matches!(data_type, DataType::RunEndEncoded(..));
    matches!(data_type, DataType::RunEndEncoded(_, values) if is_run_end(values.data_type()))
        || inner_types(data_type).iter().any(has_no_place_in_cpp)
}

/// Types that Arrow C++ has and pyarrow has no class for: intervals of months, and of days and milliseconds.
fn has_no_place_in_python(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime))
        || inner_types(data_type).iter().any(has_no_place_in_python)
}

/// As many tables of random types, the same each time.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn random(count: usize) -> Vec<Table> {
    (5000..).map(random_table).filter(Table::fits_cpp).take(count).collect()
}

/// A table of random types, of random rows, in up to three chunks with rows; without columns in one, as Arrow C++ has such
/// tables.
///
/// # Panics
/// Never: what is built is well-formed.
#[must_use]
pub fn random_table(seed: u64) -> Table {
    let rng = &mut StdRng::seed_from_u64(seed);
    let rows = rng.random_range(0..120);
    let batch = random_batch(rng, rows);
    let mut bounds = vec![0, rows];
    if batch.num_columns() > 0 && rows > 0 {
        bounds.extend((0..rng.random_range(0..=2)).map(|_| rng.random_range(0..rows)));
        bounds.sort_unstable();
        bounds.dedup();
    }
    Table::of(bounds.windows(2).map(|pair| batch.slice(pair[0], pair[1] - pair[0])).collect())
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
///
/// # Panics
/// If there is no room.
#[must_use]
pub fn filed(scene: &Scene, tables: &[Table]) -> PathBuf {
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
