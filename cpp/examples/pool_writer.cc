// Ordinary Arrow builders whose memory lies in shared memory: the table is published where it was built.
//
//   ./pool_writer
#include <arrow/api.h>
#include <qadataswap/shared_dataframe.h>

#include <unistd.h>

#include <cstdio>
#include <string>

namespace {

arrow::Result<std::shared_ptr<arrow::Table>> Build(arrow::MemoryPool* pool, int64_t rows) {
  arrow::Int64Builder ids(pool);
  arrow::DoubleBuilder prices(pool);
  arrow::StringViewBuilder names(pool);
  // Reserving spares the builders from moving as they grow.
  ARROW_RETURN_NOT_OK(ids.Reserve(rows));
  ARROW_RETURN_NOT_OK(prices.Reserve(rows));
  ARROW_RETURN_NOT_OK(names.Reserve(rows));
  for (int64_t i = 0; i < rows; ++i) {
    ids.UnsafeAppend(i);
    prices.UnsafeAppend(100 + 0.25 * static_cast<double>(i % 40));
    ARROW_RETURN_NOT_OK(names.Append("instrument number " + std::to_string(i)));
  }
  ARROW_ASSIGN_OR_RAISE(auto id, ids.Finish());
  ARROW_ASSIGN_OR_RAISE(auto price, prices.Finish());
  ARROW_ASSIGN_OR_RAISE(auto name, names.Finish());
  const auto schema = arrow::schema({arrow::field("id", id->type()), arrow::field("price", price->type()),
                                     arrow::field("name", name->type())});
  return arrow::Table::Make(schema, {id, price, name});
}

const void* AddressOf(const arrow::Table& table, int column) {
  return table.column(column)->chunk(0)->data()->buffers[1]->data();
}

arrow::Status Run() {
  const std::string ring = "pool-writer-" + std::to_string(getpid());
  ARROW_ASSIGN_OR_RAISE(auto writer, qadataswap::SharedDataFrame::CreateWriter(ring));
  ARROW_ASSIGN_OR_RAISE(auto reader, qadataswap::SharedDataFrame::CreateReader(ring));
  for (int round = 0; round < 3; ++round) {
    ARROW_ASSIGN_OR_RAISE(auto built, Build(writer.memory_pool(), 100000));
    ARROW_RETURN_NOT_OK(writer.Write(built));
    ARROW_ASSIGN_OR_RAISE(auto read, reader.Read());
    // The same memory at two addresses: the reader maps the ring on its own, and read-only.
    for (int column = 0; column < built->num_columns(); ++column) {
      std::printf("%-6s built at %p, read at %p\n", built->field(column)->name().c_str(), AddressOf(*built, column),
                  AddressOf(*read, column));
    }
    if (!read->Equals(*built)) return arrow::Status::UnknownError("read something else than was written");
    std::printf("%llu bytes written, %llu of them in place\n",
                static_cast<unsigned long long>(writer.GetStats().bytes_written),
                static_cast<unsigned long long>(writer.GetStats().bytes_in_place));
  }
  return arrow::Status::OK();
}

}  // namespace

int main() {
  const arrow::Status status = Run();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
