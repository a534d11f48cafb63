// The receivers of webhooks, and one scheduler's transfers to them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/http/client.h"
#include "tests/scheduler/simulation/checker.h"
#include "tests/scheduler/simulation/world.h"

namespace postern::simulation {

enum class Mood { well, slow, flaky, failing, busy, down, hanging, deferring };

// How each host behaves now. All behave well in the end.
class Receivers {
 public:
  Receivers(World& world, ModelDatabase& database, Checker& checker)
      : world_(world), database_(database), checker_(checker) {}

  void set(const std::string& host, Mood mood) { moods_[host] = mood; }
  std::vector<std::string> hosts() const;
  void heal();

  struct Behaviour {
    scheduler::HttpResult result;  // its duration says when
    bool ok = false;
  };
  Behaviour call(const std::string& host, const TaskId& task, Milliseconds timeout);

 private:
  void defer(const TaskId& task, Seconds time);

  World& world_;
  ModelDatabase& database_;
  Checker& checker_;
  std::map<std::string, Mood> moods_;
};

class Network final : public scheduler::Transport, public std::enable_shared_from_this<Network> {
 public:
  Network(World& world, Receivers& receivers, Checker& checker, int scheduler,
          std::function<void()> wake)
      : world_(world),
        receivers_(receivers),
        checker_(checker),
        scheduler_(scheduler),
        wake_(std::move(wake)) {}

  void start(std::uint64_t id, scheduler::OutgoingRequest request) override;
  std::vector<Finished> take_finished() override;
  std::vector<std::uint64_t> take_sent() override { return {}; }
  // Cuts all of them off.
  void drop();
  std::size_t active() const { return active_; }

 private:
  struct Ended {
    Finished finished;
    TaskId task;
    Monotonic begun;
  };

  World& world_;
  Receivers& receivers_;
  Checker& checker_;
  const int scheduler_;
  const std::function<void()> wake_;
  int generation_ = 0;
  std::size_t active_ = 0;
  std::vector<Ended> ended_;
};

}  // namespace postern::simulation
