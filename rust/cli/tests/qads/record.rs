//! `record`, `recording` and `replay`: what a ring had comes back.

use crate::folder::{Folder, table_json, until};
use rustix::process::Signal;
use serde_json::Value;

/// Publishes a thousand rows in frames of a hundred, and records them in files of two or three frames.
fn recorded(folder: &Folder, extra: &[&str]) -> Vec<Value> {
    let file = folder.parquet(1000);
    let record =
        ["record", "r", &folder.file("rec"), "--rotate-bytes", "12000", "--attach-timeout", "60s", "--json"];
    let recorder = folder.start(&[&record[..], extra].concat());
    let publish = ["publish", &file, "--ring", "r", "--rows-per-frame", "100", "--wait-readers", "1", "-q"];
    folder.say(&publish);
    let ended = recorder.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    crate::folder::lines(&ended.stdout)
}

fn rows(frames: &[Value]) -> Vec<Value> {
    frames.iter().flat_map(|frame| frame["rows"].as_array().expect("rows").clone()).collect()
}

#[test]
fn a_ring_is_recorded_listed_and_replayed() {
    let folder = Folder::new();
    let told = recorded(&folder, &[]);
    let last = told.last().expect("a summary");
    assert_eq!(
        (&last["frames"], &last["rows"], &last["missed"], &last["done"]),
        (&10.into(), &1000.into(), &0.into(), &true.into())
    );
    assert!(folder.rings().is_empty(), "the recorder read the ring to its end and left it last");
    let files = folder.json(&["recording", &folder.file("rec")]);
    assert!(files.len() > 2, "{files:?}");
    assert_eq!(files.iter().map(|file| file["frames"].as_u64().expect("a number")).sum::<u64>(), 10);
    assert_eq!((&files[0]["first"], &files[files.len() - 1]["last"]), (&0.into(), &9.into()));
    let text = folder.say(&["recording", &folder.file("rec")]);
    assert!(text.starts_with("ring 'r': 10 frames in "), "{text}");
    let replayed =
        folder.json(&["replay", &folder.file("rec"), "--ring", "again", "--speed", "max", "--buffers", "16"]);
    assert_eq!((&replayed[0]["frames"], &replayed[0]["rows"]), (&10.into(), &1000.into()));
    assert_eq!(rows(&folder.json(&["tail", "again"])), table_json(1000));
}

#[test]
fn a_part_can_be_replayed_again_and_again() {
    let folder = Folder::new();
    recorded(&folder, &[]);
    let replay = ["replay", &folder.file("rec"), "--ring", "again", "--speed", "max", "--buffers", "16"];
    let part = ["--from", "3", "--to", "5", "--repeat", "3"];
    let replayed = folder.json(&[&replay[..], &part].concat());
    assert_eq!((&replayed[0]["frames"], &replayed[0]["rounds"]), (&6.into(), &3.into()));
    let part = table_json(1000)[300..500].to_vec();
    assert_eq!(rows(&folder.json(&["tail", "again"])), [part.clone(), part.clone(), part].concat());
    let none =
        folder.json(&[&replay[..], &["--from-time", "2100-01-01T00:00:00Z", "--repeat", "0"]].concat());
    assert_eq!(none[0]["frames"], 0);
    folder.say(&["gc"]);
}

#[test]
fn a_replay_keeps_the_pace_of_the_recording() {
    let folder = Folder::new();
    let file = folder.parquet(50);
    let recorder = folder.start(&["record", "r", &folder.file("rec"), "--attach-timeout", "60s"]);
    let publish =
        ["publish", &file, "--ring", "r", "--rows-per-frame", "10", "--wait-readers", "1", "--rate", "50"];
    folder.say(&publish);
    assert_eq!(recorder.end().code, Some(0));
    let replay = |speed| {
        let replayed = folder.json(&["replay", &folder.file("rec"), "--ring", "again", "--speed", speed]);
        folder.say(&["tail", "again", "--rows", "0"]);
        replayed[0]["seconds"].as_f64().expect("a number")
    };
    assert!(replay("1") >= 0.075, "the fifth frame came 80 ms after the first");
    assert!(replay("0.5") >= 0.15);
}

#[test]
fn a_recorder_ends_when_asked_to_and_goes_on_later() {
    let folder = Folder::new();
    let file = folder.parquet(10);
    let publisher = folder.start(&["publish", &file, "--ring", "r", "--repeat", "0", "--rate", "200"]);
    let files = || {
        let listed = folder.qads(&["recording", &folder.file("rec"), "--json"]);
        crate::folder::lines(&listed.stdout)
    };
    let mut before = 0;
    for signal in [Signal::TERM, Signal::INT] {
        let recorder = folder.start(&["record", "r", &folder.file("rec"), "--attach-timeout", "60s"]);
        until("something more is recorded", || {
            files().iter().any(|file| file["last"].as_u64() > Some(before))
        });
        recorder.signal(signal);
        let ended = recorder.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.starts_with("recorded "), "{}", ended.stdout);
        before = files().last().expect("a file")["last"].as_u64().expect("a frame");
    }
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.end().code, Some(0));
    let (mut frames, mut missed) = (0, 0);
    for file in files() {
        frames += file["frames"].as_u64().expect("a number");
        missed += file["missed"].as_u64().expect("a number");
    }
    let first = files()[0]["first"].as_u64().expect("a frame");
    assert_eq!(frames + missed, before + 1 - first, "every frame is there or told");
    folder.say(&["gc"]);
}

#[test]
fn a_recorder_waits_for_a_dead_writers_heir() {
    let folder = Folder::new();
    let file = folder.parquet(10);
    let publish = ["publish", &file, "--ring", "r", "--repeat", "0", "--rate", "200", "-q"];
    let publisher = folder.start(&publish);
    let waits =
        ["record", "r", &folder.file("rec"), "--attach-timeout", "60s", "--await-writer", "60s", "--json"];
    let recorder = folder.start(&waits);
    let other = folder.file("other");
    let gives_up = folder.start(&["record", "r", &other, "--attach-timeout", "60s"]);
    let recorded = |of: &str| {
        let listed = folder.qads(&["recording", of, "--json"]);
        crate::folder::lines(&listed.stdout).iter().any(|file| file["frames"].as_u64() > Some(0))
    };
    until("both record", || recorded(&folder.file("rec")) && recorded(&other));
    publisher.signal(Signal::KILL);
    assert_eq!(publisher.end().code, None);
    let ended = gives_up.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("--await-writer"), "{}", ended.stderr);
    folder.say(&["publish", &file, "--ring", "r", "-q"]);
    let ended = recorder.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let last = crate::folder::lines(&ended.stdout).pop().expect("a summary");
    assert_eq!(last["missed"], 0);
    assert!(folder.rings().is_empty());
}

#[test]
fn a_recorder_has_limits() {
    let folder = Folder::new();
    let file = folder.parquet(100);
    folder.say(&["publish", &file, "--ring", "r", "--rows-per-frame", "20", "-q"]);
    let told = folder.json(&["record", "r", &folder.file("rec"), "-n", "3"]);
    assert_eq!(told.last().expect("a summary")["frames"], 3);
    let told = folder.json(&["record", "r", &folder.file("rec"), "--sync", "1"]);
    assert_eq!(told.last().expect("a summary")["frames"], 2);
    let nothing = folder.qads(&["record", "r", &folder.file("rec")]);
    assert_eq!(nothing.code, Some(3), "{}", nothing.stderr);
    let none = folder.qads(&["recording", &folder.file("none")]);
    assert_eq!(none.code, Some(1), "{}", none.stderr);
}
