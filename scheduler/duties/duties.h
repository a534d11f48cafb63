// The scheduler's periodic duties: runs what the table of duties lists (table.cpp), each a
// statement and what follows from its answer.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/program/log_throttle.h"
#include "core/time/time.h"
#include "core/wire/scheduler_gauges.h"
#include "db/catalog/endpoints.h"
#include "db/engine/garbage.h"
#include "db/engine/lanes.h"
#include "db/engine/store.h"
#include "scheduler/delivery/dispatcher.h"
#include "scheduler/duties/rescue.h"

namespace postern::scheduler {

struct DutyOptions {
  Uuid instance;
  std::string name;
  Seconds rescue_after{60};
  Seconds retention_short{86'400};
  Seconds retention_standard{30 * 86'400};
  int quota_waiting = 0;  // how many tasks of a tenant may wait; 0: any number
};

class DutyRun;
using DutyFunction = void (*)(const DutyRun& run);

struct Duty {
  enum class Connection { duties, results, gauges };

  std::string_view name;
  Milliseconds period;  // 0: only when another duty asks for it
  DutyFunction run;
  Connection connection = Connection::duties;
  Monotonic next = {};        // when it is due
  Monotonic not_before = {};  // whoever asks for it
  int under_way = 0;          // statements
  int halvings = 0;           // of its steps, since they took too long or failed

  void shrink() { halvings = std::min(halvings + 1, 12); }
  void grow() { halvings = std::max(halvings - 1, 0); }
};

// What the duties work with.
struct DutyContext {
  const DutyOptions options;
  Dispatcher& dispatcher;
  Environment& environment;
  const std::function<SchedulerGauges()> gauges;
  Rescue rescue;
  std::mt19937_64 random;
  bool has_beaten = false;
  // Where the duties go on that go over a table in parts.
  std::vector<std::int64_t> lanes_looked_to = {};
  std::string followed = {};  // the tenant whose sequels were the last in turn
  std::string fired = {};     // whose schedules were
  std::string routed = {};    // and whose tasks of the SQL door
  db::CounterPlace counters_from = {};
  db::EntryPlace entries_from = {};
  db::QueuePlace surplus_from = {};
  std::int64_t surplus_discarded = 0;  // since the first place
  db::DependencyPlace dependencies_from = {};
  db::LanePlace lanes_from = {};
  db::EndpointPlace endpoints_from = {};
};

// Confined to one thread.
class Duties {
 public:
  // The heartbeat goes over `results`, so that it waits for no other duty, and what takes long when
  // there are many queues over `gauges`, so that no other waits for it; all others go over
  // `duties`, one at a time. What is given by reference must outlive it. `gauges`: what the
  // heartbeat tells about this scheduler.
  struct Stores {
    db::Store &duties, &results, &gauges;
  };
  Duties(DutyOptions options, Stores stores, Dispatcher& dispatcher,
         std::function<SchedulerGauges()> gauges, Environment& environment);

  // Begins the duties that are due.
  void turn(Monotonic now);
  // When to call turn again, unless a statement is answered before.
  Monotonic wake_at() const;

  // Looks for work at once: something has come, but not where.
  void look_for_work();

  // From now on only the heart beats.
  void stop() { stopped_ = true; }

  // Whether the database knows of this instance. Until then nothing is claimed, or another
  // scheduler would take our tasks for a dead one's.
  bool has_beaten() const { return context_.has_beaten; }

 private:
  friend class DutyRun;

  bool may_run(const Duty& duty) const;
  db::Store& store(const Duty& duty) const;
  Duty& duty_of(DutyFunction run);

  Stores stores_;
  DutyContext context_;
  std::vector<Duty> table_;
  std::size_t turn_of_ = 0;  // the duty that is looked at first
  bool stopped_ = false;
  LogThrottle log_failed_;
};

// One run of a duty, until what it asked is answered. Copies are the same run.
class DutyRun {
 public:
  DutyRun(Duties& duties, Duty& duty, Monotonic begun)
      : duties_(&duties), duty_(&duty), begun_(begun) {}

  DutyContext& context() const { return duties_->context_; }
  Monotonic begun() const { return begun_; }
  Monotonic now() const { return context().environment.now(); }

  // The duty's connection, for one question whose reply comes from `reply`, and that reply. What
  // goes wrong is logged, and the duty comes again when its period is over.
  db::Store& store() const { return duties_->store(*duty_); }
  template <class Answer>
  db::Reply<Answer> reply(std::function<void(Answer)> done) const {
    begin();
    return {[*this, done = std::move(done)](Answer answer) {
              end([&] { done(std::forward<Answer>(answer)); });
            },
            [*this](const db::PgError& error) { fail(error); }};
  }
  // The same for a question whose time depends on how much part() lets it do: when that was too
  // long for whoever waits behind it, the duty's next steps are smaller, until they are short
  // again.
  template <class Answer>
  db::Reply<Answer> step_reply(std::function<void(Answer)> done) const {
    return reply<Answer>([*this, since = now(), done = std::move(done)](Answer answer) {
      took(now() - since);
      done(std::forward<Answer>(answer));
    });
  }
  // Sends a statement of housekeeping. When it fails, the duty's next steps are half as large.
  using Done = std::function<void(const db::PgResult&)>;
  void ask(const db::Statement& statement, db::Params params, Done done) const;
  void step(const db::Statement& statement, db::Params params, Done done) const;
  // How much one step may do: `most`, or less while steps of that size take too long or fail.
  int part(int most) const { return std::max(1, most >> duty_->halvings); }

  // The duty, or another one, is due at `when` already, if that is sooner; {}: at once.
  void again(Monotonic when = {}) const { also(duty_->run, when); }
  void also(DutyFunction other, Monotonic when = {}) const;
  // For who goes over a table in parts: `behind` is where the next one begins; nullopt: with its
  // next period. Together they take at most a tenth of the connection's time.
  template <class Place>
  void go_on(Place& from, const std::optional<Place>& behind) const {
    constexpr int kShare = 9;
    const auto now = this->now();
    from = behind.value_or(Place{});
    if (behind) again(now + kShare * (now - begun_));
  }
  // It does not run before then, whoever asks for it.
  void not_before(Monotonic when) const { duty_->not_before = when; }
  // It rests so many times as long as it took until now, whoever asks for it, and for at least so
  // long. But not for minutes: it may have taken long because the program stood still.
  void rest(int share, Monotonic::duration least = {}) const;

  // How often the connection has been established that it goes over.
  int connects() const;

 private:
  void begin() const { ++duty_->under_way; }
  void end(const std::function<void()>& done) const;
  void fail(const db::PgError& error) const;
  void took(Monotonic::duration time) const;
  void log_failed(std::string_view why) const;

  Duties* duties_;
  Duty* duty_;
  Monotonic begun_;
};

}  // namespace postern::scheduler
