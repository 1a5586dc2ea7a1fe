//! `ls`, `info`, `gc` and `layout`.

use crate::folder::{Folder, until};

#[test]
fn an_empty_folder_has_no_rings() {
    let folder = Folder::new();
    assert!(folder.say(&["ls"]).starts_with("no rings in /dev/shm/"));
    assert!(folder.json(&["ls"]).is_empty());
    assert!(folder.say(&["gc"]).starts_with("nothing to remove"));
}

#[test]
fn a_ring_is_seen_with_its_reader() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let publish =
        ["publish", &file, "--ring", "r", "--rows-per-frame", "10", "--buffers", "4", "--rate", "0.001"];
    let _publisher = folder.start(&publish);
    let _watcher = folder.start(&["tail", "r", "--attach-timeout", "60s", "--json"]);
    let info = || folder.qads(&["info", "r", "--json"]);
    until("the watcher has read the frame", || {
        let ended = info();
        ended.code == Some(0)
            && ended.stdout.contains(r#""policy":"lossy""#)
            && ended.stdout.contains(r#""cursor":1"#)
    });
    let ring = &folder.json(&["info", "r", "--schema"])[0];
    assert_eq!((&ring["state"], &ring["when_full"]), (&"live".into(), &"block".into()));
    assert_eq!((&ring["buffer_count"], &ring["frames"], &ring["rows"]), (&4.into(), &1.into(), &10.into()));
    assert_eq!(ring["standing"].as_array().map(Vec::len), Some(1));
    assert_eq!((&ring["readers"][0]["alive"], &ring["readers"][0]["lag"]), (&true.into(), &0.into()));
    assert_eq!(ring["schema"][0], serde_json::json!({"name": "n", "type": "Int64", "nullable": false}));
    let listed = &folder.json(&["ls"])[0];
    assert_eq!((&listed["ring"], &listed["state"]), (&"r".into(), &"live".into()));
    assert!(folder.say(&["ls"]).contains("live"));
    let text = folder.say(&["info", "r", "--schema"]);
    for part in ["live, writer ", "lossy", "Float64", "published  1 frame, 10 rows"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn looking_at_a_schema_removes_nothing() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    folder.say(&["publish", &file, "--ring", "many", "--rows-per-frame", "10", "-q"]);
    folder.say(&["publish", &file, "--ring", "one", "-q"]);
    assert_eq!(folder.json(&["info", "many", "--schema"])[0]["schema"].as_array().map(Vec::len), Some(3));
    assert_eq!(folder.json(&["info", "one", "--schema"])[0]["schema"].as_array().map(Vec::len), Some(3));
    assert_eq!(folder.rings().len(), 2);
    assert_eq!(folder.json(&["tail", "many"]).len(), 8, "nothing was taken");
    assert_eq!(folder.json(&["tail", "one"]).len(), 1, "nothing was taken");
}

#[test]
fn what_nobody_takes_part_in_is_removed() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    folder.say(&["publish", &file, "--ring", "left", "--rows-per-frame", "50", "-q"]);
    let _publisher = folder.start(&["publish", &file, "--ring", "used", "--repeat", "0", "--rate", "1"]);
    until("the used ring is there", || folder.rings().len() == 2);
    let would = folder.json(&["gc", "--dry-run"]);
    assert_eq!(
        (&would[0]["ring"], &would[0]["frames"], &would[0]["removed"]),
        (&"left".into(), &2.into(), &false.into())
    );
    assert_eq!(folder.rings().len(), 2);
    assert!(folder.say(&["gc"]).starts_with("removed left: 2 frames"));
    assert_eq!(folder.rings(), ["qads_used"]);
    assert!(folder.json(&["gc"]).is_empty());
}

#[test]
fn the_layout_adds_up() {
    let folder = Folder::new();
    let lines = folder.json(&["layout", "--buffers", "4", "--max-readers", "2", "--slot-bytes", "8192"]);
    let parts: Vec<_> = lines.iter().filter(|line| line["part"].is_null()).collect();
    let end =
        |part: &serde_json::Value| part["offset"].as_u64().unwrap_or(0) + part["size"].as_u64().unwrap_or(0);
    assert!(parts.windows(2).all(|pair| Some(end(pair[0])) <= pair[1]["offset"].as_u64()));
    assert_eq!(parts.last().map(|slots| slots["size"].as_u64()), Some(Some(4 * 8192)));
    assert!(lines.iter().any(|line| line["part"] == "Entry" && line["name"] == "stamp"));
    assert!(folder.say(&["layout"]).contains("Entry.stamp"));
}

#[test]
fn a_stream_is_seen_with_its_progress_and_its_end() {
    let folder = Folder::new();
    let config = qadataswap::SharedMemoryConfig::new("s").with_directory(folder.path()).with_size_mb(1);
    let stream = qadataswap::SharedDataStream::create_writer_of(config, 3000).expect("a new ring");
    stream.write_chunk(&crate::folder::table(1000)).expect("there is room");
    assert!(folder.say(&["info", "s"]).contains("1,000 of 3,000 rows, from frame 0 on"));
    stream.abort("the source went away").expect("aborted");
    let ring = &folder.json(&["info", "s"])[0]["stream"];
    let expected = serde_json::json!({
        "first": 0, "rows": 1000, "total_rows": 3000, "aborted": "the source went away"
    });
    assert_eq!(ring, &expected);
}

#[test]
fn a_ring_without_a_name_is_seen_through_a_descriptor_of_its_process() {
    let folder = Folder::new();
    let config = qadataswap::SharedMemoryConfig::new("nameless").with_memfd(true).with_size_mb(1);
    let writer = qadataswap::Writer::new(config).expect("created");
    let (pid, fd) = (std::process::id().to_string(), writer.region_fd().expect("open").to_string());
    let by_descriptor = ["info", "--pid", &pid, "--fd", &fd];
    let ring = &folder.json(&by_descriptor)[0];
    assert_eq!((&ring["ring"], &ring["state"]), (&"nameless".into(), &"live".into()));
    assert!(folder.say(&by_descriptor).contains("file       none, user "));
    assert!(folder.json(&["ls"]).is_empty(), "no list shows it");
    let ended = folder.qads(&["info", "--fd", "0"]);
    assert!(ended.code != Some(0) && ended.stderr.contains("sealed"), "{}", ended.stderr);
}
