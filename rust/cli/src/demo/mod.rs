//! `qads demo`: one writer and three readers, each a process of its own, on a market-data feed, and live views of it in
//! further ones; and whether what arrived is what was sent.

mod bars;
mod cast;
mod content;
mod feed;
mod folder;
mod in_place;
mod latency;
pub(crate) mod live;
mod noise;
mod orders;
mod program;
pub(crate) mod publisher;
pub(crate) mod reader;
mod relay;
mod report;
mod show;
mod stage;
mod tables;
mod verify;

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::out::Out;
use crate::stop::Stop;
use folder::{Folder, OwnRing};
use live::report::{Ended, Live};
use program::Program;
use report::Report;
use stage::{Played, Stage};
use std::path::PathBuf;
use std::time::Duration;
use tables::MadeUp;

/// How long any process of the demo waits for another.
const PATIENCE: Duration = Duration::from_secs(30);

/// Run a writer and three readers as processes on a market-data feed, and live views of it; check what arrives.
///
/// The consumer is lossless and computes one-second bars; the dashboard looks at the newest frame 25 times a
/// second; the late joiner attaches when half is published, from the oldest frame still there. Content is
/// compared frame by frame, zero-copy is checked by address, and nothing may be left behind.
///
/// One more process keeps live views, one-minute bars and VWAP by symbol of the feed and the top of the book of order
/// events, and publishes them as rings; two follow them, one from the start and one from half time on. What they hold
/// is compared with recomputation. With --json, the whole report is one line.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    tables: tables::FeedArgs,
    /// Keep the book of the order events in this file (Parquet, Arrow IPC, CSV; columns as in Databento's
    /// market-by-order schema: order_id, symbol, action, side, price in units of 1e-9, size) instead of made-up ones.
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// A member in another language: a program that is called with FROM TO FOLDER, reads every table of the ring FROM,
    /// writes it to the ring TO, and tells what it did as one line of JSON. What it wrote is compared with what was
    /// sent. May be given several times
    #[arg(long, value_name = "LANGUAGE=PROGRAM")]
    relay: Vec<Program>,
    /// A viewer in another language: a program that is called with FOLDER VIEW VIEW VIEW, follows the live views of these
    /// names, and tells how each ended as one line of JSON, which is compared with recomputation. May be given several
    /// times
    #[arg(long, value_name = "LANGUAGE=PROGRAM")]
    viewer: Vec<Program>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let plan = args.tables.plan(MadeUp::Feed)?;
    let orders = plan.orders_beside(args.orders.as_deref())?;
    let before = Folder::list(&global.directory)?;
    let ring = OwnRing::new(format!("demo-{}", std::process::id()), &global.directory);
    let others =
        args.relay.iter().map(|relay| relay::ring(relay, ring.name())).chain(live::rings(ring.name()));
    let others: Vec<OwnRing> = others.map(|name| OwnRing::new(name, &global.directory)).collect();
    if !global.json {
        Out::new().line(show::heading(&plan, &orders, ring.name(), &args.relay, &args.viewer))?;
    }
    let (relays, viewers) = (&args.relay, &args.viewer);
    let stage = Stage { plan: &plan, orders: &orders, ring: ring.name(), relays, viewers, global };
    let mut played = stage.play(&stop)?;
    drop(others);
    let mut checks = verify::checks(&played.publisher, &played.readers, &played.relays);
    let expected = live::expected::at(&played.kept.marks, &plan, &orders)?;
    let sent = (&played.publisher, &played.order_publisher);
    checks.extend(live::verify::checks(ring.name(), sent, &played.kept, &expected, &played.viewers));
    checks.push(before.unchanged_by(ring.name(), &Folder::list(&global.directory)?));
    let passed = checks.iter().all(|check| check.passed);
    let views = ended(ring.name(), &mut played);
    let Played { publisher, readers, relays, kept, viewers, .. } = played;
    let live = Live { orders: orders.title, kept, viewers, views };
    let report = Report {
        ring: ring.name().to_owned(),
        feed: plan.title,
        passed,
        publisher,
        readers,
        relays,
        live,
        checks,
    };
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

/// Takes the views as they ended from the first viewer, and drops whatever only the checks needed.
fn ended(ring: &str, played: &mut Played) -> Vec<Ended> {
    played.publisher.sent.clear();
    played.readers.iter_mut().for_each(|reader| reader.received.clear());
    played.kept.marks.clear();
    let mut views = Vec::new();
    for (index, viewer) in played.viewers.iter_mut().enumerate() {
        for (ring, (view, _)) in live::view_rings(ring).iter().zip(live::VIEWS) {
            let Some(followed) = viewer.views.get_mut(ring) else { continue };
            let (columns, rows) = (std::mem::take(&mut followed.columns), std::mem::take(&mut followed.rows));
            followed.wholes.clear();
            if index == 0 {
                views.push(Ended { view, columns, rows });
            }
        }
    }
    views
}
