// Writers, readers, frames and loans without Arrow C++.
#include "qadataswap/ring.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

#include "ring_test_base.h"

namespace qadataswap {
namespace {

using std::chrono::milliseconds;

static_assert(!std::is_copy_constructible_v<Writer> && std::is_nothrow_move_constructible_v<Writer>);
static_assert(!std::is_copy_constructible_v<Reader> && std::is_nothrow_move_constructible_v<Reader>);
static_assert(!std::is_copy_constructible_v<Frame> && std::is_nothrow_move_constructible_v<Frame>);
static_assert(!std::is_copy_constructible_v<Loan> && std::is_nothrow_move_constructible_v<Loan>);
static_assert(std::is_copy_constructible_v<Schema>);

WriterOptions Small() {
  WriterOptions options;
  options.slot_bytes = 1 << 16;
  options.buffer_count = 4;
  return options;
}

Schema Ticks() {
  return *Schema::Make({{"time", TimestampFormat('n', "UTC"), false},
                        {"symbol", kUtf8View, false},
                        {"price", kFloat64},
                        {"is_buy", kBool, false}});
}

class Ring : public RingTest {
 protected:
  void SetUp() override { Open(Small()); }

  void Open(const WriterOptions& options, const ReaderOptions& reading = {}) {
    reader_.reset();
    writer_.reset();
    name_ = NewName();
    ASSERT_VALUE(writer_, Writer::Open(name_, options));
    ASSERT_VALUE(reader_, Reader::Open(name_, reading));
  }

  void TearDown() override {
    reader_.reset();
    writer_.reset();
    Forget(name_);
    RingTest::TearDown();
  }

  /// Publishes a frame of one row.
  void WriteTick(int64_t time, std::string_view symbol, double price) {
    ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 1, 64));
    ASSERT_VALUE(auto times, loan.Column<int64_t>("time"));
    ASSERT_VALUE(auto symbols, loan.Texts("symbol"));
    ASSERT_VALUE(auto prices, loan.Column<double>("price"));
    times[0] = time;
    ASSERT_TRUE(symbols.Set(0, symbol).has_value());
    prices[0] = price;
    ASSERT_TRUE(loan.Commit(1).has_value());
  }

  /// The next frame, which must come.
  Frame Next() {
    auto frame = reader_->ReadFrame(kSoon);
    EXPECT_TRUE(frame.has_value()) << frame.error().message;
    EXPECT_TRUE(frame->has_value()) << "timed out";
    return **std::move(frame);
  }

  std::string name_;
  std::optional<Writer> writer_;
  std::optional<Reader> reader_;
};

TEST_F(Ring, LoanArrivesAsItWasFilled) {
  WriteTick(17, "a symbol longer than twelve bytes", 2.5);
  Frame frame = Next();
  EXPECT_EQ((*frame.Column<int64_t>("time"))[0], 17);
  EXPECT_EQ((*frame.Column<std::string_view>("symbol"))[0], "a symbol longer than twelve bytes");
  EXPECT_EQ((*frame.Column<double>("price"))[0], 2.5);
  EXPECT_EQ((*frame.Column<bool>("is_buy"))[0], false);
}

TEST_F(Ring, LoanIsPublishedWithFewerRowsThanAskedFor) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 100));
  EXPECT_EQ(loan.capacity(), 100u);
  ASSERT_VALUE(auto prices, loan.Column<double>("price"));
  ASSERT_EQ(prices.size(), 100u);
  for (size_t i = 0; i < 3; ++i) prices[i] = static_cast<double>(i);
  ASSERT_VALUE(uint64_t sequence, loan.Commit(3));
  EXPECT_EQ(sequence, 0u);
  Frame frame = Next();
  EXPECT_EQ(frame.num_rows(), 3u);
  double sum = 0;
  for (double price : *frame.Column<double>(2)) sum += price;
  EXPECT_EQ(sum, 3.0);
}

TEST_F(Ring, LoanWithMoreRowsCommittedThanThereAreIsRefused) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 2));
  EXPECT_KIND(kInvalidConfig, loan.Commit(3));
  EXPECT_KIND(kClosed, loan.Commit(2));
}

TEST_F(Ring, LoanThatGoesOutOfScopePublishesNothing) {
  { ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 1)); }
  EXPECT_EQ(writer_->GetStats().frames_published, 0u);
  WriteTick(1, "A", 1);
  EXPECT_EQ(Next().sequence(), 0u);
}

TEST_F(Ring, LoanTakesNulls) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 10));
  ASSERT_VALUE(auto validity, loan.Validity("price"));
  validity.SetNull(3);
  validity.SetNull(4);
  validity.Set(4, true);
  ASSERT_TRUE(loan.Commit(10).has_value());
  Frame frame = Next();
  ASSERT_VALUE(auto prices, frame.Column<double>("price"));
  EXPECT_EQ(prices.null_count(), 1);
  EXPECT_TRUE(prices.IsNull(3));
  EXPECT_TRUE(prices.IsValid(4));
}

TEST_F(Ring, LoanTakesBools) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 10));
  ASSERT_VALUE(auto bools, loan.Bools("is_buy"));
  bools.Set(9, true);
  ASSERT_TRUE(loan.Commit(10).has_value());
  Frame frame = Next();
  ASSERT_VALUE(auto read, frame.Column<bool>("is_buy"));
  EXPECT_FALSE(read[8]);
  EXPECT_TRUE(read[9]);
}

TEST_F(Ring, LoanSaysWhenALongValueHasNoRoom) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 2, 20));
  ASSERT_VALUE(auto symbols, loan.Texts("symbol"));
  EXPECT_TRUE(symbols.Set(0, "fifteen bytes..").has_value());
  EXPECT_EQ(symbols.room(), 5u);
  EXPECT_KIND(kOutOfRoom, symbols.Set(1, "fifteen bytes.."));
  EXPECT_TRUE(symbols.Set(1, "twelve bytes").has_value());
}

TEST_F(Ring, LoanRefusesColumnsOfOtherTypes) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 1));
  EXPECT_KIND(kInvalidConfig, loan.Column<float>("price"));
  EXPECT_KIND(kInvalidConfig, loan.Column<double>("no such column"));
  EXPECT_KIND(kInvalidConfig, loan.Column<double>(4));
  EXPECT_KIND(kInvalidConfig, loan.Texts("price"));
  EXPECT_KIND(kInvalidConfig, loan.Bools("price"));
  EXPECT_KIND(kInvalidConfig, loan.Blobs("symbol"));
  EXPECT_KIND(kInvalidConfig, loan.Validity("time"));
}

TEST_F(Ring, LoanThatIsOutKeepsItsWriterOpen) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 1));
  EXPECT_KIND(kLoanOut, writer_->Close());
  loan.Abandon();
  EXPECT_TRUE(writer_->Close().has_value());
}

TEST_F(Ring, LoanOutlivesItsWriter) {
  ASSERT_VALUE(Loan loan, writer_->Loan(Ticks(), 1));
  ASSERT_VALUE(auto prices, loan.Column<double>("price"));
  writer_.reset();
  prices[0] = 1;
  loan.Abandon();
}

TEST_F(Ring, ColumnOfAnotherTypeIsRefusedWithBothNamed) {
  WriteTick(1, "A", 1);
  Frame frame = Next();
  auto column = frame.Column<int32_t>("price");
  ASSERT_FALSE(column.has_value());
  EXPECT_EQ(column.error().message, "ring '" + name_ + "': column 'price' is of Arrow format 'g', which is not a column of int32_t");
  EXPECT_EQ(column.error().kind, ErrorKind::kInvalidConfig);
  EXPECT_KIND(kInvalidConfig, frame.Column<bool>("price"));
  EXPECT_KIND(kInvalidConfig, frame.Column<std::string_view>("price"));
  EXPECT_KIND(kInvalidConfig, frame.Column<double>("symbol"));
}

TEST_F(Ring, ColumnThatIsNotThereIsRefused) {
  WriteTick(1, "A", 1);
  Frame frame = Next();
  EXPECT_KIND(kInvalidConfig, frame.Column<double>("volume"));
  EXPECT_KIND(kInvalidConfig, frame.Column<double>(4));
  EXPECT_KIND(kInvalidConfig, frame.Column<double>("price", 1));
}

TEST_F(Ring, ColumnsLieInTheFrame) {
  WriteTick(1, "A", 1);
  Frame frame = Next();
  const Span<const uint8_t> bytes = frame.bytes();
  const auto* price = reinterpret_cast<const uint8_t*>(frame.Column<double>("price")->data());
  EXPECT_GE(price, bytes.begin());
  EXPECT_LE(price + sizeof(double), bytes.end());
}

TEST_F(Ring, ColumnRefFollowsTheSchema) {
  WriteTick(1, "A", 1.5);
  ASSERT_VALUE(Schema other, Schema::Make({{"price", kFloat64, false}}));
  ASSERT_VALUE(Loan loan, writer_->Loan(other, 1));
  (*loan.Column<double>("price"))[0] = 2.5;
  ASSERT_TRUE(loan.Commit(1).has_value());
  WriteTick(1, "A", 3.5);

  ColumnRef<double> price("price");
  for (double expected : {1.5, 2.5, 3.5}) {
    Frame frame = Next();
    ASSERT_VALUE(auto prices, price.In(frame));
    EXPECT_EQ(prices[0], expected);
  }
}

TEST_F(Ring, ColumnRefSaysWhenItsColumnIsGone) {
  WriteTick(1, "A", 1.5);
  Frame frame = Next();
  ColumnRef<double> volume("volume");
  EXPECT_KIND(kInvalidConfig, volume.In(frame));
  ColumnRef<int64_t> price("price");
  EXPECT_KIND(kInvalidConfig, price.In(frame));
}

TEST_F(Ring, FramesOfOneSchemaShareIt) {
  WriteTick(1, "A", 1);
  WriteTick(2, "A", 1);
  Frame first = Next();
  Frame second = Next();
  EXPECT_TRUE(first.schema().IsCopyOf(second.schema()));
  EXPECT_EQ(first.schema().fields(), Ticks().fields());
}

TEST_F(Ring, FrameTellsItsNumberRowsAndAge) {
  WriteTick(1, "A", 1);
  WriteTick(1, "A", 1);
  EXPECT_EQ(Next().sequence(), 0u);
  Frame frame = Next();
  EXPECT_EQ(frame.sequence(), 1u);
  EXPECT_EQ(frame.missed(), 0u);
  EXPECT_EQ(frame.num_rows(), 1u);
  EXPECT_EQ(frame.num_batches(), 1u);
  EXPECT_EQ(frame.bytes_copied(), 0u);
  EXPECT_GE(frame.age().count(), 0);
  EXPECT_LT(frame.age(), std::chrono::minutes(10));
}

TEST_F(Ring, FrameIsWrittenAgainAsItWasRead) {
  WriteTick(1, "A", 1.25);
  Frame frame = Next();
  ASSERT_VALUE(const ArrowArray* batch, frame.Batch(0));
  ASSERT_TRUE(writer_->Write(frame.schema(), *batch).has_value());
  Frame again = Next();
  EXPECT_EQ((*again.Column<double>("price"))[0], 1.25);
  EXPECT_EQ((*again.Column<std::string_view>("symbol"))[0], "A");
}

TEST_F(Ring, FrameOfSeveralBatchesGivesAColumnForEach) {
  WriteTick(1, "A", 1);
  WriteTick(2, "B", 2);
  Frame first = Next();
  Frame second = Next();
  const ArrowArray* batches[] = {*first.Batch(0), *second.Batch(0)};
  ASSERT_TRUE(writer_->Write(first.schema(), batches, 2).has_value());
  Frame both = Next();
  ASSERT_EQ(both.num_batches(), 2u);
  EXPECT_EQ(both.num_rows(), 2u);
  EXPECT_KIND(kInvalidConfig, both.Column<double>("price"));
  EXPECT_EQ((*both.Column<double>("price", 0))[0], 1);
  EXPECT_EQ((*both.Column<double>("price", 1))[0], 2);
  ColumnRef<std::string_view> symbol("symbol");
  EXPECT_KIND(kInvalidConfig, symbol.In(both));
  EXPECT_EQ((*symbol.In(both, 1))[0], "B");
}

TEST_F(Ring, FrameOutlivesReaderWriterAndName) {
  WriteTick(1, "A", 1.5);
  Frame frame = Next();
  reader_.reset();
  writer_.reset();
  Forget(name_);
  EXPECT_EQ((*frame.Column<double>("price"))[0], 1.5);
}

TEST_F(Ring, ExportedBatchOutlivesItsFrame) {
  WriteTick(1, "A", 1.5);
  ArrowArray batch;
  {
    Frame frame = Next();
    ASSERT_VALUE(batch, frame.ExportBatch(0));
  }
  EXPECT_EQ(static_cast<const double*>(batch.children[2]->buffers[1])[0], 1.5);
  batch.release(&batch);
}

TEST_F(Ring, ReadOfNothingTimesOut) {
  ASSERT_VALUE(auto frame, reader_->ReadFrame(milliseconds(1)));
  EXPECT_FALSE(frame.has_value());
  EXPECT_EQ(reader_->GetStats().wait_timeouts, 1u);
}

TEST_F(Ring, TimeoutBelowZeroIsOverAlready) {
  ASSERT_VALUE(auto frame, reader_->ReadFrame(milliseconds(-1)));
  EXPECT_FALSE(frame.has_value());
}

TEST_F(Ring, TryReadFindsWhatIsThere) {
  EXPECT_FALSE((*reader_->TryReadFrame()).has_value());
  WriteTick(1, "A", 1);
  EXPECT_TRUE((*reader_->TryReadFrame()).has_value());
}

TEST_F(Ring, FullRingIsNoErrorForTryWrite) {
  WriteTick(1, "A", 1);
  Frame frame = Next();  // one slot of the four
  ASSERT_VALUE(const ArrowArray* batch, frame.Batch(0));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE((*writer_->TryWrite(frame.schema(), *batch)).has_value());
  EXPECT_FALSE((*writer_->TryWrite(frame.schema(), *batch)).has_value());
}

TEST_F(Ring, FullRingFailsAtOnceIfAskedTo) {
  WriterOptions options = Small();
  options.when_full = WhenFull::kFail;
  Open(options);
  for (int i = 0; i < 4; ++i) WriteTick(i, "A", 1);
  EXPECT_KIND(kRingFull, writer_->Loan(Ticks(), 1));
}

TEST_F(Ring, FullRingFailsWhenTheWaitIsOver) {
  WriterOptions options = Small();
  options.write_timeout = milliseconds(1);
  Open(options);
  for (int i = 0; i < 4; ++i) WriteTick(i, "A", 1);
  EXPECT_KIND(kWriteTimeout, writer_->Loan(Ticks(), 1));
}

TEST_F(Ring, OverwritingWriterRefusesLosslessReaders) {
  WriterOptions options = Small();
  options.when_full = WhenFull::kOverwrite;
  const std::string name = NewName();
  ASSERT_VALUE(Writer writer, Writer::Open(name, options));
  EXPECT_KIND(kInvalidConfig, Reader::Open(name));
  Forget(name);
}

TEST_F(Ring, LossyReaderLearnsHowManyFramesItMissed) {
  ReaderOptions reading;
  reading.policy = ReaderPolicy::kLossy;
  Open(Small(), reading);
  for (int i = 0; i < 10; ++i) WriteTick(i, "A", 1);
  Frame frame = Next();
  EXPECT_EQ(frame.missed(), frame.sequence());
  EXPECT_EQ(frame.missed(), 6u);
  EXPECT_EQ(reader_->GetStats().frames_missed, 6u);
  EXPECT_EQ(Next().missed(), 0u);
}

TEST_F(Ring, ObserverTakesNoPlaceAndCopies) {
  ReaderOptions reading;
  reading.policy = ReaderPolicy::kObserver;
  WriterOptions options = Small();
  options.max_readers = 1;
  Open(options, reading);
  ASSERT_VALUE(Reader in_the_only_place, Reader::Open(name_));
  ASSERT_VALUE(Reader another, Reader::Open(name_, reading));
  WriteTick(0, "A", 1);
  Frame frame = Next();
  EXPECT_EQ(frame.sequence(), 0u);
  EXPECT_EQ(frame.bytes_copied(), reader_->GetStats().bytes_copied);
  EXPECT_GT(frame.bytes_copied(), 0u);
  std::thread writing([this] { WriteTick(1, "A", 1); });
  EXPECT_EQ(Next().sequence(), 1u);
  writing.join();
  ASSERT_VALUE(std::optional<Frame> other, another.ReadFrame(kSoon));
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->sequence(), 0u);
}

TEST_F(Ring, LatestReaderReadsTheNewest) {
  ReaderOptions reading;
  reading.policy = ReaderPolicy::kLatest;
  Open(Small(), reading);
  for (int i = 0; i < 3; ++i) WriteTick(i, "A", 1);
  Frame frame = Next();
  EXPECT_EQ(frame.sequence(), 2u);
  EXPECT_EQ(frame.missed(), 2u);
}

TEST_F(Ring, ReaderAtTheNewestLeavesOutWhatWasBefore) {
  WriteTick(0, "A", 1);
  WriteTick(1, "A", 1);
  ReaderOptions reading;
  reading.start = StartAt::kNewest;
  ASSERT_VALUE(reader_, Reader::Open(name_, reading));
  EXPECT_EQ(Next().sequence(), 1u);
}

TEST_F(Ring, EndComesAfterTheLastFrame) {
  WriteTick(1, "A", 1);
  ASSERT_TRUE(writer_->Close().has_value());
  EXPECT_EQ(Next().sequence(), 0u);
  EXPECT_KIND(kEndOfStream, reader_->ReadFrame(kSoon));
  EXPECT_KIND(kEndOfStream, reader_->TryReadFrame());
}

TEST_F(Ring, ReaderTellsWhetherThereIsAWriter) {
  EXPECT_TRUE(*reader_->HasWriter());
  writer_.reset();
  EXPECT_FALSE(*reader_->HasWriter());
}

TEST_F(Ring, WriterCountsItsReaders) {
  EXPECT_EQ(writer_->num_readers(), 1u);
  ASSERT_VALUE(Reader second, Reader::Open(name_));
  EXPECT_EQ(writer_->num_readers(), 2u);
  ASSERT_TRUE(second.Close().has_value());
  EXPECT_EQ(writer_->num_readers(), 1u);
}

/// A process that does something else, and is then killed.
template <typename Act>
void InAProcessThatIsKilled(Act&& act) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    act();
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST_F(Ring, WriterThatDiesIsReportedAfterItsLastFrame) {
  writer_.reset();
  reader_.reset();
  name_ = NewName();
  InAProcessThatIsKilled([&] {
    auto writer = Writer::Open(name_, Small());
    if (writer) writer_.emplace(*std::move(writer));
    WriteTick(1, "A", 1.5);
  });
  ASSERT_VALUE(reader_, Reader::Open(name_));
  EXPECT_EQ((*Next().Column<double>("price"))[0], 1.5);
  EXPECT_KIND(kWriterDied, reader_->ReadFrame(kSoon));
}

TEST_F(Ring, ReaderGoesOnWhenAnotherWriterTakesOver) {
  writer_.reset();
  reader_.reset();
  name_ = NewName();
  InAProcessThatIsKilled([&] {
    auto writer = Writer::Open(name_, Small());
    if (writer) writer_.emplace(*std::move(writer));
    WriteTick(1, "A", 1.5);
  });
  ASSERT_VALUE(reader_, Reader::Open(name_));
  EXPECT_EQ(Next().sequence(), 0u);
  EXPECT_KIND(kWriterDied, reader_->ReadFrame(kSoon));
  ASSERT_VALUE(writer_, Writer::Open(name_, Small()));
  WriteTick(2, "A", 2.5);
  EXPECT_EQ(Next().sequence(), 1u);
}

TEST_F(Ring, ChildOfAForkIsToldThatTheHandlesAreItsParents) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto frame = reader_->ReadFrame(milliseconds(1));
    const auto loan = writer_->Loan(Ticks(), 1);
    const bool told = !frame && frame.error().kind == ErrorKind::kForked && !loan &&
                      loan.error().kind == ErrorKind::kForked;
    _exit(told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  WriteTick(1, "A", 1);
  EXPECT_EQ(Next().sequence(), 0u);
}

TEST_F(Ring, SecondWriterIsRefused) { EXPECT_KIND(kWriterExists, Writer::Open(name_, Small())); }

TEST_F(Ring, RingThatIsNotThereIsNotFound) { EXPECT_KIND(kNotFound, Reader::Open(NewName())); }

TEST_F(Ring, NameWithASlashIsRefused) {
  EXPECT_KIND(kInvalidName, Writer::Open("a/b"));
  EXPECT_KIND(kInvalidName, Reader::Open("a/b"));
}

TEST_F(Ring, RingWithoutBuffersIsRefused) {
  WriterOptions options;
  options.buffer_count = 0;
  EXPECT_KIND(kInvalidConfig, Writer::Open(NewName(), options));
}

/// A file with this text, gone with it.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) : path_("/dev/shm/cxx-test-" + std::to_string(getpid()) + ".yaml") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_F(Ring, OptionsThatAreNotSetAreAsConfigured) {
  const ConfigFile file("memory: {max_readers: 1}\nsync: {when_full: fail}\n");
  WriterOptions options;
  options.config_file = file.path();
  options.buffer_count = 2;
  Open(options);
  EXPECT_KIND(kTooManyReaders, Reader::Open(name_));
  for (int i = 0; i < 2; ++i) WriteTick(i, "A", 1);
  EXPECT_KIND(kRingFull, writer_->Loan(Ticks(), 1));
}

TEST_F(Ring, OptionsThatAreSetGoBeforeTheConfiguredOnes) {
  const ConfigFile file("memory: {max_readers: 1}\n");
  WriterOptions options;
  options.config_file = file.path();
  options.max_readers = 2;
  Open(options);
  EXPECT_TRUE(Reader::Open(name_).has_value());
}

TEST_F(Ring, ConfigurationThatIsNotUnderstoodSaysWhere) {
  const ConfigFile file("memory:\n  max_reader: 1\n");
  WriterOptions options;
  options.config_file = file.path();
  auto writer = Writer::Open(NewName(), options);
  EXPECT_KIND(kInvalidConfig, writer);
  EXPECT_NE(writer.error().message.find(".yaml:2: unknown key 'memory.max_reader'; did you mean 'memory.max_readers'?"),
            std::string::npos)
      << writer.error().message;
}

TEST_F(Ring, ReadersBeyondTheirNumberAreRefused) {
  WriterOptions options = Small();
  options.max_readers = 1;
  Open(options);
  EXPECT_KIND(kTooManyReaders, Reader::Open(name_));
}

TEST_F(Ring, FrameLargerThanASlotIsRefused) { EXPECT_KIND(kFrameTooLarge, writer_->Loan(Ticks(), 1 << 20)); }

TEST_F(Ring, TypeThatCannotBeLentIsRefused) {
  ASSERT_VALUE(Schema schema, Schema::Make({{"symbol", kUtf8}}));
  EXPECT_KIND(kUnsupported, writer_->Loan(schema, 1));
}

TEST_F(Ring, TypeThatIsNoneIsRefused) { EXPECT_FALSE(Schema::Make({{"symbol", "no such type"}}).has_value()); }

TEST_F(Ring, ClosedHandlesSaySo) {
  ASSERT_TRUE(reader_->Close().has_value());
  ASSERT_TRUE(reader_->Close().has_value());
  EXPECT_KIND(kClosed, reader_->ReadFrame());
  ASSERT_TRUE(writer_->Close().has_value());
  ASSERT_TRUE(writer_->Close().has_value());
  EXPECT_KIND(kClosed, writer_->Loan(Ticks(), 1));
}

TEST_F(Ring, HandlesThatWereMovedFromSaySo) {
  Writer writer = std::move(*writer_);
  Reader reader = std::move(*reader_);
  EXPECT_KIND(kClosed, writer_->Loan(Ticks(), 1));
  EXPECT_KIND(kClosed, reader_->ReadFrame());
  EXPECT_TRUE(writer_->Close().has_value());
  EXPECT_TRUE(reader_->Close().has_value());
  EXPECT_TRUE(writer.Loan(Ticks(), 1).has_value());
}

TEST_F(Ring, NumbersAreCounted) {
  WriteTick(1, "A", 1);
  WriteTick(2, "A", 1);
  EXPECT_EQ(reader_->GetStats().lag, 2u);
  Frame frame = Next();
  EXPECT_EQ(writer_->GetStats().writes_count, 2u);
  EXPECT_EQ(writer_->GetStats().rows_written, 2u);
  EXPECT_EQ(reader_->GetStats().reads_count, 1u);
  EXPECT_EQ(reader_->GetStats().rows_read, 1u);
  EXPECT_EQ(reader_->GetStats().bytes_read, frame.bytes().size());
  EXPECT_EQ(reader_->GetStats().lag, 1u);
}

TEST_F(Ring, ReaderWaitsForTheRingToComeIntoBeing) {
  const std::string name = NewName();
  std::thread late([&] {
    auto writer = Writer::Open(name, Small());
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE(writer->Loan(Ticks(), 1)->Commit(1).has_value());
  });
  ReaderOptions options;
  options.attach_timeout = kSoon;
  auto reader = Reader::Open(name, options);
  late.join();
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  EXPECT_TRUE((*reader->ReadFrame(kSoon)).has_value());
}

TEST_F(Ring, OptionsOfEveryKindArePassedOn) {
  WriterOptions options = Small();
  options.prefault = true;
  options.mode = 0640;
  options.owner = getuid();
  options.group = getgid();
  options.trusted_owners = {getuid()};
  options.compression = Compression::kZstd;
  options.compression_level = 1;
  options.wait = WaitStrategy::kSleep;
  ReaderOptions reading;
  reading.validation = Validation::kFullOnCopy;
  reading.trusted_owners = {getuid()};
  reading.directory = "/dev/shm";
  reading.wait = WaitStrategy::kBalanced;
  Open(options, reading);
  WriteTick(1, "A", 1.5);
  Frame frame = Next();
  EXPECT_EQ((*frame.Column<double>("price"))[0], 1.5);
  EXPECT_GT(frame.bytes_copied(), 0u);
}

TEST(Native, TypesStandForWhatTheyDoInRust) {
  EXPECT_TRUE(Native<int64_t>::Fits("tsn:UTC"));
  EXPECT_TRUE(Native<int64_t>::Fits("tDu"));
  EXPECT_TRUE(Native<int64_t>::Fits("tdm"));
  EXPECT_TRUE(Native<int64_t>::Fits("d:18,2,64"));
  EXPECT_FALSE(Native<int64_t>::Fits("L"));
  EXPECT_FALSE(Native<int64_t>::Fits("tdD"));
  EXPECT_TRUE(Native<int32_t>::Fits("tdD"));
  EXPECT_TRUE(Native<int32_t>::Fits("ttm"));
  EXPECT_TRUE(Native<int32_t>::Fits("tiM"));
  EXPECT_TRUE(Native<int32_t>::Fits("d:9,2,32"));
  EXPECT_TRUE(Native<Int128>::Fits("d:38,2"));
  EXPECT_TRUE(Native<Int128>::Fits("d:38,2,128"));
  EXPECT_FALSE(Native<Int128>::Fits("d:76,2,256"));
  EXPECT_TRUE((Native<std::array<uint8_t, 16>>::Fits("w:16")));
  EXPECT_FALSE((Native<std::array<uint8_t, 16>>::Fits("w:4")));
}

TEST(Error, KindsHaveTheNamesOfEveryLanguage) {
  EXPECT_STREQ(ErrorKindName(ErrorKind::kWriterDied), "WriterDied");
  EXPECT_STREQ(ErrorKindName(ErrorKind::kEndOfStream), "EndOfStream");
}

TEST(ExpectedDeathTest, ValueOfAnErrorEndsTheProgramWithItsMessage) {
  Expected<int> expected = Error{ErrorKind::kNotFound, "ring 'x' does not exist"};
  EXPECT_DEATH({ (void)*expected; }, "NotFound: ring 'x' does not exist");
}

// A key of a null row may be anything; here it leads out of the dictionary.
TEST_F(Ring, ANullRowOfADictionaryHasNoValue) {
  const auto forget_schema = [](ArrowSchema* schema) { schema->release = nullptr; };
  ArrowSchema values{"u", "", nullptr, 2, 0, nullptr, nullptr, forget_schema, nullptr};
  ArrowSchema keys{"i", "d", nullptr, 2, 0, nullptr, &values, forget_schema, nullptr};
  ArrowSchema* columns[] = {&keys};
  ArrowSchema root{"+s", "", nullptr, 0, 1, columns, nullptr, forget_schema, nullptr};
  ASSERT_VALUE(const Schema schema, Schema::Import(&root));

  const auto forget = [](ArrowArray* array) { array->release = nullptr; };
  const int32_t offsets[] = {0, 1}, key[] = {0, -1};
  const uint8_t valid[] = {1};
  const void* none[] = {nullptr};
  const void* value_buffers[] = {nullptr, offsets, "x"};
  const void* key_buffers[] = {valid, key};
  ArrowArray value_array{1, 0, 0, 3, 0, value_buffers, nullptr, nullptr, forget, nullptr};
  ArrowArray key_array{2, 1, 0, 2, 0, key_buffers, nullptr, &value_array, forget, nullptr};
  ArrowArray* arrays[] = {&key_array};
  const ArrowArray batch{2, 0, 0, 1, 1, none, arrays, nullptr, forget, nullptr};
  ASSERT_VALUE(const uint64_t sequence, writer_->Write(schema, batch));
  EXPECT_EQ(sequence, 0u);

  ASSERT_VALUE(auto frame, reader_->ReadFrame(kSoon));
  ASSERT_VALUE(const auto column, frame->Column<std::string_view>("d"));
  EXPECT_EQ(column[0], "x");
  ASSERT_TRUE(column.IsNull(1));
  EXPECT_EQ(column[1], "");
}

TEST_F(Ring, AFrameThatIsMovedIntoLetsGoOfItsSlot) {
  WriterOptions options = Small();
  options.buffer_count = 2;
  options.when_full = WhenFull::kFail;
  ReaderOptions reading;
  reading.policy = ReaderPolicy::kLossy;
  Open(options, reading);
  const Schema schema = *Schema::Make({{"n", kInt64, false}});
  const auto write = [&] {
    auto loan = writer_->Loan(schema, 1);
    return loan && loan->Commit(1);
  };
  ASSERT_TRUE(write());
  ASSERT_VALUE(auto first, reader_->ReadFrame(kSoon));
  ASSERT_TRUE(first->Column<int64_t>("n"));
  Frame held = *std::move(first);
  ASSERT_TRUE(write());
  ASSERT_VALUE(auto second, reader_->ReadFrame(kSoon));
  ASSERT_TRUE(second->Column<int64_t>("n"));
  held = *std::move(second);
  EXPECT_TRUE(write()) << "one frame is held, in a ring of two";
  Forget(name_);
}

// What ThreadSanitizer is to look at.
TEST_F(Ring, LoansMayEndInOtherThreadsThanTheirWriters) {
  WriterOptions options = Small();
  options.buffer_count = 8;
  options.when_full = WhenFull::kOverwrite;
  ReaderOptions reading;
  reading.policy = ReaderPolicy::kLatest;
  Open(options, reading);
  const Schema schema = *Schema::Make({{"n", kInt64, false}});
  int faults = 0;
  for (int round = 0; round < 300; ++round) {
    ASSERT_VALUE(auto lent, writer_->Loan(schema, 1));
    std::thread ending([loan = std::move(lent), &faults]() mutable { faults += loan.Commit(1) ? 0 : 1; });
    int failed = 0;
    for (int more = 0; more < 5; ++more) {
      auto another = writer_->Loan(schema, 1);
      if (!another) ++failed;
    }
    ending.join();
    faults += failed;
  }
  EXPECT_EQ(faults, 0);
  Forget(name_);
}

TEST_F(Ring, AnyNegativeTimeoutOfTheCInterfaceIsForEver) {
  std::thread writing([&] {
    std::this_thread::sleep_for(milliseconds(30));
    auto loan = writer_->Loan(*Schema::Make({{"n", kInt64, false}}), 1);
    EXPECT_TRUE(loan && loan->Commit(1));
  });
  qads_frame* frame = nullptr;
  EXPECT_EQ(qads_read(reader_->handle(), INT64_MIN, &frame), QADS_OK);
  writing.join();
  qads_frame_free(frame);
}

}  // namespace
}  // namespace qadataswap
