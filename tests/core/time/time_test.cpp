#include "core/time/time.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

Time at(std::int64_t seconds, std::int64_t micros = 0) {
  return Time{Seconds{seconds}} + Microseconds{micros};
}

TEST(ParseRfc3339, ReadsDateTimes) {
  const std::pair<const char*, Time> table[] = {
      {"1970-01-01T00:00:00Z", at(0)},
      {"2025-01-15T10:30:00Z", at(1'736'937'000)},
      {"2025-01-15t10:30:00z", at(1'736'937'000)},
      {"2025-01-15T10:30:00.5Z", at(1'736'937'000, 500'000)},
      {"2025-01-15T10:30:00.123456Z", at(1'736'937'000, 123'456)},
      {"2025-01-15T10:30:00.123456999Z", at(1'736'937'000, 123'456)},
      {"2025-01-15T10:30:00+00:00", at(1'736'937'000)},
      {"2025-01-15T10:30:00-00:00", at(1'736'937'000)},
      {"2025-01-15T12:30:00+02:00", at(1'736'937'000)},
      {"2025-01-15T12:30:00.25+02:00", at(1'736'937'000, 250'000)},
      {"2025-01-15T04:45:00-05:45", at(1'736'937'000)},
      {"2025-01-14T23:30:00-11:00", at(1'736'937'000)},
      {"2000-02-29T12:00:00Z", at(951'825'600)},
      {"1969-12-31T23:00:00-01:00", at(0)},
      {"9999-12-31T23:59:59.999999Z", at(253'402'300'799, 999'999)},
  };
  for (const auto& [text, time] : table) {
    ASSERT_TRUE(parse_rfc3339(text)) << text;
    EXPECT_EQ(*parse_rfc3339(text), time) << text;
  }
}

TEST(ParseRfc3339, RefusesEverythingElse) {
  for (const char* text : {
           "",
           "2025-01-15",
           "2025-01-15T10:30Z",
           "2025-01-15T10:30:00",
           "2025-01-15 10:30:00Z",
           "2025-01-15T10:30:00Z ",
           " 2025-01-15T10:30:00Z",
           "2025-01-15T10:30:00.Z",
           "2025-01-15T10:30:00.1234567890Z",
           "2025-01-15T10:30:00,5Z",
           "2025-01-15T10:30:00.5",
           "2025-01-15T10:30:00+0200",
           "2025-01-15T10:30:00+02",
           "2025-01-15T10:30:00+24:00",
           "2025-01-15T10:30:00+02:60",
           "2025-01-15T10:30:00ZZ",
           "2025-1-15T10:30:00Z",
           "2025-00-15T10:30:00Z",
           "2025-13-15T10:30:00Z",
           "2025-01-00T10:30:00Z",
           "2025-01-32T10:30:00Z",
           "2025-04-31T10:30:00Z",
           "2025-02-29T10:30:00Z",
           "2100-02-29T10:30:00Z",
           "2025-01-15T24:00:00Z",
           "2025-01-15T10:60:00Z",
           "2016-12-31T23:59:60Z",
           "20250115T103000Z",
           "+2025-01-15T10:30:00Z",
           "12025-01-15T10:30:00Z",
           "-025-01-15T10:30:00Z",
           "1969-12-31T23:59:59Z",
           "1970-01-01T00:00:00+00:01",
           "9999-12-31T23:59:59-00:01",
           "2025-01-15T10:30:\xef\xbc\x90\xef\xbc\x90Z",
           "now",
       }) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
  EXPECT_FALSE(parse_rfc3339(std::string_view("2025-01-15T10:30:00Z\0", 21)));
}

TEST(FormatRfc3339, WritesAsManyDecimalsAsAsked) {
  const Time time = at(1'736'937'000, 1'999);
  EXPECT_EQ(format_rfc3339(time), "2025-01-15T10:30:00Z");
  EXPECT_EQ(format_rfc3339(time, TimeDigits::seconds), "2025-01-15T10:30:00Z");
  EXPECT_EQ(format_rfc3339(time, TimeDigits::millis), "2025-01-15T10:30:00.001Z");
  EXPECT_EQ(format_rfc3339(time, TimeDigits::micros), "2025-01-15T10:30:00.001999Z");
}

TEST(FormatRfc3339, WritesTheEnds) {
  EXPECT_EQ(format_rfc3339(at(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(at(-1, 999'999), TimeDigits::micros), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_rfc3339(at(253'402'300'799)), "9999-12-31T23:59:59Z");
}

TEST(FormatRfc3339, IsReadBack) {
  for (std::int64_t micros = 0; micros < 253'402'300'800'000'000; micros += 9'876'543'210'987'654) {
    const Time time{Microseconds{micros}};
    EXPECT_EQ(parse_rfc3339(format_rfc3339(time, TimeDigits::micros)), time) << micros;
  }
}

}  // namespace
}  // namespace postern
