// RS256 and ES256: the file of public keys, and the tokens that are checked with them.
#include "core/security/jwt_public_keys.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "core/security/jwt.h"
#include "tests/support/issuer.h"

namespace postern {
namespace {

using namespace std::chrono_literals;
using test::Issuer;

const Time kNow = Time{1'700'000'000s};
const std::string kGood = R"({"sub":"app","role":"admin","exp":1700000300})";

// Making a pair of RSA takes a tenth of a second.
const Issuer& rsa() {
  static const Issuer issuer = Issuer::rsa();
  return issuer;
}
const Issuer& other_rsa() {
  static const Issuer issuer = Issuer::rsa();
  return issuer;
}
const Issuer& ec() {
  static const Issuer issuer = Issuer::ec();
  return issuer;
}
const Issuer& other_ec() {
  static const Issuer issuer = Issuer::ec();
  return issuer;
}

std::string set_of(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ",") + key;
  return R"({"keys":[)" + text + "]}";
}

JwtKeys keys_of(const std::string& file) {
  auto keys = parse_jwt_public_keys(file);
  EXPECT_TRUE(keys) << keys.error().message;
  return keys ? JwtKeys{{}, std::move(*keys)} : JwtKeys{};
}

std::string verdict(const std::string& token, const JwtKeys& keys) {
  const auto claims = verify_jwt(token, keys, kNow, {});
  if (claims) return "ok";
  EXPECT_EQ(claims.error().code, Errc::unauthenticated);
  EXPECT_FALSE(claims.error().message.empty());
  return claims.error().reason;
}

std::string header(const char* algorithm, const char* kid) {
  return std::string(R"({"alg":")") + algorithm + R"(","kid":")" + kid + R"("})";
}

// RFC 7515, appendices A.2 and A.3.
TEST(JwtPublicKeys, VerifyTheExamplesOfTheStandard) {
  const JwtKeys keys = keys_of(set_of(
      {R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4q)"
       R"(PCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0)"
       R"(LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo)"
       R"(5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyu)"
       R"(XpoQ","e":"AQAB"})",
       R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
       R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"}));
  const std::string payload =
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnV"
      "lfQ";
  for (const std::string& token :
       {"eyJhbGciOiJSUzI1NiJ9." + payload +
            ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YK"
            "t_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArL"
            "IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noO"
            "PqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe"
            "77Rw",
        "eyJhbGciOiJFUzI1NiJ9." + payload +
            ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU"
            "1Q"}) {
    EXPECT_TRUE(verify_jwt(token, keys, Time{1'300'819'300s}, {})) << token;
    EXPECT_FALSE(verify_jwt(token, keys, Time{1'300'819'440s}, {})) << token;
  }
}

TEST(JwtPublicKeys, VerifyFromEitherForm) {
  for (const Issuer* issuer : {&rsa(), &ec()}) {
    for (const std::string& file : {issuer->pem(), "a comment\n" + issuer->pem() + "\n",
                                    set_of({issuer->jwk()}), " \n" + set_of({issuer->jwk()})}) {
      EXPECT_EQ(verdict(issuer->token(kGood), keys_of(file)), "ok") << file;
    }
  }
  const JwtKeys all = keys_of(rsa().pem() + other_rsa().pem() + ec().pem() + other_ec().pem());
  ASSERT_EQ(all.public_keys.size(), 4u);
  for (const Issuer* issuer : {&rsa(), &other_rsa(), &ec(), &other_ec()}) {
    EXPECT_EQ(verdict(issuer->token(kGood), all), "ok");
  }
}

TEST(JwtPublicKeys, ATokenNeedsTheSignatureOfAKnownKey) {
  for (const auto& [known, other] : {std::pair{&rsa(), &other_rsa()}, {&ec(), &other_ec()}}) {
    const JwtKeys keys = keys_of(known->pem());
    EXPECT_EQ(verdict(other->token(kGood), keys), "jwt_signature");
    const std::string good = known->token(kGood);
    const std::string text = good.substr(0, good.rfind('.') + 1);
    const std::string raw = known->signature(text.substr(0, text.size() - 1));
    for (const std::string& bad :
         {std::string(), raw.substr(1), raw.substr(0, raw.size() - 1), raw + '\0', '\0' + raw,
          std::string(raw.size(), '\0'), std::string(raw.size(), '\xff'), raw + raw}) {
      EXPECT_EQ(verdict(text + test::base64url(bad), keys), "jwt_signature");
    }
    const std::string others = R"({"sub":"app","role":"admin","exp":1700000301})";
    EXPECT_EQ(verdict(good.substr(0, good.find('.') + 1) + test::base64url(others) +
                          good.substr(good.rfind('.')),
                      keys),
              "jwt_signature");
  }
  // DER is OpenSSL's form of a signature by P-256, and no token's.
  const std::string good = ec().token(kGood);
  const std::string text = good.substr(0, good.rfind('.'));
  EXPECT_EQ(verdict(text + "." + test::base64url(ec().raw_signature(text)), keys_of(ec().pem())),
            "jwt_signature");
}

TEST(JwtPublicKeys, TheKeyDecidesTheAlgorithm) {
  const JwtKeys both = keys_of(rsa().pem() + ec().pem());
  for (const std::string& public_bytes :
       {rsa().pem(), ec().pem(), rsa().jwk(), ec().jwk(), set_of({rsa().jwk()}), std::string()}) {
    // Whoever has the public key can make this one.
    EXPECT_EQ(verdict(test::make_jwt(kGood, public_bytes), both), "jwt_algorithm");
    JwtKeys with_secret = both;
    with_secret.secrets.emplace_back("a secret of thirty-two bytes at least");
    EXPECT_EQ(verdict(test::make_jwt(kGood, public_bytes), with_secret), "jwt_signature");
  }
  EXPECT_EQ(verdict(rsa().token(kGood, R"({"alg":"ES256"})"), both), "jwt_signature");
  EXPECT_EQ(verdict(ec().token(kGood, R"({"alg":"RS256"})"), both), "jwt_signature");
  EXPECT_EQ(verdict(rsa().token(kGood, R"({"alg":"HS256"})"), both), "jwt_algorithm");
  EXPECT_EQ(verdict(rsa().token(kGood), keys_of(ec().pem())), "jwt_algorithm");
  EXPECT_EQ(verdict(ec().token(kGood), keys_of(rsa().pem())), "jwt_algorithm");
  for (const char* each : {R"({"alg":"none"})", R"({"alg":"RS384"})", R"({"alg":"RS512"})",
                           R"({"alg":"PS256"})", R"({"alg":"ES384"})", R"({"alg":"ES256K"})",
                           R"({"alg":"rs256"})", R"({"alg":"RS256","crit":["exp"]})", "{}"}) {
    EXPECT_EQ(verdict(rsa().token(kGood, each), both), "jwt_algorithm") << each;
    EXPECT_EQ(verdict(ec().token(kGood, each), both), "jwt_algorithm") << each;
  }
}

TEST(JwtPublicKeys, TheKidSelectsAmongTheKeys) {
  const JwtKeys keys = keys_of(set_of({rsa().jwk(R"(,"kid":"a")"), other_rsa().jwk(R"(,"kid":"b")"),
                                       ec().jwk(R"(,"kid":"a")"), other_ec().jwk()}));
  ASSERT_EQ(keys.public_keys.size(), 4u);
  const struct {
    const Issuer& issuer;
    std::string header, expected;
  } table[] = {
      {rsa(), header("RS256", "a"), "ok"},
      {rsa(), header("RS256", "b"), "jwt_signature"},
      {rsa(), header("RS256", "c"), "jwt_key_unknown"},
      {rsa(), header("RS256", "A"), "jwt_key_unknown"},
      {rsa(), R"({"alg":"RS256"})", "ok"},
      {other_rsa(), R"({"alg":"RS256"})", "ok"},
      {ec(), header("ES256", "a"), "ok"},
      {ec(), header("ES256", "b"), "jwt_signature"},  // may be the key without a kid
      {other_ec(), header("ES256", "any"), "ok"},
      {rsa(), R"({"alg":"RS256","kid":7})", "jwt_malformed"},
      {rsa(), R"({"alg":"RS256","kid":""})", "jwt_malformed"},
      {rsa(), R"({"alg":"RS256","kid":"a","kid":"b"})", "jwt_malformed"},
  };
  for (const auto& [issuer, text, expected] : table) {
    EXPECT_EQ(verdict(issuer.token(kGood, text), keys), expected) << text;
  }
}

TEST(JwtPublicKeys, AKeyForSomethingElseIsLeftOut) {
  const std::vector<std::string> others = {
      rsa().jwk(R"(,"use":"enc")"),
      rsa().jwk(R"(,"use":7)"),
      rsa().jwk(R"(,"alg":"RS512")"),
      rsa().jwk(R"(,"alg":"RSA-OAEP")"),
      rsa().jwk(R"(,"alg":"ES256")"),
      rsa().jwk(R"(,"alg":"HS256")"),
      rsa().jwk(R"(,"key_ops":["encrypt"])"),
      rsa().jwk(R"(,"key_ops":[])"),
      rsa().jwk(R"(,"key_ops":"verify")"),
      ec().jwk(R"(,"alg":"ES384")"),
      R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})",
      R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})",
      R"({"kty":"OKP","crv":"Ed25519","x":"AA"})",
      R"({"kty":"rsa"})",
      "{}",
  };
  for (const std::string& each : others) {
    const auto keys = parse_jwt_public_keys(set_of({each}));
    ASSERT_FALSE(keys) << each;
    EXPECT_NE(keys.error().message.find("no key for RS256"), std::string::npos) << each;
  }
  std::vector<std::string> all = others;
  all.push_back(rsa().jwk(R"(,"use":"sig","alg":"RS256","key_ops":["verify"],"kid":"k")"));
  const JwtKeys keys = keys_of(set_of(all));
  EXPECT_EQ(keys.public_keys.size(), 1u);
  EXPECT_EQ(verdict(rsa().token(kGood), keys), "ok");
}

TEST(JwtPublicKeys, AFileThatIsWrongIsRefusedWithTheReason) {
  const Issuer weak = Issuer::rsa(1024), p384 = Issuer::ec("P-384");
  std::string off_curve = ec().jwk();
  char& of_x = off_curve[off_curve.find("\"x\"") + 10];
  of_x = of_x == 'A' ? 'B' : 'A';
  std::string damaged = rsa().pem();
  damaged.erase(100, 40);
  const auto many = [](std::size_t count) {
    return set_of(std::vector<std::string>(count, ec().jwk()));
  };
  std::string many_pem;
  for (std::size_t i = 0; i <= kMaxJwtPublicKeys; ++i) many_pem += ec().pem();
  const std::pair<std::string, const char*> table[] = {
      {"", "is empty"},
      {" \n", "is empty"},
      {"nothing", "neither a PUBLIC KEY"},
      {"[]", "neither a PUBLIC KEY"},
      {std::string(kMaxJwtKeysFile + 1, ' '), "has more than 256 KiB"},
      {"{", "is no JSON"},
      {"{}", "no list \"keys\""},
      {R"({"keys":{}})", "no list \"keys\""},
      {R"({"keys":[],"keys":[]})", "is no JSON"},
      {rsa().jwk(), "no list \"keys\""},
      {set_of({}), "no key for RS256"},
      {set_of({"7"}), "its key 1 is no object"},
      {set_of({ec().jwk(), R"({"kty":"EC","kty":"RSA"})"}), "its key 2 has a member twice"},
      {set_of({R"({"kty":"oct","k":"c2VjcmV0"})"}), "symmetric key"},
      {set_of({rsa().jwk(R"(,"d":"AQAB")")}), "private key"},
      {set_of({rsa().jwk(R"(,"kid":7)")}), "kid that is no text"},
      {set_of({R"({"kty":"RSA","n":"AQAB"})"}), "no n and e"},
      {set_of({R"({"kty":"RSA","n":"AQ==","e":"AQAB"})"}), "no n and e"},
      {set_of({R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"}), "it must have 2048 to 8192"},
      {set_of({R"({"kty":"RSA","n":")" + std::string(1500, 'A') + R"(","e":"AQAB"})"}), "too long"},
      {set_of({R"({"kty":"RSA","n":")" + std::string(1365, '_') + R"(w","e":"AQAB"})"}),
       "cannot be used"},
      {set_of({weak.jwk()}), "1024 bits; it must have 2048 to 8192"},
      {set_of({R"({"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"})"}), "must have 32 bytes"},
      {set_of({off_curve}), "not on the curve"},
      {many(kMaxJwtPublicKeys + 1), "more than 32 keys"},
      {many_pem, "more than 32 keys"},
      {weak.pem(), "1024 bits; it must have 2048 to 8192"},
      {p384.pem(), "neither of RSA nor of P-256"},
      {rsa().pem() + ec().pem(true), "block 2 is a private key"},
      {"-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n",
       "block 1 is neither"},
      {damaged, "block 1 is damaged"},
      {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "block 1 is damaged"},
      {rsa().pem().substr(0, 200), "block 1 is damaged"},
  };
  for (const auto& [file, expected] : table) {
    const auto keys = parse_jwt_public_keys(file);
    ASSERT_FALSE(keys) << expected << ": " << file.substr(0, 100);
    EXPECT_EQ(keys.error().reason, "jwt_keys_invalid");
    EXPECT_NE(keys.error().message.find(expected), std::string::npos)
        << expected << ": " << keys.error().message;
  }
  EXPECT_TRUE(parse_jwt_public_keys(many(kMaxJwtPublicKeys)));
}

// With 1 as the exponent everybody could sign.
TEST(JwtPublicKeys, AnExponentOfOneIsNoKey) {
  std::string key = rsa().jwk();
  key.replace(key.find("AQAB"), 4, "AQ");
  EXPECT_FALSE(parse_jwt_public_keys(set_of({key})));
}

// As made with `openssl req -x509`; an issuer's certificate may have ended long ago.
TEST(JwtPublicKeys, OfACertificateOnlyTheKeyCounts) {
  const auto keys = parse_jwt_public_keys(
      "-----BEGIN CERTIFICATE-----\n"
      "MIIBHDCBwwIUbkE/mmJBVphE0qBkrZoNd5iaXC8wCgYIKoZIzj0EAwIwETEPMA0G\n"
      "A1UEAwwGaXNzdWVyMB4XDTI2MTEyOTExNTgxMFoXDTI2MTEyODExNTgxMFowETEP\n"
      "MA0GA1UEAwwGaXNzdWVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDufmKVVm\n"
      "heDmd3iwZ6rB4+SVjnUi/uYKCkx/043J0Eb2JeFesrmPvR56XOWhHaMkKU6ZkOx+\n"
      "DAa9BNXgUw9y9zAKBggqhkjOPQQDAgNIADBFAiB86uYHBR5u2OtLeRri7YGFbysm\n"
      "Zda0+IXWWyWOudy+SgIhAIWgZInqW4XaKxXHJQLcrXwGsEwfVGTzLos3ob8zXUQk\n"
      "-----END CERTIFICATE-----\n");
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->front().key.kind(), PublicKey::Kind::p256);
}

}  // namespace
}  // namespace postern
