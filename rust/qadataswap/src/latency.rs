//! How long frames took from their publication to having been read, as a histogram that a reader keeps in shared
//! memory and whoever looks copies.
//!
//! Law: nothing here is believed of the counts but that they are numbers; sums saturate.

use crate::layout::{Tally, latency};
use crate::sync::Ordering;
use std::time::Duration;

/// The bucket of whatever is longer than all others tell apart.
const LAST: usize = latency::BUCKETS - 1;

/// Latencies from publication to read, counted by length.
///
/// A reader measures each frame that it had to wait for, and one in eight of those that were there already when it came
/// for them; such a one counts eight times.
///
/// Lengths are told apart to an eighth: from 32 ns to 69 s, a quantile is off by at most 1/16 of itself; shorter ones
/// count as 16 ns, longer ones as the longest there was.
#[derive(Clone, PartialEq, Eq)]
pub struct LatencyHistogram {
    counts: Box<[u64; latency::BUCKETS]>,
    sum_ns: u64,
    max_ns: u64,
}

impl LatencyHistogram {
    /// What a reader has counted.
    pub(crate) fn of(tally: &Tally) -> LatencyHistogram {
        let counts = std::array::from_fn(|bucket| tally.latencies[bucket].load(Ordering::Relaxed));
        LatencyHistogram {
            counts: Box::new(counts),
            sum_ns: tally.latency_sum_ns.load(Ordering::Relaxed),
            max_ns: tally.latency_max_ns.load(Ordering::Relaxed),
        }
    }

    /// None.
    #[must_use]
    pub fn empty() -> LatencyHistogram {
        LatencyHistogram { counts: Box::new([0; latency::BUCKETS]), sum_ns: 0, max_ns: 0 }
    }

    /// Counts those of another reader too.
    pub fn merge(&mut self, other: &LatencyHistogram) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count = count.saturating_add(*more);
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Number of frames counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// The sum of their latencies.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_ns)
    }

    /// The longest latency; zero if there is none.
    ///
    /// Of an interval ([`since`](Self::since)) in which the longest so far did not come, its upper bound, which is at
    /// most an eighth too long.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The latency that `share` (0 to 1) of the frames stayed within, by nearest rank; `None` if there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        // A share that is no number counts as 0.
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count);
        let mut below = 0_u64;
        let bucket = self.counts.iter().position(|&count| {
            below = below.saturating_add(count);
            below >= rank
        })?;
        let ns = match bucket {
            LAST => self.max_ns,
            bucket => (latency::floor(bucket) / 2 + latency::floor(bucket + 1) / 2).min(self.max_ns),
        };
        Some(Duration::from_nanos(ns))
    }

    /// What has been counted since an earlier look at the same reader.
    #[must_use]
    pub fn since(&self, earlier: &LatencyHistogram) -> LatencyHistogram {
        let counts: Box<[u64; latency::BUCKETS]> = Box::new(std::array::from_fn(|bucket| {
            self.counts[bucket].saturating_sub(earlier.counts[bucket])
        }));
        let longest = counts.iter().rposition(|&count| count > 0);
        let max_ns = match longest {
            None => 0,
            Some(_) if self.max_ns > earlier.max_ns => self.max_ns,
            Some(LAST) => self.max_ns,
            Some(bucket) => (latency::floor(bucket + 1) - 1).min(self.max_ns),
        };
        LatencyHistogram { counts, sum_ns: self.sum_ns.saturating_sub(earlier.sum_ns), max_ns }
    }

    /// How many latencies were below each of `bounds`, which ascend. A bound within one of the histogram's steps counts
    /// as that step's end; the last step ends behind the longest latency.
    #[must_use]
    pub fn below(&self, bounds: &[Duration]) -> Vec<u64> {
        let (mut sum, mut next) = (0_u64, 0);
        let mut below = |bound: &Duration| {
            let ns = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
            let starts_below = |bucket| match bucket {
                LAST => self.max_ns < ns,
                bucket => bucket < LAST && latency::floor(bucket) < ns,
            };
            while starts_below(next) {
                sum = sum.saturating_add(self.counts[next]);
                next += 1;
            }
            sum
        };
        bounds.iter().map(&mut below).collect()
    }
}

impl std::fmt::Debug for LatencyHistogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LatencyHistogram")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(latencies: &[u64]) -> LatencyHistogram {
        let mut histogram = empty();
        for &ns in latencies {
            histogram.counts[latency::bucket(ns)] += 1;
            histogram.sum_ns += ns;
            histogram.max_ns = histogram.max_ns.max(ns);
        }
        histogram
    }

    fn empty() -> LatencyHistogram {
        LatencyHistogram::empty()
    }

    #[test]
    fn what_is_merged_counts_as_if_counted_together() {
        let mut merged = counted(&[100, 3_000]);
        merged.merge(&counted(&[7_000_000]));
        assert_eq!(merged, counted(&[100, 3_000, 7_000_000]));
    }

    #[test]
    fn quantiles_are_within_a_sixteenth() {
        let mut latencies: Vec<u64> = (0..10_000).map(|n| 40 + n * n * 7).collect();
        latencies.sort_unstable();
        let histogram = counted(&latencies);
        for share in [0.0_f64, 0.001, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let exact = latencies[((10_000.0 * share).ceil() as usize).max(1) - 1] as f64;
            let told = histogram.quantile(share).expect("there are some").as_nanos() as f64;
            assert!((told - exact).abs() <= exact / 16.0 + 1.0, "{share}: {told} for {exact}");
        }
        assert_eq!(histogram.max(), Duration::from_nanos(latencies[9_999]));
        assert_eq!(histogram.count(), 10_000);
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(empty().quantile(0.5), None);
        assert_eq!(empty().max(), Duration::ZERO);
        assert_eq!(empty().since(&empty()).quantile(0.5), None);
    }

    #[test]
    fn what_lies_outside_counts_as_the_ends() {
        let long = 1_000_000_000_000;
        assert_eq!(counted(&[long]).quantile(0.5), Some(Duration::from_nanos(long)));
        assert_eq!(counted(&[3, 20]).quantile(0.5), Some(Duration::from_nanos(16)));
        assert_eq!(counted(&[3]).quantile(0.5), Some(Duration::from_nanos(3)), "never above the longest");
    }

    #[test]
    fn an_interval_knows_only_what_came_in_it() {
        let earlier = counted(&[100, 5_000_000]);
        let later = counted(&[100, 5_000_000, 200, 200, 1000]);
        let between = later.since(&earlier);
        assert_eq!((between.count(), between.sum()), (3, Duration::from_nanos(1400)));
        let max = between.max().as_nanos();
        assert!((1000..=1125).contains(&max), "{max}");
        let grown = counted(&[100, 5_000_000, 9_000_001]).since(&earlier);
        assert_eq!(grown.max(), Duration::from_nanos(9_000_001), "the longest so far is known exactly");
        let day = 86_400_000_000_000;
        let outside = counted(&[day, day - 1]).since(&counted(&[day]));
        assert_eq!(outside.max(), Duration::from_nanos(day), "what lies outside has no other bound");
    }

    #[test]
    fn counts_below_bounds_add_up() {
        let histogram = counted(&[10, 100, 1_000, 10_000, 100_000_000_000]);
        let bounds = [32, 1 << 10, 1 << 14, 1 << 36].map(Duration::from_nanos);
        assert_eq!(histogram.below(&bounds), [1, 3, 4, 4]);
    }

    #[test]
    fn foreign_numbers_saturate() {
        let mad =
            LatencyHistogram { counts: Box::new([u64::MAX; latency::BUCKETS]), sum_ns: u64::MAX, max_ns: 7 };
        assert_eq!(mad.count(), u64::MAX);
        for share in [f64::NAN, -1.0, 0.5, 2.0] {
            assert!(mad.quantile(share).is_some_and(|told| told <= mad.max()), "{share}");
        }
        assert_eq!(empty().since(&mad).count(), 0);
        assert_eq!(mad.below(&[Duration::MAX]), [u64::MAX]);
    }
}
