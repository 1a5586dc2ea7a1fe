//! Families as text: OpenMetrics, and Prometheus's own older form of it.

use super::families::{Family, Labels, Metrics};
use anyhow::Context;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt::Error;

/// As OpenMetrics 1.0.
pub(crate) fn open_metrics(families: Vec<Family>) -> anyhow::Result<String> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Gathered(families)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).context("writing metrics")?;
    Ok(text)
}

/// Families, as a registry asks for them.
#[derive(Debug)]
struct Gathered(Vec<Family>);

impl Collector for Gathered {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|family| tell(family, &mut encoder))
    }
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method is of one lifetime only")]
fn tell(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let kind = match &family.metrics {
        Metrics::Counters(_) | Metrics::Seconds(_) => MetricType::Counter,
        Metrics::Gauges(_) => MetricType::Gauge,
        Metrics::Histograms(_) => MetricType::Histogram,
    };
    let mut encoder = encoder.encode_descriptor(family.name, family.help, None, kind)?;
    match &family.metrics {
        Metrics::Counters(counters) => each(&mut encoder, counters, |encoder, counter| {
            encoder.encode_counter::<NoLabelSet, _, u64>(counter, None)
        }),
        Metrics::Seconds(seconds) => each(&mut encoder, seconds, |encoder, seconds| {
            encoder.encode_counter::<NoLabelSet, _, u64>(seconds, None)
        }),
        Metrics::Gauges(gauges) => each(&mut encoder, gauges, |encoder, gauge| encoder.encode_gauge(gauge)),
        Metrics::Histograms(histograms) => each(&mut encoder, histograms, |encoder, histogram| {
            encoder.encode_histogram::<NoLabelSet>(histogram.sum, histogram.count, &histogram.buckets, None)
        }),
    }
}

fn each<T>(
    encoder: &mut MetricEncoder<'_>,
    metrics: &[(Labels, T)],
    one: impl Fn(&mut MetricEncoder<'_>, &T) -> Result<(), Error>,
) -> Result<(), Error> {
    metrics.iter().try_for_each(|(labels, metric)| one(&mut encoder.encode_family(labels)?, metric))
}

/// Prometheus's text format 0.0.4, from OpenMetrics: there a counter's family is called as its metrics are, with
/// `_total`, and the end is not marked.
pub(crate) fn classic(open_metrics: &str) -> String {
    let counters: std::collections::HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|&line| line != "# EOF") {
        let about = ["# HELP ", "# TYPE "].iter().find_map(|&start| Some((start, line.strip_prefix(start)?)));
        match about.and_then(|(start, rest)| Some((start, rest.split_once(' ')?))) {
            Some((start, (name, rest))) if counters.contains(name) => {
                text.push_str(&format!("{start}{name}_total {rest}\n"));
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::families::Histogram;
    use super::*;

    fn families() -> Vec<Family> {
        let labels = vec![("ring", "r".to_owned()), ("row", "3".to_owned())];
        let histogram =
            Histogram { sum: 1.5, count: 3, buckets: vec![(0.001, 1), (0.5, 0), (f64::INFINITY, 2)] };
        vec![
            Family {
                name: "x_frames",
                help: "Frames.",
                metrics: Metrics::Counters(vec![(labels.clone(), 7), (Vec::new(), u64::MAX)]),
            },
            Family {
                name: "x_wait_seconds",
                help: "Waits.",
                metrics: Metrics::Seconds(vec![(Vec::new(), 0.25)]),
            },
            Family { name: "x_lag", help: "Lag.", metrics: Metrics::Gauges(vec![(labels.clone(), 2)]) },
            Family {
                name: "x_seconds",
                help: "Time.",
                metrics: Metrics::Histograms(vec![(labels, histogram)]),
            },
        ]
    }

    const OPEN_METRICS: &str = r#"# HELP x_frames Frames.
# TYPE x_frames counter
x_frames_total{ring="r",row="3"} 7
x_frames_total{} 18446744073709551615
# HELP x_wait_seconds Waits.
# TYPE x_wait_seconds counter
x_wait_seconds_total{} 0.25
# HELP x_lag Lag.
# TYPE x_lag gauge
x_lag{ring="r",row="3"} 2
# HELP x_seconds Time.
# TYPE x_seconds histogram
x_seconds_sum{ring="r",row="3"} 1.5
x_seconds_count{ring="r",row="3"} 3
x_seconds_bucket{le="0.001",ring="r",row="3"} 1
x_seconds_bucket{le="0.5",ring="r",row="3"} 1
x_seconds_bucket{le="+Inf",ring="r",row="3"} 3
# EOF
"#;

    #[test]
    fn families_are_told_as_open_metrics() {
        assert_eq!(open_metrics(families()).expect("encoded"), OPEN_METRICS);
    }

    #[test]
    fn the_older_form_names_counters_as_their_metrics() {
        let classic = classic(OPEN_METRICS);
        assert!(
            classic
                .starts_with("# HELP x_frames_total Frames.\n# TYPE x_frames_total counter\nx_frames_total{")
        );
        assert!(
            classic.contains("# TYPE x_lag gauge\n")
                && classic.contains("# TYPE x_wait_seconds_total counter\n")
        );
        assert!(classic.ends_with("le=\"+Inf\",ring=\"r\",row=\"3\"} 3\n"));
    }
}
