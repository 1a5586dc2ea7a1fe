//! A table from one process to another, by QADataSwap and by what else there is, in one run.
//!
//! ```sh
//! make benchmark-all                                     # or, with options:
//! cargo run --release --manifest-path benches/peers/Cargo.toml --target-dir target -- --share 0.1 --tables 1,1000
//! ```
//!
//! Two processes, each on a core of its own. One reads the clock and sends; the other waits, has a usable `RecordBatch`, looks
//! at its last value, and reads the same clock. In each round every way has its turns, after some that warm it; the first is
//! compared value by value. Each way waits as it can: spinning, asleep, or both in turn.
//!
//! The floor of a table is one `memcpy` of as many bytes into warm shared memory, and the word or the futex that tells of it.

mod ipc;
mod place;
mod report;
mod scratch;
mod sustained;
mod table;
mod turns;
mod way;
mod ways;

use clap::{Parser, ValueEnum};
use qadataswap_benches::floors::{self, Waiting as At};
use qadataswap_benches::rings::{self, Failure};
use qadataswap_benches::{pair, provenance};
use report::{Beside, Report};
use rustix::process::{Signal, set_parent_process_death_signal};
use scratch::Scratch;
use std::io::{self, Write};
use std::path::PathBuf;
use table::Table;
use way::{Waiting, Way};

/// Measures a table's way from one process to another, by QADataSwap and its peers.
#[derive(Parser)]
struct Options {
    /// The share of the samples to take.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Rounds, in each of which every way has its turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these tables.
    #[arg(long, value_enum, value_delimiter = ',')]
    tables: Vec<Table>,
    /// Only these ways, beside the floor.
    #[arg(long, value_enum, value_delimiter = ',')]
    ways: Vec<Way>,
    /// Leaves out how many small messages go by in a second.
    #[arg(long)]
    no_sustained: bool,
    /// Adds every figure to this file, as a line of JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<(), Failure> {
    if let Some((part, words)) = pair::part() {
        // Who spins for a process that was killed would spin for ever.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        return match part.as_str() {
            turns::PART => turns::play(&words),
            sustained::PART => sustained::play(&words),
            _ => rings::play(&part, &words),
        };
    }
    let options = Options::parse();
    let mut out = io::stdout().lock();
    writeln!(out, "{}", provenance())?;
    if !pair::are_two() {
        writeln!(out, "one core: nothing that waits for another process can be measured")?;
        return Ok(());
    }
    pair::settle(0)?;
    let scratch = Scratch::new()?;
    let mut report = Report::new(options.json.as_deref())?;
    measure_words(&options, &mut report, &mut out)?;
    let tables = if options.tables.is_empty() { Table::value_variants() } else { &options.tables };
    for &table in tables {
        match table.lacks_memory()? {
            Some(why) => writeln!(out, "\n{}: left out, {why}", table.name())?,
            None => measure_table(table, &options, &scratch, &mut report, &mut out)?,
        }
    }
    if !options.no_sustained {
        sustained::measure(&scratch, options.rounds, options.share, &mut report, &mut out)?;
    }
    Ok(())
}

/// The floors by themselves, as half of a round trip: so that it shows whether the clock of the rest is any good.
fn measure_words(options: &Options, report: &mut Report, out: &mut impl Write) -> Result<(), Failure> {
    for _ in 0..options.rounds {
        for at in [At::Hot, At::Asleep] {
            let column = if at == At::Hot { Waiting::Spinning } else { Waiting::Sleeping }.column();
            let samples = floors::one_way(at, ((200.0 * options.share) as u64).max(10))?;
            report.add_samples(samples.name(), column, &samples);
        }
    }
    report.finish("peers-floors", "half of a round trip", Beside::Nothing, out)
}

/// All ways of one table, in turns.
fn measure_table(
    table: Table,
    options: &Options,
    scratch: &Scratch,
    report: &mut Report,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let batch = table.make();
    for round in 0..options.rounds {
        for &way in table.ways() {
            if way != Way::Floor && !options.ways.is_empty() && !options.ways.contains(&way) {
                continue;
            }
            for &waiting in way.waits() {
                let label = format!("{}-{round}-{}-{}", table.word(), way.word(), waiting.word());
                let turns = table.turns(waiting, options.share);
                let taken = turns::measure(table, &batch, way, waiting, turns, &scratch.label(&label))
                    .map_err(|error| format!("{}, {}: {error}", way.name(), waiting.column()))?;
                report.add(way.name(), waiting.column(), &taken);
            }
        }
    }
    report.finish(
        &table.name(),
        "from before it is sent to its last value",
        Beside::Floor(Way::Floor.name()),
        out,
    )
}
