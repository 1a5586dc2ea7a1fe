//! Every type of Arrow through a ring and into Polars; every type of Polars through a ring and back; and what of it
//! lies in the slot, by address. The tables of `docs/zero-copy.md` are what is found here.

#![allow(unsafe_code)]

use crate::polars_types::every_polars_type;
use crate::ring;
use arrow_array::{Array as _, ArrayRef, cast::AsArray as _, types::Decimal64Type};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;
use polars::prelude::{DataFrame, PolarsResult, Series};
use polars_arrow::array::{
    Array, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray, StructArray,
    Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{PhysicalType, PrimitiveType};
use polars_arrow::types::NativeType;
use qadataswap::ErrorKind;
use qadataswap_tables::{batch_of, every_type};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// A buffer of an array: what it holds, and where it lies.
struct Found {
    holds: &'static str,
    at: Range<usize>,
    bytes: Vec<u8>,
}

fn found(holds: &'static str, bytes: &[u8]) -> Found {
    let at = bytes.as_ptr_range();
    Found { holds, at: at.start as usize..at.end as usize, bytes: bytes.to_vec() }
}

/// What of `buffers` lies in `frame`.
fn placed(frame: &[u8], buffers: &[Found]) -> String {
    let slot = found("", frame).at;
    let inside = |buffer: &&Found| slot.start <= buffer.at.start && buffer.at.end <= slot.end;
    let buffers: Vec<_> = buffers.iter().filter(|buffer| !buffer.at.is_empty()).collect();
    let (lie, made): (Vec<&Found>, Vec<&Found>) = buffers.iter().copied().partition(inside);
    let named = |buffers: &[&Found]| {
        let mut names: Vec<_> = buffers.iter().map(|buffer| buffer.holds).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    match (lie.is_empty(), made.is_empty()) {
        (true, true) => "no buffers".to_owned(),
        (_, true) => "in place".to_owned(),
        (true, false) => format!("copied: {}", named(&made)),
        (false, false) => format!("copied: {}; in place: {}", named(&made), named(&lie)),
    }
}

fn arrow_buffers(data: &ArrayData, into: &mut Vec<Buffer>) {
    into.extend(data.nulls().map(|nulls| nulls.buffer().clone()));
    into.extend_from_slice(data.buffers());
    data.child_data().iter().for_each(|child| arrow_buffers(child, into));
}

fn bitmap(holds: &'static str, bitmap: &Bitmap, into: &mut Vec<Found>) {
    into.push(found(holds, bitmap.as_slice().0));
}

fn numbers<T: NativeType>(array: &dyn Array, into: &mut Vec<Found>) {
    let array: &PrimitiveArray<T> = array.as_any().downcast_ref().expect("an array of its own type");
    into.push(found("values", bytemuck::cast_slice(array.values().as_slice())));
}

/// The buffers of an array of Polars.
fn polars_buffers(array: &dyn Array, into: &mut Vec<Found>) {
    let any = array.as_any();
    let physical = array.dtype().to_physical_type();
    // An array of nulls makes its bitmap up.
    if let (true, Some(validity)) = (physical != PhysicalType::Null, array.validity()) {
        bitmap("bitmaps", validity, into);
    }
    match physical {
        PhysicalType::Null => {}
        PhysicalType::Boolean => {
            bitmap("values", any.downcast_ref::<BooleanArray>().expect("booleans").values(), into);
        }
        PhysicalType::Primitive(primitive) => match primitive {
            PrimitiveType::Int8 => numbers::<i8>(array, into),
            PrimitiveType::Int16 => numbers::<i16>(array, into),
            PrimitiveType::Int32 => numbers::<i32>(array, into),
            PrimitiveType::Int64 => numbers::<i64>(array, into),
            PrimitiveType::Int128 => numbers::<i128>(array, into),
            PrimitiveType::UInt8 => numbers::<u8>(array, into),
            PrimitiveType::UInt16 => numbers::<u16>(array, into),
            PrimitiveType::UInt32 => numbers::<u32>(array, into),
            PrimitiveType::UInt64 => numbers::<u64>(array, into),
            PrimitiveType::Float32 => numbers::<f32>(array, into),
            PrimitiveType::Float64 => numbers::<f64>(array, into),
            PrimitiveType::Float16 => {
                type Half = <polars::prelude::Float16Type as polars::prelude::PolarsNumericType>::Native;
                numbers::<Half>(array, into);
            }
            other => panic!("{other:?} is no column's"),
        },
        PhysicalType::Utf8View => {
            let array: &Utf8ViewArray = any.downcast_ref().expect("texts");
            into.push(found("views", bytemuck::cast_slice(array.views().as_slice())));
            into.extend(array.data_buffers().iter().map(|data| found("data", data)));
        }
        PhysicalType::BinaryView => {
            let array: &BinaryViewArray = any.downcast_ref().expect("binaries");
            into.push(found("views", bytemuck::cast_slice(array.views().as_slice())));
            into.extend(array.data_buffers().iter().map(|data| found("data", data)));
        }
        PhysicalType::LargeList => {
            let array: &ListArray<i64> = any.downcast_ref().expect("lists");
            into.push(found("offsets", bytemuck::cast_slice(array.offsets().as_slice())));
            polars_buffers(array.values().as_ref(), into);
        }
        PhysicalType::FixedSizeList => {
            let array: &FixedSizeListArray = any.downcast_ref().expect("lists");
            polars_buffers(array.values().as_ref(), into);
        }
        PhysicalType::Struct => {
            let array: &StructArray = any.downcast_ref().expect("structs");
            array.values().iter().for_each(|child| polars_buffers(child.as_ref(), into));
        }
        other => panic!("{other:?} is no column's"),
    }
}

/// What of a frame's columns lies in the slot.
pub(crate) fn placed_in(bytes: &[u8], frame: &DataFrame) -> String {
    let mut buffers = Vec::new();
    for column in frame.columns() {
        for chunk in column.as_materialized_series().chunks() {
            polars_buffers(chunk.as_ref(), &mut buffers);
        }
    }
    placed(bytes, &buffers)
}

/// `array` as Polars itself takes it, by the C data interface.
pub(crate) fn by_polars(name: &str, array: &ArrayRef) -> PolarsResult<Series> {
    let (array, schema) = arrow::ffi::to_ffi(&array.to_data()).expect("an array that can be exported");
    // SAFETY: both are the format's structs, of one size; the originals are moved.
    let (array, schema) = unsafe {
        (
            std::mem::transmute::<arrow::ffi::FFI_ArrowArray, polars_arrow::ffi::ArrowArray>(array),
            std::mem::transmute::<arrow::ffi::FFI_ArrowSchema, polars_arrow::ffi::ArrowSchema>(schema),
        )
    };
    // SAFETY: just exported: valid, and the array is of the schema.
    unsafe {
        let field = polars_arrow::ffi::import_field_from_c(&schema)?;
        let array = polars_arrow::ffi::import_array_from_c(array, field.dtype.clone())?;
        let metadata = field.metadata.as_deref();
        Series::_try_from_arrow_unchecked_with_md(name.into(), vec![array], &field.dtype, metadata)
    }
}

/// The gallery, and what it lacks.
fn arrow_types() -> Vec<(&'static str, ArrayRef)> {
    let mut all = every_type();
    for (name, array) in &mut all {
        if *name == "decimal64" {
            // Of a scale that Polars has too.
            let rescaled = array.as_primitive::<Decimal64Type>().clone();
            *array = Arc::new(rescaled.with_data_type(DataType::Decimal64(12, 2)));
        }
    }
    all
}

/// Why Polars cannot take some of an array as it lies.
fn why(data_type: &DataType, placed: &str) -> &'static str {
    if !placed.starts_with("copied") {
        return "";
    }
    match data_type {
        DataType::Time32(_) | DataType::Time64(_) => "Polars counts times in nanoseconds, 64 bits",
        DataType::Timestamp(..) | DataType::Duration(_) => "Polars has no seconds",
        DataType::Decimal32(..) | DataType::Decimal64(..) => "Polars' decimals have 128 bits",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
            "views of 16 bytes a row are made"
        }
        DataType::FixedSizeBinary(_) => {
            "views of 16 bytes a row are made; values of up to 12 bytes lie in them"
        }
        DataType::List(item) if placed.contains("views") => match item.data_type() {
            DataType::List(_) => "Polars' offsets have 64 bits",
            _ => "Polars' offsets have 64 bits; views are made",
        },
        DataType::List(item) => match item.data_type() {
            DataType::Dictionary(..) => "Polars' offsets have 64 bits; categories are renumbered",
            _ => "Polars' offsets have 64 bits",
        },
        DataType::Map(..) => "Polars' offsets have 64 bits; of texts views are made",
        DataType::Struct(_) if placed.contains("views") => {
            "nulls of a struct move into its fields; views are made"
        }
        DataType::Struct(_) => "nulls of a struct move into its fields",
        DataType::Dictionary(_, values) if values.is_nested() => {
            "written out: Polars has dictionaries of texts only"
        }
        DataType::Dictionary(..) => "categories have numbers of their own in each process",
        other => panic!("nobody has said why {other} is copied: {placed}"),
    }
}

/// What may be part of a ring's name.
fn as_name(words: &str) -> String {
    words.chars().map(|each| if each.is_ascii_alphanumeric() { each } else { '-' }).collect()
}

/// What becomes of an Arrow array.
fn arrow_row(name: &str, array: &ArrayRef) -> String {
    let data_type = array.data_type().clone();
    let batch = batch_of(vec![("column", array.clone())]);
    let (writer, reader) = ring(&format!("arrow-{}", as_name(name)), 1 << 16);
    writer.write_arrow(&batch).expect("every type has a place in a frame");
    writer.write_arrow(&batch).expect("every type has a place in a frame");

    let frame = reader.try_read_frame().expect("whole").expect("just written");
    assert_eq!(frame.batches(), [batch]);
    let read = frame.batches()[0].column(0);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    arrow_buffers(&array.to_data(), &mut before);
    arrow_buffers(&read.to_data(), &mut after);
    let all: Vec<_> = after.iter().map(|buffer| found("buffers", buffer)).collect();
    let to_arrow = placed(frame.bytes(), &all);
    let filled = |buffers: &[Buffer]| -> Vec<Buffer> {
        buffers.iter().filter(|buffer| !buffer.is_empty()).cloned().collect()
    };
    let (before, after) = (filled(&before), filled(&after));
    let as_they_are = before.len() == after.len()
        && before.iter().zip(&after).all(|(before, after)| before.starts_with(after));
    let from_arrow = match (after.is_empty(), as_they_are) {
        (true, _) => "no buffers",
        (_, true) => "one copy",
        (_, false) => "one copy, rewritten",
    };

    let frame = reader.try_read_ffi().expect("whole").expect("just written");
    let (to_polars, dtype) = match frame.to_polars() {
        Ok(read) => {
            let expected = by_polars("column", array).expect("Polars takes what we hand to it");
            let series = read.columns()[0].as_materialized_series();
            assert_eq!(series.dtype(), expected.dtype(), "{name}");
            assert!(series.equals_missing(&expected), "{name}: got {series}, expected {expected}");
            (placed_in(frame.bytes(), &read), format!("`{}`", series.dtype()))
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
            let told = error.to_string();
            assert!(told.contains("'column'") && told.contains(&data_type.to_string()), "{told}");
            ("`Unsupported`".to_owned(), "none".to_owned())
        }
    };
    let why = why(&data_type, &to_polars);
    format!("| {name} | {from_arrow} | {to_arrow} | {dtype} | {to_polars} | {why} |\n")
}

/// What becomes of a column of Polars.
fn polars_row(name: &str, series: Series) -> String {
    let frame = DataFrame::new_infer_height(vec![series.into()]).expect("one column");
    let (writer, reader) = ring(&format!("own-{}", as_name(name)), 1 << 16);
    if let Err(error) = writer.write(&frame) {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
        assert!(error.to_string().contains("'column'"), "{error}");
        return format!("| {name} | none | `Unsupported` | |\n");
    }
    writer.write(&frame).expect("a second time");
    let arrow = reader.try_read_frame().expect("whole").expect("just written");
    let written = how_written(frame.columns()[0].as_materialized_series(), arrow.batches()[0].column(0));
    let data_type = match arrow.schema().field(0).data_type() {
        DataType::Dictionary(keys, values) => format!("dictionary of {values} by {keys}"),
        other => other.to_string(),
    };
    let told = reader.try_read_ffi().expect("whole").expect("just written");
    let read = told.to_polars().expect("what came from Polars goes back");
    assert_eq!(read.schema(), frame.schema(), "{name}");
    assert!(read.equals_missing(&frame), "{name}: got {read}, expected {frame}");
    format!("| {name} | {data_type} | {written} | {} |\n", placed_in(told.bytes(), &read))
}

/// Whether what stands in the slot is what lay in the series.
fn how_written(series: &Series, array: &ArrayRef) -> String {
    let mut before = Vec::new();
    series.chunks().iter().for_each(|chunk| polars_buffers(chunk.as_ref(), &mut before));
    let mut after = Vec::new();
    let texts = arrow_keys(&array.to_data(), &mut after);
    after.retain(|buffer| !buffer.is_empty());
    let as_they_are = after.iter().all(|after| before.iter().any(|before| before.bytes.starts_with(after)));
    let how = match (after.is_empty(), as_they_are) {
        (true, _) => "no buffers",
        (_, true) => "one copy",
        (_, false) => "one copy, rewritten",
    };
    if texts { format!("{how}; the texts of the categories besides") } else { how.to_owned() }
}

/// As [`arrow_buffers`] without what keys stand for; whether there were any.
fn arrow_keys(data: &ArrayData, into: &mut Vec<Buffer>) -> bool {
    into.extend(data.nulls().map(|nulls| nulls.buffer().clone()));
    into.extend_from_slice(data.buffers());
    if matches!(data.data_type(), DataType::Dictionary(..)) {
        return true;
    }
    let mut texts = false;
    for child in data.child_data() {
        texts |= arrow_keys(child, into);
    }
    texts
}

fn tables() -> String {
    let mut tables = String::from(
        "| Arrow type | written from arrow-rs | read to arrow-rs | Polars type | read to Polars | why |\n\
         |---|---|---|---|---|---|\n",
    );
    for (name, array) in arrow_types() {
        tables += &arrow_row(name, &array);
    }
    tables += "\n| Polars type | Arrow type in the frame | written from Polars | read to Polars |\n|---|---|---|---|\n";
    for (name, series) in every_polars_type() {
        tables += &polars_row(name, series);
    }
    tables
}

#[test]
fn the_documented_types_are_what_is_found() {
    const START: &str = "<!-- types: found by a test -->\n";
    const END: &str = "<!-- end of types -->";
    let found = tables();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/zero-copy.md");
    let document = std::fs::read_to_string(path).expect("the document");
    let (before, rest) = document.split_once(START).expect("the tables' start");
    let (documented, after) = rest.split_once(END).expect("the tables' end");
    if std::env::var_os("QADATASWAP_UPDATE_DOCS").is_some() {
        let mut whole = String::new();
        write!(whole, "{before}{START}{found}{END}{after}").expect("to memory");
        std::fs::write(path, whole).expect("the document can be written");
        return;
    }
    assert!(
        documented == found,
        "docs/zero-copy.md should say (QADATASWAP_UPDATE_DOCS=1 writes it):\n{found}"
    );
}

#[test]
fn a_frame_of_all_that_polars_has_lies_in_the_slot_but_for_struct_nulls() {
    let columns = every_polars_type().into_iter().filter(|(name, _)| !name.contains("128 bits"));
    let columns = columns.map(|(name, series)| series.with_name(name.into()).into());
    let frame = DataFrame::new_infer_height(columns.collect()).expect("as long as each other");
    let (writer, reader) = ring("all", 1 << 20);
    writer.write(&frame).expect("types that Arrow has");
    let told = reader.try_read_ffi().expect("whole").expect("just written");
    let read = told.to_polars().expect("types that Polars has");
    assert_eq!(told.bytes_copied(), 0);
    crate::assert_same(&read, &frame);
}
