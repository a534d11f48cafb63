#include "db/engine/lane_scan.h"

namespace postern::db {
namespace {

constexpr int kLastRank = 100;
// Before every start that a task can have, or be given by a row that is odd.
constexpr Time kBeforeAll = Time::min();

}  // namespace

void LaneScans::add(std::span<const LaneMark> marks) {
  int next = 0;  // the first rank that no scan covers yet
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const auto& [rank, run_at, id] = marks[i];
    if (next < rank) add(next, kBeforeAll, Uuid{}, rank - 1);
    next = i + 1 < marks.size() ? marks[i + 1].rank : kLastRank + 1;
    add(rank, run_at, id, next - 1);
  }
  if (next <= kLastRank) add(next, kBeforeAll, Uuid{}, kLastRank);
}

void LaneScans::add(int rank, Time run_at, const Uuid& id, int last_rank) {
  rank_.int4(rank);
  run_at_.time(run_at);
  id_.uuid(id);
  last_rank_.int4(last_rank);
  ++size_;
}

void LaneScans::add_to(Params& params) const {
  for (const auto* column : {&rank_, &run_at_, &id_, &last_rank_}) params.array(*column);
}

}  // namespace postern::db
