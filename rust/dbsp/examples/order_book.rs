//! Keeps an order book and its best prices while orders come, change and go.

#![allow(clippy::print_stdout)]

use std::time::Instant;

use qadataswap_dbsp::operator::{Max, Min};
use qadataswap_dbsp::{Data, RootCircuit};

/// What happens to an order.
#[derive(Clone, Copy)]
enum Event {
    Add(Order),
    Cancel { size: i64 },
}

/// An order: bids are positive in `side`, asks negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
struct Order {
    side: i8,
    price: i64,
    size: i64,
}

fn apply(order: Option<&Order>, event: Event) -> Option<Order> {
    match (event, order) {
        (Event::Add(order), _) => Some(order),
        (Event::Cancel { size }, Some(order)) if order.size > size => {
            Some(Order { size: order.size - size, ..*order })
        }
        (Event::Cancel { .. }, _) => None,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut circuit, (events, levels, best)) = RootCircuit::build(|circuit| {
        let (orders, events) = circuit.add_input_keyed(apply);
        let levels = orders
            .map_index(|(_, order)| ((order.side, order.price), order.size))
            .aggregate_linear(|&size| (size, 1i64));
        let bid =
            levels.filter(|((side, _), _)| *side > 0).map_index(|&((_, price), _)| ("bid".to_owned(), price));
        let ask =
            levels.filter(|((side, _), _)| *side < 0).map_index(|&((_, price), _)| ("ask".to_owned(), price));
        Ok((events, levels.output(), bid.aggregate(Max).plus(&ask.aggregate(Min)).output()))
    })?;

    // A hundred thousand orders around a price, a third of them cancelled again.
    let (mut random, mut pushed, start) = (1u64, 0u64, Instant::now());
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for order in 0..100_000u64 {
        let side = if next(2) == 0 { 1 } else { -1 };
        let price = 6750 - i64::from(side) * (1 + next(50) as i64);
        events.push(order, Event::Add(Order { side, price, size: 1 + next(20) as i64 }));
        pushed += 1;
        if next(3) == 0 {
            events.push(next(order + 1), Event::Cancel { size: 20 });
            pushed += 1;
        }
        if order % 10 == 9 {
            circuit.step()?;
        }
    }
    let taken = start.elapsed();
    println!("{pushed} events in 10,000 steps, {taken:?}: {:?} an event", taken / u32::try_from(pushed)?);
    for (side, price, _) in best.take().to_rows() {
        println!("best {side}: {price}");
    }
    println!("{} levels", levels.take().len());
    Ok(())
}
