//! The writing end of a recording: a ring's reader that appends what it reads to files.
//!
//! Law: a frame's messages are in the data file before its record is in the index. A file is written by one recorder
//! in one go, and never again once another has followed it; so what stands in it stays, and may be mapped and copied.

use super::clock::{Clock, wall_ns};
use super::files::{Pair, Right, create, data_path, error_in, index_path, numbers, sync_folder};
use super::index::{HEADER, Header, RECORD, Record};
use super::mend::{is_full, mend};
use crate::config::{SharedMemoryConfig, Timeout};
use crate::crash;
use crate::error::{QADataSwapError, Result};
use crate::frame::{END, Stretch};
use crate::peers::monotonic_ns;
use crate::reader::{Held, Reader};
use crate::segment::forks;
use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// When what was recorded is made to outlive the system (`fsync`). A killed *process* loses nothing in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// When the system pleases.
    Never,
    /// When a file is finished. The default.
    #[default]
    OnRotate,
    /// When a file is finished, and after so many frames at most (1: after each).
    Every(u64),
}

/// What is recorded, where to, and how.
///
/// ```
/// use qadataswap::recording::{RecorderConfig, SyncPolicy};
/// use std::time::Duration;
/// let config = RecorderConfig::new("market_data", "/data/market")
///     .with_rotate_every(Duration::from_secs(3600))
///     .with_sync(SyncPolicy::Every(1000));
/// # assert_eq!(config.directory(), std::path::Path::new("/data/market"));
/// ```
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    ring: SharedMemoryConfig,
    directory: PathBuf,
    rotate_bytes: u64,
    rotate_every: Option<Duration>,
    sync: SyncPolicy,
    mode: u32,
}

impl RecorderConfig {
    /// The defaults, for this ring and this folder: a new file at 1 GiB, `fsync` when a file is finished, files for
    /// their owner only. The ring's configuration says what the recorder is owed: lossless, unless told otherwise,
    /// so that the ring waits for the disk.
    #[must_use]
    pub fn new(ring: impl Into<SharedMemoryConfig>, directory: impl Into<PathBuf>) -> RecorderConfig {
        RecorderConfig {
            ring: ring.into(),
            directory: directory.into(),
            rotate_bytes: 1 << 30,
            rotate_every: None,
            sync: SyncPolicy::default(),
            mode: 0o600,
        }
    }

    /// The folder of the recording.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Begins a new file rather than let one grow beyond so many bytes. A frame larger than that has a file to itself.
    #[must_use]
    pub fn with_rotate_bytes(mut self, bytes: u64) -> RecorderConfig {
        self.rotate_bytes = bytes;
        self
    }

    /// Begins a new file with the first frame published so long after the first one of a file.
    #[must_use]
    pub fn with_rotate_every(mut self, time: Duration) -> RecorderConfig {
        self.rotate_every = Some(time);
        self
    }

    /// When to `fsync`.
    #[must_use]
    pub fn with_sync(mut self, sync: SyncPolicy) -> RecorderConfig {
        self.sync = sync;
        self
    }

    /// Permission bits of new files; 0600 unless given. A folder that the recorder makes lets those in who may read
    /// the files.
    #[must_use]
    pub fn with_mode(mut self, mode: u32) -> RecorderConfig {
        self.mode = mode;
        self
    }
}

/// What a recorder has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderStats {
    /// Frames recorded.
    pub frames: u64,
    /// Their rows.
    pub rows: u64,
    /// Bytes of their messages.
    pub bytes: u64,
    /// Frames of the ring that are not in the recording, between the ones that are.
    pub missed: u64,
    /// Files begun.
    pub files: u64,
}

/// A frame that was just recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Its number in the ring.
    pub sequence: u64,
    /// Its rows.
    pub rows: u64,
    /// Bytes of its messages.
    pub bytes: u64,
    /// Frames of the ring that are not in the recording, between the frame recorded before and this one.
    pub missed: u64,
    /// The number of the file it is in.
    pub file: u64,
}

/// Records a ring into the files of a folder; see [`recording`](crate::recording).
pub struct Recorder {
    reader: Reader,
    config: RecorderConfig,
    /// Held for as long as the recorder lives.
    _right: Right,
    region_id: [u64; 2],
    /// The last frame of this ring that is recorded.
    last: Option<u64>,
    /// The recording holds frames of another ring of this name.
    goes_on: bool,
    current: Option<Current>,
    /// Read from the ring and not recorded, because there was no room.
    pending: Option<Held>,
    next_file: u64,
    stats: RecorderStats,
    /// Tells the process that records from its forked children, which share its files.
    process: u64,
}

/// The pair that is being written.
struct Current {
    number: u64,
    schema: Vec<u8>,
    data: File,
    index: File,
    /// Where the next frame goes.
    end: u64,
    records: u64,
    /// When the first frame was published.
    since_ns: Option<u64>,
    clock: Clock,
    /// Frames since the last `fsync`.
    unsynced: u64,
}

impl Recorder {
    /// Opens the folder, makes it if it is not there, mends what a killed recorder has left, and attaches to the ring.
    ///
    /// A recorder that finds a recording of its ring goes on behind its last frame: frames that are recorded already
    /// are passed over, and those that went by meanwhile are told as missed.
    ///
    /// # Errors
    /// As [`Reader::new`]; [`InvalidConfig`](QADataSwapError::InvalidConfig) if another process records into the
    /// folder, or if it holds a recording of a ring of another name; [`Corrupt`](QADataSwapError::Corrupt) if what
    /// should be an index is none; [`Io`](QADataSwapError::Io), [`NoSpace`](QADataSwapError::NoSpace).
    pub fn open(mut config: RecorderConfig) -> Result<Recorder> {
        config.ring = config.ring.resolved()?;
        let directory = &config.directory;
        let ring = config.ring.ring_name()?;
        let ring = ring.as_str();
        // Those who may read a file have to get to it.
        let folder_mode = config.mode | (config.mode & 0o444) >> 2;
        crash::point();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(folder_mode)
            .create(directory)
            .or_else(|error| match error.kind() {
                // Said also of a folder that cannot be asked whether it is one: then that is the error.
                io::ErrorKind::AlreadyExists => match std::fs::metadata(directory)?.is_dir() {
                    true => Ok(()),
                    false => Err(error),
                },
                _ => Err(error),
            })
            .map_err(|error| refused(ring, directory, 0, "making the recording's folder", error))?;
        let Some(right) = Right::take(directory, config.mode)? else {
            return Err(QADataSwapError::InvalidConfig {
                ring: ring.to_owned(),
                reason: format!(
                    "another process records into {}; end it first or give another folder",
                    directory.display()
                ),
            });
        };
        mend(directory)?;
        let reader = Reader::new(&config.ring)?;
        let mut recorder = Recorder {
            region_id: reader.region_id()?,
            reader,
            config,
            _right: right,
            last: None,
            goes_on: false,
            current: None,
            pending: None,
            next_file: 1,
            stats: RecorderStats::default(),
            process: forks(),
        };
        recorder.find_its_place()?;
        Ok(recorder)
    }

    /// Learns from the files what is recorded of this ring.
    fn find_its_place(&mut self) -> Result<()> {
        let Recorder { config: RecorderConfig { directory, .. }, region_id, .. } = self;
        let listed =
            numbers(directory).map_err(|error| error_in(directory, "listing the recording", error))?;
        (self.last, self.goes_on) = (None, false);
        for &number in listed.iter().rev() {
            let Some(pair) = Pair::open(directory, number, false)? else { continue };
            if pair.header.ring != self.reader.name() {
                return Err(QADataSwapError::InvalidConfig {
                    ring: self.reader.name(),
                    reason: format!(
                        "{} holds a recording of ring '{}'; give another folder",
                        directory.display(),
                        pair.header.ring
                    ),
                });
            }
            let records = pair.whole()?;
            if records == 0 {
                continue;
            }
            if pair.header.region_id == *region_id {
                self.last = Some(pair.record(records - 1)?.sequence);
                break;
            }
            self.goes_on = true;
        }
        self.next_file = listed.last().map_or(1, |last| last.saturating_add(1)).max(self.next_file);
        Ok(())
    }

    /// Records the next frame, waiting for it for at most `timeout`; `None` if there is nothing yet.
    ///
    /// # Errors
    /// As [`Reader::read_frame`] for the ring's end; after [`WriterDied`](QADataSwapError::WriterDied) the recorder
    /// may go on, after [`Replaced`](QADataSwapError::Replaced) it needs [`attach_again`](Recorder::attach_again).
    /// [`NoSpace`](QADataSwapError::NoSpace) if the disk is full, [`Io`](QADataSwapError::Io): the recording ends
    /// with its last whole frame, and the frame at hand is recorded by the next call if that goes better.
    /// [`Corrupt`](QADataSwapError::Corrupt) for a frame that is no Arrow stream: it is left out, and told as missed.
    pub fn record(&mut self, timeout: impl Into<Timeout>) -> Result<Option<Recorded>> {
        self.check_process()?;
        let deadline = timeout.into().deadline();
        loop {
            let held = match self.pending.take() {
                Some(held) => held,
                None => match self.reader.read_held(deadline.left())? {
                    Some(held) => held,
                    None => return Ok(None),
                },
            };
            if self.last.is_some_and(|last| held.meta.sequence <= last) {
                continue;
            }
            return self.write_or_keep(held).map(Some);
        }
    }

    /// Records until the ring's stream ends, or for `timeout` and then what is there; whether it has ended.
    ///
    /// # Errors
    /// As [`record`](Recorder::record), but for the end of the stream: the next call goes on.
    pub fn run(&mut self, timeout: impl Into<Timeout>) -> Result<bool> {
        let deadline = timeout.into().deadline();
        // Once the time is up: what there is then. A writer that never pauses would keep this going.
        let mut there = None;
        loop {
            let left = deadline.left();
            if left == Duration::ZERO.into() && there.is_none() {
                there = Some(self.reader.stats().frames_published);
            }
            match self.record(left) {
                Ok(None) => return Ok(false),
                Ok(Some(frame)) if there.is_some_and(|there| frame.sequence + 1 >= there) => {
                    return Ok(false);
                }
                Ok(Some(_)) => {}
                Err(QADataSwapError::EndOfStream { .. }) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// # Errors
    /// [`Forked`](QADataSwapError::Forked), in a forked child.
    fn check_process(&self) -> Result<()> {
        match self.process == forks() {
            true => Ok(()),
            false => Err(QADataSwapError::Forked { ring: self.reader.name() }),
        }
    }

    /// Writes a frame, or keeps it for the next call if that may go better.
    fn write_or_keep(&mut self, held: Held) -> Result<Recorded> {
        let written = self.write(&held);
        let left_out = self.last.is_none_or(|last| last < held.meta.sequence);
        if let Err(QADataSwapError::NoSpace { .. } | QADataSwapError::Io { .. }) = written
            && left_out
        {
            self.pending = Some(held);
        }
        written
    }

    /// Attaches to the ring that has taken the place of the one recorded so far, or to the same one again.
    ///
    /// # Errors
    /// As [`Reader::new`]; [`Io`](QADataSwapError::Io) and [`NoSpace`](QADataSwapError::NoSpace) if the file at hand
    /// cannot be finished. The recorder is as it was then.
    pub fn attach_again(&mut self) -> Result<()> {
        self.check_process()?;
        if let Some(held) = self.pending.take() {
            self.write_or_keep(held)?;
        }
        let reader = Reader::new(&self.config.ring)?;
        let region_id = reader.region_id()?;
        if region_id != self.region_id {
            self.finish()?;
        }
        (self.reader, self.region_id) = (reader, region_id);
        self.find_its_place()
    }

    /// What has been done so far.
    #[must_use]
    pub fn stats(&self) -> RecorderStats {
        self.stats
    }

    /// The ring's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.reader.name()
    }

    /// Finishes the file at hand and leaves the ring. Dropping the recorder does the same, but cannot tell of errors.
    ///
    /// # Errors
    /// [`Io`](QADataSwapError::Io), [`NoSpace`](QADataSwapError::NoSpace); what was recorded is readable then, too.
    pub fn close(mut self) -> Result<RecorderStats> {
        self.check_process()?;
        self.finish()?;
        Ok(self.stats)
    }

    fn write(&mut self, held: &Held) -> Result<Recorded> {
        let meta = held.meta;
        let stretch = Stretch::of(&held.bytes).map_err(|error| QADataSwapError::Corrupt {
            ring: self.reader.name(),
            what: format!("frame {}: {error}", meta.sequence),
        })?;
        let (schema, messages) = (&held.bytes[..stretch.schema], &held.bytes[stretch.messages.clone()]);
        let mut wall_ns = None;
        if let Some(current) = &mut self.current {
            let fits = current.schema == schema
                && current.has_room(messages.len() as u64, &self.config)
                && !current.is_due(meta.published_ns, &self.config)
                && (!stretch.adds || current.records == 0);
            wall_ns = fits.then(|| current.clock.wall(meta.published_ns)).flatten();
            if wall_ns.is_none() {
                self.finish()?;
            }
        }
        if self.current.is_none() {
            self.begin(schema)?;
        }
        let current = self.current.as_mut().expect("one was just begun");
        let record = Record {
            sequence: meta.sequence,
            published_ns: meta.published_ns,
            wall_ns: wall_ns.or_else(|| current.clock.wall(meta.published_ns)).unwrap_or_default(),
            offset: current.end,
            length: messages.len() as u64,
            rows: meta.rows,
            missed: match self.last {
                Some(last) => meta.sequence - last - 1,
                None if self.goes_on => meta.sequence,
                None => 0,
            },
            checksum: crc32fast::hash(messages),
        };
        let failed = |error| {
            let needed = record.length + RECORD as u64;
            refused(&self.reader.name(), &self.config.directory, needed, "recording a frame", error)
        };
        current.append(messages, &record).map_err(failed)?;
        self.last = Some(record.sequence);
        self.stats.frames += 1;
        self.stats.rows += record.rows;
        self.stats.bytes += record.length;
        self.stats.missed += record.missed;
        let file = current.number;
        current.sync_if_due(self.config.sync).map_err(failed)?;
        let Record { sequence, rows, length: bytes, missed, .. } = record;
        Ok(Recorded { sequence, rows, bytes, missed, file })
    }

    /// Begins a pair for frames of this schema.
    fn begin(&mut self, schema: &[u8]) -> Result<()> {
        let Recorder { config, next_file, region_id, .. } = self;
        let (directory, number) = (&config.directory, *next_file);
        let header = Header {
            ring: self.reader.name(),
            region_id: *region_id,
            number,
            created_ns: monotonic_ns(),
            created_wall_ns: wall_ns(),
            boot_id: boot_id(),
            schema_bytes: schema.len() as u64,
            schema_checksum: crc32fast::hash(schema),
        };
        let (data_path, index_path) = (data_path(directory, number), index_path(directory, number));
        let make = || {
            let data = create(&data_path, config.mode)?;
            write_at(&data, schema, 0)?;
            let index = create(&index_path, config.mode)?;
            write_at(&index, &header.bytes(), 0)?;
            if config.sync != SyncPolicy::Never {
                data.sync_data()?;
                index.sync_data()?;
                sync_folder(directory)?;
            }
            Ok::<_, io::Error>((data, index))
        };
        let made = make();
        let (data, index) = made.map_err(|error| {
            // The lock is ours, so whatever has this number was made just now.
            for path in [&index_path, &data_path] {
                if let Err(left) = std::fs::remove_file(path)
                    && left.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(path = %path.display(), error = %left, "removing an unfinished file failed");
                }
            }
            let needed = (schema.len() + HEADER) as u64;
            refused(&header.ring, directory, needed, "beginning a file of the recording", error)
        })?;
        tracing::debug!(ring = header.ring, file = number, "began a file of the recording");
        *next_file = number.saturating_add(1);
        self.stats.files += 1;
        self.current = Some(Current {
            number,
            schema: schema.to_vec(),
            data,
            index,
            end: schema.len() as u64,
            records: 0,
            since_ns: None,
            clock: Clock::default(),
            unsynced: 0,
        });
        Ok(())
    }

    /// Ends the pair at hand, if there is one.
    fn finish(&mut self) -> Result<()> {
        let Some(current) = self.current.take() else { return Ok(()) };
        if self.process != forks() {
            // The parent writes on in this file.
            return Ok(());
        }
        let finished = current.finish(self.config.sync);
        finished.map_err(|error| {
            let call = "finishing a file of the recording";
            refused(&self.reader.name(), &self.config.directory, END.len() as u64, call, error)
        })
    }
}

impl Current {
    fn has_room(&self, bytes: u64, config: &RecorderConfig) -> bool {
        // A stream's messages begin at multiples of 8, whatever a foreign writer has put before.
        let aligned = self.end.is_multiple_of(8);
        let end = self.end.saturating_add(bytes).saturating_add(END.len() as u64);
        self.records == 0 || (aligned && end <= config.rotate_bytes)
    }

    fn is_due(&self, published_ns: u64, config: &RecorderConfig) -> bool {
        match (config.rotate_every, self.since_ns) {
            (Some(every), Some(since)) => u128::from(published_ns.saturating_sub(since)) >= every.as_nanos(),
            _ => false,
        }
    }

    /// Adds a frame; if that fails, the pair is as it was before.
    fn append(&mut self, messages: &[u8], record: &Record) -> io::Result<()> {
        let at = HEADER as u64 + self.records * RECORD as u64;
        let written = write_at(&self.data, messages, self.end)
            .and_then(|()| write_at(&self.index, &record.bytes(), at));
        if let Err(error) = written {
            // The index first: it must not speak of what is not there.
            let taken_back = self
                .index
                .set_len(at)
                .and_then(|()| self.data.set_len(self.end))
                .and_then(|()| write_at(&self.data, &END, self.end));
            if let Err(left) = taken_back {
                tracing::warn!(file = self.number, error = %left, "a half-written frame is left for mending");
            }
            return Err(error);
        }
        self.end = record.end();
        self.records += 1;
        self.unsynced += 1;
        self.since_ns.get_or_insert(record.published_ns);
        Ok(())
    }

    fn sync_if_due(&mut self, policy: SyncPolicy) -> io::Result<()> {
        match policy {
            SyncPolicy::Every(frames) if self.unsynced >= frames => self.sync(),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.data.sync_data()?;
        self.index.sync_data()?;
        self.unsynced = 0;
        Ok(())
    }

    fn finish(mut self, policy: SyncPolicy) -> io::Result<()> {
        // A frame that was taken back may have left its end behind.
        crash::point();
        let ended = self.data.set_len(self.end).and_then(|()| write_at(&self.data, &END, self.end));
        if policy != SyncPolicy::Never {
            self.sync()?;
        }
        ended
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::warn!(ring = self.reader.name(), %error, "finishing the recording failed");
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("reader", &self.reader)
            .field("directory", &self.config.directory)
            .field("last", &self.last)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// Writes all of `bytes` at `at`. A limit on the size of files is an error here, not a signal.
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| at.saturating_add(bytes.len() as u64) > limit) {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let mut at = at;
    for piece in crash::pieces(bytes) {
        crash::point();
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// The error of a recording that cannot be written to.
pub(super) fn refused(
    ring: &str,
    directory: &Path,
    needed: u64,
    call: &'static str,
    error: io::Error,
) -> QADataSwapError {
    match is_full(&error) {
        true => QADataSwapError::NoSpace {
            ring: ring.to_owned(),
            directory: directory.display().to_string(),
            needed,
            source: error,
        },
        false => QADataSwapError::io(ring, call, error),
    }
}

/// What tells one run of the system from another; zeros where it does not say.
fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}
