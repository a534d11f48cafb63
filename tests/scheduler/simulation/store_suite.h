// The suite of the store: each test runs on PostgreSQL and on the model of it that the simulation
// has, so that what holds there means something here.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/scheduler/simulation/store_subject.h"
#include "tests/support/tasks.h"

namespace postern::simulation {

using namespace std::chrono_literals;
using postern::test::lane_of;
using postern::test::new_task;

inline constexpr Seconds kGrace{30};

class Store : public ::testing::TestWithParam<std::unique_ptr<Subject> (*)()> {
 protected:
  template <class Answer, class Question>
  Answer ask(Question question) {
    std::optional<Answer> out;
    question(db::Reply<Answer>{[&](Answer answer) { out.emplace(std::move(answer)); },
                               [](const db::PgError& error) { ADD_FAILURE() << error.what(); }});
    subject_->drive([&] { return out.has_value(); });
    if (!out) throw std::runtime_error("no answer");
    return std::move(*out);
  }
  db::Store& store() { return subject_->store(); }

  NewTask insert(const std::function<void(NewTask&)>& change = {}) {
    auto task = new_task();
    if (change) change(task);
    subject_->insert(task);
    return task;
  }
  std::vector<NewTask> insert_many(int count) {
    std::vector<NewTask> out;
    for (int i = 0; i < count; ++i) out.push_back(insert());
    return out;
  }
  static std::int64_t lane() { return lane_of(new_task()); }

  db::ClaimAnswer claim(std::vector<db::LaneClaim> lanes, const Uuid& instance = {}) {
    return ask<db::ClaimAnswer>([&](auto reply) {
      store().claim(lanes, random_uuid(), instance, kGrace, std::move(reply));
    });
  }
  db::ClaimAnswer claim(int free) { return claim({{{lane(), free}}}); }
  db::Claimed claim_one(const Uuid& instance = {}) {
    auto answer = claim({{{lane(), 1}}}, instance);
    if (answer.tasks.empty()) throw std::runtime_error("nothing was claimed");
    return std::move(answer.tasks.front());
  }
  static std::vector<TaskId> ids(const std::vector<db::Claimed>& tasks) {
    std::vector<TaskId> out;
    for (const auto& task : tasks) out.push_back(task.spec.id);
    return out;
  }

  std::vector<TaskId> settle(const db::Settlement& end) {
    return ask<db::Settled>(
               [&](auto reply) { store().settle(Uuid{}, std::span(&end, 1), std::move(reply)); })
        .tasks;
  }
  static db::Settlement end_of(const db::Claimed& task, State state, Milliseconds delay = 0ms) {
    auto end = db::settlement(task, state, state == State::failed ? Reason::exhausted : Reason{});
    end.delay = delay;
    return end;
  }
  db::Tick tick(int limit = 100) {
    return ask<db::Tick>([&](auto reply) { store().tick({limit}, std::move(reply)); });
  }
  std::vector<db::Heartbeat> beat(const Uuid& instance) {
    return ask<std::vector<db::Heartbeat>>(
        [&](auto reply) { store().beat(instance, "host", {}, std::move(reply)); });
  }
  // As another one sees it.
  std::int64_t beat_of(const Uuid& instance) {
    for (const auto& each : beat(random_uuid())) {
      if (each.id == instance) return each.beat;
    }
    return -1;
  }
  db::Orphans orphans(std::vector<db::SilentInstance> dead = {}) {
    return ask<db::Orphans>([&](auto reply) { store().orphans(dead, TaskId{}, std::move(reply)); });
  }
  db::Due due(const db::DueScope& scope = {}) {
    return ask<db::Due>([&](auto reply) { store().due_schedules(scope, std::move(reply)); });
  }
  db::Fired fire(const std::vector<db::Firing>& firings) {
    return ask<db::Fired>(
        [&](auto reply) { store().fire(random_uuid(), firings, std::move(reply)); });
  }
  State state(const TaskId& id) { return subject_->see(id).state; }

  std::unique_ptr<Subject> subject_ = GetParam()();
};

inline const auto kStores = ::testing::Values(&make_model, &make_postgresql);
inline constexpr auto kNames = [](const auto& info) {
  return std::string(info.param == &make_model ? "Model" : "PostgreSQL");
};

}  // namespace postern::simulation
