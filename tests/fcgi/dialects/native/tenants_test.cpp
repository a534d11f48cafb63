// Tenants over HTTP: for operators alone.
#include "core/base/crypto.h"
#include "db/catalog/keys.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class TenantsTest : public WireTest {
 protected:
  static HttpRequest as(std::string role, std::string method, std::string path,
                        std::string body = {}) {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    if (role == "operator") out.operator_vouched = kVouchedByKey;
    out.role = std::move(role);
    return out;
  }
  Answer operate(std::string method, std::string path, std::string body = {}) {
    return ask(as("operator", std::move(method), std::move(path), std::move(body)));
  }
};

TEST_F(TenantsTest, AnOperatorMakesThem) {
  const Answer made = operate("POST", "/v1/tenants", R"({"name":"acme"})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.text("name"), "acme");
  EXPECT_NE(made.text("created_at"), "null");
  EXPECT_EQ(made.json().size(), 2u) << "its secret is told by `postern secret` alone";
  EXPECT_TRUE(db::tenant_secrets(admin_, "acme"));
  EXPECT_EQ(operate("POST", "/v1/tenants", R"({"name":"acme"})").reason(), "tenant_already_exists");
  for (const char* name : {"", "Acme", "-a", "a b", "../x"}) {
    EXPECT_EQ(operate("POST", "/v1/tenants", R"({"name":")" + std::string(name) + "\"}").reason(),
              "tenant_invalid")
        << name;
  }
  HttpRequest create =
      request("POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://a.test/","delay":3600})");
  create.key_tenant = "acme";
  EXPECT_EQ(ask(create).status, 201);
}

TEST_F(TenantsTest, NobodyElseDoes) {
  for (const auto& [method, body] : {std::pair{"GET", ""}, {"POST", R"({"name":"evil"})"}}) {
    for (const char* role : {"admin", "worker", "read", "root", ""}) {
      HttpRequest asked = as(role, method, "/v1/tenants", body);
      for (const char* tenant : {"default", "acme"}) {
        asked.key_tenant = tenant;
        EXPECT_EQ(ask(asked).reason(), "role_not_allowed") << role;
        asked.operator_vouched = kVouchedByKey;
        EXPECT_EQ(ask(asked).reason(), "role_not_allowed") << role;
      }
    }
    HttpRequest asked = as("operator", method, "/v1/tenants", body);
    asked.operator_vouched = "";
    EXPECT_EQ(ask(asked).reason(), "role_not_allowed");
    asked.operator_vouched = kVouchedByKey;
    asked.sandbox = "1";
    EXPECT_EQ(ask(asked).reason(), "sandbox_not_allowed");
    asked.sandbox = "";
    asked.tenant = "acme";  // the vhost's
    EXPECT_EQ(ask(asked).reason(), "tenant_not_allowed");
    asked.verdict = Verdict::missing;
    EXPECT_EQ(ask(asked).status, 401);
  }
  start({.require_identity = false});
  EXPECT_EQ(operate("GET", "/v1/tenants").reason(), "role_not_allowed");
  EXPECT_EQ(operate("POST", "/v1/tenants", R"({"name":"evil"})").reason(), "role_not_allowed");
  EXPECT_EQ(count("SELECT count(*) FROM postern.tenant"), 1);
}

TEST_F(TenantsTest, TheListCountsAndGoesOn) {
  for (const char* name : {"b", "a", "c"}) {
    operate("POST", "/v1/tenants", R"({"name":")" + std::string(name) + "\"}");
  }
  db::create_key(admin_, {sha256("1"), "one", "read", "b", false, {}});
  db::create_key(admin_,
                 {sha256("2"), "old", "read", "b", false, *parse_rfc3339("2001-01-01T00:00:00Z")});
  admin_.script(R"sql(
    INSERT INTO postern.queue (tenant, name) VALUES ('b', 'x'), ('b', 'y'), ('c', 'x');
    INSERT INTO postern.queue_gauge (tenant, queue, seen_at, ready, delayed, active, blocked, estimated)
    VALUES ('b', 'x', now(), 1, 20, 300, 4000, false), ('b', 'y', now(), 50000, 0, 0, 0, false))sql");
  const Answer first = operate("GET", "/v1/tenants?limit=2");
  EXPECT_EQ(first.text("tenants/0/name"), "a");
  EXPECT_EQ(first.text("tenants/1/name"), "b");
  EXPECT_EQ(first.text("tenants/1/queues"), "2");
  EXPECT_EQ(first.text("tenants/1/keys"), "1");
  EXPECT_EQ(first.text("tenants/1/tasks_live"), "null") << "no scheduler measures";
  EXPECT_EQ(first.text("next_cursor"), "b");
  admin_.script(
      "INSERT INTO postern.instance (id, program, name, version) "
      "VALUES (gen_random_uuid(), 'postern-scheduler', 's', '1')");
  EXPECT_EQ(operate("GET", "/v1/tenants?limit=2").text("tenants/1/tasks_live"), "54321");
  const Answer rest = operate("GET", "/v1/tenants?limit=2&cursor=b");
  EXPECT_EQ(rest.text("tenants/0/name"), "c");
  EXPECT_EQ(rest.text("tenants/0/tasks_live"), "0");
  EXPECT_EQ(rest.text("tenants/1/name"), "default");
  EXPECT_EQ(rest.json().count("next_cursor"), 0u);
  for (const char* limit : {"0", "101", "x"}) {
    EXPECT_EQ(operate("GET", std::string("/v1/tenants?limit=") + limit).reason(), "limit_invalid");
  }
  EXPECT_EQ(operate("GET", "/v1/tenants?cursor=%27").reason(), "cursor_invalid");
}

}  // namespace
}  // namespace postern::test
