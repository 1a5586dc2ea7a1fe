//! Recursion, against the naive fixed point.

use std::collections::BTreeSet;

use super::*;
use crate::circuit::ChildCircuit;
use crate::trace::OrdZSet;

type Edges = BTreeSet<(u8, u8)>;
type Paths = Stream<ChildCircuit<RootCircuit>, OrdZSet<(u8, u8)>>;

fn edges(rows: &Rows<(u8, u8), ()>) -> Edges {
    rows.iter().filter(|(_, weight)| **weight > 0).map(|((edge, ()), _)| *edge).collect()
}

/// Applies `more` until nothing is added.
fn closure<T: Ord + Clone>(start: BTreeSet<T>, more: impl Fn(&BTreeSet<T>) -> BTreeSet<T>) -> BTreeSet<T> {
    let mut all = start;
    loop {
        let next: BTreeSet<T> = all.union(&more(&all)).cloned().collect();
        if next.len() == all.len() {
            return all;
        }
        all = next;
    }
}

fn once<T: Data>(all: BTreeSet<T>) -> Rows<T, ()> {
    rows(all.into_iter().map(|row| (row, (), 1)))
}

fn step(paths: &Edges, edges: &Edges) -> Edges {
    paths
        .iter()
        .flat_map(|&(a, b)| edges.iter().filter(move |edge| edge.0 == b).map(move |edge| (a, edge.1)))
        .collect()
}

fn paths(edges: &Stream<RootCircuit, Batch<(u8, u8)>>) -> Stream<RootCircuit, Batch<(u8, u8)>> {
    let recursive = edges.circuit().clone().recursive(|scope, paths: Stream<_, OrdZSet<(u8, u8)>>| {
        let edges = edges.distinct().delta0(scope);
        let by_end = paths.map_index(|&(a, b)| (b, a));
        Ok(edges.plus(&by_end.join(&edges.index(), |_, &a, &c| (a, c))))
    });
    recursive.expect("the closure returns no error")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn paths_of_a_changing_graph(steps in steps((0u8..7, 0u8..7), Just(()))) {
        is_incremental(&steps, paths, |rows| {
            let edges = edges(rows);
            once(closure(edges.clone(), |paths| step(paths, &edges)))
        });
    }

    #[test]
    fn paths_by_joining_paths_with_themselves(steps in steps((0u8..7, 0u8..7), Just(()))) {
        let circuit = |edges: &Stream<RootCircuit, Batch<(u8, u8)>>| {
            edges.circuit().clone().recursive(|scope, paths: Stream<_, OrdZSet<(u8, u8)>>| {
                let by_start = paths.index();
                let by_end = paths.map_index(|&(a, b)| (b, a));
                Ok(edges.distinct().delta0(scope).plus(&by_end.join(&by_start, |_, &a, &c| (a, c))))
            }).expect("the closure returns no error")
        };
        is_incremental(&steps, circuit, |rows| once(closure(edges(rows), |paths| step(paths, paths))));
    }

    #[test]
    fn relations_defined_by_each_other(steps in steps((0u8..6, 0u8..6), Just(()))) {
        // Paths of odd and of even length.
        let circuit = |edges: &Stream<RootCircuit, Batch<(u8, u8)>>| {
            let (odd, even) = edges.circuit().clone().recursive(|scope, (odd, even): (Paths, Paths)| {
                let edges = edges.distinct().delta0(scope);
                let longer = |paths: &Stream<_, OrdZSet<(u8, u8)>>| {
                    paths.map_index(|&(a, b)| (b, a)).join(&edges.index(), |_, &a, &c| (a, c))
                };
                Ok((edges.plus(&longer(&even)), longer(&odd)))
            }).expect("the closure returns no error");
            odd.map(|&path| (true, path)).plus(&even.map(|&path| (false, path)))
        };
        is_incremental(&steps, circuit, |rows| {
            let edges = edges(rows);
            let start = edges.iter().map(|&edge| (true, edge)).collect();
            once(closure(start, |known| {
                let of = |odd: bool| known.iter().filter(|path| path.0 == odd).map(|path| path.1).collect::<Edges>();
                let odd = step(&of(false), &edges).into_iter().map(|path| (true, path));
                odd.chain(step(&of(true), &edges).into_iter().map(|path| (false, path))).collect()
            }))
        });
    }

    #[test]
    fn unreachable_nodes_by_an_antijoin_outside(steps in steps((0u8..6, 0u8..6), Just(()))) {
        let circuit = |edges: &Stream<RootCircuit, Batch<(u8, u8)>>| {
            let reached = paths(edges).filter(|path| path.0 == 0).map_index(|&(_, end)| (end, ()));
            edges.map_index(|&(start, end)| (start, end)).antijoin(&reached).map(|&(start, _)| start).distinct()
        };
        is_incremental(&steps, circuit, |rows| {
            let edges = edges(rows);
            let reached = closure(edges.clone(), |paths| step(paths, &edges));
            // The weight of a start is the sum of its edges' weights, of which negative ones count too.
            let mut starts = BTreeMap::new();
            rows.iter().for_each(|(((start, _), ()), weight)| *starts.entry(*start).or_insert(0) += weight);
            once(starts.into_iter().filter(|&(start, weight)| weight > 0 && !reached.contains(&(0, start))).map(|(start, _)| start).collect())
        });
    }
}

#[test]
fn a_recursion_without_end_is_an_error_and_loses_the_circuit() {
    let (mut circuit, numbers) = RootCircuit::build(|circuit| {
        let (numbers, handle) = circuit.add_input_zset::<u64>();
        let all = circuit.fixpoint_within(50, |scope| {
            let (feedback, known) = scope.add_feedback::<u64, ()>();
            let all = numbers.delta0(scope).plus(&known.map(|number| number + 1));
            feedback.connect(&all);
            Ok(all)
        })?;
        Ok((handle, all.output()))
    })
    .unwrap();
    circuit.step().expect("nothing from nothing");
    numbers.0.push(1, 1);
    let failed = circuit.step().expect_err("there is no end");
    assert!(
        matches!(&failed, Error::NoFixedPoint { scope, iterations: 50 } if scope.starts_with("fixpoint ")),
        "{failed}"
    );
    assert!(matches!(circuit.step(), Err(Error::Lost(_))));
}

#[test]
fn a_fixpoint_brings_the_sum_of_its_iterations() {
    let (mut circuit, (numbers, output)) = RootCircuit::build(|circuit| {
        let (numbers, handle) = circuit.add_input_zset::<u64>();
        let all = circuit.fixpoint(|scope| {
            let (feedback, known) = scope.add_feedback::<u64, ()>();
            let all =
                numbers.delta0(scope).plus(&known.filter(|number| *number > 0).map(|number| number - 1));
            feedback.connect(&all);
            Ok(all)
        })?;
        Ok((handle, all.output()))
    })
    .unwrap();
    for (push, expected) in
        [(3, [0, 1, 2, 3].map(|row| (row, 1)).to_vec()), (1, [0, 1].map(|row| (row, 1)).to_vec())]
    {
        numbers.push(push, 1);
        circuit.step().unwrap();
        assert_eq!(output.take(), expected.into_iter().collect::<Batch<u64>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn shortest_distances_by_the_least_of_all(steps in steps((0u8..6, 0u8..6, 1i64..6), Just(()))) {
        use crate::operator::Min;

        type Known = BTreeMap<u8, i64>;
        // From node 0, if an edge leaves it. Cycles that lose their beginning are among the changes.
        let circuit = |edges: &Stream<RootCircuit, Batch<(u8, u8, i64)>>| {
            edges.circuit().clone().recursive(|scope, known: Stream<_, Batch<u8, i64>>| {
                let edges = edges.distinct().delta0(scope).map_index(|&(a, b, length)| (a, (b, length)));
                let start = edges.filter(|(a, _)| *a == 0).map_index(|_| (0u8, 0i64));
                let longer = known.join_index(&edges, |_, &so_far, &(b, length)| (b, so_far + length));
                Ok(start.plus(&longer).aggregate(Min))
            }).expect("the closure returns no error")
        };
        is_incremental(&steps, circuit, |rows_of| {
            let edges: BTreeSet<_> = rows_of.iter().filter(|(_, weight)| **weight > 0).map(|((edge, ()), _)| *edge).collect();
            let mut known = Known::new();
            if edges.iter().any(|edge| edge.0 == 0) {
                known.insert(0, 0);
            }
            loop {
                let mut next = known.clone();
                for &(a, b, length) in &edges {
                    if let Some(far) = known.get(&a).map(|so_far| so_far + length) {
                        let least = next.entry(b).or_insert(far);
                        *least = far.min(*least);
                    }
                }
                if next == known {
                    break;
                }
                known = next;
            }
            rows(known.into_iter().map(|(node, far)| (node, far, 1)))
        });
    }

    #[test]
    fn the_two_best_scores_passed_along_edges(steps in steps((0u8..6, 0u8..6, 1i64..4), Just(()))) {
        // Node 0 has the scores 9 and 7; an edge passes the two best of a node on, less its length.
        let circuit = |edges: &Stream<RootCircuit, Batch<(u8, u8, i64)>>| {
            edges.circuit().clone().recursive(|scope, best: Stream<_, Batch<u8, i64>>| {
                let edges = edges.distinct().delta0(scope).map_index(|&(a, b, length)| (a, (b, length)));
                let start = edges.filter(|(a, _)| *a == 0).flat_map_index(|_| [(0u8, 9i64), (0, 7)]);
                let passed = best.join_index(&edges, |_, &score, &(b, length)| (b, score - length)).filter(|row| row.1 > 0);
                Ok(start.plus(&passed).distinct().topk_desc(2))
            }).expect("the closure returns no error")
        };
        is_incremental(&steps, circuit, |rows_of| {
            let edges: BTreeSet<_> = rows_of.iter().filter(|(_, weight)| **weight > 0).map(|((edge, ()), _)| *edge).collect();
            let start: BTreeSet<_> = edges.iter().filter(|edge| edge.0 == 0).flat_map(|_| [(0u8, 9i64), (0, 7)]).collect();
            let mut best = BTreeSet::new();
            loop {
                let mut next = start.clone();
                next.extend(edges.iter().flat_map(|&(a, b, length)| {
                    best.iter().filter(move |row: &&(u8, i64)| row.0 == a).map(move |row| (b, row.1 - length)).filter(|row| row.1 > 0)
                }));
                let all = next.clone();
                next.retain(|row| all.iter().filter(|other| other.0 == row.0 && other.1 > row.1).count() < 2);
                if next == best {
                    break;
                }
                best = next;
            }
            rows(best.into_iter().map(|(node, score)| (node, score, 1)))
        });
    }

    #[test]
    fn the_number_of_walks(steps in steps((0u8..5, 0u8..5), Just(()))) {
        // Walks of at most 5 edges from node 0, by their end and their length.
        let circuit = |edges: &Stream<RootCircuit, Batch<(u8, u8)>>| {
            edges.circuit().clone().recursive(|scope, known: Stream<_, Batch<(u8, u8), i64>>| {
                let edges = edges.distinct().delta0(scope).index();
                let start = edges.map_index(|_| ((0u8, 0u8), 1i64)).distinct();
                let by_end = known.filter(|((_, length), _)| *length < 5).map_index(|&((end, length), walks)| (end, (length, walks)));
                let longer = by_end.join_index(&edges, |_, &(length, walks), &b| ((b, length + 1), walks));
                Ok(start.plus(&longer.aggregate_linear(|&walks| walks)))
            }).expect("the closure returns no error")
        };
        is_incremental(&steps, circuit, |rows_of| {
            let edges = edges(rows_of);
            let mut walks: BTreeMap<(u8, u8), i64> = BTreeMap::new();
            if !edges.is_empty() {
                walks.insert((0, 0), 1);
            }
            for length in 0..5 {
                for &(a, b) in &edges {
                    let more = walks.get(&(a, length)).copied().unwrap_or(0);
                    *walks.entry((b, length + 1)).or_insert(0) += more;
                }
            }
            rows(walks.into_iter().filter(|row| row.1 > 0).map(|(end, walks)| (end, walks, 1)))
        });
    }
}
