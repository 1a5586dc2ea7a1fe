//! The publishing process of the demo.

use super::bars::Bars;
use super::latency::Latencies;
use super::report::Published;
use super::tables::MadeUp;
use super::{PATIENCE, cast, content, tables};
use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::out::Out;
use crate::pace::Pace;
use crate::rings::living_readers;
use crate::send::{self, send};
use crate::slot;
use crate::stop::Stop;
use anyhow::Context;
use qadataswap::inspect;
use qadataswap::{SharedMemoryConfig, Writer};
use std::time::{Duration, Instant};

/// About the bytes that the ring takes, within the bounds on its slots.
const RING_BYTES: usize = 64 << 20;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    tables: tables::FeedArgs,
    #[command(flatten)]
    member: cast::MemberArgs,
    /// Make up order events instead of a feed, where no file is given.
    #[arg(long)]
    orders: bool,
    /// Readers to wait for before the first frame.
    #[arg(long)]
    readers_first: usize,
    /// Readers to wait for before the ring is closed.
    #[arg(long)]
    readers_last: usize,
}

/// How long before it is due a table is made.
const LEAD: Duration = Duration::from_millis(1);

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    args.member.tie_to_parent()?;
    let made_up = if args.orders { MadeUp::Orders } else { MadeUp::Feed };
    let plan = args.tables.plan(made_up)?;
    let mut tables = plan.tables()?.peekable();
    let Some(Ok(first)) = tables.peek() else {
        anyhow::bail!("{}: no first frame", plan.title);
    };
    let frame_bytes = slot::frame_bytes(first);
    let mut bars = Bars::new(first.schema_ref());
    let config = SharedMemoryConfig::new(args.member.ring())
        .with_directory(&global.directory)
        .with_buffer_count((RING_BYTES / frame_bytes).clamp(8, 256))
        .with_slot_bytes(slot::slot_bytes(frame_bytes))
        .with_when_full(send::BLOCK);
    let writer = Writer::new(config)?;
    wait_for_readers(args.member.ring(), args.readers_first, global, &stop)?;

    let start = Instant::now();
    let pace = Pace::new(start, Some(plan.rate));
    let mut sent = Vec::new();
    let mut checksum = 0;
    let mut writes = Latencies::default();
    loop {
        let due = pace.due(sent.len() as u64).unwrap_or(start);
        // The next table is made shortly before it is due, not right after the last one was sent: the kernel likes to
        // wake a reader on the writer's core, where it would wait for us.
        if !stop.sleep_until(due.checked_sub(LEAD).unwrap_or(due)) {
            return Err(interrupted());
        }
        let Some(table) = tables.next() else { break };
        let table = table.with_context(|| format!("reading {}", plan.title))?;
        let hash = content::of(&table)?;
        if let Some(bars) = &mut bars {
            bars.add(&table)?;
        }
        let sequence = match stop.sleep_until(due) {
            true => {
                let before = Instant::now();
                let sequence = send(&writer, &table, &stop, Some(PATIENCE))?;
                writes.add(before.elapsed());
                sequence
            }
            false => None,
        };
        let sequence = sequence.ok_or_else(interrupted)?;
        checksum = content::fold(checksum, sequence, hash);
        sent.push((sequence, hash));
    }
    let seconds = start.elapsed().as_secs_f64();
    wait_for_readers(args.member.ring(), args.readers_last, global, &stop)?;
    let stats = writer.stats();
    writer.close()?;
    Out::new().json(&Published {
        pid: std::process::id(),
        frames: stats.writes_count,
        rows: stats.rows_written,
        bytes: stats.bytes_written,
        seconds,
        full_waits: stats.full_waits,
        write: writes.summary(),
        checksum,
        bars: bars.map(|bars| bars.summary()),
        sent,
    })
}

/// Waits until a ring has so many readers.
pub(super) fn wait_for_readers(
    ring: &str,
    readers: usize,
    global: &Global,
    stop: &Stop,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while living_readers(&inspect::info(ring, &global.directory)?) < readers {
        if Instant::now() >= deadline {
            let message = format!("ring '{ring}': fewer than {readers} readers came within {PATIENCE:?}");
            return Err(Failed::new(Exit::Timeout, message).into());
        }
        if !stop.sleep_until(Instant::now() + Duration::from_millis(2)) {
            return Err(interrupted());
        }
    }
    Ok(())
}

pub(super) fn interrupted() -> anyhow::Error {
    Failed::new(Exit::Failure, "interrupted").into()
}
