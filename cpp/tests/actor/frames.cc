#include "frames.h"

#include <arrow/builder.h>
#include <arrow/type.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace qadataswap::actor {
namespace {

/// A cheap stream of random words: splitmix64, as in `tests/src/frames.rs`.
class Words {
 public:
  explicit Words(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

uint64_t RotateLeft(uint64_t word, int bits) { return (word << bits) | (word >> (64 - bits)); }

/// 1 to 40.
uint64_t CountRows(uint64_t seed, uint64_t sequence) { return 1 + Words(seed ^ RotateLeft(sequence, 32)).Next() % 40; }

std::string Format(const char* format, unsigned long long number) {
  char text[80];
  const int length = std::snprintf(text, sizeof(text), format, number);
  return std::string(text, static_cast<size_t>(length));
}

arrow::Status AppendSymbol(arrow::StringViewBuilder* symbols, uint64_t word) {
  switch (word % 4) {
    case 0:
      return symbols->AppendNull();
    case 1:
      return symbols->Append(std::string("ES"));
    case 2:
      return symbols->Append(Format("%012llu", word % 1000000000000));
    default:
      return symbols->Append(Format("a string that is longer than twelve bytes: %llx", word));
  }
}

arrow::Status AppendNote(arrow::LargeStringBuilder* notes, uint64_t word) {
  if (word % 3 == 0) return notes->AppendNull();
  std::string note;
  for (uint64_t i = 0; i < word % 6; ++i) note += "\xc3\x9f\xe2\x82\xac";
  return notes->Append(note);
}

arrow::Status AppendLevels(arrow::ListBuilder* lists, uint64_t word) {
  ARROW_RETURN_NOT_OK(lists->Append(word % 9 != 0));
  auto& values = static_cast<arrow::Int32Builder&>(*lists->value_builder());
  for (uint64_t level = 0; level < word % 4; ++level) {
    if (level == 1) ARROW_RETURN_NOT_OK(values.AppendNull());
    else ARROW_RETURN_NOT_OK(values.Append(static_cast<int32_t>(word >> level)));
  }
  return arrow::Status::OK();
}

const std::shared_ptr<arrow::Schema>& TheSchema() {
  static const auto schema = arrow::schema({
      arrow::field("sequence", arrow::uint64(), false),
      arrow::field("key", arrow::int64()),
      arrow::field("price", arrow::float64()),
      arrow::field("at", arrow::timestamp(arrow::TimeUnit::NANO, "UTC")),
      arrow::field("flag", arrow::boolean()),
      arrow::field("symbol", arrow::utf8_view()),
      arrow::field("note", arrow::large_utf8()),
      arrow::field("venue", arrow::dictionary(arrow::int32(), arrow::utf8())),
      arrow::field("levels", arrow::list(arrow::int32())),
      arrow::field("digest", arrow::fixed_size_binary(5)),
  });
  return schema;
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatch>> MakeTable(uint64_t seed, uint64_t sequence,
                                                             arrow::MemoryPool* pool) {
  static const char* const kVenues[] = {"XCME", "XNAS", "XLON"};
  const uint64_t rows = CountRows(seed, sequence);
  Words words(RotateLeft(seed, 17) ^ sequence);
  const auto& schema = TheSchema();
  arrow::UInt64Builder sequences(pool);
  arrow::Int64Builder keys(pool);
  arrow::DoubleBuilder prices(pool);
  arrow::TimestampBuilder times(schema->field(3)->type(), pool);
  arrow::BooleanBuilder flags(pool);
  arrow::StringViewBuilder symbols(pool);
  arrow::LargeStringBuilder notes(pool);
  arrow::StringDictionary32Builder venues(pool);
  arrow::ListBuilder levels(pool, std::make_shared<arrow::Int32Builder>(pool));
  arrow::FixedSizeBinaryBuilder digests(schema->field(9)->type(), pool);
  for (uint64_t row = 0; row < rows; ++row) {
    const uint64_t word = words.Next();
    ARROW_RETURN_NOT_OK(sequences.Append(sequence));
    ARROW_RETURN_NOT_OK(word % 7 != 0 ? keys.Append(static_cast<int64_t>(word)) : keys.AppendNull());
    ARROW_RETURN_NOT_OK(prices.Append(static_cast<double>(word >> 11) / 1024.0));
    ARROW_RETURN_NOT_OK(times.Append(static_cast<int64_t>(word >> 2)));
    ARROW_RETURN_NOT_OK(word % 5 != 0 ? flags.Append((word & 64) != 0) : flags.AppendNull());
    ARROW_RETURN_NOT_OK(AppendSymbol(&symbols, word));
    ARROW_RETURN_NOT_OK(AppendNote(&notes, word));
    ARROW_RETURN_NOT_OK(word % 11 != 0 ? venues.Append(kVenues[word % 3]) : venues.AppendNull());
    ARROW_RETURN_NOT_OK(AppendLevels(&levels, word));
    uint8_t digest[5];
    for (int byte = 0; byte < 5; ++byte) digest[byte] = static_cast<uint8_t>(word >> (8 * byte));
    ARROW_RETURN_NOT_OK(digests.Append(digest));
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (arrow::ArrayBuilder* builder : std::initializer_list<arrow::ArrayBuilder*>{
           &sequences, &keys, &prices, &times, &flags, &symbols, &notes, &venues, &levels, &digests}) {
    columns.emplace_back();
    ARROW_RETURN_NOT_OK(builder->Finish(&columns.back()));
  }
  return arrow::RecordBatch::Make(schema, static_cast<int64_t>(rows), std::move(columns));
}

arrow::Status CheckTable(uint64_t seed, uint64_t sequence, const arrow::Table& table) {
  ARROW_ASSIGN_OR_RAISE(auto batch, MakeTable(seed, sequence));
  ARROW_ASSIGN_OR_RAISE(auto expected, arrow::Table::FromRecordBatches({batch}));
  ARROW_RETURN_NOT_OK(table.ValidateFull());
  if (table.Equals(*expected, /*check_metadata=*/true)) return arrow::Status::OK();
  if (!table.schema()->Equals(*expected->schema(), true)) {
    return arrow::Status::Invalid("frame ", sequence, ": schema ", table.schema()->ToString());
  }
  if (table.num_rows() != expected->num_rows()) {
    return arrow::Status::Invalid("frame ", sequence, ": ", table.num_rows(), " rows instead of ",
                                  expected->num_rows());
  }
  for (int i = 0; i < table.num_columns(); ++i) {
    if (!table.column(i)->Equals(expected->column(i))) {
      return arrow::Status::Invalid("frame ", sequence, ": column '", table.field(i)->name(), "' differs");
    }
  }
  return arrow::Status::Invalid("frame ", sequence, " differs");
}

}  // namespace qadataswap::actor
