//! Random types, and random arrays of any type.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    FixedSizeListArray, GenericByteArray, GenericListArray, GenericListViewArray, MapArray, NullArray,
    OffsetSizeTrait, PrimitiveArray, RecordBatch, RecordBatchOptions, RunArray, StringViewArray, StructArray,
    UnionArray, downcast_integer, downcast_primitive, types,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields, IntervalUnit, Schema, TimeUnit, UnionFields, UnionMode};
use rand::{Rng, RngExt};

/// A random schema of up to six columns.
pub fn random_schema(rng: &mut impl Rng) -> Schema {
    let columns = rng.random_range(0..=6);
    let fields: Vec<_> = (0..columns)
        .map(|column| {
            let field = Field::new(format!("c{column}"), random_type(rng, 3), rng.random_bool(0.8));
            if rng.random_bool(0.2) {
                field.with_metadata([("unit".to_owned(), format!("u{column}"))].into())
            } else {
                field
            }
        })
        .collect();
    let metadata = if rng.random_bool(0.3) {
        [("origin".to_owned(), "random".to_owned())].into()
    } else {
        Default::default()
    };
    Schema::new_with_metadata(fields, metadata)
}

/// A random batch of a random schema; some columns are slices of longer ones.
///
/// # Panics
///
/// Never, unless this crate is wrong.
pub fn random_batch(rng: &mut impl Rng, rows: usize) -> RecordBatch {
    let schema = random_schema(rng);
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let before = if rng.random_bool(0.5) { rng.random_range(0..20) } else { 0 };
            let behind = if rng.random_bool(0.5) { rng.random_range(0..20) } else { 0 };
            random_array(rng, field.data_type(), before + rows + behind, field.is_nullable())
                .slice(before, rows)
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    match RecordBatch::try_new_with_options(Arc::new(schema), columns, &options) {
        Ok(batch) => batch,
        Err(error) => panic!("random columns do not fit their schema: {error}"),
    }
}

/// A random type, nested at most `depth` deep.
pub fn random_type(rng: &mut impl Rng, depth: usize) -> DataType {
    let nested = depth > 0 && rng.random_bool(0.45);
    if !nested {
        return random_flat_type(rng);
    }
    let mut field = |name: &str, nullable| Arc::new(Field::new(name, random_type(rng, depth - 1), nullable));
    let item = field("item", true);
    match rng.random_range(0..11) {
        0 => DataType::List(item),
        1 => DataType::LargeList(item),
        2 => DataType::ListView(item),
        3 => DataType::LargeListView(item),
        4 => DataType::FixedSizeList(item, rng.random_range(0..4)),
        5 => {
            let more = Arc::new(Field::new("more", random_type(rng, depth - 1), true));
            DataType::Struct(Fields::from(if rng.random_bool(0.9) { vec![item, more] } else { vec![] }))
        }
        6 => {
            let key = Arc::new(Field::new("key", DataType::Utf8, false));
            let entries = DataType::Struct(Fields::from(vec![key, item]));
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        7 | 8 => {
            let more = Arc::new(Field::new("more", random_type(rng, depth - 1), true));
            let ids = [rng.random_range(0..5), rng.random_range(5..=127)];
            let mode = if rng.random_bool(0.5) { UnionMode::Sparse } else { UnionMode::Dense };
            match UnionFields::try_new(ids, [item, more]) {
                Ok(fields) => DataType::Union(fields, mode),
                Err(_) => DataType::Null,
            }
        }
        9 => {
            let ends = [DataType::Int16, DataType::Int32, DataType::Int64][rng.random_range(0..3)].clone();
            let ends = Arc::new(Field::new("run_ends", ends, false));
            DataType::RunEndEncoded(ends, Arc::new(Field::new("values", item.data_type().clone(), true)))
        }
        _ => {
            let keys = [
                DataType::Int8,
                DataType::Int16,
                DataType::Int32,
                DataType::Int64,
                DataType::UInt8,
                DataType::UInt16,
                DataType::UInt32,
                DataType::UInt64,
            ];
            let keys = keys[rng.random_range(0..keys.len())].clone();
            // Arrow IPC has no words for a dictionary of a dictionary.
            let values = match item.data_type() {
                DataType::Dictionary(_, values) => values.as_ref().clone(),
                values => values.clone(),
            };
            DataType::Dictionary(Box::new(keys), Box::new(values))
        }
    }
}

fn random_flat_type(rng: &mut impl Rng) -> DataType {
    let flat = [
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Date32,
        DataType::Date64,
        DataType::Time32(TimeUnit::Second),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("+08:00".into())),
        DataType::Duration(TimeUnit::Millisecond),
        DataType::Interval(IntervalUnit::YearMonth),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Decimal32(9, 2),
        DataType::Decimal64(18, 4),
        DataType::Decimal128(38, 10),
        DataType::Decimal256(76, 20),
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(7),
    ];
    flat[rng.random_range(0..flat.len())].clone()
}

/// A random array of `data_type`; without nulls at its top unless `nullable`.
///
/// # Panics
///
/// If `data_type` is none that [`random_type`] makes.
pub fn random_array(rng: &mut impl Rng, data_type: &DataType, rows: usize, nullable: bool) -> ArrayRef {
    let nulls = random_nulls(rng, rows, nullable);
    macro_rules! primitive {
        ($type:ty) => {
            Arc::new(random_primitive::<$type>(rng, rows, nulls).with_data_type(data_type.clone()))
        };
    }
    if *data_type == DataType::Date64 {
        // Whole days.
        let days = (0..rows).map(|_| rng.random_range(0..20_000) * 86_400_000).collect();
        return Arc::new(PrimitiveArray::<types::Date64Type>::new(days, nulls));
    }
    downcast_primitive! {
        data_type => (primitive),
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            let bits: BooleanBuffer = (0..rows).map(|_| rng.random::<bool>()).collect();
            Arc::new(BooleanArray::new(bits, nulls))
        }
        DataType::FixedSizeBinary(width) => {
            let mut bytes = vec![0u8; rows * *width as usize];
            rng.fill_bytes(&mut bytes);
            Arc::new(FixedSizeBinaryArray::new(*width, Buffer::from_vec(bytes), nulls))
        }
        DataType::Utf8 => Arc::new(GenericByteArray::<types::Utf8Type>::from_iter(random_texts(rng, &nulls, rows))),
        DataType::LargeUtf8 => {
            Arc::new(GenericByteArray::<types::LargeUtf8Type>::from_iter(random_texts(rng, &nulls, rows)))
        }
        DataType::Binary => Arc::new(GenericByteArray::<types::BinaryType>::from_iter(random_texts(rng, &nulls, rows))),
        DataType::LargeBinary => {
            Arc::new(GenericByteArray::<types::LargeBinaryType>::from_iter(random_texts(rng, &nulls, rows)))
        }
        DataType::Utf8View => Arc::new(StringViewArray::from_iter(random_texts(rng, &nulls, rows))),
        DataType::BinaryView => {
            let texts = random_texts(rng, &nulls, rows).into_iter();
            Arc::new(BinaryViewArray::from_iter(texts.map(|text| text.map(String::into_bytes))))
        }
        DataType::List(item) => Arc::new(random_list::<i32>(rng, item, rows, nulls)),
        DataType::LargeList(item) => Arc::new(random_list::<i64>(rng, item, rows, nulls)),
        DataType::ListView(item) => Arc::new(random_list_view::<i32>(rng, item, rows, nulls)),
        DataType::LargeListView(item) => Arc::new(random_list_view::<i64>(rng, item, rows, nulls)),
        DataType::FixedSizeList(item, size) => {
            let values = random_array(rng, item.data_type(), rows * *size as usize, item.is_nullable());
            let list = FixedSizeListArray::try_new_with_length(item.clone(), *size, values, nulls, rows);
            Arc::new(list.unwrap_or_else(|error| panic!("fixed-size list: {error}")))
        }
        DataType::Struct(fields) if fields.is_empty() => Arc::new(StructArray::new_empty_fields(rows, nulls)),
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| random_array(rng, field.data_type(), rows, field.is_nullable()));
            Arc::new(StructArray::new(fields.clone(), columns.collect(), nulls))
        }
        DataType::Map(entries, ordered) => {
            let offsets = random_offsets::<i32>(rng, rows, nulls.as_ref());
            let last = offsets.last().copied().unwrap_or(0) as usize;
            let pairs = random_array(rng, entries.data_type(), last, false).as_struct().clone();
            Arc::new(MapArray::new(entries.clone(), offsets, pairs, nulls, *ordered))
        }
        DataType::Union(fields, mode) => Arc::new(random_union(rng, fields, *mode, rows)),
        DataType::Dictionary(keys, values) => {
            let values = random_array(rng, values, 5, true);
            macro_rules! dictionary {
                ($type:ty) => {{
                    type Native = <$type as ArrowPrimitiveType>::Native;
                    let keys: ScalarBuffer<Native> = (0..rows).map(|_| rng.random_range(0..5u8) as Native).collect();
                    let keys = PrimitiveArray::<$type>::new(keys, nulls);
                    Arc::new(arrow_array::DictionaryArray::<$type>::new(keys, values))
                }};
            }
            downcast_integer! {
                keys.as_ref() => (dictionary),
                other => panic!("dictionary keys of type {other}")
            }
        }
        DataType::RunEndEncoded(ends, values) => match ends.data_type() {
            DataType::Int16 => random_runs::<Int16Type>(rng, values, rows, |end| end as i16),
            DataType::Int32 => random_runs::<Int32Type>(rng, values, rows, |end| end as i32),
            _ => random_runs::<Int64Type>(rng, values, rows, |end| end as i64),
        },
        other => panic!("no random arrays of type {other}"),
    }
}

fn random_nulls(rng: &mut impl Rng, rows: usize, nullable: bool) -> Option<NullBuffer> {
    let share = [0.0, 0.1, 0.5, 1.0][rng.random_range(0..4)];
    (nullable && share > 0.0).then(|| (0..rows).map(|_| !rng.random_bool(share)).collect())
}

fn random_primitive<T: ArrowPrimitiveType>(
    rng: &mut impl Rng,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> PrimitiveArray<T> {
    let mut bytes = vec![0u8; rows * size_of::<T::Native>()];
    // Small positive numbers: dates and times that can be shown.
    for value in bytes.chunks_exact_mut(size_of::<T::Native>()) {
        value[0] = rng.random();
        if value.len() > 1 {
            value[1] = rng.random_range(0..0x30);
        }
    }
    let values = Buffer::from_slice_ref(&bytes);
    PrimitiveArray::new(ScalarBuffer::new(values, 0, rows), nulls)
}

fn random_texts(rng: &mut impl Rng, nulls: &Option<NullBuffer>, rows: usize) -> Vec<Option<String>> {
    (0..rows)
        .map(|row| {
            let length =
                if rng.random_bool(0.1) { rng.random_range(0..200) } else { rng.random_range(0..16) };
            let text: String =
                (0..length).map(|_| ['a', 'b', 'é', '漢', ' '][rng.random_range(0..5)]).collect();
            nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then_some(text)
        })
        .collect()
}

fn random_offsets<O: OffsetSizeTrait>(
    rng: &mut impl Rng,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> OffsetBuffer<O> {
    OffsetBuffer::from_lengths((0..rows).map(|row| {
        let length = rng.random_range(0..4);
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) { length } else { 0 }
    }))
}

fn random_list<O: OffsetSizeTrait>(
    rng: &mut impl Rng,
    item: &Arc<Field>,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> GenericListArray<O> {
    let offsets = random_offsets::<O>(rng, rows, nulls.as_ref());
    let last = offsets.last().map_or(0, |last| last.as_usize());
    let values = random_array(rng, item.data_type(), last, item.is_nullable());
    GenericListArray::new(item.clone(), offsets, values, nulls)
}

fn random_list_view<O: OffsetSizeTrait>(
    rng: &mut impl Rng,
    item: &Arc<Field>,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> GenericListViewArray<O> {
    let items = rng.random_range(0..20usize);
    let values = random_array(rng, item.data_type(), items, item.is_nullable());
    let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let offset = rng.random_range(0..=items);
        offsets.push(O::usize_as(offset));
        sizes.push(O::usize_as(rng.random_range(0..=(items - offset).min(4))));
    }
    GenericListViewArray::new(item.clone(), offsets.into(), sizes.into(), values, nulls)
}

fn random_union(rng: &mut impl Rng, fields: &UnionFields, mode: UnionMode, rows: usize) -> UnionArray {
    let ids: Vec<i8> = fields.iter().map(|(id, _)| id).collect();
    let chosen: Vec<usize> = (0..rows).map(|_| rng.random_range(0..ids.len())).collect();
    let mut lengths = vec![rows; ids.len()];
    let offsets = match mode {
        UnionMode::Sparse => None,
        UnionMode::Dense => {
            // Values are in the order of the rows, as Arrow's columnar format demands; some belong to no row.
            lengths.fill(0);
            let place = |child: &usize| {
                let offset = lengths[*child] + usize::from(rng.random_bool(0.2));
                lengths[*child] = offset + 1;
                offset as i32
            };
            Some(chosen.iter().map(place).collect())
        }
    };
    let children = fields
        .iter()
        .zip(lengths)
        .map(|((_, field), length)| random_array(rng, field.data_type(), length, field.is_nullable()))
        .collect();
    let chosen = chosen.into_iter().map(|child| ids[child]).collect();
    UnionArray::try_new(fields.clone(), chosen, offsets, children)
        .unwrap_or_else(|error| panic!("union: {error}"))
}

fn random_runs<R: types::RunEndIndexType>(
    rng: &mut impl Rng,
    values: &Arc<Field>,
    rows: usize,
    end: impl Fn(usize) -> R::Native,
) -> ArrayRef {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < rows {
        at = (at + rng.random_range(1..6)).min(rows);
        ends.push(end(at));
    }
    let values = random_array(rng, values.data_type(), ends.len(), true);
    let ends = PrimitiveArray::<R>::new(ends.into(), None);
    Arc::new(RunArray::<R>::try_new(&ends, values.as_ref()).unwrap_or_else(|error| panic!("runs: {error}")))
}
