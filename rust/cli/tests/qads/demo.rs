//! `qads demo`: passes, tells, and leaves nothing, also when it is stopped or killed.

use crate::folder::{Folder, until};
use rustix::process::Signal;
use std::path::Path;

const SHORT: [&str; 5] = ["demo", "--frames", "300", "--rate", "1000"];

/// Whether a process that this folder's demo has started runs: its command line names the folder.
fn has_processes(folder: &Folder) -> bool {
    let needle = format!("--directory={}", folder.path().display());
    let processes = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    processes
        .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok())
        .any(|line| line.contains("demo-") && line.split('\0').any(|argument| argument == needle))
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
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
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
