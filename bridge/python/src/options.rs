//! The keywords of `create_writer` and `create_reader` as the configuration of the ring.

use crate::error::invalid;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use qadataswap::{
    Compression, ReaderPolicy, Result, SettingValue, Settings, SharedMemoryConfig, StartAt, Validation,
    WaitStrategy, WhenFull,
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
            Some(ms) if ms.is_nan() => Err(PyValueError::new_err("a timeout in milliseconds is NaN")),
            _ => Ok(Milliseconds(None)),
        }
    }
}

/// A time in milliseconds, if it is given.
#[derive(Clone, Copy)]
pub(crate) struct Patience(pub(crate) Option<Milliseconds>);

impl<'a, 'py> FromPyObject<'a, 'py> for Patience {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Milliseconds::extract(value).map(|time| Patience(Some(time)))
    }
}

/// How to wait: a name, or microseconds of spinning and of yielding.
pub(crate) enum Wait {
    Name(String),
    Times(f64, f64),
}

impl FromPyObject<'_, '_> for Wait {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(name) = value.extract() {
            return Ok(Wait::Name(name));
        }
        value.extract().map(|(spin, yielding)| Wait::Times(spin, yielding)).map_err(|_| {
            PyTypeError::new_err(
                "expected 'balanced', 'spin', 'sleep' or a tuple of microseconds to spin and to yield for",
            )
        })
    }
}

impl Wait {
    /// How to wait.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) for a name that is none.
    pub(crate) fn strategy(wait: Option<Wait>, ring: &str) -> Result<WaitStrategy> {
        Ok(match wait {
            None => WaitStrategy::default(),
            Some(Wait::Name(name)) => one_of(
                ring,
                "wait",
                &name,
                &[
                    ("balanced", WaitStrategy::BALANCED),
                    ("spin", WaitStrategy::SPIN),
                    ("sleep", WaitStrategy::SLEEP),
                ],
            )?,
            Some(Wait::Times(spin, yielding)) => {
                let span = |us: f64| match us >= 0.0 {
                    // A time that no duration holds is for ever.
                    true => Ok(Duration::try_from_secs_f64(us / 1e6).unwrap_or(Duration::MAX)),
                    false => Err(invalid(ring, format!("wait: expected microseconds from 0 on, got {us}"))),
                };
                WaitStrategy { spin: span(spin)?, yielding: span(yielding)? }
            }
        })
    }
}

/// What both ends have in common.
pub(crate) struct Common {
    pub(crate) name: String,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) trusted_owners: Vec<u32>,
    pub(crate) wait: Option<Wait>,
    pub(crate) config_file: Option<PathBuf>,
}

impl Common {
    fn config(self) -> Result<SharedMemoryConfig> {
        let wait = Wait::strategy(self.wait, &self.name)?;
        let mut config = SharedMemoryConfig::new(self.name).with_wait(wait);
        if let Some(directory) = self.directory {
            config = config.with_directory(directory);
        }
        if let Some(path) = self.config_file {
            config = config.with_config_file(path);
        }
        Ok(self.trusted_owners.into_iter().fold(config, SharedMemoryConfig::with_trusted_owner))
    }
}

/// What a writer's keywords say of the region.
pub(crate) struct WriterOptions {
    pub(crate) common: Common,
    pub(crate) buffer_count: Option<usize>,
    pub(crate) size_mb: Option<f64>,
    pub(crate) slot_bytes: Option<u64>,
    pub(crate) max_readers: Option<usize>,
    pub(crate) when_full: Option<String>,
    pub(crate) write_timeout: Patience,
    pub(crate) retry_count: Option<u32>,
    pub(crate) compression: Option<String>,
    pub(crate) compression_level: i32,
    pub(crate) prefault: Option<bool>,
    pub(crate) mode: u32,
    pub(crate) owner: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl WriterOptions {
    pub(crate) fn config(self) -> Result<SharedMemoryConfig> {
        let name = self.common.name.clone();
        let mut config = self.common.config()?.with_mode(self.mode);
        if let Some(when_full) = &self.when_full {
            let words =
                [("block", None), ("overwrite", Some(WhenFull::Overwrite)), ("fail", Some(WhenFull::Fail))];
            config = match one_of(&name, "when_full", when_full, &words)? {
                Some(when_full) => config.with_when_full(when_full),
                None => config.with_blocking(),
            };
        }
        if let Patience(Some(timeout)) = self.write_timeout {
            config = config.with_write_timeout(timeout.0);
        }
        if let Some(retries) = self.retry_count {
            config = config.with_retry_count(retries);
        }
        if let Some(compression) = &self.compression {
            let zstd = Compression::Zstd { level: self.compression_level };
            let words = [("none", Compression::None), ("lz4", Compression::Lz4), ("zstd", zstd)];
            config = config.with_compression(one_of(&name, "compression", compression, &words)?);
        }
        if let Some(mebibytes) = self.size_mb {
            let bytes = mebibytes * f64::from(1 << 20);
            if !(bytes >= 0.0 && bytes < i64::MAX as f64) {
                return Err(invalid(&name, format!("size_mb: {mebibytes:e} is no size")));
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
            let bytes = bytes as u64;
            config = config.with_size_bytes(bytes);
        }
        if let Some(bytes) = self.slot_bytes {
            config = config.with_slot_bytes(bytes);
        }
        if let Some(count) = self.buffer_count {
            config = config.with_buffer_count(count);
        }
        if let Some(readers) = self.max_readers {
            config = config.with_max_readers(readers);
        }
        if let Some(prefault) = self.prefault {
            config = config.with_prefault(prefault);
        }
        if let Some(owner) = self.owner {
            config = config.with_owner(owner);
        }
        if let Some(group) = self.group {
            config = config.with_group(group);
        }
        Ok(config)
    }
}

/// What a reader's keywords say.
pub(crate) struct ReaderOptions {
    pub(crate) common: Common,
    pub(crate) policy: String,
    pub(crate) start: String,
    pub(crate) validation: String,
    pub(crate) attach_timeout: Patience,
    pub(crate) prefault: Option<bool>,
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
                ("observer", ReaderPolicy::Observer),
            ],
        )?;
        let start =
            one_of(&name, "start", &self.start, &[("oldest", StartAt::Oldest), ("newest", StartAt::Newest)])?;
        let validation = validation(&name, &self.validation)?;
        let config = self.common.config()?;
        let config = match self.attach_timeout {
            Patience(Some(timeout)) => config.with_attach_timeout(timeout.0.unwrap_or(Duration::MAX)),
            Patience(None) => config,
        };
        let config = match self.prefault {
            Some(prefault) => config.with_prefault(prefault),
            None => config,
        };
        Ok(config.with_policy(policy).with_start(start).with_validation(validation))
    }
}

/// How much of a frame is checked.
///
/// # Errors
/// [`InvalidConfig`](qadataswap::QADataSwapError::InvalidConfig) for a word that is none.
pub(crate) fn validation(ring: &str, word: &str) -> Result<Validation> {
    one_of(
        ring,
        "validation",
        word,
        &[("form", Validation::Form), ("full", Validation::Full), ("full_on_copy", Validation::FullOnCopy)],
    )
}

/// What stands outside the program, by key: the value and where it stands.
///
/// # Errors
/// `InvalidConfigError` for what is not understood.
pub(crate) fn settings(py: Python<'_>, path: Option<PathBuf>) -> PyResult<Bound<'_, PyDict>> {
    let settings = match path {
        None => Settings::discover(),
        Some(path) => Settings::from_environment()
            .and_then(|environment| Ok(environment.or(Settings::from_file(path)?))),
    };
    let settings = settings.map_err(|error| crate::error::raise(error.into()))?;
    let dict = PyDict::new(py);
    for setting in settings.iter() {
        match setting.value {
            SettingValue::Number(number) if number.fract() == 0.0 => {
                #[expect(clippy::cast_possible_truncation, reason = "settings are far below 2^63")]
                dict.set_item(setting.key, (number as i64, setting.source))?;
            }
            SettingValue::Number(number) => dict.set_item(setting.key, (number, setting.source))?,
            SettingValue::Flag(flag) => dict.set_item(setting.key, (flag, setting.source))?,
            SettingValue::Text(text) => dict.set_item(setting.key, (text, setting.source))?,
        }
    }
    Ok(dict)
}

/// The value of a word.
fn one_of<T: Copy>(ring: &str, what: &str, word: &str, values: &[(&str, T)]) -> Result<T> {
    let found = values.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<String> = values.iter().map(|(name, _)| format!("'{name}'")).collect();
        invalid(ring, format!("{what}: expected {}, got '{word}'", names.join(" or ")))
    })
}
