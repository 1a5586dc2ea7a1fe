//! `qads top`: what rings and their readers are doing, as it goes on.
//!
//! Law: every figure is the difference of two looks from outside ([`qadataswap::inspect`]); whoever is watched does not
//! notice.

mod once;
mod picture;
mod screen;
mod view;

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::stop::Stop;
use crate::values;
use picture::Watch;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use view::Sort;

/// Watch the rings and their readers: frames, bytes and rows a second, fill, lag, what was missed, and how long frames
/// take from publication to read.
///
/// Latencies are those of the interval, counted by each reader in shared memory; "waits" is
/// the share of the time that a ring's writer has waited for space, and its state while it does. Keys: q quits, the arrows select the ring whose readers are
/// shown, n f b r l m p sort by name, frames, bytes, rows, lag, missed and p99, i inverts the order.
///
/// With --once --json, each line is one ring: {"ring", "state", "waiting", "writer": {"pid", "command"}, "when_full",
/// "interval_ns", "frames_per_s", "bytes_per_s", "rows_per_s", "waiting_share", "standing", "buffer_count", "frames",
/// "lag", "missed", "full_waits", "waited_ns", "write_timeouts", "readers_evicted", "latency": {"count", "p50_ns",
/// "p90_ns", "p99_ns", "p999_ns", "max_ns"}, "readers": [{"row", "pid", "command", "state", "policy", "reads_per_s",
/// "bytes_per_s", "rows_per_s", "lag", "pins", "reads", "missed", "missed_in_interval", "last_read_ns", "latency"},
/// ...]}; what is not known (of a ring that came within the interval, or without frames) is null.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Show only this ring.
    name: Option<String>,
    /// Time between two looks.
    #[arg(short, long, value_name = "DUR", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Print one interval and end; needs no terminal.
    #[arg(long)]
    once: bool,
    /// What to sort the rings by.
    #[arg(short, long, value_enum, default_value_t = Sort::Name)]
    sort: Sort,
}

/// Reads the time between two looks.
fn interval(text: &str) -> Result<Duration, String> {
    match values::duration(text)? {
        interval if interval >= Duration::from_millis(10) => Ok(interval),
        _ => Err("expected at least 10ms".to_owned()),
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    if !args.once && (global.json || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal()) {
        let message =
            "top draws on a terminal, and there is none (or JSON was asked for); use 'qads top --once'";
        return Err(Failed::new(Exit::Usage, message).into());
    }
    let stop = Stop::on_signals()?;
    let mut watch = Watch::begin(&global.directory, args.name.clone())?;
    if !args.once {
        return screen::run(watch, args, &stop);
    }
    if !stop.sleep_until(Instant::now() + args.interval) {
        return Ok(());
    }
    let mut picture = watch.look()?;
    args.sort.apply(&mut picture.rings, false);
    once::print(&picture, global)
}
