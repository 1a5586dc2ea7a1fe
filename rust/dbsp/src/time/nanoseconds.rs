//! The time of an event, for rows whose schema is known when the program is compiled.
//!
//! Law: a number and its time are the same bits, order alike, and have one hash; in Arrow the one is an `Int64` and the
//! other a `Timestamp`, without a copy either way.

use std::fmt;

use crate::column::{Data, Fixed, Plain, mix};

/// A time in nanoseconds since 1970, which Arrow has as `Timestamp(Nanosecond, None)`.
///
/// It is an [`EventTime`](crate::operator::EventTime), so windows, waterlines and rolling aggregates go by it, in units of
/// a nanosecond.
///
/// ```
/// use qadataswap_dbsp::time::Nanoseconds;
/// use qadataswap_dbsp::zset;
///
/// let times = zset! { (Nanoseconds(1_767_623_460_000_000_000), "ESZ6".to_owned()) => 1 };
/// let table = times.into_record_batch()?;
/// assert_eq!(table.schema().field(0).data_type().to_string(), "Timestamp(ns)");
/// # Ok::<(), qadataswap_dbsp::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanoseconds(pub i64);

impl Nanoseconds {
    /// Returns the last multiple of `unit` nanoseconds that is not later: the beginning of a minute, say. The first of all
    /// times stands for what would be before it.
    ///
    /// ```
    /// use qadataswap_dbsp::time::Nanoseconds;
    ///
    /// const MINUTE: u64 = 60_000_000_000;
    /// assert_eq!(Nanoseconds(61_000_000_000).floor(MINUTE), Nanoseconds(60_000_000_000));
    /// assert_eq!(Nanoseconds(-1).floor(MINUTE), Nanoseconds(-60_000_000_000));
    /// ```
    ///
    /// # Panics
    ///
    /// If `unit` is 0.
    #[must_use]
    pub fn floor(self, unit: u64) -> Self {
        let past = i128::from(self.0).rem_euclid(i128::from(unit));
        Self(self.0.saturating_sub_unsigned(past as u64))
    }
}

impl From<i64> for Nanoseconds {
    fn from(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }
}

impl From<Nanoseconds> for i64 {
    fn from(time: Nanoseconds) -> Self {
        time.0
    }
}

impl fmt::Debug for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ns", self.0)
    }
}

impl Fixed for Nanoseconds {
    type Native = i64;
    const BYTES: usize = size_of::<i64>();
    #[inline]
    fn native(self) -> i64 {
        self.0
    }
    #[inline]
    fn of(native: i64) -> Self {
        Self(native)
    }
    #[inline]
    fn leading(self) -> u64 {
        self.0.leading()
    }
    #[inline]
    fn low_bits(self) -> u64 {
        self.0.cast_unsigned()
    }
}

impl Data for Nanoseconds {
    type Column = Plain<Self>;
    type Ref<'a> = Self;
    type Row<'a, K: Data> = (K::Ref<'a>, Self);
    const WIDTH: Option<usize> = Some(Self::BYTES);

    #[inline]
    fn row<'a, K: Data>(key: K::Ref<'a>, val: Self) -> (K::Ref<'a>, Self) {
        (key, val)
    }
    #[inline]
    fn borrow(&self) -> Self {
        *self
    }
    #[inline]
    fn shorten<'long: 'short, 'short>(value: Self) -> Self {
        value
    }
    #[inline]
    fn owned(value: Self) -> Self {
        value
    }
    #[inline]
    fn hash(value: Self) -> u64 {
        mix(value.low_bits())
    }
    #[inline]
    fn bits(value: Self) -> u64 {
        value.low_bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_begins_its_unit_or_is_the_first_of_all() {
        for (time, unit, start) in
            [(0, 7, 0), (6, 7, 0), (7, 7, 7), (-1, 7, -7), (5, 1, 5), (i64::MAX, u64::MAX, 0)]
        {
            assert_eq!(Nanoseconds(time).floor(unit), Nanoseconds(start), "{time} by {unit}");
        }
        assert_eq!(Nanoseconds(i64::MIN + 1).floor(1 << 62), Nanoseconds(i64::MIN));
        assert_eq!(Nanoseconds(i64::MIN + 1).floor(u64::MAX), Nanoseconds(i64::MIN));
    }

    #[test]
    fn a_time_hashes_as_its_number() {
        for number in [0, 1, -1, i64::MIN, i64::MAX] {
            assert_eq!(Nanoseconds::hash(Nanoseconds(number)), i64::hash(number));
            assert_eq!(Nanoseconds::bits(Nanoseconds(number)), i64::bits(number));
        }
    }
}
