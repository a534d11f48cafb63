// What became of the tasks of a commit whose answer was lost.
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "db/tasks/tasks.h"
#include "fcgi/intake/intake.h"
#include "fcgi/intake/job.h"

namespace postern {
namespace {

constexpr std::chrono::seconds kLookUpFor{2};
constexpr std::chrono::milliseconds kLookUpEvery{100};

}  // namespace

// The connection broke and nobody knows whether the commit came through. Nothing is inserted again:
// by now a scheduler may have finished a task and moved its row. Those that are found were created;
// the rest is in doubt.
void Intake::look_up(JobSpan jobs) {
  Jobs missing(jobs.begin(), jobs.end());
  const auto give_up = Clock::now() + kLookUpFor;
  while (!missing.empty() && Clock::now() < give_up) {
    if (connection_ || connect()) {
      try {
        std::vector<TaskId> ids;
        for (const auto& job : missing) ids.push_back(job->task.spec.id);
        std::vector<Answer> answers;
        const auto found = db::existing_tasks(*connection_, ids);
        std::erase_if(missing, [&](const auto& job) {
          const TaskId id = job->task.spec.id;
          if (!found.contains(to_uuid(id))) return false;
          answers.push_back({job, {}, Taken::Kind::created, made_at(id), {}});
          return true;
        });
        answer(std::move(answers));
      } catch (const std::exception& error) {
        lose_connection(error.what());
      }
    }
    if (!missing.empty()) std::this_thread::sleep_for(kLookUpEvery);
  }
  answer_all(missing, intake_outcome_unknown());
}

}  // namespace postern
