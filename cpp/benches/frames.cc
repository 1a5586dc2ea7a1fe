// What a frame costs in C++, step by step, in one process: the counterpart of the Rust bench that starts it.
//
//   frames ROWS TURNS
//
// The table is that of benches/src/lib.rs: time, bid, ask, size, symbol (string views of at most 12 bytes). Every line
// is a step: its name, then the median and the 99th percentile in nanoseconds, the timer included, between tabs.

#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <qadataswap/shared_dataframe.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

// Durations of one step.
class Samples {
 public:
  explicit Samples(const char* name) : name_(name) {}

  template <typename Step>
  auto Time(Step&& step) {
    const auto started = Clock::now();
    auto result = step();
    taken_.push_back((Clock::now() - started).count());
    return result;
  }

  void Print() {
    std::sort(taken_.begin(), taken_.end());
    std::printf("%s\t%lld\t%lld\n", name_, At(0.5), At(0.99));
  }

 private:
  long long At(double share) const { return taken_[static_cast<size_t>(share * double(taken_.size() - 1) + 0.5)]; }

  const char* name_;
  std::vector<long long> taken_;
};

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Quotes(int64_t rows) {
  arrow::Int64Builder ts, size;
  arrow::DoubleBuilder bid, ask;
  arrow::StringViewBuilder symbol;
  for (int64_t row = 0; row < rows; ++row) {
    ARROW_RETURN_NOT_OK(ts.Append(row));
    ARROW_RETURN_NOT_OK(bid.Append(double(row) / 4));
    ARROW_RETURN_NOT_OK(ask.Append(double(row) / 4));
    ARROW_RETURN_NOT_OK(size.Append(row));
    ARROW_RETURN_NOT_OK(symbol.Append("ES" + std::to_string(row % 100)));
  }
  arrow::ArrayVector columns(5);
  arrow::ArrayBuilder* builders[] = {&ts, &bid, &ask, &size, &symbol};
  for (size_t at = 0; at < columns.size(); ++at) ARROW_RETURN_NOT_OK(builders[at]->Finish(&columns[at]));
  auto schema = arrow::schema({arrow::field("ts", arrow::int64(), false), arrow::field("bid", arrow::float64(), false),
                               arrow::field("ask", arrow::float64(), false), arrow::field("size", arrow::int64(), false),
                               arrow::field("symbol", arrow::utf8_view(), false)});
  return arrow::RecordBatch::Make(schema, rows, columns);
}

// The frame that was just written, which must be there.
template <typename Read>
auto There(Read&& read) {
  if (!read.ok() || !*read) {
    std::fprintf(stderr, "frames: a frame is missing: %s\n", read.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(read);
}

arrow::Status Run(int64_t rows, int turns) {
  constexpr std::chrono::nanoseconds kNow{0};
  ARROW_ASSIGN_OR_RAISE(auto batch, Quotes(rows));
  ARROW_ASSIGN_OR_RAISE(auto table, arrow::Table::FromRecordBatches({batch}));
  const std::string name = "bench-cpp-" + std::to_string(getpid());
  qadataswap::WriterOptions options;
  options.slot_bytes = std::max<uint64_t>(static_cast<uint64_t>(rows) * 64, 8 << 10);
  options.prefault = true;
  ARROW_ASSIGN_OR_RAISE(auto writer, qadataswap::SharedDataFrame::CreateWriter(name, options));
  ARROW_ASSIGN_OR_RAISE(auto reader, qadataswap::SharedDataFrame::CreateReader(name));

  // It works, before it is timed: every slot once, which also warms it.
  for (int turn = 0; turn < 6; ++turn) {
    ARROW_RETURN_NOT_OK(writer.Write(*batch));
    const auto same = There(reader.Read(kNow));
    if (!same->Equals(*table)) return arrow::Status::Invalid("what was read is not what was written");
  }

  // The C interface alone, on a ring of its own: structs as a program without Arrow C++ has them.
  ARROW_ASSIGN_OR_RAISE(auto plain_writer, qadataswap::SharedDataFrame::CreateWriter(name + "-c", options));
  ARROW_ASSIGN_OR_RAISE(auto plain_reader, qadataswap::SharedDataFrame::CreateReader(name + "-c"));
  ArrowArray c_batch;
  ArrowSchema c_schema;
  ARROW_RETURN_NOT_OK(arrow::ExportRecordBatch(*batch, &c_batch, &c_schema));
  qads_schema* schema = nullptr;
  if (qads_schema_import(&c_schema, &schema) != QADS_OK) return arrow::Status::Invalid(qads_last_error());
  const ArrowArray* batches[] = {&c_batch};
  qads_writer* c_writer = plain_writer.writer()->handle();
  qads_reader* c_reader = plain_reader.reader()->handle();

  Samples write("Write(RecordBatch)"), write_table("Write(Table)"), c_write("qads_write");
  Samples read("ReadBatch"), read_table("Read to a Table"), read_column("ReadFrame and one Column"),
      c_read("qads_read and qads_frame_export");
  Samples let_go("drop the batch and its lease");
  qadataswap::ColumnRef<double> bid("bid");
  double sum = 0;
  // Each pair of steps in a loop of its own, as a program that does nothing else: caches and branches are its own.
  for (int turn = 0; turn < turns; ++turn) {
    ARROW_RETURN_NOT_OK(write.Time([&] { return writer.Write(*batch); }));
    auto got = There(read.Time([&] { return reader.ReadBatch(kNow); }));
    let_go.Time([&] { return got.reset(), 0; });
  }
  for (int turn = 0; turn < turns; ++turn) {
    ARROW_RETURN_NOT_OK(write_table.Time([&] { return writer.Write(*table); }));
    There(read_table.Time([&] { return reader.Read(kNow); }));
  }
  for (int turn = 0; turn < turns; ++turn) {
    ARROW_RETURN_NOT_OK(writer.Write(*batch));
    sum += read_column.Time([&] {
      auto there = There(reader.ReadFrame(kNow));
      return (*bid.In(*there))[0];
    });
  }
  for (int turn = 0; turn < turns; ++turn) {
    if (c_write.Time([&] { return qads_write(c_writer, schema, batches, 1, nullptr); }) != QADS_OK) {
      return arrow::Status::IOError(qads_last_error());
    }
    ArrowArray out;
    qads_frame* frame = nullptr;
    const int status = c_read.Time([&] {
      const int there = qads_read_within(c_reader, 0, &frame);
      return there != QADS_OK ? there : qads_frame_export(frame, 0, &out, nullptr);
    });
    if (status != QADS_OK) return arrow::Status::IOError("a frame is missing");
    out.release(&out);
    qads_frame_free(frame);
  }
  if (sum != 0) return arrow::Status::Invalid("the first bid is not 0");
  qads_schema_free(schema);
  c_batch.release(&c_batch);
  c_schema.release(&c_schema);
  if (reader.GetStats().bytes_copied + plain_reader.GetStats().bytes_copied != 0) return arrow::Status::Invalid("reading has copied");
  for (auto* samples : {&write, &write_table, &c_write, &read, &read_table, &read_column, &c_read, &let_go}) {
    samples->Print();
  }
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s ROWS TURNS\n", argv[0]);
    return 2;
  }
  const arrow::Status status = Run(std::atoll(argv[1]), std::atoi(argv[2]));
  if (!status.ok()) std::fprintf(stderr, "frames: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
