#include "core/wire/queue_json.h"

#include <gtest/gtest.h>

#include "tests/core/wire/names.h"

namespace postern {
namespace {

Time at(const char* text) { return parse_rfc3339(text).value(); }

std::string json_of(const Queue& queue) {
  JsonWriter out;
  wire::write_queue(out, queue);
  return out.take();
}

TEST(QueueJson, NamesEachFieldOnce) {
  expect_a_proper_table(wire::queue_fields());
  expect_a_proper_table(wire::queue_stats_fields());
}

TEST(QueueJson, WritesAQueueWithoutLimits) {
  EXPECT_EQ(json_of({}),
            R"({"name":"","time":"1970-01-01T00:00:00Z","max_age":0,"max_entries":-1,)"
            R"("discard_old":false,"max_tries":-1,"max_runtime":0,"max_concurrent":-1,)"
            R"("paused":false,"rate_limit":null,"retention":{"completed":"standard",)"
            R"("failed":"standard","cancelled":"standard"},"max_retries":3,)"
            R"("retry_policy":"exponential","timeout_seconds":30,"endpoint":null,)"
            R"("created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:00Z"})");
}

TEST(QueueJson, WritesEveryField) {
  Queue queue;
  queue.name = "emails";
  queue.paused = true;
  queue.created_at = at("2026-01-01T00:00:00Z");
  queue.updated_at = at("2026-01-02T00:00:00Z");
  queue.read_at = at("2026-01-03T00:00:00.9Z");
  QueueSettings& settings = queue.settings;
  settings.max_age = std::chrono::hours{1};
  settings.max_entries = 10;
  settings.discard_old = true;
  settings.max_tries = 5;
  settings.max_runtime = std::chrono::minutes{1};
  settings.max_concurrent = 20;
  settings.rate_limit = RateLimit{50, Seconds{2}, 7};
  settings.keep_completed = "short";
  settings.max_retries = 9;
  settings.retry_policy = R"({"intervals":[1]})";
  settings.timeout = Seconds{60};
  settings.endpoint = "mail";
  EXPECT_EQ(json_of(queue),
            R"({"name":"emails","time":"2026-01-03T00:00:00Z","max_age":3600000000000,)"
            R"("max_entries":10,"discard_old":true,"max_tries":5,"max_runtime":60000000000,)"
            R"("max_concurrent":20,"paused":true,)"
            R"("rate_limit":{"count":50,"period_seconds":2,"burst":7},)"
            R"("retention":{"completed":"short","failed":"standard","cancelled":"standard"},)"
            R"("max_retries":9,"retry_policy":{"intervals":[1]},"timeout_seconds":60,)"
            R"("endpoint":"mail","created_at":"2026-01-01T00:00:00Z",)"
            R"("updated_at":"2026-01-02T00:00:00Z"})");
}

TEST(QueueJson, WritesWhatIsInAQueue) {
  QueueStats stats;
  stats.read_at = at("2026-01-01T00:01:00Z");
  stats.totals.created = 9;
  stats.totals.completed = 2;
  JsonWriter unseen;
  wire::write_queue_stats(unseen, "q", stats);
  EXPECT_EQ(unseen.text(),
            R"({"queue":"q","time":"2026-01-01T00:01:00Z","paused":false,"engine_paused":false,)"
            R"("depth":{"total":7},)"
            R"("totals":{"created":9,"retried":0,"deleted":0,"completed":2,"failed":0,)"
            R"("cancelled":0,"attempts_success":0,"attempts_failed":0,"attempts_lost":0}})");
  stats.gauge = QueueGauge{.ready = 4,
                           .delayed = 1,
                           .active = 2,
                           .blocked = 0,
                           .estimated = true,
                           .oldest_due = at("2026-01-01T00:00:18Z"),
                           .seen_at = at("2026-01-01T00:00:59Z")};
  JsonWriter seen;
  wire::write_queue_stats(seen, "q", stats);
  EXPECT_NE(seen.text().find(R"("depth":{"total":7,"ready":4,"delayed":1,"active":2,"blocked":0,)"
                             R"("estimated":true,"oldest_due_seconds":42,)"
                             R"("seen_at":"2026-01-01T00:00:59Z"})"),
            std::string::npos)
      << seen.text();
}

}  // namespace
}  // namespace postern
