//! Recordings across processes: recorders and writers killed at any moment, readers that pass from the files into the
//! ring meanwhile, full disks, and the files as other Arrow libraries see them.
//!
//! `QADATASWAP_KILLS` says how many kills there are in all tests together; some hundreds unless given.

use qadataswap::inspect::RingState;
use qadataswap::recording::{Mended, Recorder, RecorderConfig, Recording, Since};
use qadataswap_scorecard::Effort;
use qadataswap_tests::crossing::Language as _;
use qadataswap_tests::frames::Words;
use qadataswap_tests::kills::{self, SEED, Toll, nap};
use qadataswap_tests::scene::Full;
use qadataswap_tests::{
    Actor, Line, PATIENCE, Python, Ring, Role, Scene, check, eventually, note, skip, table,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Kills over which one recording grows; reading it takes the longer, the more there is.
const ONE_RECORDING: u64 = 200;

/// A writer that waits for however long a busy machine takes to start a process.
const PATIENT: Full = Full::Block(Some(20_000));

/// Bytes of a file: some ten frames.
const ROTATE: u64 = 60_000;

/// A folder in the scene for a recording, removed before the scene ends.
struct Folder(PathBuf);

impl Folder {
    fn of(scene: &Scene) -> Folder {
        Folder(scene.folder().join("recording"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn writer(ring: &Ring) -> Actor {
    let actor = kills::writer(&mut Actor::start, ring, None, true, false);
    actor.opens();
    actor
}

/// A recorder, which is let in although one was just killed.
fn recorder(cast: &mut kills::Cast<'_>, ring: &Ring, folder: &Path) -> Actor {
    let ring = ring.clone().attach_within(PATIENCE);
    let actor = cast(&Role::Record { ring, folder: folder.to_owned(), rotate: ROTATE });
    actor.opens();
    actor
}

/// A reader that the ring waits for, at about a frame a millisecond, so that others come to the recording's end; it
/// leaves when it is dropped.
struct Brake {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Brake {
    fn on(ring: &Ring) -> Brake {
        let (reader, stop) = (ring.reader().expect("attached"), Arc::new(AtomicBool::new(false)));
        let hears = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !hears.load(Ordering::Relaxed) {
                // Whatever comes, also the death of a writer.
                let _ = reader.read_frame(Duration::from_millis(50));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Brake { stop, thread: Some(thread) }
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The first frame of the recording, which is waited for.
fn first_recorded(folder: &Path) -> u64 {
    let recording = Recording::open(folder).expect("it is there");
    let mut first = None;
    eventually("something is recorded", || {
        let files = recording.files().expect("listed");
        first = files.first().and_then(|file| file.first);
        first.is_some()
    });
    first.expect("just found").0
}

fn fact(actor: &Actor, name: &str) -> u64 {
    match actor.line() {
        Line::Fact(said, number) if said == name => number,
        line => panic!("{line:?} instead of {name}"),
    }
}

/// Reads the recording, in which every frame is either there or told as missing; returns how many are there and how
/// many are missing.
fn audit(folder: &Path) -> (u64, u64) {
    let (mut there, mut missing, mut due) = (0, 0, None);
    let recording = Recording::open(folder).expect("it is there");
    for frame in recording.frames(Since::Start).expect("opened") {
        let frame = frame.expect("readable");
        check(SEED, &frame).expect("whole");
        let expected = due.map_or(frame.sequence(), |due: u64| due + frame.missed());
        assert_eq!(frame.sequence(), expected, "{} missed", frame.missed());
        due = Some(frame.sequence() + 1);
        there += 1;
        missing += frame.missed();
    }
    let files = recording.files().expect("listed");
    assert_eq!(files.iter().map(|file| file.missed).sum::<u64>(), missing, "the index says the same");
    assert_eq!(files.iter().map(|file| file.damaged).sum::<u64>(), 0);
    (there, missing)
}

/// Everything in the files, by arrow-rs.
fn batches(folder: &Path) -> u64 {
    let files = Recording::open(folder).expect("there").files().expect("listed");
    let count = |file: qadataswap::recording::FileInfo| {
        let stream = std::fs::File::open(file.data).expect("there");
        let stream = arrow::ipc::reader::StreamReader::try_new(stream, None).expect("a stream");
        stream.collect::<Result<Vec<_>, _>>().expect("batches").len() as u64
    };
    files.into_iter().map(count).sum()
}

#[test]
fn killed_recorders_leave_whole_frames_and_tell_what_went_by() {
    recordings(kills::effort(20), |scene, effort, toll| of_recorders(scene, effort, toll, &mut Actor::start));
}

#[test]
fn killed_recorders_in_python_leave_whole_frames_and_tell_what_went_by() {
    let Some(python) = Python::ready() else { return };
    recordings(kills::effort(4), |scene, effort, toll| {
        of_recorders(scene, effort, toll, &mut |role| python.start(role));
    });
}

/// Recordings, one after the other, over which as many kills are done as the effort asks for; `one` is one of them, of
/// whose kills the first has been counted.
fn recordings(mut effort: Effort, mut one: impl FnMut(&Scene, &mut Effort, &mut Toll)) {
    let mut toll = Toll::default();
    while effort.goes_on() {
        let scene = Scene::new();
        one(&scene, &mut effort, &mut toll);
        toll.leave(&scene);
    }
    toll.end(effort);
}

/// Whether there is to be this kill of a recording, the first being 0.
fn is_due(kill: u64, effort: &mut Effort) -> bool {
    kill == 0 || (kill < ONE_RECORDING && effort.goes_on())
}

/// Recorders are killed that are played by `cast`.
fn of_recorders(scene: &Scene, effort: &mut Effort, toll: &mut Toll, cast: &mut kills::Cast<'_>) {
    let folder = Folder::of(scene);
    let ring = scene.ring("feed").full(PATIENT);
    let mut words = Words::new(41 + effort.done());
    let mut writing = writer(&ring);
    let mut recording = recorder(cast, &ring, &folder.0);
    let (mut torn, mut killed) = (0, 0);
    while is_due(killed, effort) {
        nap(&mut words, Duration::from_millis(30));
        toll.kill("recorders", &mut recording);
        killed += 1;
        if words.below(2) == 0 {
            let mended = Recording::open(&folder.0).and_then(|recording| recording.repair()).expect("mended");
            torn += u64::from(mended.data_bytes > 0);
        }
        if killed % 8 == 0 {
            audit(&folder.0);
        }
        recording = recorder(cast, &ring, &folder.0);
    }
    writing.kill();
    let last = ring.writer().expect("taken over");
    let next = last.stats().frames_published;
    for sequence in next..next + 10 {
        last.write_arrow(&table(SEED, sequence)).expect("the recorder reads");
    }
    last.close().expect("no loan is out");
    let (_, _) = (fact(&recording, "frames"), fact(&recording, "missed"));
    recording.finish();
    let (there, missing) = audit(&folder.0);
    let first = first_recorded(&folder.0);
    assert_eq!(there + missing, next + 10 - first, "every frame is there or told");
    assert_eq!(batches(&folder.0), there, "other Arrow libraries read the same");
    note(&format!("{killed} recorders killed, {torn} seen with a tail, {there} frames, {missing} missed"));
}

#[test]
fn a_reader_passes_from_the_recording_into_the_ring_while_writers_are_killed() {
    recordings(kills::effort(20), of_writers_before_a_follower);
}

fn of_writers_before_a_follower(scene: &Scene, effort: &mut Effort, toll: &mut Toll) {
    let folder = Folder::of(scene);
    let ring = scene.ring("feed").full(PATIENT);
    let mut words = Words::new(42 + effort.done());
    let mut writing = writer(&ring);
    let recording = recorder(&mut Actor::start, &ring, &folder.0);
    let brake = Brake::on(&ring);
    let first = first_recorded(&folder.0);
    let mut killed = 0;
    while is_due(killed, effort) {
        killed += 1;
        let _brake = Brake::on(&ring);
        let published = scene.info("feed").expect("there").frames;
        let from = published.saturating_sub(words.below(300)).max(first);
        let role = Role::Rejoin {
            ring: ring.clone().attach_within(PATIENCE),
            folder: folder.0.clone(),
            seed: SEED,
            from,
            live: 20,
        };
        let follower = Actor::start(&role);
        nap(&mut words, Duration::from_millis(8));
        toll.kill("writers", &mut writing);
        writing = heir(&ring);
        follower.opens();
        assert_eq!(fact(&follower, "breaks"), 0, "the recorder lives");
        let tally = follower.ends();
        assert_eq!((tally.first, tally.missed), (Some(from), 0));
        follower.finish();
    }
    drop(brake);
    writing.kill();
    ring.writer().expect("taken over").close().expect("no loan is out");
    let (_, missed) = (fact(&recording, "frames"), fact(&recording, "missed"));
    assert_eq!(missed, 0);
    recording.finish();
    assert_eq!(audit(&folder.0).1, 0);
}

/// A writer that takes over from one that was just killed.
fn heir(ring: &Ring) -> Actor {
    loop {
        let actor = kills::writer(&mut Actor::start, ring, None, true, false);
        match actor.line() {
            Line::Open { .. } => return actor,
            Line::Refused { kind, .. } if kind == "WriterExists" => actor.finish(),
            line => panic!("{line:?}"),
        }
    }
}

#[test]
fn kills_on_all_sides_of_the_seam_lose_no_frame_in_silence() {
    recordings(kills::effort(20), on_all_sides_of_the_seam);
}

fn on_all_sides_of_the_seam(scene: &Scene, effort: &mut Effort, toll: &mut Toll) {
    let folder = Folder::of(scene);
    let ring = scene.ring("feed").full(PATIENT);
    let mut words = Words::new(43 + effort.done());
    let mut writing = writer(&ring);
    let mut recording = recorder(&mut Actor::start, &ring, &folder.0);
    let first = first_recorded(&folder.0);
    let (mut breaks, mut missed) = (0, 0);
    let mut killed = 0;
    while is_due(killed, effort) {
        killed += 1;
        let published = scene.info("feed").expect("there").frames;
        let from = published.saturating_sub(words.below(300)).max(first);
        let role = Role::Rejoin {
            ring: ring.clone().attach_within(PATIENCE),
            folder: folder.0.clone(),
            seed: SEED,
            from,
            live: 20,
        };
        let follower = Actor::start(&role);
        nap(&mut words, Duration::from_millis(8));
        toll.kill("recorders", &mut recording);
        if words.below(2) == 0 {
            nap(&mut words, Duration::from_millis(4));
            toll.kill("writers", &mut writing);
            writing = heir(&ring);
        }
        follower.opens();
        recording = recorder(&mut Actor::start, &ring, &folder.0);
        // It has checked that every frame came once, or was told as missing.
        breaks += fact(&follower, "breaks");
        let tally = follower.ends();
        assert_eq!(tally.read + tally.missed, tally.last.expect("it has read") + 1 - from);
        missed += tally.missed;
        follower.finish();
    }
    writing.kill();
    ring.writer().expect("taken over").close().expect("no loan is out");
    let (_, _) = (fact(&recording, "frames"), fact(&recording, "missed"));
    recording.finish();
    audit(&folder.0);
    note(&format!("{breaks} breaks told at the seam, {missed} frames told as missed"));
}

#[test]
fn a_recorder_without_room_keeps_what_it_has_and_goes_on_with_more() {
    let scene = Scene::new();
    let small = scene.folder().join("small");
    std::fs::create_dir(&small).expect("made");
    let role = Role::RecordInLittleRoom { ring: scene.ring("feed"), folder: small.clone() };
    let actor = Actor::start_on_tmpfs(&small, 256 << 10, &role);
    let outcome = (|| {
        let mut actor = actor.map_err(|error| format!("unshare cannot be started: {error}"))?;
        match actor.line_within(PATIENCE) {
            Some(Line::Open { .. }) => {
                actor.says(&Line::Done);
                actor.finish();
                Ok(())
            }
            None => {
                assert_eq!(actor.ended().code(), Some(77));
                Err("the kernel does not let this user mount a tmpfs".to_owned())
            }
            line => panic!("{line:?}"),
        }
    })();
    std::fs::remove_dir(&small).expect("empty");
    if let Err(reason) = outcome {
        skip(&reason);
    }
}

#[test]
fn a_torn_recording_as_pyarrow_and_polars_see_it() {
    let Some(python) = Python::ready() else { return };
    let scene = Scene::new();
    let folder = Folder::of(&scene);
    let ring = scene.ring("feed").slots(8);
    let writer = ring.writer().expect("created");
    let mut recorder = Recorder::open(RecorderConfig::new(ring.config(), &folder.0)).expect("opened");
    for sequence in 0..5 {
        writer.write_arrow(&table(SEED, sequence)).expect("written");
    }
    while recorder.record(0).expect("recorded").is_some() {}
    // As a recorder that is killed leaves it: without an end, and then with half a frame.
    let copy = Folder(scene.folder().join("copy"));
    std::fs::create_dir(&copy.0).expect("made");
    for name in ["00000001.arrows", "00000001.index"] {
        std::fs::copy(folder.0.join(name), copy.0.join(name)).expect("copied");
    }
    let data = copy.0.join("00000001.arrows");
    let whole = std::fs::metadata(&data).expect("there").len();
    let judged = |state: &str| {
        let path = data.display().to_string();
        python.run("recording.py", &[&path, state]).unwrap_or_else(|fault| panic!("{state}: {fault}"));
    };
    judged("whole");
    let file = std::fs::OpenOptions::new().write(true).open(&data).expect("there");
    file.set_len(whole - 100).expect("cut");
    judged("torn");
    let mended = Recording::open(&copy.0).and_then(|recording| recording.repair()).expect("nobody records");
    assert!(mended.data_bytes > 0 && mended.index_bytes > 0, "{mended:?}");
    judged("mended");
    assert_eq!(
        Recording::open(&copy.0).and_then(|recording| recording.repair()).expect("nobody records"),
        Mended::default()
    );
    assert_eq!(scene.info("feed").expect("there").state, RingState::Live);
    drop((folder, copy, writer, recorder));
}
