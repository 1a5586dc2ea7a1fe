//! `cargo bench -p qadataswap-benches`: what it costs to publish and to read a frame in one process, for frames
//! of 1, 1,000 and 1,000,000 rows of 5 columns, beside a plain copy of as many bytes into warm shared memory.
//! Floor and frames take turns in one run; ratios are what to compare.

use memmap2::MmapMut;
use qadataswap::{Reader, SharedMemoryConfig, Writer};
use qadataswap_benches::{Samples, provenance, quotes};
use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", provenance())?;
    writeln!(out, "{:>9} {:<34} {:>12} {:>12} {:>9}", "rows", "step", "p50 ns", "p99 ns", "÷ memcpy")?;
    for (rows, turns) in [(1, 200_000), (1_000, 50_000), (1_000_000, 100)] {
        for line in measure(rows, turns)? {
            writeln!(out, "{line}")?;
        }
    }
    let mut cold = read_cold()?;
    let (median, tail) = (cold.quantile(0.5).as_nanos(), cold.quantile(0.99).as_nanos());
    writeln!(out, "{:>9} {:<34} {median:>12} {tail:>12}", 1, cold.name())?;
    Ok(())
}

/// What reading costs when the caches hold something else, as they do after a large frame was written: to be
/// compared with reading a large one.
fn read_cold() -> Result<Samples, Box<dyn std::error::Error>> {
    let table = quotes(1);
    let config = SharedMemoryConfig::new(format!("bench-cold-{}", std::process::id())).with_size_mb(1);
    let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);
    let mut read = Samples::new("read after 48 MB of other traffic");
    let (from, mut to) = (vec![1_u8; 48_000_000], vec![0_u8; 48_000_000]);
    for _ in 0..100 {
        writer.write_arrow(&table)?;
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&to);
        drop(read.time(|| reader.try_read_arrow())?.ok_or("a frame is missing")?);
    }
    Ok(read)
}

fn measure(rows: usize, turns: usize) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let table = quotes(rows);
    let config = SharedMemoryConfig::new(format!("bench-{}", std::process::id()))
        .with_slot_bytes((rows as u64 * 64).max(8 << 10))
        .with_buffer_count(3)
        .with_prefault(true);
    let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);

    // It works, before it is timed: every slot once, which also warms it.
    let mut bytes = 0;
    for _ in 0..6 {
        writer.write_arrow(&table)?;
        let frame = reader.try_read_frame()?.ok_or("the frame just written is not there")?;
        assert_eq!(frame.batches(), std::slice::from_ref(&table));
        bytes = frame.bytes().len();
    }
    // The floor: one copy of as many bytes, out of and into warm memory, in three places as the ring has.
    let source: Vec<u8> = (0..bytes).map(|byte| byte as u8).collect();
    let path = format!("/dev/shm/qads-bench-floor-{}", std::process::id());
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    file.set_len(3 * bytes as u64)?;
    let mut floor = shared(&file)?;

    let mut copy = Samples::new("memcpy into warm shared memory");
    let mut write = Samples::new("write_arrow");
    let mut read = Samples::new("read to a RecordBatch");
    let mut drop_ = Samples::new("drop the batch and its lease");
    let mut lend = Samples::new("loan, not filled, and commit");
    for turn in 0..turns + 3 {
        let place = turn % 3 * bytes;
        let to = &mut floor[place..place + bytes];
        if turn < 3 {
            to.copy_from_slice(&source);
            continue;
        }
        copy.time(|| to.copy_from_slice(std::hint::black_box(&source)));
        write.time(|| writer.write_arrow(std::hint::black_box(&table)))?;
        let frame = read.time(|| reader.try_read_arrow())?.ok_or("a frame is missing")?;
        drop_.time(|| drop(std::hint::black_box(frame)));
        lend.time(|| writer.loan(table.schema_ref(), rows)?.commit(rows))?;
        drop(reader.try_read_frame()?.ok_or("a lent frame is missing")?);
    }
    assert_eq!(reader.stats().bytes_copied, 0, "reading copies nothing");
    let base = copy.quantile(0.5);
    Ok([copy, write, read, drop_, lend]
        .iter_mut()
        .map(|samples| {
            let (median, tail) = (samples.quantile(0.5), samples.quantile(0.99));
            let ratio = median.as_secs_f64() / base.as_secs_f64();
            let (median, tail) = (median.as_nanos(), tail.as_nanos());
            format!("{rows:>9} {:<34} {median:>12} {tail:>12} {ratio:>9.2}", samples.name())
        })
        .collect())
}

fn shared(file: &std::fs::File) -> std::io::Result<MmapMut> {
    // SAFETY: the file has no name and no other user.
    #[allow(unsafe_code)]
    unsafe {
        MmapMut::map_mut(file)
    }
}
