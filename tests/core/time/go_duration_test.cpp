#include "core/time/go_duration.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "tests/core/result_text.h"

namespace postern {
namespace {

// The expected values are those of time.ParseDuration in Go 1.26.
TEST(ParseGoDuration, ReadsWhatGoReads) {
  const std::pair<const char*, std::int64_t> table[] = {
      {"0", 0},
      {"+0", 0},
      {"-0", 0},
      {"0s", 0},
      {"1ns", 1},
      {"1us", 1'000},
      {"1\u00b5s", 1'000},
      {"1\u03bcs", 1'000},
      {"1ms", 1'000'000},
      {"1s", 1'000'000'000},
      {"1m", 60'000'000'000},
      {"1h", 3'600'000'000'000},
      {"90s", 90'000'000'000},
      {"1h30m", 5'400'000'000'000},
      {"1h30m5s", 5'405'000'000'000},
      {"-1h30m", -5'400'000'000'000},
      {"+5s", 5'000'000'000},
      {"1.5h", 5'400'000'000'000},
      {"0.5m", 30'000'000'000},
      {".5s", 500'000'000},
      {"1.s", 1'000'000'000},
      {"1.0s", 1'000'000'000},
      {"-.5s", -500'000'000},
      {"1.000000001s", 1'000'000'001},
      {"1.0000000019s", 1'000'000'001},
      {"0.1234567891234s", 123'456'789},
      {"3.3h", 11'880'000'000'000},
      {"0.3333333333333333333h", 1'200'000'000'000},
      {"0.9999999999999999999999s", 1'000'000'000},
      {"0.100000000000000000000h", 360'000'000'000},
      {"1m1m", 120'000'000'000},
      {"5s1h", 3'605'000'000'000},
      {"100ms0.5us", 100'000'500},
      {"1h1m1s1ms1us1ns", 3'661'001'001'001},
      {"0.5ns", 0},
      {"1.9ns", 1},
      {"2562047h47m16.854775807s", 9'223'372'036'854'775'807},
      {"-2562047h47m16.854775808s", INT64_MIN},
      {"9223372036854775807ns", 9'223'372'036'854'775'807},
      {"-9223372036854775808ns", INT64_MIN},
      {"9223372036.854775807s", 9'223'372'036'854'775'807},
      {"0.830103483285477580700h", 2'988'372'539'827},
      {"39h9m14.425s", 140'954'425'000'000},
      {"00005s", 5'000'000'000},
      {"52763797000ns", 52'763'797'000},
  };
  for (const auto& [text, nanoseconds] : table) {
    ASSERT_TRUE(parse_go_duration(text)) << text;
    EXPECT_EQ(parse_go_duration(text)->count(), nanoseconds) << text;
  }
}

TEST(ParseGoDuration, RefusesWhatGoRefuses) {
  for (const char* text : {
           "1.0e0s",
           "",
           " ",
           "+",
           "-",
           "1",
           "1.5",
           "s",
           ".s",
           "-.s",
           ".",
           "..5s",
           "1..5s",
           "1.5.5s",
           "1 s",
           "1s ",
           " 1s",
           "1d",
           "1w",
           "1S",
           "1H",
           "1M",
           "1MS",
           "1sec",
           "1h 30m",
           "1h30",
           "1h-30m",
           "--1s",
           "+-1s",
           "1e3s",
           "0x1s",
           "1_000s",
           "\u0661s",
           "1\u00b5",
           "1\u00b5S",
           "2562047h47m16.854775808s",
           "-2562047h47m16.854775809s",
           "9223372036854775808ns",
           "-9223372036854775809ns",
           "9223372036854775808s",
           "99999999999999999999ns",
           "3000000h",
           "2562048h",
           "2562047h48m",
           "inf",
           "00",
           "-00",
           "0 ",
           "1h,",
           "@1h",
           "1s\n",
           "\u00b51s",
           "1ns1",
           "9223372036854775807ns1ns",
           "-0.5",
           "0.",
           "0h0",
       }) {
    EXPECT_FALSE(parse_go_duration(text)) << text;
  }
  EXPECT_FALSE(parse_go_duration(std::string_view("1s\0", 3)));
  EXPECT_FALSE(parse_go_duration(std::string(100'000, '9') + "s"));
}

TEST(ReadGoDuration, NamesTheFieldAndTheText) {
  EXPECT_EQ(read_go_duration("1m30s", "max_age").value(), std::chrono::seconds{90});
  const auto wrong = read_go_duration("soon", "max_age");
  EXPECT_EQ(outcome(wrong), "invalid_duration max_age");
  EXPECT_NE(wrong.error().message.find("\"soon\""), std::string::npos) << wrong.error().message;
}

}  // namespace
}  // namespace postern
