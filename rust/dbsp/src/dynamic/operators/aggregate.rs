//! Aggregates by key.
//!
//! **Law.** Counts and sums are linear: what changes in a group is the sum over what changes in its rows; they are kept
//! dense, one array for each, found by the key's hash. The least and the greatest are not: they are looked up, before and
//! after, in a trace of their column, which lies in order under each key. Of a group that changes, the old row goes and
//! the new one comes. A group is there while its number of rows, or a sum, is not 0.
//!
//! ```text
//!   Δ ──┬──▶ [ count, sums: before, after ] ───────────┬──▶ (k, after) − (k, before)
//!       └──▶ [ column ] ──▶ [ trace ] ──▶ least, greatest ┘
//! ```
//!
//! | time | Δ | `aggregate_by([Sum, Max])` |
//! |---|---|---|
//! | 0 | {a, 2} → +1, {a, 3} → +2 | {a, 8, 3} → +1 |
//! | 1 | {a, 3} → −2, {b, 1} → +1 | {a, 8, 3} → −1, {a, 2, 2} → +1, {b, 1, 1} → +1 |
//! | 2 | {a, 2} → −1 | {a, 2, 2} → −1 |

mod group;
mod total;

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use self::group::{GroupBy, Made};
use self::total::Total;
use super::{IndexedTable, Table, beside, place};
use crate::circuit::{RootCircuit, Slot, Stream};
use crate::error::Error;
use crate::trace::Batch;

/// What is brought for each key. Nulls do not count, add up or compare, but each row is counted by [`Aggregate::Count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate<'a> {
    /// The number of rows, each as often as its weight says: `count`.
    Count,
    /// The sum of a column, `sum(column)`: of integers an `Int64`, of those without sign a `UInt64`, of decimals a decimal
    /// of 38 digits, of floats a `Float64`; null if there is nothing but nulls. A sum that leaves its type ends the step
    /// with [`Error::Operator`].
    Sum(&'a str),
    /// The least value of positive weight: `min(column)`.
    Min(&'a str),
    /// The greatest value of positive weight: `max(column)`.
    Max(&'a str),
    /// The mean of a column, a `Float64`: `avg(column)`.
    Avg(&'a str),
}

impl Aggregate<'_> {
    fn name(&self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Sum(column) => format!("sum({column})"),
            Self::Min(column) => format!("min({column})"),
            Self::Max(column) => format!("max({column})"),
            Self::Avg(column) => format!("avg({column})"),
        }
    }
}

/// What the aggregates of one circuit need, each once.
#[derive(Default)]
struct Plan {
    made: Vec<Made>,
    fields: Vec<Field>,
    totals: Vec<Total>,
    total_of: HashMap<usize, usize>,
    traced: Vec<usize>,
}

impl Plan {
    fn of(aggregates: &[Aggregate<'_>], schema: &Schema) -> Result<Self, Error> {
        let mut plan = Self::default();
        for aggregate in aggregates {
            let (made, data_type) = match *aggregate {
                Aggregate::Count => (Made::Count, DataType::Int64),
                Aggregate::Sum(column) => {
                    let (column, of) = (place(schema, column)?, field(schema, column)?);
                    let sum = total::sum_type(of.data_type()).ok_or_else(|| no_sum(of))?;
                    (Made::Sum { total: plan.total(column, of)?, of: aggregate.name() }, sum)
                }
                Aggregate::Avg(column) => {
                    let (column, of) = (place(schema, column)?, field(schema, column)?);
                    let sum = total::sum_type(of.data_type()).ok_or_else(|| no_sum(of))?;
                    let scale = if let DataType::Decimal128(_, scale) = sum { scale } else { 0 };
                    (Made::Mean { total: plan.total(column, of)?, scale }, DataType::Float64)
                }
                Aggregate::Min(column) | Aggregate::Max(column) => {
                    let (column, of) = (place(schema, column)?, field(schema, column)?);
                    let trace =
                        plan.traced.iter().position(|&traced| traced == column).unwrap_or_else(|| {
                            plan.traced.push(column);
                            plan.traced.len() - 1
                        });
                    let greatest = matches!(aggregate, Aggregate::Max(_));
                    (Made::Extreme { trace, greatest }, of.data_type().clone())
                }
            };
            plan.fields.push(Field::new(aggregate.name(), data_type, !matches!(made, Made::Count)));
            plan.made.push(made);
        }
        Ok(plan)
    }

    /// Returns the number of a column's total, the same for all that need it.
    fn total(&mut self, column: usize, of: &Field) -> Result<usize, Error> {
        if let Some(&total) = self.total_of.get(&column) {
            return Ok(total);
        }
        self.totals.push(Total::new(column, of.data_type()).ok_or_else(|| no_sum(of))?);
        self.total_of.insert(column, self.totals.len() - 1);
        Ok(self.totals.len() - 1)
    }
}

fn field<'a>(schema: &'a Schema, name: &str) -> Result<&'a Field, Error> {
    place(schema, name).map(|place| schema.field(place))
}

fn no_sum(of: &Field) -> Error {
    Error::Circuit(format!("column {} is {}, which does not add up; sum a number", of.name(), of.data_type()))
}

impl IndexedTable<RootCircuit> {
    /// Brings a row for each key: the key, and aggregates of its rows.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if there is no such column, one does not add up, or two would have one name.
    pub fn aggregate_by(&self, aggregates: &[Aggregate<'_>]) -> Result<Table<RootCircuit>, Error> {
        let plan = Plan::of(aggregates, &self.val)?;
        let schema = beside(&[&self.key, &Schema::new(plan.fields.clone())])?;
        let sharded = Self { stream: self.stream.shard(), ..self.clone() };
        let traces: Vec<_> =
            plan.traced.iter().map(|&column| sharded.value(column).integrate_trace()).collect();
        let inputs: Vec<_> = [sharded.stream.id()].into_iter().chain(traces.iter().map(Stream::id)).collect();
        let output = Slot::new(Batch::new());
        let node = GroupBy::new(
            sharded.stream.read(),
            traces.iter().map(Stream::read).collect(),
            plan,
            SchemaRef::clone(&schema),
            output.clone(),
        );
        let id = self.stream.graph().node("aggregate_by", &inputs, node);
        Ok(Table { stream: Stream::new(self.stream.circuit(), id, output), schema })
    }
}
