/// \file
/// From a frame to Arrow C++: record batches and tables whose buffers lie in the slot.
///
/// `arrow::ImportRecordBatch` makes an owner for every buffer and parses a schema each time. Here all buffers of a
/// batch share one owner, which holds the frame's slot, and a schema is parsed once.
#ifndef QADATASWAP_ARROW_IMPORT_H
#define QADATASWAP_ARROW_IMPORT_H

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/chunked_array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qadataswap/arrow_export.h"
#include "qadataswap/frame.h"
#include "qadataswap/status.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

namespace internal {

/// A buffer in a slot; what keeps the slot is whoever owns the buffer.
class SlotBuffer : public arrow::Buffer {
 public:
  SlotBuffer() : arrow::Buffer(nullptr, 0) {}
  void Set(const void* data, int64_t size) {
    data_ = static_cast<const uint8_t*>(data);
    size_ = capacity_ = size;
  }
};

/// The owner of a batch: the array as it was exported, and all of its buffers.
struct ImportedBatch {
  ImportedBatch() = default;
  ImportedBatch(const ImportedBatch&) = delete;
  ImportedBatch& operator=(const ImportedBatch&) = delete;
  ~ImportedBatch() {
    if (array.release != nullptr) array.release(&array);
  }

  ArrowArray array{};
  std::unique_ptr<SlotBuffer[]> buffers;
};

/// One walk over a batch, depth first as the lengths come.
class BatchWalk {
 public:
  /// Buffers that this array and those below it have in Arrow C++, at most.
  static size_t CountBuffers(const ArrowArray& array) {
    size_t count = 0;
    for (int64_t i = 0; i < array.n_buffers; ++i) count += i > 0 || array.buffers[i] != nullptr ? 1 : 0;
    for (int64_t i = 0; i < array.n_children; ++i) count += CountBuffers(*array.children[i]);
    return array.dictionary == nullptr ? count : count + CountBuffers(*array.dictionary);
  }

  BatchWalk(std::shared_ptr<ImportedBatch> batch, const int64_t* lengths)
      : batch_(std::move(batch)), next_(batch_->buffers.get()), lengths_(lengths) {}

  /// The columns; the batch itself has one buffer, its bitmap, which is never there.
  arrow::Status Columns(const arrow::Schema& schema, std::vector<std::shared_ptr<arrow::ArrayData>>* out) {
    const ArrowArray& array = batch_->array;
    if (array.n_children != schema.num_fields() || array.offset != 0 || array.n_buffers != 1) return Unexpected();
    ++lengths_;
    out->reserve(static_cast<size_t>(array.n_children));
    for (int64_t i = 0; i < array.n_children; ++i) {
      ARROW_ASSIGN_OR_RAISE(auto column, Column(*array.children[i], schema.field(static_cast<int>(i))->type()));
      out->push_back(std::move(column));
    }
    return arrow::Status::OK();
  }

 private:
  static arrow::Status Unexpected() {
    return ToStatus(Error{ErrorKind::kInternal, "the frame's arrays do not match its schema; please report it"});
  }

  arrow::Result<std::shared_ptr<arrow::ArrayData>> Column(const ArrowArray& array,
                                                          const std::shared_ptr<arrow::DataType>& type) {
    const arrow::DataType& storage = StorageOf(*type);
    const arrow::Type::type id = storage.id();
    const bool has_validity = HasValidity(id);
    auto data = std::make_shared<arrow::ArrayData>(
        type, array.length, has_validity ? array.null_count : id == arrow::Type::NA ? array.length : 0, array.offset);

    const int64_t count = array.n_buffers - (HasVariadicLengths(id) ? 1 : 0);
    if (count < (has_validity ? 1 : 0)) return Unexpected();
    data->buffers.reserve(static_cast<size_t>(count) + 1);
    // Where C has no bitmap, C++ has the place for one.
    if (!has_validity) data->buffers.emplace_back();
    for (int64_t i = 0; i < count; ++i) {
      const bool is_validity = has_validity && i == 0;
      data->buffers.push_back(Buffer(array.buffers[i], lengths_[i], is_validity));
    }
    lengths_ += array.n_buffers;

    const bool is_dictionary = id == arrow::Type::DICTIONARY;
    if (array.n_children != (is_dictionary ? 0 : storage.num_fields()) ||
        (array.dictionary != nullptr) != is_dictionary) {
      return Unexpected();
    }
    if (array.n_children > 0) {
      data->child_data.reserve(static_cast<size_t>(array.n_children));
      for (int64_t i = 0; i < array.n_children; ++i) {
        ARROW_ASSIGN_OR_RAISE(auto child, Column(*array.children[i], storage.field(static_cast<int>(i))->type()));
        data->child_data.push_back(std::move(child));
      }
    }
    if (is_dictionary) {
      const auto& values = static_cast<const arrow::DictionaryType&>(storage).value_type();
      ARROW_ASSIGN_OR_RAISE(data->dictionary, Column(*array.dictionary, values));
    }
    return data;
  }

  std::shared_ptr<arrow::Buffer> Buffer(const void* data, int64_t size, bool is_validity) {
    if (data == nullptr && is_validity) return nullptr;
    SlotBuffer* buffer = next_++;
    // Kernels expect a buffer, and one with an address, where there is none in an array without values.
    buffer->Set(data == nullptr ? Zeros() : data, data == nullptr ? 0 : size);
    return std::shared_ptr<arrow::Buffer>(batch_, buffer);
  }

  std::shared_ptr<ImportedBatch> batch_;
  SlotBuffer* next_;
  const int64_t* lengths_;
};

}  // namespace internal

/// Makes record batches and tables of frames, without copying. Keeps the schemas it has seen; used by one thread at a
/// time. What it makes may be used by any thread, and outlives the frame, the reader, and the ring.
class BatchImporter {
 public:
  /// The schema of a frame. Extension types come as such if they are registered with Arrow, otherwise as their storage
  /// type with the extension's name in the field's metadata.
  ///
  /// Errors: as of `arrow::ImportSchema`.
  arrow::Result<std::shared_ptr<arrow::Schema>> ImportSchema(const Frame& frame) {
    ARROW_ASSIGN_OR_RAISE(const auto* schema, SchemaOf(frame));
    return *schema;
  }

  /// A batch of a frame.
  ///
  /// Errors: Invalid if there is no such batch.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ImportBatch(const Frame& frame, size_t batch) {
    ARROW_ASSIGN_OR_RAISE(const auto* schema, SchemaOf(frame));
    Columns columns;
    ARROW_ASSIGN_OR_RAISE(const int64_t rows, ImportColumns(frame, batch, **schema, &columns));
    return arrow::RecordBatch::Make(*schema, rows, std::move(columns));
  }

  /// A frame as a table, with a chunk for each batch.
  ///
  /// Errors: as of ImportSchema().
  arrow::Result<std::shared_ptr<arrow::Table>> ImportTable(const Frame& frame) {
    ARROW_ASSIGN_OR_RAISE(const auto* schema, SchemaOf(frame));
    std::vector<arrow::ArrayVector> chunks(static_cast<size_t>((*schema)->num_fields()));
    int64_t rows = 0;
    for (size_t batch = 0; batch < frame.num_batches(); ++batch) {
      Columns columns;
      ARROW_ASSIGN_OR_RAISE(const int64_t more, ImportColumns(frame, batch, **schema, &columns));
      rows += more;
      for (size_t i = 0; i < chunks.size(); ++i) chunks[i].push_back(arrow::MakeArray(columns[i]));
    }
    std::vector<std::shared_ptr<arrow::ChunkedArray>> columns(chunks.size());
    for (size_t i = 0; i < chunks.size(); ++i) {
      columns[i] = std::make_shared<arrow::ChunkedArray>(std::move(chunks[i]),
                                                         (*schema)->field(static_cast<int>(i))->type());
    }
    return arrow::Table::Make(*schema, std::move(columns), rows);
  }

 private:
  static constexpr size_t kSchemas = 16;

  struct Known {
    Schema schema;
    std::shared_ptr<arrow::Schema> arrow;
  };

  using Columns = std::vector<std::shared_ptr<arrow::ArrayData>>;

  /// The columns of a batch; returns its number of rows.
  static arrow::Result<int64_t> ImportColumns(const Frame& frame, size_t batch, const arrow::Schema& schema,
                                              Columns* out) {
    // The owner comes first, so that what is exported is never without one.
    auto owner = std::make_shared<internal::ImportedBatch>();
    const int64_t* lengths = nullptr;
    ARROW_ASSIGN_OR_RAISE(owner->array, ToResult(frame.ExportBatch(batch, &lengths)));
    owner->buffers.reset(new internal::SlotBuffer[internal::BatchWalk::CountBuffers(owner->array)]);
    const int64_t rows = owner->array.length;
    internal::BatchWalk walk(std::move(owner), lengths);
    ARROW_RETURN_NOT_OK(walk.Columns(schema, out));
    return rows;
  }

  arrow::Result<const std::shared_ptr<arrow::Schema>*> SchemaOf(const Frame& frame) {
    for (const Known& known : known_) {
      if (known.schema.IsCopyOf(frame.schema())) return &known.arrow;
    }
    ArrowSchema c_schema;
    if (qads_frame_schema(frame.handle(), &c_schema) != QADS_OK) return ToStatus(Error::Last());
    ARROW_ASSIGN_OR_RAISE(auto schema, arrow::ImportSchema(&c_schema));
    if (known_.size() == kSchemas) known_.erase(known_.begin());
    known_.push_back(Known{frame.schema(), std::move(schema)});
    return &known_.back().arrow;
  }

  std::vector<Known> known_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_ARROW_IMPORT_H
