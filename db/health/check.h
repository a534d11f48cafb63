// Checks that need a connection and nothing else, by topic: for `postern doctor` and GET
// /v1/health, which so say the same of the same trouble. None writes; each looks at a bounded
// number of rows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time/time.h"
#include "db/catalog/schedulers.h"
#include "db/pg/connection.h"

namespace postern::db::health {

// `wrong`: something does not work, or will not. `warning`: somebody should know. `skipped`: this
// login, or this host, cannot tell.
enum class Grade { ok, warning, wrong, skipped };  // worse ones later, but the last
// "ok", "warning", "wrong" or "skipped".
const char* word(Grade grade);

struct Diagnosis {
  Grade grade;
  std::string finding;
  std::string hint;  // what to do when not ok
};
inline Diagnosis wrong_unless(bool ok, std::string finding, std::string hint) {
  return {ok ? Grade::ok : Grade::wrong, std::move(finding), std::move(hint)};
}
inline Diagnosis warning_unless(bool ok, std::string finding, std::string hint) {
  return {ok ? Grade::ok : Grade::warning, std::move(finding), std::move(hint)};
}
inline Diagnosis skip(std::string why, std::string hint) {
  return {Grade::skipped, std::move(why), std::move(hint)};
}

class Patient {
 public:
  // The connection must outlive it. `whose`: the tenant that is looked at; empty: all, and the
  // installation.
  explicit Patient(PgConnection& its, std::string whose = {})
      : connection(its), tenant(std::move(whose)) {}

  PgConnection& connection;
  const std::string tenant;

  // As they were when a check first asked for them.
  const std::vector<SchedulerNumbers>& schedulers();
  // Of the first row.
  std::int64_t number(const char* sql) const;
  std::string text(const char* sql, const Params& params = {}) const;

 private:
  std::optional<std::vector<SchedulerNumbers>> schedulers_;
};

struct Check {
  const char* name;
  std::function<Diagnosis(Patient&)> run;
};
using Checks = std::vector<Check>;

// Each in the order in which they are shown.
Checks server_checks();    // PostgreSQL and its settings
Checks schema_checks();    // what `postern migrate` makes
Checks engine_checks();    // what the schedulers keep for all tenants
Checks delivery_checks();  // what is under way; the only ones that tell tenants apart
Checks upkeep_checks();    // what slows PostgreSQL down

// How far the database's clock is from `here`, a machine's that works with it.
Diagnosis clock(Patient& patient, Time here);

}  // namespace postern::db::health
