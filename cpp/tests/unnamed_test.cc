// Rings without a name, handed from process to process.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "qadataswap/ring.h"
#include "ring_test_base.h"

namespace qadataswap {
namespace {

/// A descriptor that is closed in the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

WriterOptions Unnamed() {
  WriterOptions options;
  options.slot_bytes = 1 << 16;
  options.buffer_count = 4;
  options.memfd = true;
  return options;
}

Schema Prices() { return *Schema::Make({{"price", kFloat64}}); }

/// Writes one price as a frame.
Expected<uint64_t> WritePrice(Writer& writer, double price) {
  auto loan = writer.Loan(Prices(), 1);
  if (!loan) return std::move(loan).error();
  auto column = loan->Column<double>("price");
  if (!column) return std::move(column).error();
  (*column)[0] = price;
  return loan->Commit(1);
}

class RingWithoutAName : public RingTest {
 protected:
  /// The price of the next frame.
  static double NextPrice(Reader& reader) {
    auto frame = reader.ReadFrame(kSoon);
    EXPECT_TRUE(frame.has_value() && frame->has_value());
    if (!frame || !*frame) return 0;
    auto prices = (**frame).Column<double>("price");
    EXPECT_TRUE(prices.has_value());
    return prices ? (*prices)[0] : 0;
  }
};

TEST_F(RingWithoutAName, SurvivesItsKilledWriterInWhoeverHasItsDescriptor) {
  const std::string name = NewName();
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  Descriptor here(ends[0]);
  Descriptor there(ends[1]);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto writer = Writer::Open(name, Unnamed());
    const bool sent = writer && SendRegion(there.get(), *writer->fd()) && WritePrice(*writer, 1.5);
    if (!sent) _exit(1);
    kill(getpid(), SIGKILL);
  }
  there.Close();
  ASSERT_VALUE(const int fd, ReceiveRegion(here.get()));
  Descriptor region(fd);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_NE(access(("/dev/shm/qads_" + name).c_str(), F_OK), 0);
  EXPECT_EQ(ftruncate(region.get(), 0), -1);
  EXPECT_EQ(errno, EPERM);

  ASSERT_VALUE(Reader reader, Reader::FromFd(name, region.get()));
  EXPECT_EQ(NextPrice(reader), 1.5);
  EXPECT_KIND(kWriterDied, reader.ReadFrame(kSoon));
  ASSERT_VALUE(Writer heir, Writer::FromFd(name, region.get()));
  region.Close();
  ASSERT_TRUE(WritePrice(heir, 2.5).has_value());
  EXPECT_EQ(NextPrice(reader), 2.5);
  // What a reader has can be handed on as well.
  ASSERT_VALUE(Reader another, Reader::FromFd("", *reader.fd()));
  ASSERT_TRUE(heir.Close().has_value());
  EXPECT_KIND(kEndOfStream, reader.ReadFrame(kSoon));
  EXPECT_KIND(kClosed, heir.fd());
  EXPECT_KIND(kIo, ReceiveRegion(here.get()));
}

TEST_F(RingWithoutAName, KeepsItsSizeAndItsOneWriter) {
  ASSERT_VALUE(Writer writer, Writer::Open(NewName(), Unnamed()));
  EXPECT_KIND(kWriterExists, Writer::FromFd("", *writer.fd()));
  Descriptor region(dup(*writer.fd()));
  ASSERT_TRUE(writer.Close().has_value());
  WriterOptions larger = Unnamed();
  larger.buffer_count = 5;
  EXPECT_KIND(kInvalidConfig, Writer::FromFd("", region.get(), larger));
  EXPECT_TRUE(Writer::FromFd("", region.get()).has_value());
}

TEST_F(RingWithoutAName, IsNotWhatAnyOtherDescriptorIsOf) {
  const std::string name = NewName();
  ASSERT_VALUE(Writer named, Writer::Open(name));
  EXPECT_KIND(kInvalidConfig, named.fd());
  Descriptor unsealed(memfd_create("qads_unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_KIND(kInvalidConfig, Reader::FromFd("", unsealed.get()));
  EXPECT_KIND(kInvalidConfig, Writer::FromFd("", unsealed.get()));
  Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_KIND(kInvalidConfig, Reader::FromFd("", null.get()));
  EXPECT_KIND(kInvalidConfig, Reader::FromFd("", -1));
  const int closed = null.get();
  null.Close();
  EXPECT_KIND(kIo, Reader::FromFd("", closed));
}

}  // namespace
}  // namespace qadataswap
