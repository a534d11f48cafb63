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

constexpr std::chrono::milliseconds kLookUpEvery{100};

}  // namespace

// The connection broke and nobody knows whether the commit came through. Nothing is inserted again:
// by now a scheduler may have finished a task and moved its row. Those that are found were created;
// the rest is in doubt, since a task that is finished may be deleted, too. They are looked for
// until whoever may still commit them has ended: its connection may be gone for us and not for the
// server.
void Intake::look_up(JobSpan jobs) {
  Jobs missing(jobs.begin(), jobs.end());
  const db::Backend committer = backend_;  // connect() sets the new one's
  const auto give_up = Clock::now() + options_.look_up_for;
  for (bool ended = false; !missing.empty() && !ended && Clock::now() < give_up;) {
    if (connection_ || connect()) {
      try {
        // Before they are looked for, so that what it committed last is seen.
        ended = db::has_ended(*connection_, committer);
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
        ended = false;
        lose_connection(error.what());
      }
    }
    if (!missing.empty() && !ended) std::this_thread::sleep_for(kLookUpEvery);
  }
  answer_all(missing, intake_outcome_unknown());
}

}  // namespace postern
