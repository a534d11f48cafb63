// Which lanes were claimed from, for the rows that tell people what a lane's id stands for. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_set>
#include <vector>

#include "core/model/task.h"
#include "core/time/time.h"
#include "db/engine/lanes.h"

namespace postern::scheduler {

// Confined to one thread.
class LaneUse {
 public:
  // A task of this lane was claimed.
  void add(std::int64_t lane, const TaskSpec& task);

  // Up to `most` lanes that the database does not know to be in use; they are not returned again
  // unless they are claimed from again. What the database knows is believed for a while only, so
  // that a row that was removed is made again.
  std::vector<db::LaneRow> take(std::size_t most, Monotonic now);
  bool empty() const { return waiting_.empty(); }

  // The database knows now.
  void noted(std::span<const db::LaneRow> lanes);

 private:
  std::map<std::int64_t, db::LaneRow> waiting_;
  std::unordered_set<std::int64_t> noted_;
  Monotonic forget_at_{};  // all of noted_
};

}  // namespace postern::scheduler
