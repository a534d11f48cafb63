// The scheduler's part of the database as maps in memory: what the statements of db/engine mean.
// Each call is one transaction, and happens at once, at `now` of the database's clock. The suite in
// store_test.cpp holds it to what PostgreSQL does. Not modelled: the SQL door, what waits for other
// tasks, periodic tasks, bounded queues, and how many bytes one claim brings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/rate_limit.h"
#include "core/model/schedule.h"
#include "db/engine/store.h"

namespace postern::simulation {

// Of a queue or an endpoint.
struct Limits {
  std::optional<std::int64_t> most_active{};
  std::optional<RateLimit> rate{};
  bool paused = false;
  std::optional<Milliseconds> timeout{};
};

class ModelDatabase {
 public:
  struct Row {
    TaskSpec spec;
    State state = State::ready;  // or delayed
    std::int64_t lane = 0;
    int attempt = 0, attempt_base = 0;
    Time created_at, run_at;
  };
  struct Lease {
    Uuid lease;
    std::optional<Uuid> instance;
    Time claimed_at, until;
    bool deferred = false;
    std::string tenant, queue;
    std::optional<std::string> resolved;
  };
  struct Finished {
    State state;
    Reason reason;
    int attempt;
  };
  struct ScheduleRow {
    Schedule schedule;
    std::string tenant;
    std::optional<TaskId> last_task;
    std::map<Time, db::Occurrence> runs;  // without the tasks
    std::int64_t missed = 0;
  };
  using Name = std::pair<std::string, std::string>;  // tenant and name

  // --- what the schedulers ask ---
  db::ClaimAnswer claim(std::span<const db::LaneClaim> lanes, const Uuid& lease,
                        const Uuid& instance, Seconds grace, Time now);
  db::Settled settle(std::span<const db::Settlement> batch, Time now);
  db::Tick tick(int limit, std::span<const db::MarkedLane> known, Time now);
  std::vector<db::Heartbeat> beat(const Uuid& instance, std::string_view name);
  void leave(const Uuid& instance) { beats_.erase(instance); }
  db::Orphans orphans(std::span<const db::SilentInstance> dead, const TaskId& from, Time now);
  std::vector<db::LostClaim> lost_claims(const Uuid& instance, std::span<const Uuid> leases) const;
  db::Due due_schedules(const db::DueScope& scope, Time now) const;
  db::Fired fire(std::span<const db::Firing> firings, Time now);

  // --- what clients, receivers and operators do ---
  void insert(const NewTask& task, Time now);
  // Whether it was waiting, and is cancelled now.
  bool cancel(const TaskId& id);
  // Told by the receiver of a deferred attempt. Whether that lease still holds.
  bool complete_deferred(const TaskId& id, const Uuid& lease);
  void set_queue(const Name& name, const Limits& limits);
  void set_endpoint(const Name& name, const std::string& url, const Limits& limits);
  void set_schedule(const std::string& tenant, const Schedule& schedule);
  void pause(bool paused) { paused_ = paused; }

  // --- to look at ---
  const std::map<TaskId, Row>& tasks() const { return tasks_; }
  const std::map<TaskId, Lease>& leases() const { return leases_; }
  const std::map<TaskId, Finished>& finished() const { return finished_; }
  const std::map<Name, ScheduleRow>& schedules() const { return schedules_; }

 private:
  struct Limited {
    Limits limits;
    std::string url;  // of an endpoint
    std::optional<double> tokens;
    Time at;

    double refilled(Time now) const;
    double per_second() const;
  };
  struct Group;  // the lanes of one queue and endpoint in a claim

  std::vector<Group> groups_of(std::span<const db::LaneClaim> lanes) const;
  void allow(Group& group, std::map<const Limited*, double>& remaining, Time now) const;
  std::vector<TaskId> pick(const db::LaneClaim& lane, int most) const;
  db::Claimed lease(const TaskId& id, const Group& group, const Uuid& lease, const Uuid& instance,
                    Seconds grace, Time now);
  std::int64_t active(const Group& group, bool of_queue) const;
  void finish(const TaskId& id, State state, Reason reason, int attempt);

  std::map<TaskId, Row> tasks_;
  // The ready ones of each lane, leased ones too, in the order of their claims.
  using Place = std::tuple<int, Time, TaskId>;
  std::map<std::int64_t, std::set<Place>> ready_;
  std::set<std::pair<Time, TaskId>> delayed_;
  static Place place(const Row& row);
  void set_ready(Row& row);

  std::map<TaskId, Lease> leases_;
  std::map<TaskId, Finished> finished_;
  std::map<Uuid, std::pair<std::string, std::int64_t>> beats_;
  // A row that is made again counts on. PostgreSQL counts from 0 again, but that it comes to the
  // very beat at which others last saw it is too unlikely to be simulated.
  std::map<Uuid, std::int64_t> counted_;
  std::map<Name, Limited> queues_, endpoints_;
  std::map<Name, ScheduleRow> schedules_;
  std::int64_t waiting(const std::string& tenant) const;
  bool paused_ = false;
};

}  // namespace postern::simulation
