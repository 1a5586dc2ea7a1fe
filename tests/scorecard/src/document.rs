//! The table in the document: one line a row, each with the circumstances of its own run.

use crate::Outcome;
use crate::rows::Row;
use qadataswap_scorecard::{FOREVER, Told};
use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- scorecard: written by `make scorecard` -->";
const END: &str = "<!-- end of scorecard -->";

/// The row as a line of the table: number, measure, what was done and found, result, duration, circumstances.
pub(crate) fn line(row: &Row, outcome: &Outcome) -> String {
    let done: Vec<String> = together(&outcome.told).iter().map(figures).collect();
    let result = if outcome.passed { "passed" } else { "**FAILED**" };
    format!(
        "| {} | {} | {} | {} | {} | {} |",
        row.number,
        row.measure,
        if done.is_empty() { "nothing was told".to_owned() } else { done.join("; ") },
        result,
        time(outcome.duration.as_secs_f64()),
        circumstances(),
    )
}

/// What several tests have told of one unit, added up.
fn together(told: &[Told]) -> Vec<Told> {
    let mut sums: Vec<Told> = Vec::new();
    for one in told {
        let Some(sum) = sums.iter_mut().find(|sum| sum.unit == one.unit) else {
            sums.push(one.clone());
            continue;
        };
        sum.done += one.done;
        sum.asked = sum.asked.saturating_add(one.asked);
        sum.seconds += one.seconds;
        for (name, count) in &one.found {
            match sum.found.iter_mut().find(|(found, _)| found == name) {
                Some((_, total)) => *total += count,
                None => sum.found.push((name.clone(), *count)),
            }
        }
    }
    sums
}

/// `20,000 kills: 0 torn, 0 stuck`.
fn figures(told: &Told) -> String {
    let found: Vec<String> =
        told.found.iter().map(|(name, count)| format!("{} {name}", grouped(*count))).collect();
    let done = match told.done < told.asked && told.asked != FOREVER {
        true => format!("{} of {} {}", grouped(told.done), grouped(told.asked), told.unit),
        false => format!("{} {}", grouped(told.done), told.unit),
    };
    if found.is_empty() { done } else { format!("{done}: {}", found.join(", ")) }
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds => format!("{:.0} min", seconds / 60.0),
    }
}

/// Machine, commit and date.
fn circumstances() -> String {
    let output = |program: &str, arguments: &[&str]| {
        let output =
            Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
        output.map_or_else(
            || "?".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("?", |(_, name)| name.trim());
    // The document itself is being written.
    let changed = output("git", &["status", "--porcelain", "--", ".", ":!docs/reliability.md"]);
    let commit = output("git", &["rev-parse", "--short=9", "HEAD"]);
    let commit = if changed.is_empty() { commit } else { format!("{commit} with changes") };
    format!("{} × {cpu}, {}, {commit}", cores, output("date", &["-u", "+%F"]))
}

/// Puts the line into the document's table, in the place of the row's former one.
pub(crate) fn replace(path: &Path, number: u32, line: &str) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(told)?;
    let text =
        with_row(&text, number, line).ok_or_else(|| format!("{}: no scorecard table", path.display()))?;
    std::fs::write(path, text).map_err(told)
}

fn with_row(text: &str, number: u32, line: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    let row_of = |line: &str| line.split('|').nth(1)?.trim().parse::<u32>().ok();
    let mut lines: Vec<&str> =
        table.lines().filter(|old| !old.is_empty() && row_of(old) != Some(number)).collect();
    let place =
        lines.iter().position(|old| row_of(old).is_some_and(|other| other > number)).unwrap_or(lines.len());
    lines.insert(place, line);
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_the_place_of_its_former_self() {
        let text = format!("a\n{BEGIN}\n| # | b |\n|---|---|\n| 1 | x |\n| 3 | z |\n{END}\nc\n");
        let text = with_row(&text, 2, "| 2 | y |").expect("there is a table");
        let text = with_row(&text, 1, "| 1 | w |").expect("there is a table");
        assert_eq!(
            text,
            format!("a\n{BEGIN}\n| # | b |\n|---|---|\n| 1 | w |\n| 2 | y |\n| 3 | z |\n{END}\nc\n")
        );
        assert_eq!(with_row("no table", 1, ""), None);
    }

    #[test]
    fn what_is_told_of_one_unit_is_added_up() {
        let told = |unit: &str, done, found: &[(&str, u64)]| Told {
            unit: unit.to_owned(),
            done,
            asked: 10,
            seconds: 1.0,
            found: found.iter().map(|&(name, count)| (name.to_owned(), count)).collect(),
        };
        let all = [
            told("kills", 10, &[("torn", 1)]),
            told("laps", 4, &[]),
            told("kills", 9, &[("torn", 2), ("stuck", 3)]),
        ];
        let sums: Vec<String> = together(&all).iter().map(figures).collect();
        assert_eq!(sums, ["19 of 20 kills: 3 torn, 3 stuck", "4 of 10 laps"]);
    }

    #[test]
    fn figures_say_what_was_done_and_found() {
        let told = Told {
            unit: "kills".to_owned(),
            done: 20_000,
            asked: 20_000,
            seconds: 1.0,
            found: vec![("torn".to_owned(), 0), ("frames".to_owned(), 1_234_567)],
        };
        assert_eq!(figures(&told), "20,000 kills: 0 torn, 1,234,567 frames");
        let fewer = Told { done: 100, found: Vec::new(), ..told };
        assert_eq!(figures(&fewer), "100 of 20,000 kills");
        assert_eq!(figures(&Told { asked: FOREVER, ..fewer }), "100 kills");
    }
}
