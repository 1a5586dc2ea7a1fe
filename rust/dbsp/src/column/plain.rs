//! Columns of numbers and booleans: one array, which may be an Arrow array's.

use std::fmt::Debug;
use std::ops::{Deref, Range};

use arrow_buffer::{ArrowNativeType, Buffer, ScalarBuffer};

use super::hash::{combine, mix};
use super::{Column, Data};
use crate::algebra::{CheckedInt, F32, F64};

/// An array of our own, or the values of an Arrow array that others may hold too; the latter is copied when it is
/// written to, and not before.
#[derive(Clone, Debug)]
pub enum Values<N: ArrowNativeType> {
    /// Ours.
    Owned(Vec<N>),
    /// Shared with an Arrow array.
    Shared(ScalarBuffer<N>),
}

impl<N: ArrowNativeType> Values<N> {
    /// Returns the array for writing, as our own.
    #[inline]
    pub fn to_mut(&mut self) -> &mut Vec<N> {
        if let Self::Shared(shared) = self {
            *self = Self::Owned(shared.to_vec());
        }
        match self {
            Self::Owned(values) => values,
            Self::Shared(_) => unreachable!("what was shared is ours now"),
        }
    }

    /// Lets whoever copies the values share them, until somebody writes.
    pub(crate) fn share(&mut self) {
        if let Self::Owned(values) = self {
            *self = Self::Shared(ScalarBuffer::from(std::mem::take(values)));
        }
    }

    /// Returns the values as an Arrow buffer, without copying them.
    #[must_use]
    pub fn into_buffer(self) -> Buffer {
        match self {
            Self::Owned(values) => Buffer::from_vec(values),
            Self::Shared(shared) => shared.into_inner(),
        }
    }
}

impl<N: ArrowNativeType> Default for Values<N> {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

impl<N: ArrowNativeType> Deref for Values<N> {
    type Target = [N];
    #[inline]
    fn deref(&self) -> &[N] {
        match self {
            Self::Owned(values) => values,
            Self::Shared(shared) => shared,
        }
    }
}

/// A value of a fixed size that is looked at by value.
pub trait Fixed: Copy + Ord + Debug + Send + Sync + 'static {
    /// What lies in the array.
    type Native: ArrowNativeType;
    /// The size in bytes.
    const BYTES: usize;
    /// Returns what is to lie in the array.
    fn native(self) -> Self::Native;
    /// Returns the value of what lies there.
    fn of(native: Self::Native) -> Self;
    /// Returns the lower 8 bytes, as a number without sign.
    fn low_bits(self) -> u64;
    /// Returns a number that is in the order of the values; equal ones of values of up to 8 bytes are of one value.
    fn leading(self) -> u64;
    /// Returns the upper 8 bytes of a value of 16.
    fn high_bits(self) -> u64 {
        0
    }
}

/// A column of values of a fixed size.
#[derive(Clone, Debug)]
pub struct Plain<T: Fixed>(pub Values<T::Native>);

impl<T: Fixed> Default for Plain<T> {
    fn default() -> Self {
        Self(Values::default())
    }
}

impl<T: Fixed + Data<Column = Self>> Column for Plain<T>
where
    for<'a> T: Data<Ref<'a> = T>,
{
    type Item = T;

    const FIXED: bool = true;

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
    #[inline]
    fn get(&self, row: usize) -> T {
        T::of(self.0[row])
    }
    #[inline]
    fn push(&mut self, value: T) {
        self.0.to_mut().push(value.native());
    }
    fn push_default(&mut self) {
        self.0.to_mut().push(T::Native::default());
    }
    #[inline]
    fn set(&mut self, row: usize, value: T) {
        self.0.to_mut()[row] = value.native();
    }
    fn truncate(&mut self, rows: usize) {
        match &mut self.0 {
            Values::Owned(values) => values.truncate(rows),
            // Not even an empty slice: it would keep all of the memory.
            Values::Shared(_) if rows == 0 => self.0 = Values::default(),
            Values::Shared(shared) => *shared = shared.slice(0, rows.min(shared.len())),
        }
    }
    fn detach(&mut self) {
        self.0.to_mut();
    }
    fn reserve(&mut self, rows: usize) {
        self.0.to_mut().reserve(rows);
    }
    #[inline]
    fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        self.0.to_mut().extend_from_slice(&from.0[rows]);
    }
    #[inline]
    fn iter(&self) -> impl ExactSizeIterator<Item = T> + Clone {
        self.0.iter().map(|&native| T::of(native))
    }
    #[inline]
    fn extend<'a>(&mut self, rows: impl Iterator<Item = <T as Data>::Ref<'a>> + Clone) {
        self.0.to_mut().extend(rows.map(T::native));
    }
    fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        let from: &[T::Native] = &from.0;
        self.0.to_mut().extend(rows.iter().map(|&row| from[row as usize]));
    }
    fn hashes(&self, rows: Range<usize>, hashes: &mut Vec<u64>) {
        hashes.extend(self.0[rows].iter().map(|&native| <T as Data>::hash(T::of(native))));
    }
    #[inline]
    fn leading(&self, row: usize) -> u64 {
        T::of(self.0[row]).leading()
    }
    #[inline]
    fn touch(&self, row: usize) -> usize {
        T::of(self.0[row]).low_bits() as usize
    }
    fn bytes(&self) -> usize {
        size_of::<T::Native>() * self.len()
    }
}

macro_rules! fixed {
    ($($type:ty as $native:ty:
        |$value:ident| $to:expr, |$raw:ident| $of:expr, $lead:expr, $low:expr $(, $high:expr)?;)*) => {$(
        impl Fixed for $type {
            type Native = $native;
            const BYTES: usize = size_of::<$native>();
            #[inline]
            fn native(self) -> $native { let $value = self; $to }
            #[inline]
            fn of($raw: $native) -> Self { $of }
            #[inline]
            #[allow(clippy::cast_lossless, clippy::cast_sign_loss, clippy::cast_possible_truncation)]
            fn low_bits(self) -> u64 { let $value = self; $low }
            #[inline]
            fn leading(self) -> u64 { let $value = self; $lead }
            $(#[inline]
            fn high_bits(self) -> u64 { let $value = self; $high })?
        }
        impl Data for $type {
            type Column = Plain<Self>;
            type Ref<'a> = Self;
            type Row<'a, K: Data> = (K::Ref<'a>, Self::Ref<'a>);
            const WIDTH: Option<usize> = if Self::BYTES <= 8 { Some(Self::BYTES) } else { None };
            #[inline]
            fn row<'a, K: Data>(key: K::Ref<'a>, val: Self::Ref<'a>) -> (K::Ref<'a>, Self::Ref<'a>) {
                (key, val)
            }
            #[inline]
            fn borrow(&self) -> Self { *self }
            #[inline]
            fn shorten<'long: 'short, 'short>(value: Self) -> Self { value }
            #[inline]
            fn owned(value: Self) -> Self { value }
            #[inline]
            fn hash(value: Self) -> u64 {
                if Self::BYTES <= 8 { mix(value.low_bits()) } else { combine(value.high_bits(), value.low_bits()) }
            }
            #[inline]
            fn bits(value: Self) -> u64 {
                if Self::BYTES <= 8 { value.low_bits() } else { 0 }
            }
        }
    )*};
}

/// Returns an integer with a sign as one without, in the same order.
#[inline]
pub(crate) fn signed(value: i64) -> u64 {
    value.cast_unsigned() ^ 1 << 63
}

/// Returns the bits of a float in the order of floats, any NaN above all others.
#[inline]
fn float(value: F64) -> u64 {
    let bits = value.to_bits();
    if value.is_nan() {
        u64::MAX
    } else if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

fixed! {
    u8 as u8: |v| v, |r| r, v.into(), v as u64;
    u16 as u16: |v| v, |r| r, v.into(), v as u64;
    u32 as u32: |v| v, |r| r, v.into(), v as u64;
    u64 as u64: |v| v, |r| r, v, v;
    usize as u64: |v| v as u64, |r| usize::try_from(r).expect("a usize has 64 bits"), v as u64, v as u64;
    i8 as i8: |v| v, |r| r, signed(v.into()), v as u8 as u64;
    i16 as i16: |v| v, |r| r, signed(v.into()), v as u16 as u64;
    i32 as i32: |v| v, |r| r, signed(v.into()), v as u32 as u64;
    i64 as i64: |v| v, |r| r, signed(v), v as u64;
    isize as i64: |v| v as i64, |r| isize::try_from(r).expect("an isize has 64 bits"), signed(v as i64), v as u64;
    i128 as i128: |v| v, |r| r, signed((v >> 64) as i64), v as u64, (v >> 64) as u64;
    bool as u8: |v| u8::from(v), |r| r != 0, v.into(), v as u64;
    F32 as f32: |v| v.into_inner(), |r| F32::new(r), float(F64::new(v.into_inner().into())), v.to_bits() as u64;
    F64 as f64: |v| v.into_inner(), |r| F64::new(r), float(v), v.to_bits();
    CheckedInt<i32> as i32: |v| v.0, |r| CheckedInt(r), signed(v.0.into()), v.0 as u32 as u64;
    CheckedInt<i64> as i64: |v| v.0, |r| CheckedInt(r), signed(v.0), v.0 as u64;
    CheckedInt<i128> as i128: |v| v.0, |r| CheckedInt(r), signed((v.0 >> 64) as i64), v.0 as u64, (v.0 >> 64) as u64;
}
