//! `cargo bench -p qadataswap-benches --bench frames`: what it costs to publish and to read a frame in one process, beside a plain
//! copy of as many bytes into warm shared memory, all in turns; what copies cost, into warm and into cold memory; and how the cost
//! grows with rows, columns, slots and readers, as the exponent of a power. `-- 0.1` takes a tenth of the samples;
//! names of tables behind it choose.

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use memmap2::MmapMut;
use qadataswap::{Reader, SharedMemoryConfig, Writer};
use qadataswap_benches::book::{Book, Key};
use qadataswap_benches::copies::{self, How};
use qadataswap_benches::{Asked, Samples, provenance, quotes, rings};
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::sync::Arc;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    writeln!(io::stdout(), "{}", provenance())?;
    let Asked { share, tables } = Asked::read();
    let of = |turns: usize| ((turns as f64 * share) as usize).max(8);
    let wants = |table: &str| tables.is_empty() || tables.iter().any(|asked| asked == table);
    let mut book = Book::new("frames");
    for (bytes, turns) in
        [(64 << 10, 4_000), (1 << 20, 400), (4 << 20, 100), (16 << 20, 30), (64 << 20, 10), (256 << 20, 4)]
            .into_iter()
            .filter(|_| wants("copies"))
    {
        copy(&mut book, bytes, of(turns))?;
    }
    for (rows, turns) in
        [(1, 200_000), (1_000, 50_000), (1_000_000, 100)].into_iter().filter(|_| wants("one process"))
    {
        steps(&mut book, rows, of(turns))?;
    }
    if wants("one process") {
        book.take(("one process", "1 rows × 5", "read, caches cold"), None, read_cold(of(100))?);
    }
    if wants("growth") {
        growth(&mut book, of(400))?;
    }
    book.close()?;
    Ok(())
}

fn copy(book: &mut Book, bytes: usize, turns: usize) -> Result<(), Failure> {
    let row = format!("{} KiB", bytes >> 10);
    let floor: Key<'_> = ("copies", &row, "memcpy, warm");
    for (how, samples) in How::ALL.into_iter().zip(copies::warm(bytes, turns)?) {
        book.take(("copies", &row, &format!("{}, warm", how.name())), Some(floor), samples);
    }
    let [memcpy, streaming, fault] = copies::cold(bytes, turns.min(10))?;
    book.take(("copies", &row, "memcpy, cold"), Some(floor), memcpy);
    book.take(("copies", &row, "streaming stores, cold"), Some(floor), streaming);
    book.take(("copies", &row, "a page's first touch"), None, fault);
    Ok(())
}

/// What reading costs when the caches hold something else, as they do after a large frame was written: to be
/// compared with reading a large one.
fn read_cold(turns: usize) -> Result<Samples, Failure> {
    let table = quotes(1);
    let config = SharedMemoryConfig::new(format!("bench-cold-{}", std::process::id())).with_size_mb(1);
    let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);
    let mut read = Samples::new("read after 48 MB of other traffic");
    let (from, mut to) = (vec![1_u8; 48_000_000], vec![0_u8; 48_000_000]);
    for _ in 0..turns {
        writer.write_arrow(&table)?;
        to.copy_from_slice(black_box(&from));
        black_box(&to);
        drop(read.time(|| reader.try_read_arrow())?.ok_or("a frame is missing")?);
    }
    Ok(read)
}

fn config(rows: usize, slots: usize) -> SharedMemoryConfig {
    SharedMemoryConfig::new(format!("bench-{}", std::process::id()))
        .with_slot_bytes((rows as u64 * 64).max(8 << 10))
        .with_buffer_count(slots)
        .with_prefault(true)
}

/// The steps of a frame's life, in one process and so on one core: all that the protocol and Arrow take, and no cache line's way.
fn steps(book: &mut Book, rows: usize, turns: usize) -> Result<(), Failure> {
    let table = quotes(rows);
    let config = config(rows, 4);
    let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);

    // It works, before it is timed: every slot once, which also warms it.
    let mut bytes = 0;
    for _ in 0..8 {
        writer.write_arrow(&table)?;
        let frame = reader.try_read_frame()?.ok_or("the frame just written is not there")?;
        assert_eq!(frame.batches(), std::slice::from_ref(&table));
        bytes = frame.bytes().len();
    }
    // The floor: one copy of as many bytes, out of and into warm memory, in as many places as the ring has.
    let source = copies::source(bytes);
    let mut floor = shared(4 * bytes)?;

    let mut copy = Samples::new("memcpy");
    let mut write = Samples::new("write_arrow");
    let mut read = Samples::new("read to a RecordBatch");
    let mut drop_ = Samples::new("drop it");
    let mut lend = Samples::new("loan, not filled");
    let mut commit = Samples::new("commit");
    for turn in 0..turns + 4 {
        let to = &mut floor[turn % 4 * bytes..][..bytes];
        if turn < 4 {
            to.copy_from_slice(&source);
            continue;
        }
        copy.time(|| to.copy_from_slice(black_box(&source)));
        write.time(|| writer.write_arrow(black_box(&table)))?;
        let frame = read.time(|| reader.try_read_arrow())?.ok_or("a frame is missing")?;
        drop_.time(|| drop(black_box(frame)));
        let loan = lend.time(|| writer.loan(table.schema_ref(), rows))?;
        commit.time(|| loan.commit(rows))?;
        drop(reader.try_read_frame()?.ok_or("a lent frame is missing")?);
    }
    assert_eq!(reader.stats().bytes_copied, 0, "reading copies nothing");
    let row = format!("{rows} rows × 5");
    let floor: Key<'_> = ("one process", &row, "memcpy");
    for samples in [copy, write, read, drop_, lend, commit] {
        let name = samples.name();
        book.take(("one process", &row, name), Some(floor), samples);
    }
    Ok(())
}

fn shared(bytes: usize) -> io::Result<MmapMut> {
    let path = qadataswap_benches::scratch("floor");
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    file.set_len(bytes as u64)?;
    // SAFETY: the file has no name and no other user.
    #[allow(unsafe_code)]
    unsafe {
        MmapMut::map_mut(&file)
    }
}

/// `columns` columns of whole numbers.
fn wide(columns: usize, rows: usize) -> Result<RecordBatch, Failure> {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let columns = (0..columns).map(|column| format!("c{column}")).map(|name| (name, column.clone()));
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Writing and reading a table so many times, on a ring of so many slots.
fn write_and_read(table: &RecordBatch, slots: usize, turns: usize) -> Result<[Samples; 2], Failure> {
    let bytes: usize = table.get_array_memory_size() + 1024 * table.num_columns();
    let config = config(bytes.div_ceil(64), slots);
    let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);
    let (mut write, mut read) = (Samples::new("write_arrow"), Samples::new("read to a RecordBatch"));
    let warm = slots.max(4);
    for turn in 0..turns + warm {
        if turn < warm {
            writer.write_arrow(table)?;
            assert_eq!(reader.try_read_arrow()?.as_ref(), Some(table));
            continue;
        }
        write.time(|| writer.write_arrow(black_box(table)))?;
        drop(read.time(|| reader.try_read_arrow())?.ok_or("a frame is missing")?);
    }
    Ok([write, read])
}

fn growth(book: &mut Book, turns: usize) -> Result<(), Failure> {
    let mut points: Vec<(&str, &str, f64, f64)> = Vec::new();
    let mut both = |book: &mut Book, against: &'static str, at: usize, samples: [Samples; 2]| {
        for samples in samples {
            let (step, row) = (samples.name(), format!("{at} {against}"));
            book.take(("growth", &row, step), None, samples);
            points.push((against, step, at as f64, book.median(("growth", &row, step))));
        }
    };
    for rows in [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] {
        let samples = write_and_read(&quotes(rows), 4, turns.min(40_000_000 / rows).max(8))?;
        both(book, "rows", rows, samples);
    }
    for columns in [1, 4, 16, 64, 256] {
        both(book, "columns", columns, write_and_read(&wide(columns, 1)?, 4, turns)?);
    }
    for slots in [3, 8, 32, 128, 512, 2048] {
        both(book, "slots", slots, write_and_read(&quotes(1), slots, turns)?);
    }
    for readers in [1, 4, 16, 64] {
        let samples = rings::publish_beside(readers, turns * 10)?;
        let row = format!("{readers} readers");
        book.take(("growth", &row, "write_arrow"), None, samples);
        points.push(("readers", "write_arrow", readers as f64, book.median(("growth", &row, "write_arrow"))));
    }
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (against, step, ..) in &points {
        if !seen.contains(&(against, step)) {
            seen.push((against, step));
        }
    }
    for (against, step) in seen {
        let curve = points.iter().filter(|(a, s, ..)| (*a, *s) == (against, step)).map(|&(.., x, y)| (x, y));
        book.value(("exponents", against, step), "", exponent(curve));
    }
    Ok(())
}

/// The exponent of the power that fits best: the slope of the least-squares line through the logarithms.
fn exponent(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count);
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in points {
        over += (x - mean_x) * (y - mean_y);
        under += (x - mean_x) * (x - mean_x);
    }
    over / under
}
