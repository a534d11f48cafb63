#include "fcgi/server/worker_gate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace postern {
namespace {

using namespace std::chrono_literals;

// Threads that count how many of them work at the same time.
class CrewTest : public ::testing::Test {
 protected:
  void start(int threads, void (*work)()) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, work] {
        while (crew_.next_turn()) {
          const int working = ++working_;
          int most = most_;
          while (working > most && !most_.compare_exchange_weak(most, working)) {
          }
          work();
          --working_;
          ++turns_;
        }
      });
    }
  }
  void end() {
    crew_.dismiss();
    for (auto& thread : threads_) thread.join();
  }
  bool reaches(int turns) {
    for (int i = 0; i < 5'000 && turns_ < turns; ++i) std::this_thread::sleep_for(2ms);
    return turns_ >= turns;
  }

  WorkerGate crew_{2};
  std::atomic<int> working_ = 0, most_ = 0, turns_ = 0;
  std::vector<std::thread> threads_;
};

TEST_F(CrewTest, LetsSoManyWorkAndNoMore) {
  start(8, [] { std::this_thread::sleep_for(100us); });
  EXPECT_TRUE(reaches(100));
  end();
  EXPECT_LE(most_, 2);
}

TEST_F(CrewTest, OthersTakeThePlaceOfThoseAway) {
  start(8, [] {
    const BlockingSection away;
    const BlockingSection inside_another;
    std::this_thread::sleep_for(20ms);
  });
  for (int i = 0; i < 5'000 && most_ < 8; ++i) std::this_thread::sleep_for(2ms);
  end();
  EXPECT_EQ(most_, 8);
}

TEST_F(CrewTest, ReturnsToItsNumberAfterwards) {
  static std::atomic<bool> block;
  block = true;
  start(8, [] {
    if (block) {
      const BlockingSection away;
      std::this_thread::sleep_for(20ms);
    } else {
      std::this_thread::sleep_for(1ms);
    }
  });
  EXPECT_TRUE(reaches(50));
  block = false;
  // Those who were away come back once more.
  bool settled = false;
  for (int i = 0; i < 100 && !settled; ++i) {
    most_ = 0;
    ASSERT_TRUE(reaches(turns_ + 50));
    settled = most_ <= 2;
  }
  EXPECT_TRUE(settled);
  end();
}

TEST(WorkerGate, KnowsNothingOfOtherThreads) {
  const BlockingSection away;  // nobody's
}

}  // namespace
}  // namespace postern
