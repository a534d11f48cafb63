#include "fcgi/api/long_polls.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <set>
#include <vector>

#include "fcgi/server/worker_gate.h"

namespace postern {
namespace {

constexpr std::chrono::milliseconds kLookEvery{200};

// Delayed and ready are one status, but where due tasks are shown.
bool same_status(Dialect dialect, const db::Glance& a, const db::Glance& b) {
  const auto waiting = [](State state) { return state == State::ready || state == State::delayed; };
  const bool same_state = a.state == b.state || (!traits(dialect).shows_due_tasks &&
                                                 waiting(a.state) && waiting(b.state));
  return same_state && a.attempt == b.attempt && a.deferred == b.deferred;
}

}  // namespace

LongPolls::LongPolls(db::Pool& pool, int limit, Placements& placements)
    : pool_(pool),
      placements_(placements),
      places_(ConcurrencyLimit::shared(limit)),
      thread_([this] { run(); }) {}

LongPolls::~LongPolls() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LongPolls::wait(const Task& seen, Milliseconds time) {
  const auto place = places_.enter(seen.spec.tenant);
  if (!place) return;
  const BlockingSection away;
  std::unique_lock lock(mutex_);
  const auto me =
      waiting_.insert(waiting_.end(), Waiter{seen.spec.id,
                                             seen.spec.tenant,
                                             seen.spec.dialect,
                                             {seen.state, seen.attempt, seen.deferred}});
  if (waiting_.size() == 1) wake_.notify_one();
  changed_.wait_for(lock, time, [&] { return me->changed; });
  waiting_.erase(me);
}

void LongPolls::run() {
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

void LongPolls::look() {
  std::vector<TaskId> ids;
  std::set<std::string> tenants;
  {
    const std::lock_guard lock(mutex_);
    for (const Waiter& waiter : waiting_) {
      ids.push_back(waiter.id);
      tenants.insert(waiter.tenant);
    }
  }
  std::erase_if(tenants, [&](const auto& tenant) { return !placements_.is_elsewhere(tenant); });
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
      waiter.changed = !found[i] || tenants.contains(waiter.tenant) ||
                       !same_status(waiter.dialect, *found[i], waiter.seen);
    }
    any = any || waiter.changed;
  }
  if (any) changed_.notify_all();
}

}  // namespace postern
