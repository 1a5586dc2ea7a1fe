//! Bars of a recorded currency, resampled by the engine as its rows come, are late, and are corrected, against Polars' own
//! grouping of the same rows.

use std::collections::BTreeMap;
use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_schema::{DataType as ArrowType, TimeUnit as ArrowUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polars::prelude::*;
use qadataswap_dbsp::algebra::F64;
use qadataswap_dbsp::operator::{Count, Max, Min};
use qadataswap_dbsp::trace::Batch;
use qadataswap_dbsp::{RootCircuit, Runtime, Stream};
use qadataswap_tests::samples::real;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

const MINUTE: i64 = 60_000_000;

/// The time in microseconds, whether it is of bids, and open, high, low and close.
type Minute = (i64, bool, F64, F64, F64, F64);
/// Of each beginning and side: open, high, low, close, and how many minutes there are.
type Bars = BTreeMap<(i64, bool), (f64, f64, f64, f64, u32)>;
/// A minute under the beginning of a bar and its side.
type Grouped = Stream<RootCircuit, Batch<(i64, bool), (i64, F64, F64, F64, F64)>>;
/// Changes of bars: open, high, low, close, and how many minutes there are.
type BarBatch = Batch<(i64, bool), (F64, F64, F64, F64, i64)>;

/// The recorded minutes, in the order of the file, if the file is there.
fn recorded() -> Option<Vec<Minute>> {
    let file = File::open(real("gbpusd_m1.parquet")?).expect("readable");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .expect("a Parquet file");
    let mut minutes = Vec::new();
    for batch in reader {
        let batch = batch.expect("whole");
        let column = |name: &str, to: &ArrowType| {
            let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
            arrow::compute::cast(column, to).expect("of its type")
        };
        let times = column("timestamp", &ArrowType::Timestamp(ArrowUnit::Microsecond, Some("UTC".into())));
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let sides = column("side", &ArrowType::Utf8);
        let sides = sides.as_string::<i32>();
        let prices = ["open", "high", "low", "close"].map(|name| column(name, &ArrowType::Float64));
        let prices = prices.each_ref().map(AsArray::as_primitive::<Float64Type>);
        for row in 0..batch.num_rows() {
            let [open, high, low, close] = prices.map(|column| F64::new(column.value(row)));
            minutes.push((times.value(row), sides.value(row) == "bid", open, high, low, close));
        }
    }
    Some(minutes)
}

/// Bars of so many microseconds.
fn bars(minutes: &Stream<RootCircuit, Batch<Minute>>, width: i64) -> Stream<RootCircuit, BarBatch> {
    let grouped: Grouped = minutes.map_index(move |&(time, bid, open, high, low, close)| {
        ((time - time.rem_euclid(width), bid), (time, open, high, low, close))
    });
    let highs = grouped.map_index(|&(bar, (_, _, high, _, _))| (bar, high)).aggregate(Max);
    let lows = grouped.map_index(|&(bar, (_, _, _, low, _))| (bar, low)).aggregate(Min);
    grouped
        .aggregate((Min, Max, Count))
        .join_index(&highs, |&bar, &(first, last, count), &high| (bar, (first.1, last.4, high, count)))
        .join_index(&lows, |&bar, &(open, close, high, count), &low| (bar, (open, high, low, close, count)))
}

/// The same bars, from scratch.
fn polars_bars(minutes: &[Minute], width: i64) -> Bars {
    let price =
        |of: fn(&Minute) -> F64| minutes.iter().map(|minute| of(minute).into_inner()).collect::<Vec<_>>();
    let frame = df!(
        "time" => minutes.iter().map(|minute| minute.0).collect::<Vec<_>>(),
        "bid" => minutes.iter().map(|minute| minute.1).collect::<Vec<_>>(),
        "open" => price(|minute| minute.2),
        "high" => price(|minute| minute.3),
        "low" => price(|minute| minute.4),
        "close" => price(|minute| minute.5),
    );
    let bars = frame
        .expect("columns of one length")
        .lazy()
        .sort(["time"], SortMultipleOptions::default())
        .with_column((col("time") - col("time") % lit(width)).alias("bar"))
        .group_by([col("bar"), col("bid")])
        .agg([
            col("open").first(),
            col("high").max(),
            col("low").min(),
            col("close").last(),
            len().alias("minutes"),
        ])
        .collect()
        .expect("grouped");
    let number = |name: &str| bars.column(name).and_then(|column| column.f64().cloned()).expect("a price");
    let (open, high, low, close) = (number("open"), number("high"), number("low"), number("close"));
    let bar = bars.column("bar").and_then(|column| column.i64().cloned()).expect("a time");
    let bid = bars.column("bid").and_then(|column| column.bool().cloned()).expect("a side");
    let minutes = bars.column("minutes").and_then(|column| column.u32().cloned()).expect("a number");
    let row = |row: usize| {
        let prices = [&open, &high, &low, &close].map(|column| column.get(row).expect("no nulls"));
        let [open, high, low, close] = prices;
        let key = (bar.get(row).expect("no nulls"), bid.get(row).expect("no nulls"));
        (key, (open, high, low, close, minutes.get(row).expect("no nulls")))
    };
    (0..bars.height()).map(row).collect()
}

/// What comes in each batch: minutes in the order of the file, of which some are late by some batches, and some come wrong and
/// are corrected, by going and coming again, some batches later.
fn delivered(minutes: &[Minute], batch: usize) -> Vec<Vec<(Minute, i64)>> {
    let mut random = StdRng::seed_from_u64(5);
    let mut batches = vec![Vec::new(); minutes.len().div_ceil(batch) + 4];
    for (number, &minute) in minutes.iter().enumerate() {
        let (at, later) = (number / batch, number / batch + random.random_range(1..4));
        match random.random_range(0..100) {
            0..3 => batches[later].push((minute, 1)),
            3..5 => {
                let off = F64::new(random.random_range(-0.01..0.01));
                let (time, bid, open, high, low, close) = minute;
                let wrong = (time, bid, open + off, high + off, low + off, close + off);
                batches[at].push((wrong, 1));
                batches[later].extend([(wrong, -1), (minute, 1)]);
            }
            _ => batches[at].push((minute, 1)),
        }
    }
    batches.iter_mut().for_each(|batch| batch.shuffle(&mut random));
    batches
}

/// Brings a view up to date: old bars go before new ones come.
fn follow(view: &mut Bars, change: &BarBatch) {
    let mut rows = change.to_rows();
    rows.sort_by_key(|row| row.2);
    for (bar, (open, high, low, close, minutes), weight) in rows {
        let minutes = u32::try_from(minutes).expect("few");
        let row = (open.into_inner(), high.into_inner(), low.into_inner(), close.into_inner(), minutes);
        match weight {
            1 => assert_eq!(view.insert(bar, row), None),
            -1 => assert_eq!(view.remove(&bar), Some(row)),
            _ => panic!("a bar {weight} times"),
        }
    }
}

/// The engine keeps bars of five minutes and of an hour, in batches of so many minutes and so many workers.
fn keeps(minutes: &[Minute], batch: usize, workers: usize) {
    const WIDTHS: [i64; 2] = [5 * MINUTE, 60 * MINUTE];
    let (mut circuit, (input, outputs)) = Runtime::init_circuit(workers, |circuit| {
        let (minutes, input) = circuit.add_input_zset::<Minute>();
        Ok((input, WIDTHS.map(|width| bars(&minutes, width).output())))
    })
    .expect("the circuit is built");
    let (mut there, mut views) = (BTreeMap::<Minute, i64>::new(), [Bars::new(), Bars::new()]);
    for change in delivered(minutes, batch) {
        for &(minute, weight) in &change {
            *there.entry(minute).or_default() += weight;
        }
        there.retain(|_, weight| *weight != 0);
        assert!(there.values().all(|&weight| weight == 1), "each minute is there once");
        input.extend(change);
        circuit.step().expect("a step of a sound circuit succeeds");
        let there: Vec<Minute> = there.keys().copied().collect();
        for ((view, output), width) in views.iter_mut().zip(&outputs).zip(WIDTHS) {
            follow(view, &output.take());
            assert_eq!(*view, polars_bars(&there, width));
        }
    }
    assert_eq!(there.len(), minutes.len());
}

#[test]
fn bars_of_a_recorded_currency_are_those_of_polars_after_every_batch() {
    let Some(minutes) = recorded() else { return };
    assert_eq!(minutes.len(), 60_234);
    keeps(&minutes[..600], 1, 1);
    for (batch, workers) in [(2_000, 1), (10_000, 2), (60_234, 4)] {
        keeps(&minutes, batch, workers);
    }
}
