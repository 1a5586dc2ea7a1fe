//! Options as they cross, into the configuration of the ring.

use crate::bridge::{ReaderOptions, WriterOptions};
use crate::status::invalid;
use qadataswap::{
    Compression, QADataSwapError, ReaderPolicy, Result, SharedMemoryConfig, StartAt, Validation,
    WaitStrategy, WhenFull,
};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Nanoseconds, negative for ever.
pub(crate) fn duration(nanoseconds: i64) -> Option<Duration> {
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// A number that is given; `QADS_AS_CONFIGURED` is not.
trait Given: Copy + PartialEq {
    const AS_CONFIGURED: Self;

    fn given(self) -> Option<Self> {
        (self != Self::AS_CONFIGURED).then_some(self)
    }
}

impl Given for i32 {
    const AS_CONFIGURED: i32 = -1;
}

impl Given for u64 {
    const AS_CONFIGURED: u64 = u64::MAX;
}

impl Given for usize {
    const AS_CONFIGURED: usize = usize::MAX;
}

/// A time: `QADS_TIME_AS_CONFIGURED`.
impl Given for i64 {
    const AS_CONFIGURED: i64 = i64::MIN;
}

/// Times in nanoseconds as a way to wait.
pub(crate) fn wait_strategy(spin_ns: i64, yield_ns: i64) -> WaitStrategy {
    let span = |nanoseconds: i64| match nanoseconds {
        i64::MAX => Duration::MAX,
        other => duration(other).unwrap_or(Duration::MAX),
    };
    WaitStrategy { spin: span(spin_ns), yielding: span(yield_ns) }
}

/// What both ends have in common.
fn config(
    name: &[u8],
    (directory, config_file): (&[u8], &[u8]),
    trusted_owners: &[u32],
    (spin_ns, yield_ns): (i64, i64),
) -> Result<SharedMemoryConfig> {
    let name = std::str::from_utf8(name).map_err(|_| QADataSwapError::InvalidName {
        name: String::from_utf8_lossy(name).into_owned(),
        reason: "is not UTF-8",
    })?;
    // What spins longer than this spins for ever.
    let wait = wait_strategy(spin_ns, yield_ns);
    let mut config = SharedMemoryConfig::new(name).with_wait(wait);
    if !directory.is_empty() {
        config = config.with_directory(OsStr::from_bytes(directory));
    }
    if !config_file.is_empty() {
        config = config.with_config_file(OsStr::from_bytes(config_file));
    }
    Ok(trusted_owners.iter().fold(config, |config, uid| config.with_trusted_owner(*uid)))
}

fn no(config: &SharedMemoryConfig, what: &str, value: i64) -> QADataSwapError {
    invalid(config.name(), format!("{what}: {value} is not one of its values"))
}

pub(crate) fn writer(options: &WriterOptions<'_>) -> Result<SharedMemoryConfig> {
    let WriterOptions { name, directory, config_file, trusted_owners, spin_ns, yield_ns, .. } = *options;
    let mut config = config(name, (directory, config_file), trusted_owners, (spin_ns, yield_ns))?;
    let patience = options.write_timeout_ns.given().map(duration);
    let compression = match options.compression.given() {
        None => None,
        Some(0) => Some(Compression::None),
        Some(1) => Some(Compression::Lz4),
        Some(2) => Some(Compression::Zstd { level: options.compression_level }),
        Some(other) => return Err(no(&config, "compression", other.into())),
    };
    let retries = options
        .retry_count
        .given()
        .map(|count| u32::try_from(count).map_err(|_| no(&config, "retry_count", count.into())));
    let retries = retries.transpose()?;
    let id = |what: &str, id: i64| match id {
        -1 => Ok(None),
        id => u32::try_from(id).map(Some).map_err(|_| no(&config, what, id)),
    };
    let (owner, group) = (id("owner", options.owner)?, id("group", options.group)?);
    config = config.with_mode(options.mode);
    config = match (options.slot_bytes, options.size_bytes.given()) {
        (0, None) => config,
        (0, Some(bytes)) => config.with_size_bytes(bytes),
        (slot, _) => config.with_slot_bytes(slot),
    };
    if let Some(count) = options.buffer_count.given() {
        config = config.with_buffer_count(count);
    }
    if let Some(readers) = options.max_readers.given() {
        config = config.with_max_readers(readers);
    }
    config = match options.when_full.given() {
        None => config,
        Some(0) => config.with_blocking(),
        Some(1) => config.with_when_full(WhenFull::Overwrite),
        Some(2) => config.with_when_full(WhenFull::Fail),
        Some(other) => return Err(no(&config, "when_full", other.into())),
    };
    if let Some(patience) = patience {
        config = config.with_write_timeout(patience);
    }
    if let Some(retries) = retries {
        config = config.with_retry_count(retries);
    }
    if let Some(compression) = compression {
        config = config.with_compression(compression);
    }
    if options.keep_unread {
        config = config.with_keep_unread(true);
    }
    if options.memfd {
        config = config.with_memfd(true);
    }
    if options.is_stream {
        config = config.with_stream(options.total_rows.given());
    }
    if let Some(prefault) = options.prefault.given() {
        config = config.with_prefault(prefault != 0);
    }
    if let Some(owner) = owner {
        config = config.with_owner(owner);
    }
    if let Some(group) = group {
        config = config.with_group(group);
    }
    Ok(config)
}

pub(crate) fn reader(options: &ReaderOptions<'_>) -> Result<SharedMemoryConfig> {
    let ReaderOptions { name, directory, config_file, trusted_owners, spin_ns, yield_ns, .. } = *options;
    let mut config = config(name, (directory, config_file), trusted_owners, (spin_ns, yield_ns))?;
    let policy = match options.policy {
        0 => ReaderPolicy::Lossless,
        1 => ReaderPolicy::Lossy,
        2 => ReaderPolicy::Latest,
        3 => ReaderPolicy::Observer,
        other => return Err(no(&config, "policy", other.into())),
    };
    let start = match options.start {
        0 => StartAt::Oldest,
        1 => StartAt::Newest,
        other => return Err(no(&config, "start", other.into())),
    };
    let validation = match options.validation {
        0 => Validation::Form,
        1 => Validation::Full,
        2 => Validation::FullOnCopy,
        other => return Err(no(&config, "validation", other.into())),
    };
    if let Some(timeout) = options.attach_timeout_ns.given() {
        config = config.with_attach_timeout(duration(timeout).unwrap_or(Duration::MAX));
    }
    if let Some(prefault) = options.prefault.given() {
        config = config.with_prefault(prefault != 0);
    }
    Ok(config.with_policy(policy).with_start(start).with_validation(validation))
}
