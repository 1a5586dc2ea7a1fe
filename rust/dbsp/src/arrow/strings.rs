//! Strings and byte strings: the three layouts that Arrow has for them in, the one that is nearest to ours out.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, LargeBinaryArray, LargeStringArray, StringArrayType, cast::AsArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::{ArrowValues, ColumnName};
use crate::column::{Bytes, Column, Strings};
use crate::error::Error;

impl ArrowValues for Strings {
    fn data_type() -> DataType {
        DataType::LargeUtf8
    }

    fn of_values(array: &ArrayRef, column: ColumnName<'_>, _: Option<&NullBuffer>) -> Result<Self, Error> {
        match array.data_type() {
            DataType::Utf8 => Ok(copied(array.as_string::<i32>())),
            DataType::LargeUtf8 => Ok(copied(array.as_string::<i64>())),
            DataType::Utf8View => Ok(copied(array.as_string_view())),
            other => Err(column.mismatch("Utf8, LargeUtf8 or Utf8View", other)),
        }
    }

    fn into_values(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let (text, ends) = self.into_parts();
        let ends = ends.into_iter().map(|end| i64::try_from(end).expect("no text is longer than 2^63"));
        let offsets: ScalarBuffer<i64> = std::iter::once(0).chain(ends).collect();
        let text = Buffer::from_vec(text.into_bytes());
        Arc::new(LargeStringArray::new(OffsetBuffer::new(offsets), text, nulls))
    }
}

impl ArrowValues for Bytes {
    fn data_type() -> DataType {
        DataType::LargeBinary
    }

    fn of_values(array: &ArrayRef, column: ColumnName<'_>, _: Option<&NullBuffer>) -> Result<Self, Error> {
        match array.data_type() {
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                Ok(Self::of_small(array.values().clone(), array.offsets().inner().clone()))
            }
            DataType::LargeBinary => {
                let array = array.as_binary::<i64>();
                Ok(Self::of_large(array.values().clone(), array.offsets().inner().clone()))
            }
            DataType::BinaryView => {
                let mut values = Self::default();
                array.as_binary_view().iter().for_each(|value| values.push(value.unwrap_or_default()));
                Ok(values)
            }
            other => Err(column.mismatch("Binary, LargeBinary or BinaryView", other)),
        }
    }

    fn into_values(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let (data, offsets) = self.into_large();
        Arc::new(LargeBinaryArray::new(OffsetBuffer::new(offsets), data, nulls))
    }
}

fn copied<'a>(array: impl StringArrayType<'a>) -> Strings {
    let mut strings = Strings::default();
    strings.reserve(array.len());
    for row in 0..array.len() {
        strings.push(if array.is_null(row) { "" } else { array.value(row) });
    }
    strings
}
