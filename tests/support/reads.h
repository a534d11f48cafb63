// What statements read, whatever their time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "db/pg/connection.h"

namespace postern::test {

struct Reads {
  std::int64_t scanned;  // rows, by scans of whole tables
  std::int64_t blocks;   // of the tables and their indexes
};

// What `work` reads over `connection` of `tables`, such as "postern.task, postern.lease", and of
// their partitions. It runs in a transaction, which is committed.
Reads reads_of(db::PgConnection& connection, const std::string& tables,
               const std::function<void()>& work);

}  // namespace postern::test
