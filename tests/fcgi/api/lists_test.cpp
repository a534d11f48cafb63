// Lists of what is rare among many: whoever follows where a list says that it goes on finds all.
#include <algorithm>
#include <set>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class RareTasks : public WireTest {
 protected:
  // 12,000 failed tasks, and among them three that completed, with a tag and an endpoint of theirs.
  RareTasks() {
    admin_.script(R"sql(
      INSERT INTO postern.task_finished (id, tenant, queue, url, endpoint, created_at, finished_at, state, reason, tags)
      SELECT (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
             'default', 'q', CASE WHEN n % 4000 <> 5 THEN 'http://a.test/' END, CASE WHEN n % 4000 = 5 THEN 'seldom' END,
             made, made, CASE WHEN n % 4000 = 5 THEN 'completed' ELSE 'failed' END,
             CASE WHEN n % 4000 = 5 THEN '' ELSE 'exhausted' END, CASE WHEN n % 4000 = 5 THEN ARRAY['rare'] END
        FROM (SELECT n, now() - (12000 - n) * interval '1 s' AS made FROM generate_series(1, 12000) n) t)sql");
  }
  Answer as(const std::string& dialect, const std::string& query) {
    HttpRequest asked = request("GET", "/v1/tasks?" + query);
    asked.dialect = dialect;
    return ask(asked);
  }
  struct Walk {
    std::set<std::string> ids;
    int pages = 0;
    std::string last_query;
  };
  // Follows the cursors to the end.
  Walk walk(const std::string& query) {
    Walk walk;
    for (std::string cursor;;) {
      const Answer page = ask("GET", "/v1/tasks?" + query + cursor);
      EXPECT_EQ(page.status, 200) << page.body;
      const auto tasks = page.at("tasks");
      for (const auto& task : tasks.as_array()) {
        walk.ids.emplace(task.at("id").as_string());
      }
      ++walk.pages;
      const std::string next = page.text("pagination/next_cursor");
      EXPECT_EQ(page.text("pagination/hasMore"), next == "null" ? "false" : "true");
      if (next == "null" || walk.pages > 50) return walk;
      cursor = "&cursor=" + next;
    }
  }
};

TEST_F(RareTasks, CursorsLeadToTheEnd) {
  for (const char* query : {"tag=rare", "endpoint=seldom", "tag=rare&queue=q&limit=1",
                            "tag=rare&status=completed", "tag=rare&created_since=2020-01-01"}) {
    const Walk all = walk(query);
    EXPECT_EQ(all.ids.size(), 3u) << query;
    EXPECT_GT(all.pages, 3) << query;
    EXPECT_LT(all.pages, 15) << query;
  }
  const Walk none = walk("tag=none");
  EXPECT_TRUE(none.ids.empty());
  EXPECT_GT(none.pages, 3);
}

TEST_F(RareTasks, AnEmptyPageMayHaveMoreBehindIt) {
  const Answer page = ask("GET", "/v1/tasks?tag=none");
  EXPECT_EQ(page.text("count"), "0");
  EXPECT_EQ(page.text("pagination/hasMore"), "true");
  EXPECT_EQ(page.text("pagination/total"), "0");
  EXPECT_EQ(page.text("pagination/total_estimated"), "true");
}

TEST_F(RareTasks, PagesByNumberAreFull) {
  for (const char* query : {"tag=rare&offset=0", "status=completed", "endpoint=seldom&offset=0"}) {
    const Answer page = ask("GET", std::string("/v1/tasks?") + query);
    EXPECT_EQ(page.text("count"), "3") << query;
    EXPECT_EQ(page.text("pagination/hasMore"), "false") << query;
  }
  const Answer second = ask("GET", "/v1/tasks?tag=rare&limit=2&offset=2");
  EXPECT_EQ(second.text("count"), "1");
  EXPECT_EQ(second.text("pagination/hasMore"), "false");
}

TEST_F(RareTasks, AsyncQueuesPagesAreFull) {
  const Answer first = as("asyncqueue", "status=completed&limit=2");
  EXPECT_EQ(first.at("tasks").as_array().size(), 2u);
  EXPECT_EQ(first.text("pagination/hasMore"), "true");
  const Answer second = as("asyncqueue", "status=completed&limit=2&offset=2");
  EXPECT_EQ(second.at("tasks").as_array().size(), 1u);
  EXPECT_EQ(second.text("pagination/hasMore"), "false");
}

TEST_F(RareTasks, AsyncJobsListsAreFullAndMayBeGoneOnWith) {
  for (const char* query : {"type=seldom", "state=complete"}) {
    const Answer all = as("asyncjobs", query);
    EXPECT_EQ(all.text("count"), "3") << query;
    EXPECT_EQ(all.text("next_cursor"), "null") << query;
  }
  const Answer two = as("asyncjobs", "type=seldom&limit=2");
  EXPECT_EQ(two.text("count"), "2");
  std::size_t rest = 0;
  std::string cursor = two.text("next_cursor");
  EXPECT_NE(cursor, "null");
  for (int pages = 0; cursor != "null" && pages < 20; ++pages) {
    const Answer next = as("asyncjobs", "type=seldom&limit=2&cursor=" + cursor);
    ASSERT_EQ(next.status, 200) << next.body;
    rest += next.at("tasks").as_array().size();
    cursor = next.text("next_cursor");
  }
  EXPECT_EQ(rest, 1u);
  EXPECT_EQ(cursor, "null");
  EXPECT_EQ(as("asyncjobs", "cursor=x").reason(), "cursor_invalid");
}

TEST_F(RareTasks, AStreamGoesOnUntilItHasThemAll) {
  const auto lines = [this](const char* query) {
    const std::string body = ask("GET", std::string("/v1/tasks?stream=ndjson&") + query).body;
    return std::count(body.begin(), body.end(), '\n');
  };
  EXPECT_EQ(lines("tag=rare"), 3);
  EXPECT_EQ(lines("tag=rare&offset=2"), 1);
  EXPECT_EQ(lines("tag=rare&limit=2"), 2);
  EXPECT_EQ(lines("tag=none"), 0);
}

}  // namespace
}  // namespace postern::test
