//! Words and units on the command line, and what they stand for in the library.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use clap::ValueEnum;
use qadataswap::{Compression, ReaderPolicy, StartAt, Validation};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;

/// How long to wait: a duration, or `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<Duration>);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Limit, String> {
        match text {
            "forever" => Ok(Limit(None)),
            text => duration(text).map(|duration| Limit(Some(duration))),
        }
    }
}

/// Reads a duration: a number and one of us, ms, s, m, h; without a unit, seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("expected a duration such as 250ms, 5s or 2m, got '{text}'");
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit.trim() {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(bad()),
    };
    let number: f64 = number.trim().parse().map_err(|_| bad())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| bad())
}

/// A time: by the calendar, or so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) SystemTime);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let bad = || {
            format!("expected a time such as 2026-03-01T09:30:00Z, or a time ago such as 90m, got '{text}'")
        };
        if let Ok(ago) = duration(text) {
            return SystemTime::now().checked_sub(ago).map(Moment).ok_or_else(bad);
        }
        let ns = string_to_timestamp_nanos(text).map_err(|_| bad())?;
        u64::try_from(ns).map(|ns| Moment(UNIX_EPOCH + Duration::from_nanos(ns))).map_err(|_| bad())
    }
}

/// A time by the calendar, in UTC.
pub(crate) fn time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let datetime = i64::try_from(since.as_nanos()).ok().and_then(timestamp_ns_to_datetime);
    datetime.map_or_else(|| "beyond the calendar".to_owned(), |datetime| format!("{datetime:?}Z"))
}

/// Reads a rate: a number above zero.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err(format!("expected a number above 0, got '{text}'")),
    }
}

/// A reader's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// Every frame; the writer waits for this reader.
    Lossless,
    /// Every frame it is fast enough for; the writer never waits.
    Lossy,
    /// The newest frame at each read.
    Latest,
    /// As lossy, with read permission only: takes no place, copies each frame.
    Observer,
}

impl From<Policy> for ReaderPolicy {
    fn from(policy: Policy) -> ReaderPolicy {
        match policy {
            Policy::Lossless => ReaderPolicy::Lossless,
            Policy::Lossy => ReaderPolicy::Lossy,
            Policy::Latest => ReaderPolicy::Latest,
            Policy::Observer => ReaderPolicy::Observer,
        }
    }
}

/// A policy's name, as the command line spells it.
pub(crate) fn policy_name(policy: ReaderPolicy) -> &'static str {
    match policy {
        ReaderPolicy::Lossless => "lossless",
        ReaderPolicy::Lossy => "lossy",
        ReaderPolicy::Latest => "latest",
        ReaderPolicy::Observer => "observer",
    }
}

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Start {
    /// At the oldest frame still in the ring.
    Oldest,
    /// At the newest frame.
    Newest,
}

impl From<Start> for StartAt {
    fn from(start: Start) -> StartAt {
        match start {
            Start::Oldest => StartAt::Oldest,
            Start::Newest => StartAt::Newest,
        }
    }
}

/// How much of a frame is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// Bounds only.
    Form,
    /// Bounds, UTF-8, offsets and dictionary keys.
    Full,
    /// As full, on a copy that the writer cannot change.
    Copy,
}

impl From<Check> for Validation {
    fn from(check: Check) -> Validation {
        match check {
            Check::Form => Validation::Form,
            Check::Full => Validation::Full,
            Check::Copy => Validation::FullOnCopy,
        }
    }
}

/// Body compression of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    /// None: readers read in place.
    None,
    /// LZ4 frames; readers decompress.
    Lz4,
    /// Zstandard; readers decompress.
    Zstd,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Compression {
        match codec {
            Codec::None => Compression::None,
            Codec::Lz4 => Compression::Lz4,
            Codec::Zstd => Compression::Zstd { level: ZSTD_LEVEL },
        }
    }
}

/// What a full ring means to its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Full {
    /// Wait for the readers, for at most the write timeout.
    Block,
    /// Overwrite the oldest frame; the ring refuses lossless readers.
    Overwrite,
    /// Fail at once.
    Fail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for bad in ["", "s", "-1s", "5 parsecs", "1e400", "nan"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_moment_is_of_the_calendar_or_ago() {
        let Ok(Moment(at)) = "2026-03-01T09:30:00.25Z".parse() else { panic!("a time") };
        assert_eq!(at, UNIX_EPOCH + Duration::from_millis(1_772_357_400_250));
        assert_eq!(time(at), "2026-03-01T09:30:00.250Z");
        let Ok(Moment(ago)) = "90m".parse() else { panic!("a time ago") };
        assert!(ago < SystemTime::now() - Duration::from_secs(5000));
        for bad in ["", "yesterday", "2026-13-01T00:00:00Z", "1066-10-14T00:00:00Z"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_limit_may_be_none() {
        assert_eq!("forever".parse(), Ok(Limit(None)));
        assert_eq!("1s".parse(), Ok(Limit(Some(Duration::from_secs(1)))));
    }

    #[test]
    fn rates_are_above_zero() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for bad in ["0", "-1", "inf", "NaN", "x"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
