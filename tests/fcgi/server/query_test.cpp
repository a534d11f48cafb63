#include "fcgi/server/query.h"

#include "core/base/utf8.h"

#include <gtest/gtest.h>

#include <limits>

namespace postern {
namespace {

std::optional<std::string> only(std::string_view text) {
  Result<Query> query = Query::parse(text);
  return query ? query->text("a") : std::nullopt;
}

TEST(Query, DecodesPercentAndPlus) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"a=b", "b"},
      {"a=%41%42", "AB"},
      {"a=x+y%2Bz", "x y+z"},
      {"a", ""},
      {"a=", ""},
      {"&&a=1&", "1"},
      {"%61=1", "1"},
      {"b=2&a=1", "1"},
      {"a=b=c", "b=c"},
      {"a=%C3%A4", "\xC3\xA4"},
      {"a=%2f%2F", "//"},
      {"a=\xC3\xA4", "\xC3\xA4"},
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(only(text), value) << text;
}

TEST(Query, RefusesWhatIsNotText) {
  for (const std::string_view text : {"a=%", "a=%4", "a=%G1", "a=%1G", "a=%00", "%00=1", "a=%FF",
                                      "a=%C3", "a=%ED%A0%80", "a=%C0%80", "b=%zz&a=1", "a=\xFF"}) {
    const Result<Query> query = Query::parse(text);
    ASSERT_FALSE(query) << text;
    EXPECT_EQ(query.error().reason, "query_invalid") << text;
  }
}

TEST(Query, RefusesARepeatedParameterOnlyWhenItIsAskedFor) {
  Result<Query> query = Query::parse("x=1&x=2&y=3");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->text("y"), "3");
  EXPECT_TRUE(query->finish());
  EXPECT_EQ(query->text("x"), std::nullopt);
  ASSERT_FALSE(query->finish());
  EXPECT_EQ(query->finish().error().reason, "parameter_repeated");
  EXPECT_EQ(query->finish().error().field, "x");
}

TEST(Query, CountsFromOneOn) {
  const auto counted = [](std::string_view text) -> std::pair<int, std::string> {
    Result<Query> query = Query::parse(text);
    const int count = query->count("n", "n_invalid", 100, 20);
    const auto done = query->finish();
    return {count, done ? "" : done.error().message};
  };
  using Counted = std::pair<int, std::string>;
  EXPECT_EQ(counted(""), Counted(20, ""));
  EXPECT_EQ(counted("n=1"), Counted(1, ""));
  EXPECT_EQ(counted("n=100"), Counted(100, ""));
  for (const std::string_view wrong : {"n=0", "n=-1", "n=101", "n=99999999999999999999"}) {
    EXPECT_EQ(counted(wrong), Counted(20, "n must be 1 to 100.")) << wrong;
  }
  EXPECT_EQ(counted("n=many"), Counted(20, "n must be an integer."));
}

TEST(Query, KeepsTheFirstError) {
  Result<Query> query = Query::parse("limit=many&when=never&b=1");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->integer("limit", "limit_invalid"), std::nullopt);
  EXPECT_EQ(query->time("when"), std::nullopt);
  EXPECT_EQ(query->text("b"), std::nullopt);
  EXPECT_EQ(query->finish().error().field, "limit");
}

TEST(Query, ReadsTimesAndDays) {
  Result<Query> query =
      Query::parse("a=2025-01-15&b=2025-01-15T00:00:00Z&c=2025-01-15T02:00:00%2B02:00");
  ASSERT_TRUE(query);
  const auto day = query->time("a");
  ASSERT_TRUE(day);
  EXPECT_EQ(day, query->time("b"));
  EXPECT_EQ(day, query->time("c"));
  for (const char* wrong : {"t=2025-1-15", "t=2025-02-30", "t=", "t=now", "t=2025-01-15T10"}) {
    Result<Query> other = Query::parse(wrong);
    EXPECT_FALSE(other->time("t")) << wrong;
    EXPECT_EQ(other->finish().error().reason, "time_invalid") << wrong;
  }
}

TEST(Query, ReadsFlags) {
  Result<Query> query = Query::parse("a=true&b=false");
  EXPECT_TRUE(query->flag("a", "wrong"));
  EXPECT_FALSE(query->flag("b", "wrong"));
  EXPECT_FALSE(query->flag("c", "wrong"));
  EXPECT_TRUE(query->finish());
  for (const char* wrong : {"a=", "a", "a=1", "a=TRUE", "a=yes"}) {
    Result<Query> other = Query::parse(wrong);
    EXPECT_FALSE(other->flag("a", "wrong")) << wrong;
    EXPECT_EQ(other->finish().error().reason, "wrong") << wrong;
    EXPECT_EQ(other->finish().error().field, "a") << wrong;
  }
}

TEST(ParseInteger, TakesIntegersAlone) {
  using Limits = std::numeric_limits<std::int64_t>;
  const std::pair<std::string_view, std::optional<std::int64_t>> cases[] = {
      {"0", 0},
      {"-1", -1},
      {"-0", 0},
      {"25", 25},
      {"9223372036854775807", Limits::max()},
      {"9223372036854775808", Limits::max()},
      {"-99999999999999999999999999", Limits::min()},
      {"", {}},
      {"1.5", {}},
      {"1e3", {}},
      {"99999999999999999999.5", {}},
      {"+1", {}},
      {" 1", {}},
      {"1 ", {}},
      {"0x10", {}},
      {"five", {}},
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(parse_integer(text), value) << text;
}

TEST(IsUtf8, KnowsWellFormedText) {
  for (const std::string_view good :
       {"", "abc", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x90\x98", "\xEF\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF", "\xE2\x28\xA1"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace postern
