//! A folder of rings that is the test's own, and `qads` run on it. Both end with the test, however it ends.

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nothing in a test takes longer, unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A tmpfs folder that nobody else uses.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/dev/shm/qads-cli-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a new folder in /dev/shm");
        Folder { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// The rings' files, by name.
    pub(crate) fn rings(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.path).expect("the folder is there").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.trim_start_matches('.').starts_with("qads_")).collect()
    }

    /// Runs `qads` to its end.
    pub(crate) fn qads(&self, args: &[&str]) -> Ended {
        self.start(args).end()
    }

    /// Runs `qads`, which must succeed, and returns its stdout.
    pub(crate) fn say(&self, args: &[&str]) -> String {
        let ended = self.qads(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
        ended.stdout
    }

    /// Runs `qads --json`, which must succeed, and returns its lines.
    pub(crate) fn json(&self, args: &[&str]) -> Vec<Value> {
        lines(&self.say(&[args, &["--json"]].concat()))
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_on(args, Stdio::null(), Stdio::piped())
    }

    /// Starts `qads` on a standard input and output of the test's choice.
    pub(crate) fn start_on(
        &self,
        args: &[&str],
        stdin: impl Into<Stdio>,
        stdout: impl Into<Stdio>,
    ) -> Running {
        let child = Command::new(env!("CARGO_BIN_EXE_qads"))
            .args(args)
            .arg("--directory")
            .arg(&self.path)
            .env_remove("QADATASWAP_LOG_LEVEL")
            .env_remove("QADATASWAP_DEBUG")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("qads starts");
        Running { child }
    }

    /// Runs `qads` in the folder and with these variables, without naming the folder, to its end.
    pub(crate) fn run_there(&self, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        let child = Command::new(env!("CARGO_BIN_EXE_qads"))
            .args(args)
            .current_dir(&self.path)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("qads starts");
        Running { child }.end()
    }

    /// A table of `rows` rows as a Parquet file.
    pub(crate) fn parquet(&self, rows: i64) -> String {
        let (path, table) = (self.file("table.parquet"), table(rows));
        let file = File::create(&path).expect("a new file");
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, table.schema(), None).expect("a writer");
        writer.write(&table).expect("written");
        writer.close().expect("closed");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// `qads` at work; killed if the test ends first.
pub(crate) struct Running {
    child: Child,
}

/// How `qads` ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Its PID.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard error, taken away from [`end`](Running::end).
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("taken once")
    }

    /// Kills it, and waits until it is dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it can be waited for");
    }

    /// Takes its stdout away from [`end`](Running::end).
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("taken once")
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let stdout = collect(self.child.stdout.take());
        let stderr = collect(self.child.stderr.take());
        let mut status = None;
        until("qads ends", || {
            status = self.child.try_wait().expect("it can be waited for");
            status.is_some()
        });
        Ended { code: status.and_then(|status| status.code()), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_string(&mut text).expect("UTF-8");
        }
        text
    })
}

fn text(thread: JoinHandle<String>) -> String {
    thread.join().expect("reads to the end")
}

/// Waits until `fact` holds.
pub(crate) fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let start = Instant::now();
    while !fact() {
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Lines of JSON.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// A table with numbers, nulls, and strings short and long.
pub(crate) fn table(rows: i64) -> RecordBatch {
    let price = |n: i64| (n % 3 != 0).then_some(n as f64 + 0.5);
    let name =
        |n: i64| if n % 2 == 0 { format!("s{n}") } else { format!("a string longer than a view, {n}") };
    RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(Int64Array::from_iter_values(0..rows)) as _, false),
        ("price", Arc::new(Float64Array::from_iter((0..rows).map(price))) as _, true),
        ("name", Arc::new(StringArray::from_iter_values((0..rows).map(name))) as _, false),
    ])
    .expect("three columns")
}

/// The same table as JSON rows.
pub(crate) fn table_json(rows: i64) -> Vec<Value> {
    let name =
        |n: i64| if n % 2 == 0 { format!("s{n}") } else { format!("a string longer than a view, {n}") };
    let price = |n: i64| if n % 3 != 0 { Value::from(n as f64 + 0.5) } else { Value::Null };
    (0..rows).map(|n| serde_json::json!({"n": n, "price": price(n), "name": name(n)})).collect()
}
