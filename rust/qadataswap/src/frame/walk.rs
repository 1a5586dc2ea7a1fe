//! The walk over a batch's arrays: which nodes and which buffers, in IPC's order, whatever the sink does
//! with them.
//!
//! Arrays are met by their concrete types, never through `ArrayData`, whose making allocates. The law: only
//! what a slice shows is told (bits from their offset, offsets from zero, children by the range referenced),
//! and an array that is not what its type promises is an error, not a panic: arrays may come from a frame
//! whose contents nobody has checked.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    BinaryViewType, ByteArrayType, ByteViewType, GenericBinaryType, GenericStringType, Int16Type, Int32Type,
    Int64Type, RunEndIndexType, StringViewType,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray,
    GenericByteArray, GenericByteViewArray, GenericListArray, GenericListViewArray, MapArray,
    OffsetSizeTrait, PrimitiveArray, RunArray, StructArray, UnionArray, downcast_primitive,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, UnionMode};

use super::copy::{self, Position};
use super::sink::Sink;
use super::{FrameError, scan};

/// Tells `sink` about `array` and all below it.
pub(super) fn array<S: Sink>(sink: &mut S, array: &dyn Array) -> Result<(), FrameError> {
    macro_rules! primitive {
        ($type:ty) => {
            values::<S, $type>(sink, concrete(array)?)
        };
    }
    downcast_primitive! {
        array.data_type() => (primitive),
        DataType::Null => {
            sink.node(array.len(), array.len());
            Ok(())
        }
        DataType::Boolean => booleans(sink, concrete(array)?),
        DataType::FixedSizeBinary(_) => fixed_binary(sink, concrete(array)?),
        DataType::Utf8 => bytes::<S, GenericStringType<i32>>(sink, concrete(array)?),
        DataType::LargeUtf8 => bytes::<S, GenericStringType<i64>>(sink, concrete(array)?),
        DataType::Binary => bytes::<S, GenericBinaryType<i32>>(sink, concrete(array)?),
        DataType::LargeBinary => bytes::<S, GenericBinaryType<i64>>(sink, concrete(array)?),
        DataType::Utf8View => views::<S, StringViewType>(sink, concrete(array)?),
        DataType::BinaryView => views::<S, BinaryViewType>(sink, concrete(array)?),
        DataType::List(_) => list::<S, i32>(sink, concrete(array)?),
        DataType::LargeList(_) => list::<S, i64>(sink, concrete(array)?),
        DataType::ListView(_) => list_view::<S, i32>(sink, concrete(array)?),
        DataType::LargeListView(_) => list_view::<S, i64>(sink, concrete(array)?),
        DataType::FixedSizeList(_, _) => fixed_list(sink, concrete(array)?),
        DataType::Struct(_) => structure(sink, concrete(array)?),
        DataType::Map(_, _) => map(sink, concrete(array)?),
        DataType::Union(_, _) => union(sink, concrete(array)?),
        DataType::Dictionary(_, _) => {
            let Some(dictionary) = array.as_any_dictionary_opt() else { return Err(impostor(array)) };
            self::array(sink, dictionary.keys())
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<S, Int16Type>(sink, concrete(array)?),
            DataType::Int32 => runs::<S, Int32Type>(sink, concrete(array)?),
            DataType::Int64 => runs::<S, Int64Type>(sink, concrete(array)?),
            _ => Err(impostor(array)),
        },
        other => Err(FrameError::Unsupported(format!("type {other} has no place in a frame"))),
    }
}

fn concrete<T: 'static>(array: &dyn Array) -> Result<&T, FrameError> {
    array.as_any().downcast_ref().ok_or_else(|| impostor(array))
}

fn impostor(array: &dyn Array) -> FrameError {
    FrameError::Invalid(format!("array of type {} is not Arrow's own array of that type", array.data_type()))
}

/// An array whose contents reach outside it.
pub(super) fn outside(array: &dyn Array) -> FrameError {
    FrameError::Invalid(format!("{} array refers to values it does not have", array.data_type()))
}

/// Tells the node and its validity; a bitmap without nulls is not written.
#[inline]
fn node<S: Sink>(sink: &mut S, rows: usize, nulls: Option<&NullBuffer>) {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => {
            sink.node(rows, 0);
            sink.bytes(&[]);
        }
        Some(nulls) => {
            sink.node(rows, nulls.null_count());
            let bits = nulls.inner();
            sink.fill(copy::bytes_of_bits(rows), |place| {
                copy::bits(place, bits.values(), bits.offset(), bits.len());
            });
        }
    }
}

/// The part `[from, to)` of a child, without a new array if it is the whole.
fn part<S: Sink>(
    sink: &mut S,
    parent: &dyn Array,
    child: &ArrayRef,
    from: usize,
    to: usize,
) -> Result<(), FrameError> {
    if from > to || to > child.len() {
        return Err(outside(parent));
    }
    if from == 0 && to == child.len() {
        return array(sink, child.as_ref());
    }
    array(sink, child.slice(from, to - from).as_ref())
}

fn values<S: Sink, T: ArrowPrimitiveType>(sink: &mut S, array: &PrimitiveArray<T>) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    sink.bytes(array.values().inner().as_slice());
    Ok(())
}

fn booleans<S: Sink>(sink: &mut S, array: &BooleanArray) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let bits = array.values();
    sink.fill(copy::bytes_of_bits(bits.len()), |place| {
        copy::bits(place, bits.values(), bits.offset(), bits.len());
    });
    Ok(())
}

fn fixed_binary<S: Sink>(sink: &mut S, array: &FixedSizeBinaryArray) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let length = array.len() * array.value_size();
    sink.bytes(array.value_data().get(..length).ok_or_else(|| outside(array))?);
    Ok(())
}

/// First and last of `offsets` as a range.
fn range<T: Position>(array: &dyn Array, offsets: &[T]) -> Result<(usize, usize), FrameError> {
    let from = offsets.first().map_or(Some(0), |offset| offset.length());
    let to = offsets.last().map_or(Some(0), |offset| offset.length());
    match (from, to) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => Err(outside(array)),
    }
}

fn offsets<S: Sink, T: Position>(sink: &mut S, offsets: &[T]) {
    sink.fill(size_of_val(offsets).max(size_of::<T>()), |place| copy::rebased(place, offsets));
}

fn bytes<S: Sink, T: ByteArrayType<Offset: Position>>(
    sink: &mut S,
    array: &GenericByteArray<T>,
) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let (from, to) = range(array, array.value_offsets())?;
    offsets(sink, array.value_offsets());
    sink.bytes(array.value_data().get(from..to).ok_or_else(|| outside(array))?);
    Ok(())
}

fn views<S: Sink, T: ByteViewType + ?Sized>(
    sink: &mut S,
    array: &GenericByteViewArray<T>,
) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    match scan::compaction(array) {
        None => {
            sink.bytes(array.views().inner().as_slice());
            for data in array.data_buffers() {
                sink.bytes(data.as_slice());
            }
            sink.variadic(array.data_buffers().len());
        }
        Some(referenced) => {
            sink.fill(size_of_val::<[u128]>(array.views()), |place| scan::compact_views(place, array));
            // No buffer rather than an empty one: some readers stumble over it in a compressed frame.
            if referenced > 0 {
                sink.fill(referenced, |place| scan::compact_data(place, array));
            }
            sink.variadic(usize::from(referenced > 0));
        }
    }
    Ok(())
}

fn list<S: Sink, O: OffsetSizeTrait + Position>(
    sink: &mut S,
    array: &GenericListArray<O>,
) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let (from, to) = range(array, array.value_offsets())?;
    offsets(sink, array.value_offsets());
    part(sink, array, array.values(), from, to)
}

fn map<S: Sink>(sink: &mut S, array: &MapArray) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let (from, to) = range(array, array.value_offsets())?;
    offsets(sink, array.value_offsets());
    let entries = array.entries();
    if to > entries.len() {
        return Err(outside(array));
    }
    if from == 0 && to == entries.len() {
        return structure(sink, entries);
    }
    structure(sink, &entries.slice(from, to - from))
}

fn list_view<S: Sink, O: OffsetSizeTrait + Position>(
    sink: &mut S,
    array: &GenericListViewArray<O>,
) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let (offsets, sizes) = (array.value_offsets(), array.value_sizes());
    let (from, to) = scan::referenced(offsets, sizes).ok_or_else(|| outside(array))?;
    if from == 0 && to == array.values().len() {
        sink.bytes(bytemuck::cast_slice(offsets));
    } else {
        // `from` came out of an offset.
        let base = O::of(from).unwrap_or_default();
        sink.fill(size_of_val(offsets), |place| scan::rebase_views(place, offsets, sizes, base));
    }
    sink.bytes(bytemuck::cast_slice(sizes));
    part(sink, array, array.values(), from, to)
}

fn fixed_list<S: Sink>(sink: &mut S, array: &FixedSizeListArray) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let size = usize::try_from(array.value_length()).map_err(|_| outside(array))?;
    let to = array.len().checked_mul(size).ok_or_else(|| outside(array))?;
    part(sink, array, array.values(), 0, to)
}

fn structure<S: Sink>(sink: &mut S, array: &StructArray) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    for column in array.columns() {
        part(sink, array, column, 0, array.len())?;
    }
    Ok(())
}

fn union<S: Sink>(sink: &mut S, array: &UnionArray) -> Result<(), FrameError> {
    let DataType::Union(fields, mode) = array.data_type() else { return Err(impostor(array)) };
    sink.node(array.len(), 0);
    let ids = array.type_ids();
    sink.bytes(bytemuck::cast_slice(ids));
    match (mode, array.offsets()) {
        (UnionMode::Dense, Some(offsets)) => {
            let ranges = scan::dense_ranges(array, fields, ids, offsets)?;
            if ranges.from.iter().all(|from| *from == 0) {
                sink.bytes(bytemuck::cast_slice(offsets));
            } else {
                sink.fill(size_of_val::<[i32]>(offsets), |place| {
                    scan::rebase_dense(place, ids, offsets, &ranges);
                });
            }
            for (id, _) in fields.iter() {
                let (from, to) = ranges.of(id);
                part(sink, array, array.child(id), from, to)?;
            }
        }
        (UnionMode::Sparse, None) => {
            for (id, _) in fields.iter() {
                part(sink, array, array.child(id), 0, array.len())?;
            }
        }
        _ => return Err(impostor(array)),
    }
    Ok(())
}

fn runs<S: Sink, R: RunEndIndexType<Native: Position>>(
    sink: &mut S,
    array: &RunArray<R>,
) -> Result<(), FrameError> {
    sink.node(array.len(), 0);
    let ends = array.run_ends().values();
    let (from, to) = scan::runs(ends, array.offset(), array.len()).ok_or_else(|| outside(array))?;
    // The run ends are an array of their own, without nulls.
    node(sink, to - from, None);
    let told = &ends[from..to];
    if array.offset() == 0 && told.last().is_none_or(|last| last.length() == Some(array.len())) {
        sink.bytes(bytemuck::cast_slice(told));
    } else {
        sink.fill(size_of_val(told), |place| scan::rebase_runs(place, told, array.offset(), array.len()));
    }
    part(sink, array, array.values(), from, to)
}

/// Visits the dictionaries in `array`, inner before outer, with the number each has in the plan.
pub(super) fn dictionaries<'a>(
    array: &'a dyn Array,
    next: &mut usize,
    visit: &mut impl FnMut(usize, &'a ArrayRef) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let Some(dictionary) = array.as_any_dictionary_opt() else { return Err(impostor(array)) };
            dictionaries(dictionary.values().as_ref(), next, visit)?;
            let number = *next;
            *next += 1;
            visit(number, dictionary.values())
        }
        DataType::List(_) => dictionaries(concrete::<GenericListArray<i32>>(array)?.values(), next, visit),
        DataType::LargeList(_) => {
            dictionaries(concrete::<GenericListArray<i64>>(array)?.values(), next, visit)
        }
        DataType::ListView(_) => {
            dictionaries(concrete::<GenericListViewArray<i32>>(array)?.values(), next, visit)
        }
        DataType::LargeListView(_) => {
            dictionaries(concrete::<GenericListViewArray<i64>>(array)?.values(), next, visit)
        }
        DataType::FixedSizeList(_, _) => {
            dictionaries(concrete::<FixedSizeListArray>(array)?.values(), next, visit)
        }
        DataType::Struct(_) => concrete::<StructArray>(array)?
            .columns()
            .iter()
            .try_for_each(|child| dictionaries(child, next, visit)),
        DataType::Map(_, _) => concrete::<MapArray>(array)?
            .entries()
            .columns()
            .iter()
            .try_for_each(|child| dictionaries(child, next, visit)),
        DataType::Union(fields, _) => {
            let union = concrete::<UnionArray>(array)?;
            fields.iter().try_for_each(|(id, _)| dictionaries(union.child(id), next, visit))
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => dictionaries(concrete::<RunArray<Int16Type>>(array)?.values(), next, visit),
            DataType::Int32 => dictionaries(concrete::<RunArray<Int32Type>>(array)?.values(), next, visit),
            DataType::Int64 => dictionaries(concrete::<RunArray<Int64Type>>(array)?.values(), next, visit),
            _ => Err(impostor(array)),
        },
        _ => Ok(()),
    }
}
