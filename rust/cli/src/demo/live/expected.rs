//! What the views have to be: computed from the published tables from scratch, row by row, without the engine.

use super::super::tables::Plan;
use super::report::Mark;
use super::rows::Rows;
use super::trades;
use anyhow::Context;
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType, UInt64Type};
use std::collections::{BTreeMap, HashMap};

/// The views after some frames, in the order of [`super::VIEWS`].
pub(in crate::demo) type Views = [Rows; 3];

/// What has been published so far.
#[derive(Default)]
pub(super) struct Published {
    /// By symbol and minute.
    bars: BTreeMap<(String, i64), Bar>,
    totals: BTreeMap<String, Total>,
    orders: HashMap<u64, Order>,
}

struct Bar {
    /// Time and price of the first trade, and of the last.
    first: (i64, i64),
    last: (i64, i64),
    high: i64,
    low: i64,
    volume: i64,
    trades: i64,
}

#[derive(Default)]
struct Total {
    value: i128,
    volume: i64,
    trades: i64,
}

struct Order {
    symbol: String,
    is_bid: bool,
    price: i64,
    size: i64,
}

/// The views at each mark, and what they are made of.
pub(in crate::demo) struct Expected {
    /// The checksum of each view at each mark.
    pub(in crate::demo) points: Vec<[u64; 3]>,
    /// The views at the last mark.
    pub(in crate::demo) views: Views,
}

/// Recomputes the views at each of the marks, which are in order.
///
/// # Errors
/// If a table cannot be made anew, or is not what views are made of; if there are fewer of them than a mark says.
pub(in crate::demo) fn at(marks: &[Mark], feed: &Plan, orders: &Plan) -> anyhow::Result<Expected> {
    let (mut feed_tables, mut order_tables) = (feed.tables()?, orders.tables()?);
    let (mut published, mut so_far) = (Published::default(), Mark { feed_frames: 0, order_frames: 0 });
    let (mut points, mut views) = (Vec::with_capacity(marks.len()), Views::default());
    for mark in marks {
        for _ in so_far.feed_frames..mark.feed_frames {
            let table = feed_tables.next().context("the views were made of more frames than were sent")?;
            published.trade(&table?)?;
        }
        for _ in so_far.order_frames..mark.order_frames {
            let table = order_tables.next().context("the book was made of more frames than were sent")?;
            published.order(&table?)?;
        }
        so_far = *mark;
        views = published.views();
        points.push(views.each_ref().map(Rows::checksum));
    }
    Ok(Expected { points, views })
}

impl Published {
    /// Takes in a table of the feed.
    pub(super) fn trade(&mut self, table: &RecordBatch) -> anyhow::Result<()> {
        let trades = trades::of(table)?;
        let symbols = trades["symbol"].as_string_view();
        let times = trades["time"].as_primitive::<TimestampNanosecondType>().values();
        let [prices, sizes] = ["price", "size"].map(|name| trades[name].as_primitive::<Int64Type>().values());
        for row in 0..trades.num_rows() {
            let (time, price, size) = (times[row], prices[row], sizes[row]);
            let symbol = symbols.value(row).to_owned();
            let total = self.totals.entry(symbol.clone()).or_default();
            total.value += i128::from(price) * i128::from(size);
            total.volume += size;
            total.trades += 1;
            let bar = self.bars.entry((symbol, time.div_euclid(60_000_000_000))).or_insert(Bar {
                first: (time, price),
                last: (time, price),
                high: price,
                low: price,
                volume: 0,
                trades: 0,
            });
            bar.first = bar.first.min((time, price));
            bar.last = bar.last.max((time, price));
            bar.high = bar.high.max(price);
            bar.low = bar.low.min(price);
            bar.volume += size;
            bar.trades += 1;
        }
        Ok(())
    }

    /// Takes in a table of order events.
    pub(super) fn order(&mut self, table: &RecordBatch) -> anyhow::Result<()> {
        let column = |name: &str, kind: DataType| {
            let column =
                table.column_by_name(name).with_context(|| format!("order events have no {name}"))?;
            cast(column, &kind).with_context(|| format!("column {name} of the order events"))
        };
        let (symbols, actions) =
            (column("symbol", DataType::Utf8View)?, column("action", DataType::Utf8View)?);
        let (sides, ids) = (column("side", DataType::Utf8View)?, column("order_id", DataType::UInt64)?);
        let (prices, sizes) = (column("price", DataType::Int64)?, column("size", DataType::Int64)?);
        for row in 0..table.num_rows() {
            let id = ids.as_primitive::<UInt64Type>().value(row);
            let size = sizes.as_primitive::<Int64Type>().value(row);
            match actions.as_string_view().value(row) {
                "A" | "M" => {
                    let order = Order {
                        symbol: symbols.as_string_view().value(row).to_owned(),
                        is_bid: sides.as_string_view().value(row) == "B",
                        price: prices.as_primitive::<Int64Type>().value(row),
                        size,
                    };
                    self.orders.insert(id, order);
                }
                "C" => {
                    if let Some(order) = self.orders.get_mut(&id) {
                        order.size -= size;
                        if order.size <= 0 {
                            self.orders.remove(&id);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The views of all that was taken in.
    pub(super) fn views(&self) -> Views {
        let mut views = Views::default();
        for ((symbol, minute), bar) in &self.bars {
            let numbers =
                [minute * 60_000_000_000, bar.first.1, bar.high, bar.low, bar.last.1, bar.volume, bar.trades];
            views[0].add([symbol.as_str().into()].into_iter().chain(numbers.map(Into::into)).collect(), 1);
        }
        for (symbol, total) in &self.totals {
            let vwap = (total.value / i128::from(total.volume)) as i64;
            views[1]
                .add(vec![symbol.as_str().into(), vwap.into(), total.volume.into(), total.trades.into()], 1);
        }
        for ((symbol, is_bid), (price, size, orders)) in self.best() {
            let side = if is_bid { "bid" } else { "ask" };
            views[2].add(vec![symbol.into(), side.into(), price.into(), size.into(), orders.into()], 1);
        }
        views
    }

    /// Of each symbol and side: the best price, and the size and number of the orders there.
    fn best(&self) -> BTreeMap<(&str, bool), (i64, i64, i64)> {
        let mut best: BTreeMap<(&str, bool), (i64, i64, i64)> = BTreeMap::new();
        for order in self.orders.values() {
            let top = best.entry((&order.symbol, order.is_bid)).or_insert((order.price, 0, 0));
            let is_better = if order.is_bid { order.price > top.0 } else { order.price < top.0 };
            if is_better {
                *top = (order.price, 0, 0);
            }
            if order.price == top.0 {
                *top = (top.0, top.1 + order.size, top.2 + 1);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, Float64Array, Int64Array, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
    };
    use std::sync::Arc;

    const MINUTE: i64 = 60_000_000_000;

    fn rows(views: &Views, view: usize) -> Vec<String> {
        let text = |row: &Vec<_>| serde_json::to_string(row).expect("numbers and texts");
        views[view].with_weights().iter().map(text).collect()
    }

    #[test]
    fn bars_and_vwap_are_those_of_the_trades() {
        let trades = [(5, 10.0, 1), (MINUTE - 1, 8.5, 2), (9, 12.0, 3), (MINUTE, 11.0, 4)];
        let column = |of: fn(&(i64, f64, i64)) -> i64| trades.iter().map(of).collect::<Vec<_>>();
        let table = RecordBatch::try_from_iter([
            ("ts", Arc::new(TimestampNanosecondArray::from(column(|trade| trade.0))) as ArrayRef),
            ("symbol", Arc::new(StringArray::from(vec!["ES"; 4]))),
            ("price", Arc::new(Float64Array::from_iter_values(trades.iter().map(|trade| trade.1)))),
            ("size", Arc::new(Int64Array::from(column(|trade| trade.2)))),
        ])
        .expect("four columns");
        let mut published = Published::default();
        published.trade(&table).expect("trades");
        let views = published.views();
        assert_eq!(
            rows(&views, 0),
            [
                r#"["ES",0,10000000000,12000000000,8500000000,8500000000,6,3,1]"#,
                r#"["ES",60000000000,11000000000,11000000000,11000000000,11000000000,4,1,1]"#
            ]
        );
        // (10 + 17 + 36 + 44) / 10
        assert_eq!(rows(&views, 1), [r#"["ES",10700000000,10,4,1]"#]);
        assert!(rows(&views, 2).is_empty());
    }

    #[test]
    fn the_book_follows_adds_modifications_and_cancellations() {
        let events = [
            (1, "A", "B", 100, 5),
            (2, "A", "B", 100, 3),
            (3, "A", "B", 99, 7),
            (4, "A", "A", 102, 4),
            (5, "A", "A", 101, 6),
            (1, "C", "B", 100, 2),  // a part of it
            (5, "T", "B", 101, 6),  // changes nothing by itself
            (5, "F", "A", 101, 6),  // nor does this
            (5, "C", "A", 101, 6),  // all of it
            (2, "M", "B", 100, 10), // of another size
            (9, "C", "B", 100, 1),  // unknown
        ];
        let texts = |of: fn(&(u64, &'static str, &'static str, i64, u32)) -> &'static str| {
            Arc::new(StringArray::from_iter_values(events.iter().map(of))) as ArrayRef
        };
        let table = RecordBatch::try_from_iter([
            ("symbol", Arc::new(StringArray::from(vec!["ES"; events.len()])) as ArrayRef),
            ("order_id", Arc::new(UInt64Array::from_iter_values(events.iter().map(|event| event.0)))),
            ("action", texts(|event| event.1)),
            ("side", texts(|event| event.2)),
            ("price", Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.3)))),
            ("size", Arc::new(UInt32Array::from_iter_values(events.iter().map(|event| event.4)))),
        ])
        .expect("six columns");
        let mut published = Published::default();
        published.order(&table).expect("events");
        assert_eq!(rows(&published.views(), 2), [r#"["ES","ask",102,4,1,1]"#, r#"["ES","bid",100,13,2,1]"#]);
    }
}
