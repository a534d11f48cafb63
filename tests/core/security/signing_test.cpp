#include "core/security/signing.h"

#include <vector>

#include <gtest/gtest.h>

#include "core/base/base64.h"
#include "core/security/signing_mistakes.h"
#include "tests/core/result_text.h"

namespace postern {
namespace {

// Standard Webhooks' own test vector.
const std::string kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kId[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr Time kAt{Seconds{1'614'265'330}};
constexpr char kBody[] = R"({"test": 2432232314})";
constexpr char kSignature[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

std::string sign(const std::vector<std::string>& secrets, Time at = kAt) {
  return standard_webhooks_signature(secrets, kId, at, kBody);
}

TEST(StandardWebhooks, MatchesThePublishedVector) {
  EXPECT_EQ(sign({kSecret}), kSignature);
  EXPECT_EQ(sign({kSecret}, kAt + Microseconds{999'999}), kSignature) << "whole seconds are signed";
  EXPECT_NE(sign({kSecret}, kAt + Seconds{1}), kSignature);
}

TEST(StandardWebhooks, SignsWithEverySecretThatParses) {
  const std::string other = make_webhook_secret();
  EXPECT_EQ(sign({kSecret, other}), kSignature + (" " + sign({other})));
  EXPECT_EQ(sign({"", "not a secret", kSecret}), kSignature);
  EXPECT_EQ(sign({}), "");
}

std::string verify(const std::string& signature, Time now = kAt, Seconds tolerance = Seconds{300}) {
  return outcome(
      verify_standard_webhooks(kSecret, {kId, "1614265330", signature, kBody}, now, tolerance));
}

TEST(VerifyStandardWebhooks, AcceptsThePublishedVectorAmongOthers) {
  const std::string other = sign({make_webhook_secret()});
  for (const std::string& signature :
       {std::string(kSignature), other + " " + kSignature, kSignature + (" " + other),
        "v1a,asymmetric v2,x " + std::string(kSignature), "  " + std::string(kSignature) + " "}) {
    EXPECT_EQ(verify(signature), "ok") << signature;
  }
}

TEST(VerifyStandardWebhooks, AcceptsEitherSecretOfARotation) {
  const std::string next = make_webhook_secret();
  const std::string both = sign({next, kSecret});
  for (const std::string& secret : {kSecret, next}) {
    EXPECT_TRUE(verify_standard_webhooks(secret, {kId, "1614265330", both, kBody}, kAt, Seconds{1}))
        << secret;
  }
}

TEST(VerifyStandardWebhooks, NamesTheSignatureThatIsWrong) {
  for (const std::string& signature :
       {std::string(), std::string("v1"), std::string(kSignature).substr(3),
        "v1a," + std::string(kSignature).substr(3), "," + std::string(kSignature)}) {
    EXPECT_EQ(verify(signature), "signature_missing webhook-signature") << signature;
  }
  const std::string right = kSignature;
  for (const std::string& signature :
       {std::string("v1,"), right + "=", right.substr(0, right.size() - 1), right + "\n",
        sign({make_webhook_secret()}), sign({kSecret}, kAt + Seconds{1})}) {
    EXPECT_EQ(verify(signature), "signature_mismatch webhook-signature") << signature;
  }
}

TEST(VerifyStandardWebhooks, EveryPartIsSigned) {
  const auto with = [](std::string_view id, std::string_view timestamp, std::string_view body) {
    return outcome(
        verify_standard_webhooks(kSecret, {id, timestamp, kSignature, body}, kAt, Seconds{300}));
  };
  EXPECT_EQ(with(kId, "1614265330", kBody), "ok");
  const std::string mismatch = "signature_mismatch webhook-signature";
  EXPECT_EQ(with("msg_other", "1614265330", kBody), mismatch);
  EXPECT_EQ(with(kId, "1614265331", kBody), mismatch);
  EXPECT_EQ(with(kId, "01614265330", kBody), mismatch);
  EXPECT_EQ(with(kId, "1614265330", ""), mismatch);
  EXPECT_EQ(with("", "1614265330", kBody), "id_missing webhook-id");
}

TEST(VerifyStandardWebhooks, TimestampsAreWholeSeconds) {
  for (const char* timestamp :
       {"", "now", "-1", "+1614265330", " 1614265330", "1614265330 ", "1614265330.5", "0x10", "1e9",
        "1614265330000000", "99999999999999999999"}) {
    const auto result =
        verify_standard_webhooks(kSecret, {kId, timestamp, kSignature, kBody}, kAt, Seconds{0});
    EXPECT_EQ(outcome(result), "timestamp_invalid webhook-timestamp") << timestamp;
  }
}

TEST(VerifyStandardWebhooks, ToleratesSomeAgeEitherWay) {
  EXPECT_EQ(verify(kSignature, kAt + Seconds{300}), "ok");
  EXPECT_EQ(verify(kSignature, kAt - Seconds{300}), "ok");
  EXPECT_EQ(verify(kSignature, kAt + Seconds{301}), "timestamp_too_old webhook-timestamp");
  EXPECT_EQ(verify(kSignature, kAt - Seconds{301}), "timestamp_too_new webhook-timestamp");
  EXPECT_EQ(verify(kSignature, kAt + Seconds{1'000'000}, Seconds{0}), "ok");
  EXPECT_EQ(verify("v1,x", kAt + Seconds{301}), "signature_mismatch webhook-signature")
      << "the age of something unsigned says nothing";
}

TEST(VerifyStandardWebhooks, RefusesAMalformedSecret) {
  const auto result = verify_standard_webhooks(
      "whsec_short", {kId, "1614265330", kSignature, kBody}, kAt, Seconds{300});
  EXPECT_EQ(outcome(result), "secret_invalid secret");
}

// The reason that find_signing_mistake gives when `signed_body` was signed and `body` is verified.
std::string mistake(const std::string& signed_body, const std::string& body) {
  const std::string signature =
      standard_webhooks_signature(std::vector{kSecret}, kId, kAt, signed_body);
  const auto found = find_signing_mistake(kSecret, {kId, "1614265330", signature, body});
  return found ? std::string(found->reason) : "";
}

TEST(SigningMistake, IsFoundInTheBody) {
  struct Case {
    std::string signed_body, body, reason;
  };
  for (const Case& each : std::vector<Case>{
           {"a\n", "a", "newline_lost"},
           {"a\r\n", "a", "newline_lost"},
           {"a", "a\n", "newline_added"},
           {"a", "a\r\n", "newline_added"},
           {"", "\n", "newline_added"},
           {"a\r\nb\r\n", "a\nb\n", "line_ends_changed"},
           {"a\nb\n", "a\r\nb\r\n", "line_ends_changed"},
           {R"({"a":1,"b":"x"})", R"({"a": 1, "b": "x"})", "json_reserialized"},
           {R"({"a": 1, "b": "x"})", "{\n  \"a\": 1,\n  \"b\": \"x\"\n}", "json_reserialized"},
           {R"({"id":1,"payload":{"a": [1, 2]}})", R"({"id":1,"payload":{"a":[1,2]}})",
            "json_reserialized"},
           {R"(["ä/",1])", R"([ "\u00e4\/" , 1 ])", "json_reserialized"},
           {R"({"a":"x, y: \"z"})", R"({"a": "x, y: \"z"})", "json_reserialized"},
           {R"({"p":{"to": "\u00e4\ud83d\ude00"}})", R"({"p":{"to":"ä😀"}})", "json_reserialized"},
           {R"({"p":{"a/b": "\/"}})", R"({"p": {"a/b": "\/"}})", "json_reserialized"},
           {R"({"a":1})", R"({"a":2})", ""},
           {R"({"a":1)", R"({"a": 1)", ""},
           {"a", "b", ""},
           {"a", "", ""},
           {"a", "\"", ""},
           {"a", std::string(1000, '['), ""},
       }) {
    EXPECT_EQ(mistake(each.signed_body, each.body), each.reason) << each.body;
  }
}

TEST(SigningMistake, IsFoundInTheKeyAndInTheSignedText) {
  // 32 bytes, as Postern makes them: their base64 is padded.
  const std::string secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDa1gvfuykAGM=";
  const std::string text = webhook_signed_text({kId, "1614265330", {}, kBody});
  struct Case {
    std::string key, signed_text, reason;
  };
  for (const Case& each : std::vector<Case>{
           {secret.substr(6), text, "secret_as_text"},
           {secret, text, "secret_with_prefix"},
           // The bytes of node's Buffer.from(secret, "base64").
           {*base64_decode("whsec/C2FVsBQIhrscChlQIMV+b5sSYspob7oDa1gvfuykAG"), text,
            "secret_with_prefix"},
           {*webhook_secret_key(secret), kBody, "body_alone"},
           {*webhook_secret_key(secret), "1614265330." + std::string(kBody), "id_left_out"},
           {*webhook_secret_key(kSecret), text, ""},
       }) {
    const std::string signature = "v1," + webhook_digest(each.key, each.signed_text);
    const auto found = find_signing_mistake(secret, {kId, "1614265330", signature, kBody});
    EXPECT_EQ(found ? found->reason : "", each.reason);
  }
}

TEST(WebhookSecret, IsMadeOf32Bytes) {
  const std::string secret = make_webhook_secret();
  ASSERT_TRUE(webhook_secret_key(secret)) << secret;
  EXPECT_EQ(webhook_secret_key(secret)->size(), 32u);
  EXPECT_NE(secret, make_webhook_secret());
}

TEST(WebhookSecret, HoldsBetween24And64Bytes) {
  const auto encoded = [](std::size_t groups) {  // of three bytes
    std::string text = "whsec_";
    for (std::size_t i = 0; i < groups; ++i) text += "AAAA";
    return text;
  };
  EXPECT_EQ(webhook_secret_key(encoded(8)), std::string(24, '\0'));
  EXPECT_EQ(webhook_secret_key(encoded(21) + "AA=="), std::string(64, '\0'));
  for (const std::string& secret :
       {encoded(0), encoded(7), encoded(7) + "AAA=", encoded(21) + "AAA=", encoded(22),
        encoded(8) + "A", encoded(8).substr(6), "WHSEC_" + encoded(8).substr(6), encoded(8) + "\n",
        std::string()}) {
    EXPECT_FALSE(webhook_secret_key(secret)) << secret;
  }
}

}  // namespace
}  // namespace postern
