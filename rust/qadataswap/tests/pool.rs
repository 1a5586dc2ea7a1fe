//! Tables that are built in the slot of the next frame, allocation by allocation, are published where they lie.

#![allow(unsafe_code)]

use arrow::ffi::FFI_ArrowArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use qadataswap::ffi::{self, Batch, Pool, Table};
use qadataswap::{ErrorKind, Reader, SharedMemoryConfig, WhenFull, Writer};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// An allocation, freed on drop.
struct Allocation(Arc<Pool>, NonNull<u8>);

// SAFETY: a pool's memory may be freed by any thread.
unsafe impl Send for Allocation {}
// SAFETY: it is not written to once it is shared.
unsafe impl Sync for Allocation {}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: allocated by this pool, and freed once.
        unsafe { self.0.free(self.1) }
    }
}

/// `bytes` in memory of the pool, or anywhere if it has no room.
fn buffer(pool: &Arc<Pool>, bytes: &[u8]) -> Buffer {
    let Some(memory) = pool.allocate(bytes.len(), 64) else { return Buffer::from_slice_ref(bytes) };
    // SAFETY: as many bytes were just allocated, for nobody else.
    unsafe {
        memory.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        Buffer::from_custom_allocation(memory, bytes.len(), Arc::new(Allocation(pool.clone(), memory)))
    }
}

fn numbers(pool: &Arc<Pool>, numbers: &[i64]) -> ArrayRef {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    Arc::new(Int64Array::new(ScalarBuffer::new(buffer(pool, &bytes), 0, numbers.len()), None))
}

fn texts(pool: &Arc<Pool>, texts: &[&str]) -> ArrayRef {
    let made = StringArray::from(texts.to_vec());
    let offsets = buffer(pool, made.offsets().inner().inner());
    let offsets = OffsetBuffer::new(ScalarBuffer::new(offsets, 0, texts.len() + 1));
    Arc::new(StringArray::new(offsets, buffer(pool, made.values()), None))
}

fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Writes by the C data interface, as those do who have a pool.
fn write(writer: &Writer, batch: &RecordBatch) -> qadataswap::Result<u64> {
    let given = FFI_ArrowArray::new(&ArrayData::from(StructArray::from(batch.clone())));
    // SAFETY: the format's struct by another name, borrowed while `given` lives.
    let batches = [Batch::new(unsafe { &*std::ptr::from_ref(&given).cast::<ffi::ArrowArray>() })];
    // SAFETY: arrow-rs exports valid arrays of their schema.
    writer.write_ffi(&unsafe { Table::new(batch.schema_ref(), &batches) })
}

fn config(name: &str) -> SharedMemoryConfig {
    SharedMemoryConfig::new(format!("pool-{name}-{}", std::process::id()))
        .with_buffer_count(3)
        .with_slot_bytes(64 << 10)
        .with_when_full(WhenFull::Fail)
}

/// A writer and a reader of a ring of three slots.
fn ends(name: &str) -> (Writer, Reader) {
    let config = config(name);
    (Writer::new(&config).expect("created"), Reader::new(&config).expect("attached"))
}

fn read(reader: &Reader) -> RecordBatch {
    reader.read_arrow(1000).expect("no error").expect("a frame")
}

#[test]
fn a_table_of_the_pool_is_published_where_it_lies() {
    let (writer, reader) = ends("place");
    let pool = writer.pool().expect("a pool");
    let batch = table(vec![
        ("price", numbers(&pool, &[5, 6, 7])),
        ("symbol", texts(&pool, &["ES", "NQ", "a longer one"])),
    ]);
    let frame_before = pool.allocate(1, 64).expect("room");
    write(&writer, &batch).expect("written");
    // Three buffers: values, offsets, data.
    assert_eq!(writer.stats().bytes_in_place, 24 + 16 + 16);
    assert_eq!(read(&reader), batch);
    // SAFETY: allocated above.
    unsafe { pool.free(frame_before) };
}

#[test]
fn what_is_not_of_the_pool_is_copied_behind_it() {
    let (writer, reader) = ends("mixed");
    let pool = writer.pool().expect("a pool");
    let elsewhere = Int64Array::from(vec![Some(1), None, Some(3)]);
    let batch = table(vec![("here", numbers(&pool, &[1, 2, 3])), ("there", Arc::new(elsewhere))]);
    write(&writer, &batch).expect("written");
    assert_eq!(writer.stats().bytes_in_place, 24);
    assert_eq!(read(&reader), batch);
}

#[test]
fn nulls_and_slices_of_the_pool_arrive() {
    let (writer, reader) = ends("nulls");
    for from in [0, 8, 1] {
        let pool = writer.pool().expect("a pool");
        let bits = buffer(&pool, &[0b1010_1010, 0b1111_0001]);
        let nulls = NullBuffer::new(arrow_buffer::BooleanBuffer::new(bits, 0, 16));
        let bytes: Vec<u8> = (0..16i64).flat_map(i64::to_ne_bytes).collect();
        let values = ScalarBuffer::new(buffer(&pool, &bytes), 0, 16);
        let array = Int64Array::new(values, Some(nulls));
        let batch = table(vec![("n", Arc::new(array.slice(from, 7)) as ArrayRef)]);
        let before = writer.stats().bytes_in_place;
        write(&writer, &batch).expect("written");
        assert_eq!(read(&reader), batch, "from {from}");
        let claimed = writer.stats().bytes_in_place - before;
        // Bits and values begin at multiples of 64 only from row 0 on; values from row 8 on as well.
        assert_eq!(claimed, [57, 56, 0][[0, 8, 1].iter().position(|at| *at == from).expect("one of them")]);
    }
}

#[test]
fn dictionaries_go_before_the_batch() {
    let (writer, reader) = ends("dictionary");
    let values: ArrayRef = Arc::new(StringArray::from(vec!["ES", "NQ"]));
    for _ in 0..4 {
        let pool = writer.pool().expect("a pool");
        let keys: Vec<u8> = [0i32, 1, 1].iter().flat_map(|key| key.to_ne_bytes()).collect();
        let keys = Int32Array::new(ScalarBuffer::new(buffer(&pool, &keys), 0, 3), None);
        let array = DictionaryArray::<Int32Type>::try_new(keys, values.clone()).expect("keys in range");
        let batch = table(vec![("symbol", Arc::new(array))]);
        write(&writer, &batch).expect("written");
        assert_eq!(read(&reader), batch);
    }
    assert_eq!(writer.stats().bytes_in_place, 4 * 12);
}

#[test]
fn a_table_that_is_kept_keeps_its_slot() {
    let (writer, reader) = ends("kept");
    let pool = writer.pool().expect("a pool");
    let kept = table(vec![("a", numbers(&pool, &[1, 2, 3]))]);
    write(&writer, &kept).expect("written");
    assert_eq!(read(&reader), kept);
    for round in 0..20 {
        let pool = writer.pool().expect("a pool");
        let other = table(vec![("a", numbers(&pool, &[round, round + 1]))]);
        write(&writer, &other).expect("two slots are left");
        assert_eq!(read(&reader), other);
        let column = kept.column(0).as_any().downcast_ref::<Int64Array>().expect("numbers");
        assert_eq!(column.values(), &[1, 2, 3], "round {round}");
    }
    assert_eq!(writer.stats().bytes_in_place, 24 + 20 * 16);
}

#[test]
fn tables_kept_in_every_slot_fill_the_ring_and_dropping_one_frees_it() {
    let (writer, reader) = ends("full");
    let mut kept = Vec::new();
    for round in 0..3 {
        let pool = writer.pool().expect("a pool");
        kept.push(table(vec![("a", numbers(&pool, &[round]))]));
        write(&writer, &kept[round as usize]).expect("a slot each");
        assert_eq!(read(&reader), kept[round as usize]);
    }
    let pool = writer.pool().expect("a pool, without a slot");
    assert!(pool.allocate(8, 64).is_none());
    let elsewhere = table(vec![("a", Arc::new(Int64Array::from(vec![9])) as ArrayRef)]);
    let error = write(&writer, &elsewhere).expect_err("every slot is kept");
    assert_eq!(error.kind(), ErrorKind::RingFull);
    assert!(error.to_string().contains("built in 3 slots"), "{error}");
    kept.remove(1);
    write(&writer, &elsewhere).expect("there is one slot again");
    assert_eq!(read(&reader), elsewhere);
}

#[test]
fn a_kept_table_outlives_its_writer_and_is_not_overwritten_by_the_next() {
    let (writer, reader) = ends("closed");
    let pool = writer.pool().expect("a pool");
    let kept = table(vec![("a", numbers(&pool, &[1, 2, 3])), ("b", texts(&pool, &["x", "y", "z"]))]);
    write(&writer, &kept).expect("written");
    assert_eq!(read(&reader), kept);
    drop((writer, pool));
    let heir = Writer::new(config("closed")).expect("it takes over");
    for round in 0..6 {
        let other = table(vec![("a", Arc::new(Int64Array::from(vec![round; 1000])) as ArrayRef)]);
        write(&heir, &other).expect("written");
        reader.read_arrow(1000).expect("no error").expect("a frame");
    }
    let column = kept.column(0).as_any().downcast_ref::<Int64Array>().expect("numbers");
    assert_eq!(column.values(), &[1, 2, 3]);
    let column = kept.column(1).as_any().downcast_ref::<StringArray>().expect("texts");
    assert_eq!(column.value(2), "z");
}

#[test]
fn memory_that_was_freed_is_used_again_and_not_published() {
    let (writer, reader) = ends("gaps");
    let pool = writer.pool().expect("a pool");
    let secret = pool.allocate(4096, 64).expect("room");
    // SAFETY: just allocated.
    unsafe { secret.write_bytes(0x5C, 4096) };
    let batch = table(vec![("a", numbers(&pool, &[1; 100]))]);
    // SAFETY: allocated above.
    unsafe { pool.free(secret) };
    let again = pool.allocate(64, 64).expect("room");
    assert_eq!(again, secret);
    // SAFETY: as above.
    unsafe { pool.free(again) };
    write(&writer, &batch).expect("written");
    let frame = reader.read_frame(1000).expect("no error").expect("a frame");
    assert!(!frame.bytes().contains(&0x5C));
    assert_eq!(frame.batches(), std::slice::from_ref(&batch));
    assert_eq!(writer.stats().bytes_in_place, 800);
}

#[test]
fn allocations_grow_in_place_or_move_and_keep_their_contents() {
    let (writer, _reader) = ends("grow");
    let pool = writer.pool().expect("a pool");
    let first = pool.allocate(100, 64).expect("room");
    // SAFETY: within what is allocated, throughout.
    unsafe {
        first.write_bytes(7, 100);
        let grown = pool.reallocate(first, 1000, 64).expect("room behind it");
        assert_eq!(grown, first);
        let second = pool.allocate(64, 64).expect("room");
        let moved = pool.reallocate(grown, 5000, 64).expect("room elsewhere");
        assert_ne!(moved, grown);
        assert!(NonNull::slice_from_raw_parts(moved, 100).as_ref().iter().all(|byte| *byte == 7));
        assert!(pool.reallocate(moved, 1 << 20, 64).is_none(), "more than a slot");
        assert!(pool.owns(moved.as_ptr()) && !pool.owns((&raw const pool).cast()));
        let aligned = pool.allocate(10, 4096).expect("room");
        assert!(aligned.addr().get().is_multiple_of(4096));
        for memory in [moved, second, aligned] {
            pool.free(memory);
        }
    }
}

#[test]
fn a_table_too_large_for_the_pool_is_still_written_or_refused_as_any() {
    let (writer, reader) = ends("large");
    let pool = writer.pool().expect("a pool");
    let batch = table(vec![("a", numbers(&pool, &[1; 4000])), ("b", numbers(&pool, &[2; 4000]))]);
    write(&writer, &batch).expect("it fits a slot");
    assert_eq!(read(&reader), batch);
    let pool = writer.pool().expect("a pool");
    let large = table(vec![("a", numbers(&pool, &[1; 6000])), ("b", numbers(&pool, &[2; 6000]))]);
    assert_eq!(write(&writer, &large).expect_err("96 kB").kind(), ErrorKind::FrameTooLarge);
    assert_eq!(writer.close().map_err(|error| error.kind()), Ok(()));
}

#[test]
fn what_another_thread_writes_while_the_writer_closes_is_not_lost() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    const SIZE: usize = 4 << 20;
    for round in 0..10 {
        let config = config(&format!("close{round}")).with_slot_bytes(SIZE as u64 + (64 << 10));
        let writer = Writer::new(&config).expect("created");
        let pool = writer.pool().expect("a pool");
        let memory = pool.allocate(SIZE, 64).expect("room");
        // SAFETY: eight bytes at the end of what was just allocated, which the threads share as an atomic.
        let cell: &AtomicU64 = unsafe { memory.add(SIZE - 64).cast().as_ref() };
        let closed = AtomicBool::new(false);
        let lost = std::thread::scope(|threads| {
            let counting = threads.spawn(|| {
                (1..u64::MAX).find(|count| {
                    let last = closed.load(Ordering::Relaxed);
                    cell.store(*count, Ordering::SeqCst);
                    last || cell.load(Ordering::SeqCst) != *count
                })
            });
            std::thread::sleep(Duration::from_millis(2));
            writer.close().expect("closed");
            let count = cell.load(Ordering::SeqCst);
            closed.store(true, Ordering::Relaxed);
            let last = counting.join().expect("no panic").expect("it ends");
            last < count || cell.load(Ordering::SeqCst) != last
        });
        assert!(!lost, "round {round}");
        // SAFETY: allocated above.
        unsafe { pool.free(memory) };
    }
}

#[test]
fn alignments_are_those_of_addresses() {
    let writer = Writer::new(config("align").with_slot_bytes(8 << 20)).expect("created");
    let pool = writer.pool().expect("a pool");
    for shift in 0..21 {
        let memory = pool.allocate(100, 1 << shift).expect("room");
        assert!(memory.addr().get().is_multiple_of(1 << shift), "at {}", 1 << shift);
        // SAFETY: just allocated.
        unsafe { pool.free(memory) };
    }
}

#[test]
fn a_table_with_a_large_head_does_not_take_the_pools_room() {
    let writer = Writer::new(config("head")).expect("created");
    let long = "x".repeat(100 << 10);
    let large: DictionaryArray<Int32Type> = vec![long.as_str()].into_iter().collect();
    let pool = writer.pool().expect("a pool");
    let batch = table(vec![("a", numbers(&pool, &[1])), ("d", Arc::new(large))]);
    assert_eq!(write(&writer, &batch).expect_err("100 kB").kind(), ErrorKind::FrameTooLarge);
    drop(batch);
    let elsewhere = table(vec![("a", Arc::new(Int64Array::from(vec![9])) as ArrayRef)]);
    write(&writer, &elsewhere).expect("written");
    for _ in 0..10 {
        let pool = writer.pool().expect("a pool");
        write(&writer, &table(vec![("a", numbers(&pool, &[1, 2, 3]))])).expect("written");
    }
    assert_eq!(writer.stats().bytes_in_place, 240);
    // Nobody reads it, so nobody removes it.
    std::fs::remove_file(format!("/dev/shm/qads_{}", writer.name())).expect("it is there");
}

#[test]
fn a_loan_has_the_slot_of_a_pool_in_which_nothing_is_built() {
    let writer = Writer::new(config("loan").with_buffer_count(1)).expect("created");
    let pool = writer.pool().expect("a pool");
    let elsewhere = table(vec![("a", Arc::new(Int64Array::from(vec![9])) as ArrayRef)]);
    let loan = writer.loan(elsewhere.schema_ref(), 1).expect("the only slot");
    assert!(pool.allocate(8, 64).is_none());
    drop(loan);
    let memory = writer.pool().expect("a pool").allocate(8, 64).expect("the slot is back");
    assert_eq!(
        writer.loan(elsewhere.schema_ref(), 1).expect_err("it is built in").kind(),
        ErrorKind::LoanOut
    );
    // SAFETY: just allocated.
    unsafe { pool.free(memory) };
}

#[test]
fn a_writer_that_waits_goes_on_when_its_own_process_lets_go_of_a_slot() {
    let patience = Some(Duration::from_secs(20));
    let writer = Writer::new(config("wake").with_buffer_count(1).with_when_full(WhenFull::Block(patience)));
    let writer = writer.expect("created");
    let elsewhere = table(vec![("a", Arc::new(Int64Array::from(vec![9])) as ArrayRef)]);
    for _ in 0..20 {
        let batch = table(vec![("a", numbers(&writer.pool().expect("a pool"), &[1, 2, 3]))]);
        write(&writer, &batch).expect("in place");
        let dropping = std::thread::spawn(move || drop(batch));
        writer.write_arrow(&elsewhere).expect("the slot comes back");
        dropping.join().expect("no panic");
    }
    std::fs::remove_file(format!("/dev/shm/qads_{}", writer.name())).expect("it is there");
}
