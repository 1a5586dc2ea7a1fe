//! Aggregates of the values of positive weight.

use super::*;
use crate::operator::{Count, Fold, Max, MaxSome, Min, MinSome};

/// The values of positive weight of each key, in order.
fn groups<K: Data, V: Data>(a: &Rows<K, V>) -> BTreeMap<K, Vec<(V, i64)>> {
    let mut groups: BTreeMap<K, Vec<(V, i64)>> = BTreeMap::new();
    for ((k, v), &w) in a.iter().filter(|row| *row.1 > 0) {
        groups.entry(k.clone()).or_default().push((v.clone(), w));
    }
    groups
}

fn each<K: Data, V: Data, O: Data>(a: &Rows<K, V>, of: impl Fn(&[(V, i64)]) -> O) -> Rows<K, O> {
    rows(groups(a).into_iter().map(|(k, values)| (k, of(&values), 1)))
}

fn least<V: Clone>(values: &[(V, i64)]) -> V {
    values[0].0.clone()
}

fn greatest<V: Clone>(values: &[(V, i64)]) -> V {
    values[values.len() - 1].0.clone()
}

/// Changes of a set: of each row named it is there afterwards if it was not before.
fn turns(acts: &[Vec<(u64, i64)>]) -> Steps<u64, i64> {
    let mut there = std::collections::BTreeSet::new();
    let turn = |&row: &(u64, i64), there: &mut std::collections::BTreeSet<_>| {
        let weight = if there.remove(&row) { -1 } else { i64::from(there.insert(row)) };
        (row.0, row.1, weight)
    };
    acts.iter().map(|acts| acts.iter().map(|row| turn(row, &mut there)).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_least_and_the_greatest(numbers in steps(0u64..4, -6i64..6), names in steps("[ab]", "[xyz]{0,2}")) {
        is_incremental(&numbers, |a| a.aggregate(Min), |a| each(a, least));
        is_incremental(&numbers, |a| a.aggregate(Max), |a| each(a, greatest));
        is_incremental(&names, |a| a.aggregate(Min), |a| each(a, least));
        is_incremental(&names, |a| a.aggregate(Max), |a| each(a, greatest));
    }

    #[test]
    fn the_least_and_the_greatest_of_what_is_there(steps in steps(0u64..4, proptest::option::of(-3i64..3))) {
        is_incremental(&steps, |a| a.aggregate(MinSome), |a| {
            each(a, |values| values.iter().find_map(|value| value.0))
        });
        is_incremental(&steps, |a| a.aggregate(MaxSome), |a| each(a, greatest));
    }

    #[test]
    fn the_least_and_the_greatest_of_sets(acts in vec(vec((0u64..2, -2i64..3), 0..4), 1..40)) {
        let steps = turns(&acts);
        is_incremental(&steps, |a| a.aggregate(Min), |a| each(a, least));
        is_incremental(&steps, |a| a.aggregate(Max), |a| each(a, greatest));
    }

    #[test]
    fn the_least_and_the_greatest_of_many(acts in vec(vec((0u64..2, -90i64..90, -1i64..2), 0..150), 1..6)) {
        let turns = turns(&acts.iter().map(|acts| acts.iter().map(|act| (act.0, act.1)).collect()).collect::<Vec<_>>());
        for steps in [acts, turns] {
            is_incremental(&steps, |a| a.aggregate((Min, Max)), |a| {
                each(a, |values| (least(values), greatest(values)))
            });
        }
    }

    #[test]
    fn folds(steps in steps(0u64..4, "[xyz]{0,2}")) {
        let list = |list: &mut String, val: &str, weight: i64| *list += &format!("{val}{weight} ");
        is_incremental(&steps, move |a| a.aggregate(Fold::new::<String>(String::new(), list, |list| list)), |a| {
            each(a, |values| values.iter().map(|(val, weight)| format!("{val}{weight} ")).collect::<String>())
        });
    }

    #[test]
    fn several_at_once(steps in vec(vec((0u64..4, -6i64..6, 1i64..4), 0..25), 1..12)) {
        is_incremental(&steps, |a| a.aggregate((Min, Max, Count)), |a| {
            each(a, |values| (least(values), greatest(values), values.iter().map(|value| value.1).sum::<i64>()))
        });
    }

    #[test]
    fn averages(steps in steps(0u64..4, -6i64..6)) {
        is_incremental(&steps, |a| a.average(|&v| v), |a| {
            let mut sums = BTreeMap::new();
            for ((k, v), w) in a {
                let group = sums.entry(*k).or_insert((0, 0));
                *group = (group.0 + v * w, group.1 + w);
            }
            rows(sums.into_iter().filter(|(_, group)| group.1 > 0).map(|(k, (sum, count))| (k, sum / count, 1)))
        });
    }
}

#[test]
fn what_takes_the_place_of_a_lone_winner_is_remembered_whole() {
    let places = [0, 1, 2];
    for [a, b, c] in [places, [2, 1, 0]] {
        let steps = turns(&[vec![(7, a)], vec![(7, a), (7, b), (7, c)], vec![(7, b)], vec![(7, c)]]);
        is_incremental(&steps, |a| a.aggregate(Min), |a| each(a, least));
        is_incremental(&steps, |a| a.aggregate(Max), |a| each(a, greatest));
    }
}
