#include "fcgi/intake/intake.h"

#include <algorithm>
#include <utility>

#include "core/program/clock.h"
#include "core/program/log.h"
#include "db/catalog/queue_defaults.h"
#include "db/engine/heartbeat.h"
#include "db/tasks/tasks.h"
#include "fcgi/intake/job.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

using std::chrono::seconds;

constexpr seconds kPatienceQueued{5};
// Under nginx's fastcgi_read_timeout (40 s), so that the answer is ours.
constexpr seconds kPatienceWriting{30};
constexpr seconds kWatchEvery{1};
constexpr seconds kBeatEvery{10};
constexpr seconds kBeatAgain{1};  // and then twice as long each time
constexpr std::chrono::milliseconds kLookEvery{50};

}  // namespace

Error intake_too_slow() {
  return unavailable(
      "database_slow",
      "The database is too slow at the moment; the task was not created. Try again.");
}

Error intake_outcome_unknown() {
  return unavailable("outcome_unknown",
                     "Whether the task was created is not known. Try again with the same "
                     "Idempotency-Key, if you gave one.");
}

Error intake_row_refused() {
  return {Errc::internal, "task_refused", "", "The task could not be stored."};
}

Intake::Intake(Options options) : Intake(std::move(options), Role::first) {}

Intake::Intake(Options options, Role role)
    : options_(std::move(options)),
      aside_(role == Role::first ? new Intake(options_, Role::aside) : nullptr),
      thread_([this] { run(); }),
      watch_([this] { watch(); }) {}

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
  Jobs jobs, bounded;
  jobs.reserve(entries.size());
  const auto now = Clock::now();
  for (Entry& entry : entries) {
    auto job = std::make_shared<Job>();
    job->task = std::move(entry.task);
    job->lane = entry.lane;
    job->bounded = entry.bounded;
    job->since = now;
    job->done = std::move(entry.done);
    (job->bounded ? bounded : jobs).push_back(std::move(job));
  }
  if (!bounded.empty()) aside_->take(std::move(bounded));
  if (!jobs.empty()) take(std::move(jobs));
}

void Intake::take(Jobs jobs) {
  Jobs refused;
  {
    const std::lock_guard lock(mutex_);
    for (auto& job : jobs) {
      if (refusing_ || !lines_.has_room(job->task.spec.tenant)) {
        refused.push_back(std::move(job));
      } else {
        lines_.add(std::move(job));
      }
    }
  }
  // Woken without the lock held, or it would have to wait for it.
  wake_.notify_one();
  if (!refused.empty()) answer_all(refused, connected_ ? intake_too_slow() : database_away());
}

// None of them was inserted.
void Intake::put_aside(JobSpan jobs) {
  if (!is_aside()) return aside_->take(Jobs(jobs.begin(), jobs.end()));
  Jobs stale;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (const auto& job : jobs) {
      if (ending_ || now - job->since > kPatienceQueued) {
        stale.push_back(job);
      } else {
        lines_.add(job);
      }
    }
  }
  answer_all(stale, intake_too_slow());
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
    const Jobs stale = lines_.take_older(now - kPatienceQueued);
    Jobs doubtful;
    for (const auto& job : writing_) {
      if (now - job->since > kPatienceWriting) doubtful.push_back(job);
    }
    lock.unlock();
    answer_all(stale, intake_too_slow());
    answer_all(doubtful, intake_outcome_unknown());
    lock.lock();
  }
}

void Intake::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (connection_) {
        wake_.wait_until(lock, next_beat_, [&] { return ending_ || !lines_.empty(); });
      } else if (!options_.beats) {
        wake_.wait(lock, [&] { return ending_ || !lines_.empty(); });
      } else {
        wait_to_connect(lock);
      }
      if (ending_ && lines_.empty()) return;
    }
    ensure_connection();
    beat();
    if (!connection_) continue;
    write(take_batch());
    const std::lock_guard lock(mutex_);
    writing_.clear();
  }
}

// Aside it is of one queue, which may be locked.
Intake::Jobs Intake::take_batch() {
  const std::lock_guard lock(mutex_);
  writing_ = is_aside() ? lines_.take_turn() : lines_.take_round();
  return writing_;
}

// Connections -------------------------------------------------------------------------------

// Another connection of the program may find the server first.
void Intake::wait_to_connect(std::unique_lock<std::mutex>& lock) {
  const auto& primary = options_.database.primary;
  while (!ending_ && Clock::now() < connect_at_ &&
         !(primary && primary->connected_at() > lost_at_)) {
    wake_.wait_until(lock, std::min(connect_at_, Clock::now() + kLookEvery));
  }
}

bool Intake::connect() {
  try {
    auto database = options_.database;
    database.session = db::intake_session();
    auto connection = db::PgConnection::connect(database);
    if (options_.greet) options_.greet(connection);
    // The row that says whose counters these are, before there are any.
    const Clock::duration until_next = options_.beats ? beat_by(connection) : kBeatEvery;
    backend_ = db::backend_of(connection);
    connection_.emplace(std::move(connection));
    next_beat_ = Clock::now() + until_next;
    backoff_.reset();
    if (!connected_.exchange(true) && !is_aside()) log::info("database connected");
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
  // the end. The primary may have changed, too.
  if (connection_ &&
      (!connection_->consume() || !connection_->consume() || !connection_->alive())) {
    connection_.reset();
  }
  if (connection_ || connect()) return;
  lost_at_ = Clock::now();
  connect_at_ = lost_at_ + backoff_.next();
  fail_queued();
}

void Intake::lose_connection(const std::string& why) {
  connection_.reset();
  connected_ = false;
  if (std::exchange(told_lost_, true) || is_aside()) return;
  log::warn("database away error=\"{}\"", log_safe(why.substr(0, why.find('\n'))));
}

void Intake::fail_queued() {
  Jobs queued;
  {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
    queued = lines_.take_all();
  }
  answer_all(queued, database_away());
}

// How long until the next one: sooner, when the answer took so long that it tells nothing about the
// database's clock; but a database that stays slow is not asked again and again.
Intake::Clock::duration Intake::beat_by(db::PgConnection& connection) {
  const Time before = wall_clock();
  const Time there = db::beat_handler(connection, options_.instance, options_.name, options_.cell);
  if (compare_clocks(before, there, wall_clock())) {
    beat_again_ = kBeatAgain;
    return kBeatEvery;
  }
  return std::exchange(beat_again_, std::min<Clock::duration>(2 * beat_again_, kBeatEvery));
}

void Intake::beat() {
  if (!connection_ || Clock::now() < next_beat_) return;
  next_beat_ = Clock::now() + kBeatEvery;
  if (is_aside() || !options_.beats) return;
  try {
    next_beat_ = Clock::now() + beat_by(*connection_);
  } catch (const std::exception& error) {
    lose_connection(error.what());
  }
}

}  // namespace postern
