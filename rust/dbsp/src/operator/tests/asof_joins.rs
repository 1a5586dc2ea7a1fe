//! Joins with the latest row at the time.

use super::*;

type Matched = (u64, (i8, i64), Option<(String, i64)>, i64);

/// Each left row with the last right row of positive weight whose time is not later.
fn matched(a: &Rows<u64, (i8, i64)>, b: &Rows<u64, (String, i64)>) -> Vec<Matched> {
    let matched = a.iter().map(|(&(k, v), &w)| {
        let found = b.iter().filter(|((l, u), w)| *l == k && u.1 <= v.1 && **w > 0);
        let found = found.max_by_key(|((_, u), _)| (u.1, u.0.clone())).map(|((_, u), _)| u.clone());
        (k, v, found, w)
    });
    matched.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn the_latest_row_at_the_time(
        left in steps(0u64..3, (0i8..3, -9i64..9)),
        right in steps(0u64..3, ("[ab]", -9i64..9)),
    ) {
        are_incremental(
            &left,
            &right,
            |a, b| a.asof_join(b, |v| v.1, |u| u.1, |&k, &v, &u| (k, v, (u.0.to_string(), u.1))),
            |a, b| rows(matched(a, b).into_iter().filter_map(|(k, v, u, w)| Some(((k, v, u?), (), w)))),
        );
        are_incremental(
            &left,
            &right,
            |a, b| a.left_asof_join(b, |v| v.1, |u| u.1, |&k, &v, u| (k, v, u.map(|u| (u.0.to_string(), u.1)))),
            |a, b| rows(matched(a, b).into_iter().map(|(k, v, u, w)| ((k, v, u), (), w))),
        );
    }

    #[test]
    fn the_latest_row_where_rows_are_sparse(
        left in steps(0u64..1, (0i8..3, -99i64..99)),
        right in vec(vec((0u64..1, ("[ab]", -99i64..99), -1i64..2), 0..3), 1..12),
    ) {
        are_incremental(
            &left,
            &right,
            |a, b| a.left_asof_join(b, |v| v.1, |u| u.1, |&k, &v, u| (k, v, u.map(|u| (u.0.to_string(), u.1)))),
            |a, b| rows(matched(a, b).into_iter().map(|(k, v, u, w)| ((k, v, u), (), w))),
        );
    }
}
