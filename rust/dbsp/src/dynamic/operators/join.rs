//! Joins of tables.
//!
//! **Law.** That of the [static join](crate::Stream::join): *Δ(a ⋈ b) = Δa ⋈ b⁻ + a⁻ ⋈ Δb + Δa ⋈ Δb*, over the same
//! traces. Which rows meet is found first, as pairs of row numbers, run by run; then each column is gathered once.
//!
//! ```text
//!   a ──▶ [ trace ] ──▶ Δa, a⁻ ─┐
//!                               ├──▶ [ pairs ] ──▶ [ gather, column by column ] ──▶ key, a, b
//!   b ──▶ [ trace ] ──▶ Δb, b⁻ ─┘
//! ```
//!
//! | time | Δa | Δb | `a.join_on(b, ["k"])` |
//! |---|---|---|---|
//! | 0 | {k, 1} → +1 | | |
//! | 1 | | {k, x} → +2 | {k, 1, x} → +2 |
//! | 2 | {k, 1} → −1, {k, 3} → +1 | {k, y} → +1 | {k, 1, x} → −2, {k, 3, x} → +2, {k, 3, y} → +1 |

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use super::kernels::kernel;
use super::{IndexedTable, Table, beside, comparable};
use crate::algebra::multiply_weights;
use crate::circuit::{Incoming, RootCircuit, Stream};
use crate::column::{Column, Units};
use crate::dynamic::{Row, Rows};
use crate::error::Error;
use crate::operator::{BinaryOperator, Trace};
use crate::trace::{Batch, Weights};

struct Join {
    schema: SchemaRef,
    left: Groups,
    right: Groups,
    pairs: Pairs,
}

/// The rows of each key of a consolidated batch, by the key's hash.
#[derive(Default)]
struct Groups {
    hashes: Vec<u64>,
    groups: Vec<(u64, Range<usize>)>,
}

impl Groups {
    fn find(&mut self, batch: &Batch<Row, Row>) {
        self.hashes.clear();
        self.groups.clear();
        let keys = batch.keys();
        keys.hashes(0..batch.len(), &mut self.hashes);
        let mut start = 0;
        for end in 1..=batch.len() {
            let ends =
                end == batch.len() || self.hashes[end] != self.hashes[start] || !keys.same(start, keys, end);
            if ends {
                self.groups.push((self.hashes[start], start..end));
                start = end;
            }
        }
    }
}

/// What has met so far.
#[derive(Default)]
struct Pairs {
    lefts: Vec<u32>,
    rights: Vec<u32>,
    keys: Rows,
    left_vals: Rows,
    right_vals: Rows,
    weights: Weights,
}

impl Pairs {
    fn push(&mut self, lefts: Range<usize>, rights: Range<usize>) {
        for left in lefts {
            self.lefts.extend(rights.clone().map(|_| left as u32));
            self.rights.extend(rights.clone().map(|right| right as u32));
        }
    }

    /// Gathers the rows of the pairs that two batches have.
    fn gather(&mut self, left: &Batch<Row, Row>, right: &Batch<Row, Row>) {
        if self.lefts.is_empty() {
            return;
        }
        self.keys.extend_rows(left.keys(), &self.lefts);
        self.left_vals.extend_rows(left.vals(), &self.lefts);
        self.right_vals.extend_rows(right.vals(), &self.rights);
        for (&i, &j) in self.lefts.iter().zip(&self.rights) {
            self.weights.push(multiply_weights(left.weight(i as usize), right.weight(j as usize)));
        }
        self.lefts.clear();
        self.rights.clear();
    }
}

impl BinaryOperator<Trace<Row, Row>, Trace<Row, Row>, Batch<Row>> for Join {
    fn eval(
        &mut self,
        left: &Incoming<Trace<Row, Row>>,
        right: &Incoming<Trace<Row, Row>>,
        output: &mut Batch<Row>,
    ) -> Result<(), Error> {
        let (left, right) = (left.get(), right.get());
        let (new_left, new_right) = (left.delta(), right.delta());
        self.left.find(new_left);
        self.right.find(new_right);
        for run in right.before().runs() {
            for (hash, rows) in &self.left.groups {
                self.pairs.push(rows.clone(), run.group(new_left.key(rows.start), *hash));
            }
            self.pairs.gather(new_left, run.rows());
        }
        for run in left.before().runs() {
            for (hash, rows) in &self.right.groups {
                self.pairs.push(run.group(new_right.key(rows.start), *hash), rows.clone());
            }
            self.pairs.gather(run.rows(), new_right);
        }
        self.meet(new_left, new_right);
        let Pairs { keys, left_vals, right_vals, weights, .. } = &mut self.pairs;
        if !keys.is_empty() {
            let [keys, left_vals, right_vals] = [keys, left_vals, right_vals].map(std::mem::take);
            let mut rows = Rows::beside([keys, left_vals, right_vals], &self.schema);
            rows.share();
            *output = Batch::from_columns(rows, Units::new(weights.len()), std::mem::take(weights));
        }
        Ok(())
    }
}

impl Join {
    /// Pairs the rows that both sides bring in this step: their keys lie in one order.
    fn meet(&mut self, left: &Batch<Row, Row>, right: &Batch<Row, Row>) {
        let mut rights = self.right.groups.iter().peekable();
        for (hash, rows) in &self.left.groups {
            let order = |other: &(u64, Range<usize>)| {
                other.0.cmp(hash).then_with(|| right.keys().order(other.1.start, left.keys(), rows.start))
            };
            while rights.next_if(|other| order(other).is_lt()).is_some() {}
            if let Some((_, others)) = rights.next_if(|other| order(other).is_eq()) {
                self.pairs.push(rows.clone(), others.clone());
            }
        }
        self.pairs.gather(left, right);
    }
}

/// Returns the same columns, which may have nulls.
fn nullable(schema: &Schema) -> Schema {
    Schema::new(
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    )
}

impl IndexedTable<RootCircuit> {
    /// Brings a row for each pair of rows that this and another table have under one key: the key, this one's columns and
    /// the other's. Nulls are equal to each other.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if keys cannot be compared, or two columns would have one name.
    pub fn join(&self, other: &Self) -> Result<Table<RootCircuit>, Error> {
        comparable(&self.key, &other.key)?;
        let schema = beside(&[&self.key, &self.val, &other.val])?;
        let operator = Join {
            schema: schema.clone(),
            left: Groups::default(),
            right: Groups::default(),
            pairs: Pairs::default(),
        };
        let right = other.stream.shard().integrate_trace();
        Ok(Table { stream: self.stream.shard().integrate_trace().binary("join", &right, operator), schema })
    }

    /// Brings what [`join`](IndexedTable::join) does, and each row whose key the other table does not have, with nulls for
    /// the other's columns.
    ///
    /// # Errors
    ///
    /// As [`join`](IndexedTable::join).
    pub fn left_join(&self, other: &Self) -> Result<Table<RootCircuit>, Error> {
        let both = self.join(other)?;
        let schema = beside(&[&self.key, &self.val, &nullable(&other.val)])?;
        let alone = self.antijoin(other)?.padded(&Arc::new(Schema::empty()), &other.val, &schema);
        Ok(Table { stream: both.stream.plus(&alone), schema })
    }

    /// Brings what [`join`](IndexedTable::join) does, and each row of the other table whose key this one does not have,
    /// with nulls for this one's columns.
    ///
    /// # Errors
    ///
    /// As [`join`](IndexedTable::join).
    pub fn right_join(&self, other: &Self) -> Result<Table<RootCircuit>, Error> {
        let both = self.join(other)?;
        let schema = beside(&[&self.key, &nullable(&self.val), &other.val])?;
        let alone = other.antijoin(self)?.padded(&self.val, &Arc::new(Schema::empty()), &schema);
        Ok(Table { stream: both.stream.plus(&alone), schema })
    }

    /// Brings what [`join`](IndexedTable::join) does, and each row of either table whose key the other one does not have,
    /// with nulls for that one's columns.
    ///
    /// # Errors
    ///
    /// As [`join`](IndexedTable::join).
    pub fn full_join(&self, other: &Self) -> Result<Table<RootCircuit>, Error> {
        let left = self.left_join(other)?;
        let schema = beside(&[&self.key, &nullable(&self.val), &nullable(&other.val)])?;
        let alone = other.antijoin(self)?.padded(&self.val, &Arc::new(Schema::empty()), &schema);
        Ok(Table { stream: left.stream.plus(&alone), schema })
    }

    /// Puts keys and values beside each other, and nulls for some columns before the values and after them.
    fn padded(
        &self,
        before: &SchemaRef,
        after: &SchemaRef,
        schema: &SchemaRef,
    ) -> Stream<RootCircuit, Batch<Row>> {
        let (before, after, schema) = (before.clone(), after.clone(), schema.clone());
        kernel(&self.stream, "pad", move |input: Batch<Row, Row>| {
            let (keys, vals, weights) = input.into_columns();
            if keys.is_empty() {
                return Ok(Batch::new());
            }
            let rows = keys.len();
            let nulls = |schema| Rows::nulls(schema, rows);
            let rows = Rows::beside([keys, nulls(&before)?, vals, nulls(&after)?], &schema);
            let units = Units::new(weights.len());
            Ok(Batch::from_columns(rows, units, weights))
        })
    }

    /// Keeps the rows whose key another table has, with positive weight, however often it has it.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if keys cannot be compared.
    pub fn semijoin(&self, other: &Self) -> Result<Self, Error> {
        comparable(&self.key, &other.key)?;
        Ok(Self { stream: self.stream.semijoin(&other.stream), ..self.clone() })
    }

    /// Keeps the rows whose key another table does not have.
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if keys cannot be compared.
    pub fn antijoin(&self, other: &Self) -> Result<Self, Error> {
        comparable(&self.key, &other.key)?;
        Ok(Self { stream: self.stream.antijoin(&other.stream), ..self.clone() })
    }
}

impl Table<RootCircuit> {
    /// Brings a row for each pair of rows of this and another table that agree in these columns: those, then this one's
    /// other columns, then the other's. Columns of two names join by [`IndexedTable::join`].
    ///
    /// # Errors
    ///
    /// [`Error::Circuit`] if a table lacks a column, they cannot be compared, or two others have one name.
    pub fn join_on(&self, other: &Self, columns: &[&str]) -> Result<Self, Error> {
        self.index_by(columns)?.join(&other.index_by(columns)?)
    }
}
