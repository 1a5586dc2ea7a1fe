//! Columns against plain vectors of rows, and hashes against equality.

pub(crate) mod derived;

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::algebra::{CheckedInt, F32, F64};
use crate::time::Nanoseconds;

/// Whatever a vector of rows does, the column does.
fn follows_a_vector<T: Data>(rows: &[T], numbers: &[usize]) {
    let mut column = column_of(rows.iter().cloned());
    assert_eq!(column.len(), rows.len());
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(column.get(number), row.borrow());
        assert_eq!(&T::owned(column.get(number)), row);
    }
    if rows.is_empty() {
        return;
    }
    let numbers: Vec<u32> = numbers.iter().map(|number| (number % rows.len()) as u32).collect();
    let mut chosen = T::Column::default();
    chosen.push_default();
    chosen.extend_rows(&column, &numbers);
    let (first, last) = (numbers.len() / 3, rows.len() / 2);
    chosen.extend_range(&column, 0..last);
    assert_eq!(chosen.len(), 1 + numbers.len() + last);
    for (place, &number) in numbers.iter().enumerate() {
        assert_eq!(chosen.get(1 + place), rows[number as usize].borrow());
    }
    for (number, row) in rows[..last].iter().enumerate() {
        assert!(chosen.same(1 + numbers.len() + number, &column, number));
        assert_eq!(chosen.get(1 + numbers.len() + number), row.borrow());
    }
    for (place, &number) in numbers.iter().enumerate().step_by(2) {
        chosen.set(1 + place / 2, rows[number as usize].borrow());
        assert_eq!(chosen.get(1 + place / 2), rows[number as usize].borrow());
        assert_eq!(chosen.get(numbers.len()), rows[*numbers.last().expect("of some") as usize].borrow());
    }
    let shorter = column.len() - first.min(column.len());
    column.truncate(shorter);
    column.push_item(rows[0].clone());
    assert_eq!(column.len(), shorter + 1);
    assert_eq!(column.get(shorter), rows[0].borrow());
    for (a, b) in (0..shorter).zip((0..shorter).rev()) {
        assert_eq!(column.order(a, &column, b), rows[a].cmp(&rows[b]));
        assert_eq!(column.same(a, &column, b), rows[a] == rows[b]);
        assert!(column.leading(a) >= column.leading(b) || rows[a] < rows[b]);
    }
    column.clear();
    assert!(column.is_empty());
}

/// Equal rows have equal hashes; where the type says so, equal hashes are of equal rows; a column's hashes are its rows'.
fn hashes_tell_rows_apart<T: Data>(rows: &[T]) {
    let column = column_of(rows.iter().cloned());
    let mut hashes = Vec::new();
    column.hashes(0..rows.len(), &mut hashes);
    let mut by_hash: HashMap<u64, &T> = HashMap::new();
    for (number, (row, &hash)) in rows.iter().zip(&hashes).enumerate() {
        assert_eq!(hash, T::hash(row.borrow()));
        assert_eq!(hash, column.hash(number));
        let first = *by_hash.entry(hash).or_insert(row);
        assert_eq!(first, row, "two rows of hash {hash:#x}");
    }
}

pub(crate) fn holds<T: Data>(rows: &[T], numbers: &[usize]) {
    follows_a_vector(rows, numbers);
    hashes_tell_rows_apart(rows);
}

/// The inverse of `mix`, step by step: the number that has a hash.
pub(crate) fn number_of_hash(hash: u64) -> u64 {
    let newton = |odd: u64, inverse: u64| inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
    let inverse = |odd: u64| (0..6).fold(odd, |inverse, _| newton(odd, inverse));
    let unshift = |hash: u64, by: u32| (0..64 / by + 1).fold(hash, |bits, _| hash ^ (bits >> by));
    let bits = unshift(hash, 31).wrapping_mul(inverse(0x94d0_49bb_1331_11eb));
    let bits = unshift(bits, 27).wrapping_mul(inverse(0xbf58_476d_1ce4_e5b9));
    unshift(bits, 30)
}

/// Returns a pair of this first number that has the hash of (0, 0).
pub(crate) fn pair_of_one_hash(first: u64) -> (u64, u64) {
    let before = |first| combine(combine(0, mix(first)), 0);
    // What is mixed last is the second number's hash and what comes of the first one, so either can be made up for.
    let made_up = |first| number_of_hash(before(first));
    (first, number_of_hash(made_up(0) ^ made_up(first) ^ mix(0)))
}

#[test]
fn pairs_of_one_hash_are_many() {
    let hash = <(u64, u64)>::hash((0, 0));
    assert!((0..100).all(|first| <(u64, u64)>::hash(pair_of_one_hash(first)) == hash));
    assert_eq!(pair_of_one_hash(0), (0, 0));
}

#[test]
fn a_hash_of_8_bytes_has_one_number() {
    for hash in [0, 1, 12_345, u64::MAX, 0xa759_ea27_d472_7622] {
        assert_eq!(mix(number_of_hash(hash)), hash);
    }
}

proptest! {
    #[test]
    fn columns_are_vectors_of_rows(
        rows in vec(any::<(i64, u8, bool, String, Option<i32>, Option<String>, f64, i128)>(), 0..60),
        numbers in vec(any::<usize>(), 0..60),
    ) {
        holds(&rows.iter().map(|row| row.0).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| (row.1, row.2)).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| row.3.clone()).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| row.4).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| (row.5.clone(), row.7)).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| (F64::new(row.6), (row.3.clone(), row.4), ())).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| (row.1, row.4, row.2)).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| (Some(row.1), row.2.then_some(row.1))).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| (std::cmp::Reverse(row.3.clone()), std::cmp::Reverse(row.1))).collect::<Vec<_>>(), &numbers);
        holds(&rows.iter().map(|row| row.3.clone().into_bytes()).collect::<Vec<_>>(), &numbers);
        holds(&vec![(); rows.len()], &numbers);
    }
}

#[test]
fn small_tuples_have_hashes_that_are_one_to_one() {
    assert_eq!(<(u8, Option<i16>, bool)>::WIDTH, Some(5));
    assert_eq!(<(u32, i32)>::WIDTH, Some(8));
    assert_eq!(<(u32, i32, u8)>::WIDTH, None);
    assert_eq!(Option::<u64>::WIDTH, None);
    assert_eq!(<((), u64)>::WIDTH, Some(8));
    let rows: Vec<(i8, Option<u8>)> =
        (i8::MIN..=i8::MAX).flat_map(|a| [None, Some(0), Some(1), Some(255)].map(|b| (a, b))).collect();
    hashes_tell_rows_apart(&rows);
}

#[test]
fn hashes_stay_what_they_are() {
    // State on disk is ordered by them.
    assert_eq!(i64::hash(42), 0xa759_ea27_d472_7622);
    assert_eq!(Option::<u64>::hash(Some(7)), 0x3766_3a26_9648_c939);
    assert_eq!(String::hash("ESZ6"), twox_hash::XxHash3_64::oneshot(b"ESZ6"));
}

#[test]
fn shared_values_are_copied_when_they_are_written_to_and_not_before() {
    let arrow = arrow_buffer::ScalarBuffer::from(vec![1i64, 2, 3]);
    let mut column = Plain::<i64>(Values::Shared(arrow.clone()));
    assert_eq!(column.0.as_ptr(), arrow.as_ptr());
    assert_eq!(column.clone().0.into_buffer().as_ptr(), arrow.inner().as_ptr());
    column.push(4);
    assert_ne!(column.0.as_ptr(), arrow.as_ptr());
    assert_eq!(&*column.0, [1, 2, 3, 4]);
    assert_eq!(&*arrow, [1, 2, 3]);
    let place = column.0.as_ptr();
    assert_eq!(column.0.into_buffer().as_ptr().cast::<i64>(), place);
}

#[test]
fn numbers_are_told_apart_by_what_they_begin_with() {
    fn rises<T: Data>(rows: impl IntoIterator<Item = T>) {
        let column = column_of(rows);
        assert!((1..column.len()).all(|row| column.leading(row - 1) < column.leading(row)));
    }
    rises([u64::MIN, 1, 1 << 63, u64::MAX]);
    rises([i64::MIN, -1, 0, 1, i64::MAX]);
    rises(i8::MIN..=i8::MAX);
    rises([-7i32, 0, 7].map(CheckedInt));
    rises([false, true]);
    rises([-2, 0, 5].map(Nanoseconds));
    rises([f64::NEG_INFINITY, -1.5, -1e-300, 0.0, 1e-300, 1.5, f64::INFINITY, f64::NAN].map(F64::new));
    rises([f32::NEG_INFINITY, -1.5, -1e-40, 0.0, 1e-40, 1.5, f32::INFINITY, f32::NAN].map(F32::new));
    rises([None, Some(false)]);
    rises([2u8, 1, 0].map(std::cmp::Reverse));
    rises(["", "a", "aa", "b", "bbbbbbbb"].map(str::to_owned));
    rises([(-1i64, "z".to_owned()), (1, "a".to_owned())]);
    rises([vec![0u8, 1], vec![1], vec![1, 0, 0, 0, 0, 0, 0, 1]]);
}
