//! One column of every type that Polars has.

use crate::types::by_polars;
use polars::prelude::*;
use qadataswap_tables::every_type;

const ROWS: usize = 37;

const TEXTS: [Option<&str>; 6] = [
    Some("bid"),
    None,
    Some(""),
    Some("a longer text that no view can hold"),
    Some("žluťoučký"),
    Some("ask"),
];

fn numbers() -> Series {
    let value = |row: usize| (row % 4 != 1).then_some(row as i64 * 3);
    Series::new("column".into(), (0..ROWS).map(value).collect::<Vec<_>>())
}

pub(crate) fn texts() -> Series {
    Series::new("column".into(), TEXTS.into_iter().cycle().take(ROWS).collect::<Vec<_>>())
}

fn cast(series: &Series, dtype: &DataType) -> Series {
    series.cast(dtype).expect("a cast that Polars has")
}

fn list_of(items: &Series) -> Series {
    let row = |row: usize| (row % 3 != 2).then(|| items.slice(row as i64, row % 5));
    let mut lists: ListChunked = (0..ROWS).map(row).collect();
    lists.rename("column".into());
    lists.into_series()
}

/// The column of the gallery's `name`, as Polars takes it.
fn of_gallery(name: &str) -> Series {
    let (_, array) = every_type().into_iter().find(|(each, _)| *each == name).expect("in the gallery");
    by_polars("column", &array).expect("a type that Polars has")
}

pub(crate) fn an_enum() -> DataType {
    let categories = FrozenCategories::new(TEXTS.into_iter().flatten()).expect("none twice");
    DataType::from_frozen_categories(categories)
}

pub(crate) fn named_categories() -> DataType {
    DataType::from_categories(Categories::new("venue".into(), "test".into(), CategoricalPhysical::U8))
}

/// One column of each type, with its name; each is named `column` and has as many rows as the gallery.
pub(crate) fn every_polars_type() -> Vec<(&'static str, Series)> {
    crate::number_categories();
    let zone = TimeZone::opt_try_new(Some("Asia/Shanghai")).expect("a zone");
    let whole = [
        ("Int8", DataType::Int8),
        ("Int16", DataType::Int16),
        ("Int32", DataType::Int32),
        ("Int64", DataType::Int64),
        ("UInt8", DataType::UInt8),
        ("UInt16", DataType::UInt16),
        ("UInt32", DataType::UInt32),
        ("UInt64", DataType::UInt64),
        ("Float16", DataType::Float16),
        ("Float32", DataType::Float32),
        ("Float64", DataType::Float64),
        ("Decimal", DataType::Decimal(30, 2)),
        ("Boolean", DataType::Boolean),
        ("Date", DataType::Date),
        ("Datetime in ms", DataType::Datetime(TimeUnit::Milliseconds, None)),
        ("Datetime in us", DataType::Datetime(TimeUnit::Microseconds, None)),
        ("Datetime in ns", DataType::Datetime(TimeUnit::Nanoseconds, None)),
        ("Datetime with a zone", DataType::Datetime(TimeUnit::Microseconds, zone)),
        ("Duration in ms", DataType::Duration(TimeUnit::Milliseconds)),
        ("Duration in us", DataType::Duration(TimeUnit::Microseconds)),
        ("Duration in ns", DataType::Duration(TimeUnit::Nanoseconds)),
        ("Time", DataType::Time),
    ];
    let mut all: Vec<_> = whole.iter().map(|(name, dtype)| (*name, cast(&numbers(), dtype))).collect();
    let categories = cast(&texts(), &DataType::from_categories(Categories::global()));
    all.extend([
        ("Null", Series::full_null("column".into(), ROWS, &DataType::Null)),
        ("String", texts()),
        ("Binary", cast(&texts(), &DataType::Binary)),
        ("Enum", cast(&texts(), &an_enum())),
        ("Categorical, named", cast(&texts(), &named_categories())),
        ("Categorical, global", categories.clone()),
        ("List of Int64", list_of(&numbers())),
        ("List of String", list_of(&texts())),
        ("List of Categorical", list_of(&categories)),
        ("List of List of String", list_of(&list_of(&texts()))),
        ("Array of Int32", of_gallery("fixed-size list")),
        ("Struct", of_gallery("struct")),
        ("Int128 (128 bits)", cast(&numbers(), &DataType::Int128)),
        ("UInt128 (128 bits)", cast(&numbers(), &DataType::UInt128)),
    ]);
    all
}
