#include "core/time/isoformat.h"

#include <utility>

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(IsoFormat, WritesWhatPythonWrites) {
  const Time whole{Seconds{1'775'044'800}};
  EXPECT_EQ(format_isoformat(whole), "2026-04-01T12:00:00+00:00");
  EXPECT_EQ(format_isoformat(whole + Microseconds{1}), "2026-04-01T12:00:00.000001+00:00");
  EXPECT_EQ(format_isoformat(whole + Milliseconds{500}), "2026-04-01T12:00:00.500000+00:00");
}

TEST(IsoFormat, ReadsTheUsualForms) {
  const Time noon{Seconds{1'775'044'800}};
  const std::pair<const char*, Time> cases[] = {
      {"2026-04-01T12:00:00Z", noon},
      {"2026-04-01T12:00:00z", noon},
      {"2026-04-01T12:00:00", noon},
      {"2026-04-01 12:00:00", noon},
      {"2026-04-01T12:00", noon},
      {"2026-04-01T12:00Z", noon},
      {"2026-04-01T14:00+02:00", noon},
      {"2026-04-01T12:00:00+00:00", noon},
      {"2026-04-01T12:00:00-00:00", noon},
      {"2026-04-01T17:30:00+0530", noon},
      {"2026-04-01T07:00:00-05", noon},
      {"2026-04-01T12:00:00.000Z", noon},
      {"2026-04-01T12:00:00.123456", noon + Microseconds{123'456}},
      {"2026-04-01 12:00:00.123456+00:00", noon + Microseconds{123'456}},
      {"2026-04-01T12:00:00.1234567Z", noon + Microseconds{123'456}},
  };
  for (const auto& [text, time] : cases) {
    EXPECT_EQ(parse_isoformat(text), time) << text;
  }
}

TEST(IsoFormat, RefusesEverythingElse) {
  for (const char* text :
       {"", "tomorrow", "2026-04-01", "2026-04-01T12", "2026-02-30T12:00:00Z",
        "2026-04-01T25:00:00Z", "2026-04-01T12:00:60Z", "2026-04-01T12:00:00 Z",
        "2026-04-01T12:00:00+2", "2026-04-01T12:00:00+25:00", "2026-04-01T12:00:00.Z",
        "2026-04-01T12:00:00Zjunk", "2026-04-01x12:00:00", "20260401T120000Z",
        "2026-04-01T12:00:00+00:00+00:00", "2026-04-01T12:00+", "2026-04-01T12:0012"}) {
    EXPECT_EQ(parse_isoformat(text), std::nullopt) << text;
  }
}

TEST(IsoFormat, ReadsWhatItWrites) {
  for (const std::int64_t micros :
       {0LL, 1LL, 999'999LL, 1'775'044'800'000'000LL, 253'402'300'799'999'999LL}) {
    const Time time{Microseconds{micros}};
    EXPECT_EQ(parse_isoformat(format_isoformat(time)), time) << micros;
  }
}

}  // namespace
}  // namespace postern
