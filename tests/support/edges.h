// Tests of what is counted by minutes, hours or days, whose statements must not fall into two of
// them.
#pragma once

#include <fmt/format.h>

#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::test {

// Waits for the next minute (hour, day: by `length`, in UTC) when this one is over soon. `shift`:
// each begins so much later than on the clock.
inline void await_time_before_edge(db::PgConnection& connection, Seconds length,
                                   Seconds shift = Seconds{0}) {
  connection.script(
      fmt::format("SELECT pg_sleep(CASE WHEN rest < 5 THEN rest ELSE 0 END) FROM "
                  "(SELECT {0} - mod(extract(epoch FROM clock_timestamp()) - {1}, {0}) AS rest) t",
                  length.count(), shift.count()));
}

}  // namespace postern::test
