/// \file
/// Typed columns: which C++ type stands for which Arrow type, and views of columns where they lie.
///
/// A view copies nothing and owns nothing: it is valid as long as the frame (or the array) it was got from.
#ifndef QADATASWAP_COLUMN_H
#define QADATASWAP_COLUMN_H

#include <array>
#include <cassert>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "qadataswap/arrow_c.h"
#include "qadataswap/export.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// A 128-bit integer: the values of a decimal of 128 bits.
__extension__ typedef __int128 Int128;

/// The bits of a half-precision float.
struct Half {
  /// As IEEE 754 binary16 has them.
  uint16_t bits;
};

/// The number type of a column's values as C++ sees them; specialised for those there are, with a name for
/// messages (`kName`) and `Fits(format)`.
///
/// Integers and floats stand for themselves; `int32_t` also for date32, time32, decimal32 and year-month intervals;
/// `int64_t` also for date64, time64, timestamps, durations and decimal64; `Int128` for decimal128; `Half` for
/// float16; `std::array<uint8_t, N>` for fixed-size binary of width `N`.
template <typename T>
struct Native;

namespace internal {

inline bool StartsWith(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

/// Whether this is a decimal of `bits` bits; its format names them unless they are 128.
inline bool IsDecimal(std::string_view format, std::string_view bits) {
  if (!StartsWith(format, "d:")) return false;
  const size_t first = format.find(',');
  if (first == std::string_view::npos) return false;
  const size_t second = format.find(',', first + 1);
  return (second == std::string_view::npos ? std::string_view("128") : format.substr(second + 1)) == bits;
}

}  // namespace internal

/// \cond
#define QADATASWAP_NATIVE(TYPE, NAME, CONDITION)         \
  template <>                                            \
  struct Native<TYPE> {                                  \
    static constexpr const char* kName = NAME;           \
    static bool Fits(std::string_view format) {          \
      return CONDITION;                                  \
    }                                                    \
  };
QADATASWAP_NATIVE(int8_t, "int8_t", format == "c")
QADATASWAP_NATIVE(int16_t, "int16_t", format == "s")
QADATASWAP_NATIVE(int32_t, "int32_t",
                  format == "i" || format == "tdD" || format == "tts" || format == "ttm" || format == "tiM" ||
                      internal::IsDecimal(format, "32"))
QADATASWAP_NATIVE(int64_t, "int64_t",
                  format == "l" || format == "tdm" || format == "ttu" || format == "ttn" ||
                      internal::StartsWith(format, "ts") || internal::StartsWith(format, "tD") ||
                      internal::IsDecimal(format, "64"))
QADATASWAP_NATIVE(Int128, "Int128", internal::IsDecimal(format, "128"))
QADATASWAP_NATIVE(uint8_t, "uint8_t", format == "C")
QADATASWAP_NATIVE(uint16_t, "uint16_t", format == "S")
QADATASWAP_NATIVE(uint32_t, "uint32_t", format == "I")
QADATASWAP_NATIVE(uint64_t, "uint64_t", format == "L")
QADATASWAP_NATIVE(Half, "Half", format == "e")
QADATASWAP_NATIVE(float, "float", format == "f")
QADATASWAP_NATIVE(double, "double", format == "g")
#undef QADATASWAP_NATIVE
/// \endcond

/// Fixed-size binary.
template <size_t N>
struct Native<std::array<uint8_t, N>> {
  /// For messages.
  static constexpr const char* kName = "std::array<uint8_t, N> of another N";
  /// Whether the width is N.
  static bool Fits(std::string_view format) { return format == "w:" + std::to_string(N); }
};

/// A stretch of values: `std::span` of C++20, as far as it is needed here.
template <typename T>
class Span {
 public:
  /// Nothing.
  constexpr Span() = default;
  /// `size` values from `data` on.
  constexpr Span(T* data, size_t size) : data_(data), size_(size) {}

  /// The first value.
  constexpr T* data() const { return data_; }
  /// Number of values.
  constexpr size_t size() const { return size_; }
  /// Whether there is none.
  constexpr bool empty() const { return size_ == 0; }
  /// The value at this position, which must exist.
  constexpr T& operator[](size_t i) const {
    assert(i < size_);
    return data_[i];
  }
  /// The first value.
  constexpr T* begin() const { return data_; }
  /// Behind the last value.
  constexpr T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

/// A column's name or its position.
class ColumnIndex {
 public:
  /// By name.
  ColumnIndex(const char* name) : name_(name) {}
  /// By name.
  ColumnIndex(std::string_view name) : name_(name) {}
  /// By name.
  ColumnIndex(const std::string& name) : name_(name) {}
  /// By position, counted from 0.
  template <typename Integer, typename = std::enable_if_t<std::is_integral_v<Integer>>>
  ColumnIndex(Integer position) : position_(static_cast<size_t>(position)), is_name_(false) {}

  /// Whether it is a name.
  bool is_name() const { return is_name_; }
  /// The name.
  std::string_view name() const { return name_; }
  /// The position.
  size_t position() const { return position_; }
  /// How a message names the column.
  std::string ToString() const {
    return is_name_ ? "column '" + std::string(name_) + "'" : "column " + std::to_string(position_);
  }

 private:
  std::string_view name_;
  size_t position_ = 0;
  bool is_name_ = true;
};

namespace internal {

inline bool GetBit(const uint8_t* bits, int64_t i) { return (bits[i >> 3] >> (i & 7)) & 1; }

inline void SetBit(uint8_t* bits, size_t i, bool value) {
  const auto mask = static_cast<uint8_t>(1u << (i & 7));
  bits[i >> 3] = static_cast<uint8_t>(value ? bits[i >> 3] | mask : bits[i >> 3] & ~mask);
}

}  // namespace internal

/// What columns of every type have: a length, and nulls.
class ColumnNulls {
 public:
  /// Number of rows.
  size_t size() const { return size_; }
  /// Whether there is no row.
  bool empty() const { return size_ == 0; }
  /// Number of null rows; -1 if it was not counted.
  int64_t null_count() const { return validity_ == nullptr ? 0 : null_count_; }
  /// Whether there may be null rows.
  bool may_have_nulls() const { return null_count() != 0; }
  /// Whether a row is null; its value is anything then.
  bool IsNull(size_t row) const { return !IsValid(row); }
  /// Whether a row is not null.
  bool IsValid(size_t row) const {
    assert(row < size_);
    return validity_ == nullptr || internal::GetBit(validity_, offset_ + static_cast<int64_t>(row));
  }

 protected:
  ColumnNulls() = default;
  /// Rows `start` to `start + rows` of `array`.
  ColumnNulls(const ArrowArray& array, int64_t start, int64_t rows)
      : validity_(array.null_count == 0 ? nullptr : static_cast<const uint8_t*>(array.buffers[0])),
        offset_(array.offset + start),
        null_count_(rows == array.length ? array.null_count : -1),
        size_(static_cast<size_t>(rows)) {}

  /// Null if no row is.
  const uint8_t* validity_ = nullptr;
  /// Of row 0 in the buffers, in values.
  int64_t offset_ = 0;
  int64_t null_count_ = 0;
  size_t size_ = 0;
};

/// A column of numbers (or of fixed-size binaries) where it lies.
template <typename T>
class ColumnView : public ColumnNulls {
 public:
  /// The type of a value.
  using value_type = T;
  /// For messages.
  static const char* TypeName() { return Native<T>::kName; }
  /// Whether a column of this schema can be seen so.
  static bool Fits(const ArrowSchema& schema) {
    return schema.dictionary == nullptr && Native<T>::Fits(schema.format);
  }

  /// No rows.
  ColumnView() = default;
  /// Rows `start` to `start + rows` of an array whose schema fits.
  ColumnView(const ArrowSchema&, const ArrowArray& array, int64_t start, int64_t rows)
      : ColumnNulls(array, start, rows), data_(static_cast<const T*>(array.buffers[1])) {
    if (data_ != nullptr) data_ += offset_;
  }

  /// The first value.
  const T* data() const { return data_; }
  /// The value of a row, which must exist.
  const T& operator[](size_t row) const {
    assert(row < size_);
    return data_[row];
  }
  /// The first value.
  const T* begin() const { return data_; }
  /// Behind the last value.
  const T* end() const { return data_ + size_; }
  /// The value of the last row, which must exist.
  const T& back() const { return (*this)[size_ - 1]; }

 private:
  const T* data_ = nullptr;
};

/// A column of booleans where it lies.
template <>
class ColumnView<bool> : public ColumnNulls {
 public:
  /// The type of a value.
  using value_type = bool;
  /// For messages.
  static const char* TypeName() { return "bool"; }
  /// Whether a column of this schema can be seen so.
  static bool Fits(const ArrowSchema& schema) {
    return schema.dictionary == nullptr && std::string_view(schema.format) == "b";
  }

  /// No rows.
  ColumnView() = default;
  /// Rows `start` to `start + rows` of an array whose schema fits.
  ColumnView(const ArrowSchema&, const ArrowArray& array, int64_t start, int64_t rows)
      : ColumnNulls(array, start, rows), bits_(static_cast<const uint8_t*>(array.buffers[1])) {}

  /// The value of a row, which must exist.
  bool operator[](size_t row) const {
    assert(row < size_);
    return internal::GetBit(bits_, offset_ + static_cast<int64_t>(row));
  }

 private:
  const uint8_t* bits_ = nullptr;
};

/// A column of strings or binaries where it lies: with offsets of 32 or 64 bits, of the view types, or as a
/// dictionary of any of these.
template <>
class ColumnView<std::string_view> : public ColumnNulls {
 public:
  /// The type of a value.
  using value_type = std::string_view;
  /// For messages.
  static const char* TypeName() { return "std::string_view"; }
  /// Whether a column of this schema can be seen so.
  static bool Fits(const ArrowSchema& schema) {
    if (schema.dictionary != nullptr) {
      return KeyBytes(schema.format) != 0 && schema.dictionary->dictionary == nullptr && Fits(*schema.dictionary);
    }
    return LayoutOf(schema.format) != Layout::kNone;
  }

  /// No rows.
  ColumnView() = default;
  /// Rows `start` to `start + rows` of an array whose schema fits.
  ColumnView(const ArrowSchema& schema, const ArrowArray& array, int64_t start, int64_t rows)
      : ColumnNulls(array, start, rows), values_(array.buffers + 1), values_offset_(offset_) {
    const ArrowSchema* of_values = &schema;
    if (schema.dictionary != nullptr) {
      of_values = schema.dictionary;
      keys_ = array.buffers[1];
      key_bytes_ = KeyBytes(schema.format);
      values_ = array.dictionary->buffers + 1;
      values_offset_ = array.dictionary->offset;
    }
    layout_ = LayoutOf(of_values->format);
  }

  /// The value of a row, which must exist; empty for a null one.
  std::string_view operator[](size_t row) const {
    assert(row < size_);
    // What keys and views say of a null row may lead anywhere.
    if (IsNull(row)) return {};
    const auto at = static_cast<int64_t>(row);
    return Value(values_offset_ + (key_bytes_ == 0 ? at : Key(offset_ + at)));
  }

 private:
  enum class Layout : uint8_t { kNone, kOffsets32, kOffsets64, kViews };

  static Layout LayoutOf(std::string_view format) {
    if (format == "u" || format == "z") return Layout::kOffsets32;
    if (format == "U" || format == "Z") return Layout::kOffsets64;
    if (format == "vu" || format == "vz") return Layout::kViews;
    return Layout::kNone;
  }

  /// Bytes of a dictionary's key; 0 if it is none.
  static uint8_t KeyBytes(std::string_view format) {
    if (format == "c" || format == "C") return 1;
    if (format == "s" || format == "S") return 2;
    if (format == "i" || format == "I") return 4;
    if (format == "l" || format == "L") return 8;
    return 0;
  }

  /// Keys are never negative, so that their sign does not matter.
  int64_t Key(int64_t i) const {
    switch (key_bytes_) {
      case 1:
        return static_cast<const uint8_t*>(keys_)[i];
      case 2:
        return static_cast<const uint16_t*>(keys_)[i];
      case 4:
        return static_cast<const uint32_t*>(keys_)[i];
      default:
        return static_cast<const int64_t*>(keys_)[i];
    }
  }

  std::string_view Value(int64_t i) const {
    switch (layout_) {
      case Layout::kOffsets32:
        return Between<int32_t>(i);
      case Layout::kOffsets64:
        return Between<int64_t>(i);
      default:
        return OfView(i);
    }
  }

  template <typename Offset>
  std::string_view Between(int64_t i) const {
    const auto* offsets = static_cast<const Offset*>(values_[0]);
    return {static_cast<const char*>(values_[1]) + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
  }

  /// A view is a length and, up to 12 bytes, the value; else its first four bytes, the number of a data buffer,
  /// and the position there.
  std::string_view OfView(int64_t i) const {
    const char* view = static_cast<const char*>(values_[0]) + i * 16;
    int32_t length, buffer, at;
    std::memcpy(&length, view, 4);
    if (length <= 12) return {view + 4, static_cast<size_t>(length)};
    std::memcpy(&buffer, view + 8, 4);
    std::memcpy(&at, view + 12, 4);
    return {static_cast<const char*>(values_[1 + buffer]) + at, static_cast<size_t>(length)};
  }

  /// The buffers behind the bitmap, of the column or of its dictionary.
  const void* const* values_ = nullptr;
  const void* keys_ = nullptr;
  int64_t values_offset_ = 0;
  Layout layout_ = Layout::kNone;
  uint8_t key_bytes_ = 0;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_COLUMN_H
