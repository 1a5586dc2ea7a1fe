//! Becoming a ring's writer: of a new region, of one whose writer is gone, or of one that replaces it.
//!
//! Law: a region gets its name when it is whole, and its creator's lock is held before it has one. A creator
//! killed on the way leaves nothing behind, or a staged name that [`remove_staged`] removes.

use crate::candidate::{map, open_candidate, open_file, pass_gate};
use crate::config::{SharedMemoryConfig, WhenFull};
use crate::crash;
use crate::error::{QADataSwapError, Result};
use crate::folder::names_in;
use crate::layout::{
    BYTE_ORDER, Geometry, Header, LAYOUT_VERSION, MAGIC, MAX_SEQUENCE, PAGE, STATE_OPEN, STATE_REPLACED, row,
};
use crate::name::{RingName, STAGED_PREFIX};
use crate::peers::{Byte, LockFile, Process, monotonic_ns};
use crate::publisher::Publisher;
use crate::region::{PATIENCE, Region, is_nameless};
use crate::ring::{Policy, repair};
use crate::segment::{self, Access, Segment, write_header};
use crate::stream::Beginning;
use crate::sync::{Ordering, set_state};
use crate::{unnamed, wait};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// Makes this process the writer of the ring: of a new region, of one whose writer is gone (same geometry), or
/// of one that replaces it (another geometry).
pub(crate) fn create(config: &SharedMemoryConfig) -> Result<(Region, Publisher)> {
    let name = config.ring_name()?;
    let geometry = config.geometry()?;
    if config.memfd {
        let region = build(config, &name, None, geometry)?;
        tracing::info!(ring = region.name, bytes = geometry.region_bytes, "created, without a name");
        let publisher = Publisher::new(&region.segment.ring());
        return Ok((region, publisher));
    }
    let path = name.path_in(&config.directory);
    let ring = name.as_str();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Some(old) = open_candidate(config, &name, &path, Access::Writer)? else {
            let region = build(config, &name, Some(&path), geometry)?;
            match link(region.segment.file(), &path) {
                Ok(()) => {
                    tracing::info!(ring, bytes = geometry.region_bytes, "created");
                    let publisher = Publisher::new(&region.segment.ring());
                    return Ok((region, publisher));
                }
                Err(Errno::EXIST) if Instant::now() < deadline => continue,
                Err(error) => return Err(naming_error(config, "naming the region", error.into())),
            }
        };
        pass_gate(ring, &old.lock, PATIENCE)?;
        if is_nameless(&old.file) {
            continue;
        }
        let same = old.geometry == geometry;
        let access = if same { Access::Writer } else { Access::Reader };
        let segment = map(ring, old.file, old.geometry, access)?;
        let region = Region::new(&name, Some(path.clone()), segment, old.lock);
        become_only_writer(&region)?;
        if !same {
            return replace(config, &name, &path, &region, geometry);
        }
        let publisher = take_over(config, &region)?;
        region.lock.unlock(Byte::Gate);
        return Ok((region, publisher));
    }
}

/// Makes this process the writer of the ring without a name behind a descriptor, if its writer is gone.
pub(crate) fn inherit(config: &mut SharedMemoryConfig, fd: BorrowedFd<'_>) -> Result<(Region, Publisher)> {
    let found = unnamed::open_candidate(config, fd, Access::Writer)?;
    let ring = config.name.as_str();
    pass_gate(ring, &found.lock, PATIENCE)?;
    let (asked, is) = (config.geometry_like(&found.geometry)?, found.geometry);
    if asked != is {
        let in_words = |geometry: &Geometry| {
            let Geometry { buffer_count, slot_bytes, max_readers, .. } = geometry;
            format!("{buffer_count} buffers of {slot_bytes} bytes for {max_readers} readers")
        };
        return Err(QADataSwapError::InvalidConfig {
            ring: ring.to_owned(),
            reason: format!(
                "expected {}, it has {}; a ring without a name is never replaced: leave its size to it, or create another",
                in_words(&asked),
                in_words(&is)
            ),
        });
    }
    let segment = map(ring, found.file, is, Access::Writer)?;
    let region = Region::new(&config.ring_name()?, None, segment, found.lock);
    become_only_writer(&region)?;
    let publisher = take_over(config, &region)?;
    region.lock.unlock(Byte::Gate);
    Ok((region, publisher))
}

/// Takes the writer's lock, or says who has it.
fn become_only_writer(region: &Region) -> Result<()> {
    let owner = Process::of(region.segment.writer_identity());
    let ring = region.name.as_str();
    match region.lock.try_lock(Byte::Writer).map_err(|error| QADataSwapError::io(ring, "locking", error))? {
        true => Ok(()),
        false => Err(QADataSwapError::WriterExists { ring: ring.to_owned(), pid: owner.pid }),
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
    // The former writer may have died waiting.
    region.segment.waits().waiting_since_ns.store(0, Ordering::Relaxed);
    ring.status.when_full.store(config.when_full.code(), Ordering::Relaxed);
    // In this order. Killed after the first step, we have died without ending anything; and whoever finds the former
    // writer's end, or our stream, finds with it whether the generation has changed (`verdict` in `reader.rs`).
    ring.status.state.store(STATE_OPEN, set_state());
    let generation = ring.status.generation.fetch_add(1, Ordering::Release).wrapping_add(1);
    region.segment.stream().announce(config.stream.map(|total_rows| Beginning {
        first: publisher.next(),
        rows_before: ring.head.rows.load(Ordering::Relaxed),
        total_rows,
    }));
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
    path: &Path,
    old: &Region,
    geometry: Geometry,
) -> Result<(Region, Publisher)> {
    let ring = name.as_str();
    remove_staged(&config.directory, Some(name));
    let region = build(config, name, Some(path), geometry)?;
    let staged = config.directory.join(format!("{STAGED_PREFIX}{ring}.{}", std::process::id()));
    link(region.segment.file(), &staged)
        .map_err(|error| naming_error(config, "naming the new region", error.into()))?;
    crash::point();
    if let Err(error) = std::fs::rename(&staged, path) {
        let _ = std::fs::remove_file(&staged);
        return Err(naming_error(config, "renaming the new region", error));
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
    let Ok(names) = names_in(directory) else { return 0 };
    let mut removed = 0;
    for name in names.iter().filter(|name| name.starts_with(&prefix)) {
        let path = directory.join(name);
        let Ok(file) = open_file(&path, true) else { continue };
        let Ok(lock) = LockFile::open(&file, true) else { continue };
        // Its creator holds the writer's lock for as long as it lives.
        if !matches!(lock.try_lock(Byte::Writer), Ok(true)) {
            continue;
        }
        crash::point();
        removed += usize::from(std::fs::remove_file(path).is_ok());
    }
    removed
}

/// A file of no size that has no name, in the ring's folder or, if it is not to have one, in none.
fn nameless_file(config: &SharedMemoryConfig, name: &RingName) -> std::result::Result<File, Errno> {
    if config.memfd {
        return unnamed::create(name);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(config.mode);
    retry_on_intr(|| rustix::fs::open(&config.directory, flags, mode)).map(File::from)
}

/// Makes a whole region that has no name, and may get that of `path`: its writer's lock is held, its control part reserved.
fn build(
    config: &SharedMemoryConfig,
    name: &RingName,
    path: Option<&Path>,
    geometry: Geometry,
) -> Result<Region> {
    let ring = name.as_str();
    let io = |call| move |error: Errno| QADataSwapError::io(ring, call, error);
    let file = nameless_file(config, name).map_err(|error| match error {
        Errno::NOENT | Errno::NOTDIR => QADataSwapError::InvalidConfig {
            ring: ring.to_owned(),
            reason: format!("the folder {} does not exist; make it first", config.directory.display()),
        },
        Errno::NOSPC | Errno::DQUOT => no_space(config, geometry.control_bytes, error.into()),
        Errno::OPNOTSUPP => QADataSwapError::Unsupported {
            ring: ring.to_owned(),
            what: format!(
                "{} cannot hold files without a name: {error}; use a tmpfs such as /dev/shm",
                config.directory.display()
            ),
        },
        error => QADataSwapError::io(ring, "creating the region", error),
    })?;
    // Memory files that are executable are not everywhere allowed, and nobody executes a ring.
    let mode = if config.memfd { config.mode & 0o666 } else { config.mode };
    // The umask had its say on open; the configuration has the last word.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(io("setting the mode"))?;
    if config.owner.is_some() || config.group.is_some() {
        std::os::unix::fs::fchown(&file, config.owner, config.group)
            .map_err(|error| QADataSwapError::io(ring, "setting the owner", error))?;
    }
    // Beyond this limit, sizing the file would be answered by a signal.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| geometry.region_bytes > limit) {
        return Err(no_space(config, geometry.region_bytes, Errno::FBIG.into()));
    }
    crash::point();
    retry_on_intr(|| rustix::fs::ftruncate(&file, geometry.region_bytes)).map_err(|error| match error {
        Errno::FBIG | Errno::NOSPC => no_space(config, geometry.region_bytes, error.into()),
        error => QADataSwapError::io(ring, "sizing the region", error),
    })?;
    let reserved = if config.prefault { geometry.region_bytes } else { geometry.control_bytes };
    Segment::reserve(&file, 0, reserved).map_err(|error| reserve_error(config, reserved, error))?;
    let mut header = Header {
        magic: MAGIC,
        layout_version: LAYOUT_VERSION,
        byte_order: BYTE_ORDER,
        geometry,
        region_id: region_id(),
        created_ns: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64),
        checksum: 0,
        _pad: 0,
        reserved: [0; 20],
    };
    header.checksum = segment::sum(&header);
    write_header(&file, &header)
        .map_err(|error| full_or(config, size_of::<Header>() as u64, "writing the header", error))?;
    if config.memfd {
        unnamed::seal(&file).map_err(io("sealing the region"))?;
    }
    let lock =
        LockFile::open(&file, true).map_err(|error| QADataSwapError::io(ring, "opening the lock", error))?;
    if !lock.try_lock(Byte::Writer).map_err(|error| QADataSwapError::io(ring, "locking", error))? {
        return Err(QADataSwapError::Busy { ring: ring.to_owned(), waited: Duration::ZERO });
    }
    let segment = map(ring, file, geometry, Access::Writer)?;
    Process::this().enter(segment.writer_identity());
    let status = segment.ring().status;
    status.generation.store(1, Ordering::Relaxed);
    status.when_full.store(config.when_full.code(), Ordering::Relaxed);
    let beginning = config.stream.map(|total_rows| Beginning { first: 0, rows_before: 0, total_rows });
    segment.stream().announce(beginning);
    status.state.store(STATE_OPEN, set_state());
    Ok(Region::new(name, path.map(Path::to_owned), segment, lock))
}

/// Gives a nameless file a name, unless the name is taken.
fn link(file: &File, path: &Path) -> std::result::Result<(), Errno> {
    crash::point();
    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, source, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

/// What failed when memory could not be reserved.
pub(crate) fn reserve_error(
    config: &SharedMemoryConfig,
    needed: u64,
    error: std::io::Error,
) -> QADataSwapError {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => no_space(config, needed, error),
        Some(libc::EOPNOTSUPP) => QADataSwapError::Unsupported {
            ring: config.name.clone(),
            what: format!(
                "{} cannot reserve memory for a file; use a tmpfs such as /dev/shm",
                config.place()
            ),
        },
        _ => full_or(config, needed, "reserving memory", error),
    }
}

/// What failed when a file was to get a name.
fn naming_error(config: &SharedMemoryConfig, call: &'static str, error: std::io::Error) -> QADataSwapError {
    // What a name takes of a folder is the folder's affair; a page is what it grows by.
    full_or(config, PAGE, call, error)
}

/// That there is no room, or else that `call` failed.
fn full_or(
    config: &SharedMemoryConfig,
    needed: u64,
    call: &'static str,
    error: std::io::Error,
) -> QADataSwapError {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => no_space(config, needed, error),
        _ => QADataSwapError::io(&config.name, call, error),
    }
}

fn no_space(config: &SharedMemoryConfig, needed: u64, source: std::io::Error) -> QADataSwapError {
    QADataSwapError::NoSpace { ring: config.name.clone(), directory: config.place(), needed, source }
}

/// Sixteen bytes that no other region has.
fn region_id() -> [u64; 2] {
    use std::hash::{BuildHasher, RandomState};
    // The hasher's keys come from the system's random numbers.
    let random = || RandomState::new().hash_one((std::process::id(), monotonic_ns()));
    [random(), random()]
}
