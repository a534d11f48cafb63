#include "core/security/jwt.h"

#include <gtest/gtest.h>

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
  const auto claims = verify_jwt(text, secrets, kNow, rules);
  return claims ? "ok" : claims.error().reason;
}

const std::string kGood = R"({"sub":"app","role":"admin","exp":1700000300})";

TEST(Jwt, ReturnsTheClaims) {
  const auto claims =
      verify_jwt(token(R"({"sub":"app","role":"worker","tenant":"acme","exp":1700000300})"),
                 std::vector{kSecret}, kNow, {});
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
  EXPECT_TRUE(verify_jwt(text, std::vector{key}, Time{1'300'819'380s}, {}));
  EXPECT_FALSE(verify_jwt(text, std::vector{key}, Time{1'300'819'440s}, {}));
}

TEST(Jwt, TheTokenCannotChooseHowItIsChecked) {
  for (const char* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"hs256"})",
                             R"({"alg":"HS512"})", R"({"alg":"RS256"})", R"({"typ":"JWT"})",
                             R"({"alg":["HS256"]})", R"({"alg":"HS256","crit":["exp"],"exp":1})"}) {
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
  EXPECT_EQ(verdict(token(kGood), {}, {}), "jwt_signature");
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
        token(R"({"exp":1,"exp":1700000300})"), token(kGood, kSecret, "x")}) {
    EXPECT_EQ(verdict(text), "jwt_malformed") << text;
  }
}

TEST(Jwt, IsCheckedForExpAndNbfWithLeeway) {
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
  EXPECT_EQ(verdict(token(R"({"exp":1700000000.5})")), "ok");
}

TEST(Jwt, NeedsExpUnlessTheRulesSayOtherwise) {
  const std::string endless = token(R"({"sub":"app","role":"admin"})");
  EXPECT_EQ(verdict(endless), "jwt_without_exp");
  EXPECT_EQ(verdict(endless, {.require_exp = false}), "ok");
  EXPECT_EQ(verdict(token(R"({"exp":1})"), {.require_exp = false}), "jwt_expired");
}

TEST(Jwt, HasEmptyTextForAbsentClaims) {
  const auto claims = verify_jwt(token(R"({"exp":1700000300})"), std::vector{kSecret}, kNow, {});
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
                     std::vector{kSecret}, kNow, {});
      ASSERT_FALSE(claims) << claim << value;
      EXPECT_EQ(claims.error().code, Errc::unauthenticated) << claim << value;
      EXPECT_EQ(claims.error().reason, "jwt_malformed") << claim << value;
      EXPECT_NE(claims.error().message.find(claim), std::string::npos) << claim << value;
    }
  }
}

}  // namespace
}  // namespace postern
