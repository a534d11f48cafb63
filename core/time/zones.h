// Time zones: conversion between UTC and local time. The only user of the date library's time zone
// part, which reads the system's /usr/share/zoneinfo.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "core/time/time.h"

namespace date {
class time_zone;
}

namespace postern {

using LocalTime = std::chrono::local_time<Seconds>;  // the time that a wall clock shows

// Cheap to copy; safe for any number of threads.
//
// A zone is read from disk at its first use and kept while the program runs: an update of the
// system's database takes effect after a restart. The database lists the changes up to 2037 and
// gives a rule for later years, which the library does not read: after 2037 a zone keeps its last
// offset.
class TimeZone {
 public:
  // UTC, which needs no database.
  TimeZone() = default;

  // The zone "UTC" or of an IANA name ("Europe/Berlin", "Etc/GMT+5"), case-sensitive. nullopt for
  // anything else, such as a path, and for "localtime", which differs between hosts. Throws
  // std::runtime_error when the system has no database.
  static std::optional<TimeZone> find(std::string_view name);

  // A period of constant offset: begin <= t < end, local = t + offset.
  struct Span {
    std::chrono::sys_seconds begin, end;
    Seconds offset;
  };
  Span span_at(Time time) const;

  LocalTime to_local(Time time) const;
  // The instant at which a wall clock shows `local` for the first time; for a skipped local time,
  // the instant of the clock change. Never decreases when `local` grows.
  std::chrono::sys_seconds first_instant_of(LocalTime local) const;
  // The first local time that no wall clock has shown or skipped before `time`: that of `time`,
  // unless it was set back lately.
  LocalTime new_at(std::chrono::sys_seconds time) const;

 private:
  const date::time_zone* zone_ = nullptr;  // null: UTC; otherwise owned by the library, never freed
};

}  // namespace postern
