// How long a duty rests whose question took long only because the scheduler stood still.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "scheduler/duties/duties.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

class Machine final : public Environment {
 public:
  Monotonic now() override { return time; }
  Time wall_clock() override { return Time{}; }
  Uuid new_uuid() override { return random_uuid(); }
  TaskId new_task_id() override { return random_uuid(); }
  std::uint64_t seed() override { return 1; }

  Monotonic time{1h};
};

class NoTransfers final : public Transport {
 public:
  void start(std::uint64_t, OutgoingRequest) override {}
  std::vector<Finished> take_finished() override { return {}; }
  std::vector<std::uint64_t> take_sent() override { return {}; }
};

// Beats are answered by the next turn, looks for orphans and for work by the test.
class Questions final : public db::Store {
 public:
  bool connected() const override { return true; }
  int connects() const override { return 1; }
  std::size_t pending() const override { return 0; }
  void claim(std::span<const db::LaneClaim>, const Uuid&, const Uuid&, Seconds,
             db::Reply<db::ClaimAnswer>) override {}
  void settle(const Uuid&, std::span<const db::Settlement>, db::Reply<db::Settled>) override {}
  void tick(const db::TickScope&, db::Reply<db::Tick> reply) override {
    ++ticks;
    answer_tick = [reply] { reply.done({}); };
  }
  void beat(const Uuid&, std::string_view, const SchedulerGauges&,
            db::Reply<std::vector<db::Heartbeat>> reply) override {
    answer_beat = [reply] { reply.done({}); };
  }
  void orphans(std::span<const db::SilentInstance>, const TaskId&,
               db::Reply<db::Orphans> reply) override {
    ++looks;
    answer_look = [reply] { reply.done({}); };
  }
  void lost_claims(const Uuid&, std::span<const Uuid>,
                   db::Reply<std::vector<db::LostClaim>>) override {}
  void due_schedules(const db::DueScope&, db::Reply<db::Due>) override {}
  void fire(const Uuid&, std::span<const db::Firing>, db::Reply<db::Fired>) override {}
  void submit(const db::Statement&, db::Params, db::Reply<const db::PgResult&>) override {}

  int looks = 0, ticks = 0;
  std::function<void()> answer_beat, answer_look, answer_tick;
};

TEST(ADutysRest, IsShortWhenTheSchedulerStoodStillMeanwhile) {
  Machine machine;
  NoTransfers transfers;
  Questions store;
  Dispatcher dispatcher({.instance = random_uuid()}, store, store, transfers, machine);
  Duties duties(
      {.instance = random_uuid(), .name = "a"}, {store, store, store}, dispatcher,
      [] { return SchedulerGauges{}; }, machine);
  const auto turn = [&] {
    duties.turn(machine.time);
    if (auto answer = std::exchange(store.answer_beat, {})) answer();
    duties.turn(machine.time);
  };
  turn();
  ASSERT_EQ(store.looks, 1);
  ASSERT_GE(store.ticks, 1);
  machine.time += 100s;
  store.answer_look();
  store.answer_tick();
  const int ticks = store.ticks;
  for (int i = 0; i < 15; ++i) {
    machine.time += 1s;
    turn();
  }
  EXPECT_EQ(store.looks, 2);
  EXPECT_EQ(store.ticks, ticks + 1);
}

}  // namespace
}  // namespace postern::scheduler
