//! Operators that order the values of a group.

use std::cmp::Reverse;

use super::*;

/// The rows of each key in order, each as often as its weight says.
fn lists<K: Data, V: Data>(a: &Rows<K, V>) -> BTreeMap<K, Vec<V>> {
    let mut lists: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for ((k, v), &w) in a {
        (0..w).for_each(|_| lists.entry(k.clone()).or_default().push(v.clone()));
    }
    lists
}

fn each<K: Data, V: Data, O: Data>(a: &Rows<K, V>, of: impl Fn(Vec<V>) -> Vec<O>) -> Rows<K, O> {
    let lists = lists(a).into_iter();
    rows(
        lists.flat_map(|(k, list)| {
            of(list).into_iter().map(move |row| (k.clone(), row, 1)).collect::<Vec<_>>()
        }),
    )
}

/// Rows with their numbers, their ranks, and their dense ranks by half their value.
fn numbered(list: Vec<i64>) -> Vec<(i64, i64, i64, i64)> {
    let half = |v: i64| v.div_euclid(2);
    let number = |row: usize| row as i64 + 1;
    let numbers = list.iter().enumerate().map(|(row, &v)| {
        let rank = list.iter().position(|&u| half(u) == half(v)).map(number).unwrap();
        let dense =
            list[..=row].iter().map(|&u| half(u)).collect::<std::collections::BTreeSet<_>>().len() as i64;
        (number(row), rank, dense, v)
    });
    numbers.collect()
}

fn neighbour(list: &[i64], row: usize, offset: isize) -> Option<i64> {
    row.checked_add_signed(offset).and_then(|row| list.get(row).copied())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn the_first_rows(steps in steps(0u64..3, -9i64..9), k in 0usize..6) {
        is_incremental(&steps, move |a| a.topk_asc(k), |a| each(a, |list| list.into_iter().take(k).collect()));
        is_incremental(&steps, move |a| a.topk_desc(k), |a| each(a, |list| list.into_iter().rev().take(k).collect()));
    }

    #[test]
    fn the_first_rows_by_an_order_of_ones_own(steps in steps(0u64..3, ("[ab]{0,2}", -3i64..3)), k in 1usize..6) {
        is_incremental(&steps, move |a| a.topk_custom_order(k, |&(_, number)| Reverse(number)), |a| {
            each(a, |mut list| {
                list.sort_by_key(|row| (Reverse(row.1), row.clone()));
                list.into_iter().take(k).collect()
            })
        });
    }

    #[test]
    fn numbers_by_place(steps in steps(0u64..3, -9i64..9), k in 1i64..6) {
        let rows = k as usize;
        let same = |a: &i64, b: &i64| a.div_euclid(2) == b.div_euclid(2);
        is_incremental(&steps, move |a| a.topk_row_number(rows, |n, &v| (n, v)), |a| {
            each(a, |list| numbered(list).into_iter().filter(|row| row.0 <= k).map(|row| (row.0, row.3)).collect())
        });
        is_incremental(&steps, move |a| a.topk_rank(rows, same, |n, &v| (n, v)), |a| {
            each(a, |list| numbered(list).into_iter().filter(|row| row.1 <= k).map(|row| (row.1, row.3)).collect())
        });
        is_incremental(&steps, move |a| a.topk_dense_rank(rows, same, |n, &v| (n, v)), |a| {
            each(a, |list| numbered(list).into_iter().filter(|row| row.2 <= k).map(|row| (row.2, row.3)).collect())
        });
        is_incremental(&steps, |a| a.row_number(|n, &v| (n, v)), |a| {
            each(a, |list| numbered(list).into_iter().map(|row| (row.0, row.3)).collect())
        });
        is_incremental(&steps, move |a| a.rank(same, |n, &v| (n, v)), |a| {
            each(a, |list| numbered(list).into_iter().map(|row| (row.1, row.3)).collect())
        });
        is_incremental(&steps, move |a| a.dense_rank(same, |n, &v| (n, v)), |a| {
            each(a, |list| numbered(list).into_iter().map(|row| (row.2, row.3)).collect())
        });
    }

    #[test]
    fn neighbours(steps in steps(0u64..2, -20i64..20), offset in 0usize..5) {
        is_incremental(&steps, move |a| a.lag(offset, |v| Some(*v?)), |a| {
            let other = |list: &[i64], row| neighbour(list, row, -(offset as isize));
            each(a, |list| (0..list.len()).map(|row| (list[row], other(&list, row))).collect())
        });
        is_incremental(&steps, move |a| a.lead(offset, |v| Some(*v?)), |a| {
            let other = |list: &[i64], row| neighbour(list, row, offset as isize);
            each(a, |list| (0..list.len()).map(|row| (list[row], other(&list, row))).collect())
        });
    }
}
