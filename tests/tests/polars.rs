//! Polars frames between Rust and the other languages: what Rust writes as Polars arrives there as the Arrow table it is,
//! and what comes from there is what Rust has of it in Polars.

use polars::prelude::DataFrame;
use qadataswap::{ErrorKind, Reader, Writer};
use qadataswap_tests::crossing::{Language, SLOT_BYTES};
use qadataswap_tests::samples::{Table, filed, in_chunks, plain, random, sliced, without_rows};
use qadataswap_tests::{Cpp, PATIENCE, Python, Role, Scene, Tally};
use std::sync::Mutex;

/// A frame of Polars and the table that it is in a ring.
struct Sample {
    frame: DataFrame,
    table: Table,
}

/// Held by whoever uses the process's categories, which grow with every frame that is read and travel with every frame
/// that is written.
static CATEGORIES: Mutex<()> = Mutex::new(());

/// The samples whose types Polars has, as Polars has them; and the rings in which they lie, which are to go after them.
fn samples() -> (Scene, Vec<Sample>) {
    let scene = Scene::new();
    let tables = [plain(), sliced(), without_rows(), in_chunks(), random(120)].concat();
    // A ring for each, since the frames are kept, and lie there.
    let ring = |what: &str, number: usize| scene.ring(&format!("{what}-{number}")).slot_bytes(SLOT_BYTES);
    let mut frames = Vec::new();
    for (number, table) in tables.into_iter().enumerate() {
        let ring = ring("arrow", number);
        let (writer, reader): (Writer, Reader) =
            (ring.writer().expect("created"), ring.reader().expect("attached"));
        writer.write_batches(&table.schema, &table.batches).expect("written");
        match reader.read(PATIENCE) {
            Ok(frame) => frames.push(frame.expect("just written")),
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => panic!("{error}"),
        }
    }
    // Now that all categories are known.
    let arrow = |(number, frame): (usize, DataFrame)| {
        let ring = ring("polars", number);
        let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
        writer.write(&frame).expect("Polars' types have places in frames");
        let read = reader.read_frame(PATIENCE).expect("whole").expect("just written");
        let table = Table { schema: read.schema().clone(), batches: read.batches().to_vec() };
        Sample { frame, table }
    };
    let samples = frames.into_iter().enumerate().map(arrow).collect();
    (scene, samples)
}

fn tables(samples: &[Sample]) -> Vec<Table> {
    samples.iter().map(|sample| sample.table.clone()).collect()
}

/// Writes frames of Polars and has them read and compared in another language.
fn reach(language: &impl Language, samples: &[Sample]) {
    let scene = Scene::new();
    let ring = scene.ring("feed").slot_bytes(SLOT_BYTES);
    let file = filed(&scene, &tables(samples));
    let writer = ring.writer().expect("created");
    let actor = language.start(&Role::Compare { ring: ring.clone(), file: file.clone() });
    actor.opens();
    for sample in samples {
        if let Err(error) = writer.write(&sample.frame) {
            panic!("{error}: {}", sample.frame);
        }
    }
    drop(writer);
    let last = samples.len() as u64 - 1;
    assert_eq!(actor.ends(), Tally { read: last + 1, missed: 0, first: Some(0), last: Some(last) });
    std::fs::remove_file(file).expect("ours");
    actor.finish();
}

/// Has the tables written in another language, and reads them as Polars.
fn come_from(language: &impl Language, samples: &[Sample]) {
    let scene = Scene::new();
    let ring = scene.ring("feed").slot_bytes(SLOT_BYTES);
    let file = filed(&scene, &tables(samples));
    let mut actor = language.start(&Role::Emit { ring: ring.clone(), file: file.clone() });
    actor.opens();
    let reader = ring.reader().expect("attached");
    actor.tell("go");
    for (number, sample) in samples.iter().enumerate() {
        let read = reader.read(PATIENCE).expect("whole").expect("in time");
        assert_eq!(read.schema(), sample.frame.schema(), "table {number}");
        assert!(read.equals_missing(&sample.frame), "table {number}: {read} is not {}", sample.frame);
    }
    assert_eq!(reader.read(PATIENCE).expect_err("the writer has closed").kind(), ErrorKind::EndOfStream);
    std::fs::remove_file(file).expect("ours");
    actor.finish();
}

#[test]
fn polars_frames_are_read_in_cpp_and_cpp_tables_in_polars() {
    if let Some(cpp) = Cpp::ready() {
        let _alone = CATEGORIES.lock();
        let (_rings, samples) = samples();
        reach(&cpp, &samples);
        come_from(&cpp, &samples);
    }
}

#[test]
fn polars_frames_are_read_in_python_and_python_tables_in_polars() {
    if let Some(python) = Python::ready() {
        let _alone = CATEGORIES.lock();
        let (_rings, mut samples) = samples();
        reach(&python, &samples);
        // The stream of a table that pyarrow writes has no batches without rows.
        samples.retain(|sample| sample.table.batches.iter().all(|batch| batch.num_rows() > 0));
        come_from(&python, &samples);
    }
}
