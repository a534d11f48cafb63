// What is on its way through the intake, and what its clients are told when it fails. For the
// intake's own files and their tests.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>

#include "core/base/error.h"
#include "core/model/task.h"
#include "fcgi/intake/intake.h"

namespace postern {

struct IntakeJob {
  std::size_t bytes() const { return kRowBytes + (task.spec.body ? task.spec.body->size() : 0); }

  bool keyed() const { return !task.spec.idempotency_key.empty(); }

  static constexpr std::size_t kRowBytes = 1024;  // about what a task takes besides its body
  NewTask task;
  std::int64_t lane;
  bool bounded;
  bool alone = false;  // aside: it met a lock together with others, which need not wait for it
  Intake::Clock::time_point since;
  Intake::Done done;
  std::atomic<bool> answered = false;
};

// What became of a job: a Taken but for the task, which the job still has.
struct Intake::Answer {
  std::shared_ptr<Job> job;
  std::optional<Error> error;
  Taken::Kind kind = Taken::Kind::created;
  Time at{};
  TaskId holder{};
};

// "database_slow", "outcome_unknown" and "task_refused".
Error intake_too_slow();
Error intake_outcome_unknown();
Error intake_row_refused();

}  // namespace postern
