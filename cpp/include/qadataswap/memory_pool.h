/// \file
/// An `arrow::MemoryPool` in the slot of the next frame: a table of one chunk that is built on it is published where it
/// lies.
///
/// \code
/// arrow::DoubleBuilder prices(writer->memory_pool());
/// ARROW_RETURN_NOT_OK(prices.AppendValues(values));
/// ARROW_ASSIGN_OR_RAISE(auto column, prices.Finish());
/// ARROW_RETURN_NOT_OK(writer->Write(arrow::Table::Make(schema, {column})));  // copies nothing
/// \endcode
///
/// Law: memory of the pool stays as it is for as long as somebody holds it, also after its frame was published and
/// after the writer is gone; its slot is used again once all of it has been freed.
#ifndef QADATASWAP_MEMORY_POOL_H
#define QADATASWAP_MEMORY_POOL_H

#include <arrow/memory_pool.h>
#include <arrow/status.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "qadataswap.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// The pool of a writer; got from SharedDataFrame::memory_pool(). May be used by several threads at a time.
///
/// What does not fit into the slot comes from `arrow::default_memory_pool()`, and is copied when it is written.
///
/// The pool lives until its writer has given it up and its last allocation has been freed. A builder that holds nothing
/// allocated does not count: it must not outlive its writer.
class SlotMemoryPool : public arrow::MemoryPool {
 public:
  /// For the owner of a pool: gives it up.
  struct GiveUp {
    /// The pool frees itself with its last allocation.
    void operator()(SlotMemoryPool* pool) const { pool->Drop(); }
  };
  /// The owner of a pool.
  using Owner = std::unique_ptr<SlotMemoryPool, GiveUp>;

  /// Takes over a reference to a pool of the C interface.
  static Owner Make(qads_pool* pool) { return Owner(new SlotMemoryPool(pool)); }

  using arrow::MemoryPool::Allocate;
  using arrow::MemoryPool::Free;
  using arrow::MemoryPool::Reallocate;

  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    if (size < 0) return arrow::Status::Invalid("negative malloc size");
    *out = AllocateInSlot(size, alignment);
    if (*out == nullptr) ARROW_RETURN_NOT_OK(Elsewhere()->Allocate(size, alignment, out));
    holders_.fetch_add(1, std::memory_order_relaxed);
    Count(size);
    return arrow::Status::OK();
  }

  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment, uint8_t** ptr) override {
    if (new_size < 0) return arrow::Status::Invalid("negative realloc size");
    bytes_allocated_.fetch_sub(old_size, std::memory_order_release);
    arrow::Status status = Move(old_size, new_size, alignment, ptr);
    if (status.ok()) {
      Count(new_size);
    } else {
      bytes_allocated_.fetch_add(old_size, std::memory_order_relaxed);
    }
    return status;
  }

  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override {
    bytes_allocated_.fetch_sub(size, std::memory_order_release);
    FreeMemory(buffer, size, alignment);
    Drop();
  }

  int64_t bytes_allocated() const override { return bytes_allocated_.load(std::memory_order_relaxed); }
  int64_t max_memory() const override { return max_memory_.load(std::memory_order_relaxed); }
  int64_t total_bytes_allocated() const override { return total_bytes_.load(std::memory_order_relaxed); }
  int64_t num_allocations() const override { return num_allocations_.load(std::memory_order_relaxed); }
  std::string backend_name() const override { return "qadataswap"; }

  /// Whether this address lies in a slot, and will be published where it is.
  bool Owns(const void* memory) const { return qads_pool_owns(pool_, memory) != 0; }
  /// What the C interface takes for it.
  qads_pool* handle() const { return pool_; }

 private:
  explicit SlotMemoryPool(qads_pool* pool) : pool_(pool) {}
  ~SlotMemoryPool() override { qads_pool_release(pool_); }

  static arrow::MemoryPool* Elsewhere() { return arrow::default_memory_pool(); }

  /// The last holder of all frees the pool, which nobody can reach any more.
  void Drop() {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// Null if there is no room; nothing has no place in a slot.
  uint8_t* AllocateInSlot(int64_t size, int64_t alignment) {
    if (size == 0) return nullptr;
    return static_cast<uint8_t*>(
        qads_pool_allocate(pool_, static_cast<size_t>(size), static_cast<size_t>(alignment)));
  }

  void FreeMemory(uint8_t* memory, int64_t size, int64_t alignment) {
    if (Owns(memory)) qads_pool_free(pool_, memory);
    else Elsewhere()->Free(memory, size, alignment);
  }

  arrow::Status Move(int64_t old_size, int64_t new_size, int64_t alignment, uint8_t** ptr) {
    const bool is_ours = Owns(*ptr);
    if (is_ours && new_size > 0) {
      void* moved =
          qads_pool_reallocate(pool_, *ptr, static_cast<size_t>(new_size), static_cast<size_t>(alignment));
      if (moved != nullptr) {
        *ptr = static_cast<uint8_t*>(moved);
        return arrow::Status::OK();
      }
    }
    // What once had no room stays where it is; what was empty has not been placed yet.
    if (!is_ours && old_size > 0) return Elsewhere()->Reallocate(old_size, new_size, alignment, ptr);
    uint8_t* moved = is_ours ? nullptr : AllocateInSlot(new_size, alignment);
    if (moved == nullptr) ARROW_RETURN_NOT_OK(Elsewhere()->Allocate(new_size, alignment, &moved));
    if (const int64_t kept = std::min(old_size, new_size); kept > 0) {
      std::memcpy(moved, *ptr, static_cast<size_t>(kept));
    }
    FreeMemory(*ptr, old_size, alignment);
    *ptr = moved;
    return arrow::Status::OK();
  }

  /// Books what was just allocated. Acquires what was released before memory was freed: the library's lock orders the
  /// two as well, but no tool that watches this program sees into the library.
  void Count(int64_t size) {
    const int64_t now = bytes_allocated_.fetch_add(size, std::memory_order_acquire) + size;
    int64_t most = max_memory_.load(std::memory_order_relaxed);
    while (now > most && !max_memory_.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
    }
    total_bytes_.fetch_add(size, std::memory_order_relaxed);
    num_allocations_.fetch_add(1, std::memory_order_relaxed);
  }

  qads_pool* pool_;
  /// The owner, and every allocation.
  std::atomic<int64_t> holders_{1};
  std::atomic<int64_t> bytes_allocated_{0};
  std::atomic<int64_t> max_memory_{0};
  std::atomic<int64_t> total_bytes_{0};
  std::atomic<int64_t> num_allocations_{0};
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_MEMORY_POOL_H
