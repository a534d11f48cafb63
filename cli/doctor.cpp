// `postern doctor`: a list of checks, each with a verdict and, when it fails, a hint.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <set>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/base/url.h"
#include "core/model/closed_ports.h"
#include "core/program/clock.h"
#include "core/program/jwt_policy.h"
#include "core/wire/scheduler_gauges.h"
#include "db/schema/drift.h"
#include "db/schema/migrations.h"

namespace postern::admin {
namespace {

struct Verdict {
  bool ok;
  std::string finding;
  std::string hint;  // what to do when not ok
};

struct Check {
  const char* name;
  Verdict (*run)(db::PgConnection&);
};

// A new connection with the session of a scheduler, by this command's own login.
Verdict session(const Context& context) {
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
  return {refused.empty(), refused.empty() ? "a scheduler's settings are taken over" : refused,
          "a scheduler is slow without them: look at POSTERN_DATABASE and at what is between this "
          "program and PostgreSQL"};
}

// The file of keys that the handlers check tokens with, as far as this command is told of it.
Verdict token_keys(const Settings& settings) {
  if (settings.jwt_keys_file.empty()) return {true, "no jwt_keys_file is set", ""};
  try {
    const auto keys = read_jwt_public_keys(settings);
    return {true, fmt::format("{} in {}", keys.size(), settings.jwt_keys_file), ""};
  } catch (const std::runtime_error& error) {
    return {false, error.what(),
            "postern-fcgi does not start with it: it must be PEM or a JSON Web Key Set that "
            "postern_api may read"};
  }
}

std::int64_t number(db::PgConnection& connection, const char* sql) {
  return connection.exec({"", sql}).integer_or_null(0, 0).value_or(0);
}

std::string text(db::PgConnection& connection, const char* sql) {
  return std::string(connection.exec({"", sql}).text(0, 0));
}

Verdict server(db::PgConnection& connection) {
  const auto version = number(connection, "SELECT current_setting('server_version_num')::integer");
  return {version >= 150000, fmt::format("PostgreSQL {}", text(connection, "SHOW server_version")),
          "Postern needs PostgreSQL 15 or newer"};
}

Verdict durability(db::PgConnection& connection) {
  const auto unsafe = db::unsafe_durability(connection);
  return {!unsafe, unsafe.value_or("what is acknowledged is on disk"),
          "set fsync, full_page_writes and synchronous_commit to on"};
}

// What somebody has set for this database or its roles, or for the whole server, and what Postern
// does not expect. Its programs undo most of it for themselves; who enqueues by SQL does not.
Verdict settings(db::PgConnection& connection) {
  const auto odd = text(connection, R"sql(
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
           SELECT FROM pg_roles p WHERE p.rolname IN ('postern_owner', 'postern_api', 'postern_scheduler', 'postern_enqueue')
              AND pg_has_role(s.setrole, p.oid, 'MEMBER')))),
    found AS (
      SELECT * FROM given
      UNION ALL
      SELECT name, reset_val, 'server' FROM pg_settings WHERE name NOT IN (SELECT name FROM given))
    SELECT coalesce(string_agg(format('%s = %s (%s)', name, f.value, place), ', ' ORDER BY name, place), '')
      FROM found f JOIN expected e USING (name)
     WHERE lower(f.value) <> e.value
       AND lower(f.value) IS DISTINCT FROM CASE e.value WHEN 'on' THEN 'true' WHEN 'off' THEN 'false' END)sql");
  return {odd.empty(), odd.empty() ? "none of the server, the database or a role is odd" : odd,
          "take it back with ALTER SYSTEM, ALTER DATABASE or ALTER ROLE ... RESET: Postern's "
          "programs undo what they "
          "can for themselves, but not for who calls postern.enqueue"};
}

Verdict schema(db::PgConnection& connection) {
  const auto misfit = db::schema_misfit(connection);
  return {!misfit, misfit.value_or("it fits this program"), "run `postern migrate`"};
}

Verdict drift(db::PgConnection& connection) {
  const auto changed = db::schema_drift(connection);
  return {changed.empty(),
          changed.empty() ? "functions, rights and roles are this program's"
                          : fmt::format("differ from this program's: {}", fmt::join(changed, ", ")),
          "run `postern migrate --reapply`, or find out who changed them"};
}

Verdict roles(db::PgConnection& connection) {
  const auto missing = text(connection, R"sql(
    SELECT coalesce(string_agg(r, ', '), '') FROM unnest(ARRAY['postern_owner', 'postern_api',
      'postern_scheduler', 'postern_enqueue']) r
     WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r))sql");
  if (!missing.empty())
    return {false, "missing: " + missing, "run `postern migrate` as a superuser"};
  const auto too_much = text(connection, R"sql(
    SELECT coalesce(string_agg(rolname, ', '), '') FROM pg_roles
     WHERE rolname IN ('postern_api', 'postern_scheduler', 'postern_enqueue')
       AND (rolsuper OR rolcreaterole OR rolcreatedb OR pg_has_role(rolname, 'postern_owner', 'MEMBER')))sql");
  return {too_much.empty(),
          too_much.empty() ? "all there, least privilege" : "may do too much: " + too_much,
          "take SUPERUSER, CREATEROLE, CREATEDB and membership in postern_owner from it"};
}

Verdict partitions(db::PgConnection& connection) {
  const auto ahead = number(connection, R"sql(
    SELECT min(days) FROM (
      SELECT count(c.oid) AS days FROM unnest(ARRAY['short', 'standard']) k
        LEFT JOIN pg_class c ON c.relnamespace = 'postern'::regnamespace
             AND CASE WHEN c.relname ~ ('^task_finished_' || k || '_[0-9]{8}$')
                      THEN to_date(right(c.relname, 8), 'YYYYMMDD') >= current_date END
       GROUP BY k) per_class)sql");
  return {ahead >= 2, fmt::format("made for {} days from today", ahead),
          "is a postern-scheduler running? It makes them every hour"};
}

Verdict stray_rows(db::PgConnection& connection) {
  const auto rows = number(connection, R"sql(
    SELECT count(*) FROM (SELECT FROM postern.task_finished_short_default
                          UNION ALL SELECT FROM postern.task_finished_standard_default LIMIT 1000) rows)sql");
  return {rows == 0,
          fmt::format("{}{} rows in DEFAULT partitions", rows, rows == 1000 ? " or more" : ""),
          "they move as soon as their day's partition is made; is a postern-scheduler running?"};
}

Verdict scheduler(db::PgConnection& connection) {
  const auto alive = number(connection, R"sql(
    SELECT count(*) FROM postern.instance
     WHERE program = 'postern-scheduler' AND beat_at > now() - interval '30 seconds')sql");
  return {alive > 0, fmt::format("{} alive", alive),
          "start postern-scheduler: nothing is delivered without one"};
}

// Endpoints with a port that a scheduler would refuse.
Verdict egress(db::PgConnection& connection) {
  const auto gauges = connection.exec({"", R"sql(
    SELECT gauges::text FROM postern.instance
     WHERE program = 'postern-scheduler' AND beat_at > now() - interval '30 seconds')sql"});
  std::set<int> allowed;
  for (int i = 0; i < gauges.rows(); ++i) {
    const auto ports = scheduler_gauges_from(gauges.text(i, 0)).egress_ports_allow;
    allowed.insert(ports.begin(), ports.end());
  }
  // A port is written in a URL only where it is not the scheme's.
  const auto endpoints = connection.exec({"", R"sql(
    SELECT tenant, name, url FROM postern.endpoint WHERE url ~ '^https?://[^/?#]*:[0-9]+([/?#]|$)'
     ORDER BY tenant, name LIMIT 100000)sql"});
  constexpr int kNamed = 10;
  std::string closed;
  int count = 0;
  for (int i = 0; i < endpoints.rows(); ++i) {
    const auto url = parse_url(endpoints.text(i, 2), "url");
    if (!url || closed_port(url->port).empty() || allowed.contains(url->port)) continue;
    if (++count > kNamed) continue;
    closed += fmt::format("{}{}/{} ({}, {})", closed.empty() ? "" : ", ", endpoints.text(i, 0),
                          endpoints.text(i, 1), url->port, closed_port(url->port));
  }
  if (count > kNamed) closed += fmt::format(" and {} more", count - kNamed);
  return {count == 0, count == 0 ? "no endpoint has a closed port" : "closed: " + closed,
          "tasks for them fail as egress_denied: change the endpoints, or name the ports in the "
          "schedulers' egress_ports_allow"};
}

Verdict clock(db::PgConnection& connection) {
  const auto row = connection.exec({"", "SELECT clock_timestamp()"});
  const auto here = wall_clock();
  const auto off = std::chrono::abs(here - row.time(0, 0));
  const auto ms = std::chrono::duration_cast<Milliseconds>(off).count();
  return {ms < 2000, fmt::format("differs from this machine's by {} ms", ms),
          "set both by NTP: task ids and signatures carry this machine's time"};
}

Verdict oldest_transaction(db::PgConnection& connection) {
  const auto row = connection.exec({"", R"sql(
    SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::bigint FROM pg_stat_activity
     WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
       AND backend_type = 'client backend')sql"});
  const auto seconds = row.integer(0, 0);
  return {seconds < 60, fmt::format("{} s old", seconds),
          "end it (pg_stat_activity.backend_xmin): while it runs, dead rows pile up and claims "
          "slow down"};
}

Verdict prepared_transactions(db::PgConnection& connection) {
  const auto old =
      number(connection,
             "SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '1 minute'");
  const auto slots =
      number(connection, "SELECT count(*) FROM pg_replication_slots WHERE NOT active");
  return {old + slots == 0,
          fmt::format("{} prepared transactions, {} inactive replication slots", old, slots),
          "finish or drop them: they hold back vacuum"};
}

Verdict dead_tuples(db::PgConnection& connection) {
  const auto row = connection.exec({"", R"sql(
    SELECT coalesce(max(n_dead_tup), 0), coalesce(max(n_live_tup), 0) FROM pg_stat_user_tables
     WHERE schemaname = 'postern' AND relname = 'task')sql"});
  const auto dead = row.integer(0, 0);
  const auto live = row.integer(0, 1);
  return {dead < 100'000 || dead < live,
          fmt::format("{} dead, {} live in postern.task", dead, live),
          "is autovacuum on, and no old transaction in its way? VACUUM postern.task helps at once"};
}

Verdict transaction_ids(db::PgConnection& connection) {
  const auto age = number(connection, "SELECT max(age(datfrozenxid)) FROM pg_database");
  return {age < 500'000'000, fmt::format("{} million used of 2,000", age / 1'000'000),
          "let autovacuum freeze: find what holds it back before PostgreSQL stops taking writes"};
}

constexpr Check kChecks[] = {
    {"server", server},
    {"durability", durability},
    {"settings", settings},
    {"schema", schema},
    {"drift", drift},
    {"roles", roles},
    {"partitions", partitions},
    {"stray rows", stray_rows},
    {"scheduler", scheduler},
    {"egress", egress},
    {"clock", clock},
    {"oldest transaction", oldest_transaction},
    {"held back vacuum", prepared_transactions},
    {"dead tuples", dead_tuples},
    {"transaction ids", transaction_ids},
};

}  // namespace

void add_doctor(Command& app, Context& context) {
  Command command = app.add("doctor", "Look for what is wrong; exit 1 when something is");
  command.run([&context] {
    auto connection = context.connect(false);
    bool all_well = true;
    std::vector<std::vector<std::string>> rows{{"connection", "ok", "established", ""}};
    const auto add = [&](const char* name, const std::function<Verdict()>& run) {
      Verdict verdict{false, "", ""};
      try {
        verdict = run();
      } catch (const std::exception& error) {
        verdict = {false, fmt::format("could not be checked: {}", error.what()),
                   "run the doctor as a superuser, on a migrated database"};
      }
      all_well = all_well && verdict.ok;
      rows.push_back(
          {name, verdict.ok ? "ok" : "WRONG", verdict.finding, verdict.ok ? "" : verdict.hint});
    };
    for (const auto& check : kChecks) add(check.name, [&] { return check.run(connection); });
    add("session", [&] { return session(context); });
    add("token keys", [&] { return token_keys(context.settings); });
    print_table({"check", "verdict", "finding", "hint"}, rows, context.json);
    if (!all_well) std::exit(1);
  });
}

}  // namespace postern::admin
