#include "core/model/retry_policy.h"

#include <gtest/gtest.h>

#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr double kAlmostOne = 0x1.fffffffffffffp-1;  // the largest number under 1

std::optional<Milliseconds> delay(std::string_view policy, int failed, double random) {
  return RetryPolicy::parse(policy).value().delay_after(failed, random);
}

TEST(RetryPolicy, DelaysExactlyWhereNoJitterIsPromised) {
  struct Case {
    const char* policy;
    int failed;
    Milliseconds delay;
  };
  const Case table[] = {
      {"exponential", 1, 1s},
      {"exponential", 2, 2s},
      {"exponential", 3, 4s},
      {"exponential", 4, 8s},
      {"exponential", 20, Seconds{1 << 19}},
      {"exponential", 21, Seconds{1 << 20}},
      {"exponential", 22, Seconds{1 << 20}},
      {"exponential", 1'000'000, Seconds{1 << 20}},
      {"linear", 1, 1s},
      {"linear", 2, 2s},
      {"linear", 101, 101s},
      {"fixed", 1, 1s},
      {"fixed", 9, 1s},
      {"taskmq-fixed", 1, 2s},
      {"taskmq-fixed", 9, 2s},
      {"taskmq-exponential", 1, 2s},
      {"taskmq-exponential", 2, 4s},
      {"taskmq-exponential", 3, 8s},
      {"taskmq-exponential", 20, Seconds{1 << 20}},
      {"taskmq-exponential", 40, Seconds{1 << 20}},
      {R"({"intervals":[1,0.25,60]})", 1, 1s},
      {R"({"intervals":[1,0.25,60]})", 2, 250ms},
      {R"({"intervals":[1,0.25,60]})", 3, 60s},
      {R"({"intervals":[1,0.25,60]})", 4, 60s},
      {R"({"intervals":[0]})", 1, 0s},
  };
  for (const auto& [policy, failed, expected] : table) {
    for (const double random : {0.0, 0.5, kAlmostOne}) {
      EXPECT_EQ(delay(policy, failed, random), expected) << policy << " after " << failed;
    }
  }
}

TEST(RetryPolicy, NoneNeverRetries) {
  for (const int failed : {1, 2, 100}) EXPECT_EQ(delay("none", failed, 0.5), std::nullopt);
}

// Standard Webhooks' schedule, each step give or take a fifth.
TEST(RetryPolicy, StandardSpreadsAroundItsSchedule) {
  const Milliseconds steps[] = {5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h, 24h, 24h};
  for (int i = 0; i < 11; ++i) {
    EXPECT_EQ(delay("standard", i + 1, 0.5), steps[i]) << i;
    EXPECT_EQ(delay("standard", i + 1, 0), steps[i] * 8 / 10) << i;
    EXPECT_EQ(delay("standard", i + 1, kAlmostOne), steps[i] * 12 / 10) << i;
  }
}

TEST(RetryPolicy, ServesAsyncjobsTables) {
  struct Case {
    const char* name;
    std::size_t steps;
    Milliseconds first, second, last;
    double jitter;
  };
  // asyncjobs's own tables
  const Case table[] = {
      {"10m", 50, 60'000ms, 70'800ms, 589'200ms, 0.9},
      {"1h", 20, 600'000ms, 750'000ms, 3'450'000ms, 0.9},
      {"1m", 20, 1'000ms, 3'950ms, 57'050ms, 0.5},
      {"default", 50, 60'000ms, 70'800ms, 589'200ms, 0.9},
  };
  const auto tables = RetryPolicy::tables();
  ASSERT_EQ(tables.size(), std::size(table));
  for (std::size_t i = 0; i < tables.size(); ++i) {
    EXPECT_EQ(tables[i].name, table[i].name);
    ASSERT_EQ(tables[i].intervals.size(), table[i].steps) << table[i].name;
    EXPECT_EQ(tables[i].intervals[0], table[i].first) << table[i].name;
    EXPECT_EQ(tables[i].intervals[1], table[i].second) << table[i].name;
    EXPECT_EQ(tables[i].intervals.back(), table[i].last) << table[i].name;
    EXPECT_EQ(tables[i].jitter, table[i].jitter) << table[i].name;
  }
}

TEST(RetryPolicy, EverythingWithANameShowsItsDelays) {
  const struct {
    std::string_view name;
    std::size_t count;
    Milliseconds first, last;
  } table[] = {
      {"10m", 50, 60'000ms, 589'200ms},
      {"1h", 20, 600'000ms, 3'450'000ms},
      {"1m", 20, 1'000ms, 57'050ms},
      {"default", 50, 60'000ms, 589'200ms},
      {"exponential", 21, 1'000ms, 1'048'576'000ms},
      {"fixed", 1, 1'000ms, 1'000ms},
      {"linear", 100, 1'000ms, 100'000ms},
      {"none", 0, {}, {}},
      {"standard", 9, 5'000ms, 86'400'000ms},
      {"taskmq-exponential", 20, 2'000ms, 1'048'576'000ms},
      {"taskmq-fixed", 1, 2'000ms, 2'000ms},
  };
  const auto named = RetryPolicy::named();
  ASSERT_EQ(named.size(), std::size(table));
  for (std::size_t i = 0; i < named.size(); ++i) {
    const auto& [name, intervals, jitter] = named[i];
    EXPECT_EQ(name, table[i].name);
    ASSERT_EQ(intervals.size(), table[i].count) << name;
    if (intervals.empty()) continue;
    EXPECT_EQ(intervals.front(), table[i].first) << name;
    EXPECT_EQ(intervals.back(), table[i].last) << name;
    if (jitter > 0) continue;
    const auto policy = *RetryPolicy::parse(name);
    for (std::size_t n = 0; n < intervals.size(); ++n) {
      EXPECT_EQ(policy.delay_after(static_cast<int>(n) + 1, 0), intervals[n]) << name;
    }
  }
}

TEST(RetryPolicy, DelaysByAsyncjobsTablesAsThatProjectDoes) {
  struct Case {
    const char* policy;
    int failed;
    double random;
    Milliseconds delay;
  };
  const Case table[] = {
      {"default", 1, 0, 63'720ms},  // the second interval, 70.8 s: 0.9 to 1.9 times
      {"default", 1, kAlmostOne, 134'520ms},
      {"10m", 1, 0, 63'720ms},
      {"10m", 49, 0, 530'280ms},
      {"10m", 50, 0, 530'280ms},  // the last repeats
      {"10m", 1000, 0, 530'280ms},
      {"1h", 1, 0.5, 1'050'000ms},
      {"1m", 1, 0, 1'975ms},
      {"1m", 1, kAlmostOne, 5'925ms},
      {"1m", 2, 0.25, 5'175ms},
  };
  for (const auto& [policy, failed, random, expected] : table) {
    EXPECT_EQ(delay(policy, failed, random), expected)
        << policy << " after " << failed << ", random " << random;
  }
}

TEST(RetryPolicy, SpreadsAnInlineOneByItsJitter) {
  constexpr char kHalf[] = R"({"intervals":[10],"jitter":0.5})";
  EXPECT_EQ(delay(kHalf, 1, 0), 5s);
  EXPECT_EQ(delay(kHalf, 1, 0.5), 10s);
  EXPECT_EQ(delay(kHalf, 1, kAlmostOne), 15s);
  EXPECT_EQ(delay(R"({"intervals":[10],"jitter":1})", 1, 0), 0s);
}

TEST(RetryPolicy, IsStoredAsTextThatReadsBack) {
  const std::pair<const char*, const char*> table[] = {
      {"exponential", "exponential"},
      {"default", "default"},
      {"standard", "standard"},
      {R"({"intervals":[1]})", R"({"intervals":[1],"jitter":0})"},
      {R"({ "jitter" : 0.5 , "intervals" : [ 1.0, 0.25, 1e2, 2592000 ] })",
       R"({"intervals":[1,0.25,100,2592000],"jitter":0.5})"},
      {R"({"intervals":[0.001,0.1,-0],"jitter":-0.0})",
       R"({"intervals":[0.001,0.1,0],"jitter":0})"},
      {R"({"intervals":[0e888888885],"jitter":0e-9})", R"({"intervals":[0],"jitter":0})"},
      {R"({"intervals":[0.1234]})", R"({"intervals":[0.123],"jitter":0})"},
      {R"({"intervals":[2591999.999]})", R"({"intervals":[2591999.999],"jitter":0})"},
  };
  for (const auto& [given, stored] : table) {
    const auto policy = RetryPolicy::parse(given);
    ASSERT_EQ(outcome(policy), "ok") << given;
    EXPECT_EQ(policy->text(), stored);
    const auto again = RetryPolicy::parse(policy->text());
    ASSERT_EQ(outcome(again), "ok") << stored;
    EXPECT_EQ(again->text(), stored);
    EXPECT_EQ(again->delay_after(1, 0.3), policy->delay_after(1, 0.3)) << given;
  }
}

TEST(RetryPolicy, RefusesUnknownNames) {
  for (const char* text :
       {"", "Exponential", "exponential ", "1d", "10M", "[1]", "null", "\"fixed\""}) {
    EXPECT_EQ(outcome(RetryPolicy::parse(text)), "unknown_retry_policy retry_policy") << text;
  }
  EXPECT_EQ(outcome(RetryPolicy::parse("x", "queue.retry")), "unknown_retry_policy queue.retry");
}

TEST(RetryPolicy, RefusesWrongInlineOnes) {
  std::string many = R"({"intervals":[0)";
  for (int i = 0; i < 99; ++i) many += ",0";
  EXPECT_EQ(outcome(RetryPolicy::parse(many + "]}")), "ok") << "a hundred intervals";
  for (const std::string& text : {
           std::string("{"),
           std::string("{}"),
           std::string(R"({"jitter":0.5})"),
           std::string(R"({"intervals":[]})"),
           std::string(R"({"intervals":5})"),
           std::string(R"({"intervals":null})"),
           std::string(R"({"intervals":{}})"),
           std::string(R"({"intervals":["5"]})"),
           std::string(R"({"intervals":[null]})"),
           std::string(R"({"intervals":[[1]]})"),
           std::string(R"({"intervals":[-1]})"),
           std::string(R"({"intervals":[1,-0.001]})"),
           std::string(R"({"intervals":[2592000.001]})"),
           std::string(R"({"intervals":[1e400]})"),
           std::string(R"({"intervals":[1e-400]})"),
           std::string(R"({"intervals":[1],"jitter":1.01})"),
           std::string(R"({"intervals":[1],"jitter":-0.1})"),
           std::string(R"({"intervals":[1],"jitter":"0.1"})"),
           std::string(R"({"intervals":[1],"jitter":true})"),
           std::string(R"({"intervals":[1],"max":3})"),
           std::string(R"({"intervals":[1],"intervals":[1]})"),
           std::string(R"({"intervals":[NaN]})"),
           many + ",0]}",
       }) {
    EXPECT_EQ(outcome(RetryPolicy::parse(text)), "retry_policy_invalid retry_policy")
        << text.substr(0, 60);
  }
}

TEST(ParseRetryAfter, ReadsSeconds) {
  const std::pair<const char*, Seconds> table[] = {
      {"0", 0s},
      {"1", 1s},
      {" 120\t", 120s},
      {"0007", 7s},
      {"86400", 24h},
      {"86401", 24h},
      {"9223372036854775807", 24h},
      {"9223372036854775808", 24h},
      {"99999999999999999999999999999999", 24h},
  };
  for (const auto& [text, wait] : table) EXPECT_EQ(parse_retry_after(text, Time{}), wait) << text;
}

TEST(ParseRetryAfter, ReadsTheThreeFormsOfAnHttpDate) {
  const Time now = parse_rfc3339("1994-11-06T08:49:00Z").value();
  const std::pair<const char*, Seconds> table[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", 37s},      {"Sunday, 06-Nov-94 08:49:37 GMT", 37s},
      {"Sun Nov  6 08:49:37 1994", 37s},           {"Sun, 06 Nov 1994 08:49:00 GMT", 0s},
      {"Sun, 06 Nov 1994 08:00:00 GMT", 0s},       {"Wed, 01 Jan 1975 00:00:00 GMT", 0s},
      {"Mon, 07 Nov 1994 08:48:59 GMT", 24h - 1s}, {"Fri, 31 Dec 9999 23:59:59 GMT", 24h},
  };
  for (const auto& [text, wait] : table) EXPECT_EQ(parse_retry_after(text, now), wait) << text;
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now + 200ms), 37s)
      << "rounded up: never before the time that was asked for";
}

TEST(ParseRetryAfter, IgnoresEverythingElse) {
  for (const char* text : {"", " ", "-1", "+1", "1.5", "1s", "soon", "1,2", "0x10", "1 2", "\n1",
                           "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 06 Nov 1994 08:49:37 GMT+1", "Sun, 06 Nov 1994 25:49:37 GMT",
                           "Sun, 31 Feb 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"}) {
    EXPECT_EQ(parse_retry_after(text, Time{}), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace postern
