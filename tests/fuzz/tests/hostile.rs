//! A process that may write to a ring rewrites its frames while another reads them: `make test-hostile TRIALS=1000000`.
//!
//! A trial is one frame, read with `Validation::FullOnCopy`: refused with an error, or accepted, and then every value of it
//! is read. The reader is built under the address sanitizer, which ends it at the first step outside.

use qadataswap_fuzz::Folder;
use qadataswap_scorecard::Effort;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Trials between two looks at the time.
const BUNDLE: u64 = 500;

/// One of the two processes.
struct Process {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(arguments: &[&str]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hostile"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was just built");
        let to = child.stdin.take().expect("piped");
        let from = BufReader::new(child.stdout.take().expect("piped")).lines();
        Process { child, to, from }
    }

    /// What it says next; `None` if it has ended.
    fn line(&mut self) -> Option<String> {
        self.from.next().map(|line| line.expect("text"))
    }

    /// Lets it end, and says how it did.
    fn end(self) -> std::process::ExitStatus {
        let Process { mut child, to, from } = self;
        drop((to, from));
        child.wait().expect("our child")
    }
}

#[test]
fn frames_rewritten_while_they_are_read_are_refused_or_read_within_bounds() {
    let mut effort = Effort::of("trials", 1000);
    let folder = Folder::new();
    let path = folder.path().to_str().expect("a name of ours");
    let seed = std::process::id().to_string();
    let mut rewriter = Process::start(&["rewrite", path, &seed]);
    assert_eq!(rewriter.line().as_deref(), Some("ready"));
    let mut reader = Process::start(&["read", path]);
    let (mut outcomes, mut ended_early) = (BTreeMap::new(), 0_u64);
    while ended_early == 0 && effort.goes_on_by(BUNDLE) {
        writeln!(reader.to, "{BUNDLE}").expect("it reads");
        loop {
            match reader.line() {
                None => break ended_early += 1,
                Some(line) if line == "done" => break,
                Some(line) => {
                    let (outcome, count) = line.split_once(' ').expect("an outcome and how often");
                    *outcomes.entry(outcome.to_owned()).or_insert(0) +=
                        count.parse::<u64>().expect("a number");
                }
            }
        }
    }
    let (read, rewritten) = (reader.end(), rewriter.end());
    assert!(rewritten.success(), "the rewriter: {rewritten}");
    assert!(
        ended_early == 0 && read.success(),
        "the reader ended ({read}); seed {seed}, what it said is above"
    );
    let counted: u64 = outcomes.values().sum();
    assert_eq!(counted, effort.done(), "{outcomes:?}");
    let of = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
    assert!(of("accepted") > 0 && of("Corrupt") > 0, "nothing was tried: {outcomes:?}");
    let found = outcomes.iter().map(|(outcome, count)| match outcome.as_str() {
        "accepted" => (outcome.clone(), *count),
        kind => (format!("refused as {kind}"), *count),
    });
    let mut found: Vec<(String, u64)> = found.collect();
    found.sort_by_key(|(outcome, _)| outcome != "accepted");
    found.push(("out of bounds".to_owned(), ended_early));
    println!("{} trials: {found:?}", effort.done());
    effort.tell(&found.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>());
}
