// What takes a connection of its own, or the migrator's rights.
#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "cli/doctor/check.h"
#include "db/pg/login.h"
#include "db/schema/drift.h"

namespace postern::admin::doctor {
namespace {

using db::health::Diagnosis;
using db::health::Patient;
using db::health::wrong_unless;

// A new connection with the session of a scheduler, by this command's own login.
Diagnosis session(const Context& context) {
  auto options = context.connection_options(false);
  options.session = db::scheduler_session();
  auto connection = db::PgConnection::connect(options);
  std::string refused;
  for (const auto& [name, value] : options.session) {
    const auto taken =
        connection.exec({"", "SELECT current_setting($1, true)"}, db::Params().text(name));
    if (taken.is_null(0, 0) || taken.text(0, 0) == value) continue;  // NULL: a newer server's
    refused += fmt::format("{}{} is {}", refused.empty() ? "" : ", ", name, taken.text(0, 0));
  }
  return wrong_unless(
      refused.empty(), refused.empty() ? "a scheduler's settings are taken over" : refused,
      "a scheduler is slow without them: look at POSTERN_DATABASE and at what is between this "
      "program and PostgreSQL");
}

Diagnosis drift_seen_by(db::PgConnection& connection) {
  const auto changed = db::schema_drift(connection);
  return wrong_unless(changed.empty(),
                      changed.empty()
                          ? "functions, rights and roles are this program's"
                          : fmt::format("differ from this program's: {}", fmt::join(changed, ", ")),
                      "run `postern migrate --reapply`, or find out who changed them");
}

// It migrates in a transaction that is rolled back, so it is for who may migrate. Root may.
Diagnosis drift(const Context& context, Patient& patient) {
  constexpr char kActs[] = R"sql(
    SELECT pg_has_role('postern_owner', CASE WHEN current_setting('server_version_num')::integer < 160000
                                        THEN 'MEMBER' ELSE 'SET' END))sql";
  auto& connection = patient.connection;
  if (connection.exec({"", kActs}).boolean(0, 0)) return drift_seen_by(connection);
  const auto options = context.connection_options(false, kMigrator);
  if (geteuid() == 0 && db::target_of(options.conninfo).user.empty()) {
    try {
      auto migrator = db::PgConnection::connect(options);
      return drift_seen_by(migrator);
    } catch (const db::PgError&) {
      // Said below.
    }
  }
  return db::health::skip("to compare the schema with this program's needs the migrator's rights",
                          "runuser -u postern_migrator -- postern doctor");
}

}  // namespace

db::health::Checks connection_checks(const Context& context) {
  return {{"session", [&](Patient&) { return session(context); }},
          {"drift", [&](Patient& patient) { return drift(context, patient); }}};
}

}  // namespace postern::admin::doctor
