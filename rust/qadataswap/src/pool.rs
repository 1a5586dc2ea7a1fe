//! Memory in the slot of a writer's next frame, for tables that are built buffer by buffer.
//!
//! The writer takes a slot for its [`Pool`]; whoever builds a table (Arrow's builders, through the allocator of their
//! language) allocates in it; and when that table is written, the buffers that lie in the slot already are published
//! where they lie. The rest of a frame (schema, metadata, dictionaries, buffers from elsewhere) is written around
//! them:
//!
//! ```text
//!   schema message | dictionaries | batch message | allocations, and gaps between them | other buffers | end
//!   `------------- room at the head ------------' ^ a frame of which this is the body
//! ```
//!
//! The law: an allocation is its owner's until it is freed. It is never written to here, and a slot that holds any is
//! *kept*: not used for another frame, be it published or given back. A gap that is published is zeroed first. When
//! the writer closes, what is still allocated is moved to private memory at the same address.

#![allow(unsafe_code)]

use crate::frame::{ALIGNMENT, Around, Body, FrameError};
use crate::publisher::{FreeSlot, Kept};
use crate::region::Region;
use crate::wait;
use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Room at a slot's head before anything is known of the schema.
const FIRST_HEAD: usize = 8 << 10;

/// Memory in the slot of a writer's next frame; shared by the writer and all who allocate.
pub struct Pool {
    region: Arc<Region>,
    kept: Arc<Kept>,
    /// Address of the first slot.
    base: NonNull<u8>,
    slot_bytes: usize,
    slots: usize,
    state: Mutex<State>,
}

// SAFETY: the address is of the region's mapping, which the pool keeps; all that changes is behind the lock.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

struct State {
    /// The slot that is built in.
    open: Option<Open>,
    /// Allocations by their offset from the first slot; their lengths are multiples of 64.
    live: BTreeMap<usize, usize>,
    /// Room to be left at the head of the next slot.
    head: usize,
}

#[derive(Clone, Copy)]
struct Open {
    slot: u32,
    /// Where allocations may begin, and must end, from the first slot on.
    first: usize,
    end: usize,
    /// Bytes of the slot that have memory behind them.
    reserved: usize,
}

impl Pool {
    pub(crate) fn new(region: Arc<Region>) -> Pool {
        let geometry = region.segment.geometry();
        let (slots, slot_bytes) = (geometry.buffer_count as usize, geometry.slot_bytes as usize);
        let base = region.segment.slots_address();
        let state = Mutex::new(State { open: None, live: BTreeMap::new(), head: FIRST_HEAD });
        Pool { kept: Arc::new(Kept::none(slots)), region, base, slot_bytes, slots, state }
    }

    /// What the publisher has to respect.
    pub(crate) fn kept(&self) -> Arc<Kept> {
        self.kept.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds in `slot` from now on, of which `reserved` bytes have memory.
    pub(crate) fn open(&self, slot: &FreeSlot, reserved: u64) {
        let mut state = self.lock();
        let start = slot.index() as usize * self.slot_bytes;
        // The end of the stream comes behind everything.
        let (first, end) = (start + state.head.min(self.slot_bytes / 4), start + self.slot_bytes - ALIGNMENT);
        state.open = Some(Open { slot: slot.index(), first, end, reserved: reserved as usize });
    }

    /// Builds in no slot any more; returns how many bytes of it have memory. From here on the slot is kept for as long
    /// as anything is allocated in it.
    pub(crate) fn close_slot(&self) -> u64 {
        self.close(&mut self.lock())
    }

    fn close(&self, state: &mut State) -> u64 {
        let Some(open) = state.open.take() else { return 0 };
        if state.allocated(self.span(open.slot)).next().is_some() {
            self.kept.keep(open.slot);
        }
        open.reserved as u64
    }

    /// Whether nothing is allocated in the slot that is built in.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.open.is_none_or(|open| state.allocated(self.span(open.slot)).next().is_none())
    }

    /// Bytes that are allocated, in all slots.
    pub(crate) fn allocated_bytes(&self) -> u64 {
        self.lock().live.values().map(|length| *length as u64).sum()
    }

    /// The bytes of a slot, from the first slot on.
    fn span(&self, slot: u32) -> Range<usize> {
        let start = slot as usize * self.slot_bytes;
        start..start + self.slot_bytes
    }

    /// `size` bytes at a multiple of `alignment`, or of 64 if that is more; `None` if there is no room, or no slot.
    #[must_use]
    pub fn allocate(&self, size: usize, alignment: usize) -> Option<NonNull<u8>> {
        if !self.region.is_ours() {
            return None;
        }
        let at = self.place(&mut self.lock(), size, alignment)?;
        // SAFETY: inside the mapping of the slots, as `place` sees to.
        Some(unsafe { self.base.add(at) })
    }

    /// Takes the first gap that is large enough.
    fn place(&self, state: &mut State, size: usize, alignment: usize) -> Option<usize> {
        let open = state.open?;
        let size = size.max(1).checked_next_multiple_of(ALIGNMENT)?;
        // It is the address that is aligned; a mapping begins at a page, which may be less.
        let base = self.base.addr().get();
        let align = |at: usize| Some((base + at).checked_next_multiple_of(alignment.max(ALIGNMENT))? - base);
        let mut at = align(open.first)?;
        for (start, length) in state.allocated(self.span(open.slot)) {
            if at.checked_add(size)? <= start {
                break;
            }
            at = align(start + length)?;
        }
        let end = at.checked_add(size)?;
        if end > open.end || !self.reserve(state, end) {
            return None;
        }
        state.live.insert(at, size);
        Some(at)
    }

    /// Makes sure that the slot that is built in has memory up to `end`, from the first slot on.
    fn reserve(&self, state: &mut State, end: usize) -> bool {
        let Some(open) = &mut state.open else { return false };
        let needed = end - open.slot as usize * self.slot_bytes;
        if needed <= open.reserved {
            return true;
        }
        // Ahead by as much as there is, so that a table that grows does not ask for each step.
        let ahead = needed.next_power_of_two().min(self.slot_bytes);
        let segment = &self.region.segment;
        let reserve =
            |to: usize| segment.reserve_slot(open.slot, open.reserved as u64, to as u64).map(|()| to);
        match reserve(ahead).or_else(|_| reserve(needed)) {
            Ok(reserved) => open.reserved = reserved,
            Err(_) => return false,
        }
        true
    }

    /// Changes the size of an allocation, in place or by moving it; `None`, and nothing has changed, if there is no
    /// room.
    ///
    /// # Safety
    /// `memory` is an allocation of this pool that has not been freed; if it was moved, its former address is not
    /// used any more. Nobody else uses it meanwhile.
    #[must_use]
    pub unsafe fn reallocate(
        &self,
        memory: NonNull<u8>,
        size: usize,
        alignment: usize,
    ) -> Option<NonNull<u8>> {
        if !self.region.is_ours() {
            return None;
        }
        let at = self.offset(memory)?;
        let mut state = self.lock();
        let old = *state.live.get(&at)?;
        let rounded = size.max(1).checked_next_multiple_of(ALIGNMENT)?;
        if rounded <= old || self.grow(&mut state, at, rounded) {
            state.live.insert(at, rounded);
            return Some(memory);
        }
        let new = self.place(&mut state, size, alignment)?;
        // SAFETY: two allocations of the mapping, which do not overlap; the caller lends the old one.
        let moved = unsafe {
            let moved = self.base.add(new);
            moved.copy_from_nonoverlapping(memory, old.min(rounded));
            moved
        };
        self.forget(&mut state, at);
        Some(moved)
    }

    /// Whether the allocation at `at` can grow to `size` bytes where it lies.
    fn grow(&self, state: &mut State, at: usize, size: usize) -> bool {
        let Some(open) = state.open else { return false };
        let Some(end) = at.checked_add(size) else { return false };
        let next = state.live.range(at + 1..).next().map_or(usize::MAX, |(next, _)| *next);
        at >= open.first && end <= open.end.min(next) && self.reserve(state, end)
    }

    /// Frees an allocation.
    ///
    /// # Safety
    /// `memory` is an allocation of this pool that has not been freed, and is not used any more.
    pub unsafe fn free(&self, memory: NonNull<u8>) {
        // A forked child has neither the memory nor a say; the lock may have been held at the fork.
        if !self.region.is_ours() {
            return;
        }
        let Some(at) = self.offset(memory) else { return };
        self.forget(&mut self.lock(), at);
    }

    /// An allocation is no more: with the last one, its slot is free.
    fn forget(&self, state: &mut State, at: usize) {
        state.live.remove(&at);
        let slot = (at / self.slot_bytes) as u32;
        let building = state.open.is_some_and(|open| open.slot == slot);
        if !building && state.allocated(self.span(slot)).next().is_none() && self.kept.let_go(slot) {
            wait::ring_always(self.region.segment.ring().space);
        }
    }

    /// Whether this address is of the pool's memory.
    #[must_use]
    pub fn owns(&self, memory: *const u8) -> bool {
        NonNull::new(memory.cast_mut()).is_some_and(|memory| self.offset(memory).is_some())
    }

    fn offset(&self, memory: NonNull<u8>) -> Option<usize> {
        let offset = memory.addr().get().checked_sub(self.base.addr().get())?;
        (offset < self.slot_bytes * self.slots).then_some(offset)
    }

    /// The addresses of the slot that is built in, as far as allocations go.
    pub(crate) fn building(&self) -> Option<Range<usize>> {
        let base = self.base.addr().get();
        self.lock().open.map(|open| base + open.first..base + open.end)
    }

    /// Writes a frame into the slot that is built in, by `write`, which is given the parts of it that are free: the
    /// room at the head, and `rest` bytes behind all allocations. Then zeroes the gaps of its body, and builds in the slot
    /// no more: the frame is whole, and says how many bytes of the slot have memory. `None`, and nothing has changed, if
    /// there is not as much room, or `write` finds too little of it.
    pub(crate) fn write_around(
        &self,
        slot: &FreeSlot,
        rest: usize,
        write: impl FnOnce(Body<'_>) -> Result<Option<Around>, FrameError>,
    ) -> Result<Option<(Around, u64)>, FrameError> {
        let mut state = self.lock();
        let Some(open) = state.open.filter(|open| open.slot == slot.index()) else { return Ok(None) };
        let span = self.span(open.slot);
        let behind = state.allocated(span.clone()).last().map_or(open.first, |(at, length)| at + length);
        let Some(end) = behind.checked_add(rest).filter(|end| *end <= span.end) else { return Ok(None) };
        if !self.reserve(&mut state, end) {
            return Ok(None);
        }
        let segment = &self.region.segment;
        let (head, tail) = (open.first - span.start, behind - span.start..end - span.start);
        // SAFETY: neither part is allocated, nor will be: the lock is held.
        let (before, after) =
            unsafe { (segment.slot_part_mut(slot, 0..head), segment.slot_part_mut(slot, tail.clone())) };
        // SAFETY: inside the mapping.
        let address = unsafe { self.base.add(span.start) }.addr().get();
        let body = Body { address, head: before, allocated: head..tail.start, tail: after };
        let Some(around) = write(body)? else { return Ok(None) };
        let body = around.body.clone();
        let mut at = body.start.max(head);
        let zero = |gap: Range<usize>| {
            if gap.start < gap.end {
                // SAFETY: between allocations: nobody's, while the lock is held.
                unsafe { segment.slot_part_mut(slot, gap) }.fill(0);
            }
        };
        for (start, length) in state.allocated(span.clone()) {
            zero(at..(start - span.start).min(body.end));
            at = start - span.start + length;
        }
        zero(at..tail.start.min(body.end));
        // Under the same lock: whoever allocates from here on does not get what has just been written.
        let reserved = self.close(&mut state);
        Ok(Some((around, reserved)))
    }

    /// How much room the frame just written took, or would have taken, at its head: the next slot leaves as much. Heads
    /// that take much of a slot do not count, so that there is room behind them; smaller ones than the last are not
    /// followed at once, since schemas may take turns.
    pub(crate) fn leave_head(&self, bytes: usize) {
        if bytes > self.slot_bytes / 4 {
            return;
        }
        let head = &mut self.lock().head;
        *head = (*head - head.saturating_sub(bytes) / 8).max(bytes).next_multiple_of(ALIGNMENT);
    }

    /// Moves what is allocated to private memory, at the same addresses: the ring goes to another writer.
    ///
    /// # Errors
    /// If there is no memory for it: then the ring must not go to another writer.
    pub(crate) fn make_private(&self) -> std::io::Result<()> {
        let state = self.lock();
        let segment = &self.region.segment;
        for slot in 0..self.slots as u32 {
            let mut allocated = state.allocated(self.span(slot));
            let Some((first, length)) = allocated.next() else { continue };
            let end = allocated.last().map_or(first + length, |(at, length)| at + length);
            segment.make_private(first as u64..end as u64)?;
        }
        Ok(())
    }
}

impl State {
    /// Allocations in `span`, by their offset from the first slot and their length.
    fn allocated(&self, span: Range<usize>) -> impl DoubleEndedIterator<Item = (usize, usize)> + '_ {
        self.live.range(span).map(|(at, length)| (*at, *length))
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("Pool")
            .field("ring", &self.region.name)
            .field("slot", &state.open.map(|open| open.slot))
            .field("allocations", &state.live.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn whoever_lets_go_of_a_kept_slot_is_told_once_that_the_writer_waits() {
        let kept = Kept::none(70);
        kept.keep(3);
        kept.keep(69);
        assert!(!kept.let_go(3), "nobody waits");
        kept.want();
        assert!(!kept.let_go(3), "it was not kept any more");
        assert!(kept.let_go(69) && !kept.has(69));
        kept.keep(69);
        assert!(!kept.let_go(69), "told already");
    }
}
