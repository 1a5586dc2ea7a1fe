/// \file
/// Schemas without Arrow C++: columns declared by name and type, and the schemas of frames.
///
/// \code
/// auto schema = qadataswap::Schema::Make({
///     {"time", qadataswap::TimestampFormat('n', "UTC")},
///     {"symbol", qadataswap::kUtf8View},
///     {"price", qadataswap::kFloat64, /*nullable=*/false},
/// });
/// \endcode
#ifndef QADATASWAP_SCHEMA_H
#define QADATASWAP_SCHEMA_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qadataswap/error.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// \name Types
/// Types by the format strings of the Arrow C data interface, for Field::format.
/// https://arrow.apache.org/docs/format/CDataInterface.html#data-type-description-format-strings
/// @{
inline constexpr const char* kBool = "b";
inline constexpr const char* kInt8 = "c";
inline constexpr const char* kInt16 = "s";
inline constexpr const char* kInt32 = "i";
inline constexpr const char* kInt64 = "l";
inline constexpr const char* kUInt8 = "C";
inline constexpr const char* kUInt16 = "S";
inline constexpr const char* kUInt32 = "I";
inline constexpr const char* kUInt64 = "L";
inline constexpr const char* kFloat16 = "e";
inline constexpr const char* kFloat32 = "f";
inline constexpr const char* kFloat64 = "g";
inline constexpr const char* kUtf8 = "u";
inline constexpr const char* kUtf8View = "vu";
inline constexpr const char* kBinary = "z";
inline constexpr const char* kBinaryView = "vz";
inline constexpr const char* kDate32 = "tdD";

/// Timestamps since the Unix epoch; `unit` is 's', 'm' (milli), 'u' (micro) or 'n' (nano); without a zone if empty.
inline std::string TimestampFormat(char unit, std::string_view zone = {}) {
  return std::string("ts") + unit + ':' + std::string(zone);
}
/// Durations; `unit` as in TimestampFormat().
inline std::string DurationFormat(char unit) { return std::string("tD") + unit; }
/// Decimals of 128 bits.
inline std::string Decimal128Format(int precision, int scale) {
  return "d:" + std::to_string(precision) + ',' + std::to_string(scale);
}
/// Binaries of `width` bytes each.
inline std::string FixedSizeBinaryFormat(int width) { return "w:" + std::to_string(width); }
/// @}

/// A column of a schema.
struct Field {
  /// Its name.
  std::string name;
  /// Its type, as the C data interface writes it; a nested or dictionary-encoded column shows its own level only.
  std::string format;
  /// Whether rows may be null.
  bool nullable = true;

  /// Whether both say the same.
  friend bool operator==(const Field& left, const Field& right) {
    return left.name == right.name && left.format == right.format && left.nullable == right.nullable;
  }
};

namespace internal {
class FrameMaker;
}  // namespace internal

/// The columns of a table. Copies share one schema and cost a reference.
class Schema {
 public:
  /// A schema of plain columns.
  ///
  /// Errors: InvalidConfig, Unsupported for a type that is none.
  static Expected<Schema> Make(std::vector<Field> fields) {
    auto state = std::make_shared<State>();
    state->fields = std::move(fields);
    const size_t count = state->fields.size();
    state->columns.resize(count);
    state->column_pointers.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const Field& field = state->fields[i];
      ArrowSchema& column = state->columns[i];
      column = ArrowSchema{};
      column.format = field.format.c_str();
      column.name = field.name.c_str();
      column.flags = field.nullable ? ARROW_FLAG_NULLABLE : 0;
      column.release = &Forget;
      state->column_pointers[i] = &column;
    }
    state->schema.format = "+s";
    state->schema.name = "";
    state->schema.n_children = static_cast<int64_t>(count);
    state->schema.children = state->column_pointers.data();
    state->schema.release = &Forget;
    return Finish(std::move(state));
  }

  /// Takes over a schema in its C form (a struct type), which is released with the last copy of this.
  ///
  /// Errors: as of `qads_schema_import`; the schema is released then.
  static Expected<Schema> Import(ArrowSchema* schema) { return Finish(TakeOver(schema)); }

  /// Number of columns.
  size_t num_fields() const { return state_->fields.size(); }
  /// The column at this position, which must exist.
  const Field& field(size_t i) const { return state_->fields[i]; }
  /// All columns.
  const std::vector<Field>& fields() const { return state_->fields; }
  /// The position of the first column of this name, if there is one.
  std::optional<size_t> FieldIndex(std::string_view name) const {
    for (size_t i = 0; i < state_->fields.size(); ++i) {
      if (state_->fields[i].name == name) return i;
    }
    return std::nullopt;
  }

  /// The schema in its C form, complete; lives as long as any copy of this.
  const ArrowSchema& c_schema() const { return state_->schema; }
  /// What the C interface takes for it; lives as long as any copy of this.
  ///
  /// Errors: as of `qads_schema_import`, for a frame's schema that cannot be written again.
  Expected<const qads_schema*> handle() const {
    if (state_->handle == nullptr) return state_->handle_error;
    return state_->handle.get();
  }

  /// Whether this is a copy of `other`: costs a comparison of pointers, and says nothing about two schemas that
  /// were made separately.
  bool IsCopyOf(const Schema& other) const { return state_ == other.state_; }

 private:
  friend class internal::FrameMaker;
  friend class Frame;

  struct FreeHandle {
    void operator()(qads_schema* handle) const { qads_schema_free(handle); }
  };

  struct State {
    std::vector<Field> fields;
    ArrowSchema schema{};
    /// The columns of a schema that was made here.
    std::vector<ArrowSchema> columns;
    std::vector<ArrowSchema*> column_pointers;
    std::unique_ptr<qads_schema, FreeHandle> handle;
    Error handle_error;
    /// The ring it was read from, for messages.
    std::string ring;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
      if (schema.release != nullptr) schema.release(&schema);
    }
  };

  explicit Schema(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  /// The release function of what State owns itself.
  static void Forget(ArrowSchema* schema) { schema->release = nullptr; }

  static std::shared_ptr<State> TakeOver(ArrowSchema* schema) {
    auto state = std::make_shared<State>();
    state->schema = *schema;
    schema->release = nullptr;
    for (int64_t i = 0; i < state->schema.n_children; ++i) {
      const ArrowSchema& column = *state->schema.children[i];
      state->fields.push_back(Field{column.name == nullptr ? "" : column.name, column.format,
                                    (column.flags & ARROW_FLAG_NULLABLE) != 0});
    }
    return state;
  }

  static bool ImportHandle(State* state) {
    qads_schema* handle = nullptr;
    if (qads_schema_import(&state->schema, &handle) != QADS_OK) {
      state->handle_error = Error::Last();
      return false;
    }
    state->handle.reset(handle);
    return true;
  }

  static Expected<Schema> Finish(std::shared_ptr<State> state) {
    if (!ImportHandle(state.get())) return std::move(state->handle_error);
    return Schema(std::move(state));
  }

  /// The schema of a frame. Reading does not need the handle, so that its absence fails only those who write.
  static Schema OfFrame(ArrowSchema* schema, const std::string& ring) {
    std::shared_ptr<State> state = TakeOver(schema);
    state->ring = ring;
    ImportHandle(state.get());
    return Schema(std::move(state));
  }

  std::shared_ptr<const State> state_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_SCHEMA_H
