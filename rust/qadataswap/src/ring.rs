//! The ring protocol: publish, pin, reclaim, join, leave, take over. Safe code over atomics; it knows no
//! pointer, no mapping and no Arrow, and the model checker runs these same lines.
//!
//! # The argument
//!
//! *Publish.* The writer fills a slot that nobody can reach, fills a directory entry, and stores the entry's
//! stamp with Release; a reader that loads the stamp with Acquire sees the frame whole. A frame is reachable
//! exactly while its entry says `Published(sequence)`.
//!
//! *Pin and reclaim* (hazard pointers: M. Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free
//! Objects", IEEE TPDS 15(6), 2004). The reader sets its bit for the slot, fences, and checks that the entry
//! still says `Published(sequence)`. The writer changes the entry to `Marked(sequence)`, fences, and looks at
//! every reader's bits. Of two sequentially consistent fences one comes first: if the reader's, the writer sees
//! the bit and leaves the slot alone; if the writer's, the reader sees the mark and drops its claim. So a slot
//! that is both pinned and rewritten does not occur.
//!
//! *Cursors.* A frame that a lossless reader has not passed is not reclaimed. A cursor needs no memory order of
//! its own. Read too old, it only holds the writer back. Read beyond a frame, it was stored after the reader's
//! check of that frame, which saw no mark: so that reader's fence came before the writer's, and the writer sees
//! the pin too. A reader that joins stores its cursor, fences, and checks the entries from there on: the
//! hazard-pointer argument once more, with the cursor in the place of the pin.
//!
//! *Two steps of going.* `Marked` means "asked, slot untouched", `Retired` "gone, slot may be rewritten". The
//! writer stores `Retired` only after its look allowed it and before it touches the slot; otherwise it takes
//! the mark back. So whoever finds a dead writer's ring knows without asking which frames are whole:
//! `Published` and `Marked` ones are, all else is not ([`repair`]).
//!
//! *Death.* Every step above is one store. A process killed between any two leaves bits that are ignored once
//! its row is freed, or a mark that [`repair`] takes back. There is no counter to fix and no lock to break.

use crate::layout::{Bell, Entry, Head, MAX_SEQUENCE, STATE_CLOSED, STATE_OPEN, Stamp, Status, row};
use crate::sync::{
    AtomicU64, Ordering, advance_head, fence_join, fence_pin, leave, load_head, load_state, observe, publish,
    release_pin, scan_pins, scan_rows, set_state,
};
use crate::wait;

/// The shared words of one ring.
#[derive(Clone, Copy)]
pub(crate) struct Ring<'a> {
    pub(crate) status: &'a Status,
    pub(crate) head: &'a Head,
    /// Rung when a frame has come, or the state has changed.
    pub(crate) frames: &'a Bell,
    /// Rung when space has come.
    pub(crate) space: &'a Bell,
    pub(crate) entries: &'a [Entry],
    /// `max_readers` rows of `stride` words.
    pub(crate) rows: &'a [AtomicU64],
    pub(crate) stride: usize,
}

/// What the directory says of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameMeta {
    pub(crate) sequence: u64,
    pub(crate) slot: u32,
    /// Length in bytes, unchecked.
    pub(crate) bytes: u64,
    pub(crate) schema: u64,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub(crate) published_ns: u64,
    pub(crate) rows: u64,
}

/// What a reader asks of the ring, and is held to by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Lossless = 0,
    Lossy = 1,
    Latest = 2,
}

/// Outcome of an attempt to pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// The frame is held until [`Ring::unpin`].
    Held(FrameMeta),
    /// The frame has not been published.
    NotYet,
    /// The writer is asking whether the frame may go; it goes or comes back presently.
    Asked,
    /// The frame has gone.
    Gone,
    /// The entry names a slot that does not exist.
    NoSuchSlot(u32),
    /// The directory speaks of frames that were never published.
    Impossible,
}

impl<'a> Ring<'a> {
    #[inline]
    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    #[inline]
    pub(crate) fn entry(&self, sequence: u64) -> &'a Entry {
        &self.entries[(sequence % self.len()) as usize]
    }

    /// Number of rows.
    pub(crate) fn max_readers(&self) -> usize {
        self.rows.len() / self.stride
    }

    #[inline]
    pub(crate) fn row(&self, index: usize) -> &'a [AtomicU64] {
        &self.rows[index * self.stride..(index + 1) * self.stride]
    }

    /// The rows that were ever claimed.
    pub(crate) fn rows_used(&self) -> usize {
        (self.status.rows_used.load(Ordering::Relaxed) as usize).min(self.max_readers())
    }

    #[inline]
    pub(crate) fn words_of_pins(&self) -> usize {
        self.entries.len().div_ceil(row::SLOTS_PER_WORD as usize)
    }

    /// Number of frames published, from the head alone.
    #[inline]
    pub(crate) fn published(&self) -> u64 {
        self.head.frames.load(load_head()).min(MAX_SEQUENCE)
    }

    /// The ring's state, one of `STATE_*`.
    #[inline]
    pub(crate) fn state(&self) -> u32 {
        self.status.state.load(load_state())
    }

    /// Ends the stream, unless it has ended.
    pub(crate) fn close(&self) {
        let state = &self.status.state;
        if state.compare_exchange(STATE_OPEN, STATE_CLOSED, set_state(), Ordering::Relaxed).is_ok() {
            wait::ring_always(self.frames);
        }
    }

    /// Makes the frame `sequence` safe from being overwritten, if it is there.
    #[inline]
    pub(crate) fn pin(&self, reader: usize, sequence: u64) -> Pin {
        match self.standing(sequence) {
            Standing::Stands => {}
            Standing::NotYet => return Pin::NotYet,
            Standing::Asked => return self.gone_or(Pin::Asked, sequence),
            Standing::Gone => return self.gone_or(Pin::Gone, sequence),
        }
        let meta = self.meta(sequence);
        if u64::from(meta.slot) >= self.len() {
            // No bit stands for such a slot: nothing to set, nothing to take off.
            return match self.standing(sequence) {
                Standing::Stands => Pin::NoSuchSlot(meta.slot),
                Standing::Gone => self.gone_or(Pin::Gone, sequence),
                Standing::Asked | Standing::NotYet => Pin::Asked,
            };
        }
        let (word, bit) = pin_of(meta.slot);
        self.row(reader)[word].fetch_or(bit, Ordering::Relaxed);
        fence_pin();
        let now = self.standing(sequence);
        if now == Standing::Stands {
            // The frame stood unmarked after our bit had become visible: the fields above are its own and its
            // slot stays as it is.
            return Pin::Held(meta);
        }
        // The bit may lie on somebody else's frame: take it off.
        self.unpin(reader, meta.slot);
        match now {
            Standing::Gone => self.gone_or(Pin::Gone, sequence),
            _ => Pin::Asked,
        }
    }

    /// What the entry of the frame `sequence` says besides its stamp: another frame's, unless that has been looked at
    /// before and is looked at again.
    #[inline]
    pub(crate) fn meta(&self, sequence: u64) -> FrameMeta {
        let entry = self.entry(sequence);
        FrameMeta {
            sequence,
            slot: entry.slot.load(Ordering::Relaxed),
            bytes: entry.bytes.load(Ordering::Relaxed),
            schema: entry.schema.load(Ordering::Relaxed),
            published_ns: entry.published_ns.load(Ordering::Relaxed),
            rows: entry.rows.load(Ordering::Relaxed),
        }
    }

    /// What the directory says of the frame `sequence`.
    #[inline]
    pub(crate) fn standing(&self, sequence: u64) -> Standing {
        Standing::of(self.entry(sequence).stamp.load(observe()), sequence)
    }

    /// `pin`, if the frame was ever published. Whoever sees a stamp sees a head that counts the frame before it
    /// at least, so a frame that is gone, or asked for, lies below the head.
    #[cold]
    fn gone_or(&self, pin: Pin, sequence: u64) -> Pin {
        if sequence < self.published() { pin } else { Pin::Impossible }
    }

    /// Releases a pin and wakes a writer that waits for it.
    #[inline]
    pub(crate) fn unpin(&self, reader: usize, slot: u32) {
        let (word, bit) = pin_of(slot);
        let before = self.row(reader)[word].fetch_and(!(bit | row::WANTED), release_pin());
        if before & row::WANTED != 0 {
            wait::ring_always(self.space);
        }
    }

    /// Moves a reader's cursor and wakes a writer that waits for it.
    #[inline]
    pub(crate) fn advance(&self, reader: usize, to: u64) {
        let before = self.row(reader)[row::CURSOR].swap(to, Ordering::Relaxed);
        if before & row::WANTED != 0 {
            wait::ring_always(self.space);
        }
    }

    /// The first frame from `from` on that stands, or what comes next.
    pub(crate) fn oldest_from(&self, from: u64) -> u64 {
        self.oldest_that(from, |standing| standing == Standing::Stands)
    }

    /// The first frame from `from` on whose standing is as wanted, or what comes next.
    #[inline]
    pub(crate) fn oldest_that(&self, from: u64, is_wanted: impl Fn(Standing) -> bool) -> u64 {
        let head = self.published();
        let from = from.max(head.saturating_sub(self.len()));
        (from..head).find(|&s| is_wanted(self.standing(s))).unwrap_or(head.max(from))
    }

    /// Whether there is a frame for a reader of this policy that wants `next`, or it is lost to it. A frame that the
    /// writer asks for is none: whatever becomes of it, the writer says so by the bell.
    pub(crate) fn has(&self, next: u64, policy: u8) -> bool {
        let head = self.published();
        if head <= next {
            return false;
        }
        let want = if policy == Policy::Latest as u8 { head - 1 } else { next };
        match self.standing(want) {
            Standing::Stands => true,
            Standing::Gone | Standing::Asked if policy != Policy::Lossless as u8 => {
                self.oldest_from(want + 1) < head
            }
            Standing::Gone => true,
            Standing::Asked | Standing::NotYet => false,
        }
    }

    /// Claims row `reader`, whose lock the caller holds: no former owner's bits remain.
    pub(crate) fn claim(&self, reader: usize, policy: Policy) {
        let words = self.row(reader);
        let mut before = words[row::STATE].load(Ordering::Relaxed);
        loop {
            let epoch = row::State::of(before).epoch.wrapping_add(1);
            let claimed =
                row::State { phase: row::CLAIMED, policy: policy as u8, skips: 0, reserved: 0, epoch }.word();
            match words[row::STATE].compare_exchange(before, claimed, leave(), Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => before = now,
            }
        }
        for pins in &words[row::PINS..] {
            pins.store(0, Ordering::Relaxed);
        }
        words[row::CURSOR].store(0, Ordering::Relaxed);
        self.status.rows_used.fetch_max(reader as u32 + 1, Ordering::Relaxed);
    }

    /// Makes a claimed row count, starting from the oldest or the newest frame. Returns its first cursor, and
    /// the row's state, by which its owner knows it; `None` if the directory speaks of frames that were never
    /// published.
    ///
    /// From here on a lossless reader loses nothing: every frame from its cursor on stood, or was still to
    /// come, after the cursor had become visible. It starts where the frames stand without a gap; others start
    /// at the oldest there is.
    pub(crate) fn join(&self, reader: usize, newest: bool) -> Option<(u64, row::State)> {
        let words = self.row(reader);
        let claimed = row::State::of(words[row::STATE].load(Ordering::Relaxed));
        let lossless = claimed.policy == Policy::Lossless as u8;
        let mut from = if newest { self.published().saturating_sub(1) } else { 0 };
        let skips = claimed.policy == Policy::Latest as u8 || self.oldest_from(0) < from;
        let state = row::State { phase: row::ACTIVE, skips: u8::from(skips), ..claimed };
        loop {
            let cursor = self.oldest_from(from);
            // A writer may be waiting for the cursor of the turn before.
            self.advance(reader, cursor);
            words[row::STATE].store(state.word(), leave());
            fence_join();
            let head = self.published();
            let last = if lossless { head.max(cursor + 1) } else { cursor + 1 };
            // Start behind a frame that is missing, or was asked for before we were seen.
            let Some(going) = (cursor..last.min(cursor.saturating_add(self.len())))
                .find(|&s| matches!(self.standing(s), Standing::Asked | Standing::Gone))
            else {
                return Some((cursor, state));
            };
            if going >= self.published() {
                return None;
            }
            from = going + 1;
        }
    }

    /// Whether `reader`'s row is still the one that joined as `joined`.
    #[inline]
    pub(crate) fn owns(&self, reader: usize, joined: row::State) -> bool {
        let state = row::State::of(self.row(reader)[row::STATE].load(Ordering::Relaxed));
        state.epoch == joined.epoch && state.phase != row::FREE
    }

    /// Changes the phase of the row that joined as `joined`, unless it was taken away; whatever it held back
    /// may now go.
    pub(crate) fn set_phase(&self, reader: usize, joined: row::State, phase: u8) {
        let state = &self.row(reader)[row::STATE];
        let before = state.load(Ordering::Relaxed);
        if row::State::of(before).epoch == joined.epoch {
            let after = row::State { phase, ..joined }.word();
            // Lost only to an eviction, which frees the row as well.
            let _ = state.compare_exchange(before, after, leave(), Ordering::Relaxed);
        }
        wait::ring_always(self.space);
    }

    /// Frees the row of a dead reader, unless it has changed hands since `seen` was read from it.
    pub(crate) fn evict(&self, reader: usize, seen: row::State) -> bool {
        let freed = row::State {
            phase: row::FREE,
            policy: 0,
            skips: 0,
            reserved: 0,
            epoch: seen.epoch.wrapping_add(1),
        };
        self.row(reader)[row::STATE]
            .compare_exchange(seen.word(), freed.word(), leave(), Ordering::Relaxed)
            .is_ok()
    }

    /// Books that frames below `cursor` have been read, if a reader in this state has read what it passed. A reader
    /// books it before it gives up its place: whoever finds the place given up finds what was read booked.
    pub(crate) fn drain(&self, state: row::State, cursor: u64) {
        if state.skips == 0 && matches!(state.phase, row::ACTIVE | row::LINGERING) {
            self.status.drained.fetch_max(cursor, Ordering::AcqRel);
        }
    }

    /// State and cursor of a row.
    pub(crate) fn reader(&self, reader: usize) -> (row::State, u64) {
        let words = self.row(reader);
        let state = row::State::of(words[row::STATE].load(scan_rows()));
        (state, words[row::CURSOR].load(Ordering::Relaxed) & !row::WANTED)
    }

    /// Number of slots a row pins.
    pub(crate) fn pins(&self, reader: usize) -> u32 {
        let words = &self.row(reader)[row::PINS..row::PINS + self.words_of_pins()];
        words.iter().map(|word| (word.load(scan_pins()) & !row::WANTED).count_ones()).sum()
    }
}

/// What an entry's stamp says of the frame `sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is there.
    Stands,
    /// It has not been published.
    NotYet,
    /// The writer asks whether it may go.
    Asked,
    /// It has gone.
    Gone,
}

impl Standing {
    #[inline]
    fn of(word: u64, sequence: u64) -> Standing {
        match Stamp::of(word) {
            Stamp::Published(s) if s == sequence => Standing::Stands,
            Stamp::Marked(s) if s == sequence => Standing::Asked,
            Stamp::Published(s) | Stamp::Marked(s) | Stamp::Retired(s) if s >= sequence => Standing::Gone,
            _ => Standing::NotYet,
        }
    }
}

/// Word and bit of a slot in a row.
#[inline]
pub(crate) fn pin_of(slot: u32) -> (usize, u64) {
    (row::PINS + (slot / row::SLOTS_PER_WORD) as usize, 1 << (slot % row::SLOTS_PER_WORD))
}

/// Takes back the marks of a dead writer and counts the frame it published last but not yet in `head`.
/// The caller holds the writer's lock, so no writer lives.
pub(crate) fn repair(ring: &Ring<'_>) -> u64 {
    for entry in ring.entries {
        if let Stamp::Marked(sequence) = Stamp::of(entry.stamp.load(observe())) {
            entry.stamp.store(Stamp::Published(sequence).word(), publish());
        }
    }
    let mut head = ring.published();
    while ring.entry(head).stamp.load(observe()) == Stamp::Published(head).word() {
        head += 1;
    }
    ring.head.frames.store(head, advance_head());
    head
}
