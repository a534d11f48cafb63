// The same transition for many tasks. All of it blocks, and throws PgError.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/ids.h"
#include "db/pg/connection.h"
#include "db/tasks/tasks.h"

namespace postern::db {

enum class BulkVerb { cancel, retry };

// What became of each of `ids`, in their order, as of cancel_task and retry_task (which `rules` is
// for). One transaction.
std::vector<Transition> transit_each(PgConnection& connection, BulkVerb verb,
                                     std::string_view tenant, std::span<const TaskId> ids,
                                     const Uuid& instance, Rules rules = std::nullopt);

// Through all tasks that match, a step at a time. Where a step ended, to begin the next one with.
struct SweepPlace {
  std::string queue;
  std::string state;
  TaskId id;
  Time begun;  // of the first step: what is made later is left alone, so that a sweep ends
};
struct SweepStep {
  std::int64_t done = 0;
  std::optional<SweepPlace> next;  // nullopt: that was all
};

// Looks at up to 10,000 tasks and carries out up to `most` transitions, in one transaction.
// Each task is looked at once: one that is retried and fails again is not retried twice. Of the
// filter count queue, states, tag, endpoint, reason and times. REQUIRES: states are given.
SweepStep sweep(PgConnection& connection, BulkVerb verb, std::string_view tenant,
                const TaskFilter& filter, const std::optional<SweepPlace>& from,
                const Uuid& instance, int most);

}  // namespace postern::db
