// The scheduler's periodic duties, as a table: heartbeat, looking for work, rescue, routing,
// schedules, partitions, expiry. Each is a statement and what follows from its answer.
#pragma once

#include <array>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/program/log_throttle.h"
#include "core/time/time.h"
#include "db/engine/occurrences.h"
#include "db/engine/orphans.h"
#include "db/engine/routing.h"
#include "db/engine/sequels.h"
#include "db/engine/tick.h"
#include "db/pg/channel.h"
#include "scheduler/delivery/dispatcher.h"
#include "scheduler/duties/rescue.h"

namespace postern::scheduler {

// Confined to one thread.
class Housekeeping {
 public:
  struct Options {
    Uuid instance;
    std::string name;
    Seconds rescue_after{60};
    Seconds retention_short{86'400};
    Seconds retention_standard{30 * 86'400};
  };
  // The heartbeat goes over `beats`, all else over `duties`; they and the dispatcher must outlive
  // it. `gauges`: what the heartbeat tells about this scheduler, as JSON.
  Housekeeping(Options options, db::Channel& duties, db::Channel& beats, Dispatcher& dispatcher,
               std::function<std::string()> gauges);

  // Begins the duties that are due.
  void turn(Monotonic now);
  // When to call turn again.
  Monotonic wake_at() const;

  // Looks for work at once: something has come, but not where.
  void tick_now() { at(Id::tick).next = {}; }

  // From now on only the heart beats.
  void stop() { stopped_ = true; }

  // Whether the database knows of this instance. Until then nothing is claimed, or another
  // scheduler would take our tasks for a dead one's.
  bool has_beaten() const { return has_beaten_; }

 private:
  struct Duty {
    std::string_view name;
    Milliseconds period;  // 0: only when another asks for it
    db::Channel* channel;
    void (Housekeeping::*run)(Duty&, Monotonic now);
    Monotonic next;             // when it is due
    Monotonic not_before = {};  // whoever asks for it
    int under_way = 0;          // statements
  };
  enum class Id {
    beat,
    tick,
    rescue,
    route,
    follow,
    fire
  };  // the duties that others ask for, in the table's order

  void beat(Duty& duty, Monotonic now);
  void tick(Duty& duty, Monotonic now);
  void rescue(Duty& duty, Monotonic now);
  void route(Duty& duty, Monotonic now);
  void follow(Duty& duty, Monotonic now);
  void fire(Duty& duty, Monotonic now);
  void make_partitions(Duty& duty, Monotonic now);
  void drop_partitions(Duty& duty, Monotonic now);
  void expire_keys(Duty& duty, Monotonic now);
  void expire_entries(Duty& duty, Monotonic now);
  void fold_counters(Duty& duty, Monotonic now);
  void collect_lanes(Duty& duty, Monotonic now);
  void forget_dependencies(Duty& duty, Monotonic now);
  void tell_health(Duty& duty, Monotonic now);
  void expire_health(Duty& duty, Monotonic now);
  void forget_runs(Duty& duty, Monotonic now);
  void measure_queues(Duty& duty, Monotonic now);

  void ticked(Duty& duty, Monotonic begun, const db::Tick& tick);
  void take_over(std::vector<db::Orphan> orphans, bool own_too);
  void routed(Duty& duty, std::span<const Task> tasks);
  void see_to(Duty& duty, const std::vector<db::Sequel>& sequels);
  void fire_due(Duty& duty, const db::Due& due);

  using Done = std::function<void(const db::PgResult&)>;
  // Sends a statement for `duty`. What goes wrong is logged, and the duty comes again.
  void ask(Duty& duty, const db::Statement& statement, db::Params params, Done done);
  bool may_run(const Duty& duty) const;
  static TaskId new_id();
  Duty& at(Id id) { return duties_[static_cast<std::size_t>(id)]; }

  const Options options_;
  Dispatcher& dispatcher_;
  const std::function<std::string()> gauges_;
  std::array<Duty, 17> duties_;
  Rescue judge_;
  std::mt19937_64 random_{std::random_device{}()};
  bool stopped_ = false;
  bool has_beaten_ = false;
  LogThrottle log_failed_;
};

// What core finds of a task that came by the SQL door: where it goes, or what is wrong with it.
// Pure.
db::Routing routing_of(const Task& task);

}  // namespace postern::scheduler
