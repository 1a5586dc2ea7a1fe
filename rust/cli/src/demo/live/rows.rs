//! The rows of a view in a process that follows it, each with its weight, whatever the columns.
//!
//! Law: the checksum is the sum, over all rows, of the row's hash times its weight. So it follows changes as the view
//! does, and two processes of one build that hold the same rows have the same.

use anyhow::Context;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The column of weights.
const WEIGHT: &str = "weight";

/// A value of a view. A time is its number of nanoseconds.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
pub(in crate::demo) enum Cell {
    Number(i64),
    Text(String),
}

impl From<i64> for Cell {
    fn from(number: i64) -> Cell {
        Cell::Number(number)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

/// A row of a view.
pub(in crate::demo) type Row = Vec<Cell>;

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub(in crate::demo) struct Rows {
    weights: BTreeMap<Row, i64>,
    checksum: u64,
}

impl Rows {
    /// Adds a row so many times, or takes it away.
    pub(in crate::demo) fn add(&mut self, row: Row, weight: i64) {
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        self.checksum = self.checksum.wrapping_add(hasher.finish().wrapping_mul(weight as u64));
        match self.weights.entry(row) {
            Entry::Vacant(_) if weight == 0 => {}
            Entry::Vacant(place) => {
                place.insert(weight);
            }
            Entry::Occupied(mut place) => {
                *place.get_mut() += weight;
                if *place.get() == 0 {
                    place.remove();
                }
            }
        }
    }

    /// Adds the rows of a table, as often as its column `weight` says.
    pub(in crate::demo) fn add_table(&mut self, table: &RecordBatch) -> anyhow::Result<()> {
        let weights =
            table.column_by_name(WEIGHT).and_then(|weights| weights.as_primitive_opt::<Int64Type>());
        let weights = weights.context("a view's table has no column of weights")?;
        let columns = columns(table)
            .map(|column| cells(&table[column]).with_context(|| format!("column {column} of a view")))
            .collect::<anyhow::Result<Vec<Vec<Cell>>>>()?;
        for row in 0..table.num_rows() {
            self.add(columns.iter().map(|column| column[row].clone()).collect(), weights.value(row));
        }
        Ok(())
    }

    pub(in crate::demo) fn checksum(&self) -> u64 {
        self.checksum
    }

    /// All rows, each followed by its weight, in order.
    pub(in crate::demo) fn with_weights(&self) -> Vec<Row> {
        let with_weight =
            |(row, weight): (&Row, &i64)| row.iter().cloned().chain([Cell::Number(*weight)]).collect();
        self.weights.iter().map(with_weight).collect()
    }
}

/// The names of a view's columns, the weights' left out.
pub(super) fn columns(table: &RecordBatch) -> impl Iterator<Item = &str> {
    table.schema_ref().fields().iter().map(|field| field.name().as_str()).filter(|&name| name != WEIGHT)
}

fn cells(column: &ArrayRef) -> anyhow::Result<Vec<Cell>> {
    anyhow::ensure!(column.null_count() == 0, "values are missing");
    if column.data_type().is_integer() || matches!(column.data_type(), DataType::Timestamp(_, _)) {
        let numbers = cast(column, &DataType::Int64)?;
        return Ok(numbers
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .map(|&number| number.into())
            .collect());
    }
    let texts = cast(column, &DataType::Utf8View)?;
    Ok(texts.as_string_view().iter().flatten().map(Cell::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray, TimestampNanosecondArray};
    use std::sync::Arc;

    fn table(rows: &[(&str, i64, i64)]) -> RecordBatch {
        let symbols = StringArray::from_iter_values(rows.iter().map(|row| row.0));
        let numbers = |of: fn(&(&str, i64, i64)) -> i64| Int64Array::from_iter_values(rows.iter().map(of));
        RecordBatch::try_from_iter([
            ("symbol", Arc::new(symbols) as ArrayRef),
            ("price", Arc::new(numbers(|row| row.1))),
            ("weight", Arc::new(numbers(|row| row.2))),
        ])
        .expect("three columns")
    }

    #[test]
    fn changes_add_up_to_the_whole_and_so_does_the_checksum() {
        let (mut followed, mut whole) = (Rows::default(), Rows::default());
        followed.add_table(&table(&[("ES", 5, 1), ("NQ", 7, 1)])).expect("a view");
        followed.add_table(&table(&[("ES", 5, -1), ("ES", 6, 1)])).expect("a view");
        whole.add_table(&table(&[("NQ", 7, 1), ("ES", 6, 1)])).expect("a view");
        assert_eq!(followed.with_weights(), whole.with_weights());
        assert_eq!(followed.checksum(), whole.checksum());
        assert_eq!(whole.with_weights()[0], vec!["ES".into(), 6.into(), 1.into()]);
        followed.add_table(&table(&[("ES", 6, -1)])).expect("a view");
        assert_ne!(followed.checksum(), whole.checksum());
    }

    #[test]
    fn a_row_that_is_there_twice_is_told_apart() {
        let mut twice = Rows::default();
        twice.add_table(&table(&[("ES", 5, 2)])).expect("a view");
        let mut once = Rows::default();
        once.add_table(&table(&[("ES", 5, 1)])).expect("a view");
        assert_ne!(twice.checksum(), once.checksum());
        assert_ne!(twice.with_weights(), once.with_weights());
    }

    #[test]
    fn a_time_is_its_nanoseconds() {
        let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![60_000_000_000]));
        let weights: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let table =
            RecordBatch::try_from_iter([("minute", times), ("weight", weights)]).expect("two columns");
        let mut rows = Rows::default();
        rows.add_table(&table).expect("a view");
        assert_eq!(rows.with_weights(), [vec![60_000_000_000.into(), 1.into()]]);
    }

    #[test]
    fn a_table_without_weights_is_no_change() {
        let table = table(&[("ES", 5, 1)]).project(&[0, 1]).expect("two columns");
        assert!(Rows::default().add_table(&table).is_err());
    }
}
