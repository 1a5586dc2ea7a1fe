// A feed handler: takes ticks as they come in packets and publishes each packet as a frame, built where it will be
// read. It never waits for a strategy: one that is too slow learns how much it has missed.
//
//   ./feed_handler [ring] [packets]     about 1,000 packets a second; "ticks" and 5,000 unless given
//   ./strategy [ring]                   in other terminals, as many as you like
#include <qadataswap/ring.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

/// A trade, as the exchange's protocol gives it.
struct Tick {
  std::string_view symbol;
  double price;
  int64_t volume;
};

/// Stands for the network: packets of one to eight trades, prices that wander.
class Exchange {
 public:
  const std::vector<Tick>& NextPacket() {
    packet_.clear();
    for (size_t i = 0, count = 1 + random_() % 8; i < count; ++i) {
      Instrument& instrument = instruments_[random_() % instruments_.size()];
      instrument.price += (static_cast<double>(random_() % 3) - 1) * 0.25;
      packet_.push_back(Tick{instrument.symbol, instrument.price, static_cast<int64_t>(1 + random_() % 100)});
    }
    return packet_;
  }

 private:
  struct Instrument {
    std::string symbol;
    double price;
  };

  std::minstd_rand random_{1};
  std::vector<Instrument> instruments_{{"ESZ6", 5000}, {"NQZ6", 18000}, {"IF2612", 3900}};
  std::vector<Tick> packet_;
};

int64_t NowNanoseconds() {
  std::timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int Fail(const qadataswap::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

/// Publishes one packet.
qadataswap::Expected<uint64_t> Publish(qadataswap::Writer& writer, const qadataswap::Schema& schema,
                                       const std::vector<Tick>& packet) {
  auto loan = writer.Loan(schema, packet.size());
  if (!loan) return loan.error();
  // The columns are those of the schema below; an error here would be a mistake in this file.
  auto times = *loan->Column<int64_t>(0);
  auto symbols = *loan->Texts(1);
  auto prices = *loan->Column<double>(2);
  auto volumes = *loan->Column<int64_t>(3);
  const int64_t now = NowNanoseconds();
  for (size_t row = 0; row < packet.size(); ++row) {
    times[row] = now;
    // Up to twelve bytes need no room for long values.
    if (auto set = symbols.Set(row, packet[row].symbol); !set) return set.error();
    prices[row] = packet[row].price;
    volumes[row] = packet[row].volume;
  }
  return loan->Commit(packet.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string ring = argc > 1 ? argv[1] : "ticks";
  const int packets = argc > 2 ? std::atoi(argv[2]) : 5000;

  const auto schema = qadataswap::Schema::Make({{"time", qadataswap::TimestampFormat('n', "UTC"), false},
                                                {"symbol", qadataswap::kUtf8View, false},
                                                {"price", qadataswap::kFloat64, false},
                                                {"volume", qadataswap::kInt64, false}});
  if (!schema) return Fail(schema.error());
  qadataswap::WriterOptions options;
  options.slot_bytes = 64 << 10;
  options.buffer_count = 1024;
  options.when_full = qadataswap::WhenFull::kOverwrite;
  auto writer = qadataswap::Writer::Open(ring, options);
  if (!writer) return Fail(writer.error());

  Exchange exchange;
  auto next = std::chrono::steady_clock::now();
  for (int i = 0; i < packets; ++i) {
    std::this_thread::sleep_until(next += std::chrono::milliseconds(1));
    if (auto sequence = Publish(*writer, *schema, exchange.NextPacket()); !sequence) return Fail(sequence.error());
  }
  const qadataswap::Stats stats = writer->GetStats();
  std::printf("published %llu packets, %llu ticks, %llu bytes\n", static_cast<unsigned long long>(stats.writes_count),
              static_cast<unsigned long long>(stats.rows_written),
              static_cast<unsigned long long>(stats.bytes_written));
  return 0;
}
