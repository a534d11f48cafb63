#include "db/engine/housekeeping.h"

#include <gtest/gtest.h>

#include "db/catalog/queue_defaults.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Housekeeping : public ::testing::Test {
 protected:
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }
  std::int64_t partitions() {
    return scalar(
        "SELECT count(*) FROM pg_class WHERE relname ~ "
        "'^task_finished_(short|standard)_[0-9]{8}$'");
  }
  std::string drop(Seconds keep) {
    return std::string(
        scheduler_.exec(db::kDropPartition, db::drop_partition_params("standard", keep))
            .text(0, 0));
  }

  std::int64_t make_partitions() { return scheduler_.exec(db::kMakePartitions).integer(0, 0); }

  // A copy of one that may have been migrated before midnight.
  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Housekeeping, PartitionsAreMadeAheadOnce) {
  EXPECT_EQ(partitions(), 10) << "yesterday, today and three days, of two classes";
  const auto days_since = scalar(
      "SELECT (now() AT TIME ZONE 'UTC')::date + 3 - max(right(relname, 8))::date FROM pg_class "
      "WHERE relname ~ '^task_finished_standard_[0-9]{8}$'");
  EXPECT_EQ(make_partitions(), 2 * days_since);
  EXPECT_EQ(make_partitions(), 0);
}

TEST_F(Housekeeping, RowsOfAMissingDayMoveIntoItsPartition) {
  make_partitions();
  owner_.script(R"sql(
    DO $$ BEGIN EXECUTE 'DROP TABLE postern.task_finished_standard_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'); END $$)sql");
  auto api = database_.connect("postern_api");
  const auto task = new_task();
  insert(api, {task});
  db::cancel_task(api, "default", task.spec.id, Uuid{});
  ASSERT_EQ(scalar("SELECT count(*) FROM postern.task_finished_standard_default"), 1);
  EXPECT_EQ(make_partitions(), 1);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_finished_standard_default"), 0);
  EXPECT_EQ(read(api, task.spec.id)->state, State::cancelled);
}

TEST_F(Housekeeping, RetentionDropsWholeDaysOnly) {
  EXPECT_EQ(drop(Seconds{10 * 86'400}), "");
  make_partitions();
  while (!drop(Seconds{86'400}).empty()) {
  }
  const auto days = partitions();
  const auto dropped = drop(Seconds{0});
  EXPECT_EQ(dropped.substr(0, 23), "task_finished_standard_");
  EXPECT_EQ(drop(Seconds{0}), "") << "today is not over";
  EXPECT_EQ(partitions(), days - 1);
}

TEST_F(Housekeeping, AReaderInTheWayIsNotWaitedForLong) {
  auto reader = database_.connect();
  db::Transaction transaction(reader);
  reader.exec({"", "SELECT count(*) FROM postern.task_finished"});
  EXPECT_EQ(drop(Seconds{0}), "");
}

TEST_F(Housekeeping, ExpiredKeysAreForgotten) {
  owner_.script(R"sql(
    INSERT INTO postern.idempotency_key VALUES
      ('default', 'old', gen_random_uuid(), '', now() - interval '1 s'),
      ('default', 'new', gen_random_uuid(), '', now() + interval '1 h'))sql");
  scheduler_.exec(db::kExpireKeys);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.idempotency_key"), 1);
}

TEST_F(Housekeeping, CountersOfTheDepartedAddUpInOne) {
  const auto alive = random_uuid();
  scheduler_.exec(db::kBeat, db::beat_params(alive, "n", "{}"));
  for (const auto& instance : {alive, random_uuid(), random_uuid()}) {
    owner_.exec({"", "INSERT INTO postern.counter VALUES ($1, 'default', 'q', 'created', 5)"},
                db::Params().uuid(instance));
  }
  scheduler_.exec(db::kFoldCounters);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counter"), 2);
  EXPECT_EQ(counter(owner_, "created"), 15);
}

TEST_F(Housekeeping, BeatsCountUpAndShowTheOthers) {
  const auto a = random_uuid(), b = random_uuid();
  scheduler_.exec(db::kBeat, db::beat_params(a, "a", "{}"));
  scheduler_.exec(db::kBeat, db::beat_params(b, "b", "{}"));
  scheduler_.exec(db::kBeat, db::beat_params(a, "a", R"({"in_flight":1})"));
  const auto beats = db::beats_from(scheduler_.exec(db::kBeat, db::beat_params(b, "b", "{}")));
  ASSERT_EQ(beats.size(), 2U);
  for (const auto& beat : beats) {
    if (beat.id == a) {
      EXPECT_EQ(beat.beat, 1);
    }
  }
  scheduler_.exec(db::kLeave, db::leave_params(a));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.instance"), 1);
}

TEST_F(Housekeeping, UnusedLanesAreCollectedAndWantedOnesKept) {
  auto api = database_.connect("postern_api");
  const auto wanted = new_task("wanted");
  db::make_lane(api, lane_of(wanted), "default", "wanted", "receiver.test");
  db::make_lane(api, 1, "default", "unused", "h");
  insert(api, {wanted});
  owner_.script("UPDATE postern.lane SET used_at = now() - interval '2 days'");
  scheduler_.exec(db::kCollectLanes);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane WHERE queue = 'wanted'"), 1);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lane WHERE queue = 'unused'"), 0);
}

TEST_F(Housekeeping, QueuesAreMadeOnlyForTenantsThatExist) {
  auto api = database_.connect("postern_api");
  EXPECT_FALSE(db::queue_defaults(api, "default", "q"));
  EXPECT_TRUE(db::make_queue(api, "default", "q"));
  EXPECT_TRUE(db::make_queue(api, "default", "q")) << "twice is fine";
  EXPECT_FALSE(db::make_queue(api, "nobody", "q"));
  const auto defaults = *db::queue_defaults(api, "default", "q");
  EXPECT_EQ(defaults.max_retries, 3);
  EXPECT_EQ(defaults.timeout, Seconds{30});
  EXPECT_EQ(defaults.retry_policy, "exponential");
}

}  // namespace
}  // namespace postern::test
