//! `qads demo`: one writer and three readers, each a process of its own, on a market-data feed; and whether what
//! arrived is what was sent.

mod bars;
mod cast;
mod content;
mod feed;
mod folder;
mod in_place;
mod latency;
mod noise;
pub(crate) mod publisher;
pub(crate) mod reader;
mod report;
mod show;
mod tables;
mod verify;

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::out::Out;
use crate::stop::Stop;
use cast::Cast;
use folder::{Folder, OwnRing};
use qadataswap::inspect;
use report::{Published, Received, Report, Role};
use std::time::{Duration, Instant};
use tables::Plan;

/// Readers that are there before the first frame.
const EARLY: [Role; 2] = [Role::Consumer, Role::Dashboard];
/// The name of the publishing process.
const PUBLISHER: &str = "publisher";

/// Run a writer and three readers as processes on a market-data feed, and check what arrives.
///
/// The consumer is lossless and computes one-second bars; the dashboard looks at the newest frame 25 times a
/// second; the late joiner attaches when half is published, from the oldest frame still there. Content is
/// compared frame by frame, zero-copy is checked by address, and nothing may be left behind. With --json, the
/// whole report is one line.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    tables: tables::FeedArgs,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let plan = args.tables.plan()?;
    let before = Folder::list(&global.directory)?;
    let ring = OwnRing::new(format!("demo-{}", std::process::id()), &global.directory);
    if !global.json {
        Out::new().line(show::heading(&plan, ring.name()))?;
    }
    let (mut publisher, mut readers) = play(&plan, ring.name(), global, &stop)?;
    let mut checks = verify::checks(&publisher, &readers);
    checks.push(before.unchanged_by(ring.name(), &Folder::list(&global.directory)?));
    publisher.sent.clear();
    readers.iter_mut().for_each(|reader| reader.received.clear());
    let passed = checks.iter().all(|check| check.passed);
    let report =
        Report { ring: ring.name().to_owned(), feed: plan.title, passed, publisher, readers, checks };
    match global.json {
        true => Out::new().json(&report)?,
        false => Out::new().line(show::report(&report))?,
    }
    let failed = report.checks.iter().filter(|check| !check.passed).count();
    match failed {
        0 => Ok(()),
        failed => Err(Failed::new(Exit::Failure, format!("the demo failed: {failed} checks")).into()),
    }
}

/// Starts the processes, the late joiner when half is published, and waits for their reports.
fn play(plan: &Plan, ring: &str, global: &Global, stop: &Stop) -> anyhow::Result<(Published, Vec<Received>)> {
    let mut cast = Cast::default();
    let member = |command: &str| {
        let directory = format!("--directory={}", global.directory.display());
        let parent = format!("--parent={}", std::process::id());
        vec![command.to_owned(), format!("--ring={ring}"), parent, directory]
    };
    let reader = |role: Role| {
        let mut args = member("demo-reader");
        args.push(format!("--role={}", role.name()));
        args
    };
    let mut args = member("demo-publisher");
    args.push(format!("--readers-first={}", EARLY.len()));
    args.push(format!("--readers-last={}", EARLY.len() + 1));
    args.extend(plan.options());
    cast.start(PUBLISHER, &args)?;
    for role in EARLY {
        cast.start(role.name(), &reader(role))?;
    }
    let mut is_late = false;
    while !cast.have_ended()? || !is_late {
        if !is_late && inspect::info(ring, &global.directory).is_ok_and(|info| info.frames >= plan.frames / 2)
        {
            cast.start(Role::LateJoiner.name(), &reader(Role::LateJoiner))?;
            is_late = true;
        }
        if !stop.sleep_until(Instant::now() + Duration::from_millis(5)) {
            return Err(
                Failed::new(Exit::Failure, "the demo was interrupted; its processes were ended").into()
            );
        }
    }
    let publisher = cast.report(PUBLISHER)?;
    let readers = [EARLY[0], EARLY[1], Role::LateJoiner].map(|role| cast.report(role.name()));
    Ok((publisher, readers.into_iter().collect::<anyhow::Result<_>>()?))
}
