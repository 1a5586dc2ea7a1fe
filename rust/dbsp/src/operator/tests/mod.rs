//! Operators against what they compute, from scratch, after every step.
//!
//! An operator is its own incremental form exactly if the sum of all that it has brought is, after each step, what the
//! operator makes of the sum of all that has come. So each test gives the operator as a circuit and as a plain function of
//! collections, and feeds random changes with deletions: batches of all sizes, negative weights, rows that come and go
//! within one batch, and one to eight workers. Every other step is a transaction in small chunks, where the circuit
//! allows that.

mod aggregates;
mod asof_joins;
mod groups;
mod iteration;
mod joins;
mod laws;
mod nested;
mod recursion;
mod rows;
mod time_series;
mod transactions;

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::circuit::{DBSPHandle, RootCircuit, Runtime, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

/// A collection: rows and their weights, none of which is 0.
pub(crate) type Rows<K, V> = BTreeMap<(K, V), i64>;

/// Adds a change to a collection.
pub(crate) fn add<K: Data, V: Data>(rows: &mut Rows<K, V>, change: impl IntoIterator<Item = (K, V, i64)>) {
    for (key, val, weight) in change {
        *rows.entry((key, val)).or_default() += weight;
    }
    rows.retain(|_, weight| *weight != 0);
}

/// Makes a collection of rows that may come more than once.
pub(crate) fn rows<K: Data, V: Data>(all: impl IntoIterator<Item = (K, V, i64)>) -> Rows<K, V> {
    let mut rows = Rows::new();
    add(&mut rows, all);
    rows
}

/// The changes of some steps.
pub(crate) type Steps<K, V> = Vec<Vec<(K, V, i64)>>;

/// Some steps of changes of few keys and values, so that they meet.
pub(crate) fn steps<K: Debug, V: Debug>(
    key: impl Strategy<Value = K>,
    val: impl Strategy<Value = V>,
) -> impl Strategy<Value = Steps<K, V>> {
    vec(vec((key, val, -2i64..4), 0..25), 1..12)
}

/// The numbers of workers with which each test runs.
const WORKERS: [usize; 4] = [1, 2, 4, 8];

/// Brings a circuit up to date: by one step, or, every second time, by a transaction if it may have one.
pub(crate) fn step_or_commit(handle: &mut DBSPHandle, step: usize) {
    let done = if step % 2 == 1 {
        match handle.transaction(1 + step) {
            Ok(transaction) => transaction.commit(),
            Err(Error::BySteps { .. }) => handle.step(),
            Err(error) => Err(error),
        }
    } else {
        handle.step()
    };
    done.expect("a sound circuit succeeds");
}

/// Checks that `circuit` is the incremental form of `function`.
pub(crate) fn is_incremental<K: Data, V: Data, K2: Data, V2: Data>(
    steps: &Steps<K, V>,
    circuit: impl Fn(&Stream<RootCircuit, Batch<K, V>>) -> Stream<RootCircuit, Batch<K2, V2>>
    + Clone
    + Send
    + 'static,
    function: impl Fn(&Rows<K, V>) -> Rows<K2, V2>,
) {
    let empty = vec![Vec::<(K, V, i64)>::new(); steps.len()];
    are_incremental(steps, &empty, move |a, _| circuit(a), |a, _| function(a));
}

/// Checks that `circuit` is the incremental form of a `function` of two collections.
pub(crate) fn are_incremental<K, V, L, W, K2, V2>(
    left: &Steps<K, V>,
    right: &Steps<L, W>,
    circuit: impl Fn(
        &Stream<RootCircuit, Batch<K, V>>,
        &Stream<RootCircuit, Batch<L, W>>,
    ) -> Stream<RootCircuit, Batch<K2, V2>>
    + Clone
    + Send
    + 'static,
    function: impl Fn(&Rows<K, V>, &Rows<L, W>) -> Rows<K2, V2>,
) where
    K: Data,
    V: Data,
    L: Data,
    W: Data,
    K2: Data,
    V2: Data,
{
    for workers in WORKERS {
        let circuit = circuit.clone();
        let (mut handle, (a, b, output)) = Runtime::init_circuit(workers, move |root| {
            let (a, left) = root.add_input_indexed_zset::<K, V>();
            let (b, right) = root.add_input_indexed_zset::<L, W>();
            Ok((left, right, circuit(&a, &b).output()))
        })
        .expect("the circuit is built");
        let (mut lefts, mut rights, mut view) = (Rows::new(), Rows::new(), Rows::new());
        for step in 0..left.len().max(right.len()) {
            let (new_left, new_right) =
                (left.get(step).cloned().unwrap_or_default(), right.get(step).cloned().unwrap_or_default());
            add(&mut lefts, new_left.clone());
            add(&mut rights, new_right.clone());
            a.extend(new_left);
            b.extend(new_right);
            step_or_commit(&mut handle, step);
            add(&mut view, output.take().to_rows());
            assert_eq!(view, function(&lefts, &rights), "after step {step} with {workers} workers");
        }
        handle.step().expect("a step without input succeeds");
        assert!(output.take().is_empty(), "a step without input brings nothing");
    }
}
