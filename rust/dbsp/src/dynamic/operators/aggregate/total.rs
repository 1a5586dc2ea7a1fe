//! Sums of one column, dense over the groups.

use arrow_schema::DataType;

use crate::algebra::{AddByRef, F64, MulByRef, ZWeight, add_weights};
use crate::column::{Fixed, Plain};
use crate::dynamic::compound::plain;
use crate::dynamic::{Cells, DynColumn};
use crate::trace::Weights;

/// Returns the type of sums of values of a type, if they add up.
pub(super) fn sum_type(of: &DataType) -> Option<DataType> {
    use DataType::*;
    match plain(of) {
        Int8 | Int16 | Int32 | Int64 => Some(Int64),
        UInt8 | UInt16 | UInt32 | UInt64 => Some(UInt64),
        Float16 | Float32 | Float64 => Some(Float64),
        Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) => Some(Decimal128(38, *scale)),
        Duration(unit) => Some(Duration(*unit)),
        _ => None,
    }
}

/// The sum of a column in each group, and how many of its values are there, each as often as its weight says.
pub(super) struct Total {
    pub(super) column: usize,
    pub(super) counts: Vec<ZWeight>,
    pub(super) sums: Sums,
    pub(super) unsigned: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sums {
    Whole(Vec<i128>),
    Float(Vec<F64>),
}

impl Total {
    pub(super) fn new(column: usize, of: &DataType) -> Option<Self> {
        let sum = sum_type(of)?;
        let sums = if sum == DataType::Float64 { Sums::Float(Vec::new()) } else { Sums::Whole(Vec::new()) };
        Some(Self { column, counts: Vec::new(), sums, unsigned: sum == DataType::UInt64 })
    }

    /// Makes room for a new group.
    pub(super) fn push(&mut self) {
        self.counts.push(0);
        match &mut self.sums {
            Sums::Whole(sums) => sums.push(0),
            Sums::Float(sums) => sums.push(F64::default()),
        }
    }

    pub(super) fn is_zero(&self, group: usize) -> bool {
        self.counts[group] == 0
            && match &self.sums {
                Sums::Whole(sums) => sums[group] == 0,
                Sums::Float(sums) => sums[group] == F64::default(),
            }
    }

    /// Returns the sums of some groups, as they are.
    pub(super) fn of_groups(&self, groups: &[u32]) -> (Vec<ZWeight>, Sums) {
        let counts = groups.iter().map(|&group| self.counts[group as usize]).collect();
        let sums = match &self.sums {
            Sums::Whole(sums) => Sums::Whole(groups.iter().map(|&group| sums[group as usize]).collect()),
            Sums::Float(sums) => Sums::Float(groups.iter().map(|&group| sums[group as usize]).collect()),
        };
        (counts, sums)
    }

    /// Numbers the groups anew.
    pub(super) fn keep(&mut self, groups: &[u32]) {
        (self.counts, self.sums) = self.of_groups(groups);
    }

    /// Adds a column, of whose rows each is of one group.
    pub(super) fn add(&mut self, column: &DynColumn, weights: &Weights, groups: &[u32]) {
        for (row, &group) in groups.iter().enumerate() {
            if column.is_there(row) {
                let count = &mut self.counts[group as usize];
                *count = add_weights(*count, weights.get(row));
            }
        }
        match (&mut self.sums, column.cells()) {
            (Sums::Whole(sums), Cells::I8(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::I16(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::I32(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::I64(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::I128(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::U8(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::U16(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::U32(values)) => whole(sums, column, values, weights, groups),
            (Sums::Whole(sums), Cells::U64(values)) => whole(sums, column, values, weights, groups),
            (Sums::Float(sums), Cells::F32(values)) => float(sums, column, values, weights, groups),
            (Sums::Float(sums), Cells::F64(values)) => float(sums, column, values, weights, groups),
            (sums, cells) => {
                unreachable!("the column of {sums:?} was {cells:?} when the circuit was described")
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let sums = match &self.sums {
            Sums::Whole(sums) => size_of_val(sums.as_slice()),
            Sums::Float(sums) => size_of_val(sums.as_slice()),
        };
        size_of_val(self.counts.as_slice()) + sums
    }
}

fn whole<T: Fixed>(
    sums: &mut [i128],
    column: &DynColumn,
    values: &Plain<T>,
    weights: &Weights,
    groups: &[u32],
) where
    T::Native: Into<i128>,
{
    for (row, (&group, &value)) in groups.iter().zip(values.0.iter()).enumerate() {
        if column.is_there(row) {
            sums[group as usize].add_assign_by_ref(&value.into().mul_by_ref(&weights.get(row)));
        }
    }
}

fn float<T: Fixed>(sums: &mut [F64], column: &DynColumn, values: &Plain<T>, weights: &Weights, groups: &[u32])
where
    T::Native: Into<f64>,
{
    for (row, (&group, &value)) in groups.iter().zip(values.0.iter()).enumerate() {
        if column.is_there(row) {
            sums[group as usize] += F64::new(value.into() * weights.get(row) as f64);
        }
    }
}
