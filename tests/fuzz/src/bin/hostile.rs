//! The two processes of the hostile rewriter's test: `hostile rewrite FOLDER SEED` and `hostile read FOLDER`.
//!
//! The one publishes frames that it has spoilt and goes on spoiling them, and the directory, while the other reads them
//! with [`Validation::FullOnCopy`] and looks at every value. For each line `N` on its input the reader reads `N` frames and
//! says what became of them, as `accepted 17` and `Corrupt 983`, and then `done`. Both end when their input does.

use qadataswap::{ErrorKind, QADataSwapError, Reader, ReaderPolicy, SharedMemoryConfig, Validation};
use qadataswap_fuzz::anatomy::Anatomy;
use qadataswap_fuzz::{Claim, Forge, catalogue, walk};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const RING: &str = "rewritten";
/// How many changes of a frame there are after it was published: of these, one, and from none up to as many.
const CHANGES: [usize; 4] = [1, 4, 16, 64];
/// Of as many changes, one is not taken back: else hardly a frame would be let through.
const LASTING: u32 = 8;
/// Looks in vain after which a reader attaches anew: what the directory said may have led it far away.
const IN_VAIN: u32 = 64;
/// Time without a frame after which the rewriter has stopped.
const STOPPED: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rewrite", folder, seed] => rewrite(Path::new(folder), seed.parse().expect("a seed")),
        ["read", folder] => read(Path::new(folder)),
        _ => panic!("hostile rewrite FOLDER SEED, or hostile read FOLDER"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}

fn rewrite(folder: &Path, seed: u64) {
    let over = Arc::new(AtomicBool::new(false));
    let watch = Arc::clone(&over);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        watch.store(true, Ordering::Relaxed);
    });
    let mut rng = StdRng::seed_from_u64(seed);
    let frames: Vec<_> = catalogue().into_iter().map(|frame| (Anatomy::of(&frame), frame)).collect();
    let mut forge = Forge::new(folder, RING);
    let mut fresh = frames.len() as u64;
    say("ready");
    while !over.load(Ordering::Relaxed) {
        let number = rng.random_range(0..frames.len());
        let (anatomy, frame) = &frames[number];
        let (_, slot) = forge.next();
        forge.fill(slot, 0, frame);
        if rng.random_range(0..4) == 0 {
            let (at, bytes) = anatomy.change(frame, &mut rng);
            forge.fill(slot, at, &bytes);
        }
        let schema = match rng.random_range(0..16) {
            // A schema that has to be parsed; the schema of another frame.
            0 | 1 => {
                fresh += 1;
                fresh
            }
            2 => rng.random_range(0..frames.len() as u64),
            _ => number as u64,
        };
        let bytes = match rng.random_range(0..32) {
            0 => rng.random(),
            1 => rng.random_range(0..forge.slot_bytes() as u64 + 64),
            _ => frame.len() as u64,
        };
        forge.publish(Claim { slot, bytes, schema, rows: rng.random() });
        let most = CHANGES[rng.random_range(0..CHANGES.len())];
        for _ in 0..rng.random_range(0..most) {
            let (at, bytes) = anatomy.change(frame, &mut rng);
            forge.fill(slot, at, &bytes);
            if rng.random_range(0..LASTING) > 0 {
                forge.fill(slot, at, &frame[at..at + bytes.len()]);
            }
            if rng.random_range(0..128) == 0 {
                let (word, value) = (rng.random(), rng.random::<u64>() >> rng.random_range(0..64));
                let former = forge.spoil_directory(word, value);
                // A directory that goes on lying stops all reading until it is written anew.
                if rng.random_range(0..LASTING) > 0 {
                    forge.spoil_directory(word, former);
                }
            }
        }
    }
}

/// The reading side: its reader, and what became of its trials.
struct Trials {
    config: SharedMemoryConfig,
    reader: Reader,
    number: u64,
    outcomes: BTreeMap<&'static str, u64>,
    /// What was wrong with the frame that was refused last.
    last: String,
}

fn attach(config: &SharedMemoryConfig) -> Reader {
    // Whoever takes all frames that stand there has to wait less often than whoever wants the newest.
    Forge::reader_of(config, ReaderPolicy::Lossy, Validation::FullOnCopy)
        .expect("a place in a ring whose header nobody changes")
}

fn read(folder: &Path) {
    let config = Forge::config(folder, RING);
    let mut trials =
        Trials { reader: attach(&config), config, number: 0, outcomes: BTreeMap::new(), last: String::new() };
    for line in std::io::stdin().lines() {
        let count: u64 = line.expect("text").parse().expect("how many");
        (0..count).for_each(|_| trials.next());
        for (outcome, count) in std::mem::take(&mut trials.outcomes) {
            say(&format!("{outcome} {count}"));
        }
        say("done");
    }
}

impl Trials {
    /// Reads one frame, whatever becomes of it.
    fn next(&mut self) {
        self.number += 1;
        let (began, mut in_vain) = (Instant::now(), 0);
        let outcome = loop {
            match self.look() {
                Ok(true) => break "accepted",
                Ok(false) => {}
                Err(error) => {
                    let what = error.to_string();
                    if self.last == what {
                        // A directory that lies says the same until the rewriter has gone on.
                        std::thread::yield_now();
                    }
                    self.last = what;
                    break error.kind().name();
                }
            }
            in_vain += 1;
            if in_vain % IN_VAIN == 0 {
                assert!(began.elapsed() < STOPPED, "no frame for {STOPPED:?}");
                self.reader = attach(&self.config);
            }
            std::thread::yield_now();
        };
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    /// Whether there was a frame, all of whose values have then been read: arrays and C structs in turns.
    fn look(&mut self) -> Result<bool, QADataSwapError> {
        let outcome = if self.number.is_multiple_of(2) {
            self.reader
                .try_read_frame()
                .map(|frame| frame.inspect(|frame| frame.batches().iter().for_each(walk::batch)).is_some())
        } else {
            self.reader.try_read_ffi().map(|frame| {
                frame
                    .inspect(|frame| {
                        (0..frame.num_batches())
                            .for_each(|number| walk::exported(frame.export(number), frame.schema()));
                    })
                    .is_some()
            })
        };
        outcome.inspect_err(|error| {
            if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::ArrowError) {
                self.reader = attach(&self.config);
            }
        })
    }
}
