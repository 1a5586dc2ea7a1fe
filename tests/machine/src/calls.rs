//! The table: every system call that may be made, the errors that the kernel may give it, and what may become of each.
//!
//! Law: an error stands here if `man 2` or the kernel's source gives it for calls such as ours, on a tmpfs or whatever
//! else may lie under a configured folder, or if a common filter of system calls does (`ENOSYS`, `EPERM`). Not listed
//! is what would be a defect of the caller (`EBADF`, `EFAULT`, most of `EINVAL`).

use libc::{
    EACCES, EAGAIN, EBUSY, EDQUOT, EEXIST, EFBIG, EINTR, EINVAL, EIO, ELOOP, EMFILE, EMLINK, ENFILE, ENODEV,
    ENOENT, ENOLCK, ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, EROFS, ETIMEDOUT, c_long,
};
use qadataswap::ErrorKind::{
    self, Busy, InvalidConfig, Io, MemoryMapFailed, NoSpace, PermissionDenied, TooManyReaders, Unsupported,
    WriterExists,
};

/// What an act may come to when a call of it has failed.
#[derive(Clone, Copy, Debug)]
pub enum Hope {
    /// As if nothing had happened: there is another way, or the call is made again.
    Mended,
    /// As if nothing had happened, or an error of one of these kinds.
    Told(&'static [ErrorKind]),
}

use Hope::{Mended, Told};

/// A system call as the table knows it.
#[derive(Clone, Copy)]
pub struct Call {
    /// Its name, with what tells it from others of its number.
    pub name: &'static str,
    numbers: &'static [c_long],
    /// Which of its number are meant.
    is_meant: fn(&[u64; 6]) -> bool,
    /// How it may fail.
    pub failures: &'static [(i32, Hope)],
    /// Whether what it was to give back stays, if it fails: then nothing can be expected of mappings.
    pub keeps: bool,
}

const fn call(name: &'static str, numbers: &'static [c_long], failures: &'static [(i32, Hope)]) -> Call {
    Call { name, numbers, is_meant: |_| true, failures, keeps: false }
}

const fn one_of(call: Call, is_meant: fn(&[u64; 6]) -> bool) -> Call {
    Call { is_meant, ..call }
}

const FULL: Hope = Told(&[NoSpace]);
const IO: Hope = Told(&[Io]);
/// A file of settings that cannot be read makes the configuration invalid.
const READ: Hope = Told(&[Io, InvalidConfig]);
const MAP: Hope = Told(&[MemoryMapFailed]);
const DENIED: Hope = Told(&[PermissionDenied]);
/// For what is done as the last act of a handle: nobody can be told, and what is left is found by others.
const SILENT: Hope = Mended;
/// Looking at a file happens before mapping it, too.
const LOOK: Hope = Told(&[Io, MemoryMapFailed, InvalidConfig]);

/// Calls that are let through unseen: `(number, why)`.
pub const FREE: &[(c_long, &str)] = &[
    (libc::SYS_exit, "does not return"),
    (libc::SYS_exit_group, "does not return"),
    (libc::SYS_rt_sigreturn, "does not return"),
    (libc::SYS_getpid, "cannot fail"),
    (libc::SYS_gettid, "cannot fail"),
    (libc::SYS_getuid, "cannot fail"),
    (libc::SYS_geteuid, "cannot fail"),
    (libc::SYS_sched_yield, "cannot fail"),
    (libc::SYS_rt_sigprocmask, "fails for bad arguments only"),
    (libc::SYS_rt_sigaction, "fails for bad arguments only"),
    (libc::SYS_sigaltstack, "the language's, at the start and the end of a thread"),
    (libc::SYS_sched_getaffinity, "the language's, at the start of a thread"),
    (libc::SYS_set_robust_list, "the C library's, at the start of a thread"),
    (libc::SYS_rseq, "the C library's, at the start of a thread"),
    (libc::SYS_prctl, "the language's, naming a thread: without one it goes on"),
    (libc::SYS_brk, "the allocator's: no memory is the end of any program in Rust"),
    (libc::SYS_mprotect, "the allocator's"),
    (libc::SYS_mremap, "the allocator's"),
    (libc::SYS_wait4, "the test's own"),
];

/// Some architectures have older calls beside those that say which folder is meant.
const OPEN: &[c_long] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];
const RENAME: &[c_long] = &[
    libc::SYS_renameat,
    libc::SYS_renameat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
];
const UNLINK: &[c_long] = &[
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];
const MKDIR: &[c_long] = &[
    libc::SYS_mkdirat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
];

/// All others.
pub const CALLS: &[Call] = &[
    call(
        "open",
        OPEN,
        &[
            (EMFILE, READ),
            (ENFILE, READ),
            (ENOMEM, READ),
            (EIO, READ),
            (EINTR, Mended),
            (EACCES, Told(&[PermissionDenied, InvalidConfig])),
            (EROFS, Told(&[PermissionDenied, InvalidConfig])),
            (ELOOP, Told(&[PermissionDenied, Io, InvalidConfig])),
            (ENOSPC, Told(&[NoSpace, Io, InvalidConfig])),
            (EDQUOT, Told(&[NoSpace, Io, InvalidConfig])),
            (EOPNOTSUPP, Told(&[Unsupported, Io, InvalidConfig])),
        ],
    ),
    call("close", &[libc::SYS_close], &[(EINTR, Mended), (EIO, Mended), (ENOSPC, Mended), (EDQUOT, Mended)]),
    call("fchmod", &[libc::SYS_fchmod], &[(EPERM, DENIED), (EIO, IO), (EROFS, DENIED)]),
    call(
        "fchown",
        &[libc::SYS_fchown],
        &[(EPERM, DENIED), (EIO, IO), (EROFS, DENIED), (EDQUOT, Told(&[Io, NoSpace]))],
    ),
    call(
        "ftruncate",
        &[libc::SYS_ftruncate],
        &[(EFBIG, FULL), (ENOSPC, FULL), (EINTR, Mended), (EIO, IO), (EPERM, Told(&[PermissionDenied, Io]))],
    ),
    call(
        "fallocate",
        &[libc::SYS_fallocate],
        &[
            (ENOSPC, FULL),
            (EDQUOT, FULL),
            (EFBIG, FULL),
            (ENOMEM, FULL),
            (EINTR, Mended),
            (EIO, IO),
            (ENODEV, IO),
            (EPERM, DENIED),
            (EOPNOTSUPP, Told(&[Unsupported])),
        ],
    ),
    call(
        "pwrite64",
        &[libc::SYS_pwrite64],
        &[
            (ENOSPC, FULL),
            (EDQUOT, FULL),
            (EFBIG, FULL),
            (EINTR, Mended),
            (EIO, IO),
            (EPERM, Told(&[PermissionDenied, Io])),
        ],
    ),
    call("pread64", &[libc::SYS_pread64], &[(EIO, IO), (ENOMEM, IO), (EINTR, Mended)]),
    call("read", &[libc::SYS_read], &[(EIO, READ), (ENOMEM, READ), (EINTR, Mended)]),
    call("lseek", &[libc::SYS_lseek], &[(EIO, READ)]),
    one_of(
        call(
            "mmap of a file",
            &[libc::SYS_mmap],
            &[(ENOMEM, MAP), (EAGAIN, MAP), (EACCES, MAP), (EPERM, MAP), (ENFILE, MAP), (ENODEV, MAP)],
        ),
        |arguments| arguments[3] & libc::MAP_ANONYMOUS as u64 == 0,
    ),
    one_of(call("mmap of a stack", &[libc::SYS_mmap], &[(ENOMEM, IO), (EAGAIN, IO)]), |arguments| {
        arguments[2] == libc::PROT_NONE as u64
    }),
    // The language's, as a thread starts; without it the language ends the process.
    call("mmap of a signal's stack", &[libc::SYS_mmap], &[]),
    one_of(call("madvise DONTFORK", &[libc::SYS_madvise], &[(ENOMEM, MAP), (EAGAIN, MAP)]), |arguments| {
        arguments[2] == libc::MADV_DONTFORK as u64
    }),
    one_of(
        // EINVAL: before Linux 5.14.
        call(
            "madvise POPULATE_WRITE",
            &[libc::SYS_madvise],
            &[(ENOMEM, MAP), (EINTR, Mended), (EAGAIN, Mended), (EINVAL, MAP)],
        ),
        |arguments| arguments[2] == libc::MADV_POPULATE_WRITE as u64,
    ),
    Call { keeps: true, ..call("munmap", &[libc::SYS_munmap], &[(ENOMEM, SILENT)]) },
    one_of(
        call(
            "fcntl F_OFD_SETLK",
            &[libc::SYS_fcntl],
            // That others have the lock is what EAGAIN says.
            &[
                (EINTR, Mended),
                (ENOLCK, IO),
                (EAGAIN, Told(&[Busy, WriterExists, TooManyReaders, InvalidConfig])),
            ],
        ),
        |arguments| arguments[1] == libc::F_OFD_SETLK as u64,
    ),
    one_of(call("fcntl F_OFD_GETLK", &[libc::SYS_fcntl], &[(ENOMEM, IO)]), |arguments| {
        arguments[1] == libc::F_OFD_GETLK as u64
    }),
    // The language's, which makes sure of what it closes.
    one_of(call("fcntl F_GETFD", &[libc::SYS_fcntl], &[]), |arguments| arguments[1] == libc::F_GETFD as u64),
    call("fstat", &[libc::SYS_fstat], &[(ENOMEM, LOOK), (EIO, LOOK)]),
    call(
        "statx",
        &[libc::SYS_statx],
        &[(ENOMEM, LOOK), (EIO, LOOK), (EACCES, Told(&[PermissionDenied, MemoryMapFailed, InvalidConfig]))],
    ),
    call("newfstatat", &[libc::SYS_newfstatat], &[(ENOMEM, LOOK), (EIO, LOOK)]),
    call(
        "linkat",
        &[libc::SYS_linkat],
        &[
            (EEXIST, IO),
            (ENOSPC, FULL),
            (EDQUOT, FULL),
            (EACCES, DENIED),
            (EPERM, DENIED),
            (EROFS, DENIED),
            (EMLINK, IO),
            (ENOMEM, IO),
            (EIO, IO),
            (ENOENT, IO),
        ],
    ),
    call(
        "rename",
        RENAME,
        &[
            (EACCES, DENIED),
            (EPERM, DENIED),
            (EROFS, DENIED),
            (EBUSY, IO),
            (ENOSPC, FULL),
            (EDQUOT, FULL),
            (EIO, IO),
            (ENOMEM, IO),
        ],
    ),
    call(
        "unlink",
        UNLINK,
        &[(EACCES, DENIED), (EPERM, DENIED), (EROFS, DENIED), (EBUSY, IO), (EIO, IO), (ENOMEM, IO)],
    ),
    call("getdents64", &[libc::SYS_getdents64], &[(EIO, IO), (ENOMEM, IO)]),
    call(
        "mkdir",
        MKDIR,
        &[
            (ENOSPC, FULL),
            (EDQUOT, FULL),
            (EACCES, DENIED),
            (EROFS, DENIED),
            (EPERM, DENIED),
            (ENOMEM, IO),
            (EIO, IO),
            (EMLINK, IO),
        ],
    ),
    call(
        "fsync",
        &[libc::SYS_fsync],
        &[(EIO, IO), (ENOSPC, FULL), (EDQUOT, FULL), (EINTR, Mended), (EINVAL, IO)],
    ),
    call(
        "fdatasync",
        &[libc::SYS_fdatasync],
        &[(EIO, IO), (ENOSPC, FULL), (EDQUOT, FULL), (EINTR, Mended), (EINVAL, IO)],
    ),
    one_of(call("futex wait", &[libc::SYS_futex], &[(EINTR, Mended), (EAGAIN, Mended)]), |arguments| {
        matches!(arguments[1] as i32 & libc::FUTEX_CMD_MASK, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET)
    }),
    call("futex wake", &[libc::SYS_futex], &[]),
    call(
        "futex_waitv",
        &[libc::SYS_futex_waitv],
        &[
            (ENOSYS, Mended),
            (EPERM, Mended),
            (EINTR, Mended),
            (EAGAIN, Mended),
            (ETIMEDOUT, Mended),
            (ENOMEM, Mended),
        ],
    ),
    // ENOSYS: containers refuse it so that the C library takes the older call.
    call("clone3", &[libc::SYS_clone3], &[(EAGAIN, IO), (ENOMEM, IO), (ENOSYS, Mended)]),
    call("clone", &[libc::SYS_clone], &[(EAGAIN, IO), (ENOMEM, IO)]),
    call("kill", &[libc::SYS_kill], &[(EPERM, Mended)]),
    call("getrandom", &[libc::SYS_getrandom], &[(EINTR, Mended)]),
    // Infallible for one's own limits.
    call("prlimit64", &[libc::SYS_prlimit64], &[]),
    call("clock_nanosleep", &[libc::SYS_clock_nanosleep], &[(EINTR, Mended)]),
];

/// The place in [`CALLS`] of a call.
#[must_use]
pub fn place_of(number: c_long, arguments: &[u64; 6]) -> Option<usize> {
    CALLS.iter().position(|call| call.numbers.contains(&number) && (call.is_meant)(arguments))
}

/// The name of an error, as people search for it.
#[must_use]
pub fn error_name(errno: i32) -> String {
    format!("{:?}", nix::errno::Errno::from_raw(errno))
}

/// Whether the failure passes: of signals there is an end, and whoever has a lock gives it back.
#[must_use]
pub fn is_passing(call: usize, errno: i32) -> bool {
    let hope = CALLS[call].failures.iter().find(|(failure, _)| *failure == errno);
    match hope {
        Some((EINTR, _)) | Some((EAGAIN, Mended)) => true,
        Some((EAGAIN, Told(kinds))) => kinds.contains(&Busy),
        _ => false,
    }
}
