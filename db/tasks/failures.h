// Failed tasks grouped by what they have in common. Blocks, and throws PgError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/task.h"
#include "db/pg/connection.h"

namespace postern::db {

struct FailureFilter {
  std::string queue = {};                  // empty: any
  std::string endpoint = {};               // by name; empty: any
  std::optional<Reason> reason = {};       // nullopt: any
  std::optional<Time> created_since = {};  // inclusive
  std::optional<Time> created_until = {};  // exclusive
};

// The failed tasks of a queue that ended for one reason on their way to one target.
struct FailureGroup {
  std::string reason, queue;
  std::optional<std::string> endpoint, host;  // the one that the tasks name
  std::int64_t count = 0;
  Time first_at, last_at;  // when they ended
  std::string last_error;  // of the one that ended last; its first 500 characters
  TaskId last_task;
};

struct Failures {
  std::vector<FailureGroup> groups;  // those with the most tasks first
  std::int64_t looked = 0;           // tasks that were looked at
  bool complete = true;              // there are no others that might match
};

// So many failed tasks are looked at, those that ended last, and so many groups are told.
constexpr int kFailuresLooked = 2'500;
constexpr int kFailureGroups = 200;

Failures failures(PgConnection& connection, std::string_view tenant, const FailureFilter& filter);

}  // namespace postern::db
