// SharedDataFrame: what it promises beside the tables themselves.
#include "qadataswap/shared_dataframe.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrow_test_base.h"
#include "qadataswap_core.h"

namespace qadataswap {
namespace {

using std::chrono::milliseconds;

static_assert(!std::is_copy_constructible_v<SharedDataFrame>);
static_assert(std::is_nothrow_move_constructible_v<SharedDataFrame>);
static_assert(std::is_move_assignable_v<SharedDataFrame>);

TEST_F(DataFrames, WriteGivesTheSequenceNumber) {
  EXPECT_EQ(writer_->Write(NumberedTable(3)).ValueOrDie(), 0u);
  EXPECT_EQ(writer_->Write(NumberedTable(3)).ValueOrDie(), 1u);
}

TEST_F(DataFrames, TableIsReadInTheOrderItWasWritten) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(writer_->Write(NumberedTable(3, i)));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE((*reader_->Read(kSoon))->Equals(*NumberedTable(3, i)));
}

TEST_F(DataFrames, ReadTableIsRead) {
  ASSERT_OK(writer_->Write(NumberedTable(3)));
  EXPECT_TRUE((*reader_->ReadTable(kSoon))->Equals(*NumberedTable(3)));
}

TEST_F(DataFrames, TableGoesThroughARingWithoutAName) {
  WriterOptions options;
  options.slot_bytes = 1 << 18;
  options.memfd = true;
  ASSERT_RESULT(auto writer, SharedDataFrame::CreateWriter(NewName(), options));
  const int fd = *writer.writer()->fd();
  ASSERT_RESULT(auto reader, SharedDataFrame::CreateReaderFromFd("", fd));
  ASSERT_OK(writer.Write(NumberedTable(3)));
  EXPECT_EQ(KindOf(SharedDataFrame::CreateWriterFromFd("", fd)), "WriterExists");
  ASSERT_OK(writer.Close());
  ASSERT_RESULT(auto heir, SharedDataFrame::CreateWriterFromFd("", *reader.reader()->fd()));
  ASSERT_OK(heir.Write(NumberedTable(3, 3)));
  EXPECT_TRUE((*reader.Read(kSoon))->Equals(*NumberedTable(3)));
  EXPECT_TRUE((*reader.Read(kSoon))->Equals(*NumberedTable(3, 3)));
}

TEST_F(DataFrames, ReadOfNothingIsNull) {
  EXPECT_EQ(reader_->Read(milliseconds(1)).ValueOrDie(), nullptr);
  EXPECT_EQ(reader_->ReadTable(milliseconds(1)).ValueOrDie(), nullptr);
  EXPECT_EQ(reader_->ReadBatch(milliseconds(1)).ValueOrDie(), nullptr);
  EXPECT_EQ(reader_->TryRead().ValueOrDie(), nullptr);
  EXPECT_FALSE(reader_->ReadFrame(milliseconds(1)).ValueOrDie().has_value());
  // Those that waited; one that never waits does not run out of time.
  EXPECT_GE(reader_->GetStats().wait_timeouts, 4u);
}

TEST_F(DataFrames, ReadWaitsForWhatIsToCome) {
  std::thread late([&] { ASSERT_OK(writer_->Write(NumberedTable(3))); });
  const auto table = reader_->Read();
  late.join();
  ASSERT_OK(table);
  EXPECT_EQ((*table)->num_rows(), 3);
}

TEST_F(DataFrames, BatchIsReadAsOneBatch) {
  ASSERT_RESULT(auto batch, NumberedTable(5)->CombineChunksToBatch());
  ASSERT_OK(writer_->Write(batch));
  EXPECT_TRUE((*reader_->ReadBatch(kSoon))->Equals(*batch));
}

TEST_F(DataFrames, ChunksAreReadAsOneBatchIfAskedFor) {
  ASSERT_RESULT(auto table, arrow::ConcatenateTables({NumberedTable(2), NumberedTable(3, 2)}));
  ASSERT_OK(writer_->Write(table));
  ASSERT_RESULT(auto expected, NumberedTable(5)->CombineChunksToBatch());
  EXPECT_TRUE((*reader_->ReadBatch(kSoon))->Equals(*expected));
}

TEST_F(DataFrames, NoRowsAreReadAsABatchOfNoRows) {
  ASSERT_OK(writer_->Write(NumberedTable(3)->Slice(0, 0)));
  ASSERT_RESULT(auto batch, reader_->ReadBatch(kSoon));
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->num_rows(), 0);
  EXPECT_EQ(batch->num_columns(), 2);
}

TEST_F(DataFrames, WaitForConditionReadsUpToTheTableThatFits) {
  for (int rows : {3, 200, 3}) ASSERT_OK(writer_->Write(NumberedTable(rows)));
  const auto is_large = [](const arrow::Table& table) { return table.num_rows() > 100; };
  ASSERT_RESULT(auto found, reader_->WaitForCondition(is_large, kSoon));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->num_rows(), 200);
  ASSERT_RESULT(auto none, reader_->WaitForCondition(is_large, milliseconds(5)));
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(reader_->GetStats().reads_count, 3u) << "those that did not fit have been read";
}

TEST_F(DataFrames, NullTableIsRefused) {
  EXPECT_TRUE(writer_->Write(std::shared_ptr<arrow::Table>()).status().IsInvalid());
  EXPECT_TRUE(writer_->Write(std::shared_ptr<arrow::RecordBatch>()).status().IsInvalid());
  EXPECT_TRUE(writer_->TryWrite(std::shared_ptr<arrow::Table>()).status().IsInvalid());
}

TEST_F(DataFrames, TableOutlivesReaderWriterAndName) {
  ASSERT_OK(writer_->Write(NumberedTable(1000)));
  ASSERT_RESULT(auto table, reader_->Read(kSoon));
  reader_.reset();
  writer_.reset();
  Forget(name_);
  EXPECT_TRUE(table->Equals(*NumberedTable(1000)));
}

TEST_F(DataFrames, ColumnOutlivesItsTable) {
  ASSERT_OK(writer_->Write(NumberedTable(1000)));
  std::shared_ptr<arrow::Array> column = (*reader_->Read(kSoon))->column(0)->chunk(0)->Slice(10, 10);
  for (int i = 0; i < 10; ++i) ASSERT_OK(writer_->TryWrite(NumberedTable(1000, 7)));
  EXPECT_EQ(std::static_pointer_cast<arrow::Int64Array>(column)->Value(3), 13);
}

TEST_F(DataFrames, TableHeldKeepsItsSlotUntilItIsDropped) {
  ASSERT_OK(writer_->Write(NumberedTable(1)));
  ASSERT_RESULT(auto table, reader_->Read(kSoon));
  ASSERT_OK(writer_->Write(NumberedTable(1)));
  ASSERT_OK(writer_->Write(NumberedTable(1)));
  EXPECT_FALSE(writer_->TryWrite(NumberedTable(1)).ValueOrDie().has_value());
  ASSERT_OK(reader_->Read(kSoon));
  EXPECT_TRUE(writer_->TryWrite(NumberedTable(1)).ValueOrDie().has_value());
  EXPECT_FALSE(writer_->TryWrite(NumberedTable(1)).ValueOrDie().has_value());
  table.reset();
  ASSERT_OK(reader_->Read(kSoon));
  EXPECT_TRUE(writer_->TryWrite(NumberedTable(1)).ValueOrDie().has_value());
}

TEST_F(DataFrames, TableIsDroppedInAnotherThread) {
  ASSERT_OK(writer_->Write(NumberedTable(1)));
  ASSERT_RESULT(auto table, reader_->Read(kSoon));
  std::thread([table = std::move(table)]() mutable { table.reset(); }).join();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(writer_->TryWrite(NumberedTable(1)).ValueOrDie().has_value());
}

TEST_F(DataFrames, EndComesAsAnIndexErrorOfItsKind) {
  ASSERT_OK(writer_->Write(NumberedTable(1)));
  ASSERT_OK(writer_->Close());
  ASSERT_OK(reader_->Read(kSoon));
  const arrow::Status status = reader_->Read(kSoon).status();
  EXPECT_EQ(KindOf(status), "EndOfStream");
  EXPECT_TRUE(status.IsIndexError());
}

TEST_F(DataFrames, RangeEndsWithTheStream) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(writer_->Write(NumberedTable(2, i)));
  ASSERT_OK(writer_->Close());
  int count = 0;
  for (const auto& table : *reader_) {
    ASSERT_OK(table);
    EXPECT_TRUE((*table)->Equals(*NumberedTable(2, count++)));
  }
  EXPECT_EQ(count, 3);
}

TEST_F(DataFrames, RangeYieldsAnErrorAndEnds) {
  ASSERT_OK(reader_->Close());
  std::vector<std::string> kinds;
  for (const auto& table : *reader_) kinds.push_back(KindOf(table));
  EXPECT_EQ(kinds, std::vector<std::string>{"Closed"});
}

TEST_F(DataFrames, RangeLetsGoOfATableBeforeItWaitsForTheNext) {
  std::thread writing([&] {
    for (int i = 0; i < 50; ++i) ASSERT_OK(writer_->Write(NumberedTable(2, i)));
    ASSERT_OK(writer_->Close());
  });
  int count = 0;
  for (const auto& table : *reader_) count += table.ok();
  writing.join();
  EXPECT_EQ(count, 50);
  EXPECT_EQ(writer_->GetStats().wait_timeouts, 0u);
}

TEST_F(DataFrames, WritersCallsOnAReaderAreOfTheWrongRole) {
  EXPECT_EQ(KindOf(reader_->Write(NumberedTable(1))), "WrongRole");
  EXPECT_EQ(KindOf(reader_->TryWrite(NumberedTable(1))), "WrongRole");
  EXPECT_EQ(KindOf(reader_->Loan(NumberedTable(1)->schema(), 1)), "WrongRole");
  EXPECT_EQ(reader_->memory_pool(), nullptr);
  EXPECT_EQ(reader_->writer(), nullptr);
}

TEST_F(DataFrames, ReadersCallsOnAWriterAreOfTheWrongRole) {
  EXPECT_EQ(KindOf(writer_->Read()), "WrongRole");
  EXPECT_EQ(KindOf(writer_->TryRead()), "WrongRole");
  EXPECT_EQ(KindOf(writer_->ReadBatch()), "WrongRole");
  EXPECT_EQ(KindOf(writer_->ReadFrame()), "WrongRole");
  EXPECT_EQ(KindOf(writer_->HasWriter()), "WrongRole");
  EXPECT_EQ(writer_->reader(), nullptr);
  EXPECT_EQ(writer_->Read().status().message(), "ring '" + name_ +
                                                    "': this handle is a writer, the call needs a reader; make one "
                                                    "with CreateReader");
}

TEST_F(DataFrames, ClosedHandlesSaySo) {
  ASSERT_OK(reader_->Close());
  ASSERT_OK(writer_->Close());
  ASSERT_OK(reader_->Close());
  ASSERT_OK(writer_->Close());
  EXPECT_EQ(KindOf(reader_->Read()), "Closed");
  EXPECT_EQ(KindOf(writer_->Write(NumberedTable(1))), "Closed");
  EXPECT_EQ(writer_->memory_pool(), nullptr);
}

TEST_F(DataFrames, MovedHandleWorksAndTheOldOneIsClosed) {
  SharedDataFrame writer = std::move(*writer_);
  SharedDataFrame reader = std::move(*reader_);
  ASSERT_OK(writer.Write(NumberedTable(1)));
  EXPECT_EQ((*reader.Read(kSoon))->num_rows(), 1);
  EXPECT_EQ(KindOf(writer_->Write(NumberedTable(1))), "Closed");
  EXPECT_EQ(KindOf(reader_->Read()), "Closed");
  *writer_ = std::move(writer);
  *reader_ = std::move(reader);
  ASSERT_OK(writer_->Write(NumberedTable(1)));
  EXPECT_EQ((*reader_->Read(kSoon))->num_rows(), 1);
}

TEST_F(DataFrames, HandleMayChangeItsRole) {
  ASSERT_RESULT(*writer_, SharedDataFrame::CreateReader(name_));
  EXPECT_EQ(KindOf(writer_->Read(kSoon)), "EndOfStream");
}

TEST_F(DataFrames, TableLargerThanASlotIsRefusedAndNothingIsPublished) {
  const arrow::Status status = writer_->Write(NumberedTable(100000)).status();
  EXPECT_EQ(KindOf(status), "FrameTooLarge");
  EXPECT_TRUE(status.IsCapacityError());
  EXPECT_EQ(writer_->GetStats().frames_published, 0u);
}

TEST_F(DataFrames, SizeInBytesIsThatOfAllBuffers) {
  const std::string name = NewName();
  WriterOptions options;
  options.buffer_count = 4;
  ASSERT_RESULT(auto writer, SharedDataFrame::CreateWriter(name, 1 << 20, options));
  EXPECT_EQ(writer.writer()->slot_bytes(), (1u << 20) / 4);
}

TEST_F(DataFrames, ErrorsOfArrowHaveNoKind) {
  EXPECT_EQ(ErrorKindOf(arrow::Status::Invalid("no")), std::nullopt);
  EXPECT_EQ(ErrorKindOf(arrow::Status::OK()), std::nullopt);
}

TEST_F(DataFrames, KindIsKeptWhenAMessageIsAdded) {
  const arrow::Status status = SharedDataFrame::CreateReader(NewName()).status();
  EXPECT_EQ(KindOf(status), "NotFound");
  EXPECT_TRUE(status.IsKeyError());
  EXPECT_EQ(KindOf(status.WithMessage("while attaching: ", status.message())), "NotFound");
}

TEST_F(DataFrames, HandleTellsItsNameAndItsWriter) {
  EXPECT_EQ(writer_->name(), name_);
  EXPECT_EQ(reader_->name(), name_);
  EXPECT_TRUE(*reader_->HasWriter());
  writer_.reset();
  EXPECT_FALSE(*reader_->HasWriter());
}

TEST_F(DataFrames, NumbersAreCounted) {
  ASSERT_OK(writer_->Write(NumberedTable(3)));
  Frame frame = NextFrame();
  EXPECT_EQ(writer_->GetStats().writes_count, 1u);
  EXPECT_EQ(writer_->GetStats().bytes_written, frame.bytes().size());
  EXPECT_EQ(writer_->GetStats().rows_written, 3u);
  EXPECT_EQ(reader_->GetStats().reads_count, 1u);
  EXPECT_EQ(reader_->GetStats().bytes_copied, 0u);
}

TEST_F(DataFrames, TypedColumnsReadWhatArrowWrote) {
  arrow::StringDictionary32Builder dictionary;
  arrow::BooleanBuilder bools;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO, "UTC"), arrow::default_memory_pool());
  arrow::LargeStringBuilder large;
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(dictionary.Append(i % 2 == 0 ? "even" : "a text of more than twelve bytes"));
    ASSERT_OK(i == 3 ? bools.AppendNull() : bools.Append(i % 3 == 0));
    ASSERT_OK(times.Append(i));
    ASSERT_OK(large.Append(std::to_string(i)));
  }
  const auto coded = dictionary.Finish().ValueOrDie();
  const auto schema = arrow::schema({arrow::field("name", coded->type()), arrow::field("flag", arrow::boolean()),
                                     arrow::field("time", times.type()), arrow::field("text", arrow::large_utf8())});
  const auto table = arrow::Table::Make(
      schema, {coded, bools.Finish().ValueOrDie(), times.Finish().ValueOrDie(), large.Finish().ValueOrDie()});
  ASSERT_OK(writer_->Write(table->Slice(1)));
  Frame frame = NextFrame();
  ASSERT_VALUE(auto read_names, frame.Column<std::string_view>("name"));
  ASSERT_VALUE(auto read_flags, frame.Column<bool>("flag"));
  ASSERT_VALUE(auto read_times, frame.Column<int64_t>("time"));
  ASSERT_VALUE(auto read_texts, frame.Column<std::string_view>("text"));
  ASSERT_EQ(read_names.size(), 19u);
  for (int i = 1; i < 20; ++i) {
    const auto row = static_cast<size_t>(i - 1);
    EXPECT_EQ(read_names[row], i % 2 == 0 ? "even" : "a text of more than twelve bytes");
    EXPECT_EQ(read_flags.IsNull(row), i == 3);
    if (i != 3) {
      EXPECT_EQ(read_flags[row], i % 3 == 0);
    }
    EXPECT_EQ(read_times[row], i);
    EXPECT_EQ(read_texts[row], std::to_string(i));
  }
  EXPECT_EQ(read_flags.null_count(), 1);
}

TEST_F(DataFrames, LoanOfAnArrowSchemaIsReadAsATable) {
  const auto schema = arrow::schema({arrow::field("s", arrow::utf8_view()), arrow::field("n", arrow::int64()),
                                     arrow::field("b", arrow::boolean())});
  ASSERT_RESULT(Loan loan, writer_->Loan(schema, 10, 100));
  ASSERT_VALUE(auto texts, loan.Texts("s"));
  ASSERT_VALUE(auto numbers, loan.Column<int64_t>("n"));
  ASSERT_VALUE(auto validity, loan.Validity("n"));
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(texts.Set(i, i == 1 ? "a text of more than twelve bytes" : "short").has_value());
    numbers[i] = static_cast<int64_t>(i);
  }
  validity.SetNull(2);
  ASSERT_TRUE(loan.Commit(3).has_value());
  ASSERT_RESULT(auto table, reader_->Read(kSoon));
  ASSERT_OK(table->ValidateFull());
  EXPECT_TRUE(table->schema()->Equals(*schema));
  ASSERT_RESULT(auto row, table->column(0)->GetScalar(1));
  EXPECT_EQ(row->ToString(), "a text of more than twelve bytes");
  EXPECT_EQ(table->column(1)->null_count(), 1);
}

TEST_F(DataFrames, CoreHeaderAttachesAReader) {
  ASSERT_OK(writer_->Write(NumberedTable(3)));
  auto reader = qadataswap::CreateSharedDataFrame(name_);
  auto table = reader->ReadTable();
  EXPECT_TRUE((*table)->Equals(*NumberedTable(3)));
}

TEST_F(DataFrames, EveryReaderReadsEveryTable) {
  ASSERT_RESULT(auto second, SharedDataFrame::CreateReader(name_));
  ASSERT_OK(writer_->Write(NumberedTable(3)));
  EXPECT_EQ((*reader_->Read(kSoon))->num_rows(), 3);
  EXPECT_EQ((*second.Read(kSoon))->num_rows(), 3);
}

TEST_F(DataFrames, HandlesMadeWithoutArrowAreTakenOver) {
  const std::string name = NewName();
  ASSERT_VALUE(Writer plain_writer, Writer::Open(name));
  ASSERT_VALUE(Reader plain_reader, Reader::Open(name));
  SharedDataFrame writer(std::move(plain_writer));
  SharedDataFrame reader(std::move(plain_reader));
  ASSERT_OK(writer.Write(NumberedTable(3)));
  EXPECT_EQ((*reader.Read(kSoon))->num_rows(), 3);
}

TEST_F(DataFrames, AWriterKeepsNothingOfATableOfSeveralChunks) {
  WriterOptions one;
  one.buffer_count = 1;
  one.when_full = WhenFull::kFail;
  Open(one);
  ASSERT_RESULT(auto relay, SharedDataFrame::CreateWriter(NewName()));
  const auto chunks = arrow::ConcatenateTables({NumberedTable(2), NumberedTable(3)});
  ASSERT_OK(writer_->Write(*chunks));
  {
    ASSERT_RESULT(const auto read, reader_->Read(kSoon));
    ASSERT_OK(relay.Write(read));
  }
  EXPECT_TRUE(writer_->Write(*chunks).ok()) << "the only slot is held by nobody";
  ASSERT_RESULT(auto last, SharedDataFrame::CreateReader(relay.name()));
  ASSERT_OK(last.Read(kSoon));
}

}  // namespace
}  // namespace qadataswap
