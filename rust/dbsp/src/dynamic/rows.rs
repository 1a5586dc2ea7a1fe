//! Rows of one schema, in columns.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::SchemaRef;

use super::{DynColumn, Row, RowRef};
use crate::column::{Column, combine};

/// Some rows of one schema: a column for each field. Made without a schema, it takes that of the first rows that come.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub(super) schema: Option<SchemaRef>,
    pub(super) columns: Vec<DynColumn>,
    pub(super) rows: usize,
}

impl Rows {
    /// Makes rows of columns.
    ///
    /// # Panics
    ///
    /// If there is not a column of so many rows for each field.
    #[must_use]
    pub fn new(schema: SchemaRef, columns: Vec<DynColumn>, rows: usize) -> Self {
        assert_eq!(schema.fields().len(), columns.len(), "each field has a column");
        assert!(columns.iter().all(|column| column.len() == rows), "columns of a table have one length");
        Self { schema: Some(schema), columns, rows }
    }

    /// Returns the schema, if any rows have come.
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// Returns the columns.
    #[must_use]
    pub fn columns(&self) -> &[DynColumn] {
        &self.columns
    }

    /// Returns the columns as the caller's own.
    #[must_use]
    pub fn into_columns(self) -> Vec<DynColumn> {
        self.columns
    }

    /// Returns the same rows under another schema, of the same types.
    #[must_use]
    pub fn with_schema(mut self, schema: SchemaRef) -> Self {
        if self.schema.is_some() {
            self.schema = Some(schema);
        }
        self
    }

    /// Returns some of the columns, without copying them.
    #[must_use]
    pub fn project(mut self, columns: &[usize], schema: &SchemaRef) -> Self {
        if self.schema.is_none() {
            return self;
        }
        self.share();
        let chosen = columns.iter().map(|&column| self.columns[column].clone()).collect();
        Self { schema: Some(schema.clone()), columns: chosen, rows: self.rows }
    }

    /// Returns rows that have the columns of all of these, which are of one length.
    #[must_use]
    pub fn beside(parts: impl IntoIterator<Item = Self>, schema: &SchemaRef) -> Self {
        let mut rows = 0;
        let columns = parts.into_iter().flat_map(|part| {
            rows = part.rows;
            part.columns
        });
        let columns: Vec<_> = columns.collect();
        Self::new(schema.clone(), columns, rows)
    }

    /// Makes no rows of the same schema.
    pub(super) fn like(&self) -> Self {
        let columns = self.columns.iter().map(DynColumn::like).collect();
        Self { schema: self.schema.clone(), columns, rows: 0 }
    }

    /// Lets whoever copies the rows share their memory.
    pub(super) fn share(&mut self) {
        self.columns.iter_mut().for_each(DynColumn::share);
    }

    /// Takes the schema of rows that are to be added.
    fn adopt(&mut self, from: &Self) {
        let known = match (&self.schema, &from.schema) {
            (Some(own), Some(new)) => Arc::ptr_eq(own, new) || !self.columns.is_empty() && self.rows > 0,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if known {
            return;
        }
        self.schema.clone_from(&from.schema);
        self.columns = from.columns.iter().map(DynColumn::like).collect();
        for column in &mut self.columns {
            (0..self.rows).for_each(|_| column.push_null());
        }
    }
}

impl Column for Rows {
    type Item = Row;

    fn len(&self) -> usize {
        self.rows
    }
    #[inline]
    fn get(&self, row: usize) -> RowRef<'_> {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        RowRef { rows: self, row }
    }
    fn push(&mut self, value: RowRef<'_>) {
        self.adopt(value.rows);
        for (column, from) in self.columns.iter_mut().zip(&value.rows.columns) {
            column.push_of(from, value.row);
        }
        self.rows += 1;
    }
    fn push_default(&mut self) {
        self.columns.iter_mut().for_each(DynColumn::push_null);
        self.rows += 1;
    }
    fn truncate(&mut self, rows: usize) {
        if rows < self.rows {
            self.columns.iter_mut().for_each(|column| column.truncate(rows));
            self.rows = rows;
        }
    }
    fn reserve(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.reserve(rows));
    }
    fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        self.adopt(from);
        for (column, from) in self.columns.iter_mut().zip(&from.columns) {
            column.extend_range(from, rows.clone());
        }
        self.rows += rows.len();
    }
    fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        self.adopt(from);
        for (column, from) in self.columns.iter_mut().zip(&from.columns) {
            column.extend_rows(from, rows);
        }
        self.rows += rows.len();
    }
    fn hash(&self, row: usize) -> u64 {
        self.columns.iter().fold(0, |hash, column| combine(hash, column.hash(row)))
    }
    fn hashes(&self, rows: Range<usize>, hashes: &mut Vec<u64>) {
        let start = hashes.len();
        hashes.resize(start + rows.len(), 0);
        for column in &self.columns {
            column.hashes(rows.clone(), &mut hashes[start..]);
        }
    }
    fn order(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        let mut columns = self.columns.iter().zip(&other.columns);
        columns
            .find_map(|(a, b)| Some(a.order(row, b, other_row)).filter(|order| order.is_ne()))
            .unwrap_or(Ordering::Equal)
    }
    fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
        self.columns.iter().zip(&other.columns).all(|(a, b)| a.same(row, b, other_row))
    }
    fn leading(&self, row: usize) -> u64 {
        self.columns.first().map_or(0, |column| column.leading(row))
    }
    fn bytes(&self) -> usize {
        self.columns.iter().map(DynColumn::bytes).sum()
    }
}
