//! `qads demo`: passes, tells, and leaves nothing, also when it is stopped or killed.

use crate::folder::{Folder, until};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};

const SHORT: [&str; 5] = ["demo", "--frames", "300", "--rate", "1000"];

/// Whether a process that this folder's demo has started runs: its command line names the folder.
fn has_processes(folder: &Folder) -> bool {
    let needle = format!("--directory={}", folder.path().display());
    let processes = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    processes
        .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok())
        .any(|line| line.contains("demo-") && line.split('\0').any(|argument| argument == needle))
}

/// The folder of real data, whether it is there or not.
fn real_data() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("QADATASWAP_DATA").map_or_else(beside, PathBuf::from)
}

#[test]
fn all_checks_pass() {
    let folder = Folder::new();
    let report = &folder.json(&SHORT)[0];
    assert_eq!(report["passed"], true, "{report}");
    assert_eq!(report["readers"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        (&report["publisher"]["frames"], &report["publisher"]["rows"]),
        (&300.into(), &150_000.into())
    );
    assert!(report["checks"].as_array().expect("checks").len() >= 12);
    assert!(report["publisher"]["bars"]["bars"].as_u64() > Some(10));
    let live = &report["live"];
    assert_eq!((&live["kept"]["feed_frames"], &live["kept"]["events"]), (&300.into(), &6_000.into()));
    assert_eq!(live["viewers"].as_array().map(Vec::len), Some(2));
    let rows = |view: usize| live["views"][view]["rows"].as_array().map_or(0, Vec::len);
    assert!(rows(0) >= 5 && rows(1) == 5 && rows(2) == 2, "{live}");
    let of_views = |check: &&Value| check["fact"].as_str().is_some_and(|fact| fact.contains("view"));
    assert_eq!(report["checks"].as_array().expect("checks").iter().filter(of_views).count(), 7);
    assert!(folder.rings().is_empty());
    assert!(!has_processes(&folder));
}

#[test]
fn a_file_is_a_feed_too() {
    let folder = Folder::new();
    let file = folder.parquet(1_000);
    let text = folder.say(&["demo", "--data", &file, "--rows-per-frame", "10", "--rate", "500"]);
    assert!(text.contains("all checks passed"), "{text}");
    assert!(text.contains("100 frames of 10 rows"), "{text}");
}

#[test]
fn real_market_data_passes() {
    let data = real_data();
    for (name, has_bars) in [("es_mbo.parquet", true), ("gbpusd_m1.parquet", false)] {
        let file = data.join(name);
        if !file.exists() {
            continue;
        }
        let folder = Folder::new();
        let report = &folder.json(&["demo", "--rate", "2000", "--data", &file.display().to_string()])[0];
        assert_eq!(report["passed"], true, "{report}");
        assert_eq!(report["publisher"]["bars"].is_object(), has_bars);
    }
}

#[test]
fn the_book_of_real_order_events_passes() {
    let file = real_data().join("es_mbo.parquet");
    if !file.exists() {
        return;
    }
    let folder = Folder::new();
    let orders = file.display().to_string();
    let report = &folder.json(&[&SHORT[..], &["--orders", &orders]].concat())[0];
    assert_eq!(report["passed"], true, "{report}");
    assert_eq!(report["live"]["kept"]["events"], 40_000);
    assert_eq!(report["live"]["views"][2]["rows"][0][0], "ESH4");
}

/// A viewer as other languages have them, which tells what a viewer of ours tells, but for what `sed` makes of it.
fn viewer(folder: &Folder, sed: &str) -> String {
    let script = format!(
        "#!/bin/sh\n'{}' demo-viewer --directory=\"$1\" --ring=\"${{2%-bars}}\" --parent=$$ | sed '{sed}'\n",
        env!("CARGO_BIN_EXE_qads")
    );
    let path = folder.file("viewer.sh");
    std::fs::write(&path, script).expect("writable");
    format!("Shell=/bin/sh {path}")
}

#[test]
fn a_viewer_in_another_language_is_checked() {
    let folder = Folder::new();
    let report = &folder.json(&[&SHORT[..], &["--viewer", &viewer(&folder, "")]].concat())[0];
    assert_eq!(report["passed"], true, "{report}");
    assert_eq!(report["live"]["viewers"][2]["name"], "Shell viewer");

    // The last digit of a best price.
    let wrong = viewer(&folder, r#"s/\("ask",[0-9]*\)0,/\11,/"#);
    let ended = folder.qads(&[&SHORT[..], &["--viewer", &wrong]].concat());
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let failed = ended.stdout.lines().filter(|line| line.starts_with("FAIL")).collect::<Vec<_>>();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("Shell viewer: every view ends as recomputed"), "{}", failed[0]);
    assert!(folder.rings().is_empty());
}

#[test]
fn stopped_half_way_it_leaves_nothing() {
    let folder = Folder::new();
    let demo = folder.start(&["demo", "--rate", "100"]);
    until("frames flow", || folder.qads(&["ls", "--json"]).stdout.contains(r#""sequence":20"#));
    demo.signal(Signal::TERM);
    let ended = demo.end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
    assert!(!has_processes(&folder));
    assert!(folder.rings().is_empty());
}

#[test]
fn killed_half_way_it_takes_its_processes_along() {
    let folder = Folder::new();
    let demo = folder.start(&["demo", "--rate", "100"]);
    until("frames flow", || folder.qads(&["ls", "--json"]).stdout.contains(r#""sequence":20"#));
    demo.signal(Signal::KILL);
    drop(demo);
    until("its processes have ended", || !has_processes(&folder));
    folder.say(&["gc"]);
    assert!(folder.rings().is_empty());
}

#[test]
fn a_feed_that_is_not_there_is_a_failure() {
    let folder = Folder::new();
    let ended = folder.qads(&["demo", "--data", "/no/such/file.parquet"]);
    assert_eq!(ended.code, Some(1));
    assert!(folder.rings().is_empty());
}
