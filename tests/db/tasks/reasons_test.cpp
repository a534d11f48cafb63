// Tasks by the reason for which they ended: in lists, and of what is changed together.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "db/tasks/bulk.h"
#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Reasons : public ::testing::Test {
 protected:
  void add(const std::string& queue, const std::string& state, const std::string& reason,
           int count) {
    owner_.script(fmt::format(
        "INSERT INTO postern.task_finished (id, tenant, queue, url, lane, finished_at, created_at, "
        "state, reason) SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - n), 12, "
        "'0') || '7000' || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid, "
        "'default', '{}', 'http://x.test/', 1, now(), now(), '{}', '{}' FROM generate_series(1, "
        "{}) n",
        queue, state, reason, count));
  }
  static db::TaskFilter by(Reason reason, std::vector<State> states = {}, std::string queue = {}) {
    db::TaskFilter filter;
    filter.reason = reason;
    filter.states = std::move(states);
    filter.queue = std::move(queue);
    return filter;
  }
  std::int64_t total(const db::TaskFilter& filter) {
    const auto page = db::list_tasks(api_, "default", filter);
    EXPECT_EQ(page.tasks.size(), std::min<std::size_t>(20, static_cast<std::size_t>(page.total)));
    for (const auto& task : page.tasks) EXPECT_EQ(task.reason, filter.reason);
    return page.total;
  }
  // Returns how many steps it took, and how many tasks were retried.
  std::pair<int, std::int64_t> retry(const db::TaskFilter& filter) {
    std::optional<db::SweepPlace> place;
    std::int64_t done = 0;
    for (int steps = 1;; ++steps) {
      const auto step =
          db::sweep(api_, db::BulkVerb::retry, "default", filter, place, random_uuid(), 500);
      done += step.done;
      place = step.next;
      if (!place) return {steps, done};
    }
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
};

TEST_F(Reasons, NarrowAList) {
  add("a", "failed", "exhausted", 30);
  add("a", "failed", "gone", 3);
  add("b", "failed", "gone", 2);
  add("b", "cancelled", "queue_purged", 4);
  add("b", "completed", "", 50);
  EXPECT_EQ(total(by(Reason::exhausted)), 30);
  EXPECT_EQ(total(by(Reason::gone)), 5);
  EXPECT_EQ(total(by(Reason::gone, {}, "b")), 2);
  EXPECT_EQ(total(by(Reason::gone, {State::failed})), 5);
  EXPECT_EQ(total(by(Reason::gone, {State::completed})), 0);
  EXPECT_EQ(total(by(Reason::queue_purged)), 4);
  EXPECT_EQ(total(by(Reason::deadline)), 0);
}

TEST_F(Reasons, NarrowWhatIsRetried) {
  add("a", "failed", "exhausted", 3);
  add("a", "failed", "gone", 3);
  add("b", "cancelled", "max_age", 2);
  EXPECT_EQ(retry(by(Reason::gone, {State::failed})).second, 3);
  EXPECT_EQ(retry(by(Reason::max_age, {State::failed, State::cancelled})).second, 2);
  EXPECT_EQ(retry(by(Reason::exhausted, {State::completed})).second, 0);
  EXPECT_EQ(owner_.exec({"", "SELECT count(*) FROM postern.task_finished"}).integer(0, 0), 3);
}

// Those that are completed are not read on the way to what failed.
TEST_F(Reasons, FewAmongManyAreRetriedAtOnce) {
  for (const char* queue : {"a", "b"}) {
    add(queue, "completed", "", 30'000);
    add(queue, "failed", "gone", 600);
    add(queue, "cancelled", "cancelled", 5);
  }
  owner_.script("ANALYZE postern.task_finished");
  std::pair<int, std::int64_t> retried;
  const auto reads = reads_of(api_, "postern.task_finished", [&] {
    retried = {0, 0};
    std::optional<db::SweepPlace> place;
    do {
      const auto step = db::sweep(api_, db::BulkVerb::retry, "default",
                                  by(Reason::gone, {State::failed}), place, Uuid{}, 500);
      ++retried.first;
      retried.second += step.done;
      place = step.next;
    } while (place);
  });
  EXPECT_EQ(retried.second, 1'200);
  EXPECT_EQ(retried.first, 3);
  EXPECT_EQ(reads.scanned, 0);
  EXPECT_LE(reads.blocks, 40'000);
}

}  // namespace
}  // namespace postern::test
