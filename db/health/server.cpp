// PostgreSQL itself: its version, its settings, its clock.
#include <fmt/format.h>

#include <chrono>

#include "db/health/check.h"
#include "db/schema/migrations.h"
#include "db/schema/roles.h"

namespace postern::db::health {
namespace {

Diagnosis server(Patient& patient) {
  const auto version = patient.number("SELECT current_setting('server_version_num')::integer");
  return wrong_unless(version >= 150000,
                      fmt::format("PostgreSQL {}", patient.text("SHOW server_version")),
                      "Postern needs PostgreSQL 15 or newer");
}

Diagnosis durability(Patient& patient) {
  auto& connection = patient.connection;
  const auto unsafe = unsafe_durability(connection);
  return wrong_unless(!unsafe, unsafe.value_or("what is acknowledged is on disk"),
                      "set fsync, full_page_writes and synchronous_commit to on");
}

// What somebody has set for this database or its roles, or for the whole server, and what Postern
// does not expect. Its programs undo most of it for themselves; who enqueues by SQL does not.
Diagnosis settings(Patient& patient) {
  const auto odd = patient.text(R"sql(
    WITH expected(name, value) AS (VALUES
      ('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off'),
      ('default_transaction_deferrable', 'off'), ('session_replication_role', 'origin'), ('role', 'none'),
      ('standard_conforming_strings', 'on'), ('transform_null_equals', 'off'), ('array_nulls', 'on'),
      ('enable_indexscan', 'on'), ('enable_indexonlyscan', 'on'), ('enable_nestloop', 'on'),
      ('enable_partition_pruning', 'on'), ('plpgsql.variable_conflict', 'error'), ('plpgsql.extra_errors', 'none')),
    given(name, value, place) AS (
      SELECT split_part(c, '=', 1), substr(c, strpos(c, '=') + 1),
             concat_ws(', ', 'database ' || d.datname, 'role ' || r.rolname)
        FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c
        LEFT JOIN pg_database d ON d.oid = s.setdatabase
        LEFT JOIN pg_roles r ON r.oid = s.setrole
       WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
         AND (s.setrole = 0 OR EXISTS (
           SELECT FROM pg_roles p WHERE p.rolname = ANY($1::text[])
              AND pg_has_role(s.setrole, p.oid, 'MEMBER')))),
    found AS (
      SELECT * FROM given
      UNION ALL
      SELECT name, reset_val, 'server' FROM pg_settings WHERE name NOT IN (SELECT name FROM given))
    SELECT coalesce(string_agg(format('%s = %s (%s)', name, f.value, place), ', ' ORDER BY name, place), '')
      FROM found f JOIN expected e USING (name)
     WHERE lower(f.value) <> e.value
       AND lower(f.value) IS DISTINCT FROM CASE e.value WHEN 'on' THEN 'true' WHEN 'off' THEN 'false' END)sql",
                                Params().array(all_roles()));
  return wrong_unless(
      odd.empty(), odd.empty() ? "none of the server, the database or a role is odd" : odd,
      "take it back with ALTER SYSTEM, ALTER DATABASE or ALTER ROLE ... RESET: Postern's "
      "programs undo what they "
      "can for themselves, but not for who calls postern.enqueue");
}

}  // namespace

Checks server_checks() {
  return {{"server", server}, {"durability", durability}, {"settings", settings}};
}

Diagnosis clock(Patient& patient, Time here) {
  const auto row = patient.connection.exec({"", "SELECT clock_timestamp()"});
  const auto off = std::chrono::abs(here - row.time(0, 0));
  const auto ms = std::chrono::duration_cast<Milliseconds>(off).count();
  return wrong_unless(ms < 2000, fmt::format("differs from this machine's by {} ms", ms),
                      "set both by NTP: tokens are judged, and webhooks signed, by this machine's");
}

}  // namespace postern::db::health
