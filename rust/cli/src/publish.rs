//! `qads publish`: replays a file into a ring.

mod progress;
mod ring;

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::human;
use crate::out::Out;
use crate::pace::Pace;
use crate::rings::wait_for_readers;
use crate::send::send;
use crate::source::{Format, Source};
use crate::stop::{SLICE, Stop};
use crate::values;
use anyhow::Context;
use arrow::array::RecordBatch;
use progress::Progress;
use qadataswap::inspect::{self, RingState};
use qadataswap::{QADataSwapError, Writer};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Replay a Parquet, Arrow IPC or CSV file into a ring.
///
/// The ring is closed at the end. What was not read by then stays until it is read, or until 'qads gc' removes
/// it. With --json, the summary is one line: {"ring", "frames", "rows", "bytes", "seconds", "full_waits"}.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// File to replay.
    file: PathBuf,
    #[command(flatten)]
    ring: ring::RingArgs,
    /// What the file is [default: by its content, then its name].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Rows in a frame.
    #[arg(long, default_value_t = 65_536, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    rows_per_frame: u64,
    /// Frames a second [default: as fast as it goes].
    #[arg(long, value_name = "FRAMES_PER_S", value_parser = values::rate, conflicts_with = "rate_rows")]
    rate: Option<f64>,
    /// Rows a second.
    #[arg(long, value_name = "ROWS_PER_S", value_parser = values::rate)]
    rate_rows: Option<f64>,
    /// Times to replay the file; 0 goes on until interrupted.
    #[arg(long, default_value_t = 1, value_name = "N")]
    repeat: u64,
    /// Wait until so many readers are attached before the first frame.
    #[arg(long, default_value_t = 0, value_name = "N")]
    wait_readers: usize,
    /// Stay until somebody has read the ring to its end.
    #[arg(long)]
    linger: bool,
    /// No progress bar, no summary.
    #[arg(short, long)]
    quiet: bool,
}

/// What was done, as one line of JSON.
#[derive(Serialize)]
struct Summary<'a> {
    ring: &'a str,
    frames: u64,
    rows: u64,
    bytes: u64,
    seconds: f64,
    full_waits: u64,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let source = Source::new(&args.file, args.format)?;
    let rows_per_frame = usize::try_from(args.rows_per_frame)?;
    let first = source.frames(rows_per_frame)?.next().transpose().with_context(|| source.unreadable())?;
    let Some(first) = first else {
        let message = format!("{} has no rows: there is nothing to publish", args.file.display());
        return Err(Failed::new(Exit::Failure, message).into());
    };
    let writer = Writer::new(args.ring.config(&first, global))?;
    if !wait_for_readers(args.ring.name(), args.wait_readers, global, &stop)? {
        return Ok(());
    }
    let total = source.rows()?.filter(|_| args.repeat > 0).map(|rows| rows * args.repeat);
    let progress = Progress::new(total, args.quiet);
    let start = Instant::now();
    publish(&source, &writer, args, &stop, &progress)?;
    progress.finish();
    let seconds = start.elapsed().as_secs_f64();
    let stats = writer.stats();
    writer.close()?;
    if !args.quiet {
        let summary = Summary {
            ring: args.ring.name(),
            frames: stats.writes_count,
            rows: stats.rows_written,
            bytes: stats.bytes_written,
            seconds,
            full_waits: stats.full_waits,
        };
        print(&summary, global.json)?;
    }
    if args.linger {
        linger(args, global, &stop)?;
    }
    Ok(())
}

/// Publishes the file as often as asked, or until asked to end.
fn publish(
    source: &Source,
    writer: &Writer,
    args: &Args,
    stop: &Stop,
    progress: &Progress,
) -> anyhow::Result<()> {
    let pace = Pace::new(Instant::now(), args.rate.or(args.rate_rows));
    let (mut frames, mut rows, mut round) = (0, 0, 0);
    while args.repeat == 0 || round < args.repeat {
        for frame in source.frames(usize::try_from(args.rows_per_frame)?)? {
            let frame = frame.with_context(|| source.unreadable())?;
            let due = pace.due(if args.rate.is_some() { frames } else { rows });
            if stop.is_asked() || due.is_some_and(|due| !stop.sleep_until(due)) {
                return Ok(());
            }
            let sent =
                send(writer, &frame, stop, args.ring.patience()).map_err(|error| explain(error, &frame))?;
            if sent.is_none() {
                return Ok(());
            }
            frames += 1;
            rows += frame.num_rows() as u64;
            progress.show(rows, writer.stats().bytes_written);
        }
        round += 1;
    }
    Ok(())
}

/// Adds to an error what this command's options can do about it.
fn explain(error: QADataSwapError, frame: &RecordBatch) -> anyhow::Error {
    let remedy = match &error {
        QADataSwapError::FrameTooLarge { needed, available, .. } => {
            // What a frame takes beside its rows is not known here: a tenth is left for it.
            let rows =
                frame.num_rows() as u128 * u128::from(*available) * 9 / u128::from((*needed).max(1)) / 10;
            match rows {
                0..100 => format!("--slot-bytes {needed} or more"),
                rows => format!("--slot-bytes {needed} or more, or --rows-per-frame {rows} or fewer"),
            }
        }
        QADataSwapError::NoSpace { .. } => {
            "fewer --buffers, a smaller --rows-per-frame, or another --directory".to_owned()
        }
        _ => return error.into(),
    };
    Failed::new(error.kind().into(), format!("{error}; here: {remedy}")).into()
}

/// Waits until the closed ring is gone: the last one to leave it, having read it to its end, removes it.
fn linger(args: &Args, global: &Global, stop: &Stop) -> anyhow::Result<()> {
    loop {
        match inspect::info(args.ring.name(), &global.directory) {
            Err(QADataSwapError::NotFound { .. }) => return Ok(()),
            // The name may be another writer's by now.
            Ok(info) if info.state != RingState::Closed => return Ok(()),
            info => info?,
        };
        if !stop.sleep_until(Instant::now() + SLICE) {
            return Ok(());
        }
    }
}

fn print(summary: &Summary<'_>, json: bool) -> anyhow::Result<()> {
    let mut out = Out::new();
    if json {
        return out.json(summary);
    }
    let seconds = summary.seconds.max(1e-9);
    out.line(format_args!(
        "published {}, {}, {} into '{}' in {} ({} rows/s, {}/s)",
        human::plural(summary.frames, "frame"),
        human::plural(summary.rows, "row"),
        human::bytes(summary.bytes),
        summary.ring,
        human::duration(Duration::from_secs_f64(seconds)),
        human::count((summary.rows as f64 / seconds) as u64),
        human::bytes((summary.bytes as f64 / seconds) as u64),
    ))
}
