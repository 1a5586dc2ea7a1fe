//! The laws that the engine rests on, spelt out (Budiu et al., sections 2 to 4): Z-sets and their streams are groups; an
//! operator that is linear and knows nothing of time is its own incremental form; joins are bilinear; the incremental form of a
//! chain is the chain of the incremental forms.
//!
//! A law is two circuits on the same three inputs, which have to bring the same in every step. All are of one type of row, and so of one
//! machine code.

use super::*;
use crate::operator::{Max, Min};

type S = Stream<RootCircuit, Batch<u64, i64>>;
/// One side of a law.
type Side = fn(&S, &S, &S) -> S;
/// A law: its name, and its sides.
type Law = (&'static str, Side, Side);
/// What comes in a step.
type Change = [Vec<(u64, i64, i64)>; 3];

/// Changes of three inputs: of one row, or of some.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    let some = |rows| vec((0u64..4, -4i64..5, -2i64..3), rows);
    let steps =
        |rows: std::ops::Range<usize>| vec([some(rows.clone()), some(rows.clone()), some(rows)], 1..12);
    prop_oneof![steps(0..2), steps(0..15)]
}

/// Checks that the two sides of each law bring the same in every step.
fn hold(laws: &[Law], changes: &[Change]) {
    for workers in WORKERS {
        let described = laws.to_vec();
        let (mut circuit, (inputs, outputs)) = Runtime::init_circuit(workers, move |root| {
            let (a, first) = root.add_input_indexed_zset();
            let (b, second) = root.add_input_indexed_zset();
            let (c, third) = root.add_input_indexed_zset();
            let sides =
                described.iter().map(|(_, left, right)| [left, right].map(|side| side(&a, &b, &c).output()));
            Ok(([first, second, third], sides.collect::<Vec<_>>()))
        })
        .expect("the circuit is built");
        for (step, change) in changes.iter().chain([&[const { Vec::new() }; 3]]).enumerate() {
            inputs.iter().zip(change).for_each(|(input, rows)| input.extend(rows.iter().copied()));
            circuit.step().expect("a step of a sound circuit succeeds");
            for ((name, ..), [left, right]) in laws.iter().zip(&outputs) {
                let (left, right) = (left.take(), right.take());
                assert_eq!(left, right, "{name}, in step {step} with {workers} workers");
            }
        }
    }
}

/// The laws of a linear operator that knows nothing of time: it respects addition and inverses, may be put before a delay or
/// after it, and is its own incremental form.
macro_rules! linear {
    ($($name:literal: $operator:expr;)*) => {
        [$({
            const L: fn(&S) -> S = $operator;
            [
                (concat!($name, " of a sum"), (|a, b, _| L(&a.plus(b))) as Side, (|a, b, _| L(a).plus(&L(b))) as Side),
                (concat!($name, " of an inverse"), |a, _, _| L(&a.neg()), |a, _, _| L(a).neg()),
                (concat!($name, " of a delay"), |a, _, _| L(&a.delay()), |a, _, _| L(a).delay()),
                (concat!($name, " is its own incremental form"), |a, _, _| L(a), |a, _, _| L(&a.integrate()).differentiate()),
            ]
        }),*].concat()
    };
}

/// The laws of a bilinear operator: it is linear in each input.
macro_rules! bilinear {
    ($($name:literal: $operator:expr;)*) => {
        [$({
            const J: fn(&S, &S) -> S = $operator;
            [
                (concat!($name, " of a sum on the left"), (|a, b, c| J(&a.plus(b), c)) as Side, (|a, b, c| J(a, c).plus(&J(b, c))) as Side),
                (concat!($name, " of a sum on the right"), |a, b, c| J(a, &b.plus(c)), |a, b, c| J(a, b).plus(&J(a, c))),
                (concat!($name, " of an inverse on the left"), |a, b, _| J(&a.neg(), b), |a, b, _| J(a, b).neg()),
                (concat!($name, " of an inverse on the right"), |a, b, _| J(a, &b.neg()), |a, b, _| J(a, b).neg()),
                (concat!($name, " of delays"), |a, b, _| J(&a.delay(), &b.delay()), |a, b, _| J(a, b).delay()),
            ]
        }),*].concat()
    };
}

fn nothing(a: &S) -> S {
    a.filter(|_| false)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn streams_are_a_group(changes in changes()) {
        hold(&[
            ("addition commutes", |a, b, _| a.plus(b), |a, b, _| b.plus(a)),
            ("addition associates", |a, b, c| a.plus(b).plus(c), |a, b, c| a.plus(&b.plus(c))),
            ("a sum of many is that of two and two", |a, b, c| a.sum([b, c]), |a, b, c| a.plus(b).plus(c)),
            ("nothing is neutral", |a, _, _| a.plus(&nothing(a)), |a, _, _| a.clone()),
            ("an inverse cancels", |a, b, _| a.plus(&a.neg()).plus(b), |_, b, _| b.clone()),
            ("a difference adds the inverse", |a, b, _| a.minus(b), |a, b, _| a.plus(&b.neg())),
            ("differentiation undoes integration", |a, _, _| a.integrate().differentiate(), |a, _, _| a.clone()),
            ("integration undoes differentiation", |a, _, _| a.differentiate().integrate(), |a, _, _| a.clone()),
            ("an integral is what was, and what comes", |a, _, _| a.integrate(), |a, _, _| a.integrate().delay().plus(a)),
        ], &changes);
    }

    #[test]
    fn what_goes_row_by_row_is_linear(changes in changes()) {
        hold(&linear! {
            "filter": |a| a.filter(|(k, v)| *v > 0 || *k == 0);
            "map": |a| a.map(|&(k, v)| (k + 1, v.abs())).index();
            "map_index": |a| a.map_index(|&(k, v)| (v.unsigned_abs(), k as i64));
            "filter_map": |a| a.filter_map(|&(k, v)| (v != 0).then_some((k, -v))).index();
            "flat_map": |a| a.flat_map(|&(k, v)| (0..k).map(move |key| (key, v))).index();
            "flat_map_index": |a| a.flat_map_index(|&(k, v)| [(k, v), (k, -v)]);
            "neg": Stream::neg;
            "shard": Stream::shard;
            "gather": |a| a.gather(0);
            "consolidate": Stream::consolidate;
            "integrate": Stream::integrate;
            "differentiate": Stream::differentiate;
            "delay": Stream::delay;
        }, &changes);
    }

    #[test]
    fn joins_are_bilinear(changes in changes()) {
        hold(&bilinear! {
            "join": |a, b| a.join(b, |&k, &v, &w| (k, v * 10 + w)).index();
            "join_index": |a, b| a.join_index(b, |&k, &v, &w| (w.unsigned_abs(), v + k as i64));
            "join_flatmap": |a, b| a.join_flatmap(b, |&k, &v, &w| [(k, v), (k, w)]).index();
        }, &changes);
    }

    #[test]
    fn an_incremental_form_differentiates_what_is_made_of_the_integral(changes in changes()) {
        hold(&[
            ("distinct", |a, _, _| a.distinct(), |a, _, _| a.integrate().stream_distinct().differentiate()),
            ("distinct again", |a, _, _| a.distinct().distinct(), |a, _, _| a.distinct()),
            ("semijoin by a join", |a, b, _| a.semijoin(b), |a, b, _| {
                a.join_index(&b.distinct().map_index(|&(k, _)| (k, 0i64)).distinct(), |&k, &v, _| (k, v))
            }),
            ("antijoin", |a, b, _| a.antijoin(b).plus(&a.semijoin(b)), |a, _, _| a.clone()),
            ("a linear aggregate of what cancels", |a, b, _| a.plus(b).minus(b).aggregate_linear(|&v| v), |a, _, _| a.aggregate_linear(|&v| v)),
        ], &changes);
    }
}

/// An operator, and what it makes of a collection.
type Query = (fn(&S) -> S, fn(&Rows<u64, i64>) -> Rows<u64, i64>);

/// Makes rows of the values of each key, which are in order, and their weights.
fn each(a: &Rows<u64, i64>, of: fn(&[(i64, i64)]) -> Vec<i64>) -> Rows<u64, i64> {
    let mut groups: BTreeMap<u64, Vec<(i64, i64)>> = BTreeMap::new();
    a.iter().for_each(|(&(k, v), &w)| groups.entry(k).or_default().push((v, w)));
    rows(groups.iter().flat_map(|(&k, group)| of(group).into_iter().map(move |row| (k, row, 1))))
}

fn present(group: &[(i64, i64)]) -> Vec<i64> {
    group.iter().flat_map(|&(v, w)| (0..w).map(move |_| v)).collect()
}

const QUERIES: [Query; 8] = [
    (|a| a.map_index(|&(k, v)| (k / 2, v)), |a| rows(a.iter().map(|(&(k, v), &w)| (k / 2, v, w)))),
    (Stream::distinct, |a| rows(a.iter().filter(|row| *row.1 > 0).map(|(&(k, v), _)| (k, v, 1)))),
    (|a| a.aggregate(Min), |a| each(a, |group| present(group).first().copied().into_iter().collect())),
    (
        |a| a.aggregate((Min, Max)).map_index(|&(k, (least, greatest))| (k, least * 100 + greatest)),
        |a| {
            each(a, |group| {
                let values = present(group);
                values
                    .first()
                    .zip(values.last())
                    .map(|(least, greatest)| least * 100 + greatest)
                    .into_iter()
                    .collect()
            })
        },
    ),
    (
        |a| a.aggregate_linear(|&v| v),
        |a| {
            each(a, |group| {
                Some(group.iter().map(|(v, w)| v * w).sum()).filter(|_| there(group)).into_iter().collect()
            })
        },
    ),
    (|a| a.topk_asc(2), |a| each(a, |group| present(group).into_iter().take(2).collect())),
    (
        |a| a.lag(1, |v| v.copied().unwrap_or(50)).map_index(|&(k, (v, before))| (k, v * 100 + before)),
        |a| {
            each(a, |group| {
                let values = present(group);
                let before = |row: usize| if row == 0 { 50 } else { values[row - 1] };
                (0..values.len()).map(|row| values[row] * 100 + before(row)).collect()
            })
        },
    ),
    (
        |a| a.join_index(&a.filter(|(_, v)| *v > 0), |&k, &v, &w| (k, v - w)),
        |a| {
            rows(a.iter().flat_map(|(&(k, v), &x)| {
                a.iter()
                    .filter(move |row| row.0.0 == k && row.0.1 > 0)
                    .map(move |(&(_, w), &y)| (k, v - w, x * y))
            }))
        },
    ),
];

/// Whether a group has a sum: unless its sum and the number of its rows are both 0.
fn there(group: &[(i64, i64)]) -> bool {
    group.iter().map(|row| row.1).sum::<i64>() != 0 || group.iter().map(|row| row.0 * row.1).sum::<i64>() != 0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn the_incremental_form_of_a_chain_is_the_chain_of_the_incremental_forms(steps in steps(0u64..4, -4i64..5)) {
        for (first, of_first) in QUERIES {
            for (second, of_second) in QUERIES {
                is_incremental(&steps, move |a| second(&first(a)), |a| of_second(&of_first(a)));
            }
        }
    }
}
