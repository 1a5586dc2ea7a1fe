//! Views of real market data, against straightforward recomputation after every batch.
//!
//! The order events are of a CME future; where the folder of data is not beside the repository, events made up stand in for them.

use std::collections::BTreeMap;
use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use qadataswap_dbsp::trace::Batch;
use qadataswap_dbsp::{RootCircuit, Runtime, Stream};
use qadataswap_tests::samples::real;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// An order: its side (true: bid), price and size.
type Order = (bool, i64, i64);
/// A level of the book, and its size and number of orders.
type Levels = BTreeMap<(bool, i64), (i64, i64)>;

#[derive(Clone, Copy, Debug)]
struct Event {
    order: u64,
    action: u8,
    bid: bool,
    price: i64,
    size: i64,
}

/// What an event makes of the order that it names. Trades and fills are followed by cancellations of what they took.
fn change(order: Option<&Order>, event: Event) -> Option<Order> {
    match (event.action, order) {
        (b'A' | b'M', _) => Some((event.bid, event.price, event.size)),
        (b'C', Some(&(bid, price, size))) if size > event.size => Some((bid, price, size - event.size)),
        (b'C', _) => None,
        (_, order) => order.copied(),
    }
}

/// The events of the data beside the repository, if it is there.
fn recorded() -> Option<Vec<Event>> {
    let file = File::open(real("es_mbo.parquet")?).expect("readable");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .expect("a Parquet file");
    let mut events = Vec::new();
    for batch in reader {
        let batch = batch.expect("whole");
        let column = |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
        let text =
            |name: &str| arrow::compute::cast(column(name), &arrow_schema::DataType::Utf8).expect("text");
        let (actions, sides) = (text("action"), text("side"));
        let (actions, sides) = (actions.as_string::<i32>(), sides.as_string::<i32>());
        let orders = column("order_id").as_primitive::<UInt64Type>();
        let prices = column("price").as_primitive::<Int64Type>();
        let sizes = column("size").as_primitive::<UInt32Type>();
        for row in 0..batch.num_rows() {
            events.push(Event {
                order: orders.value(row),
                action: actions.value(row).as_bytes()[0],
                bid: sides.value(row) == "B",
                price: prices.value(row),
                size: i64::from(sizes.value(row)),
            });
        }
    }
    Some(events)
}

/// Events of the same kinds, made up.
fn made_up() -> Vec<Event> {
    let mut random = StdRng::seed_from_u64(7);
    let mut event = |_| Event {
        order: random.random_range(0..500),
        action: *b"AAAMCCTF".get(random.random_range(0..8)).expect("one of eight"),
        bid: random.random(),
        price: 6_750_000_000_000 + random.random_range(-20..20) * 250_000_000,
        size: random.random_range(1..20),
    };
    (0..5_000).map(&mut event).collect()
}

/// Changes of levels.
type LevelStream = Stream<RootCircuit, Batch<(bool, i64), (i64, i64)>>;

fn levels(orders: &Stream<RootCircuit, Batch<u64, Order>>) -> LevelStream {
    orders.map_index(|&(_, (bid, price, size))| ((bid, price), size)).aggregate_linear(|&size| (size, 1i64))
}

/// The book follows the events, in batches of so many, in so many workers.
fn follows(events: &[Event], batch: usize, workers: usize) {
    let (mut circuit, (input, output)) = Runtime::init_circuit(workers, |circuit| {
        let (orders, events) = circuit.add_input_keyed(change);
        Ok((events, levels(&orders).output()))
    })
    .expect("the circuit is built");
    let (mut orders, mut view) = (BTreeMap::new(), Levels::new());
    for events in events.chunks(batch) {
        for &event in events {
            input.push(event.order, event);
            match change(orders.get(&event.order), event) {
                Some(order) => orders.insert(event.order, order),
                None => orders.remove(&event.order),
            };
        }
        circuit.step().expect("a step of a sound circuit succeeds");
        // Old rows go before new ones come.
        let mut rows = output.take().to_rows();
        rows.sort_by_key(|row| row.2);
        for (level, total, weight) in rows {
            match weight {
                1 => assert_eq!(view.insert(level, total), None),
                -1 => assert_eq!(view.remove(&level), Some(total)),
                _ => panic!("a level {weight} times"),
            }
        }
        let mut expected = Levels::new();
        for &(bid, price, size) in orders.values() {
            let level = expected.entry((bid, price)).or_default();
            *level = (level.0 + size, level.1 + 1);
        }
        assert_eq!(view, expected);
    }
    assert!(!view.is_empty());
}

#[test]
fn a_book_of_real_events_is_what_the_orders_add_up_to_after_every_batch() {
    let Some(events) = recorded() else { return };
    assert_eq!(events.len(), 40_000);
    follows(&events[..3_000], 1, 1);
    for (batch, workers) in [(100, 1), (1_000, 2), (10_000, 4), (40_000, 1)] {
        follows(&events, batch, workers);
    }
}

#[test]
fn a_book_of_made_up_events_is_what_the_orders_add_up_to_after_every_batch() {
    for (batch, workers) in [(1, 1), (17, 2), (1_000, 8)] {
        follows(&made_up(), batch, workers);
    }
}
