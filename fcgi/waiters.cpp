#include "fcgi/waiters.h"

#include <exception>
#include <optional>
#include <vector>

#include "db/tasks.h"
#include "fcgi/crew.h"

namespace postern {
namespace {

constexpr std::chrono::milliseconds kLookEvery{200};

// Delayed and ready are one status to every client: waiting.
bool same_status(State a, State b) {
  const auto waiting = [](State state) { return state == State::ready || state == State::delayed; };
  return a == b || (waiting(a) && waiting(b));
}

}  // namespace

Waiters::Waiters(db::Pool& pool, int limit)
    : pool_(pool), limit_(static_cast<std::size_t>(limit)), thread_([this] { run(); }) {}

Waiters::~Waiters() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Waiters::wait(const TaskId& id, State state, int attempt, Milliseconds time) {
  const Crew::Away away;
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= limit_) return;
  const auto me = waiting_.insert(waiting_.end(), Waiter{id, state, attempt});
  if (waiting_.size() == 1) wake_.notify_one();
  changed_.wait_for(lock, time, [&] { return me->changed; });
  waiting_.erase(me);
}

void Waiters::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (waiting_.empty()) {
      wake_.wait(lock);
      continue;
    }
    wake_.wait_for(lock, kLookEvery, [&] { return ending_; });
    lock.unlock();
    look();
    lock.lock();
  }
}

void Waiters::look() {
  std::vector<TaskId> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const Waiter& waiter : waiting_) ids.push_back(waiter.id);
  }
  std::vector<std::optional<db::Glance>> found;
  try {
    auto connection = pool_.acquire();
    found = db::glance(*connection, ids);
  } catch (const std::exception&) {
    return;  // the database is away: they wait on, and ask again when their time is over
  }

  // The list may have changed meanwhile; who has come since waits for the next look.
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (Waiter& waiter : waiting_) {
    for (std::size_t i = 0; i < ids.size() && !waiter.changed; ++i) {
      if (ids[i] != waiter.id) continue;
      waiter.changed = !found[i] || !same_status(found[i]->state, waiter.state) ||
                       found[i]->attempt != waiter.attempt;
    }
    any = any || waiter.changed;
  }
  if (any) changed_.notify_all();
}

}  // namespace postern
