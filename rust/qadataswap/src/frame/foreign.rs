//! The walk over a batch that came as C structs; as [`walk`](super::walk), by the plan instead of by the arrays'
//! own types.

use std::fmt::Display;

use super::copy::Position;
use super::plan::{Kind, Plan};
use super::scan::Views;
use super::sink::Sink;
use super::{FrameError, tell};
use crate::ffi::Array;
use arrow_schema::DataType;

/// Tells `sink` about `array` and all below it.
#[inline]
pub(super) fn array<S: Sink>(sink: &mut S, array: Array<'_>) -> Result<(), FrameError> {
    match array.kind() {
        Kind::Fixed { width, .. } | Kind::Dictionary { width, .. } => fixed(sink, array, width),
        _ => other(sink, array),
    }
}

fn other<S: Sink>(sink: &mut S, array: Array<'_>) -> Result<(), FrameError> {
    match array.kind() {
        Kind::Null => {
            sink.node(array.rows(), array.rows());
            Ok(())
        }
        Kind::Bits => {
            node(sink, array)?;
            let (bits, offset) = array.bits()?;
            sink.bits(bits, offset, array.rows());
            Ok(())
        }
        Kind::Fixed { width, .. } | Kind::Dictionary { width, .. } => fixed(sink, array, width),
        Kind::Bytes { width: 4 } => bytes::<S, i32>(sink, array),
        Kind::Bytes { .. } => bytes::<S, i64>(sink, array),
        Kind::Views => views(sink, array),
        Kind::List { width: 4 } => list::<S, i32>(sink, array),
        Kind::List { .. } => list::<S, i64>(sink, array),
        Kind::ListView { width: 4 } => list_view::<S, i32>(sink, array),
        Kind::ListView { .. } => list_view::<S, i64>(sink, array),
        Kind::FixedSizeList { size } => {
            node(sink, array)?;
            match (array.offset().checked_mul(size), array.rows().checked_mul(size)) {
                (Some(from), Some(rows)) => children(sink, array, from, rows),
                _ => Err(outside(array.data_type())),
            }
        }
        Kind::Struct => {
            node(sink, array)?;
            children(sink, array, array.offset(), array.rows())
        }
        Kind::SparseUnion => {
            sink.node(array.rows(), 0);
            sink.bytes(array.values(0, 1)?);
            children(sink, array, array.offset(), array.rows())
        }
        Kind::DenseUnion => dense_union(sink, array),
        Kind::Runs => match array.data_type() {
            DataType::RunEndEncoded(ends, _) if ends.data_type() == &DataType::Int16 => {
                runs::<S, i16>(sink, array)
            }
            DataType::RunEndEncoded(ends, _) if ends.data_type() == &DataType::Int32 => {
                runs::<S, i32>(sink, array)
            }
            _ => runs::<S, i64>(sink, array),
        },
    }
}

#[inline]
fn fixed<S: Sink>(sink: &mut S, array: Array<'_>, width: usize) -> Result<(), FrameError> {
    node(sink, array)?;
    sink.bytes(array.values(1, width)?);
    Ok(())
}

#[inline]
fn node<S: Sink>(sink: &mut S, array: Array<'_>) -> Result<(), FrameError> {
    tell::node(sink, array.rows(), array.nulls()?);
    Ok(())
}

fn children<S: Sink>(sink: &mut S, parent: Array<'_>, from: usize, rows: usize) -> Result<(), FrameError> {
    for child in parent.children(from, rows) {
        array(sink, child?)?;
    }
    Ok(())
}

fn bytes<S: Sink, O: Position>(sink: &mut S, array: Array<'_>) -> Result<(), FrameError> {
    node(sink, array)?;
    let offsets = array.offsets::<O>()?;
    let (from, to) = tell::range(offsets).ok_or_else(|| outside(array.data_type()))?;
    tell::offsets(sink, offsets);
    sink.bytes(array.data(from, to)?);
    Ok(())
}

fn views<S: Sink>(sink: &mut S, array: Array<'_>) -> Result<(), FrameError> {
    let nulls = array.nulls()?;
    tell::node(sink, array.rows(), nulls);
    let buffers = array.data_buffers();
    for buffer in 0..buffers {
        array.data_buffer(buffer)?;
    }
    // Each was just seen to be there.
    let data = |buffer| array.data_buffer(buffer).unwrap_or_default();
    tell::views(sink, &Views { views: array.views()?, nulls, buffers, data });
    Ok(())
}

fn list<S: Sink, O: Position>(sink: &mut S, array: Array<'_>) -> Result<(), FrameError> {
    node(sink, array)?;
    let offsets = array.offsets::<O>()?;
    let (from, to) = tell::range(offsets).ok_or_else(|| outside(array.data_type()))?;
    tell::offsets(sink, offsets);
    children(sink, array, from, to - from)
}

fn list_view<S: Sink, O: Position>(sink: &mut S, array: Array<'_>) -> Result<(), FrameError> {
    node(sink, array)?;
    let (offsets, sizes) = (array.numbers::<O>(1)?, array.numbers::<O>(2)?);
    let values = array.children(0, 0).length()?;
    let (from, to) =
        tell::list_views(sink, offsets, sizes, values).ok_or_else(|| outside(array.data_type()))?;
    children(sink, array, from, to - from)
}

fn dense_union<S: Sink>(sink: &mut S, union: Array<'_>) -> Result<(), FrameError> {
    let DataType::Union(fields, _) = union.data_type() else { return Err(outside(union.data_type())) };
    sink.node(union.rows(), 0);
    let ids: &[i8] = bytemuck::cast_slice(union.values(0, 1)?);
    let offsets = union.numbers::<i32>(1)?;
    sink.bytes(bytemuck::cast_slice(ids));
    let ranges = tell::dense_offsets(sink, fields.iter().map(|(id, _)| id), ids, offsets)
        .ok_or_else(|| outside(union.data_type()))?;
    let mut children = union.children(0, 0);
    for (id, _) in fields.iter() {
        let (from, to) = ranges.of(id);
        array(sink, children.next_window(from, to - from)?)?;
    }
    Ok(())
}

fn runs<S: Sink, R: Position>(sink: &mut S, runs: Array<'_>) -> Result<(), FrameError> {
    sink.node(runs.rows(), 0);
    let ends = runs.whole_first_child()?.numbers::<R>(1)?;
    let (from, to) =
        tell::run_ends(sink, ends, runs.offset(), runs.rows()).ok_or_else(|| outside(runs.data_type()))?;
    let mut children = runs.children(0, 0);
    children.next_window(from, to - from)?;
    array(sink, children.next_window(from, to - from)?)
}

/// Visits the dictionaries in `array`, inner before outer, with the number each has in the plan.
pub(super) fn dictionaries<'a>(
    array: Array<'a>,
    plan: &'a Plan,
    visit: &mut impl FnMut(usize, Array<'a>) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    if let Kind::Dictionary { values: number, .. } = array.kind() {
        let values = array.dictionary(&plan.dictionaries[number].values)?;
        dictionaries(values, plan, visit)?;
        return visit(number, values);
    }
    for child in array.children(0, 0) {
        dictionaries(child?, plan, visit)?;
    }
    Ok(())
}

fn outside(data_type: &impl Display) -> FrameError {
    FrameError::Invalid(format!("{data_type} array refers to values it does not have"))
}
