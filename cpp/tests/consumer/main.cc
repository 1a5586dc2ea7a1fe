// Writes an Arrow table into a ring and reads it back.
#include <qadataswap/shared_dataframe.h>

#include <arrow/api.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

arrow::Result<std::shared_ptr<arrow::Table>> MakeTable() {
  arrow::Int64Builder volumes;
  ARROW_RETURN_NOT_OK(volumes.AppendValues({10, 20, 30}));
  arrow::StringBuilder symbols;
  ARROW_RETURN_NOT_OK(symbols.AppendValues(std::vector<std::string>{"ESZ6", "NQZ6", "CLF7"}));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Array> volume, volumes.Finish());
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Array> symbol, symbols.Finish());
  return arrow::Table::Make(
      arrow::schema({arrow::field("volume", arrow::int64()), arrow::field("symbol", arrow::utf8())}),
      {volume, symbol});
}

arrow::Status Run() {
  const std::string ring = "consumer_" + std::to_string(getpid());
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Table> written, MakeTable());

  ARROW_ASSIGN_OR_RAISE(auto writer, qadataswap::SharedDataFrame::CreateWriter(ring, 1024 * 1024));
  ARROW_ASSIGN_OR_RAISE(auto reader, qadataswap::SharedDataFrame::CreateReader(ring));
  ARROW_RETURN_NOT_OK(writer.Write(written));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Table> read, reader.Read());
  if (read == nullptr || !read->Equals(*written)) return arrow::Status::Invalid("another table came back");
  return arrow::Status::OK();
}

}  // namespace

int main() {
  const arrow::Status status = Run();
  if (!status.ok()) {
    std::cerr << status.ToString() << '\n';
    return 1;
  }
  std::cout << "a table with Arrow " << ARROW_VERSION_STRING << " and C++ " << __cplusplus << '\n';
  return 0;
}
