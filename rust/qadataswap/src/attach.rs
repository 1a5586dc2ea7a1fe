//! Joining a ring as a reader.

use crate::candidate::{map, open_candidate, pass_gate};
use crate::config::{ReaderPolicy, SharedMemoryConfig, StartAt, WhenFull};
use crate::error::{QADataSwapError, Result};
use crate::layout::STATE_OPEN;
use crate::lease::Attachment;
use crate::peers::{Byte, Process};
use crate::region::{Region, is_nameless};
use crate::segment::Access;
use crate::subscriber::Subscriber;
use crate::sync::Ordering;
use crate::{unnamed, wait};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Longest pause between two looks for a ring that is not there yet.
const LONGEST_NAP: Duration = Duration::from_millis(16);

/// Makes this process a reader of the ring.
pub(crate) fn attach(config: &SharedMemoryConfig) -> Result<(Attachment, Subscriber)> {
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
    let mut nap = Duration::from_millis(1);
    let region = loop {
        let Some(found) = open_candidate(config, &name, &path)? else {
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
        // Whoever waits for a ring to come waits for others to be let in, too.
        pass_gate(ring, &found.lock, config.attach_timeout)?;
        if !is_nameless(&found.file) {
            let segment = map(ring, found.file, found.geometry, Access::Reader)?;
            break Region::new(&name, Some(path), segment, found.lock);
        }
    };
    join(config, region)
}

/// Makes this process a reader of the ring without a name behind a descriptor.
pub(crate) fn attach_fd(
    config: &mut SharedMemoryConfig,
    fd: BorrowedFd<'_>,
) -> Result<(Attachment, Subscriber)> {
    let found = unnamed::open_candidate(config, fd)?;
    pass_gate(&config.name, &found.lock, config.attach_timeout)?;
    let segment = map(&config.name, found.file, found.geometry, Access::Reader)?;
    join(config, Region::new(&config.ring_name()?, None, segment, found.lock))
}

/// Takes a place in a region whose gate is held.
fn join(config: &SharedMemoryConfig, region: Region) -> Result<(Attachment, Subscriber)> {
    let ring = region.name.as_str();
    let shared = region.segment.ring();
    let overwrites = shared.status.when_full.load(Ordering::Relaxed) == WhenFull::Overwrite.code();
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
    // Also books what the dead have read: their places are about to be taken.
    region.evict_dead(0..shared.rows_used());
    let Some(row) = claim_row(&region)? else {
        return Err(QADataSwapError::TooManyReaders {
            ring: ring.to_owned(),
            max_readers: region.segment.geometry().max_readers,
        });
    };
    shared.claim(row, config.policy.into());
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
    let subscriber = Subscriber::new(row, config.policy.into(), (cursor, joined));
    Ok((Attachment::new(region, row, joined), subscriber))
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
