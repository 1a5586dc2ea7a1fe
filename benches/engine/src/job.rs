//! What is to be kept up to date, and the changes: the same for all engines, and for each a function of their number only.

use clap::ValueEnum;

/// A view, and the changes of what it is a view of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Job {
    /// The sum and the number of values under each of a million keys; a tenth of the changes are deletions.
    GroupBy,
    /// The greatest value under each of a million keys; a tenth of the changes are deletions.
    Max,
    /// The sum and the number of values under each of a million strings of 15 bytes.
    Strings,
    /// The different ones of two million rows; a fifth of the changes are deletions.
    Distinct,
    /// Facts and the dimension of each, of a million dimensions.
    Join,
    /// An eighth of the rows, changed.
    FilterMap,
}

/// A change of a row of two numbers.
pub(crate) type Numbers = (u64, i64, i64);
/// A change of a row of a string and a number.
pub(crate) type Text = (String, i64, i64);

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

/// The checksum of a row that begins with text.
pub(crate) fn check_text(first: &str, second: u64, weight: i64) -> i64 {
    let text = first.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    check_two(text, second, weight)
}

impl Job {
    /// The name under which its figures are shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GroupBy => "group-by sum and count",
            Self::Max => "group-by max",
            Self::Strings => "group-by, string keys",
            Self::Distinct => "distinct",
            Self::Join => "join",
            Self::FilterMap => "filter and map",
        }
    }

    /// Whether its keys are strings.
    pub(crate) fn is_text(self) -> bool {
        self == Self::Strings
    }

    /// The changes that come before the first measured one, in batches of 100,000.
    pub(crate) fn loaded(self) -> u64 {
        match self {
            Self::FilterMap => 0,
            Self::Strings => 1_000_000,
            _ => 3_000_000,
        }
    }

    /// Every so many changes, one takes a row away again: the oldest that is still there.
    fn every(self) -> u64 {
        match self {
            Self::GroupBy | Self::Max | Self::Strings => 10,
            Self::Distinct => 5,
            Self::Join | Self::FilterMap => u64::MAX,
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

    /// Some changes of rows of numbers.
    pub(crate) fn numbers(self, changes: std::ops::Range<u64>) -> Vec<Numbers> {
        let make = |change| {
            let (row, weight) = self.row(change);
            let random = spread(row);
            (random % self.keys(), (random >> 32) as i64 % 100_000, weight)
        };
        changes.map(make).collect()
    }

    /// Some changes of rows of text and numbers.
    pub(crate) fn text(self, changes: std::ops::Range<u64>) -> Vec<Text> {
        self.numbers(changes).into_iter().map(|(key, val, weight)| (format!("{:015x}", spread(key) >> 4), val, weight)).collect()
    }

    /// The dimensions of a join.
    pub(crate) fn dimensions(self) -> Vec<Numbers> {
        (0..self.keys()).map(|key| (key, (spread(key + 7) % 1000) as i64, 1)).collect()
    }
}
