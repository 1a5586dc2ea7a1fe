//! Arrow's types as Polars': what each column of a frame becomes, and how.
//!
//! The one place that decides which types Polars takes. The law: whatever a schema says, in its types or in its
//! metadata, is an error or a plan, never a panic; and what stands here needs no second look behind it.

use crate::frame::FrameError;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use polars_arrow::datatypes::ArrowDataType;
use polars_core::prelude::{
    CategoricalPhysical, Categories, CompatLevel, DataType as PlType, Field as PlField, FrozenCategories,
    PlSmallStr, TimeUnit as PlUnit, TimeZone,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// The plan of a schema, once it has been made.
pub(crate) type Remembered = OnceLock<Arc<Plan>>;

/// What the columns of a schema become.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) columns: Vec<Column>,
    /// Some column has categories that are found as they come: its type keeps them in memory.
    pub(super) grows: bool,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: PlSmallStr,
    pub(super) target: Target,
}

/// What an array becomes.
#[derive(Debug)]
pub(super) struct Target {
    /// The type in Polars.
    pub(super) dtype: PlType,
    /// That of the array that Polars computes with.
    pub(super) physical: ArrowDataType,
    pub(super) how: How,
}

/// How an array becomes what it is in Polars.
#[derive(Debug)]
pub(super) enum How {
    Null,
    Bits,
    /// The values as they lie.
    Values(Native),
    /// 32- or 64-bit numbers (`wide`), times a factor, as 64-bit numbers.
    Scaled {
        wide: bool,
        by: i64,
    },
    /// 32- or 64-bit numbers (`wide`) as 128-bit ones.
    Widened {
        wide: bool,
    },
    /// Views and data as they lie.
    Views {
        text: bool,
    },
    /// Offsets (`wide`: of 64 bits) become views, the data stays.
    Bytes {
        wide: bool,
        text: bool,
    },
    /// Views are made, the data stays.
    Fixed {
        width: usize,
    },
    /// Offsets of 64 bits stay; those of 32 become such.
    List {
        wide: bool,
        item: Box<Target>,
    },
    FixedList {
        size: usize,
        item: Box<Target>,
    },
    Struct(Vec<Target>),
    /// Keys of categories: as they lie if the categories are numbered alike, and else renumbered.
    Categories {
        keys: Native,
        values: Box<Target>,
    },
    /// The values of a dictionary, each written out.
    Gather {
        keys: Native,
        values: Box<Target>,
    },
}

/// The numbers of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Native {
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Plan {
    /// # Errors
    /// For types that Polars lacks, and for columns of one name.
    pub(super) fn of(schema: &Schema) -> Result<Plan, FrameError> {
        let (mut columns, mut names, mut grows) = (Vec::new(), HashSet::new(), false);
        for field in schema.fields() {
            let name = field.name();
            if !names.insert(name.as_str()) {
                return Err(FrameError::Unsupported(format!(
                    "two columns are named '{name}', which Polars does not take; read_frame does"
                )));
            }
            let target = Target::of(field, &mut grows).map_err(|error| match error {
                FrameError::Unsupported(what) => FrameError::Unsupported(format!(
                    "column '{name}': {what}; read_frame hands it out as it is"
                )),
                other => other,
            })?;
            columns.push(Column { name: PlSmallStr::from_str(name), target });
        }
        Ok(Plan { columns, grows })
    }
}

impl Target {
    fn of(field: &Field, grows: &mut bool) -> Result<Target, FrameError> {
        let (dtype, how) = target(field.data_type(), field.metadata(), grows)?;
        Ok(Target { physical: dtype.to_physical().to_arrow(CompatLevel::newest()), dtype, how })
    }
}

fn target(
    data_type: &DataType,
    metadata: &HashMap<String, String>,
    grows: &mut bool,
) -> Result<(PlType, How), FrameError> {
    let as_is = |dtype, native| Ok((dtype, How::Values(native)));
    match data_type {
        DataType::Null => Ok((PlType::Null, How::Null)),
        DataType::Boolean => Ok((PlType::Boolean, How::Bits)),
        DataType::Int8 => as_is(PlType::Int8, Native::I8),
        DataType::Int16 => as_is(PlType::Int16, Native::I16),
        DataType::Int32 => as_is(PlType::Int32, Native::I32),
        DataType::Int64 => as_is(PlType::Int64, Native::I64),
        DataType::UInt8 => as_is(PlType::UInt8, Native::U8),
        DataType::UInt16 => as_is(PlType::UInt16, Native::U16),
        DataType::UInt32 => as_is(PlType::UInt32, Native::U32),
        DataType::UInt64 => as_is(PlType::UInt64, Native::U64),
        DataType::Float16 => as_is(PlType::Float16, Native::F16),
        DataType::Float32 => as_is(PlType::Float32, Native::F32),
        DataType::Float64 => as_is(PlType::Float64, Native::F64),
        DataType::Date32 => as_is(PlType::Date, Native::I32),
        DataType::Date64 => as_is(PlType::Datetime(PlUnit::Milliseconds, None), Native::I64),
        DataType::Time64(TimeUnit::Nanosecond) => as_is(PlType::Time, Native::I64),
        DataType::Time64(_) => Ok((PlType::Time, How::Scaled { wide: true, by: 1_000 })),
        DataType::Time32(TimeUnit::Second) => {
            Ok((PlType::Time, How::Scaled { wide: false, by: 1_000_000_000 }))
        }
        DataType::Time32(_) => Ok((PlType::Time, How::Scaled { wide: false, by: 1_000_000 })),
        DataType::Timestamp(unit, zone) => {
            let zone = TimeZone::opt_try_new(zone.as_deref().map(PlSmallStr::from_str))
                .map_err(|error| FrameError::Unsupported(format!("{data_type}: {error}")))?;
            let (unit, how) = count(*unit);
            Ok((PlType::Datetime(unit, zone), how))
        }
        DataType::Duration(unit) => {
            let (unit, how) = count(*unit);
            Ok((PlType::Duration(unit), how))
        }
        DataType::Decimal128(precision, scale) => {
            Ok((decimal(data_type, *precision, *scale)?, How::Values(Native::I128)))
        }
        DataType::Decimal64(precision, scale) => {
            Ok((decimal(data_type, *precision, *scale)?, How::Widened { wide: true }))
        }
        DataType::Decimal32(precision, scale) => {
            Ok((decimal(data_type, *precision, *scale)?, How::Widened { wide: false }))
        }
        DataType::Utf8View => Ok((PlType::String, How::Views { text: true })),
        DataType::BinaryView => Ok((PlType::Binary, How::Views { text: false })),
        DataType::Utf8 => Ok((PlType::String, How::Bytes { wide: false, text: true })),
        DataType::LargeUtf8 => Ok((PlType::String, How::Bytes { wide: true, text: true })),
        DataType::Binary => Ok((PlType::Binary, How::Bytes { wide: false, text: false })),
        DataType::LargeBinary => Ok((PlType::Binary, How::Bytes { wide: true, text: false })),
        DataType::FixedSizeBinary(width) => {
            let width = usize::try_from(*width).map_err(|_| lacks(data_type))?;
            Ok((PlType::Binary, How::Fixed { width }))
        }
        DataType::List(item) | DataType::Map(item, _) => list(item, false, grows),
        DataType::LargeList(item) => list(item, true, grows),
        DataType::FixedSizeList(item, size) => {
            let size = usize::try_from(*size).map_err(|_| lacks(data_type))?;
            let item = Box::new(Target::of(item, grows)?);
            Ok((PlType::Array(Box::new(item.dtype.clone()), size), How::FixedList { size, item }))
        }
        DataType::Struct(fields) => {
            let targets = fields.iter().map(|field| Target::of(field, grows));
            let targets: Vec<_> = targets.collect::<Result<_, _>>()?;
            let named = fields.iter().zip(&targets);
            let mut names = HashSet::new();
            if let Some(twice) = fields.iter().find(|field| !names.insert(field.name().as_str())) {
                let name = twice.name();
                return Err(FrameError::Unsupported(format!(
                    "a struct with two fields named '{name}', which Polars does not take"
                )));
            }
            let fields = named.map(|(field, target)| {
                PlField::new(PlSmallStr::from_str(field.name()), target.dtype.clone())
            });
            Ok((PlType::Struct(fields.collect()), How::Struct(targets)))
        }
        DataType::Dictionary(keys, values) => dictionary(keys, values, metadata, grows),
        other => Err(lacks(other)),
    }
}

fn lacks(data_type: &DataType) -> FrameError {
    FrameError::Unsupported(format!("Polars has no type for {data_type}"))
}

/// How 64-bit counts of a unit are kept: Polars has no seconds.
fn count(unit: TimeUnit) -> (PlUnit, How) {
    match unit {
        TimeUnit::Second => (PlUnit::Milliseconds, How::Scaled { wide: true, by: 1_000 }),
        TimeUnit::Millisecond => (PlUnit::Milliseconds, How::Values(Native::I64)),
        TimeUnit::Microsecond => (PlUnit::Microseconds, How::Values(Native::I64)),
        TimeUnit::Nanosecond => (PlUnit::Nanoseconds, How::Values(Native::I64)),
    }
}

fn decimal(data_type: &DataType, precision: u8, scale: i8) -> Result<PlType, FrameError> {
    let (precision, scale) = (usize::from(precision), usize::try_from(scale));
    match scale {
        Ok(scale) if (1..=38).contains(&precision) && scale <= precision => {
            Ok(PlType::Decimal(precision, scale))
        }
        _ => Err(lacks(data_type)),
    }
}

fn list(item: &Field, wide: bool, grows: &mut bool) -> Result<(PlType, How), FrameError> {
    let item = Box::new(Target::of(item, grows)?);
    Ok((PlType::List(Box::new(item.dtype.clone())), How::List { wide, item }))
}

fn dictionary(
    keys: &DataType,
    values: &DataType,
    metadata: &HashMap<String, String>,
    grows: &mut bool,
) -> Result<(PlType, How), FrameError> {
    let native = match keys {
        DataType::Int8 => Native::I8,
        DataType::Int16 => Native::I16,
        DataType::Int32 => Native::I32,
        DataType::Int64 => Native::I64,
        DataType::UInt8 => Native::U8,
        DataType::UInt16 => Native::U16,
        DataType::UInt32 => Native::U32,
        DataType::UInt64 => Native::U64,
        other => return Err(lacks(other)),
    };
    // The values of a dictionary have no field of their own.
    let values = Box::new(Target::of(&Field::new("", values.clone(), true), grows)?);
    if values.dtype != PlType::String {
        return Ok((values.dtype.clone(), How::Gather { keys: native, values }));
    }
    let dtype = if let Some(told) = metadata.get("_PL_ENUM_VALUES2") {
        let categories = counted(told).ok_or_else(|| garbled("_PL_ENUM_VALUES2"))?;
        let categories = FrozenCategories::new(categories)
            .map_err(|error| FrameError::Unsupported(format!("enum: {error}")))?;
        PlType::from_frozen_categories(categories)
    } else {
        *grows = true;
        let categories = match metadata.get("_PL_CATEGORICAL2") {
            Some(told) => named(told).ok_or_else(|| garbled("_PL_CATEGORICAL2"))?,
            None => Categories::global(),
        };
        PlType::from_categories(categories)
    };
    Ok((dtype, How::Categories { keys: native, values }))
}

fn garbled(key: &str) -> FrameError {
    FrameError::Unsupported(format!("the field's metadata '{key}' is not as Polars writes it"))
}

/// A length, a semicolon and as many bytes; and what comes behind them.
fn first(told: &str) -> Option<(&str, &str)> {
    let (length, rest) = told.split_once(';')?;
    rest.split_at_checked(length.parse().ok()?)
}

/// Texts one behind another, each behind its length.
fn counted(mut told: &str) -> Option<Vec<&str>> {
    let mut texts = Vec::new();
    while !told.is_empty() {
        let (text, rest) = first(told)?;
        texts.push(text);
        told = rest;
    }
    Some(texts)
}

/// Categories by name, namespace and width of their keys.
fn named(told: &str) -> Option<Arc<Categories>> {
    let (name, rest) = first(told)?;
    let (namespace, rest) = first(rest)?;
    let physical: CategoricalPhysical = rest.split_once(';')?.0.parse().ok()?;
    let small = PlSmallStr::from_str;
    Some(Categories::new(small(name), small(namespace), physical))
}
