//! The keywords of `create_writer` and `create_reader` as the configuration of the ring.

use crate::error::invalid;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use qadataswap::{
    Compression, ReaderPolicy, Result, SharedMemoryConfig, StartAt, Validation, WaitStrategy, WhenFull,
};
use std::path::PathBuf;
use std::time::Duration;

/// A time in milliseconds; negative or `None` is for ever.
#[derive(Clone, Copy)]
pub(crate) struct Milliseconds(pub(crate) Option<Duration>);

impl<'a, 'py> FromPyObject<'a, 'py> for Milliseconds {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match value.extract::<Option<f64>>()? {
            // A time that no duration holds is for ever, too.
            Some(ms) if ms >= 0.0 => Ok(Milliseconds(Duration::try_from_secs_f64(ms / 1e3).ok())),
            Some(ms) if ms.is_nan() => Err(PyTypeError::new_err("a timeout in milliseconds is NaN")),
            _ => Ok(Milliseconds(None)),
        }
    }
}

/// How to wait: a name, or microseconds of spinning and of yielding.
#[derive(FromPyObject)]
pub(crate) enum Wait {
    Name(String),
    Times(f64, f64),
}

/// What both ends have in common.
pub(crate) struct Common {
    pub(crate) name: String,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) trusted_owners: Vec<u32>,
    pub(crate) wait: Option<Wait>,
}

impl Common {
    fn config(self) -> Result<SharedMemoryConfig> {
        let wait = match self.wait {
            None => WaitStrategy::default(),
            Some(Wait::Name(name)) => one_of(
                &self.name,
                "wait",
                &name,
                &[
                    ("balanced", WaitStrategy::BALANCED),
                    ("spin", WaitStrategy::SPIN),
                    ("sleep", WaitStrategy::SLEEP),
                ],
            )?,
            Some(Wait::Times(spin, yielding)) => {
                let span = |us: f64| Duration::try_from_secs_f64(us / 1e6).unwrap_or(Duration::MAX);
                WaitStrategy { spin: span(spin), yielding: span(yielding) }
            }
        };
        let mut config = SharedMemoryConfig::new(self.name).with_wait(wait);
        if let Some(directory) = self.directory {
            config = config.with_directory(directory);
        }
        Ok(self.trusted_owners.into_iter().fold(config, SharedMemoryConfig::with_trusted_owner))
    }
}

/// What a writer's keywords say of the region.
pub(crate) struct WriterOptions {
    pub(crate) common: Common,
    pub(crate) buffer_count: usize,
    pub(crate) size_mb: f64,
    pub(crate) slot_bytes: Option<u64>,
    pub(crate) max_readers: usize,
    pub(crate) when_full: String,
    pub(crate) write_timeout: Milliseconds,
    pub(crate) compression: Option<String>,
    pub(crate) compression_level: i32,
    pub(crate) prefault: bool,
    pub(crate) mode: u32,
    pub(crate) owner: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl WriterOptions {
    pub(crate) fn config(self) -> Result<(SharedMemoryConfig, WhenFull)> {
        let name = self.common.name.clone();
        let when_full = one_of(
            &name,
            "when_full",
            &self.when_full,
            &[
                ("block", WhenFull::Block(self.write_timeout.0)),
                ("overwrite", WhenFull::Overwrite),
                ("fail", WhenFull::Fail),
            ],
        )?;
        let compression = match self.compression.as_deref() {
            None => Compression::None,
            Some(compression) => one_of(
                &name,
                "compression",
                compression,
                &[
                    ("none", Compression::None),
                    ("lz4", Compression::Lz4),
                    ("zstd", Compression::Zstd { level: self.compression_level }),
                ],
            )?,
        };
        let bytes = self.size_mb * f64::from(1 << 20);
        if !(bytes >= 0.0 && bytes < i64::MAX as f64) {
            return Err(invalid(&name, format!("size_mb: {} is no size", self.size_mb)));
        }
        let mut config = self.common.config()?;
        config = match self.slot_bytes {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
            None => config.with_size_bytes(bytes as u64),
            Some(slot) => config.with_slot_bytes(slot),
        };
        config = config
            .with_buffer_count(self.buffer_count)
            .with_max_readers(self.max_readers)
            .with_compression(compression)
            .with_prefault(self.prefault)
            .with_mode(self.mode);
        if let Some(owner) = self.owner {
            config = config.with_owner(owner);
        }
        if let Some(group) = self.group {
            config = config.with_group(group);
        }
        Ok((config, when_full))
    }
}

/// What a reader's keywords say.
pub(crate) struct ReaderOptions {
    pub(crate) common: Common,
    pub(crate) policy: String,
    pub(crate) start: String,
    pub(crate) validation: String,
}

impl ReaderOptions {
    pub(crate) fn config(self) -> Result<SharedMemoryConfig> {
        let name = self.common.name.clone();
        let policy = one_of(
            &name,
            "policy",
            &self.policy,
            &[
                ("lossless", ReaderPolicy::Lossless),
                ("lossy", ReaderPolicy::Lossy),
                ("latest", ReaderPolicy::Latest),
            ],
        )?;
        let start =
            one_of(&name, "start", &self.start, &[("oldest", StartAt::Oldest), ("newest", StartAt::Newest)])?;
        let validation = one_of(
            &name,
            "validation",
            &self.validation,
            &[
                ("form", Validation::Form),
                ("full", Validation::Full),
                ("full_on_copy", Validation::FullOnCopy),
            ],
        )?;
        Ok(self.common.config()?.with_policy(policy).with_start(start).with_validation(validation))
    }
}

/// The value of a word.
fn one_of<T: Copy>(ring: &str, what: &str, word: &str, values: &[(&str, T)]) -> Result<T> {
    let found = values.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<String> = values.iter().map(|(name, _)| format!("'{name}'")).collect();
        invalid(ring, format!("{what}: expected {}, got '{word}'", names.join(" or ")))
    })
}
