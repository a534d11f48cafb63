#include "scheduler/duties/rescue.h"

#include <algorithm>
#include <utility>

#include "core/program/log.h"
#include "scheduler/delivery/outcome.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Milliseconds kBeatPeriod = 5s;
constexpr Seconds kOwnNameAfter = 11s;  // two beats and a little

}  // namespace

Milliseconds beat_period(Seconds rescue_after) {
  return std::min<Milliseconds>(kBeatPeriod, Milliseconds(rescue_after) / 4);
}

Rescue::Rescue(const Uuid& self, std::string name, Seconds rescue_after)
    : self_(self), name_(std::move(name)), rescue_after_(rescue_after) {}

void Rescue::observe(std::span<const db::Heartbeat> beats, int connects, Monotonic now) {
  const bool gap = now - last_look_ > 3 * beat_period(rescue_after_);
  if (connects != std::exchange(connects_, connects) || gap) {
    seen_.clear();
    expired_.clear();
    expired_before_.clear();
  }
  last_look_ = now;
  std::map<Uuid, Seen> seen;
  for (const auto& [id, name, beat, clock] : beats) {
    const auto before = seen_.find(id);
    const bool unchanged = before != seen_.end() && before->second.beat == beat;
    seen[id] = {name, beat, unchanged ? before->second.since : now};
  }
  seen_ = std::move(seen);
}

std::vector<db::SilentInstance> Rescue::dead() const {
  std::vector<db::SilentInstance> dead;
  for (const auto& [id, seen] : seen_) {
    const auto after = seen.name == name_ ? std::min(rescue_after_, kOwnNameAfter) : rescue_after_;
    if (id != self_ && last_look_ - seen.since >= after) dead.push_back({id, seen.beat});
  }
  return dead;
}

std::vector<db::Orphan> Rescue::judge(db::Orphans orphans, Monotonic now) {
  std::erase_if(orphans.tasks, [&](const db::Orphan& orphan) {
    if (orphan.instance_gone) return false;
    const Key key{orphan.task.spec.id, orphan.task.lease};
    const auto before = expired_before_.find(key);
    const auto since = before == expired_before_.end() ? now : before->second;
    const Microseconds lasts = orphan.task.lease_until - orphan.task.claimed_at;
    const auto after = std::max<Microseconds>(rescue_after_, lasts);
    return now - expired_.emplace(key, since).first->second < after;
  });
  from_ = orphans.next.value_or(TaskId{});
  if (!orphans.next) expired_before_ = std::exchange(expired_, {});
  return std::move(orphans.tasks);
}

// --- the duty ------------------------------------------------------------------------------------

namespace {

// The leases of many tasks take many looks, which take at most this part of the connection's time:
// one in so many when there is nothing to find.
constexpr int kIdleShare = 49, kBusyShare = 4;
// Results that wait for the database: those of the orphans wait until they are fewer.
constexpr std::size_t kMostWaiting = 1000;
constexpr auto kLookAgain = 50ms;

int take_over(DutyContext& context, db::Orphans orphans) {
  int rescued = 0;
  for (const auto& orphan : context.rescue.judge(std::move(orphans), context.environment.now())) {
    const double random = std::uniform_real_distribution<>()(context.random);
    const auto& task = orphan.task;
    context.dispatcher.settler().add(!task.unreadable.empty() ? set_aside(task)
                                     : task.deferred          ? deferral_over(task, random)
                                                              : lost(task, random));
    ++rescued;
  }
  if (rescued > 0) log::warn("rescued tasks={}", rescued);
  return rescued;
}

}  // namespace

void rescue(const DutyRun& run) {
  auto& context = run.context();
  if (context.dispatcher.settler().size() > kMostWaiting) {
    run.again(run.begun() + kLookAgain);
    return;
  }
  const auto dead = context.rescue.dead();
  auto looked = [run, &context, held = context.dispatcher.held(),
                 somebody_died = !dead.empty()](db::Orphans orphans) {
    const bool more = orphans.next.has_value();
    const auto held_now = context.dispatcher.held();
    std::erase_if(orphans.tasks, [&](const db::Orphan& each) {
      // We live, even if somebody took our row away. The answer to a claim may be on its way at
      // this moment, so that we do not hold all tasks of ours.
      if (each.instance_gone && each.instance == context.options.instance) return true;
      // What we held when we asked may have been settled since, and what a claim brought since is
      // held now.
      const auto& id = each.task.spec.id;
      return held.contains(id) || held_now.contains(id);
    });
    const bool busy = take_over(context, std::move(orphans)) > 0 || somebody_died;
    run.rest(busy ? kBusyShare : kIdleShare);
    if (more) run.again();
  };
  run.store().orphans(dead, context.rescue.from(), run.reply<db::Orphans>(std::move(looked)));
}

}  // namespace postern::scheduler
