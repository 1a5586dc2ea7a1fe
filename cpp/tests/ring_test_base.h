/// \file
/// Rings in tests: names of their own, and nothing left behind.
#ifndef QADATASWAP_TESTS_RING_TEST_BASE_H
#define QADATASWAP_TESTS_RING_TEST_BASE_H

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "qadataswap/error.h"

namespace qadataswap {

/// Longest wait for what must come; longer than any machine is slow, so that only a hang runs into it.
inline constexpr std::chrono::seconds kSoon{20};

/// A test with rings. Whoever leaves frames unread says so by Forget().
class RingTest : public ::testing::Test {
 protected:
  /// A name that no other test has, in this process or another.
  std::string NewName() {
    static std::atomic<int> count{0};
    names_.push_back("cxx-test-" + std::to_string(getpid()) + "-" + std::to_string(++count));
    return names_.back();
  }

  /// Removes a ring that outlives its writer because somebody might still read it.
  void Forget(const std::string& name) { unlink(PathOf(name).c_str()); }

  void TearDown() override {
    for (const std::string& name : names_) {
      EXPECT_NE(access(PathOf(name).c_str(), F_OK), 0) << PathOf(name) << " was left behind";
      Forget(name);
    }
  }

 private:
  static std::string PathOf(const std::string& name) { return "/dev/shm/qads_" + name; }

  std::vector<std::string> names_;
};

/// The value, or a failed test that says why there is none.
#define QADATASWAP_TEST_CONCAT_(A, B) A##B
#define QADATASWAP_TEST_CONCAT(A, B) QADATASWAP_TEST_CONCAT_(A, B)
#define ASSERT_VALUE_IMPL(RESULT, LEFT, RIGHT)                         \
  auto RESULT = (RIGHT);                                               \
  ASSERT_TRUE(RESULT.has_value()) << RESULT.error().message;           \
  LEFT = *std::move(RESULT)
/// `ASSERT_VALUE(auto reader, Reader::Open(name));`
#define ASSERT_VALUE(LEFT, RIGHT) ASSERT_VALUE_IMPL(QADATASWAP_TEST_CONCAT(expected_, __LINE__), LEFT, RIGHT)

/// That there is an error, of this kind.
#define EXPECT_KIND(KIND, EXPECTED)                                                                 \
  do {                                                                                              \
    auto&& expected_value = (EXPECTED);                                                             \
    EXPECT_FALSE(expected_value.has_value());                                                       \
    if (!expected_value.has_value()) {                                                              \
      EXPECT_STREQ(ErrorKindName(expected_value.error().kind), ErrorKindName(ErrorKind::KIND))      \
          << expected_value.error().message;                                                        \
    }                                                                                               \
  } while (false)

}  // namespace qadataswap

#endif  // QADATASWAP_TESTS_RING_TEST_BASE_H
