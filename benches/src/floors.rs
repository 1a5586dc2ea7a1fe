//! The floors: what the hardware and the kernel take for what a ring does, with no safety of any kind.

use crate::Samples;
use crate::pair::{self, Partner};
use crate::shared::Shared;
use rustix::thread::futex;
use std::hint::spin_loop;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Instant;

/// Round trips that are timed together: one is shorter than reading the clock twice.
const BATCH: u64 = 1_000;

/// How the two wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Looking again at once.
    Hot,
    /// With the processor's pause in between.
    Pausing,
    /// Asleep on a futex.
    Asleep,
}

impl Waiting {
    const ALL: [(&'static str, Waiting); 3] =
        [("hot", Waiting::Hot), ("pausing", Waiting::Pausing), ("asleep", Waiting::Asleep)];

    fn word(self) -> &'static str {
        Waiting::ALL.iter().find(|(_, waiting)| *waiting == self).map_or("", |(word, _)| word)
    }

    fn of(word: &str) -> Option<Waiting> {
        Waiting::ALL.iter().find(|(name, _)| *name == word).map(|(_, waiting)| *waiting)
    }
}

/// Says how far one is, by the word at a line of one's own; [`meet`] of the other waits for it.
pub fn pass(shared: &Shared, mine: usize, to: u64, waiting: Waiting) {
    match waiting {
        Waiting::Asleep => {
            shared.half(mine).store(to as u32, Release);
            let _ = futex::wake(shared.half(mine), futex::Flags::empty(), 1);
        }
        Waiting::Hot | Waiting::Pausing => shared.word(mine).store(to, Release),
    }
}

/// Waits until the other's word says that it is as far.
pub fn meet(shared: &Shared, theirs: usize, until: u64, waiting: Waiting) {
    match waiting {
        Waiting::Hot => while shared.word(theirs).load(Acquire) < until {},
        Waiting::Pausing => {
            while shared.word(theirs).load(Acquire) < until {
                spin_loop();
            }
        }
        Waiting::Asleep => loop {
            let seen = shared.half(theirs).load(Acquire);
            if u64::from(seen) >= until {
                break;
            }
            let _ = futex::wait(shared.half(theirs), futex::Flags::empty(), seen, None);
        },
    }
}

/// One way of a word between two processes on cores of their own: half a round trip, the mean of each batch.
///
/// # Errors
/// If there can be no partner.
pub fn one_way(waiting: Waiting, batches: u64) -> io::Result<Samples> {
    let path = crate::scratch("words");
    let shared = Shared::create(&path, 4096)?;
    let name = match waiting {
        Waiting::Hot => "a word, one way",
        Waiting::Pausing => "a word, one way, with pauses",
        Waiting::Asleep => "a futex's wake, one way",
    };
    let batch = if waiting == Waiting::Asleep { BATCH / 10 } else { BATCH };
    let turns = batches * batch;
    let partner = Partner::start("words", &[&path.to_string_lossy(), waiting.word(), &turns.to_string()]);
    std::fs::remove_file(&path)?;
    let partner = partner?;
    let mut samples = Samples::new(name);
    for batch_number in 0..batches {
        let began = Instant::now();
        for turn in batch_number * batch + 1..=(batch_number + 1) * batch {
            pass(&shared, 0, turn, waiting);
            meet(&shared, 1, turn, waiting);
        }
        samples.add(began.elapsed() / (2 * batch) as u32);
    }
    partner.end()?;
    Ok(samples)
}

/// The partner's part of [`one_way`]: its words are the file, the way to wait, and how often.
///
/// # Errors
/// If the words are others.
pub fn answer(words: &[String]) -> io::Result<()> {
    let [path, waiting, turns] = words else { return Err(io::ErrorKind::InvalidInput.into()) };
    let waiting = Waiting::of(waiting).ok_or(io::ErrorKind::InvalidInput)?;
    let turns: u64 = turns.parse().map_err(io::Error::other)?;
    let shared = Shared::open(Path::new(path))?;
    pair::say("ready")?;
    for turn in 1..=turns {
        meet(&shared, 0, turn, waiting);
        pass(&shared, 1, turn, waiting);
    }
    Ok(())
}
