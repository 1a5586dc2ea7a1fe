//! Members in other languages: each reads the demo's ring and writes what it reads to a ring of its own, which a
//! reader of ours compares with what was sent.

use super::in_place::Buffers;
use super::latency;
use super::program::Program;
use serde::{Deserialize, Serialize};

/// The name of a relay's process.
pub(super) fn name(relay: &Program) -> String {
    relay.name("relay")
}

/// The ring that a relay writes.
pub(super) fn ring(relay: &Program, of: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { 'x' };
    let language: String = relay.language.chars().map(plain).collect();
    format!("{of}-{language}")
}

/// What a relay did.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Relayed {
    /// Its language; not told but known.
    #[serde(default)]
    pub(super) language: String,
    /// Of which version, and by which Arrow.
    pub(super) about: String,
    pub(super) pid: u32,
    pub(super) frames: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) missed: u64,
    pub(super) bytes_copied: u64,
    pub(super) buffers: Buffers,
    /// From publication to receipt.
    pub(super) latency: latency::Summary,
    /// Time of a write.
    pub(super) write: latency::Summary,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_has_a_ring_of_its_own() {
        let relay: Program = "C++=bin/relay".parse().expect("well-formed");
        assert_eq!(ring(&relay, "demo-1"), "demo-1-cxx");
        assert_eq!(name(&relay), "C++ relay");
    }
}
