/// \file
/// What an actor can be asked to do, and what it says about it: lines of JSON, the same as in `tests/src/role.rs`.
#ifndef QADATASWAP_TESTS_ACTOR_ROLE_H
#define QADATASWAP_TESTS_ACTOR_ROLE_H

#include <arrow/status.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "qadataswap/shared_dataframe.h"

namespace qadataswap::actor {

/// A ring as a test asks for it.
struct Ring {
  std::string name;
  WriterOptions writing;
  ReaderOptions reading;

  arrow::Result<SharedDataFrame> OpenWriter() const { return SharedDataFrame::CreateWriter(name, writing); }
  arrow::Result<SharedDataFrame> OpenReader() const { return SharedDataFrame::CreateReader(name, reading); }
};

/// A part to play; which of the members count depends on its name.
struct Role {
  std::string name;
  Ring ring;
  /// The ring that an echo writes to.
  Ring to;
  /// Tables, as Arrow IPC streams one after the other.
  std::string file;
  uint64_t seed = 0;
  std::optional<uint64_t> until;
  size_t hold = 0;
  bool stay = false;
  bool wait = false;
  bool survive = false;
  int64_t rows = 0;
  int64_t chunk = 0;
  bool fail = false;

  /// Errors: Invalid for a text that is not a role.
  static arrow::Result<Role> Parse(const std::string& json);
};

/// What a reader has had of a stream.
struct Tally {
  uint64_t read = 0;
  uint64_t missed = 0;
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;
};

/// \name Lines
/// Each is written as a whole; an actor whose test is gone ends.
/// @{
void SayOpen(uint64_t next, uint64_t millis);
void SayRefused(const arrow::Status& status);
void SayWrote(uint64_t next);
void SayOrphaned(uint64_t next);
void SayEnded(const Tally& tally);
void SayFact(const std::string& what, uint64_t number);
void SayFault(const std::string& what);
void SayDone();
/// @}

/// \name Input
/// @{
/// Waits until the input has ended.
void WaitForEnd();
/// Waits for a line, or for the input's end.
void WaitForLine();
/// @}

}  // namespace qadataswap::actor

#endif  // QADATASWAP_TESTS_ACTOR_ROLE_H
