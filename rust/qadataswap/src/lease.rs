//! Leases: what keeps a frame's bytes in place while anybody looks at them.
//!
//! Law: an Arrow buffer cut from a slot owns an `Arc<Lease>`; the pin is released when the last of them is
//! dropped, in whichever thread, and the reader's place in the ring is given up when its handle and all its
//! leases are gone. One bit per reader and slot is enough: a reader pins a slot again only after the slot was
//! rewritten, and it was rewritten only after the former pin was released.

#![allow(unsafe_code)]

use crate::layout::{Bell, STATE_OPEN, Tally, row};
use crate::peers::Byte;
use crate::place::{Place, Seat};
use crate::region::Region;
use crate::ring::Policy;
use crate::stream::Beginning;
use crate::sync::Ordering;
use crate::wait::{self, Pulse, WaitStrategy};
use arrow_array::types::{ByteArrayType, ByteViewType};
use arrow_array::{Array, ArrayRef, GenericByteArray, GenericByteViewArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::{ArrayData, ArrayDataBuilder};
use arrow_schema::SchemaRef;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A reader's place in a ring; shared by its handle and its leases.
pub(crate) struct Attachment {
    pub(crate) region: Region,
    pub(crate) place: Place,
    /// Whether the writer was found dead when it was last asked after: the next read makes sure and says so.
    pub(crate) orphaned: AtomicBool,
}

impl Attachment {
    /// What the reader counts, where whoever looks can see it; an observer is not seen.
    #[inline]
    pub(crate) fn tally(&self) -> Option<&Tally> {
        match &self.place {
            Place::Row(seat) => Some(self.region.segment.tally(seat.row)),
            Place::Aside(_) => None,
        }
    }

    /// A place that was just taken.
    pub(crate) fn new(region: Region, place: Place) -> Attachment {
        Attachment { region, place, orphaned: AtomicBool::new(false) }
    }

    /// What to sleep on until a frame has come; an observer, which may not announce itself, has nothing.
    #[inline]
    pub(crate) fn bell(&self) -> Option<&Bell> {
        match &self.place {
            Place::Row(_) => Some(self.region.segment.ring().frames),
            Place::Aside(_) => None,
        }
    }

    /// Waits until `look` finds something, as [`wait_until`](wait::wait_until) does.
    ///
    /// # Errors
    /// Whatever `look` or `idle` returns.
    #[inline]
    pub(crate) fn wait<T, E>(
        &self,
        strategy: WaitStrategy,
        deadline: Option<Instant>,
        pulse: &Pulse,
        look: impl FnMut() -> Result<Option<T>, E>,
        idle: impl FnMut() -> Result<(), E>,
    ) -> Result<Option<T>, E> {
        match self.bell() {
            Some(bell) => {
                wait::wait_until(bell, strategy, deadline, pulse, look, || wait::announce(bell), idle)
            }
            None => wait::wait_by_looking(strategy, deadline, pulse, look, idle),
        }
    }

    /// Whether reading the frame `next` would not wait, as far as memory tells: it is there, the stream has ended, the
    /// writer was found dead, or reading is an error.
    #[inline]
    pub(crate) fn has(&self, next: u64) -> bool {
        if !self.region.is_ours() {
            // A forked child does not even have the memory.
            return true;
        }
        let ring = self.region.segment.ring();
        let policy = match &self.place {
            Place::Row(seat) => seat.joined.policy,
            Place::Aside(_) => Policy::Lossy as u8,
        };
        self.orphaned.load(Ordering::Relaxed)
            || ring.has(next, policy)
            || ring.state() != STATE_OPEN
            || match &self.place {
                // Lost, or closed meanwhile: only what was read still counts.
                Place::Row(seat) => !seat.is_ours(&ring) || ring.reader(seat.row).0.phase != row::ACTIVE,
                Place::Aside(aside) => aside.is_closed(),
            }
    }

    /// As [`has`](Attachment::has), for the frame that the reader wants next. Read in another thread than the reader's
    /// own, that may be one too few.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        if !self.region.is_ours() {
            return true;
        }
        self.has(match &self.place {
            Place::Row(seat) => self.region.segment.ring().reader(seat.row).1,
            Place::Aside(aside) => aside.next(),
        })
    }

    /// Asks the kernel whether the writer is dead; if so, what it was about has been completed, unless nobody who may
    /// store has come by.
    pub(crate) fn ask_after_writer(&self) -> bool {
        let dead =
            self.region.is_ours() && self.region.segment.ring().state() == STATE_OPEN && self.is_orphaned();
        self.orphaned.store(dead, Ordering::Relaxed);
        dead
    }

    /// Whether the writer of an open ring is dead; if so, as in [`ask_after_writer`](Attachment::ask_after_writer).
    pub(crate) fn is_orphaned(&self) -> bool {
        match &self.place {
            Place::Row(_) => self.region.repair_if_orphaned(),
            Place::Aside(aside) => {
                let left_by = self.region.left_by();
                aside.found(left_by);
                left_by.is_some()
            }
        }
    }

    /// The stream that is written, if it is one; `None` if somebody joins, leaves or takes over for too long.
    ///
    /// # Errors
    /// If the gate cannot be locked, or asked after.
    pub(crate) fn beginning(&self) -> std::io::Result<Option<Option<Beginning>>> {
        // A writer that takes over says for a moment that there is no stream.
        let look = || self.region.segment.stream().beginning();
        match &self.place {
            Place::Row(_) => self.region.under_gate(look),
            Place::Aside(_) => self.region.beside_gate(look),
        }
    }

    /// The reader takes no more frames: only its leases still count.
    pub(crate) fn linger(&self) {
        if !self.region.is_ours() {
            return;
        }
        match &self.place {
            Place::Row(seat) => {
                let ring = self.region.segment.ring();
                if seat.is_ours(&ring) {
                    self.region.count_as_drained(seat.row);
                }
                ring.set_phase(seat.row, seat.joined, row::LINGERING);
                // Somebody may wait for this reader's next frame in another thread.
                wait::ring_always(ring.frames);
            }
            Place::Aside(aside) => aside.close(),
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Place::Row(Seat { row, joined }) = self.place
            && self.region.is_ours()
        {
            self.region.leave(Byte::Reader(row as u32), |ring| ring.set_phase(row, joined, row::FREE));
            tracing::debug!(ring = self.region.name, row, "left");
        }
    }
}

/// A pin on a slot.
pub(crate) struct Lease {
    attachment: Arc<Attachment>,
    seat: Seat,
    slot: u32,
}

impl Lease {
    /// Takes charge of a pin that the ring has granted to the reader on `seat`.
    pub(crate) fn new(attachment: Arc<Attachment>, seat: Seat, slot: u32) -> Lease {
        Lease { attachment, seat, slot }
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
        let region = &self.attachment.region;
        if region.is_ours() && self.seat.is_ours(&region.segment.ring()) {
            region.segment.ring().unpin(self.seat.row, self.slot);
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

/// A batch of columns that were made by its schema: one for each field, of its type, of `rows` rows, without nulls where the
/// schema says that there are none.
pub(crate) fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    debug_assert_eq!(schema.fields().len(), columns.len());
    debug_assert!(
        schema.fields().iter().zip(&columns).all(|(field, column)| field.data_type() == column.data_type()
            && column.len() == rows
            && (field.is_nullable() || column.null_count() == 0))
    );
    // SAFETY: the decoder makes each column by the plan of this schema, which takes its types from there, and has checked rows
    // and nulls. Comparing all that again costs as much as half of the columns.
    unsafe { RecordBatch::new_unchecked(schema, columns, rows) }
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
