// Random cron expressions, compared with a wall clock that is checked minute by minute. The clock
// is the C library's localtime, so that the test is independent of core/time/zones and
// core/time/cron_fields.
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/time/cron.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

using Random = std::mt19937_64;
using Wall = std::array<int, 5>;  // minute, hour, day, month, weekday, in the order of a spec

int random_between(Random& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

// The wall clock of one zone. The destructor restores the program's own zone.
class WallClock {
 public:
  explicit WallClock(const std::string& zone) { set((":" + zone).c_str()); }
  ~WallClock() { set(nullptr); }

  // The local time at `time`, as minutes since 1970-01-01 00:00 local time.
  static std::int64_t shown_at(Time time) {
    const std::time_t seconds = std::chrono::floor<Seconds>(time).time_since_epoch().count();
    std::tm local{};
    localtime_r(&seconds, &local);
    return timegm(&local) / 60;
  }

 private:
  static void set(const char* zone) {
    zone == nullptr ? unsetenv("TZ") : setenv("TZ", zone, 1);
    tzset();
  }
};

Wall wall(std::int64_t minutes) {
  const std::time_t seconds = minutes * 60;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  return {tm.tm_min, tm.tm_hour, tm.tm_mday, tm.tm_mon + 1, tm.tm_wday};
}

// A random spec, generated together with the sets of values that its text stands for.
struct RandomSpec {
  std::string text;
  std::array<std::array<bool, 60>, 5> values{};
  bool either_day = true;
  bool fixed_time = true;

  explicit RandomSpec(Random& random) {
    constexpr std::pair<int, int> kRanges[] = {{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}};
    for (std::size_t i = 0; i < 5; ++i) {
      const auto [low, high] = kRanges[i];
      // Mostly any month and any day, so that the spec fires often enough.
      const bool wide = i >= 2 && random_between(random, 0, 2) > 0;
      const int elements = wide ? 1 : random_between(random, 1, 3);
      for (int n = 0; n < elements; ++n) {
        text += n > 0 ? "," : i > 0 ? " " : "";
        add_element(random, i, low, high, wide ? 0 : random_between(random, 0, 7));
      }
    }
  }

  bool matches(const Wall& shown) const {
    const auto has = [&](std::size_t i) { return values[i][std::size_t(shown[i])]; };
    return has(0) && has(1) && has(3) && (either_day ? has(2) || has(4) : has(2) && has(4));
  }

 private:
  void add_element(Random& random, std::size_t place, int low, int high, int kind) {
    const int first = random_between(random, low, high);
    const int last = random_between(random, first, high);
    const int step = random_between(random, 2, 9);
    const auto add = [&](const std::string& written, int from, int to, int by) {
      text += written;
      for (int value = from; value <= to; value += by) {
        values[place][std::size_t(value)] = true;
      }
    };
    switch (kind) {
      case 0:
      case 1:
        add(kind == 0 ? "*" : fmt::format("*/{}", step), low, high, kind == 0 ? 1 : step);
        if (place < 2) fixed_time = false;
        if (place >= 2 && place != 3 && kind == 0) either_day = false;
        break;
      case 2: add(fmt::format("{}-{}", first, last), first, last, 1); break;
      case 3: add(fmt::format("{}-{}/{}", first, last, step), first, last, step); break;
      case 4: add(fmt::format("{}/{}", first, step), first, high, step); break;
      default: add(fmt::format("{}", first), first, first, 1); break;
    }
  }
};

// The expected occurrences, from watching the clock. For a fixed time a minute fires when the clock
// shows, or has just skipped, a matching local time for the first time.
std::vector<Time> watch(const RandomSpec& spec, Time from, const std::vector<std::int64_t>& shown,
                        const std::vector<Wall>& walls) {
  std::vector<Time> fired;
  std::int64_t newest = shown.front() - 1;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    bool fires = false;
    if (!spec.fixed_time) fires = spec.matches(walls[i]);
    while (spec.fixed_time && newest < shown[i]) {
      ++newest;
      fires |= spec.matches(newest == shown[i] ? walls[i] : wall(newest));
    }
    if (fires) fired.push_back(from + i * 1min);
  }
  return fired;
}

TEST(CronSpecProperty, AgreesWithAWallClock) {
  const std::pair<const char*, const char*> kMonths[] = {
      {"Europe/Berlin", "2024-03-15"},       {"Europe/Berlin", "2024-10-15"},
      {"America/New_York", "2025-03-01"},    {"America/New_York", "2025-10-20"},
      {"Australia/Sydney", "2023-09-20"},    {"Australia/Sydney", "2024-03-25"},
      {"Australia/Lord_Howe", "2024-10-01"}, {"Australia/Lord_Howe", "2025-04-01"},
      {"America/Sao_Paulo", "2018-10-20"},   {"America/Sao_Paulo", "2019-02-10"},
      {"Africa/Casablanca", "2024-03-01"},   {"Africa/Casablanca", "2024-04-01"},
      {"Pacific/Apia", "2011-12-15"},        {"Asia/Pyongyang", "2015-08-01"},
      {"Asia/Pyongyang", "2018-04-25"},      {"Antarctica/Troll", "2024-03-15"},
      {"Antarctica/Troll", "2024-10-15"},    {"Asia/Kathmandu", "2023-12-15"},
      {"America/Caracas", "2007-12-01"},     {"Europe/Istanbul", "2016-03-10"},
      {"Europe/Berlin", "2040-03-10"},       {"Europe/Berlin", "2090-10-15"},
      {"America/New_York", "2055-03-01"},    {"Australia/Lord_Howe", "2070-10-01"},
      {"America/Nuuk", "2062-03-10"},        {"Europe/Dublin", "2099-10-10"},
      {"Asia/Gaza", "2094-10-15"},           {"Africa/Casablanca", "2086-04-01"},
  };
  Random random(20240331);
  for (const auto& [zone, day] : kMonths) {
    const Time begin = parse_rfc3339(std::string(day) + "T12:00:00Z").value();
    const WallClock clock(zone);
    std::vector<std::int64_t> shown;
    std::vector<Wall> walls;
    for (Time time = begin; time < begin + 31 * 24h; time += 1min) {
      shown.push_back(WallClock::shown_at(time));
      walls.push_back(wall(shown.back()));
    }
    for (int i = 0; i < 12;) {
      const RandomSpec spec(random);
      const auto parsed = CronSpec::parse(spec.text, zone, "schedule");
      if (!parsed) continue;  // it never fires
      std::vector<Time> found;
      std::optional<Time> time = parsed->next(begin - 1us, begin);
      for (; time && *time < begin + 31 * 24h; time = parsed->next(*time, begin)) {
        found.push_back(*time);
      }
      for (int look = 0; look < 50; ++look) {
        const Time after = begin + random_between(random, 0, 31 * 24 * 3600) * 1s;
        const Time until = after + random_between(random, -2, 15 * 24 * 3600) * 1s;
        const auto counted = std::count_if(
            found.begin(), found.end(), [&](Time each) { return after < each && each <= until; });
        if (until >= begin + 31 * 24h) continue;
        ASSERT_EQ(parsed->count(after, until, begin), counted)
            << spec.text << " in " << zone << " from " << format_rfc3339(after) << " to "
            << format_rfc3339(until);
      }
      const std::vector<Time> expected = watch(spec, begin, shown, walls);
      const auto differ =
          std::mismatch(found.begin(), found.end(), expected.begin(), expected.end());
      ASSERT_TRUE(found == expected)
          << '"' << spec.text << "\" in " << zone << " from " << day << ": "
          << (differ.first == found.end() ? "no more" : format_rfc3339(*differ.first))
          << " where a clock says "
          << (differ.second == expected.end() ? "no more" : format_rfc3339(*differ.second));
      ++i;
    }
  }
}

TEST(CronSpecProperty, IncreasesAndDoesNotDependOnTheStart) {
  const char* kZones[] = {"UTC",
                          "Europe/Berlin",
                          "Europe/Dublin",
                          "America/New_York",
                          "America/St_Johns",
                          "Australia/Lord_Howe",
                          "Australia/Sydney",
                          "America/Sao_Paulo",
                          "Asia/Kolkata",
                          "Asia/Kathmandu",
                          "Asia/Tehran",
                          "Asia/Gaza",
                          "Pacific/Apia",
                          "Pacific/Chatham",
                          "Africa/Casablanca",
                          "Africa/Cairo",
                          "Antarctica/Troll",
                          "America/Nuuk"};
  constexpr int kFrom = 157'766'400;  // 1975
  constexpr Time kLimit = std::chrono::sys_days{2100y / 12 / 1};
  Random random(20241027);
  for (int i = 0; i < 300; ++i) {
    const char* zone = kZones[random_between(random, 0, std::size(kZones) - 1)];
    const RandomSpec spec(random);
    const auto parsed = CronSpec::parse(spec.text, zone, "schedule");
    if (!parsed) continue;  // it never fires
    const WallClock clock(zone);
    Time last = Time{2 * Seconds{random_between(random, kFrom / 2, 2'050'000'000)}};
    const Time begin = last;
    for (int n = 0; n < 500 && last < kLimit; ++n) {
      const std::optional<Time> next = parsed->next(last, last);
      ASSERT_TRUE(next) << spec.text << " in " << zone << " after " << format_rfc3339(last);
      if (*next >= kLimit) break;
      ASSERT_GT(*next, last) << spec.text << " in " << zone;
      ASSERT_EQ(parsed->next(last + (*next - last) / 3, last), next) << spec.text << " in " << zone;
      ASSERT_EQ(parsed->next(*next - 1us, last), next) << spec.text << " in " << zone;
      ASSERT_EQ(parsed->count(begin, *next, last), n + 1) << spec.text << " in " << zone;
      ASSERT_EQ(parsed->count(begin, *next - 1us, last), n) << spec.text << " in " << zone;

      const std::int64_t shown = WallClock::shown_at(*next);
      bool matches = spec.matches(wall(shown));
      if (spec.fixed_time) {  // a skipped local time may match instead
        for (auto skipped = WallClock::shown_at(*next - 1min) + 1; skipped < shown; ++skipped) {
          matches |= spec.matches(wall(skipped));
        }
      }
      ASSERT_TRUE(matches) << spec.text << " in " << zone << " at " << format_rfc3339(*next);
      last = *next;
    }
  }
}

}  // namespace
}  // namespace postern
