// Whose sequels are seen to in one step, and how much of them.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "core/wire/callback.h"
#include "db/engine/sequels.h"
#include "db/engine/settle.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class SequelTurns : public ::testing::Test {
 protected:
  static NewTask depending(const std::vector<TaskId>& on) {
    auto task = new_task();
    task.spec.dependencies = on;
    return task;
  }
  static NewTask keyed(const std::string& key) {
    auto task = new_task();
    task.spec.key = key;
    return task;
  }
  std::vector<db::Sequel> sequels() {
    return db::sequels_from(scheduler_.exec(db::kSequels, db::sequels_params())).sequels;
  }
  void wake(const std::vector<db::Sequel>& found) {
    scheduler_.exec(db::kWake, db::wake_params(Uuid{}, found));
  }
  void follow() {
    for (auto found = sequels(); !found.empty(); found = sequels()) wake(found);
  }
  std::int64_t count(const char* what) {
    return scheduler_.exec({"", fmt::format("SELECT count(*) FROM postern.{}", what).c_str()})
        .integer(0, 0);
  }

  std::string behind_;
  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(SequelTurns, ATenantsSequelsAreNotBehindAnothersMany) {
  database_.connect().script("INSERT INTO postern.tenant (name) VALUES ('other'), ('third')");
  std::vector<NewTask> many(1'000, keyed("k"));
  for (auto& task : many) {
    task.spec.id = new_task().spec.id;
    task.spec.key = to_uuid(task.spec.id);
  }
  insert(api_, many);
  auto one = keyed("k"), crowded = new_task();
  one.spec.tenant = crowded.spec.tenant = "other";
  insert(api_, {one, crowded});
  std::vector<NewTask> dependents(700, depending({crowded.spec.id}));
  for (auto& task : dependents) task.spec.id = new_task().spec.id, task.spec.tenant = "other";
  insert(api_, dependents);
  auto last = keyed("k");
  last.spec.tenant = "third";
  insert(api_, {last});
  const auto found = sequels();
  EXPECT_LE(found.size(), 500U);
  wake(found);
  EXPECT_EQ(db::get_task(api_, "other", one.spec.id)->state, State::ready);
  EXPECT_EQ(db::get_task(api_, "third", last.spec.id)->state, State::ready);
  // Nor do its dependents come before a third one's key.
  follow();
  EXPECT_EQ(count("task WHERE state = 'blocked'"), 700);
}

// More tenants than one step sees to.
TEST_F(SequelTurns, TenantsTakeTurns) {
  std::vector<NewTask> tasks;
  for (int i = 0; i < 25; ++i) {
    const auto tenant = fmt::format("t{:02}", i);
    database_.connect().script("INSERT INTO postern.tenant (name) VALUES ('" + tenant + "')");
    for (int k = 0; k < 3; ++k) {
      tasks.push_back(keyed(fmt::format("{}", k)));
      tasks.back().spec.tenant = tenant;
    }
  }
  insert(api_, tasks);
  for (const std::size_t tenants : {10, 20, 25}) {
    const auto [found, tenant] =
        db::sequels_from(scheduler_.exec(db::kSequels, db::sequels_params(behind_, 10)));
    EXPECT_EQ(found.size(), 10U);
    behind_ = tenant;
    wake(found);
    EXPECT_EQ(
        scheduler_
            .exec({"", "SELECT count(DISTINCT tenant) FROM postern.task WHERE state = 'ready'"})
            .integer(0, 0),
        static_cast<std::int64_t>(tenants));
  }
}

TEST_F(SequelTurns, CallbacksAreBoundedByWhatTheyTell) {
  std::vector<NewTask> tasks(400, new_task());
  for (auto& task : tasks) {
    task.spec.id = new_task().spec.id;
    task.spec.on_complete_url = "http://receiver.test/done";
  }
  insert(api_, tasks);
  std::vector<db::Settlement> ends;
  for (const auto& claimed : claim(scheduler_, 400)) {
    ends.push_back({.id = claimed.spec.id, .lease = claimed.lease, .state = State::completed});
    ends.back().result = Answer{};
    ends.back().result->body = std::string(16'384, 'x');
  }
  scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, ends));
  std::size_t told = 0;
  for (auto found = sequels(); !found.empty(); found = sequels()) {
    EXPECT_LT(found.size(), 300U);
    for (const auto& sequel : found) told += sequel.ended && has_callback(*sequel.ended) ? 1 : 0;
    wake(found);
  }
  EXPECT_EQ(told, 400U);
}

}  // namespace
}  // namespace postern::test
