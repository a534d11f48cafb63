// How tasks have ended lately, for a look from time to time. Blocks; throws PgError when the
// database does not play along.
#pragma once

#include <cstdint>
#include <string_view>

#include "db/pg/connection.h"

namespace postern::db {

struct RecentEnds {
  std::int64_t ended = 0, failed = 0;

  // Of 100 that ended; 0 when none did.
  double failed_percent() const {
    return ended == 0 ? 0 : 100.0 * static_cast<double>(failed) / static_cast<double>(ended);
  }
  // So many that their share says something: one failure of two does not.
  bool enough() const { return ended >= 10; }
};

// From this share on somebody should look, unless an administrator says another.
constexpr int kManyFailedPercent = 10;

// Of the 1,000 newest tasks that have ended, of all tenants: those that ended within 15 minutes. Of
// one, when `tenant` is not empty: all that the schedulers counted in the last 15 whole minutes.
RecentEnds recent_ends(PgConnection& connection, std::string_view tenant = {});

}  // namespace postern::db
