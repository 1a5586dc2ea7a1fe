//! Where tables enter and leave a circuit: as record batches with a column of weights.
//!
//! ```text
//!   handle.append(table) ──▶ [ input ] ──▶ Δ ──▶ … ──▶ [ output ] ──▶ handle.take()
//! ```
//!
//! | step | appended | `take()` of the same table after it |
//! |---|---|---|
//! | 0 | {ES}, {NQ} | {ES} → +1, {NQ} → +1 |
//! | 1 | {ES} with weight −1 | {ES} → −1 |

use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::{Table, beside, refused};
use crate::arrow::{read_weights, write_weights};
use crate::circuit::RootCircuit;
use crate::column::Units;
use crate::dynamic::compound::plain;
use crate::dynamic::{Row, Rows, table};
use crate::error::Error;
use crate::operator::{OutputHandle, ZSetHandle};
use crate::trace::Batch;

/// The column of the weights.
const WEIGHT: &str = "weight";

fn with_weights(schema: &Schema) -> Result<SchemaRef, Error> {
    beside(&[schema, &Schema::new(vec![Field::new(WEIGHT, DataType::Int64, false)])])
}

/// Changes a table that enters a circuit, as a [`ZSetHandle`] does.
#[derive(Clone, Debug)]
pub struct TableHandle {
    rows: ZSetHandle<Row>,
    schema: SchemaRef,
}

impl TableHandle {
    /// Adds the rows of a record batch as often as its column `weight` says, or once if it has none; columns are found by
    /// name, and not copied but for what [rows](crate::dynamic) cannot share. A column may come with a dictionary or
    /// without, whichever of the two its field has.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`]; [`Error::ColumnType`]; [`Error::Nulls`] if there are any in a column whose field has none.
    /// Then none of the rows are added.
    pub fn append(&self, change: &RecordBatch) -> Result<(), Error> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let name = field.name();
            let Some(array) = change.column_by_name(name) else {
                let present: Vec<_> =
                    change.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
                return Err(Error::MissingColumn { column: name.clone(), present: present.join(", ") });
            };
            if plain(array.data_type()) != plain(field.data_type()) {
                let (expected, got) = (field.data_type().to_string(), array.data_type().to_string());
                return Err(Error::ColumnType { column: name.clone(), expected, got });
            }
            let nulls = array.logical_null_count();
            if !field.is_nullable() && nulls > 0 {
                return Err(Error::Nulls { column: name.clone(), nulls });
            }
            columns.push(table::of_array(name, array)?);
        }
        let weights = read_weights(change, WEIGHT)?;
        let rows = Rows::new(self.schema.clone(), columns, change.num_rows());
        self.rows.append(Batch::from_columns(rows, Units::new(weights.len()), weights));
        Ok(())
    }

    /// Returns the schema of the rows, without weights.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

/// Takes the change of a table out of a circuit, as an [`OutputHandle`] does.
#[derive(Clone, Debug)]
pub struct TableOutput {
    rows: OutputHandle<Row>,
    unweighted: SchemaRef,
    schema: SchemaRef,
}

impl TableOutput {
    /// Takes the change since the last time, consolidated, with the weights as the last column.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnType`] if there are more than 2 GiB of text in a column of `Utf8`.
    pub fn take(&self) -> Result<RecordBatch, Error> {
        let (rows, _, weights) = self.rows.take().into_columns();
        let table = rows.into_record_batch(&self.unweighted)?;
        let weights = write_weights(weights, true).expect("weights were asked for");
        let arrays = table.columns().iter().cloned().chain([weights]).collect();
        Ok(RecordBatch::try_new(self.schema.clone(), arrays).expect("each row has a weight"))
    }

    /// Returns the schema of what is taken, weights included.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl RootCircuit {
    /// Adds an input of a table of this schema.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if rows cannot be of this schema, or it has a column `weight`.
    pub fn add_input_table(&self, schema: &SchemaRef) -> Result<(Table<Self>, TableHandle), Error> {
        with_weights(schema)?;
        table::check(schema).map_err(|error| refused(&error))?;
        let (stream, rows) = self.add_input_zset::<Row>();
        Ok((Table { stream, schema: schema.clone() }, TableHandle { rows, schema: Arc::clone(schema) }))
    }
}

impl Table<RootCircuit> {
    /// Returns a handle that takes out of the circuit how the table changes.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if a column is called `weight`.
    pub fn output(&self) -> Result<TableOutput, Error> {
        let schema = with_weights(&self.schema)?;
        Ok(TableOutput { rows: self.stream.output(), unweighted: self.schema.clone(), schema })
    }
}
