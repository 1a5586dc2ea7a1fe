//! Measuring: the market-data table that every bench writes, and medians of what it costs.

pub mod book;
pub mod copies;
pub mod floors;
pub mod memory;
pub mod pair;
pub mod rings;
pub mod shared;
pub mod views;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Five columns of `rows` rows: time, bid, ask, size, symbol (a string view of at most 12 bytes).
///
/// # Panics
/// Never: the columns are of one length.
#[must_use]
pub fn quotes(rows: usize) -> RecordBatch {
    let steps = || (0..rows).map(|row| row as f64 / 4.0);
    let columns: [(&str, ArrayRef); 5] = [
        ("ts", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ("bid", Arc::new(Float64Array::from_iter_values(steps()))),
        ("ask", Arc::new(Float64Array::from_iter_values(steps()))),
        ("size", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        (
            "symbol",
            Arc::new(StringViewArray::from_iter_values((0..rows).map(|row| format!("ES{}", row % 100)))),
        ),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Five columns of `rows` rows, all of numbers.
///
/// # Panics
/// Never: the columns are of one length.
#[must_use]
pub fn numbers(rows: usize) -> RecordBatch {
    let whole: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let broken: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64 / 4.0)));
    let columns = [("ts", &whole), ("bid", &broken), ("ask", &broken), ("size", &whole), ("volume", &whole)];
    RecordBatch::try_from_iter(columns.map(|(name, column)| (name, column.clone())))
        .expect("columns of one length")
}

/// Durations of one step, taken over a run.
#[derive(Debug)]
pub struct Samples {
    name: &'static str,
    taken: Vec<Duration>,
}

impl Samples {
    /// Room for the samples of a step.
    #[must_use]
    pub fn new(name: &'static str) -> Samples {
        Samples { name, taken: Vec::with_capacity(1 << 16) }
    }

    /// What was timed, in no order.
    #[must_use]
    pub fn taken(&self) -> &[Duration] {
        &self.taken
    }

    /// Times one step.
    pub fn time<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = step();
        self.taken.push(started.elapsed());
        result
    }

    /// Takes in what was timed elsewhere.
    pub fn add(&mut self, duration: Duration) {
        self.taken.push(duration);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether nothing was timed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// The step's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The `share`-quantile, nearest rank.
    ///
    /// # Panics
    /// If nothing was timed.
    #[must_use]
    pub fn quantile(&mut self, share: f64) -> Duration {
        self.taken.sort_unstable();
        self.taken[((self.taken.len() - 1) as f64 * share).round() as usize]
    }
}

/// What a program was asked to measure.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of all samples.
    pub share: f64,
    /// The tables; all of them, if none is named.
    pub tables: Vec<String>,
}

impl Asked {
    /// By this program's arguments: a number, and names.
    #[must_use]
    pub fn read() -> Asked {
        let arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
        let (numbers, tables): (Vec<String>, Vec<String>) =
            arguments.partition(|argument| argument.parse::<f64>().is_ok());
        Asked { share: numbers.first().and_then(|number| number.parse().ok()).unwrap_or(1.0), tables }
    }
}

/// A file in shared memory that only this process knows of, for what is removed at once.
#[must_use]
pub fn scratch(what: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/qads-bench-{what}-{}", std::process::id()))
}

/// The machine, the build and the commit, as a line of a report.
#[must_use]
pub fn provenance() -> String {
    machine_and_commit(&["rev-parse", "--short", "HEAD"])
}

/// The same of what was measured at a time, in seconds since 1970: with the last commit until then.
#[must_use]
pub fn provenance_at(seconds: u64) -> String {
    machine_and_commit(&["log", "-1", "--format=%h", &format!("--before={seconds}")])
}

fn machine_and_commit(question: &[&str]) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let commit = std::process::Command::new("git").args(question).output();
    let commit = commit.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, commit {}", cpu.trim_start_matches([' ', '\t', ':']), commit.trim())
}
