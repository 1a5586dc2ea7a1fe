//! Batches as record batches: which column is what.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StructArray, cast::AsArray};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::take::take;

use super::{ArrowColumn, ColumnName};
use crate::column::{Column, Data, Plain, Values};
use crate::error::Error;
use crate::trace::{Batch, Weights};

/// Which columns of a record batch are the keys, the values and the weights of a batch.
///
/// Unless they are named otherwise, a struct's fields are columns of their names, a tuple's components are `key0`, `key1`
/// and so on, or `value0`, and any other key or value is the column `key` or `value`; weights are `weight`. Columns that
/// are none of these are not looked at.
#[derive(Clone, Debug)]
pub struct Layout<K: Data, V: Data = ()> {
    keys: Vec<String>,
    vals: Vec<String>,
    weight: String,
    always: bool,
    of: PhantomData<fn(K, V)>,
}

impl<K: Data, V: Data> Default for Layout<K, V>
where
    K::Column: ArrowColumn,
    V::Column: ArrowColumn,
{
    fn default() -> Self {
        Self {
            keys: names::<K::Column>("key"),
            vals: names::<V::Column>("value"),
            weight: "weight".to_owned(),
            always: false,
            of: PhantomData,
        }
    }
}

/// Returns the fields that become columns of their own, if it is a struct.
fn parts<C: ArrowColumn>() -> Option<Vec<String>> {
    let field = C::field("");
    match field.data_type() {
        DataType::Struct(fields) if !field.is_nullable() => {
            Some(fields.iter().map(|field| field.name().clone()).collect())
        }
        _ => None,
    }
}

fn names<C: ArrowColumn>(single: &str) -> Vec<String> {
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let named = |name: String| if is_number(&name) { format!("{single}{name}") } else { name };
    match parts::<C>() {
        Some(parts) => parts.into_iter().map(named).collect(),
        None => vec![single.to_owned()],
    }
}

impl<K: Data, V: Data> Layout<K, V>
where
    K::Column: ArrowColumn,
    V::Column: ArrowColumn,
{
    /// Makes the layout that every batch has unless something else is said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the columns of the keys.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnNames`] if there are more or fewer of them.
    pub fn keys<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        rename(&mut self.keys, names)?;
        Ok(self)
    }

    /// Names the columns of the values.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnNames`] if there are more or fewer of them.
    pub fn vals<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        rename(&mut self.vals, names)?;
        Ok(self)
    }

    /// Names the column of the weights.
    #[must_use]
    pub fn weight(mut self, name: impl Into<String>) -> Self {
        self.weight = name.into();
        self
    }

    /// Writes weights also if all are 1.
    #[must_use]
    pub fn always_weights(mut self) -> Self {
        self.always = true;
        self
    }

    /// Makes a batch of a record batch: of numbers without copying them, of columns with a dictionary by decoding them.
    /// Without weights each row is there once.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`]; [`Error::ColumnType`] and [`Error::Nulls`], which name the column.
    pub fn read(&self, table: &RecordBatch) -> Result<Batch<K, V>, Error> {
        let keys = read::<K::Column>(table, &self.keys)?;
        let vals = read::<V::Column>(table, &self.vals)?;
        Ok(Batch::from_columns(keys, vals, read_weights(table, &self.weight)?))
    }

    /// Makes a record batch of a batch: of numbers without copying them. Weights are a column unless all are 1.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnNames`] if two columns would have one name.
    pub fn write(&self, batch: Batch<K, V>) -> Result<RecordBatch, Error> {
        let rows = batch.len();
        let (keys, vals, weights) = batch.into_columns();
        let mut columns = Vec::with_capacity(self.keys.len() + self.vals.len() + 1);
        write(keys, &self.keys, &mut columns);
        write(vals, &self.vals, &mut columns);
        if let Some(weights) = write_weights(weights, self.always) {
            columns.push((Field::new(&self.weight, DataType::Int64, false), weights));
        }
        table_of(columns, rows)
    }
}

impl<K: Data, V: Data> Batch<K, V>
where
    K::Column: ArrowColumn,
    V::Column: ArrowColumn,
{
    /// Makes a batch of a record batch of the usual [layout](Layout): of numbers without copying them.
    ///
    /// # Errors
    ///
    /// As [`Layout::read`].
    pub fn from_record_batch(table: &RecordBatch) -> Result<Self, Error> {
        Layout::new().read(table)
    }

    /// Makes a record batch of the usual [layout](Layout): of numbers without copying them.
    ///
    /// # Errors
    ///
    /// As [`Layout::write`].
    pub fn into_record_batch(self) -> Result<RecordBatch, Error> {
        Layout::new().write(self)
    }
}

fn rename<S: Into<String>>(names: &mut Vec<String>, new: impl IntoIterator<Item = S>) -> Result<(), Error> {
    let new: Vec<String> = new.into_iter().map(Into::into).collect();
    if new.len() != names.len() {
        let (given, needed) = (new.len(), names.len());
        return Err(Error::ColumnNames(format!(
            "{given} names are given for {needed} columns ({})",
            names.join(", ")
        )));
    }
    *names = new;
    Ok(())
}

fn column(table: &RecordBatch, name: &str) -> Result<ArrayRef, Error> {
    let column = table.column_by_name(name).ok_or_else(|| {
        let present =
            table.schema_ref().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
        Error::MissingColumn { column: name.to_owned(), present: present.join(", ") }
    })?;
    decoded(name, column)
}

/// Returns the values of a column that has a dictionary; any other column as it is.
pub(crate) fn decoded(name: &str, column: &ArrayRef) -> Result<ArrayRef, Error> {
    let Some(coded) = column.as_any_dictionary_opt() else { return Ok(column.clone()) };
    take(coded.values(), coded.keys(), None).map_err(|error| Error::ColumnType {
        column: name.to_owned(),
        expected: format!("a dictionary that can be decoded ({error})"),
        got: column.data_type().to_string(),
    })
}

fn read<C: ArrowColumn>(table: &RecordBatch, names: &[String]) -> Result<C, Error> {
    let Some(parts) = parts::<C>() else {
        return C::of_array(&column(table, &names[0])?, ColumnName::new(&names[0]), None);
    };
    let arrays = names.iter().map(|name| column(table, name)).collect::<Result<Vec<_>, _>>()?;
    let as_named = |(name, array): (&String, &ArrayRef)| Field::new(name, array.data_type().clone(), true);
    let fields: Vec<Field> = parts.iter().zip(&arrays).map(as_named).collect();
    let rows = StructArray::try_new_with_length(fields.into(), arrays, None, table.num_rows());
    let rows: ArrayRef = Arc::new(rows.expect("columns of one table have one length"));
    C::of_array(&rows, ColumnName::table(&parts, names), None)
}

fn write<C: ArrowColumn>(column: C, names: &[String], columns: &mut Vec<(Field, ArrayRef)>) {
    let field = C::field("");
    let array = column.into_array();
    let DataType::Struct(fields) = field.data_type() else {
        columns.push((field.with_name(&names[0]), array));
        return;
    };
    if field.is_nullable() {
        columns.push((field.with_name(&names[0]), array));
        return;
    }
    let parts = fields.iter().zip(array.as_struct().columns()).zip(names);
    columns
        .extend(parts.map(|((field, array), name)| (field.as_ref().clone().with_name(name), array.clone())));
}

/// Returns the weights of a table's rows: all 1 if it has no such column.
pub(crate) fn read_weights(table: &RecordBatch, name: &str) -> Result<Weights, Error> {
    let Some(array) = table.column_by_name(name) else {
        return Ok(Weights::Ones(table.num_rows()));
    };
    let weights = <Plain<i64>>::of_array(array, ColumnName::new(name), None)?;
    if weights.0.iter().all(|&weight| weight == 1) {
        return Ok(Weights::Ones(weights.len()));
    }
    Ok(Weights::Each(weights.0.to_vec()))
}

/// Returns the weights as an array, unless all are 1 and nobody asks.
pub(crate) fn write_weights(mut weights: Weights, always: bool) -> Option<ArrayRef> {
    weights.shrink();
    match weights {
        Weights::Ones(_) if !always => None,
        Weights::Ones(rows) => Some(Arc::new(Int64Array::from(vec![1; rows]))),
        Weights::Each(weights) => Some(Plain::<i64>(Values::Owned(weights)).into_array()),
    }
}

/// Makes a record batch of columns, each of its own name.
pub(crate) fn table_of(columns: Vec<(Field, ArrayRef)>, rows: usize) -> Result<RecordBatch, Error> {
    for (place, (field, _)) in columns.iter().enumerate() {
        if columns[..place].iter().any(|(other, _)| other.name() == field.name()) {
            return Err(Error::ColumnNames(format!("two columns would be called {}", field.name())));
        }
    }
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let table = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
    Ok(table.expect("columns of a batch have one length, and the type of their fields"))
}
