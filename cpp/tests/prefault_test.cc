// What of a ring's memory either end has mapped when it has been opened.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "qadataswap/ring.h"
#include "ring_test_base.h"

namespace qadataswap {
namespace {

using Prefault = RingTest;

/// Bytes in memory of each mapping of a ring's slots in this process, in no order. A writer has mapped the file before it got its name.
std::vector<uint64_t> Resident(const std::string& name) {
  std::vector<uint64_t> resident;
  struct stat file{};
  EXPECT_EQ(stat(("/dev/shm/qads_" + name).c_str(), &file), 0);
  const std::string wanted = std::to_string(file.st_ino);
  std::ifstream maps("/proc/self/smaps");
  bool is_slots = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string first, second, offset, device, inode;
    words >> first >> second >> offset >> device >> inode;
    if (first.find('-') != std::string::npos) {
      // The control part is the file's beginning.
      is_slots = inode == wanted && offset.find_first_not_of('0') != std::string::npos;
    } else if (is_slots && first == "Rss:") {
      resident.push_back(std::stoull(second) << 10);
    }
  }
  return resident;
}

TEST_F(Prefault, BothEndsHaveAllPagesIfTheyAskForThem) {
  const std::string name = NewName();
  WriterOptions writing;
  writing.slot_bytes = 1 << 20;
  writing.buffer_count = 2;
  writing.prefault = true;
  ASSERT_VALUE(const Writer writer, Writer::Open(name, writing));
  const std::vector<uint64_t> whole{2 << 20};
  EXPECT_EQ(Resident(name), whole);
  {
    ASSERT_VALUE(const Reader lazy, Reader::Open(name));
    std::vector<uint64_t> resident = Resident(name);
    ASSERT_EQ(resident.size(), 2u);
    EXPECT_EQ(resident[0] + resident[1], whole[0]);
  }
  ReaderOptions reading;
  reading.prefault = true;
  ASSERT_VALUE(const Reader reader, Reader::Open(name, reading));
  EXPECT_EQ(Resident(name), (std::vector<uint64_t>{whole[0], whole[0]}));
}

}  // namespace
}  // namespace qadataswap
