//! Every ordering and fence that `sync.rs` names is needed: without it some model fails, and with all of them none does.
//!
//! The runs are processes of this test's own binary, because what is weakened holds for a whole process.

use crate::atomic::WEAKEN;
use crate::models::{EXECUTIONS, PREEMPTIONS};
use crate::sync::{FENCES, ORDERINGS};
use qadataswap_scorecard::Effort;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// loom's own name for the bound on preemptions.
const BOUND: &str = "LOOM_MAX_PREEMPTIONS";

#[test]
fn weakening_any_ordering_or_fence_is_noticed() {
    let mut effort = Effort::uncounted("executions");
    let names: Vec<_> = ORDERINGS.iter().chain(FENCES).copied().collect();
    // The models are single-threaded: two at a time.
    let (models, unnoticed) = std::thread::scope(|scope| {
        let control = scope.spawn(every_model_holds);
        let unnoticed: Vec<_> = names.iter().copied().filter(|name| goes_unnoticed(name)).collect();
        (control.join().expect("the run with nothing weakened"), unnoticed)
    });
    for (model, executions) in &models {
        println!("{model}: {executions} executions");
        effort.add(*executions);
    }
    assert!(unnoticed.is_empty(), "no model notices the loss of {unnoticed:?}");
    let bound = std::env::var(BOUND).map_or(Ok(PREEMPTIONS as u64), |bound| bound.parse());
    effort.tell(&[
        ("models passed", models.len() as u64),
        ("preemptions each at most", bound.expect("loom has read it")),
        ("weakened orderings and fences, each noticed", names.len() as u64),
    ]);
}

/// This binary, set to run the models.
fn models() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has a binary"));
    command.args(["models::", "--test-threads=1"]).env_remove(WEAKEN).env("RUST_BACKTRACE", "0");
    command
}

/// Runs every model with nothing weakened; returns each with the number of its executions.
fn every_model_holds() -> Vec<(String, u64)> {
    let output = models().arg("--show-output").output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "a model fails with nothing weakened:\n{text}");
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("---- models::") else { continue };
        let model = rest.strip_suffix(" stdout ----").expect("a heading of what a test has printed");
        let count = lines.next().and_then(|line| line.strip_suffix(EXECUTIONS)?.parse().ok());
        found.push((model.to_owned(), count.expect("a model says how many executions it took")));
    }
    let passed = text.lines().filter(|line| line.starts_with("test ") && line.ends_with(" ... ok")).count();
    assert!(passed > 0 && passed == found.len(), "{passed} models passed, {} were counted", found.len());
    found
}

/// A model that needs no ordering of its own, only the kernel's lock, and takes for ever with a weaker one.
const LARGE: &str = "a_crowd_is_woken_to_the_last";

/// Runs the models without `name` until the first one fails. The least bound does: whoever notices within it notices
/// within any greater one.
fn goes_unnoticed(name: &str) -> bool {
    let mut run = models()
        .args(["--skip", LARGE])
        .env(WEAKEN, name)
        .env(BOUND, PREEMPTIONS.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let output = BufReader::new(run.stdout.take().expect("asked for"));
    let failed = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("test models::")?.strip_suffix(" ... FAILED")?.to_owned()));
    // The rest of the run says nothing more; it may also be over.
    let _ = run.kill();
    run.wait().expect("it was started here");
    println!("without {name}: {}", failed.as_deref().unwrap_or("nothing fails"));
    failed.is_none()
}
