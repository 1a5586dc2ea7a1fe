//! The few encodings that must look at data to know what to write: string views whose buffers are mostly
//! not theirs any more, list views, dense unions and run ends of a slice.
//!
//! The law: a scan and the writing that follows it agree, since both are functions of the array alone.

use arrow_array::types::ByteViewType;
use arrow_array::{Array, GenericByteViewArray, UnionArray};
use arrow_data::{ByteView, MAX_INLINE_VIEW_LEN};
use arrow_schema::UnionFields;

use super::FrameError;
use super::copy::{self, Position};
use super::walk::outside;

/// Data buffers beyond this many times the bytes of the views are worth a look at what is referenced.
const SUSPICION: usize = 4;

/// The data bytes that `array` refers to, if writing only those saves at least half of its data buffers.
pub(super) fn compaction<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> Option<usize> {
    let held: usize = array.data_buffers().iter().map(arrow_buffer::Buffer::len).sum();
    if held <= SUSPICION * size_of_val::<[u128]>(array.views()) {
        return None;
    }
    let mut referenced = 0;
    for row in 0..array.len() {
        referenced += referenced_bytes(array, row)?.map_or(0, <[u8]>::len);
    }
    // One buffer takes what an i32 can point at.
    (referenced <= held / 2 && i32::try_from(referenced).is_ok()).then_some(referenced)
}

/// The bytes of `row` that lie in a data buffer, if it is valid and long; `None` outside if they do not lie
/// where the view says.
#[inline]
#[allow(clippy::option_option)]
fn referenced_bytes<T: ByteViewType + ?Sized>(
    array: &GenericByteViewArray<T>,
    row: usize,
) -> Option<Option<&[u8]>> {
    let view = ByteView::from(array.views()[row]);
    if view.length <= MAX_INLINE_VIEW_LEN || array.is_null(row) {
        return Some(None);
    }
    let start = view.offset as usize;
    let data = array.data_buffers().get(view.buffer_index as usize)?;
    data.as_slice().get(start..start + view.length as usize).map(Some)
}

/// Writes the views of `array` as they are over compacted data: nulls zero, long values one behind another.
pub(super) fn compact_views<T: ByteViewType + ?Sized>(place: &mut [u8], array: &GenericByteViewArray<T>) {
    let mut at = 0u32;
    for (row, place) in place.chunks_exact_mut(size_of::<u128>()).enumerate() {
        let view = if array.is_null(row) {
            0
        } else {
            let raw = array.views()[row];
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

/// Writes the long values of `array` one behind another.
pub(super) fn compact_data<T: ByteViewType + ?Sized>(place: &mut [u8], array: &GenericByteViewArray<T>) {
    let mut at = 0;
    for row in 0..array.len() {
        if let Some(Some(bytes)) = referenced_bytes(array, row) {
            // Only an array that changes under the walk could be longer than it was measured.
            let Some(here) = place.get_mut(at..at + bytes.len()) else { break };
            copy::bytes(here, bytes);
            at += bytes.len();
        }
    }
    copy::zero(&mut place[at..]);
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

pub(super) fn dense_ranges(
    array: &UnionArray,
    fields: &UnionFields,
    ids: &[i8],
    offsets: &[i32],
) -> Result<DenseRanges, FrameError> {
    let mut from = [i32::MAX; 128];
    let mut to = [0; 128];
    for (id, offset) in ids.iter().zip(offsets) {
        let Ok(id) = usize::try_from(*id) else { return Err(outside(array)) };
        let end = offset.checked_add(1).filter(|_| *offset >= 0).ok_or_else(|| outside(array))?;
        from[id] = from[id].min(*offset);
        to[id] = to[id].max(end);
    }
    let mut known = [false; 128];
    for (id, _) in fields.iter() {
        known[id as usize] = true;
    }
    for id in 0..from.len() {
        if to[id] > 0 && !known[id] {
            return Err(outside(array));
        }
        // A child nobody refers to is written empty.
        from[id] = from[id].min(to[id]);
    }
    Ok(DenseRanges { from, to })
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
