//! Joins.

use std::collections::BTreeSet;

use super::*;

fn pairs<K: Data, V: Data, W: Data>(a: &Rows<K, V>, b: &Rows<K, W>) -> Vec<(K, V, W, i64)> {
    let pairs = a.iter().flat_map(|((k, v), x)| {
        b.iter()
            .filter(move |((l, _), _)| k == l)
            .map(move |((_, w), y)| (k.clone(), v.clone(), w.clone(), x * y))
    });
    pairs.collect()
}

fn keys<K: Data, V: Data>(a: &Rows<K, V>) -> BTreeSet<K> {
    a.iter().filter(|(_, weight)| **weight > 0).map(|((k, _), _)| k.clone()).collect()
}

fn alone<K: Data, V: Data, W: Data>(a: &Rows<K, V>, b: &Rows<K, W>) -> Vec<(K, V, i64)> {
    let keys = keys(b);
    a.iter().filter(|((k, _), _)| !keys.contains(k)).map(|((k, v), w)| (k.clone(), v.clone(), *w)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn inner_joins(left in steps(0u64..8, -3i32..3), right in steps(0u64..8, "[xyz]")) {
        are_incremental(&left, &right, |a, b| a.join(b, |&k, &v, w| (k, v, w.to_string())), |a, b| {
            rows(pairs(a, b).into_iter().map(|(k, v, w, weight)| ((k, v, w), (), weight)))
        });
        are_incremental(&left, &right, |a, b| a.join_index(b, |&k, &v, w| (v, (w.to_string(), k))), |a, b| {
            rows(pairs(a, b).into_iter().map(|(k, v, w, weight)| (v, (w, k), weight)))
        });
        are_incremental(&left, &right, |a, b| a.join_flatmap(b, |&k, &v, _| (0..k).map(move |row| (row, v))), |a, b| {
            rows(pairs(a, b).into_iter().flat_map(|(k, v, _, weight)| (0..k).map(move |row| ((row, v), (), weight))))
        });
    }

    #[test]
    fn joins_of_a_stream_with_itself(steps in steps("[ab]{0,2}", 0i64..4)) {
        is_incremental(&steps, |a| a.join(a, |k, &v, &w| (k.to_string(), v, w)), |a| {
            rows(pairs(a, a).into_iter().map(|(k, v, w, weight)| ((k, v, w), (), weight)))
        });
    }

    #[test]
    fn joins_under_keys_that_have_much(
        left in vec(vec((0u64..2, 0i64..150, -1i64..3), 0..90), 1..7),
        right in vec(vec((0u64..2, 0i64..3, -1i64..2), 0..4), 1..7),
    ) {
        are_incremental(&left, &right, |a, b| a.join(b, |&k, &v, &w| (k, v, w)), |a, b| {
            rows(pairs(a, b).into_iter().map(|(k, v, w, weight)| ((k, v, w), (), weight)))
        });
    }

    #[test]
    fn joins_of_streams_that_share_keys_with_others(left in steps(0u64..6, 0i64..4), right in steps(0u64..6, 0i64..4)) {
        // Two joins, of other streams each, and then one of theirs.
        let sum = |&k: &u64, &v: &i64, &w: &i64| (k, v + 10 * w);
        are_incremental(
            &left,
            &right,
            move |a, b| {
                let (c, d) = (a.filter(|row| row.1 != 1), b.filter(|row| row.1 != 2));
                let (one, two) = (a.join_index(b, sum), c.join_index(&d, sum));
                one.plus(&two).plus(&a.join_index(&d, sum)).plus(&one.join_index(&c, sum))
            },
            move |a, b| {
                let without = |all: &Rows<u64, i64>, val| {
                    rows(all.iter().filter(|row| row.0.1 != val).map(|(&(k, v), &w)| (k, v, w)))
                };
                let joined = |a: &Rows<u64, i64>, b: &Rows<u64, i64>| {
                    rows(pairs(a, b).into_iter().map(|(k, v, w, weight)| (k, v + 10 * w, weight)))
                };
                let (c, d) = (without(a, 1), without(b, 2));
                let one = joined(a, b);
                let all = [joined(&c, &d), joined(a, &d), joined(&one, &c), one];
                rows(all.into_iter().flatten().map(|((k, v), weight)| (k, v, weight)))
            },
        );
    }

    #[test]
    fn semijoins_and_antijoins(left in steps(0i64..8, 0u8..3), right in steps(0i64..8, 0u8..3)) {
        are_incremental(&left, &right, Stream::semijoin, |a, b| {
            let keys = keys(b);
            rows(a.iter().filter(|((k, _), _)| keys.contains(k)).map(|(&(k, v), &w)| (k, v, w)))
        });
        are_incremental(&left, &right, Stream::antijoin, |a, b| rows(alone(a, b)));
    }

    #[test]
    fn outer_joins(left in steps(0i64..8, 0u8..3), right in steps(0i64..8, "[xy]")) {
        let both = |a: &Rows<i64, u8>, b: &Rows<i64, String>| {
            pairs(a, b).into_iter().map(|(k, v, w, weight)| ((k, Some(v), Some(w)), (), weight)).collect::<Vec<_>>()
        };
        let lefts = |a: &Rows<i64, u8>, b: &Rows<i64, String>| {
            alone(a, b).into_iter().map(|(k, v, weight)| ((k, Some(v), None), (), weight)).collect::<Vec<_>>()
        };
        let rights = |a: &Rows<i64, u8>, b: &Rows<i64, String>| {
            alone(b, a).into_iter().map(|(k, w, weight)| ((k, None, Some(w)), (), weight)).collect::<Vec<_>>()
        };
        are_incremental(&left, &right, |a, b| a.left_join(b, |&k, &v, w| (k, Some(v), w.map(ToString::to_string))), |a, b| {
            rows(both(a, b).into_iter().chain(lefts(a, b)))
        });
        are_incremental(&left, &right, |a, b| a.right_join(b, |&k, v, w| (k, v.copied(), Some(w.to_string()))), |a, b| {
            rows(both(a, b).into_iter().chain(rights(a, b)))
        });
        are_incremental(
            &left,
            &right,
            |a, b| a.full_join(b, |&k, v, w| (k, v.copied(), w.map(ToString::to_string))),
            |a, b| rows(both(a, b).into_iter().chain(lefts(a, b)).chain(rights(a, b))),
        );
    }
}
