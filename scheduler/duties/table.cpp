#include "scheduler/duties/table.h"

namespace postern::scheduler {

using namespace std::chrono_literals;

std::vector<Duty> duty_table(const DutyOptions& options) {
  const auto when_asked_for = [](std::string_view name, DutyFunction run) {
    return Duty{name, 0s, run, Duty::Connection::duties, Monotonic::max()};
  };
  return {
      {"heartbeat", beat_period(options.rescue_after), heartbeat, Duty::Connection::results},
      when_asked_for("rescue", rescue),
      when_asked_for("reclaim", reclaim),
      {"promote", 1s, promote},
      when_asked_for("route", route),
      when_asked_for("follow", follow),
      when_asked_for("fire", fire),
      {"make_partitions", 1h, make_partitions},
      {"drop_partitions", 10min, drop_partitions},
      {"expire_keys", 1min, expire_keys},
      {"expire_entries", 5s, expire_entries},
      {"discard_surplus", 2s, discard_surplus},
      {"fold_counters", 1min, fold_counters},
      {"forget_dependencies", 1h, forget_dependencies},
      {"forget_runs", 6h, forget_runs},
      {"forget_moved", 1h, forget_moved},
      {"note_lanes", 5s, note_lanes},
      {"collect_lanes", 10min, collect_lanes},
      {"count_times", 5s, count_times},
      {"tell_health", 5s, tell_health},
      {"expire_health", 10min, expire_health},
      {"count_minute", 5s, count_minute},
      {"expire_minutes", 1min, expire_minutes},
      {"measure_queues", kMeasurePeriod, measure_queues, Duty::Connection::gauges},
  };
}

}  // namespace postern::scheduler
