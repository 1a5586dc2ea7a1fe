//! Actors: processes of their own that play a [`Role`], started, listened to, killed and waited for here.
//!
//! Law: an actor never outlives its handle, and one that ends otherwise than well or by [`Actor::kill`] fails
//! the test that holds it.

use crate::deadline::PATIENCE;
use crate::role::{Line, Role, Tally};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A running actor.
#[derive(Debug)]
pub struct Actor {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Line>,
    role: String,
    language: &'static str,
    waited: bool,
}

/// The actors' program.
///
/// # Panics
/// If the running test is not where cargo puts tests.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    folder.join("qadataswap-actor")
}

impl Actor {
    /// Starts an actor.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(role: &Role) -> Actor {
        Actor::start_program(&program(), role)
    }

    /// Starts an actor that another program plays.
    pub(crate) fn start_program(program: &Path, role: &Role) -> Actor {
        Actor::start_by(Command::new(program), role)
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", program.display()))
    }

    /// Starts an actor as another user. Only root may.
    ///
    /// # Errors
    /// If it cannot be started, for instance because that user may not reach the program.
    pub fn start_as(uid: u32, role: &Role) -> std::io::Result<Actor> {
        let mut command = Command::new(program());
        command.uid(uid).gid(uid);
        Actor::start_by(command, role)
    }

    /// Starts an actor in a mount namespace in which `folder` is a tmpfs of `bytes`.
    ///
    /// # Errors
    /// If it cannot be started; whether the kernel let it mount shows in the first line.
    pub fn start_on_tmpfs(folder: &Path, bytes: u64, role: &Role) -> std::io::Result<Actor> {
        let mut command = Command::new("unshare");
        command.args(if nix::unistd::geteuid().is_root() { &["-m"][..] } else { &["-r", "-m"] });
        command.args([
            "sh",
            "-c",
            r#"mount -t tmpfs -o "size=$1" tmpfs "$2" || exit 77; shift 2; exec "$@""#,
        ]);
        command.arg("sh").arg(bytes.to_string()).arg(folder).arg(program());
        Actor::start_by(command, role)
    }

    /// Starts an actor in a mount namespace in which nothing is in `/proc`.
    ///
    /// # Errors
    /// As [`start_on_tmpfs`](Actor::start_on_tmpfs).
    pub fn start_without_proc(role: &Role) -> std::io::Result<Actor> {
        let mut command = Command::new("unshare");
        command.args(if nix::unistd::geteuid().is_root() { &["-m"][..] } else { &["-r", "-m"] });
        command.args(["sh", "-c", r#"mount -t tmpfs tmpfs /proc || exit 77; exec "$@""#]);
        command.arg("sh").arg(program());
        Actor::start_by(command, role)
    }

    /// Starts an actor in a PID namespace of its own, in which it is process 1.
    ///
    /// # Errors
    /// If it cannot be started; whether the kernel lets it shows in the first line.
    pub fn start_in_pid_namespace(role: &Role) -> std::io::Result<Actor> {
        let mut command = Command::new("unshare");
        command.args(if nix::unistd::geteuid().is_root() { &["-p"][..] } else { &["-r", "-p"] });
        command.args(["-f", "--kill-child", "--mount-proc"]).arg(program());
        Actor::start_by(command, role)
    }

    pub(crate) fn start_by(mut command: Command, role: &Role) -> std::io::Result<Actor> {
        let role = serde_json::to_string(role).map_err(std::io::Error::other)?;
        let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
        let language = match &*program {
            name if name.starts_with("python") => "Python",
            name if name.contains("cpp") => "C++",
            _ => "Rust",
        };
        let mut child = command
            .arg(&role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                // The last line of an actor that was killed may be cut short.
                let Some(line) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Ok(Actor { child, input, lines, role, language, waited: false })
    }

    /// Its PID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The language that it is played in.
    #[must_use]
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// Number of descriptors that it has open.
    ///
    /// # Panics
    /// If it is gone.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it lives").count()
    }

    /// The next thing it says within `time`; `None` if it says nothing or has ended.
    #[must_use]
    pub fn line_within(&self, time: Duration) -> Option<Line> {
        self.lines.recv_timeout(time).ok()
    }

    /// The next thing it says.
    ///
    /// # Panics
    /// If it says nothing within [`PATIENCE`].
    #[must_use]
    #[track_caller]
    pub fn line(&self) -> Line {
        self.line_within(PATIENCE).unwrap_or_else(|| panic!("silence from {}", self.role))
    }

    /// Waits until it says `expected`.
    ///
    /// # Panics
    /// If it says anything else, or nothing.
    #[track_caller]
    pub fn says(&self, expected: &Line) {
        let line = self.line();
        assert!(line == *expected, "{line:?} instead of {expected:?} from {}", self.role);
    }

    /// Waits until it has opened its ring; returns the next frame's sequence.
    ///
    /// # Panics
    /// If it has not.
    #[track_caller]
    pub fn opens(&self) -> u64 {
        match self.line() {
            Line::Open { next, .. } => next,
            line => panic!("{line:?} instead of Open from {}", self.role),
        }
    }

    /// Waits until the stream has ended for it.
    ///
    /// # Panics
    /// If it has not.
    #[track_caller]
    pub fn ends(&self) -> Tally {
        match self.line() {
            Line::Ended(tally) => tally,
            line => panic!("{line:?} instead of Ended from {}", self.role),
        }
    }

    /// Tells it to come to its end: its input ends.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Sends it a line.
    ///
    /// # Panics
    /// If its input has ended.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        writeln!(input, "{line}").expect("it listens");
    }

    /// Kills it by SIGKILL and waits until it is gone; its input stays open for its children.
    ///
    /// # Panics
    /// If it had ended by itself, and not well.
    #[track_caller]
    pub fn kill(&mut self) {
        let status = self.put_down();
        if status.signal() != Some(9) && !status.success() {
            let rest: Vec<Line> = self.lines.try_iter().collect();
            panic!("{status} before it was killed, {rest:?} from {}", self.role);
        }
    }

    /// Kills it, however it fares, and waits until it is gone; returns how it ended.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn put_down(&mut self) -> ExitStatus {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.waited = true;
        self.child.wait().expect("a child can be waited for")
    }

    /// Ends its input and waits for it to end.
    ///
    /// # Panics
    /// If it takes longer than [`PATIENCE`].
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        self.close();
        self.ended_within(PATIENCE).unwrap_or_else(|| panic!("{} does not end", self.role))
    }

    /// Waits for it to end for at most this long.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn ended_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.waited = true;
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// What it says until its end.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.lines.iter()
    }

    /// Ends its input, waits for it to end, and expects that it ended well and says nothing more.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn finish(mut self) {
        let status = self.ended();
        let rest: Vec<Line> = self.lines.iter().filter(|line| *line != Line::Done).collect();
        assert!(status.success() && rest.is_empty(), "{status}, {rest:?} from {}", self.role);
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let failed = match self.child.try_wait() {
            // Whoever asked for its end has judged it.
            Ok(Some(status)) if !self.waited => !status.success(),
            _ => false,
        };
        if !self.waited {
            self.put_down();
        }
        if failed && !std::thread::panicking() {
            panic!("{:?} ended {} by itself", self.child.wait(), self.role);
        }
    }
}
