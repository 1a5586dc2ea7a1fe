//! `qads gc`: removes the rings that nobody takes part in any more.

use crate::cli::Global;
use crate::human;
use crate::out::Out;
use qadataswap::inspect;
use serde::Serialize;

/// Remove the rings that nobody takes part in any more, with what was left unread in them.
///
/// With --json, each line is one ring: {"ring", "frames", "bytes", "removed"}.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
}

/// A removed ring, as one line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    ring: &'a str,
    frames: usize,
    bytes: u64,
    removed: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let rings = inspect::gc(&global.directory, args.dry_run)?;
    let mut out = Out::new();
    for ring in &rings {
        if global.json {
            let removed = !args.dry_run;
            out.json(&Line { ring: &ring.name, frames: ring.frames, bytes: ring.bytes, removed })?;
            continue;
        }
        out.line(format_args!(
            "{} {}: {} standing, {}",
            if args.dry_run { "would remove" } else { "removed" },
            ring.name,
            human::plural(ring.frames as u64, "frame"),
            human::bytes(ring.bytes)
        ))?;
    }
    if rings.is_empty() && !global.json {
        out.line(format_args!("nothing to remove in {}", global.directory.display()))?;
    }
    Ok(())
}
