//! One-second bars of the trades in a feed: what a strategy would do with it.
//!
//! A feed has bars if it has a time and a price. Which columns these are is told by their names: `ts`,
//! `ts_event`, `timestamp` or `time`; `price`; and, if there, `symbol` and `size`. Where a `kind` or an `action`
//! tells quotes and orders from trades, only trades count. Integer prices are in units of 1e-9, as in Databento's
//! DBN.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit, TimestampNanosecondType};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

/// Bars that are shown.
const SAMPLE: usize = 5;

/// A second of one symbol's trades.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Bar {
    pub(super) symbol: String,
    /// Seconds since the Unix epoch.
    pub(super) second: i64,
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: i64,
    pub(super) trades: u64,
}

/// What is told of the bars of a feed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) bars: u64,
    pub(super) checksum: u64,
    /// A few of them, of every symbol if there are not too many.
    pub(super) sample: Vec<Bar>,
}

/// The bars of a feed.
pub(super) struct Bars {
    columns: Columns,
    by_symbol: BTreeMap<String, BTreeMap<i64, Bar>>,
}

/// Where a trade stands in a row.
pub(super) struct Columns {
    time: usize,
    price: usize,
    price_unit: f64,
    symbol: Option<usize>,
    size: Option<usize>,
    /// A column, and what it says of a trade.
    is_trade: Option<(usize, &'static str)>,
}

/// A trade, as it stands in a row.
pub(super) struct Trade<'a> {
    /// Nothing if the feed has no symbols.
    pub(super) symbol: &'a str,
    /// Nanoseconds since the Unix epoch.
    pub(super) time: i64,
    pub(super) price: f64,
    /// 0 if the feed has no sizes.
    pub(super) size: i64,
}

impl Columns {
    /// Finds out where trades stand; `None` if the feed has none.
    pub(super) fn find(schema: &Schema) -> Option<Columns> {
        let find = |names: &[&str]| names.iter().find_map(|name| schema.index_of(name).ok());
        let time = find(&["ts", "ts_event", "timestamp", "time"])?;
        let price = find(&["price"])?;
        if !matches!(schema.field(time).data_type(), DataType::Timestamp(_, _)) {
            return None;
        }
        let price_unit = match schema.field(price).data_type() {
            DataType::Int64 => 1e-9,
            kind if kind.is_numeric() => 1.0,
            _ => return None,
        };
        let is_trade =
            find(&["kind"]).map(|kind| (kind, "trade")).or(find(&["action"]).map(|action| (action, "T")));
        Some(Columns { time, price, price_unit, symbol: find(&["symbol"]), size: find(&["size"]), is_trade })
    }

    /// Calls `take` with each trade of a batch, in order.
    pub(super) fn each_trade(
        &self,
        batch: &RecordBatch,
        mut take: impl FnMut(Trade<'_>),
    ) -> Result<(), ArrowError> {
        let as_type = |column: usize, kind: DataType| cast(batch.column(column), &kind);
        let time = as_type(self.time, DataType::Timestamp(TimeUnit::Nanosecond, None))?;
        let time = time.as_primitive::<TimestampNanosecondType>();
        let price = as_type(self.price, DataType::Float64)?;
        let price = price.as_primitive::<Float64Type>();
        let text =
            |column: Option<usize>| column.map(|column| as_type(column, DataType::Utf8View)).transpose();
        let symbol: Option<ArrayRef> = text(self.symbol)?;
        let kind: Option<ArrayRef> = text(self.is_trade.map(|(column, _)| column))?;
        let size = self.size.map(|column| as_type(column, DataType::Int64)).transpose()?;
        for row in 0..batch.num_rows() {
            let is_trade = match (&kind, self.is_trade) {
                (Some(kind), Some((_, trade))) => {
                    kind.is_valid(row) && kind.as_string_view().value(row) == trade
                }
                _ => true,
            };
            if !is_trade || time.is_null(row) || price.is_null(row) {
                continue;
            }
            let symbol =
                symbol.as_ref().filter(|s| s.is_valid(row)).map_or("", |s| s.as_string_view().value(row));
            let size = size
                .as_ref()
                .filter(|s| s.is_valid(row))
                .map_or(0, |s| s.as_primitive::<Int64Type>().value(row));
            take(Trade { symbol, time: time.value(row), price: price.value(row) * self.price_unit, size });
        }
        Ok(())
    }
}

impl Bars {
    /// Bars of a feed of this schema; `None` if it has none.
    pub(super) fn new(schema: &Schema) -> Option<Bars> {
        Some(Bars { columns: Columns::find(schema)?, by_symbol: BTreeMap::new() })
    }

    /// Takes in the next rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let by_symbol = &mut self.by_symbol;
        self.columns.each_trade(batch, |trade| add_trade(by_symbol, &trade))
    }

    /// What is told of the bars.
    pub(super) fn summary(&self) -> Summary {
        let mut hasher = DefaultHasher::new();
        let mut bars = 0;
        for bar in self.by_symbol.values().flat_map(BTreeMap::values) {
            bars += 1;
            hasher.write(bar.symbol.as_bytes());
            hasher.write_i64(bar.second);
            for price in [bar.open, bar.high, bar.low, bar.close] {
                hasher.write_u64(price.to_bits());
            }
            hasher.write_i64(bar.volume);
            hasher.write_u64(bar.trades);
        }
        let each = SAMPLE.div_ceil(self.by_symbol.len().max(1));
        // The first second is seldom whole.
        let some = |bars: &BTreeMap<i64, Bar>| -> Vec<Bar> {
            bars.values().skip(usize::from(bars.len() > each)).take(each).cloned().collect()
        };
        let sample = self.by_symbol.values().flat_map(some).take(SAMPLE).collect();
        Summary { bars, checksum: hasher.finish(), sample }
    }
}

fn add_trade(by_symbol: &mut BTreeMap<String, BTreeMap<i64, Bar>>, trade: &Trade<'_>) {
    let &Trade { symbol, time, price, size } = trade;
    if !by_symbol.contains_key(symbol) {
        by_symbol.insert(symbol.to_owned(), BTreeMap::new());
    }
    let Some(bars) = by_symbol.get_mut(symbol) else { return };
    let second = time.div_euclid(1_000_000_000);
    let bar = bars.entry(second).or_insert_with(|| Bar {
        symbol: symbol.to_owned(),
        second,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 0,
        trades: 0,
    });
    bar.high = bar.high.max(price);
    bar.low = bar.low.min(price);
    bar.close = price;
    bar.volume += size;
    bar.trades += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringArray, StringViewArray, TimestampNanosecondArray};
    use std::sync::Arc;

    const SECOND: i64 = 1_000_000_000;

    fn feed() -> RecordBatch {
        let time = [0, 1, 2, SECOND, SECOND + 5, SECOND + 6];
        let price = [Some(10.0), Some(12.0), Some(9.0), Some(11.0), None, Some(99.0)];
        let symbol = ["ES", "ES", "ES", "ES", "ES", "NQ"];
        let kind = ["trade", "trade", "trade", "trade", "trade", "quote"];
        RecordBatch::try_from_iter([
            ("ts", Arc::new(TimestampNanosecondArray::from(time.to_vec())) as ArrayRef),
            ("symbol", Arc::new(StringViewArray::from(symbol.to_vec())) as _),
            ("kind", Arc::new(StringArray::from(kind.to_vec())) as _),
            ("price", Arc::new(Float64Array::from(price.to_vec())) as _),
            ("size", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6])) as _),
        ])
        .expect("five columns")
    }

    fn bars_of(batches: &[RecordBatch]) -> Bars {
        let mut bars = Bars::new(batches[0].schema_ref()).expect("has bars");
        batches.iter().for_each(|batch| bars.add(batch).expect("types that cast"));
        bars
    }

    #[test]
    fn a_bar_is_a_second_of_trades() {
        let bars = bars_of(&[feed()]);
        assert_eq!(bars.by_symbol.len(), 1, "a quote is no trade");
        let first = &bars.by_symbol["ES"][&0];
        assert_eq!((first.open, first.high, first.low, first.close), (10.0, 12.0, 9.0, 9.0));
        assert_eq!((first.volume, first.trades), (6, 3));
        assert_eq!(bars.by_symbol["ES"][&1].trades, 1, "no price, no trade");
    }

    #[test]
    fn bars_do_not_depend_on_the_cut() {
        let whole = bars_of(&[feed()]).summary();
        assert_eq!(bars_of(&[feed().slice(0, 2), feed().slice(2, 4)]).summary(), whole);
        assert_ne!(bars_of(&[feed().slice(0, 3)]).summary(), whole);
    }

    #[test]
    fn integer_prices_are_billionths() {
        let batch = RecordBatch::try_from_iter([
            ("ts_event", Arc::new(TimestampNanosecondArray::from(vec![0, 0])) as ArrayRef),
            ("action", Arc::new(StringArray::from(vec!["T", "A"])) as _),
            ("price", Arc::new(Int64Array::from(vec![5_000_250_000_000, 1])) as _),
        ]);
        let bars = bars_of(&[batch.expect("three columns")]);
        let bar = &bars.by_symbol[""][&0];
        assert!((bar.open - 5000.25).abs() < 1e-9);
        assert_eq!((bar.high, bar.trades), (bar.open, 1));
    }

    #[test]
    fn a_feed_without_prices_has_no_bars() {
        let batch = feed().project(&[0, 1]).expect("two columns");
        assert!(Bars::new(batch.schema_ref()).is_none());
    }
}
