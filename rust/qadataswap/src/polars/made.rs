//! Arrays that Polars has in another form than the frame: numbers rescaled, offsets widened, views made for strings
//! behind offsets.
//!
//! The law: whatever leads somewhere is checked as it is rewritten, and the data that it leads to stays where it is.

use super::arrays::{Source, refused};
use super::plan::Target;
use crate::frame::{FrameError, Node};
use polars_arrow::array::{ArrayRef, BinaryViewArrayGeneric, PrimitiveArray, View, ViewType};
use polars_arrow::datatypes::ArrowDataType;
use polars_arrow::offset::OffsetsBuffer;
use polars_buffer::Buffer;

/// A view leads to places of its data buffer below 4 GiB, so longer data is shown as several, each twice as long as
/// the distance between their starts: any value of up to that length lies in one as a whole.
const WINDOW: usize = 1 << 31;

/// Numbers times `by` as 64-bit ones; what does not fit wraps, as in Polars.
pub(super) fn scaled(
    source: &Source<'_>,
    target: &Target,
    node: Node,
    wide: bool,
    by: i64,
) -> Result<ArrayRef, FrameError> {
    let values: Vec<i64> = match wide {
        true => source.numbers::<i64>(node, 1)?.iter().map(|value| value.wrapping_mul(by)).collect(),
        false => source.numbers::<i32>(node, 1)?.iter().map(|value| i64::from(*value) * by).collect(),
    };
    numbers(source, target, node, values)
}

/// Numbers as 128-bit ones.
pub(super) fn widened(
    source: &Source<'_>,
    target: &Target,
    node: Node,
    wide: bool,
) -> Result<ArrayRef, FrameError> {
    let values: Vec<i128> = match wide {
        true => source.numbers::<i64>(node, 1)?.iter().map(|value| i128::from(*value)).collect(),
        false => source.numbers::<i32>(node, 1)?.iter().map(|value| i128::from(*value)).collect(),
    };
    numbers(source, target, node, values)
}

fn numbers<T: polars_arrow::types::NativeType>(
    source: &Source<'_>,
    target: &Target,
    node: Node,
    values: Vec<T>,
) -> Result<ArrayRef, FrameError> {
    source.copied(size_of_val(&values[..]));
    let array = PrimitiveArray::try_new(target.physical.clone(), values.into(), source.validity(node));
    Ok(array.map_err(refused)?.boxed())
}

/// 32-bit offsets as 64-bit ones, which ascend and stay within `values`.
pub(super) fn offsets(
    source: &Source<'_>,
    node: Node,
    values: usize,
) -> Result<OffsetsBuffer<i64>, FrameError> {
    let narrow = source.numbers::<i32>(node, 1)?;
    if narrow.is_empty() {
        return Ok(OffsetsBuffer::new());
    }
    let offsets: Vec<i64> = narrow.iter().map(|offset| i64::from(*offset)).collect();
    let last = offsets.last().copied().and_then(|last| usize::try_from(last).ok());
    if offsets[0] < 0 || !offsets.is_sorted() || last.is_none_or(|last| last > values) {
        return Err(outside("list"));
    }
    source.copied(size_of_val(&offsets[..]));
    // SAFETY: just seen to begin at or above zero and to ascend.
    Ok(unsafe { OffsetsBuffer::new_unchecked(offsets.into()) })
}

/// Strings or binaries behind offsets of 32 or 64 bits (`wide`) as views of them.
pub(super) fn views<T: ViewType + ?Sized>(
    source: &Source<'_>,
    dtype: ArrowDataType,
    node: Node,
    wide: bool,
) -> Result<BinaryViewArrayGeneric<T>, FrameError> {
    let end = |offset: i64| usize::try_from(offset).map_err(|_| outside("string or binary"));
    match wide {
        true => {
            let offsets = source.numbers::<i64>(node, 1)?;
            made(source, dtype, node, 2, |row| Ok((end(offsets[row])?, end(offsets[row + 1])?)))
        }
        false => {
            let offsets = source.numbers::<i32>(node, 1)?;
            let at = |row: usize| end(i64::from(offsets[row]));
            made(source, dtype, node, 2, |row| Ok((at(row)?, at(row + 1)?)))
        }
    }
}

/// Binaries of one width as views of them.
pub(super) fn fixed(
    source: &Source<'_>,
    dtype: ArrowDataType,
    node: Node,
    width: usize,
) -> Result<ArrayRef, FrameError> {
    Ok(made::<[u8]>(source, dtype, node, 1, |row| Ok((row * width, (row + 1) * width)))?.boxed())
}

/// Views of the data in buffer `which`, each row's where `range` says.
fn made<T: ViewType + ?Sized>(
    source: &Source<'_>,
    dtype: ArrowDataType,
    node: Node,
    which: usize,
    range: impl Fn(usize) -> Result<(usize, usize), FrameError>,
) -> Result<BinaryViewArrayGeneric<T>, FrameError> {
    let data = source.raw(node, which);
    let mut views = Vec::with_capacity(node.rows);
    for row in 0..node.rows {
        let (from, to) = range(row)?;
        let bytes = data.as_slice().get(from..to).ok_or_else(|| outside("string or binary"))?;
        if bytes.len() > WINDOW {
            return Err(FrameError::Unsupported("a value of more than 2 GiB, which no view can show".into()));
        }
        // Both fit: data is shorter than 2^63 bytes and frames are far shorter.
        views.push(View::new_from_bytes(bytes, (from / WINDOW) as u32, (from % WINDOW) as u32));
    }
    source.copied(size_of_val(&views[..]));
    let total = data.len();
    let windows: Buffer<Buffer<u8>> = (0..total.div_ceil(WINDOW))
        .map(|window| {
            let from = window * WINDOW;
            data.clone().sliced(from..total.min(from + 2 * WINDOW))
        })
        .collect();
    let total = windows.iter().map(Buffer::len).sum();
    // SAFETY: each view was made of bytes that lie in its window where it says. That they are UTF-8 is the writer's
    // word, as contents are.
    Ok(unsafe {
        BinaryViewArrayGeneric::new_unchecked(
            dtype,
            views.into(),
            windows,
            source.validity(node),
            None,
            total,
        )
    })
}

/// An array whose offsets lead outside its values.
pub(super) fn outside(what: &str) -> FrameError {
    FrameError::Corrupt(format!("offsets of a {what} column do not ascend or lead outside its values"))
}
