//! The process that keeps the live views: two rings in, one circuit, six rings out.

use super::super::latency::Latencies;
use super::super::publisher::{interrupted, wait_for_readers};
use super::super::{PATIENCE, cast};
use super::circuit::{self, Ends};
use super::report::{Kept, Mark};
use super::{changes_ring, orders_ring, trades, view_rings};
use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::out::Out;
use crate::send;
use crate::stop::{SLICE, Stop};
use qadataswap::{ErrorKind, Selector, SharedDataFrame, SharedMemoryConfig};
use qadataswap_dbsp::arrow::{ArrowColumn, Layout};
use qadataswap_dbsp::operator::OutputHandle;
use qadataswap_dbsp::ring::{Read, RingError, RingInput, RingView};
use qadataswap_dbsp::{CircuitHandle, Data};
use std::collections::BTreeMap;
use std::time::Instant;

/// Buffers of a ring of changes. A viewer that comes late begins with a whole view, and needs all changes after it.
const CHANGES: usize = 128;
/// Steps from one publication of the whole views to the next: few beside the buffers.
const WHOLE_EVERY: u64 = 32;
/// Largest change, in bytes. Memory is taken as frames touch it.
const CHANGE_BYTES: u64 = 4 << 20;
/// Buffers of a ring of whole views, and the bytes of the largest.
const WHOLES: usize = 8;
const WHOLE_BYTES: u64 = 16 << 20;

/// The selector's keys.
const FEED: u64 = 0;
const ORDERS: u64 = 1;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    member: cast::MemberArgs,
    /// Viewers to wait for before the first row.
    #[arg(long)]
    viewers_first: usize,
    /// Viewers to wait for before the views are closed.
    #[arg(long)]
    viewers_last: usize,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    args.member.tie_to_parent()?;
    let ring = args.member.ring();
    let (circuit, ends) = circuit::build()?;
    // The views come before their inputs, so that the feed waits for viewers, and not in the middle of it.
    let mut keeper = Keeper::new(circuit, views(ring, &ends, global)?, stop);
    keeper.publish_wholes()?;
    keeper.wait_for_viewers(ring, args.viewers_first, global)?;

    let attach = |ring: &str| {
        let config =
            SharedMemoryConfig::new(ring).with_directory(&global.directory).with_attach_timeout(PATIENCE);
        SharedDataFrame::create_reader(config)
    };
    let mut feed = RingInput::new(attach(ring)?, Layout::new(), ends.trades.into()).prepared_by(trades::of);
    let layout = Layout::new().keys(["order_id"])?;
    let mut orders = RingInput::keyed(attach(&orders_ring(ring))?, layout, ends.events);
    let selector = Selector::new();
    selector.add(FEED, feed.ring().reader()?)?;
    selector.add(ORDERS, orders.ring().reader()?)?;
    let mut last_came = Instant::now();
    while !selector.is_empty() {
        let before = Instant::now();
        let mut rows = 0;
        for key in selector.wait(SLICE) {
            // What the selector names is there: a frame, or how the stream ended.
            let read = if key == FEED { feed.read(PATIENCE)? } else { orders.read(PATIENCE)? };
            if read.ended {
                selector.remove(key);
            }
            rows += keeper.count(key, read);
            last_came = Instant::now();
        }
        if rows > 0 {
            keeper.step()?;
        }
        if keeper.stop.is_asked() {
            return Err(interrupted());
        }
        if before.duration_since(last_came) >= PATIENCE {
            let message = format!("ring '{ring}': nothing came within {PATIENCE:?}");
            return Err(Failed::new(Exit::Timeout, message).into());
        }
    }
    keeper.publish_wholes()?;
    keeper.wait_for_viewers(ring, args.viewers_last, global)?;
    Out::new().json(&keeper.close()?)
}

/// Creates the views' rings.
fn views(ring: &str, ends: &Ends, global: &Global) -> anyhow::Result<Vec<Publication>> {
    let [bars, vwap, book] = view_rings(ring).try_into().expect("three views");
    Ok(vec![
        Publication::new(bars, ends.bars.clone(), global)?,
        Publication::new(vwap, ends.vwap.clone(), global)?,
        Publication::new(book, ends.book.clone(), global)?,
    ])
}

/// A view of any rows.
trait View {
    fn publish(&mut self) -> Result<Option<u64>, RingError>;
    fn publish_whole(&mut self) -> Result<u64, RingError>;
    fn close(&self) -> Result<(), RingError>;
}

impl<K: Data> View for RingView<K>
where
    K::Column: ArrowColumn,
{
    fn publish(&mut self) -> Result<Option<u64>, RingError> {
        RingView::publish(self)
    }
    fn publish_whole(&mut self) -> Result<u64, RingError> {
        RingView::publish_whole(self)
    }
    fn close(&self) -> Result<(), RingError> {
        RingView::close(self)
    }
}

/// A view, its ring, and the changes that were published.
struct Publication {
    ring: String,
    view: Box<dyn View>,
    changes: u64,
}

impl Publication {
    fn new<K: Data>(ring: String, rows: OutputHandle<K>, global: &Global) -> anyhow::Result<Publication>
    where
        K::Column: ArrowColumn,
    {
        let create = |ring: &str, buffers: usize, bytes: u64| {
            let config = SharedMemoryConfig::new(ring)
                .with_directory(&global.directory)
                .with_buffer_count(buffers)
                .with_slot_bytes(bytes)
                .with_when_full(send::BLOCK);
            SharedDataFrame::create_writer(config)
        };
        let changes = create(&changes_ring(&ring), CHANGES, CHANGE_BYTES)?;
        let whole = create(&ring, WHOLES, WHOLE_BYTES)?;
        Ok(Publication {
            ring,
            view: Box::new(RingView::new(changes, whole, Layout::new(), rows)),
            changes: 0,
        })
    }
}

struct Keeper {
    circuit: CircuitHandle,
    views: Vec<Publication>,
    stop: Stop,
    steps: u64,
    step_times: Latencies,
    so_far: Mark,
    trades: u64,
    events: u64,
    missed: u64,
    marks: Vec<Mark>,
}

impl Keeper {
    fn new(circuit: CircuitHandle, views: Vec<Publication>, stop: Stop) -> Keeper {
        Keeper {
            circuit,
            views,
            stop,
            steps: 0,
            step_times: Latencies::default(),
            so_far: Mark { feed_frames: 0, order_frames: 0 },
            trades: 0,
            events: 0,
            missed: 0,
            marks: Vec::new(),
        }
    }

    fn wait_for_viewers(&self, ring: &str, viewers: usize, global: &Global) -> anyhow::Result<()> {
        view_rings(ring)
            .iter()
            .try_for_each(|view| wait_for_readers(&changes_ring(view), viewers, global, &self.stop))
    }

    /// Counts what has come from a ring; returns its rows.
    fn count(&mut self, key: u64, read: Read) -> u64 {
        let rows = read.rows as u64;
        let (frames, all) = match key {
            FEED => (&mut self.so_far.feed_frames, &mut self.trades),
            _ => (&mut self.so_far.order_frames, &mut self.events),
        };
        *frames += read.frames;
        *all += rows;
        self.missed += read.missed;
        rows
    }

    /// Brings the views up to date with what has entered, and publishes what that changes.
    fn step(&mut self) -> anyhow::Result<()> {
        let before = Instant::now();
        self.circuit.step()?;
        for publication in &mut self.views {
            if insist(&self.stop, || publication.view.publish())?.is_some() {
                publication.changes += 1;
            }
        }
        self.step_times.add(before.elapsed());
        self.steps += 1;
        if self.steps.is_multiple_of(WHOLE_EVERY) {
            self.publish_wholes()?;
        }
        Ok(())
    }

    /// Publishes the views as a whole, each under the number of the mark.
    fn publish_wholes(&mut self) -> anyhow::Result<()> {
        for publication in &mut self.views {
            let sequence = insist(&self.stop, || publication.view.publish_whole())?;
            anyhow::ensure!(
                sequence == self.marks.len() as u64,
                "ring '{}': frame {sequence} for mark {}",
                publication.ring,
                self.marks.len()
            );
        }
        self.marks.push(self.so_far);
        Ok(())
    }

    /// Ends the streams; returns what was done.
    fn close(self) -> anyhow::Result<Kept> {
        for publication in &self.views {
            publication.view.close()?;
        }
        Ok(Kept {
            pid: std::process::id(),
            feed_frames: self.so_far.feed_frames,
            trades: self.trades,
            order_frames: self.so_far.order_frames,
            events: self.events,
            missed: self.missed,
            steps: self.steps,
            step: self.step_times.summary(),
            changes: self
                .views
                .into_iter()
                .map(|publication| (publication.ring, publication.changes))
                .collect::<BTreeMap<_, _>>(),
            marks: self.marks,
        })
    }
}

/// Writes a frame, waiting for viewers that are slow; what a write that had no room was to publish is kept for the next.
fn insist<T>(stop: &Stop, mut write: impl FnMut() -> Result<T, RingError>) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        match write() {
            Err(RingError::Ring(error)) if error.kind() == ErrorKind::WriteTimeout => {
                if stop.is_asked() {
                    return Err(interrupted());
                }
                if start.elapsed() >= PATIENCE {
                    return Err(error.into());
                }
            }
            written => return Ok(written?),
        }
    }
}
