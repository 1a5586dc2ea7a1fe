//! Members in other languages: each reads the demo's ring and writes what it reads to a ring of its own, which a
//! reader of ours compares with what was sent.

use super::in_place::Buffers;
use super::latency;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// A program that takes `FROM TO FOLDER` and tells one line of JSON.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    /// What it is written in.
    pub(super) language: String,
    pub(super) program: PathBuf,
    /// What comes before its own arguments.
    pub(super) arguments: Vec<String>,
}

impl FromStr for Relay {
    type Err = anyhow::Error;

    /// `LANGUAGE=PROGRAM ARGUMENT...`
    fn from_str(text: &str) -> anyhow::Result<Relay> {
        let (language, command) = text.split_once('=').context("expected LANGUAGE=PROGRAM")?;
        let mut words = command.split_whitespace();
        let program = words.next().context("expected a program behind the '='")?.into();
        Ok(Relay { language: language.to_owned(), program, arguments: words.map(str::to_owned).collect() })
    }
}

impl Relay {
    /// The name of its process.
    pub(super) fn name(&self) -> String {
        format!("{} relay", self.language)
    }

    /// The name of its ring.
    pub(super) fn ring(&self, of: &str) -> String {
        let language: String = self
            .language
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { 'x' })
            .collect();
        format!("{of}-{language}")
    }
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
    fn a_relay_is_a_language_and_a_command() {
        let relay: Relay = "Python=python3 -u relay.py".parse().expect("well-formed");
        assert_eq!((relay.name().as_str(), relay.arguments.len()), ("Python relay", 2));
        let relay: Relay = "C++=bin/relay".parse().expect("well-formed");
        assert_eq!(relay.ring("demo-1"), "demo-1-cxx");
        assert!("relay".parse::<Relay>().is_err() && "C=".parse::<Relay>().is_err());
    }
}
