//! Tables between Python and the other languages: every writer, every reader, every type. In Python pyarrow judges.

use qadataswap_tests::crossing::{come_back, come_from, pass, reach};
use qadataswap_tests::samples::{
    Table, adorned, all_null, chunks_of_other_dictionaries, extensions, in_chunks, plain, random, sliced,
    without_rows,
};
use qadataswap_tests::scene::Squeeze;
use qadataswap_tests::{Cpp, Python, Scene};

/// All that can be said of a table, as far as every language says it.
fn everything() -> Vec<Table> {
    let mut tables = [
        plain(),
        sliced(),
        without_rows(),
        all_null(),
        in_chunks(),
        chunks_of_other_dictionaries(),
        adorned(),
        extensions(),
        random(120),
    ]
    .concat();
    tables.retain(Table::fits_python);
    tables
}

/// The same as pyarrow writes it: the stream of a table has no batches without rows.
fn everything_that_python_writes() -> Vec<Table> {
    everything().iter().map(Table::without_empty_batches).collect()
}

#[test]
fn every_table_is_read_in_python_as_rust_wrote_it() {
    if let Some(python) = Python::ready() {
        reach(&python, |scene: &Scene| scene.ring("feed"), &everything());
    }
}

#[test]
fn every_table_is_read_in_rust_as_python_wrote_it() {
    if let Some(python) = Python::ready() {
        come_from(&python, |scene: &Scene| scene.ring("feed"), &everything_that_python_writes());
    }
}

#[test]
fn every_table_comes_back_from_python_equal_and_in_place() {
    if let Some(python) = Python::ready() {
        let mut tables = everything_that_python_writes();
        tables.retain(|table| !table.batches.is_empty());
        come_back(&python, &tables);
    }
}

#[test]
fn every_table_is_read_in_python_as_cpp_wrote_it() {
    if let (Some(cpp), Some(python)) = (Cpp::ready(), Python::ready()) {
        pass(&cpp, &python, &everything());
    }
}

#[test]
fn every_table_is_read_in_cpp_as_python_wrote_it() {
    if let (Some(cpp), Some(python)) = (Cpp::ready(), Python::ready()) {
        pass(&python, &cpp, &everything_that_python_writes());
    }
}

#[test]
fn every_table_is_read_in_cpp_as_cpp_wrote_it() {
    if let Some(cpp) = Cpp::ready() {
        pass(&cpp, &cpp, &everything());
    }
}

#[test]
fn every_table_is_read_in_python_as_python_wrote_it() {
    if let Some(python) = Python::ready() {
        pass(&python, &python, &everything_that_python_writes());
    }
}

#[test]
fn compressed_frames_are_read_in_python_and_from_it() {
    let Some(python) = Python::ready() else { return };
    for squeeze in [Squeeze::Lz4, Squeeze::Zstd] {
        let tables = everything_that_python_writes();
        reach(&python, |scene: &Scene| scene.ring("feed").squeeze(squeeze), &tables);
        come_from(&python, |scene: &Scene| scene.ring("feed").squeeze(squeeze), &tables);
    }
}
