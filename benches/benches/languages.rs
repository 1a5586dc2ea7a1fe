//! `cargo bench -p qadataswap-benches --bench languages -- PROGRAM`: what a frame costs in C++ against what it costs in
//! Rust. Both take turns in one run: some frames here, as many in PROGRAM (cpp/benches/frames), and again; the medians
//! of each round's medians are compared. Without PROGRAM nothing is measured. `-- PROGRAM 0.1` takes a tenth of the samples.

use qadataswap::{Reader, SharedMemoryConfig, Writer};
use qadataswap_benches::book::{Book, Key};
use qadataswap_benches::{Asked, Samples, provenance, quotes};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::process::Command;

/// Rounds, each of Rust and then of C++.
const ROUNDS: usize = 7;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let Asked { share, tables: programs } = Asked::read();
    let [program] = programs.as_slice() else {
        writeln!(io::stdout(), "languages: no program to compare with; see `make benchmark-cpp`")?;
        return Ok(());
    };
    writeln!(io::stdout(), "{}", provenance())?;
    let mut book = Book::new("languages");
    for (rows, turns) in [(1, 30_000), (1_000, 10_000), (1_000_000, 12)] {
        let turns = ((f64::from(turns) * share) as usize).max(8);
        for _ in 0..ROUNDS {
            rust(rows, turns, &mut book)?;
            cpp(program, rows, turns, &mut book)?;
        }
    }
    book.close()?;
    Ok(())
}

/// Rust's step that one is to be compared with, if it is a like one.
fn like<'a>(step: &str, column: &'a str) -> Option<Key<'a>> {
    match step {
        step if step.contains("rite") => Some(("languages", WRITE, column)),
        step if step.contains("ead") => Some(("languages", READ, column)),
        _ => None,
    }
}

const WRITE: &str = "Rust: write_arrow";
const READ: &str = "Rust: read to a RecordBatch";

/// One round here.
fn rust(rows: usize, turns: usize, book: &mut Book) -> Result<(), Failure> {
    let table = quotes(rows);
    let config = SharedMemoryConfig::new(format!("bench-rust-{}", std::process::id()))
        .with_slot_bytes((rows as u64 * 64).max(8 << 10))
        .with_prefault(true);
    let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);
    let mut write = Samples::new(WRITE);
    let mut read = Samples::new(READ);
    let mut let_go = Samples::new("Rust: drop the batch and its lease");
    for turn in 0..turns + 6 {
        if turn < 6 {
            writer.write_arrow(&table)?;
            assert_eq!(reader.try_read_arrow()?.as_ref(), Some(&table));
            continue;
        }
        write.time(|| writer.write_arrow(black_box(&table)))?;
        let batch = read.time(|| reader.try_read_arrow())?.ok_or("a frame is missing")?;
        let_go.time(|| drop(black_box(batch)));
    }
    assert_eq!(reader.stats().bytes_copied, 0, "reading copies nothing");
    let column = format!("{rows} rows × 5");
    for samples in [write, read, let_go] {
        let name = samples.name();
        book.take(("languages", name, &column), like(name, &column), samples);
    }
    Ok(())
}

/// One round there.
fn cpp(program: &str, rows: usize, turns: usize, book: &mut Book) -> Result<(), Failure> {
    let output = Command::new(program).args([rows.to_string(), turns.to_string()]).output()?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let column = format!("{rows} rows × 5");
    for line in String::from_utf8(output.stdout)?.lines() {
        let mut fields = line.split('\t');
        let (Some(name), Some(median), Some(tail)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(format!("{program}: {line}").into());
        };
        let both = (median.parse()?, tail.parse()?);
        book.told(("languages", &format!("C++: {name}"), &column), like(name, &column), both, turns as u64);
    }
    Ok(())
}
