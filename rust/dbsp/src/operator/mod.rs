//! Operators on streams. A name without a prefix is of an incremental operator: what it brings is the change of its
//! result on everything so far. `stream_*` is its twin that looks at one step's batch alone.

mod aggregate;
mod apply;
mod arrange;
mod asof_join;
mod communication;
mod consolidate;
mod delay;
mod differentiate;
mod distinct;
mod filter_map;
mod group;
mod input;
mod inspect;
mod join;
mod key_index;
mod lists;
mod lookup;
mod nested;
mod output;
mod plus;
mod recursive;
mod segments;
mod time_series;
mod trace;
mod wiring;

pub use aggregate::{
    Aggregator, Change, Count, Extreme, First, Fold, Max, MaxSome, Min, MinSome, Parts, Values,
};
pub use delay::Feedback;
pub use input::{IndexedZSetHandle, KeyedHandle, MapHandle, ValueHandle, ZSetHandle};
pub use output::{OutputHandle, ValueOutput};
pub use recursive::RecursiveStreams;
pub use time_series::{EventTime, RelOffset, RelRange};
pub use trace::Trace;
pub use wiring::{BinaryOperator, Brought, UnaryOperator};

pub(crate) use key_index::{BLOCK, KeyIndex};
pub(crate) use lookup::{Lookup, blocks};
pub(crate) use segments::Segments;

#[cfg(test)]
pub(crate) mod tests;
