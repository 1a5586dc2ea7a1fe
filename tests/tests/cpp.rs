//! Tables from Rust to C++ and from C++ to Rust: each side judges what the other has written.

use arrow_schema::{DataType, Field};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use qadataswap_tables::{batch_of, wide_batch};
use qadataswap_tests::crossing::{Language, SLOT_BYTES, come_back, come_from, reach};
use qadataswap_tests::samples::{
    Table, adorned, all_null, chunks_of_other_dictionaries, extensions, filed, has_no_place_in_cpp,
    in_chunks, plain, random, sliced, without_rows,
};
use qadataswap_tests::scene::{Full, Owed, Squeeze};
use qadataswap_tests::{
    Actor, Cpp, Line, PATIENCE, PROMPT, Ring, Role, Scene, Tally, check, eventually, in_place, table,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;

const SEED: u64 = 41;

fn reach_cpp(ring: impl Fn(&Scene) -> Ring, tables: &[Table]) {
    if let Some(cpp) = Cpp::ready() {
        reach(&cpp, ring, tables);
    }
}

fn come_from_cpp(ring: impl Fn(&Scene) -> Ring, tables: &[Table]) {
    if let Some(cpp) = Cpp::ready() {
        come_from(&cpp, ring, tables);
    }
}

fn come_back_from_cpp(tables: &[Table]) {
    if let Some(cpp) = Cpp::ready() {
        come_back(&cpp, tables);
    }
}

fn raw(scene: &Scene) -> Ring {
    scene.ring("feed")
}

/// One fact of a set of tables, each way.
macro_rules! crosses {
    ($($there:ident, $here:ident: $tables:expr;)*) => {
        $(
            #[test]
            fn $there() {
                reach_cpp(raw, &$tables);
            }

            #[test]
            fn $here() {
                come_from_cpp(raw, &$tables);
            }
        )*
    };
}

crosses! {
    every_type_is_read_in_cpp_as_it_was_written, every_type_is_read_from_cpp_as_it_was_written: plain();
    slices_are_read_in_cpp_as_they_were_written, slices_are_read_from_cpp_as_they_were_written: sliced();
    tables_without_rows_are_read_in_cpp, tables_without_rows_are_read_from_cpp: without_rows();
    columns_of_nulls_are_read_in_cpp, columns_of_nulls_are_read_from_cpp: all_null();
    chunks_are_read_in_cpp_as_they_were_written, chunks_are_read_from_cpp_as_they_were_written: in_chunks();
    chunks_may_have_dictionaries_of_their_own_in_cpp, chunks_may_have_dictionaries_of_their_own_from_cpp:
        chunks_of_other_dictionaries();
    metadata_reaches_cpp, metadata_comes_from_cpp: adorned();
    extension_types_reach_cpp, extension_types_come_from_cpp: extensions();
    random_tables_are_read_in_cpp_as_they_were_written, random_tables_are_read_from_cpp_as_they_were_written:
        random(300);
}

#[test]
fn every_type_comes_back_from_cpp_equal_and_in_place() {
    come_back_from_cpp(&plain());
}

#[test]
fn slices_and_chunks_come_back_from_cpp_equal_and_in_place() {
    come_back_from_cpp(&[sliced(), in_chunks(), chunks_of_other_dictionaries()].concat());
}

#[test]
fn random_tables_come_back_from_cpp_equal_and_in_place() {
    come_back_from_cpp(&random(200));
}

#[test]
fn what_has_no_place_in_cpp_is_an_error_there() {
    let Some(cpp) = Cpp::ready() else { return };
    let ends = Arc::new(Field::new("run_ends", DataType::Int32, false));
    let runs = |values| DataType::RunEndEncoded(ends.clone(), Arc::new(Field::new("values", values, true)));
    let runs_of_runs = runs(runs(DataType::Int64));
    assert!(has_no_place_in_cpp(&runs_of_runs));
    let array = qadataswap_tables::random_array(&mut StdRng::seed_from_u64(9), &runs_of_runs, 20, true);
    let scene = Scene::new();
    let (there, back) = (scene.ring("there"), scene.ring("back"));
    let writer = there.writer().expect("created");
    let mut actor = cpp.start(&Role::Echo { from: there, to: back });
    actor.opens();
    writer.write_arrow(&batch_of(vec![("runs of runs", array)])).expect("written");
    match actor.line() {
        Line::Fault(what) => assert!(what.contains("nested run-end"), "{what}"),
        line => panic!("{line:?}: Arrow C++ takes it now, so it has its place among the other types"),
    }
    assert!(!actor.ended().success());
}

#[test]
fn compressed_frames_are_read_in_cpp() {
    for squeeze in [Squeeze::Lz4, Squeeze::Zstd] {
        reach_cpp(|scene| scene.ring("feed").squeeze(squeeze), &[plain(), in_chunks()].concat());
    }
}

#[test]
fn frames_that_cpp_compressed_are_read() {
    for squeeze in [Squeeze::Lz4, Squeeze::Zstd] {
        come_from_cpp(|scene| scene.ring("feed").squeeze(squeeze), &[plain(), in_chunks()].concat());
    }
}

#[test]
fn a_table_in_cpp_outlives_its_reader_its_writer_and_the_rings_name() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed").slot_bytes(SLOT_BYTES);
    let tables = [Table::of(vec![wide_batch()])];
    let file = filed(&scene, &tables);
    let writer = ring.writer().expect("created");
    let actor = cpp.start(&Role::Compare { ring: ring.clone(), file: file.clone() });
    actor.opens();
    writer.write_batches(&tables[0].schema, &tables[0].batches).expect("written");
    drop(writer);
    assert_eq!(actor.ends().read, 1);
    let info = scene.info("feed").expect("the table keeps the ring");
    assert!(info.readers[0].lingering && info.readers[0].pins == 1, "{:?}", info.readers);
    std::fs::remove_file(ring.path()).expect("the ring has a name");
    std::fs::remove_file(file).expect("ours");
    // It compares its table once more, and says if it differs.
    actor.finish();
}

#[test]
fn what_cpp_builds_on_the_writers_pool_is_published_in_place() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let mut actor = cpp.start(&Role::Build { ring: ring.clone(), seed: SEED, until: 50 });
    actor.opens();
    let reader = ring.reader().expect("attached");
    actor.tell("go");
    for sequence in 0..50 {
        let frame = reader.read_frame(PATIENCE).expect("no error").expect("a frame");
        assert_eq!(frame.sequence(), sequence);
        check(SEED, &frame).expect("whole");
        in_place(&frame).expect("in place");
    }
    let Line::Fact(_, written) = actor.line() else { panic!("no bytes written") };
    let Line::Fact(_, placed) = actor.line() else { panic!("no bytes in place") };
    assert!(placed > 0 && placed <= written, "{placed} bytes of {written} in place");
    assert!(reader.iter().next().is_none());
    actor.finish();
}

#[test]
fn a_lossy_reader_in_cpp_knows_how_many_frames_it_missed() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed").full(Full::Overwrite).policy(Owed::Lossy);
    let writer = ring.writer().expect("created");
    let write = |sequences: std::ops::Range<u64>| {
        for sequence in sequences {
            assert_eq!(writer.write_arrow(&table(SEED, sequence)).expect("written"), sequence);
        }
    };
    let reader = cpp.start(&Role::Follow { ring: ring.clone(), seed: SEED, hold: 0, survive: false });
    reader.opens();
    write(0..1);
    eventually("it has read the first frame and let go of it", || {
        let info = scene.info("feed").expect("live");
        info.readers.iter().any(|reader| reader.cursor == 1 && reader.pins == 0)
    });
    let pid = Pid::from_raw(reader.pid() as i32);
    kill(pid, Signal::SIGSTOP).expect("ours");
    write(1..1000);
    let standing = scene.info("feed").expect("live").standing.len() as u64;
    drop(writer);
    kill(pid, Signal::SIGCONT).expect("ours");
    let tally = reader.ends();
    assert_eq!(tally, Tally { read: 1 + standing, missed: 999 - standing, first: Some(0), last: Some(999) });
    reader.finish();
}

#[test]
fn a_lossy_reader_of_a_cpp_writer_knows_how_many_frames_it_missed() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed").full(Full::Overwrite).policy(Owed::Lossy);
    let role = Role::Write { ring: ring.clone(), seed: SEED, until: Some(1000), stay: false, wait: true };
    let mut writing = cpp.start(&role);
    writing.opens();
    let (reader, latest) = (ring.reader(), ring.clone().policy(Owed::Latest).reader());
    let (reader, latest) = (reader.expect("attached"), latest.expect("attached"));
    writing.tell("go");
    writing.says(&Line::Wrote { next: 1000 });
    let standing = scene.info("feed").expect("there").standing.len() as u64;
    for (reader, read) in [(reader, standing), (latest, 1)] {
        let mut sequences = Vec::new();
        while let Ok(frame) = reader.read_frame(PROMPT) {
            let frame = frame.expect("a frame or the end");
            check(SEED, &frame).expect("whole");
            sequences.push(frame.sequence());
        }
        assert_eq!(sequences, (1000 - read..1000).collect::<Vec<_>>());
        assert_eq!(reader.stats().frames_missed, 1000 - read);
    }
    writing.finish();
}

#[test]
fn a_lossless_reader_in_cpp_holds_a_writer_up_and_misses_nothing() {
    let Some(cpp) = Cpp::ready() else { return };
    let scene = Scene::new();
    let ring = scene.ring("feed");
    let writer = ring.writer().expect("created");
    let readers: Vec<Actor> = [0, 2]
        .into_iter()
        .map(|hold| cpp.start(&Role::Follow { ring: ring.clone(), seed: SEED, hold, survive: false }))
        .collect();
    readers.iter().for_each(|reader| {
        reader.opens();
    });
    for sequence in 0..2000 {
        writer.write_arrow(&table(SEED, sequence)).expect("written");
    }
    drop(writer);
    for reader in readers {
        assert_eq!(reader.ends(), Tally { read: 2000, missed: 0, first: Some(0), last: Some(1999) });
        reader.finish();
    }
}
