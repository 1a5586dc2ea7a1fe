//! Schemas as IPC schema messages, both ways.
//!
//! Writing borrows arrow-ipc's schema encoder, which numbers dictionaries 0, 1, 2, … in the order in which
//! their fields end. Reading is our own: arrow-ipc's panics on hostile bytes, this gives an error. The law:
//! whatever comes out of [`read`] has passed [`Plan::of`], so arrow-rs can build arrays of it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_ipc::convert::IpcSchemaEncoder;
use arrow_ipc::writer::DictionaryTracker;
use arrow_schema::{
    DataType, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit, UnionFields, UnionMode,
};
use flatbuffers::{FlatBufferBuilder, ForwardsUOffset, Vector};

use super::FrameError;
use super::message;
use super::plan::Plan;

type KeyValues<'a> = Option<Vector<'a, ForwardsUOffset<arrow_ipc::KeyValue<'a>>>>;

/// The schema message that opens every frame of `schema`: prefix, metadata, padding.
pub(super) fn write(schema: &Schema) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let mut tracker = DictionaryTracker::new(false);
    let header = IpcSchemaEncoder::new()
        .with_dictionary_tracker(&mut tracker)
        .schema_to_fb_offset(&mut fbb, schema)
        .as_union_value();
    let mut message = arrow_ipc::MessageBuilder::new(&mut fbb);
    message.add_version(arrow_ipc::MetadataVersion::V5);
    message.add_header_type(arrow_ipc::MessageHeader::Schema);
    message.add_bodyLength(0);
    message.add_header(header);
    let root = message.finish();
    fbb.finish(root, None);
    message::encapsulate(fbb.finished_data())
}

/// Reads a verified schema header.
pub(super) fn read(header: arrow_ipc::Schema<'_>) -> Result<(Schema, Plan), FrameError> {
    if header.endianness() != arrow_ipc::Endianness::Little {
        return Err(FrameError::Unsupported("a big-endian stream".into()));
    }
    let mut ids = Vec::new();
    let mut fields = Vec::new();
    for field in header.fields().into_iter().flatten() {
        fields.push(read_field(field, &mut ids)?);
    }
    let schema = Schema::new_with_metadata(fields, metadata(header.custom_metadata()));
    let plan = Plan::of(&schema, Some(&ids))?;
    Ok((schema, plan))
}

fn metadata(pairs: KeyValues<'_>) -> HashMap<String, String> {
    pairs
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair.key()?.to_owned(), pair.value().unwrap_or_default().to_owned())))
        .collect()
}

fn read_field(field: arrow_ipc::Field<'_>, ids: &mut Vec<i64>) -> Result<Field, FrameError> {
    let values = read_type(field, ids)?;
    let mut ordered = false;
    let data_type = match field.dictionary() {
        None => values,
        Some(dictionary) => {
            ids.push(dictionary.id());
            ordered = dictionary.isOrdered();
            // The format's default: signed 32-bit keys.
            let keys = match dictionary.indexType() {
                None => DataType::Int32,
                Some(int) => integer(int)?,
            };
            DataType::Dictionary(Box::new(keys), Box::new(values))
        }
    };
    Ok(Field::new(field.name().unwrap_or_default(), data_type, field.nullable())
        .with_dict_is_ordered(ordered)
        .with_metadata(metadata(field.custom_metadata())))
}

fn integer(int: arrow_ipc::Int<'_>) -> Result<DataType, FrameError> {
    Ok(match (int.bitWidth(), int.is_signed()) {
        (8, true) => DataType::Int8,
        (8, false) => DataType::UInt8,
        (16, true) => DataType::Int16,
        (16, false) => DataType::UInt16,
        (32, true) => DataType::Int32,
        (32, false) => DataType::UInt32,
        (64, true) => DataType::Int64,
        (64, false) => DataType::UInt64,
        (width, _) => return Err(FrameError::corrupt(format!("an integer of {width} bits"))),
    })
}

fn unit(unit: arrow_ipc::TimeUnit) -> Result<TimeUnit, FrameError> {
    Ok(match unit {
        arrow_ipc::TimeUnit::SECOND => TimeUnit::Second,
        arrow_ipc::TimeUnit::MILLISECOND => TimeUnit::Millisecond,
        arrow_ipc::TimeUnit::MICROSECOND => TimeUnit::Microsecond,
        arrow_ipc::TimeUnit::NANOSECOND => TimeUnit::Nanosecond,
        other => return Err(FrameError::corrupt(format!("time unit {}", other.0))),
    })
}

/// The type of the field's values: for a dictionary, that of the dictionary's.
fn read_type(field: arrow_ipc::Field<'_>, ids: &mut Vec<i64>) -> Result<DataType, FrameError> {
    use arrow_ipc::Type;
    let name = field.name().unwrap_or_default();
    let missing = || FrameError::corrupt(format!("field '{name}' lacks its type's parameters"));
    let mut children: Vec<FieldRef> = Vec::new();
    for child in field.children().into_iter().flatten() {
        children.push(Arc::new(read_field(child, ids)?));
    }
    let only_child = || match children.as_slice() {
        [child] => Ok(child.clone()),
        other => Err(FrameError::corrupt(format!("field '{name}' has {} children, needs one", other.len()))),
    };
    Ok(match field.type_type() {
        Type::Null => DataType::Null,
        Type::Bool => DataType::Boolean,
        Type::Int => integer(field.type_as_int().ok_or_else(missing)?)?,
        Type::FloatingPoint => match field.type_as_floating_point().ok_or_else(missing)?.precision() {
            arrow_ipc::Precision::HALF => DataType::Float16,
            arrow_ipc::Precision::SINGLE => DataType::Float32,
            arrow_ipc::Precision::DOUBLE => DataType::Float64,
            other => return Err(FrameError::corrupt(format!("floating-point precision {}", other.0))),
        },
        Type::Decimal => {
            let decimal = field.type_as_decimal().ok_or_else(missing)?;
            let off =
                |_| FrameError::corrupt(format!("field '{name}': decimal precision or scale out of range"));
            let precision = u8::try_from(decimal.precision()).map_err(off)?;
            let scale = i8::try_from(decimal.scale()).map_err(off)?;
            match decimal.bitWidth() {
                32 => DataType::Decimal32(precision, scale),
                64 => DataType::Decimal64(precision, scale),
                128 => DataType::Decimal128(precision, scale),
                256 => DataType::Decimal256(precision, scale),
                width => return Err(FrameError::corrupt(format!("a decimal of {width} bits"))),
            }
        }
        Type::Date => match field.type_as_date().ok_or_else(missing)?.unit() {
            arrow_ipc::DateUnit::DAY => DataType::Date32,
            arrow_ipc::DateUnit::MILLISECOND => DataType::Date64,
            other => return Err(FrameError::corrupt(format!("date unit {}", other.0))),
        },
        Type::Time => {
            let time = field.type_as_time().ok_or_else(missing)?;
            match time.bitWidth() {
                32 => DataType::Time32(unit(time.unit())?),
                64 => DataType::Time64(unit(time.unit())?),
                width => return Err(FrameError::corrupt(format!("a time of {width} bits"))),
            }
        }
        Type::Timestamp => {
            let timestamp = field.type_as_timestamp().ok_or_else(missing)?;
            DataType::Timestamp(unit(timestamp.unit())?, timestamp.timezone().map(Into::into))
        }
        Type::Duration => DataType::Duration(unit(field.type_as_duration().ok_or_else(missing)?.unit())?),
        Type::Interval => match field.type_as_interval().ok_or_else(missing)?.unit() {
            arrow_ipc::IntervalUnit::YEAR_MONTH => DataType::Interval(IntervalUnit::YearMonth),
            arrow_ipc::IntervalUnit::DAY_TIME => DataType::Interval(IntervalUnit::DayTime),
            arrow_ipc::IntervalUnit::MONTH_DAY_NANO => DataType::Interval(IntervalUnit::MonthDayNano),
            other => return Err(FrameError::corrupt(format!("interval unit {}", other.0))),
        },
        Type::Utf8 => DataType::Utf8,
        Type::LargeUtf8 => DataType::LargeUtf8,
        Type::Utf8View => DataType::Utf8View,
        Type::Binary => DataType::Binary,
        Type::LargeBinary => DataType::LargeBinary,
        Type::BinaryView => DataType::BinaryView,
        Type::FixedSizeBinary => {
            DataType::FixedSizeBinary(field.type_as_fixed_size_binary().ok_or_else(missing)?.byteWidth())
        }
        Type::List => DataType::List(only_child()?),
        Type::LargeList => DataType::LargeList(only_child()?),
        Type::ListView => DataType::ListView(only_child()?),
        Type::LargeListView => DataType::LargeListView(only_child()?),
        Type::FixedSizeList => {
            let size = field.type_as_fixed_size_list().ok_or_else(missing)?.listSize();
            DataType::FixedSizeList(only_child()?, size)
        }
        Type::Struct_ => DataType::Struct(Fields::from(children)),
        Type::Map => DataType::Map(only_child()?, field.type_as_map().ok_or_else(missing)?.keysSorted()),
        Type::RunEndEncoded => match children.as_slice() {
            [ends, values] => DataType::RunEndEncoded(ends.clone(), values.clone()),
            _ => return Err(FrameError::corrupt(format!("run-end field '{name}' needs two children"))),
        },
        Type::Union => {
            let union = field.type_as_union().ok_or_else(missing)?;
            let mode = match union.mode() {
                arrow_ipc::UnionMode::Sparse => UnionMode::Sparse,
                arrow_ipc::UnionMode::Dense => UnionMode::Dense,
                other => return Err(FrameError::corrupt(format!("union mode {}", other.0))),
            };
            let off = |_| FrameError::corrupt(format!("field '{name}': union type id out of range"));
            let ids: Vec<i8> = match union.typeIds() {
                Some(ids) => ids.iter().map(i8::try_from).collect::<Result<_, _>>().map_err(off)?,
                None => (0..children.len()).map(i8::try_from).collect::<Result<_, _>>().map_err(off)?,
            };
            DataType::Union(UnionFields::try_new(ids, children)?, mode)
        }
        other => return Err(FrameError::Unsupported(format!("field '{name}': Arrow type {}", other.0))),
    })
}
