// Lists as one task per line.
#include <set>
#include <sstream>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class StreamsTest : public WireTest {
 protected:
  static std::vector<boost::json::object> lines(const Answer& answer) {
    std::vector<boost::json::object> out;
    std::istringstream text(answer.body);
    for (std::string line; std::getline(text, line);) {
      out.push_back(boost::json::parse(line).as_object());
    }
    return out;
  }
  void make(int n) {
    admin_.script(
        "INSERT INTO postern.task (id, tenant, queue, url, state, lane)"
        " SELECT ('01890a5d-ac96-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', CASE n "
        "% 2 WHEN 0 THEN 'even' ELSE 'odd' END,"
        " 'http://a.test/', 'ready', 1 FROM generate_series(1, " +
        std::to_string(n) + ") n");
  }
};

TEST_F(StreamsTest, GivesOneTaskPerLineNewestFirst) {
  make(1'001);
  const Answer answer = ask("GET", "/v1/tasks?stream=ndjson&limit=100000");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(answer.headers.at("X-Accel-Buffering"), "no");
  const auto all = lines(answer);
  ASSERT_EQ(all.size(), 1'001u);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < all.size(); ++i) {
    ids.emplace(all[i].at("id").as_string());
    if (i > 0) {
      EXPECT_LT(all[i].at("id").as_string(), all[i - 1].at("id").as_string());
    }
  }
  EXPECT_EQ(ids.size(), all.size());
  EXPECT_EQ(boost::json::serialize(all[0]),
            boost::json::serialize(ask("GET", "/v1/tasks?limit=1").at("tasks/0")));

  EXPECT_EQ(lines(ask("GET", "/v1/tasks?stream=ndjson")).size(), 200u);
  EXPECT_EQ(lines(ask("GET", "/v1/tasks?stream=ndjson&limit=450")).size(), 450u);
  EXPECT_EQ(lines(ask("GET", "/v1/tasks?stream=ndjson&limit=1000&queue=odd")).size(), 501u);
  EXPECT_EQ(lines(ask("GET", "/v1/tasks?stream=ndjson&limit=1000&offset=990")).size(), 11u);
  const std::string tenth(all[9].at("id").as_string());
  EXPECT_EQ(lines(ask("GET", "/v1/tasks?stream=ndjson&limit=2000&cursor=" + tenth)).size(), 991u);
  EXPECT_EQ(ask("GET", "/v1/tasks?stream=ndjson&queue=none").body, "");
  EXPECT_EQ(ask("HEAD", "/v1/tasks?stream=ndjson").body, "");
}

TEST_F(StreamsTest, RefusesWhatCannotBe) {
  for (const auto& [query, reason] : {std::pair{"stream=json", "stream_invalid"},
                                      {"stream=", "stream_invalid"},
                                      {"stream=ndjson&stream=ndjson", "parameter_repeated"},
                                      {"stream=ndjson&limit=0", "limit_invalid"},
                                      {"stream=ndjson&limit=100001", "limit_invalid"},
                                      {"stream=ndjson&status=none", "status_invalid"}}) {
    const Answer answer = ask("GET", std::string("/v1/tasks?") + query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(answer.reason(), reason) << query;
  }
}

TEST_F(StreamsTest, OnlySoManyAtOnceAndAShareOfThemForATenant) {
  start({.max_streams = 3});
  make(10);
  const auto of = [&](const std::string& tenant) {
    HttpRequest asked = request("GET", "/v1/tasks?stream=ndjson");
    asked.key_tenant = tenant;
    return asked;
  };
  std::vector<HttpResponse> held;
  const auto hold = [&](const std::string& tenant) {
    handlers_->answer(of(tenant), [&](const HttpResponse& response) { held.push_back(response); });
    return held.back().status;
  };
  const auto expect_refused = [&](const std::string& tenant) {
    const Answer refused = ask(of(tenant));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.reason(), "too_many_streams");
    EXPECT_EQ(refused.headers.at("Retry-After"), "1");
  };
  EXPECT_EQ(hold("default"), 200);
  EXPECT_EQ(hold("default"), 200);
  expect_refused("default");
  EXPECT_EQ(hold("acme"), 200);
  expect_refused("another");
  EXPECT_EQ(ask("GET", "/v1/tasks").status, 200);
  held.clear();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(lines(ask("GET", "/v1/tasks?stream=ndjson")).size(), 10u);
  }
}

}  // namespace
}  // namespace postern::test
