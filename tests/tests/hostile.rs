//! Bytes that no writer wrote: errors or plain results, never a crash, a hang, or a step outside.
//!
//! Everything here is tried by a process of its own, so that a crash is seen and told by its cause.

use qadataswap::describe_layout;
use qadataswap_tests::frames::Words;
use qadataswap_tests::scene::{Check, Full};
use qadataswap_tests::{Actor, Line, Ring, Role, Scene, note, table};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;
use std::time::Duration;

const SLOTS: usize = 4;
const SLOT_BYTES: u64 = 16 << 10;
const READERS: usize = 8;
/// A probe takes milliseconds; one that takes this long hangs.
const HANGS: Duration = Duration::from_secs(8);

fn ring(scene: &Scene) -> Ring {
    scene.ring("feed").slots(SLOTS).slot_bytes(SLOT_BYTES).max_readers(READERS).full(Full::Fail)
}

/// A whole region with six frames written and nobody taking part.
fn specimen() -> Vec<u8> {
    let scene = Scene::new();
    let ring = ring(&scene);
    let writer = ring.writer().expect("created");
    for sequence in 0..6 {
        writer.write_arrow(&table(3, sequence)).expect("written");
    }
    drop(writer);
    let bytes = std::fs::read(ring.path()).expect("unread frames keep the ring");
    assert_eq!(scene.gc(), ["feed"]);
    bytes
}

/// Offset in the region of a field of a fixed part, or of a part.
fn at(part: &str, field: &str) -> u64 {
    let layout = describe_layout(SLOTS as u32, READERS as u32, SLOT_BYTES).expect("in range");
    let find =
        |name: &str| layout.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("no {name}")).offset;
    let kind = part.split(' ').next().expect("a word");
    match kind {
        "Geometry" => find("Header.geometry") + find(&format!("Geometry.{field}")),
        _ if field.is_empty() => find(part),
        _ => find(part) + find(&format!("{kind}.{field}")),
    }
}

fn size_of(part: &str) -> u64 {
    let layout = describe_layout(SLOTS as u32, READERS as u32, SLOT_BYTES).expect("in range");
    layout.iter().find(|f| f.name == part).expect("a part").size
}

/// Bytes to write over a region, and what that is.
type Patch = (String, Vec<(u64, Vec<u8>)>);

fn patch(what: &str, offset: u64, value: impl Into<Word>) -> Patch {
    let word: Word = value.into();
    (format!("{what} = {word:?}"), vec![(offset, word.bytes())])
}

#[derive(Debug)]
enum Word {
    Four(u32),
    Eight(u64),
}

impl Word {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Word::Four(word) => word.to_ne_bytes().to_vec(),
            Word::Eight(word) => word.to_ne_bytes().to_vec(),
        }
    }
}

impl From<u32> for Word {
    fn from(word: u32) -> Word {
        Word::Four(word)
    }
}

impl From<u64> for Word {
    fn from(word: u64) -> Word {
        Word::Eight(word)
    }
}

/// What became of a probe: how often each outcome was told, or how it ended badly.
fn probe(scene: &Scene) -> Result<BTreeMap<String, u64>, String> {
    let mut actor = Actor::start(&Role::Probe { ring: ring(scene) });
    let Some(status) = actor.ended_within(HANGS) else {
        actor.put_down();
        let told: Vec<_> = actor
            .lines()
            .filter_map(|line| match line {
                Line::Fact(what, _) => Some(what),
                _ => None,
            })
            .collect();
        return Err(format!("hangs after {:?}", told.last()));
    };
    let (mut told, mut faults) = (BTreeMap::new(), Vec::new());
    for line in actor.lines() {
        match line {
            Line::Fact(what, _) => *told.entry(what).or_default() += 1,
            Line::Fault(what) => faults.push(what),
            _ => {}
        }
    }
    if status.success() { Ok(told) } else { Err(format!("{status}, {faults:?}")) }
}

/// Probes the specimen under every patch; `judge` says what is wrong with what was told.
fn probe_all(patches: &[Patch], judge: impl Fn(&str, &BTreeMap<String, u64>) -> Result<(), String> + Sync) {
    let specimen = specimen();
    let (next, bad) = (Mutex::new(patches.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let scene = Scene::new();
                let path = ring(&scene).path();
                loop {
                    let Some((what, pieces)) = next.lock().expect("no panic").next() else { break };
                    let mut bytes = specimen.clone();
                    for (offset, piece) in pieces {
                        bytes[*offset as usize..*offset as usize + piece.len()].copy_from_slice(piece);
                    }
                    std::fs::write(&path, &bytes).expect("room");
                    if let Err(how) = probe(&scene).and_then(|told| judge(what, &told)) {
                        bad.lock().expect("no panic").push(format!("{what}: {how}"));
                    }
                    // It may have removed the ring, as whoever leaves a finished one does.
                    let _ = std::fs::remove_file(&path);
                }
            });
        }
    });
    let bad = bad.into_inner().expect("no panic");
    let some = &bad[..bad.len().min(8)];
    assert!(bad.is_empty(), "{} of {}, such as\n{}", bad.len(), patches.len(), some.join("\n"));
}

fn anything(_: &str, told: &BTreeMap<String, u64>) -> Result<(), String> {
    if told.is_empty() { Err("told nothing".to_owned()) } else { Ok(()) }
}

/// Everybody who opened the region was refused so.
fn all_refused(expected: &str) -> impl Fn(&str, &BTreeMap<String, u64>) -> Result<(), String> + Sync + '_ {
    move |_, told| {
        let others: Vec<_> = told
            .keys()
            .filter(|what| !what.starts_with("list") && !what.starts_with("gc") && !what.ends_with(expected))
            .collect();
        if others.is_empty() && told.len() > 3 { Ok(()) } else { Err(format!("{others:?}, not {expected}")) }
    }
}

const ODD: [u64; 12] =
    [0, 1, 2, 3, 0xff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, 1 << 62, (1 << 62) - 16, 1 << 63, u64::MAX];

#[test]
fn the_specimen_itself_is_read_and_taken_over() {
    probe_all(&[("untouched".to_owned(), Vec::new())], |_, told| {
        let fine = told.contains_key("info: Ok")
            && told.get("Lossless, Form: 4 frames") == Some(&1)
            && told.get("Lossless, FullOnCopy: 4 frames") == Some(&1)
            && told.get("Latest, FullOnCopy: 1 frames") == Some(&1)
            && told.contains_key("writer: Ok")
            && told.get("write: Ok") == Some(&10);
        if fine { Ok(()) } else { Err(format!("{told:?}")) }
    });
}

#[test]
fn another_magic_version_or_byte_order_is_incompatible() {
    let mut patches = Vec::new();
    for value in [0, 1, u64::MAX] {
        patches.push(patch("magic", at("Header", "magic"), value));
    }
    for value in [0u32, 1, u32::MAX] {
        patches.push(patch("version", at("Header", "layout_version"), value));
    }
    for value in [0u32, 0x0403_0201, u32::MAX] {
        patches.push(patch("byte order", at("Header", "byte_order"), value));
    }
    probe_all(&patches, all_refused("Incompatible"));
}

#[test]
fn impossible_geometry_is_corrupt() {
    let mut patches = Vec::new();
    let layout = describe_layout(SLOTS as u32, READERS as u32, SLOT_BYTES).expect("in range");
    let true_slots = layout.iter().find(|part| part.name == "slot × buffer_count").expect("a part");
    let true_control = true_slots.offset;
    for field in ["buffer_count", "max_readers"] {
        for value in [0u32, 1, 5, 1024, 65_536, 65_537, 1 << 31, u32::MAX] {
            // Other numbers that need as many pages are as good as the true ones.
            let (slots, readers) =
                if field == "buffer_count" { (value, READERS as u32) } else { (SLOTS as u32, value) };
            if describe_layout(slots, readers, SLOT_BYTES).is_some_and(|layout| layout.contains(true_slots)) {
                continue;
            }
            patches.push(patch(field, at("Geometry", field), value));
        }
    }
    for field in ["slot_bytes", "control_bytes", "region_bytes"] {
        let odd = ODD.into_iter().chain([4096, 4097, SLOT_BYTES * 2, !4095]);
        for value in odd.filter(|&value| field != "control_bytes" || value != true_control) {
            patches.push(patch(field, at("Geometry", field), value));
        }
    }
    probe_all(&patches, all_refused("Corrupt"));
}

#[test]
fn a_truncated_region_is_refused() {
    let whole = specimen();
    let control = at("slot × buffer_count", "") as usize;
    let scene = Scene::new();
    for length in
        [0, 1, 8, 239, 240, 4095, control - 1, control, control + 1, whole.len() - 4096, whole.len() - 1]
    {
        std::fs::write(ring(&scene).path(), &whole[..length]).expect("room");
        let expected = if length < 240 { "Incompatible" } else { "Corrupt" };
        let result = probe(&scene).and_then(|told| all_refused(expected)("", &told));
        std::fs::remove_file(ring(&scene).path()).expect("nobody removes what is no ring");
        result.unwrap_or_else(|how| panic!("{length} bytes: {how}"));
    }
}

#[test]
fn odd_directory_entries_are_survived() {
    let entries = at("Entry × buffer_count", "");
    let mut patches = Vec::new();
    let layout = describe_layout(SLOTS as u32, READERS as u32, SLOT_BYTES).expect("in range");
    let field = |name: &str| layout.iter().find(|f| f.name == name).expect("a field").offset;
    let (slot, bytes, schema) = (field("Entry.slot"), field("Entry.bytes"), field("Entry.schema"));
    for entry in 0..SLOTS as u64 {
        let base = entries + entry * 64;
        for value in [0u32, 1, 3, 4, 5, 63, 64, u32::MAX] {
            patches.push(patch(&format!("entry {entry} slot"), base + slot, value));
        }
        for value in ODD.into_iter().chain([SLOT_BYTES, SLOT_BYTES + 1, 64, 8]) {
            patches.push(patch(&format!("entry {entry} bytes"), base + bytes, value));
        }
        patches.push(patch(&format!("entry {entry} schema"), base + schema, u64::MAX));
    }
    probe_all(&patches, anything);
}

/// The word of a directory stamp: 1 published, 2 asked, 3 gone.
fn stamp(kind: u64, sequence: u64) -> u64 {
    ((sequence + 1) << 2) | kind
}

#[test]
fn absurd_sequence_stamps_are_survived() {
    let entries = at("Entry × buffer_count", "");
    let values: Vec<u64> = (1..4)
        .flat_map(|kind| [0, 1, 2, 5, 6, 9, 1000, 1 << 40, 1 << 61].map(|sequence| stamp(kind, sequence)))
        .chain(ODD)
        .collect();
    let mut patches = Vec::new();
    for &value in &values {
        patches.push(patch("one stamp", entries + 64, value));
    }
    probe_all(&patches, anything);
}

#[test]
fn a_directory_all_of_absurd_stamps_is_survived() {
    let entries = at("Entry × buffer_count", "");
    let all = |value: u64| {
        let pieces = (0..SLOTS as u64).map(|i| (entries + i * 64, value.to_ne_bytes().to_vec())).collect();
        (format!("all stamps = {value:#x}"), pieces)
    };
    let values = [stamp(1, 1 << 61), stamp(2, 1 << 61), stamp(3, 1 << 61), stamp(1, 1000), u64::MAX, 0, 1];
    probe_all(&values.map(all), anything);
}

#[test]
fn odd_heads_and_states_are_survived() {
    let mut patches = Vec::new();
    for (part, fields) in [
        ("Head", &["frames", "bytes", "rows"][..]),
        ("Status", &["generation", "next_schema", "drained"]),
        ("Identity (writer)", &["start_ticks", "pid_namespace", "since_ns"]),
    ] {
        for field in fields {
            for value in ODD.into_iter().chain([5, 7]) {
                patches.push(patch(&format!("{part} {field}"), at(part, field), value));
            }
        }
    }
    for (part, field) in
        [("Status", "state"), ("Status", "rows_used"), ("Status", "when_full"), ("Identity (writer)", "pid")]
    {
        for value in [0u32, 1, 2, 3, 4, 5, 1 << 31, u32::MAX] {
            patches.push(patch(&format!("{part} {field}"), at(part, field), value));
        }
    }
    for part in ["Bell (frames)", "Bell (space)"] {
        patches.push(patch(part, at(part, ""), u32::MAX));
    }
    probe_all(&patches, anything);
}

#[test]
fn garbage_in_readers_rows_is_survived() {
    let (rows, bytes) = (at("row × max_readers", ""), size_of("row × max_readers"));
    let stride = bytes / READERS as u64;
    let used = (at("Status", "rows_used"), (READERS as u32).to_ne_bytes().to_vec());
    let mut patches = Vec::new();
    for state in [0u64, 1, 2, 3, 4, 77, 2 | 9 << 8, 2 | 1 << 8, u64::MAX, 3 | 1 << 32] {
        for cursor in [0, 3, 5, 1 << 62, 1 << 63, u64::MAX] {
            for pins in [0, 0b1111, u64::MAX] {
                let words: Vec<u8> =
                    [state, cursor, pins].iter().flat_map(|word| word.to_ne_bytes()).collect();
                let mut pieces = vec![used.clone()];
                pieces.extend((0..READERS as u64).map(|row| (rows + row * stride, words.clone())));
                patches.push((format!("rows = {state:#x}, {cursor:#x}, {pins:#x}"), pieces));
            }
        }
    }
    probe_all(&patches, |_, told| {
        // Rows whose lock nobody holds keep nobody out and nothing full.
        let writes = told.get("write: Ok").copied().unwrap_or(0);
        let fine = told.contains_key("Lossless, Form: TooManyReaders") || writes != 10;
        if fine { Err(format!("{told:?}")) } else { Ok(()) }
    });
}

#[test]
fn random_control_bytes_are_survived() {
    let (from, to) = (at("Status", ""), at("slot × buffer_count", ""));
    let mut words = Words::new(61);
    let patches: Vec<Patch> = (0..250)
        .map(|number| {
            let pieces = (0..1 + words.below(12))
                .map(|_| {
                    let at = from + words.below((to - from) / 8 - 1) * 8;
                    let odd = ODD[words.below(ODD.len() as u64) as usize];
                    let word = if words.below(2) == 0 { odd } else { words.next_word() };
                    (at, word.to_ne_bytes().to_vec())
                })
                .collect();
            (format!("random {number}"), pieces)
        })
        .collect();
    probe_all(&patches, anything);
}

#[test]
fn control_bytes_that_change_under_those_who_take_part_are_survived() {
    let (from, to) = (at("Status", ""), at("slot × buffer_count", ""));
    let mut words = Words::new(62);
    let mut bad = Vec::new();
    for round in 0..60 {
        let scene = Scene::new();
        let ring = ring(&scene).full(Full::Block(Some(20)));
        let writer = Role::Write { ring: ring.clone(), seed: 3, until: None, stay: true, wait: false };
        let mut actors = vec![Actor::start(&writer)];
        actors[0].opens();
        for survive in [false, true] {
            // A directory that lies may hand out a slot that is being written: contents must be checked, too.
            let checked = ring.clone().validation(Check::FullOnCopy);
            let follow = Role::Follow { ring: checked, seed: 3, hold: 1, survive };
            actors.push(Actor::start(&follow));
        }
        let file = std::fs::OpenOptions::new().write(true).open(ring.path()).expect("ours");
        for _ in 0..40 {
            let at = from + words.below((to - from) / 8 - 1) * 8;
            let odd = ODD[words.below(ODD.len() as u64) as usize];
            let word = if words.below(2) == 0 { odd } else { words.next_word() };
            file.write_all_at(&word.to_ne_bytes(), at).expect("ours");
            std::thread::sleep(Duration::from_micros(words.below(800)));
        }
        for mut actor in actors {
            // Who has ended has ended by an error; who has not may wait for ever for a frame that never comes.
            let status = actor.put_down();
            if status.signal() != Some(9) && !matches!(status.code(), Some(0 | 1)) {
                bad.push(format!("round {round}: {status}"));
            }
        }
        let _ = std::fs::remove_file(ring.path());
    }
    assert!(bad.is_empty(), "{bad:?}");
}

/// Frames altered in their slots, so many times.
fn mutate(validation: Check, seed: u64, rounds: u64) {
    let scene = Scene::new();
    let ring = ring(&scene).validation(validation);
    let mut actor = Actor::start(&Role::Mutate { ring: ring.clone(), seed, rounds });
    let (mut facts, mut last) = (BTreeMap::new(), 0);
    while let Some(line) = actor.line_within(HANGS) {
        match line {
            Line::Fact(what, round) if what == "round" => last = round,
            Line::Fact(what, count) => drop(facts.insert(what, count)),
            Line::Done => break,
            line => panic!("after round {last}: {line:?}"),
        }
    }
    let Some(status) = actor.ended_within(HANGS) else { panic!("hangs in round {last}") };
    assert!(status.success(), "{status} in round {last} of seed {seed}");
    note(&format!("{validation:?}: {rounds} altered frames: {facts:?}"));
    assert!(facts["refused"] > 0 && facts["passed"] > 0 && facts["first seen"] > 0, "{facts:?}");
    let _ = std::fs::remove_file(ring.path());
}

#[test]
fn frames_altered_in_their_slots_are_survived_when_their_form_is_checked() {
    mutate(Check::Form, 71, 4000);
}

#[test]
fn frames_altered_in_their_slots_are_survived_when_all_is_checked_in_place() {
    mutate(Check::Full, 72, 4000);
}

#[test]
fn frames_altered_in_their_slots_are_survived_when_all_is_checked_on_a_copy() {
    mutate(Check::FullOnCopy, 73, 4000);
}

#[test]
fn what_is_no_region_is_refused_and_left_alone() {
    let whole = specimen();
    for what in ["folder", "fifo", "link", "dangling link", "empty file", "text", "socket"] {
        let scene = Scene::new();
        let (path, aside) = (ring(&scene).path(), scene.folder().join("aside"));
        let mut socket = None;
        match what {
            "folder" => std::fs::create_dir(&path).expect("room"),
            "fifo" => {
                nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
            }
            "link" => {
                std::fs::write(&aside, &whole).expect("room");
                std::os::unix::fs::symlink(&aside, &path).expect("a link");
            }
            "dangling link" => std::os::unix::fs::symlink(&aside, &path).expect("a link"),
            "empty file" => std::fs::write(&path, b"").expect("room"),
            "text" => std::fs::write(&path, "not a ring. ".repeat(9000)).expect("room"),
            _ => socket = Some(std::os::unix::net::UnixListener::bind(&path).expect("a socket")),
        }
        let before = std::fs::symlink_metadata(&path).expect("there").file_type();
        let told = probe(&scene).unwrap_or_else(|how| panic!("{what}: {how}"));
        for outcome in told.keys() {
            let fine = outcome.starts_with("list") || outcome.starts_with("gc") || !outcome.ends_with("Ok");
            assert!(fine, "{what}: {outcome}");
        }
        assert!(told.keys().any(|outcome| outcome.starts_with("writer: ")), "{what}: {told:?}");
        assert_eq!(std::fs::symlink_metadata(&path).expect("left alone").file_type(), before);
        assert_eq!(scene.gc(), [""; 0], "{what}");
        if what == "link" {
            assert_eq!(std::fs::read(&aside).expect("there"), whole, "what the link points to was touched");
            std::fs::remove_file(&aside).expect("ours");
        }
        drop(socket);
        if what == "folder" { std::fs::remove_dir(&path) } else { std::fs::remove_file(&path) }
            .expect("ours");
    }
}
