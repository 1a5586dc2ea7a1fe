//! Joining a ring as a reader, or looking on as an observer.

use crate::candidate::{Candidate, map, open_candidate, pass_gate};
use crate::config::{SharedMemoryConfig, StartAt, WhenFull};
use crate::error::{QADataSwapError, Result};
use crate::layout::STATE_OPEN;
use crate::lease::Attachment;
use crate::observer::Observer;
use crate::peers::{Byte, Process};
use crate::place::{Aside, Place, Seat};
use crate::reader::Taking;
use crate::region::{Region, is_nameless};
use crate::ring::Policy;
use crate::segment::Access;
use crate::subscriber::Subscriber;
use crate::sync::Ordering;
use crate::{unnamed, wait};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest pause between two looks for a ring that is not there yet.
const LONGEST_NAP: Duration = Duration::from_millis(16);

/// Makes this process a reader of the ring.
pub(crate) fn attach(config: &SharedMemoryConfig) -> Result<(Attachment, Taking)> {
    let name = config.ring_name()?;
    let path = name.path_in(&config.directory);
    let ring = name.as_str();
    let deadline = Instant::now().checked_add(config.attach_timeout);
    if config.memfd {
        return Err(QADataSwapError::InvalidConfig {
            ring: ring.to_owned(),
            reason: "a ring without a name cannot be found by one; attach to it by its descriptor (from_fd)"
                .to_owned(),
        });
    }
    let access = access_of(config);
    let mut nap = Duration::from_millis(1);
    loop {
        let Some(found) = open_candidate(config, &name, &path, access)? else {
            if deadline.is_none_or(|deadline| Instant::now() < deadline) {
                std::thread::sleep(nap);
                // Many may wait for a writer that is long in coming.
                nap = (nap * 2).min(LONGEST_NAP);
                continue;
            }
            return Err(QADataSwapError::NotFound {
                ring: ring.to_owned(),
                directory: config.directory.display().to_string(),
            });
        };
        if access.stores() {
            // Whoever waits for a ring to come waits for others to be let in, too.
            pass_gate(ring, &found.lock, config.attach_timeout)?;
        }
        if !is_nameless(&found.file) {
            return take_part(config, found, Some(path));
        }
    }
}

/// Makes this process a reader of the ring without a name behind a descriptor.
pub(crate) fn attach_fd(config: &mut SharedMemoryConfig, fd: BorrowedFd<'_>) -> Result<(Attachment, Taking)> {
    let access = access_of(config);
    let found = unnamed::open_candidate(config, fd, access)?;
    if access.stores() {
        pass_gate(&config.name, &found.lock, config.attach_timeout)?;
    }
    take_part(config, found, None)
}

/// What a reader of this policy may do.
fn access_of(config: &SharedMemoryConfig) -> Access {
    match config.policy.on_a_row() {
        Some(_) => Access::Reader,
        None => Access::Observer,
    }
}

/// Takes a place in a region whose gate is held, or looks on.
fn take_part(
    config: &SharedMemoryConfig,
    found: Candidate,
    path: Option<PathBuf>,
) -> Result<(Attachment, Taking)> {
    let segment = map(&config.name, found.file, found.geometry, access_of(config))?;
    let region = Region::new(&config.ring_name()?, path, segment, found.lock);
    let (attachment, taking) = match config.policy.on_a_row() {
        Some(policy) => join(config, policy, region)?,
        None => observe(config, region),
    };
    if config.prefault {
        // With the gate open: this may take a while.
        attachment.region.segment.populate();
    }
    Ok((attachment, taking))
}

/// Looks on: takes no place and changes nothing.
fn observe(config: &SharedMemoryConfig, region: Region) -> (Attachment, Taking) {
    let shared = region.segment.ring();
    let is_open = shared.state() == STATE_OPEN;
    let left_by = if is_open { region.left_by() } else { None };
    let observer = Observer::new(&shared, config.start == StartAt::Newest, left_by);
    let aside = Aside::new(left_by);
    aside.wants(observer.next());
    tracing::info!(ring = region.name, next = observer.next(), "observing");
    (Attachment::new(region, Place::Aside(aside)), Taking::copying(observer))
}

/// Takes a place in a region whose gate is held.
fn join(config: &SharedMemoryConfig, policy: Policy, region: Region) -> Result<(Attachment, Taking)> {
    let ring = region.name.as_str();
    let shared = region.segment.ring();
    let overwrites = shared.status.when_full.load(Ordering::Relaxed) == WhenFull::Overwrite.code();
    if overwrites && policy == Policy::Lossless {
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
    // Also books what the dead have read: their places are about to be taken.
    region.evict_dead(0..shared.rows_used());
    let Some(row) = claim_row(&region)? else {
        return Err(QADataSwapError::TooManyReaders {
            ring: ring.to_owned(),
            max_readers: region.segment.geometry().max_readers,
        });
    };
    shared.claim(row, policy);
    region.segment.tally(row).reset();
    Process::this().enter(&region.segment.reader_identities()[row]);
    let Some((cursor, joined)) = shared.join(row, config.start == StartAt::Newest) else {
        // Gives the row back for what it is: a dead reader's.
        return Err(QADataSwapError::Corrupt {
            ring: ring.to_owned(),
            what: "the directory speaks of frames that were never published".to_owned(),
        });
    };
    region.lock.unlock(Byte::Gate);
    // A writer may have waited for somebody to come.
    wait::ring_always(shared.space);
    tracing::info!(ring, row, cursor, policy = ?config.policy, "attached");
    let subscriber = Subscriber::new(row, policy, (cursor, joined));
    let seat = Seat { row, joined };
    Ok((Attachment::new(region, Place::Row(seat)), Taking::Pins(subscriber, seat)))
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
