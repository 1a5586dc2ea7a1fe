/**
 * \file
 * QADataSwap in C: a dataframe bus. One process writes Arrow tables into a named ring in shared memory; any
 * number of others read every table, with the columns pointing straight into shared memory.
 *
 * Tables cross as the structs of the Arrow C data interface, so this header needs no Arrow library. The C++
 * classes of `qadataswap/ring.h` and `qadataswap/shared_dataframe.h` are made of these functions and of nothing
 * else: this header is the whole binary interface of the library.
 *
 * Every call that can fail returns a status: 0, or one of three negative numbers; what it was in detail,
 * qads_last_error() and qads_last_error_kind() tell, in the calling thread and until its next failure.
 *
 * A reader is used by one thread at a time, and so are a qads_follow and a column of a loan. Writers and loans, frames, the arrays got
 * from them, schemas and pools may be used by any; a writer that waits for room holds up what others ask of it.
 *
 * \code{.c}
 * qads_reader* reader = NULL;
 * if (qads_reader_open("ticks", NULL, &reader) != QADS_OK) return fprintf(stderr, "%s\n", qads_last_error());
 * qads_frame* frame = NULL;
 * while (qads_read(reader, 1000, &frame) == QADS_OK) {
 *   struct ArrowArray batch;
 *   if (qads_frame_export(frame, 0, &batch, NULL) == QADS_OK) {
 *     use(&batch);
 *     batch.release(&batch);
 *   }
 *   qads_frame_free(frame);
 * }
 * qads_reader_free(reader);
 * \endcode
 */
#ifndef QADATASWAP_H
#define QADATASWAP_H

#include <stddef.h>
#include <stdint.h>

#include "qadataswap/arrow_c.h"
#include "qadataswap/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status --------------------------------------------------------------------------------------------- */

/** All went well. */
#define QADS_OK 0
/** It failed; see qads_last_error(). */
#define QADS_ERROR (-1)
/** The time was up: nothing to read yet, or no room to write. */
#define QADS_TIMEOUT (-2)
/** Memory: none left, not mapped, or too small for what was to go into it. */
#define QADS_NO_MEMORY (-3)

/** What went wrong; the same kinds, by the same names, in every language. */
typedef enum qads_error_kind {
  QADS_KIND_NONE = 0,                /**< Nothing. */
  QADS_KIND_INVALID_NAME = 1,        /**< A ring's name is not allowed. */
  QADS_KIND_INVALID_CONFIG = 2,      /**< An option, or an argument, is out of range or contradicts the ring. */
  QADS_KIND_NOT_FOUND = 3,           /**< No ring of this name exists. */
  QADS_KIND_PERMISSION_DENIED = 4,   /**< The system, or the ring's owner, does not let this process in. */
  QADS_KIND_WRITER_EXISTS = 5,       /**< The ring already has a living writer. */
  QADS_KIND_TOO_MANY_READERS = 6,    /**< Every reader's place is taken. */
  QADS_KIND_INCOMPATIBLE = 7,        /**< The file is not a region that this version reads. */
  QADS_KIND_CORRUPT = 8,             /**< Shared bytes contradict the protocol or the format. */
  QADS_KIND_FRAME_TOO_LARGE = 9,     /**< The frame does not fit into a slot. */
  QADS_KIND_RING_FULL = 10,          /**< The ring is full and its writer was asked not to wait. */
  QADS_KIND_WRITE_TIMEOUT = 11,      /**< The ring stayed full for as long as the writer would wait. */
  QADS_KIND_END_OF_STREAM = 12,      /**< The writer has closed the ring and every frame has been read. */
  QADS_KIND_WRITER_DIED = 13,        /**< The writer died without closing, and every frame has been read. */
  QADS_KIND_REPLACED = 14,           /**< Another region has taken the ring's name; attach again. */
  QADS_KIND_EVICTED = 15,            /**< This reader was taken for dead and lost its place; attach again. */
  QADS_KIND_WRONG_ROLE = 16,         /**< A writer's call on a reader, or the other way round. */
  QADS_KIND_CLOSED = 17,             /**< The handle was closed. */
  QADS_KIND_FORKED = 18,             /**< The handle was made by the parent of this forked process. */
  QADS_KIND_LOAN_OUT = 19,           /**< A loan is out where none may be. */
  QADS_KIND_NO_SPACE = 20,           /**< The folder of the rings has no room. */
  QADS_KIND_MEMORY_MAP_FAILED = 21,  /**< The region could not be mapped. */
  QADS_KIND_BUSY = 22,               /**< Another process keeps something busy for longer than it should. */
  QADS_KIND_IO = 23,                 /**< A system call failed. */
  QADS_KIND_UNSUPPORTED = 24,        /**< The frame uses something this build or this call does not offer. */
  QADS_KIND_OUT_OF_ROOM = 25,        /**< A value did not fit into a loan. */
  QADS_KIND_ARROW_ERROR = 26,        /**< Arrow found fault with a table. */
  QADS_KIND_INTERNAL = 27,           /**< A defect of this library; please report it. */
  QADS_KIND_ABORTED = 28             /**< The writer broke its stream off; every frame of it has been read. */
} qads_error_kind;

/** The kind of this thread's last failure. */
QADATASWAP_EXPORT qads_error_kind qads_last_error_kind(void);
/** The message of this thread's last failure: names the ring, says expected and got, then the remedy. Never
 *  null; valid until the thread's next failure. */
QADATASWAP_EXPORT const char* qads_last_error(void);
/** Non-zero if this thread's last failure speaks of frames that are neither in a recording nor in its ring; stores the
 *  numbers of the first and the last of them. */
QADATASWAP_EXPORT int qads_last_missing_frames(uint64_t* first, uint64_t* last);
/** The name of a kind, as every language spells it ("WriterDied"); "Unknown" for a number that is none. */
QADATASWAP_EXPORT const char* qads_error_kind_name(qads_error_kind kind);
/** The library's version, "0.1.0". */
QADATASWAP_EXPORT const char* qads_version(void);

/* ---- the arena: plain bytes through a ring ---------------------------------------------------------------- */

/** A ring by name, to be written or read as plain bytes; `size` is the capacity of all buffers together in
 *  bytes, `buffer_count` their number. Makes nothing yet: qads_create_writer() does. Null on failure. */
QADATASWAP_EXPORT void* qads_create_arena(const char* name, size_t size, size_t buffer_count);
/** Closes what was opened through the arena and frees it. Null is allowed. */
QADATASWAP_EXPORT void qads_destroy_arena(void* arena);
/** Creates the ring, or takes over one whose writer is gone, and makes this arena its writer. */
QADATASWAP_EXPORT int qads_create_writer(void* arena);
/** Attaches this arena to the ring as a lossless reader, from the oldest frame on. */
QADATASWAP_EXPORT int qads_attach_reader(void* arena);
/** Writes `size` bytes as one frame: a table with one column `data` of `size` unsigned 8-bit integers, which
 *  every other language reads as such. */
QADATASWAP_EXPORT int qads_write_data(void* arena, const void* data, size_t size);
/** Reads the next frame's bytes into `buffer` and their number into `*read_size` (which may be null), waiting for
 *  at most `timeout_ms` milliseconds. QADS_TIMEOUT if there is none yet. If the buffer is too small,
 *  QADS_NO_MEMORY, with the number needed in `*read_size`; the frame stays next. A frame that is not one column
 *  of 8-bit integers without nulls is QADS_ERROR (Unsupported) and is passed over. */
QADATASWAP_EXPORT int qads_read_data(void* arena, void* buffer, size_t buffer_size, size_t* read_size,
                                     uint64_t timeout_ms);

/* ---- schemas ---------------------------------------------------------------------------------------------- */

/** The columns of a table: names, types, metadata. */
typedef struct qads_schema qads_schema;

/** Takes a schema over from its C form (a struct type), which is not released. */
QADATASWAP_EXPORT int qads_schema_import(const struct ArrowSchema* schema, qads_schema** out);
/** Frees it. Writers and loans that use it keep what they need. Null is allowed. */
QADATASWAP_EXPORT void qads_schema_free(qads_schema* schema);

/* ---- writing ---------------------------------------------------------------------------------------------- */

/** What a full ring means to its writer. */
typedef enum qads_when_full {
  QADS_WHEN_FULL_BLOCK = 0,     /**< Wait, for at most `write_timeout_ns`. */
  QADS_WHEN_FULL_OVERWRITE = 1, /**< Overwrite the oldest frame; the ring refuses lossless readers. */
  QADS_WHEN_FULL_FAIL = 2       /**< Fail at once. */
} qads_when_full;

/** How the bodies of frames are compressed. */
typedef enum qads_compression {
  QADS_COMPRESSION_NONE = 0, /**< Not at all: readers see the columns where they lie. */
  QADS_COMPRESSION_LZ4 = 1,  /**< LZ4 frame format. */
  QADS_COMPRESSION_ZSTD = 2  /**< Zstandard, at `compression_level`. */
} qads_compression;

/** In an option: as the environment or `qadataswap.yaml` have it, or else the default that is named beside the option.
 *  The value of every option that has a place there, until it is changed. */
#define QADS_AS_CONFIGURED (-1)
/** The same for a time, where negative numbers are for ever. */
#define QADS_TIME_AS_CONFIGURED INT64_MIN

/** How a ring is made. Set the defaults by qads_writer_options_init(), then change what is to be changed. */
typedef struct qads_writer_options {
  size_t struct_size;             /**< Of this struct; set by the initialiser. */
  uint64_t size_bytes;            /**< Capacity of all buffers together; 100 MiB. */
  uint64_t slot_bytes;            /**< Capacity of one buffer, overrides `size_bytes`; 0: an equal share of it. */
  size_t buffer_count;            /**< Number of buffers, 1 to 65,536: how many frames the ring remembers; 3. */
  size_t max_readers;             /**< Most readers at a time, 1 to 1,024; 64. */
  int64_t write_timeout_ns;       /**< How long a write waits when the ring is full; 5 s; negative: for ever. */
  int64_t spin_ns;                /**< How long a wait spins at first; 10 µs; INT64_MAX: for ever. */
  int64_t yield_ns;               /**< How long it then yields its core before it sleeps; 30 µs. */
  const char* directory;          /**< The folder of the rings; null: as configured, or else /dev/shm. */
  const uint32_t* trusted_owners; /**< Users besides one's own and root whose regions are accepted. */
  size_t trusted_owner_count;     /**< How many. */
  int64_t owner;                  /**< User the region is given to; -1: nobody. */
  int64_t group;                  /**< Group the region is given to; -1: none. */
  uint32_t mode;                  /**< Permission bits of the region's file; 0600. */
  int32_t when_full;              /**< A qads_when_full; block. */
  int32_t compression;            /**< A qads_compression; none. */
  int32_t compression_level;      /**< For ZSTD, 1 to 22; 3. */
  int32_t prefault;               /**< 1: reserve all memory at creation; 0. */
  int32_t retry_count;            /**< How many times more a writer waits that has waited in vain; 0. */
  const char* config_file;        /**< A file to take the place of `qadataswap.yaml`; null: none does. */
  int32_t keep_unread;            /**< 1: keep frames that no reader has read also while none is attached; 0. */
  int32_t is_stream;              /**< 1: what is written is one data set, see qads_progress; 0. */
  uint64_t total_rows;            /**< Rows that the stream will have; QADS_UNKNOWN_ROWS. */
  int32_t memfd;                  /**< 1: a ring without a name, see qads_writer_fd(); 0. */
} qads_writer_options;

/** The number of rows of a stream whose writer does not know it. */
#define QADS_UNKNOWN_ROWS UINT64_MAX

/** The writing end of a ring: there is one at a time. */
typedef struct qads_writer qads_writer;

/** Sets the defaults in the first `size` bytes: those that the caller knows of, whatever the library does. */
QADATASWAP_EXPORT void qads_writer_options_init_sized(qads_writer_options* options, size_t size);
/** Sets the defaults. */
static inline void qads_writer_options_init(qads_writer_options* options) {
  qads_writer_options_init_sized(options, sizeof(*options));
}
/** Creates a ring, or takes over one whose writer is gone. Null options are the defaults. */
QADATASWAP_EXPORT int qads_writer_open(const char* name, const qads_writer_options* options, qads_writer** out);
/** Writes a table of `count` batches (each a struct array of `schema`, none of them released) as one frame;
 *  stores its sequence number unless `sequence` is null. Buffers are copied once, straight into the slot; those
 *  that lie in the slot already (see qads_pool) are not. */
QADATASWAP_EXPORT int qads_write(qads_writer* writer, const qads_schema* schema,
                                 const struct ArrowArray* const* batches, size_t count, uint64_t* sequence);
/** As qads_write(), but never waits: QADS_TIMEOUT if the ring is full. */
QADATASWAP_EXPORT int qads_try_write(qads_writer* writer, const qads_schema* schema,
                                     const struct ArrowArray* const* batches, size_t count, uint64_t* sequence);
/** Most bytes a frame may take. */
QADATASWAP_EXPORT uint64_t qads_writer_slot_bytes(const qads_writer* writer);
/** Number of readers that are attached, those that have died and not yet been noticed among them. */
QADATASWAP_EXPORT size_t qads_writer_reader_count(const qads_writer* writer);
/** Ends the stream: readers read what is there and then see its end. LoanOut while a loan is out. Closing twice is
 *  no error. */
QADATASWAP_EXPORT int qads_writer_close(qads_writer* writer);
/** Breaks a stream off: readers read what is there and then get Aborted with `reason`, of which at most 160 bytes are
 *  kept. What has been closed stays as it is. */
QADATASWAP_EXPORT int qads_writer_abort(qads_writer* writer, const char* reason);
/** Closes and frees it; a stream that has not been closed before is broken off. Loans and pools of it may live on. Null is
 *  allowed. */
QADATASWAP_EXPORT void qads_writer_free(qads_writer* writer);

/* ---- loans: a frame that is filled where it will be read -------------------------------------------------- */

/** A frame on loan. */
typedef struct qads_loan qads_loan;

/** One column of a loan, lying in the slot. Belongs to the loan; `data_used` and `has_nulls` are the borrower's to
 *  keep, see qads_loan_set_text() and qads_loan_set_null(). */
typedef struct qads_loan_column {
  void* values;           /**< One value (or bit, or 16-byte view) for each row; numbers hold anything at first,
                               bits are false, views empty. */
  size_t values_bytes;    /**< Their length. */
  uint8_t* validity;      /**< A bit for each row, 1 for valid; null if the column is not nullable. */
  size_t validity_bytes;  /**< Its length. */
  uint8_t* data;          /**< Room for the values of views that are longer than 12 bytes. */
  size_t data_bytes;      /**< Its length. */
  size_t data_used;       /**< Bytes of `data` in use. */
  size_t rows;            /**< Number of rows. */
  int32_t has_nulls;      /**< Non-zero once `validity` has been written, all of it. */
} qads_loan_column;

/** Lends a frame of `rows` rows with `var_bytes` bytes for long values in each column of views. Columns may be of
 *  every fixed-width type, booleans, and the view types of strings and binaries. */
QADATASWAP_EXPORT int qads_loan_open(qads_writer* writer, const qads_schema* schema, size_t rows, size_t var_bytes,
                                     qads_loan** out);
/** The column at this position. */
QADATASWAP_EXPORT int qads_loan_get_column(qads_loan* loan, size_t column, qads_loan_column** out);
/** Sets a row of a column of views. OutOfRoom (QADS_NO_MEMORY) if a long value does not fit. */
QADATASWAP_EXPORT int qads_loan_set_text(qads_loan_column* column, size_t row, const char* text, size_t length);
/** Makes a row of a nullable column null. */
QADATASWAP_EXPORT int qads_loan_set_null(qads_loan_column* column, size_t row);
/** Publishes the first `rows` rows and frees the loan, also when it fails. */
QADATASWAP_EXPORT int qads_loan_commit(qads_loan* loan, size_t rows, uint64_t* sequence);
/** Gives the slot back and frees the loan. Null is allowed. */
QADATASWAP_EXPORT void qads_loan_abandon(qads_loan* loan);

/* ---- pools: memory in the slot of the next frame ---------------------------------------------------------- */

/** Memory in the slot that the writer's next frame will take, for tables that are built buffer by buffer. A table of
 *  one batch whose buffers were allocated here is published by qads_write() where it lies. Memory that is still held
 *  afterwards, also after the writer was closed, stays as it is: its slot is used again once all of it has been freed.
 *  What is written to it may be seen by the ring's readers. */
typedef struct qads_pool qads_pool;

/** The writer's pool, one reference to which goes to the caller: the same address for all of a writer's life. Takes a
 *  slot for it if it has none and there is a free one. Never waits: a pool without a slot has no room. */
QADATASWAP_EXPORT int qads_writer_pool(qads_writer* writer, qads_pool** out);
/** Another reference. */
QADATASWAP_EXPORT void qads_pool_retain(qads_pool* pool);
/** Gives up a reference. Memory must have been freed before the last one goes. */
QADATASWAP_EXPORT void qads_pool_release(qads_pool* pool);
/** `size` bytes at a multiple of `alignment` (a power of two, at least 64 is used); null if there is no room. */
QADATASWAP_EXPORT void* qads_pool_allocate(qads_pool* pool, size_t size, size_t alignment);
/** Changes the size of an allocation, in place or by moving it within the slot; null, and nothing changed, if
 *  there is no room. */
QADATASWAP_EXPORT void* qads_pool_reallocate(qads_pool* pool, void* memory, size_t size, size_t alignment);
/** Frees an allocation. */
QADATASWAP_EXPORT void qads_pool_free(qads_pool* pool, void* memory);
/** Non-zero if this address is one of the pool's. */
QADATASWAP_EXPORT int qads_pool_owns(const qads_pool* pool, const void* memory);

/* ---- reading ---------------------------------------------------------------------------------------------- */

/** What a reader is owed. */
typedef enum qads_policy {
  QADS_POLICY_LOSSLESS = 0, /**< Every frame from the first one on: the writer waits for this reader. */
  QADS_POLICY_LOSSY = 1,    /**< Every frame it is fast enough for, and the exact number of those it missed. */
  QADS_POLICY_LATEST = 2,   /**< The newest frame at each read; all in between count as missed. */
  QADS_POLICY_OBSERVER = 3  /**< As lossy, for whoever may or shall not write to the region: needs read permission only,
                             *   takes no place and changes nothing; copies each frame, and may see one that it waits
                             *   for up to 2 ms late. */
} qads_policy;

/** Where a new reader starts. */
typedef enum qads_start {
  QADS_START_OLDEST = 0, /**< At the oldest frame still in the ring. */
  QADS_START_NEWEST = 1  /**< At the newest frame, or at the next one if the ring is empty. */
} qads_start;

/** How much of a frame a reader checks before it hands it out. */
typedef enum qads_validation {
  QADS_VALIDATION_FORM = 0,        /**< Bounds, lengths, alignment; the data itself is never touched. */
  QADS_VALIDATION_FULL = 1,        /**< Also the contents; holds while the writer keeps the protocol. */
  QADS_VALIDATION_FULL_ON_COPY = 2 /**< As full, on a private copy: for writers that are not trusted. */
} qads_validation;

/** How a ring is read. Set the defaults by qads_reader_options_init(), then change what is to be changed. */
typedef struct qads_reader_options {
  size_t struct_size;             /**< Of this struct; set by the initialiser. */
  int64_t attach_timeout_ns;      /**< How long to wait for the ring to come into being; 0; negative: for ever. */
  int64_t spin_ns;                /**< How long a wait spins at first; 10 µs; INT64_MAX: for ever. */
  int64_t yield_ns;               /**< How long it then yields its core before it sleeps; 30 µs. */
  const char* directory;          /**< The folder of the rings; null: as configured, or else /dev/shm. */
  const uint32_t* trusted_owners; /**< Users besides one's own and root whose regions are accepted. */
  size_t trusted_owner_count;     /**< How many. */
  int32_t policy;                 /**< A qads_policy; lossless. */
  int32_t start;                  /**< A qads_start; oldest. */
  int32_t validation;             /**< A qads_validation; form. */
  const char* config_file;        /**< A file to take the place of `qadataswap.yaml`; null: none does. */
  int32_t prefault;               /**< 1: map all memory that the ring has when attaching; 0. */
} qads_reader_options;

/** The reading end of a ring. */
typedef struct qads_reader qads_reader;
/** A frame: one table as it was written, in its batches, lying in shared memory (or, out of a recording, in memory of its
 *  own). Holds its slot until it and every array got from it are gone. */
typedef struct qads_frame qads_frame;

/** Sets the defaults in the first `size` bytes: those that the caller knows of, whatever the library does. */
QADATASWAP_EXPORT void qads_reader_options_init_sized(qads_reader_options* options, size_t size);
/** Sets the defaults. */
static inline void qads_reader_options_init(qads_reader_options* options) {
  qads_reader_options_init_sized(options, sizeof(*options));
}
/** Attaches to a ring. Null options are the defaults. */
QADATASWAP_EXPORT int qads_reader_open(const char* name, const qads_reader_options* options, qads_reader** out);
/** Reads the next frame, waiting for at most `timeout_ms` milliseconds (negative: for ever). QADS_TIMEOUT if there
 *  is none yet; EndOfStream, WriterDied, Replaced when none will come. */
QADATASWAP_EXPORT int qads_read(qads_reader* reader, int64_t timeout_ms, qads_frame** out);
/** As qads_read(), in nanoseconds; 0 never waits and never makes a system call. */
QADATASWAP_EXPORT int qads_read_within(qads_reader* reader, int64_t timeout_ns, qads_frame** out);
/** Non-zero in `*out` while the ring has a living writer. */
QADATASWAP_EXPORT int qads_reader_has_writer(const qads_reader* reader, int* out);
/** From now on this reader reads one data set, whole: it starts where the writer's stream begins, and a frame of another
 *  one is an error. InvalidConfig if the beginning has been read and is gone. Nothing changes if it is no stream. */
QADATASWAP_EXPORT int qads_reader_expect_stream(qads_reader* reader);
/** Takes no more frames and no longer holds up the writer; frames already read stay valid. */
QADATASWAP_EXPORT int qads_reader_close(qads_reader* reader);
/** Closes and frees it; frames stay valid. Null is allowed. */
QADATASWAP_EXPORT void qads_reader_free(qads_reader* reader);

/** The frame's number, counted from 0 over the ring's life. */
QADATASWAP_EXPORT uint64_t qads_frame_sequence(const qads_frame* frame);
/** Number of frames that this reader missed between the previous frame and this one. */
QADATASWAP_EXPORT uint64_t qads_frame_missed(const qads_frame* frame);
/** CLOCK_MONOTONIC at publication, in nanoseconds. */
QADATASWAP_EXPORT uint64_t qads_frame_published_ns(const qads_frame* frame);
/** When it was published, in nanoseconds since the Unix epoch: of a recorded frame as it was written down then. */
QADATASWAP_EXPORT uint64_t qads_frame_published_at_ns(const qads_frame* frame);
/** Time since it was published, in nanoseconds. */
QADATASWAP_EXPORT uint64_t qads_frame_age_ns(const qads_frame* frame);
/** Number of rows in all batches. */
QADATASWAP_EXPORT uint64_t qads_frame_rows(const qads_frame* frame);
/** Bytes that reading this frame has copied out of the slot; see qads_stats. */
QADATASWAP_EXPORT uint64_t qads_frame_bytes_copied(const qads_frame* frame);
/** Number of batches. */
QADATASWAP_EXPORT size_t qads_frame_batches(const qads_frame* frame);
/** Stands for the frame's schema: equal numbers from one reader are equal schemas. */
QADATASWAP_EXPORT uint64_t qads_frame_schema_id(const qads_frame* frame);
/** Exports the schema; the caller releases it. */
QADATASWAP_EXPORT int qads_frame_schema(const qads_frame* frame, struct ArrowSchema* out);
/** Exports a batch without copying; the caller releases it, in any thread and also after the frame, the reader and
 *  the ring are gone. Unless `lengths` is null it is set to the length in bytes of every buffer, depth first (a
 *  node's buffers, its children, its dictionary), valid until the array is released. */
QADATASWAP_EXPORT int qads_frame_export(const qads_frame* frame, size_t batch, struct ArrowArray* out,
                                        const int64_t** lengths);
/** The frame as it lies in the slot, a complete Arrow IPC stream; `*length` is its length in bytes. */
QADATASWAP_EXPORT const void* qads_frame_bytes(const qads_frame* frame, size_t* length);
/** Lets go of the frame. Null is allowed. */
QADATASWAP_EXPORT void qads_frame_free(qads_frame* frame);

/* ---- rings without a name --------------------------------------------------------------------------------- */

/** The descriptor of a ring that was created with `memfd`: nobody finds, opens or truncates it but who is handed it, by
 *  qads_send_region() or any other means, and the kernel frees it with the last process that has it. The number is the
 *  writer's and good until it is closed. InvalidConfig if the ring has a name. */
QADATASWAP_EXPORT int qads_writer_fd(const qads_writer* writer, int* out);
/** As qads_writer_fd(), of a reader. */
QADATASWAP_EXPORT int qads_reader_fd(const qads_reader* reader, int* out);
/** Takes over the ring behind a descriptor, whose writer is gone. The descriptor stays the caller's and may be closed then.
 *  `name` is what messages call it; null: what its creator called it. InvalidConfig if it is of anything but a ring without
 *  a name, or the options ask for another size than that has. */
QADATASWAP_EXPORT int qads_writer_open_fd(const char* name, int fd, const qads_writer_options* options,
                                          qads_writer** out);
/** Attaches to the ring behind a descriptor, for which the same holds. */
QADATASWAP_EXPORT int qads_reader_open_fd(const char* name, int fd, const qads_reader_options* options,
                                          qads_reader** out);
/** Sends a ring's descriptor through a Unix socket, as one byte with the descriptor beside it (SCM_RIGHTS). */
QADATASWAP_EXPORT int qads_send_region(int socket, int fd);
/** Receives one, which is the caller's to close. InvalidConfig if anything else has come, Io if the socket was closed. */
QADATASWAP_EXPORT int qads_receive_region(int socket, int* out);

/* ---- waiting on many rings --------------------------------------------------------------------------------- */

/** Waits until some of many readers have something to read: a frame, the end of the stream, the death of the writer,
 *  or an error. It takes no frame: reading does, which then does not wait; qads_read() with a timeout of 0 tells which
 *  it is. A reader that is ready stays so until it is read; one that is closed, whose writer is dead, or that has read
 *  the last frame of its stream, until it is removed.
 *
 *  It may be used by any thread: readers are added and removed while another one waits. When two threads wait, the
 *  second one's wait begins as the first one's ends. It keeps the place in its ring of each reader that it has, also
 *  after the reader was freed. */
typedef struct qads_selector qads_selector;

/** Makes one without readers. It spins for `spin_ns` (INT64_MAX: for ever), then yields its core for `yield_ns`, then
 *  sleeps, whatever its readers would do; negative: 10 µs and 30 µs. */
QADATASWAP_EXPORT int qads_selector_open(int64_t spin_ns, int64_t yield_ns, qads_selector** out);
/** Waits for `reader` too, which `key` will stand for. InvalidConfig if it stands for a reader already; Closed. */
QADATASWAP_EXPORT int qads_selector_add(qads_selector* selector, uint64_t key, const qads_reader* reader);
/** Waits no more for the reader that `key` stands for; non-zero if it stood for one. */
QADATASWAP_EXPORT int qads_selector_remove(qads_selector* selector, uint64_t key);
/** Number of readers. */
QADATASWAP_EXPORT size_t qads_selector_size(const qads_selector* selector);
/** Waits for at most `timeout_ns` nanoseconds (negative: for ever) until some readers are ready; stores the keys of the
 *  first `capacity` of them, of which the first is another one from wait to wait, and in `*count` how many there are.
 *  QADS_TIMEOUT if there are none: the time is up, or qads_selector_wake() was called. */
QADATASWAP_EXPORT int qads_selector_wait(qads_selector* selector, int64_t timeout_ns, uint64_t* keys, size_t capacity,
                                         size_t* count);
/** Ends the wait that is going on, or else the next one. A handler of signals may call it. */
QADATASWAP_EXPORT void qads_selector_wake(qads_selector* selector);
/** Frees it; nobody waits with it any more. Null is allowed. */
QADATASWAP_EXPORT void qads_selector_free(qads_selector* selector);

/* ---- recordings -------------------------------------------------------------------------------------------- */

/** A recording: the frames of a ring in the files of a folder, which may be recorded into meanwhile. Any thread may use
 *  it. What is in the files stands in docs/recording.md. */
typedef struct qads_recording qads_recording;
/** A place in a recording, which moves on as frames are read. */
typedef struct qads_recorded_frames qads_recorded_frames;
/** A reader that starts in a recording and passes into the ring, with no frame lost and none twice. */
typedef struct qads_follow qads_follow;
/** A reader that appends what it reads to the files of a folder. */
typedef struct qads_recorder qads_recorder;

/** What the place is named by that reading starts at. */
typedef enum qads_since_kind {
  QADS_SINCE_START = 0,    /**< The first frame; no value. */
  QADS_SINCE_SEQUENCE = 1, /**< A frame's number: that frame of the ring's newest life, or the first one after it. */
  QADS_SINCE_TIME = 2      /**< Nanoseconds since the Unix epoch: the first frame published then or later. */
} qads_since_kind;

/** A place to start at. */
typedef struct qads_since {
  int32_t kind;   /**< A qads_since_kind. */
  uint64_t value; /**< As its kind says. */
} qads_since;

/** A sequence or a time of no frame. */
#define QADS_NO_PLACE UINT64_MAX

/** What a recording holds. */
typedef struct qads_summary {
  size_t struct_size;      /**< Of this struct; to be set by the caller. */
  uint64_t files;          /**< Number of files. */
  uint64_t data_bytes;     /**< Bytes of their data. */
  uint64_t frames;         /**< Whole frames in them. */
  uint64_t rows;           /**< Their rows. */
  uint64_t missed;         /**< Frames that are missing between them. */
  uint64_t damaged;        /**< Records that cannot be read, of frames that are lost for that. */
  uint64_t first_sequence; /**< The first frame's number, or QADS_NO_PLACE. */
  uint64_t first_ns;       /**< When it was published, since the Unix epoch. */
  uint64_t last_sequence;  /**< The last frame's number, or QADS_NO_PLACE. */
  uint64_t last_ns;        /**< When it was published. */
  int32_t is_live;         /**< 1 if somebody records into it now. */
} qads_summary;

/** What a file of a recording holds. */
typedef struct qads_file_info {
  uint64_t number;         /**< Its number: 1 is `00000001.arrows`. */
  uint64_t region_id[2];   /**< Tells one life of the ring from the next. */
  uint64_t data_bytes;     /**< Bytes of its data. */
  uint64_t frames;         /**< Whole frames in it. */
  uint64_t rows;           /**< Their rows. */
  uint64_t missed;         /**< Frames missing between them, and between the first and the frame recorded before it. */
  uint64_t damaged;        /**< Records that cannot be read. */
  uint64_t first_sequence; /**< The first frame's number, or QADS_NO_PLACE. */
  uint64_t first_ns;       /**< When it was published, since the Unix epoch. */
  uint64_t last_sequence;  /**< The last frame's number, or QADS_NO_PLACE. */
  uint64_t last_ns;        /**< When it was published. */
} qads_file_info;

/** Opens the recording in a folder; `validation` is a qads_validation, a frame's checksum is checked in any case. */
QADATASWAP_EXPORT int qads_recording_open(const char* directory, int32_t validation, qads_recording** out);
/** What it holds as a whole. Reads the indices, not the data. */
QADATASWAP_EXPORT int qads_recording_summary(const qads_recording* recording, qads_summary* out);
/** What its files hold, oldest first: stores the first `capacity` of them, each `file_size` bytes (sizeof(qads_file_info)),
 *  and in `*count` how many there are. */
QADATASWAP_EXPORT int qads_recording_files(const qads_recording* recording, qads_file_info* files, size_t file_size,
                                           size_t capacity, size_t* count);
/** Non-zero in `*out` if somebody records into it now. */
QADATASWAP_EXPORT int qads_recording_is_live(const qads_recording* recording, int* out);
/** Mends its end after a recorder was killed: what follows the last whole frame is cut off, so that every Arrow library
 *  reads the last file to its end. Stores how many bytes, unless null. InvalidConfig while somebody records into it. */
QADATASWAP_EXPORT int qads_recording_repair(qads_recording* recording, uint64_t* data_bytes, uint64_t* index_bytes);
/** Frees it; what was got from it stays. Null is allowed. */
QADATASWAP_EXPORT void qads_recording_free(qads_recording* recording);

/** The frames from a place on; null is the first one. */
QADATASWAP_EXPORT int qads_recording_frames(const qads_recording* recording, const qads_since* since,
                                            qads_recorded_frames** out);
/** The next frame; QADS_TIMEOUT after the last one recorded so far: asked again, it goes on with what has come since. An
 *  error is passed by: Corrupt for a frame that cannot be read, which the next one counts as missed; Replaced between two
 *  lives of the ring, each of which counts its frames from 0. */
QADATASWAP_EXPORT int qads_recorded_frames_next(qads_recorded_frames* frames, qads_frame** out);
/** Frees it; frames stay valid. Null is allowed. */
QADATASWAP_EXPORT void qads_recorded_frames_free(qads_recorded_frames* frames);

/** Reads on from a place in the recording (null: the first frame), and in the ring when the recording has been read. The
 *  options are of the ring (null: the defaults); anything but lossless is InvalidConfig. The recorder is waited for, between
 *  the recording and the ring, for at most `patience_ns`; negative: 5 s. */
QADATASWAP_EXPORT int qads_follow_open(const qads_recording* recording, const char* ring,
                                       const qads_reader_options* options, const qads_since* since,
                                       int64_t patience_ns, qads_follow** out);
/** Reads the next frame, waiting for at most `timeout_ms` milliseconds (negative: for ever). QADS_TIMEOUT if there is none
 *  yet. Errors as of qads_read() and qads_recorded_frames_next(); after Replaced it goes on with the next life of the ring.
 *  Io with qads_last_missing_frames() if frames are neither in the recording nor in the ring; it goes on behind them. */
QADATASWAP_EXPORT int qads_follow_read(qads_follow* follow, int64_t timeout_ms, qads_frame** out);
/** As qads_follow_read(), in nanoseconds. */
QADATASWAP_EXPORT int qads_follow_read_within(qads_follow* follow, int64_t timeout_ns, qads_frame** out);
/** Non-zero if frames come from the ring by now. */
QADATASWAP_EXPORT int qads_follow_is_live(const qads_follow* follow);
/** Frees it, and no longer holds up the writer; frames stay valid. Null is allowed. */
QADATASWAP_EXPORT void qads_follow_free(qads_follow* follow);

/** How a ring is recorded. Set the defaults by qads_recorder_options_init(), then change what is to be changed. */
typedef struct qads_recorder_options {
  size_t struct_size;    /**< Of this struct; set by the initialiser. */
  uint64_t rotate_bytes; /**< A new file begins rather than that one grows beyond so many bytes; 1 GiB. */
  int64_t rotate_ns;     /**< A new file begins with the first frame published so long after a file's first one; -1: never. */
  int64_t sync_every;    /**< fsync after so many frames; 0: when a file is finished; -1: never; 0. */
  uint32_t mode;         /**< Permission bits of new files; 0600. */
} qads_recorder_options;

/** A frame that was just recorded. */
typedef struct qads_recorded {
  size_t struct_size; /**< Of this struct; to be set by the caller. */
  uint64_t sequence;  /**< Its number in the ring. */
  uint64_t rows;      /**< Its rows. */
  uint64_t bytes;     /**< Bytes of its messages. */
  uint64_t missed;    /**< Frames that are not in the recording, between the frame recorded before and this one. */
  uint64_t file;      /**< The number of the file it is in. */
} qads_recorded;

/** What a recorder has done so far. */
typedef struct qads_recorder_stats {
  size_t struct_size; /**< Of this struct; to be set by the caller. */
  uint64_t frames;    /**< Frames recorded. */
  uint64_t rows;      /**< Their rows. */
  uint64_t bytes;     /**< Bytes of their messages. */
  uint64_t missed;    /**< Frames that are not in the recording, between the ones that are. */
  uint64_t files;     /**< Files begun. */
} qads_recorder_stats;

/** Sets the defaults in the first `size` bytes: those that the caller knows of, whatever the library does. */
QADATASWAP_EXPORT void qads_recorder_options_init_sized(qads_recorder_options* options, size_t size);
/** Sets the defaults. */
static inline void qads_recorder_options_init(qads_recorder_options* options) {
  qads_recorder_options_init_sized(options, sizeof(*options));
}
/** Records a ring into a folder, which is made if it is not there: mends what a killed recorder has left, and goes on behind
 *  the last frame that is recorded. Null options are the defaults; `ring_options` say what the recorder is owed: as
 *  lossless, the ring waits for the disk. InvalidConfig while another one records into the folder. */
QADATASWAP_EXPORT int qads_recorder_open(const char* ring, const char* directory, const qads_recorder_options* options,
                                         const qads_reader_options* ring_options, qads_recorder** out);
/** Records the next frame, waiting for at most `timeout_ns` (negative: for ever), and says what it was unless `out` is null.
 *  QADS_TIMEOUT if there is none yet. EndOfStream at the ring's end; after WriterDied it may go on, after Replaced it needs
 *  qads_recorder_attach_again(). NoSpace if the disk is full: the frame at hand is recorded by the next call if that goes
 *  better. Corrupt for a frame that is no Arrow stream, which is left out. */
QADATASWAP_EXPORT int qads_recorder_record(qads_recorder* recorder, int64_t timeout_ns, qads_recorded* out);
/** Records until the ring's stream ends, or for `timeout_ns` and then what is there (QADS_TIMEOUT). Other errors are those
 *  of qads_recorder_record(). */
QADATASWAP_EXPORT int qads_recorder_run(qads_recorder* recorder, int64_t timeout_ns);
/** Attaches to the ring that has taken the place of the one recorded so far, or to the same one again. */
QADATASWAP_EXPORT int qads_recorder_attach_again(qads_recorder* recorder);
/** What it has done so far. */
QADATASWAP_EXPORT int qads_recorder_get_stats(const qads_recorder* recorder, qads_recorder_stats* out);
/** Finishes the file at hand and leaves the ring. Closing twice is no error. */
QADATASWAP_EXPORT int qads_recorder_close(qads_recorder* recorder);
/** Closes and frees it. Null is allowed. */
QADATASWAP_EXPORT void qads_recorder_free(qads_recorder* recorder);

/* ---- numbers ---------------------------------------------------------------------------------------------- */

/** What a handle has done so far. */
typedef struct qads_stats {
  size_t struct_size;        /**< Of this struct; to be set by the caller. */
  uint64_t writes_count;     /**< Frames written through this handle. */
  uint64_t bytes_written;    /**< Bytes of those frames. */
  uint64_t rows_written;     /**< Rows of those frames. */
  uint64_t bytes_in_place;   /**< Bytes of buffers that were published where they had been built (qads_pool). */
  uint64_t reads_count;      /**< Frames read through this handle. */
  uint64_t bytes_read;       /**< Bytes of those frames. */
  uint64_t rows_read;        /**< Rows of those frames. */
  uint64_t bytes_copied;     /**< Bytes that reading has copied. */
  uint64_t frames_missed;    /**< Frames that a lossy or latest reader or an observer missed. */
  uint64_t wait_timeouts;    /**< Reads and writes that ended without result because their time was up. */
  uint64_t full_waits;       /**< Times a write found the ring full and waited. */
  uint64_t readers_evicted;  /**< Readers that died and were removed by this writer. */
  uint64_t frames_published; /**< Frames published over the ring's life, by every writer. */
  uint64_t lag;              /**< Frames published and not yet read by this reader; 0 for a writer. */
} qads_stats;

/** What this writer has done. */
QADATASWAP_EXPORT int qads_writer_stats(const qads_writer* writer, qads_stats* out);
/** What this reader has done. */
QADATASWAP_EXPORT int qads_reader_stats(const qads_reader* reader, qads_stats* out);

/** How far a stream has come: one data set, of which a reader has all once it has seen its end. */
typedef struct qads_progress {
  size_t struct_size;    /**< Of this struct; set by the caller. */
  uint64_t rows;         /**< Rows written or read through this handle. */
  uint64_t rows_written; /**< Rows that the writer has published so far. */
  uint64_t total_rows;   /**< Rows that the stream will have, or QADS_UNKNOWN_ROWS. */
  int32_t is_over;       /**< 1 if nothing more will be written. */
} qads_progress;

/** How far this writer has come. */
QADATASWAP_EXPORT int qads_writer_progress(const qads_writer* writer, qads_progress* out);
/** How far the stream has come that is read; without one, all that the ring has seen. */
QADATASWAP_EXPORT int qads_reader_progress(const qads_reader* reader, qads_progress* out);

#ifdef __cplusplus
}
#endif

#endif /* QADATASWAP_H */
