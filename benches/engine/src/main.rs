//! Views kept up to date, by our engine and by what else there is, in one run.
//!
//! ```sh
//! make benchmark-engine                   # or, with options:
//! cargo run --release --manifest-path benches/engine/Cargo.toml --target-dir target -- --jobs group-by,join --batches 1,1000
//! ```
//!
//! Each engine keeps each view in a process of its own, in one worker: it is loaded, and then stepped with batches of one size
//! after the other. All get the same changes, made before the clock is read, and have to end with the same checksum of the view.
//! They take turns, in rounds. `--features dbsp,differential` has the rivals, without which ours is built in a moment.

mod bare;
#[cfg(feature = "dbsp")]
mod dbsp;
#[cfg(feature = "differential")]
mod differential;
mod job;
mod nexmark;
mod ours;
mod told;

use clap::{Parser, ValueEnum};
use job::{Changes, Job};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use told::Told;

type Failure = Box<dyn std::error::Error>;

/// A view that is kept up to date.
trait Engine {
    /// Takes a batch of changes and brings the view up to date.
    fn step(&mut self, changes: Changes) -> Result<(), Failure>;
    /// The checksum of the view.
    fn checksum(&self) -> i64;
    /// What it remembers, if it knows.
    fn held(&mut self) -> Result<Option<Held>, Failure> {
        Ok(None)
    }
}

/// What an engine remembers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Held {
    rows: u64,
    bytes: u64,
}

/// Who keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// A loop that can do nothing else.
    Bare,
    /// This product.
    Ours,
    /// This product, in two workers.
    Two,
    /// This product in two processes, each with half of the keys: what two workers could reach if they had not to meet.
    Halves,
    /// The engine of Feldera.
    #[cfg(feature = "dbsp")]
    Dbsp,
    /// Differential dataflow.
    #[cfg(feature = "differential")]
    Differential,
}

impl Name {
    fn start(self, job: Job) -> Result<Box<dyn Engine>, Failure> {
        Ok(match self {
            Self::Bare => Box::new(bare::Bare::new(job)?),
            Self::Ours | Self::Halves => Box::new(ours::Ours::new(job, 1)?),
            Self::Two => Box::new(ours::Ours::new(job, 2)?),
            #[cfg(feature = "dbsp")]
            Self::Dbsp => Box::new(dbsp::Dbsp::new(job)?),
            #[cfg(feature = "differential")]
            Self::Differential => Box::new(differential::Differential::new(job)?),
        })
    }

    /// Why it cannot do a job.
    fn lacks(self, job: Job) -> Option<&'static str> {
        match self {
            Self::Bare => bare::lacks(job),
            Self::Ours => None,
            Self::Two | Self::Halves => {
                (!job.has_keys()).then_some("workers are compared by the views that have a state by key")
            }
            #[cfg(feature = "dbsp")]
            Self::Dbsp => None,
            #[cfg(feature = "differential")]
            Self::Differential => differential::lacks(job),
        }
    }

    /// Whether one would want to know why it cannot do a job.
    fn is_rival(self) -> bool {
        !matches!(self, Self::Bare | Self::Ours | Self::Two | Self::Halves)
    }

    /// The name of its column.
    fn column(self) -> &'static str {
        match self {
            Self::Bare => "bare loop",
            Self::Ours => OURS,
            Self::Two => "two workers",
            Self::Halves => "two processes, half of it each",
            #[cfg(feature = "dbsp")]
            Self::Dbsp => "dbsp",
            #[cfg(feature = "differential")]
            Self::Differential => "differential-dataflow",
        }
    }
}

/// The column with which the others are compared.
const OURS: &str = "QADataSwap";

/// Fewer changes than these are not worth a second worker.
const MANY: u64 = 10_000;

/// Measures what keeping views up to date costs.
#[derive(Parser)]
struct Options {
    /// Only these engines.
    #[arg(long, value_enum, value_delimiter = ',')]
    engines: Vec<Name>,
    /// Only these jobs.
    #[arg(long, value_enum, value_delimiter = ',')]
    jobs: Vec<Job>,
    /// Only batches of these numbers of changes.
    #[arg(long, value_delimiter = ',')]
    batches: Vec<u64>,
    /// The share of the steps to take.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Rounds, in each of which every engine has its turn.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Writes every figure to this file, as a line of JSON, in the place of what stood there.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Takes the measurements of one engine and one job, and prints them as JSON.
    #[arg(long, hide = true)]
    one: bool,
    /// Takes only the changes of every other key, from this one on.
    #[arg(long, hide = true)]
    half: Option<u64>,
}

impl Options {
    /// The measured steps of a job.
    fn plan(&self, job: Job) -> Vec<job::Steps> {
        let mut plan = job.plan(self.share);
        plan.retain(|steps| self.batches.is_empty() || self.batches.contains(&steps.batch));
        plan
    }
}

/// What was measured of one engine and one job.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    /// The nanoseconds of the load: of all of it, by batches.
    load: f64,
    parts: Vec<Part>,
    peak: u64,
    held: Option<Held>,
    checksum: i64,
}

/// What was measured with batches of one size.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    batch: u64,
    steps: u64,
    nanoseconds: f64,
    p50: f64,
    p99: f64,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let mut out = io::stdout().lock();
    if options.one {
        let measured = measure(options.engines[0], options.jobs[0], &options)?;
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
        return Ok(());
    }
    let jobs = if options.jobs.is_empty() { Job::value_variants() } else { &options.jobs };
    let mut told = Told::default();
    for &job in jobs {
        measure_all(job, &options, &mut told, &mut out)?;
    }
    if let Some(path) = &options.json {
        told.write(path, OURS)?;
    }
    Ok(())
}

/// Measures all engines that can do a job, by turns.
fn measure_all(job: Job, options: &Options, told: &mut Told, out: &mut impl Write) -> Result<(), Failure> {
    let all = if options.engines.is_empty() { Name::value_variants() } else { &options.engines };
    let (lacking, engines): (Vec<Name>, Vec<Name>) =
        all.iter().partition(|engine| engine.lacks(job).is_some());
    for engine in lacking.into_iter().filter(|engine| engine.is_rival()) {
        writeln!(
            out,
            "{}: without {}: {}",
            job.name(),
            engine.column(),
            engine.lacks(job).unwrap_or_default()
        )?;
    }
    let mut first: Option<(Name, i64)> = None;
    for round in 0..options.rounds {
        for &engine in &engines {
            let measured = ask(engine, job, options)
                .map_err(|error| format!("{}, {}: {error}", job.name(), engine.column()))?;
            let (other, checksum) = *first.get_or_insert((engine, measured.checksum));
            if checksum != measured.checksum {
                let (name, other, engine) = (job.name(), other.column(), engine.column());
                return Err(format!("{name}: {other} and {engine} do not keep the same view").into());
            }
            tell(engine, job, &measured, told);
            print(round, engine, job, &measured, out)?;
        }
    }
    Ok(())
}

fn tell(engine: Name, job: Job, measured: &Measured, told: &mut Told) {
    let column = engine.column();
    if job.has_keys() && matches!(engine, Name::Ours | Name::Two | Name::Halves) {
        for part in measured.parts.iter().filter(|part| part.batch >= MANY) {
            let row = format!("{}, {}", job.name(), counted(part.batch));
            told.take(["engine-workers", &row, column], "ns", (part.p50, part.p99), part.steps);
        }
        if engine != Name::Ours {
            return;
        }
    }
    if job.graph().is_some() {
        let row = format!("{}, all at once", job.name());
        told.take([job.table(), &row, column], "ns", (measured.load, measured.load), 1);
    }
    for part in &measured.parts {
        let row = match job.graph() {
            Some(_) => format!("{}, an edge more or less", job.name()),
            None if job.is_nexmark() => job.name().to_owned(),
            None => counted(part.batch),
        };
        told.take([job.table(), &row, column], "ns", (part.p50, part.p99), part.steps);
    }
    let mut bytes = |table: &str, column: &str, value: f64| {
        told.take([table, job.name(), column], "B", (value, value), 1);
    };
    bytes("engine-memory", column, measured.peak as f64);
    if let Some(held) = measured.held.filter(|held| held.rows > 0) {
        bytes("engine-state", "state", held.bytes as f64);
        bytes("engine-state", "a row of it", held.bytes as f64 / held.rows as f64);
    }
}

fn counted(rows: u64) -> String {
    let digits = rows.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    format!("{} row{}", grouped.join(","), if rows == 1 { "" } else { "s" })
}

fn print(
    round: u32,
    engine: Name,
    job: Job,
    measured: &Measured,
    out: &mut impl Write,
) -> Result<(), Failure> {
    for part in &measured.parts {
        writeln!(
            out,
            "{:<26} {:>16} {round} {:<30} {:>8.3} M/s  p50 {:>12.2} µs  p99 {:>12.2} µs  load {:>6.2} s  peak {:>6} MB",
            job.name(),
            counted(part.batch),
            engine.column(),
            (part.batch * part.steps) as f64 / part.nanoseconds * 1e3,
            part.p50 / 1e3,
            part.p99 / 1e3,
            measured.load / 1e9,
            measured.peak >> 20,
        )?;
    }
    Ok(())
}

/// Measures in a process of its own, or two at once.
fn ask(engine: Name, job: Job, options: &Options) -> Result<Measured, Failure> {
    if engine != Name::Halves {
        return answer(begin(engine, job, options, None)?);
    }
    let (even, odd) = (begin(engine, job, options, Some(0))?, begin(engine, job, options, Some(1))?);
    Ok(answer(even)?.beside(answer(odd)?))
}

fn begin(engine: Name, job: Job, options: &Options, half: Option<u64>) -> Result<Child, Failure> {
    let word = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    };
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", "--share", &options.share.to_string()]);
    command.args(["--engines", &word(engine.to_possible_value()), "--jobs", &word(job.to_possible_value())]);
    if let Some(half) = half {
        command.args(["--half", &half.to_string()]);
    }
    options.batches.iter().for_each(|batch| {
        command.args(["--batches", &batch.to_string()]);
    });
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

fn answer(child: Child) -> Result<Measured, Failure> {
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Measured {
    /// What two processes took that had a half each: as long as the slower one.
    fn beside(self, other: Self) -> Self {
        let slower = |a: Part, b: Part| Part {
            nanoseconds: a.nanoseconds.max(b.nanoseconds),
            p50: a.p50.max(b.p50),
            p99: a.p99.max(b.p99),
            ..a
        };
        Self {
            load: self.load.max(other.load),
            parts: self.parts.into_iter().zip(other.parts).map(|(a, b)| slower(a, b)).collect(),
            peak: self.peak + other.peak,
            held: None,
            checksum: self.checksum.wrapping_add(other.checksum),
        }
    }
}

fn measure(name: Name, job: Job, options: &Options) -> Result<Measured, Failure> {
    let mut engine = name.start(job)?;
    let mut load = Duration::ZERO;
    let (loaded, at_once) = job.loaded();
    for start in (0..loaded).step_by(at_once as usize) {
        load += step(&mut *engine, job, start..loaded.min(start + at_once), options.half)?;
    }
    let (mut next, mut parts) = (loaded, Vec::new());
    for job::Steps { batch, steps } in options.plan(job) {
        let mut taken = Vec::with_capacity(steps as usize);
        for _ in 0..steps {
            taken.push(step(&mut *engine, job, next..next + batch, options.half)?);
            next += batch;
        }
        let nanoseconds = taken.iter().sum::<Duration>().as_nanos() as f64;
        taken.sort_unstable();
        let quantile =
            |share: f64| taken[((taken.len() - 1) as f64 * share).round() as usize].as_nanos() as f64;
        parts.push(Part { batch, steps, nanoseconds, p50: quantile(0.5), p99: quantile(0.99) });
    }
    let (peak, held) = (peak()?, engine.held()?);
    Ok(Measured { load: load.as_nanos() as f64, parts, peak, held, checksum: engine.checksum() })
}

fn step(
    engine: &mut dyn Engine,
    job: Job,
    changes: Range<u64>,
    half: Option<u64>,
) -> Result<Duration, Failure> {
    let mut changes = job.changes(changes);
    if let Some(half) = half {
        changes.halve(half);
    }
    let start = Instant::now();
    engine.step(changes)?;
    Ok(start.elapsed())
}

/// The most memory that this process has had, in bytes.
fn peak() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
