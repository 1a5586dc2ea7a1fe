//! `qads record`: a ring into the files of a folder.

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::human;
use crate::out::Out;
use crate::stop::{SLICE, Stop};
use crate::values::{self, Limit, Policy};
use qadataswap::recording::{Recorder, RecorderConfig, RecorderStats, SyncPolicy};
use qadataswap::{QADataSwapError, SharedMemoryConfig};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often --json tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Record a ring into the files of a folder, until its stream ends.
///
/// The files are Arrow IPC streams (.arrows) that Polars, pyarrow and others open as they are, with an index beside
/// each. A recorder that finds a recording of its ring goes on behind it, and mends its end first if a recorder was
/// killed. With --json, a line a second, and one at the end: {"ring", "directory", "frames", "rows", "bytes",
/// "missed", "files", "seconds", "done"}.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Name of the ring.
    name: String,
    /// Folder of the recording; made if it is not there.
    folder: PathBuf,
    /// Begin a new file rather than let one grow beyond so many bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1..))]
    rotate_bytes: u64,
    /// Begin a new file with the first frame published so long after the first one of a file.
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    rotate_every: Option<Duration>,
    /// When what was recorded is made to outlive a power failure: never, rotate (when a file is finished), or a number
    /// of frames.
    #[arg(long, value_name = "WHEN", default_value = "rotate", value_parser = sync)]
    sync: SyncPolicy,
    /// What the recorder is owed. As lossless, the ring waits for the disk.
    #[arg(long, value_enum, default_value_t = Policy::Lossless)]
    policy: Policy,
    /// End after so many frames.
    #[arg(short = 'n', long, value_name = "FRAMES")]
    frames: Option<u64>,
    /// End after so long.
    #[arg(long, value_name = "DUR", default_value = "forever")]
    duration: Limit,
    /// Wait so long for the ring to come into being.
    #[arg(long, value_name = "DUR", default_value = "0", value_parser = values::duration)]
    attach_timeout: Duration,
    /// When the ring's writer dies, or another ring takes its place, wait so long for what comes.
    #[arg(long, value_name = "DUR", default_value = "0")]
    await_writer: Limit,
    /// No summary.
    #[arg(short, long)]
    quiet: bool,
}

/// How far it is, as one line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    ring: &'a str,
    directory: String,
    frames: u64,
    rows: u64,
    bytes: u64,
    missed: u64,
    files: u64,
    seconds: f64,
    done: bool,
}

fn sync(text: &str) -> Result<SyncPolicy, String> {
    match text {
        "never" => Ok(SyncPolicy::Never),
        "rotate" => Ok(SyncPolicy::OnRotate),
        text => match text.parse() {
            Ok(frames) if frames > 0 => Ok(SyncPolicy::Every(frames)),
            _ => Err(format!("expected never, rotate, or a number of frames above 0, got '{text}'")),
        },
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let ring =
        SharedMemoryConfig::new(&args.name).with_directory(&global.directory).with_policy(args.policy.into());
    let Some(mut recorder) = open(args, &ring, &stop)? else { return Ok(()) };
    let mut out = Out::new();
    let start = Instant::now();
    let recorded = record(args, &mut recorder, &stop, |stats| match global.json && !args.quiet {
        true => out.json(&line(args, stats, start, false)),
        false => Ok(()),
    });
    // However it ended: what there is, is finished.
    let closed = recorder.close();
    recorded?;
    let stats = closed?;
    if args.quiet {
        return Ok(());
    }
    if global.json {
        return out.json(&line(args, stats, start, true));
    }
    out.line(format_args!(
        "recorded {}, {}, {} of '{}' into {} of {} in {}, {} missed",
        human::plural(stats.frames, "frame"),
        human::plural(stats.rows, "row"),
        human::bytes(stats.bytes),
        args.name,
        human::plural(stats.files, "file"),
        args.folder.display(),
        human::duration(start.elapsed()),
        human::count(stats.missed),
    ))
}

/// Opens the recorder, waiting for the ring as long as asked to; `None` if the command was asked to end meanwhile.
fn open(args: &Args, ring: &SharedMemoryConfig, stop: &Stop) -> Result<Option<Recorder>, QADataSwapError> {
    let start = Instant::now();
    loop {
        let config =
            RecorderConfig::new(ring, &args.folder).with_rotate_bytes(args.rotate_bytes).with_sync(args.sync);
        let config = match args.rotate_every {
            Some(every) => config.with_rotate_every(every),
            None => config,
        };
        match Recorder::open(config) {
            Err(QADataSwapError::NotFound { .. }) if start.elapsed() < args.attach_timeout => {}
            opened => return opened.map(Some),
        }
        if !stop.sleep_until(Instant::now() + Duration::from_millis(5)) {
            return Ok(None);
        }
    }
}

/// Records until the stream, the limits, or the user's patience end.
fn record(
    args: &Args,
    recorder: &mut Recorder,
    stop: &Stop,
    mut tell: impl FnMut(RecorderStats) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let (mut told, mut alone_since) = (start, None::<Instant>);
    while args.frames.is_none_or(|frames| recorder.stats().frames < frames) && !stop.is_asked() {
        let left = match args.duration.0 {
            Some(limit) if start.elapsed() >= limit => return Ok(()),
            Some(limit) => (limit - start.elapsed()).min(SLICE),
            None => SLICE,
        };
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(recorder.stats())?;
        }
        let error = match recorder.record(left) {
            Ok(recorded) => {
                // A ring whose writer is dead says so: silence is a living writer's.
                alone_since = None;
                if recorded.is_some_and(|frame| frame.missed > 0) {
                    tracing::warn!(ring = args.name, ?recorded, "frames are missing in the recording");
                }
                continue;
            }
            Err(QADataSwapError::EndOfStream { .. }) => return Ok(()),
            Err(error @ QADataSwapError::Corrupt { .. }) => {
                tracing::warn!(ring = args.name, %error, "a frame is left out");
                continue;
            }
            Err(error @ (QADataSwapError::WriterDied { .. } | QADataSwapError::Replaced { .. })) => error,
            Err(error) => return Err(error.into()),
        };
        let alone = *alone_since.get_or_insert_with(Instant::now);
        let waits = args.await_writer.0.is_none_or(|patience| alone.elapsed() < patience);
        if !waits {
            let message = format!("{error}; here: --await-writer DUR waits for what comes");
            return Err(Failed::new(Exit::from(error.kind()), message).into());
        }
        if let QADataSwapError::Replaced { .. } = error {
            match recorder.attach_again() {
                Ok(()) | Err(QADataSwapError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !stop.sleep_until(Instant::now() + Duration::from_millis(2)) {
            return Ok(());
        }
    }
    Ok(())
}

fn line(args: &Args, stats: RecorderStats, start: Instant, done: bool) -> Line<'_> {
    Line {
        ring: &args.name,
        directory: args.folder.display().to_string(),
        frames: stats.frames,
        rows: stats.rows,
        bytes: stats.bytes,
        missed: stats.missed,
        files: stats.files,
        seconds: start.elapsed().as_secs_f64(),
        done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_sync_is_a_word_or_a_number() {
        assert_eq!(sync("never"), Ok(SyncPolicy::Never));
        assert_eq!(sync("rotate"), Ok(SyncPolicy::OnRotate));
        assert_eq!(sync("100"), Ok(SyncPolicy::Every(100)));
        for bad in ["0", "-1", "always", ""] {
            assert!(sync(bad).is_err(), "{bad}");
        }
    }
}
