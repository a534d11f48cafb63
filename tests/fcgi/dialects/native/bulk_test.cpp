// One transition for many tasks.
#include "core/model/ids.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class BulkTest : public WireTest {
 protected:
  std::string task(const std::string& queue = "q", const std::string& fields = "") {
    return create(fields, queue).text("id");
  }
  // As if it had ended so.
  void end(const std::string& id, const std::string& state) {
    admin_.script("SELECT postern.finish(t, t.id, '" + state + "', '" +
                  (state == "failed" ? "exhausted" : "") +
                  "', NULL) FROM postern.task t WHERE id = '" + to_uuid(*parse_task_id(id)) + "'");
  }
  std::string status(const std::string& id) { return ask("GET", "/v1/tasks/" + id).text("status"); }
  static std::string ids(const std::vector<std::string>& list) {
    std::string out = "{\"ids\":[";
    for (const auto& id : list) out += "\"" + id + "\",";
    if (out.back() == ',') out.pop_back();
    return out + "]}";
  }
};

TEST_F(BulkTest, CancelsAndRetriesByIdsInAnySpelling) {
  std::vector<std::string> list;
  for (int i = 0; i < 4; ++i) list.push_back(task());
  end(list[3], "completed");
  const TaskId second = *parse_task_id(list[1]);
  const TaskId third = *parse_task_id(list[2]);
  const std::vector<std::string> asked{list[3],
                                       list[0],
                                       "nonsense",
                                       to_uuid(second),
                                       to_ksuid(third),
                                       list[0],
                                       "task_01h455vb4pex5vsknk084sn02q"};
  const Answer answer = ask("POST", "/v1/tasks/cancel", ids(asked));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::string_view expected[] = {"failed", "ok",     "not_found", "ok",
                                       "ok",     "failed", "not_found"};
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const std::string at = "results/" + std::to_string(i);
    EXPECT_EQ(answer.text(at + "/id"), asked[i]);
    EXPECT_EQ(answer.text(at + "/status"), expected[i]) << i;
  }
  EXPECT_EQ(answer.text("results/0/code"), "conflict");
  EXPECT_EQ(answer.text("results/0/reason"), "task_already_finished");
  EXPECT_EQ(answer.text("results/2/reason"), "task_not_found");
  EXPECT_EQ(status(list[2]), "cancelled");

  const std::string waits = task();
  const Answer retried = ask("POST", "/v1/tasks/retry", ids({list[0], list[3], waits}));
  EXPECT_EQ(retried.text("results/0/status"), "ok");
  EXPECT_EQ(retried.text("results/1/status"), "ok");
  EXPECT_EQ(retried.text("results/2/status"), "failed");
  EXPECT_EQ(retried.text("results/2/reason"), "task_not_finished");
  EXPECT_EQ(status(list[3]), "pending");
  EXPECT_EQ(count("SELECT sum(value)::bigint FROM postern.counter WHERE name = 'retried'"), 2);
}

TEST_F(BulkTest, RefusesWhatIsNoSelection) {
  struct Case {
    std::string body;
    std::string_view reason, field;
  };
  const Case cases[] = {
      {"", "invalid_json", "null"},
      {"[]", "object_required", "null"},
      {"{}", "ids_required", "ids"},
      {R"({"ids":[]})", "ids_required", "ids"},
      {R"({"ids":null})", "ids_required", "ids"},
      {R"({"ids":"x"})", "invalid_type", "ids"},
      {R"({"ids":[1]})", "invalid_type", "ids"},
      {ids(std::vector<std::string>(101, "x")), "ids_too_many", "ids"},
      {R"({"ids":["x"],"filter":{"queue":"q"}})", "ids_and_filter", "filter"},
      {R"({"ids":["x"],"queue":"q"})", "unknown_field", "queue"},
      {R"({"filter":{}})", "filter_required", "filter"},
      {R"({"filter":{"all":false}})", "filter_required", "filter"},
      {R"({"filter":{"queue":null}})", "filter_required", "filter"},
      {R"({"filter":[]})", "invalid_type", "filter"},
      {R"({"filter":"all"})", "invalid_type", "filter"},
      {R"({"filter":{"all":1}})", "invalid_type", "filter.all"},
      {R"({"filter":{"queue":7}})", "invalid_type", "filter.queue"},
      {R"({"filter":{"queue":"../x"}})", "queue_name_invalid", "filter.queue"},
      {R"({"filter":{"queue":"q","queue":"r"}})", "duplicate_field", "filter.queue"},
      {R"({"filter":{"tag":"a,b"}})", "tag_invalid", "filter.tag"},
      {R"({"filter":{"created_since":"yesterday"}})", "time_invalid", "filter.created_since"},
      {R"({"filter":{"created_until":1}})", "invalid_type", "filter.created_until"},
      {R"({"filter":{"state":"failed"}})", "unknown_field", "filter.state"},
      {R"({"filter":{"status":"active"}})", "status_invalid", "filter.status"},
      {R"({"filter":{"status":"none"}})", "status_invalid", "filter.status"},
      {R"({"filter":{"endpoint":"a b"}})", "endpoint_invalid", "filter.endpoint"},
      {R"({"filter":{"all":true},"dry_run":1})", "invalid_type", "dry_run"},
      {R"({"ids":["x"],"dry_run":true})", "dry_run_invalid", "dry_run"},
      {R"({"dry_run":true})", "dry_run_invalid", "dry_run"},
  };
  for (const char* path : {"/v1/tasks/cancel", "/v1/tasks/retry"}) {
    for (const auto& [body, reason, field] : cases) {
      const Answer answer = ask("POST", path, body);
      EXPECT_EQ(answer.status, 400) << path << body.substr(0, 80);
      EXPECT_EQ(answer.reason(), reason) << path << body.substr(0, 80);
      EXPECT_EQ(answer.field(), field) << path << body.substr(0, 80);
    }
  }
  EXPECT_EQ(ask("POST", "/v1/tasks/cancel", R"({"filter":{"status":"failed"}})").reason(),
            "status_invalid");
  EXPECT_EQ(ask("POST", "/v1/tasks/retry", R"({"filter":{"status":"pending"}})").reason(),
            "status_invalid");
  EXPECT_EQ(ask("GET", "/v1/tasks/retry").reason(), "task_not_found");
  EXPECT_EQ(ask("GET", "/v1/tasks/cancel").reason(), "task_not_found");
}

TEST_F(BulkTest, AsksForTheRoleOfTheVerb) {
  for (const auto& [role, path, expected] : {std::tuple{"worker", "/v1/tasks/retry", 200},
                                             {"worker", "/v1/tasks/cancel", 403},
                                             {"read", "/v1/tasks/retry", 403}}) {
    HttpRequest post = request("POST", path, R"({"filter":{"all":true}})");
    post.role = role;
    EXPECT_EQ(ask(post).status, expected) << role << path;
  }
}

TEST_F(BulkTest, TakesWhatMatchesTheFilter) {
  const std::string plain = task("a"), tagged = task("a", R"("tags":["t"])"), other = task("b");
  const std::string done = task("a"), failed = task("a"), cancelled = task("b");
  end(done, "completed");
  end(failed, "failed");
  end(cancelled, "cancelled");
  const auto asked = [&](const std::string& path, const std::string& filter) {
    return ask("POST", "/v1/tasks/" + path, "{\"filter\":" + filter + "}").body;
  };
  EXPECT_EQ(asked("cancel", R"({"queue":"none"})"), R"({"count":0})");
  EXPECT_EQ(asked("cancel", R"({"queue":"a","tag":"t"})"), R"({"count":1})");
  EXPECT_EQ(status(tagged), "cancelled");
  EXPECT_EQ(asked("cancel", R"({"created_since":"2100-01-01T00:00:00Z"})"), R"({"count":0})");
  EXPECT_EQ(asked("cancel", R"({"queue":"a","status":"blocked"})"), R"({"count":0})");
  EXPECT_EQ(asked("cancel", R"({"queue":"a"})"), R"({"count":1})");
  EXPECT_EQ(status(plain), "cancelled");
  EXPECT_EQ(status(other), "pending");

  // What failed, unless another status is asked for.
  EXPECT_EQ(asked("retry", R"({"all":true})"), R"({"count":1})");
  EXPECT_EQ(status(failed), "pending");
  EXPECT_EQ(status(done), "completed");
  EXPECT_EQ(asked("retry", R"({"queue":"b","status":"cancelled"})"), R"({"count":1})");
  EXPECT_EQ(status(cancelled), "pending");
  EXPECT_EQ(asked("retry", R"({"status":"completed"})"), R"({"count":1})");
}

TEST_F(BulkTest, CountsWhatMatchesAndChangesNothing) {
  const std::string plain = task("a"), tagged = task("a", R"("tags":["t"])");
  const std::string failed = task("a"), done = task("a");
  end(failed, "failed");
  end(done, "completed");
  const auto counted = [&](const std::string& path, const std::string& filter) {
    return ask("POST", "/v1/tasks/" + path, "{\"dry_run\":true,\"filter\":" + filter + "}").body;
  };
  EXPECT_EQ(counted("cancel", R"({"queue":"a"})"), R"({"count":2,"dry_run":true})");
  EXPECT_EQ(counted("cancel", R"({"all":true})"), R"({"count":2,"dry_run":true})");
  EXPECT_EQ(counted("cancel", R"({"tag":"t"})"), R"({"count":1,"dry_run":true})");
  EXPECT_EQ(counted("cancel", R"({"status":"blocked"})"), R"({"count":0,"dry_run":true})");
  EXPECT_EQ(counted("retry", R"({"all":true})"), R"({"count":1,"dry_run":true})");
  EXPECT_EQ(counted("retry", R"({"status":"completed"})"), R"({"count":1,"dry_run":true})");
  EXPECT_EQ(status(plain), "pending");
  EXPECT_EQ(status(failed), "failed");
}

// Past what a look sees it is a lower bound, and says so.
TEST_F(BulkTest, CountsALowerBoundOfVeryMany) {
  admin_.script(
      "INSERT INTO postern.queue (tenant, name) VALUES ('default', 'a');"
      "INSERT INTO postern.task (id, tenant, queue, url, state, lane, tags)"
      " SELECT ('01890a5d-ac96-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', 'a', "
      "'http://a.test/', 'ready', 1, ARRAY['t'] FROM generate_series(1, 12000) n");
  const Answer all = ask("POST", "/v1/tasks/cancel", R"({"filter":{"tag":"t"},"dry_run":true})");
  EXPECT_EQ(all.text("estimated"), "true") << all.body;
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 12'000);
}

TEST_F(BulkTest, TakesTheTasksOfAnEndpoint) {
  ask("POST", "/v1/endpoints", R"({"name":"mail","url":"http://a.test/"})");
  const std::string url = task("a");
  const Answer made = ask("POST", "/v1/tasks", R"({"queue":"a","endpoint":"mail"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const auto filter = R"({"filter":{"endpoint":"mail"}})";
  const auto dry = R"({"filter":{"endpoint":"mail"},"dry_run":true})";
  EXPECT_EQ(ask("POST", "/v1/tasks/cancel", dry).body, R"({"count":1,"dry_run":true})");
  EXPECT_EQ(ask("POST", "/v1/tasks/cancel", filter).body, R"({"count":1})");
  EXPECT_EQ(status(made.text("id")), "cancelled");
  EXPECT_EQ(status(url), "pending");
  EXPECT_EQ(
      ask("POST", "/v1/tasks/retry", R"({"filter":{"endpoint":"mail","status":"cancelled"}})").body,
      R"({"count":1})");
}

TEST_F(BulkTest, GoesThroughAllInSteps) {
  // More than a step carries out, and more than one looks at, in several queues.
  admin_.script(
      "INSERT INTO postern.queue (tenant, name) VALUES ('default', 'a'), ('default', 'b'), "
      "('default', 'c');"
      "INSERT INTO postern.task (id, tenant, queue, url, state, lane, tags)"
      " SELECT ('01890a5d-ac96-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', chr(97 + "
      "n % 3), 'http://a.test/', 'ready', 1,"
      " CASE WHEN n % 12 = 0 THEN ARRAY['t'] END FROM generate_series(1, 24000) n");
  // On a busy machine a request may end with "more".
  const auto all_of = [&](const char* path, const char* body) {
    for (std::int64_t sum = 0;;) {
      const auto answer = boost::json::parse(ask("POST", path, body).body).as_object();
      sum += answer.at("count").as_int64();
      if (!answer.contains("more")) return sum;
    }
  };
  EXPECT_EQ(all_of("/v1/tasks/cancel", R"({"filter":{"tag":"t"}})"), 2'000);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task_finished WHERE 't' = ANY(tags)"), 2'000);
  EXPECT_EQ(ask("POST", "/v1/tasks/cancel", R"({"filter":{"queue":"b","tag":"t"}})").body,
            R"({"count":0})");
  EXPECT_EQ(all_of("/v1/tasks/retry", R"({"filter":{"status":"cancelled"}})"), 2'000);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task_finished"), 0);
}

// 250 of either queue in one step would take 2.5 s, and a statement has two.
TEST_F(BulkTest, TakesSmallerStepsWhereEachTaskTakesLong) {
  admin_.script(
      "INSERT INTO postern.queue (tenant, name) VALUES ('default', 'a'), ('default', 'b');"
      "INSERT INTO postern.task (id, tenant, queue, url, state, lane)"
      " SELECT ('01890a5d-ac96-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', "
      "chr(97 + n % 2), 'http://a.test/', 'ready', 1 FROM generate_series(1, 500) n;"
      "CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END';"
      "CREATE TRIGGER dawdle AFTER DELETE ON postern.task FOR EACH ROW"
      " EXECUTE FUNCTION public.dawdle()");
  EXPECT_EQ(ask("POST", "/v1/tasks/cancel", R"({"filter":{"queue":"a"}})").body,
            R"({"count":250})");
  EXPECT_EQ(ask("POST", "/v1/queues/b/purge").status, 202);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 0);
}

// TaskMQ's numbers were not there in bulk, though one by one they are.
TEST_F(BulkTest, ANumberOfTaskmqIsAnIdHereToo) {
  HttpRequest post = request("POST", "/add-job", R"({"payload":{},"handler":"x"})");
  post.dialect = "taskmq";
  const std::string number = ask(post).text("job_id");
  const std::string asked = ids({"0", number, "999999999"});
  for (const std::string verb : {"cancel", "retry"}) {
    const Answer answer = ask("POST", "/v1/tasks/" + verb, asked);
    EXPECT_EQ(answer.text("results/0/status"), "not_found") << verb;
    EXPECT_EQ(answer.text("results/1/status"), "ok") << verb;
    EXPECT_EQ(answer.text("results/2/status"), "not_found") << verb;
  }
  HttpRequest other = request("POST", "/v1/tasks/cancel", asked);
  other.key_tenant = "other";
  EXPECT_EQ(ask(other).text("results/1/status"), "not_found");
}

TEST_F(BulkTest, LeavesOtherTenantsAlone) {
  const std::string id = task();
  admin_.script("INSERT INTO postern.tenant (name) VALUES ('other')");
  for (const std::string& body : {ids({id}), std::string(R"({"filter":{"all":true}})")}) {
    HttpRequest post = request("POST", "/v1/tasks/cancel", body);
    post.key_tenant = "other";
    EXPECT_EQ(ask(post).status, 200);
  }
  EXPECT_EQ(status(id), "pending");
}

}  // namespace
}  // namespace postern::test
