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

/// What both ends have in common.
fn config(
    name: &[u8],
    directory: &[u8],
    trusted_owners: &[u32],
    (spin_ns, yield_ns): (i64, i64),
) -> Result<SharedMemoryConfig> {
    let name = std::str::from_utf8(name).map_err(|_| QADataSwapError::InvalidName {
        name: String::from_utf8_lossy(name).into_owned(),
        reason: "is not UTF-8",
    })?;
    // What spins longer than this spins for ever.
    let span = |nanoseconds: i64| match nanoseconds {
        i64::MAX => Duration::MAX,
        other => duration(other).unwrap_or(Duration::MAX),
    };
    let wait = WaitStrategy { spin: span(spin_ns), yielding: span(yield_ns) };
    let mut config = SharedMemoryConfig::new(name).with_wait(wait);
    if !directory.is_empty() {
        config = config.with_directory(OsStr::from_bytes(directory));
    }
    Ok(trusted_owners.iter().fold(config, |config, uid| config.with_trusted_owner(*uid)))
}

pub(crate) fn writer(options: &WriterOptions<'_>) -> Result<SharedMemoryConfig> {
    let WriterOptions { name, directory, trusted_owners, spin_ns, yield_ns, .. } = *options;
    let mut config = config(name, directory, trusted_owners, (spin_ns, yield_ns))?;
    let no =
        |what: &str, value: i64| invalid(config.name(), format!("{what}: {value} is not one of its values"));
    let when_full = match options.when_full {
        0 => WhenFull::Block(duration(options.write_timeout_ns)),
        1 => WhenFull::Overwrite,
        2 => WhenFull::Fail,
        other => return Err(no("when_full", other.into())),
    };
    let compression = match options.compression {
        0 => Compression::None,
        1 => Compression::Lz4,
        2 => Compression::Zstd { level: options.compression_level },
        other => return Err(no("compression", other.into())),
    };
    let id = |what: &str, id: i64| match id {
        -1 => Ok(None),
        id => u32::try_from(id).map(Some).map_err(|_| no(what, id)),
    };
    let (owner, group) = (id("owner", options.owner)?, id("group", options.group)?);
    config = match options.slot_bytes {
        0 => config.with_size_bytes(options.size_bytes),
        slot => config.with_slot_bytes(slot),
    };
    config = config
        .with_buffer_count(options.buffer_count)
        .with_max_readers(options.max_readers)
        .with_when_full(when_full)
        .with_compression(compression)
        .with_prefault(options.prefault)
        .with_mode(options.mode);
    if let Some(owner) = owner {
        config = config.with_owner(owner);
    }
    if let Some(group) = group {
        config = config.with_group(group);
    }
    Ok(config)
}

pub(crate) fn reader(options: &ReaderOptions<'_>) -> Result<SharedMemoryConfig> {
    let ReaderOptions { name, directory, trusted_owners, spin_ns, yield_ns, .. } = *options;
    let config = config(name, directory, trusted_owners, (spin_ns, yield_ns))?;
    let no =
        |what: &str, value: i32| invalid(config.name(), format!("{what}: {value} is not one of its values"));
    let policy = match options.policy {
        0 => ReaderPolicy::Lossless,
        1 => ReaderPolicy::Lossy,
        2 => ReaderPolicy::Latest,
        other => return Err(no("policy", other)),
    };
    let start = match options.start {
        0 => StartAt::Oldest,
        1 => StartAt::Newest,
        other => return Err(no("start", other)),
    };
    let validation = match options.validation {
        0 => Validation::Form,
        1 => Validation::Full,
        2 => Validation::FullOnCopy,
        other => return Err(no("validation", other)),
    };
    let attach_timeout = duration(options.attach_timeout_ns).unwrap_or(Duration::MAX);
    Ok(config
        .with_policy(policy)
        .with_start(start)
        .with_validation(validation)
        .with_attach_timeout(attach_timeout))
}
