//! SIGTERM and SIGINT end a command in order.

use crate::folder::{Folder, until};
use rustix::process::Signal;

#[test]
fn a_publisher_closes_its_ring() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new();
        let publish = ["publish", &folder.parquet(10), "--ring", "r", "--repeat", "0", "--rate", "100"];
        let publisher = folder.start(&publish);
        until("a frame is there", || folder.qads(&["info", "r", "--json"]).stdout.contains(r#""sequence":"#));
        publisher.signal(signal);
        let ended = publisher.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.starts_with("published "), "{}", ended.stdout);
        assert_eq!(folder.json(&["info", "r"])[0]["state"], "closed");
    }
}

#[test]
fn a_publisher_that_waits_for_readers_leaves_nothing() {
    let folder = Folder::new();
    let publish = ["publish", &folder.parquet(10), "--ring", "r", "--wait-readers", "1"];
    let publisher = folder.start(&publish);
    until("the ring is there", || !folder.rings().is_empty());
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.end().code, Some(0));
    assert!(folder.rings().is_empty());
}

#[test]
fn a_publisher_held_up_by_a_full_ring_still_hears() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let publish = ["publish", &file, "--ring", "r", "--rows-per-frame", "10", "--write-timeout", "forever"];
    let publisher = folder.start(&[&publish[..], &["--wait-readers", "1"]].concat());
    until("the ring is there", || !folder.rings().is_empty());
    let config = qadataswap::SharedMemoryConfig::new("r").with_directory(folder.path());
    let _reader = qadataswap::Reader::new(config).expect("it attaches");
    until("the ring is full", || folder.json(&["info", "r"])[0]["frames"] == 8);
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.end().code, Some(0));
}

#[test]
fn a_watcher_leaves_its_place() {
    let folder = Folder::new();
    let _publisher =
        folder.start(&["publish", &folder.parquet(10), "--ring", "r", "--repeat", "0", "--rate", "1"]);
    let watcher = folder.start(&["tail", "r", "--attach-timeout", "60s"]);
    let readers = || {
        let ended = folder.qads(&["info", "r", "--json"]);
        serde_json::from_str::<serde_json::Value>(&ended.stdout)
            .ok()
            .and_then(|ring| ring["readers"].as_array().map(Vec::len))
    };
    until("the watcher is attached", || readers() == Some(1));
    watcher.signal(Signal::INT);
    assert_eq!(watcher.end().code, Some(0));
    assert_eq!(readers(), Some(0));
}
