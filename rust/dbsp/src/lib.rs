//! An incremental engine: views over changing data, kept up to date at a cost that follows the change.

pub mod algebra;
pub mod column;
pub mod time;
pub mod trace;
