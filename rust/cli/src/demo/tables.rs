//! The tables that the demo publishes: a feed and order events, each made up or of a file.

use super::feed::Feed;
use super::orders::OrderFeed;
use crate::source::{Frames, Source};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Rows of a frame of the made-up feed, unless told.
const FEED_ROWS: u64 = 500;
/// Rows of a frame of made-up order events.
const ORDER_ROWS: u64 = 20;
/// Frames of the made-up feed, unless told; a file is cut into about as many.
const FRAMES: u64 = 2_000;
/// Most rows that a file's frames get, unless told.
const MOST_ROWS: u64 = 65_536;
/// Seconds that publishing takes, unless a rate is told.
const SECONDS: f64 = 6.0;

/// What to publish.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct FeedArgs {
    /// Publish this file (Parquet, Arrow IPC, CSV) instead of the made-up feed.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Publish at most so many frames [default: 2000 of the feed, all of a file].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// Rows in a frame [default: 500 of the feed, of a file as many as give about 2000 frames].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    rows_per_frame: Option<u64>,
    /// Frames a second [default: so that it takes about six seconds].
    #[arg(long, value_name = "F", value_parser = crate::values::rate)]
    rate: Option<f64>,
    /// Seed of the made-up feed.
    #[arg(long, default_value_t = 42, value_name = "N")]
    seed: u64,
}

/// What is made up where there is no file.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum MadeUp {
    Feed,
    Orders,
}

/// What to publish, with every number filled in.
pub(super) struct Plan {
    pub(super) title: String,
    pub(super) frames: u64,
    pub(super) rows_per_frame: u64,
    pub(super) rate: f64,
    source: Option<Source>,
    made_up: MadeUp,
    seed: u64,
}

impl FeedArgs {
    /// Fills in what was not told. Reads a file through, if its format does not tell its rows.
    pub(super) fn plan(&self, made_up: MadeUp) -> anyhow::Result<Plan> {
        let source = self.data.as_deref().map(|path| Source::new(path, None)).transpose()?;
        let (title, frames, rows_per_frame) = match &source {
            None => {
                let (rows, what) = match made_up {
                    MadeUp::Feed => (FEED_ROWS, "a made-up market-data feed"),
                    MadeUp::Orders => (ORDER_ROWS, "made-up order events"),
                };
                let rows = self.rows_per_frame.unwrap_or(rows);
                (format!("{what}, seed {}", self.seed), self.frames.unwrap_or(FRAMES), rows)
            }
            Some(source) => {
                let total = rows_of(source)?;
                let rows = self.rows_per_frame.unwrap_or_else(|| total.div_ceil(FRAMES).clamp(1, MOST_ROWS));
                let frames = total.div_ceil(rows).min(self.frames.unwrap_or(u64::MAX));
                anyhow::ensure!(
                    frames > 0,
                    "{} has no rows: there is nothing to publish",
                    source.path().display()
                );
                (source.path().display().to_string(), frames, rows)
            }
        };
        let rate = self.rate.unwrap_or(frames as f64 / SECONDS);
        Ok(Plan { title, frames, rows_per_frame, rate, source, made_up, seed: self.seed })
    }
}

impl Plan {
    /// Order events, of a file or made up, to go beside this: all of a file, in about as many frames, as fast.
    pub(super) fn orders_beside(&self, file: Option<&Path>) -> anyhow::Result<Plan> {
        let rows_per_frame = match file {
            Some(path) => Some(rows_of(&Source::new(path, None)?)?.div_ceil(self.frames).clamp(1, MOST_ROWS)),
            None => None,
        };
        let args = FeedArgs {
            data: file.map(Path::to_owned),
            frames: file.is_none().then_some(self.frames),
            rows_per_frame,
            rate: Some(self.rate),
            seed: self.seed,
        };
        args.plan(MadeUp::Orders)
    }

    /// The frames to publish.
    pub(super) fn tables(&self) -> anyhow::Result<Frames> {
        let rows = usize::try_from(self.rows_per_frame)?;
        let frames = usize::try_from(self.frames)?;
        let tables: Frames = match &self.source {
            Some(source) => source.frames(rows)?,
            None if self.made_up == MadeUp::Orders => {
                let mut orders = OrderFeed::new(self.seed);
                Box::new(std::iter::repeat_with(move || orders.next(rows)))
            }
            None => {
                let mut feed = Feed::new(self.seed);
                Box::new(std::iter::repeat_with(move || feed.next(rows)))
            }
        };
        Ok(Box::new(tables.take(frames)))
    }

    /// The same plan, as options of the process that publishes.
    pub(super) fn options(&self) -> Vec<String> {
        let mut options = vec![
            format!("--frames={}", self.frames),
            format!("--rows-per-frame={}", self.rows_per_frame),
            format!("--rate={}", self.rate),
            format!("--seed={}", self.seed),
        ];
        if let Some(source) = &self.source {
            options.push(format!("--data={}", source.path().display()));
        }
        if self.made_up == MadeUp::Orders {
            options.push("--orders".to_owned());
        }
        options
    }
}

/// Rows of a file, which is read through if its format does not tell.
fn rows_of(source: &Source) -> anyhow::Result<u64> {
    if let Some(rows) = source.rows()? {
        return Ok(rows);
    }
    let mut rows = 0;
    for batch in source.frames(MOST_ROWS as usize)? {
        rows += batch.with_context(|| source.unreadable())?.num_rows() as u64;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_takes_six_seconds_unless_told() {
        let args = FeedArgs { data: None, frames: None, rows_per_frame: None, rate: None, seed: 1 };
        let plan = args.plan(MadeUp::Feed).expect("no file to fail on");
        assert_eq!((plan.frames, plan.rows_per_frame), (2_000, 500));
        assert!((plan.frames as f64 / plan.rate - 6.0).abs() < 1e-9);
        assert_eq!(plan.tables().expect("a feed").count(), 2_000);
    }

    #[test]
    fn orders_go_beside_the_feed_frame_by_frame() {
        let args = FeedArgs { data: None, frames: Some(7), rows_per_frame: None, rate: Some(70.0), seed: 1 };
        let plan = args.plan(MadeUp::Feed).expect("no file to fail on");
        let orders = plan.orders_beside(None).expect("no file to fail on");
        assert_eq!((orders.frames, orders.rows_per_frame, orders.rate), (7, 20, 70.0));
        let first = orders.tables().expect("events").next().expect("a frame").expect("rows");
        assert!(first.column_by_name("order_id").is_some());
        assert!(orders.options().contains(&"--orders".to_owned()));
    }
}
