#include "tests/scheduler/simulation/receivers.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace postern::simulation {

using namespace std::chrono_literals;
using scheduler::HttpResult;

std::vector<std::string> Receivers::hosts() const {
  std::vector<std::string> out;
  for (const auto& [host, mood] : moods_) out.push_back(host);
  return out;
}

void Receivers::heal() {
  for (auto& [host, mood] : moods_) {
    if (mood != Mood::failing) mood = Mood::well;
  }
}

Receivers::Behaviour Receivers::call(const std::string& host, const TaskId& task,
                                     Milliseconds timeout) {
  auto& random = world_.random;
  const auto found = moods_.find(host);
  const Mood mood = found == moods_.end() ? Mood::well : found->second;
  Behaviour out;
  auto& result = out.result;
  result.kind = HttpResult::Kind::answered;
  result.status = 200;
  result.duration = Milliseconds{random.number(1, 80)};
  switch (mood) {
    case Mood::well: break;
    case Mood::slow: result.duration = Milliseconds{random.number(100, 8'000)}; break;
    case Mood::flaky:
      if (random.chance(0.4)) result.status = random.chance(0.5) ? 500 : 503;
      break;
    case Mood::failing: result.status = random.chance(0.1) ? 410 : 500; break;
    case Mood::busy:
      result.status = 429;
      result.headers.push_back({"retry-after", std::to_string(random.number(1, 5))});
      break;
    case Mood::down:
      result.kind = HttpResult::Kind::not_connected;
      result.duration = 1ms;
      break;
    case Mood::hanging: result.duration = timeout; break;
    case Mood::deferring: {
      const Seconds time{random.number(2, 20)};
      result.status = 202;
      result.headers.push_back({"postern-defer", std::to_string(time.count())});
      if (random.chance(0.7)) defer(task, time);
      break;
    }
  }
  if (result.duration >= timeout) {
    result.duration = timeout;
    result.kind = HttpResult::Kind::timed_out;
  }
  if (result.kind != HttpResult::Kind::answered) {
    result.status = 0;
    result.error = "out of reach";
  }
  out.ok = result.status == 200;
  return out;
}

// Tells the end at some time, perhaps when it is too late.
void Receivers::defer(const TaskId& task, Seconds time) {
  const auto lease = database_.leases().find(task);
  if (lease == database_.leases().end()) return;
  world_.after(world_.random.time(100ms, time + 2s), [this, task, lease = lease->second.lease] {
    const auto now = database_.leases().find(task);
    const bool deferred = now != database_.leases().end() && now->second.deferred;
    if (deferred && database_.complete_deferred(task, lease)) checker_.told_completed(task);
  });
}

void Network::start(std::uint64_t id, scheduler::OutgoingRequest request) {
  std::optional<TaskId> task;
  int attempt = 0;
  for (const auto& [name, value] : request.headers) {
    if (name == "webhook-id") task = parse_task_id(value);
    if (name == "Postern-Attempt") {
      std::from_chars(value.data(), value.data() + value.size(), attempt);
    }
  }
  const auto behaviour = receivers_.call(request.url.authority(), *task, request.timeout);
  const auto end = world_.now() + behaviour.result.duration;
  checker_.sent(*task, {scheduler_, attempt, world_.now(), end, behaviour.ok});
  ++active_;
  Ended ended{{id, behaviour.result}, *task, world_.now()};
  world_.at(end, [network = weak_from_this(), generation = generation_, ended] {
    const auto self = network.lock();
    if (!self || self->generation_ != generation) return;
    --self->active_;
    self->ended_.push_back(ended);
    self->wake_();
  });
}

std::vector<scheduler::Transport::Finished> Network::take_finished() {
  std::vector<Finished> out;
  for (auto& [finished, task, begun] : std::exchange(ended_, {})) {
    checker_.heard(task, scheduler_, begun, finished.result);
    out.push_back(std::move(finished));
  }
  return out;
}

void Network::drop() {
  ++generation_;
  active_ = 0;
  ended_.clear();
  checker_.cut_off(scheduler_);
}

}  // namespace postern::simulation
