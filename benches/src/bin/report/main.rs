//! Writes what was measured last, `target/benchmark/*.jsonl`, into the tables of `docs/performance.md`, and draws its pictures.
//!
//! A table stands there between `<!-- measured: NAME -->` and `<!-- end -->`, and says with which machine, commit and date its
//! figures were had. A table of which there are no new figures stays as it is, and is named.

mod pictures;
mod tables;

use qadataswap_benches::book::{Record, results, root};
use qadataswap_benches::provenance_at;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;
use tables::Filled;

/// The records of one program, and where and when they were had.
struct Run {
    records: Vec<Record>,
    provenance: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let page = root().join("docs/performance.md");
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(results())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            runs.push(read(&path)?);
        }
    }
    let text = std::fs::read_to_string(&page)?;
    let Filled { page: text, left, homeless } = tables::fill(&text, &runs)?;
    std::fs::write(&page, text)?;
    pictures::draw(&runs, &root().join("docs/performance"))?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", page.canonicalize()?.display())?;
    for table in left {
        writeln!(out, "no new figures, left as it was: {table}")?;
    }
    for table in homeless {
        writeln!(out, "measured, but not shown on that page: {table}")?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Run, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let records: Result<Vec<Record>, _> = text.lines().map(serde_json::from_str).collect();
    let records = records.map_err(|error| format!("{}: {error}", path.display()))?;
    let seconds = path.metadata()?.modified()?.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    Ok(Run { records, provenance: format!("{}, {}", provenance_at(seconds), date(seconds)) })
}

/// The day of a time in seconds since 1970, by the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
/// algorithms", 2013).
fn date(seconds: u64) -> String {
    let day = seconds / 86_400 + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) =
        (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_795_305_599), "2026-11-21");
        assert_eq!(date(1_795_305_600), "2026-11-22");
    }
}
