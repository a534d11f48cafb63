#include "db/catalog/paced_lanes.h"

#include <algorithm>
#include <iterator>

namespace postern::db {
namespace {

// $1, $2: lanes and their states. $3: the tenant, empty: all.
constexpr Statement kPacedLanes{"paced_lanes", R"sql(
  SELECT DISTINCT l.tenant, l.queue, l.target, held.state
    FROM unnest($1::int8[], $2::text[]) AS held(lane, state)
    JOIN postern.lane l ON l.id = held.lane
   WHERE $3 = '' OR l.tenant = $3
   ORDER BY l.tenant, l.queue, l.target, held.state LIMIT $4)sql"};

}  // namespace

std::vector<PacedLane> paced_lanes(PgConnection& connection,
                                   const std::vector<SchedulerNumbers>& schedulers,
                                   std::string_view tenant) {
  Array lane(Oid::int8), state(Oid::text);
  for (const auto& held : lanes_held_back(schedulers)) {
    lane.int8(held.lane);
    state.text(held.state);
  }
  const auto rows = connection.exec(
      kPacedLanes, Params().array(lane).array(state).text(tenant).int8(kMostPacedLanes));
  std::vector<PacedLane> out;
  for (int i = 0; i < rows.rows(); ++i) {
    out.push_back({std::string(rows.text(i, 0)), std::string(rows.text(i, 1)),
                   std::string(rows.text(i, 2)), std::string(rows.text(i, 3))});
  }
  return out;
}

std::vector<PacedLane> open_breakers(const std::vector<PacedLane>& lanes) {
  std::vector<PacedLane> out;
  std::ranges::copy_if(lanes, std::back_inserter(out),
                       [](const PacedLane& lane) { return lane.state == "open"; });
  return out;
}

}  // namespace postern::db
