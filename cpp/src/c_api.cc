// The C interface over the bridge: handles are addresses of Rust's, statuses are made of the kinds of errors.

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "qadataswap-cxx/src/lib.rs.h"
#include "qadataswap.h"

namespace bridge = qadataswap::bridge;

namespace {

// A failure that is found on this side, until the next one on either side.
thread_local qads_error_kind local_kind = QADS_KIND_NONE;
thread_local std::string local_message;

int StatusOf(int32_t kind) {
  switch (kind) {
    case QADS_KIND_NONE:
      return QADS_OK;
    case QADS_KIND_RING_FULL:
    case QADS_KIND_WRITE_TIMEOUT:
    case QADS_KIND_BUSY:
      return QADS_TIMEOUT;
    case QADS_KIND_NO_SPACE:
    case QADS_KIND_MEMORY_MAP_FAILED:
    case QADS_KIND_FRAME_TOO_LARGE:
    case QADS_KIND_OUT_OF_ROOM:
      return QADS_NO_MEMORY;
    default:
      return QADS_ERROR;
  }
}

// How a call into Rust ended.
int Ended(int32_t kind) {
  if (kind != QADS_KIND_NONE) local_kind = QADS_KIND_NONE;
  return StatusOf(kind);
}

// A call into Rust that yields a handle or fails.
template <typename Handle, typename Made>
int Handed(Made* made, Handle** out) {
  *out = reinterpret_cast<Handle*>(made);
  return made != nullptr ? QADS_OK : Ended(bridge::last_error_kind());
}

int Fail(int status, qads_error_kind kind, std::string message) {
  local_kind = kind;
  local_message = std::move(message);
  return status;
}

int Missing(const char* what) {
  return Fail(QADS_ERROR, QADS_KIND_INVALID_CONFIG, std::string(what) + " is null");
}

#define QADS_REQUIRE(argument) \
  if ((argument) == nullptr) return Missing(#argument)

rust::Slice<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Whether one of the batches is null.
bool AnyMissing(const ArrowArray* const* batches, size_t count) {
  for (size_t each = 0; each < count; ++each) {
    if (batches[each] == nullptr) return true;
  }
  return false;
}

// What the caller's struct holds, which may be of an earlier version and so shorter.
template <typename Options>
Options Given(const Options* options, void (*init)(Options*)) {
  Options given;
  init(&given);
  if (options != nullptr) {
    const size_t size = options->struct_size < sizeof(given) ? options->struct_size : sizeof(given);
    std::memcpy(&given, options, size);
    given.struct_size = sizeof(given);
  }
  return given;
}

template <typename Number>
constexpr Number kAsConfigured = static_cast<Number>(QADS_AS_CONFIGURED);

template <typename Options>
rust::Slice<const uint32_t> Owners(const Options& options) {
  if (options.trusted_owners == nullptr) return {};
  return {options.trusted_owners, options.trusted_owner_count};
}

std::string_view Text(const char* text) { return text == nullptr ? std::string_view() : text; }

/// Copies what is told into the caller's struct, which may be of an earlier version and so shorter.
template <typename Told>
int Hand(const Told& told, Told* out) {
  const size_t given = out->struct_size;
  if (given < sizeof(told.struct_size)) {
    return Fail(QADS_ERROR, QADS_KIND_INVALID_CONFIG, "struct_size is not set");
  }
  std::memcpy(out, &told, given < sizeof(told) ? given : sizeof(told));
  out->struct_size = given;
  return QADS_OK;
}

int Tell(const bridge::Progress& progress, qads_progress* out) {
  return Hand(qads_progress{sizeof(qads_progress), progress.rows, progress.rows_written, progress.total_rows,
                            progress.is_over ? 1 : 0},
              out);
}

int Tell(const bridge::Stats& stats, qads_stats* out) {
  const qads_stats told{sizeof(qads_stats),
                        stats.writes_count,
                        stats.bytes_written,
                        stats.rows_written,
                        stats.bytes_in_place,
                        stats.reads_count,
                        stats.bytes_read,
                        stats.rows_read,
                        stats.bytes_copied,
                        stats.frames_missed,
                        stats.wait_timeouts,
                        stats.full_waits,
                        stats.readers_evicted,
                        stats.frames_published,
                        stats.lag};
  return Hand(told, out);
}

bridge::Writer* Rust(qads_writer* writer) { return reinterpret_cast<bridge::Writer*>(writer); }
const bridge::Writer* Rust(const qads_writer* writer) { return reinterpret_cast<const bridge::Writer*>(writer); }
bridge::Reader* Rust(qads_reader* reader) { return reinterpret_cast<bridge::Reader*>(reader); }
const bridge::Reader* Rust(const qads_reader* reader) { return reinterpret_cast<const bridge::Reader*>(reader); }
bridge::Frame* Rust(qads_frame* frame) { return reinterpret_cast<bridge::Frame*>(frame); }
const bridge::Frame* Rust(const qads_frame* frame) { return reinterpret_cast<const bridge::Frame*>(frame); }
bridge::Schema* Rust(qads_schema* schema) { return reinterpret_cast<bridge::Schema*>(schema); }
const bridge::Schema* Rust(const qads_schema* schema) { return reinterpret_cast<const bridge::Schema*>(schema); }
bridge::Loan* Rust(qads_loan* loan) { return reinterpret_cast<bridge::Loan*>(loan); }
bridge::Pool* Rust(qads_pool* pool) { return reinterpret_cast<bridge::Pool*>(pool); }
bridge::Selector* Rust(qads_selector* selector) { return reinterpret_cast<bridge::Selector*>(selector); }
const bridge::Selector* Rust(const qads_selector* selector) {
  return reinterpret_cast<const bridge::Selector*>(selector);
}
bridge::Recording* Rust(qads_recording* recording) { return reinterpret_cast<bridge::Recording*>(recording); }
const bridge::Recording* Rust(const qads_recording* recording) {
  return reinterpret_cast<const bridge::Recording*>(recording);
}
bridge::RecordedFrames* Rust(qads_recorded_frames* frames) { return reinterpret_cast<bridge::RecordedFrames*>(frames); }
bridge::Follow* Rust(qads_follow* follow) { return reinterpret_cast<bridge::Follow*>(follow); }
const bridge::Follow* Rust(const qads_follow* follow) { return reinterpret_cast<const bridge::Follow*>(follow); }
bridge::Recorder* Rust(qads_recorder* recorder) { return reinterpret_cast<bridge::Recorder*>(recorder); }
const bridge::Recorder* Rust(const qads_recorder* recorder) {
  return reinterpret_cast<const bridge::Recorder*>(recorder);
}
const bridge::Pool* Rust(const qads_pool* pool) { return reinterpret_cast<const bridge::Pool*>(pool); }

// How a ring is read, as it crosses; points into what is given.
bridge::ReaderOptions Crossing(std::string_view name, const qads_reader_options& given) {
  return {Bytes(name),
          Bytes(Text(given.directory)),
          Owners(given),
          given.attach_timeout_ns,
          given.spin_ns,
          given.yield_ns,
          given.policy,
          given.start,
          given.validation,
          Bytes(Text(given.config_file))};
}

// How a ring is made, as it crosses; points into what is given.
bridge::WriterOptions Crossing(std::string_view name, const qads_writer_options& given) {
  return {Bytes(name),
          Bytes(Text(given.directory)),
          Owners(given),
          given.size_bytes,
          given.slot_bytes,
          given.buffer_count,
          given.max_readers,
          given.write_timeout_ns,
          given.spin_ns,
          given.yield_ns,
          given.owner,
          given.group,
          given.mode,
          given.when_full,
          given.compression,
          given.compression_level,
          given.prefault,
          given.retry_count,
          Bytes(Text(given.config_file)),
          given.keep_unread != 0,
          given.is_stream != 0,
          given.total_rows,
          given.memfd != 0};
}

int64_t Nanoseconds(int64_t milliseconds) {
  constexpr int64_t kMost = INT64_MAX / 1'000'000;
  // More than three hundred years are for ever, as what is negative is.
  return milliseconds < 0 || milliseconds > kMost ? -1 : milliseconds * 1'000'000;
}

// How a read ended.
int HandedFrame(bridge::Frame* frame, int32_t kind, qads_frame** out) {
  *out = reinterpret_cast<qads_frame*>(frame);
  if (frame != nullptr) return QADS_OK;
  return kind == QADS_KIND_NONE ? QADS_TIMEOUT : Ended(kind);
}

constexpr qads_since kStart{QADS_SINCE_START, 0};

// A ring by name, and what has been opened of it.
struct Arena {
  std::string name;
  size_t size;
  size_t buffer_count;
  qads_writer* writer = nullptr;
  qads_schema* schema = nullptr;
  qads_reader* reader = nullptr;
  // Read and not fetched yet.
  qads_frame* next = nullptr;

  ~Arena() {
    qads_frame_free(next);
    qads_reader_free(reader);
    qads_schema_free(schema);
    qads_writer_free(writer);
  }
};

void ReleaseNothing(ArrowArray*) {}

}  // namespace

extern "C" {

qads_error_kind qads_last_error_kind(void) {
  if (local_kind != QADS_KIND_NONE) return local_kind;
  return static_cast<qads_error_kind>(bridge::last_error_kind());
}

const char* qads_last_error(void) {
  if (local_kind != QADS_KIND_NONE) return local_message.c_str();
  return reinterpret_cast<const char*>(bridge::last_error().data());
}

int qads_last_missing_frames(uint64_t* first, uint64_t* last) {
  uint64_t from = 0;
  uint64_t to = 0;
  if (local_kind != QADS_KIND_NONE || !bridge::last_missing_frames(from, to)) return 0;
  if (first != nullptr) *first = from;
  if (last != nullptr) *last = to;
  return 1;
}

const char* qads_error_kind_name(qads_error_kind kind) {
  // The names are literals of the bridge, which end without a zero byte: each is copied once.
  static const auto* names = [] {
    auto* all = new std::vector<std::string>;
    do {
      all->push_back(static_cast<std::string>(bridge::error_kind_name(static_cast<int32_t>(all->size()))));
    } while (all->back() != "Unknown");
    return all;
  }();
  const auto number = static_cast<size_t>(kind);
  return (*names)[number < names->size() ? number : names->size() - 1].c_str();
}

const char* qads_version(void) {
  static const auto* version = new std::string(bridge::version());
  return version->c_str();
}

// ---- the arena ------------------------------------------------------------------------------------------------

void* qads_create_arena(const char* name, size_t size, size_t buffer_count) {
  if (name == nullptr) {
    Missing("name");
    return nullptr;
  }
  try {
    return new Arena{name, size, buffer_count};
  } catch (const std::bad_alloc&) {
    Fail(QADS_NO_MEMORY, QADS_KIND_INTERNAL, "no memory");
    return nullptr;
  }
}

void qads_destroy_arena(void* arena) { delete static_cast<Arena*>(arena); }

int qads_create_writer(void* arena) {
  QADS_REQUIRE(arena);
  auto& ring = *static_cast<Arena*>(arena);
  if (ring.writer != nullptr) {
    return Fail(QADS_ERROR, QADS_KIND_WRITER_EXISTS, "ring '" + ring.name + "': this arena is its writer already");
  }
  qads_writer_options options;
  qads_writer_options_init(&options);
  options.size_bytes = ring.size;
  options.buffer_count = ring.buffer_count;
  if (ring.schema == nullptr) ring.schema = reinterpret_cast<qads_schema*>(bridge::schema_of_bytes());
  return qads_writer_open(ring.name.c_str(), &options, &ring.writer);
}

int qads_attach_reader(void* arena) {
  QADS_REQUIRE(arena);
  auto& ring = *static_cast<Arena*>(arena);
  if (ring.reader != nullptr) {
    return Fail(QADS_ERROR, QADS_KIND_INVALID_CONFIG, "ring '" + ring.name + "': this arena is a reader already");
  }
  return qads_reader_open(ring.name.c_str(), nullptr, &ring.reader);
}

int qads_write_data(void* arena, const void* data, size_t size) {
  QADS_REQUIRE(arena);
  auto& ring = *static_cast<Arena*>(arena);
  if (ring.writer == nullptr) {
    return Fail(QADS_ERROR, QADS_KIND_WRONG_ROLE,
                "ring '" + ring.name + "': this arena is no writer; call qads_create_writer first");
  }
  if (size > 0) QADS_REQUIRE(data);
  const void* values[] = {nullptr, data};
  const void* none[] = {nullptr};
  const auto rows = static_cast<int64_t>(size);
  ArrowArray column{rows, 0, 0, 2, 0, values, nullptr, nullptr, ReleaseNothing, nullptr};
  ArrowArray* columns[] = {&column};
  const ArrowArray batch{rows, 0, 0, 1, 1, none, columns, nullptr, ReleaseNothing, nullptr};
  const ArrowArray* batches[] = {&batch};
  return qads_write(ring.writer, ring.schema, batches, 1, nullptr);
}

int qads_read_data(void* arena, void* buffer, size_t buffer_size, size_t* read_size, uint64_t timeout_ms) {
  QADS_REQUIRE(arena);
  auto& ring = *static_cast<Arena*>(arena);
  if (ring.reader == nullptr) {
    return Fail(QADS_ERROR, QADS_KIND_WRONG_ROLE,
                "ring '" + ring.name + "': this arena is no reader; call qads_attach_reader first");
  }
  if (ring.next == nullptr) {
    const auto most = static_cast<uint64_t>(INT64_MAX);
    const int status = qads_read(ring.reader, static_cast<int64_t>(timeout_ms < most ? timeout_ms : most), &ring.next);
    if (status != QADS_OK) return status;
  }
  int32_t kind = QADS_KIND_NONE;
  const auto bytes = Rust(ring.next)->plain_bytes(kind);
  const int status = Ended(kind);
  if (status == QADS_OK) {
    if (read_size != nullptr) *read_size = bytes.size();
    if (bytes.size() > buffer_size) {
      return Fail(QADS_NO_MEMORY, QADS_KIND_OUT_OF_ROOM,
                  "ring '" + ring.name + "': the frame is " + std::to_string(bytes.size()) + " bytes, the buffer " +
                      std::to_string(buffer_size) + "; read it again with a larger one");
    }
    if (!bytes.empty()) {
      QADS_REQUIRE(buffer);
      std::memcpy(buffer, bytes.data(), bytes.size());
    }
  }
  qads_frame_free(ring.next);
  ring.next = nullptr;
  return status;
}

// ---- schemas --------------------------------------------------------------------------------------------------

int qads_schema_import(const ArrowSchema* schema, qads_schema** out) {
  QADS_REQUIRE(schema);
  QADS_REQUIRE(out);
  return Handed(bridge::import_schema(schema), out);
}

void qads_schema_free(qads_schema* schema) {
  if (schema != nullptr) bridge::drop_schema(Rust(schema));
}

// ---- writing --------------------------------------------------------------------------------------------------

void qads_writer_options_init(qads_writer_options* options) {
  if (options == nullptr) return;
  *options = qads_writer_options{sizeof(qads_writer_options),
                                 /*size_bytes=*/kAsConfigured<uint64_t>,
                                 /*slot_bytes=*/0,
                                 /*buffer_count=*/kAsConfigured<size_t>,
                                 /*max_readers=*/kAsConfigured<size_t>,
                                 /*write_timeout_ns=*/QADS_TIME_AS_CONFIGURED,
                                 /*spin_ns=*/10'000,
                                 /*yield_ns=*/30'000,
                                 /*directory=*/nullptr,
                                 /*trusted_owners=*/nullptr,
                                 /*trusted_owner_count=*/0,
                                 /*owner=*/-1,
                                 /*group=*/-1,
                                 /*mode=*/0600,
                                 /*when_full=*/QADS_AS_CONFIGURED,
                                 /*compression=*/QADS_AS_CONFIGURED,
                                 /*compression_level=*/3,
                                 /*prefault=*/QADS_AS_CONFIGURED,
                                 /*retry_count=*/QADS_AS_CONFIGURED,
                                 /*config_file=*/nullptr,
                                 /*keep_unread=*/0,
                                 /*is_stream=*/0,
                                 /*total_rows=*/QADS_UNKNOWN_ROWS,
                                 /*memfd=*/0};
}

int qads_writer_open(const char* name, const qads_writer_options* options, qads_writer** out) {
  QADS_REQUIRE(name);
  QADS_REQUIRE(out);
  return Handed(bridge::open_writer(Crossing(name, Given(options, qads_writer_options_init))), out);
}

int qads_write(qads_writer* writer, const qads_schema* schema, const ArrowArray* const* batches, size_t count,
               uint64_t* sequence) {
  QADS_REQUIRE(writer);
  QADS_REQUIRE(schema);
  if (count > 0) QADS_REQUIRE(batches);
  if (AnyMissing(batches, count)) return Missing("one of the batches");
  uint64_t written = 0;
  const int status = Ended(Rust(writer)->write(*Rust(schema), batches, count, written));
  if (status == QADS_OK && sequence != nullptr) *sequence = written;
  return status;
}

int qads_try_write(qads_writer* writer, const qads_schema* schema, const ArrowArray* const* batches, size_t count,
                   uint64_t* sequence) {
  QADS_REQUIRE(writer);
  QADS_REQUIRE(schema);
  if (count > 0) QADS_REQUIRE(batches);
  if (AnyMissing(batches, count)) return Missing("one of the batches");
  uint64_t written = 0;
  bool room = false;
  const int status = Ended(Rust(writer)->try_write(*Rust(schema), batches, count, written, room));
  if (status != QADS_OK) return status;
  if (!room) return Fail(QADS_TIMEOUT, QADS_KIND_RING_FULL, "the ring is full");
  if (sequence != nullptr) *sequence = written;
  return QADS_OK;
}

uint64_t qads_writer_slot_bytes(const qads_writer* writer) {
  return writer == nullptr ? 0 : Rust(writer)->slot_bytes();
}

size_t qads_writer_reader_count(const qads_writer* writer) {
  return writer == nullptr ? 0 : Rust(writer)->reader_count();
}

int qads_writer_close(qads_writer* writer) {
  QADS_REQUIRE(writer);
  return Ended(Rust(writer)->close());
}

int qads_writer_abort(qads_writer* writer, const char* reason) {
  QADS_REQUIRE(writer);
  return Ended(Rust(writer)->abort(Bytes(Text(reason))));
}

void qads_writer_free(qads_writer* writer) {
  if (writer != nullptr) bridge::drop_writer(Rust(writer));
}

// ---- loans ----------------------------------------------------------------------------------------------------

int qads_loan_open(qads_writer* writer, const qads_schema* schema, size_t rows, size_t var_bytes, qads_loan** out) {
  QADS_REQUIRE(writer);
  QADS_REQUIRE(schema);
  QADS_REQUIRE(out);
  return Handed(Rust(writer)->loan(*Rust(schema), rows, var_bytes), out);
}

int qads_loan_get_column(qads_loan* loan, size_t column, qads_loan_column** out) {
  QADS_REQUIRE(loan);
  QADS_REQUIRE(out);
  return Handed(Rust(loan)->column(column), out);
}

int qads_loan_set_text(qads_loan_column* column, size_t row, const char* text, size_t length) {
  QADS_REQUIRE(column);
  if (length > 0) QADS_REQUIRE(text);
  return Ended(bridge::set_text(column, row, Bytes(std::string_view(text, length))));
}

int qads_loan_set_null(qads_loan_column* column, size_t row) {
  QADS_REQUIRE(column);
  return Ended(bridge::set_null(column, row));
}

int qads_loan_commit(qads_loan* loan, size_t rows, uint64_t* sequence) {
  QADS_REQUIRE(loan);
  uint64_t written = 0;
  const int status = Ended(bridge::commit_loan(Rust(loan), rows, written));
  if (status == QADS_OK && sequence != nullptr) *sequence = written;
  return status;
}

void qads_loan_abandon(qads_loan* loan) {
  if (loan != nullptr) bridge::drop_loan(Rust(loan));
}

// ---- pools ----------------------------------------------------------------------------------------------------

int qads_writer_pool(qads_writer* writer, qads_pool** out) {
  QADS_REQUIRE(writer);
  QADS_REQUIRE(out);
  return Handed(Rust(writer)->pool(), out);
}

void qads_pool_retain(qads_pool* pool) {
  if (pool != nullptr) bridge::retain_pool(Rust(pool));
}

void qads_pool_release(qads_pool* pool) {
  if (pool != nullptr) bridge::release_pool(Rust(pool));
}

void* qads_pool_allocate(qads_pool* pool, size_t size, size_t alignment) {
  return pool == nullptr ? nullptr : Rust(pool)->allocate(size, alignment);
}

void* qads_pool_reallocate(qads_pool* pool, void* memory, size_t size, size_t alignment) {
  if (pool == nullptr) return nullptr;
  return Rust(pool)->reallocate(static_cast<uint8_t*>(memory), size, alignment);
}

void qads_pool_free(qads_pool* pool, void* memory) {
  if (pool != nullptr && memory != nullptr) Rust(pool)->free(static_cast<uint8_t*>(memory));
}

int qads_pool_owns(const qads_pool* pool, const void* memory) {
  return pool != nullptr && Rust(pool)->owns(static_cast<const uint8_t*>(memory)) ? 1 : 0;
}

// ---- reading --------------------------------------------------------------------------------------------------

void qads_reader_options_init(qads_reader_options* options) {
  if (options == nullptr) return;
  *options = qads_reader_options{sizeof(qads_reader_options),
                                 /*attach_timeout_ns=*/QADS_TIME_AS_CONFIGURED,
                                 /*spin_ns=*/10'000,
                                 /*yield_ns=*/30'000,
                                 /*directory=*/nullptr,
                                 /*trusted_owners=*/nullptr,
                                 /*trusted_owner_count=*/0,
                                 /*policy=*/QADS_POLICY_LOSSLESS,
                                 /*start=*/QADS_START_OLDEST,
                                 /*validation=*/QADS_VALIDATION_FORM,
                                 /*config_file=*/nullptr};
}

int qads_reader_open(const char* name, const qads_reader_options* options, qads_reader** out) {
  QADS_REQUIRE(name);
  QADS_REQUIRE(out);
  return Handed(bridge::open_reader(Crossing(name, Given(options, qads_reader_options_init))), out);
}

int qads_read(qads_reader* reader, int64_t timeout_ms, qads_frame** out) {
  return qads_read_within(reader, Nanoseconds(timeout_ms), out);
}

int qads_read_within(qads_reader* reader, int64_t timeout_ns, qads_frame** out) {
  QADS_REQUIRE(reader);
  QADS_REQUIRE(out);
  int32_t kind = QADS_KIND_NONE;
  auto* frame = Rust(reader)->read(timeout_ns, kind);
  return HandedFrame(frame, kind, out);
}

int qads_reader_has_writer(const qads_reader* reader, int* out) {
  QADS_REQUIRE(reader);
  QADS_REQUIRE(out);
  bool alive = false;
  const int status = Ended(Rust(reader)->has_writer(alive));
  *out = alive ? 1 : 0;
  return status;
}

int qads_reader_expect_stream(qads_reader* reader) {
  QADS_REQUIRE(reader);
  return Ended(Rust(reader)->expect_stream());
}

int qads_reader_close(qads_reader* reader) {
  QADS_REQUIRE(reader);
  Rust(reader)->close();
  return QADS_OK;
}

void qads_reader_free(qads_reader* reader) {
  if (reader != nullptr) bridge::drop_reader(Rust(reader));
}

// ---- rings without a name -------------------------------------------------------------------------------------

int qads_writer_fd(const qads_writer* writer, int* out) {
  QADS_REQUIRE(writer);
  QADS_REQUIRE(out);
  return Ended(Rust(writer)->fd(*out));
}

int qads_reader_fd(const qads_reader* reader, int* out) {
  QADS_REQUIRE(reader);
  QADS_REQUIRE(out);
  return Ended(Rust(reader)->fd(*out));
}

int qads_writer_open_fd(const char* name, int fd, const qads_writer_options* options, qads_writer** out) {
  QADS_REQUIRE(out);
  const auto given = Given(options, qads_writer_options_init);
  return Handed(bridge::open_writer_fd(fd, Crossing(Text(name), given)), out);
}

int qads_reader_open_fd(const char* name, int fd, const qads_reader_options* options, qads_reader** out) {
  QADS_REQUIRE(out);
  const auto given = Given(options, qads_reader_options_init);
  return Handed(bridge::open_reader_fd(fd, Crossing(Text(name), given)), out);
}

int qads_send_region(int socket, int fd) { return Ended(bridge::send_region(socket, fd)); }

int qads_receive_region(int socket, int* out) {
  QADS_REQUIRE(out);
  return Ended(bridge::receive_region(socket, *out));
}

// ---- frames ---------------------------------------------------------------------------------------------------

uint64_t qads_frame_sequence(const qads_frame* frame) { return Rust(frame)->sequence(); }
uint64_t qads_frame_missed(const qads_frame* frame) { return Rust(frame)->missed(); }
uint64_t qads_frame_published_ns(const qads_frame* frame) { return Rust(frame)->published_ns(); }
uint64_t qads_frame_published_at_ns(const qads_frame* frame) { return Rust(frame)->published_at(); }
uint64_t qads_frame_age_ns(const qads_frame* frame) { return Rust(frame)->age(); }
uint64_t qads_frame_rows(const qads_frame* frame) { return Rust(frame)->rows(); }
uint64_t qads_frame_bytes_copied(const qads_frame* frame) { return Rust(frame)->bytes_copied(); }
size_t qads_frame_batches(const qads_frame* frame) { return Rust(frame)->batches(); }
uint64_t qads_frame_schema_id(const qads_frame* frame) { return Rust(frame)->schema_id(); }

int qads_frame_schema(const qads_frame* frame, ArrowSchema* out) {
  QADS_REQUIRE(frame);
  QADS_REQUIRE(out);
  return Ended(Rust(frame)->export_schema(out));
}

int qads_frame_export(const qads_frame* frame, size_t batch, ArrowArray* out, const int64_t** lengths) {
  QADS_REQUIRE(frame);
  QADS_REQUIRE(out);
  const int64_t* told = Rust(frame)->export_batch(batch, out);
  if (told == nullptr) return Ended(bridge::last_error_kind());
  if (lengths != nullptr) *lengths = told;
  return QADS_OK;
}

const void* qads_frame_bytes(const qads_frame* frame, size_t* length) {
  const auto bytes = Rust(frame)->bytes();
  if (length != nullptr) *length = bytes.size();
  return bytes.data();
}

void qads_frame_free(qads_frame* frame) {
  if (frame != nullptr) bridge::drop_frame(Rust(frame));
}

// ---- waiting on many rings ------------------------------------------------------------------------------------

int qads_selector_open(int64_t spin_ns, int64_t yield_ns, qads_selector** out) {
  QADS_REQUIRE(out);
  return Handed(bridge::open_selector(spin_ns < 0 ? 10'000 : spin_ns, yield_ns < 0 ? 30'000 : yield_ns), out);
}

int qads_selector_add(qads_selector* selector, uint64_t key, const qads_reader* reader) {
  QADS_REQUIRE(selector);
  QADS_REQUIRE(reader);
  return Ended(Rust(selector)->add(key, *Rust(reader)));
}

int qads_selector_remove(qads_selector* selector, uint64_t key) {
  return selector != nullptr && Rust(selector)->remove(key) ? 1 : 0;
}

size_t qads_selector_size(const qads_selector* selector) { return selector == nullptr ? 0 : Rust(selector)->size(); }

int qads_selector_wait(qads_selector* selector, int64_t timeout_ns, uint64_t* keys, size_t capacity, size_t* count) {
  QADS_REQUIRE(selector);
  QADS_REQUIRE(count);
  if (capacity > 0) QADS_REQUIRE(keys);
  *count = 0;
  const int status = Ended(Rust(selector)->wait(timeout_ns, {keys, capacity}, *count));
  if (status != QADS_OK) return status;
  return *count > 0 ? QADS_OK : QADS_TIMEOUT;
}

void qads_selector_wake(qads_selector* selector) {
  if (selector != nullptr) Rust(selector)->wake();
}

void qads_selector_free(qads_selector* selector) {
  if (selector != nullptr) bridge::drop_selector(Rust(selector));
}

// ---- recordings -----------------------------------------------------------------------------------------------

int qads_recording_open(const char* directory, int32_t validation, qads_recording** out) {
  QADS_REQUIRE(directory);
  QADS_REQUIRE(out);
  return Handed(bridge::open_recording(Bytes(directory), validation), out);
}

int qads_recording_summary(const qads_recording* recording, qads_summary* out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(out);
  bridge::Summary summary{};
  const int ended = Ended(Rust(recording)->summary(summary));
  if (ended != QADS_OK) return ended;
  return Hand(qads_summary{sizeof(qads_summary), summary.files, summary.data_bytes, summary.frames, summary.rows,
                           summary.missed, summary.damaged, summary.first_sequence, summary.first_ns,
                           summary.last_sequence, summary.last_ns, summary.is_live ? 1 : 0},
              out);
}

int qads_recording_files(const qads_recording* recording, qads_file_info* files, size_t file_size, size_t capacity,
                         size_t* count) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(count);
  if (capacity > 0) QADS_REQUIRE(files);
  *count = 0;
  rust::Vec<bridge::FileInfo> found;
  const int ended = Ended(Rust(recording)->files(found));
  if (ended != QADS_OK) return ended;
  *count = found.size();
  auto* place = reinterpret_cast<unsigned char*>(files);
  for (size_t each = 0; each < found.size() && each < capacity; ++each, place += file_size) {
    const bridge::FileInfo& file = found[each];
    const qads_file_info told{file.number,   {file.region_id[0], file.region_id[1]},
                              file.data_bytes, file.frames,
                              file.rows,     file.missed,
                              file.damaged,  file.first_sequence,
                              file.first_ns, file.last_sequence,
                              file.last_ns};
    // The caller's struct may be of an earlier version and so shorter.
    std::memcpy(place, &told, file_size < sizeof(told) ? file_size : sizeof(told));
  }
  return QADS_OK;
}

int qads_recording_is_live(const qads_recording* recording, int* out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(out);
  bool live = false;
  const int status = Ended(Rust(recording)->is_live(live));
  *out = live ? 1 : 0;
  return status;
}

int qads_recording_repair(qads_recording* recording, uint64_t* data_bytes, uint64_t* index_bytes) {
  QADS_REQUIRE(recording);
  uint64_t data = 0;
  uint64_t index = 0;
  const int status = Ended(Rust(recording)->repair(data, index));
  if (status != QADS_OK) return status;
  if (data_bytes != nullptr) *data_bytes = data;
  if (index_bytes != nullptr) *index_bytes = index;
  return QADS_OK;
}

void qads_recording_free(qads_recording* recording) {
  if (recording != nullptr) bridge::drop_recording(Rust(recording));
}

int qads_recording_frames(const qads_recording* recording, const qads_since* since, qads_recorded_frames** out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(out);
  const qads_since& from = since == nullptr ? kStart : *since;
  return Handed(Rust(recording)->frames(from.kind, from.value), out);
}

int qads_recorded_frames_next(qads_recorded_frames* frames, qads_frame** out) {
  QADS_REQUIRE(frames);
  QADS_REQUIRE(out);
  int32_t kind = QADS_KIND_NONE;
  auto* frame = Rust(frames)->next(kind);
  return HandedFrame(frame, kind, out);
}

void qads_recorded_frames_free(qads_recorded_frames* frames) {
  if (frames != nullptr) bridge::drop_recorded_frames(Rust(frames));
}

int qads_follow_open(const qads_recording* recording, const char* ring, const qads_reader_options* options,
                     const qads_since* since, int64_t patience_ns, qads_follow** out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(ring);
  QADS_REQUIRE(out);
  const qads_since& from = since == nullptr ? kStart : *since;
  const auto given = Given(options, qads_reader_options_init);
  return Handed(Rust(recording)->follow(Crossing(ring, given), from.kind, from.value, patience_ns), out);
}

int qads_follow_read(qads_follow* follow, int64_t timeout_ms, qads_frame** out) {
  return qads_follow_read_within(follow, Nanoseconds(timeout_ms), out);
}

int qads_follow_read_within(qads_follow* follow, int64_t timeout_ns, qads_frame** out) {
  QADS_REQUIRE(follow);
  QADS_REQUIRE(out);
  int32_t kind = QADS_KIND_NONE;
  auto* frame = Rust(follow)->read(timeout_ns, kind);
  return HandedFrame(frame, kind, out);
}

int qads_follow_is_live(const qads_follow* follow) { return follow != nullptr && Rust(follow)->is_live() ? 1 : 0; }

void qads_follow_free(qads_follow* follow) {
  if (follow != nullptr) bridge::drop_follow(Rust(follow));
}

void qads_recorder_options_init(qads_recorder_options* options) {
  if (options == nullptr) return;
  *options = qads_recorder_options{sizeof(qads_recorder_options), /*rotate_bytes=*/uint64_t{1} << 30,
                                   /*rotate_ns=*/-1, /*sync_every=*/0, /*mode=*/0600};
}

int qads_recorder_open(const char* ring, const char* directory, const qads_recorder_options* options,
                       const qads_reader_options* ring_options, qads_recorder** out) {
  QADS_REQUIRE(ring);
  QADS_REQUIRE(directory);
  QADS_REQUIRE(out);
  const auto given = Given(options, qads_recorder_options_init);
  const bridge::RecorderOptions how{given.rotate_bytes, given.rotate_ns, given.sync_every, given.mode};
  const auto reading = Given(ring_options, qads_reader_options_init);
  return Handed(bridge::open_recorder(Bytes(directory), how, Crossing(ring, reading)), out);
}

int qads_recorder_record(qads_recorder* recorder, int64_t timeout_ns, qads_recorded* out) {
  QADS_REQUIRE(recorder);
  if (out != nullptr && out->struct_size < sizeof(out->struct_size)) {
    // Before a frame is recorded of which nothing could be said.
    return Fail(QADS_ERROR, QADS_KIND_INVALID_CONFIG, "struct_size is not set");
  }
  bridge::Recorded recorded{};
  const int status = Ended(Rust(recorder)->record(timeout_ns, recorded));
  if (status != QADS_OK) return status;
  if (!recorded.is_there) return QADS_TIMEOUT;
  if (out == nullptr) return QADS_OK;
  return Hand(qads_recorded{sizeof(qads_recorded), recorded.sequence, recorded.rows, recorded.bytes, recorded.missed,
                            recorded.file},
              out);
}

int qads_recorder_run(qads_recorder* recorder, int64_t timeout_ns) {
  QADS_REQUIRE(recorder);
  bool ended = false;
  const int status = Ended(Rust(recorder)->run(timeout_ns, ended));
  if (status != QADS_OK) return status;
  return ended ? QADS_OK : QADS_TIMEOUT;
}

int qads_recorder_attach_again(qads_recorder* recorder) {
  QADS_REQUIRE(recorder);
  return Ended(Rust(recorder)->attach_again());
}

int qads_recorder_get_stats(const qads_recorder* recorder, qads_recorder_stats* out) {
  QADS_REQUIRE(recorder);
  QADS_REQUIRE(out);
  bridge::RecorderStats stats{};
  const int ended = Ended(Rust(recorder)->stats(stats));
  if (ended != QADS_OK) return ended;
  return Hand(qads_recorder_stats{sizeof(qads_recorder_stats), stats.frames, stats.rows, stats.bytes, stats.missed,
                                  stats.files},
              out);
}

int qads_recorder_close(qads_recorder* recorder) {
  QADS_REQUIRE(recorder);
  return Ended(Rust(recorder)->close());
}

void qads_recorder_free(qads_recorder* recorder) {
  if (recorder != nullptr) bridge::drop_recorder(Rust(recorder));
}

// ---- numbers --------------------------------------------------------------------------------------------------

int qads_writer_stats(const qads_writer* writer, qads_stats* out) {
  QADS_REQUIRE(writer);
  QADS_REQUIRE(out);
  return Tell(Rust(writer)->stats(), out);
}

int qads_reader_stats(const qads_reader* reader, qads_stats* out) {
  QADS_REQUIRE(reader);
  QADS_REQUIRE(out);
  return Tell(Rust(reader)->stats(), out);
}

int qads_writer_progress(const qads_writer* writer, qads_progress* out) {
  QADS_REQUIRE(writer);
  QADS_REQUIRE(out);
  bridge::Progress progress{};
  const int ended = Ended(Rust(writer)->progress(progress));
  return ended != QADS_OK ? ended : Tell(progress, out);
}

int qads_reader_progress(const qads_reader* reader, qads_progress* out) {
  QADS_REQUIRE(reader);
  QADS_REQUIRE(out);
  bridge::Progress progress{};
  const int ended = Ended(Rust(reader)->progress(progress));
  return ended != QADS_OK ? ended : Tell(progress, out);
}

}  // extern "C"
