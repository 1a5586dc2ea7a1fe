/// \file
/// Errors without exceptions and without Arrow: a kind, a message, and a value that may be an error instead.
///
/// \code
/// qadataswap::Expected<qadataswap::Reader> reader = qadataswap::Reader::Open("ticks");
/// if (!reader) {
///   if (reader.error().kind == qadataswap::ErrorKind::kNotFound) return Retry();
///   std::fprintf(stderr, "%s\n", reader.error().message.c_str());
/// }
/// \endcode
#ifndef QADATASWAP_ERROR_H
#define QADATASWAP_ERROR_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "qadataswap.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// What went wrong; the same kinds, by the same names, in every language. Numbers beyond these may come from a
/// newer library.
enum class ErrorKind : int {
  kInvalidName = QADS_KIND_INVALID_NAME,            ///< A ring's name is not allowed.
  kInvalidConfig = QADS_KIND_INVALID_CONFIG,        ///< An option or an argument is wrong or contradicts the ring.
  kNotFound = QADS_KIND_NOT_FOUND,                  ///< No ring of this name exists.
  kPermissionDenied = QADS_KIND_PERMISSION_DENIED,  ///< The system, or the ring's owner, does not let one in.
  kWriterExists = QADS_KIND_WRITER_EXISTS,          ///< The ring already has a living writer.
  kTooManyReaders = QADS_KIND_TOO_MANY_READERS,     ///< Every reader's place is taken.
  kIncompatible = QADS_KIND_INCOMPATIBLE,           ///< The file is not a region that this version reads.
  kCorrupt = QADS_KIND_CORRUPT,                     ///< Shared bytes contradict the protocol or the format.
  kFrameTooLarge = QADS_KIND_FRAME_TOO_LARGE,       ///< The frame does not fit into a slot.
  kRingFull = QADS_KIND_RING_FULL,                  ///< The ring is full and its writer was asked not to wait.
  kWriteTimeout = QADS_KIND_WRITE_TIMEOUT,          ///< The ring stayed full for as long as the writer would wait.
  kEndOfStream = QADS_KIND_END_OF_STREAM,           ///< The writer has closed and every frame has been read.
  kWriterDied = QADS_KIND_WRITER_DIED,              ///< The writer died and every frame has been read.
  kReplaced = QADS_KIND_REPLACED,                   ///< Another region has taken the ring's name; attach again.
  kEvicted = QADS_KIND_EVICTED,                     ///< This reader was taken for dead; attach again.
  kWrongRole = QADS_KIND_WRONG_ROLE,                ///< A writer's call on a reader, or the other way round.
  kClosed = QADS_KIND_CLOSED,                       ///< The handle was closed.
  kForked = QADS_KIND_FORKED,                       ///< The handle was made by the parent of this forked process.
  kLoanOut = QADS_KIND_LOAN_OUT,                    ///< A loan is out where none may be.
  kNoSpace = QADS_KIND_NO_SPACE,                    ///< The folder of the rings has no room.
  kMemoryMapFailed = QADS_KIND_MEMORY_MAP_FAILED,   ///< The region could not be mapped.
  kBusy = QADS_KIND_BUSY,                           ///< Another process keeps something busy for too long.
  kIo = QADS_KIND_IO,                               ///< A system call failed.
  kUnsupported = QADS_KIND_UNSUPPORTED,             ///< Something that this build or this call does not offer.
  kOutOfRoom = QADS_KIND_OUT_OF_ROOM,               ///< A value did not fit into a loan.
  kArrowError = QADS_KIND_ARROW_ERROR,              ///< Arrow found fault with a table.
  kInternal = QADS_KIND_INTERNAL,                   ///< A defect of this library; please report it.
  kAborted = QADS_KIND_ABORTED,                     ///< The writer broke its stream off.
};

/// The name of a kind, as every language spells it ("WriterDied").
inline const char* ErrorKindName(ErrorKind kind) {
  return qads_error_kind_name(static_cast<qads_error_kind>(kind));
}

/// Frames that are neither in a recording nor in its ring.
struct MissingFrames {
  uint64_t first = 0;  ///< The first of them.
  uint64_t last = 0;   ///< The last of them.
};

/// An error: its kind for programs, its message for people.
struct Error {
  /// What it was.
  ErrorKind kind = ErrorKind::kInternal;
  /// Names the ring, says expected and got, then the remedy.
  std::string message;
  /// Of an error of Follow: the frames that are nowhere, if it is that.
  std::optional<MissingFrames> missing_frames = std::nullopt;

  /// This thread's last failure in the C interface.
  static Error Last() {
    Error error{static_cast<ErrorKind>(qads_last_error_kind()), qads_last_error()};
    MissingFrames missing;
    if (qads_last_missing_frames(&missing.first, &missing.last) != 0) error.missing_frames = missing;
    return error;
  }
};

namespace internal {

/// A value was taken where there was an error: a defect of the caller, as with `arrow::Result`.
[[noreturn]] inline void DieOf(const Error& error) {
  std::fprintf(stderr, "qadataswap: value taken of an error: %s: %s\n", ErrorKindName(error.kind),
               error.message.c_str());
  std::abort();
}

}  // namespace internal

/// A value, or the error for which there is none.
///
/// Taking the value of an error ends the program; look first.
template <typename T>
class [[nodiscard]] Expected {
 public:
  /// An error.
  Expected(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  /// A value, from whatever makes one.
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U&&, T> &&
                                                    !std::is_same_v<std::decay_t<U>, Expected> &&
                                                    !std::is_same_v<std::decay_t<U>, Error>>>
  Expected(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  /// Whether there is a value.
  bool has_value() const noexcept { return state_.index() == 0; }
  /// Whether there is a value.
  explicit operator bool() const noexcept { return has_value(); }

  /// The value.
  T& operator*() & { return value(); }
  /// The value.
  const T& operator*() const& { return const_cast<Expected*>(this)->value(); }
  /// The value, moved out; by value, so that `for (double price : *price.In(frame))` has something to hold on to.
  T operator*() && { return std::move(value()); }
  /// The value's members.
  T* operator->() { return &value(); }
  /// The value's members.
  const T* operator->() const { return &const_cast<Expected*>(this)->value(); }

  /// The error; there must be one.
  const Error& error() const& { return *std::get_if<1>(&state_); }
  /// The error, to be moved from; there must be one.
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  T& value() {
    T* value = std::get_if<0>(&state_);
    if (value == nullptr) internal::DieOf(error());
    return *value;
  }

  std::variant<T, Error> state_;
};

/// Success, or an error.
template <>
class [[nodiscard]] Expected<void> {
 public:
  /// Success.
  Expected() = default;
  /// An error.
  Expected(Error error) : error_(std::move(error)) {}

  /// Whether it went well.
  bool has_value() const noexcept { return !error_.has_value(); }
  /// Whether it went well.
  explicit operator bool() const noexcept { return has_value(); }

  /// The error; there must be one.
  const Error& error() const& { return *error_; }
  /// The error, to be moved from; there must be one.
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

namespace internal {

/// What a status of the C interface means.
inline Expected<void> Check(int status) {
  if (status == QADS_OK) return {};
  return Error::Last();
}

/// The name of a ring, held in common by all who may have to put it into a message: a loan is not to allocate for it.
class SharedName {
 public:
  explicit SharedName(const std::string& name) : name_(std::make_shared<const std::string>(name)) {}
  // Moving copies, so that what was moved from still knows its ring.
  SharedName(const SharedName&) = default;
  SharedName& operator=(const SharedName&) = default;
  const std::string& operator*() const { return *name_; }

 private:
  std::shared_ptr<const std::string> name_;
};

/// `ring 'name': what`, as all messages begin.
inline Error RingError(ErrorKind kind, const std::string& ring, const std::string& what) {
  return Error{kind, "ring '" + ring + "': " + what};
}

}  // namespace internal

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_ERROR_H
