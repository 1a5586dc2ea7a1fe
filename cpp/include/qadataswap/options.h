/// \file
/// How a ring is made and read: the same nouns and the same defaults in every language.
///
/// \code
/// qadataswap::WriterOptions options;
/// options.buffer_count = 64;
/// options.when_full = qadataswap::WhenFull::kOverwrite;
/// auto writer = qadataswap::Writer::Open("ticks", options);
/// \endcode
#ifndef QADATASWAP_OPTIONS_H
#define QADATASWAP_OPTIONS_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qadataswap.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// A timeout that never comes. Timeouts below zero are over already, so that `deadline - now` may be passed.
inline constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();

/// What a full ring means to its writer. A ring is full when a lossless reader has not read the oldest frame, or
/// when readers hold every slot.
enum class WhenFull : int32_t {
  kBlock = QADS_WHEN_FULL_BLOCK,          ///< Wait, for at most `WriterOptions::write_timeout`.
  kOverwrite = QADS_WHEN_FULL_OVERWRITE,  ///< Overwrite the oldest frame; the ring refuses lossless readers.
  kFail = QADS_WHEN_FULL_FAIL,            ///< Fail at once.
};

/// How the bodies of frames are compressed.
enum class Compression : int32_t {
  kNone = QADS_COMPRESSION_NONE,  ///< Not at all: readers see the columns where they lie.
  kLz4 = QADS_COMPRESSION_LZ4,    ///< LZ4 frame format.
  kZstd = QADS_COMPRESSION_ZSTD,  ///< Zstandard, at `WriterOptions::compression_level`.
};

/// What a reader is owed.
enum class ReaderPolicy : int32_t {
  kLossless = QADS_POLICY_LOSSLESS,  ///< Every frame from the first one on: the writer waits for this reader.
  kLossy = QADS_POLICY_LOSSY,        ///< Every frame it is fast enough for, and the number of those it missed.
  kLatest = QADS_POLICY_LATEST,      ///< The newest frame at each read; all in between count as missed.
  /// As lossy, for whoever may or shall not write to the region: needs read permission only, takes no place and changes
  /// nothing; copies each frame, and may see one that it waits for up to 2 ms late.
  kObserver = QADS_POLICY_OBSERVER,
};

/// Where a new reader starts.
enum class StartAt : int32_t {
  kOldest = QADS_START_OLDEST,  ///< At the oldest frame still in the ring.
  kNewest = QADS_START_NEWEST,  ///< At the newest frame, or at the next one if the ring is empty.
};

/// How much of a frame a reader checks before it hands it out.
enum class Validation : int32_t {
  kForm = QADS_VALIDATION_FORM,                 ///< Bounds, lengths, alignment; the data itself is never touched.
  kFull = QADS_VALIDATION_FULL,                 ///< Also the contents; holds while the writer keeps the protocol.
  kFullOnCopy = QADS_VALIDATION_FULL_ON_COPY,   ///< As full, on a private copy: for writers that are not trusted.
};

/// How to wait: spin for `spin`, then yield the core for `yielding`, then sleep.
///
/// Spinning reacts in tens of nanoseconds and takes a core; sleeping reacts in microseconds and takes none.
struct WaitStrategy {
  /// How long to spin at first.
  std::chrono::nanoseconds spin = std::chrono::microseconds(10);
  /// How long to yield the core between looks, after spinning.
  std::chrono::nanoseconds yielding = std::chrono::microseconds(30);

  /// Never gives the core away: the lowest latency, for a thread pinned to a core of its own.
  static const WaitStrategy kSpin;
  /// Sleeps at once: the least work.
  static const WaitStrategy kSleep;
  /// Spins for 10 µs, yields for 30 µs, then sleeps. The default.
  static const WaitStrategy kBalanced;
};

inline constexpr WaitStrategy WaitStrategy::kSpin{kForever, std::chrono::nanoseconds(0)};
inline constexpr WaitStrategy WaitStrategy::kSleep{std::chrono::nanoseconds(0), std::chrono::nanoseconds(0)};
inline constexpr WaitStrategy WaitStrategy::kBalanced{};

namespace internal {

/// A timeout as the C interface has it, where for ever is negative.
constexpr int64_t TimeoutNanoseconds(std::chrono::nanoseconds timeout) {
  if (timeout == kForever) return -1;
  return timeout.count() < 0 ? 0 : timeout.count();
}

/// What is left of a timeout.
class Remaining {
 public:
  explicit Remaining(std::chrono::nanoseconds timeout) : timeout_(timeout) {}

  /// Never negative; for ever stays for ever.
  std::chrono::nanoseconds Left() const {
    if (timeout_ == kForever) return kForever;
    const auto spent = std::chrono::steady_clock::now() - began_;
    return spent < timeout_ ? timeout_ - spent : std::chrono::nanoseconds(0);
  }

 private:
  std::chrono::nanoseconds timeout_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace internal

/// How a ring is made. What is not set is as the environment or `qadataswap.yaml` have it, or else the default.
struct WriterOptions {
  /// Capacity of all buffers together, in bytes; each gets an equal share, rounded up to a page. 100 MiB by default.
  std::optional<uint64_t> size_bytes;
  /// Capacity of one buffer in bytes, the largest frame; overrides `size_bytes` unless 0.
  uint64_t slot_bytes = 0;
  /// Number of buffers, 1 to 65,536: how many frames the ring remembers, and how many may be held at once. 3 by default.
  std::optional<size_t> buffer_count;
  /// Most readers at a time, 1 to 1,024. 64 by default.
  std::optional<size_t> max_readers;
  /// What a full ring means to the writer. To block by default.
  std::optional<WhenFull> when_full;
  /// How long a write waits when the ring is full and `when_full` is to block. 5 s by default.
  std::optional<std::chrono::nanoseconds> write_timeout;
  /// How many times more a writer waits that has waited in vain, each time with a warning in the log. 0 by default.
  std::optional<int32_t> retry_count;
  /// How frames are compressed; loans never are. Not at all by default.
  std::optional<Compression> compression;
  /// For Zstandard, 1 to 22.
  int32_t compression_level = 3;
  /// Reserves all memory at creation instead of at the first use of each page. It does not by default.
  std::optional<bool> prefault;
  /// Keeps frames that no reader has read as if a lossless reader were always attached.
  bool keep_unread = false;
  /// What is written is one data set, see SharedDataStream: closing it ends it, anything else breaks it off; frames that
  /// no reader has read are kept, and writes wait for as long as it takes unless a timeout is given or configured.
  bool is_stream = false;
  /// Rows that the stream will have, if that is known.
  std::optional<uint64_t> total_rows;
  /// Makes a ring without a name, to be handed over as a descriptor: nobody else can find, open or truncate it, and the
  /// kernel frees it with the last process that has it. See Writer::fd().
  bool memfd = false;
  /// Permission bits of the region's file. Readers need read *and* write permission, observers read permission.
  uint32_t mode = 0600;
  /// Gives the region to this user on creation.
  std::optional<uint32_t> owner;
  /// Gives the region to this group on creation.
  std::optional<uint32_t> group;
  /// Users besides one's own and root whose regions are accepted: whoever owns a region can put any bytes into it.
  std::vector<uint32_t> trusted_owners;
  /// The folder of the rings, meant to be a tmpfs; if empty, as configured, or else `/dev/shm`.
  std::string directory;
  /// A file to take the place of `qadataswap.yaml`, unless empty.
  std::string config_file;
  /// How to wait.
  WaitStrategy wait;

  /// The same for the C interface; points into this.
  qads_writer_options ToC() const {
    qads_writer_options c;
    qads_writer_options_init(&c);
    if (size_bytes) c.size_bytes = *size_bytes;
    c.slot_bytes = slot_bytes;
    if (buffer_count) c.buffer_count = *buffer_count;
    if (max_readers) c.max_readers = *max_readers;
    if (write_timeout) c.write_timeout_ns = internal::TimeoutNanoseconds(*write_timeout);
    if (retry_count) c.retry_count = *retry_count;
    c.spin_ns = wait.spin.count();
    c.yield_ns = wait.yielding.count();
    c.directory = directory.empty() ? nullptr : directory.c_str();
    c.config_file = config_file.empty() ? nullptr : config_file.c_str();
    c.trusted_owners = trusted_owners.data();
    c.trusted_owner_count = trusted_owners.size();
    c.owner = owner ? static_cast<int64_t>(*owner) : -1;
    c.group = group ? static_cast<int64_t>(*group) : -1;
    c.mode = mode;
    if (when_full) c.when_full = static_cast<int32_t>(*when_full);
    if (compression) c.compression = static_cast<int32_t>(*compression);
    c.compression_level = compression_level;
    if (prefault) c.prefault = *prefault ? 1 : 0;
    c.keep_unread = keep_unread ? 1 : 0;
    c.is_stream = is_stream ? 1 : 0;
    if (total_rows) c.total_rows = *total_rows;
    c.memfd = memfd ? 1 : 0;
    return c;
  }
};

/// How a ring is read. What is not set is as for writers.
struct ReaderOptions {
  /// What the reader is owed.
  ReaderPolicy policy = ReaderPolicy::kLossless;
  /// Where it starts.
  StartAt start = StartAt::kOldest;
  /// How much of a frame it checks before it hands it out.
  Validation validation = Validation::kForm;
  /// How long to wait for the ring to come into being. Not at all by default.
  std::optional<std::chrono::nanoseconds> attach_timeout;
  /// Maps all memory that the ring has when attaching instead of at the first look at each page. It does not by default.
  std::optional<bool> prefault;
  /// As `WriterOptions::trusted_owners`.
  std::vector<uint32_t> trusted_owners;
  /// The folder of the rings; if empty, as configured, or else `/dev/shm`.
  std::string directory;
  /// A file to take the place of `qadataswap.yaml`, unless empty.
  std::string config_file;
  /// How to wait.
  WaitStrategy wait;

  /// The same for the C interface; points into this.
  qads_reader_options ToC() const {
    qads_reader_options c;
    qads_reader_options_init(&c);
    if (attach_timeout) c.attach_timeout_ns = internal::TimeoutNanoseconds(*attach_timeout);
    c.spin_ns = wait.spin.count();
    c.yield_ns = wait.yielding.count();
    c.directory = directory.empty() ? nullptr : directory.c_str();
    c.config_file = config_file.empty() ? nullptr : config_file.c_str();
    c.trusted_owners = trusted_owners.data();
    c.trusted_owner_count = trusted_owners.size();
    c.policy = static_cast<int32_t>(policy);
    c.start = static_cast<int32_t>(start);
    c.validation = static_cast<int32_t>(validation);
    if (prefault) c.prefault = *prefault ? 1 : 0;
    return c;
  }
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_OPTIONS_H
