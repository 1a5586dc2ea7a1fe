//! What was measured, told twice: to people as a table, and to the program `report` as lines of JSON.

use crate::Samples;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// A measured value: a cell of a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The table's name.
    pub table: String,
    /// What was measured.
    pub row: String,
    /// Under what circumstances.
    pub column: String,
    /// `ns`, `B`, `/s`, or none for what is a plain number.
    pub unit: String,
    /// The median.
    pub p50: f64,
    /// The 99th percentile; of what was measured once, the value again.
    pub p99: f64,
    /// How many samples there were.
    pub samples: u64,
    /// The median of what it is to be compared with, out of the same run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
}

/// The table, row and column of a value.
pub type Key<'a> = (&'a str, &'a str, &'a str);

/// A value on its way: of each round its median and its 99th percentile.
struct Cell {
    record: Record,
    medians: Vec<f64>,
    tails: Vec<f64>,
    floor: Option<usize>,
}

/// What a program measures, in the order in which it is first told.
pub struct Book {
    program: &'static str,
    cells: Vec<Cell>,
}

impl Book {
    /// An empty one.
    #[must_use]
    pub fn new(program: &'static str) -> Book {
        Book { program, cells: Vec::new() }
    }

    fn place(&mut self, (table, row, column): Key<'_>, unit: &str) -> usize {
        let is_it = |cell: &Cell| {
            let record = &cell.record;
            (record.table.as_str(), record.row.as_str(), record.column.as_str()) == (table, row, column)
        };
        if let Some(at) = self.cells.iter().position(is_it) {
            return at;
        }
        let [table, row, column, unit] = [table, row, column, unit].map(str::to_owned);
        let record = Record { table, row, column, unit, p50: 0.0, p99: 0.0, samples: 0, floor: None };
        self.cells.push(Cell { record, medians: Vec::new(), tails: Vec::new(), floor: None });
        self.cells.len() - 1
    }

    /// Takes in a round's samples of a duration. What is given as `floor` has been told before.
    pub fn take(&mut self, key: Key<'_>, floor: Option<Key<'_>>, mut samples: Samples) {
        let both = (samples.quantile(0.5).as_nanos() as f64, samples.quantile(0.99).as_nanos() as f64);
        self.told(key, floor, both, samples.len() as u64);
    }

    /// Takes in a round's median and 99th percentile of a duration in nanoseconds, of so many samples that another program has taken.
    pub fn told(&mut self, key: Key<'_>, floor: Option<Key<'_>>, (median, tail): (f64, f64), samples: u64) {
        let floor = floor.map(|floor| self.place(floor, "ns"));
        let at = self.place(key, "ns");
        let cell = &mut self.cells[at];
        cell.medians.push(median);
        cell.tails.push(tail);
        cell.record.samples += samples;
        cell.floor = floor;
    }

    /// Takes in a round's value of another kind.
    pub fn value(&mut self, key: Key<'_>, unit: &str, value: f64) {
        let at = self.place(key, unit);
        let cell = &mut self.cells[at];
        cell.medians.push(value);
        cell.tails.push(value);
        cell.record.samples += 1;
    }

    /// The median so far.
    ///
    /// # Panics
    /// If there is no such value.
    #[must_use]
    pub fn median(&mut self, key: Key<'_>) -> f64 {
        let at = self.place(key, "ns");
        middle(&mut self.cells[at].medians)
    }

    /// Prints everything as a table, and writes it to `target/benchmark/PROGRAM.jsonl` in the place of what stood there.
    ///
    /// # Errors
    /// If either cannot be written.
    pub fn close(mut self) -> io::Result<()> {
        let medians: Vec<f64> = self.cells.iter_mut().map(|cell| middle(&mut cell.medians)).collect();
        for (cell, &median) in self.cells.iter_mut().zip(&medians) {
            cell.record.p50 = median;
            cell.record.p99 = middle(&mut cell.tails);
            cell.record.floor = cell.floor.map(|floor| medians[floor]);
        }
        let folder = results();
        std::fs::create_dir_all(&folder)?;
        let mut file = BufWriter::new(File::create(folder.join(self.program).with_extension("jsonl"))?);
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{:<20} {:<38} {:<28} {:>12} {:>12} {:>8}",
            "table", "row", "column", "p50", "p99", "÷ floor"
        )?;
        for Cell { record, .. } in &self.cells {
            serde_json::to_writer(&mut file, record)?;
            writeln!(file)?;
            let Record { table, row, column, unit, p50, p99, .. } = record;
            let ratio = record.floor.map_or(String::new(), |floor| format!("{:.2}", p50 / floor));
            let (p50, p99) = (quantity(*p50, unit), quantity(*p99, unit));
            writeln!(out, "{table:<20} {row:<38} {column:<28} {p50:>12} {p99:>12} {ratio:>8}")?;
        }
        file.flush()
    }
}

/// The folder of what was measured last.
#[must_use]
pub fn results() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("benchmark")
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn middle(values: &mut [f64]) -> f64 {
    assert!(!values.is_empty(), "something was measured");
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A value with its unit, in three digits.
#[must_use]
pub fn quantity(value: f64, unit: &str) -> String {
    let steps: &[(f64, &str)] = match unit {
        "ns" => &[(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")],
        "B" => &[(1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")],
        "/s" => &[(1e9, " G/s"), (1e6, " M/s"), (1e3, " k/s"), (1.0, " /s")],
        _ => &[(1.0, "")],
    };
    let (step, name) = steps.iter().find(|(step, _)| value.abs() >= *step).unwrap_or(&steps[steps.len() - 1]);
    let scaled = value / step;
    match scaled.abs() {
        // Whole things have no fraction.
        _ if *step == 1.0 && !unit.is_empty() => format!("{scaled:.0}{name}"),
        size if size < 10.0 => format!("{scaled:.2}{name}"),
        size if size < 100.0 => format!("{scaled:.1}{name}"),
        _ => format!("{scaled:.0}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_three_digits_and_a_unit() {
        for (value, unit, text) in [
            (0.0, "ns", "0 ns"),
            (246.0, "ns", "246 ns"),
            (2_511.0, "ns", "2.51 µs"),
            (46_000_000.0, "ns", "46.0 ms"),
            (1_500_000.0, "/s", "1.50 M/s"),
            (800_000_000.0, "B", "800 MB"),
            (0.981, "", "0.98"),
        ] {
            assert_eq!(quantity(value, unit), text);
        }
    }
}
