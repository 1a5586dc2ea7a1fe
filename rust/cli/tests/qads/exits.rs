//! The exit codes.

use crate::folder::{Folder, until};
use qadataswap::{Reader, SharedMemoryConfig};

/// Runs `qads`, expects a code, and a message that has `part` in it.
fn fails(folder: &Folder, args: &[&str], code: i32, part: &str) {
    let ended = folder.qads(args);
    assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.stderr);
    assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{args:?}");
}

#[test]
fn a_wrong_command_line_is_2() {
    let folder = Folder::new();
    fails(&folder, &["publish"], 2, "Usage");
    fails(&folder, &["tail", "a/x"], 2, "has a character that is not allowed");
    fails(&folder, &["layout", "--buffers", "0"], 2, "expected 1 to 65536 slots");
    let file = folder.parquet(10);
    fails(&folder, &["publish", &file, "--ring", "r", "--buffers", "0"], 2, "buffer_count 0");
    let nameless = folder.file("nameless");
    std::fs::write(&nameless, "what is this").expect("written");
    fails(&folder, &["publish", &nameless, "--ring", "r"], 2, "name it with --format");
    assert!(folder.rings().is_empty());
}

#[test]
fn a_ring_that_is_not_there_is_3() {
    let folder = Folder::new();
    fails(&folder, &["tail", "r"], 3, "does not exist");
    fails(&folder, &["info", "r"], 3, "does not exist");
}

#[test]
fn a_file_that_cannot_be_read_is_1() {
    let folder = Folder::new();
    fails(&folder, &["publish", "/no/such/file", "--ring", "r"], 1, "opening /no/such/file");
    let broken = folder.file("broken.parquet");
    std::fs::write(&broken, "PAR1 and no more").expect("written");
    fails(&folder, &["publish", &broken, "--ring", "r"], 1, "broken.parquet as Parquet");
    assert!(folder.rings().is_empty());
}

#[test]
fn waiting_in_vain_is_4_and_a_second_writer_5() {
    let folder = Folder::new();
    let file = folder.parquet(10);
    let _publisher = folder.start(&["publish", &file, "--ring", "r", "--repeat", "0", "--rate", "0.001"]);
    until("the first frame is there", || {
        folder.qads(&["info", "r", "--json"]).stdout.contains(r#""frames":1"#)
    });
    let ended = folder.qads(&["tail", "r", "--timeout", "50ms", "--rows", "0"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stdout.starts_with("frame 0: 10 rows"), "{}", ended.stdout);
    assert!(ended.stderr.contains("no frame came within 50.00 ms"), "{}", ended.stderr);
    fails(&folder, &["publish", &file, "--ring", "r"], 5, "already has a writer");
}

#[test]
fn a_ring_that_stays_full_is_4_or_5() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let mut publish = vec!["publish", &file, "--ring", "r", "--rows-per-frame", "10", "--wait-readers", "1"];
    publish.extend(["--write-timeout", "100ms"]);
    for (when_full, code) in [("block", 4), ("fail", 5)] {
        let publisher = folder.start(&[&publish[..], &["--when-full", when_full]].concat());
        until("the ring is there", || folder.rings().len() == 1);
        let config = SharedMemoryConfig::new("r").with_directory(folder.path());
        let reader = Reader::new(config).expect("it attaches");
        let ended = publisher.end();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains("a lossless reader has not read"), "{}", ended.stderr);
        drop(reader);
        folder.say(&["gc"]);
    }
}

#[test]
fn an_overwriting_ring_waits_for_nobody() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let publish = ["publish", &file, "--ring", "r", "--rows-per-frame", "10", "--buffers", "4", "-q"];
    folder.say(&[&publish[..], &["--when-full", "overwrite"]].concat());
    fails(&folder, &["tail", "r", "--policy", "lossless"], 2, "admits no lossless reader");
    let frames = folder.json(&["tail", "r"]);
    assert_eq!(frames.last().map(|frame| frame["sequence"].as_u64()), Some(Some(9)));
}

#[test]
fn what_is_no_ring_is_6() {
    let folder = Folder::new();
    std::fs::write(folder.file("qads_bad"), vec![7; 8192]).expect("written");
    fails(&folder, &["info", "bad"], 6, "expected a region");
    fails(&folder, &["tail", "bad"], 6, "expected a region");
    assert_eq!(folder.json(&["ls"])[0]["kind"], "Incompatible");
    folder.say(&["gc"]);
    assert_eq!(folder.rings(), ["qads_bad"], "what is no ring is left alone");
}

#[test]
fn a_frame_too_large_is_7_and_names_the_remedy() {
    let folder = Folder::new();
    let file = folder.parquet(10_000);
    fails(&folder, &["publish", &file, "--ring", "r", "--slot-bytes", "65536"], 7, "--rows-per-frame");
    folder.say(&["publish", &file, "--ring", "r", "--slot-bytes", "65536", "--rows-per-frame", "500", "-q"]);
}

#[test]
fn configuration_is_shown_with_its_place_and_honoured() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("qadataswap.yaml"), "memory:\n  num_buffers: 5\n").expect("written");
    let shown = folder.run_there(&["config", "--json"], &[("QADATASWAP_SYNC_RETRY_COUNT", "2")]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let lines: Vec<serde_json::Value> =
        shown.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let expected = [
        serde_json::json!({"key": "memory.num_buffers", "value": 5.0, "source": "qadataswap.yaml:2"}),
        serde_json::json!({
            "key": "sync.retry_count", "value": 2.0, "source": "environment variable QADATASWAP_SYNC_RETRY_COUNT"
        }),
    ];
    assert_eq!(lines, expected);
    let wrong = folder.run_there(&["ls"], &[("QADATASWAP_MEMORY_DIRECTORIES", "/x")]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("did you mean 'memory.directory'?"), "{}", wrong.stderr);
}
