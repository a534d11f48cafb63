#include "tests/scheduler/simulation/model_database.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/model/lane.h"

namespace postern::simulation {
namespace {

using Fractional = std::chrono::duration<double>;

}  // namespace

// --- claims (functions/allow.sql, functions/claim.sql) -------------------------------------------

struct ModelDatabase::Group {
  std::vector<const db::LaneClaim*> lanes;
  Name queue, endpoint;  // no endpoint: its name is empty
  const Limited* queue_row = nullptr;
  const Limited* endpoint_row = nullptr;
  int wanted = 0;
  int taken = 0;
  std::optional<int> most;  // nullopt: no limit
  std::optional<Milliseconds> wait;
  bool full_up = false;
};

double ModelDatabase::Limited::per_second() const {
  return static_cast<double>(limits.rate->count) / (Fractional(limits.rate->period).count() + 0.1);
}

double ModelDatabase::Limited::refilled(Time now) const {
  const auto& rate = *limits.rate;
  const double most =
      std::max(static_cast<double>(rate.burst.value_or(1)),
               std::ceil(static_cast<double>(rate.count) * 0.05 / Fractional(rate.period).count()));
  if (!tokens) return most;
  return std::min(most, *tokens + std::max(0.0, Fractional(now - at).count()) * per_second());
}

std::vector<ModelDatabase::Group> ModelDatabase::groups_of(
    std::span<const db::LaneClaim> lanes) const {
  std::vector<Group> out;
  for (const auto& lane : lanes) {
    Name queue, endpoint;
    if (lane.name != nullptr) {
      queue = {lane.name->tenant, lane.name->queue};
      endpoint = {lane.name->tenant, lane.name->endpoint};
    } else {
      const auto ready = ready_.find(lane.slots.lane);
      if (ready == ready_.end() || ready->second.empty()) continue;
      const auto& spec = tasks_.at(std::get<TaskId>(*ready->second.begin())).spec;
      queue = {spec.tenant, spec.queue};
      endpoint = {spec.tenant, spec.endpoint};
    }
    auto group = std::find_if(out.begin(), out.end(), [&](const Group& each) {
      return each.queue == queue && each.endpoint == endpoint;
    });
    if (group == out.end()) {
      group = out.emplace(out.end());
      group->queue = queue;
      group->endpoint = endpoint;
    }
    group->lanes.push_back(&lane);
    group->wanted += lane.slots.free;
  }
  for (auto& group : out) {
    if (const auto row = queues_.find(group.queue); row != queues_.end()) {
      group.queue_row = &row->second;
    }
    const auto row = endpoints_.find(group.endpoint);
    if (!group.endpoint.second.empty() && row != endpoints_.end())
      group.endpoint_row = &row->second;
  }
  std::erase_if(out, [](const Group& group) {
    return (group.queue_row && group.queue_row->limits.paused) ||
           (group.endpoint_row && group.endpoint_row->limits.paused);
  });
  return out;
}

std::int64_t ModelDatabase::active(const Group& group, bool of_queue) const {
  return std::count_if(leases_.begin(), leases_.end(), [&](const auto& each) {
    const Lease& lease = each.second;
    if (of_queue) return Name{lease.tenant, lease.queue} == group.queue;
    return lease.tenant == group.endpoint.first && lease.resolved == group.endpoint.second;
  });
}

void ModelDatabase::allow(Group& group, std::map<const Limited*, double>& remaining,
                          Time now) const {
  double most = group.wanted;
  std::vector<std::pair<const Limited*, double>> left;
  for (const bool of_queue : {true, false}) {
    const Limited* row = of_queue ? group.queue_row : group.endpoint_row;
    if (row == nullptr || (!row->limits.most_active && !row->limits.rate)) continue;
    double permits = group.wanted + 1.0;  // whatever is wanted
    if (const auto known = remaining.find(row); known != remaining.end()) {
      permits = known->second;
    } else {
      if (row->limits.most_active) {
        permits = static_cast<double>(*row->limits.most_active - active(group, of_queue));
      }
      if (row->limits.rate) permits = std::min(permits, std::floor(row->refilled(now)));
      if (!row->limits.most_active) permits = std::floor(row->refilled(now));
    }
    left.emplace_back(row, permits);
    most = std::min(most, permits);
  }
  if (left.empty()) return;
  group.most = std::max(0, static_cast<int>(most));
  for (const auto& [row, permits] : left) remaining[row] = permits - *group.most;
  if (*group.most >= group.wanted) return;
  for (const auto& [row, permits] : left) {
    if (!row->limits.rate) continue;
    const double tokens = row->refilled(now) - *group.most;
    if (tokens >= 1) continue;
    const Milliseconds wait{
        static_cast<std::int64_t>(std::ceil(1000 * (1 - tokens) / row->per_second()))};
    group.wait = std::max(group.wait.value_or(wait), wait);
  }
  group.full_up = !group.wait;
  if (!group.wait) group.wait = Milliseconds{200};
}

std::vector<TaskId> ModelDatabase::pick(const db::LaneClaim& lane, int most) const {
  std::vector<TaskId> out;
  const auto ready = ready_.find(lane.slots.lane);
  if (ready == ready_.end()) return out;
  for (const auto& [rank, run_at, id] : ready->second) {
    if (static_cast<int>(out.size()) == most) break;
    if (leases_.contains(id)) continue;
    const auto mark = std::find_if(lane.marks.begin(), lane.marks.end(),
                                   [&](const db::LaneMark& each) { return each.rank == rank; });
    if (mark != lane.marks.end() && std::pair(run_at, id) < std::pair(mark->run_at, mark->id)) {
      continue;
    }
    out.push_back(id);
  }
  return out;
}

db::Claimed ModelDatabase::lease(const TaskId& id, const Group& group, const Uuid& lease,
                                 const Uuid& instance, Seconds grace, Time now) {
  const Row& row = tasks_.at(id);
  db::Claimed out;
  out.spec = row.spec;
  const auto of = [](const Limited* limited) {
    return limited ? limited->limits.timeout : std::optional<Milliseconds>();
  };
  if (out.spec.timeout == Milliseconds{0}) {
    out.spec.timeout =
        of(group.endpoint_row).value_or(of(group.queue_row).value_or(Milliseconds{30'000}));
  }
  if (!row.spec.endpoint.empty() && group.endpoint_row) {
    out.spec.url = group.endpoint_row->url;
    out.resolved = row.spec.endpoint;
  }
  out.lease = lease;
  out.lane = row.lane;
  out.attempt = row.attempt + 1;
  out.attempt_base = row.attempt_base;
  out.created_at = row.created_at;
  out.run_at = row.run_at;
  out.claimed_at = now;
  out.lease_until = now + out.spec.timeout + grace;
  out.past_deadline = row.spec.deadline && *row.spec.deadline < now;
  leases_[id] = {lease,           instance,       now,         out.lease_until, false,
                 row.spec.tenant, row.spec.queue, out.resolved};
  return out;
}

db::ClaimAnswer ModelDatabase::claim(std::span<const db::LaneClaim> lanes, const Uuid& lease_id,
                                     const Uuid& instance, Seconds grace, Time now) {
  db::ClaimAnswer out;
  if (paused_) return out;
  auto groups = groups_of(lanes);
  for (auto* rows : {&queues_, &endpoints_}) {
    for (auto& group : groups) {
      const auto row = rows->find(rows == &queues_ ? group.queue : group.endpoint);
      if (row != rows->end()) row->second.at = std::min(row->second.at, now);
    }
  }
  std::map<const Limited*, double> remaining;
  for (auto& group : groups) allow(group, remaining, now);
  for (auto& group : groups) {
    std::set<std::int64_t> satisfied;
    for (const auto* lane : group.lanes) {
      int most = lane->slots.free;
      if (group.most) most = std::min(most, *group.most - group.taken);
      const auto picked = pick(*lane, most);
      group.taken += static_cast<int>(picked.size());
      if (static_cast<int>(picked.size()) >= lane->slots.free) satisfied.insert(lane->slots.lane);
      for (const auto& id : picked) {
        out.tasks.push_back(lease(id, group, lease_id, instance, grace, now));
      }
    }
    if (!group.wait || group.taken < *group.most) continue;
    for (const auto* lane : group.lanes) {
      if (satisfied.contains(lane->slots.lane)) continue;
      out.held.push_back({lane->slots.lane, *group.wait, group.full_up});
    }
  }
  for (const auto& group : groups) {
    if (!group.most || group.taken == 0) continue;
    for (auto* rows : {&queues_, &endpoints_}) {
      const auto row = rows->find(rows == &queues_ ? group.queue : group.endpoint);
      if (row == rows->end() || !row->second.limits.rate) continue;
      row->second.tokens = row->second.refilled(now) - group.taken;
      row->second.at = now;
    }
  }
  return out;
}

// --- settlements (engine/settle.cpp) -------------------------------------------------------------

ModelDatabase::Place ModelDatabase::place(const Row& row) {
  return {db::rank_of(row.spec.priority), row.run_at, row.spec.id};
}

void ModelDatabase::set_ready(Row& row) {
  row.state = State::ready;
  ready_[row.lane].insert(place(row));
}

void ModelDatabase::finish(const TaskId& id, State state, Reason reason, int attempt) {
  const auto task = tasks_.find(id);
  if (task->second.state == State::ready) {
    const auto lane = ready_.find(task->second.lane);
    lane->second.erase(place(task->second));
    if (lane->second.empty()) ready_.erase(lane);
  } else {
    delayed_.erase({task->second.run_at, id});
  }
  tasks_.erase(task);
  finished_.emplace(id, Finished{state, reason, attempt});
}

db::Settled ModelDatabase::settle(std::span<const db::Settlement> batch, Time now) {
  db::Settled out;
  for (const auto& end : batch) {
    const auto lease = leases_.find(end.id);
    if (lease == leases_.end() || lease->second.lease != end.lease) continue;
    out.tasks.push_back(end.id);
    if (end.state == State::active) {
      lease->second.deferred = true;
      lease->second.instance.reset();
      lease->second.until = now + end.delay;
      continue;
    }
    leases_.erase(lease);
    const auto task = tasks_.find(end.id);
    if (end.state == State::ready || task == tasks_.end()) continue;
    Row& row = task->second;
    if (is_finished(end.state)) {
      finish(end.id, end.state, end.reason, row.attempt + 1);
      continue;
    }
    auto& lane = ready_[row.lane];
    lane.erase(place(row));
    if (lane.empty()) ready_.erase(row.lane);
    ++row.attempt;
    row.run_at = now + end.delay;
    if (end.delay > Milliseconds{0}) {
      row.state = State::delayed;
      delayed_.emplace(row.run_at, end.id);
    } else {
      set_ready(row);
    }
  }
  return out;
}

bool ModelDatabase::complete_deferred(const TaskId& id, const Uuid& lease) {
  const auto found = leases_.find(id);
  if (found == leases_.end() || found->second.lease != lease || !tasks_.contains(id)) return false;
  leases_.erase(found);
  finish(id, State::completed, Reason::none, tasks_.at(id).attempt + 1);
  return true;
}

// --- the tick (engine/tick.cpp) ------------------------------------------------------------------

db::Tick ModelDatabase::tick(int limit, std::span<const db::MarkedLane> known, Time now) {
  db::Tick out;
  for (const auto& [lane, tasks] : ready_) {
    const auto marked = std::find_if(known.begin(), known.end(),
                                     [&](const auto& each) { return each.lane == lane; });
    const bool found =
        marked == known.end() || std::any_of(tasks.begin(), tasks.end(), [&](const Place& task) {
          const auto& [rank, run_at, id] = task;
          const auto mark =
              std::find_if(marked->marks.begin(), marked->marks.end(),
                           [&](const db::LaneMark& each) { return each.rank == rank; });
          return mark == marked->marks.end() ||
                 std::pair(run_at, id) >= std::pair(mark->run_at, mark->id);
        });
    if (found) out.ready_lanes.push_back(lane);
  }
  std::map<std::int64_t, Time> promoted;
  while (!delayed_.empty() && delayed_.begin()->first <= now && out.promoted < limit) {
    Row& row = tasks_.at(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    set_ready(row);
    ++out.promoted;
    const auto first = promoted.emplace(row.lane, row.run_at).first;
    first->second = std::min(first->second, row.run_at);
  }
  for (const auto& [lane, run_at] : promoted) out.promoted_lanes.push_back({lane, run_at});
  const auto next = std::find_if(delayed_.begin(), delayed_.end(),
                                 [&](const auto& each) { return each.first > now; });
  if (next != delayed_.end()) {
    out.next_due = Milliseconds{(next->first - now).count() / 1000 + 1};
  }
  for (const auto& [name, row] : schedules_) {
    const auto& [paused, at] = std::pair(row.schedule.paused, row.schedule.next_at);
    if (paused || !at) continue;
    const Milliseconds wait{std::max<std::int64_t>(0, (*at - now).count() + 999) / 1000};
    out.next_occurrence = std::min(out.next_occurrence.value_or(wait), wait);
  }
  return out;
}

}  // namespace postern::simulation
