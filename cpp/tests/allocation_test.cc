// What is done for every frame takes no memory from the heap, once it has been done before.
#include <arrow/api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string_view>

#include "arrow_test_base.h"

namespace {

/// Allocations of this program's C++, that of Arrow among it, since the start.
std::atomic<size_t> allocations{0};

void* Allocate(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace qadataswap {
namespace {

class Allocations : public DataFrames {
 protected:
  /// How many allocations `act` makes when it is done for the fourth time.
  template <typename Act>
  static size_t Count(Act&& act) {
    for (int i = 0; i < 3; ++i) act();
    const size_t before = allocations;
    act();
    return allocations - before;
  }
};

TEST_F(Allocations, AreCounted) {
  EXPECT_GT(Count([&] { NumberedTable(3); }), 0u);
}

TEST_F(Allocations, WriteOfATableMakesNone) {
  reader_.reset();
  const auto table = NumberedTable(100);
  bool ok = true;
  EXPECT_EQ(Count([&] { ok = writer_->Write(*table).ok() && ok; }), 0u);
  EXPECT_TRUE(ok);
}

TEST_F(Allocations, WriteOfASchemaSeenBeforeMakesNone) {
  reader_.reset();
  const auto one = NumberedTable(100);
  const auto other = one->SelectColumns({0}).ValueOrDie();
  bool ok = true;
  EXPECT_EQ(Count([&] { ok = writer_->Write(*one).ok() && writer_->Write(*other).ok() && ok; }), 0u);
  EXPECT_TRUE(ok);
}

TEST_F(Allocations, ReadOfTypedColumnsMakesNone) {
  const auto table = NumberedTable(100);
  Reader& reader = *reader_->reader();
  ColumnRef<int64_t> numbers("n");
  ColumnRef<std::string_view> texts("s");
  bool ok = true;
  EXPECT_EQ(Count([&] {
              ok = writer_->Write(*table).ok() && ok;
              auto frame = reader.ReadFrame(kSoon);
              ok = frame && *frame && (*numbers.In(**frame))[42] == 42 && (*texts.In(**frame))[42] == "42" && ok;
            }),
            0u);
  EXPECT_TRUE(ok);
}

TEST_F(Allocations, LoanMakesNone) {
  reader_.reset();
  Writer& writer = *writer_->writer();
  const Schema schema = *Schema::Make({{"price", kFloat64, false}, {"symbol", kUtf8View}});
  bool ok = true;
  EXPECT_EQ(Count([&] {
              auto loan = writer.Loan(schema, 10);
              (*loan->Column<double>("price"))[0] = 1;
              ok = loan->Texts("symbol")->Set(0, "ESZ6").has_value() && loan->Commit(1).has_value() && ok;
            }),
            0u);
  EXPECT_TRUE(ok);
}

}  // namespace
}  // namespace qadataswap
