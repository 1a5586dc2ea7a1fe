// The last failure of a thread, on whichever side of the bridge it was found.

#include <string>
#include <vector>

#include "crossing.h"

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

}  // namespace

namespace qadataswap::crossing {

int Ended(int32_t kind) {
  if (kind != QADS_KIND_NONE) local_kind = QADS_KIND_NONE;
  return StatusOf(kind);
}

int Fail(int status, qads_error_kind kind, std::string message) {
  local_kind = kind;
  local_message = std::move(message);
  return status;
}

}  // namespace qadataswap::crossing

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

}  // extern "C"
