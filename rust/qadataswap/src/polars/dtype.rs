//! Polars' types as Arrow's: the schema that a frame is written by.

use crate::frame::FrameError;
use arrow_schema::{DataType, Field, TimeUnit};
use polars_core::prelude::{CategoricalPhysical, DataType as PlType, TimeUnit as PlUnit};
use std::sync::Arc;

/// The field that a column of `dtype` becomes; what Arrow has no words for stands in its metadata, as Polars has it.
pub(super) fn field(name: &str, dtype: &PlType) -> Result<Field, FrameError> {
    let ordered = matches!(dtype, PlType::Enum(..));
    let field = Field::new(name, data_type(name, dtype)?, true).with_dict_is_ordered(ordered);
    Ok(match dtype.to_arrow_field_metadata() {
        None => field,
        Some(metadata) => field.with_metadata(
            metadata.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        ),
    })
}

fn data_type(name: &str, dtype: &PlType) -> Result<DataType, FrameError> {
    // As Polars and Arrow call it.
    let item = |dtype: &PlType| {
        let item = field("item", dtype).map_err(|error| within(name, error))?;
        Ok::<_, FrameError>(Arc::new(item))
    };
    Ok(match dtype {
        PlType::Null => DataType::Null,
        PlType::Boolean => DataType::Boolean,
        PlType::Int8 => DataType::Int8,
        PlType::Int16 => DataType::Int16,
        PlType::Int32 => DataType::Int32,
        PlType::Int64 => DataType::Int64,
        PlType::UInt8 => DataType::UInt8,
        PlType::UInt16 => DataType::UInt16,
        PlType::UInt32 => DataType::UInt32,
        PlType::UInt64 => DataType::UInt64,
        PlType::Float16 => DataType::Float16,
        PlType::Float32 => DataType::Float32,
        PlType::Float64 => DataType::Float64,
        PlType::Decimal(precision, scale) => match (u8::try_from(*precision), i8::try_from(*scale)) {
            (Ok(precision), Ok(scale)) => DataType::Decimal128(precision, scale),
            _ => return Err(unsupported(name, dtype)),
        },
        PlType::String => DataType::Utf8View,
        PlType::Binary => DataType::BinaryView,
        PlType::BinaryOffset => DataType::LargeBinary,
        PlType::Date => DataType::Date32,
        PlType::Time => DataType::Time64(TimeUnit::Nanosecond),
        PlType::Datetime(of, zone) => {
            DataType::Timestamp(unit(*of), zone.as_ref().map(|zone| zone.as_str().into()))
        }
        PlType::Duration(of) => DataType::Duration(unit(*of)),
        PlType::List(dtype) => DataType::LargeList(item(dtype)?),
        PlType::Array(dtype, width) => match i32::try_from(*width) {
            Ok(width) => DataType::FixedSizeList(item(dtype)?, width),
            Err(_) => return Err(unsupported(name, dtype)),
        },
        PlType::Struct(fields) => {
            let fields = fields.iter().map(|of| field(of.name(), of.dtype()));
            let fields: Result<Vec<_>, _> = fields.collect();
            DataType::Struct(fields.map_err(|error| within(name, error))?.into())
        }
        PlType::Categorical(..) | PlType::Enum(..) => {
            let keys = match dtype.cat_physical() {
                Ok(CategoricalPhysical::U8) => DataType::UInt8,
                Ok(CategoricalPhysical::U16) => DataType::UInt16,
                Ok(CategoricalPhysical::U32) => DataType::UInt32,
                Err(_) => return Err(unsupported(name, dtype)),
            };
            DataType::Dictionary(Box::new(keys), Box::new(DataType::Utf8View))
        }
        other => return Err(unsupported(name, other)),
    })
}

fn unit(of: PlUnit) -> TimeUnit {
    match of {
        PlUnit::Nanoseconds => TimeUnit::Nanosecond,
        PlUnit::Microseconds => TimeUnit::Microsecond,
        PlUnit::Milliseconds => TimeUnit::Millisecond,
    }
}

fn unsupported(name: &str, dtype: &PlType) -> FrameError {
    FrameError::Unsupported(format!(
        "column '{name}' is of Polars' type {dtype:?}, which Arrow does not have; cast it before writing"
    ))
}

/// An error of a field, told of the one that it lies in.
fn within(name: &str, error: FrameError) -> FrameError {
    match error {
        FrameError::Unsupported(what) => FrameError::Unsupported(format!("column '{name}': {what}")),
        other => other,
    }
}
