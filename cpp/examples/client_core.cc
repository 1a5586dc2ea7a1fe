// Python writes, C++ reads: the lines of the Python package's page, as they stand there, inside a program.
//
//   python -c 'import qadataswap, pyarrow as pa
//   writer = qadataswap.create_writer("python_to_cpp")
//   writer.write_arrow(pa.table({"x": [1, 2, 3]}))
//   input("written; Enter to end")'
//   ./client_core read          # in another terminal
//
// Without "read" it writes a table of its own first, and needs no Python.
#include <arrow/api.h>

#include <cstdio>
#include <cstring>

#include "qadataswap_core.h"

static arrow::Status Write(qadataswap::SharedDataFrame& writer) {
  arrow::Int64Builder x;
  ARROW_RETURN_NOT_OK(x.AppendValues({1, 2, 3}));
  ARROW_ASSIGN_OR_RAISE(auto column, x.Finish());
  const auto schema = arrow::schema({arrow::field("x", arrow::int64())});
  return writer.Write(arrow::Table::Make(schema, {column})).status();
}

static void Read() {
  auto reader = qadataswap::CreateSharedDataFrame("python_to_cpp");
  auto table = reader->ReadTable();  // Returns arrow::Table

  std::printf("%s\n", table.ValueOrDie()->ToString().c_str());
}

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "read") == 0) {
    Read();
    return 0;
  }
  auto writer = qadataswap::SharedDataFrame::CreateWriter("python_to_cpp");
  const arrow::Status written = writer.ok() ? Write(*writer) : writer.status();
  if (!written.ok()) {
    std::fprintf(stderr, "%s\n", written.ToString().c_str());
    return 1;
  }
  Read();
  return 0;
}
