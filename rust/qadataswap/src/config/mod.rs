//! How a ring is made and read: one configuration, the same nouns in every language.

mod settings;
mod terms;
#[cfg(feature = "yaml")]
mod yaml;

pub use settings::{Setting, SettingValue, Settings, SettingsError};
pub use terms::{ReaderPolicy, StartAt, Timeout, WhenFull};

use crate::error::{QADataSwapError, Result};
use crate::frame::{Compression, Validation};
use crate::layout::{Geometry, PAGE};
use crate::name::RingName;
use crate::wait::WaitStrategy;
use std::path::PathBuf;
use std::time::Duration;

/// What the code has said, so that no setting from outside changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(u16);

impl Said {
    const SIZE: Said = Said(1);
    const BUFFERS: Said = Said(1 << 1);
    const READERS: Said = Said(1 << 2);
    const PREFAULT: Said = Said(1 << 3);
    const DIRECTORY: Said = Said(1 << 4);
    const WHEN_FULL: Said = Said(1 << 5);
    const TIMEOUT: Said = Said(1 << 6);
    const RETRIES: Said = Said(1 << 7);
    const ATTACH_TIMEOUT: Said = Said(1 << 8);
    const COMPRESSION: Said = Said(1 << 9);

    const fn contains(self, other: Said) -> bool {
        self.0 & other.0 == other.0
    }

    fn insert(&mut self, other: Said) {
        self.0 |= other.0;
    }
}

/// Where the settings come from that the code leaves unsaid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// [`Settings::discover`].
    Discovered,
    /// The environment, and below it this file.
    File(PathBuf),
    /// These and no others.
    Given(Settings),
}

/// The configuration of a writer or a reader.
///
/// What concerns the region (size, buffers, readers, permissions, full-ring behaviour, compression) is the
/// writer's to say; what concerns reading (policy, start, validation) the reader's. Both wait as they like.
///
/// What is not said here is taken from the environment, then from `qadataswap.yaml` (see [`Settings`]), then from the
/// defaults.
///
/// ```
/// use qadataswap::{ReaderPolicy, SharedMemoryConfig};
/// let config = SharedMemoryConfig::new("market_data").with_size_mb(500).with_buffer_count(8);
/// let watcher = SharedMemoryConfig::new("market_data").with_policy(ReaderPolicy::Latest);
/// # assert_eq!(config.name(), watcher.name());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMemoryConfig {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) size: Size,
    pub(crate) buffer_count: usize,
    pub(crate) max_readers: usize,
    pub(crate) when_full: WhenFull,
    pub(crate) compression: Compression,
    pub(crate) prefault: bool,
    pub(crate) mode: u32,
    pub(crate) owner: Option<u32>,
    pub(crate) group: Option<u32>,
    pub(crate) trusted_owners: Vec<u32>,
    pub(crate) policy: ReaderPolicy,
    pub(crate) start: StartAt,
    pub(crate) validation: Validation,
    pub(crate) attach_timeout: Duration,
    pub(crate) wait: WaitStrategy,
    /// What [`WhenFull::Block`] takes when everything has been said.
    write_timeout: Option<Duration>,
    pub(crate) retry_count: u32,
    pub(crate) keep_unread: bool,
    /// Whether the region has no name, or is to have none.
    pub(crate) memfd: bool,
    /// Whether what is written is a stream, and how many rows it has.
    pub(crate) stream: Option<Option<u64>>,
    said: Said,
    source: Source,
}

/// How the capacity was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Bytes of all slots together.
    Total(u64),
    /// Bytes of one slot.
    Slot(u64),
}

impl SharedMemoryConfig {
    /// The defaults, for the ring `name`: 100 MiB in 3 buffers, 64 readers, block for at most 5 s when full, without
    /// a second try, no compression, mode 0600, lossless from the oldest frame, bounds checks only.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        SharedMemoryConfig {
            name: name.into(),
            directory: PathBuf::from("/dev/shm"),
            size: Size::Total(100 << 20),
            buffer_count: 3,
            max_readers: 64,
            when_full: WhenFull::default(),
            compression: Compression::None,
            prefault: false,
            mode: 0o600,
            owner: None,
            group: None,
            trusted_owners: Vec::new(),
            policy: ReaderPolicy::default(),
            start: StartAt::default(),
            validation: Validation::Form,
            attach_timeout: Duration::ZERO,
            wait: WaitStrategy::default(),
            write_timeout: Some(Duration::from_secs(5)),
            retry_count: 0,
            keep_unread: false,
            memfd: false,
            stream: None,
            said: Said::default(),
            source: Source::Discovered,
        }
    }

    /// Takes what is not said here from these settings, instead of the environment and `qadataswap.yaml`:
    /// `with_settings(Settings::default())` is deaf to both.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.source = Source::Given(settings);
        self
    }

    /// Takes what neither this nor the environment says from this file, instead of `qadataswap.yaml`.
    #[must_use]
    pub fn with_config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.source = Source::File(path.into());
        self
    }

    /// The ring's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Capacity of all slots together, in MiB; each of the buffers gets an equal share, rounded up to a page.
    #[must_use]
    pub fn with_size_mb(self, mebibytes: u64) -> Self {
        self.with_size_bytes(mebibytes.saturating_mul(1 << 20))
    }

    /// Capacity of all slots together, in bytes.
    #[must_use]
    pub fn with_size_bytes(mut self, bytes: u64) -> Self {
        self.said.insert(Said::SIZE);
        self.size = Size::Total(bytes);
        self
    }

    /// Capacity of one slot in bytes, rounded up to a page: the largest frame. Overrides the total size.
    #[must_use]
    pub fn with_slot_bytes(mut self, bytes: u64) -> Self {
        self.said.insert(Said::SIZE);
        self.size = Size::Slot(bytes);
        self
    }

    /// Number of slots, 1 to 65,536: how many frames the ring remembers, and how many may be held at once.
    /// From 16 slots on, up to an eighth of the oldest frames may go early.
    #[must_use]
    pub fn with_buffer_count(mut self, count: usize) -> Self {
        self.said.insert(Said::BUFFERS);
        self.buffer_count = count;
        self
    }

    /// Most readers at a time, 1 to 1,024.
    #[must_use]
    pub fn with_max_readers(mut self, readers: usize) -> Self {
        self.said.insert(Said::READERS);
        self.max_readers = readers;
        self
    }

    /// What a full ring means to the writer.
    #[must_use]
    pub fn with_when_full(mut self, when_full: WhenFull) -> Self {
        self.said.insert(Said::WHEN_FULL);
        self.when_full = when_full;
        match when_full {
            WhenFull::Block(patience) => self.with_write_timeout(patience),
            WhenFull::Overwrite | WhenFull::Fail => self,
        }
    }

    /// A full ring makes its writer wait, for as long as the write timeout.
    #[must_use]
    pub fn with_blocking(mut self) -> Self {
        self.said.insert(Said::WHEN_FULL);
        self.when_full = WhenFull::Block(self.write_timeout);
        self
    }

    /// How long a write waits in a full ring if its writer waits at all; `None`: for as long as it takes.
    #[must_use]
    pub fn with_write_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.said.insert(Said::TIMEOUT);
        self.write_timeout = timeout;
        self
    }

    /// How many times more a writer waits that has waited in vain in a full ring, each time with a warning in the
    /// log; not once unless given.
    #[must_use]
    pub fn with_retry_count(mut self, retries: u32) -> Self {
        self.said.insert(Said::RETRIES);
        self.retry_count = retries;
        self
    }

    /// Keeps frames that no reader has read as if a lossless reader were always attached: the first to come finds
    /// everything, and a ring without readers fills up. It does not matter to a writer that overwrites.
    #[must_use]
    pub fn with_keep_unread(mut self, keep: bool) -> Self {
        self.keep_unread = keep;
        self
    }

    /// What is written is one data set, of so many rows if that is known: dropping the writer before it is closed breaks
    /// the stream off, and frames that no reader has read are kept. A write waits for as long as it takes, unless a
    /// timeout is given or configured. [`SharedDataStream`](crate::SharedDataStream) says it by itself.
    #[must_use]
    pub fn with_stream(mut self, total_rows: Option<u64>) -> Self {
        self.stream = Some(total_rows);
        self.keep_unread = true;
        self
    }

    /// Compresses the buffers of every frame written; loans, which are built in place, are never compressed.
    /// Readers decompress, that is: copy.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.said.insert(Said::COMPRESSION);
        self.compression = compression;
        self
    }

    /// Of a writer: reserves all memory at creation instead of at the first use of each page. Of either end: has every page
    /// of a ring that was reserved so at hand from the start. Slower to create and to attach to; no page is cold afterwards.
    #[must_use]
    pub fn with_prefault(mut self, prefault: bool) -> Self {
        self.said.insert(Said::PREFAULT);
        self.prefault = prefault;
        self
    }

    /// Permission bits of the region's file; 0600 unless given. Readers need read *and* write permission, observers
    /// ([`ReaderPolicy::Observer`]) read permission.
    #[must_use]
    pub fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Gives the region to this user on creation.
    #[must_use]
    pub fn with_owner(mut self, uid: u32) -> Self {
        self.owner = Some(uid);
        self
    }

    /// Gives the region to this group on creation.
    #[must_use]
    pub fn with_group(mut self, gid: u32) -> Self {
        self.group = Some(gid);
        self
    }

    /// Accepts a region that belongs to this user. Without it only one's own and root's are accepted: whoever
    /// owns a region can put any bytes into it.
    #[must_use]
    pub fn with_trusted_owner(mut self, uid: u32) -> Self {
        self.trusted_owners.push(uid);
        self
    }

    /// The folder of the rings; `/dev/shm` unless given. Meant to be a tmpfs: on a disk's file system a ring works,
    /// but what is written to it is written to the disk as well.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.said.insert(Said::DIRECTORY);
        self.directory = directory.into();
        self
    }

    /// Makes a ring without a name: a memory file that is in no folder, to be handed over as a descriptor
    /// ([`Writer::share`](crate::Writer::share), [`Reader::from_fd`](crate::Reader::from_fd)). Nobody else can find, open or
    /// truncate it, and the kernel frees it with the last process that has it, however that ends. The ring's name is only
    /// what it is called then; permission bits and owners mean what they mean for a file.
    #[must_use]
    pub fn with_memfd(mut self, memfd: bool) -> Self {
        self.memfd = memfd;
        self
    }

    /// What the reader is owed.
    #[must_use]
    pub fn with_policy(mut self, policy: ReaderPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Where the reader starts.
    #[must_use]
    pub fn with_start(mut self, start: StartAt) -> Self {
        self.start = start;
        self
    }

    /// How much of a frame the reader checks before it hands it out.
    #[must_use]
    pub fn with_validation(mut self, validation: Validation) -> Self {
        self.validation = validation;
        self
    }

    /// How long a reader waits for the ring to come into being; not at all unless given.
    #[must_use]
    pub fn with_attach_timeout(mut self, timeout: Duration) -> Self {
        self.said.insert(Said::ATTACH_TIMEOUT);
        self.attach_timeout = timeout;
        self
    }

    /// How to wait.
    #[must_use]
    pub fn with_wait(mut self, wait: WaitStrategy) -> Self {
        self.wait = wait;
        self
    }

    /// What a full ring means to the writer.
    #[must_use]
    pub fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// How many times more a writer waits that has waited in vain.
    #[must_use]
    pub fn retry_count(&self) -> u32 {
        self.retry_count
    }

    /// How long a reader waits for the ring to come into being.
    #[must_use]
    pub fn attach_timeout(&self) -> Duration {
        self.attach_timeout
    }

    /// The same with everything said: what was left unsaid is as the environment, a file or the defaults have it.
    /// Making a writer or a reader does it by itself.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) for settings that are not understood.
    pub fn resolved(mut self) -> Result<Self> {
        let settings = match std::mem::replace(&mut self.source, Source::Given(Settings::default())) {
            Source::Given(settings) => Ok(settings),
            Source::Discovered => Settings::discover(),
            Source::File(path) => Settings::from_environment()
                .and_then(|environment| Ok(environment.or(Settings::from_file(path)?))),
        };
        let settings = settings.map_err(|error| QADataSwapError::InvalidConfig {
            ring: self.name.clone(),
            reason: error.to_string(),
        })?;
        if self.stream.is_some() && !self.said.contains(Said::TIMEOUT) {
            self.write_timeout = None;
        }
        settings.apply(&mut self);
        if let WhenFull::Block(patience) = &mut self.when_full {
            *patience = self.write_timeout;
        }
        Ok(self)
    }

    pub(crate) fn ring_name(&self) -> Result<RingName> {
        RingName::new(&self.name)
    }

    /// Where the ring's memory lies, for people.
    pub(crate) fn place(&self) -> String {
        if self.memfd { "memory".to_owned() } else { self.directory.display().to_string() }
    }

    /// The geometry that the code asks for, where what it leaves unsaid is as in `given`.
    pub(crate) fn geometry_like(&self, given: &Geometry) -> Result<Geometry> {
        let mut config = self.clone();
        if !self.said.contains(Said::BUFFERS) {
            config.buffer_count = given.buffer_count as usize;
        }
        if !self.said.contains(Said::READERS) {
            config.max_readers = given.max_readers as usize;
        }
        if !self.said.contains(Said::SIZE) {
            config.size = Size::Slot(given.slot_bytes);
        }
        config.geometry()
    }

    /// The geometry that these numbers ask for.
    pub(crate) fn geometry(&self) -> Result<Geometry> {
        let invalid = |reason| QADataSwapError::InvalidConfig { ring: self.name.clone(), reason };
        let count = u32::try_from(self.buffer_count).unwrap_or(u32::MAX);
        let readers = u32::try_from(self.max_readers).unwrap_or(u32::MAX);
        let slot = match self.size {
            Size::Total(bytes) => bytes.div_ceil(u64::from(count.max(1))),
            Size::Slot(bytes) => bytes,
        };
        if self.mode > 0o777 {
            // 660 for 0o660, most likely, whose bits let in whoever was not meant.
            return Err(invalid(format!(
                "mode {0} (octal {0:o}) is more than permission bits: expected 0o600, 0o660, ...",
                self.mode
            )));
        }
        let slot = slot
            .checked_next_multiple_of(PAGE)
            .ok_or_else(|| invalid(format!("slot capacity {slot} is too large")))?;
        Geometry::new(count, readers, slot).map_err(invalid)
    }
}

impl From<&str> for SharedMemoryConfig {
    fn from(name: &str) -> Self {
        SharedMemoryConfig::new(name)
    }
}

impl From<String> for SharedMemoryConfig {
    fn from(name: String) -> Self {
        SharedMemoryConfig::new(name)
    }
}

impl From<&String> for SharedMemoryConfig {
    fn from(name: &String) -> Self {
        SharedMemoryConfig::new(name)
    }
}

impl From<&SharedMemoryConfig> for SharedMemoryConfig {
    fn from(config: &SharedMemoryConfig) -> Self {
        config.clone()
    }
}

/// A name and a total size in bytes.
impl From<(&str, u64)> for SharedMemoryConfig {
    fn from((name, bytes): (&str, u64)) -> Self {
        SharedMemoryConfig::new(name).with_size_bytes(bytes)
    }
}
