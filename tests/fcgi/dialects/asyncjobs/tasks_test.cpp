// asyncjobs's dialect at its own mount: shapes, and each reason that can be had over HTTP.
#include <optional>
#include <set>
#include <tuple>

#include "core/base/base64.h"
#include "tests/fcgi/dialects/asyncjobs/asyncjobs.h"

namespace postern::test {
namespace {

TEST_F(AsyncJobsTest, AFreshTaskHasWhatIsSetAndNothingElse) {
  const Answer made = task(R"(,"payload":{"to":"x@y"})");
  ASSERT_EQ(made.status, 201);
  std::set<std::string> keys;
  for (const auto& member : made.json()) keys.insert(member.key());
  EXPECT_EQ(keys, (std::set<std::string>{"id", "type", "queue", "payload", "state", "created",
                                         "max_tries"}));
  EXPECT_EQ(made.text("id").size(), 27U);
  EXPECT_EQ(made.text("state"), "new");
  EXPECT_EQ(made.text("queue"), "WORK");
  EXPECT_EQ(made.text("max_tries"), "10");
  EXPECT_EQ(base64_decode(made.text("payload")), R"({"to":"x@y"})");
  EXPECT_EQ(made.headers.at("Location"), "/v1/tasks/" + made.text("id"));
  EXPECT_EQ(at("GET", "/v1/tasks/" + made.text("id")).body, made.body);
}

TEST_F(AsyncJobsTest, KeepsWhatItIsGiven) {
  const std::string other = task().text("id");
  const Answer made = task(
      R"(,"payload_base64":"aGVsbG8=","deadline":"2030-01-15T10:30:00+02:00","max_tries":1000,)"
      R"("dependencies":[")" +
      other + R"(",")" + other +
      R"("],"load_dependencies":true,"signature":"ab12","queue":"WORK")");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.text("payload"), "aGVsbG8=");
  EXPECT_EQ(made.text("deadline"), "2030-01-15T10:30:00+02:00");
  EXPECT_EQ(made.text("max_tries"), "1000");
  EXPECT_EQ(made.text("dependencies"), "[\"" + other + "\"]");
  EXPECT_EQ(made.text("load_dependencies"), "true");
  EXPECT_EQ(made.text("signature"), "ab12");
  EXPECT_EQ(made.text("state"), "blocked");
}

TEST_F(AsyncJobsTest, APayloadIsAnyJsonOrNone) {
  for (const char* payload : {"1", "\"a\"", "[1, 2]", "true", "{\"b\":1,\"a\":2}"}) {
    EXPECT_EQ(base64_decode(task(std::string(",\"payload\":") + payload).text("payload")), payload);
  }
  EXPECT_TRUE(task(R"(,"payload":null)").at("payload").is_null());
  EXPECT_TRUE(task().at("payload").is_null());
}

TEST_F(AsyncJobsTest, Base64MayHaveLineBreaks) {
  for (const char* lines : {R"(aGVs\nbG8=)", R"(aGVs\r\nbG8=\r\n)", R"(\naGVsbG8=)"}) {
    EXPECT_EQ(task(std::string(R"(,"payload_base64":")") + lines + "\"").text("payload"),
              "aGVsbG8=")
        << lines;
  }
  EXPECT_EQ(told(task(R"(,"payload_base64":"aGVs bG8=")")),
            "400 invalid_argument invalid_json payload_base64");
  const Answer schedule =
      at("POST", "/v1/schedules",
         R"({"name":"x","schedule":"@daily","queue":"WORK","task_type":"email",)"
         R"("payload_base64":"aGVs\nbG8="})");
  EXPECT_EQ(schedule.text("payload"), "aGVsbG8=");
}

// JavaScript writes half a surrogate pair when a string was cut inside a character.
TEST_F(AsyncJobsTest, HalfACharacterPassesInsideAPayload) {
  EXPECT_EQ(base64_decode(task(R"(,"payload":["\ud83d"])").text("payload")), R"(["\ud83d"])");
  EXPECT_EQ(told(task(R"(,"signature":"\ud83d")")), "400 invalid_argument invalid_json signature");
}

TEST_F(AsyncJobsTest, BodiesAreReadAsGoDoes) {
  const std::string other = task().text("id");
  const std::tuple<std::string, std::string, int> cases[] = {
      {"/v1/tasks", R"({"Type":"email","MAX_TRIES":3})", 201},
      {"/v1/tasks", R"({"type":7,"type":"email"})", 201},
      {"/v1/tasks", R"({"type":"a b","Type":"email"} and more)", 201},
      {"/v1/tasks", R"({"type":"email","TYPE":7})", 400},
      {"/v1/queues", R"({"Name":"a","name":"b","Max_Age":"1h"} {})", 201},
      {"/v1/schedules",
       R"({"Name":"a","SCHEDULE":"@daily","Queue":"WORK","task_type":"x","Task_Type":"email"} 1)",
       201},
      {"/v1/tasks/retry", R"({"IDS":["x"],"ids":[")" + other + R"("]}.)", 200},
  };
  for (const auto& [path, body, status] : cases) {
    EXPECT_EQ(at("POST", path, body).status, status) << body;
  }
  EXPECT_EQ(at("GET", "/v1/queues/b").text("max_age"), "3600000000000");
  EXPECT_EQ(at("GET", "/v1/schedules/a").text("task_type"), "email");
}

TEST_F(AsyncJobsTest, ADeadlineMayHavePassed) {
  EXPECT_EQ(task(R"(,"deadline":"2020-01-01T00:00:00Z")").status, 201);
}

TEST_F(AsyncJobsTest, TellsWhatIsWrongWithATask) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "400 invalid_argument invalid_json -"},
      {"{", "400 invalid_argument invalid_json -"},
      {"[]", "400 invalid_argument invalid_json -"},
      {R"({"type":"email","delay":5})", "400 invalid_argument invalid_json delay"},
      {R"({"type":7})", "400 invalid_argument invalid_json type"},
      {R"({"type":"email","max_tries":"3"})", "400 invalid_argument invalid_json max_tries"},
      {R"({"type":"email","payload_base64":"a"})",
       "400 invalid_argument invalid_json payload_base64"},
      {R"({"type":"email","deadline":"soon"})", "400 invalid_argument invalid_json deadline"},
      {"{}", "400 invalid_argument task_type_invalid type"},
      {R"({"type":""})", "400 invalid_argument task_type_invalid type"},
      {R"({"type":"bad type!"})", "400 invalid_argument task_type_invalid type"},
      {R"({"type":"email","payload":1,"payload_base64":"YQ=="})",
       "400 invalid_argument payload_both_set payload"},
      {R"({"type":"email","max_tries":0})", "400 invalid_argument max_tries_invalid max_tries"},
      {R"({"type":"email","max_tries":1001})", "400 invalid_argument max_tries_invalid max_tries"},
      {R"({"type":"email","queue":"NONE"})", "404 not_found queue_not_found queue"},
      {R"({"type":"email","queue":"a b"})", "400 invalid_argument queue_name_invalid queue"},
      {R"({"type":"email","deadline":"2030-01-01T00:00:00.1234567890Z"})",
       "400 invalid_argument invalid_json deadline"},
      {R"({"type":"email","signature":")" + std::string(1025, 'a') + "\"}",
       "400 invalid_argument signature_too_long signature"},
      {R"({"type":"email","dependencies":["x"]})",
       "400 invalid_argument dependency_invalid dependencies"},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(told(at("POST", "/v1/tasks", body)), expected) << body;
  }
}

TEST_F(AsyncJobsTest, ATaskWithoutAQueueNeedsOneOfTheServer) {
  start({});
  EXPECT_EQ(told(task()), "404 not_found queue_not_found -");
  start({.allow_create_default = true});
  EXPECT_EQ(task().text("queue"), "DEFAULT");
}

TEST_F(AsyncJobsTest, AKeyReplaysWithoutALookAtTheBody) {
  const Answer first = at("POST", "/v1/tasks", R"({"type":"email"})", "k");
  const Answer again = at("POST", "/v1/tasks", R"({"type":"other"})", "k");
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.headers.at("Location"), first.headers.at("Location"));
  for (const char* body : {"", "{", R"({"type":"a b"})", R"({"type":"email","queue":"NONE"})"}) {
    const Answer refused = at("POST", "/v1/tasks", body, "k");
    EXPECT_EQ(refused.status, 200) << body;
    EXPECT_EQ(refused.body, first.body) << body;
    EXPECT_EQ(refused.headers.at("Idempotency-Replayed"), "true") << body;
    EXPECT_EQ(at("POST", "/v1/tasks", body, "other").status / 100, 4) << body;
  }
  EXPECT_EQ(told(at("POST", "/v1/tasks", R"({"type":"email"})", std::string(129, 'k'))),
            "400 invalid_argument idempotency_key_invalid Idempotency-Key");
  EXPECT_EQ(at("DELETE", "/v1/tasks/" + first.text("id")).status, 204);
  EXPECT_EQ(told(at("POST", "/v1/tasks", "", "k")), "400 invalid_argument invalid_json -");
  EXPECT_EQ(at("POST", "/v1/tasks", R"({"type":"email"})", "k").status, 201);
  admin_.script("UPDATE postern.idempotency_key SET expires_at = now()");
  EXPECT_EQ(told(at("POST", "/v1/tasks", "", "k")), "400 invalid_argument invalid_json -");
}

TEST_F(AsyncJobsTest, ATaskIsRetriedAndDeletedInEachState) {
  const std::string path = "/v1/tasks/" + task().text("id");
  EXPECT_EQ(at("POST", path + "/retry").status, 200);
  admin_.script(
      "INSERT INTO postern.lease (task, lease, until, tenant, queue) "
      "SELECT id, gen_random_uuid(), now(), tenant, queue FROM postern.task");
  EXPECT_EQ(told(at("POST", path + "/retry")), "409 conflict task_already_active -");
  EXPECT_EQ(at("GET", path).text("state"), "active");
  EXPECT_EQ(at("DELETE", path).status, 204);
  for (const char* method : {"GET", "DELETE"}) {
    EXPECT_EQ(told(at(method, path)), "404 not_found task_not_found -");
  }
  EXPECT_EQ(told(at("GET", "/v1/tasks/retry")), "404 not_found task_not_found -");
}

TEST_F(AsyncJobsTest, ManyAreRetriedWithAResultEach) {
  const std::string id = task().text("id");
  const Answer done = at("POST", "/v1/tasks/retry", "{\"ids\":[\"" + id + "\",\"missing-id\"]}");
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.text("results/0/status"), "ok");
  EXPECT_EQ(done.text("results/1/status"), "not_found");
  EXPECT_EQ(done.text("results/1/id"), "missing-id");
  // A text, which is all that its clients can read.
  EXPECT_EQ(done.at("results/1/error").kind(), boost::json::kind::string) << done.body;
  EXPECT_EQ(done.at("results/1").as_object().size(), 3U) << done.body;
  // What waits is retried by the rules of this mount, whoever made it, as it is one by one.
  const std::string native =
      ask("POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://a.test/","delay":60})")
          .text("id");
  const std::string retry = "{\"ids\":[\"" + native + "\"]}";
  EXPECT_EQ(at("POST", "/v1/tasks/retry", retry).text("results/0/status"), "ok");
  EXPECT_EQ(at("POST", "/v1/tasks/" + native + "/retry").status, 200);
  EXPECT_EQ(ask("POST", "/v1/tasks/retry", retry).text("results/0/status"), "failed");
  EXPECT_EQ(told(at("POST", "/v1/tasks/retry", R"({"ids":[]})")),
            "400 invalid_argument ids_required ids");
  std::string many = R"({"ids":["x")";
  for (int i = 0; i < 100; ++i) many += R"(,"x")";
  EXPECT_EQ(told(at("POST", "/v1/tasks/retry", many + "]}")),
            "400 invalid_argument ids_too_many ids");
  EXPECT_EQ(told(at("POST", "/v1/tasks/retry", R"({"id":[]})")),
            "400 invalid_argument invalid_json id");
  EXPECT_EQ(told(at("POST", "/v1/tasks/retry", R"({"filter":{"all":true}})")),
            "400 invalid_argument invalid_json filter");
}

TEST_F(AsyncJobsTest, QueuesAreMadeShownPurgedAndDeleted) {
  const Answer made = at("POST", "/v1/queues", R"({"name":"alpha"})");
  EXPECT_EQ(made.status, 201);
  const std::pair<const char*, const char*> defaults[] = {
      {"name", "alpha"},        {"max_age", "0"},    {"max_entries", "-1"},
      {"discard_old", "false"}, {"max_tries", "-1"}, {"max_runtime", "3600000000000"},
      {"max_concurrent", "100"}};
  for (const auto& [key, value] : defaults) EXPECT_EQ(made.text(key), value) << key;
  const Answer beta =
      at("POST", "/v1/queues",
         R"({"name":"beta","max_runtime":"30s","max_concurrent":42,"max_age":"1h30m"})");
  EXPECT_EQ(beta.text("max_runtime"), "30000000000");
  EXPECT_EQ(beta.text("max_age"), "5400000000000");
  const std::pair<std::string, std::string> cases[] = {
      {R"({"name":"alpha"})", "409 duplicate queue_already_exists name"},
      {R"({})", "400 invalid_argument queue_name_required name"},
      {R"({"name":"a b"})", "400 invalid_argument queue_name_invalid name"},
      {R"({"name":"DEFAULT"})", "400 invalid_argument default_queue_disallowed name"},
      {R"({"name":"c","max_age":"not-a-duration"})",
       "400 invalid_argument invalid_duration max_age"},
      {R"({"name":"c","max_runtime":60})", "400 invalid_argument invalid_json max_runtime"},
      {R"({"name":"c","max_runtime":"24h0.000001s"})",
       "400 invalid_argument max_runtime_out_of_range max_runtime"},
      {R"({"name":"c","color":1})", "400 invalid_argument invalid_json color"},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(told(at("POST", "/v1/queues", body)), expected) << body;
  }
  const std::string id = task(R"(,"queue":"alpha")").text("id");
  EXPECT_EQ(at("POST", "/v1/queues/alpha/purge").status, 202);
  EXPECT_EQ(at("GET", "/v1/tasks/" + id).text("state"), "queue_error");
  EXPECT_EQ(at("GET", "/v1/tasks/" + id).text("last_err"), "queue purged");
  const std::string other = task(R"(,"queue":"alpha")").text("id");
  EXPECT_EQ(at("DELETE", "/v1/queues/alpha").status, 204) << "without a word about force";
  EXPECT_EQ(at("GET", "/v1/tasks/" + other).text("last_err"), "queue deleted");
  for (const auto& [method, path] : {std::pair{"GET", "/v1/queues/alpha"},
                                     {"DELETE", "/v1/queues/alpha"},
                                     {"POST", "/v1/queues/alpha/purge"}}) {
    EXPECT_EQ(told(at(method, path)).substr(0, 29), "404 not_found queue_not_found");
  }
}

// "max_concurrent max_runtime" of a queue.
std::string limits(const Answer& queue) {
  return queue.text("max_concurrent") + " " + queue.text("max_runtime");
}

TEST_F(AsyncJobsTest, TheMountWhereAQueueIsMadeDecidesWhatItIsGiven) {
  const char* nulls = R"({"name":"nulls","max_concurrent":null,"Max_Runtime":null})";
  EXPECT_EQ(limits(at("POST", "/v1/queues", nulls)), "100 3600000000000") << "null is absent";
  EXPECT_EQ(limits(at("POST", "/v1/queues", R"({"name":"one","max_concurrent":7})")),
            "7 3600000000000");
  EXPECT_EQ(limits(at("POST", "/v1/queues", R"({"name":"other","max_runtime":"7s"})")),
            "100 7000000000");
  EXPECT_EQ(limits(at("POST", "/v1/queues", R"({"name":"zero","max_runtime":"0"})")),
            "100 3600000000000");
  EXPECT_EQ(limits(at("POST", "/v1/queues", R"({"name":"day","max_runtime":"24h"})")),
            "100 86400000000000");
  EXPECT_EQ(limits(ask("POST", "/v1/queues", R"({"name":"bare"})")), "-1 0");
  EXPECT_EQ(limits(ask("POST", "/v1/queues",
                       R"({"name":"none","max_runtime":"0","max_concurrent":null})")),
            "-1 0");
  // The longest that Go can write, to the microsecond.
  const char* longest = R"({"name":"longest","max_age":"2562047h47m16.854775807s"})";
  EXPECT_EQ(at("POST", "/v1/queues", longest).text("max_age"), "9223372036854775000");
  HttpRequest native = request("POST", "/v1/queues", R"({"name":"native"})");
  native.dialect = "native";
  EXPECT_EQ(limits(ask(native)), "-1 0");
  for (const auto& [name, expected] :
       {std::pair<std::string, const char*>{"nulls", "100 3600000000000"}, {"native", "-1 0"}}) {
    EXPECT_EQ(limits(at("GET", "/v1/queues/" + name)), expected) << name;
    EXPECT_EQ(limits(ask("GET", "/v1/queues/" + name)), expected) << name;
  }
  EXPECT_EQ(limits(ask("PATCH", "/v1/queues/nulls", R"({"max_tries":3})")), "100 3600000000000")
      << "what is not given stays";
  EXPECT_EQ(limits(ask("PATCH", "/v1/queues/nulls", R"({"max_runtime":null})")), "100 0");
  EXPECT_EQ(limits(ask("PUT", "/v1/queues/nulls", "{}")), "-1 0");
}

TEST_F(AsyncJobsTest, DefaultThatATaskMakesHasNoLimitsOneThatIsAskedForHas) {
  start({.allow_create_default = true});
  ASSERT_EQ(task().text("queue"), "DEFAULT");
  EXPECT_EQ(limits(at("GET", "/v1/queues/DEFAULT")), "-1 0");
  EXPECT_EQ(at("DELETE", "/v1/queues/DEFAULT").status, 204);
  EXPECT_EQ(limits(at("POST", "/v1/queues", R"({"name":"DEFAULT"})")), "100 3600000000000");
}

TEST_F(AsyncJobsTest, SchedulesAreMadeShownAndDeleted) {
  const auto schedule = [&](const std::string& more) {
    return at("POST", "/v1/schedules", R"({"queue":"WORK","task_type":"email")" + more + "}");
  };
  const Answer made = schedule(
      R"(,"name":"hourly","schedule":"@every 1h","deadline_offset":"5m","payload":{"a":1})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.text("deadline"), "300000000000");
  EXPECT_EQ(made.text("max_tries"), "10");
  EXPECT_EQ(base64_decode(made.text("payload")), R"({"a":1})");
  const std::pair<std::string, std::string> cases[] = {
      {R"(,"name":"hourly","schedule":"@every 1h")", "409 duplicate schedule_already_exists name"},
      {R"(,"schedule":"@every 1h")", "400 invalid_argument schedule_invalid name"},
      {R"(,"name":"x")", "400 invalid_argument schedule_invalid schedule"},
      {R"(,"name":"x","schedule":"not a cron")", "400 invalid_argument schedule_invalid schedule"},
      {R"(,"name":"x","schedule":"@daily","deadline_offset":"wrong")",
       "400 invalid_argument invalid_duration deadline_offset"},
      {R"(,"name":"x","schedule":"@daily","deadline_offset":60)",
       "400 invalid_argument invalid_json deadline_offset"},
      {R"(,"name":"x","schedule":"TZ=Nowhere 0 5 * * *")",
       "400 invalid_argument schedule_invalid schedule"},
      {R"(,"name":"x","schedule":"@daily","type":"email")",
       "400 invalid_argument invalid_json type"},
      {R"(,"name":"x","schedule":"@daily","deadline_offset":"29s")",
       "400 invalid_argument schedule_invalid deadline_offset"},
      {R"(,"name":"x","schedule":"@daily","payload":1,"payload_base64":"YQ==")",
       "400 invalid_argument payload_both_set payload"},
  };
  for (const auto& [more, expected] : cases) EXPECT_EQ(told(schedule(more)), expected) << more;
  EXPECT_EQ(
      told(at("POST", "/v1/schedules", R"({"name":"x","schedule":"@daily","task_type":"email"})")),
      "400 invalid_argument queue_name_required queue");
  EXPECT_EQ(told(at("POST", "/v1/schedules",
                    R"({"name":"x","schedule":"@daily","queue":"WORK","task_type":"a b"})")),
            "400 invalid_argument task_type_invalid task_type");
  EXPECT_EQ(told(at("POST", "/v1/schedules", R"({"name":"x","schedule":"@daily","queue":"WORK"})")),
            "400 invalid_argument task_type_invalid task_type");
  EXPECT_EQ(at("DELETE", "/v1/schedules/hourly").status, 204);
  for (const char* method : {"GET", "DELETE"}) {
    EXPECT_EQ(told(at(method, "/v1/schedules/hourly")), "404 not_found schedule_not_found -");
  }
}

TEST_F(AsyncJobsTest, SaysThatItsStorageIsAway) {
  db::Pool nowhere({"host=/nowhere", "test"}, 1);
  Handlers away({}, nowhere, *intake_);
  HttpRequest asked = request("GET", "/v1/tasks");
  asked.dialect = "asyncjobs";
  std::optional<HttpResponse> response;
  away.answer(asked, [&](const HttpResponse& each) { response = each; });
  EXPECT_EQ(response->status, 503);
  EXPECT_NE(response->body.find(R"("reason":"storage_not_ready")"), std::string::npos);
  asked.path = "/readyz";
  away.answer(asked, [&](const HttpResponse& each) { response = each; });
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body,
            R"({"ready":false,"checks":{"tasks":{"ok":false,"error":"tasks storage unreachable"},)"
            R"("config":{"ok":false,"error":"configuration storage unreachable"},)"
            R"("schedulers":{"ok":false,"count":0,"seconds_since":null,)"
            R"("error":"configuration storage unreachable"}}})");
}

TEST_F(AsyncJobsTest, TellsAboutItself) {
  EXPECT_EQ(at("GET", "/readyz").text("checks/tasks/ok"), "true");
  EXPECT_EQ(at("GET", "/healthz").text("status"), "ok");
  const Answer info = at("GET", "/v1/info");
  EXPECT_EQ(info.text("auth"), "none");
  EXPECT_EQ(info.text("queue_count"), "1");
  HttpRequest behind_mtls = request("GET", "/v1/info");
  behind_mtls.auth = "mtls";
  EXPECT_EQ(ask(behind_mtls).text("auth"), "mtls");
  const auto policies = at("GET", "/v1/retry-policies").json();
  EXPECT_EQ(policies.at("policies").as_array().size(), 4U);
  EXPECT_EQ(told(at("GET", "/v1/nothing")), "404 not_found no_such_path -");
  const Answer wrong = at("PUT", "/v1/tasks");
  EXPECT_EQ(told(wrong), "405 invalid_argument method_not_allowed -");
  EXPECT_EQ(wrong.headers.at("Allow"), "POST, GET, HEAD");
  HttpRequest large = request("POST", "/v1/tasks");
  large.dialect = "asyncjobs";
  large.body_too_large = true;
  EXPECT_EQ(told(ask(large)).substr(0, 21), "413 payload_too_large");
}

}  // namespace
}  // namespace postern::test
