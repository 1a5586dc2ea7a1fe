//! Scopes that stop by a condition, against iterating from scratch.

use std::collections::BTreeSet;

use super::*;
use crate::operator::Min;

type Edge = (u8, u8, i64);

fn edges_of(rows: &Rows<Edge, ()>) -> BTreeSet<Edge> {
    rows.iter().filter(|(_, weight)| **weight > 0).map(|((edge, ()), _)| *edge).collect()
}

/// The distances from node 0 by at most one edge more.
fn further(edges: &BTreeSet<Edge>, known: &BTreeMap<u8, i64>) -> BTreeMap<u8, i64> {
    let mut next = BTreeMap::new();
    let first = edges.iter().filter(|edge| edge.0 == 0).map(|edge| (edge.1, edge.2));
    let others = edges.iter().filter_map(|edge| Some((edge.1, known.get(&edge.0)? + edge.2)));
    for (node, far) in first.chain(others) {
        let least = next.entry(node).or_insert(far);
        *least = far.min(*least);
    }
    next
}

/// Distances from node 0, by ever more edges until at least so many nodes are reached, or until none gets nearer.
fn near(edges: &Stream<RootCircuit, Batch<Edge>>, enough: i64) -> Stream<RootCircuit, Batch<u8, i64>> {
    let near = edges.circuit().clone().iterate(|scope| {
        let edges = edges.distinct().delta0(scope).map_index(|&(a, b, length)| (a, (b, length)));
        let (feedback, known) = scope.add_feedback::<u8, i64>();
        let first = edges.filter(|(a, _)| *a == 0).map_index(|&(_, edge)| edge);
        let others = known.join_index(&edges, |_, &so_far, &(b, length)| (b, so_far + length));
        let near = first.plus(&others).aggregate(Min);
        feedback.connect(&near);
        let reached = near.map_index(|_| ((), ())).weighted_count();
        Ok((reached.condition(move |count| count.iter().any(|(_, count, _)| count >= enough)), near))
    });
    near.expect("the closure returns no error")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_scope_stops_where_its_condition_holds(
        steps in vec(vec(((0u8..7, 0u8..7, 1i64..5), Just(()), -2i64..3), 0..10), 1..12),
        enough in 1i64..8,
    ) {
        is_incremental(&steps, move |edges| near(edges, enough), |rows_of| {
            let edges = edges_of(rows_of);
            let mut known = further(&edges, &BTreeMap::new());
            while known.len() < enough as usize {
                let next = further(&edges, &known);
                if next == known {
                    break;
                }
                known = next;
            }
            rows(known.into_iter().map(|(node, far)| (node, far, 1)))
        });
    }

    #[test]
    fn a_condition_on_what_an_iteration_changes(
        steps in vec(vec(((0u64..40, 0u64..40), Just(()), -2i64..3), 0..8), 1..10),
        least in 1i64..4,
    ) {
        // Nodes reached from 0, until an iteration adds fewer than so many.
        let circuit = move |edges: &Stream<RootCircuit, Batch<(u64, u64)>>| {
            edges.circuit().clone().iterate(|scope| {
                let edges = edges.distinct().delta0(scope).map_index(|&(a, b)| (a % 8, b % 8));
                let (feedback, known) = scope.add_feedback::<u64, ()>();
                let first = edges.filter(|(a, _)| *a == 0).map(|&(_, b)| b);
                let others = known.map_index(|&node| (node, ())).join(&edges, |_, (), &b| b);
                let reached = first.plus(&others).distinct();
                feedback.connect(&reached);
                let added = reached.minus(&reached.delay());
                Ok((added.condition(move |added| (added.len() as i64) < least), reached))
            }).expect("the closure returns no error")
        };
        is_incremental(&steps, circuit, |rows_of| {
            let edges: BTreeSet<_> =
                rows_of.iter().filter(|(_, weight)| **weight > 0).map(|(((a, b), ()), _)| (a % 8, b % 8)).collect();
            let mut known = BTreeSet::new();
            loop {
                let next: BTreeSet<_> =
                    edges.iter().filter(|edge| edge.0 == 0 || known.contains(&edge.0)).map(|edge| edge.1).collect();
                let added = next.len() - known.len();
                known = next;
                if (added as i64) < least {
                    break;
                }
            }
            rows(known.into_iter().map(|node| (node, (), 1)))
        });
    }
}

#[test]
fn a_scope_goes_further_and_less_far_from_step_to_step() {
    let (mut circuit, (edges, near)) = RootCircuit::build(|circuit| {
        let (edges, handle) = circuit.add_input_zset::<Edge>();
        Ok((handle, near(&edges, 3).output()))
    })
    .unwrap();
    edges.extend([(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 1)].map(|edge| (edge, 1)));
    circuit.step().unwrap();
    assert_eq!(near.take().to_rows(), [(1, 1, 1), (2, 2, 1), (3, 3, 1)]);
    edges.extend([((0, 5, 1), 1), ((0, 6, 1), 1)]);
    circuit.step().unwrap();
    assert_eq!(near.take().to_rows(), [(2, 2, -1), (3, 3, -1), (5, 1, 1), (6, 1, 1)]);
    edges.push((0, 5, 1), -1);
    circuit.step().unwrap();
    assert_eq!(near.take().to_rows(), [(2, 2, 1), (5, 1, -1)]);
    edges.push((0, 6, 1), -1);
    edges.push((1, 2, 1), -1);
    edges.push((1, 2, 5), 1);
    circuit.step().unwrap();
    assert_eq!(near.take().to_rows(), [(2, 2, -1), (2, 6, 1), (3, 7, 1), (6, 1, -1)]);
}

#[test]
fn a_scope_that_never_stops_is_an_error() {
    let (mut circuit, numbers) = RootCircuit::build(|circuit| {
        let (numbers, handle) = circuit.add_input_zset::<u64>();
        let all = circuit.iterate(|scope| {
            let (feedback, known) = scope.add_feedback::<u64, ()>();
            let all = numbers.delta0(scope).plus(&known.map(|number| number % 7 + 1)).consolidate();
            feedback.connect(&all);
            Ok((all.condition(|all| all.iter().any(|(_, (), weight)| weight < 0)), all))
        })?;
        Ok((handle, all.output()))
    })
    .unwrap();
    numbers.0.push(1, 1);
    let failed = circuit.step().expect_err("there is no end");
    assert!(
        matches!(&failed, Error::NoFixedPoint { scope, .. } if scope.starts_with("iterate ")),
        "{failed}"
    );
}
