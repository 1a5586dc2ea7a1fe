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
mod relay;
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
use relay::{Relay, Relayed};
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
    /// A member in another language: a program that is called with FROM TO FOLDER, reads every table of the ring FROM,
    /// writes it to the ring TO, and tells what it did as one line of JSON. What it wrote is compared with what was
    /// sent. May be given several times
    #[arg(long, value_name = "LANGUAGE=PROGRAM")]
    relay: Vec<Relay>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let plan = args.tables.plan()?;
    let before = Folder::list(&global.directory)?;
    let ring = OwnRing::new(format!("demo-{}", std::process::id()), &global.directory);
    let relay_rings: Vec<OwnRing> =
        args.relay.iter().map(|relay| OwnRing::new(relay.ring(ring.name()), &global.directory)).collect();
    if !global.json {
        Out::new().line(show::heading(&plan, ring.name(), &args.relay))?;
    }
    let Played { mut publisher, mut readers, relays } = play(&plan, ring.name(), &args.relay, global, &stop)?;
    drop(relay_rings);
    let mut checks = verify::checks(&publisher, &readers, &relays);
    checks.push(before.unchanged_by(ring.name(), &Folder::list(&global.directory)?));
    publisher.sent.clear();
    readers.iter_mut().for_each(|reader| reader.received.clear());
    let passed = checks.iter().all(|check| check.passed);
    let report =
        Report { ring: ring.name().to_owned(), feed: plan.title, passed, publisher, readers, relays, checks };
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

/// What every process told.
struct Played {
    publisher: Published,
    readers: Vec<Received>,
    relays: Vec<Relayed>,
}

/// Starts the processes, the late joiner when half is published, and waits for their reports.
fn play(plan: &Plan, ring: &str, relays: &[Relay], global: &Global, stop: &Stop) -> anyhow::Result<Played> {
    let mut cast = Cast::default();
    let member = |command: &str, ring: &str| {
        let directory = format!("--directory={}", global.directory.display());
        let parent = format!("--parent={}", std::process::id());
        vec![command.to_owned(), format!("--ring={ring}"), parent, directory]
    };
    let reader = |role: Role, ring: &str| {
        let mut args = member("demo-reader", ring);
        args.push(format!("--role={}", role.name()));
        args
    };
    let early = EARLY.len() + relays.len();
    let mut args = member("demo-publisher", ring);
    args.push(format!("--readers-first={early}"));
    args.push(format!("--readers-last={}", early + 1));
    args.extend(plan.options());
    cast.start(PUBLISHER, &args)?;
    for role in EARLY {
        cast.start(role.name(), &reader(role, ring))?;
    }
    for relay in relays {
        let mut args = relay.arguments.clone();
        args.extend([ring.to_owned(), relay.ring(ring), global.directory.display().to_string()]);
        cast.start_program(&relay.name(), &relay.program, &args)?;
        cast.start(&auditor(relay), &reader(Role::Auditor, &relay.ring(ring)))?;
    }
    let mut is_late = false;
    while !cast.have_ended()? || !is_late {
        if !is_late && inspect::info(ring, &global.directory).is_ok_and(|info| info.frames >= plan.frames / 2)
        {
            cast.start(Role::LateJoiner.name(), &reader(Role::LateJoiner, ring))?;
            is_late = true;
        }
        if !stop.sleep_until(Instant::now() + Duration::from_millis(5)) {
            return Err(
                Failed::new(Exit::Failure, "the demo was interrupted; its processes were ended").into()
            );
        }
    }
    let publisher = cast.report(PUBLISHER)?;
    let mut readers = Vec::new();
    for role in [EARLY[0], EARLY[1], Role::LateJoiner] {
        readers.push(cast.report(role.name())?);
    }
    let mut relayed = Vec::new();
    for relay in relays {
        let told: Relayed = cast.report(&relay.name())?;
        relayed.push(Relayed { language: relay.language.clone(), ..told });
        let audited: Received = cast.report(&auditor(relay))?;
        readers.push(Received { language: Some(relay.language.clone()), ..audited });
    }
    Ok(Played { publisher, readers, relays: relayed })
}

/// The name of the process that reads what a relay writes.
fn auditor(relay: &Relay) -> String {
    format!("{} of {}", Role::Auditor.name(), relay.name())
}
