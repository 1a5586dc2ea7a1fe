#include <arrow/array.h>
#include <arrow/builder.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>

#include "qadataswap/shared_data_stream.h"
#include "roles.h"

namespace qadataswap::actor {
namespace {

/// However busy the machine is.
constexpr std::chrono::seconds kPatience{30};

}  // namespace

arrow::Status Send(const Role& role) {
  WriterOptions options = role.ring.writing;
  options.total_rows = static_cast<uint64_t>(role.rows);
  ARROW_ASSIGN_OR_RAISE(SharedDataStream stream, SharedDataStream::CreateWriter(role.ring.name, options));
  SayOpen(0, 0);
  const auto schema = arrow::schema({arrow::field("n", arrow::int64())});
  for (int64_t next = 0; next < role.rows; next += role.chunk) {
    if (role.fail && next >= role.rows / 2) return stream.Abort("on purpose");
    const int64_t rows = std::min(role.chunk, role.rows - next);
    arrow::Int64Builder builder;
    for (int64_t row = 0; row < rows; ++row) ARROW_RETURN_NOT_OK(builder.Append(next + row));
    ARROW_ASSIGN_OR_RAISE(auto column, builder.Finish());
    ARROW_RETURN_NOT_OK(stream.WriteChunk(arrow::RecordBatch::Make(schema, rows, {column})));
  }
  return stream.Close();
}

arrow::Status Take(const Role& role) {
  ARROW_ASSIGN_OR_RAISE(SharedDataStream stream, SharedDataStream::CreateReader(role.ring.name, role.ring.reading));
  SayOpen(0, 0);
  int64_t next = 0;
  uint64_t aborted = 0;
  while (true) {
    const auto chunk = stream.ReadChunk(kPatience);
    if (ErrorKindOf(chunk.status()) == ErrorKind::kEndOfStream) break;
    if (ErrorKindOf(chunk.status()) == ErrorKind::kAborted) {
      if (chunk.status().message().find("on purpose") == std::string::npos) return chunk.status();
      aborted = 1;
      break;
    }
    ARROW_RETURN_NOT_OK(chunk.status());
    if (*chunk == nullptr) return arrow::Status::Invalid("no chunk came in time");
    const auto numbers = std::dynamic_pointer_cast<arrow::Int64Array>((*chunk)->column(0));
    if (numbers == nullptr) return arrow::Status::TypeError("another type");
    for (int64_t row = 0; row < numbers->length(); ++row, ++next) {
      if (numbers->Value(row) != next) return arrow::Status::Invalid(numbers->Value(row), " instead of ", next);
    }
  }
  ARROW_ASSIGN_OR_RAISE(const Progress progress, stream.GetProgress());
  SayFact("rows", static_cast<uint64_t>(next));
  SayFact("total", progress.total_rows.value_or(0));
  SayFact("aborted", aborted);
  return arrow::Status::OK();
}

}  // namespace qadataswap::actor
