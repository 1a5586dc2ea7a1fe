//! What may be missing: validity.

use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::Field;

use super::plain::{into_bits, of_bits};
use super::{ArrowColumn, ArrowValues, ColumnName};
use crate::column::{Data, Options, Plain, Values};
use crate::error::Error;

impl<T: Data> ArrowColumn for Options<T>
where
    T::Column: ArrowValues,
{
    fn field(name: &str) -> Field {
        Field::new(name, <T::Column>::data_type(), true)
    }

    fn of_array(array: &ArrayRef, column: ColumnName<'_>, there: Option<&NullBuffer>) -> Result<Self, Error> {
        let nulls = array.logical_nulls();
        let values =
            <T::Column>::of_values(array, column, NullBuffer::union(nulls.as_ref(), there).as_ref())?;
        let there = match nulls {
            Some(nulls) => of_bits(nulls.inner()),
            None => Plain(Values::Owned(vec![1; array.len()])),
        };
        Ok(Self::of_parts(there, values))
    }

    fn into_array(self) -> ArrayRef {
        let (there, values) = self.into_parts();
        let nulls = NullBuffer::new(into_bits(&there));
        values.into_values(Some(nulls).filter(|nulls| nulls.null_count() > 0))
    }
}
