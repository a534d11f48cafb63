#include "core/signing.h"

#include <vector>

#include <gtest/gtest.h>

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
