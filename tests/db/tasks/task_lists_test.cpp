#include <gtest/gtest.h>

#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class ListTasks : public ::testing::Test {
 protected:
  // Ten tasks, oldest first: even ones in queue "even" and cancelled, odd ones in "odd" and ready.
  ListTasks() {
    for (int i = 0; i < 10; ++i) {
      auto task = new_task(i % 2 == 0 ? "even" : "odd");
      task.spec.id.bytes[5] =
          static_cast<std::uint8_t>(i);  // in this order, even in one millisecond
      task.spec.tags = {"all", "n" + std::to_string(i)};
      insert(connection_, {task});
      if (i % 2 == 0) db::cancel_task(connection_, "default", task.spec.id, Uuid{});
      ids_.push_back(task.spec.id);
    }
    std::sort(ids_.rbegin(), ids_.rend());
  }
  std::vector<TaskId> list(const db::TaskFilter& filter) {
    page_ = db::list_tasks(connection_, "default", filter);
    std::vector<TaskId> out;
    for (const auto& task : page_.tasks) out.push_back(task.spec.id);
    return out;
  }

  Database database_;
  db::PgConnection connection_ = database_.connect("postern_api");
  std::vector<TaskId> ids_;  // newest first
  db::Page page_;
};

TEST_F(ListTasks, NewestFirstLiveAndFinishedTogether) {
  EXPECT_EQ(list({}), ids_);
  EXPECT_EQ(page_.total, 10);
  EXPECT_FALSE(page_.next);
  EXPECT_FALSE(page_.total_estimated);
}

TEST_F(ListTasks, PagesByOffsetAndByCursorAgree) {
  std::vector<TaskId> by_offset, by_cursor;
  for (int offset = 0; offset < 10; offset += 3) {
    db::TaskFilter filter;
    filter.limit = 3;
    filter.offset = offset;
    for (const auto& id : list(filter)) by_offset.push_back(id);
    EXPECT_EQ(page_.next.has_value(), offset + 3 < 10) << offset;
  }
  db::TaskFilter filter;
  filter.limit = 3;
  for (;;) {
    for (const auto& id : list(filter)) by_cursor.push_back(id);
    EXPECT_EQ(page_.total, 10) << "the total does not shrink with the cursor";
    if (!page_.next) break;
    filter.before = by_cursor.back();
  }
  EXPECT_EQ(by_offset, ids_);
  EXPECT_EQ(by_cursor, ids_);
}

TEST_F(ListTasks, FiltersNarrow) {
  db::TaskFilter filter;
  filter.queue = "even";
  EXPECT_EQ(list(filter).size(), 5U);
  filter = {};
  filter.states = {State::ready, State::delayed};
  EXPECT_EQ(list(filter).size(), 5U);
  for (const auto& task : page_.tasks) EXPECT_EQ(task.state, State::ready);
  filter.queue = "even";
  EXPECT_TRUE(list(filter).empty());
  EXPECT_EQ(page_.total, 0);
  filter = {};
  filter.tag = "n3";
  EXPECT_EQ(list(filter).size(), 1U);
  filter = {};
  filter.created_since = *parse_rfc3339("2099-01-01T00:00:00Z");
  EXPECT_TRUE(list(filter).empty());
  filter = {};
  filter.created_until = *parse_rfc3339("2099-01-01T00:00:00Z");
  EXPECT_EQ(list(filter).size(), 10U);
}

TEST_F(ListTasks, AnotherTenantSeesNothing) {
  EXPECT_TRUE(db::list_tasks(connection_, "acme", {}).tasks.empty());
}

TEST_F(ListTasks, LargeBodiesAreLeftOut) {
  auto small = new_task("big"), large = new_task("big"), none = new_task("big");
  small.spec.body = std::string(16'384, 'x');
  large.spec.body = std::string(16'385, 'x');
  none.spec.body.reset();
  insert(connection_, {small, large, none});
  db::TaskFilter filter;
  filter.queue = "big";
  list(filter);
  for (const auto& task : page_.tasks) {
    EXPECT_EQ(task.body_omitted, task.spec.id == large.spec.id);
    EXPECT_EQ(task.spec.body.has_value(), task.spec.id == small.spec.id);
  }
  EXPECT_EQ(read(connection_, large.spec.id)->spec.body, large.spec.body);
}

TEST_F(ListTasks, BeyondTenThousandTheCountersTell) {
  database_.connect().script(R"sql(
    INSERT INTO postern.task (id, tenant, queue, url, lane, state)
    SELECT postern.new_task_id(), 'default', 'many', 'http://x.test/', 1, 'ready'
      FROM generate_series(1, 10500);
    INSERT INTO postern.counter VALUES (gen_random_uuid(), 'default', 'many', 'created', 10500))sql");
  db::TaskFilter filter;
  filter.queue = "many";
  list(filter);
  EXPECT_TRUE(page_.total_estimated);
  EXPECT_EQ(page_.total, 10'500);
}

}  // namespace
}  // namespace postern::test
