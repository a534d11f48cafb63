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
  }
  last_look_ = now;
  std::map<Uuid, Seen> seen;
  for (const auto& [id, name, beat] : beats) {
    const auto before = seen_.find(id);
    const bool unchanged = before != seen_.end() && before->second.beat == beat;
    seen[id] = {name, beat, unchanged ? before->second.since : now};
  }
  seen_ = std::move(seen);
}

std::vector<Uuid> Rescue::dead(Monotonic now) const {
  std::vector<Uuid> dead;
  for (const auto& [id, seen] : seen_) {
    const auto after = seen.name == name_ ? std::min(rescue_after_, kOwnNameAfter) : rescue_after_;
    if (id != self_ && now - seen.since >= after) dead.push_back(id);
  }
  return dead;
}

std::vector<db::Orphan> Rescue::judge(std::vector<db::Orphan> orphans, Monotonic now) {
  auto before = std::exchange(expired_, {});
  std::erase_if(orphans, [&](const db::Orphan& orphan) {
    if (orphan.instance_gone) return false;
    const Key key{orphan.task.spec.id, orphan.task.lease};
    const auto since = before.emplace(key, now).first->second;
    expired_[key] = since;
    return now - since < rescue_after_;
  });
  return orphans;
}

// --- the duty ------------------------------------------------------------------------------------

namespace {

void take_over(DutyContext& context, std::vector<db::Orphan> orphans) {
  int rescued = 0;
  for (const auto& orphan :
       context.rescue.judge(std::move(orphans), std::chrono::steady_clock::now())) {
    const double random = std::uniform_real_distribution<>()(context.random);
    context.dispatcher.settler().add(orphan.task.deferred ? deferral_over(orphan.task, random)
                                                          : lost(orphan.task, random));
    ++rescued;
  }
  if (rescued > 0) log::warn("event=rescued tasks={}", rescued);
}

}  // namespace

void rescue(const DutyRun& run) {
  auto& context = run.context();
  run.ask(db::kOrphans, db::orphans_params(context.rescue.dead(run.begun())),
          [&context, held = context.dispatcher.held()](const db::PgResult& result) {
            auto orphans = db::orphans_from(result);
            const auto held_now = context.dispatcher.held();
            std::erase_if(orphans, [&](const db::Orphan& each) {
              // We live, even if somebody took our row away. The answer to a claim may be on its
              // way at this moment, so that we do not hold all tasks of ours.
              if (each.instance_gone && each.instance == context.options.instance) return true;
              // What we held when we asked may have been settled since, and what a claim brought
              // since is held now.
              const auto& id = each.task.spec.id;
              return held.contains(id) || held_now.contains(id);
            });
            take_over(context, std::move(orphans));
          });
}

}  // namespace postern::scheduler
