//! Numbers for people.

use std::time::Duration;

/// A count with its thousands apart: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in bytes: `512 B`, `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A duration with three digits or so: `850 ns`, `12.3 µs`, `4.56 s`, `2 h 5 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    let seconds = duration.as_secs_f64();
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.2} ms", seconds * 1e3),
        1_000_000_000..60_000_000_000 => format!("{seconds:.2} s"),
        60_000_000_000..3_600_000_000_000 => {
            format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60)
        }
        _ => format!("{} h {} min", duration.as_secs() / 3600, duration.as_secs() / 60 % 60),
    }
}

/// A count and its noun: `1 row`, `2,000 rows`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{} {noun}s", count(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 << 19), "1.5 MiB");
        assert_eq!(duration(Duration::from_nanos(12_300)), "12.3 µs");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(plural(1, "row"), "1 row");
        assert_eq!(plural(2000, "row"), "2,000 rows");
    }
}
