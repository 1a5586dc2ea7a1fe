//! What each step of the protocol takes on one core, where no cache line goes across: the account of what a frame costs beside the
//! description of its columns.

use crate::ends::{Incoming, Outgoing, PAYLOAD};
use crate::ring::FrameMeta;
use crate::subscriber::Next;
use crate::wait;
use nix::time::{ClockId, clock_gettime};
use qadataswap_benches::{Samples, scratch};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

/// Messages whose like steps are taken in a row: one is shorter than reading the clock twice.
const TOGETHER: usize = 64;

/// Slots of the ring: twice as many as are held at a time, and a few.
const SLOTS: u32 = 256;

/// The steps of a message's life, in their order.
pub fn account(turns: usize) -> Result<Vec<(&'static str, Samples)>, Box<dyn Error>> {
    let path = scratch("steps");
    let ends = Outgoing::create(&path, SLOTS).and_then(|out| Ok((out, Incoming::open(&path, SLOTS)?)));
    std::fs::remove_file(&path)?;
    let (mut outgoing, mut incoming) = ends?;
    let mut account = Account::default();
    let payload = [7_u8; PAYLOAD];
    let meta = FrameMeta { bytes: PAYLOAD as u64, ..FrameMeta::default() };
    let (mut slots, mut held) = (Vec::with_capacity(TOGETHER), Vec::with_capacity(TOGETHER));
    // The first round of the ring is not timed: it touches every slot.
    let warm = SLOTS as usize / TOGETHER;
    for turn in 0..turns + warm {
        account.next = 0;
        let counts = turn >= warm;
        let ring = outgoing.segment.ring();
        account.step("the clock's time, for the frame's stamp", counts, || {
            clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock")
        });
        account.step("a slot that nobody reads", counts, || {
            slots.push(outgoing.publisher.acquire(&ring).expect("half of the slots are free"));
        });
        let mut filled = slots.iter_mut();
        account.step("copy 56 bytes into it", counts, || {
            let slot = filled.next().expect("as many as steps");
            outgoing.segment.slot_mut(slot)[..PAYLOAD].copy_from_slice(black_box(&payload));
        });
        let mut ready = slots.drain(..);
        account.step("publish: its directory entry, and the head", counts, || {
            outgoing.publisher.publish(&ring, ready.next().expect("as many as steps"), &meta);
        });
        drop(ready);
        account.step("look for sleepers", counts, || wait::ring(ring.frames));
        let seen = incoming.segment.ring();
        account.step("read: find, pin, check, move the cursor", counts, || {
            let Next::Frame(meta, 0) = incoming.subscriber.poll(&seen) else { panic!("all were published") };
            held.push(meta);
        });
        let mut held = held.drain(..);
        account.step("let go: take off the pin", counts, || {
            seen.unpin(0, held.next().expect("as many as steps").slot);
        });
    }
    Ok(account.steps)
}

#[derive(Default)]
struct Account {
    steps: Vec<(&'static str, Samples)>,
    next: usize,
}

impl Account {
    /// Takes a step so many times in a row, and counts the mean.
    fn step<T>(&mut self, name: &'static str, counts: bool, mut act: impl FnMut() -> T) {
        let began = Instant::now();
        for _ in 0..TOGETHER {
            black_box(act());
        }
        let took = began.elapsed() / TOGETHER as u32;
        if self.steps.len() == self.next {
            self.steps.push((name, Samples::new(name)));
        }
        if counts {
            self.steps[self.next].1.add(took);
        }
        self.next += 1;
    }
}
