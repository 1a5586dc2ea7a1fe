//! What is told: families of metrics, by Prometheus's conventions (base units, counters end in `_total`).

use crate::values::policy_name;
use qadataswap::QADataSwapError;
use qadataswap::inspect::{LatencyHistogram, ReaderInfo, RingInfo, RingState};
use std::time::Duration;

/// Upper ends of the buckets of a latency: powers of two from 256 ns to 17 s, which are ends of the rings' own.
const FIRST_BOUND: u32 = 8;
const LAST_BOUND: u32 = 34;

/// Metrics of one name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    /// As it is told, but for a counter's `_total`.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) metrics: Metrics,
}

pub(crate) type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Metrics {
    Counters(Vec<(Labels, u64)>),
    /// Counters in seconds.
    Seconds(Vec<(Labels, f64)>),
    Gauges(Vec<(Labels, u64)>),
    Histograms(Vec<(Labels, Histogram)>),
}

/// Observations in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) sum: f64,
    pub(crate) count: u64,
    /// Upper end and number of the observations of each bucket alone; the last one has no end.
    pub(crate) buckets: Vec<(f64, u64)>,
}

impl From<&LatencyHistogram> for Histogram {
    fn from(latency: &LatencyHistogram) -> Histogram {
        let bounds: Vec<Duration> =
            (FIRST_BOUND..=LAST_BOUND).map(|power| Duration::from_nanos(1 << power)).collect();
        let count = latency.count();
        let mut before = 0;
        let ends = bounds.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets = ends
            .zip(latency.below(&bounds).into_iter().chain([count]))
            .map(|(end, below)| (end, below - std::mem::replace(&mut before, below)))
            .collect();
        Histogram { sum: latency.sum().as_secs_f64(), count, buckets }
    }
}

/// Families of these rings; of one that cannot be looked into, only that there is one.
pub(crate) fn of(rings: &[(String, Result<RingInfo, QADataSwapError>)]) -> Vec<Family> {
    let read: Vec<&RingInfo> = rings.iter().filter_map(|(_, info)| info.as_ref().ok()).collect();
    let unreadable = (rings.len() - read.len()) as u64;
    let mut families = vec![Family {
        name: "qadataswap_unreadable_rings",
        help: "Files with a ring's name that cannot be looked into.",
        metrics: Metrics::Gauges(vec![(Vec::new(), unreadable)]),
    }];
    families.extend(ring_families(&read));
    families.extend(reader_families(&read));
    families
}

fn ring_families(rings: &[&RingInfo]) -> Vec<Family> {
    type Number = fn(&RingInfo) -> u64;
    let labels = |ring: &RingInfo| vec![("ring", ring.name.clone())];
    let each = |number: Number| rings.iter().map(|ring| (labels(ring), number(ring))).collect();
    let counter = |name, help, number| Family { name, help, metrics: Metrics::Counters(each(number)) };
    let gauge = |name, help, number| Family { name, help, metrics: Metrics::Gauges(each(number)) };
    let waited = rings.iter().map(|ring| (labels(ring), ring.waited.as_secs_f64())).collect();
    vec![
        counter("qadataswap_ring_frames", "Frames published.", |ring| ring.frames),
        counter("qadataswap_ring_rows", "Rows published.", |ring| ring.rows),
        counter("qadataswap_ring_bytes", "Bytes published.", |ring| ring.bytes),
        counter("qadataswap_ring_writers", "Writers the ring has had.", |ring| ring.generation),
        counter("qadataswap_ring_full_waits", "Writes that found the ring full and waited.", |ring| {
            ring.full_waits
        }),
        Family {
            name: "qadataswap_ring_full_wait_seconds",
            help: "Time that writes have waited for space.",
            metrics: Metrics::Seconds(waited),
        },
        counter("qadataswap_ring_write_timeouts", "Writes that waited for space in vain.", |ring| {
            ring.write_timeouts
        }),
        counter(
            "qadataswap_ring_readers_evicted",
            "Readers that died and whose places were freed.",
            |ring| ring.readers_evicted,
        ),
        gauge("qadataswap_ring_writer_alive", "Whether the ring has a living writer.", |ring| {
            (ring.state == RingState::Live).into()
        }),
        gauge("qadataswap_ring_writer_waiting", "Whether the writer waits for space just now.", |ring| {
            ring.waiting.is_some().into()
        }),
        gauge("qadataswap_ring_standing_frames", "Frames that stand in the ring.", |ring| {
            ring.standing.len() as u64
        }),
        gauge("qadataswap_ring_buffers", "Frames that the ring has room for.", |ring| {
            ring.buffer_count.into()
        }),
        gauge("qadataswap_ring_slot_bytes", "Most bytes of a frame.", |ring| ring.slot_bytes),
        gauge("qadataswap_ring_region_bytes", "Bytes that the ring may come to take.", |ring| {
            ring.region_bytes
        }),
        gauge("qadataswap_ring_resident_bytes", "Bytes of memory that the ring takes.", |ring| {
            ring.resident_bytes
        }),
        gauge("qadataswap_ring_readers", "Readers that live.", |ring| {
            ring.readers.iter().filter(|reader| reader.alive).count() as u64
        }),
    ]
}

fn reader_families(rings: &[&RingInfo]) -> Vec<Family> {
    type Number = fn(&ReaderInfo) -> u64;
    let readers =
        || rings.iter().flat_map(|ring| ring.readers.iter().map(|reader| (labels(ring, reader), reader)));
    let each = |number: Number| readers().map(|(labels, reader)| (labels, number(reader))).collect();
    let counter = |name, help, number| Family { name, help, metrics: Metrics::Counters(each(number)) };
    let gauge = |name, help, number| Family { name, help, metrics: Metrics::Gauges(each(number)) };
    let latencies = readers().map(|(labels, reader)| (labels, Histogram::from(&reader.latency))).collect();
    vec![
        counter("qadataswap_reader_frames", "Frames read.", |reader| reader.reads),
        counter("qadataswap_reader_rows", "Rows read.", |reader| reader.rows),
        counter("qadataswap_reader_bytes", "Bytes read.", |reader| reader.bytes),
        counter("qadataswap_reader_missed_frames", "Frames missed.", |reader| reader.missed),
        gauge("qadataswap_reader_lag_frames", "Frames published and not read.", |reader| reader.lag),
        gauge("qadataswap_reader_pinned_slots", "Slots held.", |reader| reader.pins.into()),
        gauge("qadataswap_reader_alive", "Whether the reader lives.", |reader| reader.alive.into()),
        Family {
            name: "qadataswap_reader_latency_seconds",
            help: "Time from publication to having been read.",
            metrics: Metrics::Histograms(latencies),
        },
    ]
}

fn labels(ring: &RingInfo, reader: &ReaderInfo) -> Labels {
    vec![
        ("ring", ring.name.clone()),
        ("row", reader.row.to_string()),
        ("pid", reader.pid.to_string()),
        ("policy", policy_name(reader.policy).to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_of_nothing_has_all_its_buckets() {
        let histogram = Histogram::from(&LatencyHistogram::empty());
        assert_eq!((histogram.sum, histogram.count, histogram.buckets.len()), (0.0, 0, 28));
        assert!(histogram.buckets.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn names_keep_to_the_conventions() {
        for family in of(&[]) {
            let letters = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(
                family.name.starts_with("qadataswap_") && family.name.chars().all(letters),
                "{}",
                family.name
            );
            assert!(!family.name.ends_with("_total"), "{}: counters get it when told", family.name);
            assert!(family.help.ends_with('.'), "{}", family.help);
        }
    }
}
