// The heartbeat of each program: its row in postern.instance. The schedulers' statements are for a
// Channel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/time/time.h"
#include "core/wire/scheduler_gauges.h"
#include "db/pg/connection.h"

namespace postern::db {

// Beats for this scheduler (making its row the first time) and returns every scheduler's.
extern const Statement kBeat;
Params beat_params(const Uuid& id, std::string_view name, const SchedulerGauges& gauges);
struct Heartbeat {
  Uuid id;
  std::string name;
  std::int64_t beat;
  Time clock = {};  // the database's at that time; a model of it has none
};
std::vector<Heartbeat> beats_from(const PgResult& result);

// Takes this scheduler's row away: a clean stop, nothing to rescue.
extern const Statement kLeave;
Params leave_params(const Uuid& id);

// A handler's row, made at its start and beaten by it while it runs. One that stops leaves its row
// to be folded, since its counters may still be on their way. `cell`: its label; empty: it has
// none. Returns the database's time.
Time beat_handler(PgConnection& connection, const Uuid& id, std::string_view name,
                  std::string_view cell);

}  // namespace postern::db
