//! `doctor` on this machine: what it says depends on it, but for what the test has put there.

use crate::folder::{Folder, until};
use serde_json::Value;

/// What it finds, by check.
fn found(folder: &Folder, check: &str) -> Vec<Value> {
    let ended = folder.qads(&["doctor", "--json"]);
    let findings = crate::folder::lines(&ended.stdout);
    let wrong = findings.iter().filter(|finding| finding["level"] == "wrong").count();
    assert_eq!(ended.code, Some(i32::from(wrong > 0)), "{}", ended.stderr);
    for finding in &findings {
        assert_eq!(finding["remedy"].is_null(), finding["level"] == "ok", "{finding}");
    }
    findings.into_iter().filter(|finding| finding["check"] == check).collect()
}

#[test]
fn every_check_speaks() {
    let folder = Folder::new();
    for check in [
        "folder",
        "space",
        "inodes",
        "rights",
        "huge pages",
        "logout",
        "cgroup",
        "memory",
        "overcommit",
        "file size",
        "open files",
        "locked memory",
        "kernel",
    ] {
        assert_eq!(found(&folder, check).len(), 1, "{check}");
    }
    assert_eq!(found(&folder, "folder")[0]["level"], "ok", "it lies in /dev/shm");
    let ended = folder.qads(&["doctor"]);
    assert!(ended.stdout.contains("kernel: ") && !ended.stdout.contains('{'), "{}", ended.stdout);
}

#[test]
fn what_a_killed_writer_leaves_is_found_with_its_remedy() {
    let folder = Folder::new();
    let publisher =
        folder.start(&["publish", &folder.parquet(10), "--ring", "r", "--repeat", "0", "--rate", "100"]);
    until("a frame is there", || folder.qads(&["info", "r", "--json"]).stdout.contains(r#""sequence":"#));
    let ring = &found(&folder, "ring")[0];
    assert_eq!(ring["level"], "ok", "{ring}");
    let pid = publisher.pid();
    publisher.kill();
    std::fs::write(folder.file(&format!(".qads_r.{pid}")), "").expect("staged by the dead");
    std::fs::write(folder.file("qads_odd"), vec![7; 8192]).expect("no ring");
    let rings = found(&folder, "ring");
    let about = |name: &str| {
        let starts = |ring: &&Value| ring["found"].as_str().is_some_and(|text| text.starts_with(name));
        rings.iter().find(starts).unwrap_or_else(|| panic!("no {name} in {rings:?}"))
    };
    assert_eq!((&about("r:")["level"], &about("ring 'odd':")["level"]), (&"wrong".into(), &"wrong".into()));
    assert!(about("r:")["remedy"].as_str().is_some_and(|remedy| remedy.contains("qads gc")));
    assert_eq!(found(&folder, "staged")[0]["remedy"], "qads gc");
    let ended = folder.qads(&["doctor", "--quiet"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("WRONG  ring: r: its writer ") && !ended.stdout.contains("ok "),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("wrong; the remedies stand above"), "{}", ended.stderr);
}
