// Where the scan of a lane's ready tasks begins. What has been claimed and settled leaves dead
// entries at the beginning of its lane until PostgreSQL's next vacuum, which may be a minute away,
// or for as long as somebody holds an old snapshot. A scheduler that remembers how far it has come
// needs not walk over them.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/pg/parameters.h"

namespace postern::db {

// What a lane's id stands for, as its tasks have it. `endpoint`: empty when they have a URL.
struct LaneName {
  std::string tenant, queue, endpoint;
};

// A place in a lane, of which one priority is scanned from there on. `rank` is 100 less the
// priority: lanes are in ascending order of rank, start and id.
struct LaneMark {
  int rank;
  Time run_at;
  Uuid id;
};

constexpr int rank_of(int priority) { return 100 - priority; }

// The scans of lanes as arrays for a statement: each goes from a place to the end of a rank.
class LaneScans {
 public:
  int size() const { return size_; }
  // Adds those of a lane: of each mark's rank from the mark on, of all others whole. REQUIRES: the
  // marks ascend, one for a rank.
  void add(std::span<const LaneMark> marks);
  // Four arrays: rank, start and id to begin at, and the last rank.
  void add_to(Params& params) const;

 private:
  void add(int rank, Time run_at, const Uuid& id, int last_rank);

  Array rank_{Oid::int4}, run_at_{Oid::timestamptz}, id_{Oid::uuid}, last_rank_{Oid::int4};
  int size_ = 0;
};

}  // namespace postern::db
