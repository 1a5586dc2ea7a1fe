/// \file
/// What tests with Arrow C++ share.
#ifndef QADATASWAP_TESTS_ARROW_TEST_BASE_H
#define QADATASWAP_TESTS_ARROW_TEST_BASE_H

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "qadataswap/shared_dataframe.h"
#include "ring_test_base.h"

namespace qadataswap {

/// That a status or a result is well.
#define ASSERT_OK(EXPRESSION)                                                 \
  do {                                                                        \
    const auto& ok_value = (EXPRESSION);                                      \
    ASSERT_TRUE(ok_value.ok()) << AsStatus(ok_value).ToString();              \
  } while (false)
#define ASSERT_RESULT_IMPL(RESULT, LEFT, RIGHT)                               \
  auto RESULT = (RIGHT);                                                      \
  ASSERT_TRUE(RESULT.ok()) << RESULT.status().ToString();                     \
  LEFT = std::move(RESULT).ValueOrDie()
/// `ASSERT_RESULT(auto reader, SharedDataFrame::CreateReader(name));`
#define ASSERT_RESULT(LEFT, RIGHT) ASSERT_RESULT_IMPL(QADATASWAP_TEST_CONCAT(result_, __LINE__), LEFT, RIGHT)

inline const arrow::Status& AsStatus(const arrow::Status& status) { return status; }
template <typename T>
const arrow::Status& AsStatus(const arrow::Result<T>& result) {
  return result.status();
}

/// The kind of an error's name, or what there is instead.
template <typename StatusOrResult>
std::string KindOf(const StatusOrResult& value) {
  const arrow::Status& status = AsStatus(value);
  const auto kind = ErrorKindOf(status);
  return kind ? ErrorKindName(*kind) : status.ToString();
}

/// That every buffer of an array, with those below it, lies between these addresses.
inline void ExpectWithin(const arrow::ArrayData& data, Span<const uint8_t> bytes) {
  for (const auto& buffer : data.buffers) {
    if (buffer == nullptr || buffer->size() == 0) continue;
    EXPECT_GE(buffer->data(), bytes.begin()) << data.type->ToString();
    EXPECT_LE(buffer->data() + buffer->size(), bytes.end()) << data.type->ToString();
  }
  for (const auto& child : data.child_data) ExpectWithin(*child, bytes);
  if (data.dictionary != nullptr) ExpectWithin(*data.dictionary, bytes);
}

/// The same of a table.
inline void ExpectWithin(const arrow::Table& table, Span<const uint8_t> bytes) {
  for (const auto& column : table.columns()) {
    for (const auto& chunk : column->chunks()) ExpectWithin(*chunk->data(), bytes);
  }
}

/// A table of `rows` rows: `n`, the numbers from `first` on, and `s`, these as text.
inline std::shared_ptr<arrow::Table> NumberedTable(int64_t rows, int64_t first = 0) {
  arrow::Int64Builder numbers;
  arrow::StringBuilder texts;
  for (int64_t i = first; i < first + rows; ++i) {
    EXPECT_TRUE(numbers.Append(i).ok());
    EXPECT_TRUE(texts.Append(std::to_string(i)).ok());
  }
  return arrow::Table::Make(arrow::schema({arrow::field("n", arrow::int64()), arrow::field("s", arrow::utf8())}),
                            {numbers.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
}

/// A writer and a reader of one ring.
class DataFrames : public RingTest {
 protected:
  void SetUp() override { Open({}); }

  void Open(const WriterOptions& options, const ReaderOptions& reading = {}) {
    reader_.reset();
    writer_.reset();
    name_ = NewName();
    WriterOptions small = options;
    if (small.slot_bytes == 0) small.slot_bytes = 1 << 18;
    ASSERT_RESULT(writer_, SharedDataFrame::CreateWriter(name_, small));
    ASSERT_RESULT(reader_, SharedDataFrame::CreateReader(name_, reading));
  }

  void TearDown() override {
    reader_.reset();
    writer_.reset();
    Forget(name_);
    RingTest::TearDown();
  }

  /// The next frame, which must come.
  Frame NextFrame() {
    auto frame = reader_->ReadFrame(kSoon);
    EXPECT_TRUE(frame.ok()) << frame.status().ToString();
    EXPECT_TRUE(frame->has_value()) << "timed out";
    return *std::move(frame).ValueOrDie();
  }

  std::string name_;
  std::optional<SharedDataFrame> writer_;
  std::optional<SharedDataFrame> reader_;
};

}  // namespace qadataswap

#endif  // QADATASWAP_TESTS_ARROW_TEST_BASE_H
