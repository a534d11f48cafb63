#include "tests/scheduler/simulation/checker.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "core/model/lane.h"

namespace postern::simulation {
namespace {

using namespace std::chrono_literals;

bool is_lost(const db::Settlement& end) { return end.attempt && end.attempt->status == "lost"; }

}  // namespace

void Checker::violated(const TaskId& id, const std::string& rule) {
  world_.violated(fmt::format("{} (task {})", rule, to_uuid(id)));
}

void Checker::created(const TaskSpec& spec, Time run_at) {
  Known known;
  known.spec = spec;
  known.lane = lane_id(spec.tenant, spec.queue, lane_target(spec));
  known.run_at = run_at;
  world_.record("created", 0, spec.id);
  tasks_.emplace(spec.id, std::move(known));
}

void Checker::cancelled(const TaskId& id) {
  world_.record("cancelled", 0, id);
  tasks_.at(id).cancelled = true;
}

void Checker::told_completed(const TaskId& id) {
  world_.record("told", 0, id);
  auto& task = tasks_.at(id);
  task.told_completed = true;
  task.lease.reset();
}

void Checker::limits(const ModelDatabase::Name& queue, const Limits& limits) {
  queues_[queue] = {limits, {}};
}

void Checker::claimed(std::span<const db::LaneClaim> asked, const db::ClaimAnswer& answer,
                      const Uuid& instance) {
  const int scheduler = scheduler_of(instance);
  std::map<std::int64_t, int> free;
  for (const auto& lane : asked) free[lane.slots.lane] = lane.slots.free;
  std::map<ModelDatabase::Name, int> by_queue;
  for (const auto& task : answer.tasks) {
    const auto& id = task.spec.id;
    auto& known = tasks_.at(id);
    world_.record("claimed", 0, id, task.attempt);
    if (--free[task.lane] < 0) violated(id, "a claim brought more than it asked for");
    if (known.cancelled) violated(id, "claimed after it was cancelled");
    if (known.lease) violated(id, "claimed while it had a lease");
    if (task.attempt - task.attempt_base > known.spec.max_attempts) {
      violated(id, "claimed more often than it may be attempted");
    }
    known.lease = task.lease;
    const Microseconds lasts = task.lease_until - task.claimed_at;
    known.claims.push_back({task.lease, scheduler, task.attempt, world_.now(),
                            world_.now() + lasts - task.spec.timeout, lasts, Monotonic::max()});
    ++by_queue[{task.spec.tenant, task.spec.queue}];
  }
  for (const auto& [queue, count] : by_queue) check_limits(queue, count);
  const auto process = processes_.find(scheduler);
  if (process == processes_.end() || process->second.troubles.had_any(world_.now() - 120s)) return;
  const auto held =
      std::count_if(database_.leases().begin(), database_.leases().end(),
                    [&](const auto& each) { return each.second.instance == instance; });
  if (held > 2 * process->second.of.slots + process->second.of.places) {
    world_.violated("a scheduler holds more leases than twice its slots and its places");
  }
}

void Checker::check_limits(const ModelDatabase::Name& queue, int claimed) {
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return;
  auto& [limits, claims] = found->second;
  if (limits.paused) world_.violated("a paused queue was claimed from");
  const auto active =
      std::count_if(database_.leases().begin(), database_.leases().end(), [&](const auto& each) {
        return ModelDatabase::Name{each.second.tenant, each.second.queue} == queue;
      });
  if (limits.most_active && active > *limits.most_active) {
    world_.violated(fmt::format("queue {}: {} active", queue.second, active));
  }
  if (!limits.rate || world_.ever_jumped()) return;
  const double period = static_cast<double>(limits.rate->period.count());
  const auto count = static_cast<double>(limits.rate->count);
  const double most = std::max(static_cast<double>(limits.rate->burst.value_or(1)),
                               std::ceil(count * 0.05 / period)) +
                      count * period / (period + 0.1);
  claims.insert(claims.end(), static_cast<std::size_t>(claimed), world_.now());
  const auto within = std::count_if(claims.begin(), claims.end(), [&](Monotonic at) {
    return at > world_.now() - limits.rate->period;
  });
  if (static_cast<double>(within) > most + 1e-6) {
    world_.violated(fmt::format("queue {}: {} claims in a period", queue.second, within));
  }
}

int Checker::scheduler_of(const Uuid& instance) const {
  const auto process = std::ranges::find_if(
      processes_, [&](const auto& each) { return each.second.of.instance == instance; });
  return process == processes_.end() ? 0 : process->first;
}

void Checker::settles(int scheduler, std::span<const db::Settlement> batch) {
  for (const auto& end : batch) {
    const auto& claims = tasks_.at(end.id).claims;
    const auto claim = std::ranges::find(claims, end.lease, &Claim::lease);
    if (is_lost(end) && claim != claims.end() && claim->scheduler == scheduler) {
      violated(end.id, "a scheduler takes an attempt of its own for lost");
    }
  }
}

void Checker::beaten(const Uuid& instance) {
  const auto process = processes_.find(scheduler_of(instance));
  if (process != processes_.end()) process->second.troubles.beat(world_.now());
}

// A batch may hold two ends of one task: of an attempt whose settlement's answer was lost, and of
// the next one.
void Checker::settled(std::span<const db::Settlement> batch, const db::Settled& done) {
  for (const auto& id : done.tasks) {
    auto& known = tasks_.at(id);
    const auto end = std::ranges::find_if(batch, [&](const db::Settlement& each) {
      return each.id == id && known.lease == each.lease;
    });
    if (end == batch.end()) return violated(id, "settled under a lease that was lost");
    world_.record("settled", 0, id, static_cast<int>(end->state));
    auto& claim = *std::ranges::find(known.claims, end->lease, &Claim::lease);
    if (is_lost(*end)) check_loss(id, known, claim);
    if (end->state == State::active) continue;
    claim.over_at = world_.now();
    known.lease.reset();
    if (end->state == State::delayed) known.run_at = world_.database_clock() + end->delay;
  }
}

void Checker::fired(std::span<const db::Firing> firings) {
  for (const auto& firing : firings) {
    for (const auto& each : firing.occurrences) {
      if (!each.task || tasks_.contains(each.task->spec.id)) continue;
      const auto task = database_.tasks().find(each.task->spec.id);
      if (task == database_.tasks().end()) continue;  // somebody else fired it
      created(task->second.spec, task->second.run_at);
      if (!occurrences_.emplace(firing.tenant, firing.name, each.nominal).second) {
        violated(each.task->spec.id, "an occurrence fired twice");
      }
    }
  }
}

void Checker::sent(const TaskId& id, Sent sent) {
  auto& task = tasks_.at(id);
  auto& process = processes_.at(sent.scheduler);
  world_.record("sent", sent.scheduler, id, sent.attempt);
  ++sends_;
  const auto claim = std::find_if(task.claims.rbegin(), task.claims.rend(), [&](const Claim& each) {
    return each.scheduler == sent.scheduler && each.attempt == sent.attempt;
  });
  sent.lease = claim->lease;
  if (sent.begin > claim->start_by) violated(id, "sent so late that it may outlive its lease");
  if (task.lease == claim->lease) {
    if (task.cancelled) violated(id, "sent after it was cancelled");
    if (world_.latest_database_clock() < task.run_at) violated(id, "sent before its start");
    check_repetition(id, task, sent);
  } else if (!process.troubles.was_misjudged(claim->at, sent.begin)) {
    violated(id, "sent without its lease");
  }
  if (task.spec.deadline && !world_.ever_jumped() &&
      world_.database_clock() > *task.spec.deadline + 1ms) {
    violated(id, "sent after its deadline");
  }
  task.sends.push_back(sent);
  const auto whole = std::count_if(task.sends.begin(), task.sends.end(),
                                   [](const Sent& each) { return !each.cut; });
  if (whole > task.spec.max_attempts) violated(id, "sent more often than it may be attempted");
  if (!process.lanes[task.lane].starts(world_.now())) {
    violated(id, "a receiver that fails is called while its breaker is open");
  }
}

void Checker::heard(const TaskId& id, int scheduler, Monotonic begun,
                    const scheduler::HttpResult& result) {
  const auto how = scheduler::health({result.kind, result.status, result.duration, {}});
  processes_.at(scheduler).lanes[tasks_.at(id).lane].heard(how, result.status == 429, begun,
                                                           world_.now());
}

// Whether the end of an attempt may have been lost, which had ended at `ended`: others had a reason
// to take it, and its scheduler no time to tell.
bool Checker::excused(const Claim& claim, Monotonic ended) const {
  const auto until = std::min(claim.over_at, world_.now());
  const auto& troubles = processes_.at(claim.scheduler).troubles;
  return (troubles.seemed_dead(claim.at, until) || until - claim.at >= claim.lasts) &&
         !troubles.could_tell(std::min(ended, until), until);
}

void Checker::check_loss(const TaskId& id, const Known& task, const Claim& claim) {
  if (claim.scheduler == 0) return;
  const bool was_sent = !task.sends.empty() && task.sends.back().lease == claim.lease;
  if (excused(claim, was_sent ? task.sends.back().end : claim.at)) return;
  violated(id, was_sent ? "taken for lost while its scheduler was at it, or could tell its end"
                        : "lost by a claim whose tasks could have been given back");
}

void Checker::check_repetition(const TaskId& id, Known& task, const Sent& sent) {
  for (auto& before : task.sends) {
    if (before.cut) continue;
    if (before.attempt == sent.attempt) violated(id, "two calls for one attempt");
    const bool under_way = before.end > sent.begin;
    if ((!under_way && !before.ok) || std::exchange(before.repeated, true)) continue;
    auto& process = processes_.at(before.scheduler);
    ++repeated_;
    const auto& of = process.of;
    if (process.crashed &&
        ++process.repeated > static_cast<std::size_t>(2 * of.slots + of.places)) {
      violated(id, "a crash repeated more attempts than it may");
    }
    if (!excused(*std::ranges::find(task.claims, before.lease, &Claim::lease), before.end)) {
      violated(id, under_way ? "called while its scheduler was at it"
                             : "called again after a success that its scheduler could tell");
    }
  }
}

void Checker::cut_off(int scheduler) {
  for (auto& [id, task] : tasks_) {
    for (auto& each : task.sends) {
      if (each.scheduler == scheduler && each.end > world_.now()) each.cut = true;
    }
  }
}

void Checker::started(int scheduler, const Started& started) {
  auto& process = processes_[scheduler];
  process.of = started;
  process.troubles = Troubles(started.patience, started.shares_name);
  world_.record("started", scheduler, started.instance);
}

void Checker::disturbed(int scheduler, Microseconds time) {
  processes_.at(scheduler).troubles.add(world_.now(), world_.now() + time);
}

void Checker::forgotten(int scheduler) {
  processes_.at(scheduler).troubles.forgotten(world_.now());
  world_.record("forgotten", scheduler);
}

void Checker::left(int scheduler) {
  processes_.at(scheduler).troubles.over(world_.now());
  world_.record("left", scheduler);
}

void Checker::crashed(int scheduler) {
  auto& process = processes_.at(scheduler);
  process.crashed = true;
  process.troubles.over(world_.now());
  world_.record("crashed", scheduler);
}

void Checker::check_end() {
  for (const auto& [id, row] : database_.tasks()) {
    violated(id, fmt::format("not over: {} after {} attempts{}", name(row.state), row.attempt,
                             database_.leases().contains(id) ? ", leased" : ""));
  }
  if (!database_.leases().empty()) violated(database_.leases().begin()->first, "a lease is left");
  for (const auto& [id, task] : tasks_) {
    const auto end = database_.finished().find(id);
    if (end == database_.finished().end()) {
      violated(id, "lost");
    } else if (end->second.state == State::completed && !task.told_completed &&
               std::none_of(task.sends.begin(), task.sends.end(), [&](const Sent& each) {
                 return each.ok && each.end <= world_.now();
               })) {
      violated(id, "completed without an answer");
    } else if ((end->second.state == State::cancelled) != task.cancelled) {
      violated(id, "cancelled, or not");
    }
  }
}

}  // namespace postern::simulation
