// TaskMQ's wire around its jobs: who may do what, paths that are not there, health and metrics.
#include "db/engine/heartbeat.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

constexpr char kJob[] = R"({"payload":{},"handler":"mail"})";

class TaskMqAccessTest : public WireTest {
 protected:
  static HttpRequest at_mount(std::string method, std::string path, std::string body = {}) {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    out.dialect = "taskmq";
    return out;
  }
  Answer say(std::string method, std::string path, std::string body = {}) {
    return ask(at_mount(std::move(method), std::move(path), std::move(body)));
  }
};

TEST_F(TaskMqAccessTest, NobodyIsLetInWithoutACredential) {
  for (const auto& [method, path] : {std::pair{"POST", "/add-job"},
                                     {"POST", "/cancel"},
                                     {"POST", "/retry"},
                                     {"GET", "/job/1"}}) {
    for (const Verdict verdict : {Verdict::missing, Verdict::invalid, Verdict::absent}) {
      HttpRequest nobody = at_mount(method, path, "{}");
      nobody.verdict = verdict;
      const Answer answer = ask(nobody);
      EXPECT_EQ(answer.status, 401) << path;
      EXPECT_EQ(answer.body, R"({"detail":"Invalid or missing token"})");
      EXPECT_EQ(answer.headers.at("WWW-Authenticate"), "Bearer");
    }
  }
}

TEST_F(TaskMqAccessTest, RolesDoWhatTheyMay) {
  const std::string number = say("POST", "/add-job", kJob).text("job_id");
  const std::string id = R"({"job_id":)" + number + "}";
  struct Case {
    const char* role;
    bool add, cancel, retry, get;
  };
  for (const Case& c :
       {Case{"admin", true, true, true, true}, Case{"worker", false, false, true, true},
        Case{"read", false, false, false, true}, Case{"", false, false, false, false}}) {
    const auto may = [&](const char* method, const std::string& path, const std::string& body) {
      HttpRequest out = at_mount(method, path, body);
      out.role = c.role;
      const Answer answer = ask(out);
      if (answer.status != 403) return true;
      EXPECT_EQ(answer.body, R"({"detail":"Insufficient permissions"})");
      return false;
    };
    EXPECT_EQ(may("POST", "/add-job", kJob), c.add) << c.role;
    EXPECT_EQ(may("POST", "/cancel", id), c.cancel) << c.role;
    EXPECT_EQ(may("POST", "/retry", id), c.retry) << c.role;
    EXPECT_EQ(may("GET", "/job/" + number, ""), c.get) << c.role;
  }
}

TEST_F(TaskMqAccessTest, PathsAndMethodsThatAreNotThere) {
  EXPECT_EQ(say("GET", "/nothing").body, R"({"detail":"Not Found"})");
  EXPECT_EQ(say("GET", "/nothing").status, 404);
  EXPECT_EQ(say("POST", "/v1/tasks", "{}").status, 404);
  EXPECT_EQ(say("GET", "/job/").status, 404);
  for (const auto& [method, path, allowed] : {std::tuple{"GET", "/add-job", "POST"},
                                              {"DELETE", "/cancel", "POST"},
                                              {"PUT", "/retry", "POST"},
                                              {"POST", "/job/1", "GET, HEAD"},
                                              {"POST", "/health", "GET, HEAD"},
                                              {"POST", "/monitor/metrics", "GET, HEAD"}}) {
    const Answer answer = say(method, path);
    EXPECT_EQ(answer.status, 405) << path;
    EXPECT_EQ(answer.body, R"({"detail":"Method Not Allowed"})");
    EXPECT_EQ(answer.headers.at("Allow"), allowed) << path;
  }
}

// As Starlette leads there, before anybody asks who it is; in whichever site it is asked.
TEST_F(TaskMqAccessTest, ASlashBehindAPathLeadsToThePathWithout) {
  for (const auto& [method, path, location] :
       {std::tuple{"POST", "/add-job/", "../add-job"},
        {"POST", "/cancel/", "../cancel"},
        {"GET", "/retry/", "../retry"},
        {"GET", "/health/", "../health"},
        {"HEAD", "/openapi.json/", "../openapi.json"},
        {"GET", "/job/12/", "../12"},
        {"GET", "/job/a b\xc3\xa9%\r\n/", "../a%20b%C3%A9%25%0D%0A"}}) {
    HttpRequest out = at_mount(method, path, kJob);
    out.verdict = Verdict::missing;
    Answer answer = ask(out);
    EXPECT_EQ(answer.status, 307) << path;
    EXPECT_EQ(answer.headers.at("Location"), location);
    EXPECT_EQ(answer.body, "");
    out.base_path = "/queue/taskmq";
    out.query = "a=%2F&b";
    answer = ask(out);
    EXPECT_EQ(answer.headers.at("Location"), std::string(location) + "?a=%2F&b");
  }
  for (const char* path : {"/", "/nothing/", "/job/", "/v1/tasks/", "/add-job/x/"}) {
    EXPECT_EQ(say("GET", path).status, 404) << path;
  }
  HttpRequest native = request("POST", "/v1/tasks/", "{}");
  EXPECT_EQ(ask(native).status, 404);
}

TEST_F(TaskMqAccessTest, HealthIsForEverybodyAndTellsOfTheWorker) {
  HttpRequest get = at_mount("GET", "/health");
  get.verdict = Verdict::missing;
  Answer answer = ask(get);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"status":"ok","worker":"unknown"})");
  admin_.exec(db::kBeat, db::beat_params(random_uuid(), "one", {}));
  EXPECT_EQ(ask(get).body, R"({"status":"ok","worker":"alive"})");
  admin_.script("UPDATE postern.instance SET beat_at = now() - interval '2 minutes'");
  EXPECT_EQ(ask(get).body, R"({"status":"ok","worker":"unknown"})");
  admin_.script("ALTER SCHEMA postern RENAME TO away");
  answer = ask(get);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"status":"db_error"})");
}

TEST_F(TaskMqAccessTest, MetricsAreForEverybody) {
  for (const char* path : {"/monitor/metrics", "/monitor/metrics/"}) {
    HttpRequest get = at_mount("GET", path);
    get.verdict = Verdict::missing;
    const Answer answer = ask(get);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    for (const char* line :
         {"# TYPE taskmq_jobs_total counter", R"(taskmq_jobs_total{status="success"} 0)",
          R"(taskmq_jobs_total{status="failed"} 0)", "# TYPE taskmq_job_duration_seconds histogram",
          R"(taskmq_job_duration_seconds_bucket{le="0.1"} 0)"}) {
      EXPECT_NE(answer.body.find(std::string(line) + "\n"), std::string::npos) << line;
    }
  }
}

TEST_F(TaskMqAccessTest, ABodyThatIsTooLargeIsRefused) {
  HttpRequest post = at_mount("POST", "/add-job");
  post.body_too_large = true;
  const Answer answer = ask(post);
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.json().size(), 1u);
  EXPECT_TRUE(answer.at("detail").is_string());
}

}  // namespace
}  // namespace postern::test
