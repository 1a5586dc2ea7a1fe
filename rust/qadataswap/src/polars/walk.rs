//! The walk over a batch's arrays; as the walk over arrow-rs's, over those of Polars.
//!
//! Columns come in the form in which Polars computes with them: times are numbers, categories are keys. The law: only
//! what a part shows is told, and a part of a part is two numbers.

use super::table::Part;
use crate::frame::tell;
use crate::frame::{FrameError, Nulls, Sink, Views};
use polars_arrow::array::{
    BinaryArray, BinaryViewArrayGeneric, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray,
    StructArray, ViewType,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{PhysicalType, PrimitiveType};
use polars_arrow::types::NativeType;
use polars_core::prelude::{Float16Type, PolarsNumericType};

/// Tells `sink` about rows of an array and all below it.
pub(super) fn array<S: Sink>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    if part.from.checked_add(part.rows).is_none_or(|end| end > part.array.len()) {
        return Err(outside(part));
    }
    match part.array.dtype().to_physical_type() {
        PhysicalType::Primitive(primitive) => numbers(sink, primitive, part),
        PhysicalType::Utf8View => views::<S, str>(sink, part),
        PhysicalType::BinaryView => views::<S, [u8]>(sink, part),
        PhysicalType::Boolean => booleans(sink, part),
        PhysicalType::LargeList => list(sink, part),
        PhysicalType::FixedSizeList => fixed_list(sink, part),
        PhysicalType::Struct => structure(sink, part),
        PhysicalType::LargeBinary => bytes(sink, part),
        PhysicalType::Null => {
            sink.node(part.rows, part.rows);
            Ok(())
        }
        _ => Err(impostor(part)),
    }
}

fn concrete<'a, T: 'static>(part: Part<'a>) -> Result<&'a T, FrameError> {
    part.array.as_any().downcast_ref().ok_or_else(|| impostor(part))
}

fn impostor(part: Part<'_>) -> FrameError {
    FrameError::Invalid(format!("array of type {:?} is not of Polars' own arrays", part.array.dtype()))
}

/// An array whose contents reach outside it.
fn outside(part: Part<'_>) -> FrameError {
    FrameError::Invalid(format!("{:?} array refers to values it does not have", part.array.dtype()))
}

/// The nulls of a part, if there are any.
fn nulls<'a>(part: Part<'a>) -> Option<Nulls<'a>> {
    let bitmap: &'a Bitmap = part.array.validity()?;
    let count = match part.rows == bitmap.len() {
        true => bitmap.unset_bits(),
        false => bitmap.null_count_range(part.from, part.rows),
    };
    let (bits, offset, _) = bitmap.as_slice();
    let from = offset + part.from;
    (count > 0).then(|| Nulls { bits: &bits[from / 8..], offset: from % 8, count })
}

fn node<S: Sink>(sink: &mut S, part: Part<'_>) {
    tell::node(sink, part.rows, nulls(part));
}

fn numbers<S: Sink>(sink: &mut S, primitive: PrimitiveType, part: Part<'_>) -> Result<(), FrameError> {
    match primitive {
        PrimitiveType::Int8 => values::<S, i8>(sink, part),
        PrimitiveType::Int16 => values::<S, i16>(sink, part),
        PrimitiveType::Int32 => values::<S, i32>(sink, part),
        PrimitiveType::Int64 => values::<S, i64>(sink, part),
        PrimitiveType::Int128 => values::<S, i128>(sink, part),
        PrimitiveType::UInt8 => values::<S, u8>(sink, part),
        PrimitiveType::UInt16 => values::<S, u16>(sink, part),
        PrimitiveType::UInt32 => values::<S, u32>(sink, part),
        PrimitiveType::UInt64 => values::<S, u64>(sink, part),
        PrimitiveType::Float16 => values::<S, <Float16Type as PolarsNumericType>::Native>(sink, part),
        PrimitiveType::Float32 => values::<S, f32>(sink, part),
        PrimitiveType::Float64 => values::<S, f64>(sink, part),
        _ => Err(impostor(part)),
    }
}

fn values<S: Sink, T: NativeType>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    let array: &PrimitiveArray<T> = concrete(part)?;
    node(sink, part);
    sink.bytes(bytemuck::cast_slice(&array.values().as_slice()[part.from..part.from + part.rows]));
    Ok(())
}

fn booleans<S: Sink>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    let array: &BooleanArray = concrete(part)?;
    node(sink, part);
    let (bits, offset, _) = array.values().as_slice();
    let from = offset + part.from;
    sink.bits(&bits[from / 8..], from % 8, part.rows);
    Ok(())
}

fn views<S: Sink, T: ViewType + ?Sized>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    let array: &BinaryViewArrayGeneric<T> = concrete(part)?;
    let nulls = nulls(part);
    tell::node(sink, part.rows, nulls);
    let data = array.data_buffers().as_slice();
    let views = &array.views().as_slice()[part.from..part.from + part.rows];
    let views = bytemuck::cast_slice(views);
    let data_of = |buffer: usize| data[buffer].as_slice();
    tell::views(sink, &Views { views, nulls, buffers: data.len(), data: data_of });
    Ok(())
}

fn list<S: Sink>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    let array: &ListArray<i64> = concrete(part)?;
    node(sink, part);
    let offsets = &array.offsets().as_slice()[part.from..=part.from + part.rows];
    let (from, to) = tell::range(offsets).ok_or_else(|| outside(part))?;
    tell::offsets(sink, offsets);
    self::array(sink, Part { array: array.values().as_ref(), from, rows: to - from })
}

fn fixed_list<S: Sink>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    let array: &FixedSizeListArray = concrete(part)?;
    node(sink, part);
    let (size, values) = (array.size(), array.values().as_ref());
    self::array(sink, Part { array: values, from: part.from * size, rows: part.rows * size })
}

fn structure<S: Sink>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    let array: &StructArray = concrete(part)?;
    node(sink, part);
    array.values().iter().try_for_each(|child| self::array(sink, Part { array: child.as_ref(), ..part }))
}

fn bytes<S: Sink>(sink: &mut S, part: Part<'_>) -> Result<(), FrameError> {
    let array: &BinaryArray<i64> = concrete(part)?;
    node(sink, part);
    let offsets = &array.offsets().as_slice()[part.from..=part.from + part.rows];
    let (from, to) = tell::range(offsets).ok_or_else(|| outside(part))?;
    tell::offsets(sink, offsets);
    sink.bytes(array.values().get(from..to).ok_or_else(|| outside(part))?);
    Ok(())
}
