#include "core/base/utf8.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(Utf8, IsReadByCharacter) {
  struct Case {
    const char* sequence;
    char32_t character;
  };
  for (const Case& each : {Case{"a", 'a'},
                           {"\x7F", 0x7F},
                           {"\xC2\x80", 0x80},
                           {"\xDF\xBF", 0x7FF},
                           {"\xE0\xA0\x80", 0x800},
                           {"\xEF\xBF\xBF", 0xFFFF},
                           {"\xF0\x90\x80\x80", 0x10000},
                           {"\xF4\x8F\xBF\xBF", 0x10FFFF}}) {
    EXPECT_EQ(utf8_length(each.sequence), std::string_view(each.sequence).size());
    EXPECT_EQ(utf8_character(each.sequence), each.character);
  }
}

TEST(Utf8, RefusesInvalidSequences) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\xC3\xA4\xF0\x9F\x98\x80"));
  for (const char* text :
       {"\x80", "a\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xC3\xA4\xA4"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(FirstBytes, CutsBetweenCharacters) {
  EXPECT_EQ(first_bytes("", 0), "");
  EXPECT_EQ(first_bytes("ab\xC3\xA4", 4), "ab\xC3\xA4");
  EXPECT_EQ(first_bytes("ab\xC3\xA4", 3), "ab");
  EXPECT_EQ(first_bytes("ab\xC3\xA4z", 4), "ab\xC3\xA4");
  for (const std::size_t most : {1, 2, 3}) {
    EXPECT_EQ(first_bytes("\xF0\x9F\x98\x80 ", most), "") << most;
  }
  EXPECT_EQ(first_bytes("\x80\x80\x80\x80\x80\x80", 4).size(), 4u) << "no UTF-8";
  EXPECT_EQ(first_bytes("ab\xC3z", 3).size(), 3u) << "no UTF-8";
}

TEST(StorableText, DropsNulReplacesInvalidBytesAndCutsBetweenCharacters) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(storable_text("", 3), "");
  EXPECT_EQ(storable_text("a\0\xC3\xA4 \xE9!"sv, 100), "a\xC3\xA4 \xEF\xBF\xBD!");
  EXPECT_EQ(storable_text("\xC3\xA4\xC3\xA4", 3), "\xC3\xA4");
  EXPECT_EQ(storable_text("\xFF\xFF", 5), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace postern
