//! `qads tail`: the frames of a ring as they come.

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::follow::{self, Next};
use crate::out::Out;
use crate::stop::Stop;
use crate::values::{self, Check, Limit, Policy, Start};
use crate::{human, rows};
use arrow::util::pretty::pretty_format_batches;
use qadataswap::{Frame, Reader, SharedMemoryConfig};
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// Rows of a frame that are printed as a table, unless told.
const TABLE_ROWS: usize = 10;

/// Print the frames of a ring as they come, until the stream ends.
///
/// A watcher must not hold up a ring: it is lossy unless told otherwise, and says what it missed. With --json,
/// each line is one frame: {"ring", "sequence", "num_rows", "bytes", "bytes_copied", "published_ns" (monotonic
/// clock), "age_ns", "missed", "rows": [{column: value, ...}, ...]}.
///
/// Whoever reads an ended ring from its oldest frame to its end, and leaves it last, removes it. With --policy
/// latest or --from newest, tail only looks; with --policy observer it takes no part at all, and needs read permission only.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Name of the ring.
    name: String,
    /// End after so many frames.
    #[arg(short = 'n', long, value_name = "FRAMES")]
    frames: Option<u64>,
    /// What this reader is owed. As lossless, it makes the writer wait for it.
    #[arg(long, value_enum, default_value_t = Policy::Lossy)]
    pub(crate) policy: Policy,
    /// Where to start.
    #[arg(long, value_enum, default_value_t = Start::Oldest)]
    from: Start,
    /// Print at most so many rows of a frame; 0 prints headings only [default: 10 as a table, all as JSON].
    #[arg(long, value_name = "K")]
    rows: Option<usize>,
    /// Give up when no frame has come for so long.
    #[arg(long, value_name = "DUR", default_value = "forever")]
    timeout: Limit,
    /// How much of a frame to check before it is printed.
    #[arg(long, value_enum, default_value_t = Check::Form)]
    validate: Check,
    /// Wait so long for the ring to come into being.
    #[arg(long, value_name = "DUR", default_value = "0", value_parser = values::duration)]
    attach_timeout: Duration,
}

/// A frame, as one line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    ring: &'a str,
    sequence: u64,
    num_rows: usize,
    bytes: usize,
    bytes_copied: u64,
    published_ns: u64,
    age_ns: u64,
    missed: u64,
    rows: Box<RawValue>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let config = SharedMemoryConfig::new(&args.name)
        .with_directory(&global.directory)
        .with_policy(args.policy.into())
        .with_start(args.from.into())
        .with_validation(args.validate.into())
        .with_attach_timeout(args.attach_timeout);
    let reader = Reader::new(config)?;
    let mut out = Out::new();
    let mut printed = 0;
    while args.frames.is_none_or(|frames| printed < frames) {
        let frame = match follow::next(&reader, &stop, args.timeout.0)? {
            Next::Frame(frame) => frame,
            Next::Ended | Next::Stopped => return Ok(()),
            Next::TimedOut => {
                let waited = human::duration(args.timeout.0.unwrap_or_default());
                let message = format!(
                    "ring '{}': no frame came within {waited}; see 'qads info {0}', or raise --timeout",
                    args.name
                );
                return Err(Failed::new(Exit::Timeout, message).into());
            }
        };
        print(&frame, args, global.json, &mut out)?;
        printed += 1;
    }
    Ok(())
}

fn print(frame: &Frame, args: &Args, json: bool, out: &mut Out) -> anyhow::Result<()> {
    let age = frame.age();
    if json {
        return out.json(&Line {
            ring: &args.name,
            sequence: frame.sequence(),
            num_rows: frame.num_rows(),
            bytes: frame.bytes().len(),
            bytes_copied: frame.bytes_copied(),
            published_ns: frame.published_ns(),
            age_ns: u64::try_from(age.as_nanos()).unwrap_or(u64::MAX),
            missed: frame.missed(),
            rows: rows::to_json(frame.batches(), args.rows)?,
        });
    }
    let limit = args.rows.unwrap_or(TABLE_ROWS);
    let mut block = format!(
        "frame {}: {}, {}, {} old, {} missed",
        frame.sequence(),
        human::plural(frame.num_rows() as u64, "row"),
        human::bytes(frame.bytes().len() as u64),
        human::duration(age),
        human::count(frame.missed()),
    );
    let shown = rows::head(frame.batches(), Some(limit));
    if !shown.is_empty() {
        block.push_str(&format!("\n{}", pretty_format_batches(&shown)?));
        if let Some(more) = frame.num_rows().checked_sub(limit).filter(|&more| more > 0) {
            block.push_str(&format!("\n... {}", human::plural(more as u64, "more row")));
        }
    }
    out.line(block)
}
