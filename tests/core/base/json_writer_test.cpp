#include "core/base/json_writer.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(JsonWriter, PlacesCommas) {
  JsonWriter json;
  json.begin_object();
  json.key("a").begin_array().end_array();
  json.key("b").begin_array().number(1).string("x").boolean(true).null().raw("[2, 3]").end_array();
  json.key("c").begin_object().end_object();
  json.key("d")
      .begin_array()
      .begin_object()
      .member("e", 1)
      .end_object()
      .begin_object()
      .end_object();
  json.begin_array().end_array().end_array();
  json.member("f", "g").member("h", std::int64_t{-5}).member("i", false);
  json.end_object();
  EXPECT_EQ(json.text(), R"({"a":[],"b":[1,"x",true,null,[2, 3]],"c":{},"d":[{"e":1},{},[]],)"
                         R"("f":"g","h":-5,"i":false})");
}

TEST(JsonWriter, WritesNumbersThatReadBack) {
  const auto written = [](auto value) { return JsonWriter().number(value).take(); };
  EXPECT_EQ(written(0), "0");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::max()), "9223372036854775807");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_EQ(written(5.0), "5");
  EXPECT_EQ(written(-2.5), "-2.5");
  EXPECT_EQ(written(1e300), "1e+300");
  EXPECT_EQ(written(std::nan("")), "null");
  EXPECT_EQ(written(-INFINITY), "null");
}

TEST(JsonWriter, KeepsTextApartFromBooleans) {
  const char* pointer = "text";
  EXPECT_EQ(JsonWriter().begin_object().member("k", pointer).end_object().take(),
            R"({"k":"text"})");
}

TEST(JsonQuote, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(json_quote(""), R"("")");
  EXPECT_EQ(json_quote("plain / text"), R"("plain / text")");
  EXPECT_EQ(json_quote("\"\\\n\r\t"), R"("\"\\\n\r\t")");
  EXPECT_EQ(json_quote(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
  EXPECT_EQ(json_quote("a\"b\"c"), R"("a\"b\"c")");
  EXPECT_EQ(JsonWriter().begin_object().key("a\"\n").null().end_object().take(),
            R"({"a\"\n":null})");
}

TEST(JsonQuote, ReplacesBytesThatAreNotUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  const std::pair<std::string, std::string> table[] = {
      {"caf\xc3\xa9", "caf\xc3\xa9"},
      {"\xe2\x82\xac", "\xe2\x82\xac"},
      {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
      {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},  // U+10FFFF
      {"\xed\x9f\xbf", "\xed\x9f\xbf"},          // U+D7FF
      {"\xee\x80\x80", "\xee\x80\x80"},          // U+E000
      {"a\x80z", "a" + bad + "z"},
      {"a\xffz", "a" + bad + "z"},
      {"\xc3", bad},
      {"\xc3(", bad + "("},
      {"\xe2\x82", bad + bad},  // cut off
      {"\xc0\xaf", bad + bad},  // overlong
      {"\xc1\xbf", bad + bad},
      {"\xe0\x80\xaf", bad + bad + bad},
      {"\xe0\x9f\xbf", bad + bad + bad},
      {"\xf0\x8f\xbf\xbf", bad + bad + bad + bad},
      {"\xed\xa0\x80", bad + bad + bad},  // a surrogate
      {"\xed\xbf\xbf", bad + bad + bad},
      {"\xf4\x90\x80\x80", bad + bad + bad + bad},  // over U+10FFFF
      {"\xf5\x80\x80\x80", bad + bad + bad + bad},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(json_quote(text), '"' + expected + '"');
}

TEST(JsonQuote, ReplacesNulForJsonb) {
  EXPECT_EQ(json_quote(std::string_view("a\0b\n", 4), true),
            "\"a\xEF\xBF\xBD"
            "b\\n\"");
}

}  // namespace
}  // namespace postern
