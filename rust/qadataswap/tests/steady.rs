//! A steady state allocates nothing on the writing side, and on the reading side only the arrays that it hands out.

#![allow(unsafe_code)]

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use qadataswap::{Reader, SharedMemoryConfig, Writer};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(address, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(act: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    act();
    ALLOCATIONS.get() - before
}

fn table(rows: usize) -> RecordBatch {
    let columns: [(&str, ArrayRef); 5] = [
        ("ts", Arc::new(TimestampNanosecondArray::from_iter_values(0..rows as i64).with_timezone("UTC"))),
        ("price", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)))),
        ("size", Arc::new(Int64Array::from_iter((0..rows).map(|row| (row % 3 > 0).then_some(row as i64))))),
        ("symbol", Arc::new(StringViewArray::from_iter_values((0..rows).map(|row| format!("S{row}"))))),
        ("traded", Arc::new(arrow_array::BooleanArray::from_iter((0..rows).map(|row| Some(row % 2 == 0))))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

#[test]
fn a_steady_writer_allocates_nothing_and_a_reader_the_same_for_any_size() {
    let mut by_size = Vec::new();
    for rows in [1, 1000, 100_000] {
        let config = SharedMemoryConfig::new(format!("steady-{rows}-{}", std::process::id()))
            .with_slot_bytes(8 << 20)
            .with_buffer_count(3);
        let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
        let table = table(rows);
        let mut read = 0;
        for turn in 0..20 {
            let written = allocations(|| {
                writer.write_arrow(&table).unwrap();
            });
            read = allocations(|| drop(reader.try_read_arrow().unwrap().expect("just written")));
            assert!(turn < 6 || written == 0, "{written} allocations to write {rows} rows in turn {turn}");
        }
        by_size.push(read);
    }
    assert!(by_size.iter().all(|&read| read == by_size[0] && read > 0), "{by_size:?} allocations to read");
}
