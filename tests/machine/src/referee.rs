//! The referee: a thread that says for each system call of another one whether it goes on or fails.
//!
//! Law: the filter sits on the act's thread and on those that it starts, not on the referee, which shares their
//! descriptors and memory. While it judges, it allocates nothing: the thread it judges may be inside the allocator.
//!
//! A call that fails is not made, but for `close`, which the kernel does whatever it says: the referee makes it.

#![allow(unsafe_code)]

use crate::calls::{FREE, is_passing, place_of};
use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_USER_NOTIF, c_int, seccomp_notif, seccomp_notif_resp, sock_filter, sock_fprog,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Which call is to fail, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its place in [`CALLS`](crate::calls::CALLS).
    pub call: usize,
    /// The first of them that fails, from 0.
    pub nth: usize,
    /// With what.
    pub errno: i32,
    /// Whether later ones do, too.
    pub for_good: bool,
}

/// How often an error that says "again" comes in a row.
const STORM: usize = 5;

impl Plan {
    fn fails(&self, nth: usize) -> bool {
        match self.for_good {
            false => nth == self.nth,
            true if is_passing(self.call, self.errno) => (self.nth..self.nth + STORM).contains(&nth),
            true => nth >= self.nth,
        }
    }
}

/// Most calls that are listed.
const MOST: usize = 1 << 16;

/// What the referee has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// The calls, by their places in the table, in order.
    pub calls: Vec<u16>,
    /// The number of a call that is not in the table.
    pub unknown: Option<i32>,
    /// How many were made to fail.
    pub failed: usize,
}

/// The architecture as filters know it, so that no other's numbers are mistaken for ours.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

const fn step(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Goes on with the next step if what is loaded is `k`, or else `skip` steps further.
const fn unless(k: u32, skip: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt: 0, jf: skip, k }
}

/// The lower half of an argument.
const fn argument(number: u32) -> sock_filter {
    step(BPF_LD | BPF_W | BPF_ABS, 16 + 8 * number)
}

fn filter() -> Vec<sock_filter> {
    let (allow, ask) =
        (step(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), step(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    let mut steps = vec![step(BPF_LD | BPF_W | BPF_ABS, 4)];
    steps.extend([sock_filter { jt: 1, ..unless(ARCHITECTURE, 0) }, allow]);
    steps.push(step(BPF_LD | BPF_W | BPF_ABS, 0));
    for (number, _) in FREE {
        steps.extend([unless(*number as u32, 1), allow]);
    }
    // Memory of the allocator's, which is neither of a file nor a stack.
    let anonymous = libc::MAP_ANONYMOUS as u32;
    let of_interest = step(BPF_ALU | BPF_AND | BPF_K, anonymous | libc::MAP_STACK as u32);
    steps.extend([
        unless(libc::SYS_mmap as u32, 5),
        argument(3),
        of_interest,
        unless(anonymous, 1),
        allow,
        ask,
    ]);
    let given_back = unless(libc::MADV_DONTNEED as u32, 1);
    steps.extend([unless(libc::SYS_madvise as u32, 4), argument(2), given_back, allow, ask]);
    steps.push(ask);
    steps
}

/// Puts the filter on this thread; returns what its calls are heard by.
fn listen() -> io::Result<c_int> {
    let mut steps = filter();
    let program = sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: `prctl` with plain numbers; `seccomp` reads the program, which lives until it returns.
    let listener = unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    if listener < 0 { Err(io::Error::last_os_error()) } else { Ok(listener as c_int) }
}

/// What an act's thread and its referee tell each other.
struct Line {
    /// 0: not yet; below: minus the errno for which there is none; above: the descriptor.
    listener: AtomicI32,
    /// The act's thread, as the kernel knows it.
    thread: AtomicI32,
    over: AtomicBool,
}

/// Runs `act` in a thread of its own with its system calls judged by `plan`, if there is one; returns what was seen and
/// what became of it. `Err` where the kernel does not let a process filter its calls.
///
/// # Errors
/// What the kernel says.
///
/// # Panics
/// If there can be no thread.
pub fn judge<T: Send + 'static>(
    plan: Option<Plan>,
    act: impl FnOnce() -> T + Send + 'static,
) -> io::Result<(Seen, std::thread::Result<T>)> {
    static LINE: Line =
        Line { listener: AtomicI32::new(0), thread: AtomicI32::new(0), over: AtomicBool::new(false) };
    let mut seen = Seen { calls: Vec::with_capacity(MOST), ..Seen::default() };
    let thread = std::thread::spawn(move || {
        LINE.thread.store(nix::unistd::gettid().as_raw(), Ordering::Relaxed);
        let listener = listen().unwrap_or_else(|error| -error.raw_os_error().unwrap_or(libc::EIO));
        LINE.listener.store(listener, Ordering::Release);
        if listener < 0 {
            return None;
        }
        let came_to = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        LINE.over.store(true, Ordering::Release);
        Some(came_to)
    });
    let listener = loop {
        match LINE.listener.load(Ordering::Acquire) {
            0 => std::thread::yield_now(),
            failed if failed < 0 => return Err(io::Error::from_raw_os_error(-failed)),
            // SAFETY: just made, by the act's thread, which does not use it.
            listener => break unsafe { OwnedFd::from_raw_fd(listener) },
        }
    };
    serve(&listener, plan, &LINE, &mut seen)?;
    // Some thread of the library's may still wait; it is let go on with, in vain, by the end of the listener.
    let came_to = thread.join().expect("it catches what the act throws");
    Ok((seen, came_to.expect("it has a listener")))
}

fn serve(listener: &OwnedFd, plan: Option<Plan>, line: &Line, seen: &mut Seen) -> io::Result<()> {
    let mut nth = 0;
    let thread = line.thread.load(Ordering::Relaxed) as u32;
    // Also what it calls when the act is over is to be answered.
    while is_of_this_process(thread) {
        let mut ready = [PollFd::new(std::os::fd::AsFd::as_fd(listener), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::from(2u8)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events = ready[0].revents().unwrap_or(PollFlags::empty());
        if events.contains(PollFlags::POLLIN) {
            answer(listener, plan, line, &mut nth, seen)?;
        } else if events.contains(PollFlags::POLLHUP) {
            // Nobody is left under the filter.
            return Ok(());
        }
    }
    Ok(())
}

/// Answers one call.
fn answer(
    listener: &OwnedFd,
    plan: Option<Plan>,
    line: &Line,
    nth: &mut usize,
    seen: &mut Seen,
) -> io::Result<()> {
    // SAFETY: plain numbers, for which zeros are a value; the kernel wants them zero.
    let mut notice: seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills in a structure of its own form.
    if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) } != 0 {
        return match Errno::last() {
            // Whoever called has ended meanwhile.
            Errno::ENOENT | Errno::EINTR => Ok(()),
            error => Err(error.into()),
        };
    }
    let data = notice.data;
    let mut fails = false;
    if !line.over.load(Ordering::Acquire) {
        let place = place_of(data.nr.into(), &data.args);
        match place {
            Some(place) if seen.calls.len() < MOST => seen.calls.push(place as u16),
            Some(_) => {}
            None => seen.unknown = Some(data.nr),
        }
        if let Some(plan) = plan.filter(|plan| place == Some(plan.call)) {
            fails = plan.fails(*nth);
            *nth += 1;
        }
    }
    // SAFETY: as above.
    let mut response: seccomp_notif_resp = unsafe { std::mem::zeroed() };
    response.id = notice.id;
    match plan.filter(|_| fails) {
        Some(plan) => {
            seen.failed += 1;
            response.error = -plan.errno;
            if i64::from(data.nr) == libc::SYS_close && is_of_this_process(notice.pid) {
                // SAFETY: what its owner asked for, and is told to have failed.
                unsafe { libc::close(data.args[0] as c_int) };
            }
        }
        None => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
    }
    // SAFETY: a structure of the kernel's form.
    if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response) } != 0
    {
        return match Errno::last() {
            Errno::ENOENT | Errno::EINPROGRESS => Ok(()),
            error => Err(error.into()),
        };
    }
    Ok(())
}

/// Whether the thread is one of this process's, and not of one that it has forked.
fn is_of_this_process(thread: u32) -> bool {
    // SAFETY: a signal of number 0 only asks.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, 0) == 0 }
}
