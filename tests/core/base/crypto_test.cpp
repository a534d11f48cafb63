#include "core/base/crypto.h"
#include "core/base/hex.h"

#include <algorithm>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "core/base/uuid.h"

namespace postern {
namespace {

TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// RFC 4231, test cases 1, 2 and 6; and an empty key and text, which OpenSSL takes as pointers.
TEST(HmacSha256, MatchesThePublishedVectors) {
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'),
                               "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(to_hex(hmac_sha256({}, {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(HmacSha256, DependsOnNoCallBefore) {
  const Sha256 short_key = hmac_sha256("key", "text");
  const Sha256 no_key = hmac_sha256("", "text");
  EXPECT_NE(short_key, no_key);
  EXPECT_EQ(hmac_sha256("key", "text"), short_key);
  EXPECT_EQ(hmac_sha256("", "text"), no_key);
  Sha256 of_another_thread{};
  std::thread([&] { of_another_thread = hmac_sha256("key", "text"); }).join();
  EXPECT_EQ(of_another_thread, short_key);
}

TEST(RandomBytes, AreNotTheSameTwice) {
  std::array<std::uint8_t, 32> a{}, b{};
  random_bytes(a);
  random_bytes(b);
  EXPECT_NE(a, b);
  EXPECT_NE(a, (std::array<std::uint8_t, 32>{}));
  random_bytes({});  // an empty span is allowed
}

TEST(RandomBase62, UsesTheWholeAlphabetAndNothingElse) {
  const std::string text = random_base62(20'000);
  EXPECT_EQ(text.size(), 20'000u);
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](unsigned char c) { return isalnum(c); }));
  EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 62u);
  // Each character is expected 323 times with a deviation of 18; without the rejection of bytes
  // over 247 the first eight would be 391 times there.
  const auto first_eight = std::count_if(text.begin(), text.end(), [](char c) { return c < '8'; });
  EXPECT_NEAR(static_cast<double>(first_eight), 20'000 * 8 / 62.0, 300);
  EXPECT_EQ(random_base62(0), "");
}

TEST(EqualConstantTime, ComparesLikeEquality) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secres"));
  EXPECT_FALSE(equal_constant_time("secret", "tecret"));
  EXPECT_FALSE(equal_constant_time("secret", "secret1"));
  EXPECT_FALSE(equal_constant_time("", "x"));
}

TEST(ToHex, IsLowerCaseWithLeadingZeros) {
  const std::array<std::uint8_t, 3> bytes = {0x00, 0x0a, 0xff};
  EXPECT_EQ(to_hex(bytes), "000aff");
}

TEST(RandomUuid, IsAVersion4Uuid) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string text = to_uuid(random_uuid());
    EXPECT_EQ(text[14], '4') << text;
    EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos) << text;
    seen.insert(text);
  }
  EXPECT_EQ(seen.size(), 100u);
}

}  // namespace
}  // namespace postern
