//! Made-up order events of one future, with the columns, codes and units of Databento's market-by-order schema.
//!
//! An event adds an order (`A`), sets its price and size (`M`) or takes a size off it, down to nothing (`C`); a trade
//! (`T`) and the fill of the resting order (`F`) are followed by the cancellation of what they took. Prices are in
//! units of 1e-9.
//!
//! Law: the same seed gives the same events, however they are cut into frames; bids stay below asks.

use super::noise::Noise;
use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow::error::ArrowError;
use std::collections::VecDeque;
use std::sync::Arc;

/// 2026-01-05 14:30:00 UTC, when the New York session opens.
const OPENING_NS: i64 = 1_767_623_400_000_000_000;
/// Events follow each other within this many nanoseconds.
const LARGEST_STEP_NS: u64 = 15_000_000;
const SYMBOL: &str = "ES";
const TICK: i64 = 250_000_000;
/// The first price between bids and asks, in ticks.
const MIDDLE: i64 = 27_600;
/// How many ticks orders lie from the middle.
const DEPTH: u64 = 10;

/// An event, and the time it bears.
#[derive(Clone, Copy)]
struct Event {
    time: i64,
    order: u64,
    action: &'static str,
    is_bid: bool,
    ticks: i64,
    size: u32,
}

#[derive(Clone, Copy)]
struct Order {
    id: u64,
    is_bid: bool,
    ticks: i64,
    size: u32,
}

/// See the file's head.
pub(super) struct OrderFeed {
    noise: Noise,
    time_ns: i64,
    middle: i64,
    next_id: u64,
    resting: Vec<Order>,
    /// What has happened and has not been told yet.
    told: VecDeque<Event>,
}

impl OrderFeed {
    pub(super) fn new(seed: u64) -> OrderFeed {
        OrderFeed {
            noise: Noise::new(seed),
            time_ns: OPENING_NS,
            middle: MIDDLE,
            next_id: 1,
            resting: Vec::new(),
            told: VecDeque::new(),
        }
    }

    /// The next `rows` events.
    pub(super) fn next(&mut self, rows: usize) -> Result<RecordBatch, ArrowError> {
        while self.told.len() < rows {
            self.happen();
        }
        let events: Vec<Event> = self.told.drain(..rows).collect();
        let each = || events.iter();
        let times = TimestampNanosecondArray::from_iter_values(each().map(|event| event.time));
        let side = |event: &Event| if event.is_bid { "B" } else { "A" };
        let columns: [(&str, ArrayRef); 7] = [
            ("ts_event", Arc::new(times.with_timezone("UTC"))),
            ("symbol", Arc::new(StringViewArray::from_iter_values(each().map(|_| SYMBOL)))),
            ("order_id", Arc::new(UInt64Array::from_iter_values(each().map(|event| event.order)))),
            ("action", Arc::new(StringViewArray::from_iter_values(each().map(|event| event.action)))),
            ("side", Arc::new(StringViewArray::from_iter_values(each().map(side)))),
            ("price", Arc::new(Int64Array::from_iter_values(each().map(|event| event.ticks * TICK)))),
            ("size", Arc::new(UInt32Array::from_iter_values(each().map(|event| event.size)))),
        ];
        RecordBatch::try_from_iter(columns)
    }

    fn happen(&mut self) {
        self.time_ns += 1 + self.noise.below(LARGEST_STEP_NS) as i64;
        match self.noise.below(20) {
            0..=9 => self.add(),
            10..=12 => self.modify(),
            13..=16 => self.cancel(),
            17 | 18 => self.trade(),
            _ => self.move_middle(),
        }
    }

    fn add(&mut self) {
        let is_bid = self.noise.once_in(2);
        let order = Order { id: self.next_id, is_bid, ticks: self.place(is_bid), size: self.size() };
        self.next_id += 1;
        self.resting.push(order);
        self.tell("A", order);
    }

    fn modify(&mut self) {
        let Some(which) = self.any() else { return };
        let (ticks, size) = (self.place(self.resting[which].is_bid), self.size());
        let order = &mut self.resting[which];
        (order.ticks, order.size) = (ticks, size);
        let order = *order;
        self.tell("M", order);
    }

    /// Takes all of an order, or a part of it.
    fn cancel(&mut self) {
        let Some(which) = self.any() else { return };
        let size = self.resting[which].size;
        let part = if self.noise.once_in(2) { size } else { 1 + self.noise.below(size.into()) as u32 };
        self.take(which, part);
    }

    /// Trades with the order that is first in its queue at the best price of a side.
    fn trade(&mut self) {
        let is_bid = self.noise.once_in(2);
        let side = self.resting.iter().enumerate().filter(|(_, order)| order.is_bid == is_bid);
        let Some((which, &order)) =
            side.min_by_key(|(_, order)| if is_bid { -order.ticks } else { order.ticks })
        else {
            return;
        };
        let size = 1 + self.noise.below(order.size.into()) as u32;
        self.fill(which, size);
    }

    /// Moves the middle by a tick; the orders that it meets are filled.
    fn move_middle(&mut self) {
        self.middle += if self.noise.once_in(2) { 1 } else { -1 };
        let middle = self.middle;
        let is_met = |order: &Order| if order.is_bid { order.ticks >= middle } else { order.ticks <= middle };
        while let Some(which) = self.resting.iter().position(is_met) {
            self.fill(which, self.resting[which].size);
        }
    }

    fn fill(&mut self, which: usize, size: u32) {
        let order = Order { size, ..self.resting[which] };
        // Of a trade, the side is that of the aggressor, and no resting order is named.
        self.tell("T", Order { id: 0, is_bid: !order.is_bid, ..order });
        self.tell("F", order);
        self.take(which, size);
    }

    fn take(&mut self, which: usize, size: u32) {
        self.tell("C", Order { size, ..self.resting[which] });
        if self.resting[which].size > size {
            self.resting[which].size -= size;
        } else {
            self.resting.remove(which);
        }
    }

    fn tell(&mut self, action: &'static str, order: Order) {
        let Order { id, is_bid, ticks, size } = order;
        self.told.push_back(Event { time: self.time_ns, order: id, action, is_bid, ticks, size });
    }

    fn any(&mut self) -> Option<usize> {
        (!self.resting.is_empty()).then(|| self.noise.below(self.resting.len() as u64) as usize)
    }

    fn place(&mut self, is_bid: bool) -> i64 {
        let away = 1 + self.noise.below(DEPTH) as i64;
        if is_bid { self.middle - away } else { self.middle + away }
    }

    fn size(&mut self) -> u32 {
        1 + self.noise.below(20) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Int64Type, UInt32Type, UInt64Type};
    use std::collections::BTreeMap;

    #[test]
    fn one_seed_is_one_feed_however_it_is_cut() {
        let whole = OrderFeed::new(7).next(300).expect("rows");
        let mut feed = OrderFeed::new(7);
        let cut: Vec<RecordBatch> = [1, 99, 200].map(|rows| feed.next(rows).expect("rows")).into();
        assert_eq!(concat_batches(&whole.schema(), &cut).expect("one schema"), whole);
        assert_ne!(OrderFeed::new(8).next(300).expect("rows"), whole);
    }

    #[test]
    fn orders_come_change_and_go_and_bids_stay_below_asks() {
        let rows = OrderFeed::new(1).next(20_000).expect("rows");
        let (ids, prices, sizes) = (
            rows["order_id"].as_primitive::<UInt64Type>(),
            rows["price"].as_primitive::<Int64Type>(),
            rows["size"].as_primitive::<UInt32Type>(),
        );
        let (actions, sides) = (rows["action"].as_string_view(), rows["side"].as_string_view());
        let mut book: BTreeMap<u64, (&str, i64, u32)> = BTreeMap::new();
        let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
        for row in 0..rows.num_rows() {
            let (id, size) = (ids.value(row), sizes.value(row));
            let mut kind = actions.value(row);
            match kind {
                "A" => {
                    let new = book.insert(id, (sides.value(row), prices.value(row), size));
                    assert_eq!(new, None, "an order is added once");
                }
                "M" => {
                    let known = book.insert(id, (sides.value(row), prices.value(row), size));
                    assert!(known.is_some(), "what is modified is there");
                }
                "C" => {
                    let left = book.get_mut(&id).expect("what is cancelled is there");
                    assert!(left.2 >= size, "no more is cancelled than is there");
                    left.2 -= size;
                    if left.2 == 0 {
                        kind = "C of all";
                        book.remove(&id);
                    }
                }
                _ => {}
            }
            *kinds.entry(kind).or_default() += 1;
            let of = |side: &'static str| book.values().filter(move |order| order.0 == side);
            let (bid, ask) = (of("B").map(|order| order.1).max(), of("A").map(|order| order.1).min());
            assert!(bid.is_none() || ask.is_none() || bid < ask, "row {row}: {bid:?} {ask:?}");
        }
        assert_eq!(kinds.len(), 6, "{kinds:?}");
        assert!(kinds.values().all(|&count| count > 300), "{kinds:?}");
        assert!((20..2_000).contains(&book.len()), "{} orders rest", book.len());
    }
}
