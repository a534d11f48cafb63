#include "tests/scheduler/simulation/line.h"

#include <algorithm>
#include <chrono>
#include <set>

namespace postern::simulation {
namespace {

using namespace std::chrono_literals;

// A statement that the client has lost may go on until the server's statement_timeout, and its
// commit a little longer.
constexpr Microseconds kLatestCommit = 25s;

}  // namespace

void Line::drive() {
  // What is called may ask again, which is answered later.
  for (auto& deliver : std::exchange(answers_, {})) deliver();
}

template <class Answer>
void Line::ask(std::function<Answer()> apply, db::Reply<Answer> reply) {
  jobs_.push_back({[apply = std::move(apply), done = std::move(reply.done)]() -> Deliver {
                     auto answer = std::make_shared<Answer>(apply());
                     return [answer, done] { done(std::move(*answer)); };
                   },
                   std::move(reply.failed)});
  begin();
}

// On the way there or back.
Microseconds Line::wait() {
  if (!world_.random.chance(faults_.slow)) return world_.random.time(50us, 1ms);
  return world_.random.time(10ms, 8s);
}

void Line::begin() {
  if (under_way_ || !connected_ || jobs_.empty()) return;
  under_way_ = true;
  applied_ = false;
  world_.after(wait(), [line = weak_from_this(), generation = generation_] {
    const auto self = line.lock();
    if (self && self->generation_ == generation) self->apply();
  });
}

void Line::apply() {
  Deliver deliver;
  const bool locked = jobs_.front().settles && world_.now() < locked_until_;
  if (world_.random.chance(faults_.refused) || locked) {
    deliver = [failed = jobs_.front().failed] {
      failed(db::PgError("canceling statement due to statement timeout", "57014", false));
    };
  } else {
    deliver = jobs_.front().apply();
  }
  applied_ = true;
  world_.after(wait(), [line = weak_from_this(), generation = generation_, deliver] {
    const auto self = line.lock();
    if (self && self->generation_ == generation) self->answer(deliver);
  });
}

void Line::answer(Deliver deliver) {
  under_way_ = false;
  jobs_.pop_front();
  answers_.push_back(std::move(deliver));
  begin();
  wake_();
}

// Whether the transaction under way takes effect is the server's affair.
void Line::lose_head() {
  ++generation_;
  if (!under_way_ || applied_) return;
  switch (world_.random.number(0, 2)) {
    case 0: break;
    case 1: jobs_.front().apply(); break;
    default:
      world_.after(world_.random.time(1ms, kLatestCommit),
                   [apply = jobs_.front().apply] { apply(); });
  }
}

void Line::cut(Microseconds downtime) {
  if (!connected_) return;
  world_.record("cut", scheduler_, {}, downtime.count());
  lose_head();
  connected_ = false;
  bool head = std::exchange(under_way_, false);
  for (auto& job : std::exchange(jobs_, {})) {
    answers_.push_back([failed = std::move(job.failed), lost = std::exchange(head, false)] {
      failed(db::PgError("the connection was lost", "", lost));
    });
  }
  world_.after(downtime, [line = weak_from_this()] {
    const auto self = line.lock();
    if (!self) return;
    self->connected_ = true;
    ++self->connects_;
    self->begin();
    self->wake_();
  });
  wake_();
}

void Line::abandon() {
  lose_head();
  connected_ = false;
}

void Line::claim(std::span<const db::LaneClaim> lanes, const Uuid& lease, const Uuid& instance,
                 Seconds grace, db::Reply<db::ClaimAnswer> reply) {
  struct Asked {
    db::LaneSlots slots;
    std::optional<db::LaneName> name;
    std::vector<db::LaneMark> marks;
  };
  std::vector<Asked> asked;
  for (const auto& lane : lanes) {
    asked.push_back({lane.slots, std::nullopt, {lane.marks.begin(), lane.marks.end()}});
    if (lane.name != nullptr) asked.back().name = *lane.name;
  }
  ask<db::ClaimAnswer>(
      [&world = world_, &database = database_, &checker = checker_, asked, lease, instance, grace] {
        std::vector<db::LaneClaim> claims;
        for (const auto& each : asked) {
          claims.push_back({each.slots, each.name ? &*each.name : nullptr, each.marks});
        }
        auto answer = database.claim(claims, lease, instance, grace, world.database_clock());
        checker.claimed(claims, answer, instance);
        return answer;
      },
      std::move(reply));
}

void Line::settle(const Uuid&, std::span<const db::Settlement> batch,
                  db::Reply<db::Settled> reply) {
  checker_.settles(scheduler_, batch);
  ask<db::Settled>(
      [&world = world_, &database = database_, &checker = checker_,
       batch = std::vector(batch.begin(), batch.end())]() mutable {
        std::ranges::sort(batch, {}, &db::Settlement::id);
        const auto settled = database.settle(batch, world.database_clock());
        checker.settled(batch, settled);
        return settled;
      },
      std::move(reply));
  jobs_.back().settles = true;
}

void Line::tick(const db::TickScope& scope, db::Reply<db::Tick> reply) {
  struct Known {
    std::int64_t lane;
    std::vector<db::LaneMark> marks;
  };
  std::vector<Known> lanes;
  for (const auto& each : scope.known) {
    lanes.push_back({each.lane, {each.marks.begin(), each.marks.end()}});
  }
  ask<db::Tick>(
      [&world = world_, &database = database_, limit = scope.limit, lanes] {
        std::vector<db::MarkedLane> marked;
        for (const auto& each : lanes) marked.push_back({each.lane, each.marks});
        return database.tick(limit, marked, world.database_clock());
      },
      std::move(reply));
}

void Line::beat(const Uuid& instance, std::string_view name, const SchedulerGauges&,
                db::Reply<std::vector<db::Heartbeat>> reply) {
  ask<std::vector<db::Heartbeat>>(
      [&database = database_, &checker = checker_, instance, name = std::string(name)] {
        checker.beaten(instance);
        return database.beat(instance, name);
      },
      std::move(reply));
}

void Line::orphans(std::span<const db::SilentInstance> dead, const TaskId& from,
                   db::Reply<db::Orphans> reply) {
  ask<db::Orphans>(
      [&world = world_, &database = database_, from, dead = std::vector(dead.begin(), dead.end())] {
        return database.orphans(dead, from, world.database_clock());
      },
      std::move(reply));
}

void Line::lost_claims(const Uuid& instance, std::span<const Uuid> leases,
                       db::Reply<std::vector<db::LostClaim>> reply) {
  ask<std::vector<db::LostClaim>>(
      [&database = database_, instance, leases = std::vector(leases.begin(), leases.end())] {
        return database.lost_claims(instance, leases);
      },
      std::move(reply));
}

void Line::due_schedules(const db::DueScope& scope, db::Reply<db::Due> reply) {
  ask<db::Due>([&world = world_, &database = database_,
                scope] { return database.due_schedules(scope, world.database_clock()); },
               std::move(reply));
}

void Line::fire(const Uuid&, std::span<const db::Firing> firings, db::Reply<db::Fired> reply) {
  ask<db::Fired>(
      [&world = world_, &database = database_, &checker = checker_,
       firings = std::vector(firings.begin(), firings.end())] {
        const auto fired = database.fire(firings, world.database_clock());
        checker.fired(firings);
        return fired;
      },
      std::move(reply));
}

void Line::submit(const db::Statement&, db::Params, db::Reply<const db::PgResult&> reply) {
  jobs_.push_back({[failed = reply.failed]() -> Deliver {
                     return [failed] {
                       failed(db::PgError("the model does no housekeeping", "", false));
                     };
                   },
                   reply.failed});
  begin();
}

}  // namespace postern::simulation
