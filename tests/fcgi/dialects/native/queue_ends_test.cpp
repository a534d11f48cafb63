// What ends a queue's tasks, over the wire, in the native dialect: purges, deletion, bounds.
#include <fmt/format.h>

#include "db/catalog/queues.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class QueueEndsTest : public WireTest {
 protected:
  Answer make(const std::string& fields = "") {
    return ask("POST", "/v1/queues", R"({"name":"q")" + (fields.empty() ? "" : "," + fields) + "}");
  }
  Answer patch(const std::string& body) { return ask("PATCH", "/v1/queues/q", body); }
  std::int64_t live() { return count("SELECT count(*) FROM postern.task"); }
};

TEST_F(QueueEndsTest, PurgeCancelsWhatWaits) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(create().text("id"));
  const std::string elsewhere = create("", "other").text("id");
  const Answer purged = ask("POST", "/v1/queues/q/purge");
  EXPECT_EQ(purged.status, 202);
  EXPECT_EQ(purged.body, "");
  for (const auto& id : ids) {
    const Answer task = ask("GET", "/v1/tasks/" + id);
    EXPECT_EQ(task.text("status"), "cancelled");
    EXPECT_EQ(task.text("reason"), "queue_purged");
    EXPECT_EQ(task.text("last_error"), "queue purged");
  }
  EXPECT_EQ(ask("GET", "/v1/tasks/" + elsewhere).text("status"), "pending");
  EXPECT_EQ(ask("POST", "/v1/tasks/" + ids[0] + "/retry").status, 200);
}

TEST_F(QueueEndsTest, PurgeGoesOnAfterItsFirstStep) {
  ASSERT_EQ(create().status, 201);
  admin_.script(
      "INSERT INTO postern.task SELECT (jsonb_populate_record(t, jsonb_build_object('id', "
      "postern.new_task_id()))).* FROM postern.task t, generate_series(1, 2500)");
  EXPECT_EQ(ask("POST", "/v1/queues/q/purge").status, 202);
  EXPECT_EQ(live(), 0);
}

TEST_F(QueueEndsTest, OneWithLiveTasksIsDeletedOnlyByForce) {
  const std::string id = create().text("id");
  const Answer refused = ask("DELETE", "/v1/queues/q");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.reason(), "queue_not_empty");
  EXPECT_EQ(ask("GET", "/v1/queues/q").text("paused"), "false");
  EXPECT_EQ(ask("DELETE", "/v1/queues/q?force=false").reason(), "queue_not_empty");
  EXPECT_EQ(ask("DELETE", "/v1/queues/q?force=true").status, 204);
  EXPECT_EQ(ask("GET", "/v1/queues/q").status, 404);
  const Answer task = ask("GET", "/v1/tasks/" + id);
  EXPECT_EQ(task.text("status"), "cancelled");
  EXPECT_EQ(task.text("reason"), "queue_deleted");
}

TEST_F(QueueEndsTest, AnEmptyOneIsDeleted) {
  ASSERT_EQ(make().status, 201);
  EXPECT_EQ(ask("DELETE", "/v1/queues/q").status, 204);
  EXPECT_EQ(ask("DELETE", "/v1/queues/q").status, 404);
}

TEST_F(QueueEndsTest, WhatIsFullSaysSo) {
  ASSERT_EQ(make(R"("max_entries":2)").status, 201);
  ASSERT_EQ(create().status, 201);
  ASSERT_EQ(create().status, 201);
  const Answer refused = create();
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.text("error/code"), "conflict");
  EXPECT_EQ(refused.reason(), "queue_full");
}

// A bound that was lowered is the schedulers' to reach: a creation discards one for itself.
TEST_F(QueueEndsTest, AboveALoweredBoundTheNumberDoesNotGrow) {
  ASSERT_EQ(make(R"("max_entries":10000,"discard_old":true)").status, 201);
  ASSERT_EQ(create().status, 201);
  admin_.script(
      "INSERT INTO postern.task SELECT (jsonb_populate_record(t, jsonb_build_object('id', "
      "postern.new_task_id()))).* FROM postern.task t, generate_series(1, 250);"
      "UPDATE postern.counter SET value = 251 WHERE name = 'created'");
  ASSERT_EQ(patch(R"({"max_entries":3})").status, 200);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(create().status, 201);
    EXPECT_EQ(live(), 251);
  }
}

}  // namespace
}  // namespace postern::test
