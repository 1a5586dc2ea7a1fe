//! Sets from Z-sets.
//!
//! **Law.** *distinct(a)[x] = 1 if a[x] > 0, else 0*. Its incremental form looks at the sum of the rows that change:
//! *+1* where that becomes positive, *−1* where it ceases to be (Budiu et al., proposition 4.7). State is a count per row,
//! found by hash; rows of count 0 are forgotten.
//!
//! ```text
//!   Δ ──▶ [ count of each row: before, after ] ──▶ sign(after) − sign(before)
//! ```
//!
//! | time | Δ | `distinct` |
//! |---|---|---|
//! | 0 | x → +2, y → −1 | x → +1 |
//! | 1 | x → −1, y → +1 | |
//! | 2 | x → −1, y → +1 | x → −1, y → +1 |

use std::hint::black_box;
use std::ops::Range;

use super::nested::NestedDistinct;
use super::{KeyIndex, Lookup, blocks};
use crate::algebra::{ZWeight, add_weights};
use crate::circuit::{Circuit, Incoming, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::UnaryOperator;
use crate::trace::Batch;

struct Distinct<K: Data, V: Data> {
    rows: KeyIndex<(K, V)>,
    counts: Vec<ZWeight>,
    lookup: Lookup,
}

impl<K: Data, V: Data> Distinct<K, V> {
    /// Adds to the count of the `number`th row of a block; returns it as it was, and as it is.
    fn count<'a>(
        &mut self,
        row: (K::Ref<'a>, V::Ref<'a>),
        number: usize,
        weight: ZWeight,
    ) -> (ZWeight, ZWeight) {
        if weight == 0 {
            return (0, 0);
        }
        let (likely, hash) = (self.lookup.likely()[number], self.lookup.hash(number));
        // A row that this block has taken away has count 0, and another slot if it has come again.
        let slot = if self.rows.has(likely, row) && self.counts[likely as usize] != 0 {
            likely as usize
        } else {
            self.rows.slot(row, hash, || self.counts.push(0))
        };
        let before = self.counts[slot];
        let after = add_weights(before, weight);
        self.counts[slot] = after;
        if after == 0 {
            self.rows.remove(slot, hash);
        }
        (before, after)
    }
}

impl<K: Data, V: Data> Distinct<K, V> {
    fn eval_block(&mut self, input: &Batch<K, V>, block: Range<usize>, output: &mut Batch<K, V>) {
        self.lookup.look(&self.rows, |hashes| {
            hashes.extend(block.clone().map(|row| <(K, V)>::hash((input.key(row), input.val(row)))));
        });
        let counts = self.lookup.likely().iter().map(|&slot| self.counts.get(slot as usize).unwrap_or(&0));
        black_box(counts.fold(0, |all, count| all ^ count));
        for (number, row) in block.enumerate() {
            let (key, val) = (input.key(row), input.val(row));
            let (before, after) = self.count((key, val), number, input.weight(row));
            match (before > 0, after > 0) {
                (false, true) => output.push(key, val, 1),
                (true, false) => output.push(key, val, -1),
                _ => {}
            }
        }
    }
}

impl<K: Data, V: Data> UnaryOperator<Batch<K, V>, Batch<K, V>> for Distinct<K, V> {
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, V>) -> Result<(), Error> {
        let input = input.get();
        blocks(input.len()).for_each(|block| self.eval_block(&input, block, output));
        if let Some(kept) = self.rows.compact() {
            self.counts = kept.into_iter().map(|slot| self.counts[slot as usize]).collect();
        }
        Ok(())
    }
    fn state(&self) -> State {
        State { rows: self.rows.len(), bytes: self.rows.bytes() + size_of_val(self.counts.as_slice()) }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Keeps each row once if its weight is positive. Made once, however often it is asked for.
    #[must_use]
    pub fn distinct(&self) -> Self {
        struct Marker;
        self.graph().once::<Marker, _>(self.id(), || {
            if C::NESTED {
                return self
                    .shard()
                    .restless_unary("distinct", NestedDistinct::new(self.graph().clock().clone()));
            }
            self.shard().unary(
                "distinct",
                Distinct { rows: KeyIndex::default(), counts: Vec::new(), lookup: Lookup::default() },
            )
        })
    }

    /// Keeps, of each step's batch by itself, each row once if its weight is positive.
    #[must_use]
    pub fn stream_distinct(&self) -> Self {
        let distinct =
            self.shard().consolidate().linear("stream_distinct", |input, output: &mut Batch<K, V>| {
                for (key, val, weight) in input.get().iter() {
                    if weight > 0 {
                        output.push(key, val, 1);
                    }
                }
            });
        distinct.by_step()
    }
}
