//! Records as tables of Markdown.

use super::Run;
use qadataswap_benches::book::{Record, quantity};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;

const BEGIN: &str = "<!-- measured: ";
const END: &str = "<!-- end -->";

/// A page with its tables filled.
pub(crate) struct Filled {
    pub(crate) page: String,
    /// Tables on it of which there are no figures.
    pub(crate) left: Vec<String>,
    /// Tables of which there are figures, and that have no place on it.
    pub(crate) homeless: Vec<String>,
}

/// Fills the tables of a page.
pub(crate) fn fill(page: &str, runs: &[Run]) -> Result<Filled, Box<dyn Error>> {
    let mut rest = page;
    let (mut filled, mut left) = (String::with_capacity(page.len()), Vec::new());
    let mut homeless: BTreeSet<&str> =
        runs.iter().flat_map(|run| &run.records).map(|record| record.table.as_str()).collect();
    while let Some(at) = rest.find(BEGIN) {
        let (before, after) = rest.split_at(at);
        let line_end = after.find('\n').ok_or("a marker without an end of its line")?;
        let (marker, after) = after.split_at(line_end + 1);
        let name = marker.trim_start_matches(BEGIN).trim_end().trim_end_matches(" -->");
        let end = after.find(END).ok_or_else(|| format!("the table {name} has no end"))?;
        filled.push_str(before);
        filled.push_str(marker);
        homeless.remove(name);
        match runs.iter().find(|run| run.records.iter().any(|record| record.table == name)) {
            Some(run) => filled.push_str(&table(run, name)?),
            None => {
                left.push(name.to_owned());
                filled.push_str(&after[..end]);
            }
        }
        rest = &after[end..];
    }
    filled.push_str(rest);
    let homeless = homeless.into_iter().map(str::to_owned).collect();
    Ok(Filled { page: filled, left, homeless })
}

fn table(run: &Run, name: &str) -> Result<String, Box<dyn Error>> {
    let records: Vec<&Record> = run.records.iter().filter(|record| record.table == name).collect();
    let (rows, columns) =
        (distinct(&records, |record| &record.row), distinct(&records, |record| &record.column));
    let mut text = String::new();
    writeln!(text, "| | {} |", columns.join(" | "))?;
    writeln!(text, "|---|{}", "---|".repeat(columns.len()))?;
    for row in rows {
        write!(text, "| {row} |")?;
        for column in &columns {
            let found = records.iter().find(|record| record.row == row && record.column == *column);
            write!(text, " {} |", found.map_or_else(|| "–".to_owned(), |record| cell(record)))?;
        }
        writeln!(text)?;
    }
    writeln!(text, "\n*{}*", run.provenance)?;
    Ok(text)
}

/// The median, the 99th percentile where there is one, and the ratio to the floor.
fn cell(record: &Record) -> String {
    let Record { p50, p99, unit, samples, floor, .. } = record;
    let mut text = quantity(*p50, unit);
    if unit == "ns" && *samples > 1 {
        text = format!("{text} / {}", quantity(*p99, unit));
    }
    match floor {
        Some(floor) if *floor > 0.0 => format!("{text} (**{}**)", quantity(p50 / floor, "")),
        _ => text,
    }
}

fn distinct<'a>(records: &[&'a Record], of: impl Fn(&'a Record) -> &'a str) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for record in records {
        let name = of(record);
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(table: &str, column: &str, p50: f64, floor: Option<f64>) -> Record {
        let [table, row, column, unit] = [table, "one row", column, "ns"].map(str::to_owned);
        Record { table, row, column, unit, p50, p99: p50 * 2.0, samples: 9, floor }
    }

    #[test]
    fn tables_are_filled_where_there_are_figures_and_named_where_there_are_none() {
        let page = "# A\n<!-- measured: a -->\nold\n<!-- end -->\nbetween\n<!-- measured: b -->\nold\n<!-- end -->\nlast\n";
        let records = vec![
            record("a", "x", 250.0, None),
            record("a", "y", 500.0, Some(250.0)),
            record("c", "x", 1.0, None),
        ];
        let runs = [Run { records, provenance: "a machine".to_owned() }];
        let Filled { page: text, left, homeless } = fill(page, &runs).expect("the page is whole");
        assert_eq!(
            text,
            "# A\n<!-- measured: a -->\n| | x | y |\n|---|---|---|\n| one row | 250 ns / 500 ns | 500 ns / 1.00 µs (**2.00**) |\n\
             \n*a machine*\n<!-- end -->\nbetween\n<!-- measured: b -->\nold\n<!-- end -->\nlast\n"
        );
        assert_eq!((left, homeless), (vec!["b".to_owned()], vec!["c".to_owned()]));
        assert_eq!(
            fill(&text, &runs).expect("so is what was made of it").page,
            text,
            "filling twice changes nothing"
        );
    }

    #[test]
    fn a_table_without_an_end_is_an_error() {
        assert!(fill("<!-- measured: a -->\n", &[]).is_err());
    }
}
