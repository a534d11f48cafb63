// Who may do what: verdicts, roles, tenants, and the authenticator that nginx asks.
#include "core/base/crypto.h"
#include "db/catalog/keys.h"
#include "fcgi/auth/authenticator.h"
#include "tests/fcgi/wire.h"
#include "tests/support/jwt.h"

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
  EXPECT_EQ(ask(claiming("1")).text("role"), "operator");
  for (const char* other : {"", "0", "1 ", "true", "key"}) {
    EXPECT_EQ(ask(claiming(other)).reason(), "role_not_allowed") << other;
  }
  HttpRequest admin = claiming("1");
  admin.role = "admin";
  EXPECT_EQ(ask(admin).text("role"), "admin");
  start({.operators = {.header = true}});
  EXPECT_EQ(ask(claiming("")).text("role"), "operator");
  start({.operators = {.key = true, .token = true}});
  EXPECT_EQ(ask(claiming("")).reason(), "role_not_allowed");
}

TEST_F(OperatorTest, IsAnAdminOfItsTenant) {
  HttpRequest put = claiming("1");
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

class AuthenticatorTest : public WireTest {
 protected:
  const std::string kSecret = "a secret of thirty-two bytes at least";
  JwtPolicy jwt_{{{kSecret}}};

  void SetUp() override {
    db::create_key(admin_, sha256("secret-key"), "ci", "worker", "default", std::nullopt);
    db::create_key(admin_, sha256("old-key"), "old", "admin", "default",
                   *parse_rfc3339("2020-01-01T00:00:00Z"));
  }
  // The headers, and the status as "status".
  std::map<std::string, std::string> verdict(std::string authorization, std::string api_key = {},
                                             std::string tenant = {}, std::string access = {},
                                             OperatorSources operators = {}) {
    HttpRequest question;
    question.service = "auth";
    question.access = std::move(access);
    question.authorization = std::move(authorization);
    question.api_key = std::move(api_key);
    question.tenant = std::move(tenant);
    const HttpResponse response = authenticate(pool_, jwt_, question, {.operators = operators});
    std::map<std::string, std::string> out{response.headers.begin(), response.headers.end()};
    const bool nobody = question.access == "who" && out.at("Postern-Verdict") == "missing";
    EXPECT_EQ(response.status == 204, nobody || out.at("Postern-Verdict") == "ok");
    EXPECT_EQ(response.status == 204, out.count("Postern-Reason") == 0);
    EXPECT_EQ(out.count("Postern-Message"), out.count("Postern-Reason"));
    out["status"] = std::to_string(response.status);
    return out;
  }
};

TEST_F(AuthenticatorTest, KnowsKeys) {
  for (auto& answer :
       {verdict("Bearer secret-key"), verdict("bearer secret-key"), verdict("", "secret-key"),
        verdict("Bearer  secret-key", "secret-key"), verdict("", "secret-key", "default")}) {
    EXPECT_EQ(answer.at("Postern-Verdict"), "ok");
    EXPECT_EQ(answer.at("Postern-Identity"), "ci");
    EXPECT_EQ(answer.at("Postern-Role"), "worker");
    EXPECT_EQ(answer.at("Postern-Tenant"), "default");
    EXPECT_EQ(answer.at("X-Accel-Expires"), "5");
  }
}

TEST_F(AuthenticatorTest, RefusesEverythingElse) {
  EXPECT_EQ(verdict("").at("Postern-Verdict"), "missing");
  EXPECT_EQ(verdict("").at("status"), "401");
  EXPECT_EQ(verdict("").at("Postern-Reason"), "credential_missing");
  for (auto& answer :
       {verdict("Bearer wrong"), verdict("Bearer "), verdict("Bearer"), verdict("secret-key"),
        verdict("Basic c2VjcmV0"), verdict("Bearer secret-key", "other"), verdict("Bearer old-key"),
        verdict("Bearer " + std::string(8192, 'x')), verdict("", std::string(8192, 'x')),
        verdict("Bearer secret-key x")}) {
    EXPECT_EQ(answer.at("Postern-Verdict"), "invalid");
    EXPECT_EQ(answer.at("status"), "401");
    EXPECT_EQ(answer.at("Postern-Reason"), "credential_invalid");
    EXPECT_EQ(answer.at("Postern-Message"), "\"The API key is unknown, revoked or expired.\"");
    EXPECT_EQ(answer.at("Postern-Role"), "");
    EXPECT_EQ(answer.at("Postern-Tenant"), "");
    EXPECT_EQ(answer.at("X-Accel-Expires"), "5");
  }
  EXPECT_EQ(verdict("Bearer secret-key", "", "acme").at("Postern-Verdict"), "forbidden");
  EXPECT_EQ(verdict("Bearer secret-key", "", "acme").at("status"), "403");
  EXPECT_EQ(verdict("Bearer secret-key", "", "acme").at("Postern-Reason"), "tenant_not_allowed");
  db::revoke_key(admin_, "default", "ci");
  EXPECT_EQ(verdict("Bearer secret-key").at("Postern-Verdict"), "invalid");
}

TEST_F(AuthenticatorTest, SaysHowLongACredentialMayBe) {
  for (auto& answer :
       {verdict("Bearer " + std::string(8193, 'x')), verdict("", std::string(8191, 'x') + ".."),
        verdict("Bearer  " + std::string(8193, '.'))}) {
    EXPECT_EQ(answer.at("Postern-Verdict"), "invalid");
    EXPECT_EQ(answer.at("status"), "401");
    EXPECT_EQ(answer.at("Postern-Reason"), "credential_too_long");
    EXPECT_EQ(answer.at("Postern-Message"), "\"The credential has 8193 bytes; it may have 8192.\"");
  }
}

TEST_F(AuthenticatorTest, ARoleThatMayNotCreateIsRefusedWhereOneMust) {
  db::create_key(admin_, sha256("admin-key"), "root", "admin", "default", std::nullopt);
  db::create_key(admin_, sha256("aq_test_key"), "box", "admin", "default", std::nullopt);
  for (const char* key : {"Bearer admin-key", "Bearer aq_test_key"}) {
    EXPECT_EQ(verdict(key, "", "", "create").at("status"), "204");
  }
  auto answer = verdict("Bearer secret-key", "", "", "create");
  EXPECT_EQ(answer.at("status"), "403");
  EXPECT_EQ(answer.at("Postern-Verdict"), "forbidden");
  EXPECT_EQ(answer.at("Postern-Identity"), "ci");
  EXPECT_EQ(answer.at("Postern-Reason"), "role_not_allowed");
  EXPECT_EQ(answer.at("Postern-Message"), R"("The role \"worker\" may not do this.")");
}

TEST_F(AuthenticatorTest, NobodyMayAskWhoTheyAre) {
  auto nobody = verdict("", "", "", "who");
  EXPECT_EQ(nobody.at("status"), "204");
  EXPECT_EQ(nobody.at("Postern-Verdict"), "missing");
  EXPECT_EQ(nobody.at("Postern-Role"), "");
  EXPECT_EQ(verdict("Bearer secret-key", "", "", "who").at("Postern-Role"), "worker");
  EXPECT_EQ(verdict("Bearer wrong", "", "", "who").at("status"), "401");
  EXPECT_EQ(verdict("Bearer secret-key", "", "acme", "who").at("status"), "403");
}

TEST_F(AuthenticatorTest, VouchesForOperatorsOfTheSourcesThatCount) {
  db::create_key(admin_, sha256("boss-key"), "boss", "operator", "default", std::nullopt);
  const std::string token =
      "Bearer " + make_jwt(R"({"exp":4102444800,"sub":"app","role":"operator"})", kSecret);
  auto boss = verdict("Bearer boss-key");
  EXPECT_EQ(boss.at("Postern-Role"), "operator");
  EXPECT_EQ(boss.at("Postern-Operator"), "1");
  EXPECT_EQ(verdict("Bearer boss-key", "", "", "create").at("status"), "204");
  EXPECT_EQ(verdict("Bearer secret-key").count("Postern-Operator"), 0u);
  // The word of nginx is not that of a key or a token.
  for (const OperatorSources none :
       {OperatorSources{.key = false}, OperatorSources{.key = false, .header = true}}) {
    auto refused = verdict("Bearer boss-key", "", "", "", none);
    EXPECT_EQ(refused.at("Postern-Reason"), "role_not_allowed");
    EXPECT_EQ(refused.at("Postern-Role"), "");
    EXPECT_EQ(refused.count("Postern-Operator"), 0u);
    EXPECT_EQ(verdict(token, "", "", "", none).at("Postern-Reason"), "role_not_allowed");
  }
  EXPECT_EQ(verdict(token).at("Postern-Reason"), "role_not_allowed");
  EXPECT_EQ(verdict(token, "", "", "", {.token = true}).at("Postern-Operator"), "1");
}

TEST_F(AuthenticatorTest, LetsEverybodyInWhenToldSo) {
  for (const char* credential : {"", "Bearer wrong", "nonsense"}) {
    HttpRequest question;
    question.service = "auth";
    question.authorization = credential;
    const HttpResponse response = authenticate(pool_, jwt_, question, {.require_identity = false});
    EXPECT_EQ(response.status, 204);
    EXPECT_TRUE(response.headers.empty());
  }
}

TEST_F(AuthenticatorTest, KnowsSandboxKeys) {
  db::create_key(admin_, sha256("aq_test_key"), "box", "admin", "default", std::nullopt);
  EXPECT_EQ(verdict("Bearer aq_test_key").at("Postern-Sandbox"), "1");
  EXPECT_EQ(verdict("Bearer secret-key").at("Postern-Sandbox"), "");
  EXPECT_EQ(verdict("Bearer aq_test_other").at("Postern-Sandbox"), "");
}

TEST_F(AuthenticatorTest, KnowsTokens) {
  const auto bearer = [&](const std::string& claims) {
    return "Bearer " + make_jwt(R"({"exp":4102444800,)" + claims + "}", kSecret);
  };
  // nginx would cut the spaces off, and an admin would come out.
  for (const std::string role :
       {"admin ", " admin", "admin\\t", "Admin", "root", "\\r\\nPostern-Role: admin"}) {
    auto refused = verdict(bearer(R"("sub":"app","role":")" + role + R"(")"));
    EXPECT_EQ(refused.at("status"), "403") << role;
    EXPECT_EQ(refused.at("Postern-Verdict"), "forbidden") << role;
    EXPECT_EQ(refused.at("Postern-Role"), "") << role;
    EXPECT_EQ(refused.at("Postern-Reason"), "role_not_allowed") << role;
  }
  auto answer = verdict(bearer(R"("sub":"app","role":"worker")"));
  EXPECT_EQ(answer.at("Postern-Verdict"), "ok");
  EXPECT_EQ(answer.at("Postern-Identity"), "app");
  EXPECT_EQ(answer.at("Postern-Role"), "worker");
  EXPECT_EQ(answer.at("Postern-Tenant"), "default");
  EXPECT_EQ(verdict(bearer(R"("role":"read")"), "", "acme").at("Postern-Tenant"), "acme");
  EXPECT_EQ(verdict(bearer(R"("role":"read","tenant":"acme")")).at("Postern-Tenant"), "acme");
  EXPECT_EQ(verdict(bearer(R"("tenant":"acme")"), "", "default").at("Postern-Verdict"),
            "forbidden");
  EXPECT_EQ(verdict(bearer(R"("tenant":"no tenant")")).at("Postern-Verdict"), "invalid");
  EXPECT_EQ(verdict("Bearer " + make_jwt(R"({"exp":1})", kSecret)).at("Postern-Verdict"),
            "invalid");
  jwt_.keys.secrets.clear();
  EXPECT_EQ(verdict(bearer(R"("sub":"app")")).at("Postern-Reason"), "jwt_algorithm");
  EXPECT_EQ(verdict(bearer(R"("sub":"app")")).at("Postern-Verdict"), "invalid");
}

TEST_F(AuthenticatorTest, SaysWhatIsWrongWithAToken) {
  const struct {
    const char *claims, *status, *reason, *message;
  } table[] = {
      {R"("exp":1)", "401", "jwt_expired", "The token has expired."},
      {R"("exp":4102444800,"role":7)", "401", "jwt_malformed",
       "The token's role is no text, or empty."},
      {R"("exp":4102444800,"role":"read","tenant":"no tenant")", "401", "jwt_malformed",
       "The token's tenant is no tenant's name."},
      {R"("exp":4102444800)", "403", "role_not_allowed", "The token has no role."},
      {R"("exp":4102444800,"role":"read","tenant":"other")", "403", "tenant_not_allowed",
       "The token belongs to another tenant."},
      {R"("exp":4102444800,"role":"read","aud":"x")", "401", "jwt_audience",
       "The token is for another service: it has an aud, and none is expected here."},
  };
  for (const auto& [claims, status, reason, message] : table) {
    auto answer =
        verdict("Bearer " + make_jwt("{" + std::string(claims) + "}", kSecret), "", "acme");
    EXPECT_EQ(answer.at("status"), status) << claims;
    EXPECT_EQ(answer.at("Postern-Reason"), reason) << claims;
    EXPECT_EQ(answer.at("Postern-Message"), "\"" + std::string(message) + "\"") << claims;
    EXPECT_EQ(answer.at("Postern-Role"), "") << claims;
  }
  jwt_.rules.audience = "x";
  EXPECT_EQ(verdict("Bearer " + make_jwt(R"({"exp":4102444800,"role":"read","aud":"x"})", kSecret))
                .at("Postern-Verdict"),
            "ok");
}

TEST_F(AuthenticatorTest, SurvivesALostConnectionAndSaysWhenItCannotTell) {
  EXPECT_EQ(verdict("Bearer secret-key").at("Postern-Verdict"), "ok");
  admin_.exec(
      {"",
       "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
       "AND pid <> pg_backend_pid()"});
  EXPECT_EQ(verdict("Bearer secret-key").at("Postern-Verdict"), "ok");

  db::Pool nowhere({"host=/nowhere", "test"}, 1);
  HttpRequest question;
  question.authorization = "Bearer secret-key";
  const HttpResponse response = authenticate(nowhere, {}, question);
  EXPECT_EQ(response.status, 503);
  const std::map<std::string, std::string> headers{response.headers.begin(),
                                                   response.headers.end()};
  EXPECT_EQ(headers.at("Postern-Verdict"), "unavailable");
  EXPECT_EQ(headers.at("Postern-Reason"), "authenticator_unavailable");
  EXPECT_EQ(headers.at("X-Accel-Expires"), "0");
}

}  // namespace
}  // namespace postern::test
