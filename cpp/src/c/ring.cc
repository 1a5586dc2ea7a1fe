// Writing to rings, reading them, waiting on many of them.

#include "crossing.h"

namespace bridge = qadataswap::bridge;
using namespace qadataswap::crossing;

extern "C" {

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

void qads_writer_options_init_sized(qads_writer_options* options, size_t size) {
  Set(qads_writer_options{sizeof(qads_writer_options),
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
                          /*memfd=*/0},
      options, size);
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

void qads_reader_options_init_sized(qads_reader_options* options, size_t size) {
  Set(qads_reader_options{sizeof(qads_reader_options),
                          /*attach_timeout_ns=*/QADS_TIME_AS_CONFIGURED,
                          /*spin_ns=*/10'000,
                          /*yield_ns=*/30'000,
                          /*directory=*/nullptr,
                          /*trusted_owners=*/nullptr,
                          /*trusted_owner_count=*/0,
                          /*policy=*/QADS_POLICY_LOSSLESS,
                          /*start=*/QADS_START_OLDEST,
                          /*validation=*/QADS_VALIDATION_FORM,
                          /*config_file=*/nullptr,
                          /*prefault=*/QADS_AS_CONFIGURED},
      options, size);
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
