//! Operators with state in nested scopes.
//!
//! In a nested scope time is a pair: the step of the scope around, and the iteration. A change at step *t*, iteration *i*
//! bears on all times at or after both, so a stateful operator has to bring, at *(t, j)*, what follows at that time
//! and not before: *Σ out(s, i), s ≤ t, i ≤ j*, is the operator applied to *Σ in(s, i), s ≤ t, i ≤ j* (Budiu et al.,
//! section 6; McSherry et al., "Differential Dataflow", CIDR 2013). State keeps the iteration beside each row, and no
//! step: all past steps are at or before this one. What a change has to bring in a later iteration waits for it.

mod distinct;
mod groups;
mod join;
mod ledger;
mod linear;

pub(super) use distinct::NestedDistinct;
pub(super) use groups::{NestedGroups, OfGroup, Present};
pub(super) use join::NestedJoin;
pub(super) use linear::NestedLinear;

use ledger::{Later, Ledger};

use crate::column::{Column, Columns2, Data};
use crate::trace::Batch;

/// Puts the iteration beside each value.
fn stamp<K: Data, V: Data>(batch: Batch<K, V>, iteration: u32) -> Batch<K, (V, u32)> {
    let (keys, vals, weights) = batch.into_columns();
    let mut iterations = <u32 as Data>::Column::default();
    (0..weights.len()).for_each(|_| iterations.push(iteration));
    Batch::from_columns(keys, Columns2(vals, iterations), weights).assume_consolidated()
}
