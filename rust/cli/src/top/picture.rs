//! What is to be shown: the figures of one interval, taken from two looks at the rings.

use crate::rings::state_name;
use crate::values::policy_name;
use qadataswap::QADataSwapError;
use qadataswap::inspect::{self, LatencyHistogram, ReaderDelta, ReaderInfo, RingDelta, RingInfo, RingState};
use serde::Serialize;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All rings of a folder over one interval.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) directory: PathBuf,
    pub(crate) rings: Vec<Ring>,
}

/// A ring over one interval. Rates are `None` when it was not there at the interval's beginning.
#[derive(Debug, Serialize)]
pub(crate) struct Ring {
    #[serde(rename = "ring")]
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) seen: Seen,
}

/// What was seen of a ring.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Seen {
    Ring(Box<Figures>),
    Unreadable { error: String, kind: &'static str },
}

#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) state: &'static str,
    /// The writer waits for space just now.
    pub(crate) waiting: bool,
    pub(crate) writer: Process,
    pub(crate) when_full: &'static str,
    pub(crate) interval_ns: Option<u64>,
    pub(crate) frames_per_s: Option<f64>,
    pub(crate) bytes_per_s: Option<f64>,
    pub(crate) rows_per_s: Option<f64>,
    /// Share of the interval that the writer has waited for space.
    pub(crate) waiting_share: Option<f64>,
    pub(crate) standing: usize,
    pub(crate) buffer_count: u32,
    pub(crate) frames: u64,
    /// Of the living reader that is furthest behind.
    pub(crate) lag: Option<u64>,
    /// By readers that are there now.
    pub(crate) missed: u64,
    pub(crate) full_waits: u64,
    pub(crate) waited_ns: u64,
    pub(crate) write_timeouts: u64,
    pub(crate) readers_evicted: u64,
    pub(crate) latency: Latency,
    pub(crate) readers: Vec<Reader>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Reader {
    pub(crate) row: usize,
    #[serde(flatten)]
    pub(crate) process: Process,
    pub(crate) state: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) reads_per_s: Option<f64>,
    pub(crate) bytes_per_s: Option<f64>,
    pub(crate) rows_per_s: Option<f64>,
    pub(crate) lag: u64,
    pub(crate) pins: u32,
    pub(crate) reads: u64,
    pub(crate) missed: u64,
    pub(crate) missed_in_interval: Option<u64>,
    pub(crate) last_read_ns: Option<u64>,
    pub(crate) latency: Latency,
}

/// A process that takes part; its command is known only if its PID means something here.
#[derive(Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) command: Option<String>,
}

/// From publication to read, over the interval.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50_ns: Option<u64>,
    pub(crate) p90_ns: Option<u64>,
    pub(crate) p99_ns: Option<u64>,
    pub(crate) p999_ns: Option<u64>,
    pub(crate) max_ns: Option<u64>,
}

impl From<&LatencyHistogram> for Latency {
    fn from(histogram: &LatencyHistogram) -> Latency {
        let quantile = |share| histogram.quantile(share).map(nanoseconds);
        let count = histogram.count();
        Latency {
            count,
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            p999_ns: quantile(0.999),
            max_ns: (count > 0).then(|| nanoseconds(histogram.max())),
        }
    }
}

type Looked = Vec<(String, Result<RingInfo, QADataSwapError>)>;

/// Looks at the rings of a folder again and again.
pub(crate) struct Watch {
    directory: PathBuf,
    only: Option<String>,
    before: HashMap<String, RingInfo>,
    /// Inode of the PID namespace of this process.
    namespace: Option<u64>,
}

impl Watch {
    /// Takes the first look, at all rings of the folder or at one.
    pub(crate) fn begin(directory: &Path, only: Option<String>) -> Result<Watch, QADataSwapError> {
        let namespace = std::fs::metadata("/proc/self/ns/pid").ok().map(|metadata| metadata.ino());
        let mut watch = Watch { directory: directory.to_owned(), only, before: HashMap::new(), namespace };
        let rings = watch.rings()?;
        watch.remember(rings);
        Ok(watch)
    }

    /// Looks again; the picture is of the time since the look before.
    pub(crate) fn look(&mut self) -> Result<Picture, QADataSwapError> {
        let now = self.rings()?;
        let rings =
            now.iter().map(|(name, info)| Ring { name: name.clone(), seen: self.seen(info) }).collect();
        self.remember(now);
        Ok(Picture { directory: self.directory.clone(), rings })
    }

    fn rings(&self) -> Result<Looked, QADataSwapError> {
        match &self.only {
            Some(name) => Ok(vec![(name.clone(), Ok(inspect::info(name, &self.directory)?))]),
            None => inspect::list(&self.directory),
        }
    }

    fn remember(&mut self, rings: Looked) {
        self.before = rings.into_iter().filter_map(|(name, info)| Some((name, info.ok()?))).collect();
    }

    fn seen(&self, info: &Result<RingInfo, QADataSwapError>) -> Seen {
        match info {
            Ok(info) => {
                let delta = self.before.get(&info.name).and_then(|before| info.since(before));
                Seen::Ring(Box::new(self.figures(info, delta.as_ref())))
            }
            Err(error) => Seen::Unreadable { error: error.to_string(), kind: error.kind().name() },
        }
    }

    fn figures(&self, info: &RingInfo, delta: Option<&RingDelta>) -> Figures {
        let rate = |number: fn(&RingDelta) -> u64| delta.map(|delta| delta.per_second(number(delta)));
        let mut latency = LatencyHistogram::empty();
        for reader in delta.iter().flat_map(|delta| &delta.readers) {
            latency.merge(&reader.latency);
        }
        let readers = info.readers.iter().enumerate().map(|(index, reader)| {
            self.reader(reader, delta.and_then(|delta| Some((delta, delta.readers.get(index)?))))
        });
        let share = |delta: &RingDelta| {
            let elapsed = delta.elapsed.as_secs_f64();
            if elapsed > 0.0 { (delta.waited.as_secs_f64() / elapsed).min(1.0) } else { 0.0 }
        };
        Figures {
            state: state_name(info.state),
            waiting: info.waiting.is_some(),
            writer: self.process(info.writer_pid, info.writer_pid_namespace, info.state == RingState::Live),
            when_full: crate::rings::when_full_name(info.when_full),
            interval_ns: delta.map(|delta| nanoseconds(delta.elapsed)),
            frames_per_s: rate(|delta| delta.frames),
            bytes_per_s: rate(|delta| delta.bytes),
            rows_per_s: rate(|delta| delta.rows),
            waiting_share: delta.map(share),
            standing: info.standing.len(),
            buffer_count: info.buffer_count,
            frames: info.frames,
            lag: info.readers.iter().filter(|reader| reader.alive).map(|reader| reader.lag).max(),
            missed: info.readers.iter().fold(0, |sum, reader| sum.saturating_add(reader.missed)),
            full_waits: info.full_waits,
            waited_ns: nanoseconds(info.waited),
            write_timeouts: info.write_timeouts,
            readers_evicted: info.readers_evicted,
            latency: Latency::from(&latency),
            readers: readers.collect(),
        }
    }

    fn reader(&self, info: &ReaderInfo, delta: Option<(&RingDelta, &ReaderDelta)>) -> Reader {
        let rate =
            |number: fn(&ReaderDelta) -> u64| delta.map(|(ring, delta)| ring.per_second(number(delta)));
        Reader {
            row: info.row,
            process: self.process(info.pid, info.pid_namespace, info.alive),
            state: match (info.alive, info.lingering) {
                (false, _) => "dead",
                (true, true) => "lingering",
                (true, false) => "alive",
            },
            policy: policy_name(info.policy),
            reads_per_s: rate(|delta| delta.reads),
            bytes_per_s: rate(|delta| delta.bytes),
            rows_per_s: rate(|delta| delta.rows),
            lag: info.lag,
            pins: info.pins,
            reads: info.reads,
            missed: info.missed,
            missed_in_interval: delta.map(|(_, delta)| delta.missed),
            last_read_ns: info.last_read.map(nanoseconds),
            latency: delta.map(|(_, delta)| Latency::from(&delta.latency)).unwrap_or_default(),
        }
    }

    fn process(&self, pid: u32, namespace: u64, alive: bool) -> Process {
        let here = alive && self.namespace == Some(namespace);
        let command = here.then(|| std::fs::read(format!("/proc/{pid}/comm")).ok()).flatten();
        Process { pid, command: command.map(|command| printable(&command)) }
    }
}

/// A name that a process has given itself, fit for a terminal.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.trim_ascii_end());
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_steer_the_terminal() {
        assert_eq!(printable(b"feed\x1b[2J\n"), "feed?[2J");
        assert_eq!(printable(b"a\xffb\n"), "a\u{fffd}b");
    }
}
