// What has to follow from a task's end or creation (table `sequel`): whoever waits for it is looked
// at again, and its callback is made. Statements for a Channel.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/task.h"
#include "db/pg/connection.h"
#include "db/tasks/insertion.h"

namespace postern::db {

constexpr int kSequelsAtOnce = 500;

// The oldest ones of up to 10 tenants in turn, those behind `behind` first: up to `most` in all, of
// each tenant its share, and no more than 4 MiB to be told in callbacks. Locks nothing.
extern const BuiltStatement kSequels;
Params sequels_params(std::string_view behind = {}, int most = kSequelsAtOnce);
struct Sequel {
  std::int64_t id = 0;
  TaskId task;
  std::optional<Task> ended;  // when its callback is to be made: the task as it ended
};
struct Sequels {
  std::vector<Sequel> sequels;
  std::string tenant;  // the last one in turn
};
Sequels sequels_from(const PgResult& result);

// A callback to be inserted if and only if its sequel is taken away by us.
struct Callback {
  std::int64_t sequel;
  NewTask task;
  std::int64_t lane;
};
// Wakes what waits for `sequels` and takes them away, those in front first: looks at about `most`
// tasks.
extern const BuiltStatement kWake;
Params wake_params(const Uuid& instance, std::span<const Sequel> sequels,
                   int most = kSequelsAtOnce);
// The same, and inserts the callbacks of those that it takes away.
extern const BuiltStatement kFollow;
Params follow_params(const Uuid& instance, std::span<const Sequel> sequels,
                     std::span<const Callback> callbacks, int most = kSequelsAtOnce);
struct Woken {
  std::string lanes;  // that have ready tasks now, as notifications name them; may repeat
  bool later;         // a tick is to look: some will be ready
  bool busy;          // some are under somebody's lock, and have sequels for a moment later
};
// nullopt: another scheduler was at it, nothing was done; ask again.
std::optional<Woken> woken_from(const PgResult& result);

}  // namespace postern::db
