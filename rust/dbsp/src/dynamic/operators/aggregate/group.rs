//! The operator: finds the groups of a change, adds it up column by column, and brings what has become of them.

use std::cell::Ref;
use std::ops::Range;
use std::rc::Rc;

use arrow_schema::SchemaRef;

use super::Plan;
use super::total::{Sums, Total};
use crate::algebra::{F64, ZWeight, add_weights};
use crate::circuit::{Incoming, Node, Slot, State};
use crate::column::{Column, Plain, Units, Values};
use crate::dynamic::operators::failed;
use crate::dynamic::{Cells, DynColumn, Row, RowRef, Rows, table};
use crate::error::Error;
use crate::operator::{KeyIndex, Trace};
use crate::trace::{Batch, Spine, Weights};

/// What one column of the result is made of.
pub(super) enum Made {
    Count,
    Sum { total: usize, of: String },
    Mean { total: usize, scale: i8 },
    Extreme { trace: usize, greatest: bool },
}

pub(super) struct GroupBy {
    input: Incoming<Batch<Row, Row>>,
    traces: Vec<Incoming<Trace<Row, Row>>>,
    output: Rc<Slot<Batch<Row>>>,
    groups: Groups,
}

/// All groups, and which of them this step touches.
struct Groups {
    made: Vec<Made>,
    schema: SchemaRef,
    keys: KeyIndex<Row>,
    rows: Vec<ZWeight>,
    totals: Vec<Total>,
    /// Whether a group has been touched in this step.
    marks: Vec<bool>,
    touched: Vec<u32>,
    /// The hash of each of those.
    touched_hashes: Vec<u64>,
    /// The group of each row of the change.
    groups: Vec<u32>,
    hashes: Vec<u64>,
}

/// What there is of the touched groups, before or after the step.
struct Side<'a> {
    rows: Vec<ZWeight>,
    totals: Vec<(Vec<ZWeight>, Sums)>,
    is_there: Vec<bool>,
    /// For each aggregate that is an extreme, the value in each touched group.
    extremes: Vec<Vec<Option<RowRef<'a>>>>,
}

impl GroupBy {
    pub(super) fn new(
        input: Incoming<Batch<Row, Row>>,
        traces: Vec<Incoming<Trace<Row, Row>>>,
        plan: Plan,
        schema: SchemaRef,
        output: Rc<Slot<Batch<Row>>>,
    ) -> Self {
        let groups = Groups {
            made: plan.made,
            schema,
            keys: KeyIndex::default(),
            rows: Vec::new(),
            totals: plan.totals,
            marks: Vec::new(),
            touched: Vec::new(),
            touched_hashes: Vec::new(),
            groups: Vec::new(),
            hashes: Vec::new(),
        };
        Self { input, traces, output, groups }
    }
}

impl Groups {
    /// Finds the group of each row, and notes those that are touched.
    fn find(&mut self, input: &Batch<Row, Row>) {
        self.hashes.clear();
        input.keys().hashes(0..input.len(), &mut self.hashes);
        self.groups.clear();
        self.touched.clear();
        self.touched_hashes.clear();
        for (row, &hash) in self.hashes.iter().enumerate() {
            let key = input.key(row);
            let group = self.keys.slot(key, hash, || {
                self.rows.push(0);
                self.marks.push(false);
                self.totals.iter_mut().for_each(Total::push);
            });
            if !std::mem::replace(&mut self.marks[group], true) {
                self.touched.push(group as u32);
                self.touched_hashes.push(hash);
            }
            self.groups.push(group as u32);
        }
    }

    fn add(&mut self, input: &Batch<Row, Row>) {
        for (row, &group) in self.groups.iter().enumerate() {
            let rows = &mut self.rows[group as usize];
            *rows = add_weights(*rows, input.weight(row));
        }
        for total in &mut self.totals {
            total.add(&input.vals().columns()[total.column], input.weights(), &self.groups);
        }
    }

    fn side<'a>(&self, extremes: Vec<Vec<Option<RowRef<'a>>>>) -> Side<'a> {
        let is_there = |&group: &u32| {
            let group = group as usize;
            self.rows[group] != 0 || self.totals.iter().any(|total| !total.is_zero(group))
        };
        Side {
            rows: self.touched.iter().map(|&group| self.rows[group as usize]).collect(),
            totals: self.totals.iter().map(|total| total.of_groups(&self.touched)).collect(),
            is_there: self.touched.iter().map(is_there).collect(),
            extremes,
        }
    }

    /// Looks up the extremes of the touched groups, with what this step changes or without.
    fn extremes<'a>(
        &self,
        traces: &'a [Ref<'_, Trace<Row, Row>>],
        with_delta: bool,
    ) -> Vec<Vec<Option<RowRef<'a>>>> {
        let places: Vec<_> = traces
            .iter()
            .map(|trace| if with_delta { self.places(trace.delta()) } else { Vec::new() })
            .collect();
        let extremes = self.made.iter().filter_map(|made| match *made {
            Made::Extreme { trace, greatest } => Some((trace, greatest)),
            _ => None,
        });
        let find = |(trace, greatest): (usize, bool)| {
            let groups = self.touched.iter().zip(&self.touched_hashes).enumerate();
            let found = groups.map(|(place, (&group, &hash))| {
                let rows = places[trace].get(place).cloned().unwrap_or(0..0);
                extreme(
                    traces[trace].before(),
                    traces[trace].delta(),
                    rows,
                    self.keys.key(group as usize),
                    hash,
                    greatest,
                )
            });
            found.collect()
        };
        extremes.map(find).collect()
    }

    /// Returns the rows of each touched group in a consolidated batch.
    fn places(&self, delta: &Batch<Row, Row>) -> Vec<Range<usize>> {
        let mut hashes = Vec::new();
        delta.keys().hashes(0..delta.len(), &mut hashes);
        let find = |(&group, &hash): (&u32, &u64)| {
            let key = self.keys.key(group as usize);
            let start = hashes.partition_point(|&other| other < hash);
            let is_before = |row: usize| hashes[row] == hash && delta.key(row) < key;
            let start = (start..delta.len()).find(|&row| !is_before(row)).unwrap_or(delta.len());
            let is_of = |row: usize| hashes[row] == hash && delta.key(row) == key;
            start..(start..delta.len()).find(|&row| !is_of(row)).unwrap_or(delta.len())
        };
        self.touched.iter().zip(&self.touched_hashes).map(find).collect()
    }

    /// Brings the rows of the groups whose row has changed.
    fn bring(&self, old: &Side<'_>, new: &Side<'_>) -> Result<Batch<Row>, Error> {
        let changed = |place: usize| {
            old.is_there[place] != new.is_there[place] || new.is_there[place] && self.differ(old, new, place)
        };
        let (mut groups, mut places, mut weights) = (Vec::new(), Vec::new(), Weights::default());
        for place in (0..self.touched.len()).filter(|&place| changed(place)) {
            for (side, is_there, weight) in [(0, old.is_there[place], -1), (1, new.is_there[place], 1)] {
                if is_there {
                    groups.push(self.touched[place]);
                    places.push((side, place));
                    weights.push(weight);
                }
            }
        }
        if places.is_empty() {
            return Ok(Batch::new());
        }
        let mut keys = Rows::default();
        keys.extend_rows(self.keys.keys(), &groups);
        let rows = keys.len();
        let (sides, mut columns, mut extremes) = ([old, new], keys.into_columns(), 0);
        let first = columns.len();
        for (number, made) in self.made.iter().enumerate() {
            columns.push(match made {
                Made::Count => {
                    let counts = places.iter().map(|&(side, place)| sides[side].rows[place]).collect();
                    DynColumn::new(Cells::I64(Plain(Values::Owned(counts))), None)
                }
                Made::Sum { total, of } => self.sums(*total, of, sides, &places)?,
                Made::Mean { total, scale } => means(*total, *scale, sides, &places),
                Made::Extreme { .. } => {
                    let of = self.schema.field(first + number);
                    let mut column =
                        table::of_array(of.name(), &arrow_array::new_empty_array(of.data_type()))?;
                    for &(side, place) in &places {
                        match sides[side].extremes[extremes][place] {
                            Some(row) => column.push_of(&row.rows().columns()[0], row.number()),
                            None => column.push_null(),
                        }
                    }
                    extremes += 1;
                    column
                }
            });
        }
        let mut made = Rows::new(self.schema.clone(), columns, rows);
        made.share();
        Ok(Batch::from_columns(made, Units::new(rows), weights))
    }

    /// Forgets the touched groups that are not there any more.
    fn forget(&mut self, is_there: &[bool]) {
        for ((&group, &hash), &is_there) in self.touched.iter().zip(&self.touched_hashes).zip(is_there) {
            self.marks[group as usize] = false;
            if !is_there {
                self.keys.remove(group as usize, hash);
            }
        }
        if let Some(kept) = self.keys.compact() {
            self.rows = kept.iter().map(|&group| self.rows[group as usize]).collect();
            self.marks = vec![false; kept.len()];
            self.totals.iter_mut().for_each(|total| total.keep(&kept));
        }
    }

    /// Whether the row of a group that is there before and after is another one.
    fn differ(&self, old: &Side<'_>, new: &Side<'_>, place: usize) -> bool {
        let mut extremes = 0;
        self.made.iter().any(|made| match *made {
            Made::Count => old.rows[place] != new.rows[place],
            Made::Sum { total, .. } | Made::Mean { total, .. } => {
                let (old, new) = (&old.totals[total], &new.totals[total]);
                let sums_differ = match (&old.1, &new.1) {
                    (Sums::Whole(old), Sums::Whole(new)) => old[place] != new[place],
                    (Sums::Float(old), Sums::Float(new)) => old[place] != new[place],
                    _ => true,
                };
                sums_differ || old.0[place] != new.0[place]
            }
            Made::Extreme { .. } => {
                extremes += 1;
                old.extremes[extremes - 1][place] != new.extremes[extremes - 1][place]
            }
        })
    }

    fn sums(
        &self,
        total: usize,
        of: &str,
        sides: [&Side<'_>; 2],
        places: &[(usize, usize)],
    ) -> Result<DynColumn, Error> {
        let there = there(total, sides, places);
        let whole = |&(side, place): &(usize, usize)| match &sides[side].totals[total] {
            (counts, Sums::Whole(sums)) if counts[place] != 0 => sums[place],
            _ => 0,
        };
        let left = |sum: i128, to: &str| {
            failed(format!("{of} is {sum}, which leaves {to}; cast the column to a decimal"))
        };
        let position =
            self.made.iter().position(|made| matches!(made, Made::Sum { of: name, .. } if name == of));
        let field =
            self.schema.fields().len() - self.made.len() + position.expect("it is one of the aggregates");
        let cells = match &sides[0].totals[total].1 {
            Sums::Float(_) => Cells::F64(Plain(Values::Owned(floats(total, sides, places)))),
            Sums::Whole(_)
                if matches!(self.schema.field(field).data_type(), arrow_schema::DataType::Decimal128(..)) =>
            {
                Cells::I128(Plain(Values::Owned(places.iter().map(whole).collect())))
            }
            Sums::Whole(_) if self.totals[total].unsigned => {
                let fit = |sum: i128| u64::try_from(sum).map_err(|_| left(sum, "UInt64"));
                Cells::U64(Plain(Values::Owned(places.iter().map(whole).map(fit).collect::<Result<_, _>>()?)))
            }
            Sums::Whole(_) => {
                let fit = |sum: i128| i64::try_from(sum).map_err(|_| left(sum, "Int64"));
                Cells::I64(Plain(Values::Owned(places.iter().map(whole).map(fit).collect::<Result<_, _>>()?)))
            }
        };
        Ok(DynColumn::new(cells, there))
    }
}

/// Returns where there is anything to add up, if not everywhere.
fn there(total: usize, sides: [&Side<'_>; 2], places: &[(usize, usize)]) -> Option<Plain<bool>> {
    let there: Vec<u8> =
        places.iter().map(|&(side, place)| u8::from(sides[side].totals[total].0[place] != 0)).collect();
    there.contains(&0).then_some(Plain(Values::Owned(there)))
}

fn floats(total: usize, sides: [&Side<'_>; 2], places: &[(usize, usize)]) -> Vec<f64> {
    let float = |&(side, place): &(usize, usize)| match &sides[side].totals[total].1 {
        Sums::Whole(sums) => sums[place] as f64,
        Sums::Float(sums) => sums[place].into_inner(),
    };
    places.iter().map(float).collect()
}

fn means(total: usize, scale: i8, sides: [&Side<'_>; 2], places: &[(usize, usize)]) -> DynColumn {
    let counts = places.iter().map(|&(side, place)| sides[side].totals[total].0[place]);
    let unit = 10f64.powi(i32::from(scale));
    let sums = floats(total, sides, places).into_iter().zip(counts);
    let means = sums
        .map(|(sum, count)| if count == 0 { 0.0 } else { F64::new(sum / unit / count as f64).into_inner() });
    DynColumn::new(Cells::F64(Plain(Values::Owned(means.collect()))), there(total, sides, places))
}

/// Finds the least or the greatest value of a key that is no null and has positive weight, in what was before and in some
/// rows of a change.
fn extreme<'a>(
    before: &'a Spine<Row, Row>,
    delta: &'a Batch<Row, Row>,
    mut rows: Range<usize>,
    key: RowRef<'_>,
    hash: u64,
    greatest: bool,
) -> Option<RowRef<'a>> {
    let mut group = before.group(key, hash);
    let mut next = || if greatest { group.next_greatest() } else { group.next_least() };
    let mut old = next();
    loop {
        let new = match (rows.is_empty(), greatest) {
            (true, _) => None,
            (false, true) => Some(rows.end - 1),
            (false, false) => Some(rows.start),
        };
        let order = match (&old, new) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((old, _)), Some(new)) if greatest => delta.val(new).cmp(old),
            (Some((old, _)), Some(new)) => old.cmp(&delta.val(new)),
        };
        let (mut found, mut sum) = (None, 0);
        if let (true, Some((val, weight))) = (order.is_le(), old) {
            (found, sum) = (Some(val), weight);
            old = next();
        }
        if let (true, Some(row)) = (order.is_ge(), new) {
            (found, sum) = (Some(delta.val(row)), add_weights(sum, delta.weight(row)));
            if greatest { rows.end -= 1 } else { rows.start += 1 }
        }
        if let Some(val) = found.filter(|val| sum > 0 && val.rows().columns()[0].is_there(val.number())) {
            return Some(val);
        }
    }
}

impl Node for GroupBy {
    fn eval(&mut self) -> Result<usize, Error> {
        let input = self.input.get();
        if input.is_empty() {
            return Ok(0);
        }
        let (groups, traces) = (&mut self.groups, self.traces.iter().map(Incoming::get).collect::<Vec<_>>());
        groups.find(&input);
        let old = groups.side(groups.extremes(&traces, false));
        groups.add(&input);
        let new = groups.side(groups.extremes(&traces, true));
        let made = groups.bring(&old, &new)?;
        groups.forget(&new.is_there);
        let rows = made.len();
        *self.output.borrow_mut() = made;
        Ok(rows)
    }
    fn rest(&mut self) {
        self.output.clear();
    }
    fn state(&self) -> State {
        let Groups { keys, rows, totals, .. } = &self.groups;
        let totals: usize = totals.iter().map(Total::bytes).sum();
        State { rows: keys.len(), bytes: keys.bytes() + size_of_val(rows.as_slice()) + totals }
    }
}
