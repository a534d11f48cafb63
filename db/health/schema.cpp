// What `postern migrate` makes: schema, roles and rights.
#include <fmt/format.h>

#include "db/health/check.h"
#include "db/schema/migrations.h"
#include "db/schema/roles.h"

namespace postern::db::health {
namespace {

Diagnosis schema(Patient& patient) {
  auto& connection = patient.connection;
  const auto misfit = schema_misfit(connection);
  return wrong_unless(!misfit, misfit.value_or("it fits this program"), "run `postern migrate`");
}

Diagnosis roles(Patient& patient) {
  const auto missing = missing_roles(patient.connection);
  if (!missing.empty()) {
    return wrong_unless(false, fmt::format("missing: {}", fmt::join(missing, ", ")),
                        "run `postern migrate` as a superuser or a role with CREATEROLE");
  }
  const auto too_much = patient.text(R"sql(
    SELECT coalesce(string_agg(rolname, ', '), '') FROM pg_roles
     WHERE rolname IN ('postern_api', 'postern_scheduler', 'postern_operator', 'postern_enqueue')
       AND (rolsuper OR rolcreaterole OR rolcreatedb OR pg_has_role(rolname, 'postern_owner', 'MEMBER')))sql");
  return wrong_unless(
      too_much.empty(),
      too_much.empty() ? "all there, least privilege" : "may do too much: " + too_much,
      "take SUPERUSER, CREATEROLE, CREATEDB and membership in postern_owner from it");
}

// What each role needs of the cluster and of this database; the hint is what to run.
Diagnosis rights(Patient& patient) {
  const auto missing = patient.text(R"sql(
    SELECT coalesce(string_agg(statement, '; ' ORDER BY statement), '') FROM (
      SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), r) AS statement
        FROM unnest($1::text[]) r
       WHERE NOT has_database_privilege(r, current_database(), 'CONNECT')
      UNION ALL
      SELECT format('ALTER ROLE %I LOGIN', rolname) FROM pg_roles
       WHERE rolname = ANY($1) AND NOT rolcanlogin
      UNION ALL
      SELECT 'GRANT postern_owner TO postern_migrator' WHERE NOT pg_has_role('postern_migrator', 'postern_owner', 'MEMBER')) s)sql",
                                    Params().array(login_roles()));
  return wrong_unless(missing.empty(),
                      missing.empty() ? "each role can log in here" : "missing: " + missing,
                      "run it as the database's owner or a superuser, or `postern migrate`");
}

// The timeouts of roles.sql, which a migrator without CREATEROLE could not set.
Diagnosis role_timeouts(Patient& patient) {
  const auto missing = patient.text(R"sql(
    SELECT coalesce(string_agg(format('ALTER ROLE %I SET %I = %L', w.role, w.name, w.value), '; '), '')
      FROM (VALUES ('postern_api', 'statement_timeout', '5s'), ('postern_api', 'lock_timeout', '2s'),
                   ('postern_api', 'idle_in_transaction_session_timeout', '5s'),
                   ('postern_scheduler', 'statement_timeout', '15s'), ('postern_scheduler', 'lock_timeout', '5s'),
                   ('postern_scheduler', 'idle_in_transaction_session_timeout', '10s')) w(role, name, value)
     WHERE NOT EXISTS (
       SELECT FROM pg_db_role_setting s JOIN pg_roles o ON o.oid = s.setrole
        WHERE o.rolname = w.role AND s.setdatabase = 0 AND w.name || '=' || w.value = ANY(s.setconfig)))sql");
  return warning_unless(missing.empty(),
                        missing.empty() ? "as they should be" : "missing: " + missing,
                        "run it as a superuser, or `postern migrate` as one: it is a seat belt for "
                        "people who log in as these roles");
}

}  // namespace

Checks schema_checks() {
  return {
      {"schema", schema}, {"roles", roles}, {"rights", rights}, {"role timeouts", role_timeouts}};
}

}  // namespace postern::db::health
