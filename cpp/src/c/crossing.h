// How the C interface crosses the bridge: handles are addresses of Rust's, statuses are made of the kinds of errors.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "qadataswap-cxx/src/lib.rs.h"
#include "qadataswap.h"

namespace qadataswap::crossing {

// How a call into Rust ended.
int Ended(int32_t kind);

// A failure that is found on this side.
int Fail(int status, qads_error_kind kind, std::string message);

// A call into Rust that yields a handle or fails.
template <typename Handle, typename Made>
inline int Handed(Made* made, Handle** out) {
  *out = reinterpret_cast<Handle*>(made);
  return made != nullptr ? QADS_OK : Ended(bridge::last_error_kind());
}

inline int Missing(const char* what) {
  return Fail(QADS_ERROR, QADS_KIND_INVALID_CONFIG, std::string(what) + " is null");
}

#define QADS_REQUIRE(argument) \
  if ((argument) == nullptr) return Missing(#argument)

inline rust::Slice<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Whether one of the batches is null.
inline bool AnyMissing(const ArrowArray* const* batches, size_t count) {
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

// Sets what the caller's struct has room for, which may be of an earlier version and so shorter, or of a later one.
template <typename Options>
void Set(const Options& defaults, Options* options, size_t size) {
  if (options == nullptr || size < sizeof(defaults.struct_size)) return;
  const size_t known = size < sizeof(defaults) ? size : sizeof(defaults);
  std::memcpy(options, &defaults, known);
  std::memset(reinterpret_cast<unsigned char*>(options) + known, 0, size - known);
  options->struct_size = known;
}

template <typename Number>
constexpr Number kAsConfigured = static_cast<Number>(QADS_AS_CONFIGURED);

template <typename Options>
rust::Slice<const uint32_t> Owners(const Options& options) {
  if (options.trusted_owners == nullptr) return {};
  return {options.trusted_owners, options.trusted_owner_count};
}

inline std::string_view Text(const char* text) { return text == nullptr ? std::string_view() : text; }

/// Copies what is told into the caller's struct, which may be of an earlier version and so shorter.
template <typename Told>
inline int Hand(const Told& told, Told* out) {
  const size_t given = out->struct_size;
  if (given < sizeof(told.struct_size)) {
    return Fail(QADS_ERROR, QADS_KIND_INVALID_CONFIG, "struct_size is not set");
  }
  std::memcpy(out, &told, given < sizeof(told) ? given : sizeof(told));
  out->struct_size = given;
  return QADS_OK;
}

inline int Tell(const bridge::Progress& progress, qads_progress* out) {
  return Hand(qads_progress{sizeof(qads_progress), progress.rows, progress.rows_written, progress.total_rows,
                            progress.is_over ? 1 : 0},
              out);
}

inline int Tell(const bridge::Stats& stats, qads_stats* out) {
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

inline bridge::Writer* Rust(qads_writer* writer) { return reinterpret_cast<bridge::Writer*>(writer); }
inline const bridge::Writer* Rust(const qads_writer* writer) { return reinterpret_cast<const bridge::Writer*>(writer); }
inline bridge::Reader* Rust(qads_reader* reader) { return reinterpret_cast<bridge::Reader*>(reader); }
inline const bridge::Reader* Rust(const qads_reader* reader) { return reinterpret_cast<const bridge::Reader*>(reader); }
inline bridge::Frame* Rust(qads_frame* frame) { return reinterpret_cast<bridge::Frame*>(frame); }
inline const bridge::Frame* Rust(const qads_frame* frame) { return reinterpret_cast<const bridge::Frame*>(frame); }
inline bridge::Schema* Rust(qads_schema* schema) { return reinterpret_cast<bridge::Schema*>(schema); }
inline const bridge::Schema* Rust(const qads_schema* schema) { return reinterpret_cast<const bridge::Schema*>(schema); }
inline bridge::Loan* Rust(qads_loan* loan) { return reinterpret_cast<bridge::Loan*>(loan); }
inline bridge::Pool* Rust(qads_pool* pool) { return reinterpret_cast<bridge::Pool*>(pool); }
inline bridge::Selector* Rust(qads_selector* selector) { return reinterpret_cast<bridge::Selector*>(selector); }
inline const bridge::Selector* Rust(const qads_selector* selector) {
  return reinterpret_cast<const bridge::Selector*>(selector);
}
inline bridge::Recording* Rust(qads_recording* recording) { return reinterpret_cast<bridge::Recording*>(recording); }
inline const bridge::Recording* Rust(const qads_recording* recording) {
  return reinterpret_cast<const bridge::Recording*>(recording);
}
inline bridge::RecordedFrames* Rust(qads_recorded_frames* frames) { return reinterpret_cast<bridge::RecordedFrames*>(frames); }
inline bridge::Follow* Rust(qads_follow* follow) { return reinterpret_cast<bridge::Follow*>(follow); }
inline const bridge::Follow* Rust(const qads_follow* follow) { return reinterpret_cast<const bridge::Follow*>(follow); }
inline bridge::Recorder* Rust(qads_recorder* recorder) { return reinterpret_cast<bridge::Recorder*>(recorder); }
inline const bridge::Recorder* Rust(const qads_recorder* recorder) {
  return reinterpret_cast<const bridge::Recorder*>(recorder);
}
inline const bridge::Pool* Rust(const qads_pool* pool) { return reinterpret_cast<const bridge::Pool*>(pool); }

// How a ring is read, as it crosses; points into what is given.
inline bridge::ReaderOptions Crossing(std::string_view name, const qads_reader_options& given) {
  return {Bytes(name),
          Bytes(Text(given.directory)),
          Owners(given),
          given.attach_timeout_ns,
          given.spin_ns,
          given.yield_ns,
          given.policy,
          given.start,
          given.validation,
          Bytes(Text(given.config_file)),
          given.prefault};
}

// How a ring is made, as it crosses; points into what is given.
inline bridge::WriterOptions Crossing(std::string_view name, const qads_writer_options& given) {
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

inline int64_t Nanoseconds(int64_t milliseconds) {
  constexpr int64_t kMost = INT64_MAX / 1'000'000;
  // More than three hundred years are for ever, as what is negative is.
  return milliseconds < 0 || milliseconds > kMost ? -1 : milliseconds * 1'000'000;
}

// How a read ended.
inline int HandedFrame(bridge::Frame* frame, int32_t kind, qads_frame** out) {
  *out = reinterpret_cast<qads_frame*>(frame);
  if (frame != nullptr) return QADS_OK;
  return kind == QADS_KIND_NONE ? QADS_TIMEOUT : Ended(kind);
}

constexpr qads_since kStart{QADS_SINCE_START, 0};

}  // namespace qadataswap::crossing
