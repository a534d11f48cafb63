// asyncjobs's lists at its own mount: whole, as one task per line, and one at a time.
#include <algorithm>
#include <optional>
#include <vector>

#include "tests/fcgi/dialects/asyncjobs/asyncjobs.h"

namespace postern::test {
namespace {

using AsyncJobsLists = AsyncJobsTest;

TEST_F(AsyncJobsLists, TasksAreListedOldestFirstAndFiltered) {
  EXPECT_EQ(at("GET", "/v1/tasks").body, R"({"tasks":[],"count":0})");
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(task().text("id"));
  const auto listed = [&](const std::string& query) {
    std::vector<std::string> out;
    const auto body = at("GET", "/v1/tasks" + query).json();
    for (const auto& each : body.at("tasks").as_array())
      out.emplace_back(each.at("id").as_string());
    return out;
  };
  EXPECT_EQ(listed(""), ids);
  EXPECT_EQ(listed("?limit=2"), (std::vector{ids[0], ids[1]}));
  EXPECT_EQ(listed("?limit=99999"), ids);
  EXPECT_EQ(listed("?state=new&state=active").size(), 3U);
  EXPECT_TRUE(listed("?state=complete").empty());
  EXPECT_EQ(listed("?queue=WORK&type=email&created_since=2020-01-01").size(), 3U);
  EXPECT_TRUE(listed("?type=emai").empty());
  EXPECT_TRUE(listed("?created_since=2099-01-01T00:00:00Z").empty());
  EXPECT_TRUE(listed("?unknown=1&queue=OTHER").empty());
  const Answer lines = at("GET", "/v1/tasks?stream=ndjson&limit=2");
  EXPECT_EQ(lines.headers.at("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(std::count(lines.body.begin(), lines.body.end(), '\n'), 2);
}

TEST_F(AsyncJobsLists, TellsWhatIsWrongWithAList) {
  const std::pair<std::string, std::string> cases[] = {
      {"limit=0", "400 invalid_argument limit_invalid limit"},
      {"limit=-5", "400 invalid_argument limit_invalid limit"},
      {"limit=x", "400 invalid_argument limit_invalid limit"},
      {"state=done", "400 invalid_argument state_invalid state"},
      {"state=new,retry", "400 invalid_argument state_invalid state"},
      {"stream=csv", "400 invalid_argument stream_invalid stream"},
      {"created_since=soon", "400 invalid_argument time_invalid created_since"},
      {"queue=a&queue=b", "400 invalid_argument parameter_repeated queue"},
  };
  for (const auto& [query, expected] : cases) {
    EXPECT_EQ(told(at("GET", "/v1/tasks?" + query)), expected) << query;
  }
  // A filter without a value is none.
  const std::string id = task().text("id");
  for (const char* query :
       {"queue=", "type=", "state=", "stream=", "queue=&type=&state=&cursor="}) {
    const Answer all = at("GET", std::string("/v1/tasks?") + query);
    EXPECT_NE(all.body.find(id), std::string::npos) << query << ": " << all.body;
  }
}

TEST_F(AsyncJobsLists, ALineOfAStreamIsATaskWhateverItsPayload) {
  ask("POST", "/v1/tasks",
      "{\"queue\":\"q\",\"webhook_url\":\"http://a.test/\",\"payload\":{\n\"a\":\r\n1}}");
  const Answer lines = ask("GET", "/v1/tasks?stream=ndjson");
  EXPECT_EQ(std::count(lines.body.begin(), lines.body.end(), '\n'), 1);
  EXPECT_NE(lines.body.find("\"payload\":{"), std::string::npos);
}

// The place is taken for as long as somebody reads.
TEST_F(AsyncJobsLists, OneListAtATimeForEachTenant) {
  task();
  HttpRequest asked = request("GET", "/v1/tasks", "");
  asked.query = "stream=ndjson";
  asked.dialect = "asyncjobs";
  std::optional<HttpResponse> held;
  handlers_->answer(asked, [&](const HttpResponse& response) { held = response; });
  ASSERT_TRUE(held->rest);
  const Answer refused = at("GET", "/v1/tasks");
  EXPECT_EQ(told(refused), "429 rate_limited list_in_progress -");
  EXPECT_EQ(refused.headers.at("Retry-After"), "1");
  EXPECT_EQ(ask("GET", "/v1/tasks").status, 200) << "native lists are not limited";
  HttpRequest other = asked;
  other.query = "";
  other.key_tenant = "acme";
  EXPECT_EQ(ask(other).status, 200);
  held.reset();
  EXPECT_EQ(at("GET", "/v1/tasks").status, 200);
}

TEST_F(AsyncJobsLists, TheNextListMayBeAskedForAtTheEndOfAStream) {
  task();
  HttpRequest asked = request("GET", "/v1/tasks", "");
  asked.query = "stream=ndjson";
  asked.dialect = "asyncjobs";
  handlers_->answer(asked, [&](const HttpResponse& response) {
    std::string piece;
    while (response.rest(piece) == Piece::text) EXPECT_EQ(at("GET", "/v1/tasks").status, 429);
    EXPECT_EQ(at("GET", "/v1/tasks").status, 200) << "before the answer's writer lets go of it";
  });
}

}  // namespace
}  // namespace postern::test
