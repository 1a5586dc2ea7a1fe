//! `watched UNIT COMMAND...`: runs tests under a tool that watches them, and tells the scorecard how many there were.
//!
//! ```text
//! watched "tests under the address sanitizer" tests/fuzz/cargo.sh address test -p qadataswap-core
//! ```
//!
//! Law: it fails if the command does, if the tool reported anything, whatever became of that, and if no test was run.
//! Tests are counted from what libtest and GoogleTest say of those that passed.

use qadataswap_scorecard::Effort;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

/// How a report of a sanitizer begins, somewhere in its line. Valgrind counts its own.
const REPORTS: [&str; 4] =
    ["ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", ": runtime error:"];

/// What was said, line by line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    passed: u64,
    reports: u64,
}

impl Count {
    fn add(&mut self, line: &str) {
        let number = |text: &str| text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        let after = |mark: &str| line.split_once(mark).and_then(|(_, rest)| number(rest)).unwrap_or(0);
        self.passed += after("test result: ok.") + after("[  PASSED  ]");
        let begins = REPORTS.iter().any(|report| line.contains(report));
        self.reports += u64::from(begins) + after("ERROR SUMMARY:");
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(unit), Some(program)) = (arguments.next(), arguments.next()) else {
        let _ = writeln!(std::io::stderr(), "watched: it takes a unit and a command");
        return ExitCode::FAILURE;
    };
    let mut effort = Effort::uncounted(&unit);
    let (count, status) = match run(Command::new(&program).args(arguments), &mut std::io::stdout()) {
        Ok(outcome) => outcome,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "watched: {program}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Count { passed, reports } = count;
    let _ = writeln!(std::io::stdout(), "{unit}: {passed} passed, {reports} reports, {status}");
    if !status.success() || reports > 0 || passed == 0 {
        return ExitCode::FAILURE;
    }
    effort.add(passed);
    effort.tell(&[]);
    ExitCode::SUCCESS
}

/// Runs the command to its end, passes on to `listener` what it says, and counts.
fn run(command: &mut Command, listener: &mut impl Write) -> std::io::Result<(Count, ExitStatus)> {
    // One stream for both, so that a report stands where it was made.
    let (output, input) = std::io::pipe()?;
    let mut child = command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input).spawn()?;
    // From here on the child alone can say anything: the stream ends when it does.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut count = Count::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        count.add(&line);
        // Whoever does not want to see it any more still gets the verdict.
        let _ = writeln!(listener, "{line}");
    }
    Ok((count, child.wait()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(line: &str) -> (u64, u64) {
        let mut count = Count::default();
        count.add(line);
        (count.passed, count.reports)
    }

    #[test]
    fn what_test_programs_and_tools_say_is_counted() {
        assert_eq!(counted("test result: ok. 12 passed; 0 failed; 0 ignored"), (12, 0));
        assert_eq!(counted("test result: FAILED. 11 passed; 1 failed; 0 ignored"), (0, 0));
        assert_eq!(counted("7: [  PASSED  ] 34 tests."), (34, 0));
        assert_eq!(counted("==7==ERROR: AddressSanitizer: heap-use-after-free on address"), (0, 1));
        assert_eq!(counted("==7==ERROR: LeakSanitizer: detected memory leaks"), (0, 1));
        assert_eq!(counted("WARNING: ThreadSanitizer: data race (pid=7)"), (0, 1));
        assert_eq!(counted("==7== ERROR SUMMARY: 3 errors from 2 contexts (suppressed: 0 from 0)"), (0, 3));
        assert_eq!(counted("==7== ERROR SUMMARY: 0 errors from 0 contexts (suppressed: 0 from 0)"), (0, 0));
        assert_eq!(counted("src/c_api.cc:7:1: runtime error: null pointer passed"), (0, 1));
        assert_eq!(counted("running 12 tests"), (0, 0));
    }

    #[test]
    fn both_streams_are_counted_and_the_commands_end_is_told() {
        let said = "echo 'test result: ok. 2 passed'; echo 'WARNING: ThreadSanitizer: data race' >&2; exit 3";
        let mut heard = Vec::new();
        let (count, status) =
            run(Command::new("sh").args(["-c", said]), &mut heard).expect("there is a shell");
        assert_eq!((count, status.code()), (Count { passed: 2, reports: 1 }, Some(3)));
        assert_eq!(heard, b"test result: ok. 2 passed\nWARNING: ThreadSanitizer: data race\n");
    }
}
