//! Tables of every Arrow type, for tests: a fixed gallery and a random generator.
//!
//! ```
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! for (name, array) in qadataswap_tables::every_type() {
//!     assert!(array.len() > 10, "{name} is too short to be sliced oddly");
//! }
//! let batch = qadataswap_tables::random_batch(&mut StdRng::seed_from_u64(7), 100);
//! assert_eq!(batch.num_rows(), 100);
//! ```
//!
//! The law: everything here is a function of its arguments, so a failing test fails again.

mod gallery;
mod random;

pub use gallery::{ROWS, batch_of, every_type, wide_batch};
pub use random::{random_array, random_batch, random_schema, random_type};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow_array::Array;
    use arrow_schema::DataType;

    use super::every_type;

    /// The name of a type's variant in arrow-rs.
    fn variant(data_type: &DataType) -> String {
        format!("{data_type:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
    }

    /// Stops compiling when `DataType` gains a variant; then the number below, and the gallery, want it too.
    fn counted(data_type: &DataType) {
        match data_type {
            DataType::Null | DataType::Boolean | DataType::Int8 | DataType::Int16 | DataType::Int32 => {}
            DataType::Int64 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {}
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Timestamp(..) => {}
            DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => {}
            DataType::Duration(_) | DataType::Interval(_) | DataType::Binary | DataType::LargeBinary => {}
            DataType::FixedSizeBinary(_) | DataType::BinaryView | DataType::Utf8 | DataType::LargeUtf8 => {}
            DataType::Utf8View | DataType::List(_) | DataType::ListView(_) | DataType::LargeList(_) => {}
            DataType::FixedSizeList(..) | DataType::LargeListView(_) | DataType::Struct(_) => {}
            DataType::Union(..) | DataType::Dictionary(..) | DataType::Decimal32(..) => {}
            DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {}
            DataType::Map(..) | DataType::RunEndEncoded(..) => {}
        }
    }
    const VARIANTS: usize = 41;

    #[test]
    fn the_gallery_has_every_variant_of_data_type() {
        every_type().iter().for_each(|(_, array)| counted(array.data_type()));
        let shown: BTreeSet<_> = every_type().iter().map(|(_, array)| variant(array.data_type())).collect();
        assert_eq!(shown.len(), VARIANTS, "{shown:?}");
    }

    #[test]
    fn the_gallery_has_nulls_wherever_a_type_can() {
        for (name, array) in every_type() {
            let without = ["null", "union", "run-end", "without nulls", "inline"];
            assert_eq!(array.null_count() > 0, !without.iter().any(|kind| name.contains(kind)), "{name}");
        }
    }
}
