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
