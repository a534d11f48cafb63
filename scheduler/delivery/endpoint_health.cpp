#include "scheduler/delivery/endpoint_health.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace postern::scheduler {

void EndpointHealth::add(const db::Claimed& task, const db::Settlement& end,
                         Milliseconds duration) {
  // By the database's clock, which stood at claimed_at when the attempt began.
  const Time ended = task.claimed_at + duration;
  const Time at = std::chrono::floor<std::chrono::minutes>(ended);
  const auto count = [&](std::string_view endpoint) {
    auto& minute = minutes_[{task.spec.tenant, std::string(endpoint), at}];
    minute.tenant = task.spec.tenant;
    minute.endpoint = endpoint;
    minute.minute = at;
    ++minute.attempts;
    // One without a record goes on: its receiver has accepted it.
    if (end.attempt && end.attempt->status == "failed") ++minute.failed;
    ++minute.durations[bucket_of(duration)];
  };
  count(db::kAnyEndpoint);
  if (task.resolved) count(*task.resolved);
}

std::vector<db::EndpointMinute> EndpointHealth::take() {
  std::vector<db::EndpointMinute> out;
  for (auto& [key, minute] : std::exchange(minutes_, {})) out.push_back(std::move(minute));
  return out;
}

}  // namespace postern::scheduler
