// Beats, orphans, schedules, and what others do to the model.
#include <algorithm>
#include <iterator>

#include "core/model/lane.h"
#include "tests/scheduler/simulation/model_database.h"

namespace postern::simulation {

std::vector<db::Heartbeat> ModelDatabase::beat(const Uuid& instance, std::string_view name) {
  std::vector<db::Heartbeat> out;  // as they were before
  for (const auto& [id, row] : beats_) out.push_back({id, row.first, row.second});
  auto& [of, beat] = beats_[instance];
  of = name;
  beat = ++counted_[instance];
  return out;
}

db::Orphans ModelDatabase::orphans(std::span<const db::SilentInstance> dead, const TaskId& from,
                                   Time now) {
  constexpr std::size_t kLooked = 2000, kFound = 500;
  db::Orphans out;
  const auto add = [&](const TaskId& id, const Lease& lease, bool gone) {
    const auto task = tasks_.find(id);
    if (task == tasks_.end()) return;
    db::Orphan orphan;
    orphan.task.spec = task->second.spec;
    orphan.task.spec.body.reset();
    orphan.task.lease = lease.lease;
    orphan.task.lane = task->second.lane;
    orphan.task.attempt = task->second.attempt + 1;
    orphan.task.attempt_base = task->second.attempt_base;
    orphan.task.run_at = task->second.run_at;
    orphan.task.claimed_at = lease.claimed_at;
    orphan.task.lease_until = lease.until;
    orphan.task.deferred = lease.deferred;
    orphan.task.past_deadline = task->second.spec.deadline && *task->second.spec.deadline < now;
    orphan.instance = lease.instance.value_or(Uuid{});
    orphan.instance_gone = gone;
    out.tasks.push_back(std::move(orphan));
  };
  std::size_t looked = 0, walked = 0;
  std::vector<TaskId> forgotten;
  for (auto at = leases_.upper_bound(from); at != leases_.end(); ++at) {
    const auto& [id, lease] = *at;
    ++looked;
    if (!lease.deferred) {
      const auto row = lease.instance ? beats_.find(*lease.instance) : beats_.end();
      const bool gone =
          row == beats_.end() ||
          std::ranges::find(dead, db::SilentInstance{row->first, row->second.second}) != dead.end();
      if (gone || lease.until < now) {
        ++walked;
        add(id, lease, gone);
        if (lease.until < now && !tasks_.contains(id)) forgotten.push_back(id);
      }
    }
    if (walked == kFound || looked == kLooked) {
      out.next = id;
      break;
    }
  }
  for (const auto& [id, lease] : leases_) {
    if (!lease.deferred || lease.until >= now) continue;
    add(id, lease, true);
    if (!tasks_.contains(id)) forgotten.push_back(id);
  }
  for (const auto& id : forgotten) leases_.erase(id);
  return out;
}

std::vector<db::LostClaim> ModelDatabase::lost_claims(const Uuid& instance,
                                                      std::span<const Uuid> leases) const {
  std::vector<db::LostClaim> out;
  for (const auto& [id, lease] : leases_) {
    if (lease.deferred || lease.instance != instance) continue;
    if (std::find(leases.begin(), leases.end(), lease.lease) == leases.end()) continue;
    out.push_back({id, lease.lease});
  }
  return out;
}

db::Due ModelDatabase::due_schedules(const db::DueScope& scope, Time now) const {
  using Rows = std::vector<const ScheduleRow*>;
  using Turn = std::pair<int, std::string>;  // those behind scope.behind first
  std::set<Turn> looked;
  std::map<Turn, Rows> turns;
  std::size_t count = 0;
  for (const auto& [name, row] : schedules_) {
    if (row.schedule.paused || !row.schedule.next_at) continue;
    const Turn turn{row.tenant > scope.behind ? 1 : 2, row.tenant};
    looked.insert(turn);
    if (*row.schedule.next_at > now) continue;
    turns[turn].push_back(&row);
    ++count;
  }
  db::Due out;
  out.now = now;
  out.paused = paused_;
  const auto most = static_cast<std::size_t>(scope.most);
  out.more = count >= most;
  if (turns.size() > most) turns.erase(std::next(turns.begin(), scope.most), turns.end());
  const auto share = out.more ? std::max<std::size_t>(1, most / turns.size()) : most;
  for (auto& [turn, rows] : turns) {
    std::ranges::stable_sort(rows, {}, [](const auto* row) { return *row->schedule.next_at; });
    out.turn = turn.second;
  }
  if (out.more && turns.size() < most) out.turn = looked.rbegin()->second;
  for (std::size_t round = 0; round < share; ++round) {
    for (const auto& [turn, rows] : turns) {
      if (round >= rows.size()) continue;
      const ScheduleRow& row = *rows[round];
      db::DueSchedule due;
      due.tenant = row.tenant;
      due.schedule = row.schedule;
      if (queues_.contains({row.tenant, row.schedule.task.queue})) due.queue.emplace();
      due.overlaps =
          row.schedule.overlap == Overlap::skip && row.last_task && tasks_.contains(*row.last_task);
      due.over_quota = scope.quota_waiting > 0 && waiting(row.tenant) >= scope.quota_waiting;
      out.schedules.push_back(std::move(due));
    }
  }
  return out;
}

// What is measured is what is there: the model needs no gauges.
std::int64_t ModelDatabase::waiting(const std::string& tenant) const {
  return std::ranges::count_if(tasks_, [&](const auto& each) {
    return each.second.spec.tenant == tenant && !leases_.contains(each.first);
  });
}

db::Fired ModelDatabase::fire(std::span<const db::Firing> firings, Time now) {
  db::Fired out{};
  for (const auto& firing : firings) {
    const auto found = schedules_.find({firing.tenant, firing.name});
    if (found == schedules_.end()) continue;
    ScheduleRow& row = found->second;
    if (row.schedule.next_at != firing.read_next_at ||
        row.schedule.updated_at != firing.read_updated_at || row.schedule.paused) {
      continue;
    }
    ++out.schedules;
    out.missed += firing.missed;
    row.missed += firing.missed;
    row.schedule.next_at = firing.next_at;
    if (firing.last_at) row.schedule.last_at = firing.last_at;
    if (firing.queue_missing) queues_[{firing.tenant, firing.queue}];
    for (const auto& each : firing.occurrences) {
      if (each.task) row.last_task = each.task->spec.id;
      if (!row.runs.emplace(each.nominal, each).second || !each.task) continue;
      ++out.tasks;
      insert(*each.task, now);
    }
  }
  return out;
}

void ModelDatabase::insert(const NewTask& task, Time now) {
  Row row;
  row.spec = task.spec;
  row.lane = lane_id(task.spec.tenant, task.spec.queue, lane_target(task.spec));
  row.created_at = now;
  row.run_at = std::max(now, task.run_at.value_or(now + task.delay));
  auto& added = tasks_.emplace(task.spec.id, std::move(row)).first->second;
  queues_[{task.spec.tenant, task.spec.queue}];
  if (added.run_at > now) {
    added.state = State::delayed;
    delayed_.emplace(added.run_at, task.spec.id);
  } else {
    set_ready(added);
  }
}

bool ModelDatabase::cancel(const TaskId& id) {
  const auto task = tasks_.find(id);
  if (task == tasks_.end() || leases_.contains(id)) return false;
  finish(id, State::cancelled, Reason::cancelled, task->second.attempt);
  return true;
}

void ModelDatabase::set_queue(const Name& name, const Limits& limits) {
  queues_[name].limits = limits;
}

void ModelDatabase::set_endpoint(const Name& name, const std::string& url, const Limits& limits) {
  endpoints_[name].limits = limits;
  endpoints_[name].url = url;
}

void ModelDatabase::set_schedule(const std::string& tenant, const Schedule& schedule) {
  auto& row = schedules_[{tenant, schedule.name}];
  row.tenant = tenant;
  row.schedule = schedule;
}

}  // namespace postern::simulation
