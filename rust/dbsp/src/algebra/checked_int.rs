//! Integers that say that they overflow, for programs whose own `+` must not wrap either.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use super::{AddByRef, HasOne, HasZero, MulByRef, NegByRef, ZWeight};

/// An integer whose operators panic on overflow in every build, where a bare integer's do so in debug builds only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckedInt<T>(pub T);

impl<T: fmt::Display> fmt::Display for CheckedInt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> From<T> for CheckedInt<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: HasZero> HasZero for CheckedInt<T> {
    fn zero() -> Self {
        Self(T::zero())
    }
    fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

impl<T: HasOne> HasOne for CheckedInt<T> {
    fn one() -> Self {
        Self(T::one())
    }
}

impl<T: AddByRef> AddByRef for CheckedInt<T> {
    fn add_by_ref(&self, other: &Self) -> Self {
        Self(self.0.add_by_ref(&other.0))
    }
    fn add_assign_by_ref(&mut self, other: &Self) {
        self.0.add_assign_by_ref(&other.0);
    }
}

impl<T: NegByRef> NegByRef for CheckedInt<T> {
    fn neg_by_ref(&self) -> Self {
        Self(self.0.neg_by_ref())
    }
}

impl<T: MulByRef<Output = T>> MulByRef for CheckedInt<T> {
    type Output = Self;
    fn mul_by_ref(&self, other: &Self) -> Self {
        Self(self.0.mul_by_ref(&other.0))
    }
}

impl<T: MulByRef<ZWeight, Output = T>> MulByRef<ZWeight> for CheckedInt<T> {
    type Output = Self;
    fn mul_by_ref(&self, weight: &ZWeight) -> Self {
        Self(self.0.mul_by_ref(weight))
    }
}

impl<T: AddByRef> Add for CheckedInt<T> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.add_by_ref(&other)
    }
}

impl<T: AddByRef> AddAssign for CheckedInt<T> {
    fn add_assign(&mut self, other: Self) {
        self.add_assign_by_ref(&other);
    }
}

impl<T: AddByRef + NegByRef> Sub for CheckedInt<T> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.add_by_ref(&other.neg_by_ref())
    }
}

impl<T: NegByRef> Neg for CheckedInt<T> {
    type Output = Self;
    fn neg(self) -> Self {
        self.neg_by_ref()
    }
}

impl<T: MulByRef<Output = T>> Mul for CheckedInt<T> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.mul_by_ref(&other)
    }
}
