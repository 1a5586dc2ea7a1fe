//! The keys of some rows on their way to their slots.
//!
//! What a lookup in a large index takes is a way to memory, so rows are looked up in blocks of [`BLOCK`], whose ways overlap.
//! (To deal the rows of a large batch out by their hashes first, so that a part of the index that the nearer caches hold is
//! looked at at a time, has been tried: at a million keys it took longer than it won.)

use std::ops::Range;

use super::{BLOCK, KeyIndex};
use crate::column::Data;

/// What is known of the keys of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookup {
    hashes: Vec<u64>,
    likely: Vec<u32>,
}

/// Returns the rows of a batch of so many, block by block.
///
/// # Panics
///
/// If there are 2^32 of them or more.
pub(crate) fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    u32::try_from(rows).expect("a batch has fewer than 2^32 rows");
    (0..rows).step_by(BLOCK).map(move |start| start..rows.min(start + BLOCK))
}

impl Lookup {
    /// Looks up the keys of a block, whose hashes `hash` appends.
    pub(crate) fn look<K: Data>(&mut self, index: &KeyIndex<K>, hash: impl FnOnce(&mut Vec<u64>)) {
        self.hashes.clear();
        hash(&mut self.hashes);
        index.look(&self.hashes, &mut self.likely);
    }

    /// Returns the slots that the keys have if these are theirs and not others' of the same hash: see [`KeyIndex::look`].
    pub(crate) fn likely(&self) -> &[u32] {
        &self.likely
    }

    /// Returns the hash of the `number`th key.
    #[inline]
    pub(crate) fn hash(&self, number: usize) -> u64 {
        self.hashes[number]
    }

    /// Returns the slot of the `number`th key; `make` is called for one that is new, before it gets its slot.
    #[inline]
    pub(crate) fn slot<K: Data>(
        &self,
        number: usize,
        key: K::Ref<'_>,
        index: &mut KeyIndex<K>,
        make: impl FnOnce(),
    ) -> usize {
        let (likely, hash) = (self.likely[number], self.hashes[number]);
        if index.has(likely, key) {
            return likely as usize;
        }
        index.slot(key, hash, make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::tests::pair_of_one_hash;
    use crate::column::{Column, column_of};

    fn finds_every_key<K: Data>(key: impl Fn(u64) -> K) {
        for rows in [0, 1, 63, 64, 65, 1000] {
            let keys = column_of((0..rows as u64).map(|row| key(row % 100)));
            let (mut lookup, mut index) = (Lookup::default(), KeyIndex::<K>::default());
            for new in [rows.min(100), 0] {
                let (mut next, mut made) = (0, 0);
                for block in blocks(rows) {
                    assert_eq!(block.start, next);
                    next = block.end;
                    lookup.look(&index, |hashes| keys.hashes(block.clone(), hashes));
                    assert_eq!(lookup.likely().len(), block.len());
                    for (number, row) in block.enumerate() {
                        assert_eq!(lookup.hash(number), keys.hash(row));
                        let slot = lookup.slot(number, keys.get(row), &mut index, || made += 1);
                        assert_eq!(index.key(slot), keys.get(row));
                    }
                }
                assert_eq!((next, made, index.len()), (rows, new, rows.min(100)));
            }
        }
    }

    #[test]
    fn every_key_is_found_whether_it_is_new_or_was_there() {
        finds_every_key(|number| number);
        finds_every_key(|number| (number, number.to_string()));
        finds_every_key(pair_of_one_hash);
    }
}
