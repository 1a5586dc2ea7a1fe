// Bytes between processes: a ring by name, of frames without columns.

#include <new>
#include <string>

#include "crossing.h"

namespace bridge = qadataswap::bridge;
using namespace qadataswap::crossing;

namespace {

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

}  // extern "C"
