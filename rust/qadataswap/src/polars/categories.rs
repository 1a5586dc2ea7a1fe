//! Dictionaries: as categories if their values are texts, else written out.
//!
//! Categories have numbers of their own in each process, so keys are renumbered, unless the frame's dictionary is
//! numbered alike: then they stay where they lie. The law: Polars looks a category up by its number unchecked, so no
//! number is handed over that was not compared with the count of them, and no text that was not seen to be UTF-8.

use super::arrays::{Source, refused, series};
use super::made;
use super::plan::{How, Native, Target};
use crate::frame::{FrameError, Kind, Node};
use polars_arrow::array::{ArrayRef, BinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::ArrowDataType;
use polars_arrow::types::NativeType;
use polars_buffer::Buffer;
use polars_core::prelude::{
    CategoricalMapping, CategoricalPhysical, DataType as PlType, IdxCa, IdxSize, PlSmallStr,
};

/// The keys of categories.
pub(super) fn keys(
    source: &Source<'_>,
    target: &Target,
    at: usize,
    keys: Native,
    values: &Target,
) -> Result<ArrayRef, FrameError> {
    let node = source.node(at);
    let (PlType::Categorical(_, mapping) | PlType::Enum(_, mapping)) = &target.dtype else {
        return Err(FrameError::Invalid("categories of a type that has none".into()));
    };
    let fixed = matches!(target.dtype, PlType::Enum(..));
    let numbers = numbers(source, at, values, mapping, fixed)?;
    let physical = target.dtype.cat_physical().map_err(refused)?;
    let dtype = target.physical.clone();
    let alike = numbers.iter().enumerate().all(|(at, number)| *number == Some(at as u32));
    let lie = match (physical, keys) {
        (CategoricalPhysical::U8, Native::U8) => as_they_lie::<u8>(source, &dtype, node, numbers.len())?,
        (CategoricalPhysical::U16, Native::U16) => as_they_lie::<u16>(source, &dtype, node, numbers.len())?,
        (CategoricalPhysical::U32, Native::U32) => as_they_lie::<u32>(source, &dtype, node, numbers.len())?,
        _ => None,
    };
    if let (true, Some(keys)) = (alike, lie) {
        return Ok(keys);
    }
    let keys = positions(source, node, keys)?;
    match physical {
        CategoricalPhysical::U8 => renumbered::<u8>(source, dtype, node, &keys, &numbers),
        CategoricalPhysical::U16 => renumbered::<u16>(source, dtype, node, &keys, &numbers),
        CategoricalPhysical::U32 => renumbered::<u32>(source, dtype, node, &keys, &numbers),
    }
}

/// The number that each value of the dictionary has as a category; none for a null. One that is not among categories
/// that are `fixed` is an error.
fn numbers(
    source: &Source<'_>,
    at: usize,
    values: &Target,
    mapping: &CategoricalMapping,
    fixed: bool,
) -> Result<Vec<Option<u32>>, FrameError> {
    let Some(source) = dictionary(source, at) else { return Ok(Vec::new()) };
    let texts = texts(&source, values)?;
    let number = |text: Option<&str>| match text {
        None => Ok(None),
        Some(text) if fixed => match mapping.get_cat(text) {
            None => Err(FrameError::Corrupt(format!("'{text}' is none of its enum's categories"))),
            number => Ok(number),
        },
        Some(text) => mapping
            .insert_cat(text)
            .map(Some)
            .map_err(|error| FrameError::Unsupported(format!("categories: {error}"))),
    };
    texts.iter().map(number).collect()
}

/// The values of the dictionary at step `at`.
fn dictionary<'a>(source: &Source<'a>, at: usize) -> Option<Source<'a>> {
    match source.step(at).kind {
        Kind::Dictionary { values, .. } => source.dictionary(values),
        _ => None,
    }
}

/// Texts that are seen to be UTF-8.
fn texts(source: &Source<'_>, values: &Target) -> Result<Utf8ViewArray, FrameError> {
    let node = source.node(0);
    let invalid = |error| FrameError::Corrupt(format!("the texts of a dictionary: {error}"));
    if let How::Bytes { wide, .. } = values.how {
        let bytes = made::views::<[u8]>(source, ArrowDataType::BinaryView, node, wide)?;
        return bytes.to_utf8view().map_err(invalid);
    }
    let (views, data) = source.view_parts(node)?;
    let bytes = BinaryViewArray::try_new(ArrowDataType::BinaryView, views, data, source.validity(node));
    bytes.and_then(|bytes| bytes.to_utf8view()).map_err(invalid)
}

/// The keys where they lie, if each, also of null rows, is below `count`.
fn as_they_lie<T: NativeType + Into<u32>>(
    source: &Source<'_>,
    dtype: &ArrowDataType,
    node: Node,
    count: usize,
) -> Result<Option<ArrayRef>, FrameError> {
    let keys = source.primitive::<T>(dtype.clone(), node)?;
    let below = keys.values().iter().all(|key| ((*key).into() as usize) < count);
    Ok(below.then(|| keys.boxed()))
}

/// Keys of whatever width as positions in the dictionary; `usize::MAX` for one that is none.
fn positions(source: &Source<'_>, node: Node, keys: Native) -> Result<Vec<usize>, FrameError> {
    fn of<T: bytemuck::Pod + TryInto<usize>>(keys: &Buffer<T>) -> Vec<usize> {
        keys.iter().map(|key| (*key).try_into().unwrap_or(usize::MAX)).collect()
    }
    Ok(match keys {
        Native::I8 => of(&source.numbers::<i8>(node, 1)?),
        Native::I16 => of(&source.numbers::<i16>(node, 1)?),
        Native::I32 => of(&source.numbers::<i32>(node, 1)?),
        Native::I64 => of(&source.numbers::<i64>(node, 1)?),
        Native::U8 => of(&source.numbers::<u8>(node, 1)?),
        Native::U16 => of(&source.numbers::<u16>(node, 1)?),
        Native::U32 => of(&source.numbers::<u32>(node, 1)?),
        Native::U64 => of(&source.numbers::<u64>(node, 1)?),
        other => return Err(FrameError::Invalid(format!("keys of type {other:?}"))),
    })
}

fn renumbered<T: NativeType + TryFrom<u32>>(
    source: &Source<'_>,
    dtype: ArrowDataType,
    node: Node,
    keys: &[usize],
    numbers: &[Option<u32>],
) -> Result<ArrayRef, FrameError> {
    let validity = source.validity(node);
    let row = |(row, key): (usize, &usize)| -> Result<Option<T>, FrameError> {
        if validity.as_ref().is_some_and(|bits| !bits.get_bit(row)) {
            return Ok(None);
        }
        let number = numbers.get(*key).ok_or_else(|| no_such_value(numbers.len()))?;
        // A category is below the count that its width admits.
        Ok(number.and_then(|number| T::try_from(number).ok()))
    };
    let values: Vec<Option<T>> = keys.iter().enumerate().map(row).collect::<Result<_, _>>()?;
    source.copied(keys.len() * size_of::<T>());
    if numbers.contains(&None) {
        // A null among the dictionary's values is one more reason for a null row.
        return Ok(PrimitiveArray::from(values).to(dtype).boxed());
    }
    let values: Vec<T> = values.into_iter().map(Option::unwrap_or_default).collect();
    Ok(PrimitiveArray::try_new(dtype, values.into(), validity).map_err(refused)?.boxed())
}

/// The values that keys stand for, written out.
pub(super) fn gather(
    source: &Source<'_>,
    at: usize,
    keys: Native,
    values: &Target,
) -> Result<ArrayRef, FrameError> {
    let node = source.node(at);
    let array = match dictionary(source, at) {
        Some(values_of) => values_of.checked().array(values, 0)?,
        None => polars_arrow::array::new_empty_array(values.physical.clone()),
    };
    let (validity, count) = (source.validity(node), array.len());
    let position = |(row, key): (usize, usize)| -> Result<Option<IdxSize>, FrameError> {
        if validity.as_ref().is_some_and(|bits| !bits.get_bit(row)) {
            return Ok(None);
        }
        match IdxSize::try_from(key) {
            Ok(position) if key < count => Ok(Some(position)),
            _ => Err(no_such_value(count)),
        }
    };
    let positions = positions(source, node, keys)?.into_iter().enumerate().map(position);
    let positions: IdxCa = positions.collect::<Result<Vec<_>, _>>()?.into_iter().collect();
    let values = series(PlSmallStr::EMPTY, vec![array], &values.dtype);
    let gathered = values.take(&positions).map_err(refused)?.rechunk();
    let chunk = gathered.chunks()[0].clone();
    source.copied(polars_arrow::compute::aggregate::estimated_bytes_size(chunk.as_ref()));
    Ok(chunk)
}

fn no_such_value(count: usize) -> FrameError {
    FrameError::Corrupt(format!("a key that is none of a dictionary's {count} values"))
}
