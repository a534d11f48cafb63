// Keys over HTTP: who may see, make and end which.
#include "db/catalog/keys.h"
#include "core/base/crypto.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class KeysTest : public WireTest {
 protected:
  void SetUp() override {
    admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme')");
    host_key("boss", "operator", "default");
    host_key("theirs", "admin", "acme");
  }

  void host_key(const std::string& name, const std::string& role, const std::string& tenant,
                std::optional<Time> expires_at = {}) {
    ASSERT_EQ(
        db::create_key(admin_, {sha256(name + tenant), name, role, tenant, false, expires_at}),
        db::Made::yes);
  }

  // As an admin of this tenant, or as another role.
  static HttpRequest as(std::string tenant, std::string method, std::string path,
                        std::string body = {}, std::string role = "admin") {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    out.key_tenant = std::move(tenant);
    if (role == "operator") out.operator_vouched = kVouchedByKey;
    out.role = std::move(role);
    return out;
  }
  Answer make(const std::string& name, const std::string& fields = R"(,"role":"worker")") {
    return ask("POST", "/v1/keys", R"({"name":")" + name + "\"" + fields + "}");
  }
  std::vector<std::string> names(const HttpRequest& request) {
    std::vector<std::string> out;
    const auto answer = ask(request).json();
    for (const auto& key : answer.at("keys").as_array()) {
      out.emplace_back(key.at("name").as_string());
    }
    return out;
  }
};

using Names = std::vector<std::string>;

TEST_F(KeysTest, TheTextIsToldOnceAndWorks) {
  const Answer made = make("ci", R"(,"role":"worker","expires_at":"2040-01-31T00:00:00Z")");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string text = made.text("key");
  EXPECT_TRUE(text.starts_with("postern_")) << text;
  const auto identity = db::authenticate(admin_, sha256(text));
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->name, "ci");
  EXPECT_EQ(identity->role, "worker");
  EXPECT_EQ(identity->tenant, "default");
  const Answer listed = ask("GET", "/v1/keys");
  EXPECT_EQ(listed.text("keys/1/name"), "ci");
  EXPECT_EQ(listed.text("keys/1/role"), "worker");
  EXPECT_EQ(listed.text("keys/1/sandbox"), "false");
  EXPECT_EQ(listed.text("keys/1/expires_at"), "2040-01-31T00:00:00Z");
  EXPECT_EQ(listed.text("keys/1/revoked_at"), "null");
  EXPECT_NE(listed.text("keys/1/last_used_at"), "null");
  EXPECT_EQ(listed.body.find(text.substr(8)), std::string::npos);
  EXPECT_EQ(listed.body.find("hash"), std::string::npos);
}

TEST_F(KeysTest, ASandboxKeyIsOne) {
  const Answer made = make("box", R"(,"role":"admin","sandbox":true)");
  EXPECT_TRUE(made.text("key").starts_with("aq_test_")) << made.body;
  EXPECT_EQ(made.text("sandbox"), "true");
  EXPECT_EQ(ask("GET", "/v1/keys").text("keys/1/sandbox"), "true");
}

TEST_F(KeysTest, RefusesWhatIsWrong) {
  make("taken");
  struct Case {
    std::string body;
    int status;
    std::string reason;
  };
  const std::string long_name(65, 'n');
  const Case cases[] = {
      {R"({"role":"read"})", 400, "name_required"},
      {R"({"name":"","role":"read"})", 400, "name_required"},
      {R"({"name":"a/b","role":"read"})", 400, "name_invalid"},
      {R"({"name":"..","role":"read"})", 400, "name_invalid"},
      {R"({"name":" a","role":"read"})", 400, "name_invalid"},
      {R"({"name":"a\nb","role":"read"})", 400, "name_invalid"},
      {R"({"name":"ä","role":"read"})", 400, "name_invalid"},
      {R"({"name":")" + long_name + R"(","role":"read"})", 400, "name_invalid"},
      {R"({"name":"n"})", 400, "role_invalid"},
      {R"({"name":"n","role":"root"})", 400, "role_invalid"},
      {R"({"name":"n","role":"operator"})", 403, "role_not_allowed"},
      {R"({"name":"n","role":"read","expires_at":"tomorrow"})", 400, "expires_at_invalid"},
      {R"({"name":"n","role":"read","expires_at":"2001-01-01T00:00:00Z"})", 400,
       "expires_at_invalid"},
      {R"({"name":"n","role":"read","tenant":"acme"})", 400, "unknown_field"},
      {R"({"name":"taken","role":"read"})", 409, "key_already_exists"}};
  for (const auto& [body, status, reason] : cases) {
    const Answer answer = ask("POST", "/v1/keys", body);
    EXPECT_EQ(answer.status, status) << body;
    EXPECT_EQ(answer.reason(), reason) << body;
  }
  EXPECT_EQ(ask("POST", "/v1/keys/nobody/revoke").reason(), "key_not_found");
  EXPECT_EQ(ask(as("nobody", "POST", "/v1/keys", R"({"name":"n","role":"read"})")).reason(),
            "tenant_not_found");
}

TEST_F(KeysTest, AnAdminHasThoseOfItsTenantAlone) {
  make("ours");
  EXPECT_EQ(names(as("default", "GET", "/v1/keys")), (Names{"boss", "ours"}));
  EXPECT_EQ(names(as("acme", "GET", "/v1/keys")), Names{"theirs"});
  EXPECT_EQ(ask(as("acme", "POST", "/v1/keys/ours/revoke")).reason(), "key_not_found");
  EXPECT_EQ(ask(as("default", "POST", "/v1/keys/theirs/revoke")).reason(), "key_not_found");
  EXPECT_EQ(count("SELECT count(*) FROM postern.api_key WHERE revoked_at IS NOT NULL"), 0);
  EXPECT_EQ(ask(as("acme", "POST", "/v1/keys", R"({"name":"ours","role":"admin"})")).status, 201);
  EXPECT_EQ(names(as("default", "GET", "/v1/keys")), (Names{"boss", "ours"}));
  // Nor has an operator others: it is one of its tenant, where keys are concerned.
  EXPECT_EQ(names(as("acme", "GET", "/v1/keys", {}, "operator")), (Names{"ours", "theirs"}));
}

TEST_F(KeysTest, OthersThanAdminsHaveNone) {
  make("ours");
  for (const auto& [method, path] :
       {std::pair{"GET", "/v1/keys"}, {"POST", "/v1/keys"}, {"POST", "/v1/keys/ours/revoke"}}) {
    const std::string body =
        path == std::string("/v1/keys") && *method == 'P' ? R"({"name":"n","role":"read"})" : "";
    for (const char* role : {"read", "worker", "", "root"}) {
      EXPECT_EQ(ask(as("default", method, path, body, role)).reason(), "role_not_allowed")
          << role << path;
    }
    HttpRequest asked = as("default", method, path, body, "operator");
    asked.operator_vouched = "";
    EXPECT_EQ(ask(asked).reason(), "role_not_allowed") << path;
    asked = as("default", method, path, body);
    asked.sandbox = "1";
    EXPECT_EQ(ask(asked).reason(), "sandbox_not_allowed") << path;
    asked = as("default", method, path, body);
    asked.verdict = Verdict::missing;
    EXPECT_EQ(ask(asked).status, 401) << path;
    asked.verdict = Verdict::ok;
    asked.tenant = "acme";
    EXPECT_EQ(ask(asked).reason(), "tenant_not_allowed") << path;
  }
  EXPECT_EQ(count("SELECT count(*) FROM postern.api_key WHERE revoked_at IS NULL"), 3);
}

TEST_F(KeysTest, WhereNobodyIsAskedThereAreNone) {
  start({.require_identity = false});
  for (const auto& [method, path, body] : {std::tuple{"GET", "/v1/keys", ""},
                                           {"POST", "/v1/keys", R"({"name":"n","role":"read"})"},
                                           {"POST", "/v1/keys/boss/revoke", ""}}) {
    const Answer answer = ask(method, path, body);
    EXPECT_EQ(answer.status, 403) << path;
    EXPECT_EQ(answer.reason(), "identity_required") << path;
  }
}

TEST_F(KeysTest, ARevokedKeyEnds) {
  const std::string text = make("ci").text("key");
  const Answer revoked = ask("POST", "/v1/keys/ci/revoke");
  EXPECT_EQ(revoked.status, 200);
  EXPECT_NE(revoked.text("revoked_at"), "null");
  EXPECT_EQ(revoked.json().count("key"), 0u);
  EXPECT_FALSE(db::authenticate(admin_, sha256(text)));
  EXPECT_EQ(ask("POST", "/v1/keys/ci/revoke").body, revoked.body) << "once is enough";
  EXPECT_EQ(make("ci").reason(), "key_already_exists");
}

TEST_F(KeysTest, AnAdminDoesNotEndAnOperatorsKey) {
  EXPECT_EQ(ask("POST", "/v1/keys/boss/revoke").reason(), "role_not_allowed");
  EXPECT_EQ(count("SELECT count(*) FROM postern.api_key WHERE revoked_at IS NOT NULL"), 0);
  EXPECT_EQ(ask(as("default", "POST", "/v1/keys/boss/revoke", {}, "operator")).text("role"),
            "operator");
  EXPECT_EQ(count("SELECT count(*) FROM postern.api_key WHERE revoked_at IS NOT NULL"), 1);
}

TEST_F(KeysTest, ThoseThatWorkComeFirstThenTheLastThatEnded) {
  host_key("expired", "read", "default", *parse_rfc3339("2001-01-01T00:00:00Z"));
  make("a");
  make("z");
  make("gone");
  ask("POST", "/v1/keys/gone/revoke");
  EXPECT_EQ(names(request("GET", "/v1/keys")), (Names{"a", "boss", "z", "gone", "expired"}));
}

TEST_F(KeysTest, TheListIsBounded) {
  admin_.script(R"sql(
    INSERT INTO postern.api_key (hash, name, role, tenant, revoked_at)
    SELECT sha256(n::text::bytea), 'k' || n, 'read', 'default', CASE WHEN n > 1100 THEN now() - n * interval '1 minute' END
      FROM generate_series(1, 1250) n)sql");
  const Answer all = ask("GET", "/v1/keys");
  EXPECT_EQ(all.json().at("keys").as_array().size(), 1'100u);
  EXPECT_EQ(all.text("more"), "true");
  EXPECT_EQ(all.text("keys/1000/name"), "k1101") << "the last that has ended";
}

TEST_F(KeysTest, SoManyMayWork) {
  const std::string fill = R"sql(
    INSERT INTO postern.api_key (hash, name, role, tenant)
    SELECT sha256(n::text::bytea), 'k' || n, 'read', 'default' FROM generate_series(1, 999) n)sql";
  admin_.script(fill);  // and the operator's
  const Answer refused = make("one-more");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.reason(), "quota_exceeded");
  ask("POST", "/v1/keys/k7/revoke");
  EXPECT_EQ(make("one-more").status, 201);
  EXPECT_EQ(make("two-more").reason(), "quota_exceeded");
}

// Who makes and revokes keys for ever fills no table.
TEST_F(KeysTest, OfThoseThatHaveEndedSoManyAreKept) {
  admin_.script(R"sql(
    UPDATE postern.api_key SET revoked_at = now() - interval '1 year';
    INSERT INTO postern.api_key (hash, name, role, tenant, revoked_at)
    SELECT sha256(n::text::bytea), 'k' || n, 'read', t.name, now() - n * interval '1 minute'
      FROM generate_series(1, 1200) n, (VALUES ('default')) t(name))sql");
  EXPECT_EQ(make("k1200").status, 201) << "its name is free again";
  EXPECT_EQ(
      count("SELECT count(*) FROM postern.api_key WHERE tenant = 'default' AND name LIKE 'k%'"),
      1'001);
  EXPECT_EQ(count("SELECT count(*) FROM postern.api_key WHERE name IN ('boss', 'theirs')"), 2);
}

}  // namespace
}  // namespace postern::test
