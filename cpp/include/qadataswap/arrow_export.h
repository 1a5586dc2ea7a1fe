/// \file
/// From Arrow C++ to the C data interface, for writing: arrays are lent for the time of a call.
///
/// `arrow::ExportRecordBatch` makes an owner for every array and allocates for each, because its arrays may outlive
/// the call. A write reads them at once, so that here the structs are filled from the `arrow::ArrayData` as they are,
/// in memory that is used again for the next batch: no allocation once it has grown to the size of a table.
#ifndef QADATASWAP_ARROW_EXPORT_H
#define QADATASWAP_ARROW_EXPORT_H

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/chunked_array.h>
#include <arrow/device.h>
#include <arrow/extension_type.h>
#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "qadataswap/arrow_c.h"
#include "qadataswap/schema.h"
#include "qadataswap/status.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

namespace internal {

/// Memory for values that are all forgotten at once and whose addresses stay until then.
template <typename T>
class Arena {
 public:
  /// `count` values in a row, not initialised.
  T* Take(size_t count) {
    while (block_ < blocks_.size() && blocks_[block_].size - used_ < count) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) {
      const size_t size = std::max({count, size_t{64}, blocks_.empty() ? 0 : 2 * blocks_.back().size});
      blocks_.push_back(Block{std::unique_ptr<T[]>(new T[size]), size});
    }
    T* taken = blocks_[block_].values.get() + used_;
    used_ += count;
    return taken;
  }

  /// Forgets all values and keeps their memory.
  void Clear() { block_ = used_ = 0; }

 private:
  struct Block {
    std::unique_ptr<T[]> values;
    size_t size;
  };

  std::vector<Block> blocks_;
  size_t block_ = 0;
  size_t used_ = 0;
};

/// The type that says how an array lies in memory.
inline const arrow::DataType& StorageOf(const arrow::DataType& type) {
  const arrow::DataType* storage = &type;
  while (storage->id() == arrow::Type::EXTENSION) {
    storage = static_cast<const arrow::ExtensionType*>(storage)->storage_type().get();
  }
  return *storage;
}

/// Whether arrays of this type have a bitmap of their own. Those that have none still keep an empty place for it in
/// Arrow C++, but not in the C data interface.
inline bool HasValidity(arrow::Type::type id) {
  switch (id) {
    case arrow::Type::NA:
    case arrow::Type::SPARSE_UNION:
    case arrow::Type::DENSE_UNION:
    case arrow::Type::RUN_END_ENCODED:
      return false;
    default:
      return true;
  }
}

/// Whether the buffers of this type end, in the C data interface, with the lengths of a variable number of others.
inline bool HasVariadicLengths(arrow::Type::type id) {
  return id == arrow::Type::STRING_VIEW || id == arrow::Type::BINARY_VIEW;
}

/// Whether the first buffer behind the bitmap holds one offset more than there are rows.
inline bool HasOffsets(arrow::Type::type id) {
  switch (id) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::MAP:
      return true;
    default:
      return false;
  }
}

/// Stands for buffers that are not there.
inline const int64_t* Zeros() {
  alignas(64) static const int64_t zeros[8] = {};
  return zeros;
}

}  // namespace internal

/// Batches in their C form, lent until the next Clear() and while the arrays they were made of live.
class BatchExporter {
 public:
  /// Forgets all batches and keeps their memory.
  void Clear() {
    batches_.clear();
    held_.clear();
    arrays_.Clear();
    pointers_.Clear();
    buffers_.Clear();
    lengths_.Clear();
  }

  /// Adds a batch.
  ///
  /// Errors: NotImplemented for data that does not lie in the memory of the CPU.
  arrow::Status Add(const arrow::RecordBatch& batch) {
    const auto& columns = batch.column_data();
    return AddColumns(batch.num_rows(), columns.size(),
                      [&](size_t i) -> const arrow::ArrayData& { return *columns[i]; });
  }

  /// Adds the batches of a table: as many as are needed for no chunk of a column to be copied.
  ///
  /// Errors: as of a batch.
  arrow::Status Add(const arrow::Table& table) {
    const auto& columns = table.columns();
    if (std::all_of(columns.begin(), columns.end(), [](const auto& column) { return column->num_chunks() == 1; })) {
      return AddColumns(table.num_rows(), columns.size(),
                        [&](size_t i) -> const arrow::ArrayData& { return *columns[i]->chunk(0)->data(); });
    }
    arrow::TableBatchReader batches(table);
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      ARROW_RETURN_NOT_OK(batches.ReadNext(&batch));
      if (batch == nullptr) return arrow::Status::OK();
      ARROW_RETURN_NOT_OK(Add(*batch));
      held_.push_back(std::move(batch));
    }
  }

  /// The batches.
  const ArrowArray* const* batches() const { return batches_.data(); }
  /// Their number.
  size_t num_batches() const { return batches_.size(); }

 private:
  /// The arrays are the caller's, as the release function has to know.
  static void Forget(ArrowArray* array) { array->release = nullptr; }

  template <typename DataOf>
  arrow::Status AddColumns(int64_t rows, size_t columns, DataOf&& data_of) {
    ArrowArray* batch = arrays_.Take(1);
    *batch = ArrowArray{};
    batch->length = rows;
    batch->n_buffers = 1;
    batch->buffers = buffers_.Take(1);
    batch->buffers[0] = nullptr;
    batch->n_children = static_cast<int64_t>(columns);
    batch->children = Children(columns);
    batch->release = &Forget;
    for (size_t i = 0; i < columns; ++i) ARROW_RETURN_NOT_OK(Fill(data_of(i), batch->children[i]));
    batches_.push_back(batch);
    return arrow::Status::OK();
  }

  ArrowArray** Children(size_t count) {
    if (count == 0) return nullptr;
    ArrowArray* children = arrays_.Take(count);
    ArrowArray** pointers = pointers_.Take(count);
    for (size_t i = 0; i < count; ++i) pointers[i] = children + i;
    return pointers;
  }

  arrow::Status Fill(const arrow::ArrayData& data, ArrowArray* out) {
    const arrow::Type::type id = internal::StorageOf(*data.type).id();
    const bool has_validity = internal::HasValidity(id);
    // Also keeps the count in the array, so that it is made once.
    const int64_t nulls = has_validity ? data.GetNullCount() : id == arrow::Type::NA ? data.length : 0;
    const size_t skipped = has_validity ? 0 : std::min(size_t{1}, data.buffers.size());
    const size_t taken = data.buffers.size() - skipped;
    const size_t extra = internal::HasVariadicLengths(id) ? 1 : 0;

    *out = ArrowArray{};
    out->length = data.length;
    out->null_count = nulls;
    out->offset = data.offset;
    out->release = &Forget;
    out->n_buffers = static_cast<int64_t>(taken + extra);
    out->buffers = buffers_.Take(taken + extra);
    for (size_t i = 0; i < taken; ++i) {
      const arrow::Buffer* buffer = data.buffers[i + skipped].get();
      if (buffer != nullptr && !buffer->is_cpu()) {
        return arrow::Status::NotImplemented("a column of ", data.type->ToString(), " lies in the memory of ",
                                             buffer->device()->ToString(), "; copy it to the CPU first");
      }
      out->buffers[i] = buffer == nullptr ? nullptr : buffer->data();
    }
    // A bitmap of ones says nothing.
    if (has_validity && nulls == 0) out->buffers[0] = nullptr;
    // An array without rows may come without its one offset.
    if (internal::HasOffsets(id) && (data.buffers[1] == nullptr || data.buffers[1]->size() == 0)) {
      out->buffers[1] = internal::Zeros();
    }
    if (extra != 0) {
      const size_t count = data.buffers.size() - 2;
      int64_t* lengths = lengths_.Take(count);
      for (size_t i = 0; i < count; ++i) lengths[i] = data.buffers[i + 2] == nullptr ? 0 : data.buffers[i + 2]->size();
      out->buffers[taken] = lengths;
    }

    out->n_children = static_cast<int64_t>(data.child_data.size());
    out->children = Children(data.child_data.size());
    for (size_t i = 0; i < data.child_data.size(); ++i) {
      ARROW_RETURN_NOT_OK(Fill(*data.child_data[i], out->children[i]));
    }
    if (data.dictionary != nullptr) {
      out->dictionary = arrays_.Take(1);
      ARROW_RETURN_NOT_OK(Fill(*data.dictionary, out->dictionary));
    }
    return arrow::Status::OK();
  }

  std::vector<const ArrowArray*> batches_;
  /// Slices made of a table's chunks.
  std::vector<std::shared_ptr<arrow::RecordBatch>> held_;
  internal::Arena<ArrowArray> arrays_;
  internal::Arena<ArrowArray*> pointers_;
  internal::Arena<const void*> buffers_;
  internal::Arena<int64_t> lengths_;
};

/// The schemas that have been written, so that each is translated once.
class SchemaExporter {
 public:
  /// The same schema for the C interface; lives as long as this.
  ///
  /// Errors: NotImplemented for a type that has no C form; as of `qads_schema_import`.
  arrow::Result<const Schema*> Get(const std::shared_ptr<arrow::Schema>& schema) {
    // One that is held cannot be mistaken for another one at its address.
    for (size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].arrow == schema) return &known_[i].schema;
    }
    for (Known& known : known_) {
      if (known.arrow->Equals(*schema, /*check_metadata=*/true)) {
        // Tables that are built alike come with a new object each time, or always with the latest one.
        known.arrow = schema;
        return &known.schema;
      }
    }
    ArrowSchema c_schema;
    ARROW_RETURN_NOT_OK(arrow::ExportSchema(*schema, &c_schema));
    ARROW_ASSIGN_OR_RAISE(Schema made, ToResult(Schema::Import(&c_schema)));
    if (known_.size() == kSchemas) known_.erase(known_.begin());
    known_.push_back(Known{schema, std::move(made)});
    return &known_.back().schema;
  }

 private:
  static constexpr size_t kSchemas = 16;

  struct Known {
    std::shared_ptr<arrow::Schema> arrow;
    Schema schema;
  };

  std::vector<Known> known_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_ARROW_EXPORT_H
