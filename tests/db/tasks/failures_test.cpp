#include "db/tasks/failures.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/support/database.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class FailuresTest : public ::testing::Test {
 protected:
  // `count` tasks that ended so many minutes before now_, a second apart, the last of them exactly
  // then.
  void add(const std::string& queue, const std::string& state, const std::string& reason,
           const std::string& target, int minutes_ago, int count, const std::string& error = "no",
           const std::string& tenant = "default") {
    const bool is_url = target.find("://") != std::string::npos;
    owner_.script(fmt::format(
        "INSERT INTO postern.task_finished (id, tenant, queue, url, endpoint, created_at, "
        "finished_at, state, reason, last_error) SELECT gen_random_uuid(), '{}', '{}', {}, {}, at "
        "- interval '1 minute', at, '{}', '{}', '{}' FROM (SELECT {} - {} * interval '1 minute' "
        "- n * interval '1 second' AS at FROM generate_series(0, {} - 1) n) t",
        tenant, queue, is_url ? "'" + target + "'" : "NULL", is_url ? "NULL" : "'" + target + "'",
        state, reason, error, now_, minutes_ago, count));
  }
  db::Failures ask(const db::FailureFilter& filter = {}) {
    return db::failures(api_, "default", filter);
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  std::string now_ = "now()";  // in SQL
};

TEST_F(FailuresTest, AreGroupedByWhatTheyHaveInCommon) {
  // One time for all of them, since the time between two is told.
  now_ = fmt::format("'{}'::timestamptz", owner_.exec({"", "SELECT now()::text"}).text(0, 0));
  add("a", "failed", "exhausted", "http://one.test:8080/x?y", 60, 3, "refused");
  add("a", "failed", "exhausted", "http://one.test:8080/z", 10, 2, "timed out");
  add("a", "failed", "gone", "http://one.test:8080/z", 10, 1);
  add("b", "failed", "exhausted", "mail", 20, 4);
  add("a", "cancelled", "cancelled", "mail", 20, 9);
  add("a", "completed", "", "mail", 20, 9);
  owner_.script("INSERT INTO postern.tenant (name) VALUES ('other')");
  add("a", "failed", "exhausted", "mail", 20, 9, "no", "other");

  const auto found = ask();
  EXPECT_EQ(found.looked, 10);
  EXPECT_TRUE(found.complete);
  ASSERT_EQ(found.groups.size(), 3u);
  const auto& most = found.groups[0];
  EXPECT_EQ(most.queue, "a");
  EXPECT_EQ(most.reason, "exhausted");
  EXPECT_EQ(most.host, "one.test:8080");
  EXPECT_FALSE(most.endpoint);
  EXPECT_EQ(most.count, 5);
  EXPECT_EQ(most.last_error, "timed out");
  EXPECT_NEAR(static_cast<double>((most.last_at - most.first_at) / Seconds{1}), 50 * 60 + 2, 1);
  const auto last = owner_.exec({"",
                                 "SELECT id FROM postern.task_finished WHERE last_error = 'timed "
                                 "out' ORDER BY finished_at DESC LIMIT 1"});
  EXPECT_EQ(most.last_task, last.uuid(0, 0));
  EXPECT_EQ(found.groups[1].endpoint, "mail");
  EXPECT_FALSE(found.groups[1].host);
  EXPECT_EQ(found.groups[1].count, 4);
}

TEST_F(FailuresTest, AreNarrowedByEachFilter) {
  add("a", "failed", "exhausted", "http://one.test/", 60, 3);
  add("a", "failed", "gone", "mail", 10, 2);
  add("b", "failed", "gone", "mail", 10, 1);
  const auto total = [&](const db::FailureFilter& filter) {
    std::int64_t sum = 0;
    for (const auto& group : ask(filter).groups) sum += group.count;
    return sum;
  };
  const auto ago = [](int minutes) {
    return std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now()) -
           std::chrono::minutes{minutes};
  };
  EXPECT_EQ(total({}), 6);
  EXPECT_EQ(total({.queue = "a"}), 5);
  EXPECT_EQ(total({.queue = "none"}), 0);
  EXPECT_EQ(total({.endpoint = "mail"}), 3);
  EXPECT_EQ(total({.reason = Reason::gone}), 3);
  EXPECT_EQ(total({.queue = "a", .reason = Reason::gone}), 2);
  EXPECT_EQ(total({.created_since = ago(30)}), 3);
  EXPECT_EQ(total({.created_until = ago(30)}), 3);
  EXPECT_TRUE(ask({.queue = "none"}).complete);
}

TEST_F(FailuresTest, LookAtTheLastAlone) {
  // All of one day, and so of one partition: one of a few rows would be read as a whole.
  const auto midnight = owner_.exec(
      {"", "SELECT date_trunc('day', now(), 'UTC')::text, postern.make_partitions('standard', 1)"});
  now_ = fmt::format("'{}'::timestamptz", midnight.text(0, 0));
  add("old", "failed", "gone", "mail", 600, 20'000);
  add("many", "completed", "", "mail", 1, 20'000);
  add("new", "failed", "gone", "mail", 1, 2'400);
  owner_.script("VACUUM ANALYZE postern.task_finished");
  for (const db::FailureFilter& filter :
       {db::FailureFilter{}, db::FailureFilter{.queue = "old"}, db::FailureFilter{.queue = "new"},
        db::FailureFilter{.endpoint = "none"}}) {
    db::Failures found;
    const auto reads = reads_of(api_, "postern.task_finished", [&] { found = ask(filter); });
    const bool all = filter.queue == "new";
    EXPECT_EQ(found.looked, all ? 2'400 : db::kFailuresLooked) << filter.queue;
    EXPECT_EQ(found.complete, all) << filter.queue;
    EXPECT_EQ(reads.scanned, 0) << filter.queue;
    EXPECT_LE(reads.blocks, filter.queue.empty() ? 500 : 4'000) << filter.queue;
  }
}

TEST_F(FailuresTest, TellTheLargestGroups) {
  owner_.script(
      "INSERT INTO postern.task_finished (id, tenant, queue, url, created_at, finished_at, state, "
      "reason) SELECT gen_random_uuid(), 'default', 'q', 'http://h' || n % 300 || '.test/', now(), "
      "now(), 'failed', 'gone' FROM generate_series(1, 1450) n");
  const auto found = ask();
  EXPECT_EQ(found.groups.size(), std::size_t{db::kFailureGroups});
  EXPECT_FALSE(found.complete);
  EXPECT_EQ(found.groups.front().count, 5);
  EXPECT_EQ(found.groups.front().last_error, "");
}

}  // namespace
}  // namespace postern::test
