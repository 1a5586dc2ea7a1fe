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

use super::KeyIndex;
use super::nested::NestedDistinct;
use crate::algebra::{ZWeight, add_weights};
use crate::circuit::{Circuit, Incoming, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::UnaryOperator;
use crate::trace::Batch;

/// Rows looked up together, so that their ways to memory overlap.
const BLOCK: usize = 64;

struct Distinct<K: Data, V: Data> {
    rows: KeyIndex<(K, V)>,
    counts: Vec<ZWeight>,
    hashes: Vec<u64>,
    guesses: Vec<usize>,
}

impl<K: Data, V: Data> Distinct<K, V> {
    /// Adds to the count of a row; returns it as it was, and as it is.
    fn count<'a>(
        &mut self,
        row: (K::Ref<'a>, V::Ref<'a>),
        hash: u64,
        guess: usize,
        weight: ZWeight,
    ) -> (ZWeight, ZWeight) {
        let found = if self.rows.is(guess, row) && self.counts[guess] != 0 {
            Some(guess)
        } else {
            self.rows.find(row, hash)
        };
        let Some(slot) = found else {
            if weight != 0 {
                self.rows.insert(row, hash);
                self.counts.push(weight);
            }
            return (0, weight);
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

impl<K: Data, V: Data> UnaryOperator<Batch<K, V>, Batch<K, V>> for Distinct<K, V> {
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, V>) -> Result<(), Error> {
        let input = input.get();
        for start in (0..input.len()).step_by(BLOCK) {
            let block = start..input.len().min(start + BLOCK);
            self.hashes.clear();
            self.hashes.extend(block.clone().map(|row| <(K, V)>::hash((input.key(row), input.val(row)))));
            self.guesses.clear();
            self.guesses.extend(self.hashes.iter().map(|&hash| self.rows.guess(hash)));
            for row in block.clone() {
                let (hash, guess) = (self.hashes[row - start], self.guesses[row - start]);
                let (key, val) = (input.key(row), input.val(row));
                let (before, after) = self.count((key, val), hash, guess, input.weight(row));
                match (before > 0, after > 0) {
                    (false, true) => output.push(key, val, 1),
                    (true, false) => output.push(key, val, -1),
                    _ => {}
                }
            }
        }
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
                Distinct {
                    rows: KeyIndex::default(),
                    counts: Vec::new(),
                    hashes: Vec::new(),
                    guesses: Vec::new(),
                },
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
