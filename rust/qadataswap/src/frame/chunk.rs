//! What an encoder writes: batches of this program's arrays, or batches that came as C structs.

use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use std::sync::Arc;

use super::plan::Plan;
use super::sink::Sink;
use super::{FrameError, foreign, walk};
use crate::ffi;

/// One batch of a table.
pub(crate) trait Chunk {
    /// The values of a dictionary.
    type Values<'a>: Copy
    where
        Self: 'a;

    /// Number of rows.
    fn rows(&self) -> Result<usize, FrameError>;
    /// Whether it is of `schema`, as far as it does not show when it is told.
    fn fits(&self, plan: &Plan, schema: &SchemaRef) -> Result<(), FrameError>;
    /// Tells `sink` about its columns.
    fn tell<S: Sink>(&self, plan: &Plan, schema: &Schema, sink: &mut S) -> Result<(), FrameError>;
    /// Visits its dictionaries, inner before outer, with the number each has in the plan.
    fn dictionaries<'a>(
        &'a self,
        plan: &'a Plan,
        schema: &Schema,
        visit: &mut impl FnMut(usize, Self::Values<'a>) -> Result<(), FrameError>,
    ) -> Result<(), FrameError>;
    /// Number of rows of a dictionary.
    fn values_rows(values: Self::Values<'_>) -> usize;
    /// Tells `sink` about a dictionary.
    fn tell_values<S: Sink>(values: Self::Values<'_>, sink: &mut S) -> Result<(), FrameError>;
    /// Whether both are the same memory.
    fn same(one: Self::Values<'_>, other: Self::Values<'_>) -> bool;
}

impl Chunk for RecordBatch {
    type Values<'a> = &'a ArrayRef;

    fn rows(&self) -> Result<usize, FrameError> {
        Ok(self.num_rows())
    }

    fn fits(&self, _: &Plan, schema: &SchemaRef) -> Result<(), FrameError> {
        if Arc::ptr_eq(self.schema_ref(), schema) {
            return Ok(());
        }
        let (columns, fields) = (self.columns(), schema.fields());
        if columns.len() != fields.len() {
            return Err(FrameError::Invalid(format!(
                "a batch of {} columns for a schema of {}",
                columns.len(),
                fields.len()
            )));
        }
        for (column, field) in columns.iter().zip(fields) {
            if column.data_type() != field.data_type() {
                return Err(FrameError::Invalid(format!(
                    "column '{}' is {}, its schema says {}",
                    field.name(),
                    column.data_type(),
                    field.data_type()
                )));
            }
            if !field.is_nullable() && column.null_count() > 0 {
                return Err(has_nulls(field.name()));
            }
        }
        Ok(())
    }

    fn tell<S: Sink>(&self, _: &Plan, _: &Schema, sink: &mut S) -> Result<(), FrameError> {
        self.columns().iter().try_for_each(|column| walk::array(sink, column.as_ref()))
    }

    fn dictionaries<'a>(
        &'a self,
        _: &'a Plan,
        _: &Schema,
        visit: &mut impl FnMut(usize, &'a ArrayRef) -> Result<(), FrameError>,
    ) -> Result<(), FrameError> {
        let mut next = 0;
        self.columns().iter().try_for_each(|column| walk::dictionaries(column.as_ref(), &mut next, visit))
    }

    fn values_rows(values: &ArrayRef) -> usize {
        values.len()
    }

    fn tell_values<S: Sink>(values: &ArrayRef, sink: &mut S) -> Result<(), FrameError> {
        walk::array(sink, values.as_ref())
    }

    fn same(one: &ArrayRef, other: &ArrayRef) -> bool {
        // Both are alive, so an address stands for one array.
        std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
    }
}

impl Chunk for ffi::Batch<'_> {
    type Values<'a>
        = ffi::Array<'a>
    where
        Self: 'a;

    fn rows(&self) -> Result<usize, FrameError> {
        ffi::Batch::rows(*self)
    }

    fn fits(&self, plan: &Plan, schema: &SchemaRef) -> Result<(), FrameError> {
        // Its form is checked as it is walked.
        let columns = self.columns(&plan.columns, schema.fields().len())?;
        for (column, field) in columns.zip(schema.fields()).filter(|(_, field)| !field.is_nullable()) {
            if column?.nulls()?.is_some() {
                return Err(has_nulls(field.name()));
            }
        }
        Ok(())
    }

    fn tell<S: Sink>(&self, plan: &Plan, schema: &Schema, sink: &mut S) -> Result<(), FrameError> {
        let mut columns = self.columns(&plan.columns, schema.fields().len())?;
        columns.try_for_each(|column| foreign::array(sink, column?))
    }

    fn dictionaries<'a>(
        &'a self,
        plan: &'a Plan,
        schema: &Schema,
        visit: &mut impl FnMut(usize, ffi::Array<'a>) -> Result<(), FrameError>,
    ) -> Result<(), FrameError> {
        let mut columns = self.columns(&plan.columns, schema.fields().len())?;
        columns.try_for_each(|column| foreign::dictionaries(column?, plan, visit))
    }

    fn values_rows(values: ffi::Array<'_>) -> usize {
        values.rows()
    }

    fn tell_values<S: Sink>(values: ffi::Array<'_>, sink: &mut S) -> Result<(), FrameError> {
        foreign::array(sink, values)
    }

    fn same(one: ffi::Array<'_>, other: ffi::Array<'_>) -> bool {
        one.is(other)
    }
}

fn has_nulls(column: &str) -> FrameError {
    FrameError::Invalid(format!("column '{column}' has nulls, its schema says it has none"))
}
