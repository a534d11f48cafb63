#include "core/time/zone_rule.h"

#include <string>

#include <gtest/gtest.h>

#include "core/time/time.h"

namespace postern {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_seconds;

sys_seconds at(std::string_view text) {
  return std::chrono::floor<Seconds>(parse_rfc3339(text).value());
}

std::string shown(const ZoneSpan& span) {
  return format_rfc3339(span.begin) + " " + format_rfc3339(span.end) + " " +
         std::to_string(span.offset / 1min);
}

TEST(ZoneRule, TellsWhenClocksChange) {
  struct Case {
    const char *rule, *time, *span;  // with the offset in minutes
  };
  const Case table[] = {
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2040-07-01T00:00:00Z",
       "2040-03-25T01:00:00Z 2040-10-28T01:00:00Z 120"},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2040-10-28T01:00:00Z",
       "2040-10-28T01:00:00Z 2041-03-31T01:00:00Z 60"},
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2040-10-28T00:59:59Z",
       "2040-03-25T01:00:00Z 2040-10-28T01:00:00Z 120"},
      {"EST5EDT,M3.2.0,M11.1.0", "2040-01-01T00:00:00Z",
       "2039-11-06T06:00:00Z 2040-03-11T07:00:00Z -300"},
      // Half an hour, in the south.
      {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2041-01-01T00:00:00Z",
       "2040-10-06T15:30:00Z 2041-04-06T15:00:00Z 660"},
      // Clocks are set back for the winter's "summer time".
      {"IST-1GMT0,M10.5.0,M3.5.0/1", "2040-01-01T00:00:00Z",
       "2039-10-30T01:00:00Z 2040-03-25T01:00:00Z 0"},
      // Hours before and after the day.
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2040-07-01T00:00:00Z",
       "2040-03-25T01:00:00Z 2040-10-28T01:00:00Z -60"},
      {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2040-07-01T00:00:00Z",
       "2040-03-24T00:00:00Z 2040-10-26T23:00:00Z 180"},
      {"AAA0BBB,M1.1.0/-167,M7.1.0/167:59:59", "2040-01-01T00:00:00Z",
       "2039-12-25T01:00:00Z 2040-07-07T22:59:59Z 60"},
      // Days of the year, with and without 29 February.
      {"AAA0BBB,J60/0,J365/0", "2040-07-01T00:00:00Z",
       "2040-03-01T00:00:00Z 2040-12-30T23:00:00Z 60"},
      {"AAA0BBB,J60/0,J365/0", "2041-07-01T00:00:00Z",
       "2041-03-01T00:00:00Z 2041-12-30T23:00:00Z 60"},
      {"AAA0BBB,59/0,365/0", "2040-07-01T00:00:00Z",
       "2040-02-29T00:00:00Z 2040-12-30T23:00:00Z 60"},
      {"AAA0BBB,59/0,365/0", "2041-07-01T00:00:00Z",
       "2041-03-01T00:00:00Z 2041-12-31T23:00:00Z 60"},
      // Summer time that never ends.
      {"XXX3EDT4,0/0,J365/23", "2040-07-01T00:00:00Z",
       "2040-01-01T03:00:00Z 2041-01-01T03:00:00Z -240"},
  };
  for (const auto& [rule, time, span] : table) {
    const auto parsed = ZoneRule::parse(rule);
    ASSERT_TRUE(parsed) << rule;
    EXPECT_EQ(shown(parsed->span_at(at(time))), span) << rule << " at " << time;
  }
}

TEST(ZoneRule, MayHaveNoChanges) {
  for (const auto& [rule, offset] : {std::pair{"UTC0", 0min},
                                     {"IST-5:30", 330min},
                                     {"<+0545>-5:45", 345min},
                                     {"<-12>+12", -720min},
                                     {"AAA-23:59", 1439min}}) {
    const auto span = ZoneRule::parse(rule).value().span_at(at("2040-07-01T00:00:00Z"));
    EXPECT_EQ(span.begin, sys_seconds::min());
    EXPECT_EQ(span.end, sys_seconds::max());
    EXPECT_EQ(span.offset, offset) << rule;
  }
}

TEST(ZoneRule, HasASpanForAnyTime) {
  const ZoneRule rule = ZoneRule::parse("CET-1CEST,M3.5.0,M10.5.0/3").value();
  for (const sys_seconds time :
       {sys_seconds::min(), sys_seconds::max() - 1s, sys_seconds{},
        sys_seconds{std::chrono::sys_days{std::chrono::year{31'999} / 12 / 31}},
        sys_seconds{std::chrono::sys_days{std::chrono::year{-32'000} / 1 / 1}}}) {
    const ZoneSpan span = rule.span_at(time);
    EXPECT_LE(span.begin, time);
    EXPECT_GT(span.end, time);
  }
}

TEST(ZoneRule, RefusesEverythingElse) {
  for (const char* text : {
           "",
           "CET",
           "-1",
           "CE-1",
           "<CET-1",
           "<+1>-1",
           "C1T-1",
           "CET-1 ",
           " CET-1",
           "CET-1CEST",
           "CET-1CEST,",
           "CET-1CEST,M3.5.0",
           "CET-1CEST,M3.5.0,",
           "CET-1CEST,M3.5.0,M10.5.0/3,",
           "CET-1CEST,M3.5.0,M10.5.0/3x",
           "CET-1CEST,M0.5.0,M10.5.0",
           "CET-1CEST,M13.5.0,M10.5.0",
           "CET-1CEST,M3.0.0,M10.5.0",
           "CET-1CEST,M3.6.0,M10.5.0",
           "CET-1CEST,M3.5.7,M10.5.0",
           "CET-1CEST,M3.5,M10.5.0",
           "CET-1CEST,J0,J365",
           "CET-1CEST,J1,J366",
           "CET-1CEST,0,366",
           "CET-1CEST,-1,365",
           "CET-1CEST,M3.5.0/168,M10.5.0",
           "CET-1CEST,M3.5.0/-168,M10.5.0",
           "CET-1CEST,M3.5.0/2:60,M10.5.0",
           "CET-1CEST,M3.5.0/2:,M10.5.0",
           "CET-1CEST,M3.5.0/,M10.5.0",
           "CET-25",
           "CET-24",
           "CET-23:30CEST,M3.5.0,M10.5.0",
           "CET-1:60",
           "CET--1",
           "CET-99999999999999999999",
           "CET-1CEST,M99999999999999999999.5.0,M10.5.0",
           "\xc3\x84\xc3\x84\xc3\x84-1",
       }) {
    EXPECT_FALSE(ZoneRule::parse(text)) << text;
  }
  EXPECT_FALSE(ZoneRule::parse(std::string_view("UTC0\0", 5)));
  EXPECT_FALSE(ZoneRule::parse(std::string(100'000, '<')));
  EXPECT_FALSE(ZoneRule::parse("CET-" + std::string(100'000, '1')));
}

TEST(ZoneFooter, IsTheLastLine) {
  EXPECT_EQ(zone_footer("TZif2...\nCET-1CEST,M3.5.0,M10.5.0/3\n"), "CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_EQ(zone_footer("TZif4\n\nUTC0\n"), "UTC0");
  EXPECT_EQ(zone_footer("TZif2...\n\n"), "");
  for (const std::string_view file :
       {std::string_view("TZif\0...\nUTC0\n", 14), std::string_view("TZif2...\nUTC0"),
        std::string_view("TZif2...UTC0\n"), std::string_view("TZif"), std::string_view("\nUTC0\n"),
        std::string_view()}) {
    EXPECT_EQ(zone_footer(file), "") << file;
  }
}

}  // namespace
}  // namespace postern
