// The rescue's looks among the leases of many: each is bounded, and a round of them misses none.
#include "db/engine/orphans.h"

#include <gtest/gtest.h>

#include <set>

#include <fmt/format.h>

#include "tests/support/database.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class ManyLeases : public ::testing::Test {
 protected:
  static constexpr int kLeases = 100'000;

  // Planned while the tables are empty, which nobody analyzes.
  void SetUp() override {
    owner_.script(
        "ALTER TABLE postern.task SET (autovacuum_enabled = off);"
        "ALTER TABLE postern.lease SET (autovacuum_enabled = off)");
    look({}, {});
    for (const auto& id : {living_, dead_}) {
      owner_.exec({"",
                   "INSERT INTO postern.instance (id, program, name, version) VALUES ($1, "
                   "'postern-scheduler', 'n', '0')"},
                  db::Params().uuid(id));
    }
    owner_.script(fmt::format(
        "INSERT INTO postern.task (id, tenant, queue, url, lane, state) "
        "SELECT postern.new_task_id(), 'default', 'q', 'http://receiver.test/', 1, 'ready' "
        "FROM generate_series(1, {}) n;"
        "INSERT INTO postern.lease (task, lease, instance, until, tenant, queue) "
        "SELECT id, gen_random_uuid(), '{}', now() + interval '1 h', tenant, queue "
        "FROM postern.task",
        kLeases, to_uuid(living_)));
  }

  db::Orphans look(const std::vector<db::SilentInstance>& dead, const TaskId& from) {
    return db::orphans_from(scheduler_.exec(db::kOrphans, db::orphans_params(dead, from)));
  }

  // A round of looks, and the most that one of them read.
  struct Round {
    std::vector<db::Orphan> found;
    int looks = 0;
    std::size_t most_found = 0;
    Reads most_read{0, 0};
  };
  Round round(const std::vector<db::SilentInstance>& dead) {
    Round round;
    std::optional<TaskId> from = TaskId{};
    while (from) {
      db::Orphans orphans;
      const auto reads =
          reads_of(scheduler_, "postern.task, postern.lease", [&] { orphans = look(dead, *from); });
      round.most_read.scanned = std::max(round.most_read.scanned, reads.scanned);
      round.most_read.blocks = std::max(round.most_read.blocks, reads.blocks);
      round.most_found = std::max(round.most_found, orphans.tasks.size());
      ++round.looks;
      for (auto& each : orphans.tasks) round.found.push_back(std::move(each));
      from = orphans.next;
    }
    return round;
  }

  // Every so many-th lease, by the order of their tasks.
  void change(int nth, const std::string& set) {
    owner_.script(fmt::format(
        "UPDATE postern.lease SET {} WHERE task IN (SELECT task FROM (SELECT task, row_number() "
        "OVER (ORDER BY task) AS n FROM postern.lease) l WHERE n % {} = 0)",
        set, nth));
  }
  std::int64_t leases() {
    return owner_.exec({"", "SELECT count(*) FROM postern.lease"}).integer(0, 0);
  }

  const Uuid living_ = random_uuid(), dead_ = random_uuid();
  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(ManyLeases, OfTheLivingAreGoneOverInBoundedLooks) {
  const auto all = round({{dead_, 0}});
  EXPECT_TRUE(all.found.empty());
  EXPECT_EQ(all.looks, kLeases / 2000 + 1);
  EXPECT_EQ(all.most_read.scanned, 0);
  EXPECT_LE(all.most_read.blocks, 4'000);
}

TEST_F(ManyLeases, OfTheDeadAreFoundOnceEach) {
  change(10, fmt::format("instance = '{}'", to_uuid(dead_)));
  change(1'001, fmt::format("instance = '{}'", to_uuid(random_uuid())));
  const auto all = round({{dead_, 0}});
  std::set<TaskId> tasks;
  for (const auto& each : all.found) {
    tasks.insert(each.task.spec.id);
    EXPECT_TRUE(each.instance_gone);
  }
  EXPECT_EQ(tasks.size(), all.found.size());
  EXPECT_EQ(all.found.size(), kLeases / 10 + kLeases / 1'001 - kLeases / 10'010);
  EXPECT_LE(all.most_found, 500U);
  EXPECT_EQ(all.most_read.scanned, 0);
  EXPECT_LE(all.most_read.blocks, 20'000);
}

TEST_F(ManyLeases, OfOneDeadInstanceAloneTakeManyLooks) {
  const auto all = round({{living_, 0}, {dead_, 0}});
  EXPECT_EQ(all.found.size(), static_cast<std::size_t>(kLeases));
  EXPECT_EQ(all.most_found, 500U);
  EXPECT_EQ(all.most_read.scanned, 0);
  EXPECT_LE(all.most_read.blocks, 20'000);
}

TEST_F(ManyLeases, ThatAreDeferredAreReadByTheTimeWhenTheyRunOut) {
  change(1, "deferred = true, instance = NULL");
  change(100, "until = now() - interval '1 s'");
  const auto first = look({}, {});
  EXPECT_EQ(first.tasks.size(), 500U) << "wherever they are";
  for (const auto& each : first.tasks) EXPECT_TRUE(each.task.deferred);
}

// Two tasks were deleted while they were delivered. Somebody settles one of them at this moment.
TEST_F(ManyLeases, AreForgottenWithoutWaitingForWhoHoldsThem) {
  owner_.script(
      "DELETE FROM postern.task WHERE id IN (SELECT task FROM postern.lease ORDER BY task LIMIT 2);"
      "UPDATE postern.lease SET until = now() - interval '1 s' "
      "WHERE task IN (SELECT task FROM postern.lease ORDER BY task LIMIT 3)");
  auto settler = database_.connect("postern_scheduler");
  db::Transaction transaction(settler);
  settler.script("SELECT FROM postern.lease ORDER BY task LIMIT 1 FOR UPDATE");
  EXPECT_EQ(look({}, {}).tasks.size(), 1U);
  EXPECT_EQ(leases(), kLeases - 1);
  transaction.commit();
  EXPECT_EQ(look({}, {}).tasks.size(), 1U);
  EXPECT_EQ(leases(), kLeases - 2);
}

}  // namespace
}  // namespace postern::test
