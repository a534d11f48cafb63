// A connection to the model of the database, with what happens to connections: slow answers,
// refusals, cuts in the middle of a statement, and commits of which nobody is told, or that come
// later.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tests/scheduler/simulation/checker.h"
#include "tests/scheduler/simulation/model_database.h"
#include "tests/scheduler/simulation/world.h"

namespace postern::simulation {

struct LineFaults {
  double slow = 0;     // of the answers, which take up to seconds
  double refused = 0;  // of the statements, which then do nothing
};

class Line final : public db::Store, public std::enable_shared_from_this<Line> {
 public:
  // `wake` is called when drive() has something to do. All must outlive it, but for what is under
  // way when it is destroyed.
  Line(World& world, ModelDatabase& database, Checker& checker, int scheduler,
       const LineFaults& faults, std::function<void()> wake)
      : world_(world),
        database_(database),
        checker_(checker),
        scheduler_(scheduler),
        faults_(faults),
        wake_(std::move(wake)) {}

  // Calls back what was answered.
  void drive();
  // The connection is lost, and comes back after `downtime`.
  void cut(Microseconds downtime);
  // The same for good: its owner is gone. What is under way may still commit.
  void abandon();
  // Settlements are refused for so long: somebody holds locks on their tasks.
  void lock(Microseconds time) { locked_until_ = world_.now() + time; }

  bool connected() const override { return connected_; }
  int connects() const override { return connects_; }
  std::size_t pending() const override { return jobs_.size() + answers_.size(); }

  void claim(std::span<const db::LaneClaim> lanes, const Uuid& lease, const Uuid& instance,
             Seconds grace, db::Reply<db::ClaimAnswer> reply) override;
  void settle(const Uuid& counters, std::span<const db::Settlement> batch,
              db::Reply<db::Settled> reply) override;
  void tick(const db::TickScope& scope, db::Reply<db::Tick> reply) override;
  void beat(const Uuid& instance, std::string_view name, const SchedulerGauges& gauges,
            db::Reply<std::vector<db::Heartbeat>> reply) override;
  void orphans(std::span<const db::SilentInstance> dead, const TaskId& from,
               db::Reply<db::Orphans> reply) override;
  void lost_claims(const Uuid& instance, std::span<const Uuid> leases,
                   db::Reply<std::vector<db::LostClaim>> reply) override;
  void due_schedules(const db::DueScope& scope, db::Reply<db::Due> reply) override;
  void fire(const Uuid& instance, std::span<const db::Firing> firings,
            db::Reply<db::Fired> reply) override;
  // Housekeeping fails without a word.
  void submit(const db::Statement& statement, db::Params params,
              db::Reply<const db::PgResult&> reply) override;

 private:
  using Deliver = std::function<void()>;
  struct Job {
    std::function<Deliver()> apply;  // the transaction; returns how its answer is delivered
    std::function<void(const db::PgError&)> failed;
    bool settles = false;
  };

  template <class Answer>
  void ask(std::function<Answer()> apply, db::Reply<Answer> reply);
  Microseconds wait();
  void begin();
  void apply();
  void answer(Deliver deliver);
  void lose_head();

  World& world_;
  ModelDatabase& database_;
  Checker& checker_;
  const int scheduler_;
  const LineFaults faults_;
  const std::function<void()> wake_;
  bool connected_ = true;
  int connects_ = 1;
  int generation_ = 0;  // of what is under way
  bool under_way_ = false;
  bool applied_ = false;
  Monotonic locked_until_{};
  std::deque<Job> jobs_;
  std::deque<Deliver> answers_;
};

}  // namespace postern::simulation
