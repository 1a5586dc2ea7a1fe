//! Fuzzes every target, or those that are named: `campaign [TARGET...]`, each for `QADATASWAP_SECONDS` (30 if not set).
//!
//! Inputs to begin with are made from the gallery of tables; what libFuzzer finds interesting stays in
//! `target/fuzz/corpus` for the next run. An input that crashes, hangs or eats memory fails the run and is left in
//! `target/fuzz/found`, with the command that meets it again.

use qadataswap_fuzz::Folder;
use qadataswap_fuzz::targets::{TARGETS, Target, of};
use qadataswap_scorecard::{Effort, SECONDS};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;

/// The most memory, in MiB, and the longest time, in seconds, that an input may take.
const MEMORY: u32 = 1024;
const TIME: u32 = 10;

fn main() -> ExitCode {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let chosen: Vec<&Target> = match named.is_empty() {
        true => TARGETS.iter().collect(),
        false => {
            named.iter().map(|name| of(name).unwrap_or_else(|| panic!("{name}: no such target"))).collect()
        }
    };
    let seconds =
        std::env::var(SECONDS).ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "30".to_owned());
    let next = Mutex::new(chosen.iter());
    let side_by_side = std::thread::available_parallelism().map_or(1, usize::from);
    let bad = Mutex::new(0_u32);
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                while let Some(target) = { next.lock().expect("no panic").next() } {
                    if !fuzz(target, &seconds) {
                        *bad.lock().expect("no panic") += 1;
                    }
                }
            });
        }
    });
    if bad.into_inner().expect("no panic") == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `target/fuzz` of this repository.
fn place(part: &str, target: &Target) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz").join(part).join(target.name);
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder.canonicalize().expect("just made")
}

/// Fuzzes one target; whether nothing was found.
fn fuzz(target: &Target, seconds: &str) -> bool {
    let (seeds, corpus, found) = (place("seeds", target), place("corpus", target), place("found", target));
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(seeds.join(format!("{number:03}")), seed).expect("room");
    }
    let mut effort = Effort::uncounted(&format!("executions of {}", target.name));
    let program = std::env::current_exe().expect("a path").with_file_name("fuzz");
    let folder = Folder::new();
    // Inputs that found something once.
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target.name);
    let output = Command::new(&program)
        .args([&corpus, &seeds])
        .args(regressions.is_dir().then_some(&regressions))
        .args([
            format!("-max_total_time={seconds}"),
            format!("-max_len={}", target.most_bytes),
            format!("-artifact_prefix={}/", found.display()),
            format!("-rss_limit_mb={MEMORY}"),
            format!("-malloc_limit_mb={MEMORY}"),
            format!("-timeout={TIME}"),
            "-print_final_stats=1".to_owned(),
            // What leaks shows in the memory; to look for it after each input costs more than the input does.
            "-detect_leaks=0".to_owned(),
        ])
        .env("QADATASWAP_FUZZ", target.name)
        .env(qadataswap_fuzz::PARENT, folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let log = String::from_utf8_lossy(&output.stderr);
    let figure = |name: &str| {
        let line =
            log.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|number| number.trim().parse::<u64>().ok())
    };
    match figure("number_of_executed_units").filter(|_| output.status.success()) {
        Some(executions) => {
            effort.add(executions);
            println!(
                "{}: {executions} executions, {} MiB at most, nothing found",
                target.name,
                figure("peak_rss_mb").unwrap_or(0)
            );
            effort.tell(&[("MiB at most", figure("peak_rss_mb").unwrap_or(0))]);
            true
        }
        None => {
            let last: Vec<&str> = log.lines().rev().take(80).collect();
            println!(
                "{}\n{}: {}",
                last.into_iter().rev().collect::<Vec<_>>().join("\n"),
                target.name,
                output.status
            );
            println!("again: QADATASWAP_FUZZ={} {} INPUT", target.name, program.display());
            false
        }
    }
}
