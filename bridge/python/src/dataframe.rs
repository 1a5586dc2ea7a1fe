//! One handle for either end of a ring: the noun that every language has.

use crate::error::raise;
use crate::handover::{self, Descriptor};
use crate::library::{ARROW, Form, POLARS, hand_out};
use crate::loan::Loan;
use crate::log;
use crate::options::{Common, Milliseconds, Patience, ReaderOptions, Wait, WriterOptions};
use crate::schema::schema_of;
use crate::shared::{Origin, SLICE, WriterCell, deadline, slice};
use crate::table::Source;
use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use qadataswap::{QADataSwapError, Reader, Result, SharedMemoryConfig, Stats, ffi};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A named stream of tables in shared memory: its writing or its reading end.
///
/// Made by `create_writer` and `create_reader`. May be used by several threads.
///
/// >>> import polars as pl
/// >>> with qadataswap.SharedDataFrame.create_writer("doc", size_mb=1) as writer:
/// ...     writer.write(pl.DataFrame({"a": [1, 2, 3]}))
/// ...     with qadataswap.SharedDataFrame.create_reader("doc") as reader:
/// ...         reader.read()["a"].to_list()
/// 0
/// [1, 2, 3]
#[pyclass(frozen, module = "qadataswap", weakref)]
pub(crate) struct SharedDataFrame {
    end: End,
    closed: AtomicBool,
}

enum End {
    Writer(Arc<WriterCell>),
    Reader(Arc<ReaderCell>),
}

struct ReaderCell {
    reader: Mutex<Reader>,
    name: Arc<str>,
    origin: Origin,
}

/// A timeout for ever, as a default.
const FOREVER: Milliseconds = Milliseconds(None);
const AS_CONFIGURED: Patience = Patience(None);

impl SharedDataFrame {
    fn new(end: End) -> SharedDataFrame {
        SharedDataFrame { end, closed: AtomicBool::new(false) }
    }

    fn name(&self) -> &str {
        match &self.end {
            End::Writer(writer) => writer.name(),
            End::Reader(reader) => &reader.name,
        }
    }

    fn writer(&self) -> PyResult<&Arc<WriterCell>> {
        match &self.end {
            End::Writer(writer) => Ok(writer),
            End::Reader(reader) => Err(wrong_role(&reader.name, "reader", "writer")),
        }
    }

    /// Runs `act` on the reader; to be called detached.
    ///
    /// # Errors
    /// Those of `act`; [`WrongRole`](QADataSwapError::WrongRole) on a writer.
    pub(crate) fn with_reader<T>(&self, act: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        match &self.end {
            End::Reader(cell) => act(&cell.reader.lock()),
            End::Writer(writer) => Err(QADataSwapError::WrongRole {
                ring: writer.name().to_owned(),
                is: "writer",
                needs: "reader",
            }),
        }
    }

    fn reader(&self) -> PyResult<&Arc<ReaderCell>> {
        match &self.end {
            End::Reader(reader) => Ok(reader),
            End::Writer(writer) => Err(wrong_role(writer.name(), "writer", "reader")),
        }
    }
}

#[cold]
fn wrong_role(ring: &str, is: &'static str, needs: &'static str) -> PyErr {
    raise(QADataSwapError::WrongRole { ring: ring.to_owned(), is, needs })
}

impl ReaderCell {
    /// # Errors
    /// `Forked`, in a forked child.
    fn lock(&self) -> Result<MutexGuard<'_, Reader>> {
        self.origin.check(&self.name)?;
        Ok(self.reader.lock())
    }

    /// The next frame, waiting until `deadline` at most, in slices, after each of which signals are answered. A frame
    /// is taken only when it is handed out.
    fn read(&self, py: Python<'_>, timeout: Option<Duration>) -> PyResult<Option<ffi::Frame>> {
        if timeout == Some(Duration::ZERO) {
            return py.detach(|| self.lock()?.read_ffi(Duration::ZERO)).map_err(raise);
        }
        if let Some(frame) = self.try_read(py)? {
            return Ok(Some(frame));
        }
        let deadline = deadline(timeout);
        loop {
            // Waiting takes no lock, so that another thread may close the reader meanwhile.
            py.detach(|| {
                let waiter = self.lock()?.waiter()?;
                Ok(waiter.wait(slice(deadline)))
            })
            .map_err(raise)?;
            // Before a frame is taken, which a handler that raises would lose.
            py.check_signals()?;
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let read = py.detach(|| match late {
                // Also counts the timeout, and looks whether the writer is alive.
                true => self.lock()?.read_ffi(Duration::ZERO),
                // Tells of the writer's death too, if the wait has found it.
                false => self.lock()?.try_read_ffi(),
            });
            let read = read.map_err(raise)?;
            if read.is_some() || late {
                return Ok(read);
            }
        }
    }

    fn try_read(&self, py: Python<'_>) -> PyResult<Option<ffi::Frame>> {
        py.detach(|| self.lock()?.try_read_ffi()).map_err(raise)
    }
}

impl ReaderCell {
    /// What `take` takes, in its form.
    fn hand_out<'py>(
        &self,
        py: Python<'py>,
        form: Form,
        take: impl FnOnce(&Self) -> PyResult<Option<ffi::Frame>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        hand_out(py, form, &self.name, || take(self))
    }
}

#[pymethods]
impl SharedDataFrame {
    /// Creates a ring, or takes over one whose writer is gone.
    ///
    /// What is not given is as the environment or `qadataswap.yaml` (or `config_file`) have it, or else the default:
    /// 100 MiB in 3 buffers, 64 readers, `when_full="block"` for 5,000 ms without a second try, no compression.
    /// `write_timeout_ms` of None or below zero is for ever.
    ///
    /// With `memfd` the ring has no name, but a descriptor: see `fileno`. With `fd`, the ring behind a descriptor is taken
    /// over, which has its size already; it is called what its creator called it unless a name is given.
    #[staticmethod]
    #[pyo3(signature = (name=None, size_mb=None, buffer_count=None, *, slot_bytes=None, max_readers=None, when_full=None,
        write_timeout_ms=AS_CONFIGURED, retry_count=None, compression=None, compression_level=3, prefault=None,
        mode=0o600, owner=None, group=None, trusted_owners=vec![], directory=None, wait=None, config_file=None,
        keep_unread=false, memfd=false, fd=None, _stream=None),
        text_signature = "(name=None, size_mb=None, buffer_count=None, *, slot_bytes=None, max_readers=None, when_full=None, write_timeout_ms=..., retry_count=None, compression=None, compression_level=3, prefault=None, mode=0o600, owner=None, group=None, trusted_owners=(), directory=None, wait='balanced', config_file=None, keep_unread=False, memfd=False, fd=None, _stream=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the call")]
    fn create_writer(
        py: Python<'_>,
        name: Option<String>,
        size_mb: Option<f64>,
        buffer_count: Option<usize>,
        slot_bytes: Option<u64>,
        max_readers: Option<usize>,
        when_full: Option<String>,
        write_timeout_ms: Patience,
        retry_count: Option<u32>,
        compression: Option<String>,
        compression_level: i32,
        prefault: Option<bool>,
        mode: u32,
        owner: Option<u32>,
        group: Option<u32>,
        trusted_owners: Vec<u32>,
        directory: Option<PathBuf>,
        wait: Option<Wait>,
        config_file: Option<PathBuf>,
        keep_unread: bool,
        memfd: bool,
        fd: Option<Descriptor>,
        _stream: Option<(Option<u64>,)>,
    ) -> PyResult<SharedDataFrame> {
        let name = handover::name_of(name, fd)?;
        let options = WriterOptions {
            common: Common { name, directory, trusted_owners, wait, config_file },
            buffer_count,
            size_mb,
            slot_bytes,
            max_readers,
            when_full,
            write_timeout: write_timeout_ms,
            retry_count,
            compression,
            compression_level,
            prefault,
            mode,
            owner,
            group,
        };
        let mut config = options.config().map_err(raise)?.with_keep_unread(keep_unread).with_memfd(memfd);
        if let Some((total_rows,)) = _stream {
            config = config.with_stream(total_rows);
        }
        let cell = py.detach(|| WriterCell::new(config, fd)).map_err(raise)?;
        log::flush(py);
        Ok(SharedDataFrame::new(End::Writer(cell)))
    }

    /// Attaches to a ring.
    ///
    /// `attach_timeout_ms` is how long to wait for the ring to come into being; not at all unless given, or configured.
    /// `policy="observer"` needs read permission only, takes no place and holds nobody up; it copies each frame, and
    /// `frame.missed` counts those that it was too late for.
    ///
    /// `prefault` maps all of a ring that its writer has prefaulted: slower to attach, no page is cold afterwards.
    ///
    /// With `fd`, a descriptor's number or something with `fileno()`, attaches to the ring without a name behind it. The
    /// descriptor stays the caller's and may be closed then.
    #[staticmethod]
    #[pyo3(signature = (name=None, *, policy="lossless", start="oldest", validation="form",
        attach_timeout_ms=AS_CONFIGURED, prefault=None, trusted_owners=vec![], directory=None, wait=None,
        config_file=None, fd=None),
        text_signature = "(name=None, *, policy='lossless', start='oldest', validation='form', attach_timeout_ms=..., prefault=None, trusted_owners=(), directory=None, wait='balanced', config_file=None, fd=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the call")]
    fn create_reader(
        py: Python<'_>,
        name: Option<String>,
        policy: &str,
        start: &str,
        validation: &str,
        attach_timeout_ms: Patience,
        prefault: Option<bool>,
        trusted_owners: Vec<u32>,
        directory: Option<PathBuf>,
        wait: Option<Wait>,
        config_file: Option<PathBuf>,
        fd: Option<Descriptor>,
    ) -> PyResult<SharedDataFrame> {
        let name = handover::name_of(name, fd)?;
        let options = ReaderOptions {
            common: Common { name, directory, trusted_owners, wait, config_file },
            policy: policy.to_owned(),
            start: start.to_owned(),
            validation: validation.to_owned(),
            attach_timeout: attach_timeout_ms,
            prefault,
        };
        let config = options.config().and_then(SharedMemoryConfig::resolved).map_err(raise)?;
        let reader = match fd {
            Some(fd) => py.detach(|| handover::reader(config, fd)).map_err(raise)?,
            None => attach(py, &config)?,
        };
        log::flush(py);
        let name = reader.name().into();
        let cell = ReaderCell { reader: Mutex::new(reader), name, origin: Origin::here() };
        Ok(SharedDataFrame::new(End::Reader(Arc::new(cell))))
    }

    /// Writes a table as one frame and returns its sequence number.
    ///
    /// Takes anything that speaks the Arrow PyCapsule interface: a Polars DataFrame (a LazyFrame is collected), a
    /// pyarrow Table, RecordBatch or RecordBatchReader, a pandas DataFrame, a DuckDB relation, a frame of another
    /// ring. Every buffer is copied once, into shared memory.
    fn write(&self, py: Python<'_>, frame: &Bound<'_, PyAny>) -> PyResult<u64> {
        let cell = self.writer()?;
        let source = Source::of(frame)?;
        let written = py.detach(|| {
            let table = source.drain(cell)?;
            table.whole(|table| cell.with_room(|writer| writer.write_ffi(table)))
        });
        log::flush(py);
        written
    }

    /// The same as `write`.
    fn write_arrow(&self, py: Python<'_>, table: &Bound<'_, PyAny>) -> PyResult<u64> {
        self.write(py, table)
    }

    /// Writes a table if there is room for it; `None` if the ring is full. Never waits.
    fn try_write(&self, py: Python<'_>, frame: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
        let cell = self.writer()?;
        let source = Source::of(frame)?;
        let written = py.detach(|| {
            let table = source.drain(cell)?;
            table.whole(|table| cell.lock()?.try_write_ffi(table)).map_err(raise)
        });
        log::flush(py);
        written
    }

    /// Writes a table as several frames of at most `most_rows` rows, and of half as many where these do not fit;
    /// returns how many rows have turned out to be too many by one, or `most_rows`.
    #[pyo3(signature = (frame, most_rows))]
    fn _write_split(
        &self,
        py: Python<'_>,
        frame: &Bound<'_, PyAny>,
        mut most_rows: usize,
    ) -> PyResult<usize> {
        let cell = self.writer()?;
        let source = Source::of(frame)?;
        let written = py.detach(|| {
            let table = source.drain(cell)?;
            let (rows, mut done) = (table.rows(), 0);
            loop {
                let part = (rows - done).min(most_rows);
                let mut too_large = false;
                let written = table.part(done, part, |table| {
                    cell.with_room(|writer| match writer.write_ffi(table) {
                        Err(QADataSwapError::FrameTooLarge { .. }) if part > 1 => {
                            too_large = true;
                            Ok(0)
                        }
                        written => written,
                    })
                });
                written?;
                match too_large {
                    true => most_rows = part / 2,
                    false => done += part,
                }
                if done >= rows {
                    return Ok(most_rows);
                }
            }
        });
        log::flush(py);
        written
    }

    /// Lends a frame of `rows` rows whose columns lie in the slot, to be filled in place and committed without a copy.
    ///
    /// `schema` is a `qadataswap.Schema` or what one can be made of. Strings and binaries are of view types; values of
    /// more than 12 bytes need `var_bytes` bytes of room in each such column.
    ///
    /// >>> with qadataswap.create_writer("doc", size_mb=1) as writer:
    /// ...     with writer.loan({"symbol": str, "price": float}, 2) as loan:
    /// ...         loan["price"][:] = [5000.25, 17500.5]
    /// ...         loan.set_text("symbol", 0, "ESZ6")
    /// ...         loan.set_text("symbol", 1, "NQZ6")
    /// ...         loan.commit()
    /// 0
    #[pyo3(signature = (schema, rows, var_bytes=0))]
    fn loan(
        &self,
        py: Python<'_>,
        schema: &Bound<'_, PyAny>,
        rows: usize,
        var_bytes: usize,
    ) -> PyResult<Loan> {
        let cell = self.writer()?;
        let schema = schema_of(schema)?;
        let lent = py.detach(|| {
            cell.with_room(|writer| qadataswap::Loan::of(writer.lender(), &schema, rows, var_bytes))
        });
        log::flush(py);
        Ok(Loan::new(cell.clone(), lent?))
    }

    /// Reads the next table as a Polars DataFrame; `None` if there is none within `timeout_ms` milliseconds. Waits for
    /// as long as it takes if that is negative; Ctrl-C interrupts it.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn read<'py>(&self, py: Python<'py>, timeout_ms: Milliseconds) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reader()?.hand_out(py, POLARS, |reader| reader.read(py, timeout_ms.0))
    }

    /// Reads the next table as a pyarrow Table; as `read`.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn read_arrow<'py>(
        &self,
        py: Python<'py>,
        timeout_ms: Milliseconds,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reader()?.hand_out(py, ARROW, |reader| reader.read(py, timeout_ms.0))
    }

    /// Reads the next table as a Frame, which any library that speaks the Arrow PyCapsule interface takes; as `read`.
    #[pyo3(signature = (timeout_ms=FOREVER), text_signature = "($self, timeout_ms=-1)")]
    fn read_frame<'py>(
        &self,
        py: Python<'py>,
        timeout_ms: Milliseconds,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reader()?.hand_out(py, Form::Frame, |reader| reader.read(py, timeout_ms.0))
    }

    /// Reads the next table as a Polars DataFrame if it is there. Never waits, nor looks whether the writer lives.
    fn try_read<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reader()?.hand_out(py, POLARS, |reader| reader.try_read(py))
    }

    /// Reads the next table as a pyarrow Table if it is there; as `try_read`.
    fn try_read_arrow<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reader()?.hand_out(py, ARROW, |reader| reader.try_read(py))
    }

    /// Reads the next table as a Frame if it is there; as `try_read`.
    fn try_read_frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reader()?.hand_out(py, Form::Frame, |reader| reader.try_read(py))
    }

    /// Reads tables until `predicate` is true of one, and returns that one as a Polars DataFrame; `None` if there was
    /// none within `timeout_ms` milliseconds. The tables before it have been read, and are let go of. Tables that are
    /// there when the time is over are looked at still, later ones are not.
    #[pyo3(signature = (predicate, timeout_ms=FOREVER), text_signature = "($self, predicate, timeout_ms=-1)")]
    fn wait_for_condition<'py>(
        &self,
        py: Python<'py>,
        predicate: &Bound<'py, PyAny>,
        timeout_ms: Milliseconds,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let reader = self.reader()?;
        let deadline = deadline(timeout_ms.0);
        // How many may still be looked at, lest a writer that never pauses keeps this going.
        let mut rest: Option<u64> = None;
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                let before = match rest {
                    Some(rest) => rest,
                    None => self.stats(py)?.lag.max(1),
                };
                let Some(fewer) = before.checked_sub(1) else { return Ok(None) };
                rest = Some(fewer);
            }
            let Some(table) = reader.hand_out(py, POLARS, |reader| reader.read(py, left))? else {
                return Ok(None);
            };
            if predicate.call1((&table,))?.is_truthy()? {
                return Ok(Some(table));
            }
        }
    }

    /// As `read`, for asyncio: waits without blocking the event loop. Cancelling it loses no frame.
    #[pyo3(signature = (timeout_ms=-1.0), text_signature = "($self, timeout_ms=-1)")]
    fn read_async<'py>(slf: &Bound<'py, Self>, timeout_ms: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().reader()?;
        slf.py().import("qadataswap.aio")?.getattr("read")?.call1((slf, timeout_ms))
    }

    /// Frames as they come, waiting for each, until the stream ends.
    fn frames(slf: &Bound<'_, Self>) -> PyResult<Frames> {
        slf.get().reader()?;
        Ok(Frames { handle: slf.clone().unbind(), form: Form::Frame })
    }

    /// Tables as Polars DataFrames as they come, waiting for each, until the stream ends.
    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<Frames> {
        slf.get().reader()?;
        Ok(Frames { handle: slf.clone().unbind(), form: POLARS })
    }

    fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().reader()?;
        slf.py().import("qadataswap.aio")?.getattr("tables")?.call1((slf,))
    }

    /// Whether the ring has a living writer. Costs a system call: for those who only ever `try_*`.
    fn has_writer(&self, py: Python<'_>) -> PyResult<bool> {
        let reader = self.reader()?;
        py.detach(|| reader.lock()?.has_writer()).map_err(raise)
    }

    /// Number of readers that are attached, those that have died and not yet been noticed among them.
    fn reader_count(&self, py: Python<'_>) -> PyResult<usize> {
        let writer = self.writer()?;
        py.detach(|| Ok(writer.lock()?.reader_count())).map_err(raise)
    }

    /// Most bytes that a frame may take.
    #[getter]
    fn slot_bytes(&self, py: Python<'_>) -> PyResult<u64> {
        let writer = self.writer()?;
        py.detach(|| Ok(writer.lock()?.slot_bytes())).map_err(raise)
    }

    /// The number of the descriptor of a ring that was created with `memfd`: for `socket.send_fds`, for `pass_fds` of
    /// `subprocess`, and for others to open the ring by (`fd`). Good until this handle is closed. Nobody else can find, open
    /// or truncate the ring, and the kernel frees it with the last process that has it.
    fn fileno(&self, py: Python<'_>) -> PyResult<RawFd> {
        let fd = py.detach(|| match &self.end {
            End::Writer(writer) => writer.lock()?.region_fd(),
            End::Reader(reader) => reader.lock()?.region_fd(),
        });
        fd.map_err(raise)
    }

    /// What this handle has done so far.
    fn get_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats_dict(py, &self.stats(py)?)
    }

    /// Of a writer: breaks a stream off.
    fn _abort(&self, py: Python<'_>, reason: &str) -> PyResult<()> {
        let cell = self.writer()?;
        let aborted = py.detach(|| cell.lock()?.abort(reason));
        if aborted.is_ok() {
            self.closed.store(true, Ordering::Relaxed);
        }
        log::flush(py);
        aborted.map_err(raise)
    }

    /// Of a reader: reads one data set, whole.
    fn _expect_stream(&self, py: Python<'_>) -> PyResult<()> {
        let reader = self.reader()?;
        py.detach(|| reader.lock()?.expect_stream()).map_err(raise)
    }

    /// Rows of this handle, rows written, rows in all if known, whether it is over.
    fn _progress(&self, py: Python<'_>) -> PyResult<(u64, u64, Option<u64>, bool)> {
        let progress = py.detach(|| match &self.end {
            End::Writer(writer) => writer.lock()?.progress(),
            End::Reader(reader) => reader.lock()?.progress(),
        });
        let progress = progress.map_err(raise)?;
        Ok((progress.rows, progress.rows_written, progress.total_rows, progress.is_over))
    }

    /// Of a writer: ends the stream; readers read what is there and then see its end. Of a reader: stops reading;
    /// frames already read stay valid. Closing twice is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let closed = py.detach(|| match &self.end {
            // What the parent of a forked child has opened is the parent's to close.
            _ if self.is_elsewhere() => Ok(()),
            End::Writer(writer) => writer.lock()?.close(),
            End::Reader(reader) => {
                reader.lock()?.close();
                Ok(())
            }
        });
        if closed.is_ok() {
            self.closed.store(true, Ordering::Relaxed);
        }
        log::flush(py);
        closed.map_err(raise)
    }

    /// The ring's name.
    #[getter(name)]
    fn ring_name(&self) -> &str {
        self.name()
    }

    /// Whether this handle was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether this is the writing end.
    #[getter]
    fn is_writer(&self) -> bool {
        matches!(self.end, End::Writer(_))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let closed = if self.closed() { ", closed" } else { "" };
        let (end, name) = (if self.is_writer() { "writer" } else { "reader" }, self.name());
        let Ok(stats) = self.stats(py) else {
            return format!("<qadataswap.SharedDataFrame {end} of '{name}', of the parent process>");
        };
        let done = match self.is_writer() {
            true => format!("{} frames, {} bytes written", stats.writes_count, stats.bytes_written),
            false => format!(
                "{} frames read, {} missed, {} to come",
                stats.reads_count, stats.frames_missed, stats.lag
            ),
        };
        format!("<qadataswap.SharedDataFrame {end} of '{name}': {done}{closed}>")
    }
}

impl SharedDataFrame {
    fn is_elsewhere(&self) -> bool {
        match &self.end {
            End::Writer(writer) => writer.origin().is_elsewhere(),
            End::Reader(reader) => reader.origin.is_elsewhere(),
        }
    }

    fn stats(&self, py: Python<'_>) -> PyResult<Stats> {
        py.detach(|| match &self.end {
            End::Writer(writer) => writer.stats(),
            End::Reader(reader) => Ok(reader.lock()?.stats()),
        })
        .map_err(raise)
    }
}

/// Attaches, waiting for the ring to come into being, in slices.
fn attach(py: Python<'_>, config: &SharedMemoryConfig) -> PyResult<Reader> {
    let deadline = deadline(Some(config.attach_timeout()));
    loop {
        let left = slice(deadline);
        let config = config.clone().with_attach_timeout(left);
        match py.detach(|| Reader::new(config)) {
            Err(QADataSwapError::NotFound { .. }) if left == SLICE => py.check_signals()?,
            attached => return attached.map_err(raise),
        }
    }
}

fn stats_dict<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in [
        ("writes_count", stats.writes_count),
        ("bytes_written", stats.bytes_written),
        ("rows_written", stats.rows_written),
        ("bytes_in_place", stats.bytes_in_place),
        ("reads_count", stats.reads_count),
        ("bytes_read", stats.bytes_read),
        ("rows_read", stats.rows_read),
        ("bytes_copied", stats.bytes_copied),
        ("frames_missed", stats.frames_missed),
        ("wait_timeouts", stats.wait_timeouts),
        ("full_waits", stats.full_waits),
        ("readers_evicted", stats.readers_evicted),
        ("frames_published", stats.frames_published),
        ("lag", stats.lag),
    ] {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

/// The frames of a reader as they come.
#[pyclass(frozen, module = "qadataswap._qadataswap")]
pub(crate) struct Frames {
    handle: Py<SharedDataFrame>,
    form: Form,
}

#[pymethods]
impl Frames {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let reader = self.handle.get().reader()?;
        match reader.hand_out(py, self.form, |reader| reader.read(py, None)) {
            Err(error) if is_end(py, &error) => Ok(None),
            handed_out => handed_out,
        }
    }
}

/// Whether an exception says that the stream has ended as it should.
pub(crate) fn is_end(py: Python<'_>, error: &PyErr) -> bool {
    let kind = error.value(py).getattr("kind");
    kind.is_ok_and(|kind| kind.extract::<String>().is_ok_and(|kind| kind == "EndOfStream"))
}
