//! A hash of what a table says: every value, every null, in order.
//!
//! Law: it depends on the rows alone, not on how they lie in memory: not on slicing, on what stands under nulls,
//! or on the order of a dictionary. It is the same in every process of one build, and guards against accidents,
//! not against malice.

use arrow::array::types::ArrowPrimitiveType;
use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray, RecordBatch, downcast_primitive_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, ToByteSlice};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use std::hash::{DefaultHasher, Hasher};

/// The hash of a batch.
pub(super) fn of(batch: &RecordBatch) -> Result<u64, ArrowError> {
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(batch.num_rows());
    for array in batch.columns() {
        column(&mut hasher, array)?;
    }
    Ok(hasher.finish())
}

/// Adds a frame to a checksum of all frames before it.
pub(super) fn fold(checksum: u64, sequence: u64, content: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(checksum);
    hasher.write_u64(sequence);
    hasher.write_u64(content);
    hasher.finish()
}

fn column(hasher: &mut DefaultHasher, array: &ArrayRef) -> Result<(), ArrowError> {
    hasher.write_usize(array.null_count());
    if let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) {
        bits(hasher, nulls.inner());
    }
    match array.data_type() {
        DataType::Null => {}
        DataType::Boolean => {
            for value in array.as_boolean() {
                hasher.write_u8(value.map_or(2, u8::from));
            }
        }
        DataType::Utf8 => strings(hasher, array.as_string::<i32>().iter().map(|s| s.map(str::as_bytes))),
        DataType::LargeUtf8 => strings(hasher, array.as_string::<i64>().iter().map(|s| s.map(str::as_bytes))),
        DataType::Utf8View => strings(hasher, array.as_string_view().iter().map(|s| s.map(str::as_bytes))),
        DataType::Binary => strings(hasher, array.as_binary::<i32>().iter()),
        DataType::LargeBinary => strings(hasher, array.as_binary::<i64>().iter()),
        DataType::BinaryView => strings(hasher, array.as_binary_view().iter()),
        DataType::FixedSizeBinary(_) => strings(hasher, array.as_fixed_size_binary().iter()),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            column(hasher, &take(dictionary.values(), dictionary.keys(), None)?)?;
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().try_for_each(|child| column(hasher, child))?;
        }
        _ => {
            let array = array.as_ref();
            downcast_primitive_array!(
                array => primitives(hasher, array),
                _ => rows(hasher, array)?
            );
        }
    }
    Ok(())
}

fn primitives<T: ArrowPrimitiveType>(hasher: &mut DefaultHasher, array: &PrimitiveArray<T>)
where
    T::Native: ArrowNativeTypeOp,
{
    if array.null_count() == 0 {
        return hasher.write(array.values().to_byte_slice());
    }
    for value in array.iter().flatten() {
        hasher.write(value.to_byte_slice());
    }
}

fn strings<'a>(hasher: &mut DefaultHasher, values: impl Iterator<Item = Option<&'a [u8]>>) {
    for value in values.flatten() {
        hasher.write_usize(value.len());
        hasher.write(value);
    }
}

fn bits(hasher: &mut DefaultHasher, bits: &BooleanBuffer) {
    for word in bits.bit_chunks().iter_padded() {
        hasher.write_u64(word);
    }
}

/// Lists, maps, unions, runs: by Arrow's row format, in which equal rows are equal bytes.
fn rows(hasher: &mut DefaultHasher, array: &dyn Array) -> Result<(), ArrowError> {
    let converter = RowConverter::new(vec![SortField::new(array.data_type().clone())])?;
    let rows = converter.convert_columns(&[arrow::array::make_array(array.to_data())])?;
    for row in &rows {
        hasher.write_usize(row.as_ref().len());
        hasher.write(row.as_ref());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Int8Array, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::{Int8Type, Int64Type};
    use std::sync::Arc;

    fn hash(array: impl Array + 'static) -> u64 {
        let batch = RecordBatch::try_from_iter_with_nullable([("x", Arc::new(array) as ArrayRef, true)]);
        of(&batch.expect("one column")).expect("hashable")
    }

    #[test]
    fn every_value_every_null_and_their_order_count() {
        let base = hash(Int64Array::from(vec![Some(1), None, Some(0)]));
        assert_eq!(base, hash(Int64Array::from(vec![Some(1), None, Some(0)])));
        assert_ne!(base, hash(Int64Array::from(vec![Some(1), Some(0), None])));
        assert_ne!(base, hash(Int64Array::from(vec![Some(1), Some(0), Some(0)])));
        assert_ne!(
            hash(StringViewArray::from(vec!["a", "bc"])),
            hash(StringViewArray::from(vec!["ab", "c"]))
        );
        let long = "longer than a view holds inline";
        assert_ne!(hash(StringViewArray::from(vec![long])), hash(StringViewArray::from(vec![&long[1..]])));
    }

    #[test]
    fn how_rows_lie_in_memory_does_not() {
        let array = Int64Array::from(vec![Some(9), None, Some(1), Some(2), None]);
        assert_eq!(hash(array.slice(1, 3)), hash(Int64Array::from(vec![None, Some(1), Some(2)])));
        let dictionary = |keys: Vec<i8>, values: Vec<&str>| {
            let values = Arc::new(StringArray::from(values));
            hash(DictionaryArray::<Int8Type>::try_new(Int8Array::from(keys), values).expect("keys in range"))
        };
        assert_eq!(dictionary(vec![0, 1, 0], vec!["q", "t"]), dictionary(vec![2, 0, 2], vec!["t", "-", "q"]));
        assert_ne!(dictionary(vec![0, 1, 0], vec!["q", "t"]), dictionary(vec![0, 1, 1], vec!["q", "t"]));
    }

    #[test]
    fn lists_count() {
        let list = |rows: Vec<Option<Vec<Option<i64>>>>| {
            hash(ListArray::from_iter_primitive::<Int64Type, _, _>(rows))
        };
        assert_ne!(
            list(vec![Some(vec![Some(1)]), Some(vec![Some(2)])]),
            list(vec![Some(vec![Some(1), Some(2)]), Some(vec![])])
        );
    }

    #[test]
    fn a_checksum_depends_on_the_order_of_frames() {
        assert_ne!(fold(fold(0, 0, 1), 1, 2), fold(fold(0, 0, 2), 1, 1));
    }
}
