#include "fcgi/server/run_queue.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <stdexcept>

namespace postern {
namespace {

bool is_readable(int fd) {
  pollfd wait{fd, POLLIN, 0};
  return poll(&wait, 1, 0) == 1;
}

TEST(RunQueue, RunsEverythingInOrder) {
  RunQueue queue;
  EXPECT_FALSE(is_readable(queue.fd()));
  std::vector<int> seen;
  std::vector<RunQueue::Work> work;
  for (int i = 0; i < 100; ++i) work.emplace_back([&seen, i] { seen.push_back(i); });
  queue.add(std::move(work));
  EXPECT_TRUE(is_readable(queue.fd()));
  queue.run();
  ASSERT_EQ(seen.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
  queue.run();
  EXPECT_EQ(seen.size(), 100u);
}

TEST(RunQueue, SurvivesWhatThrows) {
  RunQueue queue;
  bool ran = false;
  queue.add({[] { throw std::runtime_error("a fault"); }, [&] { ran = true; }});
  queue.run();
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace postern
