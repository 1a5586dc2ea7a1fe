//! Circuits, workers and what becomes of them when something fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::Error;
use crate::zset;

#[test]
fn a_step_runs_only_what_something_has_come_for() {
    let (mut circuit, (left, right, ())) = RootCircuit::build(|circuit| {
        let (a, left) = circuit.add_input_zset::<u32>();
        let (b, right) = circuit.add_input_zset::<u32>();
        let _ = a.map(|row| row + 1).distinct().output();
        let _ = b.map(|row| row + 2).distinct().plus(&a).output();
        Ok((left, right, ()))
    })
    .unwrap();
    let runs = |circuit: &mut CircuitHandle| {
        let metrics = circuit.gather_metrics().unwrap();
        metrics.iter().filter(|metric| metric.name != "input").map(|metric| metric.runs).collect::<Vec<_>>()
    };
    circuit.step().unwrap();
    assert_eq!(runs(&mut circuit), [0; 7]);
    left.push(1, 1);
    circuit.step().unwrap();
    assert_eq!(runs(&mut circuit), [1, 1, 1, 0, 0, 1, 1]);
    right.push(1, 1);
    circuit.step().unwrap();
    assert_eq!(runs(&mut circuit), [1, 1, 1, 1, 1, 2, 2]);
    right.push(1, 1);
    circuit.step().unwrap();
    assert_eq!(runs(&mut circuit), [1, 1, 1, 2, 2, 2, 2], "distinct brings nothing when a row comes again");
}

#[test]
fn metrics_tell_rows_state_and_time() {
    let (mut circuit, rows) = RootCircuit::build(|circuit| {
        let (a, rows) = circuit.add_input_zset::<u64>();
        let _ = a.distinct().output();
        Ok(rows)
    })
    .unwrap();
    circuit.measure_time(true).unwrap();
    rows.extend((0..1000).map(|row| (row, 2)));
    circuit.step().unwrap();
    let metrics = circuit.gather_metrics().unwrap();
    let distinct = metrics.iter().find(|metric| metric.name == "distinct").unwrap();
    assert_eq!((distinct.runs, distinct.rows, distinct.state.rows), (1, 1000, 1000));
    assert!(distinct.state.bytes >= 1000 * (8 + 8 + 8) && distinct.time > std::time::Duration::ZERO);
    assert_eq!((distinct.path.as_slice(), distinct.inputs.as_slice()), ([1].as_slice(), [0].as_slice()));
}

#[test]
fn a_panic_is_an_error_that_names_the_operator_and_loses_the_circuit() {
    for workers in [1, 3] {
        let (mut circuit, (rows, output)) = Runtime::init_circuit(workers, |circuit| {
            let (a, rows) = circuit.add_input_zset::<u64>();
            Ok((rows, a.shard().map(|row| 100 / row).distinct().output()))
        })
        .unwrap();
        rows.extend([(5, 1), (10, 1)]);
        circuit.step().unwrap();
        assert_eq!(output.take(), zset! { 20 => 1, 10 => 1 });
        rows.push(0, 1);
        let failed = circuit.step().expect_err("a division by zero");
        let Error::Panic { operator, message, .. } = &failed else { panic!("{failed}") };
        assert!(operator.starts_with("map ") && message.contains("divide by zero"), "{failed}");
        let lost = circuit.step().expect_err("the circuit is lost");
        assert!(matches!(&lost, Error::Lost(why) if why.contains("divide by zero")), "{lost}");
    }
}

#[test]
fn what_a_closure_refuses_is_refused_in_each_worker() {
    let refused = Runtime::init_circuit(3, |circuit| {
        if circuit.worker_index() == 2 { Err(Error::Circuit("not here".to_owned())) } else { Ok(()) }
    });
    assert_eq!(refused.err(), Some(Error::Circuit("not here".to_owned())));
}

#[test]
fn threads_end_with_their_circuit() {
    let alive = Arc::new(AtomicUsize::new(0));
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let (counted, workers) = (alive.clone(), 4);
    let (mut circuit, rows) = Runtime::init_circuit(workers, move |circuit| {
        counted.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(counted.clone());
        let (a, rows) = circuit.add_input_zset::<u64>();
        let _ = a.filter(move |_| guard.0.load(Ordering::SeqCst) > 0).output();
        Ok(rows)
    })
    .unwrap();
    rows.extend((0..10).map(|row| (row, 1)));
    circuit.step().unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), workers);
    drop(circuit);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn handles_may_push_while_other_threads_do() {
    let (mut circuit, (rows, output)) = Runtime::init_circuit(2, |circuit| {
        let (a, rows) = circuit.add_input_zset::<u64>();
        Ok((rows, a.output()))
    })
    .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let rows = rows.clone();
            scope.spawn(move || (0..1000).for_each(|row| rows.push(thread * 1000 + row, 1)));
        }
        (0..10).for_each(|_| circuit.step().unwrap());
    });
    circuit.step().unwrap();
    assert_eq!(output.take(), (0..4000).map(|row| (row, 1)).collect());
}

#[test]
fn maps_are_set_by_key() {
    for workers in [1, 4] {
        let (mut circuit, (map, output)) = Runtime::init_circuit(workers, |circuit| {
            let (a, map) = circuit.add_input_map::<String, i64>();
            Ok((map, a.output()))
        })
        .unwrap();
        let mut step = || {
            circuit.step().unwrap();
            output.take().to_rows()
        };
        map.upsert("a".to_owned(), 1);
        map.upsert("b".to_owned(), 2);
        map.upsert("a".to_owned(), 3);
        assert_eq!(step(), [("a".to_owned(), 3, 1), ("b".to_owned(), 2, 1)]);
        map.upsert("a".to_owned(), 3);
        map.remove("b".to_owned());
        map.remove("c".to_owned());
        assert_eq!(step(), [("b".to_owned(), 2, -1)]);
        map.upsert("b".to_owned(), 5);
        map.upsert("a".to_owned(), 4);
        assert_eq!(step(), [("a".to_owned(), 3, -1), ("a".to_owned(), 4, 1), ("b".to_owned(), 5, 1)]);
    }
}

#[test]
fn plain_values_are_applied_each_step() {
    let (mut circuit, (factor, rows, product)) = RootCircuit::build(|circuit| {
        let (a, rows) = circuit.add_input_zset::<u64>();
        let (factor, handle) = circuit.add_input_value::<usize>();
        let mut ticks = 0;
        let tick = circuit.generator(move || {
            ticks += 1;
            ticks
        });
        let product = a
            .apply(crate::Batch::len)
            .apply2(&factor, |rows, factor| rows * factor)
            .apply2(&tick, |a, b| (*a, *b));
        Ok((handle, rows, product.output_value()))
    })
    .unwrap();
    factor.set(3);
    rows.extend([(1, 1), (2, 1)]);
    circuit.step().unwrap();
    assert_eq!(product.get(), [Some((6, 1))]);
    circuit.step().unwrap();
    assert_eq!(product.get(), [Some((0, 2))]);
}

#[test]
fn feedback_brings_what_came_a_step_before() {
    let (mut circuit, (rows, output)) = RootCircuit::build(|circuit| {
        let (a, rows) = circuit.add_input_zset::<u64>();
        let (feedback, last) = circuit.add_feedback::<u64, ()>();
        feedback.connect(&a);
        Ok((rows, last.plus(&a.delay()).output()))
    })
    .unwrap();
    rows.push(1, 1);
    for expected in [zset! {}, zset! { 1 => 2 }, zset! {}] {
        circuit.step().unwrap();
        assert_eq!(output.take(), expected);
    }
}
