//! Columns that lie in a slot and are filled in place.
//!
//! The law: what is handed out is disjoint, so several columns can be filled at once and by several threads;
//! and a column whose bytes could be invalid (bits, views) is zeroed before it is handed out.

use std::marker::PhantomData;

use arrow_schema::{DataType, IntervalUnit, Schema};
use bytemuck::Pod;
use half::f16;

use super::copy::{self, bytes_of_bits};
use super::{ALIGNMENT, FrameError};

/// The number type of a column's values as Rust sees them.
///
/// Integers and floats stand for themselves; `i32` also for `Date32`, `Time32`, `Decimal32` and year-month
/// intervals; `i64` also for `Date64`, `Time64`, timestamps, durations and `Decimal64`; `i128` for
/// `Decimal128`; `[u8; N]` for fixed-size binary of width `N`.
pub trait Native: Pod + sealed::Sealed {
    /// Whether a column of `data_type` holds values of this type.
    fn fits(data_type: &DataType) -> bool;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! native {
    ($($native:ty => $pattern:pat,)*) => {$(
        impl sealed::Sealed for $native {}
        impl Native for $native {
            fn fits(data_type: &DataType) -> bool {
                matches!(data_type, $pattern)
            }
        }
    )*};
}
native! {
    i8 => DataType::Int8,
    i16 => DataType::Int16,
    i32 => DataType::Int32
        | DataType::Date32
        | DataType::Time32(_)
        | DataType::Decimal32(..)
        | DataType::Interval(IntervalUnit::YearMonth),
    i64 => DataType::Int64
        | DataType::Date64
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_)
        | DataType::Decimal64(..),
    i128 => DataType::Decimal128(..),
    u8 => DataType::UInt8,
    u16 => DataType::UInt16,
    u32 => DataType::UInt32,
    u64 => DataType::UInt64,
    f16 => DataType::Float16,
    f32 => DataType::Float32,
    f64 => DataType::Float64,
}
impl<const N: usize> sealed::Sealed for [u8; N] {}
impl<const N: usize> Native for [u8; N] {
    fn fits(data_type: &DataType) -> bool {
        matches!(data_type, DataType::FixedSizeBinary(width) if usize::try_from(*width) == Ok(N))
    }
}

/// A column's name or its position.
pub trait ColumnIndex: Copy + sealed::Sealed {
    /// The position in `schema`, if there is such a column.
    fn position(&self, schema: &Schema) -> Option<usize>;
    /// How an error names the column.
    fn shown(&self) -> String;
}

impl sealed::Sealed for usize {}
impl ColumnIndex for usize {
    fn position(&self, schema: &Schema) -> Option<usize> {
        (*self < schema.fields().len()).then_some(*self)
    }
    fn shown(&self) -> String {
        format!("column {self}")
    }
}

impl sealed::Sealed for &str {}
impl ColumnIndex for &str {
    fn position(&self, schema: &Schema) -> Option<usize> {
        schema.index_of(self).ok()
    }
    fn shown(&self) -> String {
        format!("column '{self}'")
    }
}

/// What has been done to a column of a loan; outlives the borrows of its memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// The values have been zeroed, as bits and views must be.
    pub(super) zeroed: bool,
    /// The bitmap is in use: a null was set.
    pub(super) nulls: bool,
    /// Where the bitmap lies in the body, once it has been asked for.
    pub(super) validity_at: Option<usize>,
    /// Where the data area lies, likewise.
    pub(super) data_at: Option<usize>,
    /// Bytes of the data area in use.
    pub(super) data: usize,
}

/// What is left of the body for bitmaps and data areas, which take their places one behind another as they are asked for:
/// none stands before one that is used without being used itself.
pub(super) struct Room<'a> {
    pub(super) rest: &'a mut [u8],
    /// Where in the body it starts.
    pub(super) from: &'a mut usize,
}

impl<'a> Room<'a> {
    /// The next `len` bytes; notes in `place` where they lie.
    fn take(&mut self, len: usize, place: &mut Option<usize>) -> &'a mut [u8] {
        let padded = len.next_multiple_of(ALIGNMENT);
        let (area, rest) = std::mem::take(&mut self.rest).split_at_mut(padded);
        self.rest = rest;
        *place = Some(*self.from);
        *self.from += padded;
        &mut area[..len]
    }
}

/// The memory of one column that nobody has taken yet.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    pub(crate) values: Option<&'a mut [u8]>,
    /// None in a column that has no nulls, or has not been asked for them yet.
    pub(crate) validity: Option<&'a mut [u8]>,
    /// None in a column that is not of views, or has not been asked for it yet.
    pub(crate) data: Option<&'a mut [u8]>,
    /// Notes where the bitmap will lie; none if there is none, or it has its place.
    pub(super) validity_at: Option<&'a mut Option<usize>>,
    /// Likewise the data area.
    pub(super) data_at: Option<&'a mut Option<usize>>,
    pub(super) data_len: usize,
    pub(super) zeroed: Option<&'a mut bool>,
    pub(crate) nulls: Option<&'a mut bool>,
    pub(crate) used: Option<&'a mut usize>,
}

/// The columns of a loaned frame. Each is handed out once; ask the loan again to have them all back.
pub(crate) struct Columns<'a> {
    pub(super) schema: &'a Schema,
    pub(super) rows: usize,
    pub(super) parts: Vec<Parts<'a>>,
    pub(super) room: Room<'a>,
}

impl<'a> Columns<'a> {
    /// The values of a column of numbers or fixed-size binary. They hold what the slot held before.
    pub(crate) fn column<T: Native>(&mut self, which: impl ColumnIndex) -> Result<&'a mut [T], FrameError> {
        let (at, data_type) = self.find(&which)?;
        if !T::fits(data_type) {
            return Err(FrameError::Invalid(format!(
                "{} is {data_type}, which is not a column of {}",
                which.shown(),
                std::any::type_name::<T>()
            )));
        }
        let values = self.parts[at].values.take().ok_or_else(|| taken(&which))?;
        bytemuck::try_cast_slice_mut(values).map_err(|error| {
            FrameError::Invalid(format!("{}: the slot is not aligned: {error}", which.shown()))
        })
    }

    /// The values of a column of booleans, all false.
    pub(crate) fn bools(&mut self, which: impl ColumnIndex) -> Result<BoolColumn<'a>, FrameError> {
        let (at, data_type) = self.find(&which)?;
        if data_type != &DataType::Boolean {
            return Err(FrameError::Invalid(format!(
                "{} is {data_type}, not a column of booleans",
                which.shown()
            )));
        }
        let rows = self.rows;
        let bits = zeroed(&mut self.parts[at]).ok_or_else(|| taken(&which))?;
        Ok(BoolColumn { bits, rows })
    }

    /// The values of a column of string views, all empty.
    pub(crate) fn texts(&mut self, which: impl ColumnIndex) -> Result<ViewColumn<'a, str>, FrameError> {
        self.views(&which, &DataType::Utf8View)
    }

    /// The values of a column of binary views, all empty.
    pub(crate) fn blobs(&mut self, which: impl ColumnIndex) -> Result<ViewColumn<'a, [u8]>, FrameError> {
        self.views(&which, &DataType::BinaryView)
    }

    /// Which rows of a nullable column are null: none until set.
    pub(crate) fn validity(&mut self, which: impl ColumnIndex) -> Result<Validity<'a>, FrameError> {
        let (at, _) = self.find(&which)?;
        if !self.schema.field(at).is_nullable() {
            return Err(FrameError::Invalid(format!("{} is not nullable", which.shown())));
        }
        let rows = self.rows;
        match (self.validity_of(at), self.parts[at].nulls.take()) {
            (Some(bits), Some(in_use)) => Ok(Validity { bits, in_use, rows }),
            _ => Err(taken(&which)),
        }
    }

    /// All that a column has, or what has its place already; bits and views are zeroed. Also how many rows.
    pub(crate) fn into_parts(mut self, column: usize, all: bool) -> Result<(Parts<'a>, usize), FrameError> {
        let (at, data_type) = self.find(&column)?;
        if all {
            self.parts[at].validity = self.validity_of(at);
            self.parts[at].data = self.data_of(at);
        }
        let mut parts = std::mem::take(&mut self.parts[at]);
        if matches!(data_type, DataType::Boolean | DataType::Utf8View | DataType::BinaryView) {
            parts.values = zeroed(&mut parts);
        }
        Ok((parts, self.rows))
    }

    /// The bitmap of a column, no bit of which has been written, or as it was left; `None` if the column has none.
    pub(crate) fn into_validity(mut self, column: usize) -> Result<Option<&'a mut [u8]>, FrameError> {
        let (at, _) = self.find(&column)?;
        Ok(self.validity_of(at))
    }

    /// The data area of a column; `None` if the column has none.
    pub(crate) fn into_data(mut self, column: usize) -> Result<Option<&'a mut [u8]>, FrameError> {
        let (at, _) = self.find(&column)?;
        Ok(self.data_of(at))
    }

    fn validity_of(&mut self, at: usize) -> Option<&'a mut [u8]> {
        let Columns { rows, parts, room, .. } = self;
        let Parts { validity, validity_at, .. } = &mut parts[at];
        validity.take().or_else(|| Some(room.take(bytes_of_bits(*rows), validity_at.take()?)))
    }

    fn data_of(&mut self, at: usize) -> Option<&'a mut [u8]> {
        let Columns { parts, room, .. } = self;
        let Parts { data, data_at, data_len, .. } = &mut parts[at];
        data.take().or_else(|| Some(room.take(*data_len, data_at.take()?)))
    }

    fn views<T: ?Sized>(
        &mut self,
        which: &impl ColumnIndex,
        needed: &DataType,
    ) -> Result<ViewColumn<'a, T>, FrameError> {
        let (at, data_type) = self.find(which)?;
        if data_type != needed {
            return Err(FrameError::Invalid(format!("{} is {data_type}, not {needed}", which.shown())));
        }
        let views = zeroed(&mut self.parts[at]).ok_or_else(|| taken(which))?;
        match (self.data_of(at), self.parts[at].used.take()) {
            (Some(data), Some(used)) => Ok(ViewColumn::new(views, data, used)),
            _ => Err(taken(which)),
        }
    }

    fn find(&self, which: &impl ColumnIndex) -> Result<(usize, &'a DataType), FrameError> {
        match which.position(self.schema) {
            Some(at) => Ok((at, self.schema.field(at).data_type())),
            None => Err(FrameError::Invalid(format!("{}: there is no such column", which.shown()))),
        }
    }
}

fn taken(which: &impl ColumnIndex) -> FrameError {
    FrameError::Invalid(format!("{} is already handed out", which.shown()))
}

fn zeroed<'a>(parts: &mut Parts<'a>) -> Option<&'a mut [u8]> {
    let values = parts.values.take()?;
    let done = parts.zeroed.take()?;
    if !*done {
        copy::zero(values);
        *done = true;
    }
    Some(values)
}

#[inline]
fn set_bit(bits: &mut [u8], row: usize, value: bool) {
    let mask = 1 << (row % 8);
    if value {
        bits[row / 8] |= mask;
    } else {
        bits[row / 8] &= !mask;
    }
}

/// A column of booleans in a slot.
pub struct BoolColumn<'a> {
    bits: &'a mut [u8],
    rows: usize,
}

impl BoolColumn<'_> {
    /// Sets one row.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub fn set(&mut self, row: usize, value: bool) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        set_bit(self.bits, row, value);
    }

    /// The rows there is room for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is room for no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The bits, least significant first.
    pub fn bits_mut(&mut self) -> &mut [u8] {
        self.bits
    }
}

/// The null rows of a column in a slot.
pub struct Validity<'a> {
    pub(crate) bits: &'a mut [u8],
    pub(crate) in_use: &'a mut bool,
    pub(crate) rows: usize,
}

impl Validity<'_> {
    /// Makes a row null, or valid again.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub fn set(&mut self, row: usize, valid: bool) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        if !*self.in_use {
            if valid {
                return;
            }
            self.bits.fill(0xFF);
            *self.in_use = true;
        }
        set_bit(self.bits, row, valid);
    }

    /// Makes a row null.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub fn set_null(&mut self, row: usize) {
        self.set(row, false);
    }
}

/// A column of string views (`T = str`) or binary views (`T = [u8]`) in a slot.
///
/// Values of up to 12 bytes lie in their view; longer ones take their length from the column's data area.
pub struct ViewColumn<'a, T: ?Sized> {
    views: &'a mut [u8],
    data: &'a mut [u8],
    used: &'a mut usize,
    value: PhantomData<fn(&T)>,
}

/// A value was longer than what is left of a column's data area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("value of {needed} bytes, {left} left for long values; ask for more of them (loan_with)")]
pub struct OutOfRoom {
    /// The bytes of the value.
    pub needed: usize,
    /// The bytes left.
    pub left: usize,
}

impl<'a, T: ?Sized> ViewColumn<'a, T> {
    /// A column of `views` over `data`, of which `used` bytes are taken.
    pub(crate) fn new(views: &'a mut [u8], data: &'a mut [u8], used: &'a mut usize) -> Self {
        Self { views, data, used, value: PhantomData }
    }
}

impl<T: AsRef<[u8]> + ?Sized> ViewColumn<'_, T> {
    /// Sets one row. Setting a row twice does not give back what its long value took.
    ///
    /// # Errors
    ///
    /// If a long value does not fit what is left of the data area.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn set(&mut self, row: usize, value: &T) -> Result<(), OutOfRoom> {
        const SIZE: usize = size_of::<u128>();
        let (value, rows) = (value.as_ref(), self.len());
        assert!(row < rows, "row {row} of {rows}");
        let view = &mut self.views[row * SIZE..(row + 1) * SIZE];
        let mut made = [0; SIZE];
        let short = value.len() <= arrow_data::MAX_INLINE_VIEW_LEN as usize;
        if short {
            made[4..4 + value.len()].copy_from_slice(value);
        } else {
            let at = *self.used;
            let left = self.data.len() - at;
            let Some(place) = self.data.get_mut(at..at + value.len()) else {
                return Err(OutOfRoom { needed: value.len(), left });
            };
            copy::bytes(place, value);
            *self.used += value.len();
            // Length, first four bytes, buffer 0, offset; a data area is shorter than 2 GiB.
            made[4..8].copy_from_slice(&value[..4]);
            made[12..].copy_from_slice(&(at as u32).to_le_bytes());
        }
        made[..4].copy_from_slice(&(value.len() as u32).to_le_bytes());
        view.copy_from_slice(&made);
        Ok(())
    }

    /// The rows there is room for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.views.len() / size_of::<u128>()
    }

    /// Whether there is room for no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }
}
