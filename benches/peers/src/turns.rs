//! One way's turns: send, wait until the other process has seen it, and again.
//!
//! Both processes read the same clock. The receiver leaves the time of arrival, and then the number of the turn, where the
//! sender finds them; who measures sleepers sleeps too, for a spinning sender would hold the core that its own threads need.

use crate::scratch::Label;
use crate::table::Table;
use crate::way::{PATIENCE, Terms, Waiting, Way};
use arrow_array::RecordBatch;
use clap::ValueEnum;
use qadataswap_benches::pair::{self, Partner};
use qadataswap_benches::rings::Failure;
use qadataswap_benches::shared::Shared;
use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::hint::spin_loop;
use std::io;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

/// The receiver's part.
pub(crate) const PART: &str = "receive";

/// The line with the time of the last arrival.
const ARRIVED: usize = 0;
/// The line with the number of turns that are done.
const DONE: usize = 1;

/// How long the sender lets pass before it sends to one that sleeps, which has gone to sleep by then.
const DOZING: Duration = Duration::from_micros(20);

/// Nanoseconds by the clock that all processes have.
fn now() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    tv_sec as u64 * 1_000_000_000 + tv_nsec as u64
}

/// Sends a table so often to warm the way, and then as often as it is timed; nanoseconds from before each is sent until its
/// last value has been looked at.
///
/// # Errors
/// If either end fails, or the clock does.
pub(crate) fn measure(
    table: Table,
    batch: &RecordBatch,
    way: Way,
    waiting: Waiting,
    (warm, turns): (usize, usize),
    label: &Label,
) -> Result<Vec<u64>, Failure> {
    let path = label.memory("turns");
    let shared = Shared::create(&path, 4096)?;
    let mut sender = way.sender(&Terms { table, batch, waiting, label })?;
    let [stem, what] = label.words();
    let total = (warm + turns).to_string();
    let mut partner =
        Partner::start(PART, &[&table.word(), &way.word(), waiting.word(), &total, stem, what])?;
    std::fs::remove_file(&path)?;
    sender.meet(&partner.line()?)?;
    let mut taken = Vec::with_capacity(turns);
    for turn in 0..warm + turns {
        sender.prepare(batch)?;
        if waiting == Waiting::Sleeping {
            let until = Instant::now() + DOZING;
            while Instant::now() < until {
                spin_loop();
            }
        }
        let began = now();
        sender.send(batch)?;
        until_done(&shared, turn as u32 + 1, waiting)?;
        let arrived = shared.word(ARRIVED).load(Acquire);
        if turn >= warm {
            taken.push(arrived.checked_sub(began).ok_or("the clocks of the two cores disagree")?);
        }
    }
    // Its last answer may still be under way: that nobody waits for it any more ends it.
    drop(sender);
    partner.end()?;
    Ok(taken)
}

/// Waits until the receiver is done with a turn.
fn until_done(shared: &Shared, turn: u32, waiting: Waiting) -> Result<(), Failure> {
    let done = shared.half(DONE);
    let began = Instant::now();
    loop {
        for _ in 0..1_000 {
            let seen = done.load(Acquire);
            if seen >= turn {
                return Ok(());
            }
            match waiting {
                Waiting::Spinning => spin_loop(),
                Waiting::Sleeping => {
                    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
                    match futex::wait(done, futex::Flags::empty(), seen, Some(&second)) {
                        Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                        Err(Errno::TIMEDOUT) => break,
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("no answer to turn {turn} within {PATIENCE:?}").into());
        }
    }
}

/// The receiver's part of [`measure`].
///
/// # Errors
/// If the words are others, its end fails, or another table arrives.
pub(crate) fn play(words: &[String]) -> Result<(), Failure> {
    let [table, way, waiting, turns, stem, what] = words else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    };
    let table = Table::from_str(table, false)?;
    let way = Way::from_str(way, false)?;
    let waiting = Waiting::from_str(waiting, false)?;
    let turns: u32 = turns.parse()?;
    let label = Label::of(stem, what);
    pair::settle(1)?;
    let shared = Shared::open(&label.memory("turns"))?;
    let batch = table.make();
    let mut receiver = way.receiver(&Terms { table, batch: &batch, waiting, label: &label })?;
    pair::say("ready")?;
    pair::say(&receiver.told())?;
    for turn in 1..=turns {
        let arrival = receiver.receive()?;
        arrival.look();
        let arrived = now();
        if turn == 1 && !arrival.is(&batch) {
            return Err(format!("{} brought another table", way.name()).into());
        }
        drop(arrival);
        shared.word(ARRIVED).store(arrived, Release);
        shared.half(DONE).store(turn, Release);
        if waiting == Waiting::Sleeping {
            futex::wake(shared.half(DONE), futex::Flags::empty(), 1)?;
        }
    }
    receiver.leave()
}
