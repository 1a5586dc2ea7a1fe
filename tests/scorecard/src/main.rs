//! `scorecard`: runs the rows of the reliability scorecard and writes them to `docs/reliability.md`.
//!
//! ```text
//! scorecard [--rows 1,4-6] [--seconds N] [--document FILE] [--list]
//! ```
//!
//! Each row is a command and how much of it to do; what the tests tell (see the library) becomes the row's figures,
//! together with machine, commit, date and duration. Rows that are not run keep what stands in the document.

mod document;
mod rows;

use qadataswap_scorecard::{FILE, SECONDS, Told};
use rows::{ROWS, Row};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// What a row's run came to.
struct Outcome {
    told: Vec<Told>,
    duration: Duration,
    passed: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("scorecard: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, reason = "a program for people")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn run() -> Result<bool, String> {
    let mut chosen: Vec<u32> = ROWS.iter().map(|row| row.number).collect();
    let mut seconds = None;
    let mut path = PathBuf::from("docs/reliability.md");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--rows" => chosen = rows::parse(&value()?)?,
            "--seconds" => {
                let text = value()?;
                seconds = Some(text.parse::<u64>().map_err(|error| format!("--seconds {text}: {error}"))?);
            }
            "--document" => path = value()?.into(),
            "--list" => {
                ROWS.iter()
                    .for_each(|row| say(&format!("{:2}  {}  [{}]", row.number, row.measure, row.command)));
                return Ok(true);
            }
            other => {
                return Err(format!("{other}: unknown; there are --rows, --seconds, --document, --list"));
            }
        }
    }
    let mut all_passed = true;
    for row in ROWS.iter().filter(|row| chosen.contains(&row.number)) {
        say(&format!("== row {}: {} ==", row.number, row.measure));
        let outcome = carry_out(row, seconds)?;
        all_passed &= outcome.passed;
        let line = document::line(row, &outcome);
        say(&line);
        // After each row: a run that is cut short has not been in vain.
        document::replace(&path, row.number, &line)?;
    }
    Ok(all_passed)
}

/// Runs a row's command and collects what its tests tell.
fn carry_out(row: &Row, seconds: Option<u64>) -> Result<Outcome, String> {
    let file =
        std::env::temp_dir().join(format!("qadataswap-scorecard-{}-{}", std::process::id(), row.number));
    let _ = std::fs::remove_file(&file);
    let mut command = Command::new("sh");
    command.args(["-c", row.command]).env(FILE, &file).envs(row.effort.iter().copied());
    if let Some(seconds) = seconds.or(row.seconds) {
        command.env(SECONDS, seconds.to_string());
    }
    let began = Instant::now();
    let status = command.status().map_err(|error| format!("{}: {error}", row.command))?;
    let duration = began.elapsed();
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    let told = text.lines().map(serde_json::from_str).collect::<Result<Vec<Told>, _>>();
    let told = told.map_err(|error| format!("what row {} told: {error}", row.number))?;
    // A row whose tests told nothing has shown nothing.
    let passed = status.success() && !told.is_empty();
    Ok(Outcome { told, duration, passed })
}
