#include "core/model/schedule_times.h"

#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace postern {
namespace {

using namespace std::chrono_literals;

const Time kMidnight = parse_rfc3339("2024-05-01T00:00:00Z").value();

// An hourly schedule, on the hour. Times are in hours after midnight.
const CronSpec kHourly = CronSpec::parse("0 * * * *", "", "schedule").value();

std::string hours(const std::vector<Time>& times) {
  std::string text;
  for (const Time time : times) {
    text += (text.empty() ? "" : " ") + std::to_string((time - kMidnight) / 1h);
  }
  return text;
}

TEST(DueTimes, FollowThePolicy) {
  struct Case {
    const char* about;
    MisfirePolicy policy;
    Time now;
    const char *fire, *skipped;
  };
  const MisfirePolicy skip{.kind = Misfire::skip};
  const MisfirePolicy last{.kind = Misfire::last};
  const MisfirePolicy all{.kind = Misfire::all, .limit = 3};
  const auto after = [](Microseconds since) { return kMidnight + since; };
  const Case table[] = {
      {"nothing is due", skip, after(59min), "", ""},
      {"on the dot", skip, after(1h), "1", ""},
      {"within the grace", skip, after(1h + 5s), "1", ""},
      {"just over the grace", skip, after(1h + 5s + 1us), "", "1"},
      {"the newest is on time", skip, after(3h), "3", "1 2"},
      {"skip fires none that is late", skip, after(4h + 30min), "", "1 2 3 4"},
      {"last fires one", last, after(4h + 30min), "4", "1 2 3"},
      {"last does not fire two", last, after(4h + 1s), "4", "1 2 3"},
      {"last of one", last, after(1h + 59min), "1", ""},
      {"last, a shorter window",
       {.kind = Misfire::last, .window = 30min},
       after(4h + 30min),
       "4",
       "1 2 3"},
      {"last, beyond the window",
       {.kind = Misfire::last, .window = 30min},
       after(4h + 30min + 1us),
       "",
       "1 2 3 4"},
      {"all, fewer than the limit", all, after(2h + 30min), "1 2", ""},
      {"all, as many as the limit", all, after(3h + 30min), "1 2 3", ""},
      {"all, more than the limit", all, after(5h + 30min), "3 4 5", "1 2"},
      {"what is on time does not count", all, after(5h), "2 3 4 5", "1"},
      {"all, no limit to speak of",
       {.kind = Misfire::all, .limit = 1'000'000},
       after(102h),
       nullptr,  // 100 late ones and the one that is on time
       "1"},
      {"a long grace makes them all on time",
       {.kind = Misfire::skip, .grace = 3h},
       after(4h),
       "1 2 3 4",
       ""},
  };
  for (const auto& [about, policy, now, fire, skipped] : table) {
    const DueTimes due = due_times(kHourly, kMidnight, kMidnight, now, policy);
    if (fire == nullptr) {
      EXPECT_EQ(due.fire.size(), 101U) << about;
    } else {
      EXPECT_EQ(hours(due.fire), fire) << about;
    }
    EXPECT_EQ(hours(due.skipped), skipped) << about;
    EXPECT_EQ(due.skipped_count, std::int64_t(due.skipped.size())) << about;
    ASSERT_TRUE(due.next) << about;
    EXPECT_GT(*due.next, now) << about;
    EXPECT_LE(*due.next, now + 1h) << about;
  }
}

TEST(DueTimes, ListAHundredSkippedOnesAndCountTheRest) {
  const CronSpec spec = CronSpec::every(1s);
  const Time now = kMidnight + 10'000s;
  const DueTimes due =
      due_times(spec, kMidnight, kMidnight, now, {.kind = Misfire::last, .grace = 0s});
  EXPECT_EQ(due.fire, std::vector<Time>{now});
  EXPECT_EQ(due.skipped_count, 9'999);
  ASSERT_EQ(due.skipped.size(), DueTimes::kMaxListed);
  EXPECT_EQ(due.skipped.front(), kMidnight + 1s);
  EXPECT_EQ(due.skipped.back(), kMidnight + 100s);
  EXPECT_EQ(due.last_skipped, kMidnight + 9'999s);
  EXPECT_EQ(due.next, now + 1s);
}

TEST(DueTimes, StayWithinTheBounds) {
  struct Case {
    const char* about;
    ScheduleBounds bounds;
    const char *fire, *skipped, *next;
  };
  const auto at = [](Microseconds since) { return kMidnight + since; };
  // At 4:30, with nothing handled since midnight.
  const Case table[] = {
      {"none", {}, "4", "1 2 3", "5"},
      {"starts at an occurrence", {.starts_at = at(3h), .ends_at = {}}, "4", "3", "5"},
      {"starts after one", {.starts_at = at(3h + 1us), .ends_at = {}}, "4", "", "5"},
      {"starts later", {.starts_at = at(7h), .ends_at = {}}, "", "", "7"},
      {"started before", {.starts_at = at(-7h), .ends_at = {}}, "4", "1 2 3", "5"},
      {"ends at an occurrence", {.starts_at = {}, .ends_at = at(5h)}, "4", "1 2 3", ""},
      {"ends after one", {.starts_at = {}, .ends_at = at(5h + 1us)}, "4", "1 2 3", "5"},
      {"ended", {.starts_at = {}, .ends_at = at(2h)}, "", "1", ""},
      {"ended before it began", {.starts_at = at(3h), .ends_at = at(2h)}, "", "", ""},
  };
  for (const auto& [about, bounds, fire, skipped, next] : table) {
    const DueTimes due = due_times(kHourly, kMidnight, kMidnight, at(4h + 30min), {}, bounds);
    EXPECT_EQ(hours(due.fire), fire) << about;
    EXPECT_EQ(hours(due.skipped), skipped) << about;
    EXPECT_EQ(hours(due.next ? std::vector{*due.next} : std::vector<Time>{}), next) << about;
  }
}

TEST(DueTimes, AreNotRepeatedWhenTheClockGoesBack) {
  const DueTimes due =
      due_times(kHourly, kMidnight, kMidnight + 3h, kMidnight + 1h + 30min, {.kind = Misfire::all});
  EXPECT_TRUE(due.fire.empty());
  EXPECT_EQ(due.skipped_count, 0);
  EXPECT_EQ(due.next, kMidnight + 4h);
}

// However often and late due_times is called, each occurrence is fired or skipped exactly once.
TEST(DueTimes, AccountForEachOccurrenceOnce) {
  const Microseconds looks[] = {1min, 59min, 1s, 3h, 1us, 26h, 5s, 61min, 12h, 100h};
  for (const Misfire kind : {Misfire::skip, Misfire::last, Misfire::all}) {
    const MisfirePolicy policy{.kind = kind, .window = 2h, .limit = 2};
    std::multiset<Time> seen;
    Time handled = kMidnight;
    Time now = kMidnight;
    for (const Microseconds wait : looks) {
      now += wait;
      const DueTimes due = due_times(kHourly, kMidnight, handled, now, policy);
      seen.insert(due.fire.begin(), due.fire.end());
      seen.insert(due.skipped.begin(), due.skipped.end());
      for (const auto& times : {due.fire, due.skipped}) {
        EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
        if (!times.empty()) handled = std::max(handled, times.back());
      }
    }
    std::multiset<Time> expected;
    for (Time time = kMidnight + 1h; time <= now; time += 1h) expected.insert(time);
    EXPECT_EQ(seen, expected) << "policy " << static_cast<int>(kind);
  }
}

// The same, one occurrence after the other.
DueTimes one_by_one(const CronSpec& spec, Time anchor, Time handled, Time now,
                    const MisfirePolicy& policy, const ScheduleBounds& bounds) {
  DueTimes due;
  if (bounds.starts_at) handled = std::max(handled, *bounds.starts_at - 1us);
  std::vector<Time> late, on_time;
  for (auto next = spec.next(handled, anchor);; next = spec.next(*next, anchor)) {
    if (next && bounds.ends_at && *next >= *bounds.ends_at) next.reset();
    due.next = next;
    if (!next || *next > now) break;
    (now - *next <= policy.grace ? on_time : late).push_back(*next);
  }
  std::size_t fires = 0;
  if (policy.kind == Misfire::all) fires = static_cast<std::size_t>(policy.limit);
  if (policy.kind == Misfire::last && on_time.empty() && !late.empty() &&
      now - late.back() <= policy.window) {
    fires = 1;
  }
  const auto skipped = late.size() - std::min(late.size(), fires);
  due.skipped_count = static_cast<std::int64_t>(skipped);
  if (skipped > 0) due.last_skipped = late[skipped - 1];
  due.skipped.assign(late.begin(), late.begin() + std::min(skipped, DueTimes::kMaxListed));
  due.fire.assign(late.begin() + skipped, late.end());
  due.fire.insert(due.fire.end(), on_time.begin(), on_time.end());
  return due;
}

TEST(DueTimes, AreThoseOfGoingThroughThemOneByOne) {
  const CronSpec specs[] = {
      CronSpec::every(1s),
      CronSpec::every(97s),
      CronSpec::every(5h),
      CronSpec::parse("* * * * *", "Europe/Berlin", "schedule").value(),
      CronSpec::parse("*/7 1-3 * * *", "America/New_York", "schedule").value(),
      CronSpec::parse("0-59/9 1-3 * * *", "America/New_York", "schedule").value(),
      CronSpec::parse("30 2 * * *", "Europe/Berlin", "schedule").value(),
      CronSpec::parse("15,45 * * * 1-5", "Australia/Lord_Howe", "schedule").value(),
      CronSpec::parse("0 0 29 2 *", "", "schedule").value(),
  };
  std::mt19937_64 random(20241027);
  const auto up_to = [&](std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(0, most)(random);
  };
  for (int i = 0; i < 2000; ++i) {
    const CronSpec& spec = specs[i % std::size(specs)];
    // Around one of the two changes of 2024.
    const Time middle =
        parse_rfc3339(i % 2 == 0 ? "2024-03-31T01:00:00Z" : "2024-11-03T06:00:00Z").value();
    const Time handled = middle - Microseconds{up_to(4 * 86'400'000'000 >> up_to(20))};
    const Time now = middle + Microseconds{up_to(4 * 86'400'000'000 >> up_to(20))};
    const Time anchor = middle - Seconds{up_to(10 * 86'400)};
    const MisfirePolicy policy{.kind = static_cast<Misfire>(up_to(2)),
                               .window = Seconds{up_to(7200)},
                               .limit = static_cast<int>(1 + up_to(99))};
    ScheduleBounds bounds;
    if (up_to(3) == 0) bounds.starts_at = middle + Microseconds{up_to(86'400'000'000)} - 12h;
    if (up_to(3) == 0) bounds.ends_at = middle + Microseconds{up_to(86'400'000'000)} - 6h;
    const DueTimes due = due_times(spec, anchor, handled, now, policy, bounds);
    const DueTimes expected = one_by_one(spec, anchor, handled, now, policy, bounds);
    ASSERT_EQ(due.fire, expected.fire) << i;
    ASSERT_EQ(due.skipped, expected.skipped) << i;
    ASSERT_EQ(due.skipped_count, expected.skipped_count) << i;
    ASSERT_EQ(due.last_skipped, expected.last_skipped) << i;
    ASSERT_EQ(due.next, expected.next) << i;
  }
}

// One after the other they would be 26,000 million.
TEST(DueTimes, OfManySchedulesAfterYearsAreCountedWithoutGoingThroughThem) {
  const char* kZones[] = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"};
  const Time now = kMidnight + 30s;
  for (int i = 0; i < 500; ++i) {
    const Time since = now - 600 * 24h - 30s;
    const DueTimes seconds =
        due_times(CronSpec::every(1s), since, since, now, {.kind = Misfire::all, .limit = 100});
    EXPECT_EQ(seconds.skipped_count, 600 * 86'400 + 30 - 106);
    EXPECT_EQ(seconds.fire.size(), 106U);
    EXPECT_EQ(seconds.fire.back(), now);
    EXPECT_EQ(seconds.last_skipped, now - 106s);
    EXPECT_EQ(seconds.next, now + 1s);

    const auto minutely = CronSpec::parse("* * * * *", kZones[i % 4], "schedule").value();
    const DueTimes minutes = due_times(minutely, since, since, now, {.kind = Misfire::last});
    EXPECT_EQ(minutes.skipped_count, 600 * 1440 - 1);
    EXPECT_EQ(minutes.fire, std::vector{now - 30s});
    EXPECT_EQ(minutes.last_skipped, now - 90s);
    EXPECT_EQ(minutes.next, now + 30s);
  }
}

TEST(JitterDelay, IsTheSameForTheSameOccurrence) {
  // Constants, because other instances and other versions must compute the same delay.
  EXPECT_EQ(jitter_delay("nightly", kMidnight, 60s), 13'908ms);
  EXPECT_EQ(jitter_delay("nightly", kMidnight + 24h, 60s), 51'845ms);
  EXPECT_EQ(jitter_delay("weekly", kMidnight, 60s), 38'799ms);
}

TEST(JitterDelay, SpreadsOverItsRange) {
  std::set<Milliseconds> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(jitter_delay("schedule " + std::to_string(i), kMidnight, 9ms));
    EXPECT_EQ(jitter_delay(std::to_string(i), kMidnight, 0ms), 0ms);
  }
  EXPECT_EQ(seen.size(), 10U) << "each of 0..9 ms";
  EXPECT_EQ(*seen.begin(), 0ms);
  EXPECT_EQ(*seen.rbegin(), 9ms);
}

}  // namespace
}  // namespace postern
