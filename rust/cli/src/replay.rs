//! `qads replay`: the frames of a recording into a ring, at the pace at which they came.

use crate::cli::Global;
use crate::exit::Failed;
use crate::human;
use crate::out::Out;
use crate::rings::wait_for_readers;
use crate::send;
use crate::slot;
use crate::stop::Stop;
use crate::values::{Limit, Moment};
use qadataswap::recording::{Recording, Since};
use qadataswap::{Frame, QADataSwapError, SharedMemoryConfig, Writer};
use serde::Serialize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

/// Replay a recording into a ring, at the pace at which its frames came.
///
/// Each frame goes out as it was recorded, in its batches, but for its number: the ring counts its own. The ring is
/// closed at the end. What cannot be read is left out and told; with --json, the summary is one line: {"ring",
/// "frames", "rows", "bytes", "missed", "damaged", "rounds", "seconds"}.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Folder of the recording.
    folder: PathBuf,
    /// Name of the ring to replay into.
    #[arg(long, value_name = "NAME")]
    ring: String,
    /// How fast: 1 as it was, 10 ten times as fast, max as fast as it goes.
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    speed: Speed,
    /// Start at this frame of the ring's newest life.
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "from_time")]
    from: Option<u64>,
    /// Start with the first frame published at this time or later: 2026-03-01T09:30:00Z, or a time ago such as 90m.
    #[arg(long, value_name = "TIME")]
    from_time: Option<Moment>,
    /// End before this frame.
    #[arg(long, value_name = "SEQUENCE")]
    to: Option<u64>,
    /// End before the first frame published at this time or later.
    #[arg(long, value_name = "TIME")]
    to_time: Option<Moment>,
    /// End after so many frames.
    #[arg(short = 'n', long, value_name = "FRAMES")]
    frames: Option<u64>,
    /// Times to replay it; 0 goes on until interrupted.
    #[arg(long, default_value_t = 1, value_name = "N")]
    repeat: u64,
    /// Number of slots of the ring.
    #[arg(long, default_value_t = 8, value_name = "N")]
    buffers: usize,
    /// Capacity of one slot in bytes [default: so that the largest frame recorded fits].
    #[arg(long, value_name = "BYTES")]
    slot_bytes: Option<u64>,
    /// How long to wait when the ring is full.
    #[arg(long, default_value = "5s", value_name = "DUR")]
    write_timeout: Limit,
    /// Wait until so many readers are attached before the first frame.
    #[arg(long, default_value_t = 0, value_name = "N")]
    wait_readers: usize,
    /// No summary.
    #[arg(short, long)]
    quiet: bool,
}

/// How much faster than it was; `None` for as fast as it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Speed(Option<f64>);

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        match text {
            "max" => Ok(Speed(None)),
            text => crate::values::rate(text)
                .map(|factor| Speed(Some(factor)))
                .map_err(|_| format!("expected a number above 0, or max, got '{text}'")),
        }
    }
}

/// What was done, as one line of JSON.
#[derive(Serialize)]
struct Summary<'a> {
    ring: &'a str,
    frames: u64,
    rows: u64,
    bytes: u64,
    missed: u64,
    damaged: u64,
    rounds: u64,
    seconds: f64,
}

/// When frames are due: each as long after the one before as it was published after that, by `speed`.
struct Pace {
    speed: Speed,
    start: Instant,
    /// Of the recording, since its start.
    elapsed: Duration,
    last: Option<(u64, SystemTime)>,
}

impl Pace {
    fn due(&mut self, frame: &Frame) -> Option<Instant> {
        let Speed(Some(factor)) = self.speed else { return None };
        let at = (frame.published_ns(), frame.published_at());
        if let Some((ns, wall)) = self.last.replace(at) {
            // The monotonic clock begins anew with each start of the machine.
            self.elapsed += match at.0.checked_sub(ns) {
                Some(ns) => Duration::from_nanos(ns),
                None => at.1.duration_since(wall).unwrap_or_default(),
            };
        }
        let wait = Duration::try_from_secs_f64(self.elapsed.as_secs_f64() / factor).unwrap_or(Duration::MAX);
        let late = || self.start + Duration::from_secs(u32::MAX.into());
        Some(self.start.checked_add(wait).unwrap_or_else(late))
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let recording = Recording::open(&args.folder)?;
    let largest = match args.slot_bytes {
        Some(bytes) => bytes,
        None => {
            let largest = recording.files()?.iter().map(|file| file.largest_bytes).max();
            slot::slot_bytes(usize::try_from(largest.unwrap_or_default())?)
        }
    };
    let config = SharedMemoryConfig::new(&args.ring)
        .with_directory(&global.directory)
        .with_buffer_count(args.buffers)
        .with_slot_bytes(largest)
        .with_when_full(send::BLOCK);
    let writer = Writer::new(config)?;
    if !wait_for_readers(&args.ring, args.wait_readers, global, &stop)? {
        return Ok(());
    }
    let mut summary = Summary {
        ring: &args.ring,
        frames: 0,
        rows: 0,
        bytes: 0,
        missed: 0,
        damaged: 0,
        rounds: 0,
        seconds: 0.0,
    };
    let start = Instant::now();
    let mut going = true;
    while going && (args.repeat == 0 || summary.rounds < args.repeat) {
        let before = summary.frames;
        going = replay(args, &recording, &writer, &stop, &mut summary)?;
        summary.rounds += u64::from(going);
        // A recording without frames is not replayed for ever.
        going &= summary.frames > before;
    }
    summary.seconds = start.elapsed().as_secs_f64();
    writer.close()?;
    match args.quiet {
        true => Ok(()),
        false => print(&summary, global.json),
    }
}

/// Replays it once; false if asked to end before, or if there were frames enough.
fn replay(
    args: &Args,
    recording: &Recording,
    writer: &Writer,
    stop: &Stop,
    summary: &mut Summary<'_>,
) -> anyhow::Result<bool> {
    let from = match (args.from, args.from_time) {
        (Some(sequence), _) => Since::Sequence(sequence),
        (None, Some(Moment(time))) => Since::Time(time),
        (None, None) => Since::Start,
    };
    let mut pace = Pace { speed: args.speed, start: Instant::now(), elapsed: Duration::ZERO, last: None };
    for frame in recording.frames(from)? {
        let frame = match frame {
            Ok(frame) => frame,
            // Another life of the ring: its frames come as if they followed, and they do.
            Err(QADataSwapError::Replaced { .. }) => continue,
            Err(error @ QADataSwapError::Corrupt { .. }) => {
                tracing::warn!(%error, "a frame is left out");
                summary.damaged += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let is_over = args.to.is_some_and(|to| frame.sequence() >= to)
            || args.to_time.is_some_and(|Moment(to)| frame.published_at() >= to);
        if is_over {
            break;
        }
        if args.frames.is_some_and(|frames| summary.frames >= frames) {
            return Ok(false);
        }
        if stop.is_asked() || pace.due(&frame).is_some_and(|due| !stop.sleep_until(due)) {
            return Ok(false);
        }
        let sent = send::send_batches(writer, frame.schema(), frame.batches(), stop, args.write_timeout.0);
        let sent = sent.map_err(explain)?;
        if sent.is_none() {
            return Ok(false);
        }
        summary.frames += 1;
        summary.rows += frame.num_rows() as u64;
        summary.bytes += frame.bytes().len() as u64;
        summary.missed += frame.missed();
    }
    Ok(true)
}

/// Adds to an error what this command's options can do about it.
fn explain(error: QADataSwapError) -> anyhow::Error {
    match &error {
        // Frames that were compressed are larger than they were recorded.
        QADataSwapError::FrameTooLarge { needed, .. } => {
            let message = format!("{error}; here: --slot-bytes {needed} or more");
            Failed::new(error.kind().into(), message).into()
        }
        _ => error.into(),
    }
}

fn print(summary: &Summary<'_>, json: bool) -> anyhow::Result<()> {
    let mut out = Out::new();
    if json {
        return out.json(summary);
    }
    out.line(format_args!(
        "replayed {}, {}, {} into '{}' in {}, {} missed, {} damaged",
        human::plural(summary.frames, "frame"),
        human::plural(summary.rows, "row"),
        human::bytes(summary.bytes),
        summary.ring,
        human::duration(Duration::from_secs_f64(summary.seconds)),
        human::count(summary.missed),
        human::count(summary.damaged),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_factor_or_max() {
        assert_eq!("1".parse(), Ok(Speed(Some(1.0))));
        assert_eq!("0.5".parse(), Ok(Speed(Some(0.5))));
        assert_eq!("max".parse(), Ok(Speed(None)));
        for bad in ["0", "-1", "fast", "inf"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }
}
