#include "core/security/jwt.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "core/base/base64.h"
#include "tests/support/jwt.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

const std::string kSecret = "a secret of thirty-two bytes at least";
const std::string kOther = "another secret of thirty-two bytes or so";
const Time kNow = Time{1'700'000'000s};

std::string token(const std::string& payload, const std::string& secret = kSecret,
                  const std::string& header = R"({"alg":"HS256","typ":"JWT"})") {
  return test::make_jwt(payload, secret, header);
}

std::string verdict(const std::string& text, const JwtRules& rules = {},
                    std::vector<std::string> secrets = {kSecret}) {
  const auto claims = verify_jwt(text, {std::move(secrets)}, kNow, rules);
  if (claims) return "ok";
  EXPECT_EQ(claims.error().code, Errc::unauthenticated);
  EXPECT_FALSE(claims.error().message.empty());
  return claims.error().reason;
}

const std::string kGood = R"({"sub":"app","role":"admin","exp":1700000300})";

TEST(Jwt, ReturnsTheClaims) {
  const auto claims =
      verify_jwt(token(R"({"sub":"app","role":"worker","tenant":"acme","exp":1700000300})"),
                 JwtKeys{{kSecret}}, kNow, {});
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->subject, "app");
  EXPECT_EQ(claims->role, "worker");
  EXPECT_EQ(claims->tenant, "acme");
}

// The example of RFC 7515, appendix A.1, whose key is 64 bytes.
TEST(Jwt, ReadsTheExampleOfTheStandard) {
  const std::string key = *base64_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==");
  const std::string text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnV"
      "lfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  EXPECT_TRUE(verify_jwt(text, JwtKeys{{key}}, Time{1'300'819'380s}, {}));
  EXPECT_FALSE(verify_jwt(text, JwtKeys{{key}}, Time{1'300'819'440s}, {}));
}

TEST(Jwt, TheTokenCannotChooseHowItIsChecked) {
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"hs256"})", R"({"alg":"HS512"})",
        R"({"alg":"RS256"})", R"({"alg":"ES256"})", R"({"typ":"JWT"})", R"({"alg":["HS256"]})",
        R"({"alg":"HS256","crit":["exp"],"exp":1})"}) {
    EXPECT_EQ(verdict(token(kGood, kSecret, header)), "jwt_algorithm") << header;
  }
  std::string unsigned_token = token(kGood, kSecret, R"({"alg":"none"})");
  unsigned_token.resize(unsigned_token.rfind('.') + 1);
  EXPECT_EQ(verdict(unsigned_token), "jwt_algorithm");
}

TEST(Jwt, NeedsACompleteSignatureByAKnownSecret) {
  EXPECT_EQ(verdict(token(kGood)), "ok");
  EXPECT_EQ(verdict(token(kGood, kOther)), "jwt_signature");
  EXPECT_EQ(verdict(token(kGood, kOther), {}, {kSecret, kOther}), "ok");
  EXPECT_EQ(verdict(token(kGood), {}, {kOther, kSecret}), "ok");
  EXPECT_EQ(verdict(token(kGood), {}, {}), "jwt_algorithm");
  std::string cut = token(kGood);
  cut.resize(cut.size() - 4);
  EXPECT_NE(verdict(cut), "ok");
  std::string changed = token(kGood);
  changed[changed.find('.') + 5] ^= 1;
  EXPECT_NE(verdict(changed), "ok");
}

TEST(Jwt, IsRefusedWhenMalformed) {
  for (const std::string& text :
       {std::string(), std::string("."), std::string(".."), std::string("a.b"), token(kGood) + ".",
        token(kGood) + "=", "=" + token(kGood), token("[]"), token("x"),
        token(R"({"exp":"1700000300"})"), token(R"({"exp":1700000300,"nbf":null})"),
        token(R"({"exp":1700000300,"iat":"1700000000"})"),
        token(R"({"exp":1700000300,"iat":null})"), token(R"({"exp":1,"exp":1700000300})"),
        token(kGood, kSecret, "x")}) {
    EXPECT_EQ(verdict(text), "jwt_malformed") << text;
  }
}

TEST(Jwt, IsCheckedForExpNbfAndIatWithLeeway) {
  const auto at = [](const std::string& claim, std::int64_t seconds) {
    return token("{\"exp\":1800000000,\"" + claim + "\":" + std::to_string(seconds) + "}");
  };
  const auto expiring = [](std::int64_t seconds) {
    return token("{\"exp\":" + std::to_string(seconds) + "}");
  };
  EXPECT_EQ(verdict(expiring(1'700'000'000 - 59)), "ok");
  EXPECT_EQ(verdict(expiring(1'700'000'000 - 60)), "jwt_expired");
  EXPECT_EQ(verdict(at("nbf", 1'700'000'000 + 60)), "ok");
  EXPECT_EQ(verdict(at("nbf", 1'700'000'000 + 61)), "jwt_not_yet");
  EXPECT_EQ(verdict(at("iat", 1)), "ok");
  EXPECT_EQ(verdict(at("iat", 1'700'000'000 + 60)), "ok");
  EXPECT_EQ(verdict(at("iat", 1'700'000'000 + 61)), "jwt_issued_later");
  EXPECT_EQ(verdict(token(R"({"exp":1700000000.5})")), "ok");
}

TEST(Jwt, NeedsExpUnlessTheRulesSayOtherwise) {
  const std::string endless = token(R"({"sub":"app","role":"admin"})");
  EXPECT_EQ(verdict(endless), "jwt_without_exp");
  EXPECT_EQ(verdict(endless, {.require_exp = false}), "ok");
  EXPECT_EQ(verdict(token(R"({"exp":1})"), {.require_exp = false}), "jwt_expired");
}

// RFC 7519, section 4.1.3.
TEST(Jwt, IsForTheAudienceThatIsExpected) {
  const struct {
    const char *aud, *unset, *set;  // the claim; the verdicts without and with an audience
  } table[] = {
      {"", "ok", "jwt_audience"},
      {R"(,"aud":"tasks")", "jwt_audience", "ok"},
      {R"(,"aud":["tasks"])", "jwt_audience", "ok"},
      {R"(,"aud":["mail","tasks"])", "jwt_audience", "ok"},
      {R"(,"aud":"t\u0061sks")", "jwt_audience", "ok"},
      {R"(,"aud":"mail")", "jwt_audience", "jwt_audience"},
      {R"(,"aud":"Tasks")", "jwt_audience", "jwt_audience"},
      {R"(,"aud":"tasks ")", "jwt_audience", "jwt_audience"},
      {R"(,"aud":"")", "jwt_audience", "jwt_audience"},
      {R"(,"aud":[])", "jwt_audience", "jwt_audience"},
      {R"(,"aud":["mail","task","taskss"])", "jwt_audience", "jwt_audience"},
      {R"(,"aud":null)", "jwt_malformed", "jwt_malformed"},
      {R"(,"aud":7)", "jwt_malformed", "jwt_malformed"},
      {R"(,"aud":true)", "jwt_malformed", "jwt_malformed"},
      {R"(,"aud":{"tasks":1})", "jwt_malformed", "jwt_malformed"},
      {R"(,"aud":["tasks",7])", "jwt_malformed", "jwt_malformed"},
      {R"(,"aud":[["tasks"]])", "jwt_malformed", "jwt_malformed"},
      {R"(,"aud":"mail","aud":"tasks")", "jwt_malformed", "jwt_malformed"},
  };
  for (const auto& [aud, unset, set] : table) {
    const std::string text = token(std::string(R"({"exp":1700000300)") + aud + "}");
    EXPECT_EQ(verdict(text), unset) << aud;
    EXPECT_EQ(verdict(text, {.audience = "tasks"}), set) << aud;
  }
}

// What a client sees must let its maker find the mistake.
TEST(Jwt, ARefusalSaysWhatWasFound) {
  const std::pair<std::string, const char*> table[] = {
      {"a.b", "three parts"},
      {token(kGood, kSecret, "[]"), "headers are no JSON object"},
      {token(kGood, kSecret, R"({"alg":"none"})"), "not signed"},
      {token(kGood, kSecret, R"({"alg":"HS512"})"), "HS256, RS256 or ES256"},
      {token(kGood, kSecret, R"({"alg":"RS256"})"),
       "No key is known here for tokens signed with RS256"},
      {token(kGood, kSecret, R"({"alg":"HS256","crit":["x"]})"), "(crit)"},
      {token(kGood, kOther), "another secret"},
      {token("[]"), "claims are no JSON object"},
      {token(R"({"exp":1,"exp":2})"), "claims have a name twice"},
      {token("{}"), "no exp"},
      {token(R"({"exp":"1"})"), "exp is no number"},
      {token(R"({"exp":1})"), "expired"},
      {token(R"({"exp":1800000000,"nbf":1750000000})"), "its nbf is in the future"},
      {token(R"({"exp":1800000000,"iat":1750000000})"), "iat is in the future"},
      {token(R"({"exp":1800000000,"aud":"x"})"), "for another service"},
      {token(R"({"exp":1800000000,"aud":7})"), "neither a text nor a list"},
  };
  for (const auto& [text, expected] : table) {
    const auto claims = verify_jwt(text, {{kSecret}}, kNow, {});
    ASSERT_FALSE(claims) << expected;
    EXPECT_NE(claims.error().message.find(expected), std::string::npos) << claims.error().message;
  }
}

TEST(Jwt, HasEmptyTextForAbsentClaims) {
  const auto claims = verify_jwt(token(R"({"exp":1700000300})"), JwtKeys{{kSecret}}, kNow, {});
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->subject, "");
  EXPECT_EQ(claims->role, "");
  EXPECT_EQ(claims->tenant, "");
}

// A token with the number 42 as its tenant was once accepted for the default tenant.
TEST(Jwt, IsRefusedWhenAClaimIsEmptyOrNoText) {
  for (const char* claim : {"sub", "role", "tenant"}) {
    for (const char* value : {"42", R"(["acme"])", R"({"name":"acme"})", "null", "true", R"("")"}) {
      const auto claims =
          verify_jwt(token(std::string(R"({"exp":1700000300,")") + claim + "\":" + value + "}"),
                     JwtKeys{{kSecret}}, kNow, {});
      ASSERT_FALSE(claims) << claim << value;
      EXPECT_EQ(claims.error().code, Errc::unauthenticated) << claim << value;
      EXPECT_EQ(claims.error().reason, "jwt_malformed") << claim << value;
      EXPECT_NE(claims.error().message.find(claim), std::string::npos) << claim << value;
    }
  }
}

}  // namespace
}  // namespace postern
