#include "core/time/zones.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

#include <date/tz.h>

namespace postern {
namespace {

using std::chrono::floor;
using std::chrono::sys_seconds;

// The host's own zone, which the library lists among the IANA names.
constexpr std::string_view kHostsOwn = "localtime";

// Where the library looks, too.
constexpr std::string_view kFolder = "/usr/share/zoneinfo/";

std::optional<ZoneRule> rule_of(const std::string& name) {
  std::ifstream in(std::string(kFolder) + name, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  return ZoneRule::parse(zone_footer(file));
}

}  // namespace

struct TimeZone::Zone {
  explicit Zone(const date::time_zone& zone) : listed(zone), rule(rule_of(zone.name())) {
    if (rule) rule_begins = listed.get_info(sys_seconds{kFarAway}).begin;
  }

  static constexpr auto kFarAway = date::sys_days{date::year{30'000} / 1 / 1}.time_since_epoch();

  const date::time_zone& listed;  // the library's, never freed
  std::optional<ZoneRule> rule;
  sys_seconds rule_begins = sys_seconds::max();  // the last change that is listed
};

// nullptr: there is no such zone.
const TimeZone::Zone* TimeZone::load(std::string_view name) {
  static std::mutex mutex;
  static auto& zones = *new std::map<std::string, Zone, std::less<>>;
  const std::lock_guard lock(mutex);
  if (const auto found = zones.find(name); found != zones.end()) return &found->second;
  date::get_tzdb();  // outside the try: a missing database is a fault, not an unknown name
  const date::time_zone* listed = nullptr;
  try {
    listed = date::locate_zone(name);
  } catch (const std::runtime_error&) {  // the library knows no such zone
    return nullptr;
  }
  return &zones.try_emplace(std::string(name), *listed).first->second;
}

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone found;
  if (name == "UTC") return found;
  if (name == kHostsOwn) return std::nullopt;
  found.zone_ = load(name);
  if (found.zone_ == nullptr) return std::nullopt;
  return found;
}

TimeZone::Span TimeZone::span_at(Time time) const {
  if (zone_ == nullptr) return {sys_seconds::min(), sys_seconds::max(), Seconds{0}};
  const auto at = floor<Seconds>(time);
  if (at >= zone_->rule_begins) {
    Span span = zone_->rule->span_at(at);
    span.begin = std::max(span.begin, zone_->rule_begins);
    return span;
  }
  const date::sys_info info = zone_->listed.get_info(at);
  return {info.begin, info.end, info.offset};
}

LocalTime TimeZone::to_local(Time time) const {
  return LocalTime{floor<Seconds>(time).time_since_epoch() + span_at(time).offset};
}

sys_seconds TimeZone::first_instant_of(LocalTime local) const {
  const sys_seconds as_utc{local.time_since_epoch()};
  // Offsets are less than a day, so the span that holds `local` does not end before this.
  Span span = span_at(as_utc - std::chrono::days{1});
  while (as_utc - span.offset >= span.end) span = span_at(span.end);
  return std::max(as_utc - span.offset, span.begin);
}

LocalTime TimeZone::new_at(sys_seconds time) const {
  // What was shown two days ago is over, since clocks differ by less than that.
  Span span = span_at(time - std::chrono::days{2});
  LocalTime shown = LocalTime::min();
  for (;; span = span_at(span.end)) {
    const sys_seconds until = std::min(time, span.end);
    shown = std::max(shown, LocalTime{until.time_since_epoch() + span.offset});
    if (span.end >= time) return shown;
  }
}

}  // namespace postern
