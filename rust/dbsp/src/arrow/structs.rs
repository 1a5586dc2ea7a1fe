//! Tuples and structs: Arrow's structs.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StructArray, cast::AsArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};

use super::{ArrowColumn, ArrowValues, ColumnName};
use crate::column::*;
use crate::error::Error;

/// The fields of a struct array, to be read by name. What `derive(Data)` makes calls this.
#[derive(Debug)]
pub struct Members<'a> {
    of: &'a StructArray,
    column: ColumnName<'a>,
    there: Option<&'a NullBuffer>,
}

impl<'a> Members<'a> {
    /// Looks into an array that is to be of this type.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnType`] if it is no struct.
    pub fn of(
        array: &'a ArrayRef,
        column: ColumnName<'a>,
        there: Option<&'a NullBuffer>,
        expected: fn() -> DataType,
    ) -> Result<Self, Error> {
        match array.as_struct_opt() {
            Some(of) => Ok(Self { of, column, there }),
            None => Err(column.mismatch(expected(), array.data_type())),
        }
    }

    /// Makes a column of a field.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`], and what is wrong with it.
    pub fn get<C: ArrowColumn>(&self, name: &str) -> Result<C, Error> {
        let column = self.column.field(name);
        let Some(array) = self.of.column_by_name(name) else {
            let present = self.of.column_names().join(", ");
            return Err(Error::MissingColumn { column: column.to_string(), present });
        };
        C::of_array(array, column, self.there)
    }
}

/// Returns the type of structs of these fields. What `derive(Data)` makes calls this.
#[must_use]
pub fn struct_type(fields: impl IntoIterator<Item = Field>) -> DataType {
    DataType::Struct(fields.into_iter().collect())
}

/// Makes a struct array of so many rows. What `derive(Data)` makes calls this.
///
/// # Panics
///
/// If the arrays are not of these fields, or not of this length.
#[must_use]
pub fn struct_of(
    of: DataType,
    arrays: impl IntoIterator<Item = ArrayRef>,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let DataType::Struct(fields) = of else { panic!("the array of a struct has a struct's type, not {of}") };
    let made = StructArray::try_new_with_length(fields, arrays.into_iter().collect(), nulls, rows);
    Arc::new(made.expect("a column for each field has its type and the length of all"))
}

impl ArrowValues for Units {
    fn data_type() -> DataType {
        DataType::Struct(Fields::empty())
    }
    fn of_values(
        array: &ArrayRef,
        column: ColumnName<'_>,
        there: Option<&NullBuffer>,
    ) -> Result<Self, Error> {
        Members::of(array, column, there, Self::data_type).map(|_| Self::new(array.len()))
    }
    fn into_values(self, nulls: Option<NullBuffer>) -> ArrayRef {
        struct_of(Self::data_type(), [], self.len(), nulls)
    }
}

macro_rules! tuples {
    ($columns:ident, $($name:ident $index:tt),+) => {
        impl<$($name: Data),+> ArrowValues for $columns<$($name),+>
        where
            $($name::Column: ArrowColumn),+
        {
            fn data_type() -> DataType {
                struct_type([$(<$name::Column>::field(stringify!($index))),+])
            }
            fn of_values(array: &ArrayRef, column: ColumnName<'_>, there: Option<&NullBuffer>) -> Result<Self, Error> {
                let members = Members::of(array, column, there, Self::data_type)?;
                Ok(Self($(members.get(stringify!($index))?),+))
            }
            fn into_values(self, nulls: Option<NullBuffer>) -> ArrayRef {
                let rows = self.len();
                struct_of(Self::data_type(), [$(self.$index.into_array()),+], rows, nulls)
            }
        }
    };
}

tuples!(Columns1, A 0);
tuples!(Columns2, A 0, B 1);
tuples!(Columns3, A 0, B 1, C 2);
tuples!(Columns4, A 0, B 1, C 2, D 3);
tuples!(Columns5, A 0, B 1, C 2, D 3, E 4);
tuples!(Columns6, A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(Columns7, A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(Columns8, A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(Columns9, A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(Columns10, A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
