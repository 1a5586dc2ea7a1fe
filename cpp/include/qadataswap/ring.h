/// \file
/// The two ends of a ring without Arrow C++: Writer and Reader, with the frames and loans that they hand out.
///
/// \code
/// auto reader = qadataswap::Reader::Open("ticks");
/// if (!reader) return Complain(reader.error());
/// qadataswap::ColumnRef<double> price("price");
/// while (true) {
///   auto frame = reader->ReadFrame(std::chrono::seconds(1));
///   if (!frame) return Complain(frame.error());         // EndOfStream, WriterDied, ...
///   if (!frame->has_value()) continue;                  // nothing yet
///   auto prices = price.In(**frame);
///   if (prices && !prices->empty()) Use(prices->back());
/// }
/// \endcode
///
/// A handle is used by one thread at a time. A handle that was moved from answers Closed.
#ifndef QADATASWAP_RING_H
#define QADATASWAP_RING_H

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qadataswap/column.h"
#include "qadataswap/error.h"
#include "qadataswap/frame.h"
#include "qadataswap/loan.h"
#include "qadataswap/options.h"
#include "qadataswap/schema.h"
#include "qadataswap/stats.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// The library's version, "0.1.0".
inline const char* GetVersion() { return qads_version(); }

namespace internal {

inline Error HandleGone(const std::string& ring) {
  return RingError(ErrorKind::kClosed, ring, "this handle has been moved from; make a new one");
}

}  // namespace internal

/// The writing end of a ring: there is one at a time. Its destructor closes it, but breaks a stream off.
class Writer {
 public:
  /// Creates a ring, or takes over one whose writer is gone: with the same geometry its frames and its sequence go on,
  /// with another its region is replaced.
  ///
  /// Errors: InvalidName, InvalidConfig, WriterExists, NoSpace, PermissionDenied; Incompatible or Corrupt for what
  /// stands under that name.
  static Expected<Writer> Open(const std::string& name, const WriterOptions& options = {}) {
    const qads_writer_options c = options.ToC();
    qads_writer* writer = nullptr;
    if (qads_writer_open(name.c_str(), &c, &writer) != QADS_OK) return Error::Last();
    return Writer(writer, name);
  }

  /// Takes over the ring without a name behind a descriptor, whose writer is gone; `fd` stays the caller's. The name is
  /// what messages call the ring: what its creator called it, if empty.
  ///
  /// Errors: InvalidConfig if `fd` is not of such a ring, or the options ask for another size than it has; as of Open().
  static Expected<Writer> FromFd(const std::string& name, int fd, const WriterOptions& options = {}) {
    const qads_writer_options c = options.ToC();
    qads_writer* writer = nullptr;
    if (qads_writer_open_fd(name.c_str(), fd, &c, &writer) != QADS_OK) return Error::Last();
    return Writer(writer, name);
  }

  /// Writes a table of `count` batches, struct arrays of `schema` which stay the caller's, as one frame, and returns
  /// its sequence number.
  ///
  /// Errors: FrameTooLarge, NoSpace, LoanOut if every slot is lent, Closed, Forked; when the ring is full,
  /// WriteTimeout or RingFull by the writer's WhenFull. Nothing is published then.
  Expected<uint64_t> Write(const Schema& schema, const ArrowArray* const* batches, size_t count) {
    Expected<const qads_schema*> handle = schema.handle();
    if (!handle) return std::move(handle).error();
    return Write(*handle, batches, count);
  }

  /// Writes a table of one batch; see above.
  Expected<uint64_t> Write(const Schema& schema, const ArrowArray& batch) {
    const ArrowArray* batches[] = {&batch};
    return Write(schema, batches, 1);
  }

  /// As Write(), by the schema's handle.
  Expected<uint64_t> Write(const qads_schema* schema, const ArrowArray* const* batches, size_t count) {
    if (writer_ == nullptr) return internal::HandleGone(name());
    uint64_t sequence = 0;
    if (qads_write(writer_.get(), schema, batches, count, &sequence) != QADS_OK) return Error::Last();
    return sequence;
  }

  /// As Write(), but never waits: nothing if the ring is full.
  Expected<std::optional<uint64_t>> TryWrite(const Schema& schema, const ArrowArray* const* batches, size_t count) {
    Expected<const qads_schema*> handle = schema.handle();
    if (!handle) return std::move(handle).error();
    return TryWrite(*handle, batches, count);
  }

  /// Tries to write a table of one batch; see above.
  Expected<std::optional<uint64_t>> TryWrite(const Schema& schema, const ArrowArray& batch) {
    const ArrowArray* batches[] = {&batch};
    return TryWrite(schema, batches, 1);
  }

  /// As TryWrite(), by the schema's handle.
  Expected<std::optional<uint64_t>> TryWrite(const qads_schema* schema, const ArrowArray* const* batches,
                                             size_t count) {
    if (writer_ == nullptr) return internal::HandleGone(name());
    uint64_t sequence = 0;
    switch (qads_try_write(writer_.get(), schema, batches, count, &sequence)) {
      case QADS_OK:
        return sequence;
      case QADS_TIMEOUT:
        return std::nullopt;
      default:
        return Error::Last();
    }
  }

  /// Lends a frame of `rows` rows, to be filled in place. Strings and binaries must be of the view types; their values
  /// of up to 12 bytes need nothing else, longer ones take theirs of `var_bytes` bytes in each such column.
  ///
  /// Errors: as of Write(); Unsupported for a type that cannot be lent.
  Expected<qadataswap::Loan> Loan(const Schema& schema, size_t rows, size_t var_bytes = 0) {
    if (writer_ == nullptr) return internal::HandleGone(name());
    Expected<const qads_schema*> handle = schema.handle();
    if (!handle) return std::move(handle).error();
    qads_loan* loan = nullptr;
    if (qads_loan_open(writer_.get(), *handle, rows, var_bytes, &loan) != QADS_OK) return Error::Last();
    return qadataswap::Loan(loan, schema, rows, name_);
  }

  /// Most bytes a frame may take.
  uint64_t slot_bytes() const { return writer_ == nullptr ? 0 : qads_writer_slot_bytes(writer_.get()); }

  /// The descriptor of a ring that was created without a name (WriterOptions::memfd), for others to open it by; this
  /// writer's, and good until it is closed.
  ///
  /// Errors: InvalidConfig if the ring has a name, Closed, Forked.
  Expected<int> fd() const {
    if (writer_ == nullptr) return internal::HandleGone(name());
    int fd = -1;
    if (qads_writer_fd(writer_.get(), &fd) != QADS_OK) return Error::Last();
    return fd;
  }

  /// Number of readers that are attached, those that have died and not yet been noticed among them.
  size_t num_readers() const { return writer_ == nullptr ? 0 : qads_writer_reader_count(writer_.get()); }

  /// What this writer has done so far.
  Stats GetStats() const {
    qads_stats stats{};
    stats.struct_size = sizeof(stats);
    if (writer_ != nullptr && qads_writer_stats(writer_.get(), &stats) != QADS_OK) return {};
    return Stats::FromC(stats);
  }

  /// How far the stream has come that is written.
  ///
  /// Errors: Closed, Forked.
  Expected<Progress> GetProgress() const {
    if (writer_ == nullptr) return internal::HandleGone(name());
    qads_progress progress{};
    progress.struct_size = sizeof(progress);
    if (qads_writer_progress(writer_.get(), &progress) != QADS_OK) return Error::Last();
    return Progress::FromC(progress);
  }

  /// Breaks a stream off: readers read what is there and then get Aborted with `reason`, of which at most 160 bytes are
  /// kept. What has been closed stays as it is.
  ///
  /// Errors: as of Close().
  Expected<void> Abort(const std::string& reason) {
    if (writer_ == nullptr) return {};
    return internal::Check(qads_writer_abort(writer_.get(), reason.c_str()));
  }

  /// Ends the stream: readers read what is there and then see its end. Closing twice is no error.
  ///
  /// Errors: LoanOut while a loan is out; InvalidConfig if a stream has not as many rows as were announced, which breaks
  /// it off.
  Expected<void> Close() {
    if (writer_ == nullptr) return {};
    return internal::Check(qads_writer_close(writer_.get()));
  }

  /// The ring's name.
  const std::string& name() const { return *name_; }
  /// What the C interface takes for it; null if it was moved from.
  qads_writer* handle() const { return writer_.get(); }

 private:
  struct Free {
    void operator()(qads_writer* writer) const { qads_writer_free(writer); }
  };

  Writer(qads_writer* writer, const std::string& name) : writer_(writer), name_(name) {}

  std::unique_ptr<qads_writer, Free> writer_;
  /// Shared with the loans, which may outlive this.
  internal::SharedName name_;
};

/// The reading end of a ring. Its destructor closes it; frames stay valid.
class Reader {
 public:
  /// Attaches to a ring.
  ///
  /// Errors: NotFound, PermissionDenied, TooManyReaders, InvalidConfig for a lossless reader of an overwriting writer,
  /// Incompatible or Corrupt for a file that is not a region of this version.
  static Expected<Reader> Open(const std::string& name, const ReaderOptions& options = {}) {
    const qads_reader_options c = options.ToC();
    qads_reader* reader = nullptr;
    if (qads_reader_open(name.c_str(), &c, &reader) != QADS_OK) return Error::Last();
    return Reader(reader, name);
  }

  /// Attaches to the ring without a name behind a descriptor, which stays the caller's. The name is what messages call the
  /// ring: what its creator called it, if empty.
  ///
  /// Errors: InvalidConfig if `fd` is not of such a ring; as of Open().
  static Expected<Reader> FromFd(const std::string& name, int fd, const ReaderOptions& options = {}) {
    const qads_reader_options c = options.ToC();
    qads_reader* reader = nullptr;
    if (qads_reader_open_fd(name.c_str(), fd, &c, &reader) != QADS_OK) return Error::Last();
    return Reader(reader, name);
  }

  /// Reads the next frame, waiting for at most `timeout`; nothing if there is none yet.
  ///
  /// Errors: when every frame has been read, EndOfStream after the writer closed, WriterDied after it died (the reader
  /// may go on reading: a writer that takes over goes on where the dead one stopped), Replaced. At any time: Corrupt,
  /// Unsupported for a frame that cannot be decoded (the next read goes on after it), Forked, Closed, Evicted.
  Expected<std::optional<Frame>> ReadFrame(std::chrono::nanoseconds timeout = kForever) {
    if (reader_ == nullptr) return internal::HandleGone(name());
    qads_frame* frame = nullptr;
    const int status = qads_read_within(reader_.get(), internal::TimeoutNanoseconds(timeout), &frame);
    return frames_.Made(status, frame);
  }

  /// Reads the next frame if it is there. Never waits and makes no system call.
  ///
  /// Errors: as of ReadFrame(), except that the writer's death is not looked for.
  Expected<std::optional<Frame>> TryReadFrame() { return ReadFrame(std::chrono::nanoseconds(0)); }

  /// Reads frames until `predicate` is true of one, for at most `timeout`, and returns that one; nothing if there was
  /// none. The frames before it have been read, and are let go of. What is there when the time is over is looked
  /// at still, what comes later is not.
  ///
  /// Errors: as of ReadFrame().
  template <typename Predicate>
  Expected<std::optional<Frame>> WaitForCondition(Predicate&& predicate, std::chrono::nanoseconds timeout = kForever) {
    internal::Remaining remaining(timeout);
    // How many may still be looked at when the time is over, lest a writer that never pauses keeps this going.
    std::optional<uint64_t> rest;
    while (true) {
      const std::chrono::nanoseconds left = remaining.Left();
      if (left == std::chrono::nanoseconds(0)) {
        if (!rest) rest = std::max<uint64_t>(GetStats().lag, 1);
        if ((*rest)-- == 0) return std::nullopt;
      }
      Expected<std::optional<Frame>> frame = ReadFrame(left);
      if (!frame || !frame->has_value() || predicate(static_cast<const Frame&>(**frame))) return frame;
    }
  }

  /// As Writer::fd().
  Expected<int> fd() const {
    if (reader_ == nullptr) return internal::HandleGone(name());
    int fd = -1;
    if (qads_reader_fd(reader_.get(), &fd) != QADS_OK) return Error::Last();
    return fd;
  }

  /// Whether the ring has a living writer. Costs a system call: for those who only ever try.
  ///
  /// Errors: Forked, Closed.
  Expected<bool> HasWriter() const {
    if (reader_ == nullptr) return internal::HandleGone(name());
    int has_writer = 0;
    if (qads_reader_has_writer(reader_.get(), &has_writer) != QADS_OK) return Error::Last();
    return has_writer != 0;
  }

  /// What this reader has done so far.
  Stats GetStats() const {
    qads_stats stats{};
    stats.struct_size = sizeof(stats);
    if (reader_ != nullptr && qads_reader_stats(reader_.get(), &stats) != QADS_OK) return {};
    return Stats::FromC(stats);
  }

  /// How far the stream has come; without one, all that the ring has seen.
  ///
  /// Errors: Closed, Forked.
  Expected<Progress> GetProgress() const {
    if (reader_ == nullptr) return internal::HandleGone(name());
    qads_progress progress{};
    progress.struct_size = sizeof(progress);
    if (qads_reader_progress(reader_.get(), &progress) != QADS_OK) return Error::Last();
    return Progress::FromC(progress);
  }

  /// From now on this reader reads one data set, whole: it starts where the writer's stream begins, and a frame of
  /// another one is an error. Nothing changes if what is written is no stream.
  ///
  /// Errors: InvalidConfig if the beginning has been read and is gone.
  Expected<void> ExpectStream() {
    if (reader_ == nullptr) return internal::HandleGone(name());
    return internal::Check(qads_reader_expect_stream(reader_.get()));
  }

  /// Takes no more frames and no longer holds up the writer. Frames already read stay valid. Closing twice is no error.
  Expected<void> Close() {
    if (reader_ == nullptr) return {};
    return internal::Check(qads_reader_close(reader_.get()));
  }

  /// The ring's name.
  const std::string& name() const { return frames_.ring(); }
  /// What the C interface takes for it; null if it was moved from.
  qads_reader* handle() const { return reader_.get(); }

 private:
  struct Free {
    void operator()(qads_reader* reader) const { qads_reader_free(reader); }
  };

  Reader(qads_reader* reader, const std::string& name) : reader_(reader), frames_(name) {}

  std::unique_ptr<qads_reader, Free> reader_;
  internal::FrameMaker frames_;
};

/// Sends the descriptor of a ring without a name through a Unix socket.
///
/// Errors: InvalidConfig if it is not of such a ring; Io if the socket does not take it.
inline Expected<void> SendRegion(int socket, int fd) { return internal::Check(qads_send_region(socket, fd)); }

/// Receives what SendRegion() has sent, waiting for as long as the socket does. The descriptor is the caller's to close.
///
/// Errors: InvalidConfig if anything else has come; Io if the socket was closed.
inline Expected<int> ReceiveRegion(int socket) {
  int fd = -1;
  if (qads_receive_region(socket, &fd) != QADS_OK) return Error::Last();
  return fd;
}

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_RING_H
