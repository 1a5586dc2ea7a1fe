//! `publish` and `tail`: what goes in comes out.

use crate::folder::{Folder, lines, table, table_json};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};

/// The rows of all frames that `tail --json` printed.
fn rows(frames: &[Value]) -> Vec<Value> {
    frames.iter().flat_map(|frame| frame["rows"].as_array().expect("rows").clone()).collect()
}

fn round_trip(folder: &Folder, file: &str) {
    let published = folder.json(&["publish", file, "--ring", "r", "--rows-per-frame", "300"]);
    assert_eq!((published[0]["frames"].as_u64(), published[0]["rows"].as_u64()), (Some(4), Some(1000)));
    let frames = folder.json(&["tail", "r"]);
    let sizes: Vec<_> = frames.iter().map(|frame| frame["num_rows"].as_u64().expect("a number")).collect();
    assert_eq!(sizes, [300, 300, 300, 100]);
    assert_eq!(rows(&frames), table_json(1000));
    assert!(frames.iter().all(|frame| frame["bytes_copied"] == 0 && frame["missed"] == 0));
    assert!(folder.rings().is_empty(), "whoever reads an ended ring to its end and leaves removes it");
}

#[test]
fn a_parquet_file_comes_through() {
    let folder = Folder::new();
    round_trip(&folder, &folder.parquet(1000));
}

#[test]
fn an_ipc_file_comes_through() {
    let folder = Folder::new();
    let path = folder.file("table.arrow");
    let schema = table(0).schema();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(File::create(&path).expect("a file"), &schema);
    let writer = writer.as_mut().expect("a writer");
    writer.write(&table(1000)).expect("written");
    writer.finish().expect("finished");
    round_trip(&folder, &path);
}

#[test]
fn an_ipc_stream_comes_through_under_any_name() {
    let folder = Folder::new();
    let path = folder.file("table.dat");
    let schema = table(0).schema();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(File::create(&path).expect("a file"), &schema);
    let writer = writer.as_mut().expect("a writer");
    writer.write(&table(1000)).expect("written");
    writer.finish().expect("finished");
    round_trip(&folder, &path);
}

#[test]
fn a_csv_file_comes_through() {
    let folder = Folder::new();
    let path = folder.file("table.csv");
    let mut writer = arrow::csv::Writer::new(File::create(&path).expect("a file"));
    writer.write(&table(1000)).expect("written");
    drop(writer);
    round_trip(&folder, &path);
}

#[test]
fn a_lossless_tail_gets_more_than_the_ring_holds() {
    let folder = Folder::new();
    let file = folder.parquet(1000);
    let publish =
        ["publish", &file, "--ring", "r", "--rows-per-frame", "10", "--buffers", "2", "--wait-readers", "1"];
    let publisher = folder.start(&publish);
    let frames = folder.json(&["tail", "r", "--policy", "lossless", "--attach-timeout", "60s"]);
    assert_eq!(frames.len(), 100);
    assert_eq!(rows(&frames), table_json(1000));
    assert_eq!(publisher.end().code, Some(0));
    assert!(folder.rings().is_empty());
}

#[test]
fn a_file_may_be_repeated_and_compressed() {
    let folder = Folder::new();
    let file = folder.parquet(200);
    for codec in ["lz4", "zstd"] {
        folder.say(&["publish", &file, "--ring", "r", "--repeat", "3", "--compression", codec, "-q"]);
        let frames = folder.json(&["tail", "r", "--validate", "full"]);
        assert_eq!(rows(&frames), [table_json(200), table_json(200), table_json(200)].concat());
        assert!(frames.iter().all(|frame| frame["bytes_copied"].as_u64() > Some(0)));
    }
}

#[test]
fn a_table_says_what_it_leaves_out() {
    let folder = Folder::new();
    folder.say(&["publish", &folder.parquet(50), "--ring", "r", "-q"]);
    let text = folder.say(&["tail", "r", "--rows", "3"]);
    assert!(text.starts_with("frame 0: 50 rows, "), "{text}");
    assert!(text.contains("| n | price | name"), "{text}");
    assert!(text.ends_with("... 47 more rows\n"), "{text}");
}

#[test]
fn a_pace_is_kept() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let publish = ["publish", &file, "--ring", "r", "--rows-per-frame", "10", "--rate-rows", "500"];
    let seconds = folder.json(&publish)[0]["seconds"].as_f64().expect("a number");
    assert!(seconds >= 0.18, "the tenth frame is due after 90 rows at 500 a second: {seconds}");
}

#[test]
fn who_lingers_goes_when_all_is_read() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let publisher = folder.start(&["publish", &file, "--ring", "r", "--linger"]);
    let frames = folder.json(&["tail", "r", "--attach-timeout", "60s"]);
    assert_eq!(rows(&frames), table_json(100));
    assert_eq!(publisher.end().code, Some(0));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let _publisher = folder.start(&["publish", &file, "--ring", "r", "--repeat", "0", "--rate", "200"]);
    let mut tail = folder.start(&["tail", "r", "--json", "--attach-timeout", "60s"]);
    let mut line = String::new();
    BufReader::new(tail.stdout()).read_line(&mut line).expect("a line");
    assert_eq!(lines(&line)[0]["num_rows"], 100);
    let ended = tail.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_newest_frame_can_be_asked_for() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    let publish = ["publish", &file, "--ring", "r", "--rows-per-frame", "20", "-q"];
    folder.say(&publish);
    let frames = folder.json(&["tail", "r", "-n", "1", "--from", "newest", "--policy", "latest"]);
    assert_eq!(rows(&frames), table_json(100)[80..]);
    assert_eq!(folder.rings(), ["qads_r"], "what was jumped over has not been read");
    folder.say(&["gc"]);
}
