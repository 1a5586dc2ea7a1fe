//! Floats with a total order, so that they may be keys: every NaN is one value, above all others, and −0 is 0.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Add, AddAssign, Deref, Div, Mul, Neg, Sub};

use super::{AddByRef, HasOne, HasZero, MulByRef, NegByRef, ZWeight};

macro_rules! float {
    ($(#[$doc:meta])* $name:ident($type:ty, $bits:ty)) => {
        $(#[$doc])*
        ///
        /// Addition rounds, so sums of floats are a group only as far as their digits go: what was added and taken
        /// away again may leave the last digits of a sum. Money belongs in integers.
        #[derive(Clone, Copy, Default)]
        pub struct $name($type);

        impl $name {
            /// Wraps a float; any NaN becomes the one NaN, and −0 becomes 0.
            #[must_use]
            pub fn new(value: $type) -> Self {
                if value.is_nan() { Self(<$type>::NAN) } else { Self(value + 0.0) }
            }
            /// Returns the float.
            #[must_use]
            pub fn into_inner(self) -> $type {
                self.0
            }
            /// Returns bits that are equal where the values are.
            #[must_use]
            pub fn to_bits(self) -> $bits {
                self.0.to_bits()
            }
        }

        impl From<$type> for $name {
            fn from(value: $type) -> Self { Self::new(value) }
        }
        impl From<$name> for $type {
            fn from(value: $name) -> Self { value.0 }
        }
        impl Deref for $name {
            type Target = $type;
            fn deref(&self) -> &$type { &self.0 }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool { self.to_bits() == other.to_bits() }
        }
        impl Eq for $name {}
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> { Some(self.cmp(other)) }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                match (self.0.is_nan(), other.0.is_nan()) {
                    (false, false) => self.0.total_cmp(&other.0),
                    (mine, others) => mine.cmp(&others),
                }
            }
        }
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) { self.to_bits().hash(state); }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(&self.0, f) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self { Self::new(self.0 + other.0) }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) { *self = Self::new(self.0 + other.0); }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self { Self::new(self.0 - other.0) }
        }
        impl Mul for $name {
            type Output = Self;
            fn mul(self, other: Self) -> Self { Self::new(self.0 * other.0) }
        }
        impl Div for $name {
            type Output = Self;
            fn div(self, other: Self) -> Self { Self::new(self.0 / other.0) }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self { Self::new(-self.0) }
        }
        impl HasZero for $name {
            fn zero() -> Self { Self(0.0) }
            fn is_zero(&self) -> bool { self.0 == 0.0 }
        }
        impl HasOne for $name {
            fn one() -> Self { Self(1.0) }
        }
        impl AddByRef for $name {
            fn add_by_ref(&self, other: &Self) -> Self { *self + *other }
            fn add_assign_by_ref(&mut self, other: &Self) { *self += *other; }
        }
        impl NegByRef for $name {
            fn neg_by_ref(&self) -> Self { -*self }
        }
        impl MulByRef for $name {
            type Output = Self;
            fn mul_by_ref(&self, other: &Self) -> Self { *self * *other }
        }
        impl MulByRef<ZWeight> for $name {
            type Output = Self;
            #[allow(clippy::cast_precision_loss)]
            fn mul_by_ref(&self, weight: &ZWeight) -> Self { Self::new(self.0 * *weight as $type) }
        }
    };
}

float! {
    /// A totally ordered `f32`.
    F32(f32, u32)
}
float! {
    /// A totally ordered `f64`.
    F64(f64, u64)
}
