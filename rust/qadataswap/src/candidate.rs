//! A file that may be a region: whose it is, what it says of itself, and what may be done about it.
//!
//! Law: nothing that the file says is believed before it is checked, and no link is followed to it.

use crate::config::SharedMemoryConfig;
use crate::error::{QADataSwapError, Result};
use crate::layout::{BYTE_ORDER, Geometry, LAYOUT_VERSION, MAGIC};
use crate::name::RingName;
use crate::peers::{Byte, LockFile};
use crate::region::PATIENCE;
use crate::segment::{self, Access, Segment, read_header};
use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// A file that says it is a region, opened but not mapped.
pub(crate) struct Candidate {
    pub(crate) file: File,
    pub(crate) lock: LockFile,
    pub(crate) geometry: Geometry,
}

/// Opens the file of that name, for `access`, and checks whose it is and what it says of itself; `None` if there is
/// none.
pub(crate) fn open_candidate(
    config: &SharedMemoryConfig,
    name: &RingName,
    path: &Path,
    access: Access,
) -> Result<Option<Candidate>> {
    let ring = name.as_str();
    let file = match open_file(path, access.stores()) {
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
        Err(error) if access == Access::Reader && is_read_only(&error) && open_file(path, false).is_ok() => {
            let remedy = match error.kind() {
                std::io::ErrorKind::ReadOnlyFilesystem => {
                    "its folder is mounted read-only: mount it writable"
                }
                _ => "ask its creator to widen the ring's mode or group",
            };
            return Err(QADataSwapError::PermissionDenied {
                ring: ring.to_owned(),
                reason: format!(
                    "opening the region: {error}, and readers store there; it may be read: attach as an observer; or {remedy}"
                ),
            });
        }
        Err(error) => return Err(QADataSwapError::io(ring, "opening the region", error)),
    };
    admit(config, ring, file, access).map(Some)
}

/// Checks whose a file is, which was opened for `access`, and what it says of itself.
pub(crate) fn admit(
    config: &SharedMemoryConfig,
    ring: &str,
    file: File,
    access: Access,
) -> Result<Candidate> {
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
                "it belongs to user {owner}, expected {me} or root; name user {owner} as a trusted owner if you trust what it writes"
            ),
        });
    }
    let geometry = check_header(ring, &file)?;
    let lock = LockFile::open(&file, access.stores())
        .map_err(|error| QADataSwapError::io(ring, "opening the lock", error))?;
    Ok(Candidate { file, lock, geometry })
}

/// Reads the header and returns its geometry, if this version would have laid it out so.
pub(crate) fn check_header(ring: &str, file: &File) -> Result<Geometry> {
    let incompatible = |expected: String, got: String| {
        Err(QADataSwapError::Incompatible { ring: ring.to_owned(), expected, got })
    };
    let metadata =
        || file.metadata().map_err(|error| QADataSwapError::io(ring, "asking for the size", error));
    if !metadata()?.is_file() {
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
    let corrupt =
        |what: String| QADataSwapError::Corrupt { ring: ring.to_owned(), what: format!("header: {what}") };
    let geometry = header.geometry.check().map_err(corrupt)?;
    // Of what is wrong with a geometry the numbers tell more than their checksum; this is for those that fit together.
    let sum = segment::sum(&header);
    if header.checksum != sum {
        return Err(corrupt(format!("expected checksum {sum:#010x}, got {:#010x}", header.checksum)));
    }
    let length = metadata()?.len();
    if length < geometry.region_bytes {
        return Err(QADataSwapError::Corrupt {
            ring: ring.to_owned(),
            what: format!("the file has {length} bytes, its header says {}", geometry.region_bytes),
        });
    }
    Ok(geometry)
}

/// Whether it is writing that is not permitted, by the file's mode or the mount's.
fn is_read_only(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Opens a region's file without following a link.
pub(crate) fn open_file(path: &Path, writable: bool) -> std::io::Result<File> {
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    // Non-blocking: whatever else may lie under that name must not hold us up.
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    // A folder in a file system of a user's process may be interrupted.
    Ok(retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?.into())
}

/// Takes the gate, which may take `patience`, and never less than [`PATIENCE`].
pub(crate) fn pass_gate(ring: &str, lock: &LockFile, patience: Duration) -> Result<()> {
    let patience = patience.max(PATIENCE);
    match lock.lock(Byte::Gate, patience) {
        Ok(true) => Ok(()),
        Ok(false) => Err(QADataSwapError::Busy { ring: ring.to_owned(), waited: patience }),
        Err(error) => Err(QADataSwapError::io(ring, "locking the gate", error)),
    }
}

pub(crate) fn map(ring: &str, file: File, geometry: Geometry, access: Access) -> Result<Segment> {
    Segment::map(file, geometry, access).map_err(|source| QADataSwapError::MemoryMapFailed {
        ring: ring.to_owned(),
        bytes: geometry.region_bytes,
        source,
    })
}
