#include "role.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace qadataswap::actor {
namespace {

using nlohmann::json;

WhenFull ParseWhenFull(const json& full, std::optional<std::chrono::nanoseconds>* timeout) {
  if (full == "Overwrite") return WhenFull::kOverwrite;
  if (full == "Fail") return WhenFull::kFail;
  const json& patience = full.at("Block");
  *timeout = patience.is_null() ? kForever : std::chrono::milliseconds(patience.get<int64_t>());
  return WhenFull::kBlock;
}

/// The value that goes with a name; throws as a missing key does.
template <typename T>
T ByName(const json& name, const json& names) {
  return static_cast<T>(names.at(name.get<std::string>()).get<int32_t>());
}

Ring ParseRing(const json& ring) {
  Ring parsed;
  parsed.name = ring.at("name");
  WriterOptions& writing = parsed.writing;
  writing.directory = ring.at("directory");
  writing.buffer_count = ring.at("slots").get<size_t>();
  writing.slot_bytes = ring.at("slot_bytes");
  writing.max_readers = ring.at("max_readers").get<size_t>();
  writing.when_full = ParseWhenFull(ring.at("full"), &writing.write_timeout);
  writing.compression = ByName<Compression>(
      ring.at("squeeze"),
      {{"None", QADS_COMPRESSION_NONE}, {"Lz4", QADS_COMPRESSION_LZ4}, {"Zstd", QADS_COMPRESSION_ZSTD}});
  writing.compression_level = 1;
  writing.prefault = ring.at("prefault").get<bool>();
  writing.mode = ring.at("mode");
  writing.trusted_owners = ring.at("trusted").get<std::vector<uint32_t>>();

  ReaderOptions& reading = parsed.reading;
  reading.directory = writing.directory;
  reading.policy = ByName<ReaderPolicy>(
      ring.at("policy"),
      {{"Lossless", QADS_POLICY_LOSSLESS},
       {"Lossy", QADS_POLICY_LOSSY},
       {"Latest", QADS_POLICY_LATEST},
       {"Observer", QADS_POLICY_OBSERVER}});
  reading.start = ring.at("newest").get<bool>() ? StartAt::kNewest : StartAt::kOldest;
  reading.validation = ByName<Validation>(
      ring.at("validation"),
      {{"Form", QADS_VALIDATION_FORM}, {"Full", QADS_VALIDATION_FULL}, {"FullOnCopy", QADS_VALIDATION_FULL_ON_COPY}});
  reading.attach_timeout = std::chrono::milliseconds(ring.at("attach_ms").get<int64_t>());
  reading.trusted_owners = writing.trusted_owners;
  if (ring.at("sleep").get<bool>()) writing.wait = reading.wait = WaitStrategy::kSleep;
  return parsed;
}

void SayLine(const json& line) {
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(STDOUT_FILENO, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR) std::_Exit(1);
    if (count > 0) written += static_cast<size_t>(count);
  }
}

void Say(const char* event, json of) {
  json line;
  line[event] = std::move(of);
  SayLine(line);
}

json OrNull(const std::optional<uint64_t>& number) { return number ? json(*number) : json(nullptr); }

}  // namespace

arrow::Result<Role> Role::Parse(const std::string& text) {
  try {
    const json outer = json::parse(text);
    const auto item = outer.items().begin();
    const json& of = item.value();
    Role role;
    role.name = item.key();
    role.ring = ParseRing(of.at(role.name == "Echo" ? "from" : "ring"));
    if (role.name == "Echo") role.to = ParseRing(of.at("to"));
    role.file = of.value("file", "");
    role.seed = of.value("seed", uint64_t{0});
    if (of.contains("until") && !of["until"].is_null()) role.until = of["until"].get<uint64_t>();
    role.hold = of.value("hold", size_t{0});
    role.stay = of.value("stay", false);
    role.wait = of.value("wait", false);
    role.survive = of.value("survive", false);
    role.rows = of.value("rows", int64_t{0});
    role.chunk = of.value("chunk", int64_t{0});
    role.fail = of.value("fail", false);
    return role;
  } catch (const json::exception& error) {
    return arrow::Status::Invalid("no role: ", error.what());
  }
}

void SayOpen(uint64_t next, uint64_t millis) {
  Say("Open", json::object({{"next", next}, {"millis", millis}}));
}

void SayRefused(const arrow::Status& status) {
  const auto kind = ErrorKindOf(status);
  Say("Refused", json::object({{"kind", kind ? ErrorKindName(*kind) : "of Arrow"}, {"message", status.message()}}));
}

void SayWrote(uint64_t next) { Say("Wrote", json::object({{"next", next}})); }

void SayOrphaned(uint64_t next) { Say("Orphaned", json::object({{"next", next}})); }

void SayEnded(const Tally& tally) {
  Say("Ended", json::object({{"read", tally.read},
                             {"missed", tally.missed},
                             {"first", OrNull(tally.first)},
                             {"last", OrNull(tally.last)}}));
}

void SayFact(const std::string& what, uint64_t number) { Say("Fact", json::array({what, number})); }

void SayFault(const std::string& what) { Say("Fault", what); }

void SayDone() { SayLine("Done"); }

// The stream objects of C and C++ are left alone: a thread that waits in one of them would hold up the program's end.

void WaitForEnd() {
  char ignored[64];
  ssize_t count = 0;
  do {
    count = read(STDIN_FILENO, ignored, sizeof(ignored));
  } while (count > 0 || (count < 0 && errno == EINTR));
}

void WaitForLine() {
  char next = 0;
  ssize_t count = 0;
  do {
    count = read(STDIN_FILENO, &next, 1);
  } while ((count > 0 && next != '\n') || (count < 0 && errno == EINTR));
}

}  // namespace qadataswap::actor
