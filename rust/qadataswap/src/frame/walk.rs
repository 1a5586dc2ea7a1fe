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

use super::copy::Position;
use super::scan::{Nulls, Views};
use super::sink::Sink;
use super::{FrameError, tell};

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
fn outside(array: &dyn Array) -> FrameError {
    FrameError::Invalid(format!("{} array refers to values it does not have", array.data_type()))
}

/// Tells the node and its validity.
#[inline]
fn node<S: Sink>(sink: &mut S, rows: usize, nulls: Option<&NullBuffer>) {
    tell::node(sink, rows, nulls.and_then(told));
}

/// A bitmap as it is told.
fn told(nulls: &NullBuffer) -> Option<Nulls<'_>> {
    let (bits, count) = (nulls.inner(), nulls.null_count());
    (count > 0).then(|| Nulls { bits: bits.values(), offset: bits.offset(), count })
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
    sink.bits(bits.values(), bits.offset(), bits.len());
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
    tell::range(offsets).ok_or_else(|| outside(array))
}

fn bytes<S: Sink, T: ByteArrayType<Offset: Position>>(
    sink: &mut S,
    array: &GenericByteArray<T>,
) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let (from, to) = range(array, array.value_offsets())?;
    tell::offsets(sink, array.value_offsets());
    sink.bytes(array.value_data().get(from..to).ok_or_else(|| outside(array))?);
    Ok(())
}

fn views<S: Sink, T: ByteViewType + ?Sized>(
    sink: &mut S,
    array: &GenericByteViewArray<T>,
) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let data = array.data_buffers();
    tell::views(
        sink,
        &Views {
            views: bytemuck::cast_slice::<u128, _>(array.views()),
            nulls: array.nulls().and_then(told),
            buffers: data.len(),
            data: |buffer: usize| data[buffer].as_slice(),
        },
    );
    Ok(())
}

fn list<S: Sink, O: OffsetSizeTrait + Position>(
    sink: &mut S,
    array: &GenericListArray<O>,
) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let (from, to) = range(array, array.value_offsets())?;
    tell::offsets(sink, array.value_offsets());
    part(sink, array, array.values(), from, to)
}

fn map<S: Sink>(sink: &mut S, array: &MapArray) -> Result<(), FrameError> {
    node(sink, array.len(), array.nulls());
    let (from, to) = range(array, array.value_offsets())?;
    tell::offsets(sink, array.value_offsets());
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
    let (offsets, sizes, values) = (array.value_offsets(), array.value_sizes(), array.values());
    let (from, to) = tell::list_views(sink, offsets, sizes, values.len()).ok_or_else(|| outside(array))?;
    part(sink, array, values, from, to)
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
            let children = fields.iter().map(|(id, _)| id);
            let ranges = tell::dense_offsets(sink, children, ids, offsets).ok_or_else(|| outside(array))?;
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
    let (from, to) = tell::run_ends(sink, ends, array.offset(), array.len()).ok_or_else(|| outside(array))?;
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
