//! Transactions: what they show is what one step would. That this holds of every operator is seen to by its own test,
//! which has transactions among its steps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::circuit::CircuitHandle;
use crate::operator::{Max, RelOffset, RelRange};
use crate::zset;

type Rows2 = Stream<RootCircuit, Batch<u64, i64>>;
/// Adds operators on a stream to its circuit.
type Described = fn(&Rows2);

/// Whether a circuit with this in it may have transactions.
fn refusal(describe: Described) -> Result<(), Error> {
    let (mut circuit, ()) = RootCircuit::build(|circuit| {
        describe(&circuit.add_input_indexed_zset().0);
        Ok(())
    })?;
    circuit.transaction(10).map(drop)
}

#[test]
fn what_goes_by_steps_is_refused_by_name() {
    let refused: [(&str, Described); 10] = [
        ("delay", |a| drop(a.delay())),
        ("delay", |a| a.circuit().add_feedback::<u64, i64>().0.connect(a)),
        ("integrate", |a| drop(a.integrate())),
        ("differentiate", |a| drop(a.differentiate())),
        ("apply", |a| drop(a.apply(Batch::len))),
        ("stream_distinct", |a| drop(a.stream_distinct())),
        ("waterline", |a| drop(a.waterline(1, |row| row.1))),
        ("generator", |a| drop(a.circuit().generator(|| 1))),
        ("input_value", |a| drop(a.circuit().add_input_value::<u64>())),
        ("output_value", |a| drop(a.output_value())),
    ];
    for (name, describe) in refused {
        let refusal = refusal(describe);
        assert!(
            matches!(&refusal, Err(Error::BySteps { operator }) if operator.starts_with(&format!("{name} "))),
            "{name}: {refusal:?}"
        );
    }
    let within = refusal(|a| {
        a.circuit().fixpoint(|scope| Ok(a.delta0(scope).stream_distinct())).expect("it is described");
    });
    assert!(matches!(within, Err(Error::BySteps { .. })), "{within:?}");
}

#[test]
fn what_is_incremental_is_not() {
    let taken: [Described; 8] = [
        |a| drop(a.join(a, |&k, &v, &w| (k, v, w)).distinct()),
        |a| drop(a.aggregate(Max).plus(&a.aggregate_linear(|&v| v))),
        |a| drop(a.topk_asc(2).lag(1, |v| v.map_or(0, |v| *v))),
        |a| drop(a.asof_join(a, |&v| v, |&v| v, |&k, &v, &w| (k, v, w))),
        |a| drop(a.rolling_aggregate(Max, RelRange::new(RelOffset::Before(3), RelOffset::Before(0)))),
        |a| {
            drop(
                a.circuit()
                    .recursive(|scope, known: Stream<_, Batch<u64, i64>>| Ok(a.delta0(scope).plus(&known))),
            );
        },
        |a| drop(a.inspect(|_| {}).shard().gather(0).consolidate().output()),
        |a| drop(a.circuit().fixpoint(|scope| Ok(a.delta0(scope).delay()))),
    ];
    for describe in taken {
        refusal(describe).expect("what it brings adds up");
    }
}

fn sums()
-> (CircuitHandle, crate::operator::IndexedZSetHandle<u64, i64>, crate::operator::OutputHandle<u64, i64>) {
    let (circuit, (rows, sums)) = RootCircuit::build(|circuit| {
        let (a, rows) = circuit.add_input_indexed_zset::<u64, i64>();
        Ok((rows, a.aggregate_linear(|&v| v).output()))
    })
    .expect("the circuit is built");
    (circuit, rows, sums)
}

#[test]
fn outputs_show_one_net_change_at_commit() {
    let (mut circuit, rows, sums) = sums();
    rows.push(1, 5, 1);
    circuit.step().unwrap();
    let mut transaction = circuit.transaction(1).unwrap();
    assert!(sums.take().is_empty(), "also what was left lying waits");
    rows.extend([(1, 1, 1), (1, 2, 1), (2, 9, 1), (1, 5, -1)]);
    transaction.evaluate().unwrap();
    assert!(sums.take().is_empty());
    rows.extend([(2, 9, -1), (1, 3, 1)]);
    transaction.commit().unwrap();
    assert_eq!(sums.take().to_rows(), [(1, 6, 1)]);
}

#[test]
fn a_transaction_that_is_dropped_is_shown_with_the_next_step() {
    let (mut circuit, rows, sums) = sums();
    rows.push(1, 5, 1);
    let mut transaction = circuit.transaction(1).unwrap();
    transaction.evaluate().unwrap();
    drop(transaction);
    assert!(sums.take().is_empty());
    rows.push(1, 1, 1);
    circuit.step().unwrap();
    assert_eq!(sums.take().to_rows(), [(1, 6, 1)]);
}

#[test]
fn no_operator_is_given_more_than_a_chunk() {
    for workers in [1, 2] {
        let most = Arc::new(AtomicUsize::new(0));
        let seen = most.clone();
        let (mut circuit, (rows, keyed, output)) = Runtime::init_circuit(workers, move |circuit| {
            let (a, rows) = circuit.add_input_zset::<u64>();
            let (b, keyed) = circuit.add_input_map::<u64, u64>();
            let seen = seen.clone();
            let all = a.plus(&b.map(|&(key, _)| key)).inspect(move |batch| {
                seen.fetch_max(batch.len(), Ordering::Relaxed);
            });
            Ok((rows, keyed, all.output()))
        })
        .unwrap();
        rows.extend((0..1000).map(|row| (row, 1)));
        (1000..1100).for_each(|key| keyed.upsert(key, key));
        let mut transaction = circuit.transaction(7).unwrap();
        transaction.evaluate().unwrap();
        rows.extend((1100..1200).map(|row| (row, 1)));
        transaction.commit().unwrap();
        assert_eq!(output.take(), (0..1200).map(|row| (row, 1)).collect());
        assert!(most.load(Ordering::Relaxed) <= 2 * 7 && most.load(Ordering::Relaxed) > 0);
    }
}

#[test]
fn whoever_takes_meanwhile_gets_whole_transactions() {
    let (mut circuit, (rows, output)) = Runtime::init_circuit(2, |circuit| {
        let (a, rows) = circuit.add_input_zset::<u64>();
        Ok((rows, a.shard().output()))
    })
    .unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut all, mut last) = (0, false);
            while !last {
                last = done.load(Ordering::Acquire);
                let change = output.take();
                assert_eq!(change.len() % 100, 0, "part of a transaction was taken");
                all += change.len();
            }
            all
        });
        for transaction in 0..200u64 {
            rows.extend((0..100).map(|row| (transaction * 100 + row, 1)));
            circuit.transaction(30).unwrap().commit().unwrap();
        }
        done.store(true, Ordering::Release);
        assert_eq!(reader.join().unwrap(), 20_000);
    });
}

#[test]
fn outputs_are_held_back_until_the_last_chunk_is_evaluated() {
    for workers in [1, 2] {
        let handle = Arc::new(Mutex::new(None::<crate::operator::OutputHandle<u64>>));
        let (seen, taken) = (handle.clone(), Arc::new(AtomicUsize::new(0)));
        let count = taken.clone();
        let (mut circuit, (rows, output)) = Runtime::init_circuit(workers, move |circuit| {
            let (a, rows) = circuit.add_input_zset::<u64>();
            let output = a.output();
            let (seen, count) = (seen.clone(), count.clone());
            // It looks after this worker has put its rows of the chunk into the output.
            drop(a.inspect(move |_| {
                let taken = seen.lock().unwrap().as_ref().map(|output| output.take().len());
                assert_eq!(taken, Some(0), "the transaction goes on");
                count.fetch_add(1, Ordering::Relaxed);
            }));
            Ok((rows, output))
        })
        .unwrap();
        *handle.lock().unwrap() = Some(output.clone());
        for transaction in 1..4 {
            rows.extend((0..10).map(|row| (row, 1)));
            circuit.transaction(3).unwrap().commit().unwrap();
            assert_eq!(output.take(), (0..10).map(|row| (row, 1)).collect());
            assert!(taken.load(Ordering::Relaxed) >= 2 * transaction);
        }
    }
}

#[test]
fn events_of_a_key_stay_in_order_from_chunk_to_chunk() {
    for workers in [1, 2] {
        let (mut circuit, (events, output)) = Runtime::init_circuit(workers, |circuit| {
            let (logs, events) = circuit.add_input_keyed(|log: Option<&String>, event: char| {
                Some(log.cloned().unwrap_or_default() + &event.to_string())
            });
            Ok((events, logs.map(|&(key, log): &(u64, &str)| (key, log.to_owned())).output()))
        })
        .unwrap();
        // One key at a time, so that of several workers only one has anything to do.
        for key in 0..10u64 {
            "abcdef".chars().for_each(|event| events.push(key, event));
            circuit.transaction(2).unwrap().commit().unwrap();
            assert_eq!(output.take(), zset! { (key, "abcdef".to_owned()) => 1 });
        }
    }
}

#[test]
fn a_circuit_lost_in_a_transaction_shows_nothing() {
    let (mut circuit, (rows, output)) = RootCircuit::build(|circuit| {
        let (a, rows) = circuit.add_input_zset::<u64>();
        Ok((rows, a.map(|row| 100 / row).output()))
    })
    .unwrap();
    rows.extend([(5, 1), (4, 1), (0, 1)]);
    let failed = circuit.transaction(1).unwrap().commit();
    assert!(matches!(failed, Err(Error::Panic { .. })), "{failed:?}");
    assert!(output.take().is_empty());
    assert!(matches!(circuit.transaction(1).map(drop), Err(Error::Lost(_))));
}
