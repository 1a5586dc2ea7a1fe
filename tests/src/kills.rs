//! Deaths by SIGKILL at random moments, played by whatever cast: which program plays a role is the caller's say.
//!
//! Law: whoever survives sees whole frames, in order, and is held up by nobody's death for longer than [`PROMPT`].

use crate::frames::Words;
use crate::scene::{Full, Owed};
use crate::{Actor, Line, PATIENCE, PROMPT, Ring, Role, Scene, check, note, table};
use qadataswap::ErrorKind;
use qadataswap::inspect::RingState;
use qadataswap_scorecard::Effort;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Seed of all frames here.
pub const SEED: u64 = 11;

/// Starts an actor for a role.
pub type Cast<'a> = dyn FnMut(&Role) -> Actor + 'a;

/// Kills of all tests together, unless `QADATASWAP_KILLS` says otherwise.
const IN_ALL: u64 = 394;

/// How many kills a test does: its share of them all.
#[must_use]
pub fn effort(share: u64) -> Effort {
    Effort::part("kills", share, IN_ALL)
}

/// Who was killed, and what came of it.
#[derive(Debug, Default)]
pub struct Toll {
    killed: BTreeMap<String, u64>,
    torn: u64,
    stuck: u64,
    /// Set by whoever has looked.
    pins: u64,
    files: u64,
    descriptors: u64,
}

impl Toll {
    /// Kills an actor, and counts it by its part and its language.
    #[track_caller]
    pub fn kill(&mut self, part: &str, actor: &mut Actor) {
        actor.kill();
        *self.killed.entry(format!("{part} in {}", actor.language())).or_default() += 1;
    }

    /// Counts what an actor says that it should not: a frame that is torn, or its being stuck.
    pub fn fault(&mut self, line: Option<&Line>) {
        note(&format!("FAULT: {line:?}"));
        match line {
            Some(Line::Fault(_)) => self.torn += 1,
            _ => self.stuck += 1,
        }
    }

    /// Counts the descriptors that an actor has and did not have before.
    pub fn compare_descriptors(&mut self, before: usize, actor: &Actor) {
        let now = actor.descriptors();
        if now != before {
            note(&format!("FAULT: {before} descriptors have become {now} in {}", actor.language()));
            self.descriptors += now.abs_diff(before) as u64;
        }
    }

    /// A scene is over: counts what is left of it, which fails its test.
    pub fn leave(&mut self, scene: &Scene) {
        self.files += scene.files().len() as u64;
    }

    /// Ends the effort.
    ///
    /// # Panics
    /// If something came of it.
    pub fn end(self, effort: Effort) {
        assert_eq!((self.torn, self.stuck), (0, 0), "torn and stuck");
        assert_eq!((self.pins, self.descriptors), (0, 0), "pins and descriptors left");
        assert_eq!(self.files, 0, "files left");
        let mut found: Vec<(&str, u64)> =
            self.killed.iter().map(|(who, count)| (who.as_str(), *count)).collect();
        found.extend([
            ("torn", self.torn),
            ("stuck", self.stuck),
            ("pins left", self.pins),
            ("files left", self.files),
            ("descriptors more or fewer", self.descriptors),
        ]);
        note(&format!("{} kills: {found:?}", effort.done()));
        effort.tell(&found);
    }
}

/// A writer; see [`Role::Write`].
pub fn writer(cast: &mut Cast<'_>, ring: &Ring, until: Option<u64>, stay: bool, wait: bool) -> Actor {
    cast(&Role::Write { ring: ring.clone(), seed: SEED, until, stay, wait })
}

/// A reader that outlives its writers and holds the last `hold` frames; see [`Role::Follow`].
pub fn follower(cast: &mut Cast<'_>, ring: &Ring, hold: usize) -> Actor {
    let ring = ring.clone().attach_within(PATIENCE);
    cast(&Role::Follow { ring, seed: SEED, hold, survive: true })
}

/// Sleeps for a random time.
pub fn nap(words: &mut Words, most: Duration) {
    std::thread::sleep(Duration::from_micros(words.below(most.as_micros() as u64 + 1)));
}

/// Starts writers until one is let in, for at most [`PROMPT`] after a death; returns it, the sequence it goes
/// on from, and how many were refused.
fn heir(cast: &mut Cast<'_>, ring: &Ring) -> (Actor, u64, u64) {
    let (died, mut refusals) = (Instant::now(), 0);
    loop {
        let actor = writer(cast, ring, None, true, false);
        match actor.line() {
            Line::Open { next, millis } => {
                assert!(u128::from(millis) < PROMPT.as_millis(), "taking over took {millis} ms");
                return (actor, next, refusals);
            }
            Line::Refused { kind, message } => {
                assert!(kind == "WriterExists" && died.elapsed() < PROMPT, "{message}");
                refusals += 1;
            }
            line => panic!("{line:?}"),
        }
    }
}

/// A last writer adds some frames and closes; returns how many there were.
fn heir_closes(ring: &Ring) -> u64 {
    let deadline = Instant::now() + PROMPT;
    let writer = loop {
        match ring.writer() {
            Ok(writer) => break writer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    let next = writer.stats().frames_published;
    for sequence in next..next + 10 {
        writer.write_arrow(&table(SEED, sequence)).expect("written");
    }
    writer.close().expect("no loan is out");
    next + 10
}

/// Killed writers leave whole frames, and their heirs go on.
///
/// # Panics
/// If they do not.
pub fn of_writers(effort: Effort, cast: &mut Cast<'_>) {
    of_writers_in(&Scene::new(), effort, cast);
}

/// As [`of_writers`], in a scene whose rings may have no names.
///
/// # Panics
/// As there.
pub fn of_writers_in(scene: &Scene, mut effort: Effort, cast: &mut Cast<'_>) {
    let ring = scene.ring("feed");
    let mut writing = writer(cast, &ring, None, true, true);
    let policies = [Owed::Lossless, Owed::Lossless, Owed::Lossy];
    let readers: Vec<_> = std::iter::zip(policies, [0, 2, 1])
        .map(|(policy, hold)| follower(cast, &ring.clone().policy(policy), hold))
        .collect();
    readers.iter().for_each(|reader| {
        reader.opens();
    });
    writing.opens();
    writing.tell("go");
    let mut words = Words::new(1);
    let (mut told, mut toll) = ([0; 3], Toll::default());
    let (mut frames, mut refusals) = (0, 0);
    let before: Vec<usize> = readers.iter().map(Actor::descriptors).collect();
    while effort.goes_on() {
        nap(&mut words, Duration::from_millis(15));
        toll.kill("writers", &mut writing);
        let deadline = Instant::now() + PROMPT;
        let published = scene.info("feed").expect("the ring is there").frames;
        assert!(published >= frames, "{published} frames after {frames}");
        frames = published;
        for (reader, told) in readers.iter().zip(&mut told) {
            // Whoever has read a frame since it last heard of a death hears of this one.
            while *told < published {
                let left = deadline.saturating_duration_since(Instant::now());
                match reader.line_within(left) {
                    Some(Line::Orphaned { next }) => *told = next,
                    line => {
                        // Not told in time that the writer died, or something worse.
                        toll.fault(line.as_ref());
                        return toll.end(effort);
                    }
                }
            }
        }
        // Some writers die before they have the ring.
        if words.below(4) == 0 {
            let mut hasty = writer(cast, &ring, None, true, false);
            nap(&mut words, Duration::from_millis(12));
            toll.kill("hasty writers", &mut hasty);
        }
        let (heir, next, refused) = heir(cast, &ring);
        // What the dead writer had published but not yet counted is counted now.
        assert!(next >= published, "the heir goes on from {next} after {published}");
        writing = heir;
        refusals += refused;
    }
    for (reader, before) in readers.iter().zip(before) {
        toll.compare_descriptors(before, reader);
    }
    writing.kill();
    let published = heir_closes(&ring);
    for (reader, policy) in readers.iter().zip(policies) {
        let tally = loop {
            match reader.line() {
                Line::Orphaned { .. } => {}
                Line::Ended(tally) => break tally,
                line => panic!("{line:?}"),
            }
        };
        assert_eq!(tally.last, Some(published - 1));
        let first = tally.first.expect("it has read");
        assert_eq!(tally.read + tally.missed, published - first);
        assert!(policy == Owed::Lossy || (tally.missed == 0 && first == 0), "{tally:?}");
    }
    readers.into_iter().for_each(Actor::finish);
    note(&format!("{published} frames"));
    assert_eq!(refusals, 0, "heirs were refused although no writer lived");
    toll.leave(scene);
    toll.end(effort);
}

/// Killed readers neither stall the writer nor leave a pin.
///
/// # Panics
/// If they do.
pub fn of_readers(effort: Effort, cast: &mut Cast<'_>) {
    of_readers_in(&Scene::new(), effort, cast);
}

/// As [`of_readers`], in a scene whose rings may have no names.
///
/// # Panics
/// As there.
pub fn of_readers_in(scene: &Scene, mut effort: Effort, cast: &mut Cast<'_>) {
    // A write that waits for longer than a second is an error, and the writer's end.
    let ring = scene.ring("feed").full(Full::Block(Some(PROMPT.as_millis() as u64)));
    let mut writing = writer(cast, &ring, None, false, true);
    let survivor = follower(cast, &ring, 0);
    survivor.opens();
    writing.opens();
    writing.tell("go");
    let mut words = Words::new(2);
    let (mut pinned, mut toll) = (0, Toll::default());
    let before = [survivor.descriptors(), writing.descriptors()];
    while effort.goes_on() {
        let policy = [Owed::Lossless, Owed::Lossless, Owed::Lossy, Owed::Latest][words.below(4) as usize];
        let mut victim = follower(cast, &ring.clone().policy(policy), words.below(4) as usize);
        if words.below(4) != 0 {
            victim.opens();
        }
        nap(&mut words, Duration::from_millis(8));
        toll.kill("readers", &mut victim);
        let info = scene.info("feed").expect("the ring is there");
        pinned += u64::from(info.readers.iter().any(|reader| reader.pid == victim.pid() && reader.pins > 0));
        let deadline = Instant::now() + PROMPT;
        while scene.info("feed").expect("the ring is there").frames <= info.frames {
            if Instant::now() >= deadline {
                note(&format!("the writer stands still at {}", info.frames));
                toll.fault(writing.line_within(Duration::ZERO).as_ref());
                return toll.end(effort);
            }
            std::thread::yield_now();
        }
    }
    for (actor, before) in [&survivor, &writing].into_iter().zip(before) {
        toll.compare_descriptors(before, actor);
    }
    // Whoever comes frees the places of the dead, and what they held.
    drop(ring.reader().expect("attached"));
    let info = scene.info("feed").expect("the ring is there");
    toll.pins = info.readers.iter().filter(|reader| !reader.alive).map(|reader| u64::from(reader.pins)).sum();
    writing.close();
    let Line::Wrote { next } = writing.line() else { panic!("the writer has no end") };
    let tally = survivor.ends();
    assert_eq!((tally.read, tally.first, tally.last), (next, Some(0), Some(next - 1)));
    writing.finish();
    survivor.finish();
    note(&format!("{pinned} readers were killed while they held frames, of {next}"));
    assert!(pinned > 0 || effort.done() < 10, "no reader was killed while it held a frame");
    toll.leave(scene);
    toll.end(effort);
}

/// Kills on all sides tear no frame.
///
/// # Panics
/// If they do.
pub fn of_anybody(effort: Effort, cast: &mut Cast<'_>) {
    of_anybody_in(&Scene::new(), effort, cast);
}

/// As [`of_anybody`], in a scene whose rings may have no names.
///
/// # Panics
/// As there.
pub fn of_anybody_in(scene: &Scene, mut effort: Effort, cast: &mut Cast<'_>) {
    let ring = scene.ring("feed").slots(8);
    let mut words = Words::new(3);
    let mut writing = writer(cast, &ring, None, true, false);
    writing.opens();
    let mut readers: Vec<Actor> = (0..3).map(|hold| follower(cast, &ring, hold)).collect();
    let (mut last, mut toll) = (0, Toll::default());
    while effort.goes_on() {
        nap(&mut words, Duration::from_millis(10));
        let who = words.below(4) as usize;
        if who == 3 {
            toll.kill("writers", &mut writing);
            let (heir, next, _) = heir(cast, &ring);
            assert!(next >= last, "frame {next} after {last}");
            last = next;
            writing = heir;
        } else {
            // Some die before they are in.
            if words.below(4) != 0 {
                readers[who].opens();
                nap(&mut words, Duration::from_millis(5));
            }
            toll.kill("readers", &mut readers[who]);
            look_for_faults(&mut toll, &readers[who]);
            readers[who] = follower(cast, &ring, who);
        }
    }
    writing.kill();
    for reader in &mut readers {
        reader.kill();
        look_for_faults(&mut toll, reader);
    }
    let left = scene.info("feed").expect("unread frames keep the ring");
    assert_eq!(left.state, RingState::Orphaned);
    assert!(left.readers.iter().all(|reader| !reader.alive), "{:?}", left.readers);
    let late = ring.reader().expect("an orphaned ring can be read");
    loop {
        match late.read_frame(PATIENCE) {
            Ok(Some(frame)) => check(SEED, &frame).expect("whole"),
            Ok(None) => panic!("neither a frame nor the end"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WriterDied);
                break;
            }
        }
    }
    drop(late);
    assert_eq!(scene.files(), [""; 0], "the last one out removes a drained ring");
    toll.leave(scene);
    toll.end(effort);
}

/// A reader says nothing but that it has opened and that writers died: a fault would be in between.
fn look_for_faults(toll: &mut Toll, reader: &Actor) {
    while let Some(line) = reader.line_within(Duration::ZERO) {
        if !matches!(line, Line::Open { .. } | Line::Orphaned { .. }) {
            toll.fault(Some(&line));
        }
    }
}
