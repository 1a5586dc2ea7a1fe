//! A reading process of the demo.

use super::bars::Bars;
use super::in_place::Buffers;
use super::latency::Latencies;
use super::report::{Received, Role};
use super::{PATIENCE, cast, content};
use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::follow::{self, Next};
use crate::out::Out;
use crate::stop::Stop;
use qadataswap::{Frame, Reader, ReaderPolicy, SharedMemoryConfig, StartAt};
use std::time::{Duration, Instant};

/// Time between two looks of the dashboard.
const LOOK: Duration = Duration::from_millis(40);

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    member: cast::MemberArgs,
    #[arg(long, value_enum)]
    role: Role,
}

/// What has been seen so far.
struct Tally {
    attached: Instant,
    from: u64,
    received: Vec<(u64, u64)>,
    checksum: u64,
    buffers: Buffers,
    latencies: Latencies,
    bars: Option<Bars>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    args.member.tie_to_parent()?;
    let (policy, start) = match args.role {
        Role::Consumer | Role::LateJoiner | Role::Auditor => (ReaderPolicy::Lossless, StartAt::Oldest),
        Role::Dashboard => (ReaderPolicy::Latest, StartAt::Newest),
    };
    let config = SharedMemoryConfig::new(args.member.ring())
        .with_directory(&global.directory)
        .with_attach_timeout(PATIENCE)
        .with_policy(policy)
        .with_start(start);
    let reader = Reader::new(config)?;
    let mut tally = Tally::new();
    loop {
        match follow::next(&reader, &stop, Some(PATIENCE))? {
            Next::Frame(frame) => {
                let age = frame.age();
                tally.add(&frame, age, args.role)?;
            }
            Next::Ended => break,
            Next::Stopped => return Err(Failed::new(Exit::Failure, "interrupted").into()),
            Next::TimedOut => {
                let message = format!("ring '{}': no frame came within {PATIENCE:?}", args.member.ring());
                return Err(Failed::new(Exit::Timeout, message).into());
            }
        }
        if args.role == Role::Dashboard {
            stop.sleep_until(Instant::now() + LOOK);
        }
    }
    let stats = reader.stats();
    Out::new().json(&Received {
        role: args.role,
        language: None,
        pid: std::process::id(),
        frames: stats.reads_count,
        rows: stats.rows_read,
        bytes: stats.bytes_read,
        missed: stats.frames_missed,
        from: tally.from,
        bytes_copied: stats.bytes_copied,
        buffers: tally.buffers,
        latency: tally.latencies.summary(),
        checksum: tally.checksum,
        bars: tally.bars.map(|bars| bars.summary()),
        received: tally.received,
    })
}

impl Tally {
    fn new() -> Tally {
        Tally {
            attached: Instant::now(),
            from: 0,
            received: Vec::new(),
            checksum: 0,
            buffers: Buffers::default(),
            latencies: Latencies::default(),
            bars: None,
        }
    }

    fn add(&mut self, frame: &Frame, age: Duration, role: Role) -> anyhow::Result<()> {
        if self.received.is_empty() {
            self.from = frame.sequence().saturating_sub(frame.missed());
        }
        // What stood in the ring before this reader came says nothing about how long a frame takes.
        if age <= self.attached.elapsed() {
            self.latencies.add(age);
        }
        self.buffers.add(frame);
        let batch = frame.to_batch()?;
        let hash = content::of(&batch)?;
        self.checksum = content::fold(self.checksum, frame.sequence(), hash);
        self.received.push((frame.sequence(), hash));
        if role == Role::Consumer {
            if self.received.len() == 1 {
                self.bars = Bars::new(frame.schema());
            }
            if let Some(bars) = &mut self.bars {
                bars.add(&batch)?;
            }
        }
        Ok(())
    }
}
