// Long polls: threads that wait until a task's status changes. One thread looks up all tasks that
// are waited for in one statement, so that a hundred waiters cost the database as much as one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "core/model/task.h"
#include "db/pg/pool.h"
#include "db/tasks/tasks.h"
#include "fcgi/api/concurrency_limit.h"
#include "fcgi/auth/placements.h"

namespace postern {

class LongPolls {
 public:
  // `limit`: how many may wait at the same time; one tenant has its share of them (tenant_share).
  // All must outlive it.
  LongPolls(db::Pool& pool, int limit, Placements& placements);
  // REQUIRES: nobody waits.
  ~LongPolls();
  LongPolls(const LongPolls&) = delete;
  LongPolls& operator=(const LongPolls&) = delete;

  // Blocks until the task is no longer as it was seen, has gone, its tenant has moved to another
  // cell, or the time is over. Returns at
  // once when too many wait already, so that long polls never take the threads that others need.
  // That a delayed one is due counts only in dialects that show it. Any thread.
  void wait(const Task& seen, Milliseconds time);

 private:
  struct Waiter {
    TaskId id;
    std::string tenant;
    Dialect dialect;
    db::Glance seen;
    bool changed = false;
  };

  void run();
  void look();

  db::Pool& pool_;
  Placements& placements_;
  ConcurrencyLimit places_;
  std::mutex mutex_;  // guards the next two, and what the list holds
  std::list<Waiter> waiting_;
  bool ending_ = false;
  std::condition_variable wake_;     // for the looking thread
  std::condition_variable changed_;  // for all who wait
  std::thread thread_;
};

}  // namespace postern
