#include "core/time/cron.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr Time kAnyAnchor{};

Time at(std::string_view text) { return parse_rfc3339(text).value(); }

CronSpec cron(std::string_view spec, std::string_view zone = "") {
  return CronSpec::parse(spec, zone, "schedule").value();
}

std::string shown(std::optional<Time> time) {
  if (!time) return "never";
  const bool whole = time->time_since_epoch() % 1s == 0s;
  return format_rfc3339(*time, whole ? TimeDigits::seconds : TimeDigits::micros);
}

// The `count` occurrences after `after`, with spaces between.
std::string occurrences(const CronSpec& spec, Time after, std::size_t count,
                        Time anchor = kAnyAnchor) {
  std::vector<std::string> found;
  std::optional<Time> time = after;
  while (found.size() < count && time) {
    time = spec.next(*time, anchor);
    found.push_back(shown(time));
  }
  return fmt::format("{}", fmt::join(found, " "));
}

TEST(CronSpec, AgreesWithAnIndependentReadingOfTheRules) {
  struct Case {
    const char *spec, *zone, *after;
    std::string times;
  };
  // Printed by cron_table.py.
  const Case table[] = {
#include "cron_table.inc"
  };
  ASSERT_GE(std::size(table), 200U);
  for (const auto& [spec, zone, after, times] : table) {
    const std::size_t count = 1 + std::size_t(std::count(times.begin(), times.end(), ' '));
    EXPECT_EQ(occurrences(cron(spec, zone), at(after), count), times)
        << '"' << spec << "\" in " << zone << " after " << after;
  }
}

TEST(CronSpec, IsTheSameHoweverTheZoneIsGiven) {
  const char* expected = "2024-07-01T07:00:00Z";
  const Time after = at("2024-07-01T00:00:00Z");
  EXPECT_EQ(occurrences(cron("0 9 * * *", "Europe/Berlin"), after, 1), expected);
  EXPECT_EQ(occurrences(cron("TZ=Europe/Berlin 0 9 * * *"), after, 1), expected);
  EXPECT_EQ(occurrences(cron("CRON_TZ=Europe/Berlin \t 0 9 * * *"), after, 1), expected);
  EXPECT_EQ(occurrences(cron("TZ=Europe/Berlin 0 9 * * *", "Europe/Berlin"), after, 1), expected);
  EXPECT_EQ(occurrences(cron("TZ=Europe/Berlin @daily"), after, 1), "2024-07-01T22:00:00Z");
  EXPECT_EQ(occurrences(cron("0 9 * * *"), after, 1), "2024-07-01T09:00:00Z") << "UTC";
  EXPECT_EQ(occurrences(cron("TZ=UTC 0 9 * * *"), after, 1), "2024-07-01T09:00:00Z");
  EXPECT_EQ(occurrences(cron("0 9 * * *", "Etc/UTC"), after, 1), "2024-07-01T09:00:00Z");
}

TEST(CronSpec, AllowsSpaceAroundFields) {
  EXPECT_EQ(occurrences(cron(" \t0  9\t* * * \n"), at("2024-07-01T00:00:00Z"), 1),
            "2024-07-01T09:00:00Z");
}

TEST(CronSpec, CountsAnIntervalFromItsAnchor) {
  struct Case {
    const char *spec, *anchor, *after, *times;
  };
  const Case table[] = {
      {"@every 90s", "2024-01-01T00:00:10Z", "2024-01-01T00:00:10Z",
       "2024-01-01T00:01:40Z 2024-01-01T00:03:10Z"},
      {"@every 90s", "2024-01-01T00:00:10Z", "2023-06-01T00:00:00Z",
       "2024-01-01T00:01:40Z 2024-01-01T00:03:10Z"},
      {"@every 90s", "2024-01-01T00:00:10Z", "2024-01-01T00:01:39.999999Z", "2024-01-01T00:01:40Z"},
      {"@every 90s", "2024-01-01T00:00:10Z", "2024-01-01T00:01:40Z", "2024-01-01T00:03:10Z"},
      {"@every 1h30m", "2024-01-01T00:00:00.25Z", "2024-03-31T00:59:59Z",
       "2024-03-31T01:30:00.250000Z 2024-03-31T03:00:00.250000Z"},
      {"@every 1s", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"},
      {"@every 1.9s", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"},
      {"@every 7s", "1970-01-01T00:00:00Z", "9999-12-31T23:59:50Z", "9999-12-31T23:59:55Z never"},
      {"@every 2562047h", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2316-04-11T23:00:00Z"},
      {"CRON_TZ=Europe/Berlin @every 24h", "2024-03-30T12:00:00Z", "2024-03-30T12:00:00Z",
       "2024-03-31T12:00:00Z"},
  };
  for (const auto& [spec, anchor, after, times] : table) {
    const std::string_view expected = times;
    const std::size_t count = 1 + std::size_t(std::count(expected.begin(), expected.end(), ' '));
    EXPECT_EQ(occurrences(cron(spec), at(after), count, at(anchor)), expected)
        << spec << " after " << after;
  }
  EXPECT_EQ(occurrences(CronSpec::every(90s), at("2024-01-01T00:00:10Z"), 1, kAnyAnchor),
            "2024-01-01T00:01:30Z");
}

// The zones' files list no change after 2037.
TEST(CronSpec, KnowsTheClockChangesOfLaterYears) {
  for (const auto& [year, spring, autumn] : {std::tuple{"2030", "03-31", "10-27"},
                                             {"2040", "03-25", "10-28"},
                                             {"2090", "03-26", "10-29"}}) {
    const std::string march = fmt::format("{}-{}", year, spring);
    const std::string october = fmt::format("{}-{}", year, autumn);
    const CronSpec fixed = cron("30 2 * * *", "Europe/Berlin");
    EXPECT_EQ(occurrences(fixed, at(march + "T00:00:00Z"), 1), march + "T01:00:00Z");
    EXPECT_EQ(occurrences(fixed, at(october + "T00:00:00Z"), 1), october + "T00:30:00Z");
    EXPECT_EQ(fixed.count(at(october + "T00:30:00Z"), at(october + "T23:00:00Z"), kAnyAnchor), 0);
    const CronSpec interval = cron("*/30 2 * * *", "Europe/Berlin");
    EXPECT_EQ(interval.count(at(march + "T00:00:00Z"), at(march + "T12:00:00Z"), kAnyAnchor), 0);
    EXPECT_EQ(occurrences(interval, at(october + "T00:00:00Z") - 1s, 4),
              fmt::format("{0}T00:00:00Z {0}T00:30:00Z {0}T01:00:00Z {0}T01:30:00Z", october));
    const CronSpec noon = cron("0 12 * * *", "Europe/Berlin");
    EXPECT_EQ(occurrences(noon, at(std::string(year) + "-07-01T00:00:00Z"), 1),
              std::string(year) + "-07-01T10:00:00Z");
  }
}

TEST(CronSpec, EndsWithTheYear9999) {
  EXPECT_EQ(occurrences(cron("0 0 * * *"), at("9999-12-30T12:00:00Z"), 2),
            "9999-12-31T00:00:00Z never");
  EXPECT_EQ(occurrences(cron("0 0 * * *", "America/New_York"), at("9999-12-30T12:00:00Z"), 2),
            "9999-12-31T05:00:00Z never");
  EXPECT_EQ(cron("* * * * *").next(at("9999-12-31T23:59:59Z") + 1s, kAnyAnchor), std::nullopt);
}

TEST(CronSpec, RefusesAZoneThatDoesNotExist) {
  for (const char* zone : {"Mars/Olympus",
                           "europe/berlin",
                           "Europe/",
                           "Europe",
                           "/Europe/Berlin",
                           "Local",
                           "local",
                           "localtime",
                           "posixrules",
                           "posix/Europe/Berlin",
                           "right/Europe/Berlin",
                           "Factory",
                           "utc",
                           "UTC ",
                           " UTC",
                           "+01:00",
                           "CEST",
                           "../zoneinfo/UTC",
                           "/usr/share/zoneinfo/UTC",
                           "/etc/localtime",
                           "Europe/../UTC",
                           "zone.tab",
                           "Europe/Berlin\n",
                           "."}) {
    EXPECT_EQ(outcome(CronSpec::parse("* * * * *", zone, "cron")), "timezone_invalid timezone")
        << zone;
    EXPECT_EQ(outcome(CronSpec::parse("@every 1h", zone, "cron")), "timezone_invalid timezone")
        << zone;
  }
  EXPECT_FALSE(CronSpec::parse("* * * * *", std::string_view("UTC\0", 4), "cron"));
}

TEST(CronSpec, SaysWhatIsWrong) {
  struct Case {
    const char *spec, *says;  // what the message contains
  };
  const Case table[] = {
      {"", "is empty"},
      {"   ", "is empty"},
      {"*", "this one has 1"},
      {"* * * *", "this one has 4"},
      {"0 0 0 * * *", "this one has 6"},
      {"* * * * * 2024", "this one has 6"},
      {"not a cron", "this one has 3"},
      {"every day", "this one has 2"},
      {"* * * * *;ls", "day of the week \"*;ls\" is wrong: \"*;ls\" is neither"},
      {"60 * * * *", "minute \"60\" is wrong: it must be 0 to 59"},
      {"99999999999 * * * *", "minute \"99999999999\" is wrong: \"99999999999\" is not a number"},
      {"* 24 * * *", "hour \"24\" is wrong: it must be 0 to 23"},
      {"* * 0 * *", "day of the month \"0\" is wrong: it must be 1 to 31"},
      {"* * 32 * *", "day of the month \"32\" is wrong: it must be 1 to 31"},
      {"* * * 0 *", "month \"0\" is wrong: it must be 1 to 12"},
      {"* * * 13 *", "month \"13\" is wrong: it must be 1 to 12"},
      {"* * * * 7", "day of the week \"7\" is wrong: it must be 0 to 6"},
      {"* * * * 0-7", "day of the week \"0-7\" is wrong: it must be 0 to 6"},
      {"-1 * * * *", "minute \"-1\" is wrong: \"\" is not a number"},
      {"+1 * * * *", "minute \"+1\" is wrong: \"+1\" is not a number"},
      {"1.5 * * * *", "minute \"1.5\" is wrong: \"1.5\" is not a number"},
      {"0x1 * * * *", "minute \"0x1\" is wrong"},
      {"a * * * *", "minute \"a\" is wrong: \"a\" is not a number"},
      {"jan * * * *", "minute \"jan\" is wrong: \"jan\" is not a number"},
      {"* * jan * *", "day of the month \"jan\" is wrong"},
      {"* * * mon *", "month \"mon\" is wrong: \"mon\" is neither a number nor one of jan to dec"},
      {"* * * * jan", "\"jan\" is neither a number nor one of sun to sat"},
      {"* * * january *", "month \"january\" is wrong"},
      {"* * * * monday", "day of the week \"monday\" is wrong"},
      {"* * * * m\u00f6n", "day of the week \"m\u00f6n\" is wrong"},
      {"\uff15 * * * *", "minute \"\uff15\" is wrong"},
      {"1, * * * *", "minute \"1,\" is wrong: the list has an empty place"},
      {", * * * *", "minute \",\" is wrong: the list has an empty place"},
      {"1,,2 * * * *", "minute \"1,,2\" is wrong: the list has an empty place"},
      {",1 * * * *", "minute \",1\" is wrong: the list has an empty place"},
      {"1,60 * * * *", "minute \"1,60\" is wrong: it must be 0 to 59"},
      {"1- * * * *", "minute \"1-\" is wrong: \"\" is not a number"},
      {"-5 * * * *", "minute \"-5\" is wrong: \"\" is not a number"},
      {"- * * * *", "minute \"-\" is wrong"},
      {"1-2-3 * * * *", "minute \"1-2-3\" is wrong: \"2-3\" is not a number"},
      {"5-60 * * * *", "minute \"5-60\" is wrong: it must be 0 to 59"},
      {"10-5 * * * *", "runs backwards; write two, as in 10-59,0-5"},
      {"0 22-2 * * *", "runs backwards; write two, as in 22-23,0-2"},
      {"0 0 * nov-feb *", "runs backwards; write two, as in 11-12,1-2"},
      {"0 0 * * fri-mon", "runs backwards; write two, as in 5-6,0-1"},
      {"0 0 * * mon-sun", "runs backwards"},
      {"*-5 * * * *", "minute \"*-5\" is wrong: \"*\" is not a number"},
      {"5-* * * * *", "minute \"5-*\" is wrong: \"*\" is not a number"},
      {"** * * * *", "minute \"**\" is wrong"},
      {"*5 * * * *", "minute \"*5\" is wrong"},
      {"*/ * * * *", "minute \"*/\" is wrong: the step after \"/\" must be a number from 1 on"},
      {"*/0 * * * *", "the step after \"/\" must be a number from 1 on"},
      {"*/-1 * * * *", "the step after \"/\" must be a number from 1 on"},
      {"*/a * * * *", "the step after \"/\" must be a number from 1 on"},
      {"*/2/3 * * * *", "the step after \"/\" must be a number from 1 on"},
      {"*/4294967297 * * * *", "the step after \"/\" must be a number from 1 on"},
      {"/5 * * * *", "minute \"/5\" is wrong: \"\" is not a number"},
      {"/ * * * *", "minute \"/\" is wrong"},
      {"60/5 * * * *", "minute \"60/5\" is wrong: it must be 0 to 59"},
      {"0 0 L * *", "day of the month \"L\" is wrong: \"L\" is not a number"},
      {"0 0 15W * *", "day of the month \"15W\" is wrong"},
      {"0 0 * * 5#3", "day of the week \"5#3\" is wrong"},
      {"0 0 * * 5L", "day of the week \"5L\" is wrong"},
      {"H * * * *", "minute \"H\" is wrong"},
      {"0 0 30 2 *", "never fires: no month \"2\" has a day \"30\""},
      {"0 0 31 feb,apr *", "never fires: no month \"feb,apr\" has a day \"31\""},
      {"0 0 30-31 2 ?", "never fires"},
      {"0 0 31 4,6,9,11 *", "never fires"},
      {"@", "There is no \"@\"; there are @yearly"},
      {"@reboot", "There is no \"@reboot\""},
      {"@Daily", "There is no \"@Daily\""},
      {"@daily 5", "There is no \"@daily 5\""},
      {"@every", "There is no \"@every\""},
      {"@every5m", "There is no \"@every5m\""},
      {"@every ", "There is no \"@every\""},
      {"@every soon", "duration of 1 s or more, such as \"90s\" or \"1h30m\", not \"soon\""},
      {"@every 5", "not \"5\""},
      {"@every 0", "not \"0\""},
      {"@every 0s", "not \"0s\""},
      {"@every 999ms", "not \"999ms\""},
      {"@every -5m", "not \"-5m\""},
      {"@every 1d", "not \"1d\""},
      {"@every 3000000h", "not \"3000000h\""},
      {"TZ=Europe/Berlin", "is empty"},
      {"TZ=Europe/Berlin ", "is empty"},
      {"TZ=", "There is no time zone \"\""},
      {"TZ= * * * * *", "There is no time zone \"\""},
      {"TZ=Local * * * * *", "There is no time zone \"Local\""},
      {"TZ=localtime * * * * *", "There is no time zone \"localtime\""},
      {"TZ=../UTC * * * * *", "There is no time zone \"../UTC\""},
      {"CRON_TZ=Mars/Olympus @daily", "There is no time zone \"Mars/Olympus\""},
      {"TZ=UTC TZ=UTC * * * * *", "this one has 6"},
      {"tz=UTC * * * * *", "this one has 6"},
      {"* * * * * TZ=UTC", "this one has 6"},
  };
  ASSERT_GE(std::size(table), 60U);
  for (const auto& [spec, says] : table) {
    const auto parsed = CronSpec::parse(spec, "", "cron");
    ASSERT_EQ(outcome(parsed), "schedule_invalid cron") << spec;
    EXPECT_NE(parsed.error().message.find(says), std::string::npos)
        << spec << ": " << parsed.error().message;
  }

  const auto two_zones = CronSpec::parse("TZ=Asia/Tokyo @daily", "Europe/Berlin", "cron");
  ASSERT_EQ(outcome(two_zones), "schedule_invalid cron");
  EXPECT_EQ(two_zones.error().message,
            "cron is in the zone Asia/Tokyo, but timezone says Europe/Berlin; give one of them.");
  EXPECT_EQ(outcome(CronSpec::parse("0 0 * * *" + std::string(1000, ' '), "", "cron")),
            "schedule_invalid cron")
      << "too long";
  EXPECT_FALSE(CronSpec::parse(std::string_view("0\0 * * * *", 10), "", "cron"));
}

TEST(CronSpec, AcceptsADayThatExistsInSomeMonth) {
  for (const char* spec : {"0 0 29 2 *", "0 0 30 2,3 *", "0 0 31 2-4 *", "0 0 30 2 1",
                           "0 0 31 4 */2", "0 0 29,30 2 *"}) {
    EXPECT_EQ(outcome(CronSpec::parse(spec, "", "cron")), "ok") << spec;
  }
}

}  // namespace
}  // namespace postern
