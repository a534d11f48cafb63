// What holds back PostgreSQL's vacuum, and makes everything slower.
#include <fmt/format.h>

#include "db/health/check.h"

namespace postern::db::health {
namespace {

Diagnosis oldest_transaction(Patient& patient) {
  auto& connection = patient.connection;
  // Others' transactions are shown to members of pg_read_all_stats alone.
  if (!connection.exec({"", "SELECT pg_has_role('pg_read_all_stats', 'MEMBER')"}).boolean(0, 0)) {
    return skip("this login sees no transaction but its own",
                "GRANT pg_monitor TO postern_operator shows them, if you like");
  }
  const auto row = connection.exec({"", R"sql(
    SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::bigint FROM pg_stat_activity
     WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
       AND backend_type = 'client backend')sql"});
  const auto seconds = row.integer(0, 0);
  return warning_unless(
      seconds < 60, fmt::format("{} s old", seconds),
      "end it (pg_stat_activity.backend_xmin): while it runs, dead rows pile up and claims "
      "slow down");
}

Diagnosis prepared_transactions(Patient& patient) {
  const auto old = patient.number(
      "SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '1 minute'");
  const auto slots = patient.number("SELECT count(*) FROM pg_replication_slots WHERE NOT active");
  return warning_unless(
      old + slots == 0,
      fmt::format("{} prepared transactions, {} inactive replication slots", old, slots),
      "finish or drop them: they hold back vacuum");
}

Diagnosis dead_tuples(Patient& patient) {
  auto& connection = patient.connection;
  const auto row = connection.exec({"", R"sql(
    SELECT coalesce(max(n_dead_tup), 0), coalesce(max(n_live_tup), 0) FROM pg_stat_user_tables
     WHERE schemaname = 'postern' AND relname = 'task')sql"});
  const auto dead = row.integer(0, 0);
  const auto live = row.integer(0, 1);
  return warning_unless(
      dead < 100'000 || dead < live, fmt::format("{} dead, {} live in postern.task", dead, live),
      "is autovacuum on, and no old transaction in its way? VACUUM postern.task helps at once");
}

Diagnosis transaction_ids(Patient& patient) {
  const auto age = patient.number("SELECT max(age(datfrozenxid)) FROM pg_database");
  return wrong_unless(
      age < 500'000'000, fmt::format("{} million used of 2,000", age / 1'000'000),
      "let autovacuum freeze: find what holds it back before PostgreSQL stops taking writes");
}

}  // namespace

Checks upkeep_checks() {
  return {{"oldest transaction", oldest_transaction},
          {"held back vacuum", prepared_transactions},
          {"dead tuples", dead_tuples},
          {"transaction ids", transaction_ids}};
}

}  // namespace postern::db::health
