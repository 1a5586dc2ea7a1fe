//! The trades of a feed's tables, as the live views take them: timestamps and whole numbers, whatever the feed has.

use super::super::bars::Columns;
use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringViewBuilder, TimestampNanosecondBuilder};
use arrow::error::ArrowError;
use std::sync::Arc;

/// The table's trades that have a size, with the columns `symbol`, `time`, `price` (1e-9) and `size`. None
/// of a table that has no trades.
pub(super) fn of(table: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut symbols = StringViewBuilder::new();
    let mut times = TimestampNanosecondBuilder::new();
    let [mut prices, mut sizes] = std::array::from_fn(|_| Int64Builder::new());
    if let Some(columns) = Columns::find(table.schema_ref()) {
        columns.each_trade(table, |trade| {
            if trade.size > 0 {
                symbols.append_value(trade.symbol);
                times.append_value(trade.time);
                prices.append_value((trade.price * 1e9).round() as i64);
                sizes.append_value(trade.size);
            }
        })?;
    }
    RecordBatch::try_from_iter([
        ("symbol", Arc::new(symbols.finish()) as ArrayRef),
        ("time", Arc::new(times.finish())),
        ("price", Arc::new(prices.finish())),
        ("size", Arc::new(sizes.finish())),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::feed::Feed;
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, Int64Type};

    #[test]
    fn every_trade_is_there_at_its_price() {
        let feed = Feed::new(3).next(2_000).expect("rows");
        let trades = of(&feed).expect("castable");
        let prices = feed["price"].as_primitive::<Float64Type>();
        let sent: Vec<f64> = prices.iter().flatten().collect();
        let got = trades["price"].as_primitive::<Int64Type>();
        assert_eq!(got.len(), sent.len());
        assert!(got.values().iter().zip(sent).all(|(&got, sent)| (got as f64 / 1e9 - sent).abs() < 1e-10));
    }

    #[test]
    fn a_table_without_trades_has_none() {
        let feed = Feed::new(3).next(10).expect("rows").project(&[0, 1]).expect("two columns");
        assert_eq!(of(&feed).expect("no cast").num_rows(), 0);
    }
}
