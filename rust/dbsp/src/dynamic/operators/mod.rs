//! Operators on tables whose schema is known at run time: the engine's own, told by column names, and evaluated by
//! kernels over whole columns. Names are those of the static operators, with `_kernel` where a function of record batches
//! takes the place of one of rows, and `_by` or `_on` where columns are named. A schema that does not fit is an error
//! when the circuit is described.

mod aggregate;
mod ends;
mod join;
mod kernels;

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::compound::plain;
use super::{Row, table};
use crate::circuit::{Circuit, Stream};
use crate::error::Error;
use crate::trace::Batch;

pub use aggregate::Aggregate;
pub use ends::{TableHandle, TableOutput};

/// The change of a table in each step: a stream of rows, and their schema.
#[derive(Clone)]
pub struct Table<C> {
    stream: Stream<C, Batch<Row>>,
    schema: SchemaRef,
}

/// The change of an indexed table in each step: rows under keys, and the schemas of both.
#[derive(Clone)]
pub struct IndexedTable<C> {
    stream: Stream<C, Batch<Row, Row>>,
    key: SchemaRef,
    val: SchemaRef,
}

/// Says what is wrong with the circuit that is described.
fn refused(error: &Error) -> Error {
    Error::Circuit(error.to_string())
}

/// Says why an operator cannot go on.
fn failed(message: impl ToString) -> Error {
    Error::Operator { worker: 0, operator: String::new(), message: message.to_string() }
}

/// Finds columns by their names.
fn places(schema: &Schema, names: &[&str]) -> Result<Vec<usize>, Error> {
    names.iter().map(|name| place(schema, name)).collect()
}

fn place(schema: &Schema, name: &str) -> Result<usize, Error> {
    schema.column_with_name(name).map(|(place, _)| place).ok_or_else(|| {
        let present: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        refused(&Error::MissingColumn { column: name.to_owned(), present: present.join(", ") })
    })
}

fn project(schema: &Schema, places: &[usize]) -> SchemaRef {
    Arc::new(Schema::new(places.iter().map(|&place| schema.field(place).clone()).collect::<Vec<_>>()))
}

/// Returns the schema of the columns of all of these, each of its own name.
fn beside(schemas: &[&Schema]) -> Result<SchemaRef, Error> {
    let fields: Vec<_> = schemas.iter().flat_map(|schema| schema.fields().iter().cloned()).collect();
    let mut names = HashSet::new();
    match fields.iter().find(|field| !names.insert(field.name())) {
        Some(field) => {
            Err(refused(&Error::ColumnNames(format!("two columns would be called {}", field.name()))))
        }
        None => Ok(Arc::new(Schema::new(fields))),
    }
}

/// Whether values of two types can be compared: all that holds text is text, all that holds bytes is bytes, and a
/// dictionary is what is in it.
fn alike(one: &DataType, other: &DataType) -> bool {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    match (plain(one), plain(other)) {
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        (Binary | LargeBinary | BinaryView, Binary | LargeBinary | BinaryView) => true,
        (one, other) => one == other,
    }
}

/// Refuses columns that cannot be compared, one by one.
fn comparable(one: &Schema, other: &Schema) -> Result<(), Error> {
    if one.fields().len() != other.fields().len() {
        let (one, other) = (one.fields().len(), other.fields().len());
        return Err(Error::Circuit(format!("{one} columns meet {other}; name as many on both sides")));
    }
    for (one, other) in one.fields().iter().zip(other.fields()) {
        if !alike(one.data_type(), other.data_type()) {
            return Err(Error::Circuit(format!(
                "column {} is {} and meets column {}, which is {}; cast one of them first",
                one.name(),
                one.data_type(),
                other.name(),
                other.data_type()
            )));
        }
    }
    Ok(())
}

/// Returns the schema of rows of either schema.
fn either(one: &Schema, other: &Schema) -> Result<SchemaRef, Error> {
    comparable(one, other)?;
    let mut fields = Vec::new();
    for (one, other) in one.fields().iter().zip(other.fields()) {
        if one.name() != other.name() {
            let (one, other) = (one.name(), other.name());
            return Err(Error::Circuit(format!(
                "column {one} is to be added to column {other}; rename one of them"
            )));
        }
        fields.push(one.as_ref().clone().with_nullable(one.is_nullable() || other.is_nullable()));
    }
    Ok(Arc::new(Schema::new(fields)))
}

impl<C: Circuit> Table<C> {
    /// Says of which schema the rows of a stream are.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if rows cannot be of such a schema.
    pub fn new(stream: Stream<C, Batch<Row>>, schema: &SchemaRef) -> Result<Self, Error> {
        table::check(schema).map_err(|error| refused(&error))?;
        Ok(Self { stream, schema: schema.clone() })
    }

    /// Returns the schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the stream, for operators that take any rows.
    #[must_use]
    pub fn stream(&self) -> &Stream<C, Batch<Row>> {
        &self.stream
    }

    /// Gives the columns other names.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if there are more or fewer of them, or two are the same.
    pub fn rename(&self, names: &[&str]) -> Result<Self, Error> {
        let fields = self.schema.fields();
        if names.len() != fields.len() {
            let (given, needed) = (names.len(), fields.len());
            return Err(Error::Circuit(format!(
                "{given} names are given for {needed} columns; name each column once"
            )));
        }
        let renamed: Vec<Field> =
            fields.iter().zip(names).map(|(field, name)| field.as_ref().clone().with_name(*name)).collect();
        Ok(Self { stream: self.stream.clone(), schema: beside(&[&Schema::new(renamed)])? })
    }

    /// Keeps each row once if its weight is positive.
    #[must_use]
    pub fn distinct(&self) -> Self {
        Self { stream: self.stream.distinct(), schema: self.schema.clone() }
    }

    /// Adds a table of the same columns.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if its columns are others.
    pub fn plus(&self, other: &Self) -> Result<Self, Error> {
        Ok(Self { schema: either(&self.schema, &other.schema)?, stream: self.stream.plus(&other.stream) })
    }

    /// Subtracts a table of the same columns.
    ///
    /// # Errors
    ///
    /// As [`plus`](Table::plus).
    pub fn minus(&self, other: &Self) -> Result<Self, Error> {
        Ok(Self { schema: either(&self.schema, &other.schema)?, stream: self.stream.minus(&other.stream) })
    }

    /// Negates.
    #[must_use]
    pub fn neg(&self) -> Self {
        Self { stream: self.stream.neg(), schema: self.schema.clone() }
    }
}

impl<C: Circuit> IndexedTable<C> {
    /// Says of which schemas the keys and the values of a stream are.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if rows cannot be of such schemas.
    pub fn new(stream: Stream<C, Batch<Row, Row>>, key: &SchemaRef, val: &SchemaRef) -> Result<Self, Error> {
        table::check(&*beside(&[key, val])?).map_err(|error| refused(&error))?;
        Ok(Self { stream, key: key.clone(), val: val.clone() })
    }

    /// Returns the schema of the keys.
    #[must_use]
    pub fn key_schema(&self) -> &SchemaRef {
        &self.key
    }

    /// Returns the schema of the values.
    #[must_use]
    pub fn val_schema(&self) -> &SchemaRef {
        &self.val
    }

    /// Returns the stream, for operators that take any rows.
    #[must_use]
    pub fn stream(&self) -> &Stream<C, Batch<Row, Row>> {
        &self.stream
    }

    /// Keeps each row once if its weight is positive.
    #[must_use]
    pub fn distinct(&self) -> Self {
        Self { stream: self.stream.distinct(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
