#include "core/time/cron.h"

#include <algorithm>
#include <chrono>
#include <string>

#include <fmt/format.h>

#include "core/time/go_duration.h"

namespace postern {
namespace {

using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;
using Minutes = std::chrono::minutes;

constexpr std::size_t kMaxLength = 1000;
constexpr std::chrono::years kHorizon{8};
constexpr std::chrono::year kLastYear{9999};
constexpr Time kEnd = sys_days{(kLastYear + std::chrono::years{1}) / 1 / 1};

std::string no_such_zone(std::string_view name) {
  return fmt::format(
      "There is no time zone \"{}\"; give \"UTC\" or an IANA name such as \"Europe/Berlin\".",
      name.substr(0, 100));
}

// Removes a "TZ=Zone " prefix from `text` and returns the zone; nullopt when there is none.
std::optional<std::string_view> take_zone(std::string_view& text) {
  for (const std::string_view prefix : {"TZ=", "CRON_TZ="}) {
    if (!text.starts_with(prefix)) continue;
    const std::size_t end = std::min(text.find_first_of(kWhitespace), text.size());
    const std::string_view name = text.substr(prefix.size(), end - prefix.size());
    text = trimmed(text.substr(end));
    return name;
  }
  return std::nullopt;
}

}  // namespace

Result<CronSpec> CronSpec::parse(std::string_view spec, std::string_view timezone,
                                 std::string_view field) {
  const auto refuse = [&](std::string message) {
    return invalid("schedule_invalid", std::string(field), std::move(message));
  };
  if (spec.size() > kMaxLength) {
    return refuse(fmt::format("{} is longer than {} bytes.", field, kMaxLength));
  }

  CronSpec parsed;
  if (!timezone.empty()) {
    const std::optional<TimeZone> zone = TimeZone::find(timezone);
    if (!zone) return invalid("timezone_invalid", "timezone", no_such_zone(timezone));
    parsed.zone_ = *zone;
  }
  std::string_view text = trimmed(spec);
  if (const std::optional<std::string_view> name = take_zone(text)) {
    const std::optional<TimeZone> zone = TimeZone::find(*name);
    if (!zone) return refuse(no_such_zone(*name));
    if (!timezone.empty() && timezone != *name) {
      return refuse(fmt::format("{} is in the zone {}, but timezone says {}; give one of them.",
                                field, *name, timezone));
    }
    parsed.zone_ = *zone;
  }
  if (text.empty()) {
    return refuse(
        fmt::format("{} is empty; give a cron expression such as \"0 9 * * 1-5\".", field));
  }

  constexpr std::string_view kEvery = "@every ";
  if (text.starts_with(kEvery)) {
    const std::string_view interval = text.substr(kEvery.size());
    const auto duration = parse_go_duration(interval);
    if (!duration || *duration < Seconds{1}) {
      return refuse(
          fmt::format("After @every there must be a duration of 1 s or more, such as "
                      "\"90s\" or \"1h30m\", not \"{}\".",
                      interval.substr(0, 100)));
    }
    parsed.every_ = floor<Seconds>(*duration);
    return parsed;
  }
  const auto fields = CronFields::parse(text);
  if (!fields) return refuse(fields.error());
  parsed.fields_ = *fields;
  return parsed;
}

CronSpec CronSpec::every(Seconds interval) {
  CronSpec spec;
  spec.every_ = interval;
  return spec;
}

std::optional<Time> CronSpec::next(Time after, Time anchor) const {
  if (after >= kEnd) return std::nullopt;
  std::optional<Time> found;
  if (every_ > Seconds{0}) {
    const Time first = anchor + every_;
    found = after < first ? first : anchor + ((after - anchor) / every_ + 1) * every_;
  } else {
    const year_month_day date{floor<std::chrono::days>(after)};
    const std::chrono::year last = std::min(date.year() + kHorizon, kLastYear);
    found = fields_.fixed_time ? next_fixed(after, last) : next_interval(after, last);
  }
  if (found && *found >= kEnd) return std::nullopt;
  return found;
}

// Each local time maps to one instant (first_instant_of), and these are in the same order.
std::optional<Time> CronSpec::next_fixed(Time after, std::chrono::year last) const {
  LocalTime from = floor<Minutes>(zone_.to_local(after));
  while (const std::optional<LocalTime> local = fields_.at_or_after(from, last)) {
    const sys_seconds at = zone_.first_instant_of(*local);
    if (at > after) return at;
    from = *local + Minutes{1};
  }
  return std::nullopt;
}

// Goes through the spans of constant offset and searches the local times of each.
std::optional<Time> CronSpec::next_interval(Time after, std::chrono::year last) const {
  sys_seconds from = floor<Seconds>(after) + Seconds{1};
  for (;;) {
    const TimeZone::Span span = zone_.span_at(from);
    const LocalTime local{from.time_since_epoch() + span.offset};
    const std::optional<LocalTime> match = fields_.at_or_after(local, last);
    if (!match) return std::nullopt;
    const sys_seconds at{match->time_since_epoch() - span.offset};
    if (at < span.end) return at;
    from = span.end;
  }
}

std::int64_t CronSpec::count(Time after, Time until, Time anchor) const {
  if (until <= after) return 0;
  if (every_ > Seconds{0}) {
    const auto by = [&](Time time) { return std::max<std::int64_t>(0, (time - anchor) / every_); };
    return by(until) - by(after);
  }
  const sys_seconds from = floor<Seconds>(after) + Seconds{1};
  const sys_seconds to = floor<Seconds>(until) + Seconds{1};
  return fields_.fixed_time ? count_fixed(from, to) : count_interval(from, to);
}

// Local times are counted as they come up for the first time. Those that a change skips, and the
// one that it leads to, come up together.
std::int64_t CronSpec::count_fixed(sys_seconds from, sys_seconds to) const {
  std::int64_t count = 0;
  while (from < to) {
    const TimeZone::Span span = zone_.span_at(from);
    sys_seconds until = std::min(to, span.end);
    const bool change = from == span.begin;
    if (change) until = from + Seconds{1};
    const std::int64_t matches = fields_.count(zone_.new_at(from), zone_.new_at(until));
    count += change ? std::min<std::int64_t>(matches, 1) : matches;
    from = until;
  }
  return count;
}

// Goes through the spans of constant offset.
std::int64_t CronSpec::count_interval(sys_seconds from, sys_seconds to) const {
  std::int64_t count = 0;
  while (from < to) {
    const TimeZone::Span span = zone_.span_at(from);
    const sys_seconds until = std::min(to, span.end);
    count += fields_.count(LocalTime{from.time_since_epoch() + span.offset},
                           LocalTime{until.time_since_epoch() + span.offset});
    from = until;
  }
  return count;
}

}  // namespace postern
