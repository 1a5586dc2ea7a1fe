//! `coverage`: which lines of a folder's sources were run by instrumented tests.
//!
//! ```text
//! coverage --cov PROGRAM --profiles FOLDER --built FILE --under FOLDER --least PERCENT
//! ```
//!
//! The tests were built with `-C instrument-coverage`, and what cargo said of it (`--message-format=json`) names their
//! programs; each process that ended by itself left a profile. `cov` (of the crate `llvm_profparser`, which reads the
//! profiles of the compiler's own LLVM) counts the lines; tests themselves are left out. Prints a line per file, the least
//! covered first, and fails below the given percentage.

use qadataswap_scorecard::Effort;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Lines of a file that can be run, and those that were.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lines {
    all: u64,
    run: u64,
}

impl Lines {
    fn percent(self) -> f64 {
        self.run as f64 * 100.0 / self.all.max(1) as f64
    }
}

struct Arguments {
    cov: PathBuf,
    profiles: PathBuf,
    built: PathBuf,
    under: String,
    least: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("coverage: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "a program for people")]
fn say(text: &str) {
    println!("{text}");
}

fn arguments() -> Result<Arguments, String> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let place = given.iter().position(|argument| argument == name);
        place.and_then(|place| given.get(place + 1)).cloned().ok_or_else(|| format!("{name} is missing"))
    };
    let least = value("--least")?;
    Ok(Arguments {
        cov: value("--cov")?.into(),
        profiles: value("--profiles")?.into(),
        built: value("--built")?.into(),
        under: value("--under")?,
        least: least.parse().map_err(|error| format!("--least {least}: {error}"))?,
    })
}

fn run() -> Result<bool, String> {
    let arguments = arguments()?;
    let built = std::fs::read_to_string(&arguments.built)
        .map_err(|error| format!("{}: {error}", arguments.built.display()))?;
    let left = profiles(&arguments.profiles)?;
    let profiles = whole(&left);
    say(&format!("{} profiles, {} more that are not whole", profiles.len(), left.len() - profiles.len()));
    let mut command = Command::new(&arguments.cov);
    command.arg("show");
    for profile in &profiles {
        command.arg("--instr-profile").arg(profile);
    }
    for program in programs(&built) {
        command.arg("--object").arg(program);
    }
    let output = command.output().map_err(|error| format!("{}: {error}", arguments.cov.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut files = lines(&String::from_utf8_lossy(&output.stdout), &arguments.under);
    files.sort_by(|one, other| one.1.percent().total_cmp(&other.1.percent()));
    let mut whole = Lines::default();
    for (file, lines) in &files {
        whole.all += lines.all;
        whole.run += lines.run;
        say(&format!("{:6.1} %  {:5} of {:5}  {file}", lines.percent(), lines.run, lines.all));
    }
    say(&format!(
        "{:6.1} %  {:5} of {:5}  all of {}",
        whole.percent(),
        whole.run,
        whole.all,
        arguments.under
    ));
    let mut effort = Effort::of("lines", whole.all);
    effort.goes_on_by(whole.all);
    effort.tell(&[
        ("run", whole.run),
        ("‰", whole.run * 1000 / whole.all.max(1)),
        ("files", files.len() as u64),
    ]);
    if whole.percent() < arguments.least {
        say(&format!("expected {} % at least", arguments.least));
        return Ok(false);
    }
    Ok(true)
}

/// The profiles that processes have left in this folder, and their lengths.
fn profiles(folder: &Path) -> Result<Vec<(PathBuf, u64)>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "profraw") {
            let length = path.metadata().map_err(failed)?.len();
            found.push((path, length));
        }
    }
    if found.is_empty() { Err(format!("no profile in {}", folder.display())) } else { Ok(found) }
}

/// Those that are whole. All of one program, which the name begins with, are of one length; what was killed, or met a
/// limit, as it wrote has left less.
fn whole(found: &[(PathBuf, u64)]) -> Vec<&PathBuf> {
    let program = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split('-').next().unwrap_or_default().to_owned()
    };
    let mut longest = BTreeMap::new();
    for (path, length) in found {
        let most: &mut u64 = longest.entry(program(path)).or_default();
        *most = (*most).max(*length);
    }
    found.iter().filter(|(path, length)| longest[&program(path)] == *length).map(|(path, _)| path).collect()
}

/// The programs that cargo has built.
fn programs(built: &str) -> Vec<String> {
    let messages = built.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| message["executable"].as_str().map(str::to_owned);
    let mut programs: Vec<String> = messages.filter_map(program).collect();
    programs.sort();
    programs.dedup();
    programs
}

/// Lines by file, as `cov show` prints them, of sources below `under` that are no tests.
fn lines(text: &str, under: &str) -> Vec<(String, Lines)> {
    let mut files: Vec<(String, Lines)> = Vec::new();
    let (mut counts, mut is_for_tests) = (false, false);
    for line in text.lines() {
        let mut parts = line.splitn(3, '|');
        let (number, count, code) = (parts.next(), parts.next(), parts.next());
        let (Some(number), Some(count), Some(code)) = (number, count, code) else {
            if let Some((_, file)) = line.trim().split_once(under).filter(|_| line.starts_with('/')) {
                let file = file.trim_start_matches('/').to_owned();
                counts = !file.contains("tests/") && !file.ends_with("tests.rs");
                if counts {
                    files.push((file, Lines::default()));
                }
            } else if line.starts_with('/') {
                counts = false;
            }
            continue;
        };
        // Tests that stand in a file are the last thing in it.
        counts &= !(is_for_tests && code.starts_with("mod ") && code.ends_with('{'));
        is_for_tests = code == "#[cfg(test)]";
        let (true, Some((_, lines))) = (counts && number.trim().parse::<u32>().is_ok(), files.last_mut())
        else {
            continue;
        };
        match count.trim() {
            "" => {}
            count => {
                lines.all += 1;
                lines.run += u64::from(count != "0");
            }
        }
    }
    files.retain(|(_, lines)| lines.all > 0);
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tests_and_of_other_folders_do_not_count() {
        let text = "/w/core/src/ring.rs\n    1|       |#[cfg(test)]\n    1|       |use x;\n    2|      0|fn a() {\n    3|  1.2k|    b | c;\n\
                    \x20   4|       |#[cfg(test)]\n    5|      1|mod tests {\n\
                    /w/core/src/frame/tests/loan.rs\n    1|      1|fn b() {\n/w/other/src/x.rs\n    1|      1|fn c() {\n";
        assert_eq!(lines(text, "/core/src"), [("ring.rs".to_owned(), Lines { all: 2, run: 1 })]);
    }

    #[test]
    fn a_profile_that_is_shorter_than_others_of_its_program_is_left_out() {
        let found = [("/p/1_0-7.profraw", 9), ("/p/1_0-8.profraw", 4), ("/p/2_0-7.profraw", 3)];
        let found = found.map(|(path, length)| (PathBuf::from(path), length));
        assert_eq!(whole(&found), [&found[0].0, &found[2].0]);
    }

    #[test]
    fn programs_are_those_that_cargo_names() {
        let built = "{\"executable\":\"/t/b\"}\n{\"executable\":null}\nnoise\n{\"executable\":\"/t/a\"}\n{\"executable\":\"/t/b\"}";
        assert_eq!(programs(built), ["/t/a", "/t/b"]);
    }
}
