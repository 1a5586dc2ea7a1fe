//! Operators that know of the time of events: windows, waterlines and rolling aggregates.

mod nested;
mod partitions;
mod rolling;
mod rolling_linear;
mod rolling_parts;
mod rolling_rows;
mod sums;
mod waterline;
mod window;

use crate::circuit::{Circuit, Incoming, RootCircuit, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::{BinaryOperator, UnaryOperator, Values};
use crate::time::Nanoseconds;
use crate::trace::{Batch, Group};

/// A time of events: an integer, with or without sign, of whatever unit, or [`Nanoseconds`].
pub trait EventTime: for<'a> Data<Ref<'a> = Self> + Copy + Default {
    /// The first of all times.
    const FIRST: Self;
    /// The last of all times.
    const LAST: Self;
    /// Returns the time so many units earlier, unless that is before all times.
    fn earlier(self, units: u64) -> Option<Self>;
    /// Returns the time so many units later, unless that is after all times.
    fn later(self, units: u64) -> Option<Self>;
}

macro_rules! times {
    ($($type:ty, $unsigned:ty, $earlier:ident, $later:ident;)*) => {$(
        impl EventTime for $type {
            const FIRST: Self = Self::MIN;
            const LAST: Self = Self::MAX;
            fn earlier(self, units: u64) -> Option<Self> {
                self.$earlier(<$unsigned>::try_from(units).ok()?)
            }
            fn later(self, units: u64) -> Option<Self> {
                self.$later(<$unsigned>::try_from(units).ok()?)
            }
        }
    )*};
}
times! {
    u8, u8, checked_sub, checked_add;
    u16, u16, checked_sub, checked_add;
    u32, u32, checked_sub, checked_add;
    u64, u64, checked_sub, checked_add;
    i8, u8, checked_sub_unsigned, checked_add_unsigned;
    i16, u16, checked_sub_unsigned, checked_add_unsigned;
    i32, u32, checked_sub_unsigned, checked_add_unsigned;
    i64, u64, checked_sub_unsigned, checked_add_unsigned;
}

impl EventTime for Nanoseconds {
    const FIRST: Self = Self(i64::FIRST);
    const LAST: Self = Self(i64::LAST);
    fn earlier(self, units: u64) -> Option<Self> {
        self.0.earlier(units).map(Self)
    }
    fn later(self, units: u64) -> Option<Self> {
        self.0.later(units).map(Self)
    }
}

/// A time as seen from a row's own, in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelOffset {
    /// So many units before.
    Before(u64),
    /// So many units after.
    After(u64),
}

impl RelOffset {
    fn opposite(self) -> Self {
        match self {
            Self::Before(units) => Self::After(units),
            Self::After(units) => Self::Before(units),
        }
    }

    fn signed(self) -> i128 {
        match self {
            Self::Before(units) => -i128::from(units),
            Self::After(units) => i128::from(units),
        }
    }
}

/// A range of times as seen from a row's own, both ends included.
///
/// ```
/// use qadataswap_dbsp::operator::{RelOffset, RelRange};
///
/// let range = RelRange::new(RelOffset::Before(60), RelOffset::Before(0));
/// assert_eq!(range.of(100u64), Some((40, 100)));
/// assert_eq!(range.of(10u64), Some((0, 10)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelRange {
    from: RelOffset,
    to: RelOffset,
}

impl RelRange {
    /// Makes the range.
    ///
    /// # Panics
    ///
    /// If `to` comes before `from`.
    #[must_use]
    pub fn new(from: RelOffset, to: RelOffset) -> Self {
        assert!(from.signed() <= to.signed(), "a range from {from:?} to {to:?} holds nothing");
        Self { from, to }
    }

    /// Returns the first and the last time that the range has for a row of this time, if there are any.
    #[must_use]
    pub fn of<T: EventTime>(self, time: T) -> Option<(T, T)> {
        let from = match self.from {
            RelOffset::Before(units) => time.earlier(units).unwrap_or(T::FIRST),
            RelOffset::After(units) => time.later(units)?,
        };
        let to = match self.to {
            RelOffset::Before(units) => time.earlier(units)?,
            RelOffset::After(units) => time.later(units).unwrap_or(T::LAST),
        };
        Some((from, to))
    }

    /// Returns the range of the rows that have a row in theirs.
    fn mirrored(self) -> Self {
        Self { from: self.to.opposite(), to: self.from.opposite() }
    }

    /// Lists the times whose rows are affected by changes at some times, as ranges that neither meet nor touch.
    fn affected<T: EventTime>(self, changes: impl Iterator<Item = T>, zones: &mut Vec<(T, T)>) {
        zones.clear();
        // A row that comes or goes is affected itself, also where it is not in its own range.
        changes.for_each(|time| zones.extend([(time, time)].into_iter().chain(self.mirrored().of(time))));
        zones.sort_unstable();
        zones.dedup_by(|next, last| {
            let meets = next.0 <= last.1;
            if meets {
                last.1 = last.1.max(next.1);
            }
            meets
        });
    }

    /// Returns the first time that still matters if all changes to come are at `line` or later.
    fn horizon<T: EventTime>(self, line: T) -> T {
        let first = |range: Self, time: T| match range.from {
            RelOffset::Before(units) => time.earlier(units).unwrap_or(T::FIRST),
            RelOffset::After(_) => time,
        };
        first(self, first(self.mirrored(), line))
    }
}

/// A rolling aggregate, with or without a waterline.
trait Rolls<P: Data, T: Data, V: Data, O: Data>: 'static {
    /// Brings what follows from the rows of a step, of which those below the waterline are late.
    fn step(&mut self, input: &Incoming<Batch<P, (T, V)>>, output: &mut Batch<P, (T, O)>);
    /// Moves the waterline, after a step of so many rows, and forgets what it has passed.
    fn rise(&mut self, line: T, rows: usize);
    fn state(&self) -> State;
}

/// A rolling aggregate as an operator.
struct Rolled<R>(R);

impl<P: Data, T: Data, V: Data, O: Data, R: Rolls<P, T, V, O>>
    UnaryOperator<Batch<P, (T, V)>, Batch<P, (T, O)>> for Rolled<R>
{
    fn eval(
        &mut self,
        input: &Incoming<Batch<P, (T, V)>>,
        output: &mut Batch<P, (T, O)>,
    ) -> Result<(), Error> {
        self.0.step(input, output);
        Ok(())
    }
    fn state(&self) -> State {
        self.0.state()
    }
}

impl<P: Data, T: EventTime, V: Data, O: Data, R: Rolls<P, T, V, O>>
    BinaryOperator<Batch<P, (T, V)>, T, Batch<P, (T, O)>> for Rolled<R>
{
    fn eval(
        &mut self,
        input: &Incoming<Batch<P, (T, V)>>,
        line: &Incoming<T>,
        output: &mut Batch<P, (T, O)>,
    ) -> Result<(), Error> {
        let rows = input.get().len();
        self.0.step(input, output);
        self.0.rise(*line.get(), rows);
        Ok(())
    }
    fn state(&self) -> State {
        self.0.state()
    }
}

impl<C: Circuit, P: Data, T: EventTime, V: Data> Stream<C, Batch<P, (T, V)>> {
    fn rolled<O: Data>(
        &self,
        name: &'static str,
        rolling: impl Rolls<P, T, V, O>,
    ) -> Stream<C, Batch<P, (T, O)>> {
        self.shard().unary(name, Rolled(rolling))
    }
}

impl<P: Data, T: EventTime, V: Data> Stream<RootCircuit, Batch<P, (T, V)>> {
    fn rolled_above<O: Data>(
        &self,
        waterline: &Stream<RootCircuit, T>,
        name: &'static str,
        rolling: impl Rolls<P, T, V, O>,
    ) -> Stream<RootCircuit, Batch<P, (T, O)>> {
        self.shard().binary(name, waterline, Rolled(rolling))
    }
}

/// Brings the difference of two lists of results of one partition, each in the order of time.
fn bring<P: Data, T: EventTime, O: Data>(
    partition: P::Ref<'_>,
    old: Vec<(T, O)>,
    new: Vec<(T, O)>,
    output: &mut Batch<P, (T, O)>,
) {
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    while let Some(time) = [old.peek(), new.peek()].into_iter().flatten().map(|row| row.0).min() {
        let (before, after) = (old.next_if(|row| row.0 == time), new.next_if(|row| row.0 == time));
        if before != after {
            for (row, weight) in [(before, -1), (after, 1)] {
                if let Some((time, result)) = row {
                    output.push(partition, (time, result.borrow()), weight);
                }
            }
        }
    }
}

/// Returns the rows that are not below a waterline, if there is one.
fn in_time<P: Data, T: EventTime, V: Data>(all: Batch<P, (T, V)>, line: Option<T>) -> Batch<P, (T, V)> {
    let late = |row: usize| line.is_some_and(|line| all.val(row).0 < line);
    if line.is_none() || !(0..all.len()).any(late) {
        return all;
    }
    let kept: Vec<u32> = (0u32..).take(all.len()).filter(|&row| !late(row as usize)).collect();
    let mut rest = Batch::new();
    rest.extend_rows(&all, &kept);
    rest
}

/// Returns the rows of a range of times, both ends included.
fn between<'a, T: EventTime, V: Data>(group: &Group<'a, (T, V)>, from: T, to: T) -> Group<'a, (T, V)> {
    let mut group = group.clone();
    group.skip_while(|row| row.0 < from);
    group.take_while(|row| row.0 <= to);
    group
}

/// Calls `with` with the values of some rows that are present, in the order of time.
fn with_values<T: EventTime, V: Data, O>(
    rows: &Group<'_, (T, V)>,
    with: impl FnOnce(Values<'_, V>) -> O,
) -> O {
    with(&|each| {
        let mut rest = rows.clone();
        while let Some(((_, val), weight)) = rest.next_present(false) {
            each(val, weight);
        }
    })
}
