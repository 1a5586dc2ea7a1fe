//! Regions without a name: memory files that are handed over as descriptors.
//!
//! Law: a region of this kind is sealed before anybody else can see it. Its size stands for ever, so no page of a mapping
//! can be taken away, and nobody can add or remove a seal. A descriptor that comes from elsewhere is foreign: it is
//! looked at before it is opened, and taken for a region only if it has these seals.
//!
//! Descriptors that are handed over share one open file description, and locks belong to a description. So every
//! participant opens the memory file anew, through `/proc`.

use crate::candidate::{Candidate, admit};
use crate::config::SharedMemoryConfig;
use crate::error::{QADataSwapError, Result};
use crate::name::{PREFIX, RingName};
use crate::segment::Access;
use rustix::fs::{FileType, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What every region without a name is sealed with.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
/// What a ring is called that nobody has given a name.
const ANONYMOUS: &str = "unnamed";

/// A memory file that can be sealed, of no size yet. The ring's name is what `/proc` shows of it.
pub(crate) fn create(name: &RingName) -> std::result::Result<File, Errno> {
    let label = format!("{PREFIX}{}", name.as_str());
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Some machines demand that it can never be executed; kernels before 6.3 do not know the flag.
    match rustix::fs::memfd_create(&label, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(&label, flags).map(File::from),
        made => made.map(File::from),
    }
}

/// Makes the size of a memory file stand for ever.
pub(crate) fn seal(file: &File) -> std::result::Result<(), Errno> {
    rustix::fs::fcntl_add_seals(file, SEALS)
}

/// The region behind a descriptor, opened anew and not mapped; `config` learns that it has no name, and what its creator
/// called it unless it says so itself.
pub(crate) fn open_candidate(
    config: &mut SharedMemoryConfig,
    fd: BorrowedFd<'_>,
    access: Access,
) -> Result<Candidate> {
    let ring = if config.name.is_empty() { label(fd) } else { config.ring_name()? };
    let file = open(ring.as_str(), fd, access.stores())?;
    config.name = ring.as_str().to_owned();
    config.memfd = true;
    admit(config, ring.as_str(), file, access)
}

/// Opens the memory file behind a descriptor anew, if it is one that is sealed as a region must be.
pub(crate) fn open(ring: &str, fd: BorrowedFd<'_>, writable: bool) -> Result<File> {
    check(ring, fd, writable)?;
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    match rustix::fs::open(path, access | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        // The descriptor is open, as was just seen.
        Err(Errno::NOENT | Errno::NOTDIR) => Err(QADataSwapError::Unsupported {
            ring: ring.to_owned(),
            what: "a descriptor is opened anew through /proc/self/fd, which is not there; mount /proc"
                .to_owned(),
        }),
        Err(error) => Err(QADataSwapError::io(ring, "opening the region", error)),
    }
}

/// That a descriptor is one of a memory file that is sealed as a region must be, and can be written if that is wanted.
///
/// # Errors
/// [`InvalidConfig`](QADataSwapError::InvalidConfig) if not; [`Io`](QADataSwapError::Io) if it is not open.
pub(crate) fn check(ring: &str, fd: BorrowedFd<'_>, writable: bool) -> Result<()> {
    let stat = rustix::fs::fstat(fd).map_err(|error| QADataSwapError::io(ring, "the descriptor", error))?;
    let seals = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => rustix::fs::fcntl_get_seals(fd),
        _ => Err(Errno::INVAL),
    };
    let (got, remedy) = match seals {
        Ok(seals) if !seals.contains(SEALS) => (
            "a file without these seals",
            "its size could be changed under whoever maps it: create the ring without a name (memfd), or open it by its name",
        ),
        Ok(seals) if writable && seals.intersects(SealFlags::WRITE | SealFlags::FUTURE_WRITE) => (
            "one that is sealed against writing too",
            "readers write to a ring: leave that seal off, or attach as an observer",
        ),
        Ok(_) => return Ok(()),
        Err(Errno::INVAL) => {
            ("something that cannot be sealed", "hand over the descriptor of a ring without a name (memfd)")
        }
        Err(error) => return Err(QADataSwapError::io(ring, "asking for the descriptor's seals", error)),
    };
    Err(QADataSwapError::InvalidConfig {
        ring: ring.to_owned(),
        reason: format!(
            "descriptor {}: expected a memory file that is sealed against another size and further seals, got {got}; {remedy}",
            fd.as_raw_fd()
        ),
    })
}

/// What the creator of a region called it.
pub(crate) fn label(fd: impl AsFd) -> RingName {
    let target = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())).ok();
    let target = target.as_deref().and_then(|target| target.to_str());
    let label = target
        .and_then(|target| target.strip_prefix("/memfd:")?.strip_prefix(PREFIX)?.strip_suffix(" (deleted)"));
    label
        .and_then(|label| RingName::new(label).ok())
        .unwrap_or_else(|| RingName::new(ANONYMOUS).expect("a name that is allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_memory_file_is_opened_anew_and_keeps_its_label() {
        let file = create(&RingName::new("ticks").unwrap()).unwrap();
        rustix::fs::ftruncate(&file, 4096).unwrap();
        assert!(open("r", file.as_fd(), true).is_err(), "not sealed yet");
        seal(&file).unwrap();
        let again = open("r", file.as_fd(), true).unwrap();
        assert_eq!(label(&again).as_str(), "ticks");
        assert_eq!(rustix::fs::ftruncate(&again, 0), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(&file, 8192), Err(Errno::PERM));
        assert_eq!(rustix::fs::fcntl_add_seals(&again, SealFlags::WRITE), Err(Errno::PERM));
    }

    #[test]
    fn what_is_not_sealed_as_a_region_is_refused_by_what_it_is() {
        let sealed = |seals| {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let file: File = rustix::fs::memfd_create("qads_r", flags).unwrap().into();
            rustix::fs::fcntl_add_seals(&file, seals).unwrap();
            file
        };
        let refused = |file: &File, writable| match check("r", file.as_fd(), writable) {
            Err(QADataSwapError::InvalidConfig { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        for missing in SEALS.iter() {
            assert!(refused(&sealed(SEALS - missing), false).contains("without these seals"), "{missing:?}");
        }
        let read_only = sealed(SEALS | SealFlags::FUTURE_WRITE);
        assert!(refused(&read_only, true).contains("against writing"));
        assert!(check("r", read_only.as_fd(), false).is_ok(), "it can be looked at");
        // A file of a tmpfs is sealed against further seals, and has no other.
        let on_tmpfs = File::from(
            rustix::fs::open("/dev/shm", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR)
                .unwrap(),
        );
        assert!(refused(&on_tmpfs, false).contains("without these seals"));
        for other in ["/dev/null", "/", "/proc/self/stat"] {
            assert!(refused(&File::open(other).unwrap(), false).contains("cannot be sealed"), "{other}");
        }
        let (end, _) = std::io::pipe().unwrap();
        assert!(check("r", end.as_fd(), true).is_err());
    }

    #[test]
    fn a_label_that_is_no_ring_s_is_not_taken_for_a_name() {
        for strange in ["ticks", "qads_", "qads_../x", "qads_a b"] {
            let file = rustix::fs::memfd_create(strange, MemfdFlags::CLOEXEC).unwrap();
            assert_eq!(label(&file).as_str(), ANONYMOUS, "{strange}");
        }
    }
}
