//! Tables of every type through a second process and back, real ones too, and frames as plain Arrow files.

use arrow_array::RecordBatch;
use qadataswap::Frame;
use qadataswap_tests::samples::real;
use qadataswap_tests::{Actor, PATIENCE, Ring, Scene, echo, in_place, note};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Sends every table to an echoing process and looks at what comes back, table by table.
fn echoed(scene: &Scene, slot_bytes: u64, tables: &[Vec<RecordBatch>], each: impl Fn(usize, &Frame)) {
    echo::tables(&mut Actor::start, scene, slot_bytes, tables, each);
}

fn lies_in_place(number: usize, frame: &Frame) {
    in_place(frame).unwrap_or_else(|what| panic!("table {number}: {what}"));
}

#[test]
fn every_arrow_type_comes_back_equal_and_in_place() {
    let scene = Scene::new();
    let tables: Vec<_> = qadataswap_tables::every_type()
        .into_iter()
        .map(|(name, array)| vec![qadataswap_tables::batch_of(vec![(name, array)])])
        .collect();
    echoed(&scene, 256 << 10, &tables, lies_in_place);
}

#[test]
fn random_tables_come_back_equal_and_in_place() {
    let scene = Scene::new();
    let tables: Vec<_> = (0..150)
        .map(|seed| {
            let rng = &mut StdRng::seed_from_u64(seed);
            let rows = rng.random_range(0..200);
            vec![qadataswap_tables::random_batch(rng, rows)]
        })
        .collect();
    echoed(&scene, 1 << 20, &tables, lies_in_place);
}

#[test]
fn chunks_come_back_as_they_were() {
    let scene = Scene::new();
    let table = qadataswap_tables::wide_batch();
    let (rows, mut chunks) = (table.num_rows(), Vec::new());
    for pieces in 1..=rows.min(5) {
        let cut = |piece: usize| piece * rows / pieces;
        chunks.push((0..pieces).map(|piece| table.slice(cut(piece), cut(piece + 1) - cut(piece))).collect());
    }
    echoed(&scene, 1 << 20, &chunks, |_, _| {});
}

#[test]
fn a_slot_dumped_to_a_file_is_an_arrow_stream() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slot_bytes(1 << 20);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    let mut tables: Vec<_> = (0..60)
        .map(|seed| qadataswap_tables::random_batch(&mut StdRng::seed_from_u64(1000 + seed), 50))
        .collect();
    tables.push(qadataswap_tables::wide_batch());
    for (number, table) in tables.iter().enumerate() {
        writer.write_arrow(table).expect("written");
        let frame = reader.read_frame(PATIENCE).expect("no error").expect("a frame");
        let dump = scene.folder().join("dump.arrows");
        std::fs::write(&dump, frame.bytes()).expect("room");
        let file = std::fs::File::open(&dump).expect("just written");
        let stream = arrow::ipc::reader::StreamReader::try_new(file, None).expect("an Arrow stream");
        assert_eq!(&stream.schema(), table.schema_ref(), "table {number}");
        let batches: Vec<_> = stream.collect::<Result<_, _>>().expect("whole");
        assert_eq!(batches, std::slice::from_ref(table), "table {number}");
        std::fs::remove_file(&dump).expect("ours");
    }
}

#[test]
fn real_market_data_comes_back_equal() {
    for file in ["es_mbo.parquet", "gbpusd_m1.parquet"] {
        let Some(path) = real(file) else { continue };
        let open = std::fs::File::open(path).expect("readable");
        let parquet = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(open);
        let batches =
            parquet.and_then(|parquet| parquet.with_batch_size(4096).build()).expect("a Parquet file");
        let tables: Vec<Vec<RecordBatch>> = batches.map(|batch| vec![batch.expect("whole")]).collect();
        let rows: usize = tables.iter().flatten().map(RecordBatch::num_rows).sum();
        assert!(rows > 0, "{file} is empty");
        let scene = Scene::new();
        echoed(&scene, 8 << 20, &tables, lies_in_place);
        note(&format!("{file}: {rows} rows in {} frames", tables.len()));
    }
}

#[test]
fn changing_schemas_are_told_apart() {
    let scene = Scene::new();
    let ring: Ring = scene.ring("feed").slots(3).slot_bytes(1 << 20);
    let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
    let tables: Vec<_> = (0..90)
        .map(|seed| qadataswap_tables::random_batch(&mut StdRng::seed_from_u64(2000 + seed), 5))
        .collect();
    // More schemas than anybody remembers, each met again and again, in slots that held another.
    for round in 0..3 {
        for table in &tables {
            writer.write_arrow(table).expect("written");
            let got = reader.read_arrow(PATIENCE).expect("no error").expect("a frame");
            assert_eq!(&got, table, "round {round}");
            assert_eq!(got.schema_ref(), table.schema_ref());
        }
    }
}
