//! What C++ holds: writers, readers, frames, schemas, loans.
//!
//! Each is a box whose address C++ keeps; the address is what comes back in every call, and `drop_*` ends it.

use crate::bridge::{Progress, ReaderOptions, Stats, WriterOptions};
use crate::options::{self, duration};
use crate::status::{OK, attempt, invalid, last_error_kind, status};
use crate::{ArrowArray, ArrowSchema, LoanColumn};
use qadataswap::arrow_schema::{DataType, Field, Schema as Columns, SchemaRef};
use qadataswap::{QADataSwapError, Result, Timeout, ffi};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// A writer; shared with its loans.
pub(crate) struct Writer(pub(crate) Shared);
/// A reader.
pub(crate) struct Reader(pub(crate) qadataswap::Reader);
/// A frame that was read.
pub(crate) struct Frame(pub(crate) ffi::Frame);
/// A schema that was taken over.
pub(crate) struct Schema(SchemaRef);
/// A loan, and its columns as far as they have been asked for.
pub(crate) struct Loan {
    writer: Shared,
    /// There until the loan ends.
    loan: Option<qadataswap::Loan<Shared>>,
    columns: Vec<Option<Box<LoanColumn>>>,
}

/// A writer that is shared with its loans, which may be filled and ended by other threads.
///
/// The law: whoever calls the writer, or a loan in a way that reaches it, [locks](Shared::lock) it first.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Guarded>);

struct Guarded {
    lock: Mutex<()>,
    writer: qadataswap::Writer,
}

// SAFETY: a writer may be sent, and by the law above is used by one thread at a time.
unsafe impl Sync for Guarded {}

impl Shared {
    pub(crate) fn new(writer: qadataswap::Writer) -> Shared {
        Shared(Arc::new(Guarded { lock: Mutex::new(()), writer }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ()> {
        // A call that panicked has been reported; what it left borrowed answers for itself.
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Shared {
    type Target = qadataswap::Writer;

    fn deref(&self) -> &qadataswap::Writer {
        &self.0.writer
    }
}

/// The library's version.
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

pub(crate) fn boxed<T>(value: Option<T>) -> *mut T {
    value.map_or(std::ptr::null_mut(), |value| Box::into_raw(Box::new(value)))
}

/// # Safety
/// `address` came from [`boxed`] and is not used any more.
unsafe fn unboxed<T>(address: *mut T) -> Box<T> {
    // SAFETY: the caller's word.
    unsafe { Box::from_raw(address) }
}

/// Drops what a panic must not leave.
pub(crate) unsafe fn drop_boxed<T>(address: *mut T) {
    attempt(|| {
        // SAFETY: as for `unboxed`.
        drop(unsafe { unboxed(address) });
        Ok(())
    });
}

pub(crate) fn open_writer(options: &WriterOptions<'_>) -> *mut Writer {
    boxed(attempt(|| Ok(Writer(Shared::new(qadataswap::Writer::new(options::writer(options)?)?)))))
}

pub(crate) fn open_reader(options: &ReaderOptions<'_>) -> *mut Reader {
    boxed(attempt(|| Ok(Reader(qadataswap::Reader::new(options::reader(options)?)?))))
}

pub(crate) unsafe fn import_schema(schema: *const ArrowSchema) -> *mut Schema {
    boxed(attempt(|| {
        // SAFETY: C++ passes a valid schema, the same struct by another name.
        let schema = unsafe { &*schema.cast::<ffi::ArrowSchema>() };
        if schema.release.is_none() {
            return Err(invalid("", "the schema has been released"));
        }
        // SAFETY: as above.
        Ok(Schema(unsafe { ffi::import_schema(schema) }?))
    }))
}

pub(crate) fn schema_of_bytes() -> *mut Schema {
    let columns = Columns::new(vec![Field::new("data", DataType::UInt8, false)]);
    boxed(Some(Schema(Arc::new(columns))))
}

macro_rules! drops {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        /// Ends a handle.
        ///
        /// # Safety
        /// It is not used any more.
        pub(crate) unsafe fn $name(handle: *mut $type) {
            // SAFETY: the caller's word; every handle comes from `boxed`.
            unsafe { drop_boxed(handle) }
        }
    )*};
}
drops! {
    drop_writer: Writer, drop_reader: Reader, drop_schema: Schema, drop_frame: Frame, drop_loan: Loan,
}

/// Runs `call` on a table of C structs.
///
/// # Safety
/// `batches` points to `count` addresses of valid arrays of `schema`, which nobody writes to meanwhile.
unsafe fn with_table<T>(
    schema: &Schema,
    batches: *const *const ArrowArray,
    count: usize,
    call: impl FnOnce(&ffi::Table<'_>) -> Result<T>,
) -> Result<T> {
    let batches = match count {
        0 => &[],
        // SAFETY: by the caller's word these are references to arrays, and a `Batch` is one.
        _ => unsafe { std::slice::from_raw_parts(batches.cast::<ffi::Batch<'_>>(), count) },
    };
    // SAFETY: by the caller's word.
    call(&unsafe { ffi::Table::new(&schema.0, batches) })
}

impl Writer {
    /// # Safety
    /// As [`with_table`].
    pub(crate) unsafe fn write(
        &self,
        schema: &Schema,
        batches: *const *const ArrowArray,
        count: usize,
        sequence: &mut u64,
    ) -> i32 {
        status(|| {
            let _alone = self.0.lock();
            // SAFETY: the caller's word.
            *sequence = unsafe { with_table(schema, batches, count, |table| self.0.write_ffi(table)) }?;
            Ok(())
        })
    }

    /// # Safety
    /// As [`with_table`].
    pub(crate) unsafe fn try_write(
        &self,
        schema: &Schema,
        batches: *const *const ArrowArray,
        count: usize,
        sequence: &mut u64,
        written: &mut bool,
    ) -> i32 {
        status(|| {
            let _alone = self.0.lock();
            // SAFETY: the caller's word.
            let done = unsafe { with_table(schema, batches, count, |table| self.0.try_write_ffi(table)) }?;
            *written = done.is_some();
            *sequence = done.unwrap_or(*sequence);
            Ok(())
        })
    }

    pub(crate) fn slot_bytes(&self) -> u64 {
        self.locked(qadataswap::Writer::slot_bytes).unwrap_or(0)
    }

    pub(crate) fn reader_count(&self) -> usize {
        self.locked(qadataswap::Writer::reader_count).unwrap_or(0)
    }

    pub(crate) fn close(&self) -> i32 {
        status(|| {
            let _alone = self.0.lock();
            self.0.close()
        })
    }

    pub(crate) fn abort(&self, reason: &[u8]) -> i32 {
        status(|| {
            let _alone = self.0.lock();
            self.0.abort(&String::from_utf8_lossy(reason))
        })
    }

    pub(crate) fn progress(&self, out: &mut Progress) -> i32 {
        status(|| {
            let _alone = self.0.lock();
            *out = self.0.progress()?.into();
            Ok(())
        })
    }

    fn locked<T>(&self, call: impl FnOnce(&qadataswap::Writer) -> T) -> Option<T> {
        attempt(|| {
            let _alone = self.0.lock();
            Ok(call(&self.0))
        })
    }

    pub(crate) fn stats(&self) -> Stats {
        self.locked(qadataswap::Writer::stats).unwrap_or_default().into()
    }

    pub(crate) fn loan(&self, schema: &Schema, rows: usize, var_bytes: usize) -> *mut Loan {
        boxed(attempt(|| {
            let _alone = self.0.lock();
            let loan = qadataswap::Loan::of(self.0.clone(), &schema.0, rows, var_bytes)?;
            let columns = schema.0.fields().iter().map(|_| None).collect();
            Ok(Loan { writer: self.0.clone(), loan: Some(loan), columns })
        }))
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(loan) = self.loan.take() else { return };
        let _alone = self.writer.lock();
        // Gives its slot back.
        drop(loan);
    }
}

impl Loan {
    pub(crate) fn column(&mut self, column: usize) -> *mut LoanColumn {
        let found = attempt(|| {
            let known = self.columns.len();
            let Some(place) = self.columns.get_mut(column) else {
                return Err(invalid("", format!("column {column} of a loan of {known} columns")));
            };
            if place.is_none() {
                let loan = self.loan.as_mut().expect("there until the loan ends");
                *place = Some(Box::new(LoanColumn(loan.raw_column(column)?)));
            }
            Ok(place.as_mut().map_or(std::ptr::null_mut(), |column| std::ptr::from_mut(&mut **column)))
        });
        found.unwrap_or(std::ptr::null_mut())
    }
}

/// # Safety
/// As [`drop_loan`]: the loan ends, also if this fails.
pub(crate) unsafe fn commit_loan(loan: *mut Loan, rows: usize, sequence: &mut u64) -> i32 {
    status(|| {
        // SAFETY: the caller's word.
        let mut ended = *unsafe { unboxed(loan) };
        let writer = ended.writer.clone();
        // Before the loan, so that it is dropped after it, also when something fails: that gives its slot back.
        let _alone = writer.lock();
        let mut loan = ended.loan.take().expect("there until the loan ends");
        for (at, LoanColumn(column)) in
            ended.columns.iter().enumerate().filter_map(|(at, column)| Some((at, column.as_deref()?)))
        {
            loan.declare(at, column.has_nulls != 0, column.data_used)?;
        }
        *sequence = loan.commit(rows)?;
        Ok(())
    })
}

/// # Safety
/// The column is one of a loan that has not ended, and nobody else uses it meanwhile.
pub(crate) unsafe fn set_text(column: *mut LoanColumn, row: usize, text: &[u8]) -> i32 {
    status(|| {
        // SAFETY: the caller's word.
        let LoanColumn(column) = unsafe { &mut *column };
        if column.data.is_null() {
            return Err(invalid("", "the column is not one of string or binary views"));
        }
        in_range(row, column.rows)?;
        // SAFETY: a column of views, of a loan that has not ended.
        Ok(unsafe { column.set_view(row, text) }?)
    })
}

/// # Safety
/// As [`set_text`].
pub(crate) unsafe fn set_null(column: *mut LoanColumn, row: usize) -> i32 {
    status(|| {
        // SAFETY: the caller's word.
        let LoanColumn(column) = unsafe { &mut *column };
        if column.validity.is_null() {
            return Err(invalid("", "the column is not nullable"));
        }
        in_range(row, column.rows)?;
        // SAFETY: a nullable column, of a loan that has not ended.
        unsafe { column.set_null(row) };
        Ok(())
    })
}

fn in_range(row: usize, rows: usize) -> Result<()> {
    if row >= rows {
        return Err(invalid("", format!("row {row} of a loan of {rows} rows")));
    }
    Ok(())
}

impl Reader {
    pub(crate) fn read(&self, timeout_ns: i64, kind: &mut i32) -> *mut Frame {
        let read = attempt(|| match timeout_ns {
            0 => self.0.try_read_ffi(),
            within => self.0.read_ffi(Timeout::from(duration(within))),
        });
        *kind = if read.is_some() { OK } else { last_error_kind() };
        boxed(read.flatten().map(Frame))
    }

    pub(crate) fn has_writer(&self, alive: &mut bool) -> i32 {
        status(|| {
            *alive = self.0.has_writer()?;
            Ok(())
        })
    }

    pub(crate) fn close_reader(&self) {
        attempt(|| {
            self.0.close();
            Ok(())
        });
    }

    pub(crate) fn reader_stats(&self) -> Stats {
        attempt(|| Ok(self.0.stats())).unwrap_or_default().into()
    }

    pub(crate) fn expect_stream(&self) -> i32 {
        status(|| self.0.expect_stream())
    }

    pub(crate) fn reader_progress(&self, out: &mut Progress) -> i32 {
        status(|| {
            *out = self.0.progress()?.into();
            Ok(())
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Frame {
    pub(crate) fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    pub(crate) fn missed(&self) -> u64 {
        self.0.missed()
    }

    pub(crate) fn published_ns(&self) -> u64 {
        self.0.published_ns()
    }

    pub(crate) fn published_at(&self) -> u64 {
        nanoseconds(self.0.published_at().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    pub(crate) fn age(&self) -> u64 {
        nanoseconds(self.0.age())
    }

    pub(crate) fn rows(&self) -> u64 {
        self.0.num_rows() as u64
    }

    pub(crate) fn bytes_copied(&self) -> u64 {
        self.0.bytes_copied()
    }

    pub(crate) fn batches(&self) -> usize {
        self.0.num_batches()
    }

    pub(crate) fn schema_id(&self) -> u64 {
        self.0.schema_id()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// # Safety
    /// `out` can be written.
    pub(crate) unsafe fn export_schema(&self, out: *mut ArrowSchema) -> i32 {
        status(|| {
            let schema = ffi::export_schema(self.0.schema())?;
            // SAFETY: the caller's word.
            unsafe { out.cast::<ffi::ArrowSchema>().write(schema) };
            Ok(())
        })
    }

    /// # Safety
    /// `out` can be written.
    pub(crate) unsafe fn export_batch(&self, batch: usize, out: *mut ArrowArray) -> *const i64 {
        let exported = attempt(|| {
            if batch >= self.0.num_batches() {
                return Err(invalid("", format!("batch {batch} of a frame of {}", self.0.num_batches())));
            }
            Ok(self.0.export(batch))
        });
        exported.map_or(std::ptr::null(), |exported| {
            // SAFETY: the caller's word.
            unsafe { out.cast::<ffi::ArrowArray>().write(exported.array) };
            exported.lengths
        })
    }

    pub(crate) fn plain_bytes(&self, kind: &mut i32) -> &[u8] {
        let schema = self.0.schema();
        let plain = schema.fields().len() == 1 && schema.field(0).data_type() == &DataType::UInt8;
        let found = attempt(|| {
            self.0.sole_values().filter(|_| plain).ok_or_else(|| QADataSwapError::Unsupported {
                ring: String::new(),
                what: format!(
                    "frame {} is a table, not plain bytes (one column of unsigned 8-bit integers without nulls); read it with qads_read",
                    self.0.sequence()
                ),
            })
        });
        *kind = if found.is_some() { OK } else { last_error_kind() };
        found.unwrap_or_default()
    }
}

impl From<qadataswap::Progress> for Progress {
    fn from(progress: qadataswap::Progress) -> Progress {
        Progress {
            rows: progress.rows,
            rows_written: progress.rows_written,
            total_rows: progress.total_rows.unwrap_or(u64::MAX),
            is_over: progress.is_over,
        }
    }
}

impl From<qadataswap::Stats> for Stats {
    fn from(stats: qadataswap::Stats) -> Stats {
        Stats {
            writes_count: stats.writes_count,
            bytes_written: stats.bytes_written,
            rows_written: stats.rows_written,
            bytes_in_place: stats.bytes_in_place,
            reads_count: stats.reads_count,
            bytes_read: stats.bytes_read,
            rows_read: stats.rows_read,
            bytes_copied: stats.bytes_copied,
            frames_missed: stats.frames_missed,
            wait_timeouts: stats.wait_timeouts,
            full_waits: stats.full_waits,
            readers_evicted: stats.readers_evicted,
            frames_published: stats.frames_published,
            lag: stats.lag,
        }
    }
}
