/// \file
/// Range-based for over what a reader yields.
#ifndef QADATASWAP_READ_ITERATOR_H
#define QADATASWAP_READ_ITERATOR_H

#include <arrow/result.h>

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>

#include "qadataswap/status.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// Reads one after the other, waiting for each, until the stream ends or an error has been yielded.
///
/// `Source` has `Next()`, which reads a `std::shared_ptr<T>`; its EndOfStream is the end of the range. An error is
/// the last thing to be yielded, so that none is lost: a range starts again with `begin()`.
template <typename Source, typename T>
class ReadIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  /// A result, which has to be looked at.
  using value_type = arrow::Result<std::shared_ptr<T>>;
  using difference_type = std::ptrdiff_t;
  using pointer = const value_type*;
  using reference = const value_type&;

  /// The end.
  ReadIterator() = default;
  /// Reads the first.
  explicit ReadIterator(Source* source) : source_(source) { ++*this; }

  reference operator*() const { return *item_; }
  pointer operator->() const { return &*item_; }
  ReadIterator& operator++() {
    if (item_.has_value() && !item_->ok()) {
      source_ = nullptr;
      return *this;
    }
    // What was read before lets go of its slot first.
    item_.reset();
    item_.emplace(source_->Next());
    if (ErrorKindOf(item_->status()) == ErrorKind::kEndOfStream) source_ = nullptr;
    return *this;
  }
  void operator++(int) { ++*this; }

  /// Whether both have come to the end, or neither.
  friend bool operator==(const ReadIterator& left, const ReadIterator& right) { return left.source_ == right.source_; }
  /// The opposite.
  friend bool operator!=(const ReadIterator& left, const ReadIterator& right) { return !(left == right); }

 private:
  Source* source_ = nullptr;
  std::optional<value_type> item_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_READ_ITERATOR_H
