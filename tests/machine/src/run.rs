//! A run: one act in a process of its own, with a plan of what fails, and what became of it.
//!
//! Law: a run ends, by itself or by its deadline; what it tells comes by a pipe, so that the death of its process tells
//! too. The process that runs have been forked from has one thread.

#![allow(unsafe_code)]

use crate::acts::Act;
use crate::calls::{CALLS, Hope, error_name};
use crate::referee::{Plan, Seen, judge};
use crate::stage::Stage;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use qadataswap::ErrorKind;
use std::io::{PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Nothing takes longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// What an act came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameTo {
    /// It went as if nothing had failed.
    Well,
    /// An error.
    Told(ErrorKind, String),
    /// A panic, of whichever thread.
    Panic(String),
    /// The process's end before the act's, or none.
    Death(String),
    /// This kernel filters no calls.
    Refused(String),
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the act came to.
    pub came_to: CameTo,
    /// The calls it made, by their places in the table.
    pub calls: Vec<usize>,
    /// How many of them failed.
    pub failed: usize,
    /// The number of a call that is not in the table.
    pub unknown: Option<i32>,
    /// Descriptors and mappings that are left.
    pub left: (i64, i64),
}

static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Descriptors of this process, and mappings of the stage's files.
fn holdings(stage: &Stage) -> (i64, i64) {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted").count();
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let folder = stage.folder().display().to_string();
    // What has no name yet shows as the folder and a number.
    (descriptors as i64, maps.lines().filter(|line| line.contains(&folder)).count() as i64)
}

/// Plays the act; for a process that ends with it.
fn play(stage: &Stage, act: &Act, plan: Option<Plan>) -> Report {
    std::panic::set_hook(Box::new(|panic| {
        let mut first = PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert_with(|| panic.to_string());
    }));
    let before = holdings(stage);
    let part = (act.props)(stage);
    let judged = judge(plan, part);
    let after = holdings(stage);
    let left = (after.0 - before.0, after.1 - before.1);
    let (seen, came_to) = match judged {
        Ok((seen, came_to)) => (seen, came_to),
        Err(error) => {
            return Report {
                came_to: CameTo::Refused(error.to_string()),
                ..Report::of(Seen::default(), left)
            };
        }
    };
    let panic = PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let came_to = match (panic, came_to) {
        (Some(what), _) => CameTo::Panic(what),
        (None, Ok(Ok(()))) => CameTo::Well,
        (None, Ok(Err(error))) => CameTo::Told(error.kind(), error.to_string()),
        (None, Err(_)) => CameTo::Panic("without a word".to_owned()),
    };
    Report { came_to, ..Report::of(seen, left) }
}

impl Report {
    fn of(seen: Seen, left: (i64, i64)) -> Report {
        let calls = seen.calls.into_iter().map(usize::from).collect();
        Report { came_to: CameTo::Well, calls, failed: seen.failed, unknown: seen.unknown, left }
    }

    /// One line each, what the act came to last.
    fn text(&self) -> String {
        let calls: Vec<String> = self.calls.iter().map(usize::to_string).collect();
        let (tag, what) = match &self.came_to {
            CameTo::Well => ("well".to_owned(), ""),
            CameTo::Told(kind, message) => (kind.code().to_string(), message.as_str()),
            CameTo::Panic(what) => ("panic".to_owned(), what.as_str()),
            CameTo::Death(what) => ("death".to_owned(), what.as_str()),
            CameTo::Refused(what) => ("refused".to_owned(), what.as_str()),
        };
        let unknown = self.unknown.unwrap_or(-1);
        format!(
            "{}\n{} {unknown} {} {}\n{tag}\n{what}",
            calls.join(" "),
            self.failed,
            self.left.0,
            self.left.1
        )
    }

    fn parse(text: &str) -> Option<Report> {
        let mut lines = text.splitn(4, '\n');
        let calls =
            lines.next()?.split_whitespace().map(|call| call.parse().ok()).collect::<Option<Vec<_>>>()?;
        let numbers: Vec<i64> =
            lines.next()?.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let [failed, unknown, descriptors, mappings] = numbers[..] else { return None };
        let (tag, what) = (lines.next()?, lines.next()?.to_owned());
        let came_to = match tag {
            "well" => CameTo::Well,
            "panic" => CameTo::Panic(what),
            "death" => CameTo::Death(what),
            "refused" => CameTo::Refused(what),
            code => CameTo::Told(ErrorKind::from_code(code.parse().ok()?)?, what),
        };
        let unknown = i32::try_from(unknown).ok().filter(|number| *number >= 0);
        Some(Report { came_to, calls, failed: failed as usize, unknown, left: (descriptors, mappings) })
    }
}

/// Forks a process that does `deed` and ends without letting go of anything.
fn apart(deed: impl FnOnce()) -> Pid {
    // SAFETY: this process has one thread, so the child's copy of it is whole.
    match unsafe { fork() }.expect("a process can be forked") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(deed)).is_ok();
            // SAFETY: ends the process, at once.
            unsafe { libc::_exit(if well { 0 } else { 1 }) }
        }
    }
}

/// Plays an act as planned in a process of its own.
///
/// # Errors
/// A sentence on what it should not have done before the act: then nothing is shown.
///
/// # Panics
/// If there can be no process or no pipe.
pub fn run(stage: &Stage, act: &Act, plan: Option<Plan>) -> Result<Report, String> {
    if let Some(ground) = act.ground {
        let status = waitpid(apart(|| ground(stage)), None).expect("a child can be waited for");
        if !matches!(status, WaitStatus::Exited(_, 0)) {
            return Err(format!("the ground of '{}': {status:?}", act.name));
        }
    }
    let (reader, mut writer) = std::io::pipe().expect("a pipe can be had");
    let child = apart(|| {
        let report = play(stage, act, plan);
        writer.write_all(report.text().as_bytes()).expect("somebody listens");
    });
    drop(writer);
    let text = listen(reader);
    if text.is_none() {
        // Ours, and not waited for yet.
        let _ = kill(child, Signal::SIGKILL);
    }
    let status = waitpid(child, None).expect("a child can be waited for");
    let death = match (&text, status) {
        (None, _) => Some(format!("it hung for {DEADLINE:?}")),
        (Some(_), WaitStatus::Exited(_, 0)) => None,
        (Some(_), status) => Some(format!("{status:?}")),
    };
    let report = text.as_deref().and_then(Report::parse);
    let report = report.unwrap_or_else(|| Report::of(Seen::default(), (0, 0)));
    Ok(match death {
        Some(what) => Report { came_to: CameTo::Death(what), ..report },
        None => report,
    })
}

/// All that comes until the other end is closed; `None` if that takes too long.
fn listen(mut pipe: PipeReader) -> Option<String> {
    let deadline = Instant::now() + DEADLINE;
    let mut bytes = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ready = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        let time = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if poll(&mut ready, time).expect("a pipe can be waited for") == 0 {
            return None;
        }
        let mut piece = [0; 4096];
        match pipe.read(&mut piece).expect("a pipe can be read") {
            0 => return Some(String::from_utf8_lossy(&bytes).into_owned()),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// What is wrong with what an act came to after a call of it failed as planned.
#[must_use]
pub fn fault(plan: Plan, report: &Report) -> Option<String> {
    let call = &CALLS[plan.call];
    if let Some(number) = report.unknown {
        return Some(format!("it made system call {number}, which is not in the table"));
    }
    // Of a call that was to give mappings back, they are what is left.
    let mappings = if call.keeps { 0 } else { report.left.1 };
    if (report.left.0, mappings) != (0, 0) {
        return Some(format!("{} descriptors and {mappings} mappings are left", report.left.0));
    }
    let hope = call.failures.iter().find(|(errno, _)| *errno == plan.errno).map(|(_, hope)| *hope);
    match (&report.came_to, hope) {
        (CameTo::Well, _) => None,
        (CameTo::Told(kind, message), Some(Hope::Told(kinds))) if kinds.contains(kind) => {
            complaint(*kind, message, &[plan.errno, as_of_threads(plan.errno)])
        }
        (other, _) => Some(format!("{other:?}")),
    }
}

/// What the C library makes of an error when a thread cannot be started for it: that there is no memory for one it says as
/// `EAGAIN` (POSIX, `pthread_create`).
fn as_of_threads(errno: i32) -> i32 {
    if errno == libc::ENOMEM { libc::EAGAIN } else { errno }
}

/// What is wrong with a message, which may say any of `errnos`.
fn complaint(kind: ErrorKind, message: &str, errnos: &[i32]) -> Option<String> {
    let names_the_ring = message.contains("ring '");
    let says = |&errno: &i32| message.contains(&std::io::Error::from_raw_os_error(errno).to_string());
    let is_the_systems = matches!(
        kind,
        ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::MemoryMapFailed | ErrorKind::PermissionDenied
    ) || message.contains("cannot be read");
    let says_why = !is_the_systems || errnos.iter().any(says) || errnos.contains(&libc::ELOOP);
    (!names_the_ring || !says_why).then(|| format!("it says only: {message}"))
}

/// A plan, for people.
#[must_use]
pub fn describe(plan: Plan) -> String {
    let lasting = if plan.for_good { "from then on" } else { "once" };
    format!("{} number {} fails by {} {lasting}", CALLS[plan.call].name, plan.nth, error_name(plan.errno))
}
