//! What weights, accumulators and times have to be: monoids, groups, rings and lattices, by reference.
//!
//! The law that everything here rests on: a *Z-set* maps rows to integers, Z-sets are a group under addition, and so
//! are streams of them; an operator that is a homomorphism of that group is its own incremental form (Budiu et al.,
//! "DBSP: Automatic Incremental View Maintenance for Rich Query Languages", VLDB 2023, section 3).
//!
//! ```
//! use qadataswap_dbsp::algebra::{GroupValue, HasZero, MulByRef};
//!
//! fn difference<G: GroupValue>(new: &G, old: &G) -> G {
//!     new.add_by_ref(&old.neg_by_ref())
//! }
//! assert_eq!(difference(&7i64, &4), 3);
//! assert_eq!(difference(&(1i64, 2i32), &(1, 2)), HasZero::zero());
//! assert_eq!((2i64, 3i64).mul_by_ref(&-4i64), (-8, -12));
//! ```

mod checked_int;
mod floats;
mod lattice;

pub use checked_int::CheckedInt;
pub use floats::{F32, F64};
pub use lattice::{Lattice, PartialOrder};

/// How often a row is there: an element of the ring of integers. Weights never wrap: see [`add_weights`].
pub type ZWeight = i64;

/// Has a neutral element of addition.
pub trait HasZero {
    /// Returns the neutral element of addition.
    fn zero() -> Self;
    /// Returns whether this is it.
    fn is_zero(&self) -> bool;
}

/// Has a neutral element of multiplication.
pub trait HasOne {
    /// Returns the neutral element of multiplication.
    fn one() -> Self;
}

/// Adds without consuming what is added.
pub trait AddByRef<Rhs = Self> {
    /// Returns the sum.
    #[must_use]
    fn add_by_ref(&self, other: &Rhs) -> Self;
    /// Adds in place.
    fn add_assign_by_ref(&mut self, other: &Rhs);
}

/// Negates without consuming.
pub trait NegByRef {
    /// Returns the inverse under addition.
    #[must_use]
    fn neg_by_ref(&self) -> Self;
}

/// Multiplies without consuming the factors.
pub trait MulByRef<Rhs = Self> {
    /// The type of the product.
    type Output;
    /// Returns the product.
    fn mul_by_ref(&self, other: &Rhs) -> Self::Output;
}

/// An associative addition.
pub trait SemigroupValue: Clone + Eq + AddByRef + 'static {}
impl<T: Clone + Eq + AddByRef + 'static> SemigroupValue for T {}

/// A semigroup with zero.
pub trait MonoidValue: SemigroupValue + HasZero {}
impl<T: SemigroupValue + HasZero> MonoidValue for T {}

/// A monoid with inverses, commutative as all ours are.
pub trait GroupValue: MonoidValue + NegByRef {}
impl<T: MonoidValue + NegByRef> GroupValue for T {}

/// A group with a multiplication that distributes over its addition.
pub trait RingValue: GroupValue + MulByRef<Output = Self> + HasOne {}
impl<T: GroupValue + MulByRef<Output = Self> + HasOne> RingValue for T {}

/// A ring whose elements have a sign: what may be the weight of a row.
pub trait ZRingValue: RingValue + Ord {
    /// Returns whether this is at least zero.
    fn ge0(&self) -> bool {
        *self >= Self::zero()
    }
    /// Returns whether this is less than zero.
    fn lt0(&self) -> bool {
        *self < Self::zero()
    }
}
impl<T: RingValue + Ord> ZRingValue for T {}

/// A group that weights act upon: what can be summed over a Z-set. `a.mul_by_ref(&w)` is `a` added `w` times.
pub trait LinearValue: GroupValue + MulByRef<ZWeight, Output = Self> {}
impl<T: GroupValue + MulByRef<ZWeight, Output = Self>> LinearValue for T {}

/// Adds two weights.
///
/// # Panics
///
/// If the sum leaves `i64`. Inside a circuit that ends the step with [`Error::Panic`](crate::Error::Panic) and the
/// circuit with it: a wrapped weight would be a wrong answer that nobody sees.
#[inline]
#[must_use]
pub fn add_weights(a: ZWeight, b: ZWeight) -> ZWeight {
    a.checked_add(b).expect("the weight of a row fits 64 bits")
}

/// Multiplies two weights.
///
/// # Panics
///
/// If the product leaves `i64`, as [`add_weights`].
#[inline]
#[must_use]
pub fn multiply_weights(a: ZWeight, b: ZWeight) -> ZWeight {
    a.checked_mul(b).expect("the weight of a row fits 64 bits")
}

/// Integers and what wraps them overflow loudly: a sum that leaves its type panics, with the type's name.
macro_rules! integers {
    ($($type:ty)*) => {$(
        impl HasZero for $type {
            #[inline]
            fn zero() -> Self { 0 }
            #[inline]
            fn is_zero(&self) -> bool { *self == 0 }
        }
        impl HasOne for $type {
            #[inline]
            fn one() -> Self { 1 }
        }
        impl AddByRef for $type {
            #[inline]
            fn add_by_ref(&self, other: &Self) -> Self {
                self.checked_add(*other).expect(concat!("a sum fits ", stringify!($type)))
            }
            #[inline]
            fn add_assign_by_ref(&mut self, other: &Self) {
                *self = self.add_by_ref(other);
            }
        }
        impl NegByRef for $type {
            #[inline]
            fn neg_by_ref(&self) -> Self {
                self.checked_neg().expect(concat!("an inverse fits ", stringify!($type)))
            }
        }
        impl MulByRef for $type {
            type Output = Self;
            #[inline]
            fn mul_by_ref(&self, other: &Self) -> Self {
                self.checked_mul(*other).expect(concat!("a product fits ", stringify!($type)))
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 i128 isize);

/// `value × weight` for integers other than `i64`, whose own multiplication it is already.
macro_rules! weighted {
    ($($type:ty)*) => {$(
        impl MulByRef<ZWeight> for $type {
            type Output = Self;
            #[inline]
            fn mul_by_ref(&self, weight: &ZWeight) -> Self {
                Self::try_from(*weight).ok().and_then(|weight| self.checked_mul(weight))
                    .expect(concat!("a weighted value fits ", stringify!($type)))
            }
        }
    )*};
}
weighted!(i8 i16 i32 i128 isize);

/// Tuples add, negate and scale by component.
macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        impl<$($name: HasZero),*> HasZero for ($($name,)*) {
            #[allow(clippy::unused_unit)]
            #[inline]
            fn zero() -> Self { ($($name::zero(),)*) }
            #[inline]
            fn is_zero(&self) -> bool { true $(&& self.$index.is_zero())* }
        }
        impl<$($name: AddByRef),*> AddByRef for ($($name,)*) {
            #[allow(unused_variables)]
            #[allow(clippy::unused_unit)]
            #[inline]
            fn add_by_ref(&self, other: &Self) -> Self { ($(self.$index.add_by_ref(&other.$index),)*) }
            #[allow(unused_variables)]
            #[inline]
            fn add_assign_by_ref(&mut self, other: &Self) { $(self.$index.add_assign_by_ref(&other.$index);)* }
        }
        impl<$($name: NegByRef),*> NegByRef for ($($name,)*) {
            #[allow(clippy::unused_unit)]
            #[inline]
            fn neg_by_ref(&self) -> Self { ($(self.$index.neg_by_ref(),)*) }
        }
        impl<$($name: MulByRef<ZWeight, Output = $name>),*> MulByRef<ZWeight> for ($($name,)*) {
            type Output = Self;
            #[allow(unused_variables)]
            #[allow(clippy::unused_unit)]
            #[inline]
            fn mul_by_ref(&self, weight: &ZWeight) -> Self { ($(self.$index.mul_by_ref(weight),)*) }
        }
    };
}
tuples!();
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);

#[cfg(test)]
mod tests;
