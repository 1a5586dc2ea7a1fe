//! Circuits between rings.
#![cfg(feature = "ring")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::ArrowError;
use qadataswap::{SharedDataFrame, SharedMemoryConfig, WhenFull};
use qadataswap_dbsp::arrow::Layout;
use qadataswap_dbsp::operator::{IndexedZSetHandle, Max};
use qadataswap_dbsp::ring::{CHANGES_UNTIL, Read, RingError, RingInput, RingView};
use qadataswap_dbsp::{Batch, Error, RootCircuit, indexed_zset};

/// A name of this test's own, whose rings are gone with their handles.
fn name(what: &str) -> String {
    format!("dbsp-{what}-{}", std::process::id())
}

fn numbers(rows: &[(i64, i64)]) -> RecordBatch {
    let column =
        |of: fn(&(i64, i64)) -> i64| Arc::new(Int64Array::from_iter_values(rows.iter().map(of))) as _;
    RecordBatch::try_from_iter([("key", column(|row| row.0)), ("value", column(|row| row.1))])
        .expect("columns of one length")
}

#[test]
fn frames_are_changes_and_views_are_frames() {
    let (trades_name, bars_name) = (name("trades"), name("bars"));
    let writer = SharedDataFrame::create_writer((trades_name.as_str(), 1 << 20)).unwrap();
    let (mut circuit, (trades, volumes)) = RootCircuit::build(|circuit| {
        let (trades, handle) = circuit.add_input_indexed_zset::<String, i64>();
        Ok((handle, trades.aggregate_linear(|&size| size).output()))
    })
    .unwrap();
    let layout = Layout::new().keys(["symbol"]).unwrap().vals(["size"]).unwrap();
    let reader = SharedDataFrame::create_reader(trades_name.as_str()).unwrap();
    let mut input = RingInput::new(reader, layout, trades);
    let layout = Layout::new().keys(["symbol"]).unwrap().vals(["volume"]).unwrap();
    let mut view = RingView::create(&bars_name, 1 << 20, layout, volumes).unwrap();
    let changes = SharedDataFrame::create_reader(format!("{bars_name}.changes")).unwrap();
    let whole = SharedDataFrame::create_reader(bars_name.as_str()).unwrap();

    let trade = |symbol: &str, size: i64, weight: i64| {
        RecordBatch::try_from_iter([
            ("symbol", Arc::new(StringArray::from(vec![symbol])) as _),
            ("size", Arc::new(Int64Array::from(vec![size])) as _),
            ("weight", Arc::new(Int64Array::from(vec![weight])) as _),
        ])
        .unwrap()
    };
    let read = |ring: &SharedDataFrame| ring.read_arrow(1000).unwrap().expect("a frame");
    let batch = |table: &RecordBatch| {
        Layout::<String, i64>::new().keys(["symbol"]).unwrap().vals(["volume"]).unwrap().read(table).unwrap()
    };

    writer.write_arrow(&trade("ES", 2, 1)).unwrap();
    writer.write_arrow(&trade("ES", 3, 1)).unwrap();
    writer.write_arrow(&trade("NQ", 1, 1)).unwrap();
    let mut came = input.read(1000).unwrap();
    while came.frames < 3 {
        let more = input.read(1000).unwrap();
        came = Read { frames: came.frames + more.frames, rows: came.rows + more.rows, ..more };
    }
    assert_eq!(came, Read { frames: 3, rows: 3, missed: 0, ended: false });
    circuit.step().unwrap();
    let first = view.publish().unwrap();
    assert!(first.is_some());
    let es = || "ES".to_owned();
    assert_eq!(batch(&read(&changes)), indexed_zset! { es() => { 5 => 1 }, "NQ".to_owned() => { 1 => 1 } });

    writer.write_arrow(&trade("ES", 2, -1)).unwrap();
    input.read(1000).unwrap();
    circuit.step().unwrap();
    let second = view.publish().unwrap().expect("a change");
    assert_eq!(batch(&read(&changes)), indexed_zset! { es() => { 5 => -1, 3 => 1 } });
    assert_eq!(view.publish().unwrap(), None, "nothing has changed since");

    view.publish_whole().unwrap();
    let table = read(&whole);
    assert_eq!(batch(&table), indexed_zset! { es() => { 3 => 1 }, "NQ".to_owned() => { 1 => 1 } });
    assert_eq!(table.schema().metadata()[CHANGES_UNTIL], second.to_string());

    writer.close().unwrap();
    assert!(input.read(1000).unwrap().ended);
    view.close().unwrap();
    for ring in [&changes, &whole] {
        ring.read_arrow(1000).expect_err("the stream has ended");
    }
}

#[test]
fn no_state_holds_a_slot_of_the_ring() {
    // Two slots: whatever kept a frame from one step to the next would stop the writer at the third.
    let ring = name("held");
    let config = SharedMemoryConfig::new(ring.as_str())
        .with_size_mb(1)
        .with_buffer_count(2)
        .with_when_full(WhenFull::Fail);
    let writer = SharedDataFrame::create_writer(&config).unwrap();
    let (mut circuit, (input, outputs)) = RootCircuit::build(|circuit| {
        let (rows, handle) = circuit.add_input_indexed_zset::<i64, i64>();
        let delayed = rows.delay();
        let outputs = (
            rows.output(),
            rows.join(&rows, |&key, &a, &b| (key, a + b)).output(),
            rows.aggregate(Max).output(),
            rows.distinct().output(),
            delayed.differentiate().output(),
            rows.integrate().output(),
            rows.filter(|_| true).output(),
            rows.aggregate_linear(|&val| val).output(),
        );
        Ok((handle, outputs))
    })
    .unwrap();
    let reader = SharedDataFrame::create_reader(ring.as_str()).unwrap();
    let mut input: RingInput<i64, i64> = RingInput::new(reader, Layout::new(), input);
    for step in 0..20 {
        // One row, which takes short cuts, and several.
        let rows: Vec<_> = (0..1 + step % 3).map(|row| (step, row)).collect();
        writer.write_arrow(&numbers(&rows)).unwrap_or_else(|error| panic!("step {step}: {error}"));
        assert_eq!(input.read(1000).unwrap().rows, rows.len());
        circuit.step().unwrap();
    }
    assert_eq!(outputs.0.take().len(), outputs.6.take().len());
    writer.close().unwrap();
    assert!(input.read(1000).unwrap().ended);
}

#[test]
fn numbers_enter_where_they_lie() {
    let ring = name("in-place");
    let writer = SharedDataFrame::create_writer((ring.as_str(), 1 << 20)).unwrap();
    let reader = SharedDataFrame::create_reader(ring.as_str()).unwrap();
    writer.write_arrow(&numbers(&[(1, 10), (2, 20)])).unwrap();
    let table = reader.read_arrow(1000).unwrap().expect("a frame");
    let batch: Batch<i64, i64> = Layout::new().read(&table).unwrap();
    assert_eq!(batch.keys().0.as_ptr(), table["key"].as_primitive::<Int64Type>().values().as_ptr());
    writer.close().unwrap();
    reader.read_arrow(1000).expect_err("the stream has ended");
}

#[test]
fn a_table_of_other_columns_is_refused_by_name() {
    let ring = name("other");
    let writer = SharedDataFrame::create_writer((ring.as_str(), 1 << 20)).unwrap();
    let reader = SharedDataFrame::create_reader(ring.as_str()).unwrap();
    let (mut circuit, input) = RootCircuit::build(|circuit| {
        let (rows, handle): (_, IndexedZSetHandle<i64, String>) = circuit.add_input_indexed_zset();
        let _ = rows.output();
        Ok(handle)
    })
    .unwrap();
    let mut input = RingInput::new(reader, Layout::new(), input);
    writer.write_arrow(&numbers(&[(1, 10)])).unwrap();
    let refused = input.read(1000).expect_err("a number is no string");
    let RingError::Table { ring: named, error: Error::ColumnType { .. }, .. } = &refused else {
        panic!("{refused}")
    };
    assert_eq!(named, &ring);
    assert!(refused.to_string().contains("value"), "{refused}");
    circuit.step().unwrap();
    writer.close().unwrap();
    assert!(input.read(1000).unwrap().ended);
}

#[test]
fn changes_of_keys_are_made_in_the_order_of_the_ring() {
    let ring = name("keyed");
    let writer = SharedDataFrame::create_writer((ring.as_str(), 1 << 20)).unwrap();
    let reader = SharedDataFrame::create_reader(ring.as_str()).unwrap();
    let (mut circuit, (input, output)) = RootCircuit::build(|circuit| {
        // Digits one after the other: no other order gives the same number.
        let (rows, handle) = circuit
            .add_input_keyed(|number: Option<&i64>, digit: i64| Some(number.unwrap_or(&0) * 10 + digit));
        Ok((handle, rows.output()))
    })
    .unwrap();
    let mut input: RingInput<i64, i64> = RingInput::keyed(reader, Layout::new(), input);
    writer.write_arrow(&numbers(&[(1, 4), (2, 9), (1, 2)])).unwrap();
    writer.write_arrow(&numbers(&[(1, 7)])).unwrap();
    writer.close().unwrap();
    while !input.read(1000).unwrap().ended {}
    circuit.step().unwrap();
    assert_eq!(output.take(), indexed_zset! { 1 => { 427 => 1 }, 2 => { 9 => 1 } });
}

#[test]
fn tables_are_prepared_before_they_enter() {
    let ring = name("prepared");
    let writer = SharedDataFrame::create_writer((ring.as_str(), 1 << 20)).unwrap();
    let reader = SharedDataFrame::create_reader(ring.as_str()).unwrap();
    let (mut circuit, (input, output)) = RootCircuit::build(|circuit| {
        let (rows, handle) = circuit.add_input_indexed_zset::<i64, i64>();
        Ok((handle, rows.output()))
    })
    .unwrap();
    let mut input = RingInput::new(reader, Layout::new(), input).prepared_by(|table| {
        if table.num_rows() == 3 {
            return Err(ArrowError::CastError("three rows".to_owned()));
        }
        Ok(table.slice(1, table.num_rows() - 1))
    });
    writer.write_arrow(&numbers(&[(1, 10), (2, 20)])).unwrap();
    assert_eq!(input.read(1000).unwrap().rows, 1);
    writer.write_arrow(&numbers(&[(1, 1), (2, 2), (3, 3)])).unwrap();
    let refused = input.read(1000).expect_err("three rows are refused");
    assert!(
        refused.to_string().contains("frame 1") && refused.to_string().contains("three rows"),
        "{refused}"
    );
    circuit.step().unwrap();
    assert_eq!(output.take(), indexed_zset! { 2 => { 20 => 1 } });
    writer.close().unwrap();
    assert!(input.read(1000).unwrap().ended);
}

#[test]
fn a_transaction_lets_go_of_each_frame_and_is_published_once() {
    let (ring, view_name) = (name("chunked"), name("chunked-view"));
    let config = SharedMemoryConfig::new(ring.as_str())
        .with_size_mb(1)
        .with_buffer_count(2)
        .with_when_full(WhenFull::Fail);
    let writer = SharedDataFrame::create_writer(&config).unwrap();
    let (mut circuit, (input, sums)) = RootCircuit::build(|circuit| {
        let (rows, handle) = circuit.add_input_indexed_zset::<i64, i64>();
        Ok((
            handle,
            rows.join_index(&rows, |&key, &a, &b| (key, a * b)).aggregate_linear(|&val| val).output(),
        ))
    })
    .unwrap();
    let reader = SharedDataFrame::create_reader(ring.as_str()).unwrap();
    let mut input: RingInput<i64, i64> = RingInput::new(reader, Layout::new(), input);
    let mut view = RingView::create(&view_name, 1 << 20, Layout::new(), sums).unwrap();
    let changes = SharedDataFrame::create_reader(format!("{view_name}.changes")).unwrap();
    let mut transaction = circuit.transaction(2).unwrap();
    for step in 0..20 {
        // Five rows in chunks of two.
        let rows: Vec<_> = (0..5).map(|row| (row % 2, 5 * step + row)).collect();
        writer.write_arrow(&numbers(&rows)).unwrap_or_else(|error| panic!("step {step}: {error}"));
        assert_eq!(input.read(1000).unwrap().rows, 5);
        transaction.evaluate().unwrap();
        assert_eq!(view.publish().unwrap(), None, "the transaction is not committed");
    }
    transaction.commit().unwrap();
    assert!(view.publish().unwrap().is_some());
    let table = changes.read_arrow(1000).unwrap().expect("a change");
    let sum = |key: i64| (0..100).filter(|val| val % 5 % 2 == key).sum::<i64>().pow(2);
    let expected = indexed_zset! { 0 => { sum(0) => 1 }, 1 => { sum(1) => 1 } };
    assert_eq!(Batch::<i64, i64>::from_record_batch(&table).unwrap(), expected);
    assert_eq!(view.publish().unwrap(), None);
    writer.close().unwrap();
    assert!(input.read(1000).unwrap().ended);
    view.close().unwrap();
    changes.read_arrow(1000).expect_err("the stream has ended");
}
