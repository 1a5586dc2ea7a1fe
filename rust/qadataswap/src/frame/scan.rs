//! The few encodings that must look at data to know what to write: string views whose buffers are mostly
//! not theirs any more, list views, dense unions and run ends of a slice.
//!
//! The law: a scan and the writing that follows it agree, since both are functions of the array alone.

use arrow_data::{ByteView, MAX_INLINE_VIEW_LEN};

use super::copy::{self, Position};

/// Data buffers beyond this many times the bytes of the views are worth a look at what is referenced.
const SUSPICION: usize = 4;

/// An array of views as it is told: its views (16 bytes each, in this machine's order), its bitmap, and its data
/// buffers, `buffers` of which there are.
pub(crate) struct Views<'a, D> {
    pub(crate) views: &'a [[u8; VIEW]],
    pub(crate) nulls: Option<Nulls<'a>>,
    pub(crate) buffers: usize,
    /// The data buffer of a number below `buffers`.
    pub(crate) data: D,
}

/// The bytes of one view.
pub(crate) const VIEW: usize = size_of::<u128>();

/// A validity bitmap with nulls in it.
#[derive(Clone, Copy)]
pub(crate) struct Nulls<'a> {
    pub(crate) bits: &'a [u8],
    /// Where in `bits` the first row is.
    pub(crate) offset: usize,
    pub(crate) count: usize,
}

impl Nulls<'_> {
    #[inline]
    fn is_null(&self, row: usize) -> bool {
        let at = self.offset + row;
        self.bits[at / 8] & (1 << (at % 8)) == 0
    }
}

impl<'a, D: Fn(usize) -> &'a [u8]> Views<'a, D> {
    /// The data bytes referred to, if writing only those saves at least half of the data buffers.
    pub(super) fn compaction(&self) -> Option<usize> {
        let held: usize = (0..self.buffers).map(|buffer| (self.data)(buffer).len()).sum();
        if held <= SUSPICION * size_of_val(self.views) {
            return None;
        }
        let mut referenced = 0;
        for row in 0..self.views.len() {
            referenced += self.referenced_bytes(row)?.map_or(0, <[u8]>::len);
        }
        // One buffer takes what an i32 can point at.
        (referenced <= held / 2 && i32::try_from(referenced).is_ok()).then_some(referenced)
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// The bytes of `row` that lie in a data buffer, if it is valid and long; `None` outside if they do not lie
    /// where the view says.
    #[inline]
    #[allow(clippy::option_option)]
    fn referenced_bytes(&self, row: usize) -> Option<Option<&'a [u8]>> {
        let view = ByteView::from(u128::from_ne_bytes(self.views[row]));
        if view.length <= MAX_INLINE_VIEW_LEN || self.is_null(row) {
            return Some(None);
        }
        let (start, buffer) = (view.offset as usize, view.buffer_index as usize);
        if buffer >= self.buffers {
            return None;
        }
        (self.data)(buffer).get(start..start + view.length as usize).map(Some)
    }

    /// Writes the views as they are over compacted data: nulls zero, long values one behind another.
    pub(super) fn compact_views(&self, place: &mut [u8]) {
        let mut at = 0u32;
        for (row, place) in place.chunks_exact_mut(VIEW).enumerate() {
            let view = if self.is_null(row) {
                0
            } else {
                let raw = u128::from_ne_bytes(self.views[row]);
                let view = ByteView::from(raw);
                if view.length <= MAX_INLINE_VIEW_LEN {
                    raw
                } else {
                    let moved = view.with_buffer_index(0).with_offset(at);
                    at = at.wrapping_add(view.length);
                    moved.as_u128()
                }
            };
            place.copy_from_slice(&view.to_le_bytes());
        }
    }

    /// Writes the long values one behind another.
    pub(super) fn compact_data(&self, place: &mut [u8]) {
        let mut at = 0;
        for row in 0..self.views.len() {
            if let Some(Some(bytes)) = self.referenced_bytes(row) {
                // Only an array that changes under the walk could be longer than it was measured.
                let Some(here) = place.get_mut(at..at + bytes.len()) else { break };
                copy::bytes(here, bytes);
                at += bytes.len();
            }
        }
        copy::zero(&mut place[at..]);
    }
}

/// The range of child values that list views refer to.
pub(super) fn referenced<T: Position>(offsets: &[T], sizes: &[T]) -> Option<(usize, usize)> {
    let (mut from, mut to) = (usize::MAX, 0);
    for (offset, size) in offsets.iter().zip(sizes) {
        let size = size.length()?;
        if size > 0 {
            let offset = offset.length()?;
            from = from.min(offset);
            to = to.max(offset.checked_add(size)?);
        }
    }
    Some((from.min(to), to))
}

/// Writes list-view offsets less `base`; an empty list starts at zero.
pub(super) fn rebase_views<T: Position>(place: &mut [u8], offsets: &[T], sizes: &[T], base: T) {
    for (place, (offset, size)) in place.chunks_exact_mut(size_of::<T>()).zip(offsets.iter().zip(sizes)) {
        let offset = if *size == T::default() { T::default() } else { offset.less(base) };
        place.copy_from_slice(bytemuck::bytes_of(&offset));
    }
}

/// What part of each child a dense union refers to, by type id.
pub(super) struct DenseRanges {
    pub(super) from: [i32; 128],
    to: [i32; 128],
}

impl DenseRanges {
    pub(super) fn of(&self, id: i8) -> (usize, usize) {
        // Both were checked to be lengths when they were found.
        let at = id as usize;
        (self.from[at] as usize, self.to[at] as usize)
    }
}

/// Which part of each child `ids` and `offsets` refer to; `None` if they refer to what is no child.
pub(super) fn dense_ranges(
    children: impl Iterator<Item = i8>,
    ids: &[i8],
    offsets: &[i32],
) -> Option<DenseRanges> {
    let mut from = [i32::MAX; 128];
    let mut to = [0; 128];
    for (id, offset) in ids.iter().zip(offsets) {
        let id = usize::try_from(*id).ok()?;
        let end = offset.checked_add(1).filter(|_| *offset >= 0)?;
        from[id] = from[id].min(*offset);
        to[id] = to[id].max(end);
    }
    let mut known = [false; 128];
    for id in children {
        known[id as usize] = true;
    }
    for id in 0..from.len() {
        if to[id] > 0 && !known[id] {
            return None;
        }
        // A child nobody refers to is written empty.
        from[id] = from[id].min(to[id]);
    }
    Some(DenseRanges { from, to })
}

pub(super) fn rebase_dense(place: &mut [u8], ids: &[i8], offsets: &[i32], ranges: &DenseRanges) {
    for (place, (id, offset)) in place.chunks_exact_mut(size_of::<i32>()).zip(ids.iter().zip(offsets)) {
        let base = ranges.from.get(*id as usize).copied().unwrap_or(0);
        place.copy_from_slice(&offset.wrapping_sub(base).to_le_bytes());
    }
}

/// The runs that cover `len` rows from row `offset`.
pub(super) fn runs<T: Position>(ends: &[T], offset: usize, len: usize) -> Option<(usize, usize)> {
    if len == 0 {
        return Some((0, 0));
    }
    let behind = |row: usize| ends.partition_point(|end| end.length().is_some_and(|end| end <= row));
    let from = behind(offset);
    let last = behind(offset.checked_add(len)? - 1);
    (from <= last && last < ends.len()).then_some((from, last + 1))
}

/// Writes run ends as seen from row `offset`, the last cut to `len`.
pub(super) fn rebase_runs<T: Position>(place: &mut [u8], ends: &[T], offset: usize, len: usize) {
    copy::mapped(place, ends, |end| {
        let seen = end.length().unwrap_or(0).saturating_sub(offset).min(len);
        // Not more than `end`, so it fits.
        T::of(seen).unwrap_or_default()
    });
}
