//! Rows as record batches, without copying what Arrow can share: numbers, dates and times, text and bytes with offsets.
//! Booleans, validity, half floats and views lie otherwise in memory and are copied. What is made of columns is next door, in
//! [`compound`](super::compound).

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeStringArray, NullArray, PrimitiveArray, RecordBatch, RecordBatchOptions, StringArray,
    StringViewArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};

use super::compound::{into_coded, into_lists, into_lists_of_size, into_structs, of_lists, of_structs};
use super::{Cells, DynColumn, Lists, Rows};
use crate::algebra::F32;
use crate::arrow::{decoded, into_bits, of_bits};
use crate::column::{Bytes, Column, Fixed, Plain, Values};
use crate::error::Error;

impl Rows {
    /// Makes rows of a record batch.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnType`] if a column is of a type that dynamic rows do not have: unions, maps, views of lists, runs,
    /// intervals and decimals of 32 bytes.
    pub fn of_record_batch(table: &RecordBatch) -> Result<Self, Error> {
        let schema = table.schema();
        let columns = schema.fields().iter().zip(table.columns());
        let columns =
            columns.map(|(field, array)| of_array(field.name(), array)).collect::<Result<_, _>>()?;
        Ok(Self::new(schema, columns, table.num_rows()))
    }

    /// Makes so many rows of nulls.
    pub(super) fn nulls(schema: &SchemaRef, rows: usize) -> Result<Self, Error> {
        let none = |name: &str, of: &DataType| of_array(name, &arrow_array::new_empty_array(of));
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let mut column = none(field.name(), field.data_type())?;
            (0..rows).for_each(|_| column.push_null());
            columns.push(column);
        }
        Ok(Self::new(schema.clone(), columns, rows))
    }

    /// Makes a record batch of rows, of the schema that they are known to have.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnType`] if more than 2 GiB of text would have to fit `Utf8`, or more values a dictionary than its keys
    /// can number, and [`Error::Nulls`] if there are nulls in a column that the schema says has none.
    pub fn into_record_batch(self, schema: &SchemaRef) -> Result<RecordBatch, Error> {
        if self.schema.is_none() {
            return Ok(RecordBatch::new_empty(schema.clone()));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let mut arrays = Vec::with_capacity(self.columns.len() + 1);
        for (field, column) in schema.fields().iter().zip(self.columns) {
            let array = into_array(field.name(), field.data_type(), column)?;
            if !field.is_nullable() && array.null_count() > 0 {
                return Err(Error::Nulls { column: field.name().clone(), nulls: array.null_count() });
            }
            arrays.push(array);
        }
        let table = RecordBatch::try_new_with_options(schema.clone(), arrays, &options);
        Ok(table.expect("columns have the types of their schema"))
    }
}

/// Checks that dynamic rows can have these fields, each of its own name.
pub(super) fn check(schema: &Schema) -> Result<(), Error> {
    for (place, field) in schema.fields().iter().enumerate() {
        of_array(field.name(), &arrow_array::new_empty_array(field.data_type()))?;
        if schema.fields()[..place].iter().any(|other| other.name() == field.name()) {
            return Err(Error::ColumnNames(format!("two columns would be called {}", field.name())));
        }
    }
    Ok(())
}

/// Returns the values of an array of a fixed size, whatever they stand for.
fn plain<T: Fixed>(array: &ArrayRef) -> Plain<T> {
    let data = array.to_data();
    Plain(Values::Shared(ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())))
}

/// Makes a column of an array.
pub(super) fn of_array(name: &str, array: &ArrayRef) -> Result<DynColumn, Error> {
    let cells = match array.data_type() {
        DataType::Null => Cells::Bool(Plain(Values::Owned(vec![0; array.len()]))),
        DataType::Boolean => Cells::Bool(of_bits(array.as_boolean().values())),
        DataType::Int8 => Cells::I8(plain(array)),
        DataType::Int16 => Cells::I16(plain(array)),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) | DataType::Decimal32(_, _) => {
            Cells::I32(plain(array))
        }
        DataType::Int64
        | DataType::Date64
        | DataType::Time64(_)
        | DataType::Timestamp(_, _)
        | DataType::Duration(_)
        | DataType::Decimal64(_, _) => Cells::I64(plain(array)),
        DataType::Decimal128(_, _) => Cells::I128(plain(array)),
        DataType::UInt8 => Cells::U8(plain(array)),
        DataType::UInt16 => Cells::U16(plain(array)),
        DataType::UInt32 => Cells::U32(plain(array)),
        DataType::UInt64 => Cells::U64(plain(array)),
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>().values().iter();
            Cells::F32(Plain(Values::Owned(
                values.map(|half| F32::new(half.to_f32()).into_inner()).collect(),
            )))
        }
        DataType::Float32 => Cells::F32(plain(array)),
        DataType::Float64 => Cells::F64(plain(array)),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Cells::Bytes(Bytes::of_small(array.values().clone(), array.offsets().inner().clone()))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Cells::Bytes(Bytes::of_large(array.values().clone(), array.offsets().inner().clone()))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Cells::Bytes(Bytes::of_small(array.values().clone(), array.offsets().inner().clone()))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Cells::Bytes(Bytes::of_large(array.values().clone(), array.offsets().inner().clone()))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            let mut values = Bytes::default();
            array.iter().for_each(|value| values.push(value.unwrap_or_default().as_bytes()));
            Cells::Bytes(values)
        }
        DataType::BinaryView => {
            let mut values = Bytes::default();
            array.as_binary_view().iter().for_each(|value| values.push(value.unwrap_or_default()));
            Cells::Bytes(values)
        }
        DataType::FixedSizeBinary(size) => {
            let (data, size) = (array.as_fixed_size_binary().values().clone(), i64::from(*size));
            let offsets = (0i64..).take(array.len() + 1).map(|row| row * size).collect();
            Cells::Bytes(Bytes::of_large(data, offsets))
        }
        DataType::Dictionary(_, _) => return of_array(name, &decoded(name, array)?),
        DataType::Struct(fields) => of_structs(name, fields, array)?,
        DataType::List(item) => {
            let array = array.as_list::<i32>();
            let (start, ends) = (array.offsets()[0] as usize, array.offsets()[1..].iter());
            of_lists(name, item, array.values(), start, ends.map(|&end| end as usize))?
        }
        DataType::LargeList(item) => {
            let array = array.as_list::<i64>();
            let (start, ends) = (array.offsets()[0] as usize, array.offsets()[1..].iter());
            of_lists(name, item, array.values(), start, ends.map(|&end| end as usize))?
        }
        DataType::FixedSizeList(item, _) => {
            let array = array.as_fixed_size_list();
            let size = array.value_length() as usize;
            of_lists(name, item, array.values(), 0, (1..=array.len()).map(|row| row * size))?
        }
        other => {
            let (column, expected) = (name.to_owned(), remedy(other).to_owned());
            return Err(Error::ColumnType { column, expected, got: other.to_string() });
        }
    };
    let there =
        array.logical_nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| of_bits(nulls.inner()));
    Ok(DynColumn::new(cells, there))
}

/// Returns what a column can be instead of a type that rows do not have.
fn remedy(of: &DataType) -> &'static str {
    match of {
        DataType::Decimal256(_, _) => "a decimal of at most 38 digits, a Decimal128",
        // A month is no number of days, so intervals have no order.
        DataType::Interval(_) => "a Duration, or a number of months",
        DataType::Map(_, _) => "a list of structs",
        DataType::ListView(_) | DataType::LargeListView(_) => "a List or a LargeList",
        DataType::RunEndEncoded(_, _) => "without runs",
        _ => "a number, a boolean, a date or time, text, bytes, a list or a struct",
    }
}

/// Makes an array of a column that is known to be of this type.
pub(super) fn into_array(name: &str, of: &DataType, column: DynColumn) -> Result<ArrayRef, Error> {
    if let DataType::Dictionary(key, value) = of {
        return into_coded(name, (key, value), column);
    }
    let nulls =
        column.there.map(|there| NullBuffer::new(into_bits(&there))).filter(|nulls| nulls.null_count() > 0);
    Ok(match column.cells {
        Cells::Bool(values) if *of == DataType::Null => Arc::new(NullArray::new(values.len())),
        Cells::Bool(values) => Arc::new(BooleanArray::new(into_bits(&values), nulls)),
        Cells::I8(values) => array_of::<Int8Type>(of, values.0, nulls),
        Cells::I16(values) => array_of::<Int16Type>(of, values.0, nulls),
        Cells::I32(values) => match of {
            DataType::Date32 => array_of::<Date32Type>(of, values.0, nulls),
            DataType::Time32(TimeUnit::Second) => array_of::<Time32SecondType>(of, values.0, nulls),
            DataType::Time32(_) => array_of::<Time32MillisecondType>(of, values.0, nulls),
            DataType::Decimal32(_, _) => array_of::<Decimal32Type>(of, values.0, nulls),
            _ => array_of::<Int32Type>(of, values.0, nulls),
        },
        Cells::I64(values) => match of {
            DataType::Date64 => array_of::<Date64Type>(of, values.0, nulls),
            DataType::Time64(TimeUnit::Microsecond) => array_of::<Time64MicrosecondType>(of, values.0, nulls),
            DataType::Time64(_) => array_of::<Time64NanosecondType>(of, values.0, nulls),
            DataType::Timestamp(TimeUnit::Second, _) => array_of::<TimestampSecondType>(of, values.0, nulls),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                array_of::<TimestampMillisecondType>(of, values.0, nulls)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                array_of::<TimestampMicrosecondType>(of, values.0, nulls)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                array_of::<TimestampNanosecondType>(of, values.0, nulls)
            }
            DataType::Duration(TimeUnit::Second) => array_of::<DurationSecondType>(of, values.0, nulls),
            DataType::Duration(TimeUnit::Millisecond) => {
                array_of::<DurationMillisecondType>(of, values.0, nulls)
            }
            DataType::Duration(TimeUnit::Microsecond) => {
                array_of::<DurationMicrosecondType>(of, values.0, nulls)
            }
            DataType::Duration(TimeUnit::Nanosecond) => {
                array_of::<DurationNanosecondType>(of, values.0, nulls)
            }
            DataType::Decimal64(_, _) => array_of::<Decimal64Type>(of, values.0, nulls),
            _ => array_of::<Int64Type>(of, values.0, nulls),
        },
        Cells::I128(values) => array_of::<Decimal128Type>(of, values.0, nulls),
        Cells::U8(values) => array_of::<UInt8Type>(of, values.0, nulls),
        Cells::U16(values) => array_of::<UInt16Type>(of, values.0, nulls),
        Cells::U32(values) => array_of::<UInt32Type>(of, values.0, nulls),
        Cells::U64(values) => array_of::<UInt64Type>(of, values.0, nulls),
        Cells::F32(values) if *of == DataType::Float16 => {
            let halves = values.0.iter().map(|&value| Half::from_f32(value)).collect();
            Arc::new(PrimitiveArray::<Float16Type>::new(halves, nulls))
        }
        Cells::F32(values) => array_of::<Float32Type>(of, values.0, nulls),
        Cells::F64(values) => array_of::<Float64Type>(of, values.0, nulls),
        Cells::Bytes(values) => bytes_array(name, of, values, nulls)?,
        Cells::Struct(rows) => match of {
            DataType::Struct(fields) => into_structs(name, fields, rows, nulls)?,
            of => unreachable!("a column of structs is not {of}"),
        },
        Cells::List(lists) => lists_array(name, of, lists, nulls)?,
    })
}

/// Arrow's float of 2 bytes.
type Half = <Float16Type as ArrowPrimitiveType>::Native;

fn lists_array(
    name: &str,
    of: &DataType,
    lists: Lists,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, Error> {
    match of {
        DataType::List(item) => into_lists::<i32>(name, item, lists, nulls),
        DataType::LargeList(item) => into_lists::<i64>(name, item, lists, nulls),
        DataType::FixedSizeList(item, size) => into_lists_of_size(name, (item, *size), lists, nulls),
        of => unreachable!("a column of lists is not {of}"),
    }
}

fn array_of<T: ArrowPrimitiveType>(
    of: &DataType,
    values: Values<T::Native>,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let rows = values.len();
    let values = ScalarBuffer::new(values.into_buffer(), 0, rows);
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(of.clone()))
}

fn bytes_array(
    name: &str,
    of: &DataType,
    values: Bytes,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, Error> {
    let small = |values: Bytes| {
        let (data, offsets) = values.into_small().ok_or_else(|| Error::ColumnType {
            column: name.to_owned(),
            expected: "of less than 2 GiB in one batch".to_owned(),
            got: "larger".to_owned(),
        })?;
        Ok((data, OffsetBuffer::new(offsets)))
    };
    let large = |values: Bytes| {
        let (data, offsets) = values.into_large();
        (data, OffsetBuffer::new(offsets))
    };
    Ok(match of {
        DataType::Utf8 => {
            let (data, offsets) = small(values)?;
            Arc::new(StringArray::new(offsets, data, nulls))
        }
        DataType::Binary => {
            let (data, offsets) = small(values)?;
            Arc::new(BinaryArray::new(offsets, data, nulls))
        }
        DataType::LargeBinary => {
            let (data, offsets) = large(values);
            Arc::new(LargeBinaryArray::new(offsets, data, nulls))
        }
        DataType::FixedSizeBinary(size) => Arc::new(of_size(*size, values, nulls)),
        DataType::BinaryView => {
            let (data, offsets) = large(values);
            Arc::new(BinaryViewArray::from(&LargeBinaryArray::new(offsets, data, nulls)))
        }
        DataType::Utf8View => {
            let (data, offsets) = large(values);
            Arc::new(StringViewArray::from(&LargeStringArray::new(offsets, data, nulls)))
        }
        _ => {
            let (data, offsets) = large(values);
            Arc::new(LargeStringArray::new(offsets, data, nulls))
        }
    })
}

/// Makes an array of byte strings of one size. One that is missing has room all the same.
fn of_size(size: i32, values: Bytes, nulls: Option<NullBuffer>) -> FixedSizeBinaryArray {
    let (rows, length) = (values.len(), usize::try_from(size).unwrap_or(0));
    let data = if (0..rows).all(|row| values.get(row).len() == length) {
        values.into_large().0
    } else {
        let mut data = Vec::with_capacity(rows * length);
        for (row, value) in values.iter().enumerate() {
            data.extend_from_slice(value);
            data.resize((row + 1) * length, 0);
        }
        data.into()
    };
    FixedSizeBinaryArray::try_new_with_len(size, data, nulls, rows).expect("each value has this size")
}
