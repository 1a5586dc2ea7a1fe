//! Columns that are made of columns, as arrays: structs, lists, and columns with a dictionary.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, FixedSizeListArray, GenericListArray, OffsetSizeTrait, PrimitiveArray,
    StructArray, downcast_integer,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema};

use super::table::{into_array, of_array};
use super::{Cells, DynColumn, Lists, Rows};
use crate::column::{Column, Plain, Values};
use crate::error::Error;

/// Makes a column of structs.
pub(super) fn of_structs(name: &str, fields: &Fields, array: &ArrayRef) -> Result<Cells, Error> {
    let arrays = fields.iter().zip(array.as_struct().columns());
    let columns = arrays.map(|(field, array)| of_array(&inside(name, field), array));
    let schema = Arc::new(Schema::new(fields.clone()));
    Ok(Cells::Struct(Rows::new(schema, columns.collect::<Result<_, _>>()?, array.len())))
}

/// Makes an array of structs.
pub(super) fn into_structs(
    name: &str,
    fields: &Fields,
    rows: Rows,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, Error> {
    let length = rows.len();
    let columns = fields.iter().zip(rows.into_columns());
    let arrays = columns.map(|(field, column)| into_array(&inside(name, field), field.data_type(), column));
    let arrays = arrays.collect::<Result<_, _>>()?;
    match StructArray::try_new_with_length(fields.clone(), arrays, nulls, length) {
        Ok(array) => Ok(Arc::new(array)),
        Err(error) => Err(unfit(name, &error)),
    }
}

/// Makes a column of lists, of which the one of each row ends where `ends` says, and the first begins at `start`.
pub(super) fn of_lists(
    name: &str,
    item: &FieldRef,
    values: &ArrayRef,
    start: usize,
    ends: impl Iterator<Item = usize>,
) -> Result<Cells, Error> {
    let ends: Vec<i64> = ends.map(|end| (end - start) as i64).collect();
    let values = values.slice(start, ends.last().map_or(0, |&end| end as usize));
    let column = of_array(&inside(name, item), &values)?;
    let rows = Rows::new(Arc::new(Schema::new(vec![item.clone()])), vec![column], values.len());
    Ok(Cells::List(Lists::new(Plain(Values::Owned(ends)), rows)))
}

/// Makes an array of lists.
pub(super) fn into_lists<O: OffsetSizeTrait>(
    name: &str,
    item: &FieldRef,
    lists: Lists,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, Error> {
    let (ends, values) = lists.into_parts();
    let values = values_of(name, item, values)?;
    let too_many = || Error::ColumnType {
        column: name.to_owned(),
        expected: "of less than 2^31 values in one batch".to_owned(),
        got: format!("of {}", values.len()),
    };
    let offsets = [0].into_iter().chain(ends.iter().map(|end| end as usize));
    let offsets =
        offsets.map(|end| O::from_usize(end).ok_or_else(too_many)).collect::<Result<Vec<_>, _>>()?;
    match GenericListArray::<O>::try_new(item.clone(), OffsetBuffer::new(offsets.into()), values, nulls) {
        Ok(array) => Ok(Arc::new(array)),
        Err(error) => Err(unfit(name, &error)),
    }
}

/// Makes an array of lists of one size. A list that is missing has room all the same.
pub(super) fn into_lists_of_size(
    name: &str,
    (item, size): (&FieldRef, i32),
    lists: Lists,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, Error> {
    let (rows, length) = (lists.len(), usize::try_from(size).unwrap_or(0));
    let lists = if (0..rows).all(|row| lists.places(row).len() == length) {
        lists
    } else {
        let mut padded = lists.like();
        for row in 0..rows {
            padded.push(lists.get(row));
            padded.pad(lists.places(row).len()..length);
        }
        padded
    };
    let values = values_of(name, item, lists.into_parts().1)?;
    match FixedSizeListArray::try_new_with_length(item.clone(), size, values, nulls, rows) {
        Ok(array) => Ok(Arc::new(array)),
        Err(error) => Err(unfit(name, &error)),
    }
}

/// Makes an array of the values of lists; of lists of a type that no row has come of there is no column.
fn values_of(name: &str, item: &FieldRef, values: Option<DynColumn>) -> Result<ArrayRef, Error> {
    match values {
        Some(values) => into_array(&inside(name, item), item.data_type(), values),
        None => Ok(arrow_array::new_empty_array(item.data_type())),
    }
}

/// Gives a column a dictionary: each of its values once, in the order in which they come.
pub(super) fn into_coded(
    name: &str,
    (key, value): (&DataType, &DataType),
    column: DynColumn,
) -> Result<ArrayRef, Error> {
    let (mut coded, mut first): (HashMap<u64, Vec<u32>>, Vec<u32>) = Default::default();
    let mut codes: Vec<Option<u32>> = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        if !column.is_there(row) {
            codes.push(None);
            continue;
        }
        let alike = coded.entry(column.hash(row)).or_default();
        let known = alike.iter().find(|&&code| column.same(first[code as usize] as usize, &column, row));
        codes.push(Some(known.copied().unwrap_or_else(|| {
            let code = first.len() as u32;
            alike.push(code);
            first.push(row as u32);
            code
        })));
    }
    let mut values = column.like();
    values.extend_rows(&column, &first);
    let values = into_array(name, value, values)?;
    macro_rules! with_keys {
        ($key:ty) => {{
            let code = |code: u32| <$key as ArrowPrimitiveType>::Native::try_from(code);
            let codes = codes.into_iter().map(|number| number.map(code).transpose());
            let codes: PrimitiveArray<$key> =
                codes.collect::<Result<_, _>>().map_err(|_| Error::ColumnType {
                    column: name.to_owned(),
                    expected: format!("of as few values in one batch as {key} can number"),
                    got: format!("of {}", values.len()),
                })?;
            match DictionaryArray::try_new(codes, values) {
                Ok(array) => Ok(Arc::new(array) as ArrayRef),
                Err(error) => Err(unfit(name, &error)),
            }
        }};
    }
    downcast_integer! {
        key => (with_keys),
        _ => unreachable!("the keys of a dictionary are integers"),
    }
}

/// Returns the type of a column's values: that of its dictionary's, if it has one.
pub(super) fn plain(of: &DataType) -> &DataType {
    match of {
        DataType::Dictionary(_, values) => plain(values),
        of => of,
    }
}

/// Names what is in a column.
fn inside(name: &str, field: &Field) -> String {
    format!("{name}.{}", field.name())
}

/// Says why parts do not make an array of the type that they are to have.
fn unfit(name: &str, error: &ArrowError) -> Error {
    Error::ColumnType {
        column: name.to_owned(),
        expected: "as its schema says".to_owned(),
        got: format!("not ({error})"),
    }
}
