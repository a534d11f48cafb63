// What a cell's database says of the cell, for comparing cells.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/time/time.h"
#include "db/catalog/placement.h"
#include "db/move/ends.h"
#include "db/pg/connection.h"

namespace postern::db {

// A move that is not over, at this end of it.
struct MoveUnderWay {
  std::string tenant;
  bool source = false;
  std::string other;
  MoveStep step = MoveStep::copying;
  TenantState state = TenantState::here;  // of the tenant, at this end
  bool left = false;                      // no command is at it
  Seconds age{0};                         // since it was last heard of
};

// A handler or a scheduler that has been heard of within the last minute.
struct RunningProgram {
  std::string program, name;
  std::string cell;  // its label; empty: it has none
};

struct CellReport {
  std::string identity;  // see database_identity
  Time now;              // by its clock
  std::string version;   // of the newest program that has migrated it
  std::int64_t schedulers = 0;
  std::vector<MoveUnderWay> moves;
  std::vector<RunningProgram> programs;
};

// Throws PgError.
CellReport report_cell(PgConnection& connection);

// Before a move that no earlier call has begun, and before each call of forget_tenant (`gone`):
// throws MoveRefused when a program at either end has another label than that end's, since the
// connection leads to the database of another cell then. And when a move is to begin and the target
// has no scheduler that is up, whose label would tell that it is the right one. A move that has
// begun is known at both ends by its id and their servers, and may have to end a pause.
void refuse_wrong_cells(Ends& ends, bool gone);

}  // namespace postern::db
