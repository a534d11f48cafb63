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
constexpr std::chrono::seconds kHeldFor{1};
// So many tenants' parts of a batch may meet a lock, each for 10 ms; then it is taken for a lock
// that all need.
constexpr int kMaxHeld = 2;

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
  held_ = 0;
  std::size_t from = 0;
  if (!is_aside()) {
    const auto rest = std::stable_partition(batch.begin(), batch.end(),
                                            [&](const auto& job) { return may_be_held(*job); });
    from = static_cast<std::size_t>(rest - batch.begin());
    if (from > 0) put_aside(std::span(batch).first(from));
  }
  while (from < batch.size()) {
    if (held_ >= (is_aside() ? 1 : kMaxHeld)) return put_aside(std::span(batch).subspan(from));
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
      if (error.is_lock_timeout()) return part_from_lock(jobs);
      if (error.is_tenant_away()) return part_from_away(jobs);
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
                 to_typeid(jobs.front()->task.spec.id), error.sqlstate());
      return answer_all(jobs, intake_row_refused());
    } catch (const std::exception& fault) {
      log::error("intake failed error=\"{}\"", log_safe(fault.what()));
      lose_connection("the intake failed");
      return look_up(jobs);
    }
  }
}

// Somebody holds what one of them needs, and which is not known. The tenants are tried one by one,
// so that the others' need not wait with it. Of the tenant's own all go aside together; there those
// with keys are then tried one by one.
void Intake::part_from_lock(JobSpan jobs) {
  const auto tenant = [](const auto& job) -> const std::string& { return job->task.spec.tenant; };
  Jobs sorted(jobs.begin(), jobs.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const auto& a, const auto& b) { return tenant(a) < tenant(b); });
  if (tenant(sorted.front()) == tenant(sorted.back())) {
    ++held_;
    const bool keyed = jobs.front()->keyed();
    if (keyed && is_aside()) {
      for (const auto& job : jobs) job->alone = true;
    } else if (keyed) {
      const auto now = Clock::now();
      std::erase_if(held_until_, [&](const auto& each) { return each.second <= now; });
      held_until_[tenant(jobs.front())] = now + kHeldFor;
    }
    return put_aside(jobs);
  }
  for (auto from = sorted.cbegin(); from != sorted.cend();) {
    if (held_ >= kMaxHeld) return put_aside({from, sorted.cend()});
    const auto to = std::find_if(from, sorted.cend(),
                                 [&](const auto& job) { return tenant(job) != tenant(*from); });
    write_group({from, to});
    from = to;
  }
}

// Some are of a tenant that leaves this cell, whose rows the database refuses. By halves, at the
// border of two tenants, so that one such among many costs the others few statements.
void Intake::part_from_away(JobSpan jobs) {
  const auto tenant = [](const auto& job) -> const std::string& { return job->task.spec.tenant; };
  Jobs sorted(jobs.begin(), jobs.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const auto& a, const auto& b) { return tenant(a) < tenant(b); });
  if (tenant(sorted.front()) == tenant(sorted.back())) return answer_all(sorted, tenant_moving());
  const auto by_name = [&](const auto& job, const std::string& name) { return tenant(job) < name; };
  const std::string& middle = tenant(sorted[sorted.size() / 2]);
  auto border = std::lower_bound(sorted.cbegin(), sorted.cend(), middle, by_name);
  if (border == sorted.cbegin()) {
    border = std::find_if(border, sorted.cend(),
                          [&](const auto& job) { return tenant(job) != tenant(sorted.front()); });
  }
  write_group({sorted.cbegin(), border});
  write_group({border, sorted.cend()});
}

// Its tenant's keys were held a moment ago: as each try costs everybody 10 ms, it goes aside at
// once.
bool Intake::may_be_held(const Job& job) const {
  if (!job.keyed() || held_until_.empty()) return false;
  const auto held = held_until_.find(job.task.spec.tenant);
  return held != held_until_.end() && Clock::now() < held->second;
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
