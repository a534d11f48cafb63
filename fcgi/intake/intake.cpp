#include "fcgi/intake/intake.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/program/log.h"
#include "db/catalog/queue_defaults.h"
#include "db/engine/heartbeat.h"
#include "db/tasks/tasks.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxBatch = 1'000;
constexpr std::size_t kMaxBatchBytes = 8 * 1024 * 1024;
// What may wait for its turn. More would only wait to be told that it took too long.
constexpr std::size_t kMaxQueuedBytes = 64 * 1024 * 1024;
constexpr seconds kPatienceQueued{5};
// Under nginx's fastcgi_read_timeout (40 s), so that the answer is ours.
constexpr seconds kPatienceWriting{30};
constexpr seconds kWatchEvery{1};
constexpr seconds kBeatEvery{10};
constexpr seconds kLookUpFor{2};
constexpr milliseconds kMinBackoff{100};
constexpr milliseconds kMaxBackoff{2'000};
constexpr int kMaxTries = 3;

Error too_slow() {
  return unavailable(
      "database_slow",
      "The database is too slow at the moment; the task was not created. Try again.");
}

Error outcome_unknown() {
  return unavailable("outcome_unknown",
                     "Whether the task was created is not known. Try again with the same "
                     "Idempotency-Key, if you gave one.");
}

Error row_refused() {
  return {Errc::internal, "task_refused", "", "The task could not be stored."};
}

}  // namespace

struct Intake::Job {
  std::size_t bytes() const { return kRowBytes + (task.spec.body ? task.spec.body->size() : 0); }

  bool keyed() const { return !task.spec.idempotency_key.empty(); }

  static constexpr std::size_t kRowBytes = 1024;  // about what a task takes besides its body
  NewTask task;
  std::int64_t lane;
  bool bounded;
  Clock::time_point since;
  Done done;
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

Intake::Intake(Options options)
    : options_(std::move(options)), thread_([this] { run(); }), watch_([this] { watch(); }) {}

Intake::~Intake() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
  end_watch_.notify_one();
  watch_.join();
}

void Intake::submit(NewTask task, std::int64_t lane, bool bounded, Done done) {
  std::vector<Entry> one;
  one.push_back({std::move(task), lane, bounded, std::move(done)});
  submit(std::move(one));
}

void Intake::submit(std::vector<Entry> entries) {
  Jobs jobs;
  jobs.reserve(entries.size());
  const auto now = Clock::now();
  for (Entry& entry : entries) {
    auto job = std::make_shared<Job>();
    job->task = std::move(entry.task);
    job->lane = entry.lane;
    job->bounded = entry.bounded;
    job->since = now;
    job->done = std::move(entry.done);
    jobs.push_back(std::move(job));
  }
  std::size_t taken = 0;
  {
    const std::lock_guard lock(mutex_);
    for (; taken < jobs.size() && !refusing_ && queued_bytes_ < kMaxQueuedBytes; ++taken) {
      queued_bytes_ += jobs[taken]->bytes();
      queue_.push_back(std::move(jobs[taken]));
    }
  }
  // Woken without the lock held, or it would have to wait for it.
  if (taken > 0) wake_.notify_one();
  for (; taken < jobs.size(); ++taken) jobs[taken]->done(connected_ ? too_slow() : database_away());
}

// Has them answered, each at most once: the watch may have been faster. Those created take their
// task with them, so the intake thread must be done with it.
void Intake::answer(std::vector<Answer> answers) {
  std::vector<std::function<void()>> work;
  work.reserve(answers.size());
  for (Answer& each : answers) {
    if (each.job->answered.exchange(true)) continue;
    work.emplace_back([answer = std::move(each)] {
      Job& job = *answer.job;
      const Done done = std::move(job.done);  // and with it whatever it holds
      if (answer.error) {
        done(*answer.error);
      } else {
        done(Taken{answer.kind, std::move(job.task), answer.at, answer.holder});
      }
    });
  }
  if (options_.run) {
    options_.run(std::move(work));
  } else {
    for (const auto& each : work) each();
  }
}

void Intake::answer_all(JobSpan jobs, const Error& error) {
  std::vector<Answer> answers;
  answers.reserve(jobs.size());
  for (const auto& job : jobs) answers.push_back({job, error});
  answer(std::move(answers));
}

// Answers those who have waited too long, for the intake thread may be waiting itself, for a
// database that hangs.
void Intake::watch() {
  std::unique_lock lock(mutex_);
  while (!end_watch_.wait_for(lock, kWatchEvery, [&] { return ending_; })) {
    const auto now = Clock::now();
    Jobs stale, doubtful;
    while (!queue_.empty() && now - queue_.front()->since > kPatienceQueued) {
      queued_bytes_ -= queue_.front()->bytes();
      stale.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    for (const auto& job : writing_) {
      if (now - job->since > kPatienceWriting) doubtful.push_back(job);
    }
    lock.unlock();
    answer_all(stale, too_slow());
    answer_all(doubtful, outcome_unknown());
    lock.lock();
  }
}

void Intake::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (connection_) {
        wake_.wait_until(lock, next_beat_, [&] { return ending_ || !queue_.empty(); });
      } else {
        wake_.wait_for(lock, backoff_, [&] { return ending_; });
      }
      if (ending_ && queue_.empty()) return;
    }
    ensure_connection();
    beat();
    if (!connection_) continue;
    write(take_batch());
    const std::lock_guard lock(mutex_);
    writing_.clear();
  }
}

Intake::Jobs Intake::take_batch() {
  Jobs batch;
  std::size_t bytes = 0;
  const std::lock_guard lock(mutex_);
  batch.reserve(std::min(queue_.size(), kMaxBatch));
  while (!queue_.empty() && batch.size() < kMaxBatch && bytes < kMaxBatchBytes) {
    bytes += queue_.front()->bytes();
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= bytes;
  writing_ = batch;
  return batch;
}

// Connections -------------------------------------------------------------------------------

bool Intake::connect() {
  try {
    auto connection = db::PgConnection::connect(options_.database);
    if (options_.greet) options_.greet(connection);
    // The row that says whose counters these are, before there are any.
    db::beat_handler(connection, options_.instance, options_.name);
    connection_.emplace(std::move(connection));
    next_beat_ = Clock::now() + kBeatEvery;
    backoff_ = {};
    if (!connected_.exchange(true)) log::info("database connected");
    told_lost_ = false;
    const std::lock_guard lock(mutex_);
    refusing_ = false;
    return true;
  } catch (const std::exception& error) {
    lose_connection(error.what());
    return false;
  }
}

// Connects when there is no connection. A failure fails whoever waits, and everybody after them at
// once, until a later call succeeds.
void Intake::ensure_connection() {
  // An idle connection may have been closed meanwhile. Noticed before anything is sent, nothing is
  // in doubt. Twice, because the first look takes in the server's farewell and only the second sees
  // the end.
  if (connection_ && (!connection_->consume() || !connection_->consume())) connection_.reset();
  if (connection_ || connect()) return;
  backoff_ = std::clamp<Clock::duration>(backoff_ * 2, kMinBackoff, kMaxBackoff);
  fail_queued();
}

void Intake::lose_connection(const std::string& why) {
  connection_.reset();
  connected_ = false;
  if (std::exchange(told_lost_, true)) return;
  log::warn("database lost error=\"{}\"", log_safe(why.substr(0, why.find('\n'))));
}

void Intake::fail_queued() {
  Jobs queued;
  {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
    queued.assign(queue_.begin(), queue_.end());
    queue_.clear();
    queued_bytes_ = 0;
  }
  answer_all(queued, database_away());
}

void Intake::beat() {
  if (!connection_ || Clock::now() < next_beat_) return;
  next_beat_ = Clock::now() + kBeatEvery;
  try {
    db::beat_handler(*connection_, options_.instance, options_.name);
  } catch (const std::exception& error) {
    lose_connection(error.what());
  }
}

// Writing -----------------------------------------------------------------------------------

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
  for (std::size_t from = 0; from < batch.size();) {
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
      if (error.is_undone() || error.is_lock_timeout()) {
        if (tries < kMaxTries) continue;
        return answer_all(jobs, too_slow());
      }
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
      return answer_all(jobs, row_refused());
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
  if (connection_->take_unsure_commit()) return answer_all(jobs, outcome_unknown());
  answer(std::move(answers));
}

std::vector<Intake::Answer> Intake::insert_keyed(JobSpan jobs) {
  using Kind = db::KeyedResult::Kind;
  const auto done = db::insert_keyed_tasks(*connection_, options_.instance, rows_of(jobs),
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
  const auto done = db::insert_bounded_tasks(*connection_, options_.instance, rows_of(jobs));
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
  const Time now = db::insert_tasks(*connection_, options_.instance, rows_of(jobs));
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
    if (!missing.empty()) std::this_thread::sleep_for(kMinBackoff);
  }
  answer_all(missing, outcome_unknown());
}

}  // namespace postern
