// Who is written next, and who is let in.
#include "fcgi/intake/lines.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/program/task_ids.h"
#include "fcgi/intake/job.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLarge = 15'500, kKiB = 1024, kMiB = 1024 * 1024;

class LinesTest : public ::testing::Test {
 protected:
  std::shared_ptr<IntakeJob> add(const std::string& tenant, std::size_t body = 0,
                                 const std::string& queue = "q") {
    auto job = std::make_shared<IntakeJob>();
    job->task.spec.id = new_task_id();
    job->task.spec.tenant = tenant;
    job->task.spec.queue = queue;
    if (body > 0) job->task.spec.body = std::string(body, 'x');
    job->since = now_;
    lines_.add(job);
    return job;
  }
  void add_many(int count, const std::string& tenant, std::size_t body = 0) {
    for (int i = 0; i < count; ++i) add(tenant, body);
  }

  static std::size_t bytes_of(const IntakeLines::Jobs& jobs) {
    std::size_t bytes = 0;
    for (const auto& job : jobs) bytes += job->bytes();
    return bytes;
  }
  static std::map<std::string, std::size_t> bytes_by_tenant(const IntakeLines::Jobs& jobs) {
    std::map<std::string, std::size_t> bytes;
    for (const auto& job : jobs) bytes[job->task.spec.tenant] += job->bytes();
    return bytes;
  }

  IntakeLines lines_;
  IntakeLines::Clock::time_point now_ = IntakeLines::Clock::now();
};

TEST_F(LinesTest, ASmallJobIsInTheNextBatchWhateverAnotherHasInLine) {
  add_many(4'000, "attacker", kLarge);
  for (int i = 0; i < 20; ++i) {
    const auto small = add("victim");
    const auto batch = lines_.take_round();
    EXPECT_NE(std::find(batch.begin(), batch.end(), small), batch.end());
    EXPECT_LE(bytes_by_tenant(batch)["attacker"], IntakeLines::kTurnBytes + kLarge + kKiB);
    EXPECT_GT(bytes_by_tenant(batch)["attacker"], IntakeLines::kTurnBytes / 2);
  }
}

TEST_F(LinesTest, BatchesAreBoundedInBytesAndSoInRows) {
  add_many(2'000, "a", kLarge);
  std::size_t taken = 0;
  while (!lines_.empty()) {
    const auto batch = lines_.take_round();
    EXPECT_LE(bytes_of(batch), IntakeLines::kMaxBatchBytes);
    taken += batch.size();
  }
  EXPECT_EQ(taken, 2'000u);
  add_many(2'000, "a");
  EXPECT_EQ(lines_.take_round().size(), IntakeLines::kMaxBatchBytes / kKiB);
}

TEST_F(LinesTest, WhatATenantHandedOverLeavesInThisOrder) {
  for (int i = 0; i < 300; ++i) {
    add("a", i % 7 == 0 ? 100 * kKiB : 0);
    add("b", i % 5 == 0 ? 300 * kKiB : 100);
  }
  std::map<std::string, TaskId> last;
  int taken = 0;
  while (!lines_.empty()) {
    for (const auto& job : lines_.take_round()) {
      const auto before = last.find(job->task.spec.tenant);
      EXPECT_TRUE(before == last.end() || before->second < job->task.spec.id);
      last[job->task.spec.tenant] = job->task.spec.id;
      ++taken;
    }
  }
  EXPECT_EQ(taken, 600);
}

// In bytes, not in jobs.
TEST_F(LinesTest, TenantsHaveEqualParts) {
  add_many(20, "huge", kMiB);
  add_many(1'500, "large", kLarge);
  add_many(20'000, "small");
  std::map<std::string, std::size_t> bytes;
  while (bytes["small"] + bytes["large"] + bytes["huge"] < 30 * kMiB) {
    const auto batch = lines_.take_round();
    EXPECT_TRUE(batch.size() == 1 || bytes_of(batch) <= IntakeLines::kMaxBatchBytes);
    for (const auto& [tenant, more] : bytes_by_tenant(batch)) bytes[tenant] += more;
  }
  for (const auto& [tenant, sum] : bytes) {
    EXPECT_GT(sum, 8 * kMiB) << tenant;
    EXPECT_LT(sum, 12 * kMiB) << tenant;
  }
}

// More tenants than have a turn in one batch: each has its own, one after the other.
TEST_F(LinesTest, ManyTenantsTakeTurns) {
  for (int i = 0; i < 40; ++i) add_many(200, "attacker-" + std::to_string(i), kLarge);
  const auto small = add("b");
  std::map<std::string, std::size_t> bytes;
  int batches = 0;
  for (bool found = false; !found; ++batches) {
    const auto batch = lines_.take_round();
    EXPECT_LE(bytes_of(batch), IntakeLines::kMaxBatchBytes);
    found = std::find(batch.begin(), batch.end(), small) != batch.end();
    for (const auto& [tenant, more] : bytes_by_tenant(batch)) bytes[tenant] += more;
  }
  EXPECT_LE(batches, 11);
  for (const auto& [tenant, sum] : bytes) EXPECT_LE(sum, 2 * IntakeLines::kTurnBytes) << tenant;
}

TEST_F(LinesTest, AJobLargerThanABatchGoesAloneAndIsNotPassedOverForEver) {
  add("huge", 8 * kMiB);
  add_many(400, "a");
  add_many(40'000, "b");
  int before = 0;
  for (;; ++before) {
    ASSERT_LE(before, 100);
    const auto batch = lines_.take_round();
    if (bytes_by_tenant(batch)["huge"] == 0) continue;
    EXPECT_EQ(batch.size(), 1u);
    break;
  }
  EXPECT_GE(before, 60) << "the others had as many bytes meanwhile";
}

TEST_F(LinesTest, NobodyWaitsForATurnWhoIsAlone) {
  add("huge", 8 * kMiB);
  EXPECT_EQ(lines_.take_round().size(), 1u);
  add("huge", 8 * kMiB);
  add("too", 8 * kMiB);
  EXPECT_EQ(lines_.take_round().size(), 1u);
  EXPECT_EQ(lines_.take_round().size(), 1u);
  EXPECT_TRUE(lines_.empty());
  EXPECT_TRUE(lines_.take_round().empty());
  EXPECT_TRUE(lines_.take_turn().empty());
}

TEST_F(LinesTest, OneTenantHasAllTheRoomAndStillKeepsNobodyOut) {
  while (lines_.has_room("a")) add("a", kMiB - kKiB);
  EXPECT_EQ(bytes_of(lines_.take_all()), IntakeLines::kMaxBytes);
  while (lines_.has_room("a")) add("a", kMiB - kKiB);
  // Another has an equal part, however full it is, and it stays bounded.
  int others = 0;
  while (lines_.has_room("b")) {
    add("b", kMiB - kKiB);
    ++others;
  }
  EXPECT_EQ(others, 32);
  EXPECT_FALSE(lines_.has_room("a"));
  EXPECT_TRUE(lines_.has_room("c"));
  while (lines_.has_room("c")) add("c", kMiB - kKiB);
  EXPECT_FALSE(lines_.has_room("b"));
  // What is taken makes room.
  while (!lines_.empty()) lines_.take_round();
  EXPECT_TRUE(lines_.has_room("a"));
}

TEST_F(LinesTest, ATurnIsOneTenantsAndOneQueues) {
  for (int i = 0; i < 150; ++i) {
    add("a", 0, "p");
    add("a", 0, "q");
    add("b", 0, "p");
  }
  std::string turns;
  while (!lines_.empty()) {
    const auto batch = lines_.take_turn();
    ASSERT_FALSE(batch.empty());
    turns += batch.front()->task.spec.tenant;
    EXPECT_LE(batch.size(), IntakeLines::kMaxTurnJobs);
    for (const auto& job : batch) {
      EXPECT_EQ(job->task.spec.tenant, batch.front()->task.spec.tenant);
      EXPECT_EQ(job->task.spec.queue, batch.front()->task.spec.queue);
    }
  }
  EXPECT_EQ(turns, "ababaa");
}

TEST_F(LinesTest, WhatGoesAloneTakesATurnForItself) {
  add("a");
  const auto alone = add("a");
  alone->alone = true;
  add("a");
  EXPECT_EQ(lines_.take_turn().size(), 2u);
  EXPECT_EQ(lines_.take_turn(), IntakeLines::Jobs{alone});
}

TEST_F(LinesTest, OlderOnesAreTakenOut) {
  add_many(10, "a", kLarge);
  now_ += 1s;
  add_many(5, "a");
  add_many(5, "b");
  EXPECT_EQ(lines_.take_older(now_).size(), 10u);
  EXPECT_EQ(lines_.take_older(now_).size(), 0u);
  EXPECT_EQ(bytes_of(lines_.take_round()), 10 * kKiB);
  EXPECT_TRUE(lines_.empty());
}

}  // namespace
}  // namespace postern
