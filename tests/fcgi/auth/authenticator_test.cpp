// The authenticator that nginx asks about a credential.
#include "fcgi/auth/authenticator.h"

#include "core/base/crypto.h"
#include "db/catalog/keys.h"
#include "tests/fcgi/wire.h"
#include "tests/support/jwt.h"

namespace postern::test {
namespace {

class AuthenticatorTest : public WireTest {
 protected:
  const std::string kSecret = "a secret of thirty-two bytes at least";
  JwtPolicy jwt_{{{kSecret}}};
  Placements placements_{pool_, pool_, ""};

  void SetUp() override {
    db::create_key(admin_, {sha256("secret-key"), "ci", "worker", "default", false, std::nullopt});
    db::create_key(admin_, {sha256("old-key"), "old", "admin", "default", false,
                            *parse_rfc3339("2020-01-01T00:00:00Z")});
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
    const HttpResponse response =
        authenticate(pool_, jwt_, placements_, question, {.operators = operators});
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
  db::create_key(admin_, {sha256("admin-key"), "root", "admin", "default", false, std::nullopt});
  db::create_key(admin_, {sha256("aq_test_key"), "box", "admin", "default", true, std::nullopt});
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
  db::create_key(admin_, {sha256("boss-key"), "boss", "operator", "default", false, std::nullopt});
  const std::string token =
      "Bearer " + make_jwt(R"({"exp":4102444800,"sub":"app","role":"operator"})", kSecret);
  auto boss = verdict("Bearer boss-key");
  EXPECT_EQ(boss.at("Postern-Role"), "operator");
  EXPECT_EQ(boss.at("Postern-Operator"), "key");
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
  EXPECT_EQ(verdict(token, "", "", "", {.token = true}).at("Postern-Operator"), "token");
}

TEST_F(AuthenticatorTest, LetsEverybodyInWhenToldSo) {
  for (const char* credential : {"", "Bearer wrong", "nonsense"}) {
    HttpRequest question;
    question.service = "auth";
    question.authorization = credential;
    const HttpResponse response =
        authenticate(pool_, jwt_, placements_, question, {.require_identity = false});
    EXPECT_EQ(response.status, 204);
    EXPECT_TRUE(response.headers.empty());
  }
}

TEST_F(AuthenticatorTest, KnowsSandboxKeys) {
  db::create_key(admin_, {sha256("aq_test_key"), "box", "admin", "default", true, std::nullopt});
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
  const HttpResponse response = authenticate(nowhere, {}, placements_, question);
  EXPECT_EQ(response.status, 503);
  const std::map<std::string, std::string> headers{response.headers.begin(),
                                                   response.headers.end()};
  EXPECT_EQ(headers.at("Postern-Verdict"), "unavailable");
  EXPECT_EQ(headers.at("Postern-Reason"), "authenticator_unavailable");
  EXPECT_EQ(headers.at("X-Accel-Expires"), "0");
}

}  // namespace
}  // namespace postern::test
