//! What was measured: a table for people, and lines of JSON for programs.

use qadataswap_benches::Samples;
use qadataswap_benches::rings::Failure;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The figures of one table, until they are printed.
#[derive(Debug)]
pub(crate) struct Report {
    json: Option<File>,
    cells: Vec<Cell>,
}

/// What stands beside the figures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside<'a> {
    /// Nothing.
    Nothing,
    /// Their medians as multiples of this row's.
    Floor(&'a str),
    /// How many millions that makes in a second.
    Rate,
}

#[derive(Debug)]
struct Cell {
    row: String,
    column: String,
    taken: Vec<u64>,
}

impl Cell {
    /// The `share`-quantile, nearest rank, of what is sorted.
    fn quantile(&self, share: f64) -> u64 {
        self.taken[((self.taken.len() - 1) as f64 * share).round() as usize]
    }
}

impl Report {
    /// One that also adds to a file, if it is given.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn new(json: Option<&Path>) -> std::io::Result<Report> {
        let json = json.map(|path| File::options().append(true).create(true).open(path)).transpose()?;
        Ok(Report { json, cells: Vec::new() })
    }

    /// Adds nanoseconds to a row and column.
    pub(crate) fn add(&mut self, row: &str, column: &str, taken: &[u64]) {
        match self.cells.iter_mut().find(|cell| cell.row == row && cell.column == column) {
            Some(cell) => cell.taken.extend_from_slice(taken),
            None => self.cells.push(Cell {
                row: row.to_owned(),
                column: column.to_owned(),
                taken: taken.to_vec(),
            }),
        }
    }

    /// Adds what was timed elsewhere.
    pub(crate) fn add_samples(&mut self, row: &str, column: &str, samples: &Samples) {
        let taken: Vec<u64> = samples.taken().iter().map(|each| each.as_nanos() as u64).collect();
        self.add(row, column, &taken);
    }

    /// Prints what has come together under a name, and begins anew.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(
        &mut self,
        table: &str,
        what: &str,
        beside: Beside<'_>,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let mut cells = std::mem::take(&mut self.cells);
        cells.iter_mut().for_each(|cell| cell.taken.sort_unstable());
        writeln!(out, "\n{table}: nanoseconds, {what}")?;
        let last = match beside {
            Beside::Nothing => "",
            Beside::Floor(_) => "÷ floor",
            Beside::Rate => "M/s",
        };
        writeln!(out, "{:<40} {:<20} {:>12} {:>12} {:>8} {last:>8}", "way", "", "p50", "p99", "samples")?;
        for cell in &cells {
            let floor = match beside {
                Beside::Floor(row) => {
                    cells.iter().find(|other| other.column == cell.column && other.row == row)
                }
                Beside::Nothing | Beside::Rate => None,
            };
            let floor = floor.map(|cell| cell.quantile(0.5));
            let (median, tail) = (cell.quantile(0.5), cell.quantile(0.99));
            let last = match (beside, floor) {
                (Beside::Rate, _) => format!("{:.2}", 1e3 / median as f64),
                (_, Some(floor)) => format!("{:.2}", median as f64 / floor as f64),
                (_, None) => String::new(),
            };
            let Cell { row, column, taken } = cell;
            let samples = taken.len();
            writeln!(out, "{row:<40} {column:<20} {median:>12} {tail:>12} {samples:>8} {last:>8}")?;
            if let Some(file) = &mut self.json {
                let line = json!({
                    "table": table, "row": row, "column": column, "unit": "ns",
                    "p50": median, "p99": tail, "samples": samples, "floor": floor,
                });
                writeln!(file, "{line}")?;
            }
        }
        out.flush()?;
        Ok(())
    }
}
