// Time zones: conversion between UTC and local time. The only user of the date library's time zone
// part, which reads the system's /usr/share/zoneinfo, and of the rules in these files, which the
// library does not read.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "core/time/time.h"
#include "core/time/zone_rule.h"

namespace postern {

using LocalTime = std::chrono::local_time<Seconds>;  // the time that a wall clock shows

// Cheap to copy; safe for any number of threads.
//
// A zone is read from disk at its first use and kept while the program runs: an update of the
// system's database takes effect after a restart. A file lists the changes up to 2037, or fewer of
// them, and gives a rule for all later ones; a file without a rule that can be read keeps its last
// offset.
class TimeZone {
 public:
  // UTC, which needs no database.
  TimeZone() = default;

  // The zone "UTC" or of an IANA name ("Europe/Berlin", "Etc/GMT+5"), case-sensitive. nullopt for
  // anything else, such as a path, and for "localtime", which differs between hosts. Throws
  // std::runtime_error when the system has no database.
  static std::optional<TimeZone> find(std::string_view name);

  using Span = ZoneSpan;
  Span span_at(Time time) const;

  LocalTime to_local(Time time) const;
  // The instant at which a wall clock shows `local` for the first time; for a skipped local time,
  // the instant of the clock change. Never decreases when `local` grows.
  std::chrono::sys_seconds first_instant_of(LocalTime local) const;
  // The first local time that no wall clock has shown or skipped before `time`: that of `time`,
  // unless it was set back lately.
  LocalTime new_at(std::chrono::sys_seconds time) const;

 private:
  struct Zone;
  static const Zone* load(std::string_view name);

  const Zone* zone_ = nullptr;  // null: UTC; otherwise never freed
};

}  // namespace postern
