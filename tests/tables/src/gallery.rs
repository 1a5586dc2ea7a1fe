//! One array of every Arrow type, each with nulls, empties, short and long values.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryViewBuilder, FixedSizeBinaryBuilder, FixedSizeListBuilder, Int32Builder, ListBuilder, MapBuilder,
    StringBuilder, StringViewBuilder,
};
use arrow_array::types::{
    ArrowDictionaryKeyType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, DictionaryArray, Float16Array,
    Float32Array, Float64Array, Int32Array, Int64Array, LargeBinaryArray, LargeListArray, LargeListViewArray,
    LargeStringArray, ListArray, ListViewArray, NullArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
    RunArray, StringArray, StringViewArray, StructArray, UnionArray, types,
};
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, NullBuffer, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::{DataType, Field, Fields, Schema, UnionFields};
use half::f16;

/// Rows of every array of the gallery.
pub const ROWS: usize = 37;

const TEXTS: [Option<&str>; 9] = [
    Some("bid"),
    None,
    Some(""),
    Some("exactly12byt"),
    Some("thirteen byte"),
    Some("a longer string that no view can hold inline"),
    Some("žluťoučký kůň 🐎"),
    None,
    Some("ask"),
];

fn texts() -> impl Iterator<Item = Option<&'static str>> {
    TEXTS.into_iter().cycle().take(ROWS)
}

fn bytes() -> impl Iterator<Item = Option<&'static [u8]>> {
    texts().map(|text| text.map(str::as_bytes))
}

/// Every third value or so is null.
fn present(row: usize) -> bool {
    row % 3 != 1
}

fn nulls() -> NullBuffer {
    (0..ROWS).map(present).collect()
}

fn number<T: ArrowPrimitiveType>(value: impl Fn(usize) -> T::Native) -> PrimitiveArray<T> {
    (0..ROWS).map(|row| present(row).then(|| value(row))).collect()
}

fn dictionary<K: ArrowDictionaryKeyType>(key: impl Fn(usize) -> K::Native) -> ArrayRef {
    let values = StringArray::from_iter(["one", "two", "a third value that is long"].map(Some));
    Arc::new(DictionaryArray::<K>::new(number::<K>(|row| key(row % 3)), Arc::new(values)))
}

fn lengths() -> impl Iterator<Item = usize> {
    (0..ROWS).map(|row| if present(row) { row % 4 } else { 0 })
}

fn items() -> usize {
    lengths().sum()
}

/// A column of nullable integers, as long as the lists' items.
fn item_values() -> ArrayRef {
    Arc::new((0..items()).map(|item| (item % 5 != 2).then_some(item as i32)).collect::<Int32Array>())
}

fn item_texts() -> ArrayRef {
    Arc::new(TEXTS.into_iter().cycle().take(items()).collect::<StringArray>())
}

fn item_field(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, true))
}

fn list(values: ArrayRef) -> ListArray {
    let field = item_field(values.data_type().clone());
    ListArray::new(field, OffsetBuffer::from_lengths(lengths()), values, Some(nulls()))
}

fn structure() -> StructArray {
    let fields = Fields::from(vec![
        Field::new("price", DataType::Float64, true),
        Field::new("venue", DataType::Utf8, true),
        Field::new("side", DataType::Boolean, false),
    ]);
    let price = Arc::new(number::<types::Float64Type>(|row| row as f64 * 0.25));
    let venue = Arc::new(texts().collect::<StringArray>());
    let side = Arc::new((0..ROWS).map(|row| Some(row % 2 == 0)).collect::<BooleanArray>());
    let present = (0..ROWS).map(|row| row % 5 != 3).collect();
    StructArray::new(fields, vec![price, venue, side], Some(present))
}

fn map() -> ArrayRef {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for row in 0..ROWS {
        for entry in 0..row % 3 {
            map.keys().append_value(format!("key{entry}"));
            map.values().append_option((entry + row).checked_sub(2).map(|value| value as i32));
        }
        // Both have as many items by construction.
        let _ = map.append(present(row));
    }
    Arc::new(map.finish())
}

fn union_fields() -> UnionFields {
    let fields = [Field::new("number", DataType::Int32, true), Field::new("text", DataType::Utf8, true)];
    UnionFields::try_new([3, 7], fields).unwrap_or_else(|_| UnionFields::empty())
}

fn sparse_union() -> ArrayRef {
    let ids = (0..ROWS).map(|row| if row % 3 == 0 { 7 } else { 3 }).collect::<ScalarBuffer<i8>>();
    let number = Arc::new(number::<Int32Type>(|row| row as i32));
    let text = Arc::new(texts().collect::<StringArray>());
    union(ids, None, vec![number, text])
}

fn dense_union() -> ArrayRef {
    let ids = (0..ROWS).map(|row| if row % 3 == 0 { 7 } else { 3 }).collect::<ScalarBuffer<i8>>();
    let offsets = (0..ROWS).map(|row| (if row % 3 == 0 { row / 3 } else { row - row / 3 - 1 }) as i32);
    let number = Arc::new((0..ROWS as i32).map(|row| (row % 4 != 0).then_some(row)).collect::<Int32Array>());
    let text = Arc::new(texts().collect::<StringArray>());
    union(ids, Some(offsets.collect()), vec![number, text])
}

fn union(ids: ScalarBuffer<i8>, offsets: Option<ScalarBuffer<i32>>, children: Vec<ArrayRef>) -> ArrayRef {
    match UnionArray::try_new(union_fields(), ids, offsets, children) {
        Ok(union) => Arc::new(union),
        Err(error) => unreachable!("the gallery's union is off: {error}"),
    }
}

fn runs<R: types::RunEndIndexType>(end: impl Fn(usize) -> R::Native) -> ArrayRef
where
    PrimitiveArray<R>: FromIterator<Option<R::Native>>,
{
    let ends: PrimitiveArray<R> = [2, 3, 11, 20, 36, ROWS].into_iter().map(|row| Some(end(row))).collect();
    let values = texts().take(6).collect::<StringArray>();
    match RunArray::<R>::try_new(&ends, &values) {
        Ok(runs) => Arc::new(runs),
        Err(error) => unreachable!("the gallery's runs are off: {error}"),
    }
}

fn fixed_list() -> ArrayRef {
    let mut lists = FixedSizeListBuilder::new(Int32Builder::new(), 3);
    for row in 0..ROWS as i32 {
        lists.values().append_value(row);
        lists.values().append_null();
        lists.values().append_value(-row);
        lists.append(present(row as usize));
    }
    Arc::new(lists.finish())
}

fn list_view(offset: impl Fn(usize) -> usize) -> (Vec<usize>, Vec<usize>) {
    let sizes: Vec<_> = lengths().collect();
    (sizes.iter().enumerate().map(|(row, _)| offset(row)).collect(), sizes)
}

fn list_views() -> [ArrayRef; 2] {
    let values = item_values();
    // Rows out of order and sharing items.
    let (offsets, sizes) = list_view(|row| (row * 7) % (items() - 4));
    let small =
        |numbers: &[usize]| numbers.iter().map(|number| *number as i32).collect::<ScalarBuffer<i32>>();
    let large =
        |numbers: &[usize]| numbers.iter().map(|number| *number as i64).collect::<ScalarBuffer<i64>>();
    let field = item_field(DataType::Int32);
    [
        Arc::new(ListViewArray::new(
            field.clone(),
            small(&offsets),
            small(&sizes),
            values.clone(),
            Some(nulls()),
        )),
        Arc::new(LargeListViewArray::new(field, large(&offsets), large(&sizes), values, Some(nulls()))),
    ]
}

fn string_views() -> ArrayRef {
    // Small blocks, so that there is more than one data buffer.
    let mut views = StringViewBuilder::new().with_fixed_block_size(100);
    texts().for_each(|text| views.append_option(text));
    Arc::new(views.finish())
}

fn binary_views() -> ArrayRef {
    let mut views = BinaryViewBuilder::new().with_fixed_block_size(100);
    bytes().for_each(|bytes| views.append_option(bytes));
    Arc::new(views.finish())
}

fn fixed_binary() -> ArrayRef {
    let mut values = FixedSizeBinaryBuilder::new(5);
    for row in 0..ROWS {
        if present(row) {
            // Always five bytes.
            let _ = values.append_value([row as u8; 5]);
        } else {
            values.append_null();
        }
    }
    Arc::new(values.finish())
}

fn nested_dictionary() -> ArrayRef {
    let inner = DictionaryArray::<Int8Type>::new(
        [0, 1, 1, 0].into_iter().map(Some).collect(),
        Arc::new(StringArray::from(vec!["in", "out"])),
    );
    let fields = Fields::from(vec![Field::new("inner", inner.data_type().clone(), true)]);
    let values = StructArray::new(fields, vec![Arc::new(inner)], None);
    Arc::new(DictionaryArray::<Int16Type>::new(number::<Int16Type>(|row| (row % 4) as i16), Arc::new(values)))
}

fn list_of_dictionary() -> ArrayRef {
    let keys = (0..items()).map(|item| (item % 4 != 1).then_some((item % 3) as u8));
    let values = StringArray::from(vec!["alpha", "beta", "gamma"]);
    let keys = keys.collect::<PrimitiveArray<UInt8Type>>();
    Arc::new(list(Arc::new(DictionaryArray::<UInt8Type>::new(keys, Arc::new(values)))))
}

fn list_of_lists() -> ArrayRef {
    let mut outer = ListBuilder::new(ListBuilder::new(StringViewBuilder::new()));
    for row in 0..ROWS {
        for inner in 0..row % 3 {
            for text in TEXTS.iter().take(inner + 2) {
                outer.values().values().append_option(*text);
            }
            outer.values().append(inner != 1);
        }
        outer.append(present(row));
    }
    Arc::new(outer.finish())
}

macro_rules! numbers {
    ($($name:literal => $type:ident: $value:expr,)*) => {
        vec![$(($name, Arc::new(number::<types::$type>($value)) as ArrayRef)),*]
    };
}

/// One array of every Arrow type, with its name; each has [`ROWS`] rows.
#[must_use]
pub fn every_type() -> Vec<(&'static str, ArrayRef)> {
    let mut all: Vec<(&'static str, ArrayRef)> = numbers! {
        "int8" => Int8Type: |row| row as i8 - 7,
        "int16" => Int16Type: |row| row as i16 * -300,
        "int32" => Int32Type: |row| row as i32 * 70_000,
        "int64" => Int64Type: |row| row as i64 * -5_000_000_000,
        "uint8" => UInt8Type: |row| row as u8,
        "uint16" => UInt16Type: |row| row as u16 * 1000,
        "uint32" => UInt32Type: |row| u32::MAX - row as u32,
        "uint64" => UInt64Type: |row| u64::MAX - row as u64,
        "date32" => Date32Type: |row| row as i32 * 365,
        "date64" => Date64Type: |row| row as i64 * 86_400_000,
        "time32 s" => Time32SecondType: |row| row as i32,
        "time32 ms" => Time32MillisecondType: |row| row as i32,
        "time64 us" => Time64MicrosecondType: |row| row as i64,
        "time64 ns" => Time64NanosecondType: |row| row as i64,
        "timestamp s" => TimestampSecondType: |row| row as i64,
        "timestamp ms" => TimestampMillisecondType: |row| row as i64,
        "timestamp us" => TimestampMicrosecondType: |row| row as i64,
        "timestamp ns" => TimestampNanosecondType: |row| row as i64,
        "duration s" => DurationSecondType: |row| row as i64,
        "duration ms" => DurationMillisecondType: |row| row as i64,
        "duration us" => DurationMicrosecondType: |row| row as i64,
        "duration ns" => DurationNanosecondType: |row| row as i64,
    };
    let zoned = number::<types::TimestampNanosecondType>(|row| row as i64).with_timezone("Asia/Shanghai");
    let day_time = number::<IntervalDayTimeType>(|row| IntervalDayTime::new(row as i32, -1));
    let month_day_nano =
        number::<IntervalMonthDayNanoType>(|row| IntervalMonthDayNano::new(row as i32, -1, row as i64));
    let decimal32 = number::<Decimal32Type>(|row| row as i32).with_data_type(DataType::Decimal32(7, 2));
    let decimal64 = number::<Decimal64Type>(|row| row as i64).with_data_type(DataType::Decimal64(12, -2));
    let decimal128 = number::<Decimal128Type>(|row| row as i128).with_data_type(DataType::Decimal128(30, 6));
    let decimal256 = number::<Decimal256Type>(|row| i256::from_i128(row as i128 - 9))
        .with_data_type(DataType::Decimal256(50, 3));
    let [list_view, large_list_view] = list_views();
    let more: Vec<(&'static str, ArrayRef)> = vec![
        ("null", Arc::new(NullArray::new(ROWS))),
        (
            "bool",
            Arc::new((0..ROWS).map(|row| present(row).then_some(row % 2 == 0)).collect::<BooleanArray>()),
        ),
        (
            "float16",
            Arc::new(
                (0..ROWS)
                    .map(|row| present(row).then(|| f16::from_f32(row as f32)))
                    .collect::<Float16Array>(),
            ),
        ),
        (
            "float32",
            Arc::new((0..ROWS).map(|row| present(row).then_some(row as f32 / 3.0)).collect::<Float32Array>()),
        ),
        (
            "float64",
            Arc::new((0..ROWS).map(|row| present(row).then_some(row as f64 / 3.0)).collect::<Float64Array>()),
        ),
        ("int64 without nulls", Arc::new((0..ROWS as i64).collect::<Int64Array>())),
        ("timestamp with zone", Arc::new(zoned)),
        ("interval months", Arc::new(number::<IntervalYearMonthType>(|row| row as i32))),
        ("interval day time", Arc::new(day_time)),
        ("interval month day nano", Arc::new(month_day_nano)),
        ("decimal32", Arc::new(decimal32)),
        ("decimal64", Arc::new(decimal64)),
        ("decimal128", Arc::new(decimal128)),
        ("decimal256", Arc::new(decimal256)),
        ("utf8", Arc::new(texts().collect::<StringArray>())),
        ("large utf8", Arc::new(texts().collect::<LargeStringArray>())),
        ("utf8 view", string_views()),
        (
            "utf8 view inline",
            Arc::new((0..ROWS).map(|row| Some(row.to_string())).collect::<StringViewArray>()),
        ),
        ("binary", Arc::new(bytes().collect::<BinaryArray>())),
        ("large binary", Arc::new(bytes().collect::<LargeBinaryArray>())),
        ("binary view", binary_views()),
        ("fixed-size binary", fixed_binary()),
        ("list", Arc::new(list(item_values()))),
        ("list of text", Arc::new(list(item_texts()))),
        ("list of lists of views", list_of_lists()),
        (
            "large list",
            Arc::new(LargeListArray::new(
                item_field(DataType::Int32),
                OffsetBuffer::from_lengths(lengths()),
                item_values(),
                Some(nulls()),
            )),
        ),
        ("list view", list_view),
        ("large list view", large_list_view),
        ("fixed-size list", fixed_list()),
        ("struct", Arc::new(structure())),
        ("struct without fields", Arc::new(StructArray::new_empty_fields(ROWS, Some(nulls())))),
        ("map", map()),
        ("sparse union", sparse_union()),
        ("dense union", dense_union()),
        ("dictionary int8", dictionary::<Int8Type>(|key| key as i8)),
        ("dictionary int16", dictionary::<Int16Type>(|key| key as i16)),
        ("dictionary int32", dictionary::<Int32Type>(|key| key as i32)),
        ("dictionary int64", dictionary::<Int64Type>(|key| key as i64)),
        ("dictionary uint8", dictionary::<UInt8Type>(|key| key as u8)),
        ("dictionary uint16", dictionary::<UInt16Type>(|key| key as u16)),
        ("dictionary uint32", dictionary::<UInt32Type>(|key| key as u32)),
        ("dictionary uint64", dictionary::<UInt64Type>(|key| key as u64)),
        ("dictionary of structs of dictionaries", nested_dictionary()),
        ("list of dictionary", list_of_dictionary()),
        ("run-end int16", runs::<Int16Type>(|end| end as i16)),
        ("run-end int32", runs::<Int32Type>(|end| end as i32)),
        ("run-end int64", runs::<Int64Type>(|end| end as i64)),
    ];
    all.extend(more);
    all
}

/// A batch of named columns, all nullable.
///
/// # Panics
///
/// If the columns are not equally long.
#[must_use]
pub fn batch_of(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let fields: Vec<_> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    match RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options) {
        Ok(batch) => batch,
        Err(error) => panic!("columns do not fit together: {error}"),
    }
}

/// The whole gallery side by side.
#[must_use]
pub fn wide_batch() -> RecordBatch {
    batch_of(every_type())
}
