//! `metrics`: printed, in a file, served.

use crate::folder::{Folder, until};
use qadataswap::{Reader, SharedMemoryConfig};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A ring of 10 frames that nobody writes any more, with a reader that has read 2.
fn half_read(folder: &Folder) -> Reader {
    let publish =
        ["publish", &folder.parquet(100), "--ring", "r", "--rows-per-frame", "10", "--buffers", "10", "-q"];
    folder.say(&publish);
    let reader =
        Reader::new(SharedMemoryConfig::new("r").with_directory(folder.path())).expect("it attaches");
    for _ in 0..2 {
        reader.read_frame(1000).expect("read").expect("it is there");
    }
    reader
}

#[test]
fn what_rings_count_is_printed() {
    let folder = Folder::new();
    let empty = folder.say(&["metrics"]);
    assert!(empty.contains("qadataswap_unreadable_rings{} 0\n") && empty.ends_with("# EOF\n"), "{empty}");
    let _reader = half_read(&folder);
    std::fs::write(folder.file("qads_odd"), "no ring").expect("written");
    let told = folder.say(&["metrics"]);
    let labels = format!("{{ring=\"r\",row=\"0\",pid=\"{}\",policy=\"lossless\"}}", std::process::id());
    for line in [
        "# TYPE qadataswap_ring_frames counter".to_owned(),
        "qadataswap_ring_frames_total{ring=\"r\"} 10".to_owned(),
        "qadataswap_ring_rows_total{ring=\"r\"} 100".to_owned(),
        "qadataswap_ring_writer_alive{ring=\"r\"} 0".to_owned(),
        "qadataswap_ring_readers{ring=\"r\"} 1".to_owned(),
        "qadataswap_unreadable_rings{} 1".to_owned(),
        format!("qadataswap_reader_frames_total{labels} 2"),
        format!("qadataswap_reader_lag_frames{labels} 8"),
        "# TYPE qadataswap_reader_latency_seconds histogram".to_owned(),
        format!("qadataswap_reader_latency_seconds_count{labels} 1"),
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert_eq!(folder.qads(&["metrics", "--json"]).code, Some(2));
}

#[test]
fn a_file_for_the_collector_is_of_the_older_form() {
    let folder = Folder::new();
    let _reader = half_read(&folder);
    let file = folder.file("qads.prom");
    assert_eq!(folder.say(&["metrics", "--textfile", &file]), "");
    let told = std::fs::read_to_string(&file).expect("written");
    assert!(
        told.contains("# TYPE qadataswap_ring_frames_total counter\nqadataswap_ring_frames_total{"),
        "{told}"
    );
    assert!(!told.contains("# EOF"), "{told}");
    let both = folder.qads(&["metrics", "--textfile", &file, "--listen", "127.0.0.1:0"]);
    assert_eq!(both.code, Some(2));
    assert_eq!(folder.qads(&["metrics", "--textfile", "/no/such/folder/x.prom"]).code, Some(1));
}

#[test]
fn a_server_answers_until_it_is_told_to_end() {
    let folder = Folder::new();
    let _reader = half_read(&folder);
    let mut server = folder.start(&["metrics", "--listen", "127.0.0.1:0"]);
    let mut said = String::new();
    let mut stderr = BufReader::new(server.stderr());
    stderr.read_line(&mut said).expect("it says where it is");
    let address =
        said.trim().strip_prefix("qads: serving http://").and_then(|rest| rest.strip_suffix("/metrics"));
    let address = address.unwrap_or_else(|| panic!("no address in {said}")).to_owned();
    let ask = |request: &str| {
        let mut client = TcpStream::connect(&address).expect("it listens");
        client.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("answered");
        answer
    };
    // Clients that say nothing hold up nobody.
    let silent: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(&address).expect("it listens")).collect();
    let answer = ask("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("# EOF\n"), "{answer}");
    assert!(answer.contains("qadataswap_ring_frames_total{ring=\"r\"} 10\n"), "{answer}");
    assert!(ask("GET /else HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    drop(silent);
    server.signal(Signal::TERM);
    assert_eq!(server.end().code, Some(0));
    until("nobody listens", || TcpStream::connect(&address).is_err());
}
