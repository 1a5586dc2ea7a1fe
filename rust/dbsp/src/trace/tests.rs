//! Batches, runs and spines against a map from rows to weights.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::algebra::F64;
use crate::column::tests::{number_of_hash, pair_of_one_hash};
use crate::column::{Data, Values, mix};

type Model<K, V> = BTreeMap<(K, V), i64>;

fn add<K: Data, V: Data>(model: &mut Model<K, V>, batch: &[(K, V, i64)]) {
    for (key, val, weight) in batch {
        *model.entry((key.clone(), val.clone())).or_default() += weight;
    }
    model.retain(|_, weight| *weight != 0);
}

fn rows<K: Data, V: Data>(model: &Model<K, V>) -> Vec<(K, V, i64)> {
    model.iter().map(|((key, val), &weight)| (key.clone(), val.clone(), weight)).collect()
}

/// A consolidated batch lies in the order of state and lists no row twice.
fn in_order<K: Data, V: Data>(batch: &Batch<K, V>) {
    assert!(batch.is_consolidated());
    let places: Vec<_> = batch.iter().map(|(key, val, _)| (K::hash(key), key, val)).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(batch.iter().all(|(_, _, weight)| weight != 0));
}

/// Whatever a map from rows to weights does, a spine does, in every way in which it can be read.
fn follows_a_map<K: Data, V: Data>(batches: &[Vec<(K, V, i64)>]) {
    let mut model = Model::new();
    let mut spine = Spine::new();
    let mut snapshots = Vec::new();
    for rows_of in batches {
        let mut batch: Batch<K, V> = rows_of.iter().cloned().collect();
        batch.consolidate();
        in_order(&batch);
        add(&mut model, rows_of);
        spine.insert(batch);
        snapshots.push((spine.snapshot(), rows(&model)));
    }
    for (snapshot, rows) in snapshots {
        assert_eq!(snapshot.to_batch().to_rows(), rows);
    }
    let sum = spine.to_batch();
    in_order(&sum);
    assert_eq!(sum.to_rows(), rows(&model));
    assert!(spine.len() >= model.len());
    for (key, _, _) in batches.iter().flatten() {
        let group: Vec<(V, i64)> = model
            .iter()
            .filter(|row| row.0.0 == *key)
            .map(|((_, val), &weight)| (val.clone(), weight))
            .collect();
        let hash = K::hash(key.borrow());
        let (mut up, mut down) = (spine.group(key.borrow(), hash), spine.group(key.borrow(), hash));
        let mut least = Vec::new();
        while let Some((val, weight)) = up.next_least() {
            least.push((V::owned(val), weight));
        }
        assert_eq!(least, group);
        let mut greatest = Vec::new();
        while let Some((val, weight)) = down.next_greatest() {
            greatest.push((V::owned(val), weight));
        }
        greatest.reverse();
        assert_eq!(greatest, group);
        let mut sums: BTreeMap<V, i64> = BTreeMap::new();
        spine
            .group(key.borrow(), hash)
            .for_each(|val, weight| *sums.entry(V::owned(val)).or_default() += weight);
        sums.retain(|_, weight| *weight != 0);
        assert_eq!(sums.into_iter().collect::<Vec<_>>(), group);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn spines_of_numbers_are_maps(batches in vec(vec((0u64..50, 0i32..6, -2i64..3), 0..30), 0..40)) {
        follows_a_map(&batches);
    }

    #[test]
    fn spines_of_strings_are_maps(batches in vec(vec(("[a-c]{0,3}", "[a-c]{0,2}", -2i64..3), 0..20), 0..20)) {
        follows_a_map(&batches);
    }

    #[test]
    fn spines_of_sets_are_maps(batches in vec(vec((any::<u8>(), -2i64..3), 0..200), 0..40)) {
        let batches: Vec<Vec<_>> =
            batches.into_iter().map(|rows| rows.into_iter().map(|(row, weight)| ((row, Some(row)), (), weight)).collect()).collect();
        follows_a_map(&batches);
    }
}

#[test]
fn large_batches_are_sorted_by_piles() {
    for rows in [1, 47, 48, 49, 1000, 100_000] {
        let mut batch: Batch<u64, u64> = (0..rows).map(|row| (row * 7919 % 5003, row % 3, 1)).collect();
        let expected = rows.min(5003 * 3);
        batch.consolidate();
        in_order(&batch);
        assert_eq!(batch.len() as u64, expected.min(batch.len() as u64));
        assert_eq!(batch.iter().map(|row| row.2).sum::<i64>(), rows as i64);
    }
}

/// Batches so large that merges take whole parts of the range of hashes, beside a key with very many values.
fn merges_of_parts_follow_a_map<K: Data>(key: impl Fn(u64) -> K) {
    let (mut model, mut spine) = (Model::new(), Spine::new());
    for step in 0..24u64 {
        let rows_of: Vec<(K, u64, i64)> = (0..1500 + 400 * (step % 5))
            .map(|row| {
                let random = mix(step << 32 | row);
                let number = if random.is_multiple_of(7) { 0 } else { random % 6000 };
                (
                    key(number),
                    (random >> 40) % if number == 0 { 900 } else { 2 },
                    (random >> 20) as i64 % 4 - 1,
                )
            })
            .collect();
        let mut batch: Batch<K, u64> = rows_of.iter().cloned().collect();
        batch.consolidate();
        in_order(&batch);
        add(&mut model, &rows_of);
        spine.insert(batch);
        spine.runs().for_each(|run| in_order(run.rows()));
    }
    assert!(spine.runs().any(|run| run.len() > 3100), "some runs have been merged");
    let sum = spine.to_batch();
    in_order(&sum);
    assert_eq!(sum.to_rows(), rows(&model));
    for number in 0..3000 {
        let (key, mut sums) = (key(number), BTreeMap::new());
        spine
            .group(key.borrow(), K::hash(key.borrow()))
            .for_each(|val, weight| *sums.entry(val).or_default() += weight);
        sums.retain(|_, weight| *weight != 0);
        let expected = model.range((key.clone(), 0)..=(key.clone(), u64::MAX));
        assert_eq!(sums, expected.map(|((_, val), &weight)| (*val, weight)).collect());
    }
}

#[test]
fn merges_of_parts_are_sums() {
    merges_of_parts_follow_a_map(|number| number);
    merges_of_parts_follow_a_map(|number| format!("{number}"));
}

#[test]
fn keys_of_neighbouring_hashes_are_sorted_too() {
    let mut spine = Spine::<u64>::new();
    for step in 0..8 {
        let mut batch: Batch<u64> =
            (0..5000).map(|row| (number_of_hash((3 << 50) + mix(row * 8 + step) % 100_000), 1)).collect();
        batch.consolidate();
        in_order(&batch);
        spine.insert(batch);
        spine.runs().for_each(|run| in_order(run.rows()));
    }
    let sum = spine.to_batch();
    in_order(&sum);
    assert_eq!(sum.iter().map(|row| row.2).sum::<i64>(), 40_000);
}

#[test]
fn a_step_never_waits_for_a_merge() {
    let mut spine = Spine::<u64, u64>::new();
    for step in 0..4000u64 {
        let mut batch: Batch<u64, u64> = (0..50).map(|row| (step * 50 + row, step, 1)).collect();
        batch.consolidate();
        spine.insert(batch);
        assert!(spine.runs().count() <= 2 * 4 * 9, "{} runs after {step} steps", spine.runs().count());
    }
    assert_eq!(spine.len(), 200_000);
    assert_eq!(spine.to_batch().len(), 200_000);
}

#[test]
fn rows_that_cancel_are_forgotten() {
    let mut spine = Spine::<u64>::new();
    for step in 0..1000 {
        for weight in [1, -1] {
            let mut batch: Batch<u64> = (0..64).map(|row| (step * 64 + row, weight)).collect();
            batch.consolidate();
            spine.insert(batch);
        }
    }
    assert!(spine.len() < 64 * 100, "{} rows are left of none", spine.len());
    assert!(spine.to_batch().is_empty());
}

/// Whatever the values of a few keys begin with, they lie in their order.
fn many_values_are_sorted<K: Data, V: Data>(keys: &[K], val: impl Fn(u64) -> V) {
    for many in [40u64, 100, 5000] {
        let row = |number: u64| {
            let (key, weight) =
                (&keys[number as usize % keys.len()], 1 - 2 * i64::from(number.is_multiple_of(7)));
            (key.clone(), val(mix(number) % (many - many / 4)), weight)
        };
        let changes: Vec<_> = (0..many).map(row).collect();
        let mut batch: Batch<K, V> = changes.iter().cloned().collect();
        batch.consolidate();
        in_order(&batch);
        let mut model = Model::new();
        add(&mut model, &changes);
        assert_eq!(batch.to_rows(), rows(&model));
    }
}

#[test]
fn many_values_of_one_key_are_sorted() {
    many_values_are_sorted(&[()], |number| number as i64 - 500);
    many_values_are_sorted(&[7u8, 9], |number| {
        F64::new(if number.is_multiple_of(3) { -1.5 } else { 0.5 } * number as f64)
    });
    many_values_are_sorted(&["ESZ6".to_owned(), "NQZ6".to_owned()], |number| {
        // What it begins with is the same of many, and no more than a beginning.
        (format!("a long beginning{}", number % 2), Reverse(number))
    });
    many_values_are_sorted(&[(1i64, 2i64)], |number| (number % 5 > 0).then_some(number));
    many_values_are_sorted(&[1, 2, 3].map(pair_of_one_hash), |number| number);
    many_values_are_sorted(&[((), 3u32)], |number| {
        if number.is_multiple_of(100) { u64::MAX - number } else { number }
    });
}

#[test]
fn a_key_with_very_many_values_is_found_whole() {
    let mut spine = Spine::<String, u32>::new();
    for start in 0..20 {
        let mut batch: Batch<String, u32> = (0..1000)
            .map(|row| ("one".to_owned(), start * 1000 + row, 1))
            .chain([("two".to_owned(), start, 1)])
            .collect();
        batch.consolidate();
        spine.insert(batch);
    }
    let mut group = spine.group("one", String::hash("one"));
    assert_eq!(group.next_greatest(), Some((19_999, 1)));
    assert_eq!(group.next_least(), Some((0, 1)));
    let mut rows = 0;
    group.for_each(|_, _| rows += 1);
    assert_eq!(rows, 19_998);
    assert!(spine.group("none", String::hash("none")).is_empty());
}

#[test]
fn what_is_not_retained_is_hidden_at_once_and_left_behind_by_merges() {
    let mut spine = Spine::<u32, u64>::new();
    for step in 0..2000u64 {
        let mut batch: Batch<u32, u64> = (0..50).map(|row| (row as u32 % 7, step * 50 + row, 1)).collect();
        batch.consolidate();
        spine.insert(batch);
        let edge = (step * 50).saturating_sub(1000);
        spine.retain_values(move |val| val >= edge);
        spine.retain_keys(|key| key != 3);
        let mut group = spine.group(2, u32::hash(2));
        let least = group.next_least().expect("some rows are retained").0;
        assert!((edge..edge + 50).contains(&least), "{least} is the least that is left from {edge} on");
        group.for_each(|val, _| assert!(val >= edge));
        assert!(spine.group(3, u32::hash(3)).is_empty());
    }
    assert!(spine.len() < 8 * 1050, "{} rows are left of 900", spine.len());
    assert!(spine.to_batch().iter().all(|(key, val, _)| key != 3 && val >= 98_950));
    assert!(spine.snapshot().group(3, u32::hash(3)).is_empty());
}

#[test]
fn the_ends_of_a_group_are_moved_by_search() {
    let mut spine = Spine::<u32, u64>::new();
    for start in 0..30 {
        let mut batch: Batch<u32, u64> = (0..100).map(|row| (7, row * 30 + start, 1)).collect();
        batch.consolidate();
        spine.insert(batch);
    }
    let looked = std::cell::Cell::new(0);
    let mut group = spine.group(7, u32::hash(7));
    group.skip_while(|val| {
        looked.set(looked.get() + 1);
        val < 1234
    });
    group.take_while(|val| val <= 2345);
    assert!(looked.get() < 12 * spine.runs().count());
    assert_eq!((group.next_least(), group.next_greatest()), (Some((1234, 1)), Some((2345, 1))));
    group.skip_while(|_| true);
    assert!(group.is_empty());
}

/// Whatever way rows take into a batch, they lie there in their order.
fn holds_what_is_added<K: Data>(key: impl Fn(u64) -> K) {
    for many in [0, 1, 4, 5, 256, 260, 261, 1000] {
        let rows: Vec<_> =
            (0..many).map(|row| (key(row), row as i32, if row % 300 == 7 { -1 } else { 1 })).collect();
        let mut batch = Batch::new();
        batch.extend_items(rows.clone());
        // Behind them, by an iterator that does not know its length.
        let mut more = rows.iter();
        batch.extend_items(std::iter::from_fn(|| more.next().cloned()));
        assert_eq!(batch.is_consolidated(), many == 0);
        let held: Vec<_> = batch.iter().map(|(key, val, weight)| (K::owned(key), val, weight)).collect();
        assert_eq!(held, [rows.clone(), rows].concat());
    }
}

#[test]
fn rows_lie_in_the_order_in_which_they_are_added() {
    holds_what_is_added(|row| row);
    holds_what_is_added(|row| (row, row.to_string(), format!("{row:x}")));
}

#[test]
fn a_batch_gives_memory_back_that_it_has_long_not_needed() {
    let mut batch = Batch::<u64>::new();
    let mut capacity_after = |steps: usize, rows: u64| {
        for _ in 0..steps {
            batch.extend_items((0..rows).map(|row| (row, (), 1)));
            batch.clear();
        }
        match &batch.keys().0 {
            Values::Owned(values) => values.capacity(),
            Values::Shared(_) => 0,
        }
    };
    assert!(capacity_after(1, 100_000) >= 100_000);
    assert!(capacity_after(200, 26_000) >= 100_000, "more than a quarter is needed in each step");
    assert!(capacity_after(40, 10) >= 100_000, "not for a few steps yet");
    assert!(capacity_after(1, 26_000) >= 100_000);
    assert!(capacity_after(40, 10) >= 100_000, "nor so soon after it was needed again");
    assert!(capacity_after(40, 10) < 1000);
}
