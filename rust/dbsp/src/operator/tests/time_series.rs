//! Windows, waterlines and rolling aggregates.

use super::*;
use crate::operator::{Count, EventTime, Fold, Max, MaxSome, Min, MinSome, RelOffset, RelRange};
use crate::time::Nanoseconds;

/// The change of each time of each partition, of what lies in a range.
type Timed = Rows<u64, (i64, i64)>;

fn range() -> impl Strategy<Value = (i64, i64)> {
    (-12i64..12, 0i64..12).prop_map(|(from, length)| (from, from + length))
}

fn relative((from, to): (i64, i64)) -> RelRange {
    let offset = |units: i64| {
        if units < 0 {
            RelOffset::Before(units.unsigned_abs())
        } else {
            RelOffset::After(units.unsigned_abs())
        }
    };
    RelRange::new(offset(from), offset(to))
}

/// The times of positive weight of each partition.
fn times(a: &Timed) -> std::collections::BTreeSet<(u64, i64)> {
    a.iter().filter(|row| *row.1 > 0).map(|((p, (t, _)), _)| (*p, *t)).collect()
}

/// The rows of a partition whose time is in a range, in order, each as often as its weight says.
fn window(a: &Timed, partition: u64, from: i64, to: i64) -> Vec<i64> {
    let rows = a.iter().filter(|((p, (t, _)), _)| *p == partition && (from..=to).contains(t));
    rows.flat_map(|((_, (_, v)), &w)| (0..w).map(move |_| *v)).collect()
}

/// An aggregate of the range of each time.
fn rolled<O: Data>(a: &Timed, (from, to): (i64, i64), of: impl Fn(&[i64]) -> O) -> Rows<u64, (i64, O)> {
    let rolled = times(a).into_iter().filter_map(|(p, t)| {
        let window = window(a, p, t + from, t + to);
        (!window.is_empty()).then(|| (p, (t, of(&window)), 1))
    });
    rows(rolled)
}

/// The sum over the range of each time whose number of rows, or whose sum, is not 0.
fn summed(a: &Timed, (from, to): (i64, i64)) -> Rows<u64, (i64, i64)> {
    let sum = |partition: u64, from: i64, to: i64| {
        let rows = a.iter().filter(|((p, (t, _)), _)| *p == partition && (from..=to).contains(t));
        rows.fold((0, 0), |(sum, count), ((_, (_, v)), w)| (sum + v * w, count + w))
    };
    let all: std::collections::BTreeSet<_> = a.keys().map(|(p, (t, _))| (*p, *t)).collect();
    let there = all.into_iter().filter(|&(p, t)| sum(p, t, t) != (0, 0));
    rows(there.map(|(p, t)| (p, (t, sum(p, t + from, t + to).0), 1)))
}

fn list() -> impl crate::operator::Aggregator<i64, Output = String> {
    let step = |list: &mut String, v: i64, w: i64| (0..w).for_each(|_| *list += &format!("{v} "));
    Fold::new::<i64>(String::new(), step, |list| list)
}

fn listed(values: &[i64]) -> String {
    values.iter().map(|v| format!("{v} ")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn rolling_sums(steps in steps(0u64..3, (-20i64..20, -3i64..4)), range in range()) {
        is_incremental(
            &steps,
            move |a| a.partitioned_rolling_aggregate_linear(|&v| v, |&sum| sum, relative(range)),
            |a| summed(a, range),
        );
    }

    #[test]
    fn rolling_sums_of_sparse_changes(
        first in vec((0u64..1, (-200i64..200, 1i64..9), 1i64..3), 300),
        rest in vec(vec((0u64..1, (-200i64..200, 1i64..9), -1i64..2), 0..3), 1..8),
        range in range(),
    ) {
        let steps: Vec<_> = [first].into_iter().chain(rest).collect();
        is_incremental(
            &steps,
            move |a| a.partitioned_rolling_aggregate_linear(|&v| v, |&sum| sum, relative(range)),
            |a| summed(a, range),
        );
        is_incremental(&steps, move |a| a.partitioned_rolling_aggregate(list(), relative(range)), |a| {
            rolled(a, range, listed)
        });
    }

    #[test]
    fn rolling_aggregates(steps in steps(0u64..3, (-20i64..20, -3i64..4)), range in range()) {
        is_incremental(&steps, move |a| a.partitioned_rolling_aggregate(list(), relative(range)), |a| {
            rolled(a, range, listed)
        });
        is_incremental(&steps, move |a| a.partitioned_rolling_aggregate((Min, Max, Count), relative(range)), |a| {
            rolled(a, range, |values| {
                (*values.iter().min().unwrap(), *values.iter().max().unwrap(), values.len() as i64)
            })
        });
    }

    #[test]
    fn rolling_aggregates_of_parts(steps in steps(0u64..3, (-20i64..20, -3i64..4)), range in range()) {
        is_incremental(&steps, move |a| a.partitioned_rolling_aggregate_parts((Min, Max, Count), relative(range)), |a| {
            rolled(a, range, |values| {
                (*values.iter().min().unwrap(), *values.iter().max().unwrap(), values.len() as i64)
            })
        });
        let some = |v: i64| (v != 0).then_some(v);
        is_incremental(
            &steps,
            move |a| {
                let a = a.map_index(move |&(p, (t, v))| (p, (t, some(v))));
                a.partitioned_rolling_aggregate_parts((MinSome, MaxSome), relative(range))
            },
            |a| {
                rolled(a, range, |values| {
                    let there = || values.iter().filter_map(|&v| some(v));
                    (there().min(), there().max())
                })
            },
        );
    }

    #[test]
    fn rolling_aggregates_of_one_partition(steps in steps(-20i64..20, -3i64..4), range in range()) {
        is_incremental(&steps, move |a| a.rolling_aggregate(list(), relative(range)), |a| {
            let whole = rows(a.iter().map(|(&row, &w)| (0, row, w)));
            rows(rolled(&whole, range, listed).into_iter().map(|((_, (t, result)), w)| (t, result, w)))
        });
    }

    #[test]
    fn times_of_a_type_of_their_own(steps in steps(0u64..3, (-20i64..20, -3i64..4)), range in range()) {
        is_incremental(
            &steps,
            move |a| {
                let a = a.map_index(|&(p, (t, v))| (p, (Nanoseconds(t), v)));
                let sums = a.partitioned_rolling_aggregate_linear(|&v| v, |&sum| sum, relative(range));
                sums.map_index(|&(p, (t, sum))| (p, (t.0, sum)))
            },
            |a| summed(a, range),
        );
    }

    #[test]
    fn rolling_aggregates_of_rows(steps in steps(0u64..2, -20i64..20), before in 0usize..4, after in 0usize..4) {
        is_incremental(&steps, move |a| a.rolling_aggregate_rows(before, after, list()), |a| {
            let mut groups: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
            for (&(k, v), &w) in a {
                (0..w).for_each(|_| groups.entry(k).or_default().push(v));
            }
            rows(groups.into_iter().flat_map(|(k, list)| {
                let rows = (0..list.len()).map(|row| {
                    let window = &list[row.saturating_sub(before)..list.len().min(row + after + 1)];
                    (k, (list[row], listed(window)), 1)
                });
                rows.collect::<Vec<_>>()
            }))
        });
    }

    #[test]
    fn windows_that_move_forward(
        changes in vec((vec((-30i64..60, -3i64..4, -2i64..4), 0..20), -30i64..50, 0i64..30), 1..15),
    ) {
        for workers in WORKERS {
            let (mut handle, (input, bounds, output)) = Runtime::init_circuit(workers, |root| {
                let (a, input) = root.add_input_indexed_zset::<i64, i64>();
                let (bounds, handle) = root.add_input_value::<(i64, i64)>();
                let by_value = a.map_index(|&(t, v)| (v, t)).window_by(&bounds, |row| row.1);
                let by_value = by_value.map_index(|&(v, t)| (t, v));
                Ok((input, handle, (a.window(&bounds).output(), by_value.output())))
            }).unwrap();
            let (mut all, mut view, mut view_by) = (Rows::new(), Rows::new(), Rows::new());
            let (mut start, mut end) = (i64::MIN, i64::MIN);
            for (change, from, length) in &changes {
                (start, end) = (start.max(*from), end.max(from + length));
                bounds.set((*from, from + length));
                add(&mut all, change.clone());
                input.extend(change.clone());
                handle.step().unwrap();
                add(&mut view, output.0.take().to_rows());
                add(&mut view_by, output.1.take().to_rows());
                // What came behind the window is forgotten.
                all.retain(|(t, _), _| *t >= start);
                let expected: Rows<i64, i64> =
                    all.iter().filter(|row| (start..end).contains(&row.0.0)).map(|(row, w)| (*row, *w)).collect();
                prop_assert_eq!(&view, &expected);
                prop_assert_eq!(&view_by, &expected);
            }
        }
    }

    #[test]
    fn waterlines_and_what_they_let_pass(
        changes in vec(vec((0u64..3, (0i64..20, -3i64..4), -1i64..3), 0..12), 1..20),
        range in range(),
        lateness in 0u64..15,
    ) {
        for workers in WORKERS {
            let (mut handle, (input, line, outputs)) = Runtime::init_circuit(workers, move |root| {
                let (a, input) = root.add_input_indexed_zset::<u64, (i64, i64)>();
                let line = a.waterline(lateness, |row| row.1.0);
                let sums = a.partitioned_rolling_aggregate_linear_with_waterline(&line, |&v| v, |&v| v, relative(range));
                let lists = a.partitioned_rolling_aggregate_with_waterline(&line, list(), relative(range));
                let least = a.partitioned_rolling_aggregate_parts_with_waterline(&line, Min, relative(range));
                Ok((input, line.output_value(), (sums.output(), lists.output(), least.output())))
            }).unwrap();
            let (mut all, mut sums, mut lists, mut least) = (Rows::new(), Rows::new(), Rows::new(), Rows::new());
            let (mut latest, mut passed) = (i64::MIN, i64::MIN);
            for (step, change) in (0i64..).zip(&changes) {
                // Events move on, by more than ranges are long.
                let change: Vec<_> = change.iter().map(|&(p, (t, v), w)| (p, (t + step * 6, v), w)).collect();
                latest = change.iter().filter(|row| row.2 > 0).map(|row| row.1.0).fold(latest, i64::max);
                input.extend(change.clone());
                add(&mut all, change.into_iter().filter(|row| row.1.0 >= passed));
                handle.step().unwrap();
                passed = if latest == i64::MIN { latest } else { latest - lateness as i64 };
                prop_assert_eq!(line.get(), vec![Some(passed); workers]);
                add(&mut sums, outputs.0.take().to_rows());
                add(&mut lists, outputs.1.take().to_rows());
                prop_assert_eq!(&sums, &summed(&all, range));
                add(&mut least, outputs.2.take().to_rows());
                prop_assert_eq!(&lists, &rolled(&all, range, listed));
                prop_assert_eq!(&least, &rolled(&all, range, |values| *values.iter().min().unwrap()));
            }
        }
    }
}

#[test]
fn times_end_where_their_numbers_do() {
    let (first, last) = (Nanoseconds::FIRST, Nanoseconds::LAST);
    assert_eq!((first.0, last.0), (i64::MIN, i64::MAX));
    assert_eq!((first.earlier(1), last.later(1)), (None, None));
    assert_eq!(
        (Nanoseconds(5).earlier(7), Nanoseconds(5).later(7)),
        (Some(Nanoseconds(-2)), Some(Nanoseconds(12)))
    );
    assert_eq!((first.later(u64::MAX), last.earlier(u64::MAX)), (Some(last), Some(first)));
}

#[test]
fn what_a_waterline_has_passed_is_forgotten() {
    let (mut circuit, (input, outputs)) = RootCircuit::build(|root| {
        let (a, input) = root.add_input_indexed_zset::<u64, (u64, i64)>();
        let line = a.waterline(10, |row| row.1.0);
        let range = RelRange::new(RelOffset::Before(20), RelOffset::Before(0));
        let sums = a.partitioned_rolling_aggregate_linear_with_waterline(&line, |&v| v, |&v| v, range);
        let lists = a.partitioned_rolling_aggregate_with_waterline(&line, Max, range);
        let parts = a.partitioned_rolling_aggregate_parts_with_waterline(&line, Max, range);
        let recent = a.window_by(&line.apply(|&start| (start, u64::MAX)), |row| row.1.0);
        Ok((input, (sums.output(), lists.output(), recent.output(), parts.output())))
    })
    .unwrap();
    for step in 0..3000u64 {
        input.extend((0..10).map(|row| ((step / 100) * 7 + row % 7, (step * 2 + row % 2, 1), 1)));
        circuit.step().unwrap();
        let _ = (outputs.0.take(), outputs.1.take(), outputs.2.take(), outputs.3.take());
    }
    for operator in circuit.gather_metrics().unwrap() {
        if ["rolling_linear", "rolling", "rolling_parts", "window"].contains(&operator.name) {
            assert!(operator.state.rows > 0 && operator.state.rows < 4000, "{operator:?}");
        }
    }
}
