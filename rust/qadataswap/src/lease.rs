//! Leases: what keeps a frame's bytes in place while anybody looks at them.
//!
//! Law: an Arrow buffer cut from a slot owns an `Arc<Lease>`; the pin is released when the last of them is
//! dropped, in whichever thread, and the reader's place in the ring is given up when its handle and all its
//! leases are gone. One bit per reader and slot is enough: a reader pins a slot again only after the slot was
//! rewritten, and it was rewritten only after the former pin was released.

#![allow(unsafe_code)]

use crate::layout::{STATE_OPEN, Tally, row};
use crate::peers::Byte;
use crate::region::Region;
use crate::sync::Ordering;
use crate::wait;
use arrow_array::types::{ByteArrayType, ByteViewType};
use arrow_array::{GenericByteArray, GenericByteViewArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::{ArrayData, ArrayDataBuilder};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A reader's place in a ring; shared by its handle and its leases.
pub(crate) struct Attachment {
    pub(crate) region: Region,
    pub(crate) row: usize,
    /// The row's state when it joined, by which it is known to be still ours.
    pub(crate) joined: row::State,
    /// Whether the writer was found dead when it was last asked after: the next read makes sure and says so.
    pub(crate) orphaned: AtomicBool,
}

impl Attachment {
    /// What the reader counts, where whoever looks can see it.
    #[inline]
    pub(crate) fn tally(&self) -> &Tally {
        self.region.segment.tally(self.row)
    }

    /// A place that was just joined.
    pub(crate) fn new(region: Region, row: usize, joined: row::State) -> Attachment {
        Attachment { region, row, joined, orphaned: AtomicBool::new(false) }
    }

    /// Whether reading the frame `next` would not wait, as far as memory tells: it is there, the stream has ended, the
    /// writer was found dead, or reading is an error.
    #[inline]
    pub(crate) fn has(&self, next: u64) -> bool {
        let Attachment { region, row: place, joined, orphaned } = self;
        if !region.is_ours() {
            // A forked child does not even have the memory.
            return true;
        }
        let ring = region.segment.ring();
        orphaned.load(Ordering::Relaxed)
            || ring.has(next, joined.policy)
            || ring.state() != STATE_OPEN
            || !ring.owns(*place, *joined)
            // Closed meanwhile: only what was read still counts.
            || ring.reader(*place).0.phase != row::ACTIVE
    }

    /// As [`has`](Attachment::has), for the frame that the reader wants next. Read in another thread than the reader's
    /// own, that may be one too few.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        !self.region.is_ours() || self.has(self.region.segment.ring().reader(self.row).1)
    }

    /// Asks the kernel whether the writer is dead; if so, what it was about has been completed.
    pub(crate) fn ask_after_writer(&self) -> bool {
        let dead = self.region.is_ours()
            && self.region.segment.ring().state() == STATE_OPEN
            && self.region.repair_if_orphaned();
        self.orphaned.store(dead, Ordering::Relaxed);
        dead
    }

    /// The reader takes no more frames: only its leases still count.
    pub(crate) fn linger(&self) {
        if !self.region.is_ours() {
            return;
        }
        let ring = self.region.segment.ring();
        if ring.owns(self.row, self.joined) {
            self.region.count_as_drained(self.row);
        }
        ring.set_phase(self.row, self.joined, row::LINGERING);
        // Somebody may wait for this reader's next frame in another thread.
        wait::ring_always(ring.frames);
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.region.is_ours() {
            let row = Byte::Reader(self.row as u32);
            self.region.leave(row, |ring| ring.set_phase(self.row, self.joined, row::FREE));
            tracing::debug!(ring = self.region.name, row = self.row, "left");
        }
    }
}

/// A pin on a slot.
pub(crate) struct Lease {
    attachment: Arc<Attachment>,
    slot: u32,
}

impl Lease {
    /// Takes charge of a pin that the ring has granted.
    pub(crate) fn new(attachment: Arc<Attachment>, slot: u32) -> Lease {
        Lease { attachment, slot }
    }

    /// The first `length` bytes of the slot, as a buffer that owns this lease; `None` if the slot is shorter.
    pub(crate) fn into_buffer(self, length: u64) -> Option<Buffer> {
        let address = self.attachment.region.segment.slot(self.slot, length)?;
        let length = usize::try_from(length).ok()?;
        // SAFETY: `length` bytes from `address` lie inside the mapping, which the lease keeps alive through its
        // attachment. They are not written while the pin stands: the protocol of ring.rs, to which whoever may
        // write the region is trusted to keep (docs/design.md, "Trust").
        Some(unsafe { Buffer::from_custom_allocation(address, length, Arc::new(self)) })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A forked child has inherited the lease but neither the pin nor the mapping.
        let Attachment { region, row, joined, .. } = &*self.attachment;
        if region.is_ours() && region.segment.ring().owns(*row, *joined) {
            region.segment.ring().unpin(*row, self.slot);
        }
    }
}

/// Assembles array data whose *form* (buffer sizes, alignment, child lengths) the frame decoder has checked.
pub(crate) fn assemble(builder: ArrayDataBuilder) -> ArrayData {
    // SAFETY: the decoder has checked every size and alignment that the data type asks for. What the buffers
    // say (offsets, keys, UTF-8) is the writer's word, which the reader has chosen to take: with full
    // validation it is checked before the array is handed out.
    unsafe { builder.build_unchecked() }
}

/// A bitmap of which the frame says, unchecked, how many of its bits are null.
pub(crate) fn null_buffer(bits: Buffer, rows: usize, nulls: usize) -> NullBuffer {
    let bits = BooleanBuffer::new(bits, 0, rows);
    // SAFETY: a count that is not the bitmap's own is the writer's word, as in `assemble`.
    unsafe { NullBuffer::new_unchecked(bits, nulls) }
}

/// Strings or binaries behind views whose contents are not looked at.
pub(crate) fn view_array<T: ByteViewType>(
    views: ScalarBuffer<u128>,
    data: Vec<Buffer>,
    nulls: Option<NullBuffer>,
) -> GenericByteViewArray<T> {
    // SAFETY: there is a view for each row; what they refer to is the writer's word, as in `assemble`.
    unsafe { GenericByteViewArray::new_unchecked(views, data, nulls) }
}

/// Strings or binaries behind offsets, of which there is one more than rows and which are not looked at.
pub(crate) fn byte_array<T: ByteArrayType>(
    offsets: ScalarBuffer<T::Offset>,
    values: Buffer,
    nulls: Option<NullBuffer>,
) -> GenericByteArray<T> {
    // SAFETY: the caller has one offset at least; that they ascend, and end within the values, which are UTF-8
    // where they should be, is the writer's word, as in `assemble`.
    unsafe { GenericByteArray::new_unchecked(OffsetBuffer::new_unchecked(offsets), values, nulls) }
}
