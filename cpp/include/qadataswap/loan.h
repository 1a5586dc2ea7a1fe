/// \file
/// Loans: a frame that is filled where it will be read, and published without a copy.
///
/// \code
/// auto loan = writer->Loan(*schema, 1000);
/// auto symbols = loan->Texts("symbol");
/// auto prices = loan->Column<double>("price");
/// if (!symbols || !prices) return;
/// symbols->Set(0, "ESZ6");
/// (*prices)[0] = 5000.25;
/// loan->Commit(1);
/// \endcode
///
/// Law: what is lent lies in a slot that nobody else can reach until Loan::Commit; a loan that goes out of scope
/// publishes nothing, though the oldest frame may have gone for it.
#ifndef QADATASWAP_LOAN_H
#define QADATASWAP_LOAN_H

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "qadataswap/column.h"
#include "qadataswap/error.h"
#include "qadataswap/schema.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// A column of booleans in a slot, all false until set.
class BoolColumn {
 public:
  /// Number of rows there is room for.
  size_t size() const { return column_->rows; }
  /// Sets a row, which must exist.
  void Set(size_t row, bool value) {
    assert(row < size());
    internal::SetBit(bits(), row, value);
  }
  /// The bits, least significant first.
  uint8_t* bits() { return static_cast<uint8_t*>(column_->values); }

 private:
  friend class Loan;
  explicit BoolColumn(qads_loan_column* column) : column_(column) {}
  qads_loan_column* column_;
};

/// A column of string views or binary views in a slot, all empty until set.
///
/// Values of up to 12 bytes lie in their view; longer ones take their length from the column's room for long values.
class ViewColumn {
 public:
  /// Number of rows there is room for.
  size_t size() const { return column_->rows; }
  /// Bytes left for long values.
  size_t room() const { return column_->data_bytes - column_->data_used; }

  /// Sets a row, which must exist. Setting a row twice does not give back what its long value took.
  ///
  /// Errors: OutOfRoom if a long value does not fit what is left; the row stays as it is then.
  Expected<void> Set(size_t row, std::string_view value) {
    assert(row < size());
    // Length, first four bytes, data buffer 0, position there; or length and value.
    char view[16] = {};
    const auto length = static_cast<uint32_t>(value.size());
    if (value.size() <= 12) {
      if (!value.empty()) std::memcpy(view + 4, value.data(), value.size());
    } else {
      if (value.size() > room()) {
        return Error{ErrorKind::kOutOfRoom, "loan: value of " + std::to_string(value.size()) + " bytes, " +
                                                std::to_string(room()) +
                                                " left for long values; ask for more of them (var_bytes)"};
      }
      const auto at = static_cast<uint32_t>(column_->data_used);
      std::memcpy(column_->data + at, value.data(), value.size());
      column_->data_used += value.size();
      std::memcpy(view + 4, value.data(), 4);
      std::memcpy(view + 12, &at, 4);
    }
    std::memcpy(view, &length, 4);
    std::memcpy(static_cast<char*>(column_->values) + row * sizeof(view), view, sizeof(view));
    return {};
  }

 private:
  friend class Loan;
  explicit ViewColumn(qads_loan_column* column) : column_(column) {}
  qads_loan_column* column_;
};

/// The null rows of a nullable column in a slot: none until set.
class Validity {
 public:
  /// Makes a row, which must exist, null or valid again.
  void Set(size_t row, bool valid) {
    assert(row < column_->rows);
    if (column_->has_nulls == 0) {
      if (valid) return;
      std::memset(column_->validity, 0xFF, column_->validity_bytes);
      column_->has_nulls = 1;
    }
    internal::SetBit(column_->validity, row, valid);
  }
  /// Makes a row null.
  void SetNull(size_t row) { Set(row, false); }

 private:
  friend class Loan;
  explicit Validity(qads_loan_column* column) : column_(column) {}
  qads_loan_column* column_;
};

/// A frame on loan. Its columns belong to it: they must not be used once Commit() was called, whatever came of it, or the
/// loan is gone. Any number of them can be held at a time, and different columns may be filled by different threads.
///
/// Columns of numbers hold whatever the slot held before until they are filled.
class Loan {
 public:
  /// The frame's schema.
  const Schema& schema() const { return schema_; }
  /// Number of rows there is room for.
  size_t capacity() const { return capacity_; }

  /// The values of a column of numbers, one for each row of the capacity.
  ///
  /// Errors: InvalidConfig if there is no such column or it holds another type (see Native); Closed after Commit().
  template <typename T>
  Expected<Span<T>> Column(ColumnIndex which) {
    // Booleans are bits there and strings are views: they have columns of their own, Bools() and Texts().
    static_assert(std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool> && sizeof(Native<T>) > 0,
                  "not the type of a column of numbers, see Native");
    auto column = Find(which, Native<T>::kName, [](const ArrowSchema& schema) {
      return schema.dictionary == nullptr && Native<T>::Fits(schema.format);
    });
    if (!column) return std::move(column).error();
    return Span<T>(static_cast<T*>((*column)->values), (*column)->rows);
  }

  /// The values of a column of booleans.
  ///
  /// Errors: as of Column().
  Expected<BoolColumn> Bools(ColumnIndex which) {
    auto column = Find(which, "bool", &ColumnView<bool>::Fits);
    if (!column) return std::move(column).error();
    return BoolColumn(*column);
  }

  /// The values of a column of string views.
  ///
  /// Errors: as of Column().
  Expected<ViewColumn> Texts(ColumnIndex which) {
    auto column = Find(which, "string views", [](const ArrowSchema& schema) { return IsFormat(schema, kUtf8View); });
    if (!column) return std::move(column).error();
    return ViewColumn(*column);
  }

  /// The values of a column of binary views.
  ///
  /// Errors: as of Column().
  Expected<ViewColumn> Blobs(ColumnIndex which) {
    auto column = Find(which, "binary views", [](const ArrowSchema& schema) { return IsFormat(schema, kBinaryView); });
    if (!column) return std::move(column).error();
    return ViewColumn(*column);
  }

  /// Which rows of a nullable column are null.
  ///
  /// Errors: as of Column(); InvalidConfig also if the column is not nullable.
  Expected<qadataswap::Validity> Validity(ColumnIndex which) {
    auto column = Find(which, "anything", [](const ArrowSchema&) { return true; });
    if (!column) return std::move(column).error();
    if ((*column)->validity == nullptr && (*column)->rows > 0) return Fault(which.ToString() + " is not nullable");
    return qadataswap::Validity(*column);
  }

  /// Publishes the first `rows` rows and returns the frame's sequence number. Costs nothing that grows with the data
  /// if every row was used. Whatever comes of it, the loan has ended.
  ///
  /// Errors: InvalidConfig if there are not as many rows; Closed if the loan had ended.
  Expected<uint64_t> Commit(size_t rows) {
    if (loan_ == nullptr) return Ended();
    uint64_t sequence = 0;
    if (qads_loan_commit(loan_.release(), rows, &sequence) != QADS_OK) return Error::Last();
    return sequence;
  }

  /// Gives the slot back; so does going out of scope.
  void Abandon() { loan_.reset(); }

 private:
  friend class Writer;

  struct Free {
    void operator()(qads_loan* loan) const { qads_loan_abandon(loan); }
  };

  Loan(qads_loan* loan, Schema schema, size_t capacity, internal::SharedName ring)
      : loan_(loan), schema_(std::move(schema)), capacity_(capacity), ring_(std::move(ring)) {}

  static bool IsFormat(const ArrowSchema& schema, const char* format) {
    return schema.dictionary == nullptr && std::strcmp(schema.format, format) == 0;
  }

  Expected<qads_loan_column*> Find(const ColumnIndex& which, const char* type, bool (*fits)(const ArrowSchema&)) {
    if (loan_ == nullptr) return Ended();
    const std::optional<size_t> at =
        which.is_name() ? schema_.FieldIndex(which.name()) : std::optional<size_t>(which.position());
    if (!at || *at >= schema_.num_fields()) return Fault(which.ToString() + ": there is no such column");
    const ArrowSchema& field = *schema_.c_schema().children[*at];
    if (!fits(field)) {
      return Fault(which.ToString() + " is of Arrow format '" + field.format + "', which is not a column of " + type);
    }
    qads_loan_column* column = nullptr;
    if (qads_loan_get_column(loan_.get(), *at, &column) != QADS_OK) return Error::Last();
    return column;
  }

  Error Fault(const std::string& what) const { return internal::RingError(ErrorKind::kInvalidConfig, *ring_, what); }
  Error Ended() const {
    return internal::RingError(ErrorKind::kClosed, *ring_, "this loan has ended; ask the writer for another one");
  }

  std::unique_ptr<qads_loan, Free> loan_;
  Schema schema_;
  size_t capacity_;
  internal::SharedName ring_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_LOAN_H
