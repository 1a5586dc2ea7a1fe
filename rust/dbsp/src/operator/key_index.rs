//! From a key to the number of its slot: state that is counted rather than listed.
//!
//! An open table of 12-byte entries, each a key's hash and a slot; keys lie in a column, in the order of their slots, and
//! whoever has the index keeps what belongs to a key in arrays of its own. The hash of a key of up to 8 bytes is one-to-one,
//! so the entry tells such keys apart, and their column is looked at only for what they are. Places are the *top* bits of the
//! hash, so the table lies in the order of hashes and grows by being dealt out again from what is in it, without a look at
//! the keys. Beyond a few thousand keys it is 256 tables, which grow one by one, so that no step waits for all.
//! (Linear probing with backward-shift deletion: Knuth, *The Art of Computer Programming* 3, section 6.4, algorithm R.)
//!
//! Large tables are out of the caches, so what a lookup takes is a way to memory. [`KeyIndex::look`] looks for many keys at
//! once, all of which are under way together.
//!
//! A removed key leaves its slot unused. When most are, [`KeyIndex::compact`] numbers the others anew.

use std::hint::black_box;

use crate::column::{Column, Data, exact};

/// The slot of no key.
pub(crate) const NONE: u32 = u32::MAX;
/// Above so many keys there are 256 tables.
const ONE_TABLE: usize = 1 << 12;
/// The places of a table at first.
const PLACES: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The upper half of the hash.
    tag: u32,
    /// The lower half.
    rest: u32,
    slot: u32,
}

const EMPTY: Entry = Entry { tag: 0, rest: 0, slot: NONE };

/// Entries, 2^b of them, b > 0, of which some are empty.
#[derive(Clone, Debug)]
struct Table {
    entries: Vec<Entry>,
    used: usize,
}

/// Rows that are looked up together, so that their ways to memory overlap.
pub(crate) const BLOCK: usize = 64;

/// The slots of some keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyIndex<K: Data> {
    tables: Vec<Table>,
    /// The top bits of a hash that say in which table it is.
    split: u32,
    keys: K::Column,
    len: usize,
}

impl<K: Data> Default for KeyIndex<K> {
    fn default() -> Self {
        Self { tables: vec![Table::new()], split: 0, keys: K::Column::default(), len: 0 }
    }
}

impl Entry {
    fn new(hash: u64, slot: u32) -> Self {
        Self { tag: (hash >> 32) as u32, rest: hash as u32, slot }
    }

    #[inline]
    fn hash(self) -> u64 {
        u64::from(self.tag) << 32 | u64::from(self.rest)
    }
}

impl Table {
    fn new() -> Self {
        Self { entries: vec![EMPTY; PLACES], used: 0 }
    }

    #[inline]
    fn home(&self, hash: u64, split: u32) -> usize {
        ((hash << split) >> (64 - self.entries.len().trailing_zeros())) as usize
    }

    /// Returns the place of the entry of a hash that `is` is true of, or the place where it would be put.
    #[inline]
    fn place_of(&self, hash: u64, split: u32, mut is: impl FnMut(u32) -> bool) -> Result<usize, usize> {
        let mask = self.entries.len() - 1;
        let mut place = self.home(hash, split);
        loop {
            let entry = self.entries[place];
            if entry.slot == NONE {
                return Err(place);
            }
            if entry.hash() == hash && is(entry.slot) {
                return Ok(place);
            }
            place = (place + 1) & mask;
        }
    }

    /// Makes room for one more entry.
    #[inline]
    fn make_room(&mut self, split: u32) {
        if (self.used + 1) * 5 > self.entries.len() * 4 {
            let places = self.entries.len() * 2;
            let old = std::mem::replace(&mut self.entries, vec![EMPTY; places]);
            old.into_iter().filter(|entry| entry.slot != NONE).for_each(|entry| self.put(entry, split));
        }
    }

    fn insert(&mut self, entry: Entry, split: u32) {
        self.make_room(split);
        self.put(entry, split);
        self.used += 1;
    }

    fn put(&mut self, entry: Entry, split: u32) {
        let mask = self.entries.len() - 1;
        let mut place = self.home(entry.hash(), split);
        while self.entries[place].slot != NONE {
            place = (place + 1) & mask;
        }
        self.entries[place] = entry;
    }

    fn remove(&mut self, mut hole: usize, split: u32) {
        let mask = self.entries.len() - 1;
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            let entry = self.entries[next];
            if entry.slot == NONE {
                break;
            }
            // It may fill the hole unless its home lies behind the hole.
            let distance = next.wrapping_sub(self.home(entry.hash(), split)) & mask;
            if distance >= next.wrapping_sub(hole) & mask {
                self.entries[hole] = entry;
                hole = next;
            }
        }
        self.entries[hole].slot = NONE;
        self.used -= 1;
    }
}

impl<K: Data> KeyIndex<K> {
    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of slots, used or not.
    #[cfg(test)]
    fn slots(&self) -> usize {
        self.keys.len()
    }

    /// Returns the key of a slot.
    pub(crate) fn key(&self, slot: usize) -> K::Ref<'_> {
        self.keys.get(slot)
    }

    /// Returns the keys of all slots, in their order; those of unused ones are of no key.
    pub(crate) fn keys(&self) -> &K::Column {
        &self.keys
    }

    #[inline]
    fn table(&self, hash: u64) -> usize {
        hash.checked_shr(64 - self.split).unwrap_or(0) as usize
    }

    /// Puts into `slots` the slot of each of some keys, by their hashes, or [`NONE`]. Keys of more than 8 bytes are not
    /// looked at: [`has`](KeyIndex::has) tells whether the slot is the key's.
    pub(crate) fn look(&self, hashes: &[u64], slots: &mut Vec<u32>) {
        // The places first, so that all of them are under way to memory before one has to be there.
        let first = |&hash: &u64| {
            let table = &self.tables[self.table(hash)];
            table.entries[table.home(hash, self.split)].slot
        };
        black_box(hashes.iter().map(first).fold(0, |all, slot| all ^ slot));
        slots.clear();
        slots.extend(hashes.iter().map(|&hash| {
            let table = &self.tables[self.table(hash)];
            table.place_of(hash, self.split, |_| true).map_or(NONE, |place| table.entries[place].slot)
        }));
        if !exact::<K>() {
            let keys = slots.iter().filter(|&&slot| slot != NONE);
            black_box(keys.fold(0, |all, &slot| all ^ self.keys.touch(slot as usize)));
        }
    }

    /// Returns whether a slot, found by a key's hash, is the key's.
    #[inline]
    pub(crate) fn has(&self, slot: u32, key: K::Ref<'_>) -> bool {
        slot != NONE && (exact::<K>() || K::shorten(self.keys.get(slot as usize)) == K::shorten(key))
    }

    /// Returns the slot of a key that is there.
    #[inline]
    pub(crate) fn find(&self, key: K::Ref<'_>, hash: u64) -> Option<usize> {
        let table = &self.tables[self.table(hash)];
        let place = table.place_of(hash, self.split, |slot| self.has(slot, key)).ok()?;
        Some(table.entries[place].slot as usize)
    }

    /// Returns the slot of a key; calls `make` if it is new, and gives it the next one after all slots.
    #[inline]
    pub(crate) fn slot(&mut self, key: K::Ref<'_>, hash: u64, make: impl FnOnce()) -> usize {
        if self.split == 0 && self.len == ONE_TABLE {
            self.split_up();
        }
        let table = self.table(hash);
        self.tables[table].make_room(self.split);
        let there = &self.tables[table];
        match there.place_of(hash, self.split, |slot| self.has(slot, key)) {
            Ok(place) => there.entries[place].slot as usize,
            Err(place) => {
                make();
                let slot = self.keys.len();
                let number = u32::try_from(slot).expect("an index has fewer than 2^32 slots");
                assert!(number != NONE, "an index has fewer than 2^32 slots");
                let there = &mut self.tables[table];
                there.entries[place] = Entry::new(hash, number);
                there.used += 1;
                self.keys.push(key);
                self.len += 1;
                slot
            }
        }
    }

    /// Makes 256 tables of one.
    #[cold]
    fn split_up(&mut self) {
        self.split = 8;
        let old = std::mem::replace(&mut self.tables, vec![Table::new(); 256]);
        for entry in old.into_iter().flat_map(|table| table.entries).filter(|entry| entry.slot != NONE) {
            self.tables[(entry.tag >> 24) as usize].insert(entry, 8);
        }
    }

    /// Takes the slot from its key.
    pub(crate) fn remove(&mut self, slot: usize, hash: u64) {
        let table = self.table(hash);
        let table = &mut self.tables[table];
        let place =
            table.place_of(hash, self.split, |other| other as usize == slot).expect("the slot is in use");
        table.remove(place, self.split);
        self.len -= 1;
    }

    /// If most slots are unused, numbers the others anew, in the order of the tables; returns what the number of each was.
    pub(crate) fn compact(&mut self) -> Option<Vec<u32>> {
        if self.keys.len() < 1024 || self.len * 2 > self.keys.len() {
            return None;
        }
        let used = |table: &Table| {
            table.entries.iter().map(|entry| entry.slot).filter(|&slot| slot != NONE).collect::<Vec<_>>()
        };
        let kept: Vec<u32> = self.tables.iter().flat_map(used).collect();
        let mut new = vec![NONE; self.keys.len()];
        kept.iter().zip(0..).for_each(|(&old, slot)| new[old as usize] = slot);
        for entry in self.tables.iter_mut().flat_map(|table| &mut table.entries) {
            if entry.slot != NONE {
                entry.slot = new[entry.slot as usize];
            }
        }
        let mut keys = K::Column::default();
        keys.extend_rows(&self.keys, &kept);
        self.keys = keys;
        Some(kept)
    }

    /// Returns the bytes of memory taken.
    pub(crate) fn bytes(&self) -> usize {
        let entries: usize = self.tables.iter().map(|table| size_of_val(table.entries.as_slice())).sum();
        entries + self.keys.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::column::tests::{number_of_hash, pair_of_one_hash};

    /// Whatever a map from keys to slots does, the index does; what belongs to a slot follows it through compaction.
    fn follows_a_map<K: Data + std::hash::Hash>(acts: impl IntoIterator<Item = (K, bool)>) {
        let mut index = KeyIndex::<K>::default();
        let mut model: HashMap<K, u64> = HashMap::new();
        let mut belongings: Vec<u64> = Vec::new();
        for (number, (key, stays)) in (0u64..).zip(acts) {
            let hash = <K as Data>::hash(key.borrow());
            let found = index.find(key.borrow(), hash);
            assert_eq!(found.map(|slot| belongings[slot]), model.get(&key).copied());
            if let Some(slot) = found {
                assert!(index.has(slot as u32, key.borrow()) && index.key(slot) == key.borrow());
                assert_eq!(index.slot(key.borrow(), hash, || unreachable!("the key is there")), slot);
            }
            let mut slots = vec![7];
            index.look(&[hash, !hash], &mut slots);
            assert_eq!((slots[0], slots.len()), (found.map_or(NONE, |slot| slot as u32), 2));
            match (found, stays) {
                (None, true) => {
                    let mut made = 0;
                    assert_eq!(index.slot(key.borrow(), hash, || made += 1), belongings.len());
                    assert_eq!(made, 1);
                    belongings.push(number);
                    model.insert(key, number);
                }
                (Some(slot), false) => {
                    index.remove(slot, hash);
                    model.remove(&key);
                }
                _ => {}
            }
            if let Some(kept) = index.compact() {
                belongings = kept.into_iter().map(|slot| belongings[slot as usize]).collect();
                assert_eq!(index.slots(), index.len());
            }
            assert_eq!(index.len(), model.len());
        }
        for (key, number) in &model {
            let slot = index.find(key.borrow(), <K as Data>::hash(key.borrow())).expect("every key is found");
            assert_eq!(belongings[slot], *number);
        }
    }

    proptest! {
        #[test]
        fn an_index_of_numbers_is_a_map(acts in vec((0u64..200, any::<bool>()), 0..3000)) {
            follows_a_map(acts);
        }

        #[test]
        fn an_index_of_strings_is_a_map(acts in vec(("[ab]{0,4}", any::<bool>()), 0..300)) {
            follows_a_map(acts);
        }
    }

    #[test]
    fn keys_of_neighbouring_hashes_are_told_apart() {
        let keys = (0..5000).map(|number| number_of_hash((7 << 50) + number));
        follows_a_map(keys.clone().map(|key| (key, true)).chain(keys.step_by(3).map(|key| (key, false))));
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let keys: Vec<_> = (0..300).map(pair_of_one_hash).collect();
        let (mut index, hash) = (KeyIndex::<(u64, u64)>::default(), <(u64, u64)>::hash((0, 0)));
        for (slot, &key) in keys.iter().enumerate() {
            assert_eq!(index.find(key, hash), None);
            let mut made = false;
            assert_eq!((index.slot(key, hash, || made = true), made), (slot, true));
        }
        (0..300).step_by(3).for_each(|slot| index.remove(slot, hash));
        for (slot, &key) in keys.iter().enumerate() {
            let there = (slot % 3 != 0).then_some(slot);
            assert_eq!(index.find(key, hash), there);
            assert!(index.has(slot as u32, key) && !index.has(slot as u32, (300, 300)));
        }
        let mut slots = Vec::new();
        index.look(&[hash], &mut slots);
        assert_ne!(slots[0] % 3, 0);
    }

    #[test]
    fn an_index_grows_into_many_tables_and_shrinks_again() {
        let keys = 0..30_000u64;
        let grow = keys.clone().map(|key| (key, true));
        let shrink = keys.clone().filter(|key| key % 7 != 0).map(|key| (key, false));
        follows_a_map(grow.chain(shrink).chain((20_000..60_000).map(|key| (key, true))));
    }
}
