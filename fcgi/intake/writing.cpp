// How the intake writes a batch: in groups, each of one kind and in one transaction.
#include <algorithm>
#include <tuple>
#include <utility>

#include "core/program/log.h"
#include "db/tasks/tasks.h"
#include "fcgi/intake/intake.h"
#include "fcgi/intake/job.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr int kMaxTries = 3;

}  // namespace

void Intake::write(Jobs batch) {
  // Usually one group. Keyed tasks are apart because they take several statements and wait for each
  // other's keys; those of a queue with a bound because they wait for each other's room.
  const auto group = [](const auto& job) {
    const TaskSpec& spec = job->task.spec;
    return std::tuple(job->keyed(), job->bounded ? spec.tenant : std::string(),
                      job->bounded ? spec.queue : std::string());
  };
  std::stable_sort(batch.begin(), batch.end(),
                   [&](const auto& a, const auto& b) { return group(a) < group(b); });
  held_ = false;
  for (std::size_t from = 0; from < batch.size();) {
    if (held_) return put_aside(std::span(batch).subspan(from));
    // A key that finds no room is free again, so it cannot be in one transaction with others.
    const bool alone = batch[from]->keyed() && batch[from]->bounded;
    std::size_t to = from + 1;
    while (!alone && to < batch.size() && group(batch[to]) == group(batch[from])) ++to;
    write_group(std::span(batch).subspan(from, to - from));
    from = to;
  }
}

void Intake::write_group(JobSpan jobs) {
  if (!connection_ && !connect()) return answer_all(jobs, database_away());
  for (int tries = 1;; ++tries) {
    try {
      return insert(jobs);
    } catch (const db::PgError& error) {
      if (error.leaves_commit_unsure() || !connection_->alive()) {
        lose_connection(error.what());
        return look_up(jobs);
      }
      if (error.is_lock_timeout()) return put_aside(jobs);
      if (error.is_undone() && tries < kMaxTries) continue;
      if (error.is_busy()) return answer_all(jobs, intake_too_slow());
      if (!error.is_data_fault()) {
        // A demoted primary, for example: perhaps another server is the right one now.
        lose_connection(error.what());
        return answer_all(jobs, database_away());
      }
      if (jobs.size() > 1) {
        const auto half = jobs.size() / 2;
        write_group(jobs.first(half));
        return write_group(jobs.subspan(half));
      }
      // The server's message may quote the row; its code may not.
      log::error("task refused by the database task={} sqlstate={}",
                 to_uuid(jobs.front()->task.spec.id), error.sqlstate());
      return answer_all(jobs, intake_row_refused());
    } catch (const std::exception& fault) {
      log::error("intake failed error=\"{}\"", log_safe(fault.what()));
      lose_connection("the intake failed");
      return look_up(jobs);
    }
  }
}

// Throws what the database throws; then nobody has been answered.
void Intake::insert(JobSpan jobs) {
  connection_->take_unsure_commit();
  auto answers = jobs.front()->keyed()   ? insert_keyed(jobs)
                 : jobs.front()->bounded ? insert_bounded(jobs)
                                         : insert_plain(jobs);
  if (connection_->take_unsure_commit()) return answer_all(jobs, intake_outcome_unknown());
  answer(std::move(answers));
}

std::vector<Intake::Answer> Intake::insert_keyed(JobSpan jobs) {
  using Kind = db::KeyedResult::Kind;
  const auto done = db::insert_keyed_tasks(*connection_, counters_.next(), rows_of(jobs),
                                           options_.idempotency_window, jobs.front()->bounded);
  std::vector<Answer> answers;
  answers.reserve(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& [kind, holder] = done.results[i];
    if (kind == Kind::full) {
      answers.push_back({jobs[i], {}, Taken::Kind::full, {}, {}});
    } else if (holder == jobs[i]->task.spec.id) {
      // Also when it says "replayed": then an earlier try of this very batch was committed.
      const Time at = done.now == Time{} ? made_at(holder) : done.now;
      answers.push_back({jobs[i], {}, Taken::Kind::created, at, {}});
    } else {
      const bool mismatched = kind == Kind::mismatched;
      answers.push_back(
          {jobs[i], {}, mismatched ? Taken::Kind::mismatched : Taken::Kind::replayed, {}, holder});
    }
  }
  return answers;
}

std::vector<Intake::Answer> Intake::insert_bounded(JobSpan jobs) {
  const auto done = db::insert_bounded_tasks(*connection_, counters_.next(), rows_of(jobs));
  std::vector<Answer> answers;
  answers.reserve(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const bool has_room = i < done.inserted;
    answers.push_back(
        {jobs[i], {}, has_room ? Taken::Kind::created : Taken::Kind::full, done.now, {}});
  }
  return answers;
}

std::vector<Intake::Answer> Intake::insert_plain(JobSpan jobs) {
  const Time now = db::insert_tasks(*connection_, counters_.next(), rows_of(jobs));
  std::vector<Answer> answers;
  answers.reserve(jobs.size());
  for (const auto& job : jobs) answers.push_back({job, {}, Taken::Kind::created, now, {}});
  return answers;
}

std::vector<db::Insertion> Intake::rows_of(JobSpan jobs) {
  std::vector<db::Insertion> rows;
  rows.reserve(jobs.size());
  for (const auto& job : jobs) rows.push_back({&job->task, job->lane});
  return rows;
}

}  // namespace postern
