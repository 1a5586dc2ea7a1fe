//! The C++ boundary: what `cpp/src` calls of the ring, and nothing else.
//!
//! Tables cross as the structs of the Arrow C data interface, durations as nanoseconds (negative: for ever),
//! strings as bytes. A call that can fail returns the number of its error's kind (0: none) and leaves the message for
//! `last_error`, per thread; no panic crosses. There is no logic here that a Rust user would lack.

#![allow(unsafe_code, reason = "pointers of C++ are followed here")]

mod handles;
mod options;
mod pool;
mod recording;
mod region;
mod selector;
mod status;

use handles::*;
use pool::*;
use recording::*;
use region::*;
use selector::*;
use status::{error_kind_name, last_error, last_error_kind, last_missing_frames};

/// The format's array struct, by the name that C++ knows it by.
#[repr(transparent)]
pub struct ArrowArray(qadataswap::ffi::ArrowArray);

/// The format's schema struct, by the name that C++ knows it by.
#[repr(transparent)]
pub struct ArrowSchema(qadataswap::ffi::ArrowSchema);

/// A column on loan, by the name that C++ knows it by.
#[repr(transparent)]
pub struct LoanColumn(qadataswap::ffi::LoanColumn);

// SAFETY: `qadataswap/arrow_c.h` declares the same struct, field by field; only pointers to it cross.
unsafe impl cxx::ExternType for ArrowArray {
    type Id = cxx::type_id!("ArrowArray");
    type Kind = cxx::kind::Opaque;
}

// SAFETY: as above.
unsafe impl cxx::ExternType for ArrowSchema {
    type Id = cxx::type_id!("ArrowSchema");
    type Kind = cxx::kind::Opaque;
}

// SAFETY: `qadataswap.h` declares the same struct, field by field; only pointers to it cross.
unsafe impl cxx::ExternType for LoanColumn {
    type Id = cxx::type_id!("qads_loan_column");
    type Kind = cxx::kind::Opaque;
}

/// The bridge.
#[allow(unused_qualifications, unreachable_pub, clippy::missing_safety_doc, reason = "generated")]
#[cxx::bridge(namespace = "qadataswap::bridge")]
mod bridge {
    /// How a ring is made; as `SharedMemoryConfig`.
    struct WriterOptions<'a> {
        name: &'a [u8],
        directory: &'a [u8],
        trusted_owners: &'a [u32],
        size_bytes: u64,
        slot_bytes: u64,
        buffer_count: usize,
        max_readers: usize,
        write_timeout_ns: i64,
        spin_ns: i64,
        yield_ns: i64,
        owner: i64,
        group: i64,
        mode: u32,
        when_full: i32,
        compression: i32,
        compression_level: i32,
        prefault: i32,
        retry_count: i32,
        config_file: &'a [u8],
        keep_unread: bool,
        is_stream: bool,
        total_rows: u64,
        memfd: bool,
    }

    /// How a ring is read; as `SharedMemoryConfig`.
    struct ReaderOptions<'a> {
        name: &'a [u8],
        directory: &'a [u8],
        trusted_owners: &'a [u32],
        attach_timeout_ns: i64,
        spin_ns: i64,
        yield_ns: i64,
        policy: i32,
        start: i32,
        validation: i32,
        config_file: &'a [u8],
        prefault: i32,
    }

    /// What a handle has done; as `qadataswap::Stats`.
    struct Stats {
        writes_count: u64,
        bytes_written: u64,
        rows_written: u64,
        bytes_in_place: u64,
        reads_count: u64,
        bytes_read: u64,
        rows_read: u64,
        bytes_copied: u64,
        frames_missed: u64,
        wait_timeouts: u64,
        full_waits: u64,
        readers_evicted: u64,
        frames_published: u64,
        lag: u64,
    }

    /// How far a stream has come; as `qadataswap::Progress`, `u64::MAX` for what is not known.
    struct Progress {
        rows: u64,
        rows_written: u64,
        total_rows: u64,
        is_over: bool,
    }

    /// What can be seen of a recording; as `qadataswap::recording::Summary`, `u64::MAX` for places of no frame.
    struct Summary {
        files: u64,
        data_bytes: u64,
        frames: u64,
        rows: u64,
        missed: u64,
        damaged: u64,
        first_sequence: u64,
        first_ns: u64,
        last_sequence: u64,
        last_ns: u64,
        is_live: bool,
    }

    /// What can be seen of a file of a recording; as `qadataswap::recording::FileInfo`.
    struct FileInfo {
        number: u64,
        region_id: [u64; 2],
        data_bytes: u64,
        frames: u64,
        rows: u64,
        missed: u64,
        damaged: u64,
        first_sequence: u64,
        first_ns: u64,
        last_sequence: u64,
        last_ns: u64,
    }

    /// How a ring is recorded; as `qadataswap::recording::RecorderConfig`.
    struct RecorderOptions {
        rotate_bytes: u64,
        rotate_ns: i64,
        sync_every: i64,
        mode: u32,
    }

    /// A frame that was just recorded, if there was one; as `qadataswap::recording::Recorded`.
    struct Recorded {
        is_there: bool,
        sequence: u64,
        rows: u64,
        bytes: u64,
        missed: u64,
        file: u64,
    }

    /// What a recorder has done; as `qadataswap::recording::RecorderStats`.
    struct RecorderStats {
        frames: u64,
        rows: u64,
        bytes: u64,
        missed: u64,
        files: u64,
    }

    unsafe extern "C++" {
        include!("qadataswap/arrow_c.h");
        include!("qadataswap.h");
        #[namespace = ""]
        type ArrowArray = crate::ArrowArray;
        #[namespace = ""]
        type ArrowSchema = crate::ArrowSchema;
        #[namespace = ""]
        #[cxx_name = "qads_loan_column"]
        type LoanColumn = crate::LoanColumn;
    }

    extern "Rust" {
        type Writer;
        type Reader;
        type Frame;
        type Schema;
        type Loan;
        type Pool;
        type Selector;
        type Recording;
        type RecordedFrames;
        type Follow;
        type Recorder;

        // Errors.
        fn last_error_kind() -> i32;
        unsafe fn last_error<'a>() -> &'a [u8];
        /// The frames that this thread's last failure says are missing, if it says so.
        fn last_missing_frames(first: &mut u64, last: &mut u64) -> bool;
        fn error_kind_name(kind: i32) -> &'static str;
        fn version() -> &'static str;

        // Handles: made here, given back by `drop_*`. Null where making one failed.
        fn open_writer(options: &WriterOptions<'_>) -> *mut Writer;
        unsafe fn drop_writer(writer: *mut Writer);
        fn open_reader(options: &ReaderOptions<'_>) -> *mut Reader;
        unsafe fn drop_reader(reader: *mut Reader);
        unsafe fn import_schema(schema: *const ArrowSchema) -> *mut Schema;
        unsafe fn drop_schema(schema: *mut Schema);
        /// A schema of one column, `data`, of unsigned 8-bit integers.
        fn schema_of_bytes() -> *mut Schema;

        // Rings without a name, by their descriptors, which stay the caller's.
        fn open_writer_fd(fd: i32, options: &WriterOptions<'_>) -> *mut Writer;
        fn open_reader_fd(fd: i32, options: &ReaderOptions<'_>) -> *mut Reader;
        #[cxx_name = "fd"]
        fn writer_fd(self: &Writer, fd: &mut i32) -> i32;
        #[cxx_name = "fd"]
        fn reader_fd(self: &Reader, fd: &mut i32) -> i32;
        fn send_region(socket: i32, fd: i32) -> i32;
        fn receive_region(socket: i32, fd: &mut i32) -> i32;

        // Writing.
        unsafe fn write(
            self: &Writer,
            schema: &Schema,
            batches: *const *const ArrowArray,
            count: usize,
            sequence: &mut u64,
        ) -> i32;
        /// As `write`, never waiting; `written` tells whether there was room.
        unsafe fn try_write(
            self: &Writer,
            schema: &Schema,
            batches: *const *const ArrowArray,
            count: usize,
            sequence: &mut u64,
            written: &mut bool,
        ) -> i32;
        fn slot_bytes(self: &Writer) -> u64;
        fn reader_count(self: &Writer) -> usize;
        fn close(self: &Writer) -> i32;
        fn abort(self: &Writer, reason: &[u8]) -> i32;
        fn progress(self: &Writer, out: &mut Progress) -> i32;
        fn stats(self: &Writer) -> Stats;

        // Loans. Committing or dropping ends one.
        fn loan(self: &Writer, schema: &Schema, rows: usize, var_bytes: usize) -> *mut Loan;
        /// Null if there is no such column.
        fn column(self: &mut Loan, column: usize) -> *mut LoanColumn;
        unsafe fn commit_loan(loan: *mut Loan, rows: usize, sequence: &mut u64) -> i32;
        unsafe fn drop_loan(loan: *mut Loan);
        unsafe fn set_text(column: *mut LoanColumn, row: usize, text: &[u8]) -> i32;
        unsafe fn set_null(column: *mut LoanColumn, row: usize) -> i32;

        // Pools.
        fn pool(self: &Writer) -> *mut Pool;
        unsafe fn retain_pool(pool: *mut Pool);
        unsafe fn release_pool(pool: *mut Pool);
        fn allocate(self: &Pool, size: usize, alignment: usize) -> *mut u8;
        unsafe fn reallocate(self: &Pool, memory: *mut u8, size: usize, alignment: usize) -> *mut u8;
        unsafe fn free(self: &Pool, memory: *mut u8);
        unsafe fn owns(self: &Pool, memory: *const u8) -> bool;

        // Selectors.
        fn open_selector(spin_ns: i64, yield_ns: i64) -> *mut Selector;
        unsafe fn drop_selector(selector: *mut Selector);
        fn add(self: &Selector, key: u64, reader: &Reader) -> i32;
        fn remove(self: &Selector, key: u64) -> bool;
        fn size(self: &Selector) -> usize;
        /// Puts as many keys into `keys` as it has room for; `count` is how many readers are ready.
        fn wait(self: &Selector, timeout_ns: i64, keys: &mut [u64], count: &mut usize) -> i32;
        fn wake(self: &Selector);

        // Reading. Null without an error is nothing yet.
        fn read(self: &Reader, timeout_ns: i64, kind: &mut i32) -> *mut Frame;
        fn has_writer(self: &Reader, alive: &mut bool) -> i32;
        #[cxx_name = "close"]
        fn close_reader(self: &Reader);
        #[cxx_name = "stats"]
        fn reader_stats(self: &Reader) -> Stats;
        fn expect_stream(self: &Reader) -> i32;
        #[cxx_name = "progress"]
        fn reader_progress(self: &Reader, out: &mut Progress) -> i32;

        // Recordings.
        fn open_recording(directory: &[u8], validation: i32) -> *mut Recording;
        unsafe fn drop_recording(recording: *mut Recording);
        fn frames(self: &Recording, kind: i32, value: u64) -> *mut RecordedFrames;
        unsafe fn drop_recorded_frames(frames: *mut RecordedFrames);
        fn next(self: &RecordedFrames, kind: &mut i32) -> *mut Frame;
        fn follow(
            self: &Recording,
            ring: &ReaderOptions<'_>,
            kind: i32,
            value: u64,
            patience_ns: i64,
        ) -> *mut Follow;
        unsafe fn drop_follow(follow: *mut Follow);
        #[cxx_name = "read"]
        fn read_on(self: &Follow, timeout_ns: i64, kind: &mut i32) -> *mut Frame;
        #[cxx_name = "is_live"]
        fn is_in_the_ring(self: &Follow) -> bool;
        fn is_live(self: &Recording, live: &mut bool) -> i32;
        fn summary(self: &Recording, out: &mut Summary) -> i32;
        fn files(self: &Recording, out: &mut Vec<FileInfo>) -> i32;
        fn repair(self: &Recording, data_bytes: &mut u64, index_bytes: &mut u64) -> i32;

        // Recorders.
        fn open_recorder(
            directory: &[u8],
            options: &RecorderOptions,
            ring: &ReaderOptions<'_>,
        ) -> *mut Recorder;
        unsafe fn drop_recorder(recorder: *mut Recorder);
        fn record(self: &Recorder, timeout_ns: i64, out: &mut Recorded) -> i32;
        fn run(self: &Recorder, timeout_ns: i64, ended: &mut bool) -> i32;
        fn attach_again(self: &Recorder) -> i32;
        #[cxx_name = "stats"]
        fn recorder_stats(self: &Recorder, out: &mut RecorderStats) -> i32;
        #[cxx_name = "close"]
        fn close_recorder(self: &Recorder) -> i32;

        // Frames.
        unsafe fn drop_frame(frame: *mut Frame);
        fn sequence(self: &Frame) -> u64;
        fn missed(self: &Frame) -> u64;
        fn published_ns(self: &Frame) -> u64;
        /// Nanoseconds since the Unix epoch.
        fn published_at(self: &Frame) -> u64;
        fn age(self: &Frame) -> u64;
        fn rows(self: &Frame) -> u64;
        fn bytes_copied(self: &Frame) -> u64;
        fn batches(self: &Frame) -> usize;
        fn schema_id(self: &Frame) -> u64;
        fn bytes(self: &Frame) -> &[u8];
        unsafe fn export_schema(self: &Frame, out: *mut ArrowSchema) -> i32;
        /// The lengths of the batch's buffers; null if there is no such batch.
        unsafe fn export_batch(self: &Frame, batch: usize, out: *mut ArrowArray) -> *const i64;
        /// The bytes of a frame that was written as plain ones, or none and an error.
        unsafe fn plain_bytes<'a>(self: &'a Frame, kind: &mut i32) -> &'a [u8];
    }
}
