// Waiting on many rings at once.
#include "qadataswap/selector.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "ring_test_base.h"

namespace qadataswap {
namespace {

using std::chrono::milliseconds;
using Keys = std::vector<uint64_t>;

static_assert(!std::is_copy_constructible_v<Selector> && std::is_nothrow_move_constructible_v<Selector>);

WriterOptions Small() {
  WriterOptions options;
  options.slot_bytes = 4096;
  return options;
}

// Rings that a selector waits on, each by its position.
class Select : public RingTest {
 protected:
  void Open(size_t count) {
    ASSERT_VALUE(selector_, Selector::Make(WaitStrategy::kSleep));
    for (size_t each = 0; each < count; ++each) {
      const std::string name = NewName();
      ASSERT_VALUE(Writer writer, Writer::Open(name, Small()));
      ASSERT_VALUE(Reader reader, Reader::Open(name));
      ASSERT_TRUE(selector_->Add(each, reader).has_value());
      writers_.push_back(std::move(writer));
      readers_.push_back(std::move(reader));
    }
  }

  void TearDown() override {
    selector_.reset();
    writers_.clear();
    for (Reader& reader : readers_) {
      while (true) {
        auto frame = reader.TryReadFrame();
        if (!frame || !frame->has_value()) break;
      }
    }
    readers_.clear();
    RingTest::TearDown();
  }

  // Publishes a frame of `rows` rows.
  void Write(size_t ring, size_t rows = 1) {
    static const Schema schema = *Schema::Make({{"price", kFloat64, false}});
    ASSERT_VALUE(Loan loan, writers_[ring].Loan(schema, rows));
    ASSERT_VALUE(auto prices, loan.Column<double>("price"));
    std::fill(prices.begin(), prices.end(), 1.5);
    ASSERT_TRUE(loan.Commit(rows).has_value());
  }

  Keys Wait(std::chrono::nanoseconds timeout = kSoon) {
    auto ready = selector_->Wait(timeout);
    EXPECT_TRUE(ready.has_value()) << ready.error().message;
    return ready ? *ready : Keys();
  }

  std::optional<Selector> selector_;
  std::vector<Writer> writers_;
  std::vector<Reader> readers_;
};

TEST_F(Select, TellsWhatCanBeReadAndTakesNothing) {
  Open(3);
  EXPECT_EQ(Wait(milliseconds(1)), Keys());
  Write(2);
  EXPECT_EQ(Wait(), Keys{2});
  EXPECT_EQ(Wait(), Keys{2});
  Write(0);
  Keys both = Wait();
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, (Keys{0, 2}));
  EXPECT_TRUE((*readers_[2].TryReadFrame()).has_value());
  EXPECT_EQ(Wait(), Keys{0});
}

TEST_F(Select, IsWokenByEveryRingOfMoreThanOneCallTakes) {
  Open(140);
  for (size_t ring : {139u, 0u, 126u, 127u}) {
    std::thread writing([&] { Write(ring); });
    EXPECT_EQ(Wait(), Keys{ring});
    writing.join();
    EXPECT_TRUE((*readers_[ring].TryReadFrame()).has_value());
  }
}

TEST_F(Select, IsWokenByAnotherThread) {
  Open(1);
  selector_->Wake();
  EXPECT_EQ(Wait(kForever), Keys()) << "it was woken before";
  std::thread waking([&] { selector_->Wake(); });
  EXPECT_EQ(Wait(kForever), Keys());
  waking.join();
}

TEST_F(Select, GoesOnWithReadersThatAreAdded) {
  Open(2);
  ASSERT_TRUE(selector_->Remove(1));
  EXPECT_FALSE(selector_->Remove(1));
  EXPECT_EQ(selector_->size(), 1u);
  Write(1);
  std::thread adding([&] { EXPECT_TRUE(selector_->Add(7, readers_[1]).has_value()); });
  EXPECT_EQ(Wait(), Keys{7});
  adding.join();
}

TEST_F(Select, RefusesAKeyTwiceAndAClosedReader) {
  Open(1);
  EXPECT_KIND(kInvalidConfig, selector_->Add(0, readers_[0]));
  ASSERT_TRUE(readers_[0].Close().has_value());
  EXPECT_KIND(kClosed, selector_->Add(1, readers_[0]));
  EXPECT_EQ(Wait(), Keys{0}) << "a closed reader is told";
}

TEST_F(Select, TellsTheEndOfAStream) {
  Open(2);
  ASSERT_TRUE(writers_[1].Close().has_value());
  EXPECT_EQ(Wait(), Keys{1});
  EXPECT_KIND(kEndOfStream, readers_[1].TryReadFrame());
}

TEST_F(Select, TellsTheDeathOfAWriterToATryToo) {
  Open(1);
  const std::string name = NewName();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto writer = Writer::Open(name, Small());
    const char done = writer ? 'y' : 'n';
    if (write(ready[1], &done, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char done = 'n';
  ASSERT_EQ(read(ready[0], &done, 1), 1);
  ASSERT_EQ(done, 'y');
  close(ready[0]);
  close(ready[1]);
  ASSERT_VALUE(Reader reader, Reader::Open(name));
  ASSERT_TRUE(selector_->Add(5, reader).has_value());
  EXPECT_EQ(Wait(milliseconds(1)), Keys());
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Wait(), Keys{5});
  EXPECT_KIND(kWriterDied, reader.TryReadFrame());
  selector_->Remove(5);
}

TEST_F(Select, KeepsNoMoreKeysThanThereIsRoomFor) {
  Open(3);
  for (size_t ring = 0; ring < 3; ++ring) Write(ring);
  bool told[3] = {false, false, false};
  for (int round = 0; round < 3; ++round) {
    uint64_t key = 9;
    size_t count = 0;
    ASSERT_EQ(qads_selector_wait(selector_->handle(), -1, &key, 1, &count), QADS_OK);
    EXPECT_EQ(count, 3u);
    told[key] = true;
  }
  EXPECT_TRUE(told[0] && told[1] && told[2]) << "each comes first in its turn";
}

TEST_F(Select, WaitForConditionReadsUpToTheFrameThatFits) {
  Open(1);
  Write(0, 10);
  Write(0, 200);
  const auto is_large = [](const Frame& frame) { return frame.num_rows() > 100; };
  ASSERT_VALUE(auto found, readers_[0].WaitForCondition(is_large, kSoon));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->num_rows(), 200u);
  EXPECT_EQ(readers_[0].GetStats().reads_count, 2u) << "the frame before it has been read";
  found.reset();
  Write(0, 10);
  ASSERT_VALUE(auto none, readers_[0].WaitForCondition(is_large, milliseconds(5)));
  EXPECT_FALSE(none.has_value());
  EXPECT_EQ(readers_[0].GetStats().reads_count, 3u);
  ASSERT_TRUE(writers_[0].Close().has_value());
  EXPECT_KIND(kEndOfStream, readers_[0].WaitForCondition(is_large));
}

}  // namespace
}  // namespace qadataswap
