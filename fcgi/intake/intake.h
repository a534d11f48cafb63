// Taking tasks in, by group commit: the handlers' threads hand over what they have checked and go
// on; one thread writes whatever has gathered as one statement and has all of them answered when it
// is committed. While one commit is under way the next batch gathers, so batches are as large as
// the load makes them and a lone task does not wait for company. One connection: two were slower.
// Nobody waits on a thread of their own: waking one for each task cost as much as everything else
// that is done for it.
// Batches are bounded in bytes, and tenants take turns in them, so that nobody waits for more than
// the batch that is being written and their own: see lines.h.
//
// What has to wait for somebody, or may do so, goes aside to a second intake with a thread and a
// connection of its own, so that nobody else waits behind it: tasks for queues with a bound, which
// lock their queue and make room in it, and whatever found a lock held. There a batch is of one
// tenant, and what finds a lock held again goes back to the end of its tenant's line.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/engine/backend.h"
#include "db/pg/backoff.h"
#include "db/pg/connection.h"
#include "db/tasks/counter_id.h"
#include "db/tasks/insertion.h"
#include "fcgi/intake/lines.h"

namespace postern {

class Intake {
 public:
  struct Options {
    db::PgConnection::Options database;
    Uuid instance;          // whose row beats
    std::string name;       // of this program, for people
    std::string cell = {};  // its label; empty: it has none
    // Whether it has a row in the database that beats, and a connection from the beginning on.
    // Without, for a program that may have no task at all: it connects for the first one, and
    // leaves no trace but those that are counted.
    bool beats = true;
    Seconds idempotency_window{600};
    // Called with each new connection before its use; may throw PgError, which counts as a failure
    // to connect.
    std::function<void(db::PgConnection&)> greet = {};
    // Runs answers, which may take their time, elsewhere; absent: on the thread that found them.
    std::function<void(std::vector<std::function<void()>>)> run = {};
    // How long what became of a commit is looked for, while the session that may still commit
    // lives.
    std::chrono::milliseconds look_up_for{2'000};
  };

  // What became of a task.
  struct Taken {
    enum class Kind {
      created,
      replayed,    // its idempotency key was used before, for `holder`
      mismatched,  // the same, with another request
      full,        // its queue has no room; nothing was made
    };
    Kind kind;
    NewTask task;   // as it was handed over
    Time at;        // with created: the database's time
    TaskId holder;  // with replayed and mismatched
  };

  using Done = std::function<void(Result<Taken>)>;

  explicit Intake(Options options);
  // Writes what was handed over, then ends.
  ~Intake();
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // Calls `done` once: when the task is committed, or with an error: `unavailable` when the
  // database is away or too slow, or when it is not known what became of the commit; `internal`
  // when the row was refused. That is within 30 s, whatever the database does. Does not block, any
  // thread. `bounded`: its queue has a bound, which is then kept. REQUIRES: the task is valid.
  void submit(NewTask task, std::int64_t lane, bool bounded, Done done);

  // The same for many, which are written in this order, in one batch or several: each is answered
  // by itself. Those that must be made all or none do not come here (BatchApi::create_all).
  struct Entry {
    NewTask task;
    std::int64_t lane;
    bool bounded;
    Done done;
  };
  void submit(std::vector<Entry> entries);

  // Whether the database was there when it was last asked.
  bool connected() const { return connected_; }

  using Clock = IntakeLines::Clock;

 private:
  using Job = IntakeJob;
  struct Answer;
  enum class Role { first, aside };
  using Jobs = IntakeLines::Jobs;
  using JobSpan = std::span<const std::shared_ptr<Job>>;

  Intake(Options options, Role role);
  bool is_aside() const { return !aside_; }

  void take(Jobs jobs);
  void put_aside(JobSpan jobs);
  void run();
  Jobs take_batch();
  void fail_queued();
  void wait_to_connect(std::unique_lock<std::mutex>& lock);
  bool connect();
  void ensure_connection();
  void lose_connection(const std::string& why);
  void beat();
  Clock::duration beat_by(db::PgConnection& connection);

  void write(Jobs batch);
  void write_group(JobSpan jobs);
  void part_from_lock(JobSpan jobs);
  void part_from_away(JobSpan jobs);
  bool may_be_held(const Job& job) const;
  void insert(JobSpan jobs);
  std::vector<Answer> insert_keyed(JobSpan jobs);
  std::vector<Answer> insert_bounded(JobSpan jobs);
  std::vector<Answer> insert_plain(JobSpan jobs);
  static std::vector<db::Insertion> rows_of(JobSpan jobs);
  void look_up(JobSpan jobs);

  void watch();
  void answer(std::vector<Answer> answers);
  void answer_all(JobSpan jobs, const Error& error);

  const Options options_;
  const std::unique_ptr<Intake> aside_;  // none for the one that is aside itself
  std::atomic<bool> connected_ = false;

  std::mutex mutex_;  // guards the members up to the empty line
  std::condition_variable wake_;
  std::condition_variable end_watch_;
  IntakeLines lines_;
  Jobs writing_;
  bool refusing_ = false;  // the database is away: fail at once
  bool ending_ = false;

  // The intake thread's own.
  db::CounterId counters_;
  std::optional<db::PgConnection> connection_;
  db::Backend backend_;  // of the last connection
  Clock::time_point next_beat_{};
  Clock::duration beat_again_ =
      std::chrono::seconds(1);  // until the next one, when this one tells nothing of the clock
  db::Backoff backoff_{db::kFirstPause, db::kLastPause};
  Clock::time_point lost_at_{};     // the connection, and
  Clock::time_point connect_at_{};  // the next attempt to make one
  int held_ = 0;                    // how many parts of this batch need what somebody holds
  std::map<std::string, Clock::time_point> held_until_;  // tenants of whose keys one was held
  bool told_lost_ = false;                               // in the log, since the last connection

  std::thread thread_;
  std::thread watch_;
};

}  // namespace postern
