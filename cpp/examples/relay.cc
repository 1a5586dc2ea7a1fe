// Reads every table of one ring and writes it to a ring of its own, then tells what it did as one line of JSON: the C++
// member of `make demo`.
//
//   relay FROM TO [FOLDER]
//
// Its ring has room for 8 frames of up to 16 MiB. It reads nothing before somebody reads its own ring.

#include <arrow/config.h>
#include <qadataswap/shared_dataframe.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{30};

// Buffers by where they lie: inside the slot, or in a copy. Empty ones lie nowhere.
struct Buffers {
  uint64_t inside = 0;
  uint64_t outside = 0;

  void Add(const arrow::ArrayData& array, qadataswap::Span<const uint8_t> slot) {
    for (const auto& buffer : array.buffers) {
      if (buffer == nullptr || buffer->size() == 0) continue;
      const bool lies_inside =
          buffer->data() >= slot.data() && buffer->data() + buffer->size() <= slot.data() + slot.size();
      ++(lies_inside ? inside : outside);
    }
    for (const auto& child : array.child_data) Add(*child, slot);
    if (array.dictionary != nullptr) Add(*array.dictionary, slot);
  }
};

// Durations, of which the median, the 99th percentile and the maximum are told.
class Latencies {
 public:
  void Add(nanoseconds duration) { all_.push_back(duration.count()); }

  std::string Json() {
    std::sort(all_.begin(), all_.end());
    return "{\"count\":" + std::to_string(all_.size()) + ",\"p50_ns\":" + std::to_string(Percentile(50)) +
           ",\"p99_ns\":" + std::to_string(Percentile(99)) + ",\"max_ns\":" + std::to_string(Percentile(100)) + "}";
  }

 private:
  int64_t Percentile(size_t percent) const {
    if (all_.empty()) return 0;
    return all_[(all_.size() * percent + 99) / 100 - 1];
  }

  std::vector<int64_t> all_;
};

arrow::Status Relay(const std::string& from, const std::string& to, const std::string& folder) {
  qadataswap::WriterOptions writing;
  writing.directory = folder;
  writing.buffer_count = 8;
  writing.slot_bytes = 16 << 20;
  writing.write_timeout = kPatience;
  ARROW_ASSIGN_OR_RAISE(auto writer, qadataswap::SharedDataFrame::CreateWriter(to, writing));

  const auto deadline = steady_clock::now() + kPatience;
  while (writer.num_readers() == 0) {
    if (steady_clock::now() > deadline) return arrow::Status::IOError("ring '", to, "': nobody came to read it");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  qadataswap::ReaderOptions reading;
  reading.directory = folder;
  reading.attach_timeout = kPatience;
  ARROW_ASSIGN_OR_RAISE(auto reader, qadataswap::SharedDataFrame::CreateReader(from, reading));

  Buffers buffers;
  Latencies latencies;
  Latencies writes;
  while (true) {
    auto next = reader.ReadFrame(kPatience);
    if (qadataswap::ErrorKindOf(next.status()) == qadataswap::ErrorKind::kEndOfStream) break;
    ARROW_ASSIGN_OR_RAISE(auto frame, std::move(next));
    if (!frame) return arrow::Status::IOError("ring '", from, "': no frame came");
    latencies.Add(frame->age());
    ARROW_ASSIGN_OR_RAISE(auto table, reader.ToTable(*frame));
    for (const auto& column : table->columns()) {
      for (const auto& chunk : column->chunks()) buffers.Add(*chunk->data(), frame->bytes());
    }
    const auto before = steady_clock::now();
    ARROW_RETURN_NOT_OK(writer.Write(*table));
    writes.Add(steady_clock::now() - before);
  }
  const auto read = reader.GetStats();
  const auto written = writer.GetStats();
  ARROW_RETURN_NOT_OK(writer.Close());
  std::printf(
      "{\"about\":\"C++%ld, Arrow %s\",\"pid\":%d,\"frames\":%llu,\"rows\":%llu,\"bytes\":%llu,\"missed\":%llu,"
      "\"bytes_copied\":%llu,\"buffers\":{\"inside\":%llu,\"outside\":%llu},\"latency\":%s,\"write\":%s}\n",
      __cplusplus / 100 % 100, ARROW_VERSION_STRING, static_cast<int>(getpid()),
      static_cast<unsigned long long>(written.writes_count), static_cast<unsigned long long>(read.rows_read),
      static_cast<unsigned long long>(read.bytes_read), static_cast<unsigned long long>(read.frames_missed),
      static_cast<unsigned long long>(read.bytes_copied), static_cast<unsigned long long>(buffers.inside),
      static_cast<unsigned long long>(buffers.outside), latencies.Json().c_str(), writes.Json().c_str());
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: %s FROM TO [FOLDER]\n", argv[0]);
    return 2;
  }
  const arrow::Status status = Relay(argv[1], argv[2], argc > 3 ? argv[3] : "");
  if (!status.ok()) std::fprintf(stderr, "relay: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
