// A strategy: follows the feed handler's ticks, keeps one-second bars and the volume-weighted average price of every
// symbol, and says how late it was. It reads the columns where the feed handler wrote them.
//
//   ./feed_handler        in another terminal, before or after
//   ./strategy [ring]     "ticks" unless given; ends with the feed
#include <qadataswap/ring.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

namespace {

/// Open, high, low, close and volume of one second, and the sum of price times volume over all of them.
struct Bars {
  int64_t second = 0;
  double open = 0, high = 0, low = 0, close = 0;
  int64_t volume = 0;
  int64_t bars = 0;
  double total_value = 0;
  int64_t total_volume = 0;

  void Add(int64_t at, double price, int64_t size) {
    if (at != second) {
      second = at;
      open = high = low = price;
      volume = 0;
      ++bars;
    }
    high = std::max(high, price);
    low = std::min(low, price);
    close = price;
    volume += size;
    total_value += price * static_cast<double>(size);
    total_volume += size;
  }

  double Vwap() const { return total_volume == 0 ? 0 : total_value / static_cast<double>(total_volume); }
};

int Fail(const qadataswap::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string ring = argc > 1 ? argv[1] : "ticks";

  qadataswap::ReaderOptions options;
  options.policy = qadataswap::ReaderPolicy::kLossy;  // the feed waits for nobody
  options.attach_timeout = std::chrono::seconds(30);
  // With a core of its own: options.wait = qadataswap::WaitStrategy::kSpin;
  auto reader = qadataswap::Reader::Open(ring, options);
  if (!reader) return Fail(reader.error());

  // Found by name once, not for each frame.
  qadataswap::ColumnRef<int64_t> time("time"), volume("volume");
  qadataswap::ColumnRef<std::string_view> symbol("symbol");
  qadataswap::ColumnRef<double> price("price");

  std::map<std::string, Bars, std::less<>> bars;
  std::chrono::nanoseconds latest{0};
  while (true) {
    auto read = reader->ReadFrame();
    if (!read) {
      if (read.error().kind == qadataswap::ErrorKind::kEndOfStream) break;
      return Fail(read.error());
    }
    qadataswap::Frame& frame = **read;  // there is one: this read waits for as long as it takes
    const auto times = time.In(frame);
    const auto symbols = symbol.In(frame);
    const auto prices = price.In(frame);
    const auto volumes = volume.In(frame);
    if (!times) return Fail(times.error());
    if (!symbols) return Fail(symbols.error());
    if (!prices) return Fail(prices.error());
    if (!volumes) return Fail(volumes.error());
    for (size_t row = 0; row < times->size(); ++row) {
      auto found = bars.find((*symbols)[row]);
      if (found == bars.end()) found = bars.emplace((*symbols)[row], Bars{}).first;
      found->second.Add((*times)[row] / 1'000'000'000, (*prices)[row], (*volumes)[row]);
    }
    latest = std::max(latest, frame.age());
  }

  for (const auto& [name, bar] : bars) {
    std::printf("%-8s %3lld bars, last %.2f %.2f %.2f %.2f, vwap %.3f of %lld\n", name.c_str(),
                static_cast<long long>(bar.bars), bar.open, bar.high, bar.low, bar.close, bar.Vwap(),
                static_cast<long long>(bar.total_volume));
  }
  const qadataswap::Stats stats = reader->GetStats();
  std::printf("read %llu packets, missed %llu, copied %llu bytes, oldest when read %.1f us\n",
              static_cast<unsigned long long>(stats.reads_count),
              static_cast<unsigned long long>(stats.frames_missed),
              static_cast<unsigned long long>(stats.bytes_copied), static_cast<double>(latest.count()) / 1000);
  return 0;
}
