//! A process that follows the live views.

use super::super::latency::Latencies;
use super::super::publisher::interrupted;
use super::super::{PATIENCE, cast};
use super::report::{Followed, Viewed};
use super::rows::{self, Rows};
use super::{changes_ring, view_rings};
use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::out::Out;
use crate::stop::{SLICE, Stop};
use anyhow::Context;
use qadataswap::{Frame, QADataSwapError, Reader, Selector, SharedMemoryConfig};
use qadataswap_dbsp::ring::CHANGES_UNTIL;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    member: cast::MemberArgs,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    args.member.tie_to_parent()?;
    let names = view_rings(args.member.ring());
    let mut views =
        names.iter().map(|view| Follower::attach(view, global)).collect::<anyhow::Result<Vec<Follower>>>()?;
    let attached = Instant::now();
    let selector = Selector::new();
    for (view, key) in views.iter().zip(0..) {
        selector.add(2 * key, &view.changes)?;
        selector.add(2 * key + 1, &view.whole)?;
    }
    let mut latencies = Latencies::default();
    let mut last_came = Instant::now();
    while !selector.is_empty() {
        for key in selector.wait(SLICE) {
            let view = &mut views[(key / 2) as usize];
            let is_change = key % 2 == 0;
            let ring = if is_change { &view.changes } else { &view.whole };
            match ring.try_read_frame() {
                Ok(Some(frame)) if is_change => {
                    let age = frame.age();
                    // What stood in the ring before says nothing about how long a change takes.
                    if age <= attached.elapsed() {
                        latencies.add(age);
                    }
                    view.add(&frame)?;
                }
                Ok(Some(frame)) => view.note(&frame)?,
                Ok(None) => {}
                Err(QADataSwapError::EndOfStream { .. }) => {
                    selector.remove(key);
                }
                Err(error) => return Err(error.into()),
            }
            last_came = Instant::now();
        }
        if stop.is_asked() {
            return Err(interrupted());
        }
        if last_came.elapsed() >= PATIENCE {
            let message = format!("ring '{}': no change came within {PATIENCE:?}", args.member.ring());
            return Err(Failed::new(Exit::Timeout, message).into());
        }
    }
    Out::new().json(&Viewed {
        name: String::new(),
        about: format!("Rust, qads {}", env!("CARGO_PKG_VERSION")),
        pid: std::process::id(),
        views: names
            .into_iter()
            .zip(views)
            .map(|(name, view)| (name, view.told()))
            .collect::<BTreeMap<_, _>>(),
        latency: Some(latencies.summary()),
    })
}

/// One view, and what is known of it.
struct Follower {
    changes: Reader,
    whole: Reader,
    columns: Vec<String>,
    rows: Rows,
    /// The sequence number of the first change that the rows do not include.
    next: u64,
    /// The same, when it began.
    began: u64,
    /// The checksum of the rows, by `next`.
    checksums: HashMap<u64, u64>,
    /// The whole views that came: sequence number, the first change that is not in it, checksum.
    wholes: Vec<(u64, u64, u64)>,
}

impl Follower {
    /// Begins with the newest whole view that is there, and goes on with the changes that follow it.
    fn attach(view: &str, global: &Global) -> anyhow::Result<Follower> {
        let reader = |ring: &str| {
            let config =
                SharedMemoryConfig::new(ring).with_directory(&global.directory).with_attach_timeout(PATIENCE);
            Reader::new(config)
        };
        // In this order: whoever counts the readers of the changes may close both rings.
        let whole = reader(view)?;
        let changes = reader(&changes_ring(view))?;
        let mut newest =
            whole.read_frame(PATIENCE)?.with_context(|| format!("ring '{view}': no view came"))?;
        while let Ok(Some(newer)) = whole.read_frame(Duration::ZERO) {
            newest = newer;
        }
        let table = newest.to_batch()?;
        let mut rows = Rows::default();
        rows.add_table(&table)?;
        let next = first_after(&newest)?;
        Ok(Follower {
            changes,
            whole,
            columns: rows::columns(&table).map(str::to_owned).collect(),
            checksums: HashMap::from([(next, rows.checksum())]),
            wholes: vec![(newest.sequence(), next, rows.checksum())],
            rows,
            next,
            began: next,
        })
    }

    /// Adds a change to the rows, unless they include it.
    fn add(&mut self, change: &Frame) -> anyhow::Result<()> {
        let sequence = change.sequence();
        if sequence < self.next {
            return Ok(());
        }
        anyhow::ensure!(
            sequence == self.next,
            "ring '{}': change {sequence} came, expected {}",
            self.changes.name(),
            self.next
        );
        self.rows.add_table(&change.to_batch()?)?;
        self.next += 1;
        self.checksums.insert(self.next, self.rows.checksum());
        Ok(())
    }

    /// Notes what a whole view says.
    fn note(&mut self, whole: &Frame) -> anyhow::Result<()> {
        let mut rows = Rows::default();
        rows.add_table(&whole.to_batch()?)?;
        self.wholes.push((whole.sequence(), first_after(whole)?, rows.checksum()));
        Ok(())
    }

    fn told(self) -> Followed {
        // The rows may have been ahead of the whole view that came, so all are compared now.
        let differs = |(_, next, checksum): &&(u64, u64, u64)| {
            self.checksums.get(next).is_none_or(|own| own != checksum)
        };
        Followed {
            began: self.began,
            changes: self.next - self.began,
            rows: self.rows.with_weights(),
            columns: self.columns,
            differing: self.wholes.iter().filter(differs).count() as u64,
            wholes: self.wholes.iter().map(|&(sequence, _, checksum)| (sequence, checksum)).collect(),
        }
    }
}

/// The first change that a whole view does not include.
fn first_after(whole: &Frame) -> anyhow::Result<u64> {
    match whole.schema().metadata().get(CHANGES_UNTIL) {
        Some(until) => Ok(until.parse::<u64>().context("a view's metadata")? + 1),
        None => Ok(0),
    }
}
