#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "frames.h"
#include "roles.h"

namespace qadataswap::actor {
namespace {

using std::chrono::steady_clock;

uint64_t MillisSince(steady_clock::time_point started) {
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - started);
  return static_cast<uint64_t>(passed.count());
}

/// A table that was read, with its number.
struct Held {
  uint64_t sequence;
  std::shared_ptr<arrow::Table> table;
};

}  // namespace

arrow::Status Write(const Role& role) {
  const auto started = steady_clock::now();
  auto opened = role.ring.OpenWriter();
  if (!opened.ok()) {
    SayRefused(opened.status());
    return arrow::Status::OK();
  }
  SharedDataFrame writer = *std::move(opened);
  uint64_t next = writer.GetStats().frames_published;
  SayOpen(next, MillisSince(started));
  if (role.wait) WaitForLine();
  // Outlives this call: the thread may wait until the program ends.
  static std::atomic<bool> told{false};
  std::thread([] {
    WaitForEnd();
    told = true;
  }).detach();
  for (; (!role.until || next < *role.until) && !told; ++next) {
    ARROW_ASSIGN_OR_RAISE(auto table, MakeTable(role.seed, next));
    ARROW_ASSIGN_OR_RAISE(const uint64_t sequence, writer.Write(table));
    if (sequence != next) return arrow::Status::Invalid("wrote frame ", sequence, " instead of ", next);
  }
  SayWrote(next);
  while (role.stay) std::this_thread::sleep_for(std::chrono::hours(1));
  return writer.Close();
}

arrow::Status Follow(const Role& role) {
  const auto started = steady_clock::now();
  auto opened = role.ring.OpenReader();
  if (!opened.ok()) {
    SayRefused(opened.status());
    return arrow::Status::OK();
  }
  SharedDataFrame reader = *std::move(opened);
  const bool is_lossless = role.ring.reading.policy == ReaderPolicy::kLossless;
  SayOpen(0, MillisSince(started));
  Tally tally;
  std::deque<Held> held;
  auto check = [&](const Held& one) { return CheckTable(role.seed, one.sequence, *one.table); };
  const auto next = [&tally] { return tally.last ? *tally.last + 1 : 0; };
  bool orphaned = false;
  while (true) {
    auto read = reader.ReadFrame(std::chrono::milliseconds(200));
    if (!read.ok()) {
      const auto kind = ErrorKindOf(read.status());
      if (kind == ErrorKind::kEndOfStream) break;
      if (kind != ErrorKind::kWriterDied) {
        return read.status().WithMessage("before frame ", next(), ": ", read.status().message());
      }
      if (!orphaned) SayOrphaned(next());
      if (!role.survive) return arrow::Status::OK();
      orphaned = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    if (!read->has_value()) continue;
    orphaned = false;
    Frame frame = *std::move(*read);
    const uint64_t sequence = frame.sequence(), missed = frame.missed();
    ARROW_ASSIGN_OR_RAISE(auto table, reader.ToTable(frame));
    held.push_back(Held{sequence, std::move(table)});
    ARROW_RETURN_NOT_OK(check(held.back()));
    if (tally.last && *tally.last + 1 + missed != sequence) {
      return arrow::Status::Invalid("frame ", sequence, " after ", *tally.last, ", ", missed, " missed");
    }
    if (is_lossless && missed > 0) {
      return arrow::Status::Invalid("frame ", sequence, ": a lossless reader missed some");
    }
    if (!tally.first) tally.first = sequence;
    tally.last = sequence;
    ++tally.read;
    // What came before the first frame this reader saw is nobody's loss.
    if (tally.read > 1) tally.missed += missed;
    while (held.size() > role.hold) {
      ARROW_RETURN_NOT_OK(check(held.front()));
      held.pop_front();
    }
  }
  for (const Held& one : held) ARROW_RETURN_NOT_OK(check(one));
  SayEnded(tally);
  return arrow::Status::OK();
}

arrow::Status Build(const Role& role) {
  ARROW_ASSIGN_OR_RAISE(SharedDataFrame writer, role.ring.OpenWriter());
  arrow::MemoryPool* pool = writer.memory_pool();
  if (pool == nullptr) return arrow::Status::Invalid("the writer has no pool");
  SayOpen(0, 0);
  WaitForLine();
  for (uint64_t next = 0; next < role.until.value_or(0); ++next) {
    ARROW_ASSIGN_OR_RAISE(auto table, MakeTable(role.seed, next, pool));
    ARROW_RETURN_NOT_OK(writer.Write(table));
  }
  const Stats stats = writer.GetStats();
  SayFact("bytes written", stats.bytes_written);
  SayFact("bytes in place", stats.bytes_in_place);
  return writer.Close();
}

}  // namespace qadataswap::actor
