//! A live view: what it takes from a frame of trades that one process publishes until it has the changed views that another process
//! keeps.
//!
//! ```text
//!   this process ── trades ──▶ ┌────────────────────────────────────┐
//!                              │ RingInput ▶ circuit ▶ two RingViews │  the partner, at the other core
//!   this process ◀── changes ─ └────────────────────────────────────┘
//! ```
//!
//! The floor is the same way without a circuit: the partner answers each frame with two frames as large as changes are.

use crate::Samples;
use crate::pair::{self, Partner};
use crate::rings::{Failure, PATIENCE, clear_away, name, strategy};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray};
use qadataswap::{ErrorKind, Reader, SharedDataFrame, SharedMemoryConfig, Writer};
use qadataswap_dbsp::arrow::Layout;
use qadataswap_dbsp::operator::{Max, Min, OutputHandle, ZSetHandle};
use qadataswap_dbsp::ring::{RingInput, RingView};
use qadataswap_dbsp::time::Nanoseconds;
use qadataswap_dbsp::{CircuitHandle, Data, RootCircuit};
use std::sync::Arc;
use std::time::Instant;

const MINUTE_NS: u64 = 60_000_000_000;

/// Symbols of the trades, which take turns.
const SYMBOLS: usize = 10;

/// From one trade to the next: ten thousand of them are ten seconds.
const STEP_NS: i64 = 1_000_000;

/// Frames that are not counted: they warm every slot.
const WARM_UP: usize = 128;

/// How the change of a view comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// By a circuit: bars of a minute and VWAP, by symbol.
    Circuit,
    /// Not at all: two frames as large as changes answer each frame.
    Relay,
}

/// A trade; the price is in units of 1e-9.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
struct Trade {
    symbol: String,
    time: Nanoseconds,
    price: i64,
    size: i64,
}

/// A minute of one symbol's trades.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
struct Bar {
    symbol: String,
    minute: Nanoseconds,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    volume: i64,
    trades: i64,
}

/// The mean price of a symbol's trades, by their sizes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
struct Vwap {
    symbol: String,
    vwap: i64,
    volume: i64,
    trades: i64,
}

/// A symbol and a minute.
type Minute = (String, Nanoseconds);

fn circuit() -> Result<(CircuitHandle, Ends), qadataswap_dbsp::Error> {
    RootCircuit::build(|circuit| {
        let (trades, input) = circuit.add_input_zset::<Trade>();
        let of_minute = trades.map_index_by_ref::<Minute, (Nanoseconds, i64, i64)>(|trade| {
            ((trade.symbol, trade.time.floor(MINUTE_NS)), (trade.time, trade.price, trade.size))
        });
        let ends = of_minute.aggregate((Min, Max));
        let range = of_minute
            .map_index_by_ref::<Minute, i64>(|&(minute, (_, price, _))| (minute, price))
            .aggregate((Min, Max));
        let sums = of_minute.aggregate_linear(|&(_, _, size)| (size, 1i64));
        let bars =
            ends.join_index(&range, |&(symbol, minute), &((_, open, _), (_, close, _)), &(low, high)| {
                ((symbol.to_owned(), minute), (open, high, low, close))
            })
            .join(&sums, |&(symbol, minute), &(open, high, low, close), &(volume, trades)| {
                Bar { symbol: symbol.to_owned(), minute, open, high, low, close, volume, trades }
            });
        let vwap = trades
            .map_index_by_ref::<String, (i64, i64)>(|trade| (trade.symbol, (trade.price, trade.size)))
            .aggregate_linear_postprocess(
                |&(price, size)| (i128::from(price) * i128::from(size), size, 1i64),
                |&(value, volume, trades)| ((value / i128::from(volume)) as i64, volume, trades),
            )
            .map(|&(symbol, (vwap, volume, trades))| Vwap {
                symbol: symbol.to_owned(),
                vwap,
                volume,
                trades,
            });
        Ok(Ends { trades: input, bars: bars.output(), vwap: vwap.output() })
    })
}

/// Where rows enter the circuit and views leave it.
struct Ends {
    trades: ZSetHandle<Trade>,
    bars: OutputHandle<Bar>,
    vwap: OutputHandle<Vwap>,
}

/// The trades of a frame.
fn trades(frame: usize, rows: usize) -> Result<RecordBatch, Failure> {
    let numbers = || frame * rows..(frame + 1) * rows;
    let symbols = StringViewArray::from_iter_values(numbers().map(|row| format!("ES{}", row % SYMBOLS)));
    let times = TimestampNanosecondArray::from_iter_values(numbers().map(|row| row as i64 * STEP_NS));
    let prices =
        Int64Array::from_iter_values(numbers().map(|row| 6_750_000_000_000 + (row * 7919 % 1_000) as i64));
    let sizes = Int64Array::from_iter_values(numbers().map(|row| 1 + (row % 7) as i64));
    Ok(RecordBatch::try_from_iter([
        ("symbol", Arc::new(symbols) as ArrayRef),
        ("time", Arc::new(times)),
        ("price", Arc::new(prices)),
        ("size", Arc::new(sizes)),
    ])?)
}

/// As many rows as a change of a view by so many trades has, at most: what goes and what comes of each symbol.
fn change(rows: usize) -> Result<RecordBatch, Failure> {
    let rows = 2 * rows.min(SYMBOLS);
    let symbols: ArrayRef =
        Arc::new(StringViewArray::from_iter_values((0..rows).map(|row| format!("ES{row}"))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let names = ["minute", "open", "high", "low", "close", "volume", "trades", "weight"];
    let columns = names.map(|name| (name, numbers.clone()));
    Ok(RecordBatch::try_from_iter([("symbol", symbols)].into_iter().chain(columns))?)
}

fn config(ring: &str, rows: usize, sleeps: bool) -> SharedMemoryConfig {
    SharedMemoryConfig::new(ring)
        .with_slot_bytes((rows as u64 * 64).max(64 << 10))
        .with_buffer_count(16)
        .with_prefault(true)
        .with_wait(strategy(sleeps))
}

/// The rings of the two views, and those of what changes in them.
fn views(ring: &str) -> [(String, String); 2] {
    ["bars", "vwap"].map(|view| (format!("{ring}-{view}"), format!("{ring}-{view}.changes")))
}

/// Frames of so many trades, each from before it is published until both changed views are here.
///
/// # Errors
/// If a ring fails, or a view is not what it has to be.
pub fn until_changed(keeper: Keeper, rows: usize, sleeps: bool, turns: usize) -> Result<Samples, Failure> {
    let ring = name("trades");
    let writer = Writer::new(config(&ring, rows, sleeps))?;
    let circuit = keeper == Keeper::Circuit;
    let part =
        Partner::start("keep", &[&ring, &circuit.to_string(), &rows.to_string(), &sleeps.to_string()])?;
    let [bars, vwap] = views(&ring).map(|(_, changes)| Reader::new(config(&changes, rows, sleeps)));
    let (bars, vwap) = (bars?, vwap?);
    let mut samples = Samples::new("until the views have changed");
    for turn in 0..turns + WARM_UP {
        let table = trades(turn, rows)?;
        let volume: i64 = column(&table, "size")?.iter().sum();
        let began = Instant::now();
        writer.write_arrow(&table)?;
        let changed = [bars.read_arrow(PATIENCE)?, vwap.read_arrow(PATIENCE)?];
        let took = began.elapsed();
        if turn >= WARM_UP {
            samples.add(took);
        }
        for change in changed {
            let change = change.ok_or_else(|| format!("no change came of frame {turn}"))?;
            if circuit {
                let came = (weighted(&change, "trades")?, weighted(&change, "volume")?);
                assert_eq!(came, (rows as i64, volume), "a view adds up the trades of frame {turn}");
            }
        }
    }
    writer.close()?;
    drop((bars, vwap));
    part.end()?;
    drop(writer);
    clear_away(&ring)?;
    views(&ring)
        .iter()
        .try_for_each(|(whole, changes)| clear_away(whole).and_then(|()| clear_away(changes)))?;
    Ok(samples)
}

fn column<'a>(table: &'a RecordBatch, name: &str) -> Result<&'a [i64], Failure> {
    let column = table.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
    Ok(column.ok_or_else(|| format!("no numbers {name}"))?.values())
}

/// The sum of a column, each row as often as its weight says.
fn weighted(change: &RecordBatch, name: &str) -> Result<i64, Failure> {
    Ok(column(change, name)?
        .iter()
        .zip(column(change, "weight")?)
        .map(|(number, weight)| number * weight)
        .sum())
}

/// The partner's part of [`until_changed`].
///
/// # Errors
/// If the words are others, or a ring fails.
pub fn keep(words: &[String]) -> Result<(), Failure> {
    let [ring, circuit, rows, sleeps] = words else { return Err("four words".into()) };
    let (rows, sleeps) = (rows.parse()?, sleeps.parse()?);
    if circuit.parse()? { keep_views(ring, rows, sleeps) } else { relay(ring, rows, sleeps) }
}

fn keep_views(ring: &str, rows: usize, sleeps: bool) -> Result<(), Failure> {
    let (mut circuit, ends) = circuit()?;
    let writer = |ring: &str| SharedDataFrame::create_writer(config(ring, rows, sleeps));
    let [bars, vwap] = views(ring);
    let mut bars = RingView::new(writer(&bars.1)?, writer(&bars.0)?, Layout::new(), ends.bars);
    let mut vwap = RingView::new(writer(&vwap.1)?, writer(&vwap.0)?, Layout::new(), ends.vwap);
    let reader = SharedDataFrame::create_reader(config(ring, rows, sleeps))?;
    let mut input = RingInput::new(reader, Layout::new(), ends.trades.into());
    pair::say("ready")?;
    loop {
        let read = input.read(PATIENCE)?;
        if read.rows > 0 {
            circuit.step()?;
            bars.publish()?;
            vwap.publish()?;
        } else if !read.ended {
            return Err("nothing came".into());
        }
        if read.ended {
            bars.close()?;
            return Ok(vwap.close()?);
        }
    }
}

fn relay(ring: &str, rows: usize, sleeps: bool) -> Result<(), Failure> {
    let [bars, vwap] = views(ring).map(|(_, changes)| Writer::new(config(&changes, rows, sleeps)));
    let (bars, vwap, change) = (bars?, vwap?, change(rows)?);
    let reader = Reader::new(config(ring, rows, sleeps))?;
    pair::say("ready")?;
    loop {
        match reader.read_arrow(PATIENCE) {
            Ok(Some(_)) => {
                bars.write_arrow(&change)?;
                vwap.write_arrow(&change)?;
            }
            Ok(None) => return Err("nothing came".into()),
            Err(error) if error.kind() == ErrorKind::EndOfStream => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
