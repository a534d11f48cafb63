#include "core/time/zones.h"

#include <algorithm>
#include <stdexcept>

#include <date/tz.h>

namespace postern {
namespace {

using std::chrono::floor;
using std::chrono::sys_seconds;

// The host's own zone, which the library lists among the IANA names.
constexpr std::string_view kHostsOwn = "localtime";

}  // namespace

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone found;
  if (name == "UTC") return found;
  if (name == kHostsOwn) return std::nullopt;
  date::get_tzdb();  // outside the try: a missing database is a fault, not an unknown name
  try {
    found.zone_ = date::locate_zone(name);
  } catch (const std::runtime_error&) {  // the library knows no such zone
    return std::nullopt;
  }
  return found;
}

TimeZone::Span TimeZone::span_at(Time time) const {
  if (zone_ == nullptr) return {sys_seconds::min(), sys_seconds::max(), Seconds{0}};
  const date::sys_info info = zone_->get_info(floor<Seconds>(time));
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
