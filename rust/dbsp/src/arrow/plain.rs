//! Numbers, whose values are the same array here and in Arrow, and booleans, whose are not.

use std::sync::Arc;

use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, cast::AsArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::{ArrowValues, ColumnName};
use crate::algebra::{CheckedInt, F32, F64};
use crate::column::{Column, Plain, Values};
use crate::error::Error;
use crate::time::Nanoseconds;

macro_rules! numbers {
    ($($type:ty: $arrow:ty, $data_type:expr;)*) => {$(
        impl ArrowValues for Plain<$type> {
            fn data_type() -> DataType { $data_type }
            fn of_values(array: &ArrayRef, column: ColumnName<'_>, _: Option<&NullBuffer>) -> Result<Self, Error> {
                match array.as_primitive_opt::<$arrow>() {
                    Some(array) if is_kept_as(array.data_type(), &$data_type) => {
                        Ok(Self(Values::Shared(array.values().clone())))
                    }
                    _ => Err(column.mismatch($data_type, array.data_type())),
                }
            }
            fn into_values(self, nulls: Option<NullBuffer>) -> ArrayRef {
                let rows = self.len();
                let values = ScalarBuffer::new(self.0.into_buffer(), 0, rows);
                Arc::new(PrimitiveArray::<$arrow>::new(values, nulls).with_data_type($data_type))
            }
        }
    )*};
}

numbers! {
    u8: UInt8Type, DataType::UInt8;
    u16: UInt16Type, DataType::UInt16;
    u32: UInt32Type, DataType::UInt32;
    u64: UInt64Type, DataType::UInt64;
    usize: UInt64Type, DataType::UInt64;
    i8: Int8Type, DataType::Int8;
    i16: Int16Type, DataType::Int16;
    i32: Int32Type, DataType::Int32;
    i64: Int64Type, DataType::Int64;
    isize: Int64Type, DataType::Int64;
    i128: Decimal128Type, WHOLE;
    F32: Float32Type, DataType::Float32;
    F64: Float64Type, DataType::Float64;
    CheckedInt<i32>: Int32Type, DataType::Int32;
    CheckedInt<i64>: Int64Type, DataType::Int64;
    CheckedInt<i128>: Decimal128Type, WHOLE;
    Nanoseconds: TimestampNanosecondType, DataType::Timestamp(TimeUnit::Nanosecond, None);
}

/// Arrow's integers of 16 bytes.
const WHOLE: DataType = DataType::Decimal128(38, 0);

/// The precision of a decimal bounds its values, and says nothing of them.
fn is_kept_as(got: &DataType, expected: &DataType) -> bool {
    match (got, expected) {
        (DataType::Decimal128(_, got), DataType::Decimal128(_, expected)) => got == expected,
        _ => got == expected,
    }
}

impl ArrowValues for Plain<bool> {
    fn data_type() -> DataType {
        DataType::Boolean
    }
    fn of_values(array: &ArrayRef, column: ColumnName<'_>, _: Option<&NullBuffer>) -> Result<Self, Error> {
        let Some(array) = array.as_boolean_opt() else {
            return Err(column.mismatch(DataType::Boolean, array.data_type()));
        };
        Ok(of_bits(array.values()))
    }
    fn into_values(self, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(BooleanArray::new(into_bits(&self), nulls))
    }
}

/// Makes a byte of each bit.
pub(crate) fn of_bits(bits: &BooleanBuffer) -> Plain<bool> {
    Plain(Values::Owned(bits.iter().map(u8::from).collect()))
}

/// Makes a bit of each byte.
pub(crate) fn into_bits(column: &Plain<bool>) -> BooleanBuffer {
    BooleanBuffer::collect_bool(column.len(), |row| column.0[row] != 0)
}
