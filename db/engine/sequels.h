// What has to follow from a task's end or creation (table `sequel`): whoever waits for it is looked
// at again, and its callback is made. Statements for a Channel.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/model/task.h"
#include "db/pg/connection.h"
#include "db/tasks/insertion.h"

namespace postern::db {

constexpr int kSequelsAtOnce = 500;

// The oldest ones, up to kSequelsAtOnce. Locks nothing.
extern const BuiltStatement kSequels;
struct Sequel {
  std::int64_t id = 0;
  TaskId task;
  std::optional<Task> ended;  // when its callback is to be made: the task as it ended
};
std::vector<Sequel> sequels_from(const PgResult& result);

// A callback to be inserted if and only if its sequel is taken away by us.
struct Callback {
  std::int64_t sequel;
  NewTask task;
  std::int64_t lane;
};
// Wakes what waits for `sequels` and takes them away, those in front first, a bounded part at a
// time.
extern const BuiltStatement kWake;
Params wake_params(const Uuid& instance, std::span<const Sequel> sequels);
// The same, and inserts the callbacks of those that it takes away.
extern const BuiltStatement kFollow;
Params follow_params(const Uuid& instance, std::span<const Sequel> sequels,
                     std::span<const Callback> callbacks);
struct Woken {
  std::string lanes;  // that have ready tasks now, as notifications name them; may repeat
  bool later;         // a tick is to look: some will be ready, or were under somebody's lock
  bool more;          // of the sequels some are left, or new ones are there
};
// nullopt: another scheduler was at it, nothing was done; ask again.
std::optional<Woken> woken_from(const PgResult& result);

}  // namespace postern::db
