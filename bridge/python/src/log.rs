//! What the ring has to say, for `logging.getLogger("qadataswap")`.
//!
//! The law: an event takes neither the interpreter nor a lock that anybody holds for long, since it may come from any
//! thread with locks of the ring in hand; it is kept, and given to Python by the next call that has time.

use parking_lot::Mutex;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::collections::VecDeque;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Most events that are kept; the oldest go first.
const MOST: usize = 1000;

static PENDING: AtomicBool = AtomicBool::new(false);
static EVENTS: Mutex<VecDeque<(u8, String)>> = Mutex::new(VecDeque::new());

/// Starts keeping events, unless somebody else in this process listens to them already.
pub(crate) fn init() {
    let _ = tracing::subscriber::set_global_default(Keeper);
}

/// Gives what was kept to Python's logging.
#[inline]
pub(crate) fn flush(py: Python<'_>) {
    if PENDING.load(Ordering::Relaxed) {
        // A logger that fails must not make a call fail that has done its work.
        if let Err(error) = hand_over(py) {
            swallow(py, error);
        }
    }
}

#[cold]
fn hand_over(py: Python<'_>) -> PyResult<()> {
    static LOG: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    PENDING.store(false, Ordering::Relaxed);
    let events = py.detach(|| std::mem::take(&mut *EVENTS.lock()));
    let log = LOG.get_or_try_init(py, || -> PyResult<Py<PyAny>> {
        let logger = py.import("logging")?.call_method1("getLogger", ("qadataswap",))?;
        Ok(logger.getattr("log")?.unbind())
    })?;
    for (level, message) in events {
        log.call1(py, (level, "%s", message))?;
    }
    Ok(())
}

/// Tells of an error that nobody can be given; Ctrl-C strikes again, where it can be answered.
#[cold]
fn swallow(py: Python<'_>, error: PyErr) {
    let interrupt = || py.import("_thread")?.call_method0("interrupt_main").map(drop);
    if error.is_instance_of::<PyKeyboardInterrupt>(py) && interrupt().is_ok() {
        return;
    }
    error.write_unraisable(py, None);
}

/// Listens to events.
struct Keeper;

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG && metadata.target().starts_with("qadataswap")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = match *event.metadata().level() {
            Level::ERROR => 40,
            Level::WARN => 30,
            Level::INFO => 20,
            _ => 10,
        };
        let mut events = EVENTS.lock();
        if events.len() == MOST {
            events.pop_front();
        }
        events.push_back((level, format!("{}{}", line.message, line.fields)));
        PENDING.store(true, Ordering::Relaxed);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// An event as text: its message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
