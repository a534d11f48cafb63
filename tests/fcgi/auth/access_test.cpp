// Who may do what: verdicts, roles and tenants.
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class AccessTest : public WireTest {
 protected:
  Answer create_as(const HttpRequest& like) {
    HttpRequest post = like;
    post.method = "POST";
    post.path = "/v1/tasks";
    post.body = R"({"queue":"q","webhook_url":"http://a.test/","delay":3600})";
    return ask(post);
  }
  static HttpRequest as(std::string method, std::string path, std::string role,
                        std::string tenant) {
    HttpRequest out = request(std::move(method), std::move(path));
    out.role = std::move(role);
    out.key_tenant = std::move(tenant);
    return out;
  }
};

TEST_F(AccessTest, NeedsAVerdict) {
  struct Case {
    Verdict verdict;
    int status;
    std::string_view code;
  };
  const Case cases[] = {{Verdict::absent, 401, "unauthenticated"},
                        {Verdict::missing, 401, "unauthenticated"},
                        {Verdict::invalid, 401, "unauthenticated"},
                        {Verdict::forbidden, 403, "forbidden"},
                        {Verdict::unavailable, 503, "unavailable"}};
  for (const auto& [verdict, status, code] : cases) {
    HttpRequest get = request("GET", "/v1/tasks");
    get.verdict = verdict;
    const Answer answer = ask(get);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.text("error/code"), code);
    EXPECT_EQ(answer.headers.count("WWW-Authenticate"), status == 401 ? 1u : 0u);
    EXPECT_EQ(answer.headers.count("Retry-After"), status == 503 ? 1u : 0u);
    get.path = "/healthz";
    EXPECT_EQ(ask(get).status, 200);
  }
}

TEST_F(AccessTest, RolesDoWhatTheyMay) {
  const std::string path = "/v1/tasks/" + create().text("id");
  struct Case {
    const char *method, *path;
    bool worker, read;
  };
  const std::string cancel = path + "/cancel", retry = path + "/retry";
  const Case cases[] = {
      {"GET", "/v1/tasks", true, true},       {"GET", path.c_str(), true, true},
      {"HEAD", path.c_str(), true, true},     {"GET", "/v1/info", true, true},
      {"POST", retry.c_str(), true, false},   {"POST", cancel.c_str(), false, false},
      {"DELETE", path.c_str(), false, false}, {"POST", "/v1/tasks", false, false},
  };
  for (const auto& each : cases) {
    for (const std::string role : {"worker", "read", "", "root", "Admin"}) {
      const bool allowed = (role == "worker" && each.worker) || (role == "read" && each.read);
      const Answer answer = ask(as(each.method, each.path, role, "default"));
      EXPECT_EQ(answer.status == 403, !allowed) << role << " " << each.method << " " << each.path;
      if (!allowed && *each.method != 'H') {
        EXPECT_EQ(answer.reason(), "role_not_allowed");
      }
    }
  }
}

TEST_F(AccessTest, TenantsSeeNothingOfEachOther) {
  admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme')");
  const std::string ours = create().text("id");
  const std::string theirs = create_as(as("", "", "admin", "acme")).text("id");
  for (const std::string rest : {"", "/cancel", "/retry"}) {
    const char* method = rest.empty() ? "GET" : "POST";
    EXPECT_EQ(ask(as(method, "/v1/tasks/" + ours + rest, "admin", "acme")).reason(),
              "task_not_found")
        << rest;
    EXPECT_EQ(ask(as(method, "/v1/tasks/" + theirs + rest, "admin", "default")).reason(),
              "task_not_found")
        << rest;
  }
  EXPECT_EQ(ask(as("DELETE", "/v1/tasks/" + ours, "admin", "acme")).status, 404);
  EXPECT_EQ(ask(as("GET", "/v1/tasks", "admin", "acme")).text("tasks/0/id"), theirs);
  EXPECT_EQ(ask(as("GET", "/v1/tasks", "admin", "acme")).text("count"), "1");
  EXPECT_EQ(ask(as("GET", "/v1/info", "admin", "acme")).text("task_count"), "1");
  EXPECT_EQ(ask(as("GET", "/v1/tasks/" + ours, "admin", "default")).text("status"), "pending");

  const Answer nobody = create_as(as("", "", "admin", "nobody"));
  EXPECT_EQ(nobody.status, 404);
  EXPECT_EQ(nobody.reason(), "tenant_not_found");
}

TEST_F(AccessTest, VhostAndKeyMustAgree) {
  HttpRequest get = as("GET", "/v1/tasks", "admin", "default");
  get.tenant = "acme";
  EXPECT_EQ(ask(get).reason(), "tenant_not_allowed");
  get.tenant = "default";
  EXPECT_EQ(ask(get).status, 200);
  get.key_tenant = "";  // another way to authenticate, which knows no tenants
  EXPECT_EQ(ask(get).status, 200);
}

TEST_F(AccessTest, AsksNobodyWhenToldSo) {
  start({.require_identity = false});
  HttpRequest get = request("GET", "/v1/tasks");
  get.verdict = Verdict::absent;
  get.role = get.key_tenant = "";
  EXPECT_EQ(ask(get).status, 200);
  EXPECT_EQ(create_as(get).status, 201);
}

class WhoamiTest : public AccessTest {
 protected:
  static HttpRequest asking() {
    HttpRequest out = request("GET", "/v1/whoami");
    out.key_tenant = "acme";
    return out;
  }
};

TEST_F(WhoamiTest, SaysWhatIsKnownOfTheCaller) {
  EXPECT_EQ(
      ask(asking()).body,
      R"({"identity":"tester","tenant":"acme","role":"admin","sandbox":false,"auth":"required"})");
  HttpRequest other = asking();
  other.sandbox = "1";
  other.role = "read";
  other.identity = "";
  EXPECT_EQ(ask(other).body,
            R"({"identity":null,"tenant":"acme","role":"read","sandbox":true,"auth":"required"})");
}

TEST_F(WhoamiTest, WithoutACredentialItSaysNobody) {
  HttpRequest nobody = asking();
  nobody.role = nobody.key_tenant = nobody.identity = "";
  for (const auto verdict : {Verdict::missing, Verdict::absent}) {
    nobody.verdict = verdict;
    nobody.tenant = verdict == Verdict::absent ? "acme" : "";
    EXPECT_EQ(ask(nobody).body,
              R"({"identity":null,"tenant":null,"role":null,"sandbox":false,"auth":"required"})");
  }
  start({.require_identity = false});
  nobody.tenant = "";
  EXPECT_EQ(ask(nobody).body,
            R"({"identity":null,"tenant":"default","role":"admin","sandbox":false,"auth":"none"})");
}

TEST_F(WhoamiTest, RefusesACredentialThatDoesNotHold) {
  HttpRequest asked = asking();
  asked.verdict = Verdict::invalid;
  EXPECT_EQ(ask(asked).status, 401);
  asked.verdict = Verdict::forbidden;
  EXPECT_EQ(ask(asked).status, 403);
  asked.verdict = Verdict::unavailable;
  EXPECT_EQ(ask(asked).status, 503);
  asked = asking();
  asked.tenant = "other";
  EXPECT_EQ(ask(asked).reason(), "tenant_not_allowed");
  asked = asking();
  asked.role = "root";
  EXPECT_EQ(ask(asked).reason(), "role_not_allowed");
}

class OperatorTest : public AccessTest {
 protected:
  HttpRequest claiming(std::string vouched) {
    HttpRequest out = as("GET", "/v1/whoami", "operator", "default");
    out.operator_vouched = std::move(vouched);
    return out;
  }
};

TEST_F(OperatorTest, TheRoleCountsOnlyWhereOurAuthenticatorVouchesForIt) {
  EXPECT_EQ(ask(claiming("key")).text("role"), "operator");
  for (const char* other : {"", "0", "1", "key ", "true", "token"}) {
    const Answer refused = ask(claiming(other));
    EXPECT_EQ(refused.reason(), "role_not_allowed") << other;
    EXPECT_NE(refused.text("error/message").find("operator_sources"), std::string::npos) << other;
  }
  HttpRequest admin = claiming("key");
  admin.role = "admin";
  EXPECT_EQ(ask(admin).text("role"), "admin");
  start({.operators = {.header = true}});
  EXPECT_EQ(ask(claiming("")).text("role"), "operator");
  start({.operators = {.key = true, .token = true}});
  EXPECT_EQ(ask(claiming("")).reason(), "role_not_allowed");
}

TEST_F(OperatorTest, IsAnAdminOfItsTenant) {
  HttpRequest put = claiming("key");
  put.method = "PUT";
  put.path = "/v1/queues/q";
  put.body = "{}";
  EXPECT_EQ(ask(put).status, 201);
  EXPECT_EQ(create_as(put).status, 201);
  put.operator_vouched = "";
  EXPECT_EQ(ask(put).reason(), "role_not_allowed");
}

// AsyncQueue's aq_test_ keys.
class SandboxTest : public AccessTest {
 protected:
  static HttpRequest in_sandbox(std::string method, std::string path, std::string body = {},
                                std::string dialect = {}) {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    out.sandbox = "1";
    out.dialect = std::move(dialect);
    return out;
  }
};

TEST_F(SandboxTest, WhatItMakesIsShownAndNeverDelivered) {
  const std::pair<HttpRequest, std::string> made[] = {
      {in_sandbox("POST", "/v1/tasks", R"({"targetUrl":"http://a.test/"})"), "asyncqueue"},
      {in_sandbox("POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://a.test/"})"),
       "native"},
      {in_sandbox("POST", "/v1/tasks", R"({"type":"email","queue":"any"})"), "asyncjobs"},
      {in_sandbox("POST", "/add-job", R"({"payload":{},"handler":"x"})", "taskmq"), "taskmq"},
      {in_sandbox("POST", "/v1/tasks/batch",
                  R"({"tasks":[{"queue":"q","webhook_url":"http://a.test/"}]})"),
       "native"}};
  for (const auto& [asked, dialect] : made) EXPECT_LT(ask(asked).status, 300) << dialect;
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE queue = 'aq_test'"), 5);
  EXPECT_EQ(count("SELECT count(*) FROM postern.queue WHERE name = 'aq_test' AND paused"), 1);
  EXPECT_EQ(ask("GET", "/v1/tasks").json().at("count").as_int64(), 5);
}

TEST_F(SandboxTest, ItChangesNothingByWhichSomethingCouldBeDelivered) {
  const std::string live = "/v1/tasks/" + create().text("id");
  for (const auto& [method, path] : {std::pair{"POST", live + "/cancel"},
                                     {"POST", live + "/retry"},
                                     {"POST", live + "/run"},
                                     {"PATCH", live},
                                     {"DELETE", live},
                                     {"POST", std::string("/v1/tasks/cancel")},
                                     {"POST", std::string("/v1/tasks/retry")},
                                     {"POST", std::string("/v1/endpoints/x/recover")}}) {
    EXPECT_EQ(ask(in_sandbox(method, path, "{}")).reason(), "sandbox_not_allowed") << path;
  }
  EXPECT_EQ(ask(in_sandbox("POST", "/retry", R"({"job_id":1})", "taskmq")).status, 403);
  for (const auto& [method, path] : {std::pair{"POST", "/v1/queues"},
                                     {"POST", "/v1/queues/aq_test/resume"},
                                     {"PUT", "/v1/endpoints/x"},
                                     {"POST", "/v1/schedules"},
                                     {"POST", "/v1/endpoints/x/test"}}) {
    EXPECT_EQ(ask(in_sandbox(method, path, "{}")).reason(), "sandbox_not_allowed") << path;
  }
  EXPECT_EQ(ask(in_sandbox("GET", "/v1/queues")).status, 200);
}

// A live task must never be taken for one that is not delivered.
TEST_F(SandboxTest, ItsIdempotencyKeysAreItsOwn) {
  const std::string body = R"({"targetUrl":"http://a.test/"})";
  HttpRequest boxed = in_sandbox("POST", "/v1/tasks", body),
              live = request("POST", "/v1/tasks", body);
  boxed.idempotency_key = live.idempotency_key = "k";
  EXPECT_EQ(ask(boxed).status, 201);
  EXPECT_EQ(ask(live).status, 201);
  EXPECT_EQ(ask(boxed).status, 200);
  EXPECT_EQ(ask(live).status, 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE queue = 'asyncqueue'"), 1);
}

TEST_F(SandboxTest, ItsQueueIsNobodysToUse) {
  ask(in_sandbox("POST", "/v1/tasks", R"({"targetUrl":"http://a.test/"})"));
  EXPECT_EQ(create("", "aq_test").reason(), "queue_name_reserved");
  for (const auto& [method, path, body] :
       {std::tuple{"POST", "/v1/queues", R"({"name":"aq_test"})"},
        {"PUT", "/v1/queues/aq_test", "{}"},
        {"PATCH", "/v1/queues/aq_test", R"({"timeout":"5s"})"},
        {"POST", "/v1/schedules",
         R"({"name":"s","schedule":"@daily","queue":"aq_test","webhook_url":"http://a.test/"})"},
        {"POST", "/v1/queues/aq_test/resume", ""},
        {"DELETE", "/v1/queues/aq_test", ""}}) {
    EXPECT_EQ(ask(method, path, body).reason(), "queue_name_reserved") << path;
  }
  EXPECT_EQ(ask("POST", "/v1/queues/aq_test/purge").status, 202);
}

}  // namespace
}  // namespace postern::test
