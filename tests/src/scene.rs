//! A scene: a private folder of rings under `/dev/shm`, and the rings that are played in it.
//!
//! Law: a scene that ends well is empty; whatever a test leaves behind fails it.

use crate::keeper::{self, Keeper};
use qadataswap::{
    Compression, QADataSwapError, Reader, ReaderPolicy, Result, SharedMemoryConfig, StartAt, Validation,
    WaitStrategy, WhenFull, Writer, inspect,
};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A private folder, removed on drop.
#[derive(Debug)]
pub struct Scene {
    folder: PathBuf,
    /// There if the scene's rings have no names.
    keeper: Option<Keeper>,
}

impl Scene {
    /// An empty folder on the machine's tmpfs.
    ///
    /// # Panics
    /// If the folder cannot be made.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Scene {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/dev/shm/qads-test-{}-{count}", std::process::id()));
        std::fs::create_dir(&folder).expect("a private folder under /dev/shm");
        Scene { folder, keeper: None }
    }

    /// A scene whose rings have no names, and are handed from process to process.
    ///
    /// # Panics
    /// As [`new`](Scene::new).
    #[must_use]
    pub fn unnamed() -> Scene {
        let mut scene = Scene::new();
        scene.keeper = Some(Keeper::at(scene.folder.display().to_string()));
        scene
    }

    /// Who has descriptors of the rings without a name.
    ///
    /// # Panics
    /// If this is a scene of rings with names.
    #[must_use]
    pub fn keeper(&self) -> &Keeper {
        self.keeper.as_ref().expect("a scene of rings without names")
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A ring of this scene: 4 slots of 64 KiB, blocking for at most a second.
    #[must_use]
    pub fn ring(&self, name: &str) -> Ring {
        Ring {
            name: name.to_owned(),
            directory: self.folder.clone(),
            slots: 4,
            slot_bytes: 64 << 10,
            max_readers: 64,
            full: Full::Block(Some(1000)),
            policy: Owed::Lossless,
            newest: false,
            validation: Check::Form,
            squeeze: Squeeze::None,
            prefault: false,
            mode: 0o600,
            trusted: Vec::new(),
            attach_ms: 0,
            sleep: false,
            keeper: self.keeper.as_ref().map(|keeper| keeper.address().to_owned()),
        }
    }

    /// Names of what lies in the folder.
    ///
    /// # Panics
    /// If the folder cannot be read.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.folder).expect("the folder is there");
        let mut names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What can be seen of a ring.
    ///
    /// # Errors
    /// As [`inspect::info`].
    pub fn info(&self, name: &str) -> Result<inspect::RingInfo> {
        self.ring(name).info()
    }

    /// Removes what the dead have left; returns the names of the rings that went.
    ///
    /// # Panics
    /// If the folder cannot be read.
    pub fn gc(&self) -> Vec<String> {
        let removed = inspect::gc(&self.folder, false).expect("the folder can be read");
        removed.into_iter().map(|ring| ring.name).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let left = self.files();
        let removed = std::fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            assert!(left.is_empty(), "the scene ended with {left:?} in {}", self.folder.display());
            removed.expect("the folder can be removed");
        }
    }
}

/// What a full ring means to its writer; as [`WhenFull`], in milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Full {
    /// See [`WhenFull::Block`].
    Block(Option<u64>),
    /// See [`WhenFull::Overwrite`].
    Overwrite,
    /// See [`WhenFull::Fail`].
    Fail,
}

/// As [`ReaderPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owed {
    /// See [`ReaderPolicy::Lossless`].
    Lossless,
    /// See [`ReaderPolicy::Lossy`].
    Lossy,
    /// See [`ReaderPolicy::Latest`].
    Latest,
    /// See [`ReaderPolicy::Observer`].
    Observer,
}

/// As [`Validation`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Check {
    /// See [`Validation::Form`].
    Form,
    /// See [`Validation::Full`].
    Full,
    /// See [`Validation::FullOnCopy`].
    FullOnCopy,
}

/// As [`Compression`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Squeeze {
    /// See [`Compression::None`].
    None,
    /// See [`Compression::Lz4`].
    Lz4,
    /// See [`Compression::Zstd`].
    Zstd,
}

/// A ring as a test asks for it; crosses to actors as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields of SharedMemoryConfig by their names")]
pub struct Ring {
    pub name: String,
    pub directory: PathBuf,
    pub slots: usize,
    pub slot_bytes: u64,
    pub max_readers: usize,
    pub full: Full,
    pub policy: Owed,
    pub newest: bool,
    pub validation: Check,
    pub squeeze: Squeeze,
    pub prefault: bool,
    pub mode: u32,
    pub trusted: Vec<u32>,
    pub attach_ms: u64,
    pub sleep: bool,
    /// Who has the region, if it has no name.
    #[serde(default)]
    pub keeper: Option<String>,
}

impl Ring {
    /// With this many slots.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Ring {
        self.slots = slots;
        self
    }

    /// With slots of this many bytes.
    #[must_use]
    pub fn slot_bytes(mut self, bytes: u64) -> Ring {
        self.slot_bytes = bytes;
        self
    }

    /// For at most this many readers.
    #[must_use]
    pub fn max_readers(mut self, readers: usize) -> Ring {
        self.max_readers = readers;
        self
    }

    /// With this meaning of full.
    #[must_use]
    pub fn full(mut self, full: Full) -> Ring {
        self.full = full;
        self
    }

    /// Read under this policy.
    #[must_use]
    pub fn policy(mut self, policy: Owed) -> Ring {
        self.policy = policy;
        self
    }

    /// Read from the newest frame on.
    #[must_use]
    pub fn newest(mut self) -> Ring {
        self.newest = true;
        self
    }

    /// Read with these checks.
    #[must_use]
    pub fn validation(mut self, validation: Check) -> Ring {
        self.validation = validation;
        self
    }

    /// Written compressed.
    #[must_use]
    pub fn squeeze(mut self, squeeze: Squeeze) -> Ring {
        self.squeeze = squeeze;
        self
    }

    /// With all memory reserved on creation.
    #[must_use]
    pub fn prefault(mut self) -> Ring {
        self.prefault = true;
        self
    }

    /// With these permission bits.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Ring {
        self.mode = mode;
        self
    }

    /// Trusting this user.
    #[must_use]
    pub fn trusted(mut self, uid: u32) -> Ring {
        self.trusted.push(uid);
        self
    }

    /// Attaching within this time.
    #[must_use]
    pub fn attach_within(mut self, time: Duration) -> Ring {
        self.attach_ms = time.as_millis() as u64;
        self
    }

    /// Waiting by sleeping at once.
    #[must_use]
    pub fn sleep(mut self) -> Ring {
        self.sleep = true;
        self
    }

    /// The ring's file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(format!("qads_{}", self.name))
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> SharedMemoryConfig {
        let mut config = SharedMemoryConfig::new(&self.name)
            .with_directory(&self.directory)
            .with_buffer_count(self.slots)
            .with_slot_bytes(self.slot_bytes)
            .with_max_readers(self.max_readers)
            .with_when_full(match self.full {
                Full::Block(patience) => WhenFull::Block(patience.map(Duration::from_millis)),
                Full::Overwrite => WhenFull::Overwrite,
                Full::Fail => WhenFull::Fail,
            })
            .with_policy(match self.policy {
                Owed::Lossless => ReaderPolicy::Lossless,
                Owed::Lossy => ReaderPolicy::Lossy,
                Owed::Latest => ReaderPolicy::Latest,
                Owed::Observer => ReaderPolicy::Observer,
            })
            .with_start(if self.newest { StartAt::Newest } else { StartAt::Oldest })
            .with_validation(match self.validation {
                Check::Form => Validation::Form,
                Check::Full => Validation::Full,
                Check::FullOnCopy => Validation::FullOnCopy,
            })
            .with_compression(match self.squeeze {
                Squeeze::None => Compression::None,
                Squeeze::Lz4 => Compression::Lz4,
                Squeeze::Zstd => Compression::Zstd { level: 1 },
            })
            .with_prefault(self.prefault)
            .with_mode(self.mode)
            .with_attach_timeout(Duration::from_millis(self.attach_ms));
        if self.sleep {
            config = config.with_wait(WaitStrategy::SLEEP);
        }
        self.trusted.iter().fold(config, |config, &uid| config.with_trusted_owner(uid))
    }

    /// Its writer. The first of a ring without a name gives it to the keeper.
    ///
    /// # Errors
    /// As [`Writer::new`].
    pub fn writer(&self) -> Result<Writer> {
        let Some(keeper) = &self.keeper else { return Writer::new(self.config()) };
        if let Some(region) = keeper::take(keeper, &self.name) {
            return Writer::from_fd(region, self.config());
        }
        let writer = Writer::new(self.config().with_memfd(true))?;
        keeper::give(keeper, &self.name, writer.share()?);
        Ok(writer)
    }

    /// A reader of it.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn reader(&self) -> Result<Reader> {
        if self.keeper.is_none() {
            return Reader::new(self.config());
        }
        Reader::from_fd(self.region()?, self.config())
    }

    /// The region of a ring without a name, once the keeper has it.
    ///
    /// # Errors
    /// [`NotFound`](QADataSwapError::NotFound) if it does not have it in time.
    ///
    /// # Panics
    /// If the ring has a name.
    pub fn region(&self) -> Result<OwnedFd> {
        let keeper = self.keeper.as_ref().expect("a ring without a name");
        let deadline = Instant::now() + Duration::from_millis(self.attach_ms);
        loop {
            match keeper::take(keeper, &self.name) {
                Some(region) => return Ok(region),
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                None => {
                    let (ring, directory) = (self.name.clone(), keeper.clone());
                    return Err(QADataSwapError::NotFound { ring, directory });
                }
            }
        }
    }

    /// What can be seen of it.
    ///
    /// # Errors
    /// As [`inspect::info`].
    pub fn info(&self) -> Result<inspect::RingInfo> {
        match &self.keeper {
            None => inspect::info(&self.name, &self.directory),
            Some(_) => inspect::info_of(self.region()?),
        }
    }
}

/// Prints a line into the test's output, past the test harness's capture.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Says why a test had nothing to do on this machine.
pub fn skip(reason: &str) {
    note(&format!("SKIPPED: {reason}"));
}
