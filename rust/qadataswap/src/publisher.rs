//! The writer's side of the ring: which slot the next frame may use, and its publication.
//!
//! Law: what the writer knows of its own frames it keeps here, in private memory; from the shared words it
//! takes only what readers say (cursors, pins). So no foreign word can make it overwrite a frame it published.
//! The argument why a slot handed out by [`Publisher::acquire`] is read by nobody stands in `ring.rs`.

use crate::layout::{MAX_SEQUENCE, Stamp, row};
use crate::ring::{FrameMeta, Policy, Ring, pin_of, repair};
use crate::sync::{AtomicU64, Ordering, advance_head, fence_reclaim, observe, publish, scan_pins, scan_rows};
use crate::wait;
use std::sync::Arc;

/// The writer's private knowledge.
pub(crate) struct Publisher {
    /// Sequence of the next frame.
    next: u64,
    /// Slots handed out and neither published nor given back. The directory entries of as many frames from
    /// `next` on are vacant.
    out: u64,
    /// The slot of the frame that stands in each directory entry.
    slot_in: Vec<Option<u32>>,
    /// Slots that nobody can reach and nobody holds.
    free: Vec<u32>,
    /// Slots that nobody can reach any more but somebody may still hold.
    retired: Vec<u32>,
    /// No frame below this one stands.
    oldest: u64,
    /// As of the last look, every lossless reader's cursor is at least this.
    passed: u64,
    /// As of the last look, the slots that some reader pins, one bit each.
    held: Vec<u64>,
    /// Frames under question.
    asked: Vec<u64>,
    /// A frame that may go and is held: it does if its directory entry is what is missing, and comes back if
    /// there is no slot either.
    displacing: Option<u64>,
    /// How many frames to ask for in one look.
    batch: usize,
    /// Slots whose memory this process itself still uses.
    kept: Option<Arc<Kept>>,
    /// While no lossless reader is attached that has skipped none, frames stay that nobody has read.
    keeps_unread: bool,
}

/// Slots whose memory the writer's own process uses, be they published or given back: as good as pinned.
pub(crate) struct Kept {
    slots: Box<[AtomicU64]>,
    /// Not 0 while the writer waits for one of them.
    wanted: AtomicU64,
}

impl Kept {
    /// None of `slots` slots.
    pub(crate) fn none(slots: usize) -> Kept {
        let slots = (0..slots.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Kept { slots, wanted: AtomicU64::new(0) }
    }

    fn place(&self, slot: u32) -> (&AtomicU64, u64) {
        (&self.slots[slot as usize / 64], 1 << (slot % 64))
    }

    /// From now on `slot` is kept; said by the writer's thread before it publishes it or gives it back.
    pub(crate) fn keep(&self, slot: u32) {
        let (word, bit) = self.place(slot);
        word.fetch_or(bit, Ordering::Relaxed);
    }

    /// Nobody uses `slot` any more, in whichever thread it was used; returns whether the writer waits to hear of it.
    pub(crate) fn let_go(&self, slot: u32) -> bool {
        let (word, bit) = self.place(slot);
        // The release pairs with the load in `has`: the last use comes before the slot is written anew. All of this is
        // sequentially consistent with `want` and the look that follows it, so that one of the two sees the other.
        word.fetch_and(!bit, Ordering::SeqCst) & bit != 0 && self.wanted.swap(0, Ordering::SeqCst) != 0
    }

    /// The writer is about to wait.
    pub(crate) fn want(&self) {
        self.wanted.store(1, Ordering::SeqCst);
    }

    /// Whether `slot` is kept.
    pub(crate) fn has(&self, slot: u32) -> bool {
        let (word, bit) = self.place(slot);
        word.load(Ordering::SeqCst) & bit != 0
    }

    /// How many slots are kept.
    pub(crate) fn count(&self) -> u32 {
        self.slots.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum()
    }
}

/// A slot that nobody else can reach: proof of the exclusive access that writing into it needs. A publisher
/// hands out each slot at most once at a time, and takes it back by value.
#[derive(Debug)]
pub(crate) struct FreeSlot(u32);

impl FreeSlot {
    /// Its number.
    pub(crate) fn index(&self) -> u32 {
        self.0
    }
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// A lossless reader has not read the oldest frame.
    Unread,
    /// Every slot is pinned.
    Pinned,
    /// Every slot has been handed out and not come back.
    Lent,
    /// The sequence numbers are used up.
    Exhausted,
}

impl Publisher {
    /// A publisher on a ring that nobody has written to.
    pub(crate) fn new(ring: &Ring<'_>) -> Publisher {
        let slots = ring.entries.len();
        Publisher {
            next: 0,
            out: 0,
            slot_in: vec![None; slots],
            free: (0..slots as u32).rev().collect(),
            retired: Vec::with_capacity(slots),
            oldest: 0,
            passed: 0,
            held: vec![0; ring.words_of_pins()],
            asked: Vec::with_capacity(slots),
            displacing: None,
            // A look costs one line per reader; a large ring spreads it over several frames, at the price of
            // that many of the oldest ones going early.
            batch: if slots < 16 { 1 } else { (slots / 8).min(64) },
            kept: None,
            keeps_unread: false,
        }
    }

    /// From now on frames that nobody has read stay, also while no lossless reader is attached, or only such as have
    /// skipped them.
    pub(crate) fn keep_unread(&mut self) {
        self.keeps_unread = true;
    }

    /// From now on what `kept` says is respected.
    pub(crate) fn respect(&mut self, kept: Arc<Kept>) {
        self.kept = Some(kept);
    }

    /// Asks to be woken when this process itself lets go of a slot.
    pub(crate) fn want_kept(&self) {
        if let Some(kept) = &self.kept {
            kept.want();
        }
    }

    /// Number of slots that this process itself keeps.
    pub(crate) fn kept(&self) -> u32 {
        self.kept.as_ref().map_or(0, |kept| kept.count())
    }

    /// A publisher on a ring whose former writer is gone. The caller holds the writer's lock.
    ///
    /// # Errors
    /// A sentence on what is impossible in the directory.
    pub(crate) fn take_over(ring: &Ring<'_>) -> Result<Publisher, String> {
        let mut publisher = Publisher::new(ring);
        publisher.free.clear();
        publisher.next = repair(ring);
        let length = ring.len();
        let mut used = vec![false; ring.entries.len()];
        for (index, entry) in ring.entries.iter().enumerate() {
            let Stamp::Published(sequence) = Stamp::of(entry.stamp.load(observe())) else { continue };
            let slot = entry.slot.load(Ordering::Relaxed);
            if sequence >= publisher.next || sequence % length != index as u64 {
                return Err(format!("entry {index} holds frame {sequence} of {}", publisher.next));
            }
            match used.get_mut(slot as usize) {
                Some(used) if !*used => *used = true,
                _ => return Err(format!("entry {index} names slot {slot}, taken or outside the ring")),
            }
            if sequence + length < publisher.next {
                // Overtaken, which no writer leaves behind: it stands for nothing.
                return Err(format!("entry {index} holds frame {sequence}, older than the ring"));
            }
            publisher.slot_in[index] = Some(slot);
        }
        publisher.retired.extend((0..length as u32).filter(|&slot| !used[slot as usize]));
        publisher.oldest = publisher.next.saturating_sub(length);
        Ok(publisher)
    }

    /// Sequence of the next frame.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    #[inline]
    fn index(&self, sequence: u64) -> usize {
        (sequence % self.slot_in.len() as u64) as usize
    }

    /// A slot for the next frame. Nobody reads it until it is [`publish`](Publisher::publish)ed; a slot that
    /// is not to be published goes back by [`abandon`](Publisher::abandon).
    #[inline]
    pub(crate) fn acquire(&mut self, ring: &Ring<'_>) -> Result<FreeSlot, Full> {
        let wanted = self.next + self.out;
        if wanted < MAX_SEQUENCE
            && self.slot_in[self.index(wanted)].is_none()
            && let Some(slot) = self.free.pop()
        {
            self.out += 1;
            return Ok(FreeSlot(slot));
        }
        self.reclaim(ring)
    }

    /// Gives back a slot that was acquired and not published.
    pub(crate) fn abandon(&mut self, FreeSlot(slot): FreeSlot) {
        self.out -= 1;
        match &self.kept {
            Some(kept) if kept.has(slot) => self.retired.push(slot),
            _ => self.free.push(slot),
        }
    }

    /// As [`abandon`](Publisher::abandon), for a slot that is to be handed out after all others.
    pub(crate) fn put_last(&mut self, FreeSlot(slot): FreeSlot) {
        self.out -= 1;
        self.free.insert(0, slot);
    }

    /// Makes the frame in `slot` the next of the ring; `meta.sequence` and `meta.slot` are ignored. Sleepers
    /// are not woken: see [`wait::ring`].
    #[inline]
    pub(crate) fn publish(&mut self, ring: &Ring<'_>, FreeSlot(slot): FreeSlot, meta: &FrameMeta) -> u64 {
        let sequence = self.next;
        let index = self.index(sequence);
        debug_assert!(self.slot_in[index].is_none(), "vacant since its slot was handed out");
        let entry = &ring.entries[index];
        entry.slot.store(slot, Ordering::Relaxed);
        entry.bytes.store(meta.bytes, Ordering::Relaxed);
        entry.schema.store(meta.schema, Ordering::Relaxed);
        entry.published_ns.store(meta.published_ns, Ordering::Relaxed);
        entry.rows.store(meta.rows, Ordering::Relaxed);
        entry.stamp.store(Stamp::Published(sequence).word(), publish());
        let head = ring.head;
        head.bytes.store(head.bytes.load(Ordering::Relaxed).wrapping_add(meta.bytes), Ordering::Relaxed);
        head.rows.store(head.rows.load(Ordering::Relaxed).wrapping_add(meta.rows), Ordering::Relaxed);
        head.frames.store(sequence + 1, advance_head());
        self.slot_in[index] = Some(slot);
        self.next = sequence + 1;
        self.out -= 1;
        sequence
    }

    /// Finds slots by letting the oldest frames go, and hands out one.
    #[cold]
    fn reclaim(&mut self, ring: &Ring<'_>) -> Result<FreeSlot, Full> {
        let length = self.slot_in.len() as u64;
        let wanted = self.next + self.out;
        if wanted >= MAX_SEQUENCE {
            return Err(Full::Exhausted);
        }
        if self.out == length {
            return Err(Full::Lent);
        }
        // The frame whose directory entry is wanted: it goes, held or not (its holders keep its slot).
        let displaced = wanted.checked_sub(length);
        self.oldest = self.oldest.max(displaced.unwrap_or(0));
        let mut from = self.oldest;
        // What is known of the readers may be old: it serves for a first try, never for a refusal.
        let mut fresh = false;
        loop {
            from = self.ask(ring, from, displaced);
            self.look(ring);
            self.settle(ring, displaced);
            let vacant = self.slot_in[self.index(wanted)].is_none() || self.displacing.is_some();
            if vacant && let Some(slot) = self.free.pop() {
                if let Some(sequence) = self.displacing.take() {
                    self.retire(ring, sequence);
                }
                self.out += 1;
                return Ok(FreeSlot(slot));
            }
            if !fresh {
                fresh = true;
                from = self.oldest;
            } else if from >= self.passed.min(self.next) {
                if let Some(sequence) = self.displacing.take() {
                    self.take_back(ring, sequence);
                    wait::ring(ring.frames);
                }
                return Err(if from < self.next { Full::Unread } else { Full::Pinned });
            }
        }
    }

    /// Marks up to a batch of the oldest frames, from `from` on, that every lossless reader had passed at the
    /// last look; returns where it stopped.
    fn ask(&mut self, ring: &Ring<'_>, from: u64, displaced: Option<u64>) -> u64 {
        let mut sequence = from;
        while sequence < self.passed.min(self.next) && self.asked.len() < self.batch {
            let index = self.index(sequence);
            if let Some(slot) = self.slot_in[index] {
                // Held at the last look and not displaced: asking would only hide the frame for a moment.
                if !self.is_held(slot) || displaced == Some(sequence) {
                    ring.entries[index].stamp.store(Stamp::Marked(sequence).word(), publish());
                    self.asked.push(sequence);
                }
            }
            sequence += 1;
        }
        sequence
    }

    /// Looks at every reader: which slots are pinned, how far the lossless ones have come.
    fn look(&mut self, ring: &Ring<'_>) {
        fence_reclaim();
        self.held.fill(0);
        self.passed = u64::MAX;
        // Whether some lossless reader stands for all that came before it.
        let mut reads_all = false;
        for reader in 0..ring.rows_used() {
            let words = ring.row(reader);
            let state = row::State::of(words[row::STATE].load(scan_rows()));
            if state.phase == row::FREE {
                continue;
            }
            if state.phase == row::ACTIVE && state.policy == Policy::Lossless as u8 {
                let cursor = words[row::CURSOR].load(Ordering::Relaxed) & !row::WANTED;
                self.passed = self.passed.min(cursor);
                reads_all |= state.skips == 0;
            }
            for (held, pins) in self.held.iter_mut().zip(&words[row::PINS..]) {
                *held |= pins.load(scan_pins());
            }
        }
        if self.keeps_unread && !reads_all {
            // A reader books how far it has read before it leaves, so that its frames are kept by either.
            self.passed = self.passed.min(ring.status.drained.load(Ordering::Acquire));
        }
    }

    /// Decides on the frames under question by the last look, then on the slots that were held before.
    fn settle(&mut self, ring: &Ring<'_>, displaced: Option<u64>) {
        let mut returned = false;
        for i in 0..self.asked.len() {
            let sequence = self.asked[i];
            let Some(slot) = self.slot_in[self.index(sequence)] else { continue };
            let (passed, held) = (sequence < self.passed, self.is_held(slot));
            if displaced == Some(sequence) {
                self.displacing = Some(sequence).filter(|_| passed && held);
            }
            if passed && !held {
                self.retire(ring, sequence);
            } else if self.displacing != Some(sequence) {
                self.take_back(ring, sequence);
                returned = true;
            }
        }
        self.asked.clear();
        if let Some(sequence) = self.displacing
            && self.slot_in[self.index(sequence)].is_some_and(|slot| !self.is_held(slot))
        {
            self.displacing = None;
            self.retire(ring, sequence);
        }
        if returned {
            // A reader may have met the mark and gone to sleep over it.
            wait::ring(ring.frames);
        }
        for i in (0..self.retired.len()).rev() {
            if !self.is_held(self.retired[i]) {
                self.free.push(self.retired.swap_remove(i));
            }
        }
    }

    /// Lets a frame go that was asked for.
    fn retire(&mut self, ring: &Ring<'_>, sequence: u64) {
        let index = self.index(sequence);
        ring.entries[index].stamp.store(Stamp::Retired(sequence).word(), publish());
        self.retired.extend(self.slot_in[index].take());
    }

    /// Takes the question back.
    fn take_back(&self, ring: &Ring<'_>, sequence: u64) {
        ring.entries[self.index(sequence)].stamp.store(Stamp::Published(sequence).word(), publish());
    }

    #[inline]
    fn is_held(&self, slot: u32) -> bool {
        let (word, bit) = pin_of(slot);
        self.held[word - row::PINS] & bit != 0 || self.kept.as_ref().is_some_and(|kept| kept.has(slot))
    }

    /// Asks every reader to wake the writer when its cursor or one of its pins changes.
    pub(crate) fn ask_for_wake(ring: &Ring<'_>) -> u32 {
        let ticket = ring.space.word.load(Ordering::Acquire);
        for reader in 0..ring.rows_used() {
            let words = ring.row(reader);
            if row::State::of(words[row::STATE].load(scan_rows())).phase == row::FREE {
                continue;
            }
            for word in &words[row::CURSOR..row::PINS + ring.words_of_pins()] {
                word.fetch_or(row::WANTED, Ordering::Relaxed);
            }
        }
        ticket
    }

    /// Readers that may keep the ring full: those that pin, and lossless ones that have frames to read.
    pub(crate) fn blockers(&self, ring: &Ring<'_>) -> Vec<usize> {
        (0..ring.rows_used())
            .filter(|&reader| {
                let (state, cursor) = ring.reader(reader);
                let lags = state.phase == row::ACTIVE
                    && state.policy == Policy::Lossless as u8
                    && cursor < self.next;
                state.phase != row::FREE && (lags || ring.pins(reader) > 0)
            })
            .collect()
    }
}
