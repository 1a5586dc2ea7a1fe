//! The shared bytes: what lies where in a region. This file is their only description.
//!
//! ```text
//! Header      geometry and identity of the region; written once, before the region has a name
//! Status      state, generation, counters that change rarely
//! Head        frames published
//! Bell ×2     futex words: "a frame has come" (readers wait), "space has come" (the writer waits)
//! Identity    of the writer
//! Stream      what a writer says of the stream that it writes
//! Waits       of the writer: how often and how long it has waited for space
//! Entry ×buffer_count            the directory: one line per live frame
//! row ×max_readers               a reader's state, cursor and pins, on lines of its own
//! Identity ×max_readers          who each reader is
//! Tally ×max_readers             what each reader counts: only it stores there
//! ---- page boundary ----
//! slot ×buffer_count             slot_bytes each, a multiple of the page; one frame each
//! ```
//!
//! Law: fixed-width integers in native byte order (which the header states), explicit padding, no `usize`,
//! `bool` or pointer, every offset asserted below. Nothing read from here is used before it is checked: the
//! header is copied out of the file with one read and [`Geometry::check`]ed before any arithmetic uses it,
//! everything that changes is an atomic, loaded once.

#![allow(unsafe_code)]

use crate::sync::{AtomicU32, AtomicU64};

/// First eight bytes of every region.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"QADSRING");
/// Version of this layout. A region of another version is refused, never guessed at.
pub(crate) const LAYOUT_VERSION: u32 = 3;
/// Written as an integer, so that a region from a machine of the other byte order is recognised.
pub(crate) const BYTE_ORDER: u32 = 0x0102_0304;
/// Slots begin at, and are multiples of, this many bytes.
pub(crate) const PAGE: u64 = 4096;
/// Most slots a ring may have.
pub(crate) const MAX_BUFFERS: u32 = 65_536;
/// Most readers a ring may admit.
pub(crate) const MAX_READERS: u32 = 1_024;
/// Largest slot, in bytes.
pub(crate) const MAX_SLOT_BYTES: u64 = 1 << 40;

/// The immutable head of a region.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) magic: u64,
    pub(crate) layout_version: u32,
    pub(crate) byte_order: u32,
    pub(crate) geometry: Geometry,
    /// Random; tells one region from the next of the same name.
    pub(crate) region_id: [u64; 2],
    /// Nanoseconds since the Unix epoch.
    pub(crate) created_ns: u64,
    /// CRC-32 of everything before `region_id`.
    pub(crate) checksum: u32,
    pub(crate) _pad: u32,
    pub(crate) reserved: [u64; 20],
}

/// The numbers from which every offset follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) buffer_count: u32,
    pub(crate) max_readers: u32,
    /// Capacity of a slot in bytes, a multiple of [`PAGE`].
    pub(crate) slot_bytes: u64,
    /// Bytes before the first slot, a multiple of [`PAGE`].
    pub(crate) control_bytes: u64,
    /// Bytes of the whole region.
    pub(crate) region_bytes: u64,
}

// SAFETY: `repr(C)`, integers only, no padding (the sizes are asserted below), any bit pattern is a value.
unsafe impl bytemuck::Zeroable for Geometry {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Geometry {}
// SAFETY: as above.
unsafe impl bytemuck::Zeroable for Header {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Header {}

/// What changes rarely: on attach, detach, take-over, end.
#[repr(C, align(128))]
pub(crate) struct Status {
    /// One of the `STATE_*` values.
    pub(crate) state: AtomicU32,
    /// Index + 1 of the highest row that was ever claimed; the writer looks no further.
    pub(crate) rows_used: AtomicU32,
    /// Number of writers this region has had.
    pub(crate) generation: AtomicU64,
    /// Next schema id to hand out.
    pub(crate) next_schema: AtomicU64,
    /// The furthest cursor with which a reader that read all it passed has left, or died.
    pub(crate) drained: AtomicU64,
    /// What a full ring means to the writer: 0 block, 1 overwrite, 2 fail.
    pub(crate) when_full: AtomicU32,
    pub(crate) _pad: u32,
    /// Readers that died and whose places were freed, by whomever.
    pub(crate) evicted: AtomicU64,
}

/// The region is in use.
pub(crate) const STATE_OPEN: u32 = 1;
/// The writer has ended the stream.
pub(crate) const STATE_CLOSED: u32 = 2;
/// Another region has taken this one's name.
pub(crate) const STATE_REPLACED: u32 = 3;
/// The last participant has left and removed the name.
pub(crate) const STATE_GONE: u32 = 4;

/// What has been published over the ring's life, alone on its lines: only the writer stores here.
#[repr(C, align(128))]
pub(crate) struct Head {
    pub(crate) frames: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) rows: AtomicU64,
}

/// What is slept on, alone on its lines.
#[repr(C, align(128))]
pub(crate) struct Bell {
    /// The futex word. Bit 0: somebody waits. The other bits count wakes.
    pub(crate) word: AtomicU32,
    /// Not 0 while more may be asleep than have been woken: whoever wakes then wakes others.
    pub(crate) crowd: AtomicU32,
}

impl Bell {
    /// One that nobody sleeps on.
    pub(crate) fn silent() -> Bell {
        Bell { word: AtomicU32::new(0), crowd: AtomicU32::new(0) }
    }
}

/// One directory entry: a frame's whereabouts, on one cache line.
#[repr(C, align(64))]
pub(crate) struct Entry {
    /// See [`Stamp`].
    pub(crate) stamp: AtomicU64,
    pub(crate) slot: AtomicU32,
    pub(crate) _pad: u32,
    /// Length of the frame in bytes.
    pub(crate) bytes: AtomicU64,
    pub(crate) schema: AtomicU64,
    /// `CLOCK_MONOTONIC` at publication, in nanoseconds.
    pub(crate) published_ns: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) _pad2: [u64; 2],
}

/// What a full ring has cost its writers, over the ring's life. Only the writer stores here, when it waits.
#[repr(C, align(128))]
pub(crate) struct Waits {
    /// Times a write found the ring full and waited.
    pub(crate) full_waits: AtomicU64,
    /// Time spent so, in nanoseconds.
    pub(crate) waited_ns: AtomicU64,
    /// `CLOCK_MONOTONIC` since when the writer waits, in nanoseconds; 0 if it does not.
    pub(crate) waiting_since_ns: AtomicU64,
    /// Waits that ended without space because their time was up.
    pub(crate) timeouts: AtomicU64,
}

/// Who a participant is. Cold: written on attach.
#[repr(C, align(64))]
pub(crate) struct Identity {
    pub(crate) pid: AtomicU32,
    pub(crate) _pad: u32,
    /// Start time of the process in clock ticks since boot, for people: nothing is decided by it, because time
    /// namespaces shift it.
    pub(crate) start_ticks: AtomicU64,
    /// Inode of the process's PID namespace: PIDs compare only within one.
    pub(crate) pid_namespace: AtomicU64,
    /// `CLOCK_MONOTONIC` at attach, in nanoseconds.
    pub(crate) since_ns: AtomicU64,
    pub(crate) _pad2: [u64; 4],
}

/// What a reader counts, from its attaching on. Only the reader stores here, by plain loads and stores; whoever looks
/// finds each number whole, and different numbers of slightly different moments.
#[repr(C, align(128))]
pub(crate) struct Tally {
    /// Frames handed out.
    pub(crate) frames: AtomicU64,
    /// Bytes of those.
    pub(crate) bytes: AtomicU64,
    /// Rows of those.
    pub(crate) rows: AtomicU64,
    /// Frames missed.
    pub(crate) missed: AtomicU64,
    /// `CLOCK_MONOTONIC` when the last measured frame was handed out, in nanoseconds; 0 before.
    pub(crate) last_ns: AtomicU64,
    /// Sum of the latencies, in nanoseconds.
    pub(crate) latency_sum_ns: AtomicU64,
    /// The longest of them.
    pub(crate) latency_max_ns: AtomicU64,
    /// How many frames took about how long: see [`latency`].
    pub(crate) latencies: [AtomicU64; latency::BUCKETS],
}

/// A latency's bucket: one for all below 32 ns, then eight to each power of two, up to 2^36 ns (69 s); the last one
/// also takes what is longer. A bucket is at most an eighth as wide as what lies in it is long.
pub(crate) mod latency {
    /// Eight buckets to a power of two.
    const STEPS_LOG2: u32 = 3;
    /// Powers of two below this one share the first bucket.
    const FIRST_LOG2: u32 = 5;
    /// Powers of two from this one on share the last bucket.
    const LAST_LOG2: u32 = 36;
    /// Number of buckets.
    pub(crate) const BUCKETS: usize = 1 + (((LAST_LOG2 - FIRST_LOG2) << STEPS_LOG2) as usize);

    /// The bucket of a latency in nanoseconds.
    #[inline]
    pub(crate) const fn bucket(ns: u64) -> usize {
        if ns < 1 << FIRST_LOG2 {
            return 0;
        }
        let power = ns.ilog2();
        if power >= LAST_LOG2 {
            return BUCKETS - 1;
        }
        let step = (ns >> (power - STEPS_LOG2)) & ((1 << STEPS_LOG2) - 1);
        1 + (((power - FIRST_LOG2) << STEPS_LOG2) as usize) + step as usize
    }

    /// The least latency of a bucket, in nanoseconds; of the one behind the last, where the last would end.
    pub(crate) const fn floor(bucket: usize) -> u64 {
        let Some(step) = bucket.checked_sub(1) else { return 0 };
        let power = FIRST_LOG2 + (step as u32 >> STEPS_LOG2);
        let step = step as u64 & ((1 << STEPS_LOG2) - 1);
        ((1 << STEPS_LOG2) + step) << (power - STEPS_LOG2)
    }
}

/// What a writer says of the stream that it writes. Cold: written at its beginning and at its end.
#[repr(C, align(64))]
pub(crate) struct Stream {
    /// Sequence of the stream's first frame, plus one; 0 if what is written is no stream. Stored last.
    pub(crate) begins: AtomicU64,
    /// Rows that the ring had published before.
    pub(crate) rows_before: AtomicU64,
    /// Rows that the stream will have, plus one; 0 if that is not known.
    pub(crate) total_rows: AtomicU64,
    /// Not 0 if the stream was broken off; stored before the state that ends it.
    pub(crate) aborted: AtomicU32,
    /// Bytes of `reason` in use.
    pub(crate) reason_bytes: AtomicU32,
    /// Why it was broken off, in UTF-8.
    pub(crate) reason: [AtomicU64; REASON_WORDS],
}

/// Words of a reason.
pub(crate) const REASON_WORDS: usize = 20;

/// What a directory entry says of the frame it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stamp {
    /// No frame has used this entry.
    Empty,
    /// Frame `0` stands in its slot.
    Published(u64),
    /// The writer asks whether frame `0` may go; its slot is untouched.
    Marked(u64),
    /// Frame `0` is gone: its slot may be under rewriting.
    Retired(u64),
}

impl Stamp {
    /// The word that stands for this stamp.
    #[inline]
    pub(crate) const fn word(self) -> u64 {
        match self {
            Stamp::Empty => 0,
            Stamp::Published(sequence) => ((sequence + 1) << 2) | 1,
            Stamp::Marked(sequence) => ((sequence + 1) << 2) | 2,
            Stamp::Retired(sequence) => ((sequence + 1) << 2) | 3,
        }
    }

    /// Reads any word; a word that no writer writes counts as empty.
    #[inline]
    pub(crate) const fn of(word: u64) -> Stamp {
        let Some(sequence) = (word >> 2).checked_sub(1) else { return Stamp::Empty };
        match word & 3 {
            1 => Stamp::Published(sequence),
            2 => Stamp::Marked(sequence),
            3 => Stamp::Retired(sequence),
            _ => Stamp::Empty,
        }
    }
}

/// Sequence numbers stay below this, which 100 million frames a second reach after 1,400 years.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 62) - 16;

/// A reader's row: an array of words.
pub(crate) mod row {
    /// Word 0: state, policy and epoch, see [`State`].
    pub(crate) const STATE: usize = 0;
    /// Word 1: the sequence the reader wants next, and [`WANTED`].
    pub(crate) const CURSOR: usize = 1;
    /// Words from here: one bit per slot, [`SLOTS_PER_WORD`] to a word, and [`WANTED`].
    pub(crate) const PINS: usize = 2;
    /// Set by a writer that waits for this word to change; whoever changes the word wakes it.
    pub(crate) const WANTED: u64 = 1 << 63;
    /// Slots that one word of pins covers.
    pub(crate) const SLOTS_PER_WORD: u32 = 63;

    /// Nobody's.
    pub(crate) const FREE: u8 = 0;
    /// Being set up: its pins count, its cursor does not.
    pub(crate) const CLAIMED: u8 = 1;
    /// In use.
    pub(crate) const ACTIVE: u8 = 2;
    /// The reader has closed but frames of it are still held: its pins count, its cursor does not.
    pub(crate) const LINGERING: u8 = 3;

    /// Word 0 of a row, taken apart.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct State {
        /// One of [`FREE`], [`CLAIMED`], [`ACTIVE`], [`LINGERING`].
        pub(crate) phase: u8,
        /// 0 lossless, 1 lossy, 2 latest.
        pub(crate) policy: u8,
        /// 1 if its cursor may have passed frames that it was never meant to read.
        pub(crate) skips: u8,
        /// 0. Kept, so that a word that somebody has spoilt can still be compared and replaced.
        pub(crate) reserved: u8,
        /// Changes whenever the row changes hands, so that a verdict on the former owner cannot hit the next.
        pub(crate) epoch: u32,
    }

    impl State {
        /// The word that stands for this state.
        pub(crate) const fn word(self) -> u64 {
            self.phase as u64
                | (self.policy as u64) << 8
                | (self.skips as u64) << 16
                | (self.reserved as u64) << 24
                | (self.epoch as u64) << 32
        }

        /// Reads any word.
        pub(crate) const fn of(word: u64) -> State {
            State {
                phase: word as u8,
                policy: (word >> 8) as u8,
                skips: (word >> 16) as u8,
                reserved: (word >> 24) as u8,
                epoch: (word >> 32) as u32,
            }
        }
    }

    /// Words from one row to the next: whole pairs of cache lines.
    pub(crate) const fn stride(buffer_count: u32) -> usize {
        (PINS + buffer_count.div_ceil(SLOTS_PER_WORD) as usize).next_multiple_of(16)
    }
}

/// Offsets in bytes from the start of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) status: u64,
    pub(crate) head: u64,
    pub(crate) frames_bell: u64,
    pub(crate) space_bell: u64,
    pub(crate) writer: u64,
    pub(crate) stream: u64,
    pub(crate) waits: u64,
    pub(crate) directory: u64,
    pub(crate) rows: u64,
    pub(crate) readers: u64,
    pub(crate) tallies: u64,
    pub(crate) slots: u64,
}

impl Geometry {
    /// Lays out a ring.
    ///
    /// # Errors
    /// A sentence on the first number that is out of range.
    pub(crate) fn new(buffer_count: u32, max_readers: u32, slot_bytes: u64) -> Result<Geometry, String> {
        if !(1..=MAX_BUFFERS).contains(&buffer_count) {
            return Err(format!("buffer_count {buffer_count} is not within 1..={MAX_BUFFERS}"));
        }
        if !(1..=MAX_READERS).contains(&max_readers) {
            return Err(format!("max_readers {max_readers} is not within 1..={MAX_READERS}"));
        }
        if slot_bytes == 0 || slot_bytes > MAX_SLOT_BYTES || !slot_bytes.is_multiple_of(PAGE) {
            return Err(format!(
                "a slot of {slot_bytes} bytes is not a multiple of {PAGE} within {PAGE}..={MAX_SLOT_BYTES}: give another size"
            ));
        }
        let mut geometry =
            Geometry { buffer_count, max_readers, slot_bytes, control_bytes: 0, region_bytes: 0 };
        geometry.control_bytes = geometry.offsets().slots;
        // At most 2^40 × 2^16 + a few MiB: no overflow.
        geometry.region_bytes = geometry.control_bytes + slot_bytes * u64::from(buffer_count);
        if geometry.region_bytes > 1 << 46 {
            return Err(format!("{buffer_count} slots of {slot_bytes} bytes exceed 64 TiB"));
        }
        Ok(geometry)
    }

    /// Accepts foreign numbers only if they are the ones this version would have laid out.
    ///
    /// # Errors
    /// A sentence on what does not fit.
    pub(crate) fn check(self) -> Result<Geometry, String> {
        let expected = Geometry::new(self.buffer_count, self.max_readers, self.slot_bytes)?;
        if expected != self {
            return Err(format!(
                "expected {} control and {} region bytes, got {} and {}",
                expected.control_bytes, expected.region_bytes, self.control_bytes, self.region_bytes
            ));
        }
        Ok(self)
    }

    /// Where everything lies.
    pub(crate) fn offsets(&self) -> Offsets {
        let buffers = u64::from(self.buffer_count);
        let readers = u64::from(self.max_readers);
        let directory = FIXED_BYTES;
        let rows = (directory + buffers * ENTRY_BYTES).next_multiple_of(128);
        let identities = rows + readers * 8 * row::stride(self.buffer_count) as u64;
        let tallies = (identities + readers * IDENTITY_BYTES).next_multiple_of(128);
        let slots = (tallies + readers * TALLY_BYTES).next_multiple_of(PAGE);
        Offsets {
            status: 256,
            head: 384,
            frames_bell: 512,
            space_bell: 640,
            writer: 768,
            stream: 832,
            waits: 1024,
            directory,
            rows,
            readers: identities,
            tallies,
            slots,
        }
    }

    /// Where slot `slot` begins, from the first slot, in bytes.
    #[inline]
    pub(crate) fn slot_offset(&self, slot: u32) -> u64 {
        u64::from(slot) * self.slot_bytes
    }
}

const FIXED_BYTES: u64 = 1152;
const ENTRY_BYTES: u64 = 64;
const IDENTITY_BYTES: u64 = 64;
const TALLY_BYTES: u64 = 2048;

/// One line of [`describe`]: a field, its offset and its size in bytes, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Part and field, as `Entry.stamp`.
    pub name: &'static str,
    /// Bytes from the start of its part (of the region for a part).
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

#[cfg(not(feature = "loom"))]
mod fixed {
    use super::*;
    use std::mem::{align_of, offset_of, size_of};

    macro_rules! fields {
        ($out:ident, $($part:ident { $($field:ident: $offset:literal, $size:literal;)* } $bytes:literal)*) => {
            $(
                const _: () = assert!(size_of::<$part>() == $bytes);
                $(const _: () = assert!(offset_of!($part, $field) == $offset);)*
            )*
            /// Every field of every fixed part, in order.
            const $out: &[Field] = &[$($(
                Field { name: concat!(stringify!($part), ".", stringify!($field)), offset: $offset, size: $size },
            )*)*];
        };
    }

    fields! { FIELDS,
        Header { magic: 0, 8; layout_version: 8, 4; byte_order: 12, 4; geometry: 16, 32; region_id: 48, 16;
                 created_ns: 64, 8; checksum: 72, 4; reserved: 80, 160; } 240
        Geometry { buffer_count: 0, 4; max_readers: 4, 4; slot_bytes: 8, 8; control_bytes: 16, 8;
                   region_bytes: 24, 8; } 32
        Status { state: 0, 4; rows_used: 4, 4; generation: 8, 8; next_schema: 16, 8; drained: 24, 8;
                 when_full: 32, 4; evicted: 40, 8; } 128
        Head { frames: 0, 8; bytes: 8, 8; rows: 16, 8; } 128
        Bell { word: 0, 4; crowd: 4, 4; } 128
        Entry { stamp: 0, 8; slot: 8, 4; bytes: 16, 8; schema: 24, 8; published_ns: 32, 8;
                rows: 40, 8; } 64
        Identity { pid: 0, 4; start_ticks: 8, 8; pid_namespace: 16, 8; since_ns: 24, 8; } 64
        Stream { begins: 0, 8; rows_before: 8, 8; total_rows: 16, 8; aborted: 24, 4; reason_bytes: 28, 4;
                 reason: 32, 160; } 192
        Waits { full_waits: 0, 8; waited_ns: 8, 8; waiting_since_ns: 16, 8; timeouts: 24, 8; } 128
        Tally { frames: 0, 8; bytes: 8, 8; rows: 16, 8; missed: 24, 8; last_ns: 32, 8; latency_sum_ns: 40, 8;
                latency_max_ns: 48, 8; latencies: 56, 1992; } 2048
    }

    const _: () = assert!(size_of::<Header>() <= 256 && align_of::<Header>() == 8);
    const _: () = assert!(size_of::<Entry>() as u64 == ENTRY_BYTES);
    const _: () = assert!(size_of::<Identity>() as u64 == IDENTITY_BYTES);
    const _: () = assert!(size_of::<Tally>() as u64 == TALLY_BYTES);
    const _: () = assert!(768 + IDENTITY_BYTES + size_of::<Stream>() as u64 == 1024);
    const _: () = assert!(1024 + size_of::<Waits>() as u64 == FIXED_BYTES);
    const _: () = assert!(latency::BUCKETS == 249 && latency::floor(latency::BUCKETS) == 1 << 36);
    const _: () = assert!(row::stride(3) * 8 == 128 && row::stride(882) * 8 == 128);

    /// The layout as data: the parts of a region of this geometry, then the fields of each fixed part.
    /// `make layout` prints it; a test holds `docs/design.md` to it.
    #[must_use]
    pub fn describe(buffer_count: u32, max_readers: u32, slot_bytes: u64) -> Option<Vec<Field>> {
        let geometry = Geometry::new(buffer_count, max_readers, slot_bytes).ok()?;
        let at = geometry.offsets();
        let (n, r) = (u64::from(buffer_count), u64::from(max_readers));
        let part = |name, offset, size| Field { name, offset, size };
        let mut fields = vec![
            part("Header", 0, 240),
            part("Status", at.status, 128),
            part("Head", at.head, 128),
            part("Bell (frames)", at.frames_bell, 128),
            part("Bell (space)", at.space_bell, 128),
            part("Identity (writer)", at.writer, IDENTITY_BYTES),
            part("Stream", at.stream, size_of::<Stream>() as u64),
            part("Waits", at.waits, 128),
            part("Entry × buffer_count", at.directory, n * ENTRY_BYTES),
            part("row × max_readers", at.rows, r * 8 * row::stride(buffer_count) as u64),
            part("Identity × max_readers", at.readers, r * IDENTITY_BYTES),
            part("Tally × max_readers", at.tallies, r * TALLY_BYTES),
            part("slot × buffer_count", at.slots, n * slot_bytes),
        ];
        fields.extend_from_slice(FIELDS);
        Some(fields)
    }
}
#[cfg(not(feature = "loom"))]
pub use fixed::describe;

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn stamps_survive_their_word() {
        for sequence in [0, 1, 77, u64::from(u32::MAX), MAX_SEQUENCE] {
            for stamp in [Stamp::Published(sequence), Stamp::Marked(sequence), Stamp::Retired(sequence)] {
                assert_eq!(Stamp::of(stamp.word()), stamp);
            }
        }
        assert_eq!(Stamp::of(0), Stamp::Empty);
        assert_eq!(Stamp::of(2), Stamp::Empty);
        assert_eq!(Stamp::of(4), Stamp::Empty);
    }

    #[test]
    fn row_states_survive_their_word() {
        let state = row::State { phase: row::ACTIVE, policy: 2, skips: 1, reserved: 0, epoch: u32::MAX };
        assert_eq!(row::State::of(state.word()), state);
        assert_eq!(row::State::of(0x0123_4567_89AB_CDEF).word(), 0x0123_4567_89AB_CDEF);
    }

    #[test]
    fn geometry_out_of_range_is_refused() {
        assert!(Geometry::new(0, 1, PAGE).is_err());
        assert!(Geometry::new(1, 0, PAGE).is_err());
        assert!(Geometry::new(1, MAX_READERS + 1, PAGE).is_err());
        assert!(Geometry::new(MAX_BUFFERS + 1, 1, PAGE).is_err());
        assert!(Geometry::new(1, 1, PAGE + 1).is_err());
        assert!(Geometry::new(1, 1, 0).is_err());
        assert!(Geometry::new(MAX_BUFFERS, 1, MAX_SLOT_BYTES).is_err());
    }

    #[test]
    fn foreign_geometry_must_be_the_one_we_would_lay_out() {
        let good = Geometry::new(3, 16, 1 << 20).expect("in range");
        assert_eq!(good.check(), Ok(good));
        for bad in [
            Geometry { control_bytes: good.control_bytes + PAGE, ..good },
            Geometry { region_bytes: u64::MAX, ..good },
            Geometry { buffer_count: u32::MAX, ..good },
            Geometry { slot_bytes: !(PAGE - 1), ..good },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_latency_lies_in_its_bucket() {
        let powers = (0..64).map(|power| 1_u64 << power);
        let near =
            powers.flat_map(|power| [power - 1, power, power + 1, power + power / 3, power + power / 8 * 7]);
        for ns in near.chain(0..5_000) {
            let bucket = latency::bucket(ns);
            assert!(latency::floor(bucket) <= ns, "{ns}");
            assert!(bucket == latency::BUCKETS - 1 || ns < latency::floor(bucket + 1), "{ns}");
        }
    }

    #[test]
    fn buckets_are_an_eighth_as_wide_as_long() {
        for bucket in 1..latency::BUCKETS {
            let (floor, end) = (latency::floor(bucket), latency::floor(bucket + 1));
            assert!(floor < end && (end - floor) * 8 <= floor, "{bucket}: {floor} to {end}");
        }
    }

    #[test]
    fn parts_do_not_overlap() {
        for (buffers, readers) in [(1, 1), (3, 64), (63, 1), (64, 7), (1000, 1024), (MAX_BUFFERS, 2)] {
            let geometry = Geometry::new(buffers, readers, PAGE).expect("in range");
            let parts = describe(buffers, readers, PAGE).expect("in range");
            for pair in parts[..13].windows(2) {
                assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{pair:?}");
            }
            let last = &parts[12];
            assert_eq!(last.offset + last.size, geometry.region_bytes);
        }
    }
}
