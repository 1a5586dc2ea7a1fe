//! Who acts in a scene: a writer and its heirs, readers of every policy that come, go and die, and one that waits for two
//! rings.

use crate::dice::Dice;
use crate::futex;
use crate::layout::row;
use crate::process;
use crate::publisher::{FreeSlot, Publisher};
use crate::ring::{FrameMeta, Policy};
use crate::stage::{DEATHS, Found, HEIRS, Reader, Stage, WhenFull};
use crate::wait::{self, Pulse, WaitStrategy, wait_until};
use crate::world::World;
use shuttle::thread;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;

/// Steps within which a mortal writer dies, if it gets so far.
const LIFE: u64 = 150;

/// Writes the ring's frames and closes it: a writer, and an heir for each one that dies, up to so many.
pub(crate) fn writers(stage: &Stage, heirs: u64, mut dice: Dice) {
    let mortals = dice.below(heirs + 1);
    for life in 0.. {
        let fuse = if life < mortals { 1 + dice.below(LIFE) } else { 0 };
        let mut dice = dice.another();
        if process::live(fuse, || write(stage, life > 0, &mut dice)).is_some() {
            return;
        }
        bury();
    }
}

/// One writer's life.
fn write(stage: &Stage, is_heir: bool, dice: &mut Dice) {
    let ring = stage.ring();
    let gate = stage.gate.take();
    let _lock = stage.writer.take();
    stage.evict_dead(0..ring.rows_used());
    let mut publisher = match is_heir {
        true => Publisher::take_over(&ring).expect("the directory is sound"),
        false => Publisher::new(&ring),
    };
    stage.check_heir(publisher.next());
    if is_heir {
        HEIRS.fetch_add(1, Relaxed);
    }
    if stage.when_full == WhenFull::KeepUnread {
        publisher.keep_unread();
    }
    wait::ring_always(ring.frames);
    drop(gate);
    while publisher.next() < stage.frames {
        rest(dice.below(4) / 2);
        let slot = acquire(stage, &mut publisher);
        // A second draft, if it can be had without waiting and there is a frame left to write.
        let wants = publisher.next() + 1 < stage.frames && dice.one_in(4);
        let second = if wants { publisher.acquire(&ring).ok() } else { None };
        publish(stage, &mut publisher, slot);
        match second {
            Some(second) if dice.one_in(2) => publisher.abandon(second),
            Some(second) => publish(stage, &mut publisher, second),
            None => {}
        }
    }
    rest(dice.below(3));
    ring.close();
}

/// Lets all others come first, so many times: those who read may be asleep again behind it.
fn rest(times: u64) {
    (0..times).for_each(|_| thread::yield_now());
}

fn publish(stage: &Stage, publisher: &mut Publisher, slot: FreeSlot) {
    let sequence = publisher.next();
    stage.world.publish(publisher, slot);
    stage.acknowledge(sequence);
    wait::ring(stage.ring().frames);
}

/// A slot for the next frame, as soon as there is one.
fn acquire(stage: &Stage, publisher: &mut Publisher) -> FreeSlot {
    let ring = stage.ring();
    let publisher = RefCell::new(publisher);
    let look = || {
        let mut publisher = publisher.borrow_mut();
        if let Ok(slot) = publisher.acquire(&ring) {
            return Some(slot);
        }
        stage.check_refusal();
        stage.evict_dead(publisher.blockers(&ring));
        publisher.acquire(&ring).ok()
    };
    if stage.when_full == WhenFull::Fail {
        loop {
            match look() {
                Some(slot) => return slot,
                None => thread::yield_now(),
            }
        }
    }
    let slot = wait_until(
        ring.space,
        WaitStrategy::SLEEP,
        None,
        &Pulse::default(),
        || Ok::<_, Infallible>(look()),
        || Publisher::ask_for_wake(&ring),
        || Ok(()),
    );
    let Ok(Some(slot)) = slot else { unreachable!("waits without end") };
    slot
}

/// What a reader is like, and its successors.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) policy: Policy,
    /// Keeps each frame until it has the next.
    pub(crate) hoards: bool,
    /// Waits asleep and does nothing else, in each of its lives.
    pub(crate) only_sleeps: bool,
    /// The last of its lives reads to the end.
    pub(crate) is_faithful: bool,
    /// Lives before the last, at most.
    pub(crate) short_lives: u64,
    /// Steps within which one that is mortal dies, if it gets so far; 0 if none is.
    pub(crate) steps: u64,
}

/// A reader, and its successors when it has left or died.
pub(crate) fn readers(stage: &Stage, manner: Manner, mut dice: Dice) {
    let short_lives = dice.below(manner.short_lives + 1);
    for life in 0..=short_lives {
        let stays = manner.is_faithful && life == short_lives;
        let fuse =
            if stays || manner.steps == 0 || dice.one_in(3) { 0 } else { 1 + dice.below(manner.steps) };
        let keeps_unread = stage.when_full == WhenFull::KeepUnread;
        let newest = !(stays && keeps_unread) && dice.one_in(3);
        let frames = match stays {
            true => u64::MAX,
            // Whoever starts at the newest frame leaves the older ones to others. If it waited for more than that frame,
            // and the writer for somebody to read the older ones, they would rightly wait for ever.
            false if newest && keeps_unread => 1,
            false => dice.below(stage.frames),
        };
        let mut habits = dice.another();
        // Where its row is, and from which frame on it reads.
        let attached = Cell::new(None);
        let ended = process::live(fuse, || {
            let mut reader = loop {
                match stage.attach(manner.policy, newest) {
                    Some(reader) => break reader,
                    None => thread::yield_now(),
                }
            };
            attached.set(Some((reader.row, reader.next())));
            let held = read(&mut reader, frames, manner, &mut habits);
            reader.close(held);
        });
        if ended.is_none() {
            if let (Some((row, first)), Policy::Lossless) = (attached.get(), manner.policy) {
                // What a dead reader has passed counts as read, be it that it died with the frame in its hands.
                let cursor = stage.ring().row(row)[row::CURSOR].peek();
                stage.record(first, cursor & !row::WANTED);
            }
            bury();
        }
    }
}

/// Reads up to so many frames, or to the end; returns what is in its hands then.
fn read(reader: &mut Reader<'_>, frames: u64, manner: Manner, habits: &mut Dice) -> Option<FrameMeta> {
    let sleeps = manner.only_sleeps || !habits.one_in(4);
    let pauses = if manner.only_sleeps { 1 } else { 3 };
    let mut held: Option<FrameMeta> = None;
    for _ in 0..frames {
        let meta = match if sleeps { next_asleep(reader) } else { next_awake(reader) } {
            Found::End => break,
            Found::Frame(meta) => meta,
        };
        if let Some(before) = held.replace(meta) {
            reader.release(&before);
        }
        // With the frame in its hands.
        rest(habits.below(pauses));
        if !manner.hoards
            && let Some(meta) = held.take()
        {
            reader.release(&meta);
        }
    }
    // With nothing left to do but to leave.
    rest(habits.below(2));
    held
}

fn next_awake(reader: &mut Reader<'_>) -> Found {
    loop {
        match reader.look() {
            Some(found) => return found,
            None => thread::yield_now(),
        }
    }
}

fn next_asleep(reader: &mut Reader<'_>) -> Found {
    let ring = reader.stage.ring();
    let found = wait_until(
        ring.frames,
        WaitStrategy::SLEEP,
        None,
        &Pulse::default(),
        || Ok::<_, Infallible>(reader.look()),
        || wait::announce(ring.frames),
        || Ok(()),
    );
    let Ok(Some(found)) = found else { unreachable!("waits without end") };
    found
}

/// Reads two rings to their ends, asleep on both bells while neither has anything.
pub(crate) fn selector(stages: [&Stage; 2], policies: [Policy; 2]) {
    let mut readers = [0, 1].map(|each: usize| stages[each].attach(policies[each], false));
    while readers.iter().any(Option::is_some) {
        let ready = World::select([&stages[0].world, &stages[1].world], |each| {
            readers[each].as_ref().is_some_and(Reader::is_ready)
        });
        let reader = readers[ready].as_mut().expect("only who is there is ready");
        match reader.look() {
            Some(Found::Frame(meta)) => reader.release(&meta),
            Some(Found::End) => readers[ready].take().expect("as above").close(None),
            // The writer is dead, and has left nothing: its heir rings.
            None => thread::yield_now(),
        }
    }
}

/// Somebody has died.
fn bury() {
    DEATHS.fetch_add(1, Relaxed);
    futex::slice_ends();
}
