//! `make benchmark` runs `ring-alone`: what the ring takes between two processes on cores of their own, with a payload of 56 bytes
//! and no Arrow. What is measured are the product's own source files, compiled once more, since the crate does not show them.
//! `-- 0.1` takes a tenth of the samples.

// What only the rest of the product uses looks unused here.
#![allow(dead_code, unreachable_pub, unused_imports)]

#[path = "../../../rust/qadataswap/src/atomic.rs"]
mod atomic;
#[path = "../../../rust/qadataswap/src/crash.rs"]
mod crash;
#[path = "../../../rust/qadataswap/src/futex.rs"]
mod futex;
#[path = "../../../rust/qadataswap/src/layout.rs"]
mod layout;
#[path = "../../../rust/qadataswap/src/publisher.rs"]
mod publisher;
#[path = "../../../rust/qadataswap/src/ring.rs"]
mod ring;
#[path = "../../../rust/qadataswap/src/segment.rs"]
mod segment;
#[path = "../../../rust/qadataswap/src/subscriber.rs"]
mod subscriber;
#[path = "../../../rust/qadataswap/src/sync.rs"]
mod sync;
#[path = "../../../rust/qadataswap/src/wait.rs"]
mod wait;

mod ends;
mod steps;

use ends::{Incoming, Outgoing, PAYLOAD, Payload};
use qadataswap_benches::book::{Book, Key};
use qadataswap_benches::floors::{self, Waiting};
use qadataswap_benches::pair::{self, Partner};
use qadataswap_benches::{Asked, Samples, provenance, scratch};
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

/// Rounds, in each of which everything is measured once.
const ROUNDS: usize = 3;

/// Messages that are timed together: the time of one is near that of reading the clock.
const BATCH: u64 = 1_000;

const WORD: Key<'static> = ("ring alone", "floor: a word", "one way");

fn main() -> Result<(), Box<dyn Error>> {
    if let Some((part, words)) = pair::part() {
        pair::settle(1)?;
        return match part.as_str() {
            "words" => Ok(floors::answer(&words)?),
            "echo" => echo(&words),
            "drain" => drain(&words),
            other => Err(format!("{other}: no such part").into()),
        };
    }
    writeln!(io::stdout(), "{}", provenance())?;
    if !pair::are_two() {
        writeln!(io::stdout(), "one core: nothing that waits for another process can be measured")?;
        return Ok(());
    }
    pair::settle(0)?;
    let Asked { share, .. } = Asked::read();
    let of = |batches: u64| ((batches as f64 * share) as u64).max(8);
    let mut book = Book::new("ring");
    for _ in 0..ROUNDS {
        book.take(WORD, None, floors::one_way(Waiting::Hot, of(200))?);
        for slots in [4, 64, 1024] {
            let row = format!("{PAYLOAD} bytes, {slots} slots");
            book.take(("ring alone", &row, "one way"), Some(WORD), one_way(slots, of(200))?);
            for (flush, column) in [(1, "sustained"), (64, "sustained, 64 to a flush")] {
                book.take(("ring alone", &row, column), Some(WORD), sustained(slots, flush, of(2_000))?);
            }
        }
    }
    for _ in 0..ROUNDS {
        for (step, samples) in steps::account(of(2_000) as usize)? {
            book.take(("steps", step, "one core"), None, samples);
        }
    }
    book.close()?;
    Ok(())
}

/// One way of a message: half a round trip over two rings, the mean of each batch.
fn one_way(slots: u32, batches: u64) -> Result<Samples, Box<dyn Error>> {
    let (there, back) = (scratch("there"), scratch("back"));
    let (mut outgoing, mut incoming) = (Outgoing::create(&there, slots)?, Incoming::create(&back, slots)?);
    let words = [
        &*there.to_string_lossy(),
        &*back.to_string_lossy(),
        &slots.to_string(),
        &(batches * BATCH).to_string(),
    ];
    let partner = Partner::start("echo", &words);
    std::fs::remove_file(&there)?;
    std::fs::remove_file(&back)?;
    let partner = partner?;
    let mut samples = Samples::new("one way");
    let mut turn = 0;
    for _ in 0..batches {
        let began = Instant::now();
        for _ in 0..BATCH {
            outgoing.send(&[turn; PAYLOAD / 8]);
            outgoing.flush();
            let came = incoming.take();
            assert_eq!(came, [turn; PAYLOAD / 8], "what came is what was sent");
            turn += 1;
        }
        samples.add(began.elapsed() / (2 * BATCH) as u32);
    }
    partner.end()?;
    Ok(samples)
}

fn echo(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [there, back, slots, turns] = words else { return Err("four words".into()) };
    let slots: u32 = slots.parse()?;
    let (mut incoming, mut outgoing) =
        (Incoming::open(Path::new(there), slots)?, Outgoing::open(Path::new(back), slots)?);
    pair::say("ready")?;
    for _ in 0..turns.parse()? {
        let came: Payload = incoming.take();
        outgoing.send(&came);
        outgoing.flush();
    }
    Ok(())
}

/// A message of many, to one lossless reader that takes each: the mean of each batch.
fn sustained(slots: u32, flush: u64, batches: u64) -> Result<Samples, Box<dyn Error>> {
    let path = scratch("stream");
    let mut outgoing = Outgoing::create(&path, slots)?;
    let messages = batches * BATCH;
    let words = [&*path.to_string_lossy(), &slots.to_string(), &messages.to_string()];
    let partner = Partner::start("drain", &words);
    std::fs::remove_file(&path)?;
    let mut partner = partner?;
    let mut samples = Samples::new("sustained");
    let mut turn = 0;
    for _ in 0..batches {
        let began = Instant::now();
        for _ in 0..BATCH {
            outgoing.send(&[turn; PAYLOAD / 8]);
            turn += 1;
            if turn % flush == 0 {
                outgoing.flush();
            }
        }
        samples.add(began.elapsed() / BATCH as u32);
    }
    assert_eq!(partner.line()?, (0..messages).sum::<u64>().to_string(), "each has come once");
    partner.end()?;
    Ok(samples)
}

fn drain(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [path, slots, messages] = words else { return Err("three words".into()) };
    let mut incoming = Incoming::open(Path::new(path), slots.parse()?)?;
    pair::say("ready")?;
    let mut sum = 0_u64;
    for _ in 0..messages.parse()? {
        sum += incoming.take()[PAYLOAD / 8 - 1];
    }
    pair::say(&sum.to_string())?;
    Ok(())
}
