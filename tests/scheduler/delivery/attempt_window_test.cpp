#include "scheduler/delivery/attempt_window.h"

#include <gtest/gtest.h>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

TEST(AttemptWindow, CountsTheLastMinuteByTenSeconds) {
  AttemptWindow window;
  const Monotonic start{1h};
  for (int i = 0; i < 12; ++i) window.add(i % 2 == 0, start + i * 5s);
  const struct {
    Milliseconds later;
    int attempts, failures;
  } cases[] = {{59'999ms, 12, 6}, {60s, 10, 5}, {85s, 6, 3}, {109'999ms, 2, 1}, {110s, 0, 0}};
  for (const auto& [later, attempts, failures] : cases) {
    const auto counts = window.counts(start + later);
    EXPECT_EQ(counts.attempts, attempts) << later.count();
    EXPECT_EQ(counts.failures, failures) << later.count();
  }
  window.add(true, start + 2min);
  EXPECT_EQ(window.counts(start + 2min).attempts, 1);
  EXPECT_EQ(window.counts(start + 3h).attempts, 0);
}

}  // namespace
}  // namespace postern::scheduler
