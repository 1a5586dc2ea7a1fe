//! Polars frames between Rust and the other languages: what Rust writes as Polars arrives there as the Arrow table it is,
//! and what comes from there is what Rust has of it in Polars.

use polars::prelude::DataFrame;
use qadataswap::{ErrorKind, Reader, Writer};
use qadataswap_tests::crossing::{Language, SLOT_BYTES};
use qadataswap_tests::samples::{Table, filed, in_chunks, plain, random, sliced, without_rows};
use qadataswap_tests::{Cpp, PATIENCE, Python, Role, Scene, Tally};

/// A frame of Polars and the table that it is in a ring.
struct Sample {
    frame: DataFrame,
    table: Table,
}

/// The samples whose types Polars has, as Polars has them.
fn samples() -> Vec<Sample> {
    let scene = Scene::new();
    let ring = scene.ring("samples").slot_bytes(SLOT_BYTES);
    let (writer, reader): (Writer, Reader) =
        (ring.writer().expect("created"), ring.reader().expect("attached"));
    let tables = [plain(), sliced(), without_rows(), in_chunks(), random(120)].concat();
    let mut samples = Vec::new();
    for table in tables {
        writer.write_batches(&table.schema, &table.batches).expect("written");
        let frame = match reader.read(PATIENCE) {
            Ok(frame) => frame.expect("just written"),
            Err(error) if error.kind() == ErrorKind::Unsupported => continue,
            Err(error) => panic!("{error}"),
        };
        writer.write(&frame).expect("Polars' types have places in frames");
        let read = reader.read_frame(PATIENCE).expect("whole").expect("just written");
        // Copied, so that the ring is not held up.
        let table = Table { schema: read.schema().clone(), batches: read.batches().to_vec() };
        let batches = table.batches.iter().map(|batch| {
            let all = arrow_array::UInt32Array::from_iter_values(0..batch.num_rows() as u32);
            arrow::compute::take_record_batch(batch, &all).expect("as many rows as there are")
        });
        let table = Table { batches: batches.collect(), schema: table.schema };
        samples.push(Sample { frame, table });
    }
    samples
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
        writer.write(&sample.frame).expect("written");
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
        let samples = samples();
        reach(&cpp, &samples);
        come_from(&cpp, &samples);
    }
}

#[test]
fn polars_frames_are_read_in_python_and_python_tables_in_polars() {
    if let Some(python) = Python::ready() {
        let mut samples = samples();
        reach(&python, &samples);
        // The stream of a table that pyarrow writes has no batches without rows.
        samples.retain(|sample| sample.table.batches.iter().all(|batch| batch.num_rows() > 0));
        come_from(&python, &samples);
    }
}
