//! Looking at rings from outside: which there are, who takes part, what can be removed.
//!
//! Law: looking changes nothing. The control part is mapped read-only, no place is taken, no frame is pinned. What is
//! seen is foreign: numbers that make no sense give odd figures, never a panic.
//!
//! Rates, and percentiles of an interval, come from two looks:
//!
//! ```
//! use qadataswap::inspect;
//! # use qadataswap::{Reader, SharedMemoryConfig, Writer};
//! # use qadataswap::arrow_array::{Int64Array, RecordBatch};
//! # let config = SharedMemoryConfig::new(format!("doc-inspect-{}", std::process::id())).with_size_mb(1);
//! # let name = config.name().to_owned();
//! # let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);
//! let earlier = inspect::info(&name, "/dev/shm")?;
//! # let column = std::sync::Arc::new(Int64Array::from(vec![1, 2, 3]));
//! # writer.write_arrow(&RecordBatch::try_from_iter([("a", column as _)])?)?;
//! # reader.read_arrow(1000)?.expect("it was just written");
//! // ... a second later:
//! let later = inspect::info(&name, "/dev/shm")?;
//! if let Some(between) = later.since(&earlier) {
//!     println!("{:.0} frames/s", between.per_second(between.frames));
//!     for reader in &between.readers {
//!         println!("row {}: p99 {:?}", reader.row, reader.latency.quantile(0.99));
//!     }
//! #   assert_eq!((between.frames, between.readers[0].latency.count()), (1, 1));
//! }
//! # Ok::<(), qadataswap::QADataSwapError>(())
//! ```

use crate::candidate::{check_header, open_file};
use crate::crash;
use crate::create::remove_staged;
use crate::error::{QADataSwapError, Result};
use crate::folder::names_in;
pub use crate::latency::LatencyHistogram;
use crate::layout::{Geometry, Identity, STATE_CLOSED, STATE_GONE, STATE_OPEN, STATE_REPLACED, Stamp, row};
use crate::name::{PREFIX, RingName};
use crate::peers::{Byte, LockFile, Process, monotonic_ns};
use crate::ring::Policy;
use crate::segment::{Access, Segment, read_header};
use crate::sync::{AtomicU64, Ordering, observe};
use crate::{ReaderPolicy, WhenFull, unnamed};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::fence;
use std::time::Duration;

/// What state a ring is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingState {
    /// Its writer lives.
    Live,
    /// Its writer has ended the stream; frames remain that were not read.
    Closed,
    /// Its writer died without closing.
    Orphaned,
    /// Another region has its name, or it has none.
    Gone,
}

/// A stream: one data set in a ring; see [`SharedDataStream`](crate::SharedDataStream).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Sequence of its first frame.
    pub first: u64,
    /// Rows written so far.
    pub rows: u64,
    /// Rows that it will have, if its writer knows.
    pub total_rows: Option<u64>,
    /// Why it was broken off, if it was.
    pub aborted: Option<String>,
}

/// What can be seen of a ring.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RingInfo {
    /// The ring's name.
    pub name: String,
    /// Tells this region from others that have had, or will have, the name.
    pub region_id: u128,
    /// When it was looked at: time since the machine's start (`CLOCK_MONOTONIC`).
    pub looked_at: Duration,
    /// Its state.
    pub state: RingState,
    /// PID of its present or last writer, as that process sees it.
    pub writer_pid: u32,
    /// Inode of that process's PID namespace, 0 if unknown: what tells whether the PID means anything here.
    pub writer_pid_namespace: u64,
    /// Number of writers it has had.
    pub generation: u64,
    /// What the writer does when it is full.
    pub when_full: WhenFull,
    /// Number of slots.
    pub buffer_count: u32,
    /// Bytes of a slot.
    pub slot_bytes: u64,
    /// Most readers at a time.
    pub max_readers: u32,
    /// Bytes of the region, and those of them that have memory behind them.
    pub region_bytes: u64,
    /// See `region_bytes`.
    pub resident_bytes: u64,
    /// Frames, rows and bytes published over its life.
    pub frames: u64,
    /// See `frames`.
    pub rows: u64,
    /// See `frames`.
    pub bytes: u64,
    /// Times that a write found the ring full and waited, over its life.
    pub full_waits: u64,
    /// Time that writes have waited so, the one that waits now included.
    pub waited: Duration,
    /// Since when the writer has been waiting for space; `None` if it is not.
    pub waiting: Option<Duration>,
    /// Waits that ended without space because their time was up.
    pub write_timeouts: u64,
    /// Readers that died and whose places were freed, over its life.
    pub readers_evicted: u64,
    /// What the writer says of its stream, if what it writes is one.
    pub stream: Option<StreamInfo>,
    /// Frames that stand in it now, oldest first.
    pub standing: Vec<FrameInfo>,
    /// Its readers.
    pub readers: Vec<ReaderInfo>,
    /// Owner of its file.
    pub uid: u32,
    /// Permission bits of its file.
    pub mode: u32,
}

/// A frame that stands in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameInfo {
    /// Its number.
    pub sequence: u64,
    /// The slot it stands in.
    pub slot: u32,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Id of its schema.
    pub schema: u64,
    /// Time since it was published.
    pub age: Duration,
}

/// A reader of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderInfo {
    /// Its place.
    pub row: usize,
    /// With `row`, tells this reader from others that have had, or will have, the place.
    pub epoch: u32,
    /// Its PID, as that process sees it.
    pub pid: u32,
    /// Inode of that process's PID namespace, 0 if unknown: what tells whether the PID means anything here.
    pub pid_namespace: u64,
    /// Whether it lives. A dead reader's place is freed when the writer needs it.
    pub alive: bool,
    /// Its policy.
    pub policy: ReaderPolicy,
    /// It has closed, but frames of it are still held.
    pub lingering: bool,
    /// The frame it wants next.
    pub cursor: u64,
    /// Frames published that it has not read.
    pub lag: u64,
    /// Slots that it holds.
    pub pins: u32,
    /// Frames that it has missed.
    pub missed: u64,
    /// Frames that it has read.
    pub reads: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Rows of those.
    pub rows: u64,
    /// Time since it attached.
    pub attached: Duration,
    /// Time since it last read a frame that it measured; `None` if it never did.
    pub last_read: Option<Duration>,
    /// From publication to having been read: how long its frames took.
    pub latency: LatencyHistogram,
}

/// What happened in a ring between two looks at it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RingDelta {
    /// Time between the looks.
    pub elapsed: Duration,
    /// Frames published.
    pub frames: u64,
    /// Rows of those.
    pub rows: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Times that a write found the ring full and waited.
    pub full_waits: u64,
    /// Time that writes have waited so.
    pub waited: Duration,
    /// Waits that ended without space because their time was up.
    pub write_timeouts: u64,
    /// Readers that died and whose places were freed.
    pub readers_evicted: u64,
    /// The readers that were there at the later look, in its order. One that came in between has done all that it
    /// counts.
    pub readers: Vec<ReaderDelta>,
}

/// What a reader did between two looks at its ring.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReaderDelta {
    /// Its place.
    pub row: usize,
    /// Frames read.
    pub reads: u64,
    /// Rows of those.
    pub rows: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Frames missed.
    pub missed: u64,
    /// From publication to having been read: how long those frames took.
    pub latency: LatencyHistogram,
}

impl RingInfo {
    /// What has happened since an earlier look; `None` if that was at another region.
    #[must_use]
    pub fn since(&self, earlier: &RingInfo) -> Option<RingDelta> {
        if self.region_id != earlier.region_id {
            return None;
        }
        let readers = self.readers.iter().map(|reader| {
            let same = |before: &&ReaderInfo| (before.row, before.epoch) == (reader.row, reader.epoch);
            reader.since(earlier.readers.iter().find(same))
        });
        Some(RingDelta {
            elapsed: self.looked_at.saturating_sub(earlier.looked_at),
            frames: self.frames.saturating_sub(earlier.frames),
            rows: self.rows.saturating_sub(earlier.rows),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            full_waits: self.full_waits.saturating_sub(earlier.full_waits),
            waited: self.waited.saturating_sub(earlier.waited),
            write_timeouts: self.write_timeouts.saturating_sub(earlier.write_timeouts),
            readers_evicted: self.readers_evicted.saturating_sub(earlier.readers_evicted),
            readers: readers.collect(),
        })
    }
}

impl RingDelta {
    /// A number of the interval, of the ring or of one of its readers, per second; 0 if the looks were at one moment.
    #[must_use]
    pub fn per_second(&self, number: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
    }
}

impl ReaderInfo {
    fn since(&self, earlier: Option<&ReaderInfo>) -> ReaderDelta {
        let before = |number: fn(&ReaderInfo) -> u64| earlier.map_or(0, number);
        ReaderDelta {
            row: self.row,
            reads: self.reads.saturating_sub(before(|reader| reader.reads)),
            rows: self.rows.saturating_sub(before(|reader| reader.rows)),
            bytes: self.bytes.saturating_sub(before(|reader| reader.bytes)),
            missed: self.missed.saturating_sub(before(|reader| reader.missed)),
            latency: match earlier {
                Some(earlier) => self.latency.since(&earlier.latency),
                None => self.latency.clone(),
            },
        }
    }
}

/// A region, mapped for looking only.
struct Observed {
    name: String,
    /// Whether it has, or had, a name in a folder.
    named: bool,
    region_id: u128,
    segment: Segment,
    lock: LockFile,
}

impl Observed {
    fn open(name: &RingName, path: &Path) -> Result<Observed> {
        let ring = name.as_str();
        let file: File = open_file(path, false).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => QADataSwapError::NotFound {
                ring: ring.to_owned(),
                directory: path.parent().unwrap_or(path).display().to_string(),
            },
            _ => QADataSwapError::io(ring, "opening the region", error),
        })?;
        Observed::of(ring, file, true)
    }

    fn of(ring: &str, file: File, named: bool) -> Result<Observed> {
        let geometry: Geometry = check_header(ring, &file)?;
        let header =
            read_header(&file).map_err(|error| QADataSwapError::io(ring, "reading the header", error))?;
        let [low, high] = header.map_or([0; 2], |header| header.region_id);
        let region_id = u128::from(high) << 64 | u128::from(low);
        let lock = LockFile::open(&file, false)
            .map_err(|error| QADataSwapError::io(ring, "opening the lock", error))?;
        let segment = Segment::map(file, geometry, Access::Inspector).map_err(|source| {
            QADataSwapError::MemoryMapFailed { ring: ring.to_owned(), bytes: geometry.control_bytes, source }
        })?;
        Ok(Observed { name: ring.to_owned(), named, region_id, segment, lock })
    }

    fn is_dead(&self, byte: Byte, identity: &Identity) -> bool {
        self.lock.is_dead(byte, &Process::of(identity))
    }

    fn stream(&self) -> Option<StreamInfo> {
        let (ring, notice) = (self.segment.ring(), self.segment.stream());
        let beginning = notice.beginning()?;
        Some(StreamInfo {
            first: beginning.first,
            rows: ring.head.rows.load(Ordering::Relaxed).saturating_sub(beginning.rows_before),
            total_rows: beginning.total_rows,
            aborted: notice.broken_off(),
        })
    }

    fn info(&self) -> Result<RingInfo> {
        let ring = self.segment.ring();
        let geometry = self.segment.geometry();
        let metadata = self
            .segment
            .file()
            .metadata()
            .map_err(|error| QADataSwapError::io(&self.name, "asking for the size", error))?;
        let now = monotonic_ns();
        let writer = self.segment.writer_identity();
        let state = match ring.status.state.load(Ordering::Acquire) {
            _ if self.named && metadata.nlink() == 0 => RingState::Gone,
            STATE_REPLACED | STATE_GONE => RingState::Gone,
            STATE_CLOSED => RingState::Closed,
            STATE_OPEN if !self.is_dead(Byte::Writer, writer) => RingState::Live,
            _ => RingState::Orphaned,
        };
        let waits = self.segment.waits();
        let waiting = match waits.waiting_since_ns.load(Ordering::Relaxed) {
            0 => None,
            _ if state != RingState::Live => None,
            since => Some(Duration::from_nanos(now.saturating_sub(since))),
        };
        let waited = Duration::from_nanos(waits.waited_ns.load(Ordering::Relaxed));
        Ok(RingInfo {
            name: self.name.clone(),
            region_id: self.region_id,
            looked_at: Duration::from_nanos(now),
            state,
            writer_pid: writer.pid.load(Ordering::Relaxed),
            writer_pid_namespace: writer.pid_namespace.load(Ordering::Relaxed),
            generation: ring.status.generation.load(Ordering::Relaxed),
            when_full: match ring.status.when_full.load(Ordering::Relaxed) {
                1 => WhenFull::Overwrite,
                2 => WhenFull::Fail,
                _ => WhenFull::Block(None),
            },
            buffer_count: geometry.buffer_count,
            slot_bytes: geometry.slot_bytes,
            max_readers: geometry.max_readers,
            region_bytes: geometry.region_bytes,
            resident_bytes: metadata.blocks() * 512,
            frames: ring.published(),
            rows: ring.head.rows.load(Ordering::Relaxed),
            bytes: ring.head.bytes.load(Ordering::Relaxed),
            stream: self.stream(),
            full_waits: waits.full_waits.load(Ordering::Relaxed),
            waited: waited.saturating_add(waiting.unwrap_or_default()),
            waiting,
            write_timeouts: waits.timeouts.load(Ordering::Relaxed),
            readers_evicted: ring.status.evicted.load(Ordering::Relaxed),
            standing: self.standing(now),
            readers: self.readers(now),
            uid: metadata.uid(),
            mode: metadata.mode() & 0o777,
        })
    }

    fn standing(&self, now: u64) -> Vec<FrameInfo> {
        let ring = self.segment.ring();
        let mut frames: Vec<FrameInfo> = ring
            .entries
            .iter()
            .filter_map(|entry| {
                let Stamp::Published(sequence) = Stamp::of(entry.stamp.load(observe())) else { return None };
                let published = entry.published_ns.load(Ordering::Relaxed);
                Some(FrameInfo {
                    sequence,
                    slot: entry.slot.load(Ordering::Relaxed),
                    bytes: entry.bytes.load(Ordering::Relaxed),
                    rows: entry.rows.load(Ordering::Relaxed),
                    schema: entry.schema.load(Ordering::Relaxed),
                    age: Duration::from_nanos(now.saturating_sub(published)),
                })
            })
            .collect();
        frames.sort_unstable_by_key(|frame| frame.sequence);
        frames
    }

    fn readers(&self, now: u64) -> Vec<ReaderInfo> {
        let rows = self.segment.ring().rows_used();
        (0..rows).filter_map(|row| self.reader(row, now)).collect()
    }

    /// What can be seen of the reader on a row; `None` if there is none, or it comes or goes just now.
    fn reader(&self, index: usize, now: u64) -> Option<ReaderInfo> {
        let ring = self.segment.ring();
        let (state, cursor) = ring.reader(index);
        if state.phase == row::FREE {
            return None;
        }
        let ago = |ns: u64| Duration::from_nanos(now.saturating_sub(ns));
        let number = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let identity = &self.segment.reader_identities()[index];
        let tally = self.segment.tally(index);
        let reader = ReaderInfo {
            row: index,
            epoch: state.epoch,
            pid: identity.pid.load(Ordering::Relaxed),
            pid_namespace: number(&identity.pid_namespace),
            alive: !self.is_dead(Byte::Reader(index as u32), identity),
            policy: match state.policy {
                code if code == Policy::Lossy as u8 => ReaderPolicy::Lossy,
                code if code == Policy::Latest as u8 => ReaderPolicy::Latest,
                _ => ReaderPolicy::Lossless,
            },
            lingering: state.phase == row::LINGERING,
            cursor,
            lag: ring.published().saturating_sub(cursor),
            pins: ring.pins(index),
            missed: number(&tally.missed),
            reads: number(&tally.frames),
            bytes: number(&tally.bytes),
            rows: number(&tally.rows),
            attached: ago(number(&identity.since_ns)),
            last_read: Some(number(&tally.last_ns)).filter(|&ns| ns != 0).map(ago),
            latency: LatencyHistogram::of(tally),
        };
        // Pairs with the fence in `Tally::reset`: had a number been the next owner's, the state would be too.
        fence(Ordering::Acquire);
        Some(reader).filter(|_| ring.reader(index).0.epoch == state.epoch)
    }
}

/// What can be seen of the ring `name` in `directory`.
///
/// # Errors
/// [`NotFound`](QADataSwapError::NotFound), [`PermissionDenied`](QADataSwapError::PermissionDenied),
/// [`Incompatible`](QADataSwapError::Incompatible), [`Corrupt`](QADataSwapError::Corrupt).
pub fn info(name: &str, directory: impl AsRef<Path>) -> Result<RingInfo> {
    let name = RingName::new(name)?;
    Observed::open(&name, &name.path_in(directory.as_ref()))?.info()
}

/// What can be seen of the ring without a name behind a descriptor. No list names such rings: whoever wants to look at one
/// has to have a descriptor, or to open `/proc/PID/fd/N` of a process that has one.
///
/// # Errors
/// [`InvalidConfig`](QADataSwapError::InvalidConfig) if `fd` is not of a sealed memory file; as [`info`].
pub fn info_of(fd: impl AsFd) -> Result<RingInfo> {
    let name = unnamed::label(&fd);
    let file = unnamed::open(name.as_str(), fd.as_fd(), false)?;
    Observed::of(name.as_str(), file, false)?.info()
}

/// Every ring in `directory` by name, with what can be seen of it or why nothing can.
///
/// # Errors
/// [`Io`](QADataSwapError::Io) if the folder cannot be read.
pub fn list(directory: impl AsRef<Path>) -> Result<Vec<(String, Result<RingInfo>)>> {
    let directory = directory.as_ref();
    let names = names_in(directory).map_err(|error| {
        QADataSwapError::io(&directory.display().to_string(), "reading the folder", error)
    })?;
    let mut rings: Vec<_> = names
        .iter()
        .filter_map(|file| RingName::new(file.strip_prefix(PREFIX)?).ok())
        .map(|name| {
            let info = Observed::open(&name, &name.path_in(directory)).and_then(|region| region.info());
            (name.as_str().to_owned(), info)
        })
        .collect();
    rings.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(rings)
}

/// A ring that [`gc`] removed, or would remove.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The ring's name.
    pub name: String,
    /// Frames that stood in it.
    pub frames: usize,
    /// Memory that became free, in bytes.
    pub bytes: u64,
}

/// Removes every ring in `directory` that has no living participant, with whatever was left unread in it, and
/// what creators killed in the middle of a replacement left behind. With `dry_run` it only says what it would
/// remove. Files that are not regions of this version are left alone.
///
/// # Errors
/// [`Io`](QADataSwapError::Io) if the folder cannot be read.
pub fn gc(directory: impl AsRef<Path>, dry_run: bool) -> Result<Vec<Removed>> {
    let directory = directory.as_ref();
    let mut removed = Vec::new();
    for (name, info) in list(directory)? {
        let Ok(info) = info else { continue };
        let abandoned = info.state != RingState::Live && info.readers.iter().all(|reader| !reader.alive);
        if !abandoned {
            continue;
        }
        if !dry_run {
            match remove(&RingName::new(&name)?, directory) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(ring = name, %error, "an abandoned ring could not be removed");
                    continue;
                }
            }
        }
        removed.push(Removed { name, frames: info.standing.len(), bytes: info.resident_bytes });
    }
    if !dry_run {
        remove_staged(directory, None);
    }
    Ok(removed)
}

/// Removes a ring if, under its gate, nobody takes part in it any more.
fn remove(name: &RingName, directory: &Path) -> Result<bool> {
    let ring = name.as_str();
    let path = name.path_in(directory);
    let Ok(file) = open_file(&path, true) else { return Ok(false) };
    let geometry = check_header(ring, &file)?;
    let io = |call| move |error: std::io::Error| QADataSwapError::io(ring, call, error);
    let lock = LockFile::open(&file, true).map_err(io("opening the lock"))?;
    let held = lock.lock(Byte::Gate, Duration::from_millis(100)).map_err(io("locking the gate"))?
        && lock.try_lock(Byte::Writer).map_err(io("locking"))?
        && file.metadata().map_err(io("asking for the name"))?.nlink() > 0;
    if !held {
        return Ok(false);
    }
    for reader in 0..geometry.max_readers {
        if lock.is_locked(Byte::Reader(reader)).map_err(io("asking for a lock"))? {
            return Ok(false);
        }
    }
    crash::point();
    std::fs::remove_file(&path).map_err(io("removing"))?;
    tracing::info!(ring, "removed an abandoned ring");
    Ok(true)
}
