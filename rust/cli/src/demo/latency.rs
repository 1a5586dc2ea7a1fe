//! Durations, and what is told of them: median, 99th percentile, maximum.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Durations as they were measured.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    nanoseconds: Vec<u64>,
}

/// What is told of them, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) max_ns: u64,
}

impl Latencies {
    pub(super) fn add(&mut self, duration: Duration) {
        self.nanoseconds.push(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn summary(mut self) -> Summary {
        self.nanoseconds.sort_unstable();
        Summary {
            count: self.nanoseconds.len() as u64,
            p50_ns: percentile(&self.nanoseconds, 50),
            p99_ns: percentile(&self.nanoseconds, 99),
            max_ns: self.nanoseconds.last().copied().unwrap_or(0),
        }
    }
}

/// The smallest of the sorted numbers that at least `percent` of a hundred of them do not exceed; 0 if there are
/// none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numbers_that_were_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!([0, 1, 50, 99, 100].map(|percent| percentile(&hundred, percent)), [1, 1, 50, 99, 100]);
        assert_eq!([50, 99].map(|percent| percentile(&[7], percent)), [7, 7]);
        assert_eq!(percentile(&[1, 2, 3], 50), 2);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn a_summary_needs_no_order() {
        let mut latencies = Latencies::default();
        [3, 1, 2].into_iter().for_each(|ns| latencies.add(Duration::from_nanos(ns)));
        assert_eq!(latencies.summary(), Summary { count: 3, p50_ns: 2, p99_ns: 3, max_ns: 3 });
    }
}
