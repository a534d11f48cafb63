// Time zones: what wall clocks show where. The only user of the date library's time zone part,
// which reads the system's /usr/share/zoneinfo.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "core/time/time.h"

namespace date {
class time_zone;
}

namespace postern {

using LocalTime = std::chrono::local_time<Seconds>;  // what a wall clock shows

// Cheap to copy; safe for any number of threads.
//
// A zone is read from disk when it is first used and kept while the program runs: an update of the
// system's database is seen after a restart. The database spells its changes out up to 2037 and
// gives a rule for later years, which the library does not read: from then on a zone stays at the
// last offset.
class TimeZone {
 public:
  // UTC, which needs no database.
  TimeZone() = default;

  // "UTC" or an IANA name ("Europe/Berlin", "Etc/GMT+5"), case as the database has it. nullopt for
  // anything else: a path, and "localtime", which would mean another zone on another host. Throws
  // std::runtime_error when there is no database at all.
  static std::optional<TimeZone> find(std::string_view name);

  // A time during which wall clocks are not changed: begin <= t < end, local = t + offset.
  struct Span {
    std::chrono::sys_seconds begin, end;
    Seconds offset;
  };
  Span span_at(Time time) const;

  LocalTime to_local(Time time) const;
  // When a wall clock shows `local` for the first time. A time that clocks skip is taken for the
  // moment at which they jump. Never decreases when `local` grows.
  std::chrono::sys_seconds first_instant_of(LocalTime local) const;

 private:
  const date::time_zone* zone_ = nullptr;  // null: UTC; otherwise the library's, for ever
};

}  // namespace postern
