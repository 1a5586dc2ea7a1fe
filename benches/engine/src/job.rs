//! What is to be kept up to date, and the changes: the same for all engines, and for each a function of their number only.

use clap::ValueEnum;
use std::ops::Range;

use crate::Failure;
use crate::nexmark::{self, Events, Table};

/// A view, and the changes of what it is a view of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Job {
    /// The sum and the number of values under each of a million keys; a tenth of the changes are deletions.
    GroupBy,
    /// The greatest value under each of a million keys; a tenth of the changes are deletions.
    Max,
    /// The sum and the number of values under each of a million strings of 15 bytes; a tenth of the changes are deletions.
    Strings,
    /// The different ones of two million rows; a fifth of the changes are deletions.
    Distinct,
    /// Facts and the dimension of each, of a million dimensions.
    Join,
    /// An eighth of the rows, changed.
    FilterMap,
    /// The group-by's ten million first changes, all at once.
    Bulk,
    /// Who reaches whom over 8,000 edges between 10,000 nodes; then an edge goes or comes.
    Sparse,
    /// The same over 2,000 edges between 1,000 nodes, most of which reach each other.
    Dense,
    /// Nexmark: all bids.
    Q0,
    /// Nexmark: bids, in another currency.
    Q1,
    /// Nexmark: bids for some auctions.
    Q2,
    /// Nexmark: who sells in some states in a category.
    Q3,
    /// Nexmark: the average over the winning bids of each category.
    Q4,
    /// Nexmark: the auctions with the most bids in a sliding window.
    Q5,
    /// Nexmark: the average over the ten last winning bids of each seller.
    Q6,
    /// Nexmark: the highest bids of each window.
    Q7,
    /// Nexmark: who sold in the window in which they came.
    Q8,
}

/// A change of a row of two numbers.
pub(crate) type Numbers = (u64, i64, i64);
/// A change of a row of a string and a number.
pub(crate) type Text = (String, i64, i64);

/// A batch of changes.
pub(crate) enum Changes {
    Numbers(Vec<Numbers>),
    Text(Vec<Text>),
    Events(Events),
}

impl Changes {
    /// Leaves those of every other key.
    pub(crate) fn halve(&mut self, half: u64) {
        match self {
            Self::Numbers(rows) => rows.retain(|row| row.0 % 2 == half),
            Self::Text(rows) => rows.retain(|row| text(&row.0) % 2 == half),
            Self::Events(_) => {}
        }
    }

    pub(crate) fn numbers(self) -> Result<Vec<Numbers>, Failure> {
        if let Self::Numbers(rows) = self { Ok(rows) } else { Err("not numbers".into()) }
    }

    pub(crate) fn text(self) -> Result<Vec<Text>, Failure> {
        if let Self::Text(rows) = self { Ok(rows) } else { Err("not text".into()) }
    }

    pub(crate) fn events(self) -> Result<Events, Failure> {
        if let Self::Events(events) = self { Ok(events) } else { Err("not events".into()) }
    }
}

/// So many steps with batches of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    pub(crate) batch: u64,
    pub(crate) steps: u64,
}

/// Spreads numbers over the whole range, one to one.
pub(crate) fn spread(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

/// Adds a row of a view to its checksum: the same sum, whatever the order and however often a row comes and goes.
pub(crate) fn check(row: u64, weight: i64) -> i64 {
    (spread(row) as i64).wrapping_mul(weight)
}

/// The checksum of a row of two numbers.
pub(crate) fn check_two(first: u64, second: u64, weight: i64) -> i64 {
    check(spread(first).rotate_left(17) ^ second, weight)
}

/// Text as a number, eight bytes at a time: what a checksum takes is in every engine's figures.
pub(crate) fn text(text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let last = rest.iter().rev().fold(rest.len() as u64, |word, &byte| word << 8 | u64::from(byte));
    let add = |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    spread(words.iter().fold(0, |sum, &word| add(sum, u64::from_le_bytes(word))) ^ add(1, last))
}

/// The checksum of a row of a group-by.
pub(crate) fn check_total(key: u64, (total, count): (i64, i64), weight: i64) -> i64 {
    check_two(key, (total ^ count << 40) as u64, weight)
}

impl Job {
    /// The name under which its figures are shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GroupBy => "group-by",
            Self::Max => "max",
            Self::Strings => "group-by, strings",
            Self::Distinct => "distinct",
            Self::Join => "join",
            Self::FilterMap => "filter and map",
            Self::Bulk => "bulk load",
            Self::Sparse => "10,000 nodes, 8,000 edges",
            Self::Dense => "1,000 nodes, 2,000 edges",
            Self::Q0 => "q0",
            Self::Q1 => "q1",
            Self::Q2 => "q2",
            Self::Q3 => "q3",
            Self::Q4 => "q4",
            Self::Q5 => "q5",
            Self::Q6 => "q6",
            Self::Q7 => "q7",
            Self::Q8 => "q8",
        }
    }

    /// The table in which they are shown.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::GroupBy => "engine-group-by",
            Self::Max => "engine-max",
            Self::Strings => "engine-strings",
            Self::Distinct => "engine-distinct",
            Self::Join => "engine-join",
            Self::FilterMap => "engine-filter-map",
            Self::Bulk => "engine-bulk",
            Self::Sparse | Self::Dense => "engine-reachability",
            _ => "engine-nexmark",
        }
    }

    /// The nodes and edges, of a job that is about a graph.
    pub(crate) fn graph(self) -> Option<(u64, u64)> {
        match self {
            Self::Sparse => Some((10_000, 8_000)),
            Self::Dense => Some((1_000, 2_000)),
            _ => None,
        }
    }

    /// Whether its state is by the key of each change.
    pub(crate) fn has_keys(self) -> bool {
        matches!(self, Self::GroupBy | Self::Max | Self::Strings | Self::Distinct | Self::Join)
    }

    pub(crate) fn is_nexmark(self) -> bool {
        self.table() == "engine-nexmark"
    }

    /// The tables that a query of Nexmark reads.
    fn tables(self) -> &'static [Table] {
        match self {
            Self::Q3 | Self::Q8 => &[Table::Persons, Table::Auctions],
            Self::Q4 | Self::Q6 => &[Table::Auctions, Table::Bids],
            _ => &[Table::Bids],
        }
    }

    /// The changes that come before the first measured one, and how many of them at once.
    pub(crate) fn loaded(self) -> (u64, u64) {
        match (self, self.graph()) {
            (_, Some((_, edges))) => (edges, edges),
            (Self::Strings, _) => (1_000_000, 100_000),
            (Self::GroupBy | Self::Max | Self::Distinct | Self::Join, _) => (3_000_000, 100_000),
            _ => (0, 100_000),
        }
    }

    /// What is measured: a share of all steps, but some of each.
    pub(crate) fn plan(self, share: f64) -> Vec<Steps> {
        let all: &[(u64, u64)] = match self {
            Self::Bulk => return vec![Steps { batch: 10_000_000, steps: 1 }],
            Self::Sparse => &[(1, 500)],
            Self::Dense => &[(1, 60)],
            _ if self.is_nexmark() => &[(40_000, 50)],
            _ => &[(1, 4_000), (100, 1_000), (1_000, 300), (10_000, 60), (100_000, 12)],
        };
        all.iter()
            .map(|&(batch, steps)| Steps { batch, steps: ((steps as f64 * share) as u64).max(4) })
            .collect()
    }

    /// Every so many changes, one takes a row away again: the oldest that is still there.
    fn every(self) -> u64 {
        match self {
            Self::Join | Self::FilterMap => u64::MAX,
            Self::Distinct => 5,
            _ => 10,
        }
    }

    fn keys(self) -> u64 {
        if self == Self::Distinct { 2_000_000 } else { 1_000_000 }
    }

    /// The number of the row that a change adds, or takes away, and its weight.
    fn row(self, change: u64) -> (u64, i64) {
        let every = self.every();
        if change % every == every - 1 { (change / every, -1) } else { (change - change / every, 1) }
    }

    /// The edge that a change adds, or takes away: once all are loaded, the oldest goes and a new one comes, by turns.
    fn edge(self, change: u64, (nodes, edges): (u64, u64)) -> Numbers {
        let edge = |number: u64| (spread(2 * number + 1) % nodes, (spread(2 * number + 2) % nodes) as i64);
        let later = change.saturating_sub(edges);
        let (number, weight) = if change < edges {
            (change, 1)
        } else if later % 2 == 0 {
            (later / 2, -1)
        } else {
            (edges + later / 2, 1)
        };
        let (from, to) = edge(number);
        (from, to, weight)
    }

    /// Some changes.
    pub(crate) fn changes(self, changes: Range<u64>) -> Changes {
        if self.is_nexmark() {
            return Changes::Events(nexmark::events(changes, self.tables()));
        }
        if let Some(graph) = self.graph() {
            return Changes::Numbers(changes.map(|change| self.edge(change, graph)).collect());
        }
        let number = |change| {
            let (row, weight) = self.row(change);
            let random = spread(row);
            (random % self.keys(), (random >> 32) as i64 % 100_000, weight)
        };
        if self == Self::Strings {
            let text = |(key, val, weight)| (format!("{:015x}", spread(key) >> 4), val, weight);
            return Changes::Text(changes.map(number).map(text).collect());
        }
        Changes::Numbers(changes.map(number).collect())
    }

    /// The dimensions of a join.
    pub(crate) fn dimensions(self) -> Vec<Numbers> {
        (0..self.keys()).map(|key| (key, (spread(key + 7) % 1000) as i64, 1)).collect()
    }
}
