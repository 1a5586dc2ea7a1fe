//! Operators in nested scopes, iteration by iteration.
//!
//! A scope is given rows that each come in an iteration of their own, and stops after some: what it has brought by then, in all
//! steps, has to be what the operator makes of the rows that have come by then. As it may stop anywhere, that holds of every
//! iteration, and not only of what a recursion ends with.

use std::collections::BTreeSet;

use super::*;
use crate::circuit::{ChildCircuit, Condition};
use crate::operator::{Count, Max, Min, RelOffset, RelRange};

type InnerOf<V> = Stream<ChildCircuit<RootCircuit>, Batch<u64, V>>;
type Inner = InnerOf<i64>;
type Group = Vec<(i64, i64)>;

/// Values under keys, each in the iteration that stands before it.
fn spread(scope: &ChildCircuit<RootCircuit>, rows: &Stream<RootCircuit, Batch<u64, (u8, i64)>>) -> Inner {
    let (feedback, later) = scope.add_feedback::<u64, (u8, i64)>();
    let all = rows.delta0(scope).plus(&later.map_index(|&(k, (iteration, v))| (k, (iteration - 1, v))));
    feedback.connect(&all.filter(|(_, (iteration, _))| *iteration > 0));
    all.filter(|(_, (iteration, _))| *iteration == 0).map_index(|&(k, (_, v))| (k, v))
}

/// The key whose rows say where a step stops: in the first iteration by which one of positive weight has come.
const STOP: u64 = 3;

/// Checks an operator against what it makes of each group: values and their weights, in order.
fn holds_in_each_iteration(
    steps: &Steps<u64, (u8, i64)>,
    operator: fn(&Inner) -> Inner,
    of_group: fn(&Group) -> Vec<i64>,
) {
    for last in [0, 2] {
        let condition = move |_: &Inner| Condition::after(last + 1);
        holds_until(steps, operator, condition, |_| last as u8, of_group);
    }
    let stops = |stop: &Inner| stop.condition(|all| all.iter().any(|row| row.2 > 0));
    holds_until(steps, operator, stops, stop, of_group);
}

/// Returns the iteration in which a step stops that finds these rows.
fn stop(a: &Rows<u64, (u8, i64)>) -> u8 {
    let come = |last: u8| {
        rows(
            a.iter()
                .filter(move |row| row.0.0 == STOP && row.0.1.0 <= last)
                .map(|(&(k, (_, v)), &w)| (k, v, w)),
        )
    };
    (0..5).find(|&last| come(last).values().any(|&weight| weight > 0)).unwrap_or(5)
}

/// Checks an operator in a scope that stops by a condition, of the rows that are to say so, in the iteration that `last` says.
fn holds_until(
    steps: &Steps<u64, (u8, i64)>,
    operator: fn(&Inner) -> Inner,
    condition: impl Fn(&Inner) -> Condition + Clone + Send + 'static,
    last: impl Fn(&Rows<u64, (u8, i64)>) -> u8,
    of_group: fn(&Group) -> Vec<i64>,
) {
    let circuit = move |a: &Stream<RootCircuit, Batch<u64, (u8, i64)>>| {
        let scope = a.circuit().clone().iterate(|scope| {
            let all = spread(scope, a);
            Ok((condition(&all.filter(|(k, _)| *k == STOP)), operator(&all.filter(|(k, _)| *k != STOP))))
        });
        scope.expect("the closure returns no error")
    };
    is_incremental(steps, circuit, |a| {
        let last = last(a);
        let come = a.iter().filter(|((k, (iteration, _)), _)| *k != STOP && *iteration <= last);
        let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
        for ((k, v), w) in rows(come.map(|(&(k, (_, v)), &w)| (k, v, w))) {
            groups.entry(k).or_default().push((v, w));
        }
        rows(groups.iter().flat_map(|(&k, group)| of_group(group).into_iter().map(move |row| (k, row, 1))))
    });
}

fn present(group: &Group) -> impl DoubleEndedIterator<Item = &(i64, i64)> {
    group.iter().filter(|row| row.1 > 0)
}

/// The rows of a group, each as often as its weight says.
fn list(group: &Group) -> Vec<i64> {
    present(group).flat_map(|&(v, w)| (0..w).map(move |_| v)).collect()
}

/// The sum and the number of a group's rows.
fn sums(group: &Group) -> (i64, i64) {
    group.iter().fold((0, 0), |(sum, count), (v, w)| (sum + v * w, count + w))
}

/// A row that tells two numbers.
fn both(a: i64, b: i64) -> i64 {
    a * 1000 + b
}

fn half(v: i64) -> i64 {
    v.div_euclid(2)
}

fn come_by_iteration() -> impl Strategy<Value = Steps<u64, (u8, i64)>> {
    vec(vec((0..=STOP, (0u8..5, -4i64..5), -2i64..3), 0..12), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn aggregates_of_groups(steps in come_by_iteration()) {
        holds_in_each_iteration(&steps, |a| a.aggregate(Min), |group| present(group).map(|row| row.0).take(1).collect());
        holds_in_each_iteration(
            &steps,
            |a| a.aggregate((Max, Count)).map_index(|&(k, (greatest, count))| (k, both(greatest, count))),
            |group| {
                let count = present(group).map(|row| row.1).sum::<i64>();
                present(group).rev().map(|row| both(row.0, count)).take(1).collect()
            },
        );
    }

    #[test]
    fn aggregates_that_are_sums(steps in come_by_iteration()) {
        holds_in_each_iteration(
            &steps,
            |a| a.aggregate_linear(|&v| (v, 1i64)).map_index(|&(k, (sum, count))| (k, both(sum, count))),
            |group| Some(sums(group)).into_iter().filter(|&sums| sums != (0, 0)).map(|(sum, count)| both(sum, count)).collect(),
        );
        holds_in_each_iteration(&steps, Stream::weighted_count, |group| {
            Some(sums(group).1).into_iter().filter(|&count| count != 0).collect()
        });
        holds_in_each_iteration(&steps, |a| a.average(|&v| v), |group| {
            let (sum, count) = sums(group);
            (count > 0).then(|| sum / count).into_iter().collect()
        });
        holds_in_each_iteration(&steps, Stream::distinct_count, |group| {
            Some(present(group).count() as i64).into_iter().filter(|&count| count > 0).collect()
        });
    }

    #[test]
    fn first_rows(steps in come_by_iteration()) {
        holds_in_each_iteration(&steps, |a| a.topk_asc(2), |group| list(group).into_iter().take(2).collect());
        holds_in_each_iteration(&steps, |a| a.topk_desc(3), |group| list(group).into_iter().rev().take(3).collect());
        holds_in_each_iteration(&steps, |a| a.topk_custom_order(2, |&v| v.abs()), |group| {
            let mut list = list(group);
            list.sort_by_key(|v| (v.abs(), *v));
            list.into_iter().take(2).collect()
        });
    }

    #[test]
    fn numbers_by_place(steps in come_by_iteration()) {
        holds_in_each_iteration(&steps, |a| a.topk_row_number(3, |n, &v| both(n, v)), |group| {
            list(group).into_iter().zip(1..4).map(|(v, n)| both(n, v)).collect()
        });
        holds_in_each_iteration(&steps, |a| a.rank(|a, b| half(*a) == half(*b), |n, &v| both(n, v)), |group| {
            let list = list(group);
            let rank = |v: i64| list.iter().filter(|&&u| half(u) < half(v)).count() as i64 + 1;
            list.iter().map(|&v| both(rank(v), v)).collect()
        });
        holds_in_each_iteration(&steps, |a| a.topk_dense_rank(2, |a, b| half(*a) == half(*b), |n, &v| both(n, v)), |group| {
            let list = list(group);
            let rank = |v: i64| {
                list.iter().map(|&u| half(u)).filter(|&u| u <= half(v)).collect::<BTreeSet<_>>().len() as i64
            };
            list.iter().map(|&v| (rank(v), v)).filter(|row| row.0 <= 2).map(|(n, v)| both(n, v)).collect()
        });
    }

    #[test]
    fn neighbours(steps in come_by_iteration()) {
        holds_in_each_iteration(
            &steps,
            |a| a.lag(2, |v| v.copied().unwrap_or(500)).map_index(|&(k, (v, before))| (k, both(v, before))),
            |group| {
                let list = list(group);
                (0..list.len()).map(|row| both(list[row], if row < 2 { 500 } else { list[row - 2] })).collect()
            },
        );
        holds_in_each_iteration(
            &steps,
            |a| a.lead(1, |v| v.copied().unwrap_or(500)).map_index(|&(k, (v, after))| (k, both(v, after))),
            |group| {
                let list = list(group);
                (0..list.len()).map(|row| both(list[row], list.get(row + 1).copied().unwrap_or(500))).collect()
            },
        );
    }

    #[test]
    fn the_latest_row_at_the_time(steps in come_by_iteration()) {
        // Even values are rows of the left, odd ones of the right; of a time, the right one comes first.
        fn sides(a: &Inner) -> (Inner, Inner) {
            (a.filter(|(_, v)| *v % 2 == 0), a.filter(|(_, v)| *v % 2 != 0))
        }
        // A left row of negative weight has a match as well, so weights are told beside the rows.
        fn weighed(joined: &Stream<ChildCircuit<RootCircuit>, Batch<(u64, i64, i64)>>) -> Inner {
            let pairs = joined.map_index(|&(k, v, found)| ((k, both(v, found)), ()));
            pairs.weighted_count().map_index(|&((k, pair), weight)| (k, both(pair, weight)))
        }
        fn matched(group: &Group) -> impl Iterator<Item = (i64, Option<i64>, i64)> {
            let found = |v: i64| present(group).map(|row| row.0).rev().find(|&u| u % 2 != 0 && half(u) <= half(v));
            group.iter().filter(|row| row.0 % 2 == 0).map(move |&(v, weight)| (v, found(v), weight))
        }
        holds_in_each_iteration(
            &steps,
            |a| {
                let (left, right) = sides(a);
                weighed(&left.asof_join(&right, |&v| half(v), |&u| half(u), |&k, &v, &u| (k, v, u)))
            },
            |group| matched(group).filter_map(|(v, u, weight)| Some(both(both(v, u?), weight))).collect(),
        );
        holds_in_each_iteration(
            &steps,
            |a| {
                let (left, right) = sides(a);
                let joined = left.left_asof_join(&right, |&v| half(v), |&u| half(u), |&k, &v, u| (k, v, *u.unwrap_or(&500)));
                weighed(&joined)
            },
            |group| matched(group).map(|(v, u, weight)| both(both(v, u.unwrap_or(500)), weight)).collect(),
        );
    }

    #[test]
    fn rolling_aggregates(steps in come_by_iteration()) {
        fn range() -> RelRange {
            RelRange::new(RelOffset::Before(1), RelOffset::After(1))
        }
        fn timed(a: &Inner) -> InnerOf<(i64, i64)> {
            a.map_index(|&(k, v)| (k, (half(v), v)))
        }
        /// For each time of these rows, itself and what is made of the rows of its range.
        fn rolled(rows: &[(i64, i64)], of: impl Fn(&[(i64, i64)]) -> i64) -> Vec<i64> {
            let mut times: Vec<i64> = rows.iter().map(|row| half(row.0)).collect();
            times.dedup();
            let window = |time: i64| {
                rows.iter().copied().filter(|row| (time - 1..=time + 1).contains(&half(row.0))).collect::<Vec<_>>()
            };
            times.into_iter().map(|time| both(time, of(&window(time)))).collect()
        }
        fn bounds(group: &Group) -> Vec<i64> {
            let rows: Vec<_> = present(group).copied().collect();
            rolled(&rows, |rows| {
                let count = rows.iter().map(|row| row.1).sum::<i64>();
                both(both(rows[0].0, rows[rows.len() - 1].0), count)
            })
        }
        fn tell(a: &InnerOf<(i64, (i64, i64, i64))>) -> Inner {
            a.map_index(|&(k, (time, (least, most, count)))| (k, both(time, both(both(least, most), count))))
        }
        holds_in_each_iteration(
            &steps,
            |a| tell(&timed(a).partitioned_rolling_aggregate((Min, Max, Count), range())),
            bounds,
        );
        holds_in_each_iteration(
            &steps,
            |a| tell(&timed(a).partitioned_rolling_aggregate_parts((Min, Max, Count), range())),
            bounds,
        );
        holds_in_each_iteration(
            &steps,
            |a| {
                // Of rows of one time that cancel, the sum is 0 and the time not there.
                let sums = timed(a).partitioned_rolling_aggregate_linear(|&v| (half(v), 1i64), |&sum| sum, range());
                sums.map_index(|&(k, (time, (sum, count)))| (k, both(time, both(sum, count))))
            },
            |group| {
                let count = |time: i64| group.iter().filter(|row| half(row.0) == time).map(|row| row.1).sum::<i64>();
                let rows: Group = group.iter().copied().filter(|row| count(half(row.0)) != 0).collect();
                rolled(&rows, |rows| {
                    let rows: Group = rows.iter().map(|&(v, weight)| (half(v), weight)).collect();
                    let (sum, count) = sums(&rows);
                    both(sum, count)
                })
            },
        );
        holds_in_each_iteration(
            &steps,
            |a| {
                let bounds = a.rolling_aggregate_rows(2, 1, (Min, Max));
                bounds.map_index(|&(k, (v, (least, most)))| (k, both(v, both(least, most))))
            },
            |group| {
                let list = list(group);
                let window = |row: usize| &list[row.saturating_sub(2)..list.len().min(row + 2)];
                let bounds = |row: usize| both(window(row)[0], window(row)[window(row).len() - 1]);
                (0..list.len()).map(|row| both(list[row], bounds(row))).collect()
            },
        );
    }

    #[test]
    fn sets_and_joins(steps in come_by_iteration()) {
        holds_in_each_iteration(&steps, Stream::distinct, |group| present(group).map(|row| row.0).collect());
        holds_in_each_iteration(
            &steps,
            // Positive values, and how often negative ones have that absolute value, if they have.
            |a| {
                let positive = a.filter(|(_, v)| *v > 0).distinct().map_index(|&(k, v)| ((k, v), ()));
                let negative = a.filter(|(_, v)| *v < 0).map_index(|&(k, v)| ((k, -v), 1i64));
                let met = positive.join_index(&negative.aggregate_linear(|&one| one), |&(k, v), (), &count| (k, both(v, count)));
                met.plus(&positive.antijoin(&negative).map_index(|&row| row))
            },
            |group| {
                let weight = |v: i64| group.iter().filter(|row| row.0 == v).map(|row| row.1).sum::<i64>();
                let met = |v: i64| weight(-v) != 0;
                let alone = |v: i64| weight(-v) <= 0;
                let positive = || present(group).map(|row| row.0).filter(|&v| v > 0);
                positive().filter(|&v| met(v)).map(|v| both(v, weight(-v))).chain(positive().filter(|&v| alone(v))).collect()
            },
        );
    }
}

#[test]
fn what_waits_for_a_later_iteration_follows_its_key_when_others_are_forgotten() {
    // Ten keys come in iteration 0 and change in iteration 3; then thousands come and go, while no step goes that far.
    let few = || (5000..5010).map(|k| (k, (0u8, 1i64), 1)).chain((5000..5010).map(|k| (k, (3, 2), 1)));
    let many = |weight| (10..4000).map(move |k| (k, (0u8, 1i64), weight));
    let change = || (5000..5010).map(|k| (k, (0u8, 2i64), 1));
    let stop = |weight| [(STOP, (0u8, 1i64), weight)];
    let steps = vec![
        many(1).chain(few()).collect(),
        stop(1).to_vec(),
        many(-1).chain(change()).collect(),
        stop(-1).to_vec(),
        change().map(|(k, v, _)| (k, v, -1)).collect(),
    ];
    holds_in_each_iteration(
        &steps,
        |a| a.aggregate(Max),
        |group| present(group).map(|row| row.0).next_back().into_iter().collect(),
    );
    holds_in_each_iteration(&steps, Stream::distinct, |group| present(group).map(|row| row.0).collect());
    holds_in_each_iteration(
        &steps,
        |a| a.average(|&v| v * 7),
        |group| {
            let (sum, count) = sums(group);
            (count > 0).then(|| sum * 7 / count).into_iter().collect()
        },
    );
}

#[test]
fn a_key_that_waits_is_not_forgotten_for_having_brought_nothing() {
    let row = |iteration, v, weight| (0, (iteration, v), weight);
    let stop = |weight| vec![(STOP, (0, 1), weight)];
    let steps =
        vec![vec![row(0, 1, -1), row(3, 1, 1)], stop(1), vec![row(0, 1, 1)], vec![row(0, 2, 1)], stop(-1)];
    holds_in_each_iteration(
        &steps,
        |a| a.aggregate(Max),
        |group| present(group).map(|row| row.0).next_back().into_iter().collect(),
    );
}

#[test]
fn of_a_key_that_is_gone_nothing_is_kept() {
    let (mut circuit, (input, output)) = RootCircuit::build(|circuit| {
        let (rows, input) = circuit.add_input_indexed_zset::<u64, (u8, i64)>();
        let sums = circuit.fixpoint(|scope| Ok(spread(scope, &rows).aggregate_linear(|&v| v)))?;
        Ok((input, sums.output()))
    })
    .expect("the circuit is built");
    // What was brought of a key in an iteration is taken back in that iteration, or in both.
    for (come, go) in [(vec![(0, 7)], vec![(0, 7)]), (vec![(0, 1), (2, 3)], vec![(2, 3), (0, 1)])] {
        for (rows, weight) in [(come, 1), (go, -1)] {
            for row in rows {
                input.extend((0..5000).map(|key| (key, row, weight)));
                circuit.step().expect("a step of a sound circuit succeeds");
            }
        }
        assert_eq!(output.take().len(), 0);
        let metrics = circuit.gather_metrics().expect("the circuit is sound");
        let sums = metrics.iter().find(|metrics| metrics.name == "aggregate_linear").expect("it is there");
        assert_eq!((sums.state.rows, sums.runs > 0), (0, true));
    }
}
