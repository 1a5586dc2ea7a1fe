//! `top`, once and on a terminal.

use crate::folder::{Folder, Running, until};
use crate::terminal::Terminal;
use rustix::process::Signal;
use serde_json::Value;

/// A ring with a writer and a reader at work.
fn at_work(folder: &Folder) -> (Running, Running) {
    let file = folder.parquet(100);
    let publish =
        ["publish", &file, "--ring", "feed", "--rows-per-frame", "10", "--repeat", "0", "--rate", "200"];
    let publisher = folder.start(&publish);
    let reader =
        folder.start(&["tail", "feed", "--attach-timeout", "60s", "--rows", "0", "--policy", "lossless"]);
    until("the reader reads", || {
        let info = folder.qads(&["info", "feed", "--json"]);
        let info: Value = serde_json::from_str(&info.stdout).unwrap_or_default();
        info["readers"][0]["cursor"].as_u64().is_some_and(|cursor| cursor > 0)
    });
    (publisher, reader)
}

#[test]
fn once_tells_rates_and_latencies() {
    let folder = Folder::new();
    let (publisher, mut reader) = at_work(&folder);
    // What it prints is drained, so that it goes on reading.
    let mut printed = reader.stdout();
    let drain = std::thread::spawn(move || std::io::copy(&mut printed, &mut std::io::sink()));
    let mut rings = Vec::new();
    // On a busy machine an interval may pass without a frame.
    until("an interval has frames", || {
        rings = folder.json(&["top", "--once", "--interval", "200ms"]);
        rings[0]["readers"][0]["latency"]["count"].as_u64().is_some_and(|count| count > 0)
            && rings[0]["frames_per_s"].as_f64().is_some_and(|rate| rate > 0.0)
    });
    let (ring, seen) = (&rings[0], &rings[0]["readers"][0]);
    assert_eq!((&ring["ring"], &ring["buffer_count"]), (&"feed".into(), &8.into()));
    assert_eq!(
        (&ring["writer"]["pid"], &ring["writer"]["command"]),
        (&publisher.pid().into(), &"qads".into())
    );
    assert_eq!((&seen["pid"], &seen["command"]), (&reader.pid().into(), &"qads".into()));
    assert_eq!(
        (&seen["policy"], &seen["state"], &seen["missed"]),
        (&"lossless".into(), &"alive".into(), &0.into())
    );
    assert!(ring["interval_ns"].as_u64().is_some_and(|ns| ns >= 200_000_000), "{ring}");
    for latency in [&ring["latency"], &seen["latency"]] {
        let quantiles =
            ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"].map(|name| latency[name].as_u64());
        assert!(quantiles.is_sorted() && quantiles[0].is_some(), "{latency}");
    }
    let text = folder.say(&["top", "feed", "--once", "--interval", "10ms"]);
    for part in ["frames/s", "p99.9", "readers of feed", "lossless"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(folder.qads(&["top", "none", "--once"]).code, Some(3));
    reader.signal(Signal::TERM);
    assert_eq!(reader.end().code, Some(0));
    drain.join().expect("no panic").expect("drained");
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.end().code, Some(0));
}

#[test]
fn without_a_terminal_there_is_once() {
    let folder = Folder::new();
    for args in [&["top"][..], &["top", "--json"]] {
        let ended = folder.qads(args);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("qads top --once"), "{}", ended.stderr);
    }
    assert!(folder.say(&["top", "--once", "--interval", "10ms"]).starts_with("no rings in"));
    assert!(folder.json(&["top", "--once", "--interval", "10ms"]).is_empty());
    assert_eq!(folder.qads(&["top", "--once", "--interval", "1us"]).code, Some(2));
}

#[test]
fn a_live_picture_comes_and_the_terminal_is_given_back() {
    let folder = Folder::new();
    let publish = ["publish", &folder.parquet(100), "--ring", "feed", "--repeat", "0", "--rate", "100"];
    let _publisher = folder.start(&publish);
    until("the ring is there", || !folder.rings().is_empty());
    let mut terminal = Terminal::new(140, 24);
    let top = terminal.start(&folder, &["top", "--interval", "100ms"]);
    terminal.until_drawn("feed: 0 readers");
    terminal.until_drawn("sorted by name");
    terminal.press("f");
    terminal.until_drawn("frames/s\x1b");
    terminal.resize(60, 10);
    terminal.press("q");
    let ended = top.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    until("the terminal is as it was", || terminal.is_as_it_was());
}

#[test]
fn signals_give_the_terminal_back() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let folder = Folder::new();
        let terminal = Terminal::new(100, 20);
        let top = terminal.start(&folder, &["top"]);
        terminal.until_drawn("sorted by name");
        assert!(!terminal.is_as_it_was());
        top.signal(signal);
        let ended = top.end();
        assert_eq!(ended.code, Some(0), "{signal:?}: {}", ended.stderr);
        until("the terminal is as it was", || terminal.is_as_it_was());
    }
}
