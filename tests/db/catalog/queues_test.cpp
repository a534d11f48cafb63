#include "db/catalog/queues.h"

#include <gtest/gtest.h>

#include <utility>

#include <fmt/format.h>

#include "db/catalog/queue_defaults.h"
#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/reads.h"

namespace postern::test {
namespace {

class Queues : public ::testing::Test {
 protected:
  std::int64_t depth_in_sql() {
    return api_.exec({"", "SELECT postern.queue_depth('default', 'q')"}).integer(0, 0);
  }
  void count(const char* counter_name, std::int64_t value) {
    owner_.exec(
        {"", "INSERT INTO postern.counter VALUES (gen_random_uuid(), 'default', 'q', $1, $2)"},
        db::Params().text(counter_name).int8(value));
  }

  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection owner_ = database_.connect();
};

TEST_F(Queues, SqlAndTotalsAgreeHowDeepAQueueIs) {
  ASSERT_TRUE(db::make_queue(api_, "default", "q"));
  std::int64_t value = 1'000'000;
  for (const char* counter_name :
       {"created", "retried", "deleted", "forgotten", "finished_completed", "finished_failed",
        "finished_cancelled", "attempts_success", "attempts_failed", "attempts_lost",
        "egress_blocked", "corrupt_rows", "schedule_missed"}) {
    count(counter_name, value);
    const auto stats = db::queue_stats(api_, "default", "q");
    ASSERT_TRUE(stats);
    EXPECT_EQ(stats->totals.depth(), depth_in_sql()) << counter_name;
    value = value / 2 + 1;
  }
  EXPECT_GT(depth_in_sql(), 0);
}

TEST_F(Queues, TheDefaultsAreTheTables) {
  ASSERT_TRUE(db::make_queue(api_, "default", "q"));
  EXPECT_EQ(db::get_queue(api_, "default", "q")->settings, QueueSettings{});
  EXPECT_EQ(db::create_queue(api_, "default", "other", {})->settings, QueueSettings{});
}

TEST_F(Queues, SettingsComeBackAsTheyWent) {
  QueueSettings settings;
  settings.max_age = std::chrono::hours{3};
  settings.max_entries = 12;
  settings.discard_old = true;
  settings.max_runtime = std::chrono::minutes{7};
  settings.max_concurrent = 9;
  settings.rate_limit = RateLimit{5, Seconds{60}, 11};
  settings.keep_completed = "short";
  settings.keep_cancelled = "short";
  settings.max_tries = 4;
  settings.max_retries = 2;
  settings.retry_policy = "linear";
  settings.timeout = Seconds{42};
  settings.endpoint = "there";
  const auto made = db::create_queue(api_, "default", "q", settings);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->settings, settings);
  EXPECT_FALSE(db::create_queue(api_, "default", "q", settings));

  settings.rate_limit = RateLimit{6, Seconds{1}, std::nullopt};
  settings.endpoint.reset();
  const auto put = db::put_queue(api_, "default", "q", settings);
  ASSERT_TRUE(put);
  EXPECT_FALSE(put->made);
  EXPECT_EQ(put->queue.settings, settings);
  EXPECT_TRUE(db::put_queue(api_, "default", "other", settings)->made);
  EXPECT_EQ(db::list_queues(api_, "default").size(), 2U);
}

TEST_F(Queues, AnEndpointIsFoundByItsNameOrTheLongestThatItBeginsWith) {
  for (const char* endpoint : {"a", "a:b", "a:b:c"}) {
    owner_.exec({"",
                 "INSERT INTO postern.endpoint (tenant, name, url) VALUES ('default', $1, "
                 "'http://e.test/')"},
                db::Params().text(endpoint));
  }
  const auto resolved = [this](std::string_view name) {
    return db::resolve_endpoint(api_, "default", name);
  };
  EXPECT_EQ(resolved("a:b"), "a:b");
  EXPECT_EQ(resolved("a:b:c:d"), "a:b:c");
  EXPECT_EQ(resolved("a:x"), "a");
  EXPECT_EQ(resolved("z"), std::nullopt);
  owner_.exec({"",
               "INSERT INTO postern.endpoint (tenant, name, url) VALUES ('default', '', "
               "'http://e.test/')"});
  EXPECT_EQ(resolved("z"), "");
}

// Room is made in a queue of 100,000 tasks by handlers whose plans are from when it was empty. Of
// the tasks that are older than all others some are being delivered.
TEST_F(Queues, RoomIsMadeWithoutReadingTheQueue) {
  owner_.script(
      "ALTER TABLE postern.task SET (autovacuum_enabled = off);"
      "INSERT INTO postern.queue (tenant, name, max_entries, discard_old) VALUES "
      "('default', 'q', 1, true)");
  const auto make_room = [&](int wanted) {
    std::int64_t places = 0;
    const auto reads = reads_of(api_, "postern.task, postern.lease, postern.counter", [&] {
      places = api_.exec({"make_room",
                          "SELECT postern.make_room('default', 'q', $1, "
                          "'00000000-0000-0000-0000-000000000001')::bigint"},
                         db::Params().int4(wanted))
                   .integer(0, 0);
    });
    return std::pair(places, reads);
  };
  const auto fill = [&](int tasks) {
    owner_.script(
        fmt::format("INSERT INTO postern.task (id, tenant, queue, url, lane, state) SELECT "
                    "postern.new_task_id(), 'default', 'q', 'http://h.test/', 1, 'ready' "
                    "FROM generate_series(1, {}) n",
                    tasks));
    count("created", tasks);
  };
  for (int i = 0; i < 8; ++i) {
    fill(1);
    EXPECT_EQ(make_room(1).first, 1);
  }
  ASSERT_EQ(depth_in_sql(), 0);
  fill(100'000);
  owner_.script(
      "INSERT INTO postern.lease (task, lease, instance, until, tenant, queue) SELECT id, "
      "gen_random_uuid(), gen_random_uuid(), now() + interval '1 h', tenant, queue "
      "FROM postern.task ORDER BY id LIMIT 100");

  owner_.script("UPDATE postern.queue SET max_entries = 100000");
  const auto [places, reads] = make_room(10);
  EXPECT_EQ(places, 10);
  EXPECT_EQ(depth_in_sql(), 99'990);
  EXPECT_EQ(reads.scanned, 0);
  EXPECT_LE(reads.blocks, 1'500);

  // What is above a limit that was lowered is not a creation's to discard.
  owner_.script("UPDATE postern.queue SET max_entries = 10");
  EXPECT_EQ(make_room(1).first, 1);
  EXPECT_EQ(depth_in_sql(), 99'990 - 1);
  EXPECT_EQ(make_room(1).second.scanned, 0);
  owner_.script("UPDATE postern.queue SET max_entries = 10, discard_old = false");
  EXPECT_EQ(make_room(1).first, 0);
  EXPECT_EQ(depth_in_sql(), 99'990 - 2);
}

}  // namespace
}  // namespace postern::test
