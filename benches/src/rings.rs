//! What a ring takes between two processes, each on a core of its own.

use crate::pair::{self, Partner};
use crate::{Samples, quotes};
use qadataswap::{Reader, ReaderPolicy, SharedMemoryConfig, WaitStrategy, Writer};
use std::io;
use std::time::{Duration, Instant};

/// What goes wrong while measuring.
pub type Failure = Box<dyn std::error::Error>;

/// How long anybody waits for anybody.
const PATIENCE: Duration = Duration::from_secs(20);

fn strategy(sleeps: bool) -> WaitStrategy {
    if sleeps { WaitStrategy::SLEEP } else { WaitStrategy::SPIN }
}

fn config(name: &str, rows: usize, slots: usize) -> SharedMemoryConfig {
    SharedMemoryConfig::new(name)
        .with_slot_bytes((rows as u64 * 64).max(8 << 10))
        .with_buffer_count(slots)
        .with_prefault(true)
}

fn name(what: &str) -> String {
    format!("bench-{what}-{}", std::process::id())
}

/// Frames of so many rows × 5, one way between two processes, from before `write_arrow` until the batch is there: half a
/// round trip over two rings.
///
/// # Errors
/// If either ring fails.
pub fn one_way(rows: usize, sleeps: bool, turns: usize) -> Result<Samples, Failure> {
    let (there, back) = (name("there"), name("back"));
    let table = quotes(rows);
    let writer = Writer::new(config(&there, rows, 4))?;
    let words = [there.as_str(), &back, &rows.to_string(), &sleeps.to_string(), &turns.to_string()];
    let partner = Partner::start("echo", &words)?;
    let reader = Reader::new(config(&back, rows, 4).with_wait(strategy(sleeps)))?;
    let mut samples = Samples::new(if sleeps { "a frame, one way, asleep" } else { "a frame, one way" });
    for turn in 0..turns {
        let began = Instant::now();
        writer.write_arrow(&table)?;
        let batch = reader.read_arrow(PATIENCE)?.ok_or("no answer")?;
        let took = began.elapsed() / 2;
        if turn == 0 {
            assert_eq!(batch, table, "it works, before it counts");
        }
        // The first rounds warm every slot, and what either side keeps between frames.
        if turn >= 16 {
            samples.add(took);
        }
    }
    // The partner stays until nobody reads it any more.
    drop(reader);
    partner.end()?;
    Ok(samples)
}

/// The partner's part of [`one_way`].
///
/// # Errors
/// If the words are others, or either ring fails.
pub fn echo(words: &[String]) -> Result<(), Failure> {
    let [there, back, rows, sleeps, turns] = words else { return Err("five words".into()) };
    let (rows, sleeps, turns): (usize, bool, usize) = (rows.parse()?, sleeps.parse()?, turns.parse()?);
    let table = quotes(rows);
    let reader = Reader::new(config(there, rows, 4).with_wait(strategy(sleeps)))?;
    let writer = Writer::new(config(back, rows, 4))?;
    pair::say("ready")?;
    for _ in 0..turns {
        drop(reader.read_arrow(PATIENCE)?.ok_or("nothing came")?);
        writer.write_arrow(&table)?;
    }
    // What it wrote is read before it leaves.
    while writer.reader_count() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Frames of so many rows a second, to one lossless reader in another process that looks at each: the mean of each of so
/// many stretches, as the time of one frame.
///
/// # Errors
/// If the ring fails.
pub fn sustained(rows: usize, slots: usize, frames: u64) -> Result<Samples, Failure> {
    const STRETCHES: u64 = 50;
    let ring = name("stream");
    let table = quotes(rows);
    let writer = Writer::new(config(&ring, rows, slots).with_wait(WaitStrategy::SPIN))?;
    let mut partner = Partner::start("count", &[&ring, &frames.to_string()])?;
    let mut samples = Samples::new("a frame of many");
    for _ in 0..STRETCHES {
        let began = Instant::now();
        for _ in 0..frames / STRETCHES {
            writer.write_arrow(&table)?;
        }
        samples.add(began.elapsed() / (frames / STRETCHES) as u32);
    }
    writer.close()?;
    let counted = partner.line()?;
    assert_eq!(counted, (frames / STRETCHES * STRETCHES).to_string(), "none is lost");
    partner.end()?;
    Ok(samples)
}

/// The partner's part of [`sustained`].
///
/// # Errors
/// If the words are others, or the ring fails.
pub fn count(words: &[String]) -> Result<(), Failure> {
    let [ring, _] = words else { return Err("two words".into()) };
    let reader = Reader::new(SharedMemoryConfig::new(ring).with_wait(WaitStrategy::SPIN))?;
    pair::say("ready")?;
    let mut frames = 0_u64;
    loop {
        match reader.read_frame(PATIENCE) {
            Ok(Some(frame)) => frames += u64::from(frame.sequence() == frames),
            Ok(None) => return Err("nothing came".into()),
            Err(error) if error.kind() == qadataswap::ErrorKind::EndOfStream => break,
            Err(error) => return Err(error.into()),
        }
    }
    pair::say(&frames.to_string())?;
    Ok(())
}

/// What publishing a frame of one row takes the writer while so many readers are attached that let everything go by.
///
/// # Errors
/// If the ring fails.
pub fn publish_beside(readers: usize, turns: usize) -> Result<Samples, Failure> {
    // Without a name, for nobody reads what would have to be removed.
    let ring = config(&name("beside"), 1, 16).with_memfd(true);
    let table = quotes(1);
    let writer = Writer::new(ring)?;
    let region = writer.share()?;
    let lossy = SharedMemoryConfig::new("").with_policy(ReaderPolicy::Lossy);
    let attached: Result<Vec<Reader>, _> =
        (0..readers).map(|_| Reader::from_fd(&region, lossy.clone())).collect();
    let attached = attached?;
    let mut samples = Samples::new("write_arrow");
    for turn in 0..turns + 64 {
        let began = Instant::now();
        writer.write_arrow(&table)?;
        if turn >= 64 {
            samples.add(began.elapsed());
        }
    }
    assert_eq!(writer.reader_count(), readers, "they are still there");
    drop(attached);
    Ok(samples)
}

/// Plays a part in somebody else's measurement.
///
/// # Errors
/// If there is no such part, or it fails.
pub fn play(part: &str, words: &[String]) -> Result<(), Failure> {
    pair::settle(1)?;
    match part {
        "words" => Ok(crate::floors::answer(words)?),
        "echo" => echo(words),
        "count" => count(words),
        other => Err(io::Error::other(format!("{other}: no such part")).into()),
    }
}
