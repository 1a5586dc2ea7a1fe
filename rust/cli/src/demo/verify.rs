//! Whether what arrived is what was sent, and whether it came without a copy.

use super::in_place::Buffers;
use super::relay::Relayed;
use super::report::{Published, Received, Role, Seen};
use serde::Serialize;
use std::collections::HashMap;

/// A fact that the demo is to show, and whether it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Check {
    pub(super) fact: String,
    pub(super) passed: bool,
    pub(super) detail: String,
}

impl Check {
    pub(super) fn new(fact: impl Into<String>, passed: bool, detail: impl Into<String>) -> Check {
        Check { fact: fact.into(), passed, detail: detail.into() }
    }
}

/// Every check on what the processes told.
pub(super) fn checks(published: &Published, readers: &[Received], relays: &[Relayed]) -> Vec<Check> {
    let mut checks = vec![Check::new(
        "publisher: frames are numbered from 0",
        published.sent.iter().map(|&(sequence, _)| sequence).eq(0..published.frames),
        format!("{} frames", published.frames),
    )];
    for reader in readers {
        checks.push(content(published, reader));
        checks.push(gaps(reader));
        checks.push(no_copy(&reader.name(), reader.bytes_copied, reader.buffers));
    }
    for relay in relays {
        checks.push(Check::new(
            format!("{} relay: missed none", relay.language),
            relay.missed == 0 && relay.frames == published.frames && relay.rows == published.rows,
            format!("{} frames, {} rows", relay.frames, relay.rows),
        ));
        checks.push(no_copy(&format!("{} relay", relay.language), relay.bytes_copied, relay.buffers));
    }
    let bars =
        readers.iter().find(|reader| reader.role == Role::Consumer).and_then(|reader| reader.bars.as_ref());
    if let Some(sent) = &published.bars {
        checks.push(Check::new(
            "consumer: bars equal those of the rows sent",
            bars == Some(sent),
            format!("{} bars of {}", bars.map_or(0, |bars| bars.bars), sent.bars),
        ));
    }
    checks
}

fn content(published: &Published, reader: &Received) -> Check {
    let (fact, passed) = match reader.role {
        Role::Consumer => (
            "every frame arrived, in order, equal to what was sent",
            reader.received == published.sent && reader.checksum == published.checksum,
        ),
        Role::Auditor => (
            "every frame came through it, in order, equal to what was sent",
            reader.received == published.sent && reader.checksum == published.checksum,
        ),
        Role::LateJoiner => (
            "every frame from its first on arrived, equal to what was sent",
            is_tail(&reader.received, &published.sent),
        ),
        Role::Dashboard => {
            ("each frame it saw equals the frame of that number", is_part(&reader.received, &published.sent))
        }
    };
    let first = reader.received.first().map_or("none".to_owned(), |(sequence, _)| sequence.to_string());
    let detail = format!("{} of {} frames, the first {first}", reader.frames, published.frames);
    Check::new(format!("{}: {fact}", reader.name()), passed, detail)
}

/// Frames seen and frames missed make up all frames from the first that it could have seen to the last it saw.
fn gaps(reader: &Received) -> Check {
    let span = reader.received.last().map_or(0, |(last, _)| (last + 1).saturating_sub(reader.from));
    let is_lossless = reader.role != Role::Dashboard;
    Check::new(
        format!(
            "{}: {}",
            reader.name(),
            if is_lossless { "missed none" } else { "knows exactly how many it missed" }
        ),
        reader.frames + reader.missed == span && !(is_lossless && reader.missed > 0),
        format!("{} seen + {} missed = {span}", reader.frames, reader.missed),
    )
}

fn no_copy(who: &str, bytes_copied: u64, buffers: Buffers) -> Check {
    Check::new(
        format!("{who}: zero-copy, by address"),
        bytes_copied == 0 && buffers.outside == 0 && buffers.inside > 0,
        format!(
            "{} buffers inside their slots, {} outside, {bytes_copied} bytes copied",
            buffers.inside, buffers.outside
        ),
    )
}

fn is_tail(received: &[Seen], sent: &[Seen]) -> bool {
    !received.is_empty() && sent.ends_with(received)
}

fn is_part(received: &[Seen], sent: &[Seen]) -> bool {
    let sent: HashMap<u64, u64> = sent.iter().copied().collect();
    let in_order = received.windows(2).all(|pair| pair[0].0 < pair[1].0);
    !received.is_empty()
        && in_order
        && received.iter().all(|(sequence, hash)| sent.get(sequence) == Some(hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::latency;

    fn published() -> Published {
        Published::made_up(4, vec![(0, 10), (1, 11), (2, 12), (3, 13)])
    }

    fn reader(role: Role, received: Vec<Seen>, missed: u64) -> Received {
        Received {
            role,
            language: None,
            pid: 2,
            frames: received.len() as u64,
            rows: 4,
            bytes: 4,
            missed,
            from: received.first().map_or(0, |(first, _)| *first),
            bytes_copied: 0,
            buffers: Buffers { inside: 8, outside: 0 },
            latency: latency::Summary::default(),
            checksum: 9,
            bars: None,
            received,
        }
    }

    fn passes(reader: Received) -> bool {
        checks(&published(), &[reader], &[]).iter().all(|check| check.passed)
    }

    #[test]
    fn good_readers_pass() {
        assert!(passes(reader(Role::Consumer, published().sent, 0)));
        assert!(passes(reader(Role::LateJoiner, vec![(2, 12), (3, 13)], 0)));
        assert!(passes(reader(Role::Dashboard, vec![(0, 10), (2, 12)], 1)));
    }

    #[test]
    fn a_lost_frame_fails() {
        assert!(!passes(reader(Role::Consumer, vec![(0, 10), (1, 11), (3, 13)], 1)));
        assert!(!passes(reader(Role::LateJoiner, vec![(1, 11), (3, 13)], 1)));
        assert!(!passes(reader(Role::LateJoiner, vec![(1, 11), (2, 12)], 0)), "the end is missing");
        assert!(!passes(reader(Role::Dashboard, vec![(0, 10), (2, 12)], 0)), "not told of");
        let late = reader(Role::Dashboard, vec![(1, 11), (2, 12)], 1);
        assert!(passes(Received { from: 0, ..late }), "missed before the first it saw");
        assert!(!passes(reader(Role::Dashboard, vec![], 0)));
    }

    #[test]
    fn another_content_fails() {
        assert!(!passes(reader(Role::Consumer, vec![(0, 10), (1, 99), (2, 12), (3, 13)], 0)));
        assert!(!passes(reader(Role::Dashboard, vec![(1, 12)], 0)));
        assert!(!passes(reader(Role::Dashboard, vec![(2, 12), (1, 11)], 0)), "out of order");
    }

    #[test]
    fn a_relay_that_lost_or_copied_fails() {
        let good = || Relayed {
            language: "C++".to_owned(),
            about: String::new(),
            pid: 3,
            frames: 4,
            rows: 4,
            bytes: 4,
            missed: 0,
            bytes_copied: 0,
            buffers: Buffers { inside: 8, outside: 0 },
            latency: latency::Summary::default(),
            write: latency::Summary::default(),
        };
        let passes = |relay| checks(&published(), &[], &[relay]).iter().all(|check| check.passed);
        assert!(passes(good()));
        assert!(!passes(Relayed { frames: 3, ..good() }));
        assert!(!passes(Relayed { missed: 1, ..good() }));
        assert!(!passes(Relayed { bytes_copied: 1, ..good() }));
        assert!(!passes(Relayed { buffers: Buffers { inside: 8, outside: 1 }, ..good() }));
    }

    #[test]
    fn a_copy_fails() {
        let copied = Received { bytes_copied: 1, ..reader(Role::Consumer, published().sent, 0) };
        assert!(!passes(copied));
        let outside = Buffers { inside: 8, outside: 1 };
        assert!(!passes(Received { buffers: outside, ..reader(Role::Consumer, published().sent, 0) }));
        let nothing = Buffers::default();
        assert!(!passes(Received { buffers: nothing, ..reader(Role::Consumer, published().sent, 0) }));
    }
}
