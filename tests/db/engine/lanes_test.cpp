#include "db/engine/lanes.h"

#include <gtest/gtest.h>

#include "tests/support/database.h"
#include "tests/support/edges.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Lanes : public ::testing::Test {
 protected:
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }
  void note(const NewTask& task) {
    const db::LaneRow lane{lane_of(task), task.spec.tenant, task.spec.queue,
                           lane_target(task.spec)};
    scheduler_.exec(db::kNoteLanes, db::note_lanes_params(std::span(&lane, 1)));
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Lanes, UnusedLanesAreCollectedAndWantedOnesKept) {
  auto api = database_.connect("postern_api");
  const auto wanted = new_task("wanted");
  note(wanted);
  note(new_task("unused"));
  insert(api, {wanted});
  owner_.script("UPDATE postern.lane SET used_at = now() - interval '2 days'");
  scheduler_.exec(db::kCollectLanes, db::collect_lanes_params({}));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane WHERE queue = 'wanted'"), 1);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane WHERE queue = 'unused'"), 0);
}

TEST_F(Lanes, ALaneInUseIsNotCollectedAndOneThatWasIsMadeAgain) {
  const auto task = new_task();
  note(task);
  owner_.script("UPDATE postern.lane SET used_at = now() - interval '2 days'");
  await_time_before_edge(owner_, Seconds{3600});
  note(task);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane WHERE used_at = date_trunc('hour', now())"),
            1);
  scheduler_.exec(db::kCollectLanes, db::collect_lanes_params({}));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane"), 1);
  owner_.script("DELETE FROM postern.lane");
  note(task);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane WHERE target = 'receiver.test'"), 1);
}

TEST_F(Lanes, ABusyLaneIsWrittenOnceAnHour) {
  const auto task = new_task();
  await_time_before_edge(owner_, Seconds{3600});
  note(task);
  const char* const version = "SELECT xmin::text::bigint FROM postern.lane";
  const auto before = scalar(version);
  note(task);
  EXPECT_EQ(scalar(version), before);
}

TEST_F(Lanes, ManyAreCollectedInParts) {
  owner_.script(
      "INSERT INTO postern.lane (id, tenant, queue, target, used_at) SELECT n, 'default', 'q', "
      "'h.test', now() - abs(n % 2) * interval '2 days' FROM generate_series(-50000, 49999) n");
  int parts = 0;
  std::optional from = db::LanePlace{};
  for (; from; ++parts) {
    const auto before = scalar("SELECT count(*) FROM postern.lane");
    const auto reads = reads_of(scheduler_, "postern.lane, postern.task", [&] {
      from = db::lanes_behind(scheduler_.exec(db::kCollectLanes, db::collect_lanes_params(*from)));
    });
    EXPECT_LE(before - scalar("SELECT count(*) FROM postern.lane"), 2'500);
    EXPECT_EQ(reads.scanned, 0);
    EXPECT_LE(reads.blocks, 40'000);
  }
  EXPECT_EQ(parts, 21);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane"), 50'000);
}

}  // namespace
}  // namespace postern::test
