/// \file
/// Errors as `arrow::Status`: the code says roughly what it was, the detail carries the exact kind.
///
/// \code
/// arrow::Result<std::shared_ptr<arrow::Table>> table = reader->Read();
/// if (!table.ok() && qadataswap::ErrorKindOf(table.status()) == qadataswap::ErrorKind::kEndOfStream) return;
/// \endcode
#ifndef QADATASWAP_STATUS_H
#define QADATASWAP_STATUS_H

#include <arrow/result.h>
#include <arrow/status.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "qadataswap/error.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// The kind of error that a status carries.
class ErrorDetail : public arrow::StatusDetail {
 public:
  /// Of this kind.
  explicit ErrorDetail(ErrorKind kind) : kind_(kind) {}
  /// Stands for this class; compared by content, since every library of a program may have its own copy.
  static constexpr const char* kTypeId = "qadataswap::ErrorDetail";
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return ErrorKindName(kind_); }
  /// The kind.
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// The code of a kind of error:
///
/// | code               | kinds                                                                              |
/// |--------------------|------------------------------------------------------------------------------------|
/// | Invalid            | InvalidName, InvalidConfig, WrongRole, Closed, Forked, LoanOut, ArrowError         |
/// | KeyError           | NotFound                                                                           |
/// | AlreadyExists      | WriterExists                                                                       |
/// | CapacityError      | TooManyReaders, FrameTooLarge, RingFull, WriteTimeout, OutOfRoom                   |
/// | SerializationError | Incompatible, Corrupt                                                              |
/// | IndexError         | EndOfStream                                                                        |
/// | IOError            | PermissionDenied, WriterDied, Replaced, Evicted, Busy, Io                          |
/// | OutOfMemory        | NoSpace, MemoryMapFailed                                                           |
/// | NotImplemented     | Unsupported                                                                        |
/// | Cancelled          | Aborted                                                                            |
/// | UnknownError       | Internal                                                                           |
inline arrow::StatusCode StatusCodeOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidName:
    case ErrorKind::kInvalidConfig:
    case ErrorKind::kWrongRole:
    case ErrorKind::kClosed:
    case ErrorKind::kForked:
    case ErrorKind::kLoanOut:
    case ErrorKind::kArrowError:
      return arrow::StatusCode::Invalid;
    case ErrorKind::kNotFound:
      return arrow::StatusCode::KeyError;
    case ErrorKind::kWriterExists:
      return arrow::StatusCode::AlreadyExists;
    case ErrorKind::kTooManyReaders:
    case ErrorKind::kFrameTooLarge:
    case ErrorKind::kRingFull:
    case ErrorKind::kWriteTimeout:
    case ErrorKind::kOutOfRoom:
      return arrow::StatusCode::CapacityError;
    case ErrorKind::kIncompatible:
    case ErrorKind::kCorrupt:
      return arrow::StatusCode::SerializationError;
    case ErrorKind::kEndOfStream:
      return arrow::StatusCode::IndexError;
    case ErrorKind::kPermissionDenied:
    case ErrorKind::kWriterDied:
    case ErrorKind::kReplaced:
    case ErrorKind::kEvicted:
    case ErrorKind::kBusy:
    case ErrorKind::kIo:
      return arrow::StatusCode::IOError;
    case ErrorKind::kNoSpace:
    case ErrorKind::kMemoryMapFailed:
      return arrow::StatusCode::OutOfMemory;
    case ErrorKind::kUnsupported:
      return arrow::StatusCode::NotImplemented;
    case ErrorKind::kAborted:
      return arrow::StatusCode::Cancelled;
    case ErrorKind::kInternal:
      break;
  }
  return arrow::StatusCode::UnknownError;
}

/// An error as a status.
inline arrow::Status ToStatus(Error error) {
  return arrow::Status(StatusCodeOf(error.kind), std::move(error.message), std::make_shared<ErrorDetail>(error.kind));
}

/// The kind that a status carries; nothing if it is OK or came from elsewhere, from Arrow itself for example.
inline std::optional<ErrorKind> ErrorKindOf(const arrow::Status& status) {
  if (status.ok() || status.detail() == nullptr) return std::nullopt;
  const arrow::StatusDetail& detail = *status.detail();
  if (std::strcmp(detail.type_id(), ErrorDetail::kTypeId) != 0) return std::nullopt;
  return static_cast<const ErrorDetail&>(detail).kind();
}

/// The same as a status.
inline arrow::Status ToStatus(Expected<void>&& expected) {
  if (!expected) return ToStatus(std::move(expected).error());
  return arrow::Status::OK();
}

/// The same as a result.
template <typename T>
arrow::Result<T> ToResult(Expected<T>&& expected) {
  if (!expected) return ToStatus(std::move(expected).error());
  return *std::move(expected);
}

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_STATUS_H
