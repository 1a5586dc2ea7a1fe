//! What the buffers of an array become in a frame, told from slices: the same for arrays of this program and for
//! those that come as C structs.
//!
//! The law: only what a slice shows is told (bits from their offset, offsets from zero), and what needs no change
//! is told as it lies.

use super::copy::{self, Position};
use super::scan::{self, DenseRanges, Nulls, Views};
use super::sink::Sink;

/// The node and its validity; a bitmap without nulls is not written.
#[inline]
pub(crate) fn node<S: Sink>(sink: &mut S, rows: usize, nulls: Option<Nulls<'_>>) {
    match nulls {
        None => {
            sink.node(rows, 0);
            sink.bytes(&[]);
        }
        Some(Nulls { bits, offset, count }) => {
            sink.node(rows, count);
            sink.bits(bits, offset, rows);
        }
    }
}

/// First and last of `offsets` as a range.
#[inline]
pub(crate) fn range<T: Position>(offsets: &[T]) -> Option<(usize, usize)> {
    let from = offsets.first().map_or(Some(0), |offset| offset.length())?;
    let to = offsets.last().map_or(Some(0), |offset| offset.length())?;
    (from <= to).then_some((from, to))
}

/// Offsets, of which an array has one more than rows; an empty one may come without.
#[inline]
pub(crate) fn offsets<S: Sink, T: Position>(sink: &mut S, offsets: &[T]) {
    match offsets.first() {
        Some(first) if *first == T::default() => sink.bytes(bytemuck::cast_slice(offsets)),
        _ => sink.fill(size_of_val(offsets).max(size_of::<T>()), |place| copy::rebased(place, offsets)),
    }
}

/// Views and their data, or only as much of it as they refer to.
pub(crate) fn views<'a, S: Sink, D: Fn(usize) -> &'a [u8]>(sink: &mut S, views: &Views<'a, D>) {
    match views.compaction() {
        None => {
            sink.bytes(views.views.as_flattened());
            for buffer in 0..views.buffers {
                sink.bytes((views.data)(buffer));
            }
            sink.variadic(views.buffers);
        }
        Some(referenced) => {
            sink.fill(size_of_val(views.views), |place| views.compact_views(place));
            // No buffer rather than an empty one: some readers stumble over it in a compressed frame.
            if referenced > 0 {
                sink.fill(referenced, |place| views.compact_data(place));
            }
            sink.variadic(usize::from(referenced > 0));
        }
    }
}

/// Offsets and sizes of list views over `values` values; returns which of the values are to be told.
pub(super) fn list_views<S: Sink, T: Position>(
    sink: &mut S,
    offsets: &[T],
    sizes: &[T],
    values: usize,
) -> Option<(usize, usize)> {
    let (from, to) = scan::referenced(offsets, sizes)?;
    if from == 0 && to == values {
        sink.bytes(bytemuck::cast_slice(offsets));
    } else {
        // `from` came out of an offset.
        let base = T::of(from).unwrap_or_default();
        sink.fill(size_of_val(offsets), |place| scan::rebase_views(place, offsets, sizes, base));
    }
    sink.bytes(bytemuck::cast_slice(sizes));
    Some((from, to))
}

/// Offsets of a dense union; returns which part of each child is to be told.
pub(super) fn dense_offsets<S: Sink>(
    sink: &mut S,
    children: impl Iterator<Item = i8>,
    ids: &[i8],
    offsets: &[i32],
) -> Option<DenseRanges> {
    let ranges = scan::dense_ranges(children, ids, offsets)?;
    if ranges.from.iter().all(|from| *from == 0) {
        sink.bytes(bytemuck::cast_slice(offsets));
    } else {
        sink.fill(size_of_val::<[i32]>(offsets), |place| scan::rebase_dense(place, ids, offsets, &ranges));
    }
    Some(ranges)
}

/// The run ends that cover `len` rows from row `offset`, as an array of their own; returns which runs they are.
pub(super) fn run_ends<S: Sink, T: Position>(
    sink: &mut S,
    ends: &[T],
    offset: usize,
    len: usize,
) -> Option<(usize, usize)> {
    let (from, to) = scan::runs(ends, offset, len)?;
    node(sink, to - from, None);
    let told = &ends[from..to];
    if offset == 0 && told.last().is_none_or(|last| last.length() == Some(len)) {
        sink.bytes(bytemuck::cast_slice(told));
    } else {
        sink.fill(size_of_val(told), |place| scan::rebase_runs(place, told, offset, len));
    }
    Some((from, to))
}
