//! A made-up market-data feed: quotes and trades of a few futures, prices walking at random on their tick grids.
//!
//! Law: the same seed gives the same rows, however they are cut into frames.

use super::noise::Noise;
use arrow::array::{
    ArrayRef, DictionaryArray, Float64Builder, Int8Array, Int64Builder, RecordBatch, StringArray,
    StringViewBuilder, TimestampNanosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use std::sync::Arc;

/// 2026-01-05 14:30:00 UTC, when the New York session opens.
const OPENING_NS: i64 = 1_767_623_400_000_000_000;
/// Rows follow each other within this many nanoseconds.
const LARGEST_STEP_NS: u64 = 600_000;

/// Venues; most are too long to stand inside a string view.
const INSTRUMENTS: [Instrument; 5] = [
    Instrument { symbol: "ES", venue: "CME Globex Equity Index", tick: 0.25, opening: 27_600 },
    Instrument { symbol: "NQ", venue: "CME Globex Equity Index", tick: 0.25, opening: 101_300 },
    Instrument { symbol: "CL", venue: "NYMEX", tick: 0.01, opening: 5_832 },
    Instrument { symbol: "GC", venue: "COMEX", tick: 0.1, opening: 44_510 },
    Instrument { symbol: "EURUSD", venue: "CME Globex FX Futures", tick: 0.000_05, opening: 23_440 },
];

struct Instrument {
    symbol: &'static str,
    venue: &'static str,
    tick: f64,
    /// First price, in ticks.
    opening: i64,
}

/// See the file's head.
pub(super) struct Feed {
    noise: Noise,
    schema: SchemaRef,
    time_ns: i64,
    /// By instrument: the best bid, and how far the best ask lies above it, in ticks.
    books: [(i64, i64); INSTRUMENTS.len()],
}

impl Feed {
    pub(super) fn new(seed: u64) -> Feed {
        Feed {
            noise: Noise::new(seed),
            schema: schema(),
            time_ns: OPENING_NS,
            books: INSTRUMENTS.each_ref().map(|instrument| (instrument.opening, 1)),
        }
    }

    /// The next `rows` rows.
    pub(super) fn next(&mut self, rows: usize) -> Result<RecordBatch, ArrowError> {
        let mut columns = Columns::with_capacity(rows);
        for _ in 0..rows {
            self.row(&mut columns);
        }
        RecordBatch::try_new(self.schema.clone(), columns.finish()?)
    }

    fn row(&mut self, columns: &mut Columns) {
        self.time_ns += 1 + self.noise.below(LARGEST_STEP_NS) as i64;
        let which = self.noise.below(INSTRUMENTS.len() as u64) as usize;
        let instrument = &INSTRUMENTS[which];
        let (bid, spread) = self.walk(which);
        let price = |ticks: i64| ticks as f64 * instrument.tick;
        columns.time.append_value(self.time_ns);
        columns.symbol.append_value(instrument.symbol);
        columns.venue.append_value(instrument.venue);
        let is_trade = self.noise.below(10) < 3;
        columns.kind.push(i8::from(is_trade));
        let (mut trade, mut quote) = (None, None);
        if is_trade {
            let buys = self.noise.once_in(2);
            let at = if buys { bid + spread } else { bid };
            trade = Some((if buys { "buy" } else { "sell" }, price(at), 1 + self.noise.below(25) as i64));
        } else {
            let mut size = || 1 + self.noise.below(400) as i64;
            quote = Some((price(bid), price(bid + spread), size(), size()));
        }
        columns.side.append_option(trade.map(|(side, ..)| side));
        columns.price.append_option(trade.map(|(_, price, _)| price));
        columns.size.append_option(trade.map(|(.., size)| size));
        columns.bid.append_option(quote.map(|(bid, ..)| bid));
        columns.ask.append_option(quote.map(|(_, ask, ..)| ask));
        columns.bid_size.append_option(quote.map(|(.., size, _)| size));
        columns.ask_size.append_option(quote.map(|(.., size)| size));
    }

    /// Moves a book by at most a tick.
    fn walk(&mut self, which: usize) -> (i64, i64) {
        let (bid, spread) = &mut self.books[which];
        if self.noise.once_in(6) {
            *bid += if self.noise.once_in(2) { 1 } else { -1 };
        }
        if self.noise.once_in(20) {
            *spread = 1 + self.noise.below(3) as i64;
        }
        *bid = (*bid).max(1);
        (*bid, *spread)
    }
}

struct Columns {
    time: TimestampNanosecondBuilder,
    symbol: StringViewBuilder,
    kind: Vec<i8>,
    side: StringViewBuilder,
    price: Float64Builder,
    size: Int64Builder,
    bid: Float64Builder,
    ask: Float64Builder,
    bid_size: Int64Builder,
    ask_size: Int64Builder,
    venue: StringViewBuilder,
}

impl Columns {
    fn with_capacity(rows: usize) -> Columns {
        Columns {
            time: TimestampNanosecondBuilder::with_capacity(rows).with_timezone("UTC"),
            symbol: StringViewBuilder::with_capacity(rows),
            kind: Vec::with_capacity(rows),
            side: StringViewBuilder::with_capacity(rows),
            price: Float64Builder::with_capacity(rows),
            size: Int64Builder::with_capacity(rows),
            bid: Float64Builder::with_capacity(rows),
            ask: Float64Builder::with_capacity(rows),
            bid_size: Int64Builder::with_capacity(rows),
            ask_size: Int64Builder::with_capacity(rows),
            venue: StringViewBuilder::with_capacity(rows).with_deduplicate_strings(),
        }
    }

    /// The columns, in the schema's order.
    fn finish(mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let kinds = Arc::new(StringArray::from(vec!["quote", "trade"]));
        let kind = DictionaryArray::<Int8Type>::try_new(Int8Array::from(self.kind), kinds)?;
        Ok(vec![
            Arc::new(self.time.finish()),
            Arc::new(self.symbol.finish()),
            Arc::new(kind),
            Arc::new(self.side.finish()),
            Arc::new(self.price.finish()),
            Arc::new(self.size.finish()),
            Arc::new(self.bid.finish()),
            Arc::new(self.ask.finish()),
            Arc::new(self.bid_size.finish()),
            Arc::new(self.ask_size.finish()),
            Arc::new(self.venue.finish()),
        ])
    }
}

fn schema() -> SchemaRef {
    let kind = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("ts", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false),
        Field::new("symbol", DataType::Utf8View, false),
        Field::new("kind", kind, false),
        Field::new("side", DataType::Utf8View, true),
        Field::new("price", DataType::Float64, true),
        Field::new("size", DataType::Int64, true),
        Field::new("bid", DataType::Float64, true),
        Field::new("ask", DataType::Float64, true),
        Field::new("bid_size", DataType::Int64, true),
        Field::new("ask_size", DataType::Int64, true),
        Field::new("venue", DataType::Utf8View, false),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Float64Type, TimestampNanosecondType};

    #[test]
    fn one_seed_is_one_feed_however_it_is_cut() {
        let whole = Feed::new(7).next(300).expect("rows");
        let mut feed = Feed::new(7);
        let cut: Vec<RecordBatch> = [100, 50, 150].map(|rows| feed.next(rows).expect("rows")).into();
        assert_eq!(concat_batches(&whole.schema(), &cut).expect("one schema"), whole);
        assert_ne!(Feed::new(8).next(300).expect("rows"), whole);
    }

    #[test]
    fn quotes_have_no_price_and_trades_no_bid() {
        let rows = Feed::new(1).next(1_000).expect("rows");
        let (price, bid) = (rows.column(4), rows.column(6));
        assert!((0..1_000).all(|row| price.is_null(row) != bid.is_null(row)));
        assert!((500..900).contains(&price.null_count()), "{}", price.null_count());
    }

    #[test]
    fn time_goes_forward_and_bids_stay_below_asks() {
        let rows = Feed::new(1).next(1_000).expect("rows");
        let time = rows.column(0).as_primitive::<TimestampNanosecondType>();
        assert!(time.values().windows(2).all(|pair| pair[0] < pair[1]));
        let (bid, ask) =
            (rows.column(6).as_primitive::<Float64Type>(), rows.column(7).as_primitive::<Float64Type>());
        assert!(bid.iter().zip(ask).all(|(bid, ask)| bid.is_none() || bid < ask));
    }
}
