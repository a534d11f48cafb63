#include "core/base/base64.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

struct Pair {
  std::string_view bytes, text;
};

// RFC 4648 section 10, and the two last letters of the alphabet.
constexpr Pair kPairs[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/"},
    {std::string_view("\0\0\0\0", 4), "AAAAAA=="},
};

TEST(Base64, EncodesAsTheRfcSays) {
  for (const auto& [bytes, text] : kPairs) EXPECT_EQ(base64_encode(bytes), text);
}

TEST(Base64, DecodesWhatItEncodes) {
  for (const auto& [bytes, text] : kPairs) {
    ASSERT_TRUE(base64_decode(text)) << text;
    EXPECT_EQ(*base64_decode(text), bytes) << text;
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(base64_decode(base64_encode(all)), all);
}

TEST(Base64, RefusesWhatIsNotExactlyBase64) {
  for (const char* text :
       {"Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "A===", "Zg==Zg==", "Zm9v\n", "Zm 9v",
        "Zm-_", "Zm9vZ", "Z=g=", "Zh==", "Zm9=", "\xc3\xa9zz"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

}  // namespace
}  // namespace postern
