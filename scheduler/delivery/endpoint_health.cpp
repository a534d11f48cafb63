#include "scheduler/delivery/endpoint_health.h"

#include <chrono>
#include <utility>

namespace postern::scheduler {

void EndpointHealth::add(const db::Claimed& task, const db::Settlement& end,
                         Milliseconds duration) {
  if (!task.resolved) return;
  // By the database's clock, which stood at claimed_at when the attempt began.
  const Time ended = task.claimed_at + duration;
  const Time at = std::chrono::floor<std::chrono::minutes>(ended);
  auto& minute = minutes_[{task.spec.tenant, *task.resolved, at}];
  minute.tenant = task.spec.tenant;
  minute.endpoint = *task.resolved;
  minute.minute = at;
  ++minute.attempts;
  // One without a record goes on: its receiver has accepted it.
  if (end.attempt && end.attempt->status == "failed") ++minute.failed;
  ++minute.durations[bucket_of(duration)];
}

std::vector<db::EndpointMinute> EndpointHealth::take() {
  std::vector<db::EndpointMinute> out;
  for (auto& [key, minute] : std::exchange(minutes_, {})) out.push_back(std::move(minute));
  return out;
}

}  // namespace postern::scheduler
