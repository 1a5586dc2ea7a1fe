#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "roles.h"

namespace qadataswap::actor {
namespace {

/// However busy the machine is.
constexpr std::chrono::seconds kPatience{30};

/// Tables, each of which is an Arrow IPC stream, one after the other in a file.
class TableFile {
 public:
  static arrow::Result<TableFile> Open(const std::string& path) {
    ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(path));
    ARROW_ASSIGN_OR_RAISE(const int64_t size, file->GetSize());
    return TableFile(std::move(file), size);
  }

  /// The next one's schema, and its batches; null at the end.
  arrow::Result<std::shared_ptr<arrow::Schema>> Next(std::vector<std::shared_ptr<arrow::RecordBatch>>* batches) {
    batches->clear();
    ARROW_ASSIGN_OR_RAISE(const int64_t at, file_->Tell());
    if (at == size_) return nullptr;
    ARROW_ASSIGN_OR_RAISE(auto stream, arrow::ipc::RecordBatchStreamReader::Open(file_.get()));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto batch, stream->Next());
      if (batch == nullptr) return stream->schema();
      batches->push_back(std::move(batch));
    }
  }

 private:
  TableFile(std::shared_ptr<arrow::io::ReadableFile> file, int64_t size) : file_(std::move(file)), size_(size) {}

  std::shared_ptr<arrow::io::ReadableFile> file_;
  int64_t size_;
};

/// That every buffer of an array, with those below it, lies between these addresses.
arrow::Status CheckWithin(const arrow::ArrayData& data, Span<const uint8_t> bytes) {
  for (const auto& buffer : data.buffers) {
    if (buffer == nullptr || buffer->size() == 0) continue;
    if (buffer->data() < bytes.begin() || buffer->data() + buffer->size() > bytes.end()) {
      return arrow::Status::Invalid("a buffer of ", data.type->ToString(), " lies outside the slot");
    }
  }
  for (const auto& child : data.child_data) ARROW_RETURN_NOT_OK(CheckWithin(*child, bytes));
  return data.dictionary == nullptr ? arrow::Status::OK() : CheckWithin(*data.dictionary, bytes);
}

arrow::Status About(const std::string& what, const arrow::Status& status) {
  return status.ok() ? status : status.WithMessage(what, ": ", status.message());
}

/// That a table equals another, chunk by chunk, and says of itself that all is well.
arrow::Status CheckEqual(const arrow::Table& got, const arrow::Table& expected) {
  ARROW_RETURN_NOT_OK(About("as read from the ring", got.ValidateFull()));
  if (!got.schema()->Equals(*expected.schema(), /*check_metadata=*/true)) {
    return arrow::Status::Invalid("schema ", got.schema()->ToString(true), "\ninstead of ",
                                  expected.schema()->ToString(true));
  }
  if (got.num_rows() != expected.num_rows()) {
    return arrow::Status::Invalid(got.num_rows(), " rows instead of ", expected.num_rows());
  }
  for (int i = 0; i < expected.num_columns(); ++i) {
    const arrow::ChunkedArray &left = *got.column(i), &right = *expected.column(i);
    bool is_equal = left.num_chunks() == right.num_chunks();
    for (int chunk = 0; is_equal && chunk < right.num_chunks(); ++chunk) {
      is_equal = left.chunk(chunk)->Equals(right.chunk(chunk));
    }
    if (!is_equal) {
      return arrow::Status::Invalid("column '", expected.field(i)->name(), "' is ", left.ToString(), "\ninstead of ",
                                    right.ToString());
    }
  }
  if (!got.Equals(expected, /*check_metadata=*/true)) return arrow::Status::Invalid("the tables differ");
  return arrow::Status::OK();
}

arrow::Status InTable(uint64_t number, const arrow::Status& status) {
  return About("table " + std::to_string(number), status);
}

}  // namespace

arrow::Status Echo(const Role& role) {
  ARROW_ASSIGN_OR_RAISE(SharedDataFrame reader, role.ring.OpenReader());
  ARROW_ASSIGN_OR_RAISE(SharedDataFrame writer, role.to.OpenWriter());
  SayOpen(0, 0);
  for (const auto& table : reader) {
    ARROW_RETURN_NOT_OK(table.status());
    ARROW_RETURN_NOT_OK(writer.Write(*table));
  }
  return writer.Close();
}

arrow::Status Compare(const Role& role) {
  ARROW_ASSIGN_OR_RAISE(TableFile file, TableFile::Open(role.file));
  std::shared_ptr<arrow::Table> last, last_expected;
  Tally tally;
  {
    ARROW_ASSIGN_OR_RAISE(SharedDataFrame reader, role.ring.OpenReader());
    SayOpen(0, 0);
    // What is compressed has to be unpacked somewhere else.
    const bool is_in_place = role.ring.writing.compression == Compression::kNone;
    auto compare = [&](const Frame& frame) -> arrow::Status {
      std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
      auto next = file.Next(&batches);
      ARROW_RETURN_NOT_OK(About("as read from the file", next.status()));
      const auto& schema = *next;
      if (schema == nullptr) return arrow::Status::Invalid("the ring has more tables than the file");
      ARROW_ASSIGN_OR_RAISE(last_expected, arrow::Table::FromRecordBatches(schema, batches));
      ARROW_ASSIGN_OR_RAISE(last, reader.ToTable(frame));
      ARROW_RETURN_NOT_OK(CheckEqual(*last, *last_expected));
      if (frame.num_batches() != batches.size()) {
        return arrow::Status::Invalid(frame.num_batches(), " batches instead of ", batches.size());
      }
      if (!is_in_place) return arrow::Status::OK();
      for (const auto& column : last->columns()) {
        for (const auto& chunk : column->chunks()) ARROW_RETURN_NOT_OK(CheckWithin(*chunk->data(), frame.bytes()));
      }
      if (frame.bytes_copied() > 0) return arrow::Status::Invalid(frame.bytes_copied(), " bytes were copied");
      return arrow::Status::OK();
    };
    while (true) {
      auto frame = reader.ReadFrame(kPatience);
      if (ErrorKindOf(frame.status()) == ErrorKind::kEndOfStream) break;
      ARROW_RETURN_NOT_OK(InTable(tally.read, frame.status()));
      if (!frame->has_value()) return arrow::Status::Invalid("no table ", tally.read);
      ARROW_RETURN_NOT_OK(InTable(tally.read, compare(**frame)));
      if (!tally.first) tally.first = (*frame)->sequence();
      tally.last = (*frame)->sequence();
      ++tally.read;
    }
    if (is_in_place && reader.GetStats().bytes_copied > 0) return arrow::Status::Invalid("bytes were copied");
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    ARROW_ASSIGN_OR_RAISE(auto more, file.Next(&batches));
    if (more != nullptr) return arrow::Status::Invalid("the ring has only ", tally.read, " of the file's tables");
  }
  SayEnded(tally);
  WaitForEnd();
  // Reader and writer are gone; the last table is not.
  return last == nullptr ? arrow::Status::OK() : InTable(tally.read - 1, CheckEqual(*last, *last_expected));
}

arrow::Status Emit(const Role& role) {
  ARROW_ASSIGN_OR_RAISE(TableFile file, TableFile::Open(role.file));
  ARROW_ASSIGN_OR_RAISE(SharedDataFrame writer, role.ring.OpenWriter());
  SayOpen(writer.GetStats().frames_published, 0);
  WaitForLine();
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (uint64_t number = 0;; ++number) {
    auto schema = file.Next(&batches);
    ARROW_RETURN_NOT_OK(InTable(number, schema.status()));
    if (*schema == nullptr) return writer.Close();
    auto table = arrow::Table::FromRecordBatches(*schema, batches);
    ARROW_RETURN_NOT_OK(InTable(number, table.status()));
    ARROW_RETURN_NOT_OK(InTable(number, writer.Write(**table).status()));
  }
}

}  // namespace qadataswap::actor
