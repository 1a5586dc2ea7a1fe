//! A region in this process: its file, its two mappings, and the only code that turns addresses into references.
//!
//! Law: the geometry has been checked before a `Segment` exists, and the file is at least that long; so every
//! reference handed out here lies inside a mapping. What a slot means is not known here.
//!
//! A forked child has neither mapping (`MADV_DONTFORK`): it must not follow a pointer from before the fork, and
//! this file's `Drop` does not unmap what is not there.

#![allow(unsafe_code)]

use crate::crash;
use crate::layout::{
    Bell, Entry, Geometry, Head, Header, Identity, Offsets, PAGE, Status, Stream, Tally, Waits, row,
};
use crate::publisher::FreeSlot;
use crate::ring::Ring;
use crate::sync::AtomicU64;
use arrow_buffer::Buffer;
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Counter, Ordering::Relaxed};

/// Forks that this process descends from, as far as this library has seen.
static FORKS: Counter = Counter::new(0);

/// Number of forks between the process that first called into this library and this one, as far as it has rings.
///
/// Who keeps a handle behind a lock compares the number with that of when the handle was made before taking the lock:
/// in a forked child, what other threads of the parent had locked stays locked for ever.
#[inline]
#[must_use]
pub fn forks() -> u64 {
    FORKS.load(Relaxed)
}

/// Runs `in_child` in every forked child from now on, and counts the fork.
pub(crate) fn at_fork(in_child: fn()) {
    static IN_CHILD: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();
    extern "C" fn handler() {
        FORKS.fetch_add(1, Relaxed);
        if let Some(in_child) = IN_CHILD.get() {
            in_child();
        }
    }
    IN_CHILD.get_or_init(|| {
        // SAFETY: registers a function that lives for ever and is async-signal-safe: it adds to an atomic and
        // calls `in_child`, of which the caller promises the same.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(handler)) };
        if failed != 0 {
            tracing::warn!(errno = failed, "pthread_atfork failed: forked children will not be told apart");
        }
        in_child
    });
}

/// A mapping that a forked child neither has nor unmaps.
struct Map {
    map: ManuallyDrop<MmapRaw>,
    forks: u64,
}

impl Map {
    fn new(file: &File, offset: u64, length: u64, writable: bool) -> std::io::Result<Map> {
        let length = usize::try_from(length).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
        let mut options = MmapOptions::new();
        options.offset(offset).len(length);
        let map = if writable { options.map_raw(file)? } else { options.map_raw_read_only(file)? };
        map.advise(Advice::DontFork)?;
        Ok(Map { map: ManuallyDrop::new(map), forks: forks() })
    }

    /// Address of `offset`, which with `length` bytes after it lies inside the mapping.
    #[inline]
    fn at(&self, offset: u64, length: u64) -> NonNull<u8> {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.map.len() as u64));
        // SAFETY: just asserted to be inside the mapping, whose address is not null.
        unsafe { NonNull::new_unchecked(self.map.as_mut_ptr().add(offset as usize)) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.forks == forks() {
            // SAFETY: dropped once, here, in the process that mapped it.
            unsafe { ManuallyDrop::drop(&mut self.map) }
        }
    }
}

/// What a participant may do with the mappings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Control part and slots writable.
    Writer,
    /// Control part writable, slots read-only.
    Reader,
    /// Control part and slots read-only.
    Observer,
    /// Control part read-only, no slots.
    Inspector,
}

/// Words of a line of a copy.
const LINE_WORDS: usize = 8;

/// A line of a copy, aligned as everything in a frame is.
#[repr(C, align(64))]
struct Line([u64; LINE_WORDS]);

impl Access {
    /// Whether there is anything shared that such a participant stores to, for which it needs write permission.
    pub(crate) fn stores(self) -> bool {
        matches!(self, Access::Writer | Access::Reader)
    }
}

/// A mapped region.
pub(crate) struct Segment {
    /// The ring's words, which lie in `control`: handed out by [`ring`](Segment::ring) only, for as long as `self` lives.
    words: Ring<'static>,
    control: Map,
    slots: Option<Map>,
    geometry: Geometry,
    offsets: Offsets,
    file: File,
    access: Access,
}

impl Segment {
    /// Maps a region of a checked geometry.
    ///
    /// # Errors
    /// If the file is shorter than the geometry says, or cannot be mapped.
    pub(crate) fn map(file: File, geometry: Geometry, access: Access) -> std::io::Result<Segment> {
        if file.metadata()?.len() < geometry.region_bytes {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let offsets = geometry.offsets();
        let control = Map::new(&file, 0, geometry.control_bytes, access.stores())?;
        let slots = match access {
            Access::Inspector => None,
            _ => {
                let length = geometry.region_bytes - geometry.control_bytes;
                Some(Map::new(&file, geometry.control_bytes, length, access == Access::Writer)?)
            }
        };
        let words = words(&control, &geometry, &offsets);
        Ok(Segment { words, control, slots, geometry, offsets, file, access })
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// A shared reference to the `T` at `offset` of the control part.
    #[inline]
    fn control_part<T: SharedPart>(&self, offset: u64) -> &T {
        // SAFETY: for as long as `self`, and so the mapping, lives.
        unsafe { part(&self.control, offset) }
    }

    /// `count` consecutive `T`s at `offset` of the control part.
    #[inline]
    fn control_parts<T: SharedPart>(&self, offset: u64, count: usize) -> &[T] {
        // SAFETY: as in `control_part`.
        unsafe { parts(&self.control, offset, count) }
    }

    /// The ring protocol's words.
    #[inline]
    pub(crate) fn ring(&self) -> Ring<'_> {
        self.words
    }

    /// Who the writer is.
    pub(crate) fn writer_identity(&self) -> &Identity {
        self.control_part(self.offsets.writer)
    }

    /// What the writer says of its stream.
    pub(crate) fn stream(&self) -> &Stream {
        self.control_part(self.offsets.stream)
    }

    /// Who the readers are, by row.
    pub(crate) fn reader_identities(&self) -> &[Identity] {
        self.control_parts(self.offsets.readers, self.geometry.max_readers as usize)
    }

    /// What a full ring has cost the writer.
    pub(crate) fn waits(&self) -> &Waits {
        self.control_part(self.offsets.waits)
    }

    /// What the reader on row `reader` counts.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub(crate) fn tally(&self, reader: usize) -> &Tally {
        assert!(reader < self.geometry.max_readers as usize);
        self.control_part(self.offsets.tallies + (reader * size_of::<Tally>()) as u64)
    }

    /// Address of the first `length` bytes of a slot; `None` if there are not as many or no slots are mapped.
    /// What it points to stays as it is while the slot is pinned.
    #[inline]
    pub(crate) fn slot(&self, slot: u32, length: u64) -> Option<NonNull<u8>> {
        if slot >= self.geometry.buffer_count || length > self.geometry.slot_bytes {
            return None;
        }
        Some(self.slots.as_ref()?.at(self.geometry.slot_offset(slot), length))
    }

    /// Has the lines fetched that the reader of a frame looks at first, all at once: one after the other each would take as long.
    /// A hint, for whatever numbers: it orders nothing, and changes nothing but the time that the looks take.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32, length: u64) {
        /// Schema and metadata of a frame of a dozen columns, and all of a small one.
        const MOST: u64 = 2048;
        const LINE: usize = 64;
        let length = length.min(MOST);
        let Some(start) = self.slot(slot, length) else { return };
        for line in 0..(length as usize).div_ceil(LINE) {
            let place = start.as_ptr().wrapping_add(line * LINE);
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a part of x86-64, and never a fault, whatever the address.
            unsafe {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                _mm_prefetch::<_MM_HINT_T0>(place.cast());
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = place;
        }
    }

    /// A copy of the first `length` bytes of a slot, in private memory, whoever stores to the slot meanwhile: then it is of
    /// no use, which the protocol finds out (`observer.rs`). `None` if there are not as many bytes or no slots are mapped,
    /// or if `goes_on` says no on the way.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub(crate) fn copy_slot(
        &self,
        slot: u32,
        length: u64,
        goes_on: impl Fn() -> bool,
    ) -> std::io::Result<Option<Buffer>> {
        /// Lines between two questions.
        const PIECE: usize = (64 << 10) / size_of::<Line>();
        let Some(from) = self.slot(slot, length) else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
        let lines = length.div_ceil(size_of::<Line>());
        let from = from.cast::<[AtomicU64; LINE_WORDS]>();
        // SAFETY: `lines` lines from the slot's first byte lie inside the mapping (`slot`; slots are whole pages) and are
        // aligned (so are slots), for as long as `self` lives. Every bit pattern is a value. Whoever stores there is another
        // process, or this one through another mapping; what this mapping is used for are relaxed loads of one word, of
        // which the language says that they may be of read-only memory.
        let from = unsafe { std::slice::from_raw_parts(from.as_ptr(), lines) };
        let mut copy = Vec::new();
        copy.try_reserve_exact(lines).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
        for piece in from.chunks(PIECE) {
            if !goes_on() {
                return Ok(None);
            }
            let words = |line: &[AtomicU64; LINE_WORDS]| line.each_ref().map(|word| word.load(Relaxed));
            copy.extend(piece.iter().map(|line| Line(words(line))));
        }
        let address = NonNull::from(copy.as_slice()).cast();
        // SAFETY: `length` bytes at most of as many lines as the buffer owns from now on, plain words that nobody changes.
        Ok(Some(unsafe { Buffer::from_custom_allocation(address, length, Arc::new(copy)) }))
    }

    /// The bytes of a slot, to be written.
    ///
    /// # Panics
    /// If this is not the writer's segment, or the slot is another ring's.
    #[inline]
    pub(crate) fn slot_mut<'a>(&'a self, slot: &'a mut FreeSlot) -> &'a mut [u8] {
        assert!(self.access == Access::Writer);
        let bytes = self.geometry.slot_bytes;
        let address = self.slot(slot.index(), bytes).expect("a publisher hands out slots of its own ring");
        // SAFETY: inside the writable mapping and alive as long as `self`. Exclusive: there is one publisher on
        // a region, it hands out a `FreeSlot` at most once at a time and only when no reader can reach or hold
        // the slot (the argument in ring.rs), and the caller lends it to us mutably.
        unsafe { std::slice::from_raw_parts_mut(address.as_ptr(), bytes as usize) }
    }

    /// Some bytes of a slot, to be written.
    ///
    /// # Panics
    /// As [`slot_mut`](Segment::slot_mut); also if the slot does not have these bytes.
    ///
    /// # Safety
    /// Nobody else has a reference to any of them, nor writes to them, while the result lives.
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "several disjoint parts at a time, as the caller sees to")]
    pub(crate) unsafe fn slot_part_mut<'a>(&'a self, slot: &'a FreeSlot, part: Range<usize>) -> &'a mut [u8] {
        assert!(self.access == Access::Writer && part.start <= part.end);
        let address = self.slot(slot.index(), part.end as u64).expect("a part of a slot of this ring");
        // SAFETY: inside the writable mapping; as exclusive as the slot is (see `slot_mut`) and the caller says.
        unsafe { std::slice::from_raw_parts_mut(address.as_ptr().add(part.start), part.len()) }
    }

    /// Address of the first slot; the others follow it.
    ///
    /// # Panics
    /// If no slots are mapped.
    pub(crate) fn slots_address(&self) -> NonNull<u8> {
        self.slot(0, 0).expect("slots are mapped")
    }

    /// Makes a part of the slots private to this process, contents and addresses as they are: what the ring's next
    /// writer does there is not seen here. Whoever writes to it meanwhile loses nothing: a store lands in the shared
    /// page before that is copied, or in the copy.
    ///
    /// # Errors
    /// If there is no memory for it; some of it may be private then.
    ///
    /// # Panics
    /// As [`slots_address`](Segment::slots_address), and if the part is not of the slots.
    pub(crate) fn make_private(&self, part: Range<u64>) -> std::io::Result<()> {
        use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap};
        let slots = self.slots.as_ref().expect("slots are mapped");
        let first = part.start / PAGE * PAGE;
        let length = part.end.next_multiple_of(PAGE) - first;
        let place = slots.at(first, length).as_ptr().cast();
        let length = length as usize;
        // SAFETY: the same pages of the same file in the place of a part of our own mapping, in one step for whoever
        // uses them meanwhile; the mapping's owner unmaps the whole range, whatever lies in it. Populating for writing
        // changes nothing but whose pages they are.
        unsafe {
            let (protection, flags) =
                (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED);
            mmap(place, length, protection, flags, &self.file, self.geometry.control_bytes + first)?;
            loop {
                match madvise(place, length, Advice::LinuxPopulateWrite) {
                    Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                    result => return Ok(result?),
                }
            }
        }
    }

    /// Brings the pages of the slots into this process's tables, so that none of them is missing when it is first touched.
    /// Only of a file that has all its memory: looking at a page that has none would take some. Changes nothing but how long
    /// things take, so nothing comes of it if it fails.
    pub(crate) fn populate(&self) {
        use rustix::mm::{Advice, madvise};
        use std::os::unix::fs::MetadataExt;
        let Some(slots) = &self.slots else { return };
        let reserved = self.file.metadata().map_or(0, |metadata| metadata.blocks() * 512);
        if reserved < self.geometry.region_bytes {
            return;
        }
        let advice = match self.access {
            Access::Writer => Advice::LinuxPopulateWrite,
            _ => Advice::LinuxPopulateRead,
        };
        let length = slots.map.len();
        // SAFETY: the whole of a mapping of ours. Populating changes no content: pages that nobody has written hold zeros,
        // as whoever first touches them would find them.
        let populate = || unsafe { madvise(slots.at(0, 0).as_ptr().cast(), length, advice) };
        while let Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) = populate() {}
    }

    /// Makes sure that `length` bytes from `offset` of the file have memory behind them.
    ///
    /// # Errors
    /// `StorageFull` and its like when there is none: the reason why touching a page never is a signal.
    pub(crate) fn reserve(file: &File, offset: u64, length: u64) -> std::io::Result<()> {
        let first = offset / PAGE * PAGE;
        let end = (offset + length).next_multiple_of(PAGE);
        crash::point();
        loop {
            match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), first, end - first) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Reserves the first `length` bytes of a slot.
    ///
    /// # Errors
    /// As [`reserve`](Segment::reserve).
    pub(crate) fn reserve_slot(&self, slot: u32, from: u64, length: u64) -> std::io::Result<()> {
        let start = self.geometry.control_bytes + self.geometry.slot_offset(slot);
        Segment::reserve(&self.file, start + from, length - from)
    }
}

/// Parts of the control area: atomics and padding only.
///
/// # Safety
/// Every field is an atomic or padding, so that any bytes are a value and shared stores are no data race.
unsafe trait SharedPart {}

// SAFETY: atomics and padding (layout.rs).
unsafe impl SharedPart for Status {}
// SAFETY: as above.
unsafe impl SharedPart for Head {}
// SAFETY: as above.
unsafe impl SharedPart for Bell {}
// SAFETY: as above.
unsafe impl SharedPart for Entry {}
// SAFETY: as above.
unsafe impl SharedPart for Identity {}
// SAFETY: as above.
unsafe impl SharedPart for Stream {}
// SAFETY: as above.
unsafe impl SharedPart for Waits {}
// SAFETY: as above.
unsafe impl SharedPart for Tally {}
// SAFETY: an atomic.
unsafe impl SharedPart for AtomicU64 {}

/// A shared reference to the `T` at `offset` of a control part.
///
/// # Safety
/// The mapping outlives the reference.
#[inline]
unsafe fn part<'a, T: SharedPart>(control: &Map, offset: u64) -> &'a T {
    let address = control.at(offset, size_of::<T>() as u64).cast::<T>();
    debug_assert!(address.is_aligned());
    // SAFETY: inside the mapping (`at`), aligned (offsets are multiples of 64 or 128, asserted in
    // layout.rs, and the mapping starts on a page), alive for as long as the caller says. `T` consists of atomics and
    // padding (`SharedPart`), so any bytes are a value and other processes may store to it at any time.
    unsafe { address.as_ref() }
}

/// `count` consecutive `T`s at `offset` of a control part.
///
/// # Safety
/// As of [`part`].
#[inline]
unsafe fn parts<'a, T: SharedPart>(control: &Map, offset: u64, count: usize) -> &'a [T] {
    let address = control.at(offset, (size_of::<T>() * count) as u64).cast::<T>();
    debug_assert!(address.is_aligned());
    // SAFETY: as in `part`, for `count` of them.
    unsafe { std::slice::from_raw_parts(address.as_ptr(), count) }
}

/// The ring's words in a control part, for the segment that is to own it.
fn words(control: &Map, geometry: &Geometry, offsets: &Offsets) -> Ring<'static> {
    let stride = row::stride(geometry.buffer_count);
    // SAFETY: the segment hands them out for as long as it lives, and with it the mapping, which does not move.
    unsafe {
        Ring {
            status: part::<Status>(control, offsets.status),
            head: part::<Head>(control, offsets.head),
            frames: part::<Bell>(control, offsets.frames_bell),
            space: part::<Bell>(control, offsets.space_bell),
            entries: parts::<Entry>(control, offsets.directory, geometry.buffer_count as usize),
            rows: parts::<AtomicU64>(control, offsets.rows, stride * geometry.max_readers as usize),
            stride,
        }
    }
}

/// The header of a region, read out of its file in one go; `None` if the file is shorter.
///
/// # Errors
/// If reading fails.
pub(crate) fn read_header(file: &File) -> std::io::Result<Option<Header>> {
    let mut bytes = [0; size_of::<Header>()];
    match std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, 0) {
        Ok(()) => Ok(Some(bytemuck::pod_read_unaligned(&bytes))),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The checksum of a header: of everything by which a region is found to be one, and to be laid out as it is.
pub(crate) fn sum(header: &Header) -> u32 {
    crc32fast::hash(&bytemuck::bytes_of(header)[..std::mem::offset_of!(Header, region_id)])
}

/// Writes the header of a region that has no name yet.
///
/// # Errors
/// If writing fails.
pub(crate) fn write_header(file: &File, header: &Header) -> std::io::Result<()> {
    crash::point();
    std::os::unix::fs::FileExt::write_all_at(file, bytemuck::bytes_of(header), 0)
}
