#include "db/engine/heartbeat.h"

#include <gtest/gtest.h>

#include "db/catalog/metrics.h"
#include "db/engine/lanes.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class HeartbeatTest : public ::testing::Test {
 protected:
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(HeartbeatTest, BeatsCountUpAndShowTheOthers) {
  SchedulerGauges busy;
  busy.in_flight = 1;
  const auto a = random_uuid(), b = random_uuid();
  scheduler_.exec(db::kBeat, db::beat_params(a, "a", {}));
  scheduler_.exec(db::kBeat, db::beat_params(b, "b", {}));
  scheduler_.exec(db::kBeat, db::beat_params(a, "a", busy));
  const auto beats = db::beats_from(scheduler_.exec(db::kBeat, db::beat_params(b, "b", {})));
  ASSERT_EQ(beats.size(), 2U);
  for (const auto& beat : beats) {
    if (beat.id == a) {
      EXPECT_EQ(beat.beat, 1);
    }
  }
  scheduler_.exec(db::kLeave, db::leave_params(a));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.instance"), 1);
}

// What `postern tenant move` and `postern cell check` know a cell's database by.
TEST_F(HeartbeatTest, EachProgramSaysItsLabel) {
  SchedulerGauges gauges;
  gauges.cell = "b";
  scheduler_.exec(db::kBeat, db::beat_params(random_uuid(), "one", gauges));
  db::beat_handler(owner_, random_uuid(), "web", "b");
  db::beat_handler(owner_, random_uuid(), "other", "");
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.instance WHERE gauges ->> 'cell' = 'b'"), 2);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.instance WHERE gauges ->> 'cell' = ''"), 1);
}

// From the scheduler that holds a lane back to the numbers that /metrics shows: the writer and the
// reader of the gauges, and the rows of lanes, as the programs use them.
TEST_F(HeartbeatTest, ALaneThatIsHeldBackIsAmongTheNumbers) {
  const auto task = new_task();
  const db::LaneRow lane{lane_of(task), "default", "q", lane_target(task.spec)};
  scheduler_.exec(db::kNoteLanes, db::note_lanes_params(std::span(&lane, 1)));
  SchedulerGauges gauges;
  gauges.slots = 8;
  gauges.in_flight = 3;
  gauges.lanes = {{lane.id, "open"}, {1, "throttled"}};
  scheduler_.exec(db::kBeat, db::beat_params(random_uuid(), "one", gauges));
  scheduler_.exec(db::kBeat, db::beat_params(random_uuid(), "two", gauges));

  auto api = database_.connect("postern_api");
  auto numbers = db::numbers(api, "");
  ASSERT_EQ(numbers.schedulers.size(), 2U);
  EXPECT_EQ(numbers.schedulers[0].slots, 8);
  EXPECT_EQ(numbers.schedulers[0].in_flight, 3);
  ASSERT_EQ(numbers.lanes.size(), 1U) << "once, and only what has a name";
  EXPECT_EQ(numbers.lanes[0].tenant, "default");
  EXPECT_EQ(numbers.lanes[0].queue, "q");
  EXPECT_EQ(numbers.lanes[0].target, "receiver.test");
  EXPECT_EQ(numbers.lanes[0].state, "open");

  owner_.script("UPDATE postern.instance SET beat_at = now() - interval '61 seconds'");
  numbers = db::numbers(api, "");
  EXPECT_TRUE(numbers.lanes.empty()) << "of schedulers that fell silent";
}

}  // namespace
}  // namespace postern::test
