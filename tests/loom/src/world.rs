//! A ring in a model checker's memory: the shared words, and slots whose every access is checked for a race.

use crate::checker::{Arc, UnsafeCell};
use crate::futex;
use crate::layout::{Bell, Entry, Head, STATE_OPEN, Status, row};
use crate::publisher::{FreeSlot, Full, Publisher};
use crate::ring::{FrameMeta, Policy, Ring};
use crate::subscriber::{Next, Subscriber};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::wait::{self, Pulse, WaitStrategy, wait_until, wait_with};
use std::cell::RefCell;
use std::convert::Infallible;

pub(crate) struct World {
    status: Status,
    head: Head,
    frames: Bell,
    space: Bell,
    entries: Vec<Entry>,
    rows: Vec<AtomicU64>,
    slots: Vec<UnsafeCell<u64>>,
    /// Slots of two words each, in the place of `slots`: for readers that copy what is being written, and are to find out.
    halves: Vec<[AtomicU64; 2]>,
}

/// Words of a row: state, cursor, one word of pins.
const STRIDE: usize = row::PINS + 1;

// SAFETY: the slots are what the protocol is there to protect; the checker reports any access that it does not.
#[allow(unsafe_code)]
unsafe impl Sync for World {}
// SAFETY: plain data and the checker's own types.
#[allow(unsafe_code)]
unsafe impl Send for World {}

impl World {
    pub(crate) fn new(slots: usize, readers: usize) -> Arc<World> {
        World::with(slots, readers, Vec::new())
    }

    fn with(slots: usize, readers: usize, halves: Vec<[AtomicU64; 2]>) -> Arc<World> {
        let word = || AtomicU64::new(0);
        Arc::new(World {
            status: Status {
                state: AtomicU32::new(STATE_OPEN),
                rows_used: AtomicU32::new(0),
                generation: word(),
                next_schema: word(),
                drained: word(),
                when_full: AtomicU32::new(0),
                _pad: 0,
                evicted: word(),
            },
            head: Head { frames: word(), bytes: word(), rows: word() },
            frames: Bell::silent(),
            space: Bell::silent(),
            entries: (0..slots)
                .map(|_| Entry {
                    stamp: word(),
                    slot: AtomicU32::new(0),
                    _pad: 0,
                    bytes: word(),
                    schema: word(),
                    published_ns: word(),
                    rows: word(),
                    _pad2: [0; 2],
                })
                .collect(),
            rows: (0..readers * STRIDE).map(|_| word()).collect(),
            slots: (0..slots).map(|_| UnsafeCell::new(u64::MAX)).collect(),
            halves,
        })
    }

    /// A ring whose slots can be seen half written.
    pub(crate) fn of_halves(slots: usize) -> Arc<World> {
        let halves = (0..slots).map(|_| [0, 1].map(|_| AtomicU64::new(u64::MAX))).collect();
        World::with(slots, 1, halves)
    }

    /// What a slot of such a ring holds.
    pub(crate) fn halves(&self, slot: u32) -> [u64; 2] {
        self.halves[slot as usize].each_ref().map(|half| half.load(Ordering::Relaxed))
    }

    pub(crate) fn ring(&self) -> Ring<'_> {
        Ring {
            status: &self.status,
            head: &self.head,
            frames: &self.frames,
            space: &self.space,
            entries: &self.entries,
            rows: &self.rows,
            stride: STRIDE,
        }
    }

    pub(crate) fn join(&self, reader: usize, policy: Policy) -> Subscriber {
        let ring = self.ring();
        ring.claim(reader, policy);
        Subscriber::new(reader, policy, ring.join(reader, false).expect("the directory is sound"))
    }

    /// Gives up a reader's place.
    pub(crate) fn leave(&self, reader: usize) {
        let ring = self.ring();
        ring.set_phase(reader, ring.reader(reader).0, row::FREE);
    }

    /// Gives up a reader's place after booking what it has read, as a reader that closes does.
    pub(crate) fn close(&self, reader: usize) {
        let ring = self.ring();
        let (state, cursor) = ring.reader(reader);
        ring.drain(state, cursor);
        ring.set_phase(reader, state, row::FREE);
    }

    /// Writes the next frame, whose content is its sequence number, if there is room for it.
    pub(crate) fn write(&self, publisher: &mut Publisher) -> Result<(), Full> {
        self.write_quietly(publisher)?;
        wait::ring(self.ring().frames);
        Ok(())
    }

    /// As `write`, but wakes nobody.
    pub(crate) fn write_quietly(&self, publisher: &mut Publisher) -> Result<(), Full> {
        let slot = publisher.acquire(&self.ring())?;
        self.publish(publisher, slot);
        Ok(())
    }

    /// Fills a slot and publishes it as the next frame.
    pub(crate) fn publish(&self, publisher: &mut Publisher, slot: FreeSlot) {
        match self.halves.get(slot.index() as usize) {
            Some(halves) => halves.iter().for_each(|half| half.store(publisher.next(), Ordering::Relaxed)),
            // SAFETY: the checker panics if anybody else looks at the cell meanwhile.
            #[allow(unsafe_code)]
            None => self.slots[slot.index() as usize].with_mut(|cell| unsafe { *cell = publisher.next() }),
        }
        let meta = FrameMeta { rows: publisher.next(), ..FrameMeta::default() };
        publisher.publish(&self.ring(), slot, &meta);
    }

    /// Writes the next frame, asleep until there is room for it.
    pub(crate) fn write_blocking(&self, publisher: &mut Publisher) {
        let ring = self.ring();
        let slot = {
            let publisher = RefCell::new(&mut *publisher);
            wait_until(
                ring.space,
                WaitStrategy::SLEEP,
                None,
                &Pulse::default(),
                || Ok::<_, Infallible>(publisher.borrow_mut().acquire(&ring).ok()),
                || Publisher::ask_for_wake(&ring),
                || Ok(()),
            )
        };
        let Ok(Some(slot)) = slot else { unreachable!("waits without end") };
        self.publish(publisher, slot);
        wait::ring(ring.frames);
    }

    /// Takes the next frame, checks that it is whole, and gives it back. Returns its sequence and what was
    /// missed before it.
    pub(crate) fn read(&self, subscriber: &mut Subscriber, reader: usize) -> Option<(u64, u64)> {
        match subscriber.poll(&self.ring()) {
            Next::Frame(meta, missed) => {
                self.check(&meta);
                self.ring().unpin(reader, meta.slot);
                Some((meta.sequence, missed))
            }
            Next::NotYet | Next::Ended(_) => None,
            other => panic!("{other:?}"),
        }
    }

    /// Takes the next frame, asleep until it comes.
    pub(crate) fn read_blocking(&self, subscriber: &mut Subscriber, reader: usize) -> u64 {
        let ring = self.ring();
        let found = wait_until(
            ring.frames,
            WaitStrategy::SLEEP,
            None,
            &Pulse::default(),
            || Ok::<_, Infallible>(self.read(subscriber, reader)),
            || wait::announce(ring.frames),
            || Ok(()),
        );
        let Ok(Some((sequence, _))) = found else { unreachable!("waits without end") };
        sequence
    }

    /// Sleeps on the bells of two rings until one of them is ready; returns which.
    pub(crate) fn select(worlds: [&World; 2], is_ready: impl Fn(usize) -> bool) -> usize {
        let rings = worlds.map(World::ring);
        let tickets = RefCell::new(Vec::new());
        let found = wait_with(
            WaitStrategy::SLEEP,
            None,
            &Pulse::default(),
            || Ok::<_, Infallible>((0..2).find(|&each| is_ready(each))),
            || {
                tickets.borrow_mut().clear();
                wait::announce_all(rings.iter().map(|ring| ring.frames), &mut tickets.borrow_mut());
            },
            || Ok(()),
            |_| {
                let tickets = tickets.borrow();
                futex::wait_any(&[(&rings[0].frames.word, tickets[0]), (&rings[1].frames.word, tickets[1])]);
                rings.iter().for_each(|ring| wait::pass_on(ring.frames));
            },
        );
        let Ok(Some(ready)) = found else { unreachable!("waits without end") };
        ready
    }

    /// The frame's slot holds what was written for this frame.
    pub(crate) fn check(&self, meta: &FrameMeta) {
        assert_eq!(meta.rows, meta.sequence, "the entry is another frame's");
        // SAFETY: the checker panics if anybody writes to the cell meanwhile.
        #[allow(unsafe_code)]
        let content = self.slots[meta.slot as usize].with(|cell| unsafe { *cell });
        assert_eq!(content, meta.sequence, "the slot is another frame's");
    }
}
