// One scheduler's process: the real dispatcher and duties, turned as the loop does it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "scheduler/delivery/dispatcher.h"
#include "scheduler/duties/duties.h"
#include "tests/scheduler/simulation/line.h"
#include "tests/scheduler/simulation/receivers.h"

namespace postern::simulation {

struct ProcessOptions {
  int number = 0;  // a restart is another one
  std::string name;
  int slots = 4;
  int places = 16;
  Seconds rescue_after{60};
  bool shares_name = false;
  Microseconds clock_error{0};
  LineFaults faults;
};

class Process : public std::enable_shared_from_this<Process> {
 public:
  Process(const ProcessOptions& options, World& world, ModelDatabase& database,
          Receivers& receivers, Checker& checker);
  ~Process();
  void start();

  // Stands still for this long.
  void pause(Microseconds time);
  // The same from the moment when a question on this line is under way.
  void pause_amid(std::size_t line, Microseconds time) { pause_amid_ = {line, time}; }
  void cut(std::size_t line, Microseconds downtime);
  // What it settles is refused for so long.
  void lock(Microseconds time);
  // Its row among the schedulers is taken away.
  void forget();
  // SIGTERM: claims no more, waits for `drain_timeout`, gives back, leaves.
  void stop(Microseconds drain_timeout);
  void hint(const std::vector<std::int64_t>& lanes);

  bool stopped() const { return left_; }
  const ProcessOptions& options() const { return options_; }

 private:
  class Machine final : public scheduler::Environment {
   public:
    Machine(World& world, Microseconds error) : world_(world), error_(error) {}
    Monotonic now() override { return world_.now(); }
    Time wall_clock() override { return world_.true_clock() + error_; }
    Uuid new_uuid() override { return world_.random.uuid(); }
    TaskId new_task_id() override;
    std::uint64_t seed() override { return world_.random.bits(); }

   private:
    World& world_;
    const Microseconds error_;
  };

  void wake_at(Monotonic when);
  void turn();
  void drain(Monotonic now);

  const ProcessOptions options_;
  World& world_;
  ModelDatabase& database_;
  Checker& checker_;
  Machine machine_;
  const Uuid instance_;
  std::array<std::shared_ptr<Line>, 3> lines_;  // claims, results, duties
  std::shared_ptr<Network> network_;
  std::unique_ptr<scheduler::Dispatcher> dispatcher_;
  std::unique_ptr<scheduler::Duties> duties_;
  std::uint64_t turns_ = 0;
  Monotonic next_turn_ = Monotonic::max();
  Monotonic paused_until_{};
  std::optional<std::pair<std::size_t, Microseconds>> pause_amid_;
  bool stopping_ = false, given_back_ = false, left_ = false;
  Monotonic drain_until_{};
};

}  // namespace postern::simulation
