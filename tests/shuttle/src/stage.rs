//! A ring and what the kernel keeps for it: the gate, the writer's lock, a lock for each place. Joining, leaving, freeing
//! the places of the dead and mending what a dead writer left go as in the product's `attach`, `region`, `lease` and
//! `create`, store by store.

use crate::checker::Arc;
use crate::layout::{STATE_OPEN, Stamp, row};
use crate::process::{Held, Lock};
use crate::publisher::Publisher;
use crate::ring::{FrameMeta, Policy, Ring, repair};
use crate::subscriber::{Next, Subscriber};
use crate::wait;
use crate::world::World;
use shuttle::thread;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a full ring means to its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Sleeps until there is room.
    Block,
    /// Tries again.
    Fail,
    /// Sleeps, and keeps what no lossless reader has read.
    KeepUnread,
}

/// What has happened in all schedules so far, in this process.
pub(crate) static FRAMES_READ: AtomicU64 = AtomicU64::new(0);
pub(crate) static DEATHS: AtomicU64 = AtomicU64::new(0);
pub(crate) static PLACES_FREED: AtomicU64 = AtomicU64::new(0);
pub(crate) static HEIRS: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) slots: usize,
    /// How many frames the writer and its heirs write.
    pub(crate) frames: u64,
    pub(crate) when_full: WhenFull,
    pub(crate) gate: Lock,
    pub(crate) writer: Lock,
    places: Vec<Lock>,
    /// Frames of which a writer knew that they were published.
    acknowledged: AtomicU64,
    /// Frames that some lossless reader has had, one bit each.
    had: AtomicU64,
}

impl Stage {
    pub(crate) fn new(slots: usize, places: usize, frames: u64, when_full: WhenFull) -> Stage {
        assert!(frames <= 64, "a bit for each");
        Stage {
            world: World::new(slots, places),
            slots,
            frames,
            when_full,
            gate: Lock::new(),
            writer: Lock::new(),
            places: (0..places).map(|_| Lock::new()).collect(),
            acknowledged: AtomicU64::new(0),
            had: AtomicU64::new(0),
        }
    }

    pub(crate) fn ring(&self) -> Ring<'_> {
        self.world.ring()
    }

    /// Frees those of `rows` whose owners are dead.
    pub(crate) fn evict_dead(&self, rows: impl IntoIterator<Item = usize>) {
        let ring = self.ring();
        let mut evicted = 0;
        for row in rows {
            let (seen, cursor) = ring.reader(row);
            if seen.phase == row::FREE || self.places[row].is_held() {
                continue;
            }
            // Asking the kernel takes a while, in which the place may go to somebody else.
            thread::yield_now();
            if ring.evict(row, seen) {
                ring.drain(seen, cursor);
                evicted += 1;
            }
        }
        if evicted > 0 {
            PLACES_FREED.fetch_add(evicted, Relaxed);
            wait::ring_always(ring.space);
        }
    }

    /// Becomes a reader, if there is a place.
    pub(crate) fn attach(&self, policy: Policy, newest: bool) -> Option<Reader<'_>> {
        let ring = self.ring();
        let gate = self.gate.take();
        if ring.state() == STATE_OPEN {
            self.repair_under_gate();
        }
        self.evict_dead(0..ring.rows_used());
        let (row, place) =
            self.places.iter().enumerate().find_map(|(row, place)| Some((row, place.try_take()?)))?;
        ring.claim(row, policy);
        let (cursor, joined) = ring.join(row, newest).expect("the directory is sound");
        drop(gate);
        wait::ring_always(ring.space);
        let subscriber = Subscriber::new(row, policy, (cursor, joined));
        Some(Reader { stage: self, row, place, subscriber, joined, policy, expected: cursor })
    }

    /// If the writer is dead, completes what it was about; returns whether it is.
    pub(crate) fn repair_if_orphaned(&self) -> bool {
        if self.writer.is_held() {
            return false;
        }
        let Some(_gate) = self.gate.try_take() else { return false };
        self.repair_under_gate()
    }

    fn repair_under_gate(&self) -> bool {
        let Some(_writer) = self.writer.try_take() else { return false };
        repair(&self.ring());
        true
    }

    /// A writer has been told that frame `sequence` is published.
    pub(crate) fn acknowledge(&self, sequence: u64) {
        self.acknowledged.fetch_max(sequence + 1, Relaxed);
    }

    /// An heir goes on at `next`.
    pub(crate) fn check_heir(&self, next: u64) {
        let acknowledged = self.acknowledged.load(Relaxed);
        assert!(next >= acknowledged, "an heir goes on at {next}, but {acknowledged} frames were published");
    }

    /// A write was refused: it leaves no question behind.
    pub(crate) fn check_refusal(&self) {
        let stamps = self.ring().entries.iter().map(|entry| Stamp::of(entry.stamp.peek()));
        let asked: Vec<_> = stamps.filter(|stamp| matches!(stamp, Stamp::Marked(_))).collect();
        assert!(asked.is_empty(), "a refused write leaves {asked:?}");
    }

    /// A lossless reader has had the frames from `first` up to `end`.
    pub(crate) fn record(&self, first: u64, end: u64) {
        for sequence in first..end {
            self.had.fetch_or(1 << sequence, Relaxed);
        }
    }

    /// When everybody has gone: everything was published, nothing unread is lost, and no slot is.
    pub(crate) fn check_end(&self) {
        let ring = self.ring();
        assert_eq!(ring.published(), self.frames, "frames published");
        if self.when_full == WhenFull::KeepUnread {
            let had = self.had.load(Relaxed);
            assert_eq!(had, (1 << self.frames) - 1, "frames that somebody has had, one bit each");
        }
        self.evict_dead(0..ring.rows_used());
        let mut publisher = Publisher::take_over(&ring).expect("the directory is sound");
        for slot in 0..self.slots {
            let free = publisher.acquire(&ring);
            assert!(free.is_ok(), "{slot} of {} slots can be had, then {free:?}", self.slots);
        }
    }
}

/// A reader at its place.
pub(crate) struct Reader<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) row: usize,
    place: Held<'a>,
    subscriber: Subscriber,
    joined: row::State,
    policy: Policy,
    /// The sequence after the last frame.
    expected: u64,
}

/// What a reader finds.
pub(crate) enum Found {
    Frame(FrameMeta),
    End,
}

impl Reader<'_> {
    /// The first frame that it may get, before it has got any.
    pub(crate) fn next(&self) -> u64 {
        self.expected
    }

    /// Looks for the next frame, and whether the writer is dead; checks what it finds.
    pub(crate) fn look(&mut self) -> Option<Found> {
        let ring = self.stage.ring();
        let mut found = self.subscriber.poll(&ring);
        if found == Next::NotYet && self.stage.repair_if_orphaned() {
            found = self.subscriber.poll(&ring);
        }
        match found {
            Next::Frame(meta, missed) => {
                assert_eq!(meta.sequence, self.expected + missed, "missed is exact");
                if self.policy == Policy::Lossless {
                    assert_eq!(missed, 0, "frame {} of a lossless reader", meta.sequence);
                    self.stage.record(meta.sequence, meta.sequence + 1);
                }
                self.expected = meta.sequence + 1;
                self.stage.world.check(&meta);
                FRAMES_READ.fetch_add(1, Relaxed);
                Some(Found::Frame(meta))
            }
            Next::Ended(_) => {
                // The last frame stands for ever: whoever lives has had it.
                assert_eq!(self.expected, self.stage.frames, "the end comes after the last frame");
                Some(Found::End)
            }
            Next::NotYet => None,
            other => panic!("{other:?} to a {:?} reader that lives", self.policy),
        }
    }

    /// Whether a look would find something, as a selector asks it.
    pub(crate) fn is_ready(&self) -> bool {
        let ring = self.stage.ring();
        let next = ring.reader(self.row).1;
        ring.has(next, self.policy as u8) || ring.state() != STATE_OPEN || self.stage.repair_if_orphaned()
    }

    /// The frame is still what it was; gives it back.
    pub(crate) fn release(&self, meta: &FrameMeta) {
        self.stage.world.check(meta);
        self.stage.ring().unpin(self.row, meta.slot);
    }

    /// Closes, and gives up the place when `held`, the last frame in its hands, has been given back.
    pub(crate) fn close(self, held: Option<FrameMeta>) {
        let (stage, ring) = (self.stage, self.stage.ring());
        if ring.owns(self.row, self.joined) {
            let (state, cursor) = ring.reader(self.row);
            ring.drain(state, cursor);
        }
        ring.set_phase(self.row, self.joined, row::LINGERING);
        wait::ring_always(ring.frames);
        if let Some(meta) = held {
            self.release(&meta);
        }
        let _gate = stage.gate.take();
        ring.set_phase(self.row, self.joined, row::FREE);
        drop(self.place);
        stage.evict_dead(0..ring.rows_used());
    }
}
