//! Operators with one input.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn filters_and_maps(steps in steps(0u32..20, -5i64..5)) {
        is_incremental(&steps, |a| a.filter(|(k, v)| k % 2 == 0 && *v > -3), |a| {
            rows(a.iter().filter(|((k, v), _)| k % 2 == 0 && *v > -3).map(|(&(k, v), &w)| (k, v, w)))
        });
        is_incremental(&steps, |a| a.map(|(k, v)| i64::from(k % 3) + v), |a| {
            rows(a.iter().map(|(&(k, v), &w)| (i64::from(k % 3) + v, (), w)))
        });
        is_incremental(&steps, |a| a.map_index(|&(k, v)| (v, k.to_string())), |a| {
            rows(a.iter().map(|(&(k, v), &w)| (v, k.to_string(), w)))
        });
        let named = |a: &Rows<u32, i64>| rows(a.iter().map(|(&(k, v), &w)| ((k, v.to_string()), (), w)));
        is_incremental(&steps, |a| {
            a.map(|&(k, v)| (v.to_string(), k)).map_by_ref::<(u32, String)>(|(name, k)| (*k, name))
        }, named);
        is_incremental(&steps, |a| {
            let named = a.map_index(|&(k, v)| (k, v.to_string()));
            named.map_index_by_ref::<(u32, String), ()>(|&(k, name)| ((k, name), ()))
        }, named);
        is_incremental(&steps, |a| a.filter_map(|(k, v)| (*v > 0).then(|| (*k, v * 2))), |a| {
            rows(a.iter().filter(|((_, v), _)| *v > 0).map(|(&(k, v), &w)| ((k, v * 2), (), w)))
        });
        is_incremental(&steps, |a| a.flat_map(|&(k, _)| 0..k % 4), |a| {
            rows(a.iter().flat_map(|(&(k, _), &w)| (0..k % 4).map(move |row| (row, (), w))))
        });
        is_incremental(&steps, |a| a.flat_map_index(|&(k, v)| (0..k % 4).map(move |row| (row, v))), |a| {
            rows(a.iter().flat_map(|(&(k, v), &w)| (0..k % 4).map(move |row| (row, v, w))))
        });
        is_incremental(&steps, |a| a.map(|&pair| pair).index(), Clone::clone);
    }

    #[test]
    fn sums(steps in steps(0u32..20, 0i64..3)) {
        is_incremental(&steps, |a| a.plus(&a.filter(|(k, _)| k % 2 == 0)), |a| {
            rows(a.iter().map(|(&(k, v), &w)| (k, v, if k % 2 == 0 { 2 * w } else { w })))
        });
        is_incremental(&steps, |a| a.minus(&a.filter(|(k, _)| k % 2 == 0)), |a| {
            rows(a.iter().filter(|((k, _), _)| k % 2 == 1).map(|(&(k, v), &w)| (k, v, w)))
        });
        is_incremental(&steps, |a| a.neg().sum([a, a, a]), |a| rows(a.iter().map(|(&(k, v), &w)| (k, v, 2 * w))));
        is_incremental(&steps, Stream::consolidate, Clone::clone);
        is_incremental(&steps, |a| a.shard().gather(0), Clone::clone);
        is_incremental(&steps, |a| a.integrate().differentiate(), Clone::clone);
    }

    #[test]
    fn sets(steps in steps(0u32..8, "[ab]?")) {
        is_incremental(&steps, Stream::distinct, |a| {
            rows(a.iter().filter(|(_, w)| **w > 0).map(|((k, v), _)| (*k, v.clone(), 1)))
        });
        is_incremental(&steps, Stream::distinct_count, |a| {
            let mut counts = BTreeMap::new();
            a.iter().filter(|(_, w)| **w > 0).for_each(|((k, _), _)| *counts.entry(*k).or_insert(0) += 1);
            rows(counts.into_iter().map(|(k, count)| (k, count, 1)))
        });
        is_incremental(&steps, Stream::keys_of, |a| {
            let keys: std::collections::BTreeSet<_> = a.iter().filter(|(_, w)| **w > 0).map(|((k, _), _)| *k).collect();
            rows(keys.into_iter().map(|k| (k, (), 1)))
        });
    }

    #[test]
    fn sums_by_key(steps in steps("[ab]{0,2}", -5i64..5)) {
        is_incremental(&steps, |a| a.aggregate_linear(|&v| (v, i128::from(v))), |a| {
            let mut sums = BTreeMap::new();
            for ((k, v), w) in a {
                let group = sums.entry(k.clone()).or_insert((0, 0));
                *group = (group.0 + v * w, group.1 + w);
            }
            sums.retain(|_, group| *group != (0, 0));
            rows(sums.into_iter().map(|(k, (sum, _))| (k, (sum, i128::from(sum)), 1)))
        });
        is_incremental(&steps, |a| a.aggregate_linear_postprocess(|&v| (v, 1), |(sum, count)| (sum > count).to_string()), |a| {
            let mut sums = BTreeMap::new();
            for ((k, v), w) in a {
                let group = sums.entry(k.clone()).or_insert((0, 0));
                *group = (group.0 + v * w, group.1 + w);
            }
            sums.retain(|_, group| *group != (0, 0));
            rows(sums.into_iter().map(|(k, (sum, count))| (k, (sum > count).to_string(), 1)))
        });
    }
}

#[test]
fn what_is_pushed_at_once_is_shared_out_among_the_workers() {
    for workers in [1, 2, 3] {
        let (mut circuit, (rows, output)) = Runtime::init_circuit(workers, |circuit| {
            let (a, rows) = circuit.add_input_zset::<u64>();
            Ok((rows, a.output()))
        })
        .expect("the circuit is built");
        let shares = |circuit: &mut DBSPHandle| {
            circuit.step().expect("a sound circuit succeeds");
            let metrics = circuit.gather_metrics().expect("the circuit is there");
            metrics
                .into_iter()
                .filter(|metric| metric.name == "input")
                .map(|metric| metric.rows)
                .collect::<Vec<_>>()
        };
        rows.extend((0..6000).map(|row| (row, 1)));
        assert_eq!(shares(&mut circuit), vec![6000 / workers as u64; workers]);
        // An iterator that does not know its length, behind what is there already.
        rows.push(0, 1);
        rows.extend((0..12_000).filter(|row| row % 2 == 0).map(|row| (row, -1)));
        let all = shares(&mut circuit);
        assert_eq!(all.iter().sum::<u64>(), 12_001);
        assert!(all.iter().all(|&share| share >= 6000 / workers as u64 + 1000), "{all:?}");
        // One by one they go to each in turn.
        (0..6).for_each(|row| rows.extend([(row, 1)]));
        let (before, after) = (all, shares(&mut circuit));
        assert!(before.iter().zip(&after).all(|(before, after)| after - before == 6 / workers as u64));
        let mut sum = self::rows((0..6000).map(|row| (row, (), 1)));
        add(&mut sum, (0..12_000).filter(|row| row % 2 == 0).map(|row| (row, (), -1)));
        add(&mut sum, (0..6).chain([0]).map(|row| (row, (), 1)));
        assert_eq!(self::rows(output.take().to_rows()), sum);
    }
}
