//! Every ordering and fence that `sync.rs` names is needed: without it some model fails.

use crate::atomic::WEAKEN;
use crate::sync::{FENCES, ORDERINGS};
use std::path::Path;
use std::process::Command;

#[test]
fn weakening_any_ordering_or_fence_is_noticed() {
    let this = std::env::current_exe().expect("a test has a binary");
    let names: Vec<_> = ORDERINGS.iter().chain(FENCES).collect();
    // The models are single-threaded and take seconds: two at a time.
    let half = names.len().div_ceil(2);
    let unnoticed: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = names
            .chunks(half)
            .map(|names| {
                scope.spawn(|| names.iter().copied().filter(|name| goes_unnoticed(&this, name)).collect())
            })
            .collect();
        runs.into_iter()
            .flat_map(|run| run.join().unwrap_or_else(|_: _| vec![&"a run that panicked"]))
            .collect()
    });
    assert!(unnoticed.is_empty(), "no model notices the loss of {unnoticed:?}");
}

fn goes_unnoticed(this: &Path, name: &str) -> bool {
    let output = Command::new(this)
        .args(["models::", "--test-threads=1"])
        .env(WEAKEN, name)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("test models::")?.strip_suffix(" ... FAILED"))
        .collect();
    println!("without {name}: {}", failed.join(", "));
    failed.is_empty() || output.status.success()
}
