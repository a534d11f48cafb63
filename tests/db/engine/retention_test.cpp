#include "db/engine/retention.h"

#include <gtest/gtest.h>

#include "tests/support/database.h"
#include "tests/support/edges.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Retention : public ::testing::Test {
 protected:
  Retention() { await_time_before_edge(owner_, Seconds{86'400}); }

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

TEST_F(Retention, PartitionsAreMadeAheadOnce) {
  EXPECT_EQ(partitions(), 10) << "yesterday, today and three days, of two classes";
  const auto days_since = scalar(
      "SELECT (now() AT TIME ZONE 'UTC')::date + 3 - max(right(relname, 8))::date FROM pg_class "
      "WHERE relname ~ '^task_finished_standard_[0-9]{8}$'");
  EXPECT_EQ(make_partitions(), 2 * days_since);
  EXPECT_EQ(make_partitions(), 0);
}

TEST_F(Retention, RowsOfAMissingDayMoveIntoItsPartition) {
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

TEST_F(Retention, RetentionDropsWholeDaysOnly) {
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

TEST_F(Retention, AReaderInTheWayIsNotWaitedForLong) {
  auto reader = database_.connect();
  db::Transaction transaction(reader);
  reader.exec({"", "SELECT count(*) FROM postern.task_finished"});
  EXPECT_EQ(drop(Seconds{0}), "");
}

}  // namespace
}  // namespace postern::test
