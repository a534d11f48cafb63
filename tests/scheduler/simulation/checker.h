// What must be true of every run, told as it happens: by the database's side what was claimed and
// settled, by the receivers' side what was sent.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/model/task.h"
#include "db/engine/claim.h"
#include "db/engine/occurrences.h"
#include "db/engine/settle.h"
#include "scheduler/http/client.h"
#include "tests/scheduler/simulation/breaker_rule.h"
#include "tests/scheduler/simulation/model_database.h"
#include "tests/scheduler/simulation/troubles.h"
#include "tests/scheduler/simulation/world.h"

namespace postern::simulation {

class Checker {
 public:
  Checker(World& world, const ModelDatabase& database) : world_(world), database_(database) {}

  // --- the clients' side ---
  void created(const TaskSpec& spec, Time run_at);
  void cancelled(const TaskId& id);
  void told_completed(const TaskId& id);  // a deferred one, by its receiver
  void limits(const ModelDatabase::Name& queue, const Limits& limits);

  // --- the database's side ---
  void claimed(std::span<const db::LaneClaim> asked, const db::ClaimAnswer& answer,
               const Uuid& instance);
  // A scheduler asks for it ...
  void settles(int scheduler, std::span<const db::Settlement> batch);
  // ... and this was done.
  void settled(std::span<const db::Settlement> batch, const db::Settled& done);
  void beaten(const Uuid& instance);
  void fired(std::span<const db::Firing> firings);

  // --- the receivers' side ---
  struct Sent {
    int scheduler;  // a process: a restart is another one
    int attempt;
    Monotonic begin, end;
    bool ok;  // it will be answered with success
    bool cut = false;
    bool repeated = false;
    Uuid lease{};
  };
  void sent(const TaskId& id, Sent sent);
  // The scheduler takes notice of how an attempt ended that began at `begun`.
  void heard(const TaskId& id, int scheduler, Monotonic begun, const scheduler::HttpResult& result);
  // The transfers of this process were cut off by itself.
  void cut_off(int scheduler);

  // --- what may excuse a repetition ---
  struct Started {
    Uuid instance;
    int slots, places;
    Seconds patience;  // of those who may take it for dead
    bool shares_name;  // with another one, which is then too soon to do so
  };
  void started(int scheduler, const Started& started);
  // It stands still, or its results cannot be told, for so long.
  void disturbed(int scheduler, Microseconds time);
  // Its row is taken away.
  void forgotten(int scheduler);
  void left(int scheduler);
  void crashed(int scheduler);

  // Whether every task is over; and when it should be.
  bool all_over() const { return database_.tasks().empty() && database_.leases().empty(); }
  void check_end();

  std::size_t sends() const { return sends_; }
  std::size_t repeated() const { return repeated_; }

 private:
  struct Claim {
    Uuid lease;
    int scheduler = 0;  // 0: none that was started
    int attempt = 0;
    Monotonic at{}, start_by{};  // a later attempt might outlive its lease
    Microseconds lasts{};
    Monotonic over_at{};
  };
  struct Known {
    TaskSpec spec;
    std::int64_t lane = 0;
    Time run_at;
    bool cancelled = false;
    bool told_completed = false;
    std::optional<Uuid> lease;  // of the last claim; none: it has been settled
    std::vector<Claim> claims;
    std::vector<Sent> sends;
  };
  struct Process {
    Started of;
    Troubles troubles;
    bool crashed = false;
    std::size_t repeated = 0;  // attempts that its end has repeated
    std::map<std::int64_t, BreakerRule> lanes;
  };
  struct QueueRule {
    Limits limits;
    std::vector<Monotonic> claims;
  };

  void check_repetition(const TaskId& id, Known& task, const Sent& sent);
  void check_loss(const TaskId& id, const Known& task, const Claim& claim);
  bool excused(const Claim& claim, Monotonic ended) const;
  int scheduler_of(const Uuid& instance) const;
  void check_limits(const ModelDatabase::Name& queue, int claimed);
  void violated(const TaskId& id, const std::string& rule);

  World& world_;
  const ModelDatabase& database_;
  std::map<TaskId, Known> tasks_;
  std::map<int, Process> processes_;
  std::map<ModelDatabase::Name, QueueRule> queues_;
  std::set<std::tuple<std::string, std::string, Time>> occurrences_;
  std::size_t sends_ = 0;
  std::size_t repeated_ = 0;
};

}  // namespace postern::simulation
