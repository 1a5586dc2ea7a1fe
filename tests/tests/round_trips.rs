//! Random tables of random types, from each language to each, itself included.
//!
//! `QADATASWAP_ROUND_TRIPS` says how many tables go; 2,000 unless given. The tables of a run are told by their seeds, which
//! begin at `QADATASWAP_SEED`.

use qadataswap_scorecard::Effort;
use qadataswap_tests::crossing::{Rust, come_from, pass, reach};
use qadataswap_tests::samples::{Table, random_table};
use qadataswap_tests::scene::note;
use qadataswap_tests::{Cpp, Python, Ring, Scene};

fn raw(scene: &Scene) -> Ring {
    scene.ring("feed")
}

#[test]
fn random_tables_arrive_as_they_were_from_each_language_in_each() {
    let (Some(cpp), Some(python)) = (Cpp::ready(), Python::ready()) else { return };
    let first = std::env::var("QADATASWAP_SEED").map_or(1 << 20, |seed| seed.parse().expect("a number"));
    let mut seeds = first..;
    let mut effort = Effort::of("round trips", 2000);
    // Tables that go in one ring: many, if there are many, for each ring has processes of its own.
    let size = (effort.asked() / 18).clamp(50, 1000);
    let mut bundle = |fits: fn(&Table) -> bool| -> Vec<Table> {
        seeds.by_ref().map(random_table).filter(fits).take(size as usize).collect()
    };
    // A stream of a table has no batches without rows in pyarrow.
    let from_python =
        |tables: Vec<Table>| tables.iter().map(Table::without_empty_batches).collect::<Vec<_>>();
    let mut ways = [0; 9];
    let mut way = 0;
    while effort.goes_on_by(size) {
        match way {
            0 => reach(&Rust, raw, &bundle(|_| true)),
            1 => reach(&cpp, raw, &bundle(Table::fits_cpp)),
            2 => reach(&python, raw, &bundle(Table::fits_python)),
            3 => come_from(&cpp, raw, &bundle(Table::fits_cpp)),
            4 => pass(&cpp, &cpp, &bundle(Table::fits_cpp)),
            5 => pass(&cpp, &python, &bundle(Table::fits_python)),
            6 => come_from(&python, raw, &from_python(bundle(Table::fits_python))),
            7 => pass(&python, &cpp, &from_python(bundle(Table::fits_python))),
            _ => pass(&python, &python, &from_python(bundle(Table::fits_python))),
        }
        ways[way] += size;
        way = (way + 1) % ways.len();
    }
    note(&format!("{ways:?} tables by way, seeds from {first}"));
    assert!(ways.iter().all(|&tables| tables > 0), "a way was not gone: {ways:?}");
    // A way fails at its first difference.
    effort.tell(&[("ways", ways.len() as u64)]);
}
