//! What was measured, as the program `report` reads it: records as in `benches/src/book.rs`.

use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A cell of a table, and its values: of each round a median and a 99th percentile.
#[derive(Debug)]
struct Cell {
    key: [String; 3],
    unit: &'static str,
    values: Vec<(f64, f64)>,
    samples: u64,
}

/// What was measured, in the order in which it is first told.
#[derive(Debug, Default)]
pub(crate) struct Told(Vec<Cell>);

#[derive(Serialize)]
struct Record<'a> {
    table: &'a str,
    row: &'a str,
    column: &'a str,
    unit: &'a str,
    p50: f64,
    p99: f64,
    samples: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<f64>,
}

impl Told {
    /// Takes in the median and the 99th percentile of a round.
    pub(crate) fn take(&mut self, key: [&str; 3], unit: &'static str, value: (f64, f64), samples: u64) {
        let cell = match self.0.iter_mut().position(|cell| cell.key == key) {
            Some(at) => &mut self.0[at],
            None => {
                self.0.push(Cell { key: key.map(str::to_owned), unit, values: Vec::new(), samples: 0 });
                let last = self.0.len() - 1;
                &mut self.0[last]
            }
        };
        cell.values.push(value);
        cell.samples += samples;
    }

    /// Writes it, with what stands in the column `floor` of a row as what the row's other values are compared with.
    pub(crate) fn write(&self, path: &Path, floor: &str) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for cell in &self.0 {
            let [table, row, column] = cell.key.each_ref().map(String::as_str);
            let beside = self.0.iter().find(|other| {
                other.key[..2] == cell.key[..2]
                    && other.key[2] == floor
                    && column != floor
                    && other.unit == cell.unit
            });
            let (p50, p99) = cell.median();
            let floor = beside.map(|beside| beside.median().0);
            let record =
                Record { table, row, column, unit: cell.unit, p50, p99, samples: cell.samples, floor };
            serde_json::to_writer(&mut file, &record)?;
            writeln!(file)?;
        }
        file.flush()
    }
}

impl Cell {
    /// The medians of the rounds' medians, and of their percentiles.
    fn median(&self) -> (f64, f64) {
        let middle = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            values[values.len() / 2]
        };
        (
            middle(self.values.iter().map(|value| value.0).collect()),
            middle(self.values.iter().map(|value| value.1).collect()),
        )
    }
}
