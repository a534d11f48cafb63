// postern.allow by itself: how much may be claimed, when to ask again, and that two who ask at the
// same time do not get more than one.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "db/engine/claim.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Limits : public ::testing::Test {
 protected:
  void make_queue(const std::string& columns, const std::string& values) {
    owner_.script("INSERT INTO postern.queue (tenant, name, " + columns +
                  ") VALUES ('default', 'q', " + values + ")");
  }
  void fill(int count, const std::string& url = "http://receiver.test/") {
    std::vector<NewTask> tasks;
    for (int i = 0; i < count; ++i) {
      tasks.push_back(new_task());
      tasks.back().spec.url = url;
    }
    insert(api_, tasks);
  }
  static std::int64_t lane(const std::string& url = "http://receiver.test/") {
    auto task = new_task();
    task.spec.url = url;
    return lane_of(task);
  }
  // One claim, as a scheduler sends it.
  static db::ClaimAnswer claim_from(db::PgConnection& connection,
                                    const std::vector<db::LaneSlots>& lanes) {
    const auto lease = random_uuid();
    return db::claimed_from(
        connection.exec(db::kClaim, db::claim_params(lanes, lease, Uuid{}, Seconds{30})), lease,
        Seconds{30});
  }
  db::ClaimAnswer claim(int free) { return claim_from(scheduler_, {{lane(), free}}); }
  void end_one() {
    owner_.script(
        "WITH ended AS (DELETE FROM postern.lease WHERE task = (SELECT task FROM postern.lease "
        "LIMIT 1) RETURNING task) DELETE FROM postern.task WHERE id = (SELECT task FROM ended)");
  }
  // The bucket, as if it had last been asked so long ago.
  void set_bucket(double tokens, double seconds_ago) {
    owner_.script("UPDATE postern.queue SET rate_tokens = " + std::to_string(tokens) +
                  ", rate_at = clock_timestamp() - interval '" + std::to_string(seconds_ago) +
                  " seconds'");
  }
  double bucket() {
    return owner_.exec({"", "SELECT rate_tokens FROM postern.queue"}).float8(0, 0);
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Limits, NoneLetsThroughWhatIsAskedAndHoldsNothing) {
  make_queue("max_retries", "3");
  fill(5);
  const auto answer = claim(3);
  EXPECT_EQ(answer.tasks.size(), 3u);
  EXPECT_TRUE(answer.held.empty());
}

TEST_F(Limits, ConcurrencyLeavesWhatIsActiveOut) {
  make_queue("max_concurrent", "3");
  fill(10);
  const auto first = claim(2);
  EXPECT_EQ(first.tasks.size(), 2u);
  EXPECT_TRUE(first.held.empty()) << "it got all it asked for";
  const auto second = claim(5);
  EXPECT_EQ(second.tasks.size(), 1u);
  ASSERT_EQ(second.held.size(), 1u);
  EXPECT_EQ(second.held[0].lane, lane());
  EXPECT_TRUE(second.held[0].full_up);
  EXPECT_EQ(second.held[0].wait, Milliseconds{200});
  EXPECT_EQ(claim(5).tasks.size(), 0u);
  end_one();
  EXPECT_EQ(claim(5).tasks.size(), 1u);
}

TEST_F(Limits, ALaneWithoutMoreIsNotHeld) {
  make_queue("max_concurrent, rate_count, rate_period", "3, 100, '1 second'");
  fill(2);
  const auto answer = claim(5);
  EXPECT_EQ(answer.tasks.size(), 2u);
  EXPECT_TRUE(answer.held.empty());
}

TEST_F(Limits, ConcurrencyCountsWhatTheSameClaimGaveToAnotherLane) {
  make_queue("max_concurrent", "3");
  const std::string other = "http://other.test/";
  fill(5);
  fill(5, other);
  const auto answer = claim_from(scheduler_, {{lane(), 2}, {lane(other), 2}});
  EXPECT_EQ(answer.tasks.size(), 3u);
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_EQ(answer.held[0].lane, lane(other));
}

TEST_F(Limits, WhoeverHoldsTheRowIsNotWaitedFor) {
  make_queue("max_concurrent", "3");
  fill(5);
  auto another = database_.connect("postern_scheduler");
  db::Transaction theirs(another);
  EXPECT_EQ(claim_from(another, {{lane(), 1}}).tasks.size(), 1u);
  const auto answer = claim(5);
  EXPECT_TRUE(answer.tasks.empty());
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_EQ(answer.held[0].wait, Milliseconds{5});
  EXPECT_FALSE(answer.held[0].full_up);
  theirs.commit();
  EXPECT_EQ(claim(5).tasks.size(), 2u);
}

TEST_F(Limits, TwoWhoClaimAtOnceNeverExceedTheConcurrency) {
  make_queue("max_concurrent", "4");
  fill(200);
  std::mutex mutex;
  std::size_t claimed = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        auto connection = database_.connect("postern_scheduler");
        auto owner = database_.connect();
        const auto active = [&] {
          return owner.exec({"", "SELECT count(*) FROM postern.lease"}).integer(0, 0);
        };
        for (;;) {
          const auto answer = claim_from(connection, {{lane(), 3}});
          EXPECT_LE(active(), 4);
          for (const auto& task : answer.tasks) {
            owner.exec({"",
                        "WITH ended AS (DELETE FROM postern.lease WHERE task = $1) "
                        "DELETE FROM postern.task WHERE id = $1"},
                       db::Params().uuid(task.spec.id));
          }
          const std::lock_guard lock(mutex);
          claimed += answer.tasks.size();
          if (claimed == 200) return;
        }
      });
    }
  }
  EXPECT_EQ(claimed, 200u);
}

TEST_F(Limits, TwoWhoClaimAtOnceTakeEachTokenOnce) {
  make_queue("rate_count, rate_period, rate_burst", "1, '1 day', 50");
  fill(200);
  std::atomic<std::size_t> claimed = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        auto connection = database_.connect("postern_scheduler");
        for (int empty = 0; empty < 20;) {
          const auto answer = claim_from(connection, {{lane(), 3}});
          claimed += answer.tasks.size();
          // Held for a moment: the other one is at it. Else: there is no token left.
          const bool again = !answer.held.empty() && answer.held[0].wait < Seconds{1};
          if (answer.tasks.empty() && !again) ++empty;
        }
      });
    }
  }
  EXPECT_EQ(claimed, 50u);
}

// Ten in 1000 s: one comes each 100 s, and the bucket holds one. So long, that the time this takes
// itself does not matter.
TEST_F(Limits, ABucketFillsByTheClockUpToItsSize) {
  make_queue("rate_count, rate_period", "10, '1000 seconds'");
  fill(100);
  struct Case {
    double tokens, seconds_ago;
    std::size_t claimed;
    Seconds wait;
  };
  for (const auto& c :
       {Case{1, 0, 1, Seconds{100}}, Case{0, 0, 0, Seconds{100}}, Case{0, 150, 1, Seconds{100}},
        Case{0, 86'400, 1, Seconds{100}}, Case{0.5, 0, 0, Seconds{50}},
        Case{-2, 0, 0, Seconds{300}}, Case{-2, 350, 1, Seconds{100}}}) {
    set_bucket(c.tokens, c.seconds_ago);
    const auto answer = claim(50);
    EXPECT_EQ(answer.tasks.size(), c.claimed) << c.tokens << ' ' << c.seconds_ago;
    ASSERT_EQ(answer.held.size(), 1u);
    EXPECT_FALSE(answer.held[0].full_up);
    EXPECT_NEAR(static_cast<double>(answer.held[0].wait.count()) / 1000,
                static_cast<double>(c.wait.count()), 5)
        << c.tokens << ' ' << c.seconds_ago;
  }
}

// The clock has gone back by a day.
TEST_F(Limits, ABucketWhoseTimeLiesAheadFillsFromNow) {
  make_queue("rate_count, rate_period, rate_burst", "10, '1000 seconds', 3");
  fill(100);
  set_bucket(2.5, -86'400);
  EXPECT_EQ(claim(50).tasks.size(), 2u) << "what it holds";
  set_bucket(0.5, -86'400);
  const auto answer = claim(50);
  EXPECT_TRUE(answer.tasks.empty());
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_NEAR(static_cast<double>(answer.held[0].wait.count()), 50'000, 5'000);
  EXPECT_NEAR(bucket(), 0.5, 0.01);
  EXPECT_EQ(
      owner_.exec({"", "SELECT count(*) FROM postern.queue WHERE rate_at <= now()"}).integer(0, 0),
      1);
}

TEST_F(Limits, AnEndpointsBucketWhoseTimeLiesAheadFillsFromNow) {
  owner_.script(
      "INSERT INTO postern.endpoint (tenant, name, url, rate_count, rate_period, rate_tokens, "
      "rate_at) VALUES ('default', 'e', 'http://receiver.test/', 1, '1 second', 0, "
      "clock_timestamp() + interval '1 day')");
  auto task = new_task();
  task.spec.url.clear();
  task.spec.endpoint = "e";
  insert(api_, {task});
  EXPECT_TRUE(claim_from(scheduler_, {{lane_of(task), 1}}).tasks.empty());
  EXPECT_EQ(owner_.exec({"", "SELECT count(*) FROM postern.endpoint WHERE rate_at <= now()"})
                .integer(0, 0),
            1);
}

TEST_F(Limits, ANewBucketIsFull) {
  make_queue("rate_count, rate_period, rate_burst", "1, '1 hour', 7");
  fill(100);
  EXPECT_EQ(claim(50).tasks.size(), 7u);
}

TEST_F(Limits, ABucketHoldsWhatFiftyMillisecondsBring) {
  make_queue("rate_count, rate_period", "1000, '1 second'");
  fill(100);
  EXPECT_EQ(claim(100).tasks.size(), 50u);
}

TEST_F(Limits, ABucketThatIsAskedForLessKeepsTheRest) {
  make_queue("rate_count, rate_period, rate_burst", "1, '1 day', 10");
  fill(100);
  const auto answer = claim(4);
  EXPECT_EQ(answer.tasks.size(), 4u);
  EXPECT_TRUE(answer.held.empty());
  EXPECT_NEAR(bucket(), 6, 0.01);
}

TEST_F(Limits, ASmallerBucketIsCut) {
  make_queue("rate_count, rate_period, rate_burst", "1, '1 day', 10");
  fill(100);
  set_bucket(10, 0);
  owner_.script("UPDATE postern.queue SET rate_burst = 3");
  EXPECT_EQ(claim(50).tasks.size(), 3u);
}

// The one that has to be waited for longer.
TEST_F(Limits, BothLimitsHold) {
  make_queue("max_concurrent, rate_count, rate_period, rate_burst", "5, 1, '1 hour', 3");
  fill(100);
  auto answer = claim(50);
  EXPECT_EQ(answer.tasks.size(), 3u);
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_FALSE(answer.held[0].full_up);
  EXPECT_GT(answer.held[0].wait, std::chrono::minutes{55});
  set_bucket(3, 0);
  answer = claim(50);
  EXPECT_EQ(answer.tasks.size(), 2u);
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_TRUE(answer.held[0].full_up);
}

TEST_F(Limits, NothingIsClaimedOfAPausedQueueNorOfAPausedServer) {
  make_queue("paused", "true");
  fill(3);
  auto answer = claim(3);
  EXPECT_TRUE(answer.tasks.empty());
  ASSERT_EQ(answer.held.size(), 1u) << "or its lanes would be asked with each claim";
  EXPECT_EQ(answer.held[0].wait, Milliseconds{1'000});
  EXPECT_FALSE(answer.held[0].full_up);
  owner_.script(
      "UPDATE postern.queue SET paused = false;"
      "INSERT INTO postern.setting VALUES ('paused', 'true')");
  EXPECT_TRUE(claim(3).tasks.empty());
  owner_.script("DELETE FROM postern.setting WHERE name = 'paused'");
  EXPECT_EQ(claim(3).tasks.size(), 3u);
}

TEST_F(Limits, MaxRuntimeCapsTheTimeoutAndTheLease) {
  make_queue("max_runtime", "'2.5 seconds'");
  fill(1);
  const auto task = claim(1).tasks.at(0);
  EXPECT_EQ(task.spec.timeout, Milliseconds{2500});
  EXPECT_EQ(task.lease_until - task.claimed_at, Milliseconds{32'500});
}

// One change gives an endpoint another address and lifts its pause while a claim is under way: what
// the change lets through must not go to the old address.
TEST_F(Limits, AClaimGoesToTheEndpointAsItWasWhenItPermittedThat) {
  owner_.script(
      "INSERT INTO postern.endpoint (tenant, name, url, paused) "
      "VALUES ('default', 'e', 'http://old.test/', true)");
  auto task = new_task();
  task.spec.url.clear();
  task.spec.endpoint = "e";
  insert(api_, {task});

  // The claim has begun, and waits where it asks whether the server is paused.
  auto blocker = database_.connect();
  db::Transaction pause(blocker);
  blocker.script("LOCK TABLE postern.setting IN ACCESS EXCLUSIVE MODE");
  db::ClaimAnswer answer;
  std::thread claimer([&] { answer = claim_from(scheduler_, {{lane_of(task), 1}}); });
  while (owner_.exec({"", "SELECT FROM pg_locks WHERE NOT granted"}).rows() == 0) {
  }
  owner_.script("UPDATE postern.endpoint SET url = 'http://new.test/', paused = false");
  pause.commit();
  claimer.join();
  ASSERT_EQ(answer.tasks.size(), 1u);
  EXPECT_EQ(answer.tasks[0].spec.url, "http://new.test/");
  EXPECT_EQ(answer.tasks[0].resolved, "e");
}

}  // namespace
}  // namespace postern::test
