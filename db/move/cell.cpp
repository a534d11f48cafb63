#include "db/move/cell.h"

#include <algorithm>

#include <fmt/format.h>

#include "db/catalog/schedulers.h"
#include "db/pg/rows.h"

namespace postern::db {
namespace {

constexpr Column<MoveUnderWay> kMoveColumns[] = {
    {"tenant", [](MoveUnderWay& move, const Value& value) { move.tenant = value.text(); }},
    {"source", [](MoveUnderWay& move, const Value& value) { move.source = value.boolean(); }},
    {"other", [](MoveUnderWay& move, const Value& value) { move.other = value.text(); }},
    {"step", [](MoveUnderWay& move, const Value& value) { move.step = move_step(value.text()); }},
    {"state",
     [](MoveUnderWay& move, const Value& value) { move.state = tenant_state(value.text()); }},
    {"left", [](MoveUnderWay& move, const Value& value) { move.left = value.boolean(); }},
    {"age", [](MoveUnderWay& move, const Value& value) { move.age = Seconds{value.integer()}; }},
};
constexpr Statement kMoves{"", R"sql(
  SELECT m.tenant, m.source, m.other, m.step, coalesce(t.state, 'here') AS state, postern.move_is_left(m.tenant, m.updated_at) AS left,
         extract(epoch FROM now() - m.updated_at)::bigint AS age
    FROM postern.move m LEFT JOIN postern.tenant t ON t.name = m.tenant ORDER BY m.tenant)sql"};

constexpr Column<RunningProgram> kProgramColumns[] = {
    {"program", [](RunningProgram& each, const Value& value) { each.program = value.text(); }},
    {"name", [](RunningProgram& each, const Value& value) { each.name = value.text(); }},
    {"cell", [](RunningProgram& each, const Value& value) { each.cell = value.text(); }},
};
// One that was started again is there twice for a while.
constexpr Statement kPrograms{"", R"sql(
  SELECT DISTINCT ON (program, name) program, name, coalesce(gauges ->> 'cell', '') AS cell
    FROM postern.instance WHERE beat_at > now() - interval '1 minute' ORDER BY program, name, started_at DESC)sql"};

constexpr Statement kNow{"", R"sql(
  SELECT clock_timestamp() AS now, (
           SELECT format('%s.%s.%s', r / 1000000, r / 1000 % 1000, r % 1000) FROM (
             SELECT max(release) AS r FROM postern.applied) a) AS version)sql"};

std::vector<RunningProgram> running_programs(PgConnection& connection) {
  const auto rows = connection.exec(kPrograms);
  return RowReader<RunningProgram>(rows, kProgramColumns).all();
}

void refuse_other_label(PgConnection& connection, const std::string& label) {
  for (const auto& [program, name, cell] : running_programs(connection)) {
    if (cell == label) continue;
    throw MoveRefused(
        Refusal::impossible,
        "the database of the cell {} has a {} ({}) {}: it is not that cell's, or `cell = {}` is "
        "missing in the program's settings, or it was not restarted since: one that has ended is "
        "among them for a minute. Nothing was done",
        label, program, name, cell.empty() ? "without a label" : "of the cell " + cell, label);
  }
}

}  // namespace

CellReport report_cell(PgConnection& connection) {
  CellReport out;
  out.identity = database_identity(connection);
  const auto now = connection.exec(kNow);
  out.now = now.time(0, now.column("now"));
  out.version = now.text(0, now.column("version"));
  const auto heard = schedulers(connection);
  for (const auto& [name, scheduler] : by_name(heard)) out.schedulers += scheduler.up;
  const auto moves = connection.exec(kMoves);
  out.moves = RowReader<MoveUnderWay>(moves, kMoveColumns).all();
  out.programs = running_programs(connection);
  return out;
}

void refuse_wrong_cells(Ends& ends, bool gone) {
  const auto source = end_state(ends.source, ends.tenant);
  if (!gone && (source.move || source.state != TenantState::here)) return;
  refuse_other_label(ends.source, ends.source_cell);
  refuse_other_label(ends.target, ends.target_cell);
  if (gone || schedulers_heard(ends.target).up > 0) return;
  throw MoveRefused(
      Refusal::impossible,
      "no scheduler is up in the database of the cell {0}: nothing would be delivered there, and "
      "nothing tells that it is that cell's. Look at the file of {0}, and start the scheduler. "
      "Nothing was done",
      ends.target_cell);
}

}  // namespace postern::db
