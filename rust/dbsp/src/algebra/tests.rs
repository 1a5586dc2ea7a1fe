//! The group, ring and lattice laws, on random values.

use proptest::prelude::*;

use super::*;
use crate::time::Product;

fn group<G: GroupValue + std::fmt::Debug>(a: &G, b: &G, c: &G) {
    assert_eq!(a.add_by_ref(b), b.add_by_ref(a), "addition commutes");
    assert_eq!(a.add_by_ref(b).add_by_ref(c), a.add_by_ref(&b.add_by_ref(c)), "addition associates");
    assert_eq!(&a.add_by_ref(&G::zero()), a, "zero is neutral");
    assert!(a.add_by_ref(&a.neg_by_ref()).is_zero(), "an inverse cancels");
    let mut sum = a.clone();
    sum.add_assign_by_ref(b);
    assert_eq!(sum, a.add_by_ref(b), "addition in place is addition");
}

fn ring<R: RingValue + std::fmt::Debug>(a: &R, b: &R, c: &R) {
    group(a, b, c);
    assert_eq!(&a.mul_by_ref(&R::one()), a);
    assert_eq!(a.mul_by_ref(b).mul_by_ref(c), a.mul_by_ref(&b.mul_by_ref(c)));
    let sum = b.add_by_ref(c);
    assert_eq!(
        a.mul_by_ref(&sum),
        a.mul_by_ref(b).add_by_ref(&a.mul_by_ref(c)),
        "multiplication distributes"
    );
}

fn linear<L: LinearValue + std::fmt::Debug>(a: &L, b: &L, v: ZWeight, w: ZWeight) {
    assert_eq!(a.mul_by_ref(&(v + w)), a.mul_by_ref(&v).add_by_ref(&a.mul_by_ref(&w)));
    assert_eq!(a.add_by_ref(b).mul_by_ref(&w), a.mul_by_ref(&w).add_by_ref(&b.mul_by_ref(&w)));
    assert_eq!(a.mul_by_ref(&0), L::zero());
}

fn lattice<L: Lattice + std::fmt::Debug>(a: &L, b: &L, c: &L) {
    let (join, meet) = (a.join(b), a.meet(b));
    assert!(a.less_equal(&join) && b.less_equal(&join) && meet.less_equal(a) && meet.less_equal(b));
    assert_eq!(join, b.join(a));
    assert_eq!(meet, b.meet(a));
    assert!(!(a.less_equal(c) && b.less_equal(c)) || join.less_equal(c), "the join is the least upper bound");
    assert!(
        !(c.less_equal(a) && c.less_equal(b)) || c.less_equal(&meet),
        "the meet is the greatest lower bound"
    );
    assert_eq!(a.less_than(b), a.less_equal(b) && a != b);
    assert_eq!(&a.join(&meet), a, "absorption");
}

proptest! {
    #[test]
    fn integers_are_rings(a in -1000i64..1000, b in -1000i64..1000, c in -1000i64..1000) {
        ring(&a, &b, &c);
        ring(&i128::from(a), &i128::from(b), &i128::from(c));
        ring(&CheckedInt(a), &CheckedInt(b), &CheckedInt(c));
        linear(&a, &b, c, a);
        linear(&CheckedInt(a as i32), &CheckedInt(b as i32), c, a);
    }

    #[test]
    fn floats_of_whole_numbers_are_rings(a in -1000i32..1000, b in -1000i32..1000, c in -1000i32..1000) {
        ring(&F64::from(f64::from(a)), &F64::from(f64::from(b)), &F64::from(f64::from(c)));
        linear(&F64::from(f64::from(a)), &F64::from(f64::from(b)), i64::from(c), i64::from(b));
    }

    #[test]
    fn tuples_are_groups(a: (i16, i16), b: (i16, i16), c: (i16, i16), w in -100i64..100) {
        let wide = |(x, y): (i16, i16)| (i64::from(x), i64::from(y), (i128::from(x),));
        group(&wide(a), &wide(b), &wide(c));
        linear(&wide(a), &wide(b), w, 3);
    }

    #[test]
    fn products_are_lattices(a: (u8, u8), b: (u8, u8), c: (u8, u8)) {
        let time = |(outer, inner): (u8, u8)| Product::new(u32::from(outer), u32::from(inner));
        lattice(&time(a), &time(b), &time(c));
        lattice(&a.0, &b.0, &c.0);
    }

    #[test]
    fn floats_are_totally_ordered(bits: (u64, u64, u64)) {
        let [a, b, c] = [bits.0, bits.1, bits.2].map(|bits| F64::new(f64::from_bits(bits)));
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert!(!(a <= b && b <= c) || a <= c);
    }
}

#[test]
fn every_nan_is_one_value_above_all_others_and_minus_zero_is_zero() {
    assert_eq!(F64::new(f64::NAN), F64::new(-f64::NAN));
    assert!(F64::new(f64::NAN) > F64::new(f64::INFINITY));
    assert_eq!(F64::new(-0.0), F64::new(0.0));
    assert_eq!(-F32::new(0.0), F32::new(0.0));
    assert!(F32::new(-1.0) < F32::new(0.0));
}

#[test]
#[should_panic = "a sum fits i32"]
fn a_checked_integer_does_not_wrap() {
    let _ = CheckedInt(i32::MAX) + CheckedInt(1);
}

#[test]
#[should_panic = "a weighted value fits i32"]
fn a_value_times_a_weight_does_not_wrap() {
    let _ = 2i32.mul_by_ref(&(1i64 << 40));
}

#[test]
#[should_panic = "the weight of a row fits 64 bits"]
fn weights_do_not_wrap() {
    let _ = add_weights(i64::MAX, 1);
}
