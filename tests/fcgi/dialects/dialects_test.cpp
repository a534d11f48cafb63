// Which dialect a request is taken for, and who speaks when something is wrong.
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class DialectsTest : public WireTest {
 protected:
  // The dialect that an answer is in.
  static std::string spoken(const Answer& answer) {
    const auto body = answer.json();
    if (body.contains("detail") || body.contains("job_id")) return "taskmq";
    if (body.contains("error")) return body.at("error").is_string() ? "asyncqueue" : "native";
    if (body.contains("task")) return "asyncqueue";
    return body.contains("state") ? "asyncjobs" : "native";
  }
  Answer at(const std::string& dialect, std::string method, std::string path,
            std::string body = {}) {
    HttpRequest asked = request(std::move(method), std::move(path), std::move(body));
    asked.dialect = dialect;
    return ask(asked);
  }
  void SetUp() override { ask("POST", "/v1/queues", R"({"name":"Q"})"); }
};

const std::string kNative = R"({"queue":"q","webhook_url":"http://a.test/","delay":60})";
const std::string kAsyncQueue =
    R"({"targetUrl":"http://a.test/","delayUntil":"2030-01-01T00:00:00Z"})";
const std::string kAsyncJobs = R"({"type":"email","queue":"Q"})";

TEST_F(DialectsTest, ACreationIsToldByTheKeyThatOnlyOneHas) {
  const std::pair<std::string, std::string> cases[] = {
      {kNative, "native"},
      {kAsyncQueue, "asyncqueue"},
      {R"({"callbackUrl":"http://a.test/"})", "asyncqueue"},
      {R"({"callbackUrl":"http://a.test/","targetUrl":"http://a.test/"})", "asyncqueue"},
      {kAsyncJobs, "asyncjobs"},
      {R"({"\u0074ype":"email","queue":"Q"})", "asyncjobs"},
      {R"({"queue":"q","webhook_url":"http://a.test/","payload":{"type":"x","targetUrl":1}})",
       "native"},
      {R"({"queue":"q"})", "native"},
      {R"({"priority":11,"targetUrl":"http://a.test/"})", "asyncqueue"},
      {"{", "native"},
      {R"({"type":)", "native"},
      {"[]", "native"},
      {"", "native"}};
  for (const auto& [body, dialect] : cases) {
    EXPECT_EQ(spoken(ask("POST", "/v1/tasks", body)), dialect) << body;
  }
}

TEST_F(DialectsTest, TwoTellingKeysAreRefusedByName) {
  for (const auto& [one, other] : {std::pair<std::string, std::string>{"targetUrl", "webhook_url"},
                                   {"callbackUrl", "type"},
                                   {"webhook_url", "type"}}) {
    const Answer answer =
        ask("POST", "/v1/tasks", "{\"" + one + "\":\"x\",\"" + other + "\":\"y\"}");
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.reason(), "dialect_ambiguous");
    EXPECT_NE(answer.text("error/message").find(one), std::string::npos);
    EXPECT_NE(answer.text("error/message").find(other), std::string::npos);
  }
}

TEST_F(DialectsTest, AMountSpeaksItsOwnWhateverIsAsked) {
  EXPECT_EQ(spoken(at("asyncqueue", "POST", "/v1/tasks", kNative)), "asyncqueue");
  EXPECT_EQ(spoken(at("asyncqueue", "GET", "/v1/nothing")), "asyncqueue");
  EXPECT_EQ(spoken(at("asyncqueue", "PATCH", "/v1/tasks")), "asyncqueue");
  EXPECT_EQ(spoken(at("taskmq", "GET", "/v1/tasks")), "taskmq");
  EXPECT_EQ(spoken(at("native", "POST", "/v1/tasks", kAsyncJobs)), "native");
  EXPECT_EQ(at("native", "POST", "/v1/tasks", kAsyncJobs).reason(), "unknown_field");
  const std::string id = ask("POST", "/v1/tasks", kNative).text("id");
  for (const char* dialect : {"asyncqueue", "asyncjobs", "native"}) {
    EXPECT_EQ(spoken(at(dialect, "GET", "/v1/tasks/" + id)), dialect);
  }
}

TEST_F(DialectsTest, ATaskIsShownAndRefusedInItsOwnWords) {
  const std::string of_queue = ask("POST", "/v1/tasks", kAsyncQueue).text("task/id");
  const std::string of_jobs = ask("POST", "/v1/tasks", kAsyncJobs).text("id");
  for (const auto& [id, dialect] : {std::pair{of_queue, "asyncqueue"}, {of_jobs, "asyncjobs"}}) {
    EXPECT_EQ(spoken(ask("GET", "/v1/tasks/" + id)), dialect);
    EXPECT_EQ(spoken(ask("POST", "/v1/tasks/" + id + "/cancel")), dialect);
    const Answer refused = ask("POST", "/v1/tasks/" + id + "/cancel");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.json().at("error").is_string(), dialect == std::string("asyncqueue"));
  }
}

TEST_F(DialectsTest, AnIdThatIsNotThereIsAnsweredInTheDialectThatSpellsSo) {
  const std::pair<std::string, std::string> cases[] = {
      {"task_01h455vb4pex5vsknk084sn02q", "native"},
      {"01890a5d-ac96-774b-bcce-b302099a8057", "asyncqueue"},
      {"24YUZFAAAAAAAAAAAAAAAAAAAAA", "native"},  // asyncjobs's errors are the native ones
      {"7", "taskmq"},
      {"99999999999999999999", "taskmq"},
      {"retry", "native"}};
  for (const auto& [id, dialect] : cases) {
    const Answer answer = ask("GET", "/v1/tasks/" + id);
    EXPECT_EQ(answer.status, 404) << id;
    EXPECT_EQ(spoken(answer), dialect) << id;
  }
}

TEST_F(DialectsTest, AListShowsEachTaskAsItsOwnDialectDoes) {
  ask("POST", "/v1/tasks", kNative);
  ask("POST", "/v1/tasks", kAsyncQueue);
  ask("POST", "/v1/tasks", kAsyncJobs);
  for (const char* path : {"/v1/tasks", "/v1/tasks?type=email", "/v1/tasks?state=new"}) {
    const Answer list = ask("GET", path);
    ASSERT_EQ(list.status, 200) << path;
    for (const char* key : {"tasks", "count", "pagination"}) EXPECT_TRUE(list.json().contains(key));
    const auto body = list.json();
    for (const auto& task : body.at("tasks").as_array()) {
      const auto& object = task.as_object();
      EXPECT_EQ(
          object.contains("targetUrl") + object.contains("webhook_url") + object.contains("type"),
          1);
    }
  }
  EXPECT_EQ(ask("GET", "/v1/tasks").json().at("count").as_int64(), 3);
  EXPECT_EQ(ask("GET", "/v1/tasks?type=email").json().at("count").as_int64(), 1);
  EXPECT_EQ(ask("GET", "/v1/tasks?state=new").json().at("count").as_int64(), 3);
  EXPECT_EQ(ask("GET", "/v1/tasks?state=new&status=pending").status, 400);
  // AsyncQueue's words for a status beside the native ones, whose pending holds what is delayed.
  const std::pair<const char*, int> counts[] = {{"pending", 3},    {"delayed", 2}, {"active", 0},
                                                {"processing", 0}, {"waiting", 0}, {"timeout", 0}};
  for (const auto& [status, number] : counts) {
    EXPECT_EQ(ask("GET", std::string("/v1/tasks?status=") + status).text("count"),
              std::to_string(number))
        << status;
  }
  EXPECT_EQ(ask("GET", "/v1/tasks?status=new").status, 400);
  EXPECT_EQ(at("native", "GET", "/v1/tasks?status=delayed").status, 400);
}

TEST_F(DialectsTest, ATaskmqNumberIsAnIdEverywhere) {
  const auto added = at("taskmq", "POST", "/add-job", R"({"payload":{},"handler":"x"})");
  const std::string id = added.text("job_id");
  EXPECT_EQ(ask("GET", "/v1/tasks/" + id).text("status"), "PENDING");
  const std::string uuid = at("asyncqueue", "GET", "/v1/tasks/" + id).text("task/id");
  EXPECT_EQ(uuid.size(), 36U);
  EXPECT_EQ(at("taskmq", "GET", "/job/" + uuid).text("id"), id);
  HttpRequest other = request("GET", "/v1/tasks/" + id);
  other.key_tenant = "acme";
  EXPECT_EQ(ask(other).status, 404);
}

// No name holds such a byte, and PostgreSQL refuses to compare one with it: this was a 500.
TEST_F(DialectsTest, ANameThatIsNotUtf8IsNotThereOnAnyRoute) {
  for (const Dialect dialect : kAllDialects) {
    for (const Route& route : table_of(dialect).routes) {
      std::string path(route.pattern);
      const auto begin = path.find('{');
      if (begin == path.npos) continue;
      path.replace(begin, path.find('}') - begin + 1, "a\xff");
      for (const std::string_view mount : {name(dialect), std::string_view()}) {
        const Answer answer = at(std::string(mount), std::string(route.method), path, "{}");
        EXPECT_EQ(answer.status, 404) << mount << ' ' << route.method << ' ' << route.pattern;
      }
    }
  }
}

// A key stands for one task; who spoke another dialect then cannot have sent another body.
TEST_F(DialectsTest, AKeyOfAnotherDialectReplaysTheFirstTask) {
  const auto with_key = [&](const std::string& body, const std::string& dialect = "") {
    HttpRequest post = request("POST", "/v1/tasks", body);
    post.idempotency_key = "k";
    post.dialect = dialect;
    return ask(post);
  };
  EXPECT_EQ(with_key(kNative).status, 201);
  const Answer replay = with_key(kAsyncQueue);
  EXPECT_EQ(replay.status, 200);
  EXPECT_EQ(spoken(replay), "native");
  EXPECT_EQ(replay.headers.at("Idempotency-Replayed"), "true");
  EXPECT_EQ(spoken(with_key(kAsyncJobs, "asyncjobs")), "asyncjobs");
  EXPECT_EQ(with_key(R"({"queue":"other","webhook_url":"http://a.test/"})").status, 422);
}

TEST_F(DialectsTest, QueuesOfDialectsWithoutQueuesAreListedWhenAskedFor) {
  ask("POST", "/v1/tasks", kAsyncQueue);
  at("taskmq", "POST", "/add-job", R"({"payload":{},"handler":"x"})");
  EXPECT_EQ(ask("GET", "/v1/queues").json().at("queues").as_array().size(), 1U);
  EXPECT_EQ(ask("GET", "/v1/queues?all=true").json().at("queues").as_array().size(), 3U);
  EXPECT_EQ(ask("GET", "/v1/queues/taskmq").status, 200);
}

}  // namespace
}  // namespace postern::test
