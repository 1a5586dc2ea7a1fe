/// \file
/// Frames: one table as it was written, in its batches, lying in shared memory.
///
/// \code
/// qadataswap::ColumnRef<double> price("price");        // once
/// auto column = price.In(*frame);                      // found by name once, not for each frame
/// if (!column) return Complain(column.error());        // no such column, or not of doubles
/// for (double value : *column) sum += value;
/// \endcode
///
/// Law: a frame holds its slot until it, and every array exported from it, are gone; what is seen through it is
/// never overwritten before.
#ifndef QADATASWAP_FRAME_H
#define QADATASWAP_FRAME_H

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
#include "qadataswap/schema.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

namespace internal {

/// Nanoseconds since the Unix epoch, which is that of the system's clock.
inline std::chrono::system_clock::time_point WallTime(uint64_t nanoseconds) {
  return std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
      std::chrono::nanoseconds(static_cast<int64_t>(nanoseconds))));
}

}  // namespace internal

/// A frame.
///
/// Its `const` members may be called by several threads at a time. The others, which export a batch when it is first
/// looked at, may not; the views got from them may be used by any thread while the frame lives.
class Frame {
 public:
  /// The frame's number, counted from 0 over the ring's life.
  uint64_t sequence() const { return qads_frame_sequence(frame_.get()); }
  /// Number of frames that this reader missed between the previous frame and this one.
  uint64_t missed() const { return qads_frame_missed(frame_.get()); }
  /// CLOCK_MONOTONIC at publication, in nanoseconds.
  uint64_t published_ns() const { return qads_frame_published_ns(frame_.get()); }
  /// When the frame was published, by the clock on the wall: of one out of a recording as it was written down then.
  std::chrono::system_clock::time_point published_at() const {
    return internal::WallTime(qads_frame_published_at_ns(frame_.get()));
  }
  /// Time since the frame was published.
  std::chrono::nanoseconds age() const { return std::chrono::nanoseconds(qads_frame_age_ns(frame_.get())); }
  /// Number of rows in all batches.
  uint64_t num_rows() const { return qads_frame_rows(frame_.get()); }
  /// Number of batches.
  size_t num_batches() const { return num_batches_; }
  /// The table's schema; frames of one reader with equal schemas share it.
  const Schema& schema() const { return schema_; }
  /// The frame as it lies in the slot: a complete Arrow IPC stream.
  Span<const uint8_t> bytes() const {
    size_t length = 0;
    const void* data = qads_frame_bytes(frame_.get(), &length);
    return {static_cast<const uint8_t*>(data), length};
  }
  /// Bytes that reading this frame has copied out of the slot; see Stats::bytes_copied.
  uint64_t bytes_copied() const { return qads_frame_bytes_copied(frame_.get()); }
  /// What the C interface takes for it.
  const qads_frame* handle() const { return frame_.get(); }

  /// Exports a batch, a struct array of schema(), without copying. The caller releases it, in any thread and also
  /// after the frame, the reader and the ring are gone. Unless `lengths` is null it is set to the length in bytes of
  /// every buffer, see `qads_frame_export`.
  ///
  /// Errors: InvalidConfig if there is no such batch.
  Expected<ArrowArray> ExportBatch(size_t batch, const int64_t** lengths = nullptr) const {
    ArrowArray array;
    if (qads_frame_export(frame_.get(), batch, &array, lengths) != QADS_OK) return Error::Last();
    return array;
  }

  /// A batch, a struct array of schema(); belongs to the frame and must not be released.
  ///
  /// Errors: InvalidConfig if there is no such batch.
  Expected<const ArrowArray*> Batch(size_t batch) { return Look(batch); }

  /// A column of a frame of one batch (or of none: no rows), by its name or its position. `T` is a number type (see
  /// Native), `bool`, or `std::string_view` for strings and binaries.
  ///
  /// Errors: InvalidConfig if there is no such column, if it is of another type, or if there are several batches.
  template <typename T>
  Expected<ColumnView<T>> Column(ColumnIndex which) {
    Expected<size_t> at = Find<T>(which);
    if (!at) return std::move(at).error();
    return ColumnAt<T>(*at);
  }

  /// A column of one batch.
  ///
  /// Errors: InvalidConfig if there is no such batch, no such column, or if it is of another type.
  template <typename T>
  Expected<ColumnView<T>> Column(ColumnIndex which, size_t batch) {
    Expected<size_t> at = Find<T>(which);
    if (!at) return std::move(at).error();
    return ColumnAt<T>(*at, batch);
  }

 private:
  friend class internal::FrameMaker;
  template <typename T>
  friend class ColumnRef;

  struct Free {
    void operator()(qads_frame* frame) const { qads_frame_free(frame); }
  };

  /// An array in its C form, released with this.
  class OwnedArray {
   public:
    OwnedArray() { array_.release = nullptr; }
    OwnedArray(OwnedArray&& other) noexcept : array_(other.array_) { other.array_.release = nullptr; }
    OwnedArray& operator=(OwnedArray&& other) noexcept {
      if (this != &other) {
        Release();
        array_ = other.array_;
        other.array_.release = nullptr;
      }
      return *this;
    }
    ~OwnedArray() { Release(); }
    bool is_there() const { return array_.release != nullptr; }
    ArrowArray* get() { return &array_; }

   private:
    void Release() {
      if (array_.release != nullptr) array_.release(&array_);
    }

    ArrowArray array_;
  };

  Frame(qads_frame* frame, Schema schema) : frame_(frame), schema_(std::move(schema)), num_batches_(qads_frame_batches(frame)) {}

  /// The batch, exported when it is first asked for. The first one, which is mostly the only one, needs no memory of
  /// its own.
  Expected<const ArrowArray*> Look(size_t batch) {
    if (frame_ == nullptr) return Fault("the frame has been moved away");
    if (batch >= num_batches_) {
      return Fault("frame " + std::to_string(sequence()) + " has no batch " + std::to_string(batch) + ", only " +
                   std::to_string(num_batches_));
    }
    if (batch > 0 && more_.empty()) more_ = std::vector<OwnedArray>(num_batches_ - 1);
    OwnedArray& array = batch == 0 ? first_ : more_[batch - 1];
    if (!array.is_there()) {
      Expected<ArrowArray> exported = ExportBatch(batch);
      if (!exported) return std::move(exported).error();
      *array.get() = *exported;
    }
    return array.get();
  }

  Error Fault(const std::string& what) const {
    return internal::RingError(ErrorKind::kInvalidConfig, schema_.state_->ring, what);
  }

  /// The position of a column, once its type is known to be right.
  template <typename T>
  Expected<size_t> Find(const ColumnIndex& which) const {
    const std::optional<size_t> named =
        which.is_name() ? schema_.FieldIndex(which.name()) : std::optional<size_t>(which.position());
    if (!named || *named >= schema_.num_fields()) return Fault(which.ToString() + ": there is no such column");
    const ArrowSchema& column = *schema_.c_schema().children[*named];
    if (!ColumnView<T>::Fits(column)) {
      return Fault(which.ToString() + " is of Arrow format '" + column.format +
                   (column.dictionary != nullptr ? "', dictionary-encoded" : "'") +
                   ", which is not a column of " + ColumnView<T>::TypeName());
    }
    return *named;
  }

  template <typename T>
  Expected<ColumnView<T>> ColumnAt(size_t at) {
    if (num_batches_ == 0) return ColumnView<T>();
    if (num_batches_ > 1) {
      return Fault("frame " + std::to_string(sequence()) + " has " + std::to_string(num_batches_) +
                   " batches; ask for the column of each");
    }
    return ColumnAt<T>(at, 0);
  }

  template <typename T>
  Expected<ColumnView<T>> ColumnAt(size_t at, size_t batch) {
    Expected<const ArrowArray*> array = Look(batch);
    if (!array) return std::move(array).error();
    return ColumnView<T>(*schema_.c_schema().children[at], *(*array)->children[at], (*array)->offset,
                         (*array)->length);
  }

  std::unique_ptr<qads_frame, Free> frame_;
  Schema schema_;
  size_t num_batches_ = 0;
  /// What has been exported for looking at.
  OwnedArray first_;
  std::vector<OwnedArray> more_;
};

namespace internal {

/// Makes frames of what one handle reads, and keeps the schemas it has seen.
class FrameMaker {
 public:
  explicit FrameMaker(const std::string& ring) : ring_(ring) {}

  /// What a read has come to; nothing for QADS_TIMEOUT.
  Expected<std::optional<Frame>> Made(int status, qads_frame* frame) {
    switch (status) {
      case QADS_OK:
        return Make(frame);
      case QADS_TIMEOUT:
        return std::nullopt;
      default:
        return Error::Last();
    }
  }

  /// The ring's name.
  const std::string& ring() const { return *ring_; }

 private:
  /// A ring rarely has more than one schema; past this many the oldest is looked up again when it comes back.
  static constexpr size_t kSchemas = 16;

  struct Known {
    uint64_t id;
    Schema schema;
  };

  Expected<std::optional<Frame>> Make(qads_frame* frame) {
    const uint64_t id = qads_frame_schema_id(frame);
    if (last_ < known_.size() && known_[last_].id == id) return Frame(frame, known_[last_].schema);
    return MakeOfOther(frame, id);
  }

  /// A frame of another schema than the one before.
  Expected<std::optional<Frame>> MakeOfOther(qads_frame* frame, uint64_t id) {
    for (last_ = 0; last_ < known_.size(); ++last_) {
      if (known_[last_].id == id) return Frame(frame, known_[last_].schema);
    }
    std::unique_ptr<qads_frame, Frame::Free> owner(frame);
    ArrowSchema schema;
    if (qads_frame_schema(frame, &schema) != QADS_OK) return Error::Last();
    if (known_.size() == kSchemas) known_.erase(known_.begin());
    known_.push_back(Known{id, Schema::OfFrame(&schema, *ring_)});
    last_ = known_.size() - 1;
    return Frame(owner.release(), known_[last_].schema);
  }

  SharedName ring_;
  std::vector<Known> known_;
  /// Where the last frame's schema stands.
  size_t last_ = 0;
};

}  // namespace internal

/// A column by name, to be found in frame after frame: name and type are looked up when the schema changes, so that a
/// frame costs a comparison and a few loads. Used by one thread at a time.
template <typename T>
class ColumnRef {
 public:
  /// Nothing is looked up yet.
  explicit ColumnRef(std::string name) : name_(std::move(name)) {}

  /// The column in a frame of one batch; see Frame::Column.
  ///
  /// Errors: as there.
  Expected<ColumnView<T>> In(Frame& frame) {
    if (!Knows(frame)) {
      if (auto found = Resolve(frame); !found) return std::move(found).error();
    }
    return frame.template ColumnAt<T>(position_);
  }

  /// The column in one batch of a frame.
  ///
  /// Errors: as there.
  Expected<ColumnView<T>> In(Frame& frame, size_t batch) {
    if (!Knows(frame)) {
      if (auto found = Resolve(frame); !found) return std::move(found).error();
    }
    return frame.template ColumnAt<T>(position_, batch);
  }

  /// The column's name.
  const std::string& name() const { return name_; }

 private:
  /// A schema that is held cannot be mistaken for another one at its address.
  bool Knows(const Frame& frame) const { return schema_ && schema_->IsCopyOf(frame.schema()); }

  Expected<void> Resolve(const Frame& frame) {
    Expected<size_t> at = frame.template Find<T>(ColumnIndex(name_));
    if (!at) return std::move(at).error();
    position_ = *at;
    schema_ = frame.schema();
    return {};
  }

  std::string name_;
  std::optional<Schema> schema_;
  size_t position_ = 0;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_FRAME_H
