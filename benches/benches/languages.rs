//! `cargo bench -p qadataswap-benches --bench languages -- PROGRAM`: what a frame costs in C++ against what it costs in
//! Rust. Both take turns in one run: some frames here, as many in PROGRAM (cpp/benches/frames), and again; the medians
//! of each round's medians are compared. Without PROGRAM nothing is measured.

use qadataswap::{Reader, SharedMemoryConfig, Writer};
use qadataswap_benches::{Samples, provenance, quotes};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Rounds, each of Rust and then of C++.
const ROUNDS: usize = 7;

type Failure = Box<dyn std::error::Error>;
/// By the order in which they are shown: a step's name, and its medians and 99th percentiles in nanoseconds.
type Steps = BTreeMap<usize, (String, Vec<u64>, Vec<u64>)>;

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let Some(program) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        writeln!(out, "languages: no program to compare with; see `make benchmark-cpp`")?;
        return Ok(());
    };
    writeln!(out, "{}", provenance())?;
    writeln!(out, "{:>9} {:<40} {:>10} {:>10} {:>8}", "rows", "step", "p50 ns", "p99 ns", "÷ Rust")?;
    for (rows, turns) in [(1, 30_000), (1_000, 10_000), (1_000_000, 12)] {
        let mut steps = Steps::new();
        for _ in 0..ROUNDS {
            rust(rows, turns, &mut steps)?;
            cpp(Path::new(&program), rows, turns, &mut steps)?;
        }
        let (mut write, mut read) = (0, 0);
        for (name, medians, tails) in steps.values_mut() {
            let (median, tail) = (middle(medians), middle(tails));
            let base = match name.as_str() {
                "Rust: write_arrow" => {
                    write = median;
                    write
                }
                "Rust: read to a RecordBatch" => {
                    read = median;
                    read
                }
                step if step.contains("rite") => write,
                step if step.contains("ead") => read,
                _ => 0,
            };
            let ratio = if base > 0 { format!("{:.2}", median as f64 / base as f64) } else { String::new() };
            writeln!(out, "{rows:>9} {name:<40} {median:>10} {tail:>10} {ratio:>8}")?;
        }
    }
    Ok(())
}

fn middle(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

fn add(steps: &mut Steps, at: usize, name: &str, median: u64, tail: u64) {
    let (_, medians, tails) = steps.entry(at).or_insert_with(|| (name.to_owned(), Vec::new(), Vec::new()));
    medians.push(median);
    tails.push(tail);
}

/// One round here.
fn rust(rows: usize, turns: usize, steps: &mut Steps) -> Result<(), Failure> {
    let table = quotes(rows);
    let config = SharedMemoryConfig::new(format!("bench-rust-{}", std::process::id()))
        .with_slot_bytes((rows as u64 * 64).max(8 << 10))
        .with_prefault(true);
    let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);
    let mut write = Samples::new("Rust: write_arrow");
    let mut read = Samples::new("Rust: read to a RecordBatch");
    let mut let_go = Samples::new("Rust: drop the batch and its lease");
    for turn in 0..turns + 6 {
        if turn < 6 {
            writer.write_arrow(&table)?;
            assert_eq!(reader.try_read_arrow()?.as_ref(), Some(&table));
            continue;
        }
        write.time(|| writer.write_arrow(std::hint::black_box(&table)))?;
        let batch = read.time(|| reader.try_read_arrow())?.ok_or("a frame is missing")?;
        let_go.time(|| drop(std::hint::black_box(batch)));
    }
    assert_eq!(reader.stats().bytes_copied, 0, "reading copies nothing");
    for (at, samples) in [write, read, let_go].iter_mut().enumerate() {
        let quantile = |samples: &mut Samples, share| samples.quantile(share).as_nanos() as u64;
        let (median, tail) = (quantile(samples, 0.5), quantile(samples, 0.99));
        add(steps, at, samples.name(), median, tail);
    }
    Ok(())
}

/// One round there.
fn cpp(program: &Path, rows: usize, turns: usize, steps: &mut Steps) -> Result<(), Failure> {
    let output = Command::new(program).args([rows.to_string(), turns.to_string()]).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    for (at, line) in String::from_utf8(output.stdout)?.lines().enumerate() {
        let mut fields = line.split('\t');
        let (Some(name), Some(median), Some(tail)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(format!("{}: {line}", program.display()).into());
        };
        add(steps, 100 + at, &format!("C++: {name}"), median.parse()?, tail.parse()?);
    }
    Ok(())
}
