//! Going on: laps round the ring by the million, sequences past 2^32 and up to the ring's last, and processes that do not
//! grow.
//!
//! `QADATASWAP_LAPS` says how many laps, and `QADATASWAP_SECONDS` for how long at most; some seconds' worth unless given.

use arrow_schema::{DataType, Field, Schema};
use qadataswap::recording::{Recorder, RecorderConfig, Recording, Since};
use qadataswap::{ErrorKind, Selector};
use qadataswap_scorecard::Effort;
use qadataswap_tests::scene::{Full, Owed};
use qadataswap_tests::{Actor, Line, PATIENCE, PROMPT, Ring, Role, Scene, check, eventually, note, table};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Seed of the frames here.
const SEED: u64 = 91;

/// Sequence numbers end below this: a stamp has two bits of its own, and a margin is kept.
const LAST: u64 = (1 << 62) - 16;

/// A ring whose next frame has this number: an orphan's, in which the number is written where the layout has it, before
/// anybody else comes.
fn begin_at(ring: &Ring, sequence: u64) {
    let role = Role::Write { ring: ring.clone(), seed: SEED, until: Some(0), stay: true, wait: false };
    let mut creator = Actor::start(&role);
    creator.opens();
    creator.says(&Line::Wrote { next: 0 });
    creator.kill();
    let layout = qadataswap::describe_layout(ring.slots as u32, ring.max_readers as u32, ring.slot_bytes);
    let layout = layout.expect("in range");
    let find = |name: &str| layout.iter().find(|field| field.name == name).expect("a part").offset;
    let file = std::fs::OpenOptions::new().write(true).open(ring.path()).expect("ours");
    file.write_all_at(&sequence.to_ne_bytes(), find("Head") + find("Head.frames")).expect("ours");
}

#[test]
fn sequences_pass_two_to_the_32nd() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(8);
    let first = (1_u64 << 32) - 50;
    begin_at(&ring, first);
    let mut writer = ring.writer().expect("taken over");
    assert_eq!(writer.stats().frames_published, first);
    let policies = [Owed::Lossless, Owed::Lossy, Owed::Latest];
    let readers = policies.map(|policy| ring.clone().policy(policy).reader().expect("attached"));
    let folder = scene.folder().join("recording");
    let mut recorder = Recorder::open(RecorderConfig::new(ring.config(), &folder)).expect("opened");
    let selector = Selector::new();
    selector.add(1, &readers[0]).expect("it is ours");
    for sequence in first..first + 100 {
        if sequence == (1 << 32) + 10 {
            writer.close().expect("no loan is out");
            drop(writer);
            writer = ring.writer().expect("taken over");
        }
        assert_eq!(writer.write_arrow(&table(SEED, sequence)).expect("written"), sequence);
        assert_eq!(selector.wait(PROMPT), [1]);
        for reader in &readers {
            let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
            assert_eq!((frame.sequence(), frame.missed()), (sequence, 0));
            check(SEED, &frame).expect("whole");
        }
        let recorded = recorder.record(PROMPT).expect("recorded").expect("a frame");
        assert_eq!((recorded.sequence, recorded.missed), (sequence, 0));
    }
    writer.close().expect("no loan is out");
    recorder.close().expect("finished");
    let recorded = Recording::open(&folder).and_then(|recording| recording.frames(Since::Sequence(1 << 32)));
    let numbers: Vec<u64> =
        recorded.expect("opened").map(|frame| frame.expect("readable").sequence()).collect();
    assert_eq!(numbers, (1 << 32..first + 100).collect::<Vec<_>>());
    std::fs::remove_dir_all(folder).expect("ours");
    for reader in &readers {
        assert_eq!(reader.read_frame(PROMPT).expect_err("closed").kind(), ErrorKind::EndOfStream);
    }
}

#[test]
fn a_ring_whose_numbers_are_used_up_says_so_and_stays_readable() {
    for full in [Full::Block(Some(1000)), Full::Fail, Full::Overwrite] {
        let scene = Scene::new();
        let ring = scene.ring("feed").full(full);
        begin_at(&ring, LAST - 10);
        let writer = ring.writer().expect("taken over");
        let lossless = if matches!(full, Full::Overwrite) { Owed::Lossy } else { Owed::Lossless };
        let reader = ring.clone().policy(lossless).reader().expect("attached");
        for sequence in LAST - 10..LAST {
            assert_eq!(writer.write_arrow(&table(SEED, sequence)).expect("written"), sequence);
            if sequence < LAST - 3 {
                let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
                assert_eq!(frame.sequence(), sequence);
            }
        }
        let used_up = |kind: ErrorKind| assert_eq!(kind, ErrorKind::Unsupported);
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::UInt64, false)]));
        used_up(writer.write_arrow(&table(SEED, LAST)).expect_err("used up").kind());
        used_up(writer.try_write_arrow(&table(SEED, LAST)).expect_err("used up").kind());
        used_up(writer.loan(&schema, 1).map(drop).expect_err("used up").kind());
        // Whoever comes now reads the last frames, as whoever was there does.
        let late = ring.clone().policy(Owed::Lossy).reader().expect("attached");
        let latest = ring.clone().policy(Owed::Latest).reader().expect("attached");
        for reader in [&reader, &late] {
            let mut last = None;
            while let Some(frame) = reader.try_read_frame().expect("no error") {
                check(SEED, &frame).expect("whole");
                last = Some(frame.sequence());
            }
            assert_eq!(last, Some(LAST - 1));
            assert!(reader.read_frame(1).expect("the writer lives").is_none());
        }
        let newest = latest.read_frame(PROMPT).expect("no error").expect("a frame");
        assert_eq!(newest.sequence(), LAST - 1);
        drop(newest);
        // Nor has an heir a number left; and the ring ends as any other.
        writer.close().expect("no loan is out");
        drop(writer);
        let heir = ring.clone().full(Full::Fail).writer().expect("taken over");
        assert_eq!(heir.stats().frames_published, LAST);
        used_up(heir.write_arrow(&table(SEED, LAST)).expect_err("used up").kind());
        drop(heir);
        assert_eq!(reader.read_frame(PROMPT).expect_err("closed").kind(), ErrorKind::EndOfStream);
    }
}

/// What a process has.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    /// Resident memory in KiB.
    resident: u64,
    /// That of it which is no file's: pages of the program itself come in for a long time.
    own: u64,
    descriptors: u64,
    threads: u64,
    /// Mappings of rings.
    mappings: u64,
}

impl Holdings {
    fn of(actor: &Actor) -> Holdings {
        let of_process = |what: &str| format!("/proc/{}/{what}", actor.pid());
        // Counted page by page, other than in `status`.
        let rollup = std::fs::read_to_string(of_process("smaps_rollup")).expect("it lives");
        let kibibytes = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)).expect("a line of it");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        let maps = std::fs::read_to_string(of_process("maps")).expect("it lives");
        Holdings {
            resident: kibibytes("Rss:"),
            own: kibibytes("Anonymous:"),
            descriptors: actor.descriptors() as u64,
            threads: std::fs::read_dir(of_process("task")).expect("it lives").count() as u64,
            mappings: maps.lines().filter(|line| line.contains("/qads_")).count() as u64,
        }
    }
}

/// What a process was seen to have.
#[derive(Clone, Debug, Default)]
struct Watch {
    looks: Vec<Holdings>,
}

impl Watch {
    fn look(&mut self, actor: &Actor) {
        self.looks.push(Holdings::of(actor));
    }

    /// By how much the least of the last quarter is more than the most of the second. What comes and goes is no growth,
    /// and what only comes is.
    fn growth(&self, of: impl Fn(&Holdings) -> u64) -> u64 {
        let quarter = self.looks.len() / 4;
        let early = self.looks[quarter..2 * quarter].iter().map(&of).max().unwrap_or(0);
        let late = self.looks[self.looks.len() - quarter..].iter().map(&of).min().unwrap_or(0);
        late.saturating_sub(early)
    }
}

/// Laps between two looks.
const LOOK: u64 = 250;

#[test]
fn laps_without_end_cost_no_memory() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(8).slot_bytes(8 << 10).attach_within(PATIENCE);
    let first = (1_u64 << 32) - 20_000;
    begin_at(&ring, first);
    let mut reader =
        Actor::start(&Role::Lapped { ring: ring.clone(), folder: scene.folder().join("recording") });
    reader.opens();
    let mut writer = Actor::start(&Role::Lap { ring: ring.clone() });
    assert_eq!(writer.opens(), first);
    let mut effort = Effort::of("laps", 60_000);
    let mut watches = [Watch::default(), Watch::default()];
    while effort.goes_on_by(LOOK) {
        let due = first + effort.done() * ring.slots as u64;
        // Laps take as long as they take; so many take seconds at most.
        eventually("laps", || scene.info("feed").is_ok_and(|info| info.frames >= due));
        for (watch, actor) in watches.iter_mut().zip([&writer, &reader]) {
            watch.look(actor);
        }
    }
    writer.close();
    let Line::Wrote { next } = writer.line() else { panic!("the writer has no end") };
    reader.tell(&next.to_string());
    // It has checked each of them, or it would have said so.
    let Line::Fact(_, read) = reader.line() else { panic!("the reader has no end") };
    let lost = (next - first).abs_diff(read);
    assert_eq!(lost, 0, "frames lost");
    writer.finish();
    reader.finish();
    let (mut memory, mut descriptors, mut threads, mut mappings) = (0, 0, 0, 0);
    for (watch, who) in watches.iter().zip(["writer", "reader"]) {
        let [first, .., last] = &watch.looks[..] else { panic!("too few laps to tell") };
        note(&format!("the {who} had {first:?}, and at the end {last:?}"));
        memory = memory.max(watch.growth(|holdings| holdings.own) * 1000 / last.resident);
        descriptors += watch.growth(|holdings| holdings.descriptors);
        threads += watch.growth(|holdings| holdings.threads);
        mappings += watch.growth(|holdings| holdings.mappings);
    }
    scene.gc();
    let files = scene.files().len() as u64;
    assert_eq!(
        (descriptors, threads, mappings, files),
        (0, 0, 0, 0),
        "descriptors, threads, mappings, files"
    );
    assert!(memory < 10, "memory has grown by {memory} per mille");
    note(&format!("{} laps, {read} frames, memory has grown by {memory} per mille", effort.done()));
    effort.tell(&[
        ("frames", read),
        ("lost", lost),
        ("per mille more memory", memory),
        ("more descriptors", descriptors),
        ("more threads", threads),
        ("more mappings", mappings),
        ("files left", files),
    ]);
}
