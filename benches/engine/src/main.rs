//! Views kept up to date, by our engine and by what else there is, in one run.
//!
//! ```sh
//! make benchmark-engine                   # or, with options:
//! cargo run --release --manifest-path benches/engine/Cargo.toml --target-dir target -- --jobs group-by,join --batches 1,1000
//! ```
//!
//! Each engine keeps each view in a process of its own, one worker on one core: it is loaded, and then stepped with batches of
//! one size. All get the same changes, made before the clock is read, and have to end with the same checksum of the view.

mod job;
mod ours;

use clap::{Parser, ValueEnum};
use job::{Job, Numbers, Text};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::process::Command;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// A view that is kept up to date.
trait Engine {
    /// Takes a batch of changes and brings the view up to date.
    fn numbers(&mut self, changes: &[Numbers]) -> Result<(), Failure>;
    /// The same, of text.
    fn text(&mut self, changes: &[Text]) -> Result<(), Failure>;
    /// The checksum of the view.
    fn checksum(&self) -> i64;
}

/// Who keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// This product.
    Ours,
}

impl Name {
    fn start(self, job: Job) -> Result<Box<dyn Engine>, Failure> {
        match self {
            Self::Ours => Ok(Box::new(ours::Ours::new(job)?)),
        }
    }
}

/// Measures what keeping views up to date costs.
#[derive(Parser)]
struct Options {
    /// Only these engines.
    #[arg(long, value_enum, value_delimiter = ',')]
    engines: Vec<Name>,
    /// Only these jobs.
    #[arg(long, value_enum, value_delimiter = ',')]
    jobs: Vec<Job>,
    /// The numbers of changes in a batch.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1_000, 10_000, 100_000])]
    batches: Vec<u64>,
    /// The share of the batches to take.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Takes one measurement, and prints it as JSON.
    #[arg(long)]
    one: bool,
}

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    updates: u64,
    seconds: f64,
    load_seconds: f64,
    p50: f64,
    p99: f64,
    peak: u64,
    checksum: i64,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let mut out = io::stdout().lock();
    if options.one {
        let measured = measure(options.engines[0], options.jobs[0], options.batches[0], options.share)?;
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
        return Ok(());
    }
    let engines = if options.engines.is_empty() { Name::value_variants() } else { &options.engines };
    let jobs = if options.jobs.is_empty() { Job::value_variants() } else { &options.jobs };
    for &job in jobs {
        for &batch in &options.batches {
            let mut checksum = None;
            for &engine in engines {
                let measured = ask(engine, job, batch, options.share)?;
                let same = *checksum.get_or_insert(measured.checksum);
                if same != measured.checksum {
                    return Err(format!("{engine:?} keeps another view in {job:?} at batches of {batch}").into());
                }
                writeln!(
                    out,
                    "{:<24} {batch:>7} {:<14} {:>8.3} M/s  p50 {:>10.2} µs  p99 {:>10.2} µs  load {:>6.2} s  peak {:>6} MB",
                    job.name(),
                    format!("{engine:?}"),
                    measured.updates as f64 / measured.seconds / 1e6,
                    measured.p50 / 1e3,
                    measured.p99 / 1e3,
                    measured.load_seconds,
                    measured.peak >> 20,
                )?;
            }
        }
    }
    Ok(())
}

/// Measures in a process of its own.
fn ask(engine: Name, job: Job, batch: u64, share: f64) -> Result<Measured, Failure> {
    let value = |name: &dyn Fn() -> Option<clap::builder::PossibleValue>| name().map(|value| value.get_name().to_owned());
    let output = Command::new(std::env::current_exe()?)
        .args(["--one", "--share", &share.to_string(), "--batches", &batch.to_string()])
        .args(["--engines", &value(&|| engine.to_possible_value()).unwrap_or_default()])
        .args(["--jobs", &value(&|| job.to_possible_value()).unwrap_or_default()])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The number of steps of one measurement.
fn steps(batch: u64, share: f64) -> u64 {
    let steps = match batch {
        0..10 => 20_000,
        10..1_000 => 5_000,
        1_000..10_000 => 2_000,
        10_000..100_000 => 300,
        _ => 50,
    };
    ((steps as f64 * share) as u64).max(10)
}

fn measure(engine: Name, job: Job, batch: u64, share: f64) -> Result<Measured, Failure> {
    let mut engine = engine.start(job)?;
    let mut loaded = Duration::ZERO;
    for start in (0..job.loaded()).step_by(100_000) {
        loaded += step(&mut *engine, job, start..start + 100_000)?;
    }
    let mut taken: Vec<Duration> = Vec::new();
    for number in 0..steps(batch, share) {
        let start = job.loaded() + number * batch;
        taken.push(step(&mut *engine, job, start..start + batch)?);
    }
    let seconds = taken.iter().sum::<Duration>().as_secs_f64();
    taken.sort_unstable();
    let quantile = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize].as_nanos() as f64;
    Ok(Measured {
        updates: batch * taken.len() as u64,
        seconds,
        load_seconds: loaded.as_secs_f64(),
        p50: quantile(0.5),
        p99: quantile(0.99),
        peak: peak()?,
        checksum: engine.checksum(),
    })
}

fn step(engine: &mut dyn Engine, job: Job, changes: std::ops::Range<u64>) -> Result<Duration, Failure> {
    if job.is_text() {
        let changes = job.text(changes);
        let start = Instant::now();
        engine.text(&changes)?;
        return Ok(start.elapsed());
    }
    let changes = job.numbers(changes);
    let start = Instant::now();
    engine.numbers(&changes)?;
    Ok(start.elapsed())
}

/// The most memory that this process has had, in bytes.
fn peak() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
