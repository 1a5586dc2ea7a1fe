/// \file
/// Frames that can be checked: table `n` of a stream is a function of the stream's seed and `n` alone.
///
/// Law: the same tables, value by value, as those of `tests/src/frames.rs`.
#ifndef QADATASWAP_TESTS_ACTOR_FRAMES_H
#define QADATASWAP_TESTS_ACTOR_FRAMES_H

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/table.h>

#include <cstdint>
#include <memory>

namespace qadataswap::actor {

/// Table `sequence` of the stream `seed`, in buffers of `pool`.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> MakeTable(uint64_t seed, uint64_t sequence,
                                                             arrow::MemoryPool* pool = arrow::default_memory_pool());

/// Whether `table` is, value by value, table `sequence` of the stream `seed`.
///
/// Errors: Invalid, with a sentence on the difference.
arrow::Status CheckTable(uint64_t seed, uint64_t sequence, const arrow::Table& table);

}  // namespace qadataswap::actor

#endif  // QADATASWAP_TESTS_ACTOR_FRAMES_H
