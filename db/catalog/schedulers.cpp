#include "db/catalog/schedulers.h"

#include <iterator>
#include <utility>

namespace postern::db {
namespace {

constexpr Statement kSchedulers{"metrics_schedulers", R"sql(
  SELECT name, version, started_at, extract(epoch FROM now() - beat_at)::float8, beat_at > now() - interval '1 minute',
         gauges::text
    FROM postern.instance WHERE program = 'postern-scheduler' ORDER BY name, started_at)sql"};

constexpr Statement kSchedulerAlive{"scheduler_alive", R"sql(
  SELECT EXISTS (SELECT FROM postern.instance
                  WHERE program = 'postern-scheduler' AND beat_at > now() - interval '1 minute'))sql"};

}  // namespace

std::vector<SchedulerNumbers> schedulers(PgConnection& connection) {
  std::vector<SchedulerNumbers> out;
  const auto rows = connection.exec(kSchedulers);
  for (int i = 0; i < rows.rows(); ++i) {
    auto gauges = scheduler_gauges_from(rows.text(i, 5));
    out.push_back({std::string(rows.text(i, 0)), std::string(rows.text(i, 1)), rows.time(i, 2),
                   rows.float8(i, 3), rows.boolean(i, 4), gauges.slots, gauges.in_flight,
                   gauges.parked, std::move(gauges.lanes)});
  }
  return out;
}

std::vector<SchedulerGauges::Lane> lanes_held_back(
    const std::vector<SchedulerNumbers>& schedulers) {
  std::vector<SchedulerGauges::Lane> out;
  for (const auto& each : schedulers) {
    if (!each.up) continue;
    for (const auto& lane : each.lanes) {
      if (lane.state != "closed") out.push_back(lane);
    }
  }
  return out;
}

bool scheduler_alive(PgConnection& connection) {
  return connection.exec(kSchedulerAlive).boolean(0, 0);
}

}  // namespace postern::db
