// What the schedulers keep for all tenants: the partitions of finished tasks. And moves of tenants
// that were left half done.
#include <fmt/format.h>

#include "db/health/check.h"

namespace postern::db::health {
namespace {

Diagnosis partitions(Patient& patient) {
  const auto ahead = patient.number(R"sql(
    SELECT min(days) FROM (
      SELECT count(c.oid) AS days FROM unnest(ARRAY['short', 'standard']) k
        LEFT JOIN pg_class c ON c.relnamespace = 'postern'::regnamespace
             AND CASE WHEN c.relname ~ ('^task_finished_' || k || '_[0-9]{8}$')
                      THEN to_date(right(c.relname, 8), 'YYYYMMDD') >= current_date END
       GROUP BY k) per_class)sql");
  return wrong_unless(ahead >= 2, fmt::format("made for {} days from today", ahead),
                      "is a postern-scheduler running? It makes them every hour");
}

Diagnosis stray_rows(Patient& patient) {
  const auto rows = patient.number(R"sql(
    SELECT count(*) FROM (SELECT FROM postern.task_finished_short_default
                          UNION ALL SELECT FROM postern.task_finished_standard_default LIMIT 1000) rows)sql");
  return warning_unless(
      rows == 0,
      fmt::format("{}{} rows in DEFAULT partitions", rows, rows == 1000 ? " or more" : ""),
      "they move as soon as their day's partition is made; is a postern-scheduler running?");
}

// Those that no command is at.
Diagnosis moves(Patient& patient) {
  const auto row = patient.connection.exec({"", R"sql(
    SELECT count(*), count(*) FILTER (WHERE t.state = 'fenced'), count(*) FILTER (WHERE t.state = 'draining')
      FROM postern.move m LEFT JOIN postern.tenant t ON t.name = m.tenant WHERE postern.move_is_left(m.tenant, m.updated_at))sql"});
  const auto left = row.integer(0, 0), fenced = row.integer(0, 1), draining = row.integer(0, 2);
  constexpr char kHint[] =
      "`postern tenant move` in the cell that the tenant leaves goes on with the move, or undoes "
      "it "
      "by --undo";
  if (fenced + draining == 0) {
    return warning_unless(left == 0, fmt::format("{} moves of tenants without a command", left),
                          kHint);
  }
  return {Grade::wrong,
          fmt::format("{} moves of tenants without a command: the writes of {} are refused, and "
                      "{} more are not delivered",
                      left, fenced, draining),
          kHint};
}

}  // namespace

Checks engine_checks() {
  return {{"partitions", partitions}, {"stray rows", stray_rows}, {"moves", moves}};
}

}  // namespace postern::db::health
