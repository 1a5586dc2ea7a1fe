// Writers and readers in threads of their own, each with its own handle. Meant for ThreadSanitizer too.
#include <arrow/api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "arrow_test_base.h"

namespace qadataswap {
namespace {

constexpr int kFrames = 500;

class Threads : public RingTest {
 protected:
  static WriterOptions Options() {
    WriterOptions options;
    options.slot_bytes = 1 << 16;
    options.buffer_count = 4;
    options.write_timeout = kSoon;
    return options;
  }
};

TEST_F(Threads, EveryLosslessReaderReadsEveryTable) {
  const std::string name = NewName();
  ASSERT_RESULT(auto writer, SharedDataFrame::CreateWriter(name, Options()));
  std::atomic<int> attached{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      ASSERT_RESULT(auto reader, SharedDataFrame::CreateReader(name));
      ++attached;
      int64_t next = 0;
      for (const auto& table : reader) {
        ASSERT_OK(table);
        const auto& chunk = static_cast<const arrow::Int64Array&>(*(*table)->column(0)->chunk(0));
        for (int64_t i = 0; i < chunk.length(); ++i) ASSERT_EQ(chunk.Value(i), next + i);
        ++next;
      }
      EXPECT_EQ(next, kFrames);
    });
  }
  while (attached < 2) std::this_thread::yield();
  for (int i = 0; i < kFrames; ++i) ASSERT_OK(writer.Write(NumberedTable(20, i)));
  ASSERT_OK(writer.Close());
  for (auto& reader : readers) reader.join();
}

TEST_F(Threads, LossyReaderReadsOrMissesEveryTable) {
  const std::string name = NewName();
  WriterOptions options = Options();
  options.when_full = WhenFull::kOverwrite;
  ASSERT_RESULT(auto writer, SharedDataFrame::CreateWriter(name, options));
  std::atomic<bool> attached{false};
  std::thread reading([&] {
    ReaderOptions lossy;
    lossy.policy = ReaderPolicy::kLossy;
    ASSERT_RESULT(auto reader, SharedDataFrame::CreateReader(name, lossy));
    attached = true;
    ColumnRef<int64_t> numbers("n");
    uint64_t read = 0, missed = 0;
    while (true) {
      auto frame = reader.ReadFrame();
      if (!frame.ok()) {
        EXPECT_EQ(KindOf(frame), "EndOfStream");
        break;
      }
      ++read;
      missed += (*frame)->missed();
      ASSERT_VALUE(auto column, numbers.In(**frame));
      for (size_t i = 0; i < column.size(); ++i) {
        ASSERT_EQ(column[i], static_cast<int64_t>((*frame)->sequence() + i));
      }
    }
    EXPECT_EQ(read + missed, static_cast<uint64_t>(kFrames));
  });
  while (!attached) std::this_thread::yield();
  for (int i = 0; i < kFrames; ++i) ASSERT_OK(writer.Write(NumberedTable(20, i)));
  ASSERT_OK(writer.Close());
  reading.join();
}

TEST_F(Threads, TablesAreReadAndDroppedByOtherThreadsThanTheReaders) {
  const std::string name = NewName();
  ASSERT_RESULT(auto writer, SharedDataFrame::CreateWriter(name, Options()));
  std::thread writing([&] {
    for (int i = 0; i < kFrames; ++i) ASSERT_OK(writer.Write(NumberedTable(20, i)));
    ASSERT_OK(writer.Close());
  });
  {
    ASSERT_RESULT(auto reader, SharedDataFrame::CreateReader(name));
    std::vector<std::thread> workers;
    for (const auto& table : reader) {
      ASSERT_OK(table);
      workers.emplace_back([table = *table] { ASSERT_OK(table->ValidateFull()); });
      if (workers.size() == 2) {
        for (auto& worker : workers) worker.join();
        workers.clear();
      }
    }
    for (auto& worker : workers) worker.join();
  }
  writing.join();
}

TEST_F(Threads, ColumnsOfALoanAreFilledByDifferentThreads) {
  const std::string name = NewName();
  ASSERT_VALUE(Writer writer, Writer::Open(name, Options()));
  ASSERT_VALUE(Reader reader, Reader::Open(name));
  ASSERT_VALUE(Schema schema, Schema::Make({{"a", kInt64, false}, {"b", kFloat64, false}}));
  for (int64_t round = 0; round < 20; ++round) {
    ASSERT_VALUE(Loan loan, writer.Loan(schema, 100));
    ASSERT_VALUE(auto a, loan.Column<int64_t>("a"));
    ASSERT_VALUE(auto b, loan.Column<double>("b"));
    std::thread other([&, round] {
      for (double& value : b) value = static_cast<double>(round);
    });
    for (int64_t& value : a) value = round;
    other.join();
    ASSERT_TRUE(loan.Commit(100).has_value());
    ASSERT_VALUE(auto frame, reader.ReadFrame(kSoon));
    for (int64_t value : *frame->Column<int64_t>("a")) ASSERT_EQ(value, round);
    for (double value : *frame->Column<double>("b")) ASSERT_EQ(value, static_cast<double>(round));
  }
}

}  // namespace
}  // namespace qadataswap
