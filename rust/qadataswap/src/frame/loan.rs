//! Frames that are built in their slot: columns are laid out for a number of rows, filled where they lie,
//! and published for as many rows as came together.
//!
//! ```text
//!   schema message | batch message | values of every column | bitmaps and data of views | end of stream
//! ```
//!
//! What may turn out to be unused (bitmaps without a null, data areas) lies behind what is always used, in the order in
//! which it was first asked for, so a full loan of plain columns ends where its values end, and what nobody asked for
//! leaves no gap. The law: [`Encoder::finish_loan`] leaves no byte of
//! the frame unaccounted for: a gap left by rows that did not come is either zeroed or closed by moving
//! columns down, whichever touches fewer bytes. Values of rows that *did* come are the borrower's to write.

use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};

use super::columns::{Columns, Parts, Room, State};
use super::copy::{self, bytes_of_bits};
use super::encode::{Encoder, Prepared};
use super::message::END_OF_STREAM;
use super::plan::fixed_width;
use super::sink::Numbers;
use super::template::{Form, Template};
use super::{ALIGNMENT, FrameError};

/// A frame laid out to be built in place.
pub(crate) struct LoanPlan {
    /// As [`super::Measured::schema_key`].
    pub(crate) schema_key: u64,
    /// The bytes of the slot that the columns and their frame may take.
    pub(crate) total: u64,
    schema: SchemaRef,
    rows: usize,
    prefix: Arc<[u8]>,
    head: Arc<Template>,
    columns: Vec<Column>,
    /// Where in the body nothing has a place yet.
    free: usize,
}

struct Column {
    values: Cells,
    /// Where the values lie in the body.
    values_at: usize,
    is_nullable: bool,
    /// Room for long values, in a column of views.
    data_len: Option<usize>,
    state: State,
}

/// How the values of a column lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cells {
    Fixed(usize),
    Bits,
    Views,
}

impl Cells {
    fn bytes(self, rows: usize) -> Option<usize> {
        match self {
            Self::Fixed(width) => rows.checked_mul(width),
            Self::Bits => Some(bytes_of_bits(rows)),
            Self::Views => rows.checked_mul(size_of::<u128>()),
        }
    }
}

/// A stretch of the body and where it ends up.
#[derive(Clone, Copy)]
struct Area {
    at: usize,
    len: usize,
}

impl Encoder {
    /// Lays out a frame of `rows` rows, with `var_bytes` bytes for the long values of each column of views.
    /// A frame built in place is never compressed.
    pub(crate) fn plan_loan(
        &mut self,
        schema: &SchemaRef,
        rows: usize,
        var_bytes: usize,
    ) -> Result<LoanPlan, FrameError> {
        if i32::try_from(var_bytes).is_err() {
            return Err(FrameError::Invalid(format!(
                "{var_bytes} bytes for long values, {} at most",
                i32::MAX
            )));
        }
        let mut columns = Vec::with_capacity(schema.fields().len());
        let mut end = 0;
        for field in schema.fields() {
            let values = match field.data_type() {
                DataType::Boolean => Cells::Bits,
                DataType::Utf8View | DataType::BinaryView => Cells::Views,
                other => match fixed_width(other)? {
                    Some((width, _)) => Cells::Fixed(width),
                    None => {
                        return Err(FrameError::Unsupported(format!(
                            "column '{}' is {other}, which cannot be built in place; declare strings and binaries as their view types, or build the table and write it",
                            field.name()
                        )));
                    }
                },
            };
            let values_at = place(&mut end, values.bytes(rows))?;
            let (is_nullable, data_len) =
                (field.is_nullable(), (values == Cells::Views).then_some(var_bytes));
            columns.push(Column { values, values_at, is_nullable, data_len, state: State::default() });
        }
        let free = end;
        for column in &columns {
            let validity = if column.is_nullable { bytes_of_bits(rows) } else { 0 };
            place(&mut end, Some(validity))?;
            place(&mut end, Some(column.data_len.unwrap_or(0)))?;
        }
        let variadics = columns.iter().filter(|column| column.values == Cells::Views).count();
        let nodes = columns.len();
        let form =
            Form { dictionary: None, nodes, buffers: 2 * nodes + variadics, variadics, compression: None };
        let Prepared { schema_key, prefix, head } = self.prepare(schema, form)?;
        let total = [head.len(), END_OF_STREAM.len(), prefix.len()]
            .into_iter()
            .try_fold(end, usize::checked_add)
            .ok_or_else(too_many)?;
        Ok(LoanPlan {
            schema_key,
            total: total as u64,
            schema: schema.clone(),
            rows,
            prefix,
            head,
            columns,
            free,
        })
    }

    /// Completes the frame of the first `rows` rows in `slot` and says how many bytes it takes.
    pub(crate) fn finish_loan(
        &mut self,
        mut plan: LoanPlan,
        slot: &mut [u8],
        rows: usize,
        prefix_stands: bool,
    ) -> Result<u64, FrameError> {
        if rows > plan.rows {
            return Err(FrameError::Invalid(format!("{rows} rows in a loan of {}", plan.rows)));
        }
        let slot = plan.slot(slot)?;
        let (prefix, rest) = slot.split_at_mut(plan.prefix.len());
        if !prefix_stands {
            copy::bytes(prefix, &plan.prefix);
        }
        let (head, body) = rest.split_at_mut(plan.head.len());
        let (numbers, length) = plan.settle(body, rows)?;
        if !plan.head.takes(&numbers) {
            return Err(FrameError::Invalid("the loan is not the one that was planned".into()));
        }
        plan.head.write(head, rows, &numbers, length);
        copy::bytes(&mut body[length..length + END_OF_STREAM.len()], &END_OF_STREAM);
        Ok((plan.prefix.len() + plan.head.len() + length + END_OF_STREAM.len()) as u64)
    }
}

impl LoanPlan {
    /// The schema of the frame.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows there is room for.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, lying in `slot`; bitmaps and data areas take their places as they are asked for.
    pub(crate) fn columns<'a>(&'a mut self, slot: &'a mut [u8]) -> Result<Columns<'a>, FrameError> {
        let rows = self.rows;
        let slot = self.slot(slot)?;
        let (_, mut rest) = slot.split_at_mut(self.prefix.len() + self.head.len());
        let mut at = 0;
        // Areas are cut off in the order in which they lie.
        let mut cut = |start: usize, len: usize| {
            let (_, behind) = std::mem::take(&mut rest).split_at_mut(start - at);
            let (area, behind) = behind.split_at_mut(len);
            (at, rest) = (start + len, behind);
            area
        };
        let mut parts: Vec<Parts<'a>> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let values = cut(column.values_at, column.values.bytes(rows).unwrap_or(0));
            parts.push(Parts { values: Some(values), ..Parts::default() });
        }
        for (start, column, is_bitmap) in placed(&self.columns, rows) {
            match is_bitmap {
                true => parts[column].validity = Some(cut(start, bytes_of_bits(rows))),
                false => parts[column].data = Some(cut(start, self.columns[column].data_len.unwrap_or(0))),
            }
        }
        cut(self.free, 0);
        for (parts, column) in parts.iter_mut().zip(&mut self.columns) {
            let State { zeroed, nulls, validity_at, data_at, data } = &mut column.state;
            parts.validity_at = (column.is_nullable && validity_at.is_none()).then_some(validity_at);
            parts.data_at = (column.data_len.is_some() && data_at.is_none()).then_some(data_at);
            parts.data_len = column.data_len.unwrap_or(0);
            (parts.zeroed, parts.nulls, parts.used) = (Some(zeroed), Some(nulls), Some(data));
        }
        let room = Room { rest, from: &mut self.free };
        Ok(Columns { schema: &self.schema, rows, parts, room })
    }

    /// Takes note of what was done to a column by its addresses.
    pub(crate) fn declare(&mut self, column: usize, nulls: bool, data: usize) -> Result<(), FrameError> {
        let known = self.columns.len();
        let Some(Column { state, is_nullable, data_len, .. }) = self.columns.get_mut(column) else {
            return Err(FrameError::Invalid(format!("column {column} of a loan of {known} columns")));
        };
        if nulls && !*is_nullable {
            return Err(FrameError::Invalid(format!("column {column} has nulls and is not nullable")));
        }
        let data_len = data_len.unwrap_or(0);
        if data > data_len {
            return Err(FrameError::Invalid(format!(
                "column {column} uses {data} bytes for long values, it has {data_len}"
            )));
        }
        if (nulls && state.validity_at.is_none()) || (data > 0 && state.data_at.is_none()) {
            return Err(FrameError::Invalid(format!(
                "column {column} has nulls or long values, and no place for them was asked for"
            )));
        }
        (state.nulls, state.data) = (nulls, data);
        Ok(())
    }

    /// As much of `slot` as the plan is for.
    fn slot<'a>(&self, slot: &'a mut [u8]) -> Result<&'a mut [u8], FrameError> {
        let available = slot.len() as u64;
        slot.get_mut(..self.total as usize).ok_or(FrameError::TooLarge { needed: self.total, available })
    }

    /// Brings the body into its final form and says what numbers describe it, and its length.
    fn settle(&mut self, body: &mut [u8], rows: usize) -> Result<(Numbers, usize), FrameError> {
        let mut numbers = Numbers::default();
        let mut nodes = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let values = column.values.bytes(rows).unwrap_or(0);
            let values = &mut body[column.values_at..column.values_at + values];
            match column.values {
                // Any bytes are numbers.
                Cells::Fixed(_) => {}
                Cells::Bits | Cells::Views if !column.state.zeroed => copy::zero(values),
                Cells::Bits => trim_bits(values, rows),
                Cells::Views => {}
            }
            let mut nulls = 0;
            if let (Some(at), true) = (column.state.validity_at, column.state.nulls) {
                let bits = &mut body[at..at + bytes_of_bits(rows)];
                trim_bits(bits, rows);
                nulls = rows - ones(bits);
            }
            column.state.nulls = nulls > 0;
            nodes.push([rows as i64, nulls as i64]);
        }
        let mut areas = self.areas(rows);
        let length = close_gaps(body, &mut areas);
        let mut values = areas.iter();
        let mut validity = areas[self.columns.len()..].iter();
        let mut data = areas[2 * self.columns.len()..].iter();
        let mut next = |areas: &mut std::slice::Iter<'_, Area>| {
            let area = areas.next().copied().unwrap_or(Area { at: 0, len: 0 });
            numbers.buffers.push([area.at as i64, area.len as i64]);
        };
        for column in &self.columns {
            next(&mut validity);
            next(&mut values);
            if column.values == Cells::Views {
                next(&mut data);
            }
        }
        numbers
            .variadic
            .resize(self.columns.iter().filter(|column| column.values == Cells::Views).count(), 1);
        numbers.nodes = nodes;
        Ok((numbers, length))
    }

    /// What is in use: values and bitmaps (one a column), data (one a column of views).
    fn areas(&self, rows: usize) -> Vec<Area> {
        let values = self
            .columns
            .iter()
            .map(|column| Area { at: column.values_at, len: column.values.bytes(rows).unwrap_or(0) });
        let validity = self.columns.iter().map(|column| Area {
            at: column.state.validity_at.unwrap_or(0),
            len: if column.state.nulls { bytes_of_bits(rows) } else { 0 },
        });
        let data = self
            .columns
            .iter()
            .filter(|column| column.data_len.is_some())
            .map(|column| Area { at: column.state.data_at.unwrap_or(0), len: column.state.data });
        values.chain(validity).chain(data).collect()
    }
}

/// The bitmaps and data areas that have their places, in the order in which they lie: where, of which column, and whether
/// it is a bitmap.
fn placed(columns: &[Column], rows: usize) -> Vec<(usize, usize, bool)> {
    let state = |(at, column): (usize, &Column)| {
        let State { validity_at, data_at, .. } = column.state;
        [validity_at.map(|start| (start, at, true)), data_at.map(|start| (start, at, false))]
    };
    let mut placed: Vec<_> = columns.iter().enumerate().flat_map(state).flatten().collect();
    // Those without any bytes lie where others start.
    placed.sort_unstable_by_key(|(start, column, is_bitmap)| {
        let len = if *is_bitmap { rows } else { columns[*column].data_len.unwrap_or(0) };
        (*start, len > 0)
    });
    placed
}

/// Room for `len` bytes behind `end`.
fn place(end: &mut usize, len: Option<usize>) -> Result<usize, FrameError> {
    let at = *end;
    *end =
        len.and_then(|len| at.checked_add(len)?.checked_next_multiple_of(ALIGNMENT)).ok_or_else(too_many)?;
    Ok(at)
}

fn too_many() -> FrameError {
    FrameError::Invalid("more rows than memory has addresses".into())
}

fn trim_bits(bits: &mut [u8], rows: usize) {
    if let (1.., Some(last)) = (rows % 8, bits.last_mut()) {
        *last &= (1 << (rows % 8)) - 1;
    }
}

/// How many bits are set.
fn ones(bits: &[u8]) -> usize {
    let (words, rest) = bits.as_chunks::<8>();
    let words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    words as usize + rest.iter().map(|byte| byte.count_ones() as usize).sum::<usize>()
}

/// Zeros what lies between the areas in use, or moves them together; pads each with zeros, gives empty ones
/// the position 0, and returns the length of the whole.
fn close_gaps(body: &mut [u8], areas: &mut [Area]) -> usize {
    let padded = |area: &Area| area.len.next_multiple_of(ALIGNMENT);
    let (mut zeros, mut moves, mut staying, mut moving) = (0, 0, 0, 0);
    for area in areas.iter_mut().filter(|area| area.len == 0) {
        area.at = 0;
    }
    let mut areas: Vec<&mut Area> = areas.iter_mut().filter(|area| area.len > 0).collect();
    areas.sort_unstable_by_key(|area| area.at);
    for area in &areas {
        zeros += area.at - staying;
        staying = area.at + padded(area);
        moves += if area.at == moving { 0 } else { area.len };
        moving += padded(area);
    }
    let together = moves < zeros;
    let mut end = 0;
    for area in areas {
        if together {
            body.copy_within(area.at..area.at + area.len, end);
            area.at = end;
        } else {
            copy::zero(&mut body[end..area.at]);
        }
        end = area.at + padded(area);
        copy::zero(&mut body[area.at + area.len..end]);
    }
    end
}
