#include "db/tasks/columns.h"

#include <gtest/gtest.h>

#include <set>

#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class TaskColumns : public ::testing::Test {
 protected:
  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection owner_ = database_.connect();
};

std::set<std::string> stored() {
  std::set<std::string> names;
  for (const auto& column : db::task_column_table()) {
    if (column.stored) names.insert(column.name);
  }
  return names;
}

TEST_F(TaskColumns, AreThoseOfTheDatabase) {
  for (const char* table : {"task", "task_finished"}) {
    const auto rows = owner_.exec({"",
                                   "SELECT column_name::text FROM information_schema.columns "
                                   "WHERE table_schema = 'postern' AND table_name = $1"},
                                  db::Params().text(table));
    std::set<std::string> there;
    for (int i = 0; i < rows.rows(); ++i) there.emplace(rows.text(i, 0));
    EXPECT_EQ(stored(), there) << table;
  }
}

TEST_F(TaskColumns, TypesOfWhatIsSentAreThoseOfTheDatabase) {
  // Arrays travel as text, since unnest would flatten arrays of arrays.
  const std::set<std::string> as_text{"tags", "dependencies"};
  for (const auto& column : db::task_column_table()) {
    if (!column.stored || column.bind == nullptr || as_text.contains(column.name)) continue;
    const auto row = owner_.exec({"",
                                  "SELECT atttypid::int8 FROM pg_attribute "
                                  "WHERE attrelid = 'postern.task'::regclass AND attname = $1"},
                                 db::Params().text(column.name));
    ASSERT_EQ(row.rows(), 1) << column.name;
    EXPECT_EQ(row.integer(0, 0), static_cast<std::int64_t>(column.type)) << column.name;
  }
}

TEST_F(TaskColumns, WhatTheCallerAskedForIsInsertedReadAndMoved) {
  for (const auto& column : db::task_column_table()) {
    if (column.read_spec == nullptr) continue;
    EXPECT_NE(column.bind, nullptr) << column.name;
    EXPECT_NE(column.inserted, nullptr) << column.name;
    EXPECT_TRUE(column.moved) << column.name;
    EXPECT_EQ(column.read_task, nullptr) << column.name;
  }
}

TEST_F(TaskColumns, ATaskIsReadFromItsOwnListOfBothTables) {
  for (const char* table : {"postern.task", "postern.task_finished"}) {
    for (const auto body : {db::Body::whole, db::Body::small, db::Body::left_out}) {
      const auto sql = "SELECT " + db::task_columns(body) + " FROM " + table;
      const auto result = owner_.exec({"", sql.c_str()});
      EXPECT_NO_THROW(db::TaskReader{result});
    }
  }
}

TEST_F(TaskColumns, ATaskIsNotReadFromLess) {
  const auto sql = "SELECT " + db::spec_columns(db::Body::whole) + " FROM postern.task";
  const auto result = owner_.exec({"", sql.c_str()});
  EXPECT_NO_THROW(db::SpecReader{result});
  EXPECT_THROW(db::TaskReader{result}, std::runtime_error);
}

// The intake answers with created_task, without reading the row back: whatever it says must be what
// the insertion has written.
TEST_F(TaskColumns, ACreatedTaskIsTheOneThatWasInserted) {
  const auto ahead = *parse_rfc3339("2099-01-01T00:00:00Z"),
             past = *parse_rfc3339("2001-01-01T00:00:00Z");
  std::vector<NewTask> tasks;
  for (const char* key : {"", "k"}) {
    for (const bool depends : {false, true}) {
      for (const auto delay : {Microseconds{0}, Microseconds{1}, Microseconds{5'000'000}}) {
        for (const auto& run_at :
             {std::optional<Time>(), std::optional(past), std::optional(ahead)}) {
          auto task = new_task();
          task.spec.key = key;
          if (depends) task.spec.dependencies = {new_task().spec.id};
          task.delay = delay;
          task.run_at = run_at;
          tasks.push_back(task);
        }
      }
    }
  }
  std::set<State> states;
  const Time now = insert(api_, tasks);
  for (const auto& task : tasks) {
    const auto row = read(api_, task.spec.id);
    ASSERT_TRUE(row);
    const Task said = db::created_task(task, now);
    EXPECT_EQ(name(said.state), name(row->state)) << task.spec.key << task.delay.count();
    EXPECT_EQ(said.run_at, row->run_at);
    EXPECT_EQ(said.created_at, row->created_at);
    EXPECT_EQ(said.updated_at, row->updated_at);
    states.insert(row->state);
  }
  EXPECT_EQ(states, (std::set{State::ready, State::delayed, State::blocked}));
}

std::string row_of(db::PgConnection& connection, const NewTask& task) {
  const auto row =
      connection.exec({"",
                       "SELECT (to_jsonb(t) - '{id,created_at,updated_at,run_at}'::text[])::text "
                       "FROM postern.task t "
                       "WHERE id = $1"},
                      db::Params().uuid(task.spec.id));
  return std::string(row.text(0, 0));
}

TEST_F(TaskColumns, ATaskIsTheSameRowWithoutTheColumnsThatFewAskFor) {
  const auto alone = new_task(), beside = new_task();
  auto keyed = new_task();
  keyed.spec.key = "k";
  const std::vector<db::Insertion> common{{&alone, 1}}, all{{&beside, 1}, {&keyed, 1}};
  ASSERT_EQ(db::columns_for(common), db::Columns::common);
  ASSERT_EQ(db::columns_for(all), db::Columns::all);
  insert(api_, {alone});
  insert(api_, {beside, keyed});
  EXPECT_EQ(row_of(owner_, alone), row_of(owner_, beside));
}

TEST_F(TaskColumns, WhatATaskAsksForIsNotLeftOut) {
  using Ask = void (*)(TaskSpec&);
  const std::vector<Ask> asks{
      [](TaskSpec& spec) { spec.content_type = "text/plain"; },
      [](TaskSpec& spec) { spec.deadline = Time{}; },
      [](TaskSpec& spec) { spec.key = "k"; },
      [](TaskSpec& spec) { spec.tags = {"a"}; },
      [](TaskSpec& spec) { spec.dependencies = {new_task().spec.id}; },
      [](TaskSpec& spec) { spec.on_complete_url = "http://a.test/"; },
      [](TaskSpec& spec) { spec.on_failure_url = "http://a.test/"; },
      [](TaskSpec& spec) { spec.extra = "{}"; },
      [](TaskSpec& spec) { spec.job_id = 1; },
      [](TaskSpec& spec) { spec.repeat = Seconds{1}; },
      [](TaskSpec& spec) { spec.hold = Seconds{1}; },
      [](TaskSpec& spec) { spec.load_results = true; },
  };
  std::set<std::string> left_out, asked;
  for (const auto& column : db::task_column_table()) {
    if (column.asks != nullptr) left_out.insert(column.name);
  }
  for (const Ask ask : asks) {
    const auto plain = new_task();
    auto task = new_task();
    ask(task.spec);
    const std::vector<db::Insertion> batch{{&plain, 1}, {&task, 1}};
    EXPECT_EQ(db::columns_for(batch), db::Columns::all);
    for (const auto& column : db::task_column_table()) {
      if (column.asks != nullptr && column.asks(task.spec)) asked.insert(column.name);
    }
  }
  EXPECT_EQ(asked, left_out);
}

}  // namespace
}  // namespace postern::test
