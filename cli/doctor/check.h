// The checks of `postern doctor`, by topic.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command/context.h"
#include "db/catalog/metrics.h"
#include "db/pg/connection.h"

namespace postern::admin::doctor {

// `wrong`: something does not work, or will not. `warning`: somebody should know. `skipped`: this
// login, or this host, cannot tell.
enum class Grade { ok, warning, wrong, skipped };

struct Verdict {
  Grade grade;
  std::string finding;
  std::string hint;  // what to do when not ok
};
inline Verdict wrong_unless(bool ok, std::string finding, std::string hint) {
  return {ok ? Grade::ok : Grade::wrong, std::move(finding), std::move(hint)};
}
inline Verdict warning_unless(bool ok, std::string finding, std::string hint) {
  return {ok ? Grade::ok : Grade::warning, std::move(finding), std::move(hint)};
}
inline Verdict skip(std::string why, std::string hint) {
  return {Grade::skipped, std::move(why), std::move(hint)};
}

class Patient {
 public:
  // Both must outlive it.
  Patient(const Context& of, db::PgConnection& its) : context(of), connection(its) {}

  const Context& context;
  db::PgConnection& connection;

  // What /metrics shows, as it was when a check first asked for it.
  const db::Numbers& numbers();
  std::int64_t number(const char* sql) const;
  std::string text(const char* sql, const db::Params& params = {}) const;

 private:
  std::optional<db::Numbers> numbers_;
};

struct Check {
  const char* name;
  std::function<Verdict(Patient&)> run;
};

// Each in the order in which they are shown.
std::vector<Check> server_checks();    // PostgreSQL and its settings
std::vector<Check> schema_checks();    // what `postern migrate` makes
std::vector<Check> delivery_checks();  // what is under way
std::vector<Check> host_checks();      // this host's files
std::vector<Check> upkeep_checks();    // what slows PostgreSQL down

}  // namespace postern::admin::doctor
