//! The tables that are sent.

use crate::way::{Waiting, Way};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use clap::ValueEnum;
use qadataswap_benches::quotes;
use std::sync::Arc;

/// A table, by its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    /// One row of seven numbers: a small message.
    #[value(name = "56B")]
    Message,
    /// A quote.
    #[value(name = "1")]
    One,
    /// Some quotes.
    #[value(name = "1000")]
    Thousand,
    /// Many.
    #[value(name = "1000000")]
    Million,
    /// 800 MB of numbers.
    #[value(name = "20000000")]
    Huge,
}

impl Table {
    /// Its word among the options.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The name of its figures.
    pub(crate) fn name(self) -> String {
        match self {
            Table::Message => "peers-56B".to_owned(),
            _ => format!("peers-{}x5", self.word()),
        }
    }

    /// The table itself, the same in every process.
    pub(crate) fn make(self) -> RecordBatch {
        match self {
            Table::Message => numbers(1, "iiiiiii"),
            Table::One => quotes(1),
            Table::Thousand => quotes(1_000),
            Table::Million => quotes(1_000_000),
            Table::Huge => numbers(20_000_000, "iffif"),
        }
    }

    /// The ways to send it.
    pub(crate) fn ways(self) -> &'static [Way] {
        const MESSAGE: &[Way] = &[Way::Floor, Way::Ring, Way::Lent, Way::IceoryxBytes];
        const FRAMES: &[Way] = &[
            Way::Floor,
            Way::Ring,
            Way::Lent,
            Way::Iceoryx,
            Way::Mapping,
            Way::Socket,
            Way::ZeroMq,
            Way::Flight,
        ];
        if self == Table::Message { MESSAGE } else { FRAMES }
    }

    /// How often it is sent in a round: to warm the way, and for a share of the samples.
    pub(crate) fn turns(self, waiting: Waiting, share: f64) -> (usize, usize) {
        let (warm, spinning, sleeping) = match self {
            Table::Message | Table::One => (64, 20_000, 3_000),
            Table::Thousand => (64, 10_000, 3_000),
            Table::Million => (6, 30, 30),
            Table::Huge => (3, 5, 5),
        };
        let turns = if waiting == Waiting::Spinning { spinning } else { sleeping };
        (warm, ((f64::from(turns) * share) as usize).max(5))
    }

    /// Slots of a ring for it.
    pub(crate) fn slots(self) -> usize {
        if self == Table::Huge { 2 } else { 4 }
    }

    /// Why it cannot be sent here: both processes have one of their own, and there are copies under way.
    pub(crate) fn lacks_memory(self) -> std::io::Result<Option<String>> {
        const NEEDED: u64 = 8 << 20;
        if self != Table::Huge {
            return Ok(None);
        }
        let facts = std::fs::read_to_string("/proc/meminfo")?;
        let free = facts.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let free: u64 = free.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        Ok((free < NEEDED).then(|| format!("{free} KiB of memory are free, {NEEDED} are needed")))
    }
}

/// Columns of numbers: `i` for integers, `f` for floats.
fn numbers(rows: usize, kinds: &str) -> RecordBatch {
    let columns = kinds.chars().enumerate().map(|(at, kind)| {
        let values: ArrayRef = match kind {
            'f' => Arc::new(Float64Array::from_iter_values((0..rows).map(|row| (row + at) as f64 / 4.0))),
            _ => Arc::new(Int64Array::from_iter_values((0..rows).map(|row| (row + at) as i64))),
        };
        (format!("{kind}{at}"), values)
    });
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}
