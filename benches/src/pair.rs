//! Two processes, each on a core of its own: this one, and a copy of this program that plays a part.
//!
//! A program that measures calls [`part`] first: in the copy it says which part to play, and with which words.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// The environment variable by which a copy knows its part.
const PART: &str = "QADATASWAP_BENCH_PART";
/// The one that names the cores.
const CORES_OF: &str = "QADATASWAP_BENCH_CORES";

/// A copy of this program at the other core.
#[derive(Debug)]
pub struct Partner {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Partner {
    /// Starts one with a part and its words, and waits until it is ready.
    ///
    /// # Errors
    /// If it cannot be started, or ends before it is ready.
    pub fn start(part: &str, words: &[&str]) -> io::Result<Partner> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(PART, part)
            .env(CORES_OF, cores().iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let says = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut partner = Partner { child, says: BufReader::new(says) };
        match partner.line()?.as_str() {
            "ready" => Ok(partner),
            other => Err(io::Error::other(format!("{part} says {other:?} instead of being ready"))),
        }
    }

    /// The next line that it says.
    ///
    /// # Errors
    /// If it says nothing any more.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.says.read_line(&mut line)? {
            0 => Err(io::Error::other(format!("a partner has ended: {}", self.child.wait()?))),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// If it ended badly.
    pub fn end(mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("a partner ended: {status}"))) }
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        // One that has ended is not there any more; one that has not measures for nobody.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The part that this copy is to play, and its words; `None` in the process that measures.
#[must_use]
pub fn part() -> Option<(String, Vec<String>)> {
    Some((std::env::var(PART).ok()?, std::env::args().skip(1).collect()))
}

/// Says a line to the process that measures.
///
/// # Errors
/// If it is gone.
pub fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The cores that the process which measures could use when it began: a copy would find only its parent's.
fn cores() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        if let Ok(text) = std::env::var(CORES_OF) {
            return text.split(',').filter_map(|core| core.parse().ok()).collect();
        }
        let usable = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        (0..CpuSet::count()).filter(|&core| usable.is_set(core).unwrap_or(false)).collect()
    })
}

/// Whether there are two cores at least: with one, nothing that spins can be measured.
#[must_use]
pub fn are_two() -> bool {
    cores().len() > 1
}

/// Moves this thread to the `which`-th core, counted round.
///
/// # Errors
/// If the kernel does not let it.
pub fn settle(which: usize) -> io::Result<()> {
    let mut own = CpuSet::new();
    own.set(cores()[which % cores().len()])?;
    Ok(sched_setaffinity(Pid::from_raw(0), &own)?)
}
