//! What memory frames take: what is shared, and what each process has for itself.

use crate::pair::{self, Partner};
use crate::rings::Failure;
use crate::{numbers, quotes};
use qadataswap::{ErrorKind, Reader, SharedMemoryConfig, Writer};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How long anybody waits for anybody.
const PATIENCE: Duration = Duration::from_secs(20);

/// Memory in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The frame's own.
    pub frame: u64,
    /// In shared memory, all told.
    pub shared: u64,
    /// What publishing it has added to the writer's own.
    pub writer: u64,
    /// What attaching, and holding the frame, has added to a reader's own: the most of any.
    pub reader: u64,
}

/// Anonymous memory of this process, in bytes: what is mapped from a file, shared memory too, is none.
fn anonymous() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kilobytes =
        kilobytes.and_then(|rest| rest.trim().strip_suffix("kB")).ok_or("no line on anonymous memory")?;
    Ok(kilobytes.trim().parse::<u64>()? << 10)
}

/// One frame of so many rows, held by so many readers in processes of their own.
///
/// # Errors
/// If the ring fails.
pub fn taken(rows: usize, readers: usize) -> Result<Taken, Failure> {
    let table = if rows < 10_000_000 { quotes(rows) } else { numbers(rows) };
    let name = format!("bench-memory-{}", std::process::id());
    let config =
        SharedMemoryConfig::new(&name).with_slot_bytes((rows as u64 * 57).max(8 << 10)).with_buffer_count(2);
    let before = anonymous()?;
    let writer = Writer::new(config)?;
    writer.write_arrow(&table)?;
    let wrote = anonymous()?.saturating_sub(before);
    let partners: Result<Vec<Partner>, _> = (0..readers).map(|_| Partner::start("hold", &[&name])).collect();
    let mut partners = partners?;
    let mut reader = 0;
    for partner in &mut partners {
        reader = reader.max(partner.line()?.parse()?);
    }
    let shared = std::fs::metadata(format!("/dev/shm/qads_{name}"))?.blocks() * 512;
    let frame = writer.stats().bytes_written;
    // They hold it until the ring has ended.
    drop(writer);
    partners.into_iter().try_for_each(Partner::end)?;
    Ok(Taken { frame, shared, writer: wrote, reader })
}

/// A partner's part of [`taken`]: its word is the ring.
///
/// # Errors
/// If the word is another, or the ring fails.
pub fn hold(words: &[String]) -> Result<(), Failure> {
    let [ring] = words else { return Err("one word".into()) };
    let before = anonymous()?;
    let reader = Reader::new(ring.as_str())?;
    let batch = reader.read_arrow(PATIENCE)?.ok_or("nothing came")?;
    let took = anonymous()?.saturating_sub(before);
    pair::say("ready")?;
    pair::say(&took.to_string())?;
    let end = reader.read_frame(PATIENCE);
    drop(batch);
    match end {
        Err(error) if error.kind() == ErrorKind::EndOfStream => Ok(()),
        other => Err(format!("expected the end of the ring, got {other:?}").into()),
    }
}
