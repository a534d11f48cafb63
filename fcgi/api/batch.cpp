#include "fcgi/api/batch.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "db/tasks/tasks.h"
#include "fcgi/api/creation.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLookUpFor{2};
constexpr std::chrono::milliseconds kLookUpEvery{100};

// The error of an item as one of the whole request.
Error at_item(std::size_t index, Error error) {
  const std::string item = fmt::format("tasks[{}]", index);
  error.field = error.field.empty() ? item : fmt::format("{}.{}", item, error.field);
  error.message = fmt::format("{}: {}", item, error.message);
  // What is missing is named by the body, not by the path.
  if (error.code == Errc::not_found) error.code = Errc::invalid_argument;
  return error;
}

// What create_each has gathered so far; whoever brings the last answer gives all of them.
struct Gathering {
  std::vector<Result<Task>> results;
  std::atomic<std::size_t> missing;
  BatchApi::Done done;
};

}  // namespace

Result<void> BatchApi::check(const HttpRequest& request, std::size_t tasks) {
  if (!request.idempotency_key.empty()) {
    return invalid("idempotency_key_invalid", "Idempotency-Key",
                   "A batch takes no Idempotency-Key; create tasks one by one to use it.");
  }
  if (tasks == 0) return invalid("tasks_required", "tasks", "tasks must hold 1 task or more.");
  if (tasks > kMaxTasks) {
    return invalid("tasks_too_many", "tasks",
                   fmt::format("At most {} tasks go in one batch.", kMaxTasks));
  }
  return {};
}

void BatchApi::create_each(const Caller& caller, const HttpRequest& request, Wanted wanted,
                           Done done) {
  const auto gathering = std::make_shared<Gathering>();
  gathering->results.resize(wanted.size());
  gathering->done = std::move(done);
  std::vector<Intake::Entry> entries;
  entries.reserve(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) {
      gathering->results[i] = wanted[i].error();
      continue;
    }
    Result<CreationApi::Ready> ready = creation_.prepare(caller, request, std::move(*wanted[i]));
    if (!ready) {
      gathering->results[i] = ready.error();
      continue;
    }
    entries.push_back({std::move(ready->task), ready->lane, ready->bounded,
                       [this, i, gathering](Result<Intake::Taken> taken) {
                         Result<Task>& result = gathering->results[i];
                         if (taken) {
                           // There is no key, so that the tenant, which a replay needs, is not.
                           Result<Created> created = creation_.answer_of({}, std::move(*taken));
                           result = created ? Result<Task>(std::move(created->task))
                                            : Result<Task>(created.error());
                         } else {
                           result = taken.error();
                         }
                         if (--gathering->missing == 0) {
                           gathering->done(std::move(gathering->results));
                         }
                       }});
  }
  gathering->missing = entries.size();
  if (entries.empty()) return gathering->done(std::move(gathering->results));
  intake_.submit(std::move(entries));
}

struct BatchApi::Batch {
  std::vector<NewTask> tasks;
  std::vector<std::int64_t> lanes;
  std::vector<std::size_t> bounded;  // the places of those whose queues have a bound
};

Result<std::vector<Task>> BatchApi::create_all(const Caller& caller, const HttpRequest& request,
                                               Wanted wanted) {
  Batch batch;
  batch.tasks.reserve(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) return at_item(i, wanted[i].error());
    Result<CreationApi::Ready> ready = creation_.prepare(caller, request, std::move(*wanted[i]));
    if (!ready) return at_item(i, ready.error());
    if (ready->bounded) batch.bounded.push_back(i);
    batch.tasks.push_back(std::move(ready->task));
    batch.lanes.push_back(ready->lane);
  }
  const Result<Time> now = write(batch);
  if (!now) return now.error();
  std::vector<Task> created;
  created.reserve(batch.tasks.size());
  for (NewTask& task : batch.tasks) created.push_back(db::created_task(std::move(task), *now));
  return created;
}

Result<Time> BatchApi::write(const Batch& batch) {
  std::vector<db::Insertion> rows;
  rows.reserve(batch.tasks.size());
  for (std::size_t i = 0; i < batch.tasks.size(); ++i) {
    rows.push_back({&batch.tasks[i], batch.lanes[i]});
  }
  {
    const BlockingSection away;
    auto connection = acquire_live(pool_);
    try {
      const auto whole = db::insert_whole_batch(*connection, instance_, rows, batch.bounded);
      if ((*connection).take_unsure_commit()) return change_unknown();
      if (!whole.full) return whole.now;
      const std::string& queue = batch.tasks[*whole.full].spec.queue;
      Error full = conflict("queue_full",
                            fmt::format("The queue \"{}\" has no room for all of them.", queue));
      full.field = "queue";
      return at_item(*whole.full, std::move(full));
    } catch (const db::PgError& error) {
      if (!error.leaves_commit_unsure()) throw;
    }
  }
  return look_up(batch);
}

// The connection broke and nobody knows whether the commit came through. Nothing is inserted again:
// by now a scheduler may have finished a task. If one is there, all are.
Result<Time> BatchApi::look_up(const Batch& batch) {
  std::vector<TaskId> ids;
  for (const NewTask& task : batch.tasks) ids.push_back(task.spec.id);
  const BlockingSection away;
  for (const auto give_up = Clock::now() + kLookUpFor; Clock::now() < give_up;) {
    try {
      auto connection = pool_.acquire();
      if (!db::existing_tasks(*connection, ids).empty()) return made_at(ids.front());
    } catch (const db::PgError&) {
      // It is still away.
    }
    std::this_thread::sleep_for(kLookUpEvery);
  }
  return change_unknown();
}

}  // namespace postern
