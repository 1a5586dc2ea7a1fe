//! Tables on their way in: anything that has the methods of the Arrow PyCapsule interface.
//!
//! The law: a stream is read to its end and released before anything is written (some run a query while they are
//! read), and no slot is held meanwhile.

#![allow(unsafe_code, reason = "batches come as C structs")]

use crate::capsule::{self, ArrowArrayStream, Owned};
use crate::error::raise;
use crate::shared::{SLICE, WriterCell, answer_signals};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use qadataswap::arrow_schema::SchemaRef;
use qadataswap::ffi::{self, ArrowArray, ArrowSchema, Batch};
use std::mem::ManuallyDrop;
use std::time::Instant;

/// What a Python object has given out.
pub(crate) enum Source {
    Stream(Owned<ArrowArrayStream>),
    Batch(Owned<ArrowSchema>, Owned<ArrowArray>),
}

impl Source {
    /// Asks `any` for its table; what has none to give, but can be collected (a lazy frame), is collected first.
    pub(crate) fn of(any: &Bound<'_, PyAny>) -> PyResult<Source> {
        let py = any.py();
        if let Some(export) = any.getattr_opt(intern!(py, "__arrow_c_stream__"))? {
            return Ok(Source::Stream(capsule::unwrap_stream(&export.call0()?)?));
        }
        if let Some(export) = any.getattr_opt(intern!(py, "__arrow_c_array__"))? {
            let pair = export.call0()?;
            let pair = pair.cast::<PyTuple>()?;
            let schema = capsule::unwrap_schema(&pair.get_item(0)?)?;
            return Ok(Source::Batch(schema, capsule::unwrap_array(&pair.get_item(1)?)?));
        }
        if let Some(collect) = any.getattr_opt(intern!(py, "collect"))? {
            let collected = collect.call0()?;
            if collected.hasattr("__arrow_c_stream__")? {
                return Source::of(&collected);
            }
        }
        Err(PyTypeError::new_err(format!(
            "expected a table that speaks the Arrow PyCapsule interface (of Polars, pyarrow, pandas, DuckDB, ...), got {}",
            any.get_type().fully_qualified_name()?
        )))
    }

    /// Takes all batches, answering signals between them; to be called detached.
    pub(crate) fn drain(self, cell: &WriterCell) -> PyResult<Table> {
        // Its lock is as good as lost to a forked child.
        cell.origin().check(cell.name()).map_err(raise)?;
        let import = |schema: &Owned<ArrowSchema>| cell.schemas.lock().import(schema).map_err(raise);
        match self {
            Source::Batch(schema, batch) => Ok(Table { schema: import(&schema)?, batches: vec![batch] }),
            Source::Stream(mut stream) => {
                // With no lock in hand: a stream may run any code, which may write to this very ring.
                let schema = stream.schema().map_err(raise)?;
                let schema = import(&schema)?;
                let mut batches = Vec::new();
                let mut looked = Instant::now();
                while let Some(batch) = stream.next().map_err(raise)? {
                    batches.push(batch);
                    if looked.elapsed() >= SLICE {
                        answer_signals()?;
                        looked = Instant::now();
                    }
                }
                Ok(Table { schema, batches })
            }
        }
    }
}

/// A table that has been taken over.
pub(crate) struct Table {
    schema: SchemaRef,
    batches: Vec<Owned<ArrowArray>>,
}

impl Table {
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(|batch| usize::try_from(batch.0.length).unwrap_or(0)).sum()
    }

    /// Runs `call` on all of it.
    pub(crate) fn whole<T>(&self, call: impl FnOnce(&ffi::Table<'_>) -> T) -> T {
        let batches: Vec<Batch<'_>> = self.batches.iter().map(|batch| Batch::new(&batch.0)).collect();
        // SAFETY: by the interface's rules what came together is of its schema, and nobody writes to it; it lives as
        // long as this.
        call(&unsafe { ffi::Table::new(&self.schema, &batches) })
    }

    /// Runs `call` on `rows` rows from row `from` on, all of which there must be.
    pub(crate) fn part<T>(&self, from: usize, rows: usize, call: impl FnOnce(&ffi::Table<'_>) -> T) -> T {
        let (mut skip, mut left) = (from, rows);
        let mut parts = Vec::new();
        for Owned(batch) in &self.batches {
            let length = usize::try_from(batch.length).unwrap_or(0);
            let (at, taken) = (skip.min(length), left.min(length - skip.min(length)));
            skip -= at;
            left -= taken;
            if taken > 0 {
                // SAFETY: a copy of the struct that is not dropped, and so not released, and is gone before the
                // original.
                let mut part = ManuallyDrop::new(unsafe { std::ptr::read(batch) });
                part.offset += at as i64;
                part.length = taken as i64;
                part.null_count = if batch.null_count == 0 { 0 } else { -1 };
                parts.push(part);
            }
        }
        let batches: Vec<Batch<'_>> = parts.iter().map(|part| Batch::new(part)).collect();
        // SAFETY: as in `whole`; a struct's offset and length say which rows of its children it has.
        call(&unsafe { ffi::Table::new(&self.schema, &batches) })
    }
}
