// The C++ lines of the README, as they stand there, inside a program.
//
//   ./client_readme
#include <arrow/api.h>

#include <cstdio>

#include <qadataswap/shared_dataframe.h>

// The README's lines drop the result of Write(), which Arrow warns of. A program looks at it: a table that was not
// written is lost.
#pragma GCC diagnostic ignored "-Wunused-result"

static arrow::Result<std::shared_ptr<arrow::Table>> MakeTable() {
  arrow::Int64Builder a;
  arrow::DoubleBuilder b;
  ARROW_RETURN_NOT_OK(a.AppendValues({1, 2, 3}));
  ARROW_RETURN_NOT_OK(b.AppendValues({4.0, 5.0, 6.0}));
  ARROW_ASSIGN_OR_RAISE(auto left, a.Finish());
  ARROW_ASSIGN_OR_RAISE(auto right, b.Finish());
  const auto schema = arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::float64())});
  return arrow::Table::Make(schema, {left, right});
}

static std::shared_ptr<arrow::Table> create_arrow_table() { return MakeTable().ValueOrDie(); }

static arrow::Result<qadataswap::SharedDataFrame> Write() {
  auto writer = qadataswap::SharedDataFrame::CreateWriter("mydata", 100 * 1024 * 1024);
  auto table = create_arrow_table();  // 您的Arrow表
  writer->Write(table);
  return writer;
}

static std::shared_ptr<arrow::Table> Read() {
  auto reader = qadataswap::SharedDataFrame::CreateReader("mydata");
  auto result = reader->Read();
  auto table = result.ValueOrDie();
  return table;
}

int main() {
  const auto writer = Write();
  const auto table = Read();
  std::printf("%s\n", table->ToString().c_str());
  return table->Equals(*create_arrow_table()) ? 0 : 1;
}
