#include "db/catalog/schedulers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace postern::db {
namespace {

constexpr Statement kSchedulers{"metrics_schedulers", R"sql(
  SELECT name, version, started_at, extract(epoch FROM now() - beat_at)::float8, beat_at > now() - interval '1 minute',
         gauges::text
    FROM postern.instance WHERE program = 'postern-scheduler' ORDER BY name, started_at)sql"};

constexpr Statement kSchedulersHeard{"schedulers_heard", R"sql(
  SELECT count(*) FILTER (WHERE beat_at > now() - interval '1 minute'),
         extract(epoch FROM now() - max(beat_at))::float8
    FROM postern.instance WHERE program = 'postern-scheduler')sql"};

}  // namespace

std::vector<SchedulerNumbers> schedulers(PgConnection& connection) {
  std::vector<SchedulerNumbers> out;
  const auto rows = connection.exec(kSchedulers);
  for (int i = 0; i < rows.rows(); ++i) {
    auto gauges = scheduler_gauges_from(rows.text(i, 5));
    out.push_back({std::string(rows.text(i, 0)), std::string(rows.text(i, 1)), rows.time(i, 2),
                   rows.float8(i, 3), rows.boolean(i, 4), gauges.slots, gauges.in_flight,
                   gauges.parked, std::move(gauges.lanes), std::move(gauges.egress_ports_allow)});
  }
  return out;
}

std::map<std::string_view, NamedScheduler> by_name(
    const std::vector<SchedulerNumbers>& schedulers) {
  std::map<std::string_view, NamedScheduler> out;
  for (const auto& each : schedulers) {
    auto& [up, in_flight, parked] = out[each.name];
    up = up || each.up;
    if (!each.up) continue;
    in_flight += each.in_flight;
    parked += each.parked;
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

SchedulersHeard schedulers_heard(PgConnection& connection) {
  const auto row = connection.exec(kSchedulersHeard);
  SchedulersHeard heard{.up = row.integer(0, 0)};
  if (!row.is_null(0, 1)) heard.seconds_since = std::max(0.0, row.float8(0, 1));
  return heard;
}

}  // namespace postern::db
