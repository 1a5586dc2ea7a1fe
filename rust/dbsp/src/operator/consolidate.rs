//! Each row once.
//!
//! **Law.** The identity on Z-sets: the same sum, in order, without rows that cancel.
//!
//! | time | input | output |
//! |---|---|---|
//! | 0 | x → +1, y → +1, x → −1 | y → +1 |

use crate::circuit::{Circuit, Stream};
use crate::column::Data;
use crate::trace::{Batch, Sorter};

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Consolidates each step's batch; made once, however often it is asked for.
    #[must_use]
    pub fn consolidate(&self) -> Self {
        struct Consolidate;
        self.graph().once::<Consolidate, _>(self.id(), || {
            let mut sorter = Sorter::default();
            self.linear("consolidate", move |input, output: &mut Batch<K, V>| {
                *output = input.take();
                sorter.consolidate(output);
            })
        })
    }
}
