// Lists read what they answer with, or a bounded number of entries, whatever is stored and whatever
// the tables held when their plans were made.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

constexpr int kStored = 60'000;
constexpr int kPage = 20;

// 60,000 finished tasks, one in each second up to now, nine of ten in queue "big"; and 30,000 live
// ones that are delayed. Of the finished one in 10,000 failed, and one in 20,000 has the tag
// "rare"; every other one has the tag "common".
class ListBounds : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    owner_.script(
        "ALTER TABLE postern.task SET (autovacuum_enabled = off);"
        "ALTER TABLE postern.lease SET (autovacuum_enabled = off);"
        "SELECT postern.make_partitions('standard', 1)");
    const bool planned_before = GetParam();
    if (planned_before) {
      for (const auto& [name, direct, where, filter] : lists_) {
        db::list_tasks(api_, "default", filter);
      }
    }
    fill();
  }

  void fill() {
    owner_.script(fmt::format(R"sql(
      CREATE FUNCTION id_of(made timestamptz, n bigint) RETURNS uuid LANGUAGE sql AS $$
        SELECT (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') || '70008000'
                || lpad(to_hex(n), 12, '0'))::uuid $$;
      CREATE TABLE numbered AS SELECT n, date_trunc('second', now()) - ({0} - n) * interval '1 s' AS made
        FROM generate_series(1, {0}) n;
      INSERT INTO postern.task_finished (id, tenant, queue, url, endpoint, created_at, finished_at, state, reason, tags)
      SELECT id_of(made, n), 'default', CASE WHEN n % 10 > 0 THEN 'big' ELSE 'small' END,
             CASE WHEN n % 3 > 0 THEN 'http://x.test/' END, CASE WHEN n % 3 = 0 THEN 'mail' END,
             made, made + interval '1 s',
             CASE WHEN n % 10000 = 77 THEN 'failed' ELSE 'completed' END,
             CASE WHEN n % 10000 = 77 THEN 'exhausted' ELSE '' END,
             CASE WHEN n % 20000 = 5 THEN ARRAY['rare'] WHEN n % 2 = 0 THEN ARRAY['common'] END
        FROM numbered;
      INSERT INTO postern.task (id, tenant, queue, url, lane, created_at, state, run_at, tags)
      SELECT id_of(made, 1000000 + n), 'default', 'later', 'http://x.test/', 1, made, 'delayed', now() + interval '1 day',
             CASE WHEN n = 7 THEN ARRAY['rare'] END
        FROM numbered WHERE n <= {0} / 2;
      INSERT INTO postern.task (id, tenant, queue, url, lane, created_at, state)
      SELECT id_of(made, 2000000 + n), 'default', 'later', 'http://x.test/', 1, made,
             CASE WHEN n % 2 = 0 THEN 'blocked' ELSE 'ready' END
        FROM numbered WHERE n BETWEEN 10 AND 19;
      INSERT INTO postern.lease (task, lease, until, tenant, queue)
      SELECT id, gen_random_uuid(), now() + interval '1 h', tenant, queue FROM postern.task WHERE state = 'ready')sql",
                              kStored));
  }

  struct List {
    std::string name;
    bool direct;  // an index leads to what it wants
    std::string where;
    db::TaskFilter filter;
  };
  static std::vector<List> lists() {
    std::vector<List> all;
    const auto add = [&](std::string name, bool direct, std::string where,
                         const std::function<void(db::TaskFilter&)>& set) {
      db::TaskFilter filter;
      filter.limit = kPage;
      set(filter);
      all.push_back({std::move(name), direct, std::move(where), filter});
    };
    const Time now = std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
    const Time since = now - std::chrono::hours{9}, until = now - std::chrono::hours{8};
    const auto hour = fmt::format("created_at >= '{}' AND created_at < '{}'",
                                  format_rfc3339(since, TimeDigits::micros),
                                  format_rfc3339(until, TimeDigits::micros));
    const auto within = [&](db::TaskFilter& f) {
      f.created_since = since, f.created_until = until;
    };
    add("all", true, "true", [](auto&) {});
    add("oldest", true, "true", [](auto& f) { f.oldest_first = true; });
    add("queue", true, "queue = 'big'", [](auto& f) { f.queue = "big"; });
    add("small queue", true, "queue = 'small'", [](auto& f) { f.queue = "small"; });
    add("no queue", true, "false", [](auto& f) { f.queue = "none"; });
    add("completed", true, "state = 'completed'", [](auto& f) { f.states = {State::completed}; });
    add("failed", true, "state = 'failed'", [](auto& f) { f.states = {State::failed}; });
    add("failed, oldest", true, "state = 'failed'",
        [](auto& f) { f.states = {State::failed}, f.oldest_first = true; });
    add("failed or cancelled", true, "state = 'failed'", [](auto& f) {
      f.states = {State::failed, State::cancelled};
    });
    add("exhausted", true, "reason = 'exhausted'", [](auto& f) { f.phases = {Phase::exhausted}; });
    add("a reason", true, "reason = 'exhausted'", [](auto& f) { f.reason = Reason::exhausted; });
    add("no such reason", true, "false", [](auto& f) { f.reason = Reason::gone; });
    add("cancelled", true, "false", [](auto& f) { f.states = {State::cancelled}; });
    add("pending", true, "state = 'delayed'", [](auto& f) {
      f.states = {State::ready, State::delayed};
    });
    add("active", true, "state = 'active'", [](auto& f) { f.states = {State::active}; });
    add("blocked", true, "state = 'blocked'", [](auto& f) { f.states = {State::blocked}; });
    add("an hour", true, hour, within);
    add("an hour, oldest", true, hour, [&](auto& f) { within(f), f.oldest_first = true; });
    add("active or blocked", false, "state IN ('active', 'blocked')", [](auto& f) {
      f.states = {State::active, State::blocked};
    });
    add("common tag", false, "'common' = ANY(tags)", [](auto& f) { f.tag = "common"; });
    add("rare tag", false, "'rare' = ANY(tags)", [](auto& f) { f.tag = "rare"; });
    add("rare tag, oldest", false, "'rare' = ANY(tags)",
        [](auto& f) { f.tag = "rare", f.oldest_first = true; });
    add("rare tag of pending", false, "'rare' = ANY(tags) AND state = 'delayed'", [](auto& f) {
      f.tag = "rare", f.states = {State::ready, State::delayed};
    });
    add("no such tag", false, "false", [](auto& f) { f.tag = "none"; });
    add("endpoint", false, "endpoint = 'mail'", [](auto& f) { f.endpoint = "mail"; });
    add("no such endpoint", false, "false", [](auto& f) { f.endpoint = "none"; });
    add("rare tag within an hour", false, "'rare' = ANY(tags) AND " + hour,
        [&](auto& f) { within(f), f.tag = "rare"; });
    return all;
  }

  // Entries of the indexes of tasks and leases, and rows by scans of whole tables.
  struct Read {
    std::int64_t entries;
    std::int64_t scanned;
  };
  template <class Work>
  Read read_by(Work work) {
    const auto counts = [this] {
      // What a session has read reaches the statistics now and then; asked for, at once.
      for (auto* session : {&api_, &owner_})
        session->exec({"", "SELECT pg_stat_force_next_flush()"});
      const auto row = owner_.exec({"", R"sql(
        SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname ~ '^(task|lease)')::bigint,
               (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname ~ '^(task|lease)')::bigint)sql"});
      return Read{row.integer(0, 0), row.integer(0, 1)};
    };
    const Read before = counts();
    work();
    const Read after = counts();
    return {after.entries - before.entries, after.scanned - before.scanned};
  }

  // The ids of a list in its order, page by page: up to `most`, or to its end. Where it goes on.
  std::optional<TaskId> walk(db::TaskFilter filter, std::size_t most,
                             std::vector<TaskId>* ids = nullptr) {
    for (std::size_t seen = 0;;) {
      filter.limit = static_cast<int>(std::min<std::size_t>(most - seen, 1'000));
      const auto listed = db::next_tasks(api_, "default", filter);
      seen += listed.tasks.size();
      for (const auto& task : listed.tasks) {
        if (ids != nullptr) ids->push_back(task.spec.id);
      }
      if (!listed.next || seen == most) return listed.next;
      filter.before = listed.next;
    }
  }
  std::int64_t stored(const std::string& where) {
    const auto sql = "SELECT count(*) FROM postern.task_all WHERE " + where;
    return owner_.exec({"", sql.c_str()}).integer(0, 0);
  }

  const std::vector<List> lists_ = lists();
  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
};

INSTANTIATE_TEST_SUITE_P(Plans, ListBounds, ::testing::Bool(), [](const auto& each) {
  return each.param ? "MadeForEmptyTables" : "MadeForFullTables";
});

// Of finished and of live tasks a look passes 2,500 entries each, and asks for the lease of each
// live one where the state matters. A count passes 10,000 in all, or 2,500 and their leases.
constexpr std::int64_t kOfLook = 3 * db::kLook + 500;
constexpr std::int64_t kOfCount = 10'000 + 500;
// Where an index leads to what is wanted.
constexpr std::int64_t kDirect = 500;

TEST_P(ListBounds, APageReadsABoundedNumberOfEntries) {
  for (const auto& [name, direct, where, filter] : lists_) {
    db::TaskFilter page = filter;
    const auto first = read_by([&] { db::next_tasks(api_, "default", page); });
    EXPECT_EQ(first.scanned, 0) << name;
    EXPECT_LE(first.entries, direct ? kDirect : kOfLook) << name;

    const auto counted = read_by([&] { db::list_tasks(api_, "default", page); });
    EXPECT_EQ(counted.scanned, 0) << name;
    EXPECT_LE(counted.entries, first.entries + kOfCount) << name;

    page.before = walk(filter, 99 * kPage);
    if (!page.before) continue;
    const auto hundredth = read_by([&] { db::next_tasks(api_, "default", page); });
    EXPECT_EQ(hundredth.scanned, 0) << name;
    EXPECT_LE(hundredth.entries, direct ? kDirect : kOfLook) << name;
  }
}

TEST_P(ListBounds, TheHundredthPageByItsNumberReadsThoseBeforeIt) {
  for (const auto& [name, direct, where, filter] : lists_) {
    if (!direct) continue;
    db::TaskFilter page = filter;
    page.offset = 99 * kPage;
    const auto read = read_by([&] { db::next_tasks(api_, "default", page); });
    EXPECT_EQ(read.scanned, 0) << name;
    // Those of each queue, and the leases of live ones.
    EXPECT_LE(read.entries, 3 * 100 * kPage + kDirect) << name;
  }
}

TEST_P(ListBounds, AreNotPlannedAnewForEachList) {
  for (const auto& list : lists_) db::list_tasks(api_, "default", list.filter);
  const auto plans = api_.exec(
      {"",
       "SELECT sum(custom_plans)::bigint, sum(generic_plans)::bigint FROM pg_prepared_statements"});
  EXPECT_EQ(plans.integer(0, 0), 0);
  EXPECT_GT(plans.integer(0, 1), 0);
}

using ListsOfMany = ListBounds;
INSTANTIATE_TEST_SUITE_P(Plans, ListsOfMany, ::testing::Values(false));

TEST_P(ListsOfMany, PagesLeadThroughAllThatMatchInOrder) {
  for (const auto& [name, direct, where, filter] : lists_) {
    std::vector<TaskId> ids;
    EXPECT_FALSE(walk(filter, 1'000'000, &ids)) << name;
    EXPECT_EQ(static_cast<std::int64_t>(ids.size()), stored(where)) << name;
    if (!filter.oldest_first) std::reverse(ids.begin(), ids.end());
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end())) << name;
    EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end()) << name;
  }
}

TEST_P(ListsOfMany, WhoHasNoCursorIsGivenSeveralLooks) {
  db::TaskFilter rare;
  rare.tag = "rare";
  rare.queue = "big";
  const auto one_look = db::list_tasks(api_, "default", rare);
  EXPECT_TRUE(one_look.next);
  EXPECT_TRUE(one_look.tasks.empty());
  EXPECT_EQ(one_look.total, 0);
  EXPECT_TRUE(one_look.total_estimated);
  rare.looks = db::kManyLooks;
  const auto many = db::list_tasks(api_, "default", rare);
  EXPECT_FALSE(many.next);
  EXPECT_EQ(many.tasks.size(), 3U);
  EXPECT_EQ(many.total, 3);
  rare.offset = 2;
  EXPECT_EQ(db::next_tasks(api_, "default", rare).tasks.size(), 1U);

  rare.looks = 1;
  const auto unfinished = db::next_tasks(api_, "default", rare);
  EXPECT_TRUE(unfinished.next);
  EXPECT_EQ(unfinished.offset, 2) << "none of the two was met";
}

TEST_P(ListsOfMany, AttemptsUnderWayMayBeMany) {
  owner_.script(
      "INSERT INTO postern.lease (task, lease, until, tenant, queue, deferred) SELECT id, "
      "gen_random_uuid(), now(), tenant, "
      "queue, true FROM postern.task WHERE state = 'delayed' LIMIT 2500 ON CONFLICT DO NOTHING");
  db::TaskFilter active;
  active.states = {State::active};
  std::vector<TaskId> ids;
  walk(active, 1'000'000, &ids);
  EXPECT_EQ(ids.size(), 2505U);
  active.looks = db::kManyLooks;
  EXPECT_EQ(db::list_tasks(api_, "default", active).tasks.size(), 20U);
}

// The time in an id is that of another clock.
TEST_P(ListsOfMany, ATaskIsFoundByItsTimeThoughItsIdHasAnother) {
  owner_.script(R"sql(
    INSERT INTO postern.task (id, tenant, queue, url, lane, created_at, state)
    SELECT id_of(now() + off, n), 'default', 'off', 'http://x.test/', 1, '2031-01-01Z', 'ready'
      FROM (VALUES (1, timestamptz '2031-01-01Z' - now() - interval '59 s'),
                   (2, timestamptz '2031-01-01Z' - now() + interval '9 s')) v(n, off))sql");
  db::TaskFilter filter;
  filter.created_since = *parse_rfc3339("2031-01-01T00:00:00Z");
  filter.created_until = *parse_rfc3339("2031-01-01T00:00:01Z");
  EXPECT_EQ(db::list_tasks(api_, "default", filter).total, 2);
  filter.oldest_first = true;
  EXPECT_EQ(db::next_tasks(api_, "default", filter).tasks.size(), 2U);
  filter.created_since = *filter.created_since + Microseconds{1};
  EXPECT_EQ(db::list_tasks(api_, "default", filter).total, 0);
}

}  // namespace
}  // namespace postern::test
