// Streams: more rows than the ring holds, in order, with an end.
#include "qadataswap/shared_data_stream.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "arrow_test_base.h"

namespace qadataswap {
namespace {

class Streams : public RingTest {
 protected:
  void SetUp() override { Open(1 << 14); }

  void Open(uint64_t slot_bytes) {
    const std::string name = NewName();
    WriterOptions options;
    options.slot_bytes = slot_bytes;
    options.write_timeout = kSoon;
    ASSERT_RESULT(writer_, SharedDataStream::CreateWriter(name, options));
    ASSERT_RESULT(reader_, SharedDataStream::CreateReader(name));
  }

  void TearDown() override {
    reader_.reset();
    writer_.reset();
    RingTest::TearDown();
  }

  /// Writes while another thread reads, and gives what it read.
  template <typename Write>
  std::shared_ptr<arrow::Table> Pass(const std::shared_ptr<arrow::Schema>& schema, Write&& write) {
    std::thread writing([&] {
      write();
      ASSERT_OK(writer_->Close());
    });
    arrow::RecordBatchVector chunks;
    for (const auto& chunk : *reader_) {
      EXPECT_TRUE(chunk.ok()) << chunk.status().ToString();
      if (!chunk.ok()) break;
      // A copy, so that the ring does not fill up with what is kept.
      chunks.push_back(*(*chunk)->CopyTo(arrow::default_cpu_memory_manager()));
    }
    writing.join();
    return arrow::Table::FromRecordBatches(schema, chunks).ValueOrDie();
  }

  std::optional<SharedDataStream> writer_;
  std::optional<SharedDataStream> reader_;
};

TEST_F(Streams, DataSetLargerThanTheRingArrivesWholeAndInOrder) {
  const auto table = NumberedTable(20000);
  const auto read = Pass(table->schema(), [&] { ASSERT_OK(writer_->WriteChunk(table)); });
  EXPECT_TRUE(read->Equals(*table));
}

TEST_F(Streams, ChunksOfAnySizeArriveInOrder) {
  const auto table = NumberedTable(10000);
  const auto read = Pass(table->schema(), [&] {
    for (int64_t at = 0, size = 1; at < table->num_rows(); at += size, size = size * 3 + 1) {
      ASSERT_RESULT(auto batch, table->Slice(at, size)->CombineChunksToBatch());
      ASSERT_OK(writer_->WriteChunk(batch));
    }
  });
  EXPECT_TRUE(read->Equals(*table));
}

TEST_F(Streams, TableOfManyChunksArrivesWholeAndInOrder) {
  std::vector<std::shared_ptr<arrow::Table>> parts;
  for (int64_t i = 0; i < 7; ++i) parts.push_back(NumberedTable(1000, i * 1000));
  ASSERT_RESULT(auto table, arrow::ConcatenateTables(parts));
  const auto read = Pass(table->schema(), [&] { ASSERT_OK(writer_->WriteChunk(table)); });
  EXPECT_TRUE(read->Equals(*NumberedTable(7000)));
}

TEST_F(Streams, LongValuesDoNotMakeAllThatFollowsShort) {
  arrow::StringBuilder builder;
  for (int i = 0; i < 20; ++i) ASSERT_OK(builder.Append(std::string(3000, 'x')));
  const auto schema = arrow::schema({arrow::field("s", arrow::utf8())});
  const auto longs = arrow::Table::Make(schema, {builder.Finish().ValueOrDie()});
  for (int i = 0; i < 100; ++i) ASSERT_OK(builder.Append("x"));
  const auto shorts = arrow::Table::Make(schema, {builder.Finish().ValueOrDie()});
  const auto read = Pass(schema, [&] {
    ASSERT_OK(writer_->WriteChunk(longs));
    const uint64_t before = writer_->GetStats().writes_count;
    for (int i = 0; i < 10; ++i) ASSERT_OK(writer_->WriteChunk(shorts));
    EXPECT_LT(writer_->GetStats().writes_count - before, 50u);
  });
  EXPECT_EQ(read->num_rows(), 1020);
}

TEST_F(Streams, RowThatDoesNotFitIsRefused) {
  arrow::StringBuilder builder;
  ASSERT_OK(builder.Append("fits"));
  ASSERT_OK(builder.Append(std::string(1 << 15, 'x')));
  const auto schema = arrow::schema({arrow::field("s", arrow::utf8())});
  const auto table = arrow::Table::Make(schema, {builder.Finish().ValueOrDie()});
  EXPECT_EQ(KindOf(writer_->WriteChunk(table)), "FrameTooLarge");
  // What came before it is there.
  ASSERT_RESULT(auto chunk, reader_->ReadChunk(kSoon));
  EXPECT_EQ(chunk->num_rows(), 1);
}

TEST_F(Streams, EmptyChunkIsAChunkOfNoRows) {
  ASSERT_RESULT(auto batch, NumberedTable(3)->Slice(0, 0)->CombineChunksToBatch());
  ASSERT_OK(writer_->WriteChunk(batch));
  ASSERT_RESULT(auto chunk, reader_->ReadChunk(kSoon));
  EXPECT_EQ(chunk->num_rows(), 0);
}

TEST_F(Streams, StreamOfNothingEndsAtOnce) {
  ASSERT_OK(writer_->Close());
  int count = 0;
  for (const auto& chunk : *reader_) count += chunk.ok() ? 1 : 1000;
  EXPECT_EQ(count, 0);
}

TEST_F(Streams, ErrorIsTheLastThingInARange) {
  ASSERT_OK(reader_->Close());
  std::vector<std::string> kinds;
  for (const auto& chunk : *reader_) kinds.push_back(KindOf(chunk));
  EXPECT_EQ(kinds, std::vector<std::string>{"Closed"});
}

TEST_F(Streams, ReadOfNothingIsNull) {
  ASSERT_RESULT(auto chunk, reader_->ReadChunk(std::chrono::milliseconds(1)));
  EXPECT_EQ(chunk, nullptr);
}

TEST_F(Streams, ChunkOutlivesTheStream) {
  ASSERT_OK(writer_->WriteChunk(NumberedTable(10)));
  ASSERT_RESULT(auto chunk, reader_->ReadChunk(kSoon));
  reader_.reset();
  writer_.reset();
  ASSERT_RESULT(auto expected, NumberedTable(10)->CombineChunksToBatch());
  EXPECT_TRUE(chunk->Equals(*expected));
}

TEST_F(Streams, AbortTellsReadersWhyAfterWhatWasWritten) {
  ASSERT_OK(writer_->WriteChunk(NumberedTable(3)));
  ASSERT_OK(writer_->Abort("the source went away"));
  ASSERT_OK(writer_->Close());
  ASSERT_RESULT(auto chunk, reader_->ReadChunk(kSoon));
  EXPECT_EQ(chunk->num_rows(), 3);
  const auto end = reader_->ReadChunk(kSoon);
  EXPECT_EQ(KindOf(end), "Aborted");
  EXPECT_TRUE(end.status().IsCancelled());
  EXPECT_NE(end.status().message().find("the source went away"), std::string::npos) << end.status().message();
  EXPECT_EQ(KindOf(reader_->Abort("")), "WrongRole");
}

TEST_F(Streams, WriterThatIsDestroyedBreaksItsStreamOff) {
  ASSERT_OK(writer_->WriteChunk(NumberedTable(3)));
  writer_.reset();
  ASSERT_RESULT(auto chunk, reader_->ReadChunk(kSoon));
  EXPECT_EQ(KindOf(reader_->ReadChunk(kSoon)), "Aborted");
}

TEST_F(Streams, ProgressIsSeenFromBothEnds) {
  const std::string name = NewName();
  WriterOptions options;
  options.total_rows = 5;
  ASSERT_RESULT(auto writer, SharedDataStream::CreateWriter(name, options));
  ASSERT_RESULT(auto reader, SharedDataStream::CreateReader(name));
  ASSERT_OK(writer.WriteChunk(NumberedTable(3)));
  ASSERT_RESULT(Progress progress, reader.GetProgress());
  EXPECT_EQ(progress.rows, 0u);
  EXPECT_EQ(progress.rows_written, 3u);
  EXPECT_EQ(progress.total_rows, 5u);
  EXPECT_FALSE(progress.is_over);
  EXPECT_EQ(KindOf(writer.Close()), "InvalidConfig") << "two rows are missing";
  ASSERT_RESULT(auto chunk, reader.ReadChunk(kSoon));
  ASSERT_RESULT(progress, reader.GetProgress());
  EXPECT_EQ(progress.rows, 3u);
  EXPECT_TRUE(progress.is_over);
  EXPECT_EQ(KindOf(reader.ReadChunk(kSoon)), "Aborted");
  EXPECT_EQ(KindOf(writer.GetProgress()), "Closed");
  ASSERT_RESULT(progress, writer_->GetProgress());
  EXPECT_FALSE(progress.total_rows.has_value());
}

TEST_F(Streams, ReaderOfUnknownLengthIsSentAsItIsProduced) {
  const auto table = NumberedTable(20000);
  const auto read = Pass(table->schema(), [&] {
    arrow::TableBatchReader source(table);
    source.set_chunksize(777);
    ASSERT_OK(writer_->WriteAll(source));
  });
  EXPECT_TRUE(read->Equals(*table));
}

TEST_F(Streams, BeginningIsKeptForTheFirstReaderAndMissedByALateOne) {
  const std::string name = NewName();
  WriterOptions options;
  options.buffer_count = 2;
  options.when_full = WhenFull::kFail;
  ASSERT_RESULT(auto writer, SharedDataStream::CreateWriter(name, options));
  ASSERT_OK(writer.WriteChunk(NumberedTable(1)));
  ASSERT_OK(writer.WriteChunk(NumberedTable(1)));
  EXPECT_EQ(KindOf(writer.WriteChunk(NumberedTable(1))), "RingFull");
  ASSERT_RESULT(auto first, SharedDataStream::CreateReader(name));
  for (int i = 0; i < 2; ++i) {
    ASSERT_RESULT(auto chunk, first.ReadChunk(kSoon));
    chunk.reset();
    ASSERT_OK(writer.WriteChunk(NumberedTable(1)));
  }
  EXPECT_EQ(KindOf(SharedDataStream::CreateReader(name)), "InvalidConfig");
  ASSERT_OK(writer.Close());
  int count = 0;
  for (const auto& chunk : first) count += chunk.ok() ? 1 : 1000;
  EXPECT_EQ(count, 2);
}

TEST_F(Streams, NullChunkIsRefused) {
  EXPECT_TRUE(writer_->WriteChunk(std::shared_ptr<arrow::Table>()).IsInvalid());
  EXPECT_TRUE(writer_->WriteChunk(std::shared_ptr<arrow::RecordBatch>()).IsInvalid());
}

TEST_F(Streams, CallsOfTheOtherEndAreOfTheWrongRole) {
  EXPECT_EQ(KindOf(reader_->WriteChunk(NumberedTable(1))), "WrongRole");
  EXPECT_EQ(KindOf(writer_->ReadChunk()), "WrongRole");
}

// An extension type that is registered and finds fault with its parameters.
TEST_F(Streams, AChunkThatArrowDoesNotTakeIsPassedOver) {
  const std::string name = NewName();
  ASSERT_RESULT(auto writer, SharedDataFrame::CreateWriter(name));
  ASSERT_RESULT(auto reader, SharedDataStream::CreateReader(name));
  const auto tensor = arrow::key_value_metadata({"ARROW:extension:name", "ARROW:extension:metadata"},
                                                {"arrow.fixed_shape_tensor", "{nonsense"});
  const auto numbers = NumberedTable(2)->column(0);
  const auto bad = arrow::schema({arrow::field("n", arrow::int64(), true, tensor)});
  ASSERT_OK(writer.Write(arrow::Table::Make(bad, {numbers})));
  ASSERT_OK(writer.Write(NumberedTable(2)));
  ASSERT_FALSE(reader.ReadChunk(kSoon).ok()) << "Arrow takes it: this test needs another type";
  ASSERT_RESULT(const auto chunk, reader.ReadChunk(kSoon));
  ASSERT_NE(chunk, nullptr);
  EXPECT_EQ(chunk->num_rows(), 2);
}

}  // namespace
}  // namespace qadataswap
