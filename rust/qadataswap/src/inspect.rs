//! Looking at rings from outside: which there are, who takes part, what can be removed.
//!
//! Law: looking changes nothing. The control part is mapped read-only, no place is taken, no frame is pinned.

use crate::candidate::{check_header, open_file};
use crate::create::remove_staged;
use crate::error::{QADataSwapError, Result};
use crate::layout::{Geometry, Identity, STATE_CLOSED, STATE_GONE, STATE_OPEN, STATE_REPLACED, Stamp, row};
use crate::name::{PREFIX, RingName};
use crate::peers::{Byte, LockFile, Process, monotonic_ns};
use crate::ring::Policy;
use crate::segment::{Access, Segment};
use crate::sync::{Ordering, observe};
use crate::{ReaderPolicy, WhenFull};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
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

/// What can be seen of a ring.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RingInfo {
    /// The ring's name.
    pub name: String,
    /// Its state.
    pub state: RingState,
    /// PID of its present or last writer, as that process sees it.
    pub writer_pid: u32,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderInfo {
    /// Its place.
    pub row: usize,
    /// Its PID, as that process sees it.
    pub pid: u32,
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
    /// Time since it attached.
    pub attached: Duration,
}

/// A region, mapped for looking only.
struct Observed {
    name: String,
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
        let geometry: Geometry = check_header(ring, &file)?;
        let lock = LockFile::open(&file, false)
            .map_err(|error| QADataSwapError::io(ring, "opening the lock", error))?;
        let segment = Segment::map(file, geometry, Access::Observer).map_err(|source| {
            QADataSwapError::MemoryMapFailed { ring: ring.to_owned(), bytes: geometry.control_bytes, source }
        })?;
        Ok(Observed { name: ring.to_owned(), segment, lock })
    }

    fn is_dead(&self, byte: Byte, identity: &Identity) -> bool {
        self.lock.is_dead(byte, &Process::of(identity))
    }

    fn info(&self) -> Result<RingInfo> {
        let ring = self.segment.ring();
        let geometry = self.segment.geometry();
        let metadata = self
            .segment
            .file()
            .metadata()
            .map_err(|error| QADataSwapError::io(&self.name, "asking for the size", error))?;
        let writer = self.segment.writer_identity();
        let state = match ring.status.state.load(Ordering::Acquire) {
            _ if metadata.nlink() == 0 => RingState::Gone,
            STATE_REPLACED | STATE_GONE => RingState::Gone,
            STATE_CLOSED => RingState::Closed,
            STATE_OPEN if !self.is_dead(Byte::Writer, writer) => RingState::Live,
            _ => RingState::Orphaned,
        };
        Ok(RingInfo {
            name: self.name.clone(),
            state,
            writer_pid: writer.pid.load(Ordering::Relaxed),
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
            standing: self.standing(),
            readers: self.readers(),
            uid: metadata.uid(),
            mode: metadata.mode() & 0o777,
        })
    }

    fn standing(&self) -> Vec<FrameInfo> {
        let ring = self.segment.ring();
        let now = monotonic_ns();
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

    fn readers(&self) -> Vec<ReaderInfo> {
        let ring = self.segment.ring();
        let (published, now) = (ring.published(), monotonic_ns());
        (0..ring.rows_used())
            .filter_map(|index| {
                let (state, cursor) = ring.reader(index);
                if state.phase == row::FREE {
                    return None;
                }
                let identity = &self.segment.reader_identities()[index];
                Some(ReaderInfo {
                    row: index,
                    pid: identity.pid.load(Ordering::Relaxed),
                    alive: !self.is_dead(Byte::Reader(index as u32), identity),
                    policy: match state.policy {
                        code if code == Policy::Lossy as u8 => ReaderPolicy::Lossy,
                        code if code == Policy::Latest as u8 => ReaderPolicy::Latest,
                        _ => ReaderPolicy::Lossless,
                    },
                    lingering: state.phase == row::LINGERING,
                    cursor,
                    lag: published.saturating_sub(cursor),
                    pins: ring.pins(index),
                    missed: identity.missed.load(Ordering::Relaxed),
                    attached: Duration::from_nanos(
                        now.saturating_sub(identity.since_ns.load(Ordering::Relaxed)),
                    ),
                })
            })
            .collect()
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

/// Every ring in `directory` by name, with what can be seen of it or why nothing can.
///
/// # Errors
/// [`Io`](QADataSwapError::Io) if the folder cannot be read.
pub fn list(directory: impl AsRef<Path>) -> Result<Vec<(String, Result<RingInfo>)>> {
    let directory = directory.as_ref();
    let entries = std::fs::read_dir(directory).map_err(|error| {
        QADataSwapError::io(&directory.display().to_string(), "reading the folder", error)
    })?;
    let mut rings: Vec<_> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(PREFIX).map(str::to_owned))
        .filter_map(|name| RingName::new(&name).ok())
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
    std::fs::remove_file(&path).map_err(io("removing"))?;
    tracing::info!(ring, "removed an abandoned ring");
    Ok(true)
}
