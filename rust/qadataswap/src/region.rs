//! The life of a region: created, taken over, replaced, joined, left, removed.
//!
//! Law: a region gets its name when it is whole, and its creator's lock is held before it has one. Whatever
//! changes who takes part (join, leave, take over, replace, remove) happens under the *gate*, a lock that the
//! kernel drops with its holder; nothing on the way of a frame ever takes it.

use crate::config::{ReaderPolicy, SharedMemoryConfig, StartAt, WhenFull};
use crate::error::{QADataSwapError, Result};
use crate::layout::{
    BYTE_ORDER, Geometry, Header, LAYOUT_VERSION, MAGIC, MAX_SEQUENCE, STATE_CLOSED, STATE_GONE, STATE_OPEN,
    STATE_REPLACED, row,
};
use crate::lease::Attachment;
use crate::name::{RingName, STAGED_PREFIX};
use crate::peers::{Byte, LockFile, Process};
use crate::publisher::Publisher;
use crate::ring::{Policy, Ring, repair};
use crate::segment::{Access, Segment, forks, read_header, write_header};
use crate::subscriber::Subscriber;
use crate::sync::{Ordering, set_state};
use crate::wait;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for somebody who is joining or leaving.
const PATIENCE: Duration = Duration::from_secs(2);

/// A mapped region and this participant's locks on it.
pub(crate) struct Region {
    pub(crate) name: String,
    path: PathBuf,
    pub(crate) segment: Segment,
    pub(crate) lock: LockFile,
    forks: u64,
}

/// A file that may be a region, opened but not mapped.
struct Candidate {
    file: File,
    lock: LockFile,
    geometry: Geometry,
}

impl Region {
    fn new(name: &RingName, path: PathBuf, segment: Segment, lock: LockFile) -> Region {
        Region { name: name.as_str().to_owned(), path, segment, lock, forks: forks() }
    }

    /// Whether this process is the one that opened the region.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        self.forks == forks()
    }

    /// Whether the writer is dead, as far as can be told.
    pub(crate) fn writer_is_dead(&self) -> bool {
        self.lock.is_dead(Byte::Writer, &Process::of(self.segment.writer_identity()))
    }

    pub(crate) fn writer_pid(&self) -> u32 {
        self.segment.writer_identity().pid.load(Ordering::Relaxed)
    }

    /// Whether the reader on `row` is dead.
    fn reader_is_dead(&self, row: usize) -> bool {
        let process = Process::of(&self.segment.reader_identities()[row]);
        self.lock.is_dead(Byte::Reader(row as u32), &process)
    }

    /// Frees the rows of those of `rows` that are dead; returns how many.
    pub(crate) fn evict_dead(&self, rows: impl IntoIterator<Item = usize>) -> usize {
        let ring = self.segment.ring();
        let mut evicted = 0;
        for row in rows {
            let (seen, cursor) = ring.reader(row);
            // A row being claimed still carries its former owner's name: its lock alone decides.
            let dead = match seen.phase {
                row::FREE => false,
                row::CLAIMED => matches!(self.lock.is_locked(Byte::Reader(row as u32)), Ok(false)),
                _ => self.reader_is_dead(row),
            };
            if dead && ring.evict(row, seen) {
                drain(&ring, seen, cursor);
                tracing::info!(ring = self.name, row, cursor, "freed the place of a dead reader");
                evicted += 1;
            }
        }
        evicted
    }

    /// Books how far the reader on `row` has read.
    pub(crate) fn count_as_drained(&self, row: usize) {
        let ring = self.segment.ring();
        let (state, cursor) = ring.reader(row);
        drain(&ring, state, cursor);
    }

    /// If the writer is dead, completes what it was about; returns whether it is dead.
    pub(crate) fn repair_if_orphaned(&self) -> bool {
        if !self.writer_is_dead() {
            return false;
        }
        // Whoever holds the gate is about to do the same, or to become the heir.
        let Ok(true) = self.lock.try_lock(Byte::Gate) else { return false };
        let orphaned = self.repair_under_gate();
        self.lock.unlock(Byte::Gate);
        orphaned
    }

    /// As `repair_if_orphaned`, for a caller that holds the gate.
    fn repair_under_gate(&self) -> bool {
        match self.lock.try_lock(Byte::Writer) {
            Ok(true) => {
                repair(&self.segment.ring());
                self.lock.unlock(Byte::Writer);
                true
            }
            // A descendant of the dead writer keeps its lock: nobody can take over, and nobody can repair.
            _ => self.writer_is_dead(),
        }
    }

    /// Whether the region has lost its name: it was replaced, or removed.
    pub(crate) fn is_nameless(&self) -> bool {
        is_nameless(self.segment.file())
    }

    /// Gives up a place by `give_up`, then its lock on `byte`, and removes the region's name if nobody is left and nothing is unread.
    pub(crate) fn leave(&self, byte: Byte, give_up: impl FnOnce(&Ring<'_>)) {
        // Not for long: this may be the drop of an Arrow buffer anywhere in a program.
        let gate = matches!(self.lock.lock(Byte::Gate, PATIENCE / 10), Ok(true));
        give_up(&self.segment.ring());
        self.lock.unlock(byte);
        if !gate {
            tracing::warn!(ring = self.name, "left while another process held the gate");
            return;
        }
        let ring = self.segment.ring();
        self.evict_dead(0..ring.rows_used());
        if self.is_finished() && self.is_deserted() {
            self.remove_name();
        }
        self.lock.unlock(Byte::Gate);
    }

    /// No writer will add to what is there, and all that is there has been read by somebody.
    fn is_finished(&self) -> bool {
        let ring = self.segment.ring();
        let state = ring.state();
        let ended = state == STATE_CLOSED || (state == STATE_OPEN && self.writer_is_dead());
        ended && ring.status.drained.load(Ordering::Acquire) >= ring.published()
    }

    /// Nobody else takes part.
    fn is_deserted(&self) -> bool {
        let ring = self.segment.ring();
        let mut readers = (0..ring.rows_used()).filter(|&row| ring.reader(row).0.phase != row::FREE);
        self.writer_is_dead() && readers.all(|row| self.reader_is_dead(row))
    }

    /// Removes the region's name if it is still this region's. The caller holds the gate.
    fn remove_name(&self) {
        let ours = self.segment.file().metadata().map(|m| (m.dev(), m.ino())).ok();
        let named = std::fs::symlink_metadata(&self.path).map(|m| (m.dev(), m.ino())).ok();
        if ours.is_none() || ours != named {
            return;
        }
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                self.segment.ring().status.state.store(STATE_GONE, set_state());
                tracing::debug!(ring = self.name, "removed the finished ring");
            }
            Err(error) => tracing::warn!(ring = self.name, %error, "removing the finished ring failed"),
        }
    }
}

/// Books that frames below `cursor` have been read, if that reader read what it passed.
fn drain(ring: &Ring<'_>, state: row::State, cursor: u64) {
    if state.skips == 0 && matches!(state.phase, row::ACTIVE | row::LINGERING) {
        ring.status.drained.fetch_max(cursor, Ordering::AcqRel);
    }
}

/// Makes this process the writer of the ring: of a new region, of one whose writer is gone (same geometry), or
/// of one that replaces it (another geometry).
pub(crate) fn create(config: &SharedMemoryConfig) -> Result<(Region, Publisher)> {
    let name = config.ring_name()?;
    let geometry = config.geometry()?;
    let path = name.path_in(&config.directory);
    let ring = name.as_str();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Some(old) = open_candidate(config, &name, &path)? else {
            let region = build(config, &name, &path, geometry)?;
            match link(region.segment.file(), &path) {
                Ok(()) => {
                    tracing::info!(ring, bytes = geometry.region_bytes, "created");
                    let publisher = Publisher::new(&region.segment.ring());
                    return Ok((region, publisher));
                }
                Err(Errno::EXIST) if Instant::now() < deadline => continue,
                Err(error) => return Err(QADataSwapError::io(ring, "naming the region", error)),
            }
        };
        pass_gate(ring, &old.lock)?;
        if is_nameless(&old.file) {
            continue;
        }
        let same = old.geometry == geometry;
        let access = if same { Access::Writer } else { Access::Reader };
        let region = Region::new(&name, path.clone(), map(ring, old.file, old.geometry, access)?, old.lock);
        let owner = Process::of(region.segment.writer_identity());
        if !region.lock.try_lock(Byte::Writer).map_err(|e| QADataSwapError::io(ring, "locking", e))? {
            return Err(QADataSwapError::WriterExists { ring: ring.to_owned(), pid: owner.pid });
        }
        if !same {
            return replace(config, &name, &region, geometry);
        }
        let publisher = take_over(config, &region)?;
        region.lock.unlock(Byte::Gate);
        return Ok((region, publisher));
    }
}

/// Goes on where a former writer stopped. The caller holds the gate and the writer's lock.
fn take_over(config: &SharedMemoryConfig, region: &Region) -> Result<Publisher> {
    let ring = region.segment.ring();
    region.evict_dead(0..ring.rows_used());
    if config.when_full == WhenFull::Overwrite && (0..ring.rows_used()).any(|row| is_lossless(region, row)) {
        return Err(QADataSwapError::InvalidConfig {
            ring: region.name.clone(),
            reason: "lossless readers are attached, an overwriting writer would break their promise; \
                     let the writer block or fail instead"
                .to_owned(),
        });
    }
    if config.prefault {
        // The former writer may have reserved less.
        let bytes = region.segment.geometry().region_bytes;
        Segment::reserve(region.segment.file(), 0, bytes)
            .map_err(|error| reserve_error(config, bytes, error))?;
    }
    let corrupt = |what| QADataSwapError::Corrupt { ring: region.name.clone(), what };
    let schema = ring.status.next_schema.load(Ordering::Relaxed);
    if schema >= MAX_SEQUENCE {
        return Err(corrupt(format!("the next schema would be number {schema}")));
    }
    let publisher = Publisher::take_over(&ring).map_err(corrupt)?;
    let rows_used = (0..ring.rows_used()).rev().find(|&row| ring.reader(row).0.phase != row::FREE);
    ring.status.rows_used.store(rows_used.map_or(0, |row| row as u32 + 1), Ordering::Relaxed);
    Process::this().enter(region.segment.writer_identity());
    ring.status.when_full.store(full_code(config.when_full), Ordering::Relaxed);
    let generation = ring.status.generation.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    ring.status.state.store(STATE_OPEN, set_state());
    wait::ring_always(ring.frames);
    tracing::info!(ring = region.name, generation, next = publisher.next(), "took over");
    Ok(publisher)
}

fn is_lossless(region: &Region, row: usize) -> bool {
    let (state, _) = region.segment.ring().reader(row);
    state.phase == row::ACTIVE && state.policy == Policy::Lossless as u8
}

/// Puts a new region in the place of `old`. The caller holds the gate and the writer's lock of `old`.
fn replace(
    config: &SharedMemoryConfig,
    name: &RingName,
    old: &Region,
    geometry: Geometry,
) -> Result<(Region, Publisher)> {
    let ring = name.as_str();
    remove_staged(&config.directory, Some(name));
    let region = build(config, name, &old.path, geometry)?;
    let staged = config.directory.join(format!("{STAGED_PREFIX}{ring}.{}", std::process::id()));
    link(region.segment.file(), &staged)
        .map_err(|error| QADataSwapError::io(ring, "naming the new region", error))?;
    if let Err(error) = std::fs::rename(&staged, &old.path) {
        let _ = std::fs::remove_file(&staged);
        return Err(QADataSwapError::io(ring, "renaming the new region", error));
    }
    let shared = old.segment.ring();
    repair(&shared);
    shared.status.state.store(STATE_REPLACED, set_state());
    wait::ring_always(shared.frames);
    tracing::info!(ring, bytes = geometry.region_bytes, "replaced a region of another geometry");
    let publisher = Publisher::new(&region.segment.ring());
    Ok((region, publisher))
}

/// Removes what creators killed in the middle of a replacement have left; of one ring or of all.
pub(crate) fn remove_staged(directory: &Path, name: Option<&RingName>) -> usize {
    let prefix = match name {
        Some(name) => format!("{STAGED_PREFIX}{}.", name.as_str()),
        None => STAGED_PREFIX.to_owned(),
    };
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let mut removed = 0;
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(|file| file.starts_with(&prefix)) {
            continue;
        }
        let Ok(file) = open_file(&entry.path(), true) else { continue };
        let Ok(lock) = LockFile::open(&file, true) else { continue };
        // Its creator holds the writer's lock for as long as it lives.
        if matches!(lock.try_lock(Byte::Writer), Ok(true)) && std::fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    removed
}

/// Makes a whole region that has no name: its writer's lock is held, its control part reserved.
fn build(config: &SharedMemoryConfig, name: &RingName, path: &Path, geometry: Geometry) -> Result<Region> {
    let ring = name.as_str();
    let io = |call| move |error: Errno| QADataSwapError::io(ring, call, error);
    let directory = config.directory.as_path();
    let file: File = rustix::fs::open(
        directory,
        OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
        Mode::from_raw_mode(config.mode & 0o777),
    )
    .map_err(|error| match error {
        Errno::NOENT | Errno::NOTDIR => {
            QADataSwapError::NotFound { ring: ring.to_owned(), directory: directory.display().to_string() }
        }
        Errno::NOSPC | Errno::DQUOT => no_space(config, geometry.control_bytes, error.into()),
        error => QADataSwapError::io(ring, "creating the region", error),
    })?
    .into();
    // The umask had its say on open; the configuration has the last word.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(config.mode & 0o777)).map_err(io("setting the mode"))?;
    if config.owner.is_some() || config.group.is_some() {
        std::os::unix::fs::fchown(&file, config.owner, config.group)
            .map_err(|error| QADataSwapError::io(ring, "setting the owner", error))?;
    }
    // Beyond this limit, sizing the file would be answered by a signal.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| geometry.region_bytes > limit) {
        return Err(no_space(config, geometry.region_bytes, Errno::FBIG.into()));
    }
    rustix::fs::ftruncate(&file, geometry.region_bytes).map_err(|error| match error {
        Errno::FBIG | Errno::NOSPC => no_space(config, geometry.region_bytes, error.into()),
        error => QADataSwapError::io(ring, "sizing the region", error),
    })?;
    let reserved = if config.prefault { geometry.region_bytes } else { geometry.control_bytes };
    Segment::reserve(&file, 0, reserved).map_err(|error| reserve_error(config, reserved, error))?;
    let header = Header {
        magic: MAGIC,
        layout_version: LAYOUT_VERSION,
        byte_order: BYTE_ORDER,
        geometry,
        region_id: region_id(),
        created_ns: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64),
        reserved: [0; 21],
    };
    write_header(&file, &header).map_err(|error| QADataSwapError::io(ring, "writing the header", error))?;
    let lock =
        LockFile::open(&file, true).map_err(|error| QADataSwapError::io(ring, "opening the lock", error))?;
    if !lock.try_lock(Byte::Writer).map_err(|error| QADataSwapError::io(ring, "locking", error))? {
        return Err(QADataSwapError::Busy { ring: ring.to_owned(), waited: Duration::ZERO });
    }
    let segment = map(ring, file, geometry, Access::Writer)?;
    Process::this().enter(segment.writer_identity());
    let status = segment.ring().status;
    status.generation.store(1, Ordering::Relaxed);
    status.when_full.store(full_code(config.when_full), Ordering::Relaxed);
    status.state.store(STATE_OPEN, set_state());
    Ok(Region::new(name, path.to_owned(), segment, lock))
}

/// Makes this process a reader of the ring.
pub(crate) fn attach(config: &SharedMemoryConfig) -> Result<(Attachment, Subscriber)> {
    let name = config.ring_name()?;
    let path = name.path_in(&config.directory);
    let ring = name.as_str();
    let deadline = Instant::now().checked_add(config.attach_timeout);
    let region = loop {
        let Some(found) = open_candidate(config, &name, &path)? else {
            if deadline.is_none_or(|deadline| Instant::now() < deadline) {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            return Err(QADataSwapError::NotFound {
                ring: ring.to_owned(),
                directory: config.directory.display().to_string(),
            });
        };
        pass_gate(ring, &found.lock)?;
        if !is_nameless(&found.file) {
            let segment = map(ring, found.file, found.geometry, Access::Reader)?;
            break Region::new(&name, path, segment, found.lock);
        }
    };
    let shared = region.segment.ring();
    let overwrites = shared.status.when_full.load(Ordering::Relaxed) == full_code(WhenFull::Overwrite);
    if overwrites && config.policy == ReaderPolicy::Lossless {
        return Err(QADataSwapError::InvalidConfig {
            ring: ring.to_owned(),
            reason:
                "its writer overwrites and admits no lossless reader; attach as lossy or latest, or let the \
                     writer block"
                    .to_owned(),
        });
    }
    if shared.state() == STATE_OPEN && region.writer_is_dead() {
        // What a dead writer was about to decide would hide frames from those who come now.
        region.repair_under_gate();
    }
    let Some(row) = claim_row(&region)? else {
        return Err(QADataSwapError::TooManyReaders {
            ring: ring.to_owned(),
            max_readers: region.segment.geometry().max_readers,
        });
    };
    shared.claim(row, config.policy.into());
    Process::this().enter(&region.segment.reader_identities()[row]);
    let Some((cursor, joined)) = shared.join(row, config.start == StartAt::Newest) else {
        // Gives the row back for what it is: a dead reader's.
        return Err(QADataSwapError::Corrupt {
            ring: ring.to_owned(),
            what: "the directory speaks of frames that were never published".to_owned(),
        });
    };
    region.lock.unlock(Byte::Gate);
    tracing::info!(ring, row, cursor, policy = ?config.policy, "attached");
    let subscriber = Subscriber::new(row, config.policy.into(), (cursor, joined));
    Ok((Attachment { region, row, joined }, subscriber))
}

/// The first row whose lock is free: nobody's, or a dead reader's.
fn claim_row(region: &Region) -> Result<Option<usize>> {
    for row in 0..region.segment.ring().max_readers() {
        let locked = region.lock.try_lock(Byte::Reader(row as u32));
        if locked.map_err(|error| QADataSwapError::io(&region.name, "locking a place", error))? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Opens the file of that name and checks whose it is and what it says of itself; `None` if there is none.
fn open_candidate(config: &SharedMemoryConfig, name: &RingName, path: &Path) -> Result<Option<Candidate>> {
    let ring = name.as_str();
    let file = match open_file(path, true) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(QADataSwapError::PermissionDenied {
                ring: ring.to_owned(),
                reason: format!("{} is a symbolic link, which is never followed; remove it", path.display()),
            });
        }
        Err(error) => return Err(QADataSwapError::io(ring, "opening the region", error)),
    };
    let metadata =
        file.metadata().map_err(|error| QADataSwapError::io(ring, "asking for the owner", error))?;
    let owner = metadata.uid();
    let me = rustix::process::geteuid().as_raw();
    let trusted =
        owner == me || owner == 0 || config.owner == Some(owner) || config.trusted_owners.contains(&owner);
    if !trusted {
        return Err(QADataSwapError::PermissionDenied {
            ring: ring.to_owned(),
            reason: format!(
                "it belongs to user {owner}, expected {me} or root; name that user as a trusted owner if it is"
            ),
        });
    }
    let geometry = check_header(ring, &file)?;
    let lock =
        LockFile::open(&file, true).map_err(|error| QADataSwapError::io(ring, "opening the lock", error))?;
    Ok(Some(Candidate { file, lock, geometry }))
}

/// Reads the header and returns its geometry, if this version would have laid it out so.
pub(crate) fn check_header(ring: &str, file: &File) -> Result<Geometry> {
    let incompatible = |expected: String, got: String| {
        Err(QADataSwapError::Incompatible { ring: ring.to_owned(), expected, got })
    };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return incompatible("a regular file".to_owned(), "something else".to_owned());
    }
    let Some(header) =
        read_header(file).map_err(|error| QADataSwapError::io(ring, "reading the header", error))?
    else {
        return incompatible("a region".to_owned(), "a file shorter than a header".to_owned());
    };
    if header.magic != MAGIC {
        return incompatible(
            "a region".to_owned(),
            format!("a file that begins with {:#018x}", header.magic),
        );
    }
    if header.byte_order != BYTE_ORDER {
        return incompatible(
            format!("byte order {BYTE_ORDER:#010x}"),
            format!("{:#010x}", header.byte_order),
        );
    }
    if header.layout_version != LAYOUT_VERSION {
        return incompatible(
            format!("layout version {LAYOUT_VERSION}"),
            format!("version {}", header.layout_version),
        );
    }
    let geometry = header.geometry.check().map_err(|what| QADataSwapError::Corrupt {
        ring: ring.to_owned(),
        what: format!("header: {what}"),
    })?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length < geometry.region_bytes {
        return Err(QADataSwapError::Corrupt {
            ring: ring.to_owned(),
            what: format!("the file has {length} bytes, its header says {}", geometry.region_bytes),
        });
    }
    Ok(geometry)
}

/// Opens a region's file without following a link.
pub(crate) fn open_file(path: &Path, writable: bool) -> std::io::Result<File> {
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    // Non-blocking: whatever else may lie under that name must not hold us up.
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn pass_gate(ring: &str, lock: &LockFile) -> Result<()> {
    match lock.lock(Byte::Gate, PATIENCE) {
        Ok(true) => Ok(()),
        Ok(false) => Err(QADataSwapError::Busy { ring: ring.to_owned(), waited: PATIENCE }),
        Err(error) => Err(QADataSwapError::io(ring, "locking the gate", error)),
    }
}

/// Whether the file has lost its name since it was opened.
fn is_nameless(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

/// Gives a nameless file a name, unless the name is taken.
fn link(file: &File, path: &Path) -> std::result::Result<(), Errno> {
    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, source, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

fn map(ring: &str, file: File, geometry: Geometry, access: Access) -> Result<Segment> {
    Segment::map(file, geometry, access).map_err(|source| QADataSwapError::MemoryMapFailed {
        ring: ring.to_owned(),
        bytes: geometry.region_bytes,
        source,
    })
}

/// What failed when memory could not be reserved.
pub(crate) fn reserve_error(
    config: &SharedMemoryConfig,
    needed: u64,
    error: std::io::Error,
) -> QADataSwapError {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::ENOMEM | libc::EFBIG) => no_space(config, needed, error),
        Some(libc::EOPNOTSUPP) => QADataSwapError::Unsupported {
            ring: config.name.clone(),
            what: format!(
                "{} cannot reserve memory for a file; use a tmpfs such as /dev/shm",
                config.directory.display()
            ),
        },
        _ => QADataSwapError::io(&config.name, "reserving memory", error),
    }
}

fn no_space(config: &SharedMemoryConfig, needed: u64, source: std::io::Error) -> QADataSwapError {
    QADataSwapError::NoSpace {
        ring: config.name.clone(),
        directory: config.directory.display().to_string(),
        needed,
        source,
    }
}

fn full_code(when_full: WhenFull) -> u32 {
    match when_full {
        WhenFull::Block(_) => 0,
        WhenFull::Overwrite => 1,
        WhenFull::Fail => 2,
    }
}

/// Sixteen bytes that no other region has.
fn region_id() -> [u64; 2] {
    use std::hash::{BuildHasher, RandomState};
    // The hasher's keys come from the system's random numbers.
    let random = || RandomState::new().hash_one((std::process::id(), crate::peers::monotonic_ns()));
    [random(), random()]
}
