// One run: a seed decides who there is, what they do, and what goes wrong.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/scheduler/simulation/process.h"

namespace postern::simulation {

class Run {
 public:
  explicit Run(std::uint64_t seed);
  void trace() { world_.trace(); }

  // Runs to the end. False: a rule was broken.
  bool passes();
  const std::string& violation() const { return world_.violation(); }
  std::string last_events() const { return world_.last_events(); }
  std::uint64_t hash() const { return world_.hash(); }

  struct Summary {
    std::size_t tasks = 0, sends = 0, repeated = 0;
    Microseconds lasted{0};
  };
  Summary summary() const;

 private:
  // What may go wrong in this run. Each seed has some of it, so that none hides another.
  struct Faults {
    bool crashes, pauses, cuts, outages, jumps, stops, receivers, operators, cancels, locks,
        forgets;
    LineFaults lines;
  };

  void make_queues();
  void make_tasks();
  void make_schedules();
  void plan_faults();
  void plan_receivers();
  void plan_operators();
  void start(std::size_t place);
  void stop(std::size_t place);
  void crash(std::size_t place);
  void outage(Microseconds time);
  void heal();
  void insert(const NewTask& task);
  NewTask new_task();
  void check_schedules();
  Microseconds some_time();
  Process* process(std::size_t place) { return places_[place].process.get(); }

  struct Place {
    ProcessOptions options;
    std::shared_ptr<Process> process;
  };

  World world_;
  ModelDatabase database_;
  Checker checker_;
  Receivers receivers_;
  Faults faults_{};
  Microseconds faults_end_;
  Microseconds back_{0};  // by how much the database's clock is behind its furthest
  std::vector<Place> places_;
  int processes_ = 0;
  std::vector<ModelDatabase::Name> queues_;
  std::map<ModelDatabase::Name, Limits> limits_;
  std::vector<std::string> endpoints_;
  std::vector<std::string> hosts_;
  std::map<std::string, Time> schedules_;  // when they were made
  bool many_ = false;                      // tasks
  bool healed_ = false;
  std::size_t tasks_ = 0;
};

}  // namespace postern::simulation
