// The writer's memory pool: tables built on it are published where they lie.
#include "qadataswap/memory_pool.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arrow_test_base.h"

namespace qadataswap {
namespace {

class Pool : public DataFrames {
 protected:
  void SetUp() override {
    WriterOptions options;
    options.slot_bytes = 1 << 20;
    options.buffer_count = 4;
    Open(options);
    pool_ = writer_->memory_pool();
    ASSERT_NE(pool_, nullptr);
  }

  bool Owns(const void* memory) { return static_cast<SlotMemoryPool*>(pool_)->Owns(memory); }

  /// The numbers from `first` on, in buffers of `pool`.
  static std::shared_ptr<arrow::Array> Numbers(arrow::MemoryPool* pool, int64_t rows, int64_t first = 0) {
    arrow::Int64Builder builder(pool);
    for (int64_t i = first; i < first + rows; ++i) EXPECT_TRUE(builder.Append(i).ok());
    return builder.Finish().ValueOrDie();
  }

  static std::shared_ptr<arrow::Table> TableOf(const std::shared_ptr<arrow::Array>& array) {
    return arrow::Table::Make(arrow::schema({arrow::field("n", array->type())}), {array});
  }

  arrow::MemoryPool* pool_ = nullptr;
};

TEST_F(Pool, TableBuiltOnItIsPublishedInPlace) {
  auto table = TableOf(Numbers(pool_, 10000));
  const uint8_t* built = table->column(0)->chunk(0)->data()->buffers[1]->data();
  EXPECT_TRUE(Owns(built));
  ASSERT_OK(writer_->Write(table));
  EXPECT_GE(writer_->GetStats().bytes_in_place, 10000 * sizeof(int64_t));
  ASSERT_RESULT(auto read, reader_->Read(kSoon));
  EXPECT_TRUE(read->Equals(*table));
  ASSERT_OK(read->ValidateFull());
}

TEST_F(Pool, ReaderSeesWhatIsDoneToTheBuiltMemory) {
  // The proof that nothing was copied: the same bytes, seen through two mappings. Nobody may do this in earnest.
  auto table = TableOf(Numbers(pool_, 1000));
  auto* built = const_cast<uint8_t*>(table->column(0)->chunk(0)->data()->buffers[1]->data());
  ASSERT_OK(writer_->Write(table));
  ASSERT_RESULT(auto read, reader_->Read(kSoon));
  const int64_t mark = 4711;
  std::memcpy(built, &mark, sizeof(mark));
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*read->column(0)->chunk(0)).Value(0), mark);
}

TEST_F(Pool, TableOfManyBuildersIsPublishedInPlace) {
  arrow::StringBuilder texts(pool_);
  arrow::StringViewBuilder views(pool_);
  arrow::BooleanBuilder bools(pool_);
  arrow::ListBuilder lists(pool_, std::make_shared<arrow::DoubleBuilder>(pool_));
  auto& values = static_cast<arrow::DoubleBuilder&>(*lists.value_builder());
  for (int i = 0; i < 2000; ++i) {
    ASSERT_OK(texts.Append(std::to_string(i)));
    ASSERT_OK(views.Append("a text of more than twelve bytes " + std::to_string(i)));
    ASSERT_OK(i % 7 == 0 ? bools.AppendNull() : bools.Append(i % 2 == 0));
    ASSERT_OK(lists.Append());
    ASSERT_OK(values.Append(i));
  }
  const auto schema = arrow::schema({arrow::field("t", arrow::utf8()), arrow::field("v", arrow::utf8_view()),
                                     arrow::field("b", arrow::boolean()),
                                     arrow::field("l", arrow::list(arrow::float64()))});
  const auto table = arrow::Table::Make(schema, {texts.Finish().ValueOrDie(), views.Finish().ValueOrDie(),
                                                 bools.Finish().ValueOrDie(), lists.Finish().ValueOrDie()});
  ASSERT_OK(writer_->Write(table));
  ASSERT_RESULT(auto read, reader_->Read(kSoon));
  ASSERT_OK(read->ValidateFull());
  EXPECT_TRUE(read->Equals(*table));
  EXPECT_GE(writer_->GetStats().bytes_in_place, 2000 * (sizeof(int32_t) + 16 + sizeof(int32_t) + sizeof(double)));
}

TEST_F(Pool, TableBuiltElsewhereIsCopied) {
  ASSERT_OK(writer_->Write(NumberedTable(100)));
  EXPECT_EQ(writer_->GetStats().bytes_in_place, 0u);
  EXPECT_TRUE((*reader_->Read(kSoon))->Equals(*NumberedTable(100)));
}

TEST_F(Pool, TableBuiltPartlyElsewhereIsReadAsItWasWritten) {
  const auto ours = Numbers(pool_, 1000);
  const auto theirs = Numbers(arrow::default_memory_pool(), 1000, 5);
  const auto schema = arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::int64())});
  const auto table = arrow::Table::Make(schema, {ours, theirs});
  ASSERT_OK(writer_->Write(table));
  EXPECT_TRUE((*reader_->Read(kSoon))->Equals(*table));
}

TEST_F(Pool, SliceOfABuiltTableIsReadAsItWasWritten) {
  const auto table = TableOf(Numbers(pool_, 1000))->Slice(13, 100);
  ASSERT_OK(writer_->Write(table));
  EXPECT_TRUE((*reader_->Read(kSoon))->Equals(*table));
}

TEST_F(Pool, BuiltTableCanBeWrittenTwice) {
  const auto table = TableOf(Numbers(pool_, 1000));
  ASSERT_OK(writer_->Write(table));
  ASSERT_OK(writer_->Write(table));
  EXPECT_TRUE((*reader_->Read(kSoon))->Equals(*table));
  EXPECT_TRUE((*reader_->Read(kSoon))->Equals(*table));
}

TEST_F(Pool, TableStaysAsItIsAfterFurtherWrites) {
  const auto table = TableOf(Numbers(pool_, 1000));
  ASSERT_OK(writer_->Write(table));
  ASSERT_OK(reader_->Read(kSoon));
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(writer_->Write(TableOf(Numbers(pool_, 1000, i))));
    ASSERT_RESULT(auto read, reader_->Read(kSoon));
    EXPECT_TRUE(read->Equals(*TableOf(Numbers(arrow::default_memory_pool(), 1000, i))));
  }
  EXPECT_TRUE(table->Equals(*TableOf(Numbers(arrow::default_memory_pool(), 1000))));
}

TEST_F(Pool, EveryTableOfALoopIsPublishedInPlace) {
  for (int i = 0; i < 20; ++i) {
    const uint64_t before = writer_->GetStats().bytes_in_place;
    ASSERT_OK(writer_->Write(TableOf(Numbers(pool_, 1000, i))));
    EXPECT_GE(writer_->GetStats().bytes_in_place - before, 1000 * sizeof(int64_t)) << i;
    ASSERT_OK(reader_->Read(kSoon));
  }
}

TEST_F(Pool, TableOutlivesTheWriter) {
  auto table = TableOf(Numbers(pool_, 1000));
  ASSERT_OK(writer_->Write(table));
  ASSERT_OK(writer_->Close());
  EXPECT_TRUE(table->Equals(*TableOf(Numbers(arrow::default_memory_pool(), 1000))));
  writer_.reset();
  EXPECT_TRUE(table->Equals(*TableOf(Numbers(arrow::default_memory_pool(), 1000))));
  table.reset();
  ASSERT_OK(reader_->Read(kSoon));
}

TEST_F(Pool, MemoryThatWasNeverWrittenOutlivesTheWriter) {
  auto column = Numbers(pool_, 1000);
  writer_.reset();
  EXPECT_TRUE(column->Equals(*Numbers(arrow::default_memory_pool(), 1000)));
}

TEST_F(Pool, WhatDoesNotFitComesFromElsewhere) {
  uint8_t* memory = nullptr;
  ASSERT_OK(pool_->Allocate(int64_t{8} << 20, &memory));
  EXPECT_FALSE(Owns(memory));
  pool_->Free(memory, int64_t{8} << 20);
}

TEST_F(Pool, WhatGrowsTooLargeMovesElsewhereWithItsContents) {
  const auto column = Numbers(pool_, 1 << 18);
  EXPECT_FALSE(Owns(column->data()->buffers[1]->data()));
  EXPECT_TRUE(column->Equals(*Numbers(arrow::default_memory_pool(), 1 << 18)));
  EXPECT_EQ(KindOf(writer_->Write(TableOf(column))), "FrameTooLarge");
}

TEST_F(Pool, MemoryIsAligned) {
  for (int64_t alignment : {64, 128, 4096}) {
    uint8_t* memory = nullptr;
    ASSERT_OK(pool_->Allocate(100, alignment, &memory));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % static_cast<uintptr_t>(alignment), 0u);
    pool_->Free(memory, 100, alignment);
  }
}

TEST_F(Pool, ReallocationKeepsTheContents) {
  uint8_t *first = nullptr, *second = nullptr;
  ASSERT_OK(pool_->Allocate(64, &first));
  ASSERT_OK(pool_->Allocate(64, &second));
  std::memset(first, 1, 64);
  std::memset(second, 2, 64);
  ASSERT_OK(pool_->Reallocate(64, 4096, &first));
  EXPECT_TRUE(Owns(first));
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(first[i], 1);
    EXPECT_EQ(second[i], 2);
  }
  ASSERT_OK(pool_->Reallocate(4096, 32, &first));
  EXPECT_EQ(first[31], 1);
  pool_->Free(first, 32);
  pool_->Free(second, 64);
}

TEST_F(Pool, NothingIsAllocatedAndFreed) {
  uint8_t* memory = nullptr;
  ASSERT_OK(pool_->Allocate(0, &memory));
  ASSERT_NE(memory, nullptr);
  ASSERT_OK(pool_->Reallocate(0, 100, &memory));
  EXPECT_TRUE(Owns(memory));
  ASSERT_OK(pool_->Reallocate(100, 0, &memory));
  pool_->Free(memory, 0);
  EXPECT_EQ(pool_->bytes_allocated(), 0);
}

TEST_F(Pool, AllocationsAreCounted) {
  uint8_t* memory = nullptr;
  ASSERT_OK(pool_->Allocate(100, &memory));
  EXPECT_EQ(pool_->bytes_allocated(), 100);
  ASSERT_OK(pool_->Reallocate(100, 300, &memory));
  EXPECT_EQ(pool_->bytes_allocated(), 300);
  pool_->Free(memory, 300);
  EXPECT_EQ(pool_->bytes_allocated(), 0);
  EXPECT_GE(pool_->max_memory(), 300);
  EXPECT_EQ(pool_->backend_name(), "qadataswap");
  EXPECT_TRUE(pool_->Allocate(-1, &memory).IsInvalid());
}

TEST_F(Pool, PoolIsTheSameForAsLongAsTheWriterLives) {
  ASSERT_OK(writer_->Write(NumberedTable(1)));
  EXPECT_EQ(writer_->memory_pool(), pool_);
  SharedDataFrame moved = std::move(*writer_);
  EXPECT_EQ(moved.memory_pool(), pool_);
}

TEST_F(Pool, WithoutAFreeSlotMemoryComesFromElsewhere) {
  // The reader, which is lossless, has read nothing: one slot is the pool's, three are full.
  while (writer_->TryWrite(NumberedTable(1)).ValueOrDie().has_value()) {
  }
  const auto column = Numbers(pool_, 100);
  EXPECT_TRUE(column->Equals(*Numbers(arrow::default_memory_pool(), 100)));
}

TEST_F(Pool, TwoThreadsBuildAtOnce) {
  std::vector<std::shared_ptr<arrow::Array>> columns(2);
  std::vector<std::thread> builders;
  for (size_t i = 0; i < 2; ++i) {
    builders.emplace_back([&, i] { columns[i] = Numbers(pool_, 5000, static_cast<int64_t>(i)); });
  }
  for (auto& builder : builders) builder.join();
  const auto schema = arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::int64())});
  const auto table = arrow::Table::Make(schema, {columns[0], columns[1]});
  ASSERT_OK(writer_->Write(table));
  ASSERT_RESULT(auto read, reader_->Read(kSoon));
  EXPECT_TRUE(read->Equals(*table));
  EXPECT_TRUE(read->column(1)->Equals(
      arrow::ChunkedArray({Numbers(arrow::default_memory_pool(), 5000, 1)})));
}

TEST_F(Pool, OneThreadFreesWhileAnotherBuilds) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) Numbers(pool_, 100);
  });
  const auto pass = [&](int i) {
    auto table = TableOf(Numbers(pool_, 1000, i));
    ASSERT_OK(writer_->Write(table));
    ASSERT_RESULT(auto read, reader_->Read(kSoon));
    ASSERT_TRUE(read->Equals(*table));
  };
  for (int i = 0; i < 300 && !HasFailure(); ++i) pass(i);
  done = true;
  other.join();
}

}  // namespace
}  // namespace qadataswap
