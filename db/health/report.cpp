#include "db/health/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace postern::db::health {
namespace {

Checks checks_for(const std::string& tenant, Time here) {
  if (!tenant.empty()) return delivery_checks();
  Checks out = delivery_checks();
  const Checks clock_check{{"clock", [here](Patient& patient) { return clock(patient, here); }}};
  for (const auto& some :
       {engine_checks(), upkeep_checks(), server_checks(), clock_check, schema_checks()}) {
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

// What PostgreSQL says of its own names is for those who run it.
Diagnosis not_checked(const PgError& error, const std::string& tenant) {
  if (error.is_busy()) return skip("the database had no time for this check", "look again later");
  return {Grade::wrong,
          tenant.empty() ? fmt::format("could not be checked: {}", error.what())
                         : std::string("could not be checked"),
          "run `postern migrate`, which gives the programs their rights"};
}

}  // namespace

Report examine(PgConnection& connection, const std::string& tenant, Time here) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + kPatience;
  Report out;
  out.now = connection.exec({"", "SELECT now()"}).time(0, 0);
  Patient patient(connection, tenant);
  out.schedulers = patient.schedulers();
  out.breakers = paced_lanes(connection, out.schedulers, tenant);
  if (tenant.empty()) {
    out.installation = {handlers(connection), database_numbers(connection), partitions(connection)};
  }
  for (const auto& check : checks_for(tenant, here)) {
    Finding finding{check.name, {Grade::ok, "", ""}};
    try {
      finding.verdict = Clock::now() < end
                            ? check.run(patient)
                            : skip("the checks before this one took too long", "look again later");
    } catch (const PgError& error) {
      if (error.connection_lost()) throw;
      finding.verdict = not_checked(error, tenant);
    }
    const Grade grade = finding.verdict.grade;
    if (grade != Grade::skipped) out.status = std::max(out.status, grade);
    out.checks.push_back(std::move(finding));
  }
  return out;
}

}  // namespace postern::db::health
