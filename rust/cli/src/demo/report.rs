//! What the processes of the demo tell: each one line of JSON on its stdout, read by the process that started
//! them; and what that one tells in turn.

use super::bars;
use super::in_place::Buffers;
use super::latency;
use super::live::report::Live;
use super::relay::Relayed;
use super::verify::Check;
use serde::{Deserialize, Serialize};

/// A frame: its sequence number and the hash of its content.
pub(super) type Seen = (u64, u64);

/// What the publisher did.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Published {
    pub(super) pid: u32,
    pub(super) frames: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) full_waits: u64,
    /// Time of a write.
    pub(super) write: latency::Summary,
    pub(super) checksum: u64,
    pub(super) bars: Option<bars::Summary>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sent: Vec<Seen>,
}

#[cfg(test)]
impl Published {
    /// What a publisher of so many frames could tell.
    pub(super) fn made_up(frames: u64, sent: Vec<Seen>) -> Published {
        Published {
            pid: 1,
            frames,
            rows: 4,
            bytes: 4,
            seconds: 1.0,
            full_waits: 0,
            write: latency::Summary::default(),
            checksum: 9,
            bars: None,
            sent,
        }
    }
}

/// What a reader got.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Received {
    pub(super) role: Role,
    /// Of an auditor: the language of the relay that it audits; not told but known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    pub(super) pid: u32,
    pub(super) frames: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) missed: u64,
    /// The first frame it could have seen.
    pub(super) from: u64,
    pub(super) bytes_copied: u64,
    pub(super) buffers: Buffers,
    /// From publication to receipt, of the frames published while it was attached.
    pub(super) latency: latency::Summary,
    pub(super) checksum: u64,
    pub(super) bars: Option<bars::Summary>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) received: Vec<Seen>,
}

impl Received {
    /// Its role, and of an auditor whom it audits.
    pub(super) fn name(&self) -> String {
        match &self.language {
            Some(language) => format!("{} of {language}", self.role.name()),
            None => self.role.name().to_owned(),
        }
    }
}

/// A reader's part.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Lossless, there before the first frame; computes bars.
    Consumer,
    /// Looks at the newest frame now and then.
    Dashboard,
    /// Lossless, comes when half is published; starts at the oldest frame.
    LateJoiner,
    /// Lossless, on the ring of a relay in another language.
    Auditor,
}

impl Role {
    /// The word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Consumer => "consumer",
            Role::Dashboard => "dashboard",
            Role::LateJoiner => "late-joiner",
            Role::Auditor => "auditor",
        }
    }

    /// Its policy and start, in words.
    pub(super) fn terms(self) -> &'static str {
        match self {
            Role::Consumer => "lossless, from the first frame",
            Role::Dashboard => "latest, 25 looks a second",
            Role::LateJoiner => "lossless, from the oldest frame at half time",
            Role::Auditor => "lossless, reads what a relay writes to a ring of its own",
        }
    }
}

/// The whole demo, as one line of JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) ring: String,
    pub(super) feed: String,
    pub(super) passed: bool,
    pub(super) publisher: Published,
    pub(super) readers: Vec<Received>,
    pub(super) relays: Vec<Relayed>,
    pub(super) live: Live,
    pub(super) checks: Vec<Check>,
}
