// Finished tasks are kept in partitions of a day; retention drops whole ones. Statements for a
// Channel.
#pragma once

#include <string_view>

#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db {

// Makes the partitions for the days ahead, of both retention classes. Returns how many.
extern const Statement kMakePartitions;
// Drops one partition older than the class's retention. Returns its name, or NULL.
extern const Statement kDropPartition;
Params drop_partition_params(std::string_view retention_class, Seconds keep);

}  // namespace postern::db
