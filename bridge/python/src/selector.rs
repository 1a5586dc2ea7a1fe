//! Waiting on many rings at once.

use crate::dataframe::SharedDataFrame;
use crate::error::raise;
use crate::options::{Milliseconds, Wait};
use crate::shared::{deadline, slice};
use parking_lot::Mutex;
use pyo3::prelude::*;
use qadataswap::SelectorWaker;
use std::collections::HashMap;
use std::time::Instant;

/// Waits until some of many readers have something to read: a frame, the end of the stream, the death of the writer, or
/// an error. It takes no frame: reading does, which then does not wait.
///
/// A reader that is ready stays so until it is read; one that is closed, whose writer is dead, or that has read the
/// last frame of its stream, until it is removed. May be used by several threads: readers are added and removed while
/// another one waits. `wait` is as of `create_reader`; what its readers were told does not count.
///
/// >>> import polars as pl
/// >>> es, nq = (qadataswap.create_writer(name, size_mb=1) for name in ("doc-es", "doc-nq"))
/// >>> readers = [qadataswap.create_reader(name) for name in ("doc-es", "doc-nq")]
/// >>> nq.write(pl.DataFrame({"price": [17500.5]}))
/// 0
/// >>> with qadataswap.Selector(readers) as selector:
/// ...     for reader in selector.wait():
/// ...         print(reader.name, len(reader.try_read()))
/// doc-nq 1
/// >>> es.close(); nq.close()
#[pyclass(frozen, module = "qadataswap", weakref)]
pub(crate) struct Selector {
    selector: qadataswap::Selector,
    waker: SelectorWaker,
    /// By their addresses, which are the selector's keys.
    readers: Mutex<HashMap<u64, Py<SharedDataFrame>>>,
}

fn key_of(reader: &Bound<'_, SharedDataFrame>) -> u64 {
    reader.as_ptr() as u64
}

#[pymethods]
impl Selector {
    #[new]
    #[pyo3(signature = (readers=None, *, wait=None), text_signature = "(readers=(), *, wait='balanced')")]
    fn new(py: Python<'_>, readers: Option<&Bound<'_, PyAny>>, wait: Option<Wait>) -> PyResult<Selector> {
        let strategy = Wait::strategy(wait, "").map_err(raise)?;
        let selector = qadataswap::Selector::with_strategy(strategy);
        let waker = selector.waker();
        let this = Selector { selector, waker, readers: Mutex::default() };
        if let Some(readers) = readers {
            for reader in readers.try_iter()? {
                this.add(py, reader?.cast::<SharedDataFrame>()?)?;
            }
        }
        Ok(this)
    }

    /// Waits for `reader` too. A wait that is going on goes on with it.
    fn add(&self, py: Python<'_>, reader: &Bound<'_, SharedDataFrame>) -> PyResult<()> {
        let (key, handle, known) = (key_of(reader), reader.get(), reader.clone().unbind());
        py.detach(|| {
            let mut readers = self.readers.lock();
            handle.with_reader(|reader| self.selector.add(key, reader))?;
            readers.insert(key, known);
            Ok(())
        })
        .map_err(raise)
    }

    /// Waits no more for `reader`; `False` if it did not. A wait that is going on goes on without it.
    fn remove(&self, py: Python<'_>, reader: &Bound<'_, SharedDataFrame>) -> bool {
        let key = key_of(reader);
        let removed = py.detach(|| {
            let mut readers = self.readers.lock();
            self.selector.remove(key);
            readers.remove(&key)
        });
        removed.is_some()
    }

    /// Waits for at most `timeout_ms` milliseconds, or for as long as it takes if that is negative, until some readers
    /// are ready; returns them, another one first from wait to wait. The list is empty when the time is up, or `wake`
    /// was called. Ctrl-C interrupts it.
    #[pyo3(signature = (timeout_ms=Milliseconds(None)), text_signature = "($self, timeout_ms=-1)")]
    fn wait(&self, py: Python<'_>, timeout_ms: Milliseconds) -> PyResult<Vec<Py<SharedDataFrame>>> {
        let deadline = deadline(timeout_ms.0);
        let mut ready = Vec::new();
        loop {
            let ended = py.detach(|| self.selector.wait_into(&mut ready, slice(deadline)));
            py.check_signals()?;
            if !ready.is_empty() {
                let found: Vec<_> = py.detach(|| {
                    let readers = self.readers.lock();
                    // What was removed since is nobody's to read. Nobody holds the interpreter who waits for this lock.
                    let found = ready.iter().filter_map(|key| readers.get(key));
                    Python::attach(|py| found.map(|reader| reader.clone_ref(py)).collect())
                });
                if !found.is_empty() {
                    return Ok(found);
                }
            } else if ended {
                return Ok(Vec::new());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Vec::new());
            }
        }
    }

    /// Ends the wait that is going on, or else the next one.
    fn wake(&self) {
        self.waker.wake();
    }

    /// Waits for no reader any more; a wait that is going on ends.
    fn close(&self, py: Python<'_>) {
        let removed = py.detach(|| {
            let mut readers = self.readers.lock();
            for key in readers.keys() {
                self.selector.remove(*key);
            }
            std::mem::take(&mut *readers)
        });
        drop(removed);
        self.waker.wake();
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        py.detach(|| self.readers.lock().len())
    }

    fn __contains__(&self, py: Python<'_>, reader: &Bound<'_, SharedDataFrame>) -> bool {
        let key = key_of(reader);
        py.detach(|| self.readers.lock().contains_key(&key))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<qadataswap.Selector of {} readers>", self.__len__(py))
    }
}
