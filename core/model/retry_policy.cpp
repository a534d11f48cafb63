#include "core/model/retry_policy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include <date/date.h>
#include <fmt/format.h>

#include "core/base/json.h"
#include "core/base/json_writer.h"
#include "core/base/text.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxDoublings = 20;
constexpr std::size_t kMaxIntervals = 100;
constexpr double kMaxIntervalSeconds = 2'592'000;  // 30 days
constexpr Seconds kMaxRetryAfter = 24h;

// A table of asyncjobs: `steps` equally spaced intervals from `min`; one more would reach `max`.
std::vector<Milliseconds> stepped(Milliseconds min, Milliseconds max, int steps) {
  std::vector<Milliseconds> intervals;
  for (int i = 0; i < steps; ++i) intervals.push_back(min + i * ((max - min) / steps));
  return intervals;
}

Milliseconds scaled(Milliseconds interval, double factor) {
  return Milliseconds{std::llround(static_cast<double>(interval.count()) * factor)};
}

// The JSON number `raw` if it is within min..max; nullopt otherwise, and for other kinds of value.
// One too small for a double is refused, since PostgreSQL refuses it where tasks come by SQL.
std::optional<double> number_between(std::string_view raw, double min, double max) {
  double value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (json_kind(raw) != JsonKind::number || error != std::errc() ||
      end != raw.data() + raw.size() || !(value >= min && value <= max)) {
    return std::nullopt;
  }
  return value + 0.0;  // no negative zero
}

struct Inline {
  std::vector<Milliseconds> intervals;
  double jitter = 0;
};

// Reads {"intervals":[..],"jitter":x}. The error is a sentence.
boost::system::result<Inline, std::string> parse_inline(std::string_view text) {
  const Result<std::vector<JsonMember>> members = parse_json_object(text);
  if (!members) return members.error().message;
  Inline policy;
  for (const auto& [key, raw] : *members) {
    if (key == "intervals") {
      if (json_kind(raw) != JsonKind::array) return std::string("intervals must be an array.");
      for (const std::string_view element : json_elements(raw)) {
        const std::optional<double> seconds = number_between(element, 0, kMaxIntervalSeconds);
        if (!seconds) {
          return std::string("intervals must hold numbers of seconds, 0 to 2592000 each.");
        }
        policy.intervals.push_back(Milliseconds{std::llround(*seconds * 1000)});
      }
    } else if (key == "jitter") {
      const std::optional<double> jitter = number_between(raw, 0, 1);
      if (!jitter) return std::string("jitter must be a number from 0 to 1.");
      policy.jitter = *jitter;
    } else {
      return fmt::format("\"{}\" is not a field of a retry policy; intervals and jitter are.",
                         key.substr(0, 100));
    }
  }
  if (policy.intervals.empty() || policy.intervals.size() > kMaxIntervals) {
    return fmt::format("intervals must hold 1 to {} numbers of seconds.", kMaxIntervals);
  }
  return policy;
}

std::string inline_text(const Inline& policy) {
  JsonWriter json;
  json.begin_object().key("intervals").begin_array();
  for (const Milliseconds interval : policy.intervals) {
    json.number(static_cast<double>(interval.count()) / 1000);
  }
  json.end_array().key("jitter").number(policy.jitter).end_object();
  return json.take();
}

}  // namespace

std::vector<RetryPolicy::Named> RetryPolicy::tables() {
  return {
      {"10m", stepped(1min, 10min, 50), 0.9},
      {"1h", stepped(10min, 1h, 20), 0.9},
      {"1m", stepped(1s, 1min, 20), 0.5},
      {"default", stepped(1min, 10min, 50), 0.9},
  };
}

std::vector<RetryPolicy::Named> RetryPolicy::named() {
  constexpr int kMostRetries = 100;
  std::vector<Named> all = tables();
  for (const std::string_view name : {"exponential", "fixed", "linear", "none", "standard",
                                      "taskmq-exponential", "taskmq-fixed"}) {
    RetryPolicy policy = *parse(name);
    if (policy.kind_ == Kind::exponential || policy.kind_ == Kind::linear) {
      const auto delay = [&](int failed) { return *policy.delay_after(failed, 0); };
      std::vector<Milliseconds> delays{delay(1)};
      for (int n = 2; n <= kMostRetries && delay(n) > delays.back(); ++n)
        delays.push_back(delay(n));
      policy.intervals_ = std::move(delays);
    }
    all.push_back({name, std::move(policy.intervals_), policy.jitter_});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

Result<RetryPolicy> RetryPolicy::parse(std::string_view text, std::string_view field) {
  RetryPolicy policy;
  policy.text_ = text;
  const auto set = [&](Kind kind, std::vector<Milliseconds> intervals, double jitter) {
    policy.kind_ = kind;
    policy.intervals_ = std::move(intervals);
    policy.jitter_ = jitter;
    return policy;
  };

  if (text == "none") return set(Kind::none, {}, 0);
  if (text == "exponential") return set(Kind::exponential, {1s}, 0);
  if (text == "taskmq-exponential") return set(Kind::exponential, {2s}, 0);
  if (text == "linear") return set(Kind::linear, {1s}, 0);
  if (text == "fixed") return set(Kind::table_symmetric, {1s}, 0);
  if (text == "taskmq-fixed") return set(Kind::table_symmetric, {2s}, 0);
  if (text == "standard") {
    return set(Kind::table_symmetric, {5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h}, 0.2);
  }
  for (Named& table : tables()) {
    if (text == table.name) {
      return set(Kind::table_asyncjobs, std::move(table.intervals), table.jitter);
    }
  }

  if (!text.starts_with('{')) {
    return invalid("unknown_retry_policy", std::string(field),
                   fmt::format("There is no retry policy \"{}\"; give exponential, linear, fixed, "
                               "none, standard, default, 10m, 1h, 1m or an object with intervals.",
                               text.substr(0, 100)));
  }
  const boost::system::result<Inline, std::string> given = parse_inline(text);
  if (!given) return invalid("retry_policy_invalid", std::string(field), given.error());
  policy.text_ = inline_text(*given);
  return set(Kind::table_symmetric, given->intervals, given->jitter);
}

std::optional<Milliseconds> RetryPolicy::delay_after(int failed, double random) const {
  failed = std::max(failed, 1);
  const auto interval = [this](int index) {
    return intervals_[std::min(static_cast<std::size_t>(index), intervals_.size() - 1)];
  };
  switch (kind_) {
    case Kind::none: return std::nullopt;
    case Kind::exponential:
      return std::min(intervals_[0] * (1 << std::min(failed - 1, kMaxDoublings)),
                      Milliseconds{Seconds{1 << kMaxDoublings}});
    case Kind::linear: return intervals_[0] * failed;
    case Kind::table_asyncjobs: return scaled(interval(failed), jitter_ + random);
    case Kind::table_symmetric:
      return scaled(interval(failed - 1), 1 - jitter_ + 2 * jitter_ * random);
  }
  throw std::logic_error("RetryPolicy: not a Kind");
}

std::optional<Seconds> parse_retry_after(std::string_view value, Time now) {
  const std::size_t first = value.find_first_not_of(" \t");
  if (first == value.npos) return std::nullopt;
  value = value.substr(first, value.find_last_not_of(" \t") + 1 - first);

  if (value.find_first_not_of("0123456789") == value.npos) {
    Seconds::rep seconds = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (read.ec != std::errc()) return kMaxRetryAfter;  // overflow
    return std::min(Seconds{seconds}, kMaxRetryAfter);
  }

  // The library would take letters for seconds: behind each colon there are two digits.
  for (auto at = value.find(':'); at != value.npos; at = value.find(':', at + 1)) {
    const auto two = value.substr(at + 1, 2);
    if (two.size() < 2 || !is_digit(two[0]) || !is_digit(two[1])) return std::nullopt;
  }
  // The three forms of RFC 9110 5.6.7; the last two are obsolete but must be understood.
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::istringstream in{std::string(value)};
    in.imbue(std::locale::classic());
    date::sys_seconds at;
    in >> date::parse(format, at);
    if (in.fail() || in.peek() != std::istringstream::traits_type::eof()) continue;
    const auto wait = std::chrono::ceil<Seconds>(Time{at} - now);
    return std::clamp(wait, Seconds{0}, kMaxRetryAfter);
  }
  return std::nullopt;
}

}  // namespace postern
