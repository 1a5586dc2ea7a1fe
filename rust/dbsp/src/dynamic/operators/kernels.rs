//! Functions of whole columns.
//!
//! **Law.** What looks at each row by itself is linear, *f(a + b) = f(a) + f(b)*, so each is its own incremental form. A
//! kernel is given the change as a record batch, whose rows keep their weights.
//!
//! ```text
//!   Δ ──▶ [ as a record batch, without copying ] ──▶ [ kernel ] ──▶ f(Δ)
//! ```
//!
//! | time | Δ | `filter_kernel(size > 1)` | `project(["symbol"])` of that |
//! |---|---|---|---|
//! | 0 | {ES, 1} → +1, {NQ, 2} → +1 | {NQ, 2} → +1 | {NQ} → +1 |
//! | 1 | {NQ, 2} → −1, {ES, 3} → +2 | {NQ, 2} → −1, {ES, 3} → +2 | {NQ} → −1, {ES} → +2 |

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};

use super::{IndexedTable, Table, alike, beside, failed, places, project, refused};
use crate::circuit::{Circuit, Incoming, Stream};
use crate::column::{Column, Data, Units};
use crate::dynamic::{Row, Rows, table};
use crate::error::Error;
use crate::operator::{Brought, UnaryOperator};
use crate::trace::Batch;

/// An operator without state, as a function that may fail.
struct Kernel<F>(F);

impl<F, V: Data, O: Brought> UnaryOperator<Batch<Row, V>, O> for Kernel<F>
where
    F: FnMut(Batch<Row, V>) -> Result<O, Error> + 'static,
{
    fn eval(&mut self, input: &Incoming<Batch<Row, V>>, output: &mut O) -> Result<(), Error> {
        *output = (self.0)(input.take())?;
        Ok(())
    }
}

pub(super) fn kernel<C: Circuit, V: Data, O: Brought>(
    stream: &Stream<C, Batch<Row, V>>,
    name: &'static str,
    function: impl FnMut(Batch<Row, V>) -> Result<O, Error> + 'static,
) -> Stream<C, O> {
    stream.unary(name, Kernel(function))
}

impl<C: Circuit> Table<C> {
    /// Keeps the rows of which `keep` is true; not those of which it is null.
    ///
    /// A kernel that fails, or does not speak of each row, ends the step with [`Error::Operator`].
    #[must_use]
    pub fn filter_kernel(
        &self,
        keep: impl Fn(&RecordBatch) -> Result<BooleanArray, ArrowError> + 'static,
    ) -> Self {
        let schema = self.schema.clone();
        let stream = kernel(&self.stream, "filter_kernel", move |input| {
            let (mut rows, units, weights) = input.into_columns();
            rows.share();
            let kept = keep(&rows.clone().into_record_batch(&schema).map_err(failed)?).map_err(failed)?;
            let input = Batch::from_columns(rows, units, weights);
            if kept.len() != input.len() {
                return Err(failed(format!("the kernel speaks of {} rows of {}", kept.len(), input.len())));
            }
            let kept = match kept.nulls() {
                Some(nulls) => kept.values() & nulls.inner(),
                None => kept.values().clone(),
            };
            let numbers: Vec<u32> = kept.set_indices_u32().collect();
            if numbers.len() == input.len() {
                return Ok(input);
            }
            let mut output = Batch::new();
            output.extend_rows(&input, &numbers);
            Ok(output)
        });
        Self { stream, schema: self.schema.clone() }
    }

    /// Makes one row of each. The kernel is called once with no rows, to find out which columns it makes.
    ///
    /// A kernel that fails, makes more or fewer rows, or other columns than at first ends the step with
    /// [`Error::Operator`].
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if the kernel fails on no rows, or makes columns that rows cannot have.
    pub fn map_kernel(
        &self,
        to: impl Fn(&RecordBatch) -> Result<RecordBatch, ArrowError> + 'static,
    ) -> Result<Self, Error> {
        let none = to(&RecordBatch::new_empty(self.schema.clone()))
            .map_err(|error| Error::Circuit(error.to_string()))?;
        let (from, made) = (self.schema.clone(), none.schema());
        table::check(&made).map_err(|error| refused(&error))?;
        let schema = made.clone();
        let stream = kernel(&self.stream, "map_kernel", move |input| {
            let (rows, units, weights) = input.into_columns();
            let table = to(&rows.into_record_batch(&from).map_err(failed)?).map_err(failed)?;
            if table.num_rows() != weights.len() {
                return Err(failed(format!(
                    "the kernel made {} rows of {}",
                    table.num_rows(),
                    weights.len()
                )));
            }
            is_of(&table, &made)?;
            let rows = Rows::of_record_batch(&table).map_err(failed)?.with_schema(made.clone());
            Ok(Batch::from_columns(rows, units, weights))
        });
        Ok(Self { stream, schema })
    }

    /// Keeps some of the columns, in this order.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if there is no such column, or one is named twice.
    pub fn project(&self, columns: &[&str]) -> Result<Self, Error> {
        let places = places(&self.schema, columns)?;
        let schema = beside(&[&project(&self.schema, &places)])?;
        let made = schema.clone();
        let stream = kernel(&self.stream, "project", move |input: Batch<Row>| {
            let (rows, units, weights) = input.into_columns();
            Ok(Batch::from_columns(rows.project(&places, &made), units, weights))
        });
        Ok(Self { stream, schema })
    }

    /// Puts the other columns under some of them.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if there is no such column, or one is named twice.
    pub fn index_by(&self, columns: &[&str]) -> Result<IndexedTable<C>, Error> {
        let keys = places(&self.schema, columns)?;
        let vals: Vec<_> = (0..self.schema.fields().len()).filter(|place| !keys.contains(place)).collect();
        let (key, val) = (beside(&[&project(&self.schema, &keys)])?, project(&self.schema, &vals));
        let (key_schema, val_schema) = (key.clone(), val.clone());
        let stream = kernel(&self.stream, "index_by", move |input: Batch<Row>| {
            let (mut rows, _, weights) = input.into_columns();
            rows.share();
            let (keys, vals) = (rows.clone().project(&keys, &key_schema), rows.project(&vals, &val_schema));
            Ok(Batch::from_columns(keys, vals, weights))
        });
        Ok(IndexedTable { stream, key, val })
    }
}

impl<C: Circuit> IndexedTable<C> {
    /// Puts keys and values beside each other: a table of the columns of both.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if a key and a value have one name.
    pub fn flatten(&self) -> Result<Table<C>, Error> {
        let schema = beside(&[&self.key, &self.val])?;
        let made = schema.clone();
        let stream = kernel(&self.stream, "flatten", move |input: Batch<Row, Row>| {
            let (keys, vals, weights) = input.into_columns();
            let rows = if keys.is_empty() { Rows::default() } else { Rows::beside([keys, vals], &made) };
            let units = Units::new(weights.len());
            Ok(Batch::from_columns(rows, units, weights))
        });
        Ok(Table { stream, schema })
    }

    /// Keeps one column of the values.
    pub(super) fn value(&self, column: usize) -> Stream<C, Batch<Row, Row>> {
        let schema = project(&self.val, &[column]);
        kernel(&self.stream, "project", move |input: Batch<Row, Row>| {
            let (keys, vals, weights) = input.into_columns();
            Ok(Batch::from_columns(keys, vals.project(&[column], &schema), weights))
        })
    }
}

fn is_of(table: &RecordBatch, schema: &SchemaRef) -> Result<(), Error> {
    let made = table.schema_ref().fields();
    let mut fields = made.iter().zip(schema.fields());
    if made.len() != schema.fields().len()
        || !fields.all(|(made, of)| alike(made.data_type(), of.data_type()))
    {
        return Err(failed(format!(
            "the kernel made columns {:?} where it made {:?} at first",
            table.schema(),
            schema
        )));
    }
    Ok(())
}
